//! What becomes of a message after it was sent: edited and deleted by `im.message.update` and
//! `im.message.delete`, and by people in the official clients, whose rules are others (b24: messenger
//! §7, Q5, Q19). The method table and `scene` call it; reactions are in `reaction`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::super::world::World;
use super::Chat;
use super::Message;
use super::Messenger;
use super::files;
use super::message::sees;
use super::reaction::LIKE;
use super::save::Saved;
use super::save::save;
use super::save::save_edited;
use crate::base::clock::UnixMs;

/// How long REST lets an author edit; the official clients have no such limit.
const EDIT_LIFE: Duration = Duration::from_secs(259_200);

/// First message id of a fresh portal.
const FIRST_ID: u64 = 70_001;

/// What became of a message.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Its text was changed.
    pub edited: bool,
    /// It was deleted and its place is left.
    pub deleted: bool,
    /// The message it was forwarded from.
    pub forwarded: Option<u64>,
    /// Who reacted with which code, in order.
    pub reactions: Vec<(u64, &'static str)>,
    /// Who but its author has seen it, and when; kept by `seen`.
    pub viewers: BTreeMap<u64, UnixMs>,
}

impl Marks {
    /// Who likes it, in order: the one reaction that classic methods know.
    pub fn likers(&self) -> Vec<u64> {
        let likes = self.reactions.iter().filter(|(_, code)| *code == LIKE);
        likes.map(|(user, _)| *user).collect()
    }
}

impl Messenger {
    /// A message, also one that was deleted completely.
    pub(super) fn ever(&self, message: u64) -> Option<&Message> {
        self.messages.get(&message).or_else(|| self.gone.get(&message))
    }

    /// The id of the next message: those of deleted ones do not come again.
    pub(super) fn next_message(&self) -> u64 {
        let last = self.messages.last_key_value().into_iter().chain(self.gone.last_key_value());
        last.map(|(id, _)| *id).max().map_or(FIRST_ID, |last| last + 1)
    }

    /// When the background job of something done now runs.
    pub(super) fn background(&self, now: UnixMs) -> UnixMs {
        now.plus(self.switches.background)
    }

    /// Its place stays, with a phrase in it.
    fn empty(&mut self, id: u64, now: UnixMs) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        message.text.clear();
        message.files.clear();
        message.extras.clear();
        let (forwarded, chat) = (message.marks.forwarded, message.chat);
        let viewers = std::mem::take(&mut message.marks.viewers);
        message.marks = Marks { deleted: true, forwarded, viewers, ..Marks::default() };
        self.touch(chat, now);
        let at = self.background(now);
        self.log.message_deleted(id, at);
    }

    /// Nothing of it stays.
    fn remove(&mut self, id: u64, now: UnixMs) {
        let Some(message) = self.messages.remove(&id) else { return };
        if let Some(chat) = self.chats.get_mut(&message.chat) {
            chat.messages.retain(|of_chat| *of_chat != id);
        }
        self.touch(message.chat, now);
        self.gone.insert(id, message);
        let at = self.background(now);
        self.log.message_deleted(id, at);
    }
}

/// The text is another; copies of the files that it names are added to those of the message.
fn rewrite(world: &mut World, id: u64, saved: Saved) {
    let Some(message) = world.messenger.messages.get(&id) else { return };
    let copies = files::copy_named(world, message.author, message.chat, &saved.files);
    world.messenger.disk.publish(&copies, id);
    let Some(message) = world.messenger.messages.get_mut(&id) else { return };
    message.text = saved.text;
    message.files.extend(copies);
    message.marks.edited = true;
    let (chat, now) = (message.chat, world.now());
    world.messenger.touch(chat, now);
}

/// `MESSAGE_ID` or `ID` of the classic methods.
///
/// # Errors
/// `MESSAGE_ID_ERROR`.
pub(super) fn message_id(params: &Params) -> Result<u64, RestError> {
    let id = params.int_ci("MESSAGE_ID").or_else(|| params.int_ci("ID")).unwrap_or(0);
    let id = u64::try_from(id).ok().filter(|id| *id > 0);
    id.ok_or_else(|| RestError::bad("MESSAGE_ID_ERROR", "Message ID can't be empty"))
}

