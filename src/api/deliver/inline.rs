//! The files inside the JSON of a Deliver call: one pass over the body writes each to the shelf and
//! leaves a reference in its place, so that a call of any size becomes a small JSON. Only looks for
//! where texts begin and end; whether it is JSON, and what a file is for, `decode` finds out.

mod base64;

use std::io;
use std::io::ErrorKind;
use std::io::Read;

use crate::api::deliver::inline::base64::Decoding;
use crate::api::deliver::inline::base64::Fault;
use crate::api::problem::Problem;
use crate::base::crypto;
use crate::limits;
use crate::outbound::shelf::Kept;
use crate::outbound::shelf::Shelf;

/// Bytes of the body read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The field of the call in which files are.
const FILES: &str = "media";
/// The field whose value is a file, anywhere in there. Elsewhere it is a text like others: a button
/// may have data, too.
const CONTENT: &str = "data";
/// Longest spelling of such a name: every letter escaped, and the quotes.
const NAME_BYTES_MAX: usize = 6 * 5 + 2;

/// A file that was in a call.
#[derive(Debug)]
struct Inlined {
    reference: String,
    kept: Kept,
}

/// The files of one call. Those that nobody has taken are removed with it.
#[derive(Debug)]
pub(super) struct InlinedFiles {
    shelf: Shelf,
    files: Vec<Inlined>,
}

impl InlinedFiles {
    /// The file that a value of the small JSON stands for.
    pub(super) fn find(&self, value: &str) -> Option<&Kept> {
        self.files.iter().find(|file| file.reference == value).map(|file| &file.kept)
    }

    /// A file, by its name on the shelf, is somebody else's from now on.
    pub(super) fn hand_over(&mut self, name: &str) {
        self.files.retain(|file| file.kept.name != name);
    }
}

impl Drop for InlinedFiles {
    fn drop(&mut self) {
        for file in &self.files {
            self.shelf.remove(&file.kept.name);
        }
    }
}

/// Why a call's files cannot be taken out of it. Numbers of files begin at 1.
#[derive(Debug)]
pub(super) enum InlineError {
    /// The body cannot be read back.
    Body(io::Error),
    /// A file cannot be kept.
    Shelf(io::Error),
    /// What is not a file is too long.
    TextTooLong,
    /// One more file than a call may have.
    TooManyFiles,
    /// This file is too long.
    FileTooLarge(usize),
    /// This file is not base64.
    NotBase64(usize, Fault),
    /// The body ends inside a file.
    Unfinished,
}

impl From<InlineError> for Problem {
    fn from(error: InlineError) -> Problem {
        match error {
            InlineError::Shelf(why)
                if matches!(why.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                Problem::unavailable("the connector's disk is full")
            }
            InlineError::Shelf(why) if why.kind() == ErrorKind::ResourceBusy => Problem {
                retry_after: Some(limits::DELIVERY_FULL_RETRY_S),
                ..Problem::new(429, "resource_exhausted", "too many files wait for the portal")
            },
            InlineError::Body(why) | InlineError::Shelf(why) => Problem::internal(&why),
            InlineError::TextTooLong => Problem::new(
                413,
                "invalid_argument",
                format!(
                    "the request's body is too large: more than {} bytes without its files",
                    limits::HTTP_DELIVER_BODY_BYTES_MAX
                ),
            ),
            InlineError::TooManyFiles => {
                let most = limits::MEDIA_FILES_MAX;
                Problem::invalid(format!("media: more than {most} files; send them in pieces"))
            }
            InlineError::FileTooLarge(file) => {
                let most = limits::MEDIA_BYTES_MAX;
                Problem::invalid(format!("media: data of file {file} is longer than {most} bytes"))
            }
            InlineError::NotBase64(file, Fault { at, what }) => Problem::invalid(format!(
                "media: data of file {file} is not base64: {what} at character {at}"
            )),
            InlineError::Unfinished => Problem::invalid("the body is not JSON: it ends in data"),
        }
    }
}

/// Takes the files out of a body: what is left of it, and the files.
///
/// Of a field that stands twice each file is kept; the JSON's reader finds the last, and the others
/// go with the [`InlinedFiles`].
pub(super) fn read(
    body: &mut impl Read,
    shelf: &Shelf,
) -> Result<(Vec<u8>, InlinedFiles), InlineError> {
    let mut scan = Scan {
        json: Vec::new(),
        prefix: format!("file-{}", crypto::hex(&crypto::random::<16>())),
        begun: 0,
        files: InlinedFiles { shelf: shelf.clone(), files: Vec::new() },
        depth: 0,
        in_files: false,
        state: State::Between(Last::Other),
    };
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match body.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => scan.feed(&piece[..count])?,
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(InlineError::Body(why)),
        }
    }
    match scan.state {
        State::File(_) => Err(InlineError::Unfinished),
        State::Between(_) | State::Text { .. } => Ok((scan.json, scan.files)),
    }
}

