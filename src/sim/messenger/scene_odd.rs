//! People at their keyboards who send something else than text, and chats of the odd kinds: what a
//! reader of messages must tell apart (b24: messenger §2, §5). Beside `scene` and `scene_files`;
//! goes the same way through `message` as they do.

use serde_json::Value;
use serde_json::json;

use super::super::call::RestError;
use super::super::portal::Portal;
use super::super::world::World;
use super::Extra;
use super::files::Content;
use super::files::NewFile;
use super::files::Note;
use super::log;
use super::message::Attached;
use super::message::NewMessage;
use super::message::store_with;
use super::scene::random_uuid;

/// The parameter of a sticker.
pub const STICKER: &str = "STICKER_PARAMS";
/// The parameter of a rich block.
pub const ATTACH: &str = "ATTACH";
/// The parameter of buttons.
pub const KEYBOARD: &str = "KEYBOARD";

impl World {
    fn say_odd(
        &mut self,
        author: u64,
        chat: u64,
        text: &str,
        attached: Attached,
    ) -> Result<u64, RestError> {
        let (now, uuid, text) = (self.now(), Some(random_uuid()), text.to_owned());
        let new = NewMessage { chat, author, text, uuid, reply_to: None, code: None };
        log::catch_up(self);
        store_with(self, now, new, attached)
    }
}

impl Portal {
    /// Somebody sends a sticker: no text, no file.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn send_sticker(&self, author: u64, chat: u64) -> Result<u64, RestError> {
        let value = json!({ "id": 3, "packId": 1, "packType": "vendor" });
        self.send_extra(author, chat, "", STICKER, value)
    }

    /// Somebody, mostly a bot or an application, sends a rich block, whose words are not part of the
    /// text; the text may be empty.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn send_block(
        &self,
        author: u64,
        chat: u64,
        text: &str,
        words: &str,
    ) -> Result<u64, RestError> {
        let value = json!([{ "ID": 1, "COLOR": "#29619b", "BLOCKS": [{ "MESSAGE": words }] }]);
        self.send_extra(author, chat, text, ATTACH, value)
    }

    /// Somebody sends a message with any further parameter; the text may be empty.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn send_extra(
        &self,
        author: u64,
        chat: u64,
        text: &str,
        name: &'static str,
        value: Value,
    ) -> Result<u64, RestError> {
        let attached = Attached { extras: vec![Extra { name, value }], ..Attached::default() };
        self.world().say_odd(author, chat, text, attached)
    }

    /// Somebody sends a spoken or filmed note: one file and no text.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn send_note(&self, author: u64, chat: u64, note: Note) -> Result<u64, RestError> {
        let mut world = self.world();
        let (name, content) = (note.file_name().to_owned(), Content::of(b"a note"));
        let at = world.now();
        let disk = &mut world.messenger.disk;
        let file = disk.add_unique(NewFile { chat, name, content, author, at });
        disk.mark_as_note(file, note);
        let attached = Attached { files: vec![file], ..Attached::default() };
        world.say_odd(author, chat, "", attached)
    }

    /// The thread of comments of a post, made when there is none. Its members are the post's author
    /// and, later on, whoever comments.
    ///
    /// # Errors
    /// There is no such post.
    pub fn thread_of(&self, post: u64) -> Result<u64, RestError> {
        let mut world = self.world();
        let messenger = &mut world.messenger;
        let unknown = || RestError::bad("MESSAGE_NOT_FOUND", "Message not found");
        let (parent, author) = messenger
            .messages
            .get(&post)
            .map(|found| (found.chat, found.author))
            .ok_or_else(unknown)?;
        let known = messenger.chats.values().find(|chat| chat.parent_message == post);
        if let Some(known) = known {
            return Ok(known.id);
        }
        let thread = messenger.new_chat('T', "comment", "", author, [author].into());
        if let Some(chat) = messenger.chats.get_mut(&thread) {
            (chat.parent, chat.parent_message) = (parent, post);
        }
        Ok(thread)
    }

    /// Somebody comments on a post of a channel and so joins its thread, of which no notice tells.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn comment(&self, author: u64, post: u64, text: &str) -> Result<u64, RestError> {
        let thread = self.thread_of(post)?;
        if let Some(chat) = self.world().messenger.chats.get_mut(&thread) {
            chat.members.insert(author);
        }
        self.say(author, thread, text)
    }

    /// A chat that belongs to a task, a deal and so on: what it belongs to, and where that is.
    pub fn set_entity(&self, chat: u64, kind: &str, id: &str, url: &str) {
        if let Some(chat) = self.world().messenger.chats.get_mut(&chat) {
            (chat.entity_type, chat.entity_id) = (kind.to_owned(), id.to_owned());
            chat.entity_url = url.to_owned();
        }
    }

    /// An account's row vanishes; its messages stay, by an author of whom only the id is known.
    pub fn forget_user(&self, user: u64) {
        self.world().users.remove(&user);
    }
}
