//! Makes foreign text inert: nothing in it may become a tag, a mention, a link that swallows its
//! neighbour, a picture, a command, or markup of a client that reads Markdown once more (b24:
//! messenger §10.5, §10.6, §16). The one tool is U+200B, invisible in every client; entities and
//! backslashes are not, or are decoded too early. Most text holds nothing that could act: it is
//! skipped byte by byte, and only a byte that may begin something is looked at closely.

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
/// Longest name of an entity that a client could know.
const ENTITY_MAX: usize = 32;
/// Longest number of an item that a client could read, with what stands behind it.
const ITEM_DIGITS_MAX: usize = 9;
/// Longest of [`SCHEMES`].
const SCHEME_MAX: usize = 8;
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
    /// A line ends behind it.
    pub(super) line_end: bool,
    /// It is the text of a link.
    pub(super) linked: bool,
    /// The character before it, when no tag stands between.
    pub(super) last: Option<char>,
    /// What stands before and behind it with nothing between but the tags of a mention, which the
    /// portal takes away from users that the author may not see (b24: messenger §6.4).
    pub(super) before: &'a str,
    /// See [`Place::before`].
    pub(super) after: &'a str,
}

/// Bytes of prose that may begin something.
const IN_PROSE: [bool; 256] = bytes(b"[]#:8(<`|*_~-&\\wW\n");
/// Bytes of inline code that may.
const IN_SPAN: [bool; 256] = bytes(b"[#:(<`-&wW");
/// Bytes of a block of code that may, or that are not shown as they are.
const IN_BLOCK: [bool; 256] = bytes(b"[# \t");

/// A table of these bytes.
pub(super) const fn bytes(list: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < list.len() {
        table[list[at] as usize] = true;
        at += 1;
    }
    table
}

/// Where the first byte of a table is. Each byte of each text goes through here, most of them for
/// nothing, so it looks at eight at a time.
#[inline]
pub(super) fn first(bytes: &[u8], table: &[bool; 256]) -> Option<usize> {
    let has = |byte: u8| table[usize::from(byte)];
    let (chunks, _) = bytes.as_chunks::<8>();
    let any = |[a, b, c, d, e, f, g, h]: &[u8; 8]| {
        has(*a) | has(*b) | has(*c) | has(*d) | has(*e) | has(*f) | has(*g) | has(*h)
    };
    let skipped = chunks.iter().position(any).unwrap_or(chunks.len()) * 8;
    let at = bytes[skipped..].iter().position(|byte| has(*byte))?;
    Some(skipped + at)
}

/// A text on its way out: how far it was written, and where it is looked at. Positions are borders
/// of characters, because what is looked at are ASCII characters.
struct Walk<'a> {
    text: &'a str,
    written: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str) -> Walk<'a> {
        Walk { text, written: 0, at: 0 }
    }

    /// Goes to the next byte of these.
    #[inline]
    fn next(&mut self, table: &[bool; 256]) -> Option<u8> {
        let bytes = self.text.as_bytes();
        self.at += first(&bytes[self.at..], table)?;
        Some(bytes[self.at])
    }

    #[inline]
    fn before(&self) -> Option<char> {
        self.text[..self.at].chars().next_back()
    }

    /// What stands behind the character that is looked at.
    #[inline]
    fn after(&self) -> &'a str {
        &self.text[self.at + 1..]
    }

    /// Writes all up to a place, and something of ours there.
    fn insert(&mut self, at: usize, ours: &str, out: &mut String) {
        // What is written is written.
        let at = at.max(self.written);
        out.extend([&self.text[self.written..at], ours]);
        self.written = at;
    }

    /// Writes the character that is looked at as something else.
    fn replace(&mut self, by: &str, out: &mut String) {
        self.insert(self.at, by, out);
        self.written = self.at + 1;
    }

    #[inline]
    fn finish(self, out: &mut String) {
        out.push_str(&self.text[self.written..]);
    }
}

const INERT: &str = "\u{200b}";

