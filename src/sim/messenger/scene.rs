//! People at their keyboards: what demo and tests let employees do and what they then see. Goes the
//! same way as REST, so the agent's events come about as on a real portal.

use std::collections::BTreeSet;

use super::super::call::RestError;
use super::super::portal::Portal;
use super::super::world::World;
use super::change;
use super::log;
use super::message::NewMessage;
use super::message::shown_deleted;
use super::message::shown_text;
use super::message::shown_uuid;
use super::message::store;
use super::reaction;
use super::scene_files::ShownFile;
use super::typing;
use crate::base::clock::UnixMs;
use crate::base::crypto;

/// A message as readers get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its id.
    pub id: u64,
    /// Who wrote it; 0 for the system.
    pub author: u64,
    /// BB-code, as the portal's read parser returns it.
    pub text: String,
    /// The client-made UUID.
    pub uuid: Option<String>,
    /// The message it answers.
    pub reply_to: Option<u64>,
    /// The files it shows.
    pub files: Vec<ShownFile>,
    /// When.
    pub at: UnixMs,
    /// Marked as edited.
    pub edited: bool,
    /// Deleted: `text` is the portal's phrase. Of one deleted completely nothing is shown.
    pub deleted: bool,
    /// Who reacted with which code, in order.
    pub reactions: Vec<(u64, &'static str)>,
}

impl World {
    /// Somebody writes into a chat; the message's id.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn say_in(&mut self, author: u64, chat: u64, text: &str) -> Result<u64, RestError> {
        // Official clients send a UUID with every message (b24: messenger §6.2).
        let uuid = (author != 0).then(random_uuid);
        let text = text.to_owned();
        let new = NewMessage { chat, author, text, uuid, reply_to: None, code: None };
        log::catch_up(self);
        let now = self.now();
        store(self, now, new)
    }
}

impl World {
    /// Events and the notice that go with people added to a chat (b24: messenger §3.3, §3.4).
    fn tell_joined(&mut self, chat: u64, by: u64, joined: &BTreeSet<u64>) {
        let at = self.now().plus(self.messenger.switches.background);
        for user in joined {
            self.messenger.log.joined(chat, *user, at);
        }
        let letter = self.messenger.chats.get(&chat).map(|chat| chat.letter);
        let added: Vec<String> = joined
            .iter()
            .filter(|user| **user != by)
            .map(|user| format!("[USER={user}][/USER]"))
            .collect();
        // Channels hide joins, and an Open Line has notices of its own.
        if added.is_empty() || !matches!(letter, Some('C' | 'O' | 'B' | 'A' | 'X')) {
            return;
        }
        let text = format!("[USER={by}][/USER] added {} to the chat", added.join(", "));
        let code = Some("CHAT_JOIN");
        let notice = NewMessage { chat, author: 0, text, uuid: None, reply_to: None, code };
        // Only another module's veto can refuse it, and then there is no notice.
        let _ = store(self, self.now(), notice);
    }
}

impl Portal {
    /// The private chat of two people.
    pub fn private_chat(&self, one: u64, other: u64) -> u64 {
        self.world().messenger.private_chat(one, other)
    }

    /// A group chat; its id. Everybody's joining is told as on a real portal: by an event for each,
    /// and by a notice in the chat of those whom the owner added.
    pub fn add_chat(&self, title: &str, owner: u64, members: &[u64]) -> u64 {
        self.add_chat_of('C', "chat", title, owner, members)
    }

    /// A chat of another type letter (b24: messenger §2).
    pub fn add_chat_of(
        &self,
        letter: char,
        kind: &str,
        title: &str,
        owner: u64,
        members: &[u64],
    ) -> u64 {
        let mut world = self.world();
        log::catch_up(&mut world);
        let all: BTreeSet<u64> = members.iter().copied().chain([owner]).collect();
        let chat = world.messenger.new_chat(letter, kind, title, owner, all.clone());
        world.tell_joined(chat, owner, &all);
        chat
    }

    /// Somebody adds a person to a chat.
    pub fn join(&self, chat: u64, by: u64, user: u64) {
        let mut world = self.world();
        log::catch_up(&mut world);
        if let Some(chat) = world.messenger.chats.get_mut(&chat) {
            chat.members.insert(user);
        }
        world.tell_joined(chat, by, &BTreeSet::from([user]));
    }

    /// Somebody adds a person to a chat and hides what was said before.
    pub fn join_hiding_history(&self, chat: u64, by: u64, user: u64) {
        {
            let mut world = self.world();
            let next = world.messenger.next_message();
            if let Some(chat) = world.messenger.chats.get_mut(&chat) {
                chat.start.insert(user, next);
            }
        }
        self.join(chat, by, user);
    }

