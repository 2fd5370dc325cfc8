//! The portal's text back to Markdown for the gateway: what the server's read parser and people's
//! clients put into a message, undone (b24: messenger §10.2, §10.4). Also whom a message addresses.
//! Pure and total.

use crate::limits;
use crate::markup::defang::ZWSP;

/// A run of dashes of this length frames a quote.
const FRAME: usize = 54;

/// Longest tag that is one: the longest address that browsers take, and its name.
const TAG_BYTES_MAX: usize = limits::MARKUP_ADDRESS_BYTES_MAX + 16;

/// Markdown of a message as the portal returns it.
pub fn read_back(bbcode: &str) -> String {
    let mut out = String::new();
    for piece in pieces(bbcode) {
        match piece {
            Piece::Code(code) => {
                let code = code.replace('\u{a0}', " ").replace(ZWSP, "");
                // A fence longer than any inside.
                let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
                let fence = "`".repeat(longest.max(2) + 1);
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
                out.push_str(&format!("{fence}\n{}\n{fence}\n", code.trim_matches('\n')));
            }
            Piece::Prose(text) => out.push_str(&prose(&quotes(text))),
        }
    }
    out.trim().to_owned()
}

/// Whether a message mentions a user outside code and quotes: only that addresses somebody
/// (b24: messenger R17).
pub fn mentioned(bbcode: &str, user: i64) -> bool {
    pieces(bbcode).into_iter().any(|piece| match piece {
        Piece::Code(_) => false,
        Piece::Prose(text) => {
            let quoted = quotes(text);
            let mut lines = quoted.lines().filter(|line| !line.starts_with("> "));
            lines.any(|line| {
                let line = line.to_ascii_lowercase();
                [']', ' '].iter().any(|end| line.contains(&format!("[user={user}{end}")))
            })
        }
    })
}

enum Piece<'a> {
    Code(&'a str),
    Prose(&'a str),
}

/// Code blocks and what is between them.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = find(rest, "[code]") {
        let Some(length) = find(&rest[start + 6..], "[/code]") else { break };
        pieces.push(Piece::Prose(&rest[..start]));
        pieces.push(Piece::Code(&rest[start + 6..start + 6 + length]));
        // One line end behind the tag belongs to it.
        let after = &rest[start + 6 + length + 7..];
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    pieces.push(Piece::Prose(rest));
    pieces
}

/// Both kinds of quotes as `> ` lines: `>>` at the beginning of a line, and the frame of 54 dashes
/// with a header that names the author.
fn quotes(text: &str) -> String {
    let is_frame = |line: &str| line.len() >= FRAME && line.bytes().all(|byte| byte == b'-');
    let mut out = Vec::new();
    let mut framed: Option<Vec<&str>> = None;
    for line in text.split('\n') {
        match &mut framed {
            Some(lines) if is_frame(line.trim_end()) => {
                out.extend(lines.drain(..).map(|line| format!("> {line}")));
                framed = None;
            }
            Some(lines) => lines.push(line),
            None if is_frame(line.trim_end()) => framed = Some(Vec::new()),
            None => out.push(match line.strip_prefix(">>") {
                Some(quoted) => format!("> {}", quoted.trim_start()),
                None => line.to_owned(),
            }),
        }
    }
    // A frame that never closes was no frame.
    out.extend(framed.into_iter().flatten().map(str::to_owned));
    out.join("\n")
}

fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut absent = Vec::new();
    while let Some(start) = rest.find('[') {
        push_text(&rest[..start], &mut out);
        rest = &rest[start..];
        match tag(rest, &mut absent) {
            Some((written, length)) => {
                out.push_str(&written);
                rest = &rest[length..];
            }
            None => {
                out.push('[');
                rest = &rest[1..];
            }
        }
    }
    push_text(rest, &mut out);
    out
}

fn push_text(text: &str, out: &mut String) {
    out.extend(text.chars().filter(|c| *c != ZWSP));
}

/// What a tag at the beginning of `text` becomes, and how long it is; `None` when it is no tag.
/// `absent` are the closing tags that are known not to come any more, so that each is looked for in
/// vain once only.
fn tag(text: &str, absent: &mut Vec<String>) -> Option<(String, usize)> {
    let mut bytes = text.bytes().take(TAG_BYTES_MAX).enumerate().skip(1);
    let (mut end, mut mark) = bytes.find(|(_, byte)| matches!(byte, b'=' | b'[' | b']'))?;
    if mark == b'=' {
        (end, mark) = bytes.find(|(_, byte)| *byte == b']')?;
    }
    if mark == b'[' {
        return None;
    }
    let inside = &text[1..end];
    let (name, value) = match inside.split_once('=') {
        Some((name, value)) => (name.to_ascii_lowercase(), Some(value)),
        None => (inside.trim().to_ascii_lowercase(), None),
    };
    let mut whole = |close: &str| {
        if absent.iter().any(|known| known == close) {
            return None;
        }
        let Some(length) = find(&text[end + 1..], close) else {
            absent.push(close.to_owned());
            return None;
        };
        Some((&text[end + 1..end + 1 + length], end + 1 + length + close.len()))
    };
    let bare = name.split(' ').next().unwrap_or_default();
    match (bare, value) {
        ("b" | "/b", None) => Some(("**".to_owned(), end + 1)),
        ("i" | "/i", None) => Some(("*".to_owned(), end + 1)),
        ("s" | "/s", None) => Some(("~~".to_owned(), end + 1)),
        ("url", None) => {
            let (address, length) = whole("[/url]")?;
            Some((address.to_owned(), length))
        }
        ("url", Some(address)) => {
            let (title, length) = whole("[/url]")?;
            let address = address.replace(['(', ')'], "");
            Some((format!("[{}]({address})", prose(title)), length))
        }
        ("user", Some(_)) => {
            let (who, length) = whole("[/user]")?;
            Some((format!("@{}", prose(who)), length))
        }
        ("chat" | "context" | "put" | "send" | "call", _) => {
            let (title, length) = whole(&format!("[/{bare}]"))?;
            Some((prose(title), length))
        }
        ("br", None) => Some(("\n".to_owned(), end + 1)),
        (
            "u" | "/u" | "size" | "/size" | "color" | "/color" | "img" | "/img" | "icon" | "disk"
            | "timestamp" | "rating" | "like" | "dislike" | "font" | "/font",
            _,
        ) => Some((String::new(), end + 1)),
        _ => None,
    }
}

/// Where an ASCII text begins, in any case of letters.
fn find(text: &str, what: &str) -> Option<usize> {
    let (bytes, what) = (text.as_bytes(), what.as_bytes());
    (0..bytes.len().saturating_sub(what.len() - 1))
        .find(|&at| bytes[at..at + what.len()].eq_ignore_ascii_case(what))
}
