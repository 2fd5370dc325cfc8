//! What a client takes for a tag (b24: messenger §10.1), and what of it is paired: an opening tag
//! without its end, or an end without its beginning, is shown as it is written. Names in any case.
//! One walk finds everything that might mean something, a second pairs it, both linear. Knows HTML
//! only as what an element begins and ends with; called by `preview` alone.

use std::fmt::Write;

use crate::markup::preview::Client;
use crate::markup::preview::escape;

/// A row of dashes of this length is one side of a frame (b24: messenger §10.4).
const FRAME: &str = "------------------------------------------------------";
/// Schemes that a client links, and how an address must begin for the preview to lead there.
const LINKED: [&str; 9] =
    ["http:", "https:", "ftp:", "file:", "tel:", "callto:", "mailto:", "skype:", "viber:"];
const FOLLOWED: [&str; 4] = ["http://", "https://", "mailto:", "tel:"];
/// Sizes of a font that a client takes, in pixels.
const SIZE_MIN: u32 = 8;
const SIZE_MAX: u32 = 30;

/// Tags that are paired; those from `h1` on in the newest client alone.
const PAIRED: [&str; 22] = [
    "b", "i", "u", "s", "size", "color", "url", "user", "chat", "context", "put", "send", "call",
    "h1", "h2", "quote", "list", "*", "table", "tr", "td", "th",
];
const PAIRED_CLASSIC: usize = 13;
/// Tags whose content is not read, with how they end; the last in the newest client alone.
const RAW: [(&str, &str); 5] = [
    ("code", "[/code]"),
    ("url", "[/url]"),
    ("img", "[/img]"),
    ("pch", "[/pch]"),
    ("icode", "[/icode]"),
];
const RAW_CLASSIC: usize = 4;

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    LineEnd,
    /// One side of a frame; sides come in pairs.
    Frame,
    /// A block of code.
    Code(&'a str),
    InlineCode(&'a str),
    /// A link that shows its address.
    Address(Kind<'a>, &'a str),
    /// What stands for something that only the portal can show.
    Note(&'a str),
    Rule,
    /// An element begins; it has this number.
    Open(usize, Kind<'a>),
    /// The element of this number ends.
    Close(usize),
}

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An element without attributes, by its name in HTML.
    Plain(&'static str),
    Size(u32),
    /// `#` and hexadecimal digits.
    Color(&'a str),
    /// A link; without an address it is only shown as one.
    Link(Option<&'a str>),
    /// A link of a scheme that is none: only its text is shown.
    NoLink,
    User,
    /// A click would write or call: shown, inert here.
    Act,
    /// A list that begins with a number.
    Numbered(u32),
}

impl Kind<'_> {
    /// Writes the beginning of the element.
    pub(super) fn begin(self, out: &mut String) {
        let _ = match self {
            Kind::Plain(name) => write!(out, "<{name}>"),
            Kind::Size(pixels) => write!(out, "<span style=\"font-size: {pixels}px\">"),
            Kind::Color(color) => write!(out, "<span style=\"color: {color}\">"),
            Kind::User => write!(out, "<span class=\"user\">"),
            Kind::Act => write!(out, "<span class=\"act\">"),
            Kind::Numbered(first) => write!(out, "<ol start=\"{first}\">"),
            Kind::NoLink => Ok(()),
            Kind::Link(None) => write!(out, "<a>"),
            Kind::Link(Some(address)) => {
                out.push_str("<a rel=\"noreferrer\" href=\"");
                escape(address, out);
                write!(out, "\">")
            }
        };
    }

    /// Writes the end of the element.
    pub(super) fn end(self, out: &mut String) {
        let _ = match self {
            Kind::Plain(name) => write!(out, "</{name}>"),
            Kind::Size(_) | Kind::Color(_) | Kind::User | Kind::Act => write!(out, "</span>"),
            Kind::Link(_) => write!(out, "</a>"),
            Kind::Numbered(_) => write!(out, "</ol>"),
            Kind::NoLink => Ok(()),
        };
    }

    /// The same element, opened again: addresses are not repeated, because they may be long.
    pub(super) fn goes_on(self) -> Self {
        match self {
            Kind::Link(_) => Kind::Link(None),
            kind => kind,
        }
    }

    /// Whether its borders are line ends by themselves.
    pub(super) fn is_block(self) -> bool {
        let inline = |name: &str| ["b", "i", "u", "s"].contains(&name);
        matches!(self, Kind::Numbered(_)) || matches!(self, Kind::Plain(name) if !inline(name))
    }
}

/// The pieces of a text.
pub(super) fn pieces(text: &str, client: Client) -> Vec<Piece<'_>> {
    let marks = paired(Scan::new(text, client).marks());
    let mut pieces = Vec::with_capacity(marks.len() * 2 + 1);
    let mut written = 0;
    for mark in marks {
        if written < mark.start {
            pieces.push(Piece::Text(&text[written..mark.start]));
        }
        written = mark.end;
        match mark.what {
            What::Piece(piece) => pieces.push(piece),
            What::Open(_, kind) => pieces.push(Piece::Open(mark.element, kind)),
            What::Close(_) => pieces.push(Piece::Close(mark.element)),
        }
    }
    if written < text.len() {
        pieces.push(Piece::Text(&text[written..]));
    }
    pieces
}

/// Where a client reads nothing more: blocks of code, and mentions if they count too.
pub(super) fn protected(text: &str, mentions: bool) -> Vec<(usize, usize)> {
    let marks = paired(Scan::new(text, Client::Classic).marks());
    let mut found: Vec<(usize, usize)> = Vec::new();
    // Where the outermost mention begins, and its number.
    let mut mention = None;
    for mark in marks {
        match mark.what {
            What::Open(_, Kind::User) if mentions && mention.is_none() => {
                mention = Some((mark.start, mark.element));
            }
            What::Close(_) => {
                if let Some((start, _)) = mention.take_if(|(_, number)| *number == mark.element) {
                    found.push((start, mark.end));
                }
            }
            What::Piece(Piece::Code(_)) if mention.is_none() => found.push((mark.start, mark.end)),
            _ => {}
        }
    }
    found
}

/// What might mean something, and where.
struct Mark<'a> {
    start: usize,
    end: usize,
    what: What<'a>,
    /// The number of the element that it opens or closes.
    element: usize,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Piece(Piece<'a>),
    /// By the place of the name in [`PAIRED`].
    Open(usize, Kind<'a>),
    Close(usize),
}

/// Those that mean something: tags with their counterparts, and an even number of frames' sides.
fn paired(mut marks: Vec<Mark<'_>>) -> Vec<Mark<'_>> {
    let mut open: [Vec<usize>; PAIRED.len()] = std::array::from_fn(|_| Vec::new());
    let mut keep = vec![false; marks.len()];
    let mut side = None;
    for at in 0..marks.len() {
        match marks[at].what {
            What::Open(name, _) => open[name].push(at),
            What::Close(name) => {
                if let Some(opened) = open[name].pop() {
                    (marks[opened].element, marks[at].element) = (opened, opened);
                    (keep[opened], keep[at]) = (true, true);
                }
            }
            What::Piece(Piece::Frame) => match side.take() {
                Some(first) => (keep[at], keep[first]) = (true, true),
                None => side = Some(at),
            },
            What::Piece(_) => keep[at] = true,
        }
    }
    let mut keep = keep.into_iter();
    marks.retain(|_| keep.next().unwrap_or(false));
    marks
}

/// A needle that is looked for again and again from left to right: each byte is looked at once.
struct Ahead {
    needle: &'static str,
    /// Where it stands next; `None` when it does not stand anywhere any more.
    found: Option<usize>,
}

impl Ahead {
    fn new(needle: &'static str) -> Ahead {
        Ahead { needle, found: Some(0) }
    }

    /// Where it stands from a place on; places never go back.
    fn from(&mut self, text: &str, from: usize) -> Option<usize> {
        let found = self.found?;
        if found < from || !text[found..].starts_with(self.needle) {
            let start = found.max(from);
            self.found = text[start..].find(self.needle).map(|at| start + at);
        }
        self.found
    }
}

/// A tag as it is written.
struct Written<'a> {
    /// In lower case.
    name: String,
    closes: bool,
    /// What stands behind `=`, or behind a blank.
    value: Option<&'a str>,
    end: usize,
}

/// The walk over a text.
struct Scan<'a> {
    text: &'a str,
    /// In lower case; places are the same.
    lower: String,
    client: Client,
    bracket: Ahead,
    line_end: Ahead,
    raw_ends: [Ahead; RAW.len()],
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, client: Client) -> Scan<'a> {
        Scan {
            text,
            lower: text.to_ascii_lowercase(),
            client,
            bracket: Ahead::new("]"),
            line_end: Ahead::new("\n"),
            raw_ends: RAW.map(|(_, end)| Ahead::new(end)),
        }
    }

    fn marks(mut self) -> Vec<Mark<'a>> {
        let mut marks = Vec::new();
        let mut at = 0;
        while let Some(start) = self.text[at..].find(['[', '\n', '-']).map(|found| at + found) {
            let rest = &self.text[start..];
            let found = if rest.starts_with('\n') {
                Some((start + 1, What::Piece(Piece::LineEnd)))
            } else if rest.starts_with('-') {
                let dashes = rest.bytes().take(FRAME.len()).take_while(|b| *b == b'-').count();
                at = start + dashes;
                (dashes == FRAME.len()).then_some((at, What::Piece(Piece::Frame)))
            } else {
                self.tag(start)
            };
            match found {
                Some((end, what)) => {
                    marks.push(Mark { start, end, what, element: 0 });
                    at = end;
                }
                None => at = at.max(start + 1),
            }
        }
        marks
    }

    /// The tag at a bracket, and where it ends.
    fn tag(&mut self, start: usize) -> Option<(usize, What<'a>)> {
        let tag = self.written(start)?;
        if let Some(raw) = self.raw(&tag) {
            return Some(raw);
        }
        let all = match self.client {
            Client::Classic => &PAIRED[..PAIRED_CLASSIC],
            Client::Newest => &PAIRED[..],
        };
        if let Some(name) = all.iter().position(|known| *known == tag.name) {
            let what = match tag.closes {
                true if tag.value.is_none() => What::Close(name),
                true => return None,
                false => What::Open(name, self.kind(&tag)?),
            };
            return Some((tag.end, what));
        }
        let note = Piece::Note(&self.text[start..tag.end]);
        let piece = match (tag.name.as_str(), tag.value) {
            _ if tag.closes => return None,
            ("disk", Some(_)) => Piece::Note("[File]"),
            ("icon", Some(_)) | ("rating", Some(_)) | ("like" | "dislike", None) => note,
            ("hr", None) if self.client == Client::Newest => Piece::Rule,
            _ => return None,
        };
        Some((tag.end, What::Piece(piece)))
    }

    fn written(&mut self, start: usize) -> Option<Written<'a>> {
        let closes = self.lower[start + 1..].starts_with('/');
        let inside = &self.lower[start + 1 + usize::from(closes)..];
        // No name is longer.
        let length = inside.bytes().take(10).take_while(|b| b.is_ascii_alphanumeric()).count();
        let length = if inside.starts_with('*') { 1 } else { length };
        let name = inside[..length].to_owned();
        let behind = start + 1 + usize::from(closes) + length;
        let end = self.bracket.from(self.text, behind)?;
        if self.line_end.from(self.text, behind).is_some_and(|line_end| line_end < end) {
            return None;
        }
        let rest = &self.text[behind..end];
        let value = match rest.chars().next() {
            None => None,
            Some('=' | ' ') => Some(&rest[1..]),
            Some(_) => return None,
        };
        (!name.is_empty()).then_some(Written { name, closes, value, end: end + 1 })
    }

    /// A tag with its content and its end, where the content is not read.
    fn raw(&mut self, tag: &Written<'_>) -> Option<(usize, What<'a>)> {
        let all = match self.client {
            Client::Classic => &RAW[..RAW_CLASSIC],
            Client::Newest => &RAW[..],
        };
        let which = all.iter().position(|(name, _)| *name == tag.name && !tag.closes)?;
        let (name, end) = RAW[which];
        let bare = matches!(name, "code" | "url" | "icode");
        if bare != tag.value.is_none() {
            return None;
        }
        let close = self.raw_ends[which].from(&self.lower, tag.end)?;
        let inside = &self.text[tag.end..close];
        let piece = match name {
            "code" => Piece::Code(inside),
            "icode" => Piece::InlineCode(inside),
            "pch" => Piece::Text(""),
            // An address with a tag or a line end inside is none.
            _ if inside.contains(['[', '\n']) => return None,
            "url" => Piece::Address(link(inside), inside),
            _ => Piece::Note(inside),
        };
        Some((close + end.len(), What::Piece(piece)))
    }

    /// The element of an opening tag.
    fn kind(&self, tag: &Written<'a>) -> Option<Kind<'a>> {
        let number = |value: &str| value.trim().parse::<u32>().ok();
        Some(match (tag.name.as_str(), tag.value) {
            ("size", Some(value)) => Kind::Size(number(value)?.clamp(SIZE_MIN, SIZE_MAX)),
            ("color", Some(value)) => Kind::Color(Some(value).filter(|value| is_color(value))?),
            ("url", Some(value)) => link(value),
            ("user", Some(value)) => {
                let whom = value.split(' ').next().unwrap_or_default();
                let all = whom.eq_ignore_ascii_case("all") && self.client == Client::Newest;
                (all || is_number(whom)).then_some(Kind::User)?
            }
            ("chat" | "context", Some(_)) => Kind::Link(None),
            ("put" | "send" | "call", _) => Kind::Act,
            ("list", Some(value)) => Kind::Numbered(number(value)?),
            ("b", None) => Kind::Plain("b"),
            ("i", None) => Kind::Plain("i"),
            ("u", None) => Kind::Plain("u"),
            ("s", None) => Kind::Plain("s"),
            ("h1", None) => Kind::Plain("h1"),
            ("h2", None) => Kind::Plain("h2"),
            ("quote", None) => Kind::Plain("blockquote"),
            ("list", None) => Kind::Plain("ul"),
            ("*", None) => Kind::Plain("li"),
            ("table", None) => Kind::Plain("table"),
            ("tr", None) => Kind::Plain("tr"),
            ("td", None) => Kind::Plain("td"),
            ("th", None) => Kind::Plain("th"),
            _ => return None,
        })
    }
}

/// What a client makes of an address.
fn link(address: &str) -> Kind<'_> {
    let begins =
        |with: &&str| address.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    if FOLLOWED.iter().any(begins) {
        return Kind::Link(Some(address));
    }
    let linked = address.starts_with('/') || LINKED.iter().any(begins);
    if linked { Kind::Link(None) } else { Kind::NoLink }
}

fn is_color(value: &str) -> bool {
    let digits = value.strip_prefix('#').unwrap_or_default();
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}
