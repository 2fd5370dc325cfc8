//! Rank 1: Markdown of an agent to BB-code parts for the portal, and the portal's text back to
//! Markdown. Pure and total: any input gives valid output, in linear time.
//!
//! The way out: pulldown-cmark events → styled lines (`parse`, `line`) → text (`emit`, `defang`) →
//! parts (`split`). A line carries its own tags, closed at its end, so every line border is a place
//! where a message may be cut. What each construct becomes, and why, is the last table of
//! docs/bitrix24.md.

mod defang;
mod emit;
mod line;
mod links;
mod parse;
mod readback;
mod split;

pub use readback::mentioned;
pub use readback::read_back;

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

/// Which mentions may become active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mentions {
    /// Whether everyone may be addressed.
    pub all: bool,
}

/// The BB-code parts of a text, each valid alone and within the portal's length; empty when nothing
/// visible is left.
pub fn render(text: &str, format: Format, mentions: &Mentions) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    let lines = match format {
        Format::Markdown => parse::markdown(&text, mentions),
        Format::Plain => parse::plain(&text),
        Format::Bbcode => parse::raw(&text),
    };
    let parts = split::parts(lines).into_iter().map(|part| emit::finish(part, format));
    parts.filter(|part| has_visible(part)).collect()
}

fn has_visible(part: &str) -> bool {
    part.chars().any(|c| !c.is_whitespace() && c != defang::ZWSP)
}

#[cfg(test)]
mod tests;