/// Prose.
pub(super) fn prose(text: &str, place: Place<'_>, out: &mut String) {
    let mut walk = Walk::new(text);
    if let Some(mark) = place.line_start.then(|| begins_block(text)).flatten() {
        walk.insert(mark, INERT, out);
        walk.at = mark;
    }
    let definition = place.line_start && text.starts_with('[');
    // With the tags of a mention and without them.
    let whole = match place.after {
        "" => None,
        after => Some(format!("{text}{after}")),
    };
    let dashes = place.before.len() - place.before.trim_end_matches('-').len();
    let mut frame = Frame { dashes: dashes.min(FRAME_DASHES - 1) };
    if !text.starts_with('-') {
        frame.dashes = 0;
    }
    while let Some(byte) = walk.next(&IN_PROSE) {
        let (at, before, after) = (walk.at, walk.before().or(place.last), walk.after());
        let joined = whole.as_ref().map(|whole| &whole[at + 1..]);
        if byte == b'-' {
            frame.dash(&mut walk, out);
            continue;
        }
        if !place.linked
            && let Some(link) = begins_link(byte, &walk, joined.unwrap_or(after), place.before)
        {
            // A link of the server's own would swallow what follows it: links are ours only.
            walk.insert(link, INERT, out);
        }
        if byte == b'\n' {
            // Only an entity makes one inside of a line.
            walk.replace(" ", out);
        }
        let any = |begins: &dyn Fn(&str) -> bool| begins(after) || joined.is_some_and(begins);
        if byte == b'&' && any(&begins_entity) {
            // The server decodes exactly once, so one more layer shows what was written.
            walk.insert(at + 1, "amp;", out);
        }
        let first = before.is_none() && place.line_start;
        let lonely = byte == b'*' && is_lonely(before, after, first, place.line_end);
        if any(&|after| acts(byte, before, after, first)) && !lonely
            || definition && byte == b']' && after.starts_with(':')
        {
            walk.insert(at + 1, INERT, out);
        }
        walk.at += 1;
    }
    walk.finish(out);
}

/// Where the mark ends with which the first character of a line could begin a heading, a quote, an
/// item of a list or a rule, in a client that reads Markdown.
fn begins_block(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = bytes.iter().take(ITEM_DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
    match bytes.get(digits)? {
        // Others of its kind become inert wherever they stand.
        b'*' if digits == 0 => bytes.get(1).is_none_or(u8::is_ascii_whitespace).then_some(1),
        b'#' | b'>' | b'-' | b'+' | b'=' if digits == 0 => Some(1),
        b'.' | b')' if digits > 0 => {
            let blank = text[digits + 1..].chars().next().is_none_or(char::is_whitespace);
            blank.then_some(digits + 1)
        }
        _ => None,
    }
}

/// Whether a byte of prose could begin something with what follows it. `first` when nothing stands
/// before it in its line.
fn acts(byte: u8, before: Option<char>, after: &str, first: bool) -> bool {
    match byte {
        b'[' => begins_tag(after, TAGS),
        b']' => after.starts_with('('),
        b'#' => after.starts_with("BR#") || after.starts_with("###"),
        b':' => begins_emoji(after) || smiles(before, after),
        b'8' => before.is_none_or(char::is_whitespace) && ends_face(after),
        b'(' => begins_mark(after),
        b'<' => after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)),
        b'`' | b'|' | b'*' => true,
        b'_' => !(is_word(before) && is_word(after.chars().next())),
        // Without one that closes, one that opens does nothing: people write `~5`.
        b'~' => after.starts_with('~') || !first && !before.is_some_and(char::is_whitespace),
        b'&' => is_entity(after),
        // A tag of ours may follow at the end.
        b'\\' => after.chars().next().is_none_or(|c| c.is_ascii_punctuation()),
        _ => false,
    }
}

/// A line of a block of code: white space that survives, and only what acts in code made inert.
pub(super) fn code_block(text: &str, out: &mut String) {
    let mut walk = Walk::new(text);
    // Behind the last blank.
    let mut blank = Some(0);
    while let Some(byte) = walk.next(&IN_BLOCK) {
        let (at, after) = (walk.at, walk.after());
        match byte {
            // b24: messenger §10.3: ordinary spaces collapse even in code; these do not.
            b'\t' => walk.replace("\u{a0}\u{a0}\u{a0}\u{a0}", out),
            b' ' if blank == Some(at) || after.starts_with(' ') => walk.replace("\u{a0}", out),
            b' ' => {}
            _ if acts_when_stored(byte, after) => walk.insert(at + 1, INERT, out),
            _ => {}
        }
        walk.at += 1;
        if byte == b' ' || byte == b'\t' {
            blank = Some(walk.at);
        }
    }
    walk.finish(out);
}

/// Inline code, between back-ticks of ours.
pub(super) fn code_span(text: &str, out: &mut String) {
    let mut walk = Walk::new(text);
    let mut frame = Frame { dashes: 0 };
    while let Some(byte) = walk.next(&IN_SPAN) {
        let (at, after) = (walk.at, walk.after());
        if byte == b'-' {
            frame.dash(&mut walk, out);
            continue;
        }
        if let Some(link) = begins_link(byte, &walk, after, "") {
            walk.insert(link, INERT, out);
        }
        match byte {
            b'`' => walk.replace("\u{2018}", out),
            b'&' if begins_entity(after) => walk.insert(at + 1, "amp;", out),
            b'[' if begins_tag(after, TAGS) => walk.insert(at + 1, INERT, out),
            b':' if begins_emoji(after) => walk.insert(at + 1, INERT, out),
            b'(' if begins_mark(after) => walk.insert(at + 1, INERT, out),
            b'<' if begins_break(after) => walk.insert(at + 1, INERT, out),
            _ if acts_when_stored(byte, after) => walk.insert(at + 1, INERT, out),
            _ => {}
        }
        walk.at += 1;
    }
    walk.finish(out);
}