/// Where in the body the pass is.
enum State {
    /// Outside of texts.
    Between(Last),
    /// In a text that begins there in the small JSON.
    Text { start: usize, escaped: bool },
    /// In a file.
    File(Box<Decoding>),
}

/// What stood last between texts, white space aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A text, perhaps a key, in so many bytes of the small JSON.
    Text(usize),
    /// The key of a file, and a colon.
    FileKey,
    /// Anything else.
    Other,
}

struct Scan {
    /// What is kept of the body.
    json: Vec<u8>,
    /// What references of this call begin with. It is random, so that no text of a caller's, who
    /// might repeat somebody else's words, can be taken for one.
    prefix: String,
    /// Files begun.
    begun: usize,
    files: InlinedFiles,
    /// Brackets that are open.
    depth: usize,
    /// Whether this is the value of [`FILES`] in the outermost object.
    in_files: bool,
    state: State,
}

impl Scan {
    fn feed(&mut self, mut piece: &[u8]) -> Result<(), InlineError> {
        while let Some(&byte) = piece.first() {
            if let State::File(file) = &mut self.state {
                let (used, ended) = file.feed(piece).map_err(|why| why.into_error(self.begun))?;
                piece = &piece[used..];
                if ended {
                    self.end_file()?;
                }
                continue;
            }
            self.step(byte)?;
            piece = &piece[1..];
        }
        Ok(())
    }

    /// One byte that is not of a file.
    fn step(&mut self, byte: u8) -> Result<(), InlineError> {
        match self.state {
            State::Between(Last::FileKey) if byte == b'"' => return self.begin_file(),
            State::Between(_) if byte == b'"' => {
                self.state = State::Text { start: self.json.len(), escaped: false };
            }
            State::Between(last) => self.state = State::Between(self.between(last, byte)),
            State::Text { start, escaped: true } => {
                self.state = State::Text { start, escaped: false };
            }
            State::Text { start, escaped: false } => match byte {
                b'\\' => self.state = State::Text { start, escaped: true },
                b'"' => self.state = State::Between(Last::Text(self.json.len() + 1 - start)),
                _ => {}
            },
            State::File(_) => {}
        }
        self.keep(&[byte])
    }

    /// What a byte between texts makes of what stood before it.
    fn between(&mut self, last: Last, byte: u8) -> Last {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return last,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' => {
                if let Last::Text(bytes) = last {
                    return self.behind_key(bytes);
                }
            }
            _ => {}
        }
        Last::Other
    }

    /// A key ended with the small JSON, but for white space; it has so many bytes.
    fn behind_key(&mut self, bytes: usize) -> Last {
        let trimmed = self.json.trim_ascii_end();
        let key = trimmed.get(trimmed.len().wrapping_sub(bytes)..).unwrap_or_default();
        if self.depth == 1 {
            self.in_files = is_name(key, FILES);
        } else if self.in_files && is_name(key, CONTENT) {
            return Last::FileKey;
        }
        Last::Other
    }

    fn begin_file(&mut self) -> Result<(), InlineError> {
        if self.begun == limits::MEDIA_FILES_MAX {
            return Err(InlineError::TooManyFiles);
        }
        self.begun += 1;
        let filling =
            self.files.shelf.begin(limits::MEDIA_BYTES_MAX).map_err(InlineError::Shelf)?;
        self.state = State::File(Box::new(Decoding::new(filling)));
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), InlineError> {
        let ended = std::mem::replace(&mut self.state, State::Between(Last::Other));
        let State::File(file) = ended else { return Ok(()) };
        let kept = file.finish().map_err(|why| why.into_error(self.begun))?;
        let reference = format!("{}-{}", self.prefix, self.begun);
        self.keep(format!("\"{reference}\"").as_bytes())?;
        self.files.files.push(Inlined { reference, kept });
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), InlineError> {
        if self.json.len() + bytes.len() > limits::HTTP_DELIVER_BODY_BYTES_MAX {
            return Err(InlineError::TextTooLong);
        }
        self.json.extend_from_slice(bytes);
        Ok(())
    }
}

/// Whether a text in JSON is this name, escapes read as the JSON's reader reads them.
fn is_name(text: &[u8], name: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && serde_json::from_slice::<String>(text).is_ok_and(|text| text == name)
}

impl base64::Error {
    fn into_error(self, file: usize) -> InlineError {
        match self {
            base64::Error::Fault(fault) => InlineError::NotBase64(file, fault),
            base64::Error::File(why) if why.kind() == ErrorKind::FileTooLarge => {
                InlineError::FileTooLarge(file)
            }
            base64::Error::File(why) => InlineError::Shelf(why),
        }
    }
}

#[cfg(test)]
mod tests;
