//! A message as the portal returns it, taken apart into lines of text, blocks of code and who is
//! quoted (b24: messenger §10.4), with the server's own links taken back to what a person typed
//! (§10.2 item 3). Knows nothing of other tags, nor of Markdown but the fences that people type.
//! Pure, and linear in the length of the text.

use crate::limits;
use crate::markup::defang::ZWSP;
use crate::markup::links;

/// A run of dashes of this length frames a quote.
const FRAME: usize = 54;
/// Marks quotes inside of a quote; ours (b24: messenger §16).
const INNER: &str = "│ ";
/// Shortest fence.
const FENCE: usize = 3;

/// A piece of a message.
pub(super) struct Block<'a> {
    pub(super) quote: Quote,
    pub(super) content: Content<'a>,
}

/// The quote that a block stands in.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Quote {
    /// Quotes of different people have different numbers, though nothing stands between them.
    pub(super) number: usize,
    /// 0 outside of quotes.
    pub(super) depth: usize,
}

/// What a block is.
pub(super) enum Content<'a> {
    /// A line of text.
    Text(String),
    /// A line of a block of code that somebody fenced by hand.
    Fenced(String),
    /// Who said what is quoted.
    Author(String),
    /// The inside of a block of code.
    Code(&'a str),
}

/// The blocks of a message.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let pieces = pieces(text);
    let closing = |piece: &Piece<'_>| matches!(&piece.what, What::Line(line) if dashes_first(line));
    // A frame that never closes is none.
    let last = pieces.iter().rposition(closing).unwrap_or(0);
    let mut builder = Builder::default();
    for (number, Piece { what, joined }) in pieces.into_iter().enumerate() {
        match what {
            What::Line(line) if builder.framed && dashes_first(&line) => builder.close(&line),
            What::Line(line) if !builder.framed && number < last && dashes_last(&line) => {
                builder.open(&line);
            }
            What::Line(line) => builder.line(line, joined),
            What::Code(code) => builder.code(code, joined),
        }
    }
    let mut blocks = builder.blocks;
    keep_fences(&mut blocks);
    blocks
}

/// Puts quotes together.
#[derive(Default)]
struct Builder<'a> {
    blocks: Vec<Block<'a>>,
    /// How many quotes there were.
    quotes: usize,
    /// Inside of a frame.
    framed: bool,
    /// The next line is the first one of a frame.
    first: bool,
    /// The quote of the line before.
    quote: Quote,
}

impl<'a> Builder<'a> {
    fn push(&mut self, quote: Quote, content: Content<'a>) {
        self.quote = quote;
        self.blocks.push(Block { quote, content });
    }

    /// A frame may begin at the end of a line.
    fn open(&mut self, line: &str) {
        let before = line.trim_end().trim_end_matches('-');
        if !before.is_empty() {
            self.push(Quote::default(), Content::Text(before.to_owned()));
        }
        self.quotes += 1;
        (self.framed, self.first) = (true, true);
    }

    /// And end at the beginning of one.
    fn close(&mut self, line: &str) {
        self.framed = false;
        self.quote = Quote::default();
        let behind = line.trim_start_matches('-').trim_start_matches(' ');
        if !behind.is_empty() {
            self.push(Quote::default(), Content::Text(behind.to_owned()));
        }
    }

    fn line(&mut self, line: String, joined: bool) {
        let first = std::mem::take(&mut self.first);
        if first && let Some(author) = author(&line) {
            let quote = Quote { number: self.quotes, depth: 1 };
            return self.push(quote, Content::Author(author.to_owned()));
        }
        let around = usize::from(self.framed);
        let quoted = if joined { None } else { line.strip_prefix(">>") };
        let Some(mut inside) = quoted else {
            let quote = match (self.framed, joined) {
                (_, true) => self.quote,
                (true, false) => Quote { number: self.quotes, depth: around },
                (false, false) => Quote::default(),
            };
            return self.push(quote, Content::Text(line));
        };
        // Lines that follow each other are one quote.
        if !self.framed && self.quote.depth == 0 {
            self.quotes += 1;
        }
        let mut depth = around + 1;
        inside = inside.trim_start_matches(' ');
        while let Some(inner) = inside.strip_prefix(INNER)
            && depth < limits::MARKUP_DEPTH_MAX
        {
            (depth, inside) = (depth + 1, inner);
        }
        let text = Content::Text(inside.to_owned());
        self.push(Quote { number: self.quotes, depth }, text);
    }

