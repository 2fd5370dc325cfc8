//! `im.dialog.context.get` (b24: messenger §4.2): a message with its neighbours in the V2 form, the
//! only way to learn of old messages what they answer. Hidden from the list of methods, not from
//! callers. Called by the messenger's method table.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::Message;
use super::event;
use super::files;

/// Largest range on either side; whatever is no range becomes this.
const RANGE_MAX: i64 = 50;

/// Reads a message and up to `RANGE` messages on either side of it.
///
/// # Errors
/// `MESSAGE_ID_EMPTY`, `MESSAGE_NOT_FOUND`, `ACCESS_ERROR`, `RANGE_EMPTY`, looked at in this order.
pub fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.int_ci("MESSAGE_ID").and_then(|id| u64::try_from(id).ok());
    let id = id.filter(|id| *id > 0);
    let id = id.ok_or_else(|| RestError::bad("MESSAGE_ID_EMPTY", "Message ID can`t be empty"))?;
    let (world, user) = (&*context.world, context.user);
    let message = world.messenger.messages.get(&id);
    let found = message.ok_or_else(|| RestError::bad("MESSAGE_NOT_FOUND", "Message not found"))?;
    let chat = world.messenger.chats.get(&found.chat);
    let colleague = world.is_intranet(user);
    let chat = chat.filter(|chat| world.messenger.may_read(chat, user, colleague));
    let refused = "You do not have access to this chat";
    let chat = chat.ok_or_else(|| RestError::new(403, "ACCESS_ERROR", refused))?;
    let range = params.int_ci("RANGE");
    let range = range.ok_or_else(|| RestError::bad("RANGE_EMPTY", "Range can`t be empty"))?;
    let range = if (0..=RANGE_MAX).contains(&range) { range } else { RANGE_MAX };
    let range = usize::try_from(range).unwrap_or(0);
    // With the history hidden even the message that was asked for is missing.
    let visible = chat.visible(user);
    let at = visible.partition_point(|known| *known < id);
    let after = visible.partition_point(|known| *known <= id);
    let ids = &visible[at.saturating_sub(range)..visible.len().min(after + range)];
    let messages: Vec<&Message> =
        ids.iter().filter_map(|id| world.messenger.messages.get(id)).collect();
    let shown: BTreeSet<u64> = ids.iter().copied().collect();
    let answered: BTreeSet<u64> = messages.iter().filter_map(|message| message.reply_to).collect();
    let answered = answered.difference(&shown).filter_map(|id| world.messenger.messages.get(id));
    let authors: BTreeSet<u64> = messages.iter().map(|message| message.author).collect();
    let authors = authors.into_iter().filter(|author| world.users.contains_key(author));
    let attached = messages.iter().flat_map(|message| &message.files);
    let attached = attached.filter_map(|id| world.messenger.disk.get(*id));
    let shape = |message: &Message| event::message_for(world, message, user);
    Ok(Reply::from(json!({
        "messages": messages.iter().map(|message| shape(message)).collect::<Vec<_>>(),
        "additionalMessages": answered.map(shape).collect::<Vec<_>>(),
        "users": authors.map(|author| event::author(world, author)).collect::<Vec<_>>(),
        "files": attached.map(|file| files::object(world, file)).collect::<Vec<Value>>(),
        "reactions": [],
    })))
}
