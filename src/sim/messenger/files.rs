//! The files in chats: what a chat's folder holds, under which names, and the object by which
//! history and uploads tell of a file (b24: messenger §4.2 `files[]`, §9). Knows no method: `disk`,
//! `upload` and `commit` fill the store, `message` attaches, `history` shows.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::super::world::World;
use crate::base::clock::UnixMs;
use crate::base::crypto;
use crate::base::crypto::Digest;

/// Larger contents are counted and hashed, not kept: a bench sends files of 100 MB.
const KEEP_MAX: usize = 1024 * 1024;
/// How much is decoded before it is hashed.
const PIECE: usize = 48 * 1024;
/// Id of the first file: files and folders are objects of one table, so it is above all folders.
const FIRST_ID: u64 = 500_001;
/// A chat's folder has the chat's id and this much more.
const FOLDER_ABOVE_CHAT: u64 = 300;

/// What a file holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// The bytes themselves, of a file that is not too large to be kept.
    pub bytes: Option<Arc<[u8]>>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes, {})", self.size, self.sha256)
    }
}

impl Content {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Content {
        let mut gathered = Gathered::default();
        gathered.add(bytes);
        gathered.content()
    }
}

/// A content while it comes in.
#[derive(Default)]
struct Gathered {
    size: u64,
    digest: Digest,
    kept: Vec<u8>,
}

impl Gathered {
    fn add(&mut self, piece: &[u8]) {
        self.size += piece.len() as u64;
        self.digest.update(piece);
        if self.kept.len() <= KEEP_MAX {
            self.kept.extend_from_slice(piece);
        }
    }

    fn content(self) -> Content {
        let bytes = (self.size <= KEEP_MAX as u64).then(|| Arc::from(self.kept));
        Content { size: self.size, sha256: crypto::hex(&self.digest.finish()), bytes }
    }
}

/// PHP's `base64_decode`, piece by piece, so that a large file costs no second copy. Strictly,
/// `None` for any letter outside the alphabet but white space (so for a `data:` prefix and for the
/// URL-safe alphabet); else such letters are passed over.
pub fn decode(text: &str, strict: bool) -> Option<Content> {
    let mut gathered = Gathered::default();
    let mut piece = Vec::with_capacity(PIECE);
    let (mut symbols, mut padding, mut rest) = (0_u64, 0_u64, 0_u8);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ if strict => return None,
            _ => continue,
        };
        if strict && padding > 0 {
            return None;
        }
        match symbols % 4 {
            0 => rest = value << 2,
            1 => {
                piece.push(rest | value >> 4);
                rest = value << 4;
            }
            2 => {
                piece.push(rest | value >> 2);
                rest = value << 6;
            }
            _ => piece.push(rest | value),
        }
        symbols += 1;
        if piece.len() >= PIECE {
            gathered.add(&piece);
            piece.clear();
        }
    }
    // Padding may be missing, but what there is must be right.
    let odd = symbols % 4 == 1 || (padding > 0 && (padding > 2 || (symbols + padding) % 4 != 0));
    if strict && odd {
        return None;
    }
    gathered.add(&piece);
    Some(gathered.content())
}

/// A file in a chat's folder.
#[derive(Clone, Debug)]
pub struct File {
    /// Its id.
    pub id: u64,
    /// The chat in whose folder it is.
    pub chat: u64,
    /// Its name, unique in the folder.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Who put it there.
    pub author: u64,
    /// When.
    pub at: UnixMs,
    /// The first message that shows it; none of an orphan.
    pub message: Option<u64>,
    /// A picture or film that is shown as a plain file.
    pub as_file: bool,
    /// A note that was spoken or filmed in the client.
    pub note: Option<Note>,
}

/// A note that was recorded in the client and has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Spoken.
    Voice,
    /// Filmed.
    Video,
}

impl Note {
    /// The name its file has.
    pub fn file_name(self) -> &'static str {
        match self {
            Note::Voice => "voice.ogg",
            Note::Video => "note.mp4",
        }
    }
}

impl File {
    /// `image`, `video`, `audio` or `file`.
    pub fn kind(&self) -> &'static str {
        match kind_of_name(&self.name) {
            "image" | "video" if self.as_file => "file",
            kind => kind,
        }
    }
}

