//! The consent listener's pages: what is asked for, on to the portal, back from it, who was
//! connected, done. No JavaScript, nothing from outside, every text escaped; links are relative, so
//! that they work behind a path prefix. The rules are `agents::consent`'s.

pub(super) mod words;

use std::sync::Arc;

use url::form_urlencoded;

use crate::agents::consent::Callback;
use crate::agents::consent::Connected;
use crate::agents::consent::Consents;
use crate::agents::consent::Refusal;
use crate::api;
use crate::api::problem::Problem;
use crate::api::routes::Action;
use crate::api::routes::Listener;
use crate::api::routes::Step;
use crate::base::secret::Secret;
use crate::http::Answer;
use crate::http::Handler;
use crate::http::Reply;
use crate::http::Request;
use crate::limits;
use words::Language;

/// Answers the consent listener.
pub struct ConsentListener {
    /// Consents in progress; `None` while the portal is not configured.
    pub consents: Option<Arc<Consents>>,
}

impl Handler for ConsentListener {
    fn handle(&self, request: Request, answer: Answer) {
        answer.send(self.reply(&request));
    }
}

impl ConsentListener {
    fn reply(&self, request: &Request) -> Reply {
        let step = match api::action(Listener::Consent, request) {
            Ok(Action::Health) => return api::health(),
            Ok(Action::Consent(step)) => step,
            Ok(_) => return Problem::not_found("nothing is here").reply(),
            Err(refused) => return refused,
        };
        let language = Language::of(request.header("accept-language"));
        let Some(consents) = &self.consents else {
            return refused(&Refusal::NotConfigured, language);
        };
        let page = Page { consents, request, language };
        page.step(&step).unwrap_or_else(|refusal| refused(&refusal, language))
    }
}

/// One request for a page.
struct Page<'a> {
    consents: &'a Consents,
    request: &'a Request,
    language: Language,
}

impl Page<'_> {
    fn step(&self, step: &Step) -> Result<Reply, Refusal> {
        match step {
            Step::Ask(ticket) => self.ask(ticket),
            Step::Start(ticket) => {
                let url = self.consents.begin(ticket)?;
                Ok(Reply::redirect(url.as_str()))
            }
            Step::Callback => self.connected(&self.request.query, "confirm"),
            Step::Paste(_) => {
                let pasted = self.request.form_value("url").unwrap_or_default();
                let query = pasted.trim().split_once('?').map(|(_, query)| query);
                let query = query.ok_or(Refusal::Incomplete)?;
                let query = query.split('#').next().unwrap_or_default();
                self.connected(query, "../../oauth/confirm")
            }
            Step::Confirm => {
                let confirmation = self.request.form_value("confirmation").unwrap_or_default();
                let (agent, person) = self.consents.confirm(&confirmation)?;
                let words = self.language.words();
                let text = filled(words.done_text, &[agent.as_str(), &person]);
                Ok(page(200, self.language, words.done_title, &format!("<p>{text}</p>")))
            }
        }
    }

    fn ask(&self, ticket: &str) -> Result<Reply, Refusal> {
        let agent = self.consents.agent_of(ticket)?;
        let words = self.language.words();
        let link = escape(ticket);
        let body = format!(
            "<p>{text}</p><p><strong>{account}</strong></p><p>{grants}</p><ul><li>{messages}</li>\
             <li>{people}</li><li>{departments}</li></ul>\
             <form method=\"post\" action=\"{link}/start\"><button>{start}</button></form>\
             <details><summary>{paste_text}</summary>\
             <form method=\"post\" action=\"{link}/paste\"><label>{paste_label} \
             <input name=\"url\" type=\"url\" required autocomplete=\"off\"></label> \
             <button>{paste}</button></form></details>",
            text = filled(words.ask_text, &[agent.as_str()]),
            account = escape(words.ask_account),
            grants = escape(words.grants),
            messages = escape(words.grant_messages),
            people = escape(words.grant_people),
            departments = escape(words.grant_departments),
            start = escape(words.start),
            paste_text = escape(words.paste_text),
            paste_label = escape(words.paste_label),
            paste = escape(words.paste),
        );
        let title = words.ask_title.replacen("{}", agent.as_str(), 1);
        Ok(page(200, self.language, &title, &body))
    }

    fn connected(&self, query: &str, confirm_link: &str) -> Result<Reply, Refusal> {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            found.filter(|value| !value.is_empty()).ok_or(Refusal::Incomplete)
        };
        let callback = Callback {
            code: Secret::new(value("code")?),
            state: value("state")?,
            domain: value("domain")?,
            server_domain: value("server_domain")?,
        };
        let Connected { confirmation, agent, person, replaces } =
            self.consents.callback(&callback)?;
        let words = self.language.words();
        let (warning, confirm) = match &replaces {
            Some(former) => (
                format!(
                    "<p role=\"alert\">{}</p>",
                    filled(words.replaces_text, &[former, &person, former])
                ),
                filled(words.replace, &[former]),
            ),
            None => (String::new(), escape(words.confirm)),
        };
        let body = format!(
            "<p>{text}</p>{warning}<form method=\"post\" action=\"{confirm_link}\">\
             <input type=\"hidden\" name=\"confirmation\" value=\"{confirmation}\">\
             <button>{confirm}</button></form><p>{wrong}</p>",
            text = filled(words.connected_text, &[agent.as_str(), &person]),
            confirmation = escape(&confirmation),
            wrong = escape(words.connected_wrong),
        );
        Ok(page(200, self.language, words.connected_title, &body))
    }
}

