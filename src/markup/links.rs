//! Addresses: what a Markdown link leads to, bare web addresses in a text, and addresses written so
//! that neither tag nor server takes offence. Pure; called by `parse` and `emit`.

use crate::limits;
use crate::markup::defang;
use crate::markup::line::Inline;
use crate::markup::line::Run;
use crate::markup::line::Style;
use crate::markup::line::Styles;

/// What Markdown writes a mention as: `[Name](bitrix24:user/12)`, `[all](bitrix24:all)`.
const MENTION_SCHEME: &str = "bitrix24:";
/// Of so many dashes in an address the last one is escaped.
const DASHES_MAX: usize = 50;

/// What an address in Markdown leads to.
pub(super) enum Target {
    Link(String),
    Mention(Option<i64>),
    Text(String),
}

/// What to make of an address in Markdown: only what a client opens safely is a link. `everyone`
/// tells whether all may be addressed.
pub(super) fn target(address: &str, everyone: bool) -> Target {
    if let Some(whom) = address.strip_prefix(MENTION_SCHEME) {
        let user = whom.strip_prefix("user/").and_then(|id| id.parse::<i64>().ok());
        return match user.filter(|id| *id > 0) {
            Some(user) => Target::Mention(Some(user)),
            None if whom == "all" && everyone => Target::Mention(None),
            None => Target::Text(String::new()),
        };
    }
    let web = ["https://", "http://", "mailto:", "tel:"];
    let known = web.iter().any(|scheme| starts(address, scheme) && address.len() > scheme.len());
    if known && address.len() <= limits::MARKUP_ADDRESS_BYTES_MAX {
        return Target::Link(escaped(address));
    }
    Target::Text(address.to_owned())
}

/// An address that cannot end its tag and that the server leaves as it is.
pub(super) fn escaped(address: &str) -> String {
    if is_usual(address) {
        return address.to_owned();
    }
    let mut out = String::with_capacity(address.len());
    let mut fragment = false;
    let mut dashes = 0;
    for (at, c) in address.char_indices() {
        dashes = if c == '-' { dashes + 1 } else { 0 };
        match c {
            // A long run of them would frame a quote (b24: messenger §10.4).
            '-' if dashes % DASHES_MAX == 0 => out.push_str("%2D"),
            // One begins the fragment; more of them could spell what the portal acts on.
            '#' if fragment => out.push_str("%23"),
            '#' => {
                fragment = true;
                out.push('#');
            }
            '[' => out.push_str("%5B"),
            ']' => out.push_str("%5D"),
            '"' => out.push_str("%22"),
            '{' => out.push_str("%7B"),
            '}' => out.push_str("%7D"),
            ' ' | '\u{a0}' => out.push_str("%20"),
            c if c.is_control() => {}
            // The server decodes entities in addresses too, once.
            '&' if defang::begins_entity(&address[at + 1..]) => out.push_str("&amp;"),
            // And emoji, whose bytes may spell anything; and it writes marks small.
            ':' if defang::begins_emoji(&address[at + 1..]) => out.push_str("%3A"),
            '(' if defang::begins_mark(&address[at + 1..]) => out.push_str("%28"),
            c => out.push(c),
        }
    }
    out
}

