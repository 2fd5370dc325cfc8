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
    let mut out: Vec<String> = Vec::new();
    // Lines between two blocks of code go together: a tag may span them.
    let mut lines: Vec<String> = Vec::new();
    for Block { piece, quoted } in blocks(bbcode) {
        let mark = if quoted { "> " } else { "" };
        match piece {
            Piece::Line(line) => lines.push(format!("{mark}{line}")),
            Piece::Code(code) => {
                out.extend((!lines.is_empty()).then(|| prose(&lines.join("\n"))));
                lines.clear();
                out.extend(fenced(code).map(|line| format!("{mark}{line}")));
            }
        }
    }
    out.extend((!lines.is_empty()).then(|| prose(&lines.join("\n"))));
    out.join("\n").trim().to_owned()
}

/// Whether a message mentions a user outside code and quotes: only that addresses somebody
/// (b24: messenger R17).
pub fn mentioned(bbcode: &str, user: i64) -> bool {
    blocks(bbcode).into_iter().any(|block| match block.piece {
        Piece::Line(line) if !block.quoted && !line.starts_with("> ") => {
            let line = line.to_ascii_lowercase();
            [']', ' '].iter().any(|end| line.contains(&format!("[user={user}{end}")))
        }
        Piece::Line(_) | Piece::Code(_) => false,
    })
}

/// Code with white space as it was typed, between fences longer than any inside.
fn fenced(code: &str) -> impl Iterator<Item = String> {
    let code = code.replace('\u{a0}', " ").replace(ZWSP, "");
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = code.trim_matches('\n').split('\n').map(str::to_owned).collect();
    std::iter::once(fence.clone()).chain(lines).chain(std::iter::once(fence))
}

/// A part of a message, and whether it is quoted.
struct Block<'a> {
    piece: Piece<'a>,
    quoted: bool,
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    /// A line of text.
    Line(&'a str),
    /// The inside of a code block.
    Code(&'a str),
}

/// A message piece by piece, both kinds of quotes taken off: `>>` at the beginning of a line, and
/// the frame of 54 dashes around a header that names the author and the lines, code among them.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let pieces = pieces(text);
    let is_frame = |piece: &Piece<'_>| match piece {
        Piece::Line(line) => {
            let line = line.trim_end();
            line.len() >= FRAME && line.bytes().all(|byte| byte == b'-')
        }
        Piece::Code(_) => false,
    };
    // A frame that never closes is none.
    let frames = pieces.iter().filter(|piece| is_frame(piece)).count() / 2 * 2;
    let (mut seen, mut blocks) = (0, Vec::with_capacity(pieces.len()));
    for piece in pieces {
        if seen < frames && is_frame(&piece) {
            seen += 1;
            continue;
        }
        let framed = seen % 2 == 1;
        blocks.push(match piece {
            Piece::Line(line) => match line.strip_prefix(">>") {
                Some(inside) if !framed => {
                    Block { piece: Piece::Line(inside.trim_start()), quoted: true }
                }
                _ => Block { piece, quoted: framed },
            },
            Piece::Code(_) => Block { piece, quoted: framed },
        });
    }
    blocks
}

/// Code blocks and the lines between them.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = find(rest, "[code]") {
        let Some(length) = find(&rest[start + 6..], "[/code]") else { break };
        let before = &rest[..start];
        // Fences begin a line of their own anyway.
        let before = before.strip_suffix('\n').unwrap_or(before);
        if start > 0 {
            pieces.extend(before.split('\n').map(Piece::Line));
        }
        pieces.push(Piece::Code(&rest[start + 6..start + 6 + length]));
        // One line end behind the tag belongs to it.
        let after = &rest[start + 6 + length + 7..];
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    pieces.extend(rest.split('\n').map(Piece::Line));
    pieces
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
            let address = address.replace('(', "%28").replace(')', "%29");
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
