//! Writing: `im.message.add` with its refusals and its deduplication by UUID (b24: messenger §6,
//! Q14, Q16). People's own messages take the same path (`scene`).

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::people::UserKind;
use super::super::php;
use super::super::world::World;
use super::Claim;
use super::Extra;
use super::Message;
use super::change::Marks;
use super::files;
use super::log;
use super::read::read;
use super::save::Saved;
use super::save::php_trim;
use super::save::save;
use crate::base::clock::UnixMs;

/// How long an unlinked UUID refuses repeats (§6.2).
const CLAIM_LIFE: Duration = Duration::from_secs(3600);
/// How long UUIDs are remembered.
const UUID_LIFE: Duration = Duration::from_secs(31 * 24 * 3600);
/// UUIDs beyond which old ones are purged.
const PURGE_ABOVE: usize = 50_000;

/// What to add.
pub struct NewMessage {
    /// Its chat.
    pub chat: u64,
    /// Who writes; 0 for the system.
    pub author: u64,
    /// As sent.
    pub text: String,
    /// The UUID as sent; anything but a lower-case v4 is ignored.
    pub uuid: Option<String>,
    /// The message it answers.
    pub reply_to: Option<u64>,
    /// `params.CODE` of a notice of the portal.
    pub code: Option<&'static str>,
}

/// What a message with files has beside its text.
#[derive(Debug, Default)]
pub struct Attached {
    /// Files it shows, before those that its text names.
    pub files: Vec<u64>,
    /// The caller waits for the background job too.
    pub wait: bool,
    /// See [`Extra`].
    pub extras: Vec<Extra>,
}

/// `im.message.add`.
pub fn add(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let text = match params.get_ci("MESSAGE") {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(_) => return Err(RestError::bad("MESSAGE_EMPTY", "Wrong message type")),
    };
    if php_trim(&text).is_empty() {
        return Err(RestError::bad("MESSAGE_EMPTY", "Message can't be empty"));
    }
    let chat = addressee(context, params)?;
    may_write(context, chat)?;
    let reply_to = reply_target(context, params, chat)?;
    let system = params.yes_ci("SYSTEM");
    let private = context.world.messenger.chats.get(&chat).is_some_and(|chat| chat.letter == 'P');
    let (author, text) = if system && !private {
        // The application's name stands in front, and nobody is the author.
        (0, format!("[b]Application[/b]\n{text}"))
    } else {
        (context.user, text)
    };
    let uuid = params.get_ci("TEMPLATE_ID").map(php::text).filter(|_| author != 0);
    let new = NewMessage { chat, author, text, uuid, reply_to, code: None };
    Ok(Reply::from(json!(store(context.world, context.now, new)?)))
}

/// The chat a call names: `DIALOG_ID` wins over `USER_ID` and `CHAT_ID` (§6.1).
fn addressee(context: &mut Context<'_>, params: &Params) -> Result<u64, RestError> {
    let dialog = params.text_ci("DIALOG_ID");
    let lower = dialog.to_ascii_lowercase();
    if !dialog.is_empty() {
        if let Some(number) = lower.strip_prefix("chat") {
            return chat_by_number(number.parse().unwrap_or(0));
        }
        if lower.starts_with("sg") || lower.starts_with("crm") {
            return Err(RestError::bad("CHAT_ID_EMPTY", "Chat ID can't be empty"));
        }
        return user_chat(context, php::int_of_text(&dialog));
    }
    if let Some(user) = params.int_ci("USER_ID") {
        return user_chat(context, user);
    }
    if let Some(chat) = params.int_ci("CHAT_ID") {
        return chat_by_number(u64::try_from(chat).unwrap_or(0));
    }
    Err(RestError::bad("PARAMS_ERROR", "Incorrect params"))
}

fn chat_by_number(chat: u64) -> Result<u64, RestError> {
    if chat == 0 {
        return Err(RestError::bad("CHAT_ID_EMPTY", "Chat ID can't be empty"));
    }
    Ok(chat)
}

fn user_chat(context: &mut Context<'_>, user: i64) -> Result<u64, RestError> {
    let Some(user) = u64::try_from(user).ok().filter(|user| *user > 0) else {
        return Err(RestError::bad("USER_ID_EMPTY", "User ID can't be empty"));
    };
    let world = &mut *context.world;
    if !world.users.contains_key(&user) {
        return Err(RestError::bad("USER_NOT_FOUND", "User not found"));
    }
    if !sees(world, context.user, user) {
        return Err(RestError::bad("ERROR_NO_ACCESS", "You cannot write to this user"));
    }
    Ok(world.messenger.private_chat(context.user, user))
}

/// Who may write to and mention whom: colleagues everyone of the company, outsiders their groups
/// (b24: transport §4.2).
pub(super) fn sees(world: &World, one: u64, other: u64) -> bool {
    let inside = |user: u64| {
        world
            .users
            .get(&user)
            .is_some_and(|user| matches!(user.kind, UserKind::Employee | UserKind::Bot))
    };
    one == other || (inside(one) && inside(other)) || world.share_group(one, other)
}

/// The portal's own refusals; the kernel's pending exception replaces the handler's code
/// (b24: messenger §1 item 8).
pub(super) fn may_write(context: &Context<'_>, chat: u64) -> Result<(), RestError> {
    let Some(chat) = context.world.messenger.chats.get(&chat) else {
        return Err(RestError::bad("CHAT_ID", "Chat does not exist"));
    };
    if !chat.members.contains(&context.user) {
        return Err(RestError::bad("CANCELED", "You cannot send messages to this chat"));
    }
    if chat.silent {
        return Err(RestError::bad("TEXT_FIELD_DISABLED", "Text field is disabled"));
    }
    Ok(())
}

