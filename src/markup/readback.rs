//! The portal's text back to Markdown for the gateway: what the server's read parser and people's
//! clients put into a message, undone (b24: messenger §10.2, §10.4). Also whom a message addresses.
//! Taken apart by `blocks` and `tags`, written by `inline`, `escape` and `lists`; here the lines are
//! put together. Pure and total: any input, in time that is linear in its length.
//!
//! In what comes out, quote marks, the bold name in front of a quote and fences around code are the
//! connector's; why nobody can fake one from outside, and what else is left as typed, is told in
//! `escape`. A frame with somebody's name in it is another matter: in the portal it is a text like
//! any other, so what it says is what whoever sent it says.

mod blocks;
mod escape;
mod inline;
mod lists;
mod tags;

use crate::markup::defang::ZWSP;

use blocks::Content;
use blocks::Quote;
use inline::Inline;
use lists::Item;
use tags::Name;
use tags::Token;
use tags::Whom;

/// Markdown of a message as the portal returns it.
pub fn read_back(bbcode: &str) -> String {
    let text = visible(bbcode);
    let blocks = blocks::blocks(&text);
    let items = lists::layout(&blocks);
    let texts = blocks.iter().zip(&items).map(|(block, item)| match block.content {
        Content::Text(_) => item.text,
        _ => "",
    });
    let tokens = tags::tokens(texts);
    let mut inline = Inline::new(text.len());
    let mut page = Page::default();
    for ((block, item), tokens) in blocks.iter().zip(&items).zip(&tokens) {
        match &block.content {
            Content::Text(_) => page.text(block.quote, item, &inline.line(tokens)),
            Content::Fenced(line) => page.line(block.quote, &line.replace(ZWSP, "")),
            Content::Author(name) => page.line(block.quote, &inline::author(name)),
            Content::Code(code) => page.code(block.quote, &item.prefix, code),
        }
    }
    page.out.join("\n").trim_matches([' ', '\t', '\n']).to_owned()
}

/// Whether a message mentions a user outside code and quotes: only that addresses somebody
/// (b24: messenger R17).
pub fn mentioned(bbcode: &str, user: i64) -> bool {
    mentions(bbcode, Whom::One(user))
}

/// Whether a message mentions everyone, outside code and quotes.
#[allow(dead_code)] // see `markup`
pub fn mentions_all(bbcode: &str) -> bool {
    mentions(bbcode, Whom::All)
}

fn mentions(bbcode: &str, whom: Whom) -> bool {
    let text = visible(bbcode);
    let blocks = blocks::blocks(&text);
    let texts = blocks.iter().map(|block| match &block.content {
        Content::Text(line) | Content::Fenced(line) => line.as_str(),
        Content::Author(_) | Content::Code(_) => "",
    });
    let tokens = tags::tokens(texts.clone());
    blocks.iter().zip(texts).zip(tokens).any(|((block, text), tokens)| {
        // Who quotes by hand quotes too.
        let quoted = block.quote.depth > 0 || text.starts_with("> ");
        !quoted
            && tokens.iter().any(|token| match token {
                Token::Tag(tag) if tag.name == Name::User && tag.paired && !tag.closes => {
                    tags::whom(tag.value) == Some(whom)
                }
                _ => false,
            })
    })
}

/// A text of lines that all end alike, so that none leaves its quote, without control characters.
fn visible(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "")
}

/// The lines of the message so far.
#[derive(Default)]
struct Page {
    out: Vec<String>,
    /// Of the last line.
    quote: Quote,
    blank: bool,
}

impl Page {
    fn text(&mut self, quote: Quote, item: &Item<'_>, line: &str) {
        if item.apart && !self.blank {
            self.push(quote, "");
        }
        // A box that is none of ours.
        let boxed = ["[ ] ", "[x] ", "[X] "].iter().any(|mark| line.starts_with(mark));
        let guard = if boxed && item.prefix.ends_with("- ") { "\\" } else { "" };
        let line = format!("{}{guard}{line}", item.prefix);
        self.line(quote, line.trim_end_matches(' '));
    }

    /// Code with white space as it was typed, between fences longer than any inside.
    fn code(&mut self, quote: Quote, indent: &str, code: &str) {
        let code = code.replace('\u{a0}', " ").replace(ZWSP, "");
        let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let code = code.trim_matches('\n').split('\n');
        for line in [fence.as_str()].into_iter().chain(code).chain([fence.as_str()]) {
            self.line(quote, &format!("{indent}{line}"));
        }
    }

    /// Without an empty line before it Markdown would take a line behind a quote for a part of that,
    /// and two quotes for one.
    fn line(&mut self, quote: Quote, line: &str) {
        let blank = line.trim().is_empty();
        let other = self.quote.number != quote.number && self.quote.depth > 0;
        let inner = self.quote.depth > quote.depth && !self.blank;
        if !blank && (other || inner) {
            self.push(if other { Quote::default() } else { quote }, "");
        }
        self.push(quote, line);
    }

    fn push(&mut self, quote: Quote, line: &str) {
        self.blank = line.trim().is_empty();
        self.quote = quote;
        let line = format!("{}{line}", "> ".repeat(quote.depth));
        // Blanks at the end mean nothing, but in code they may.
        let cut = if self.blank && quote.depth > 0 { line.trim_end_matches(' ') } else { &line };
        self.out.push(cut.to_owned());
    }
}

#[cfg(all(test, feature = "sim"))]
mod roundtrip_tests;
#[cfg(test)]
mod tests;
