//! `im.dialog.messages.get` (b24: messenger §4.2, Q9, Q10): pages by `LAST_ID` or `FIRST_ID`, with
//! the portal's odd defaults. Called by the messenger's method table.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::org;
use super::super::params::Params;
use super::super::php;
use super::super::world::World;
use super::Chat;
use super::Message;
use super::files;
use super::message::sees;
use super::message::shown_deleted;
use super::message::shown_text;
use super::message::shown_uuid;
use super::scene_odd::STICKER;

/// Default and largest page.
const LIMIT_DEFAULT: i64 = 20;
const LIMIT_MAX: i64 = 50;

/// Reads a page of a dialog.
///
/// # Errors
/// `DIALOG_ID_EMPTY`, `FIRST_ID_STRING`, `LAST_ID_STRING`, `ACCESS_ERROR`.
pub fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let chat = dialog(context, params)?;
    let first = digits(params, "FIRST_ID", "FIRST_ID_STRING")?;
    let last = digits(params, "LAST_ID", "LAST_ID_STRING")?;
    let limit = params.int_ci("LIMIT").filter(|limit| *limit > 0).unwrap_or(LIMIT_DEFAULT);
    let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(1);
    let world = &*context.world;
    let Some(chat) = world.messenger.chats.get(&chat) else {
        return Err(RestError::new(403, "ACCESS_ERROR", "You do not have access to this dialog"));
    };
    let (ids, described) = select(world, chat, context.user, (first, last), limit);
    let described = &ids[..described.min(ids.len())];
    let found = |ids: &[u64]| -> Vec<Message> {
        ids.iter().filter_map(|id| world.messenger.messages.get(id)).cloned().collect()
    };
    let messages: Vec<Value> =
        found(&ids).iter().map(|message| body(world, message, chat, context.user)).collect();
    let mut shown: Vec<u64> = found(described).into_iter().flat_map(|m| m.files).collect();
    shown.sort_unstable();
    shown.dedup();
    // What was deleted from the folder is only named in `params`.
    let shown = shown.iter().filter_map(|id| world.messenger.disk.get(*id));
    let shown: Vec<Value> = shown.map(|file| files::object(world, file)).collect();
    let mut authors: Vec<u64> = found(described).iter().map(|message| message.author).collect();
    authors.sort_unstable();
    authors.dedup();
    let users = authors.iter().filter_map(|id| world.users.get(id));
    let users: Vec<Value> = users.map(|user| org::im_user(world, user)).collect();
    Ok(Reply::from(json!({
        "chat_id": chat.id,
        "messages": messages,
        "users": users,
        "files": shown,
    })))
}

/// The chat of `DIALOG_ID` or `CHAT_ID`. Naming a person without a chat makes the chat (Q25).
pub(super) fn dialog(context: &mut Context<'_>, params: &Params) -> Result<u64, RestError> {
    let refused = || RestError::new(403, "ACCESS_ERROR", "You do not have access to this dialog");
    let dialog = params.text_ci("DIALOG_ID").to_ascii_lowercase();
    let chat = match (dialog.as_str(), params.int_ci("CHAT_ID")) {
        ("", Some(chat)) => u64::try_from(chat).unwrap_or(0),
        ("", None) => return Err(RestError::bad("DIALOG_ID_EMPTY", "Dialog ID can't be empty")),
        (dialog, _) => match dialog.strip_prefix("chat") {
            Some(number) => number.parse().unwrap_or(0),
            None => {
                let user = u64::try_from(php::int_of_text(dialog)).unwrap_or(0);
                let world = &mut *context.world;
                if !world.users.contains_key(&user) || !sees(world, context.user, user) {
                    return Err(refused());
                }
                world.messenger.private_chat(context.user, user)
            }
        },
    };
    let world = &*context.world;
    let colleague = world.is_intranet(context.user);
    let readable = world.messenger.chats.get(&chat);
    let readable = readable.filter(|chat| world.messenger.may_read(chat, context.user, colleague));
    readable.map(|chat| chat.id).ok_or_else(refused)
}

fn digits(params: &Params, name: &str, code: &str) -> Result<Option<u64>, RestError> {
    let Some(value) = params.get_ci(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = php::text(value);
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return Err(RestError::bad(code, &format!("{name} can't be string")));
    }
    Ok(Some(text.parse().unwrap_or(u64::MAX)))
}

/// The ids of a page, and how many of them count for `users` and `files`.
fn select(
    world: &World,
    chat: &Chat,
    user: u64,
    (first, last): (Option<u64>, Option<u64>),
    limit: usize,
) -> (Vec<u64>, usize) {
    let all = chat.visible(user);
    if let Some(first) = first {
        let from = all.partition_point(|id| *id <= first);
        let mut page: Vec<u64> = all[from..].iter().take(limit).copied().collect();
        if world.messenger.switches.shuffled {
            // No order is promised (§4.2 rule 1).
            page.sort_by_key(|id| (id % 3, *id));
        }
        return (page, limit);
    }
    let before = |last: u64| all.partition_point(|id| *id < last);
    if let Some(last) = last {
        let to = if last == 0 { all.len() } else { before(last) };
        return (all[..to].iter().rev().take(limit).copied().collect(), limit);
    }
    // The unread quirk (§4.2 rule 3).
    let unread_from = all.len() - chat.unread(user);
    let unread = all.len() - unread_from;
    if unread > limit {
        let after: Vec<u64> = all[unread_from..].iter().take(limit).copied().collect();
        let older = all[..unread_from].iter().rev().take(limit);
        return (after.iter().rev().chain(older).copied().collect(), limit);
    }
    let grown = limit + unread;
    (all.iter().rev().take(grown).copied().collect(), grown)
}

fn body(world: &World, message: &Message, chat: &Chat, user: u64) -> Value {
    let mut params = Map::new();
    if !message.files.is_empty() {
        params.insert("FILE_ID".to_owned(), json!(message.files));
    }
    if shown_deleted(message) {
        params.insert("IS_DELETED".to_owned(), json!("Y"));
    }
    if message.marks.edited {
        params.insert("IS_EDITED".to_owned(), json!("Y"));
    }
    let likers = message.marks.likers();
    if !likers.is_empty() {
        params.insert("LIKE".to_owned(), json!(likers));
    }
    // How a sticker shows here is not recorded; the recent list tells of it (§5).
    for extra in message.extras.iter().filter(|extra| extra.name != STICKER) {
        params.insert(extra.name.to_owned(), extra.value.clone());
    }
    // The one number that is a text here too.
    if let Some(origin) = message.marks.forwarded {
        params.insert("FORWARD_ID".to_owned(), json!([origin.to_string()]));
    }
    let read_to = chat.read_to_of(user);
    // REPLY_ID is not in this method's list of parameters.
    json!({
        "id": message.id,
        "chat_id": message.chat,
        "author_id": message.author,
        "date": world.time_text(message.at),
        "text": shown_text(world, message),
        "unread": message.id > read_to,
        "uuid": shown_uuid(world, message),
        "replaces": [],
        "params": params,
        "disappearing_date": null,
    })
}
