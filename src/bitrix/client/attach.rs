//! The body of a call that carries a file: the JSON of its parameters, with the file in base64 in
//! the place of one of them, made while it is sent. Holds a piece of the file at a time, whatever
//! its size. Knows no connection; `client` hands it to the transport.

use std::fs::File;
use std::io;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;

use crate::bitrix::client::Attached;
use crate::bitrix::transport::Trouble;

/// Bytes of the file read at once: a multiple of three, so that only the last piece is padded.
const PIECE_BYTES: usize = 48 * 1024;
/// Base64 of a piece.
const PIECE_TEXT_BYTES: usize = PIECE_BYTES / 3 * 4;

/// The body, to be read once.
pub(super) struct Body {
    /// What was not sent yet of the JSON before the file, and after it.
    around: [io::Cursor<Vec<u8>>; 2],
    file: Encoded,
    length: u64,
}

impl Body {
    /// Opens the file.
    ///
    /// # Errors
    /// Nothing was sent: the file is not what it was, or its place is not in the parameters.
    pub(super) fn new(params: &Map<String, Value>, file: &Attached) -> Result<Body, Trouble> {
        let json = serde_json::to_vec(params).map_err(|_| Trouble::NotSent("bad_params"))?;
        let (before, after) = split(&json, &file.marker).ok_or(Trouble::NotSent("bad_params"))?;
        let opened = File::open(&file.path).map_err(|_| Trouble::NotSent("file_unreadable"))?;
        if !opened.metadata().is_ok_and(|found| found.len() == file.bytes) {
            return Err(Trouble::NotSent("file_changed"));
        }
        let text_bytes = file.bytes.div_ceil(3) * 4;
        Ok(Body {
            length: (before.len() + after.len()) as u64 + text_bytes,
            around: [before, after].map(|json| io::Cursor::new(json.to_vec())),
            file: Encoded::new(opened, file.bytes),
        })
    }

    /// Its whole length.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file, not the connection, ended the sending.
    pub(super) fn is_broken(&self) -> bool {
        self.file.broken
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let [before, after] = &mut self.around;
        before.chain(&mut self.file).chain(after).read(buf)
    }
}

/// What stands before and after the one value that is this marker, quotes included on both sides.
/// `None` when there is not exactly one.
fn split<'a>(json: &'a [u8], marker: &str) -> Option<(&'a [u8], &'a [u8])> {
    // Anything else might be spelt in JSON in another way, or be JSON itself.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if marker.is_empty() || !marker.bytes().all(plain) {
        return None;
    }
    let quoted = format!("\"{marker}\"");
    let mut places = json.windows(quoted.len()).enumerate().filter(|(at, window)| {
        // Inside a text a quote follows a backslash; behind a key there is a colon.
        *window == quoted.as_bytes()
            && json.get(at.wrapping_sub(1)) != Some(&b'\\')
            && json.get(at + quoted.len()) != Some(&b':')
    });
    let (at, _) = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let start = at + 1;
    Some((&json[..start], &json[start + marker.len()..]))
}

/// A file as base64.
struct Encoded {
    file: File,
    /// Bytes of the file that are not read yet.
    left: u64,
    piece: Vec<u8>,
    text: Vec<u8>,
    /// What is taken of `text`.
    taken: usize,
    broken: bool,
}

impl Encoded {
    fn new(file: File, bytes: u64) -> Encoded {
        let piece = vec![0; PIECE_BYTES];
        let text = Vec::with_capacity(PIECE_TEXT_BYTES);
        Encoded { file, left: bytes, piece, text, taken: 0, broken: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let piece = &mut self.piece[..count];
        // A file that has become shorter is an error here. It must not look like an end: that
        // would leave the portal waiting for the rest.
        self.file.read_exact(piece)?;
        self.left -= count as u64;
        self.text.resize(count.div_ceil(3) * 4, 0);
        let written = STANDARD.encode_slice(piece, &mut self.text).map_err(io::Error::other)?;
        self.text.truncate(written);
        self.taken = 0;
        Ok(())
    }
}

impl Read for Encoded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.text.len() && self.left > 0 {
            self.fill().inspect_err(|_| self.broken = true)?;
        }
        let count = (&self.text[self.taken..]).read(buf)?;
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
