//! Base64 inside a text of JSON, decoded piece by piece into a file on the shelf: either alphabet,
//! padded or not, white space and JSON's escapes read over. Knows no JSON but the end of a text.

use std::io;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::outbound::shelf::Filling;
use crate::outbound::shelf::Kept;

/// Decoded bytes that are written at once.
const WRITTEN_BYTES: usize = 48 * 1024;

/// What is wrong with a text, and at which of its characters, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api::deliver) struct Fault {
    pub(in crate::api::deliver) at: u64,
    pub(in crate::api::deliver) what: &'static str,
}

/// Why a text became no file.
#[derive(Debug)]
pub(super) enum Error {
    /// It is not base64.
    Fault(Fault),
    /// The file.
    File(io::Error),
}

/// A text on its way to a file.
pub(super) struct Decoding {
    filling: Filling,
    /// Decoded, not written yet.
    decoded: Vec<u8>,
    /// Bits of the group of four symbols that is not whole yet, and how many symbols they are.
    bits: u32,
    symbols: u8,
    pads: u8,
    escape: Escape,
    /// Characters seen.
    at: u64,
}

/// How far into an escape a text is.
#[derive(Clone, Copy)]
enum Escape {
    None,
    Backslash,
    /// So many hexadecimal digits, and their value.
    Unicode(u8, u32),
}

impl Decoding {
    pub(super) fn new(filling: Filling) -> Decoding {
        Decoding {
            filling,
            decoded: Vec::new(),
            bits: 0,
            symbols: 0,
            pads: 0,
            escape: Escape::None,
            at: 0,
        }
    }

    /// Takes what is of the text: how much, and whether it has ended with its quote.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(usize, bool), Error> {
        let mut used = 0;
        let mut plain = true;
        while let Some(&byte) = piece.get(used) {
            if plain && self.symbols == 0 && self.pads == 0 && matches!(self.escape, Escape::None) {
                let many = self.groups(&piece[used..]);
                used += many;
                // What is not plain in a piece is rarely so only once.
                plain = many > 0;
                if self.decoded.len() >= WRITTEN_BYTES {
                    self.write()?;
                }
                if plain {
                    continue;
                }
            }
            used += 1;
            if self.byte(byte).map_err(|what| self.fault(what))? {
                return Ok((used, true));
            }
            if self.decoded.len() >= WRITTEN_BYTES {
                self.write()?;
            }
        }
        Ok((used, false))
    }

    /// The text has ended: the file is whole.
    pub(super) fn finish(mut self) -> Result<Kept, Error> {
        let (bytes, spare) = match (self.symbols, self.pads) {
            (0, 0) => (0, 0),
            (2, 0 | 2) => (1, 4),
            (3, 0 | 1) => (2, 2),
            _ => return Err(self.fault("it ends within a group of four")),
        };
        // Bits that are no byte any more: whoever sets them has lost the rest.
        if self.bits & ((1 << spare) - 1) != 0 {
            return Err(self.fault("it ends within a byte"));
        }
        let last = (self.bits >> spare).to_be_bytes();
        self.decoded.extend_from_slice(&last[last.len() - bytes..]);
        self.write()?;
        self.filling.finish().map_err(Error::File)
    }

    /// Decodes as many whole groups as there are, when all of them are of plain symbols; else none.
    fn groups(&mut self, piece: &[u8]) -> usize {
        let count = piece.len() / 4;
        let start = self.decoded.len();
        self.decoded.resize(start + count * 3, 0);
        let symbols = &piece[..count * 4];
        if STANDARD_NO_PAD.decode_slice(symbols, &mut self.decoded[start..]).is_ok() {
            self.at += symbols.len() as u64;
            return symbols.len();
        }
        self.decoded.truncate(start);
        0
    }

    /// One byte of the JSON; whether it ended the text.
    fn byte(&mut self, byte: u8) -> Result<bool, &'static str> {
        let character = match (self.escape, byte) {
            (Escape::None, b'"') => return Ok(true),
            (Escape::None, b'\\') => {
                self.escape = Escape::Backslash;
                return Ok(false);
            }
            (Escape::None, _) => byte,
            (Escape::Backslash, b'u') => {
                self.escape = Escape::Unicode(0, 0);
                return Ok(false);
            }
            (Escape::Backslash, b'n' | b'r' | b't' | b'f') => b' ',
            // A slash is a symbol; a quote or a backslash is not, but may be escaped so.
            (Escape::Backslash, b'/' | b'"' | b'\\') => byte,
            (Escape::Backslash, _) => return Err("a strange escape"),
            (Escape::Unicode(digits, value), _) => {
                let digit = char::from(byte).to_digit(16).ok_or("a strange escape")?;
                let value = value << 4 | digit;
                if digits < 3 {
                    self.escape = Escape::Unicode(digits + 1, value);
                    return Ok(false);
                }
                // What is beyond a byte is no symbol, like the quote.
                u8::try_from(value).unwrap_or(b'"')
            }
        };
        self.escape = Escape::None;
        self.at += 1;
        self.character(character)?;
        Ok(false)
    }

    /// One character of the text.
    fn character(&mut self, character: u8) -> Result<(), &'static str> {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' if self.pads < 2 => {
                self.pads += 1;
                return Ok(());
            }
            white if white.is_ascii_whitespace() => return Ok(()),
            _ => return Err("a character of neither alphabet"),
        };
        if self.pads > 0 {
            return Err("more behind the padding");
        }
        self.bits = self.bits << 6 | u32::from(value);
        self.symbols += 1;
        if self.symbols == 4 {
            self.decoded.extend_from_slice(&self.bits.to_be_bytes()[1..]);
            (self.bits, self.symbols) = (0, 0);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        self.filling.write_all(&self.decoded).map_err(Error::File)?;
        self.decoded.clear();
        Ok(())
    }

    /// At the character that is being read, or was read last.
    fn fault(&self, what: &'static str) -> Error {
        Error::Fault(Fault { at: self.at.max(1), what })
    }
}