    /// Code belongs to the quote in whose line it begins, or in whose frame.
    fn code(&mut self, code: &'a str, joined: bool) {
        self.first = false;
        let quote = match (self.framed, joined) {
            (_, true) => self.quote,
            (true, false) => Quote { number: self.quotes, depth: 1 },
            (false, false) => Quote::default(),
        };
        self.push(quote, Content::Code(code));
    }
}

/// The name in `Name [time]` or `Name [time] #chat904/70412`. When it was said is a text in the
/// language and the zone of whoever quoted it, and the reference means nothing to the gateway.
fn author(line: &str) -> Option<&str> {
    let line = line.trim();
    let head = match line.rsplit_once(" #") {
        Some((head, context)) if is_context(context) => head.trim_end(),
        _ => line,
    };
    let (name, time) = head.strip_suffix(']')?.rsplit_once('[')?;
    let is_time = time.contains(|c: char| c.is_ascii_digit()) && name.ends_with(' ');
    Some(name.trim()).filter(|name| is_time && !name.is_empty())
}

fn is_context(text: &str) -> bool {
    text.contains('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == ':' || c == '/')
}

fn dashes_first(line: &str) -> bool {
    line.len() - line.trim_start_matches('-').len() >= FRAME
}

fn dashes_last(line: &str) -> bool {
    let line = line.trim_end();
    line.len() - line.trim_end_matches('-').len() >= FRAME && !line.starts_with(">>")
}

/// A piece of the text in its order.
struct Piece<'a> {
    what: What<'a>,
    /// Whether it stands in the line of the piece before it.
    joined: bool,
}

enum What<'a> {
    Line(String),
    Code(&'a str),
}

/// Code blocks and the lines between them.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut joined = false;
    let mut rest = text;
    while let Some(start) = find(rest, "[code]") {
        let Some(length) = find(&rest[start + 6..], "[/code]") else { break };
        let before = &rest[..start];
        if start > 0 {
            // A fence begins a line of its own anyway.
            lines(before.strip_suffix('\n').unwrap_or(before), joined, &mut pieces);
            joined = !before.ends_with('\n');
        }
        let code = &rest[start + 6..start + 6 + length];
        pieces.push(Piece { what: What::Code(code), joined });
        // One line end behind the tag belongs to it.
        let after = &rest[start + 6 + length + 7..];
        joined = !after.starts_with('\n');
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    lines(rest, joined, &mut pieces);
    pieces
}

fn lines(text: &str, joined: bool, pieces: &mut Vec<Piece<'_>>) {
    let text = typed(text);
    for (number, line) in text.split('\n').enumerate() {
        let what = What::Line(line.to_owned());
        pieces.push(Piece { what, joined: joined && number == 0 });
    }
}

