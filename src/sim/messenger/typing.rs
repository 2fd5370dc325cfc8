//! Who is typing: `im.dialog.writing`, and what a person who looks at the chat is then shown
//! (b24: messenger §8, Q21). Nobody hears of it by REST. The method table and `scene` call it, and
//! `message` ends it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::super::world::World;
use super::history::dialog;
use crate::base::clock::UnixMs;

/// How long the official client shows one call.
const SHOWN: Duration = Duration::from_secs(25);
/// How long it does in the chat of a copilot.
const SHOWN_COPILOT: Duration = Duration::from_secs(180);

/// Who said to be typing, by chat and user, and when last.
#[derive(Debug, Default)]
pub struct Typing(BTreeMap<(u64, u64), UnixMs>);

impl Typing {
    /// A message of that person ends it.
    pub(super) fn end(&mut self, chat: u64, user: u64) {
        self.0.remove(&(chat, user));
    }
}

/// `im.dialog.writing`.
///
/// # Errors
/// `DIALOG_ID_EMPTY`, `CHAT_ID_EMPTY`, `ACCESS_ERROR`.
pub fn writing(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let named = params.text_ci("DIALOG_ID");
    if named.is_empty() && params.int_ci("CHAT_ID").is_some_and(|chat| chat <= 0) {
        return Err(RestError::bad("CHAT_ID_EMPTY", "Chat ID can't be empty"));
    }
    if u64::try_from(php::int_of_text(&named)).is_ok_and(|user| user == context.user) {
        let text = "You do not have access to this dialog";
        return Err(RestError::new(403, "ACCESS_ERROR", text));
    }
    let chat = dialog(context, params)?;
    context.world.messenger.typing.0.insert((chat, context.user), context.now);
    Ok(Reply::from(json!(true)))
}

/// Who is shown as typing in a chat now, in order of ids.
pub(super) fn shown(world: &World, chat: u64) -> Vec<u64> {
    let messenger = &world.messenger;
    let copilot = messenger.chats.get(&chat).is_some_and(|chat| chat.letter == 'A');
    let shown = if copilot { SHOWN_COPILOT } else { SHOWN };
    let said = messenger.typing.0.range((chat, 0)..=(chat, u64::MAX));
    said.filter(|(_, at)| world.now().since(**at) < shown).map(|((_, user), _)| *user).collect()
}