/// The folders of all chats.
#[derive(Debug, Default)]
pub struct Disk {
    files: BTreeMap<u64, File>,
    /// Names taken, by chat and in lower case: the database compares them so.
    names: HashSet<(u64, String)>,
}

/// A file to be put into a folder.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// The chat.
    pub chat: u64,
    /// The name wished for.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Who puts it there.
    pub author: u64,
    /// When.
    pub at: UnixMs,
}

impl Disk {
    /// Puts a file into a chat's folder under its own name; `None` when that is taken.
    pub fn add(&mut self, new: NewFile) -> Option<u64> {
        if !self.names.insert((new.chat, new.name.to_lowercase())) {
            return None;
        }
        let id = self.files.last_key_value().map_or(FIRST_ID, |(last, _)| last + 1);
        let NewFile { chat, name, content, author, at } = new;
        let (message, as_file, note) = (None, false, None);
        let file = File { id, chat, name, content, author, at, message, as_file, note };
        self.files.insert(id, file);
        Some(id)
    }

    /// The same, under a name like `plan (1).pdf` when its own is taken.
    pub fn add_unique(&mut self, mut new: NewFile) -> u64 {
        let wished = new.name.clone();
        let mut number = 0_u64;
        while self.names.contains(&(new.chat, new.name.to_lowercase())) {
            number += 1;
            new.name = match wished.rsplit_once('.') {
                Some((stem, extension)) => format!("{stem} ({number}).{extension}"),
                None => format!("{wished} ({number})"),
            };
        }
        self.add(new).unwrap_or_default()
    }

    /// A copy of a file in another folder, or in the same; `None` when there is no such file.
    pub fn copy(&mut self, id: u64, chat: u64, author: u64, at: UnixMs) -> Option<u64> {
        let file = self.files.get(&id)?;
        let (name, content) = (file.name.clone(), file.content.clone());
        Some(self.add_unique(NewFile { chat, name, content, author, at }))
    }

    /// Deletes a file; messages go on naming its id.
    pub fn remove(&mut self, id: u64) {
        if let Some(file) = self.files.remove(&id) {
            self.names.remove(&(file.chat, file.name.to_lowercase()));
        }
    }

    /// A file.
    pub fn get(&self, id: u64) -> Option<&File> {
        self.files.get(&id)
    }

    /// A picture or film is shown as a plain file from now on.
    pub fn mark_as_file(&mut self, id: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            file.as_file = true;
        }
    }

    /// A file is a note from now on.
    pub fn mark_as_note(&mut self, id: u64, note: Note) {
        if let Some(file) = self.files.get_mut(&id) {
            file.note = Some(note);
        }
    }

    /// A message shows these files.
    pub fn publish(&mut self, ids: &[u64], message: u64) {
        for id in ids {
            if let Some(file) = self.files.get_mut(id) {
                file.message.get_or_insert(message);
            }
        }
    }

    /// All files, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }
}

/// The folder of a chat.
pub fn folder_of(chat: u64) -> u64 {
    FOLDER_ABOVE_CHAT + chat
}

/// The chat a folder belongs to, whether it exists or not.
pub fn chat_of_folder(folder: u64) -> Option<u64> {
    folder.checked_sub(FOLDER_ABOVE_CHAT)
}

/// Whether somebody may read a file: whoever may read the chat in whose folder it is.
pub fn readable(world: &World, user: u64, id: u64) -> Option<&File> {
    let file = world.messenger.disk.get(id)?;
    let chat = world.messenger.chats.get(&file.chat)?;
    world.messenger.may_read(chat, user, world.is_intranet(user)).then_some(file)
}

/// Copies of the files that a text named by `[DISK=n]`, in the chat's folder. What the sender may
/// not read, or does not exist, is passed over (b24: messenger §6.4).
pub fn copy_named(world: &mut World, author: u64, chat: u64, named: &[u64]) -> Vec<u64> {
    let now = world.now();
    let mut copies = Vec::new();
    for id in named {
        if readable(world, author, *id).is_some() {
            copies.extend(world.messenger.disk.copy(*id, chat, author, now));
        }
    }
    copies
}