/// Breaks runs of dashes that are as long as the frame of a quote.
struct Frame {
    /// How many stand right before.
    dashes: usize,
}

impl Frame {
    /// Takes all dashes from here on.
    fn dash(&mut self, walk: &mut Walk<'_>, out: &mut String) {
        while walk.text.as_bytes().get(walk.at) == Some(&b'-') {
            self.dashes += 1;
            if self.dashes == FRAME_DASHES {
                walk.insert(walk.at, INERT, out);
                self.dashes = 1;
            }
            walk.at += 1;
        }
        self.dashes = 0;
    }
}

fn acts_when_stored(byte: u8, after: &str) -> bool {
    match byte {
        b'[' => begins_tag(after, TAGS_IN_CODE),
        b'#' => after.starts_with("BR#") || after.starts_with("###REPL"),
        _ => false,
    }
}

/// Whether what follows a `[` could be read as one of these tags. A text that ends inside a name
/// counts, because another run may complete it.
fn begins_tag(after: &str, tags: &[&str]) -> bool {
    let name = after.strip_prefix('/').unwrap_or(after);
    let end = name.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'*');
    let Some(end) = end else {
        return tags.iter().any(|tag| starts(tag, name));
    };
    let (word, behind) = name.split_at(end);
    // `[*text`: a list mark needs nothing behind it.
    if word.starts_with('*') && tags.contains(&"*") {
        return true;
    }
    behind.starts_with(|c: char| matches!(c, ']' | '=') || c.is_whitespace())
        && tags.iter().any(|tag| tag.eq_ignore_ascii_case(word))
}

/// Whether what follows a `&` makes it an entity that the server decodes.
pub(super) fn begins_entity(after: &str) -> bool {
    ENTITIES.iter().any(|entity| after.starts_with(entity))
}

/// Whether what follows a `&` looks like any entity: a client that reads Markdown may know it.
pub(super) fn is_entity(after: &str) -> bool {
    let name = after.strip_prefix('#').unwrap_or(after);
    let length = name.bytes().take(ENTITY_MAX).take_while(u8::is_ascii_alphanumeric).count();
    length > 0 && name[length..].starts_with(';')
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
    starts(after, "br />")
}

/// `:/` and `:-/`, which paths and ratios are full of. Other smileys are meant.
fn smiles(before: Option<char>, after: &str) -> bool {
    let slash = after.starts_with('/') && !after.starts_with("//") || after.starts_with("-/");
    slash && before.is_none_or(char::is_whitespace)
}

/// The rest of `8)` and `8-)`, which numbers of lists look like.
fn ends_face(after: &str) -> bool {
    after.starts_with(')') || after.starts_with("-)")
}

/// Where the address begins that the server would link, at `www.` or with the scheme before `://`.
/// `before` is text that may join to it.
fn begins_link(byte: u8, walk: &Walk<'_>, after: &str, before: &str) -> Option<usize> {
    match byte {
        b'w' | b'W' if after.starts_with(['w', 'W']) => {
            (starts(after, "ww.") && !is_word(walk.before())).then_some(walk.at)
        }
        b':' if after.starts_with("//") => {
            let head = &walk.text.as_bytes()[..walk.at];
            let letters = head.iter().rev().take_while(|byte| byte.is_ascii_alphabetic());
            let letters = letters.take(SCHEME_MAX + 1).count();
            let scheme = |length: &usize| {
                let start = walk.at - length;
                let known =
                    SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(&walk.text[start..walk.at]));
                known && !is_word(walk.text[..start].chars().next_back())
            };
            if let Some(length) = (1..=letters).find(scheme) {
                return Some(walk.at - length);
            }
            // A scheme that begins in another run.
            (letters == walk.at && !before.is_empty()).then_some(walk.at)
        }
        _ => None,
    }
}

/// A star with blanks around it opens nothing, but it may close something right behind a tag.
fn is_lonely(before: Option<char>, after: &str, first: bool, line_end: bool) -> bool {
    let ends = after.chars().next().map_or(line_end, char::is_whitespace);
    ends && before.map_or(first, char::is_whitespace)
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

/// Whether a text begins with an ASCII one, in any case of letters.
fn starts(text: &str, with: &str) -> bool {
    let (text, with) = (text.as_bytes(), with.as_bytes());
    text.len() >= with.len() && text[..with.len()].eq_ignore_ascii_case(with)
}