    /// Somebody writes to a person.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn write_to(&self, author: u64, person: u64, text: &str) -> Result<u64, RestError> {
        let mut world = self.world();
        let chat = world.messenger.private_chat(author, person);
        world.say_in(author, chat, text)
    }

    /// Somebody writes into a chat; author 0 is the system.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn say(&self, author: u64, chat: u64, text: &str) -> Result<u64, RestError> {
        self.world().say_in(author, chat, text)
    }

    /// Somebody answers a message.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn reply(&self, author: u64, chat: u64, to: u64, text: &str) -> Result<u64, RestError> {
        let mut world = self.world();
        let now = world.now();
        let new = NewMessage {
            chat,
            author,
            text: text.to_owned(),
            uuid: Some(random_uuid()),
            reply_to: Some(to),
            code: None,
        };
        log::catch_up(&mut world);
        store(&mut world, now, new)
    }

    /// Somebody forwards a message into a chat.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn forward(&self, author: u64, chat: u64, message: u64) -> Result<u64, RestError> {
        let mut world = self.world();
        let unknown = || RestError::bad("MESSAGE_NOT_FOUND", "Message not found");
        let origin = world.messenger.messages.get(&message).ok_or_else(unknown)?;
        let files = origin.files.iter().map(|file| format!("[DISK={file}]"));
        let text: String = files.chain([origin.text.clone()]).collect();
        let copy = world.say_in(author, chat, &text)?;
        if let Some(copy) = world.messenger.messages.get_mut(&copy) {
            copy.marks.forwarded = Some(message);
        }
        Ok(copy)
    }

    /// Somebody edits an own message in an official client: unlike `im.message.update` at any time,
    /// and with an event.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn edit(&self, user: u64, message: u64, text: &str) -> Result<(), RestError> {
        let mut world = self.world();
        log::catch_up(&mut world);
        change::edit_as(&mut world, user, message, text)
    }

    /// Somebody deletes a message in an official client: one that nobody else has seen vanishes,
    /// another leaves its place (b24: messenger §7).
    ///
    /// # Errors
    /// What the portal would say.
    pub fn delete(&self, user: u64, message: u64) -> Result<(), RestError> {
        let mut world = self.world();
        log::catch_up(&mut world);
        change::delete_as(&mut world, user, message)
    }

    /// Somebody reacts to a message in an official client.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn react(&self, user: u64, message: u64, code: &str) -> Result<(), RestError> {
        let mut world = self.world();
        log::catch_up(&mut world);
        reaction::change(&mut world, user, message, code, true)
    }

    /// Somebody takes a reaction back.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn unreact(&self, user: u64, message: u64, code: &str) -> Result<(), RestError> {
        let mut world = self.world();
        log::catch_up(&mut world);
        reaction::change(&mut world, user, message, code, false)
    }

    /// Somebody looks at a chat and so reads all of it.
    pub fn view(&self, user: u64, chat: u64) {
        let mut world = self.world();
        let now = world.now();
        let last = world.messenger.chats.get(&chat).and_then(|chat| chat.messages.last().copied());
        if let Some(last) = last {
            world.messenger.read_up_to(chat, user, last, now);
        }
    }

    /// Up to which message a person has read a chat; 0 for nothing.
    pub fn read_to(&self, chat: u64, user: u64) -> u64 {
        self.world().messenger.read_to(chat, user)
    }

    /// Who but its author has seen a message.
    pub fn viewers(&self, message: u64) -> Vec<u64> {
        self.world().messenger.viewers(message)
    }

    /// Who is shown as typing in a chat now.
    pub fn typing(&self, chat: u64) -> Vec<u64> {
        typing::shown(&self.world(), chat)
    }

    /// The messages of a chat in order, as readers get them.
    pub fn shown(&self, chat: u64) -> Vec<Shown> {
        let world = self.world();
        let Some(chat) = world.messenger.chats.get(&chat) else { return Vec::new() };
        let messages = chat.messages.iter().filter_map(|id| world.messenger.messages.get(id));
        messages
            .map(|message| Shown {
                id: message.id,
                author: message.author,
                text: shown_text(&world, message),
                uuid: shown_uuid(&world, message).map(str::to_owned),
                reply_to: message.reply_to,
                files: world.files_of(message),
                at: message.at,
                edited: message.marks.edited,
                deleted: shown_deleted(message),
                reactions: message.marks.reactions.clone(),
            })
            .collect()
    }
}

/// A v4 UUID as clients make them.
pub(super) fn random_uuid() -> String {
    let mut bytes: [u8; 16] = crypto::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crypto::hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The text as an employee's client shows it, roughly: tags away, quotes and code recognisable.
pub fn client_text(text: &str) -> String {
    let text = text
        .replace("[code]", "\n    | ")
        .replace("[/code]", "\n")
        .replace('\u{200b}', "")
        .replace('\u{a0}', " ");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find('[') {
        out.push_str(&rest[..start]);
        let tag = &rest[start..];
        let end = tag.find(']');
        let known = ["b", "i", "u", "s", "url", "user", "chat", "size", "color"];
        let name: String = tag[1..]
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        match end {
            Some(end) if known.contains(&name.to_ascii_lowercase().as_str()) => {
                rest = &tag[end + 1..];
            }
            _ => {
                out.push('[');
                rest = &tag[1..];
            }
        }
    }
    out.push_str(rest);
    let lines = out.lines().map(|line| match line.strip_prefix(">>") {
        Some(quoted) => format!("> {quoted}"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
