//! Makes foreign text inert: nothing in it may become a tag, a mention, a link that swallows its
//! neighbour, a picture, a command, or markup of a client that reads Markdown once more (b24:
//! messenger §10.5, §10.6, §16). The one tool is U+200B, invisible in every client; entities and
//! backslashes are not, or are decoded too early.

use std::fmt::Write;

/// ZERO WIDTH SPACE.
pub(super) const ZWSP: char = '\u{200b}';

/// Names that some client or the server takes for a tag (b24: messenger §10.1).
const TAGS: &[&str] = &[
    "b",
    "i",
    "u",
    "s",
    "size",
    "color",
    "font",
    "url",
    "user",
    "chat",
    "context",
    "code",
    "img",
    "icon",
    "put",
    "send",
    "call",
    "timestamp",
    "disk",
    "br",
    "rating",
    "like",
    "dislike",
    "pch",
    "cut",
    "quote",
    "list",
    "*",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "tr",
    "td",
    "th",
    "p",
    "hr",
    "icode",
    "spoiler",
    "video",
    "left",
    "right",
    "center",
    "justify",
];
/// Tags that act inside code too, because they act when the message is stored (§6.4).
const TAGS_IN_CODE: &[&str] = &["code", "user", "disk", "br", "put", "send"];
/// What the server decodes behind an ampersand (§10.2 item 5).
const ENTITIES: &[&str] = &[
    "lt;", "gt;", "amp;", "quot;", "nbsp;", "#91;", "#93;", "#33;", "#36;", "#39;", "#092;",
    "#124;",
];
/// Schemes that the server links by itself.
const SCHEMES: &[&str] =
    &["http", "https", "news", "ftp", "aim", "mailto", "file", "tel", "callto", "skype", "viber"];
/// More digits between two colons spell no emoji.
const EMOJI_HEX_MAX: usize = 100;
/// How much of a neighbour is looked at: more than anything that begins in one text and ends in the
/// next can be long.
pub(super) const SEEN_CHARS: usize = 128;
/// A run of dashes of this length frames a quote (§10.4).
const FRAME_DASHES: usize = 54;

/// Where a piece of prose stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// A line begins here.
    pub(super) line_start: bool,
    /// It is the text of a link.
    pub(super) linked: bool,
    /// What stands before and behind it with nothing between but the tags of a mention, which the
    /// portal takes away from users that the author may not see (b24: messenger §6.4).
    pub(super) before: &'a str,
    /// See [`Place::before`].
    pub(super) after: &'a str,
}

/// Prose.
pub(super) fn prose(text: &str, place: Place<'_>, out: &mut String) {
    let whole = format!("{text}{}", place.after);
    let dashes_before = place.before.len() - place.before.trim_end_matches('-').len();
    let mut dashes = dashes_before.min(FRAME_DASHES - 1);
    let mut at_start = place.line_start;
    for (at, c) in text.char_indices() {
        let rest = &whole[at..];
        let before = text[..at].chars().next_back();
        // With the tags of a mention and without them.
        let after = &text[at + c.len_utf8()..];
        let joined = &rest[c.len_utf8()..];
        dashes = if c == '-' { dashes + 1 } else { 0 };
        if dashes == FRAME_DASHES {
            out.push(ZWSP);
            dashes = 1;
        }
        // A link of the server's own would swallow what follows it: links are ours only.
        if !place.linked && begins_link(rest, before) {
            out.push(ZWSP);
        }
        out.push(c);
        if c == '&' && (begins_entity(after) || begins_entity(joined)) {
            // The server decodes exactly once, so one more layer shows what was written.
            let _ = out.write_str("amp;");
        }
        let joins = !place.after.is_empty() && acts(c, before, joined, at_start);
        if joins || acts(c, before, after, at_start) {
            out.push(ZWSP);
        }
        at_start = at_start && c.is_whitespace();
    }
}

/// Whether a character of prose could begin something with what follows it.
fn acts(c: char, before: Option<char>, after: &str, at_start: bool) -> bool {
    match c {
        '[' => begins_tag(after, TAGS),
        ']' => after.starts_with('('),
        '#' => after.starts_with("BR#") || after.starts_with("###") || at_start,
        ':' => begins_emoji(after) || smiles(before, after),
        '8' => matches!(after.get(..1), Some(")")) || after.starts_with("-)"),
        '(' => begins_mark(after),
        '<' => begins_break(after),
        '`' | '|' => true,
        '*' => !is_lonely(before, after),
        '_' => !(is_word(before) && is_word(after.chars().next())),
        '~' => after.starts_with('~'),
        '>' | '-' | '+' => at_start,
        _ => false,
    }
}

