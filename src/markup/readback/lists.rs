//! Lists as our own conversion writes them (b24: messenger §16), back in Markdown: a bullet or a
//! number behind as many U+2003 as the item is deep. What people type by hand looks the same and
//! means the same. Pure; called by `readback`.

use crate::limits;
use crate::markup::parse::BULLETS;
use crate::markup::parse::INDENT;
use crate::markup::readback::blocks::Block;
use crate::markup::readback::blocks::Content;
use crate::markup::readback::blocks::Quote;

/// Most digits of a number that Markdown takes for an item's.
const DIGITS_MAX: usize = 9;

/// How each block stands among items.
pub(super) fn layout<'a>(blocks: &'a [Block<'_>]) -> Vec<Item<'a>> {
    let mut lists = Lists::default();
    let mut quote = Quote::default();
    let mut items = Vec::with_capacity(blocks.len());
    for block in blocks {
        if std::mem::replace(&mut quote, block.quote) != block.quote {
            lists.end();
        }
        items.push(match &block.content {
            Content::Text(line) if !line.trim().is_empty() => lists.place(line),
            // Right behind an item code belongs to that.
            Content::Code(_) => Item { prefix: lists.indentation(), ..Item::default() },
            Content::Text(text) | Content::Fenced(text) | Content::Author(text) => {
                lists.end();
                Item { text, ..Item::default() }
            }
        });
    }
    items
}

/// The items around a line.
#[derive(Default)]
struct Lists {
    /// How far the text of each stands to the right of its mark.
    widths: Vec<usize>,
    /// Whether one of them had a mark that is no mark in Markdown.
    ours: bool,
}

/// How a block stands among items.
#[derive(Default)]
pub(super) struct Item<'a> {
    /// Indentation and mark.
    pub(super) prefix: String,
    /// What is behind them.
    pub(super) text: &'a str,
    /// Whether an empty line keeps Markdown from taking it for a part of the line before.
    pub(super) apart: bool,
}

impl Lists {
    /// No list goes on.
    fn end(&mut self) {
        self.widths.clear();
        self.ours = false;
    }

    /// How far the text of the innermost item is indented.
    fn indentation(&self) -> String {
        " ".repeat(self.widths.iter().sum())
    }

    /// What stands before a line, and the rest of it.
    fn place<'a>(&mut self, line: &'a str) -> Item<'a> {
        let behind = line.trim_start_matches(INDENT);
        let depth = (line.len() - behind.len()) / INDENT.len_utf8();
        let before = self.widths.len();
        if depth > before {
            self.end();
            return Item { prefix: String::new(), text: line, apart: false };
        }
        // We write none deeper; and what is indented costs as much as it is deep.
        let found = mark(behind, depth).filter(|_| depth < limits::MARKUP_DEPTH_MAX);
        let Some((mark, mut text, ours)) = found else {
            let apart = depth < before && (depth > 0 || self.ours);
            self.widths.truncate(depth);
            if depth == 0 {
                self.end();
            }
            return Item { prefix: self.indentation(), text: behind, apart };
        };
        self.widths.truncate(depth);
        // Among text only a list that begins with 1 is one, and a mark alone makes a title of it.
        let first = depth > 0 && depth == before && !ours && mark != "1. ";
        let apart = first || depth == before && ours && text.is_empty();
        let mut prefix = self.indentation();
        self.push(mark, ours, &mut prefix);
        // An item that begins with a list is written in one line with the first of that.
        while !prefix.ends_with("] ")
            && self.widths.len() < limits::MARKUP_DEPTH_MAX
            && let Some((mark, behind, ours)) = self::mark(text, self.widths.len())
        {
            self.push(mark, ours, &mut prefix);
            text = behind;
        }
        Item { prefix, text: text.trim_start_matches(' '), apart }
    }

    fn push(&mut self, mark: &str, ours: bool, prefix: &mut String) {
        prefix.push_str(mark);
        // A box is text already.
        self.widths.push(if ours { 2 } else { mark.trim_end().len() + 1 });
        self.ours |= ours;
    }
}

/// The Markdown of the mark that a line begins with, what is behind it, and whether the mark was
/// another one.
fn mark(line: &str, depth: usize) -> Option<(&str, &str, bool)> {
    // A mark alone has no blank behind it.
    let behind = |mark: &str| line.strip_prefix(mark).or((line == mark.trim_end()).then_some(""));
    if let Some(text) = behind(BULLETS[depth.min(BULLETS.len() - 1)]) {
        return Some(("- ", text, true));
    }
    for (shown, mark) in [("☐ ", "- [ ] "), ("☑ ", "- [x] ")] {
        if let Some(text) = line.strip_prefix(shown) {
            return Some((mark, text, true));
        }
    }
    let digits = line.bytes().take(DIGITS_MAX + 1).take_while(u8::is_ascii_digit).count();
    let length = match &line[digits..] {
        _ if !(1..=DIGITS_MAX).contains(&digits) => return None,
        "." => digits + 1,
        behind if behind.starts_with(". ") => digits + 2,
        _ => return None,
    };
    Some((&line[..length], &line[length..], false))
}
