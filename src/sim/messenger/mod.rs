//! The messenger of the model portal: chats, messages, the table of UUIDs, the event log. The state
//! lives in [`Messenger`] inside the world; `rest` asks [`scopes`] whether a method exists and what
//! it needs, and calls [`call`] once the caller is authorized.
//! Which quirks of b24 messenger §15 are modelled, and which are not, is listed in `quirks`.

pub mod change;
pub mod commit;
pub mod context;
pub mod dialog;
pub mod disk;
pub mod event;
pub mod files;
pub mod foreign;
pub mod history;
pub mod log;
pub mod members;
pub mod message;
pub mod reaction;
pub mod read;
pub mod recent;
pub mod save;
pub mod scene;
pub mod scene_files;
pub mod scene_odd;
pub mod seen;
pub mod typing;
pub mod upload;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::call::Context;
use super::call::Reply;
use super::call::RestError;
use super::call::Scopes;
use super::params::Params;
use super::world::World;
use crate::base::clock::UnixMs;
use change::Marks;
use files::Disk;
use log::EventLog;
use typing::Typing;

/// A chat.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Its id.
    pub id: u64,
    /// Type letter: `P C O L N J T A B X S` (b24: messenger §2).
    pub letter: char,
    /// Extended type: `private`, `chat`, `open`, `lines` and so on.
    pub kind: String,
    /// Title; empty for a private chat.
    pub title: String,
    /// Who made it.
    pub owner: u64,
    /// Who takes part.
    pub members: BTreeSet<u64>,
    /// `LINES` for an Open Line, else mostly empty.
    pub entity_type: String,
    /// Number of the entity the chat belongs to, such as a task's; mostly empty.
    pub entity_id: String,
    /// Address of that entity; mostly empty.
    pub entity_url: String,
    /// Input is switched off.
    pub silent: bool,
    /// Messages in order.
    pub messages: Vec<u64>,
    /// Up to where each member has read.
    pub read_to: HashMap<u64, u64>,
    /// When each member read last.
    pub read_at: HashMap<u64, UnixMs>,
    /// When something last changed for everybody who has the chat in his list.
    pub touched: UnixMs,
    /// The first message that a member sees who joined with the history hidden.
    pub start: HashMap<u64, u64>,
    /// The chat above a comment thread.
    pub parent: u64,
    /// The post a comment thread is about.
    pub parent_message: u64,
}

/// A message as it is stored.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: u64,
    /// Its chat.
    pub chat: u64,
    /// Who wrote it; 0 for the system.
    pub author: u64,
    /// What became of it since.
    pub marks: Marks,
    /// As stored; readers get what `read` makes of it.
    pub text: String,
    /// When.
    pub at: UnixMs,
    /// The client-made UUID.
    pub uuid: Option<String>,
    /// The message it answers.
    pub reply_to: Option<u64>,
    /// Files attached.
    pub files: Vec<u64>,
    /// Whether a notice of the portal.
    pub system: bool,
    /// `params.CODE` of a notice, such as `CHAT_JOIN`.
    pub code: Option<&'static str>,
    /// What else it carries: a sticker, a rich block, a keyboard.
    pub extras: Vec<Extra>,
}

/// A parameter of a message that the model only passes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    /// Its name: `STICKER_PARAMS`, `ATTACH`, `KEYBOARD` and so on.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
}

/// A claimed UUID (b24: messenger §6.2).
#[derive(Clone, Debug)]
struct Claim {
    at: UnixMs,
    /// The message and when it was linked; before that the claim is in flight.
    message: Option<(u64, UnixMs)>,
}

