//! Who has read how far and who has seen which message: the marks themselves, the counters and dates
//! that follow from them, and `im.dialog.read` (b24: messenger §12, Q12, Q24). Sending, people at
//! their keyboards and the method set the marks; lists, history and events ask for them.

use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::Chat;
use super::Message;
use super::Messenger;
use super::disk;
use super::disk::Named;
use super::history::dialog;
use crate::base::clock::UnixMs;

/// Messages that one reading marks as seen one by one.
const VIEWED_MAX: usize = 100;
/// Larger counters of chats are told as one more than this.
const COUNTER_MAX: usize = 99;

impl Chat {
    /// What a member may see, in order: with the history hidden only what came after him (§4.2
    /// rule 1).
    pub(super) fn visible(&self, user: u64) -> &[u64] {
        let start = self.start.get(&user).copied().unwrap_or(0);
        &self.messages[self.messages.partition_point(|id| *id < start)..]
    }

    /// Up to where a member has read.
    pub(super) fn read_to_of(&self, user: u64) -> u64 {
        self.read_to.get(&user).copied().unwrap_or(0)
    }

    /// How many messages a member has not read.
    pub(super) fn unread(&self, user: u64) -> usize {
        let visible = self.visible(user);
        let read_to = self.read_to_of(user);
        visible.len() - visible.partition_point(|id| *id <= read_to)
    }

    /// `date_update` of a member's row in the recent list: moves with messages, edits, deletions,
    /// and with his own reading (§4.1).
    pub(super) fn updated(&self, user: u64) -> UnixMs {
        self.read_at.get(&user).copied().unwrap_or_default().max(self.touched)
    }
}

impl Messenger {
    /// Up to which message somebody has read a chat; 0 for nothing.
    pub fn read_to(&self, chat: u64, user: u64) -> u64 {
        self.chats.get(&chat).map_or(0, |chat| chat.read_to_of(user))
    }

    /// Who but its author has seen a message, in order of ids.
    pub fn viewers(&self, message: u64) -> Vec<u64> {
        let message = self.messages.get(&message);
        message.map(|message| message.marks.viewers.keys().copied().collect()).unwrap_or_default()
    }

    /// Whether somebody but its author has seen a message.
    pub(super) fn viewed_by_others(&self, message: &Message) -> bool {
        !message.marks.viewers.is_empty()
    }

    /// Something of a chat changed for all its members.
    pub(super) fn touch(&mut self, chat: u64, now: UnixMs) {
        if let Some(chat) = self.chats.get_mut(&chat) {
            chat.touched = now;
        }
    }

    /// Somebody reads a chat up to a message, whose chat nobody checks. What was read stays read; of
    /// what was not, the newest are marked as seen. The system, which writes as user 0, reads
    /// nothing.
    pub(super) fn read_up_to(&mut self, chat: u64, user: u64, id: u64, now: UnixMs) {
        let Messenger { chats, messages, .. } = self;
        let Some(chat) = chats.get_mut(&chat).filter(|_| user != 0) else { return };
        let before = chat.read_to_of(user);
        let fresh = chat.visible(user);
        let fresh = &fresh[..fresh.partition_point(|known| *known <= id)];
        let fresh = fresh.iter().rev().take_while(|known| **known > before).take(VIEWED_MAX);
        for known in fresh {
            if let Some(message) = messages.get_mut(known).filter(|found| found.author != user) {
                message.marks.viewers.entry(user).or_insert(now);
            }
        }
        chat.read_to.insert(user, before.max(id));
        chat.read_at.insert(user, now);
    }

    /// Somebody reads a whole chat without naming a message: nothing is marked as seen.
    fn read_all(&mut self, chat: u64, user: u64, now: UnixMs) {
        let Some(chat) = self.chats.get_mut(&chat) else { return };
        let last = chat.messages.last().copied().unwrap_or(0);
        chat.read_to.insert(user, chat.read_to_of(user).max(last));
        chat.read_at.insert(user, now);
    }
}

/// `im.dialog.read`. Leaves the reader's last activity alone, as all of REST does (Q24).
///
/// # Errors
/// `DIALOG_ID_EMPTY`; who may not read is told `false`.
pub fn read(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let named = params.text_ci("DIALOG_ID");
    let form = disk::dialog(&named);
    if form.is_none() && named != "notify" {
        return Err(RestError::bad("DIALOG_ID_EMPTY", "Dialog ID can't be empty"));
    }
    let (user, now) = (context.user, context.now);
    let chat = dialog(context, params).unwrap_or(0);
    let messenger = &mut context.world.messenger;
    // Whoever may only look into an open chat has no mark in it.
    let member = messenger.chats.get(&chat).is_some_and(|chat| chat.members.contains(&user));
    if !member {
        return Ok(Reply::from(json!(false)));
    }
    let id = params.get_ci("LAST_ID").filter(|id| !id.is_null());
    let id = id.or_else(|| params.get_ci("MESSAGE_ID")).map_or(0, php::int);
    match u64::try_from(id) {
        Ok(id) if id > 0 => messenger.read_up_to(chat, user, id, now),
        _ => messenger.read_all(chat, user, now),
    }
    let Some(chat) = messenger.chats.get(&chat) else { return Ok(Reply::from(json!(false))) };
    let unread = chat.unread(user);
    let counter = if chat.letter == 'P' { unread } else { unread.min(COUNTER_MAX + 1) };
    Ok(Reply::from(json!({
        // A number for a person, a text for a chat, as it was asked for.
        "dialogId": match form {
            Some(Named::Person(person)) => json!(person),
            _ => json!(named),
        },
        "chatId": chat.id,
        "lastId": chat.read_to_of(user),
        "counter": counter,
    })))
}
