//! Text of people as Markdown. What a person typed stays as it was typed: many write Markdown by
//! hand and mean it, the newest clients show it so (b24: messenger §10.6), and a language model
//! reads `2 * 3 < 7` better than `2 \* 3 \< 7`. A backslash is put only where
//!
//! - a line would look like a quote, or begin a fence or a comment that swallows what follows: these
//!   are the connector's to make, so nobody may make one that is not there;
//! - brackets stand in the text of a link, whose end they would be;
//! - our own conversion had made a sign inert: an agent meant the sign, and the U+200B behind it,
//!   which no keyboard has, tells so;
//! - an ampersand begins an entity: the server has decoded what people typed, so what is left of
//!   them was meant to be seen.
//!
//! Pure; called by `inline`.

use crate::markup::defang;
use crate::markup::defang::ZWSP;
use crate::markup::readback::blocks;

/// Longest scheme in front of `://`.
const SCHEME_MAX: usize = 12;
/// What begins a block of HTML that ends only where it says so.
const HTML_BLOCKS: &[&str] = &["<!", "<?", "<pre", "<script", "<style", "<textarea"];

/// Where a text stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// A line begins here.
    pub(super) line_start: bool,
    /// It is the text of a link.
    pub(super) linked: bool,
}

/// A text as Markdown, without the signs that nobody sees.
pub(super) fn escaped(text: &str, place: Place) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = place.line_start;
    // Whether there may be a back-tick yet to come.
    let mut ticks = true;
    let mut tilde = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let inert = after.starts_with(ZWSP);
        if c == '`' && !literal(after) && !after.starts_with('`') && !out.ends_with('`') && ticks {
            if let Some(length) = after.find('`') {
                // Nothing has a meaning in code, not even a backslash.
                out.extend(rest[..length + 2].chars().filter(|c| *c != ZWSP));
                rest = &after[length + 1..];
                at_start = false;
                continue;
            }
            ticks = false;
        }
        if c == '<'
            && let Some(length) = address_in_brackets(after)
        {
            // Nor has anything in this.
            out.push_str(&rest[..length + 2]);
            rest = &after[length + 1..];
            at_start = false;
            continue;
        }
        // Looked for once in a line, not at each blank before it.
        let first = at_start && !c.is_whitespace();
        let opens = first && (blocks::fence(rest).is_some() || starts_html(rest));
        let meant = match c {
            '[' | ']' if place.linked => true,
            '`' => literal(after),
            '*' | '_' | '|' | ']' | '<' | '\\' => inert,
            '~' => inert || tilde,
            '#' | '+' | '-' | '=' => at_start && inert,
            '>' => at_start,
            // Behind the number that a line begins with.
            '.' | ')' => inert && place.line_start && is_number(&out),
            '&' => defang::is_entity(after.strip_prefix(ZWSP).unwrap_or(after)),
            _ => false,
        };
        tilde = c == '~' && meant || c == ZWSP && tilde;
        if meant || opens {
            guard(&mut out);
            out.push('\\');
        }
        if c != ZWSP {
            out.push(c);
        }
        at_start = at_start && (c.is_whitespace() || c == ZWSP);
        rest = after;
    }
    out
}

/// Makes a backslash at the end of a text one that is seen, so that it takes nothing of what is
/// written next for its own.
pub(super) fn guard(out: &mut String) {
    let backslashes = out.len() - out.trim_end_matches('\\').len();
    if backslashes % 2 == 1 {
        out.push('\\');
    }
}

/// Whether a back-tick, behind which a text goes on, was made inert. In code of ours an address may
/// follow it, which has a U+200B of its own.
fn literal(after: &str) -> bool {
    let Some(inside) = after.strip_prefix(ZWSP) else { return false };
    let head = inside.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("www."));
    let scheme = inside.bytes().take(SCHEME_MAX).take_while(u8::is_ascii_alphabetic).count();
    let address = scheme > 0 && inside[scheme..].starts_with("://");
    !(head || address)
}

/// How long the address is that a text begins with, when an angle bracket ends it.
fn address_in_brackets(text: &str) -> Option<usize> {
    let end = text.find(|c: char| c.is_whitespace() || "<>\u{200b}".contains(c))?;
    let (scheme, _) = text[..end].split_once(':')?;
    let known = scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (known && text[end..].starts_with('>')).then_some(end)
}

fn starts_html(text: &str) -> bool {
    HTML_BLOCKS
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a link leads, as it stands behind its text.
pub(super) fn address(address: &str) -> String {
    let mut depth = 0_i64;
    let balanced = address.chars().all(|c| {
        depth += i64::from(c == '(') - i64::from(c == ')');
        depth >= 0
    }) && depth == 0;
    let mut out = String::with_capacity(address.len());
    for (at, c) in address.char_indices() {
        match c {
            ZWSP => {}
            '(' if !balanced => out.push_str("%28"),
            ')' if !balanced => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '\\' => out.push_str("%5C"),
            '&' if defang::is_entity(&address[at + 1..]) => out.push_str("&amp;"),
            c if c.is_whitespace() => out.push_str("%20"),
            c => out.push(c),
        }
    }
    out
}