/// Checked before the UUID is claimed (b24: messenger R22).
fn reply_target(
    context: &Context<'_>,
    params: &Params,
    chat: u64,
) -> Result<Option<u64>, RestError> {
    let Some(id) = params.int_ci("REPLY_ID").filter(|id| *id > 0) else { return Ok(None) };
    let id = u64::try_from(id).unwrap_or(0);
    let messenger = &context.world.messenger;
    let message = messenger.messages.get(&id);
    let readable = message.filter(|message| {
        let chat = messenger.chats.get(&message.chat);
        chat.is_some_and(|chat| chat.members.contains(&context.user))
    });
    match readable {
        None => Err(RestError::new(403, "REPLY_ACCESS_ERROR", "No access to the message")),
        Some(message) if message.chat != chat => Err(RestError::new(
            403,
            "REPLY_FROM_OTHER_CHAT_ERROR",
            "The message is of another chat",
        )),
        Some(_) => Ok(Some(id)),
    }
}

/// Stores a message; the id of the one that stands for it.
///
/// # Errors
/// What comes after the UUID was claimed.
pub fn store(world: &mut World, now: UnixMs, new: NewMessage) -> Result<u64, RestError> {
    store_with(world, now, new, Attached::default())
}

/// [`store`] for a message with files.
///
/// # Errors
/// What comes after the UUID was claimed.
pub fn store_with(
    world: &mut World,
    now: UnixMs,
    new: NewMessage,
    attached: Attached,
) -> Result<u64, RestError> {
    let known = !world.messenger.switches.no_uuids;
    let uuid = new.uuid.filter(|uuid| known && is_uuid_v4(uuid));
    if let Some(uuid) = &uuid
        && let Some(known) = claim(world, now, uuid)?
    {
        return Ok(known);
    }
    if let Some(reason) = world.messenger.switches.veto.clone() {
        // The claim stays: a repeat is refused for an hour (§6.2).
        return Err(RestError::bad("ERROR_FROM_OTHER_MODULE", &reason));
    }
    let author = new.author;
    let Saved { text, files: named } =
        save(&new.text, &|user| author == 0 || sees(world, author, user));
    let mut files = attached.files;
    files.extend(files::copy_named(world, author, new.chat, &named));
    if text.is_empty() && files.is_empty() && attached.extras.is_empty() {
        return Err(RestError::bad("EMPTY_MESSAGE", "Message is empty"));
    }
    let messenger = &mut world.messenger;
    let id = messenger.next_message();
    let delay = if attached.wait { Duration::ZERO } else { messenger.switches.background };
    let background = now.plus(delay);
    messenger.disk.publish(&files, id);
    if let Some(uuid) = &uuid
        && let Some(claim) = messenger.uuids.get_mut(uuid)
    {
        claim.message = Some((id, background));
    }
    if let Some(chat) = messenger.chats.get_mut(&new.chat) {
        chat.messages.push(id);
    }
    let message = Message {
        id,
        chat: new.chat,
        author,
        marks: Marks::default(),
        text,
        at: now,
        uuid,
        reply_to: new.reply_to,
        files,
        system: author == 0,
        code: new.code,
        extras: attached.extras,
    };
    messenger.messages.insert(id, message);
    messenger.touch(new.chat, now);
    // Whoever sends has read up to there (b24: messenger §12).
    messenger.read_up_to(new.chat, author, id, now);
    messenger.typing.end(new.chat, author);
    if attached.wait {
        log::message_written(world, id, background);
    } else {
        messenger.log.message_added(id, background);
    }
    Ok(id)
}

/// Claims a UUID for the whole portal; the message it stands for when there is one.
fn claim(world: &mut World, now: UnixMs, uuid: &str) -> Result<Option<u64>, RestError> {
    let uuids = &mut world.messenger.uuids;
    if uuids.len() > PURGE_ABOVE {
        uuids.retain(|_, claim| now.since(claim.at) < UUID_LIFE);
    }
    // The clean-up of the real table, seen from one of its rows.
    match uuids.get_mut(uuid).filter(|claim| now.since(claim.at) < UUID_LIFE) {
        Some(Claim { message: Some((id, linked)), .. }) if *linked <= now => Ok(Some(*id)),
        Some(claim) if now.since(claim.at) < CLAIM_LIFE => {
            Err(RestError::bad("MESSAGE_DUPLICATED_BY_UUID", "Message was already sent"))
        }
        Some(claim) => {
            claim.at = now;
            Ok(None)
        }
        None => {
            uuids.insert(uuid.to_owned(), Claim { at: now, message: None });
            Ok(None)
        }
    }
}

/// Lower case, version 4, variant 8 to b; anything else is silently no UUID.
pub(super) fn is_uuid_v4(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'4',
            19 => b"89ab".contains(byte),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The UUID as readers get it: the clean-up takes it away after 31 days (b24: messenger §6.2).
pub fn shown_uuid<'a>(world: &World, message: &'a Message) -> Option<&'a str> {
    let young = world.now().since(message.at) < UUID_LIFE;
    message.uuid.as_deref().filter(|_| young && !world.messenger.switches.no_uuids)
}

/// Whether readers are shown a message as deleted. One without text, or with the text `0`, is taken
/// for it (b24: messenger §4.2).
pub fn shown_deleted(message: &Message) -> bool {
    let empty = message.text.is_empty() || message.text == "0";
    message.marks.deleted || (message.files.is_empty() && message.extras.is_empty() && empty)
}

/// The text as readers get it.
pub fn shown_text(world: &World, message: &Message) -> String {
    if shown_deleted(message) {
        return "This message has been deleted".to_owned();
    }
    let name = |user: u64| world.users.get(&user).map(|user| user.full_name());
    read(&message.text, &name, "All participants")
}
