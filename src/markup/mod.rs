//! Rank 1: Markdown of an agent to BB-code parts for the portal, and the portal's text back to
//! Markdown. Pure and total: any input gives valid output, in linear time.
//!
//! The way out: pulldown-cmark events → a styled line (`parse`, `line`) → a row of the page (`emit`,
//! `defang`, `page`) → parts (`split`). A row carries its own tags, closed at its end, so between any
//! two rows a message may be cut. What each construct becomes, and why, is the last table of
//! docs/bitrix24.md.

mod compare;
mod defang;
mod emit;
mod emoji;
mod enclose;
mod line;
mod links;
mod names;
mod page;
mod parse;
mod preview;
mod readback;
mod split;

pub use compare::same_text;
pub use enclose::Enclosed;
pub use enclose::enclose;
pub use names::may_mention;
pub use preview::Client;
pub use preview::preview;
pub use readback::mentioned;
#[allow(unused_imports)] // who decides whom `@all` addresses asks for it
pub use readback::mentions_all;
pub use readback::read_back;

use std::borrow::Cow;

use crate::limits;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CommonMark with tables, task lists, strike-through and footnotes.
    Markdown,
    /// No markup at all.
    Plain,
    /// The portal's own, passed as it is.
    Bbcode,
}

impl Format {
    /// The text form in the contract and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Plain => "plain",
            Format::Bbcode => "bbcode",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Format> {
        let all = [Format::Markdown, Format::Plain, Format::Bbcode];
        all.into_iter().find(|format| format.as_str() == text)
    }
}

/// Which mentions may become active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Whether everyone may be addressed.
    pub all: bool,
    /// Who takes part in the dialog, and so can be mentioned by name. Others still can by their id.
    pub members: Vec<Member>,
}

/// Somebody who can be mentioned by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Id of the user.
    pub id: i64,
    /// Full name.
    pub name: String,
}

/// The BB-code parts of a text, each valid alone and within the portal's length; empty when nothing
/// visible is left.
pub fn render(text: &str, format: Format, mentions: &Mentions) -> Vec<String> {
    render_within(text, format, mentions, limits::MARKUP_PART_CHARS_MAX)
}

/// For `bench` alone: what the parser does with a text, and nothing else.
#[cfg(feature = "sim")]
pub fn parse_only(text: &str) -> usize {
    parse::count(text)
}

/// As [`render`], for parts of at most `most` characters, as long as a linked address leaves room in one.
fn render_within(text: &str, format: Format, mentions: &Mentions, most: usize) -> Vec<String> {
    let text = cleaned(text);
    let page = match format {
        Format::Markdown if too_deep(&text) => parse::plain(&text, most),
        Format::Markdown => parse::markdown(&text, mentions, most),
        Format::Plain => parse::plain(&text, most),
        Format::Bbcode => parse::raw(&text, most),
    };
    let parts = split::parts(&page).into_iter().map(|part| emit::finish(part, format));
    parts.filter(|part| has_visible(part)).collect()
}

/// Bytes of control characters but tab and line feed; those beyond ASCII begin with 0xC2, as do some
/// signs that are none.
const MAY_CONTROL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < b' ' {
        table[byte as usize] = byte != b'\n' && byte != b'\t';
        byte += 1;
    }
    table[0x7f] = true;
    table[0xc2] = true;
    table
};

/// A text with one kind of line end and without control characters: they are invisible, and some of
/// them vanish when the portal trims a message.
fn cleaned(text: &str) -> Cow<'_, str> {
    if defang::first(text.as_bytes(), &MAY_CONTROL).is_none() {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', ""))
}

/// Whether a line opens more quotes and lists than anybody means. Each further line costs the parser
/// as much as they are deep.
fn too_deep(text: &str) -> bool {
    const MOST: usize = limits::MARKUP_NESTING_READ_MAX;
    let mark = |byte: &u8| byte.is_ascii_digit() || b" \t>-+*.)".contains(byte);
    // So many marks in a row reach over one of these places.
    let bytes = text.as_bytes();
    let around = |at: usize| {
        let before = bytes[..at].iter().rev().take(MOST).take_while(|byte| mark(byte)).count();
        before + bytes[at..].iter().take(MOST).take_while(|byte| mark(byte)).count()
    };
    if !(0..bytes.len()).step_by(MOST).any(|at| around(at) >= MOST) {
        return false;
    }
    text.split('\n').any(|line| {
        let end = line.bytes().position(|byte| !mark(&byte)).unwrap_or(line.len());
        end > MOST && depth(&line[..end]) > MOST
    })
}

/// How many quotes and lists the marks open that a line begins with, at most.
fn depth(marks: &str) -> usize {
    let is_item = |word: &&str| {
        let digits = word.trim_end_matches(['.', ')']);
        matches!(*word, "-" | "+" | "*")
            || digits.len() < word.len() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    // A list's mark has a blank behind it; a rule of dashes has not.
    let items = marks.split([' ', '\t']).filter(is_item).count();
    let quotes = marks.matches('>').count();
    // Blanks before a mark stand for the lists around it.
    let columns = marks.matches(' ').count() + marks.matches('\t').count() * 4;
    let around = if items + quotes > 0 { columns / 2 } else { 0 };
    quotes.max(items).max(around)
}

fn has_visible(part: &str) -> bool {
    part.chars().any(|c| !c.is_whitespace() && c != defang::ZWSP)
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