/// What the reference marks uncertain, or what goes wrong by itself on real portals.
#[derive(Clone, Debug)]
pub struct MessengerSwitches {
    /// How long after the sender's answer its background job runs: links the UUID, writes events.
    pub background: Duration,
    /// Every n-th event of a user is never written; zero for none. With the same n the three
    /// switches of this kind hit different events (but for an n below 3).
    pub lose_every: u64,
    /// Every n-th event of a user is written twice, under two ids; zero for none.
    pub double_every: u64,
    /// Every n-th event of a user is written after the next one, as with two senders at once, or
    /// after a second when none comes; zero for none.
    pub invert_every: u64,
    /// The first row written while "no events" is remembered does not clear that memory: the race
    /// of b24 messenger §3.2 item 9, which hides it from calls without an offset for a minute or
    /// until the next row.
    pub empty_race: bool,
    /// Events that are written at one moment are inverted by pairs, for everybody alike.
    pub invert: bool,
    /// Ids that are skipped between two events.
    pub gap: u64,
    /// `nextOffset` is null when there are no events.
    pub null_offset: bool,
    /// The documented shapes: no snake-case twins, `""` for an absent uuid, `Y` and `N`.
    pub documented_shapes: bool,
    /// The portal has no `im.v2.Event.*` and no `im.v2.File.*`, which came with it.
    pub no_event_log: bool,
    /// An old portal knows no UUIDs: what is sent is ignored, nothing is deduplicated, and readers
    /// get none.
    pub no_uuids: bool,
    /// An old portal knows the first twelve reactions only, and one person has one of them on a
    /// message: the next one replaces it.
    pub old_reactions: bool,
    /// Unsubscribing keeps written events, as documented.
    pub unsubscribe_keeps: bool,
    /// A veto of another module: the UUID is claimed, the message refused.
    pub veto: Option<String>,
    /// A commit of files that fails tells the code of the message's refusal (messenger §1 item 8)
    /// and not `SAVE_ERROR` (§9.2).
    pub commit_tells_inner: bool,
    /// `FIRST_ID` pages come in no order.
    pub shuffled: bool,
}

impl Default for MessengerSwitches {
    fn default() -> MessengerSwitches {
        MessengerSwitches {
            background: Duration::from_millis(50),
            lose_every: 0,
            double_every: 0,
            invert_every: 0,
            empty_race: false,
            invert: false,
            gap: 2,
            null_offset: false,
            documented_shapes: false,
            no_event_log: false,
            no_uuids: false,
            old_reactions: false,
            unsubscribe_keeps: false,
            veto: None,
            commit_tells_inner: false,
            shuffled: false,
        }
    }
}

/// Everything the messenger remembers.
#[derive(Debug, Default)]
pub struct Messenger {
    /// See [`MessengerSwitches`].
    pub switches: MessengerSwitches,
    /// Chats by id.
    pub chats: BTreeMap<u64, Chat>,
    /// Messages by id; ids are portal-wide.
    pub messages: BTreeMap<u64, Message>,
    /// The folders of the chats.
    pub disk: Disk,
    /// Messages that were deleted completely: only events written later ask for them.
    gone: BTreeMap<u64, Message>,
    typing: Typing,
    /// The event log.
    pub log: EventLog,
    private: HashMap<(u64, u64), u64>,
    uuids: HashMap<String, Claim>,
}

/// What a method of the messenger needs; `None` when this portal does not have the method.
pub fn scopes(world: &World, method: &str) -> Option<Scopes> {
    const IM: Scopes = &["im"];
    match method {
        "im.v2.event.subscribe" | "im.v2.event.unsubscribe" | "im.v2.event.get" => {
            (!world.messenger.switches.no_event_log).then_some(IM)
        }
        "im.v2.file.upload" => (!world.messenger.switches.no_event_log).then_some(IM),
        "im.disk.folder.get" | "im.disk.file.commit" => Some(IM),
        "disk.folder.uploadfile" => Some(&["disk"]),
        "im.message.add" | "im.dialog.messages.get" | "im.recent.list" => Some(IM),
        "im.message.update" | "im.message.delete" | "im.message.like" => Some(IM),
        "im.v2.chat.message.reaction.add" | "im.v2.chat.message.reaction.delete" => Some(IM),
        "im.dialog.writing" | "im.dialog.users.list" => Some(IM),
        "im.dialog.get" | "im.dialog.read" | "im.recent.get" => Some(IM),
        // Only hidden from the list of methods (§1 item 12).
        "im.dialog.context.get" => Some(IM),
        _ => None,
    }
}

