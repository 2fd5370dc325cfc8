//! What tests and the demo see of the files in chats, and how people send them: beside `scene`,
//! which does the same for texts. Reads the store of `files`; no method of the portal calls it.

use std::sync::Arc;

use super::super::call::RestError;
use super::super::portal::Portal;
use super::super::world::World;
use super::Message;
use super::files::Content;
use super::files::File;
use super::files::NewFile;
use super::log;
use super::message::Attached;
use super::message::NewMessage;
use super::message::store_with;
use super::scene::random_uuid;

/// A file as people find it in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownFile {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// `image`, `video`, `audio` or `file`.
    pub kind: &'static str,
    /// SHA-256 of what it holds, in hexadecimal digits.
    pub sha256: String,
    /// What it holds, of a file of at most 1 MiB.
    pub bytes: Option<Arc<[u8]>>,
    /// Who put it there.
    pub author: u64,
    /// The first message that shows it; none of an orphan.
    pub message: Option<u64>,
}

impl From<&File> for ShownFile {
    fn from(file: &File) -> ShownFile {
        ShownFile {
            id: file.id,
            name: file.name.clone(),
            size: file.content.size,
            kind: file.kind(),
            sha256: file.content.sha256.clone(),
            bytes: file.content.bytes.clone(),
            author: file.author,
            message: file.message,
        }
    }
}

impl World {
    /// The files a message shows; deleted ones are missing.
    pub fn files_of(&self, message: &Message) -> Vec<ShownFile> {
        let files = message.files.iter().filter_map(|id| self.messenger.disk.get(*id));
        files.map(ShownFile::from).collect()
    }
}

impl Portal {
    /// Everything in a chat's folder, oldest first, orphans included.
    pub fn folder(&self, chat: u64) -> Vec<ShownFile> {
        let world = self.world();
        world.messenger.disk.all().filter(|file| file.chat == chat).map(ShownFile::from).collect()
    }

    /// How many files there are in all folders, and how many of them no message shows.
    pub fn file_counts(&self) -> (usize, usize) {
        let world = self.world();
        let disk = &world.messenger.disk;
        (disk.all().count(), disk.all().filter(|file| file.message.is_none()).count())
    }

    /// Somebody sends files with a text, which may be empty; the message's id.
    ///
    /// # Errors
    /// What the portal would say.
    pub fn send_files(
        &self,
        author: u64,
        chat: u64,
        files: &[(&str, &[u8])],
        text: &str,
    ) -> Result<u64, RestError> {
        let mut world = self.world();
        log::catch_up(&mut world);
        let at = world.now();
        let disk = &mut world.messenger.disk;
        let put = |(name, bytes): &(&str, &[u8])| {
            let (name, content) = ((*name).to_owned(), Content::of(bytes));
            disk.add_unique(NewFile { chat, name, content, author, at })
        };
        let files = files.iter().map(put).collect();
        let (text, uuid) = (text.to_owned(), Some(random_uuid()));
        let new = NewMessage { chat, author, text, uuid, reply_to: None, code: None };
        store_with(&mut world, at, new, Attached { files, ..Attached::default() })
    }
}