/// A file as history and uploads tell of it: camelCase, unlike everything around.
pub fn object(world: &World, file: &File) -> Value {
    let id = file.id;
    let action = "bitrix/services/main/ajax.php?action=disk.api.file.download";
    let url = format!("http://{}/{action}&fileId={id}", world.domain);
    let by_name = kind_of_name(&file.name);
    let author = world.users.get(&file.author).map(|user| user.full_name());
    let preview = if by_name == "image" { url.as_str() } else { "" };
    // Films have none before they are converted, and nothing here looks into pictures.
    let image = if by_name == "image" { json!({ "height": 0, "width": 0 }) } else { json!(false) };
    json!({
        "id": id,
        "chatId": file.chat,
        "date": world.time_text(file.at),
        "type": file.kind(),
        "name": file.name,
        "extension": extension(&file.name),
        "size": file.content.size,
        "image": image,
        "status": "done",
        "progress": 100,
        "authorId": file.author,
        "authorName": author.unwrap_or_default(),
        "urlPreview": preview,
        "urlShow": url,
        "urlDownload": url,
        "viewerAttrs": {
            "viewer": "",
            "viewerType": if by_name == "file" { "document" } else { by_name },
            "src": url,
            "objectId": id.to_string(),
            "viewerGroupBy": file.chat.to_string(),
            "imChatId": file.chat,
            "title": file.name,
        },
        "mediaUrl": { "preview": { "250": preview } },
        "isTranscribable": file.note.is_some(),
        "isVideoNote": file.note == Some(Note::Video),
        "isVoiceNote": file.note == Some(Note::Voice),
    })
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default()
}

fn kind_of_name(name: &str) -> &'static str {
    match extension(name).as_str() {
        "bmp" | "gif" | "heic" | "heif" | "jfif" | "jpe" | "jpeg" | "jpg" | "png" | "webp" => {
            "image"
        }
        "3gp" | "avi" | "flv" | "m4v" | "mkv" | "mov" | "mp4" | "mpeg" | "mpg" | "ogv" | "webm"
        | "wmv" => "video",
        "aac" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav" | "wma" => "audio",
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use super::Content;
    use super::KEEP_MAX;
    use super::PIECE;
    use super::decode;
    use super::kind_of_name;
    use crate::base::crypto::hex;
    use crate::base::crypto::sha256;

    fn strictly(text: &str) -> Option<Vec<u8>> {
        decode(text, true).and_then(|content| content.bytes).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn base64_is_decoded_as_strictly_as_php_does() {
        let good: [(&str, &[u8]); 9] = [
            ("", b""),
            ("aA==", b"h"),
            ("aA", b"h"),
            ("aGk", b"hi"),
            ("aGk=", b"hi"),
            ("aGkh", b"hi!"),
            (" a G\r\nk\t=\n", b"hi"),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            // Bits that are left over are ignored.
            ("aB==", b"h"),
        ];
        for (text, bytes) in good {
            assert_eq!(strictly(text).as_deref(), Some(bytes), "{text:?}");
        }
        let prefixed = "data:text/plain;base64,aGk=";
        for text in ["a", "====", prefixed, "-_-_", "aA=A", "aA=", "aA===", "a.b"] {
            assert_eq!(strictly(text), None, "{text:?}");
        }
        let loosely = decode("a*G~k=", false).and_then(|content| content.bytes);
        assert_eq!(loosely.as_deref(), Some(&b"hi"[..]), "passes over what is no letter");
    }

    #[test]
    fn large_contents_are_hashed_and_not_kept() {
        // "aaaa" is three bytes.
        let count = PIECE * 2 + 7;
        let bytes = [0x69, 0xa6, 0x9a].repeat(count);
        let content = decode(&"aaaa".repeat(count), true).expect("good");
        assert_eq!(content, Content::of(&bytes));
        assert_eq!((content.size, &content.sha256), ((count * 3) as u64, &hex(&sha256(&bytes))));
        assert_eq!(content.bytes.as_deref(), Some(&bytes[..]));
        let large = Content::of(&vec![7; KEEP_MAX + 1]);
        assert_eq!((large.size, large.bytes), (KEEP_MAX as u64 + 1, None));
        assert_eq!(Content::of(&vec![7; KEEP_MAX]).bytes.map(|bytes| bytes.len()), Some(KEEP_MAX));
    }

    #[test]
    fn kind_follows_the_extension() {
        let kinds = ["a.PNG", "a.b.mp4", "a.mp3", "a.pdf", "png", ""].map(kind_of_name);
        assert_eq!(kinds, ["image", "video", "audio", "file", "file", "file"]);
    }
}