/// A line of a code block: white space that survives, and only what acts in code made inert.
pub(super) fn code_block(text: &str, out: &mut String) {
    let mut spaces_before = true;
    for (at, c) in text.char_indices() {
        let after = &text[at + c.len_utf8()..];
        match c {
            // b24: messenger §10.3: ordinary spaces collapse even in code; these do not.
            '\t' => out.push_str("\u{a0}\u{a0}\u{a0}\u{a0}"),
            ' ' if spaces_before || after.starts_with(' ') => out.push('\u{a0}'),
            _ => out.push(c),
        }
        spaces_before = c == ' ' || c == '\t';
        if acts_when_stored(c, after) {
            out.push(ZWSP);
        }
    }
}

/// Inline code, between back-ticks of ours.
pub(super) fn code_span(text: &str, out: &mut String) {
    let mut dashes = 0;
    for (at, c) in text.char_indices() {
        let after = &text[at + c.len_utf8()..];
        dashes = if c == '-' { dashes + 1 } else { 0 };
        if dashes == FRAME_DASHES {
            out.push(ZWSP);
            dashes = 1;
        }
        if begins_link(&text[at..], text[..at].chars().next_back()) {
            out.push(ZWSP);
        }
        match c {
            '`' => out.push('\u{2018}'),
            _ => out.push(c),
        }
        if c == '&' && begins_entity(after) {
            let _ = out.write_str("amp;");
        }
        let tag = c == '[' && begins_tag(after, TAGS);
        let emoji = c == ':' && begins_emoji(after);
        let read = c == '(' && begins_mark(after) || c == '<' && begins_break(after);
        if tag || emoji || read || acts_when_stored(c, after) {
            out.push(ZWSP);
        }
    }
}

fn acts_when_stored(c: char, after: &str) -> bool {
    match c {
        '[' => begins_tag(after, TAGS_IN_CODE),
        '#' => after.starts_with("BR#") || after.starts_with("###REPL"),
        _ => false,
    }
}

/// Whether what follows a `[` could be read as one of these tags. A text that ends inside a name
/// counts, because another run may complete it.
fn begins_tag(after: &str, tags: &[&str]) -> bool {
    let name = after.strip_prefix('/').unwrap_or(after);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '*');
    let word = &name[..end.unwrap_or(name.len())].to_ascii_lowercase();
    match end {
        None => tags.iter().any(|tag| tag.starts_with(word.as_str())),
        Some(_) => {
            let next = name[word.len()..].chars().next();
            // `[*text`: a list mark needs nothing behind it.
            let starred = word.starts_with('*') && tags.contains(&"*");
            starred
                || (tags.contains(&word.as_str())
                    && next.is_some_and(|c| matches!(c, ']' | '=') || c.is_whitespace()))
        }
    }
}

/// Whether what follows a `&` makes it an entity that the server decodes.
pub(super) fn begins_entity(after: &str) -> bool {
    ENTITIES.iter().any(|entity| after.starts_with(entity))
}

/// `:f09f9880:` is decoded to what its bytes spell. Of very many digits the end may be out of sight.
pub(super) fn begins_emoji(after: &str) -> bool {
    let hex = after.bytes().take_while(u8::is_ascii_hexdigit).take(EMOJI_HEX_MAX).count();
    hex == EMOJI_HEX_MAX || hex >= 4 && after[hex..].starts_with(':')
}

/// `(C)`, which the server writes small.
pub(super) fn begins_mark(after: &str) -> bool {
    ["C)", "TM)", "R)"].iter().any(|mark| after.starts_with(mark))
}

/// `<br />`, which the server takes for a line end (§10.2 item 1).
fn begins_break(after: &str) -> bool {
    after.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("br />"))
}

/// `:/` and `:-/`, which paths and ratios are full of. Other smileys are meant.
fn smiles(before: Option<char>, after: &str) -> bool {
    let slash = after.starts_with('/') && !after.starts_with("//") || after.starts_with("-/");
    slash && before.is_none_or(char::is_whitespace)
}

fn begins_link(rest: &str, before: Option<char>) -> bool {
    if is_word(before) {
        return false;
    }
    let starts = |prefix: &str| {
        rest.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    starts("www.")
        || SCHEMES.iter().any(|scheme| starts(scheme) && rest[scheme.len()..].starts_with("://"))
}

/// A star with blanks around it opens nothing.
fn is_lonely(before: Option<char>, after: &str) -> bool {
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    blank(before) && blank(after.chars().next())
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}
