//! How long a body is, and the body itself: whole before anybody sees the request, in memory up to
//! a bound and in an unlinked file beyond it.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Cursor;
use std::io::Seek;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::client::Refusal;
use crate::common::Header;
use crate::incoming::Incoming;
use crate::Limits;

/// Longest line with a chunk's size; extensions are read over.
const CHUNK_LINE_BYTES_MAX: usize = 256;

/// How a request says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes; zero when nothing was said.
    Length(usize),
    Chunked,
}

impl Framing {
    /// Decides, or refuses whatever another server might read differently (request smuggling).
    pub(crate) fn of(headers: &[Header], http_1_1: bool, most: usize) -> Result<Framing, Refusal> {
        let mut lengths = headers.iter().filter(|header| header.is("Content-Length"));
        let mut encodings = headers.iter().filter(|header| header.is("Transfer-Encoding"));
        match (lengths.next(), encodings.next()) {
            (None, None) => Ok(Framing::Length(0)),
            (Some(length), None) => {
                if lengths.next().is_some() {
                    return Err(Refusal::bad("two Content-Length headers"));
                }
                Framing::length(length.value(), most)
            }
            (None, Some(encoding)) => {
                let chunked = encoding.value().eq_ignore_ascii_case("chunked");
                if !http_1_1 || !chunked || encodings.next().is_some() {
                    return Err(Refusal::bad("a Transfer-Encoding that is not just chunked"));
                }
                Ok(Framing::Chunked)
            }
            (Some(_), Some(_)) => Err(Refusal::bad("Content-Length and Transfer-Encoding")),
        }
    }

    /// Whether the body is, or may become, longer.
    pub(crate) fn exceeds(self, most: usize) -> bool {
        match self {
            Framing::Length(length) => length > most,
            Framing::Chunked => true,
        }
    }

    fn length(value: &str, most: usize) -> Result<Framing, Refusal> {
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::bad("a Content-Length that is no number"));
        }
        // A number that does not fit is too large as well.
        let length = value.parse().unwrap_or(usize::MAX);
        if length > most { Err(Refusal::body_too_large()) } else { Ok(Framing::Length(length)) }
    }
}

/// A whole body, from its start.
pub enum Body {
    /// At most [`Limits::body_memory_bytes`] of it.
    Memory(Cursor<Vec<u8>>),
    /// In a file without a name.
    File(File),
}

impl Body {
    /// Reads a body of at most `most` bytes. The deadline is already set.
    pub(crate) fn read(
        incoming: &mut Incoming,
        framing: Framing,
        limits: &Limits,
        most: usize,
    ) -> Result<Body, Refusal> {
        let mut store = Store { limits, most, memory: Vec::new(), file: None, length: 0 };
        match framing {
            Framing::Length(length) => store.copy(incoming, length)?,
            Framing::Chunked => {
                loop {
                    let size = chunk_size(incoming)?;
                    if size == 0 {
                        break;
                    }
                    store.copy(incoming, size)?;
                    // The line end after the chunk, and nothing else.
                    if !incoming.line(&mut 2)?.is_empty() {
                        return Err(Refusal::bad("a chunk longer than it says"));
                    }
                }
                // Trailers say nothing to us.
                let mut budget = limits.head_bytes;
                while !incoming.line(&mut budget)?.is_empty() {}
            }
        }
        store.finish()
    }
}

fn chunk_size(incoming: &mut Incoming) -> Result<usize, Refusal> {
    let mut budget = CHUNK_LINE_BYTES_MAX;
    let line = incoming.line(&mut budget)?;
    let digits = line.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t']);
    let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex {
        return Err(Refusal::bad("a chunk size that is no number"));
    }
    usize::from_str_radix(digits, 16).map_err(|_| Refusal::body_too_large())
}

struct Store<'a> {
    limits: &'a Limits,
    most: usize,
    memory: Vec<u8>,
    file: Option<File>,
    length: usize,
}

impl Store<'_> {
    /// Takes exactly `count` bytes.
    fn copy(&mut self, incoming: &mut Incoming, count: usize) -> Result<(), Refusal> {
        if count > self.most.saturating_sub(self.length) {
            return Err(Refusal::body_too_large());
        }
        self.length += count;
        let mut left = count;
        while left > 0 {
            let available = incoming.peek().map_err(Refusal::reading)?;
            if available.is_empty() {
                return Err(Refusal::Gone);
            }
            let piece = &available[..available.len().min(left)];
            let taken = piece.len();
            match &mut self.file {
                Some(file) => file.write_all(piece).map_err(Refusal::spooling)?,
                None => self.memory.extend_from_slice(piece),
            }
            incoming.use_up(taken);
            left -= taken;
            if self.file.is_none() && self.memory.len() > self.limits.body_memory_bytes {
                let mut file = unlinked(&self.limits.spool_dir).map_err(Refusal::spooling)?;
                file.write_all(&self.memory).map_err(Refusal::spooling)?;
                self.memory = Vec::new();
                self.file = Some(file);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Body, Refusal> {
        match self.file {
            None => Ok(Body::Memory(Cursor::new(self.memory))),
            Some(mut file) => {
                file.rewind().map_err(Refusal::spooling)?;
                Ok(Body::File(file))
            }
        }
    }
}

/// A new file that has no name any more, so that nothing is left of it whatever happens.
fn unlinked(dir: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!(".body-{}-{number}", std::process::id()));
    // Left behind only by a kill between these two calls, under a process id used again since.
    let _ = std::fs::remove_file(&path);
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