fn refused(refusal: &Refusal, language: Language) -> Reply {
    let status = match refusal {
        Refusal::LinkOver | Refusal::ConfirmationOver => 410,
        Refusal::StateUnknown
        | Refusal::OtherPortal
        | Refusal::ServerNotAllowed
        | Refusal::Incomplete => 400,
        Refusal::NotExchanged(_) | Refusal::NotRead(_) => 502,
        Refusal::NotConfigured
        | Refusal::TooMany
        | Refusal::Busy
        | Refusal::Stopping
        | Refusal::Store => 503,
        _ => 403,
    };
    let text = escape(&words::refusal(refusal, language));
    let title = language.words().refused_title;
    let page = page(status, language, title, &format!("<p role=\"alert\">{text}</p>"));
    match refusal {
        Refusal::Busy => page.with_header("Retry-After", &limits::CONSENT_BUSY_RETRY_S.to_string()),
        _ => page,
    }
}

/// A whole page. `title` is escaped here, `body` is HTML already.
fn page(status: u16, language: Language, title: &str, body: &str) -> Reply {
    const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem \
        auto;padding:0 1rem}button,input{font:inherit;padding:.5rem 1rem;max-width:100%}\
        :root{color-scheme:light dark}details{margin-top:2rem}";
    let title = escape(title);
    Reply::html(
        status,
        format!(
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>\n",
            language.tag()
        ),
    )
}

/// A template with its `{}` filled in order; everything is escaped, names are set apart.
fn filled(template: &str, names: &[&str]) -> String {
    let mut pieces = template.split("{}");
    let mut html = escape(pieces.next().unwrap_or_default());
    for (piece, name) in pieces.zip(names) {
        html.push_str(&format!("<b>{}</b>{}", escape(name), escape(piece)));
    }
    html
}

fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::filled;
    use super::refused;
    use super::words::Language;
    use crate::agents::consent::Refusal;

    #[test]
    fn names_never_become_markup() {
        let html = filled("Agent {} as {}.", &["mira", "<script>\"&'</script>"]);
        let expected = "Agent <b>mira</b> as \
            <b>&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;</b>.";
        assert_eq!(html, expected);
    }

    #[test]
    fn the_browser_chooses_the_language() {
        let cases = [
            (None, Language::English),
            (Some("ru-RU,ru;q=0.9,en;q=0.8"), Language::Russian),
            (Some("en-US,ru;q=0.5"), Language::English),
            (Some("de, ru"), Language::Russian),
            (Some("\u{439}"), Language::English),
            (Some("en;q=0.2, ru-RU;q=0.7"), Language::Russian),
            (Some("ru;q=0"), Language::English),
            (Some("en;q=0.5,ru;q=0.5"), Language::English),
            (Some("run, rue"), Language::English),
            (Some("ru;q=NaN,en;q=x"), Language::English),
        ];
        for (accept, language) in cases {
            assert_eq!(Language::of(accept), language, "{accept:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_page_that_forbids_scripts_and_caching() {
        let reply = refused(&Refusal::NotRead("<b>".into()), Language::Russian);
        let text = String::from_utf8(reply.body).expect("UTF-8");
        assert!(text.contains("lang=\"ru\"") && text.contains("&lt;b&gt;"), "{text}");
        let header = |name: &str| {
            reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        assert_eq!(header("Cache-Control").as_deref(), Some("no-store"));
        assert_eq!(header("Referrer-Policy").as_deref(), Some("no-referrer"));
        assert!(
            header("Content-Security-Policy").is_some_and(|p| p.contains("default-src 'none'"))
        );
    }
}