fn cannot_edit() -> RestError {
    RestError::new(
        403,
        "CANT_EDIT_MESSAGE",
        "Time has expired for modification or you don't have access",
    )
}

/// `im.message.update`: writes no event, unlike the official clients.
///
/// # Errors
/// `MESSAGE_ID_ERROR`, `CANT_EDIT_MESSAGE`.
pub fn update(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = message_id(params)?;
    let Some(text) = params.get_ci("MESSAGE").filter(|text| !text.is_null()) else {
        // Only an attachment or a keyboard would change, and the model has neither.
        return Ok(Reply::from(json!(true)));
    };
    let saved = save_edited(&php::text(text));
    if saved.text.is_empty() && saved.files.is_empty() {
        return delete_own(context, id);
    }
    let messenger = &mut context.world.messenger;
    let message = messenger.messages.get(&id).ok_or_else(cannot_edit)?;
    let in_line = messenger.chats.get(&message.chat).is_some_and(|chat| chat.letter == 'L');
    let may = message.author == context.user
        && !message.marks.deleted
        && message.marks.forwarded.is_none()
        && context.now.since(message.at) <= EDIT_LIFE
        && !in_line;
    if !may {
        return Err(cannot_edit());
    }
    rewrite(context.world, id, saved);
    Ok(Reply::from(json!(true)))
}

/// `im.message.delete`: leaves the message's place.
///
/// # Errors
/// `MESSAGE_ID_ERROR`, `CANT_EDIT_MESSAGE`.
pub fn delete(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = message_id(params)?;
    delete_own(context, id)
}

fn delete_own(context: &mut Context<'_>, id: u64) -> Result<Reply, RestError> {
    let messenger = &mut context.world.messenger;
    let message = messenger.messages.get(&id).ok_or_else(cannot_edit)?;
    if message.author != context.user || message.marks.deleted {
        return Err(cannot_edit());
    }
    messenger.empty(id, context.now);
    Ok(Reply::from(json!(true)))
}

// ---- people in the official clients -----------------------------------------------------------

fn refused() -> RestError {
    RestError::bad("MESSAGE_ACCESS_DENIED", "You do not have access to this message")
}

/// Somebody edits an own message: at any time, and the event log tells it.
pub(super) fn edit_as(world: &mut World, user: u64, id: u64, text: &str) -> Result<(), RestError> {
    let saved = save(text, &|mentioned| sees(world, user, mentioned));
    if saved.text.is_empty() && saved.files.is_empty() {
        return Err(RestError::bad("EMPTY_MESSAGE", "Message is empty"));
    }
    let now = world.now();
    let messenger = &mut world.messenger;
    let message = messenger.messages.get(&id).ok_or_else(refused)?;
    let marks = &message.marks;
    if message.author != user || marks.deleted || marks.forwarded.is_some() {
        return Err(refused());
    }
    rewrite(world, id, saved);
    let at = world.messenger.background(now);
    world.messenger.log.message_updated(id, at);
    Ok(())
}

/// Somebody deletes a message. An own one that somebody has seen leaves its place; an unseen one
/// does not, nor does one in a channel, nor one that the chat's owner deletes, whose ever it is.
pub(super) fn delete_as(world: &mut World, user: u64, id: u64) -> Result<(), RestError> {
    let now = world.now();
    let messenger = &mut world.messenger;
    let message = messenger.messages.get(&id).ok_or_else(refused)?;
    let chat = messenger.chats.get(&message.chat);
    let channel = chat.is_some_and(|chat| matches!(chat.letter, 'N' | 'J'));
    let manages = chat.is_some_and(|chat: &Chat| chat.letter != 'P' && chat.owner == user);
    if message.marks.deleted || (message.author != user && !manages) {
        return Err(refused());
    }
    if channel || manages || !messenger.viewed_by_others(message) {
        messenger.remove(id, now);
    } else {
        messenger.empty(id, now);
    }
    Ok(())
}