/// Bytes that have no meaning in an address but the one they have in any.
const USUAL: [bool; 256] =
    defang::bytes(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._?=,~+%;@!$'*");

/// Whether an address holds nothing that has to be looked at closely.
fn is_usual(address: &str) -> bool {
    // The colon of the scheme is none of an emoji.
    let behind = address.find("://").map_or(address, |at| &address[at + 3..]);
    behind.bytes().all(|byte| USUAL[usize::from(byte)] || byte == b'-' && behind.len() < DASHES_MAX)
}

/// Bare web addresses as links of ours, because those the server makes swallow what follows them
/// (b24: messenger §10.2). Punctuation at their end stays outside. `web` tells whether they may lack
/// a scheme.
pub(super) fn bare_links(inline: &mut Inline, styles: &mut Styles, web: bool) {
    let linked =
        |run: &Run| !run.code && Addresses::new(inline.text_of(run), web).next(0).is_some();
    if !inline.runs.iter().any(linked) {
        return;
    }
    inline.split_runs(|text, runs, number, pieces| {
        let run = runs[number];
        if run.code || styles.is_link(run.style) || styles.is_mention(run.style) {
            return pieces.push(run);
        }
        let (mut from, mut next) = (run.from, 0);
        let shown = &text[run.from..run.to];
        let mut addresses = Addresses::new(shown, web);
        while let Some((at, scheme)) = addresses.next(next) {
            let address = &shown[at..at + address_length(&shown[at..])];
            next = at + address.len().max("www.".len());
            if address.len() > limits::MARKUP_ADDRESS_BYTES_MAX || !is_whole(address) {
                continue;
            }
            let (at, to) = (run.from + at, run.from + next);
            let address = match scheme {
                "" => escaped(address),
                scheme => escaped(&format!("{scheme}{address}")),
            };
            let style = styles.with(run.style, Style::Link(address));
            pieces.push(Run { from, to: at, ..run });
            pieces.push(Run { from: at, to, style, in_link: true, ..run });
            from = to;
        }
        pieces.push(Run { from, ..run });
    });
}

/// Where bare addresses begin in a text, not in the middle of a word. What was found of either kind
/// is kept until it is passed, so that the text is gone through once.
struct Addresses<'a> {
    text: &'a str,
    schemed: Option<usize>,
    web: Option<usize>,
}

impl<'a> Addresses<'a> {
    /// `web` tells whether they may lack a scheme.
    fn new(text: &'a str, web: bool) -> Addresses<'a> {
        let web = if web { Addresses::web(text, 0) } else { None };
        Addresses { text, schemed: Addresses::schemed(text, 0), web }
    }

    /// The first one from there on, and what it lacks in front.
    fn next(&mut self, from: usize) -> Option<(usize, &'static str)> {
        if self.schemed.is_some_and(|at| at < from) {
            self.schemed = Addresses::schemed(self.text, from);
        }
        if self.web.is_some_and(|at| at < from) {
            self.web = Addresses::web(self.text, from);
        }
        match (self.schemed, self.web) {
            (Some(schemed), web) if web.is_none_or(|web| schemed < web) => Some((schemed, "")),
            (_, web) => Some((web?, "http://")),
        }
    }

    fn schemed(text: &str, from: usize) -> Option<usize> {
        let mut next = from;
        while let Some(at) = text[next..].find(':').map(|at| next + at) {
            next = at + 1;
            if !text[next..].starts_with("//") {
                continue;
            }
            let before = &text.as_bytes()[from..at];
            let ends = |scheme: &&str| {
                let start = before.len().checked_sub(scheme.len());
                start.is_some_and(|start| before[start..].eq_ignore_ascii_case(scheme.as_bytes()))
            };
            let scheme = ["http", "https"].into_iter().find(ends);
            if let Some(start) = scheme.map(|scheme| at - scheme.len())
                && !in_word(text, start)
            {
                return Some(start);
            }
        }
        None
    }

    fn web(text: &str, from: usize) -> Option<usize> {
        text[from..].match_indices("www.").map(|(at, _)| from + at).find(|at| !in_word(text, *at))
    }
}

fn in_word(text: &str, at: usize) -> bool {
    text[..at].ends_with(char::is_alphanumeric)
}

/// Whether a text may hold an address without a scheme; in odd cases of letters it is none.
pub(super) fn may_be_web(text: &str) -> bool {
    text.contains("www.")
}

/// Whether there is more of an address than its scheme.
fn is_whole(address: &str) -> bool {
    match address.split_once("://") {
        Some((_, behind)) => !behind.is_empty(),
        None => address["www.".len()..].starts_with(char::is_alphanumeric),
    }
}

/// Whether a text begins with an ASCII one, in any case of letters.
fn starts(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
}

/// ASCII characters that end a bare address.
const ENDS: [bool; 256] = defang::bytes(b" \t\n\r\x0b\x0c<>\"`{}|\\^[]*");

/// How long the address is that a text begins with.
pub(super) fn address_length(text: &str) -> usize {
    let ends = |c: char| match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => ENDS[usize::from(byte)],
        _ => c.is_whitespace() || "«»“”".contains(c),
    };
    let mut address = &text[..text.find(ends).unwrap_or(text.len())];
    let open = address.matches('(').count();
    let mut closed = address.matches(')').count();
    while let Some(last) = address.chars().next_back() {
        match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '_' | '~' => {}
            ')' if closed > open => closed -= 1,
            _ => break,
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address.len()
}