/// A text before the server made links and lines of it.
fn typed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut closed = true;
    while let Some(at) = rest.find(['[', '#']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if starts(rest, "[br]") || rest.starts_with("#BR#") {
            out.push('\n');
            4
        } else if closed && starts(rest, "[url]") {
            short_link(rest, &mut out, &mut closed)
        } else if starts(rest, "[url=") {
            long_link(rest, &mut out)
        } else {
            keep(rest, &mut out)
        };
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// What is no link of the server's stays as it is.
fn keep(rest: &str, out: &mut String) -> usize {
    out.push_str(&rest[..1]);
    1
}

/// `[URL]u[/URL]` is where it leads, in angle brackets where it would be no link without, or another
/// one. `closed` ends when no such link closes any more.
fn short_link(rest: &str, out: &mut String, closed: &mut bool) -> usize {
    let Some(length) = find(&rest[5..], "[/url]") else {
        *closed = false;
        return keep(rest, out);
    };
    let (address, end) = (&rest[5..5 + length], 5 + length + 6);
    keep_inert(out);
    let scheme = address.split_once(':').filter(|(scheme, _)| {
        scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let whole = !address.contains(|c: char| c.is_whitespace() || "<>[]".contains(c));
    match scheme {
        Some((_, behind)) if whole && !behind.starts_with("//") => out.extend(["<", address, ">"]),
        Some(_) if whole && is_glued(out, address, &rest[end..]) => out.extend(["<", address, ">"]),
        _ => out.push_str(address),
    }
    end
}

/// A sign that an address follows: what is between keeps inert what is before it, not the address.
fn keep_inert(out: &mut String) {
    if out.ends_with(ZWSP) {
        out.push(ZWSP);
    }
}

/// Whether an address would not be read as it is between these texts, and the server, which goes on
/// to the next blank, did not make a link of it there: somebody did.
fn is_glued(before: &str, address: &str, after: &str) -> bool {
    let run = &after[..after.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(after.len())];
    let behind = &after[run.len()..];
    let text = starts(behind, "[url") || starts(behind, "[user");
    let tag = text || run.is_empty() && behind.starts_with('[') && !behind.starts_with("[/");
    let named = before.len().checked_sub(7).and_then(|at| before.get(at..));
    let named = named.is_some_and(|tag| tag.eq_ignore_ascii_case("[/user]"));
    let begins = !named && !before.ends_with(char::is_alphanumeric);
    let reads = links::address_length(&format!("{address}{run}")) == address.len();
    let end = run.strip_prefix([')', '”', '»']).unwrap_or(run);
    let end = end.strip_prefix(['.', ',', '?', '!', ';']).unwrap_or(end);
    let ends = end.starts_with(['"', '{', '}']) || end.is_empty() && !behind.starts_with('[');
    !begins || tag || !reads && !ends
}

/// `[URL=a]t[/URL]` where the text is the address: the server's, which may have taken closing tags
/// and whatever else stood behind the address for a part of it. Anything else is left to be read as
/// a tag.
fn long_link(rest: &str, out: &mut String) -> usize {
    let inside = &rest[5..];
    let end = inside.find(['[', ']']).filter(|end| inside[*end..].starts_with(']'));
    let shown = end.and_then(|end| {
        let text = &inside[end + 1..];
        let address = &inside[..end];
        let short = address.strip_prefix("http://").unwrap_or(address);
        let length = shows(text, address).or_else(|| shows(text, short))?;
        keep_inert(out);
        out.push_str(&text[..length]);
        Some(5 + end + 1 + length + 6)
    });
    shown.unwrap_or_else(|| keep(rest, out))
}

/// How long an address is at the beginning of a text when the link ends behind it.
fn shows(text: &str, address: &str) -> Option<usize> {
    let (mut rest, mut address) = (text, address);
    while let Some(c) = address.chars().next() {
        let bracket = [("%5B", '['), ("%5D", ']')]
            .into_iter()
            .find(|(escaped, sign)| address.starts_with(escaped) && rest.starts_with(*sign));
        let (length, sign) = bracket.map_or((c.len_utf8(), c), |(_, sign)| (3, sign));
        rest = rest.strip_prefix(sign)?;
        address = &address[length..];
    }
    let length = text.len() - rest.len();
    (length > 0 && starts(rest, "[/url]")).then_some(length)
}

/// Code that people fence by hand stays as they typed it when the fence closes, in the same quote
/// and before anything of the portal's. Others are no fences: they would swallow what follows.
fn keep_fences(blocks: &mut [Block<'_>]) {
    // Of each sign, the longest closing fence that is yet to come in the same run of lines.
    let mut longest = [0; 2];
    let mut quote = Quote::default();
    let mut opens = vec![false; blocks.len()];
    for (at, block) in blocks.iter().enumerate().rev() {
        if quote != block.quote || !matches!(block.content, Content::Text(_)) {
            longest = [0; 2];
            quote = block.quote;
        }
        let Content::Text(line) = &block.content else { continue };
        let Some((sign, length, behind)) = fence(line) else { continue };
        let closing = &mut longest[usize::from(sign == '~')];
        opens[at] = *closing >= length && (sign == '~' || !behind.contains('`'));
        if behind.trim().is_empty() {
            *closing = length.max(*closing);
        }
    }
    let mut inside = None;
    for (at, block) in blocks.iter_mut().enumerate() {
        let Content::Text(line) = &mut block.content else { continue };
        let found = fence(line).map(|(sign, length, behind)| (sign, length, behind.trim()));
        let was = inside;
        inside = match (inside, found) {
            (None, Some((sign, length, _))) if opens[at] => Some((sign, length)),
            (Some((sign, least)), Some((closing, length, "")))
                if closing == sign && length >= least =>
            {
                None
            }
            _ => inside,
        };
        if was.is_some() || inside.is_some() {
            block.content = Content::Fenced(std::mem::take(line));
        }
    }
}

/// The sign and the length of a fence that a line begins with, and what stands behind it.
pub(super) fn fence(line: &str) -> Option<(char, usize, &str)> {
    let begin = line.trim_start_matches(' ');
    let sign = begin.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let behind = begin.trim_start_matches(sign);
    let length = begin.len() - behind.len();
    (line.len() - begin.len() <= 3 && length >= FENCE).then_some((sign, length, behind))
}

/// Whether a text begins with an ASCII one, in any case of letters.
fn starts(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
}

/// Where an ASCII text begins, in any case of letters.
fn find(text: &str, what: &str) -> Option<usize> {
    let mut brackets = text.match_indices('[').map(|(at, _)| at);
    brackets.find(|at| starts(&text[*at..], what))
}
