//! The texts of the consent pages, in English and Russian. A closed list per language, so that a
//! missing translation does not compile.

use crate::agents::consent::Refusal;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Language {
    English,
    Russian,
}

impl Language {
    /// Whichever of the two `Accept-Language` prefers; English when it names neither.
    pub(super) fn of(accept: Option<&str>) -> Language {
        let mut best = (Language::English, 0);
        for entry in accept.unwrap_or_default().split(',') {
            let mut parts = entry.split(';').map(str::trim);
            let tag = parts.next().and_then(|tag| tag.split('-').next()).unwrap_or_default();
            let language = match tag.to_ascii_lowercase().as_str() {
                "ru" => Language::Russian,
                "en" => Language::English,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
            // Of equals the first counts.
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    /// The `lang` attribute.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Russian => "ru",
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::Russian => &RUSSIAN,
        }
    }
}

/// A weight such as `0.8` in thousandths; one that cannot be read weighs nothing.
fn thousandths(weight: &str) -> u32 {
    let weight: f32 = weight.parse().unwrap_or(0.0);
    // The cast saturates, and turns what is no number into zero.
    (weight.clamp(0.0, 1.0) * 1000.0) as u32
}

/// Every text of the pages. `{}` stands for a name.
pub(super) struct Words {
    pub(super) ask_title: &'static str,
    pub(super) ask_text: &'static str,
    pub(super) ask_account: &'static str,
    pub(super) grants: &'static str,
    pub(super) grant_messages: &'static str,
    pub(super) grant_people: &'static str,
    pub(super) grant_departments: &'static str,
    pub(super) start: &'static str,
    pub(super) paste_text: &'static str,
    pub(super) paste_label: &'static str,
    pub(super) paste: &'static str,
    pub(super) connected_title: &'static str,
    pub(super) connected_text: &'static str,
    pub(super) connected_wrong: &'static str,
    pub(super) confirm: &'static str,
    pub(super) replaces_text: &'static str,
    pub(super) replace: &'static str,
    pub(super) done_title: &'static str,
    pub(super) done_text: &'static str,
    pub(super) refused_title: &'static str,
}

const ENGLISH: Words = Words {
    ask_title: "Connect the agent {}",
    ask_text: "The AiHummer agent {} will read and write in Bitrix24 as the user who is signed in \
        to the portal in this browser.",
    ask_account: "Sign in as the agent's own user first, not as yourself.",
    grants: "The agent will be able to:",
    grant_messages: "read and send messages in the chats this user takes part in;",
    grant_people: "see the names of colleagues;",
    grant_departments: "see the departments of the company.",
    start: "Connect",
    paste_text: "If the portal sent you to an address that does not open, paste that address here \
        within 30 seconds:",
    paste_label: "Address",
    paste: "Use this address",
    connected_title: "Is this the right account?",
    connected_text: "The portal connected the agent {} as {}.",
    connected_wrong: "If that is somebody else, close this page: nothing was changed. Sign in to \
        the portal as the right user and open the link again.",
    confirm: "Yes, this is the agent",
    replaces_text: "The agent works as {} until now. If you go on, it works as {} instead: it sees \
        that user's chats only, and answers no more where {} was asked.",
    replace: "Yes, it is no longer {}",
    done_title: "Connected",
    done_text: "The agent {} now works as {}. You can close this page.",
    refused_title: "Not connected",
};

const RUSSIAN: Words = Words {
    ask_title: "Подключение агента {}",
    ask_text: "Агент AiHummer {} будет читать и писать в Битрикс24 от имени пользователя, который \
        вошёл на портал в этом браузере.",
    ask_account: "Сначала войдите на портал под учётной записью агента, а не под своей.",
    grants: "Агент сможет:",
    grant_messages: "читать и отправлять сообщения в чатах, где участвует этот пользователь;",
    grant_people: "видеть имена сотрудников;",
    grant_departments: "видеть отделы компании.",
    start: "Подключить",
    paste_text: "Если портал открыл адрес, который не загружается, вставьте этот адрес сюда в \
        течение 30 секунд:",
    paste_label: "Адрес",
    paste: "Использовать этот адрес",
    connected_title: "Это нужная учётная запись?",
    connected_text: "Портал подключил агента {} как пользователя {}.",
    connected_wrong: "Если это другой человек, закройте страницу: ничего не изменилось. Войдите на \
        портал под нужной учётной записью и снова откройте ссылку.",
    confirm: "Да, это агент",
    replaces_text: "Сейчас агент работает как {}. Если продолжить, он будет работать как {}: \
        увидит только чаты этого пользователя и не ответит там, где спрашивали пользователя {}.",
    replace: "Да, это больше не {}",
    done_title: "Подключено",
    done_text: "Агент {} теперь работает как {}. Страницу можно закрыть.",
    refused_title: "Не подключено",
};

/// Why it was refused and what to do, for a person.
pub(in crate::api) fn refusal(refusal: &Refusal, language: Language) -> String {
    let (english, russian) = match refusal {
        Refusal::NotConfigured => (
            "The connector has no portal yet: an operator sets it up and restarts it.".to_owned(),
            "Для коннектора ещё не указан портал: оператор настраивает его и перезапускает."
                .to_owned(),
        ),
        Refusal::LinkOver | Refusal::ConfirmationOver => (
            "This link was used already or is over. Ask for a new one.".to_owned(),
            "Ссылка уже использована или устарела. Попросите новую.".to_owned(),
        ),
        Refusal::StateUnknown => (
            "This answer of the portal was not asked for, or came too late. Open the link again."
                .to_owned(),
            "Этот ответ портала не запрашивался или пришёл слишком поздно. Откройте ссылку снова."
                .to_owned(),
        ),
        Refusal::OtherPortal => (
            "The answer came from another portal than the configured one.".to_owned(),
            "Ответ пришёл не с того портала, который указан в настройках.".to_owned(),
        ),
        Refusal::ServerNotAllowed => (
            "The answer names an authorization server that is not allowed \
             (BITRIX24_OAUTH_SERVERS)."
                .to_owned(),
            "В ответе указан сервер авторизации, которого нет в списке разрешённых \
             (BITRIX24_OAUTH_SERVERS)."
                .to_owned(),
        ),
        Refusal::Incomplete => (
            "The address is not the one the portal redirected to: copy it whole.".to_owned(),
            "Это не тот адрес, на который перенаправил портал: скопируйте его целиком.".to_owned(),
        ),
        Refusal::NotExchanged(code) => (
            format!(
                "The authorization server did not accept the code ({code}). Open the link again."
            ),
            format!("Сервер авторизации не принял код ({code}). Откройте ссылку снова."),
        ),
        Refusal::NotRead(code) => (
            format!("The portal did not say who was connected ({code}). Open the link again."),
            format!("Портал не сообщил, кто подключён ({code}). Откройте ссылку снова."),
        ),
        Refusal::NoAccount => (
            "The account is inactive in the portal.".to_owned(),
            "Учётная запись на портале неактивна.".to_owned(),
        ),
        Refusal::Administrator => (
            "This account may administrate the portal. Use an ordinary employee's account for the \
             agent."
                .to_owned(),
            "Это учётная запись администратора портала. Используйте для агента обычную учётную \
             запись сотрудника."
                .to_owned(),
        ),
        Refusal::OtherInstallation => (
            "This connector has worked for another portal. Give it a new state directory \
             (BITRIX24_STATE_DIR) for this one."
                .to_owned(),
            "Этот коннектор работал с другим порталом. Для этого портала укажите новый каталог \
             состояния (BITRIX24_STATE_DIR)."
                .to_owned(),
        ),
        Refusal::Taken(other) => (
            format!("This account belongs to the agent {other} already."),
            format!("Эта учётная запись уже принадлежит агенту {other}."),
        ),
        Refusal::OtherAccount => (
            "Somebody connected the agent as another user meanwhile. Ask for a new link, and see \
             who it is then."
                .to_owned(),
            "Тем временем кто-то подключил агента как другого пользователя. Попросите новую \
             ссылку и посмотрите, кто подключён."
                .to_owned(),
        ),
        Refusal::Occupied(person) => (
            format!("The agent works as {person}: say that this is to be replaced."),
            format!("Агент работает как {person}: подтвердите, что это нужно заменить."),
        ),
        Refusal::ScopesMissing(scopes) => (
            format!(
                "The application lacks the scopes {}: an administrator adds them on its card in \
                 the portal.",
                scopes.join(", ")
            ),
            format!(
                "Приложению не хватает прав {}: администратор добавляет их в карточке приложения \
                 на портале.",
                scopes.join(", ")
            ),
        ),
        Refusal::NoMessenger => (
            "The portal has no messenger for applications (im).".to_owned(),
            "На портале нет мессенджера для приложений (im).".to_owned(),
        ),
        Refusal::TooMany => (
            "Too many consents are waiting for a confirmation. Try again in 15 minutes.".to_owned(),
            "Слишком много подключений ждут подтверждения. Попробуйте через 15 минут.".to_owned(),
        ),
        Refusal::Busy => (
            "The portal is slow to answer, and others are being connected just now. Try again in \
             a few seconds, or open the link again."
                .to_owned(),
            "Портал отвечает медленно, и сейчас подключаются другие. Повторите через несколько \
             секунд или снова откройте ссылку."
                .to_owned(),
        ),
        Refusal::Stopping => (
            "The connector is being restarted. Open the link again in a minute.".to_owned(),
            "Коннектор перезапускается. Откройте ссылку снова через минуту.".to_owned(),
        ),
        Refusal::Store => (
            "The connector could not store this; its log says why. Try again.".to_owned(),
            "Коннектор не смог это сохранить; причина в его журнале. Попробуйте снова.".to_owned(),
        ),
    };
    match language {
        Language::English => english,
        Language::Russian => russian,
    }
}