/// Runs one method of the messenger; `method` is lower-cased and known to [`scopes`].
///
/// # Errors
/// The portal's refusals.
pub fn call(context: &mut Context<'_>, method: &str, params: &Params) -> Result<Reply, RestError> {
    log::catch_up(context.world);
    match method {
        "im.v2.event.subscribe" => Ok(log::subscribe(context)),
        "im.v2.event.unsubscribe" => Ok(log::unsubscribe(context)),
        "im.v2.event.get" => Ok(log::get(context, params)),
        "im.v2.file.upload" => upload::upload(context, params),
        "im.disk.folder.get" => disk::folder(context, params),
        "im.disk.file.commit" => commit::commit(context, params),
        "disk.folder.uploadfile" => disk::upload_file(context, params),
        "im.message.add" => message::add(context, params),
        "im.message.update" => change::update(context, params),
        "im.message.delete" => change::delete(context, params),
        "im.message.like" => reaction::like(context, params),
        "im.v2.chat.message.reaction.add" => reaction::add(context, params),
        "im.v2.chat.message.reaction.delete" => reaction::delete(context, params),
        "im.dialog.writing" => typing::writing(context, params),
        "im.dialog.users.list" => members::list(context, params),
        "im.dialog.messages.get" => history::get(context, params),
        "im.dialog.get" => dialog::get(context, params),
        "im.dialog.read" => seen::read(context, params),
        "im.dialog.context.get" => context::get(context, params),
        "im.recent.list" => Ok(recent::list(context, params)),
        "im.recent.get" => Ok(recent::get(context, params)),
        _ => Err(RestError::method_not_found()),
    }
}

impl Messenger {
    /// The private chat of two people, made when there is none.
    pub fn private_chat(&mut self, one: u64, other: u64) -> u64 {
        let key = (one.min(other), one.max(other));
        if let Some(chat) = self.private.get(&key) {
            return *chat;
        }
        let chat = self.new_chat('P', "private", "", one, BTreeSet::from([one, other]));
        self.private.insert(key, chat);
        chat
    }

    /// A new chat; its id.
    pub fn new_chat(
        &mut self,
        letter: char,
        kind: &str,
        title: &str,
        owner: u64,
        members: BTreeSet<u64>,
    ) -> u64 {
        let id = self.chats.last_key_value().map_or(901, |(last, _)| last + 1);
        let entity_type = if letter == 'L' { "LINES" } else { "" };
        let chat = Chat {
            id,
            letter,
            kind: kind.to_owned(),
            title: title.to_owned(),
            owner,
            members,
            entity_type: entity_type.to_owned(),
            entity_id: String::new(),
            entity_url: String::new(),
            silent: false,
            messages: Vec::new(),
            read_to: HashMap::new(),
            read_at: HashMap::new(),
            touched: UnixMs::default(),
            start: HashMap::new(),
            parent: 0,
            parent_message: 0,
        };
        self.chats.insert(id, chat);
        id
    }

    /// The dialog id of a chat as a member sees it: in a private chat the other's user id.
    pub fn dialog_of(&self, chat: u64, member: u64) -> String {
        let Some(chat) = self.chats.get(&chat) else { return format!("chat{chat}") };
        if chat.letter != 'P' {
            return format!("chat{}", chat.id);
        }
        let other = chat.members.iter().find(|user| **user != member);
        other.unwrap_or(&member).to_string()
    }

    /// Whether somebody may read a chat: members, and colleagues in open chats
    /// (b24: messenger §2).
    fn may_read(&self, chat: &Chat, user: u64, colleague: bool) -> bool {
        chat.members.contains(&user) || (matches!(chat.letter, 'O' | 'J') && colleague)
    }
}
