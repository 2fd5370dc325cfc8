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
    let linked = |run: &Run| {
        let text = inline.text_of(run);
        !run.code && (has_scheme(text) || web && may_be_web(text))
    };
    if !inline.runs.iter().any(linked) {
        return;
    }
    inline.split_runs(|text, runs, number, pieces| {
        let run = runs[number];
        if run.code || styles.is_link(run.style) || styles.is_mention(run.style) {
            return pieces.push(run);
        }
        let (mut from, mut next) = (run.from, run.from);
        while let Some((at, scheme)) = next_address(&text[run.from..run.to], next - run.from) {
            let at = run.from + at;
            let address = &text[at..at + address_length(&text[at..run.to])];
            next = at + address.len().max("www.".len());
            if address.len() > limits::MARKUP_ADDRESS_BYTES_MAX || !is_whole(address) {
                continue;
            }
            let address = match scheme {
                "" => escaped(address),
                scheme => escaped(&format!("{scheme}{address}")),
            };
            let style = styles.with(run.style, Style::Link(address));
            pieces.push(Run { from, to: at, ..run });
            pieces.push(Run { from: at, to: next, style, in_link: true, ..run });
            from = next;
        }
        pieces.push(Run { from, ..run });
    });
}

/// Whether a text may hold an address with a scheme. Most texts have no colon at all.
fn has_scheme(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        rest = &rest[at + 1..];
        if rest.starts_with("//") {
            return true;
        }
    }
    false
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

/// Where the next `http://`, `https://` or `www.` begins, not in the middle of a word; and what its
/// address lacks in front.
fn next_address(text: &str, from: usize) -> Option<(usize, &'static str)> {
    let begins = |at: &usize| match text.as_bytes()[*at] {
        b'h' | b'H' => starts(&text[*at..], "http://") || starts(&text[*at..], "https://"),
        b'w' => text[*at..].starts_with("www."),
        _ => false,
    };
    let in_word = |at: usize| text[..at].ends_with(char::is_alphanumeric);
    let at = (from..text.len()).filter(begins).find(|at| !in_word(*at))?;
    Some((at, if text.as_bytes()[at] == b'w' { "http://" } else { "" }))
}

/// Whether a text begins with an ASCII one, in any case of letters.
fn starts(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
}

/// How long the address is that a text begins with.
pub(super) fn address_length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "<>\"`{}|\\^[]«»“”*".contains(c);
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
