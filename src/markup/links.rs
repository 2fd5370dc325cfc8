//! Addresses: what a Markdown link leads to, bare web addresses in a text, and addresses written so
//! that neither tag nor server takes offence. Pure; called by `parse` and `emit`.

use crate::limits;
use crate::markup::defang;
use crate::markup::line::Run;
use crate::markup::line::Style;

/// What Markdown writes a mention as: `[Name](bitrix24:user/12)`, `[all](bitrix24:all)`.
const MENTION_SCHEME: &str = "bitrix24:";

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
    let lower = address.to_ascii_lowercase();
    let web = ["https://", "http://", "mailto:", "tel:"];
    let known = web.iter().any(|scheme| lower.starts_with(scheme) && lower.len() > scheme.len());
    if known && address.len() <= limits::MARKUP_ADDRESS_BYTES_MAX {
        return Target::Link(escaped(address));
    }
    Target::Text(address.to_owned())
}

/// An address that cannot end its tag and that the server leaves as it is.
pub(super) fn escaped(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    let mut fragment = false;
    let mut dashes = 0;
    for (at, c) in address.char_indices() {
        dashes = if c == '-' { dashes + 1 } else { 0 };
        match c {
            // A long run of them would frame a quote (b24: messenger §10.4).
            '-' if dashes % 50 == 0 => out.push_str("%2D"),
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

/// Bare web addresses as links of ours, because those the server makes swallow what follows them
/// (b24: messenger §10.2). Punctuation at their end stays outside.
pub(super) fn bare_links(run: Run) -> Vec<Run> {
    let linked = run.styles.iter().any(|s| matches!(s, Style::Link(_) | Style::Mention(_)));
    if run.code || linked {
        return vec![run];
    }
    let mut runs = Vec::new();
    let mut plain_from = 0;
    let mut search_from = 0;
    let text = run.text.as_str();
    while let Some(at) = next_address(text, search_from) {
        let length = address_length(&text[at..]);
        let address = &text[at..at + length];
        search_from = at + length.max(1);
        while !text.is_char_boundary(search_from) {
            search_from += 1;
        }
        let too_long = address.len() > limits::MARKUP_ADDRESS_BYTES_MAX;
        if too_long || !address.contains("://") || address.ends_with("://") {
            continue;
        }
        runs.push(Run { text: text[plain_from..at].to_owned(), ..run.clone() });
        let mut styles = run.styles.clone();
        styles.push(Style::Link(escaped(address)));
        runs.push(Run { text: address.to_owned(), styles, code: false, in_link: true });
        plain_from = at + length;
    }
    runs.push(Run { text: text[plain_from..].to_owned(), ..run.clone() });
    runs.retain(|run| !run.text.is_empty());
    runs
}

/// Where the next `http://` or `https://` begins, not in the middle of a word.
fn next_address(text: &str, from: usize) -> Option<usize> {
    let mut start = from;
    loop {
        let at = start + text.get(start..)?.find("http")?;
        let rest = &text[at + 4..];
        let before = text[..at].chars().next_back();
        let is_scheme = rest.starts_with("://") || rest.starts_with("s://");
        if is_scheme && !before.is_some_and(char::is_alphanumeric) {
            return Some(at);
        }
        start = at + 4;
    }
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
