//! HTML in Markdown: a block of it taken apart into text and tags, and what a tag means. Attributes
//! and scripts mean nothing; a text that pretends to be HTML stays text. Pure; called by `inline`.

use crate::markup::line::Style;

/// A piece of a block.
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// What stands between the angle brackets.
    Tag(&'a str),
}

/// What a tag means here. Attributes never mean anything.
pub(super) enum Meaning {
    Style(Style),
    Break,
    /// An item of a list.
    Item,
    Rule,
    /// A cell of a table.
    Cell,
    /// It is left out, and the text between kept.
    Nothing,
}

/// Tags that begin or end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "ul",
];

/// What a tag means.
pub(super) fn meaning(inside: &str) -> Meaning {
    let name = inside.trim_start_matches('/');
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name[..end].to_ascii_lowercase();
    match name.as_str() {
        "b" | "strong" => Meaning::Style(Style::Bold),
        "i" | "em" => Meaning::Style(Style::Italic),
        "u" | "ins" => Meaning::Style(Style::Underline),
        "s" | "del" | "strike" => Meaning::Style(Style::Strike),
        "li" => Meaning::Item,
        "hr" => Meaning::Rule,
        "td" | "th" => Meaning::Cell,
        name if BLOCKS.contains(&name) => Meaning::Break,
        _ => Meaning::Nothing,
    }
}

/// The pieces of a block, comments left out. What never ends is text, but a comment goes on to the
/// end.
pub(super) fn pieces(block: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = block;
    while let Some(start) = rest.find('<') {
        pieces.push(Piece::Text(&rest[..start]));
        let tag = &rest[start..];
        if let Some(comment) = tag.strip_prefix("<!--") {
            let Some(end) = comment.find("-->") else { return pieces };
            rest = &comment[end + 3..];
            continue;
        }
        let Some(end) = end_of_tag(tag) else {
            rest = tag;
            break;
        };
        pieces.push(Piece::Tag(&tag[1..end]));
        rest = &tag[end + 1..];
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Where the bracket is that ends a tag, outside of quotes; quotes that never end are none.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    let mut first = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), b'>') => first = first.or(Some(at)),
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            // A tag does not hold another one.
            (None, b'<') if at > 0 => return None,
            _ => {}
        }
    }
    first
}
