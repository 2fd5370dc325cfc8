//! What is written of a message so far: rows of BB-code, each of which closes its own tags. A line
//! that no message could hold is cut here: at sentences, else at words, else where a character ends.
//! Filled by `parse`; `split` makes the messages of it.

use crate::limits;
use crate::markup::defang;
use crate::markup::emit;
use crate::markup::line::Inline;
use crate::markup::line::Run;
use crate::markup::line::Stack;
use crate::markup::line::Styles;

/// Characters of the tags around a block of code.
pub(super) const CODE_TAGS_CHARS: usize = emit::CODE_OPEN.len() + emit::CODE_CLOSE.len();
/// About how long a line is.
const LINE_BYTES: usize = 24;
/// Joins two emoji to one.
const JOINER: char = '\u{200d}';

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text with tags of its own.
    Text,
    /// A line of a code block; neighbours form one block.
    Code,
    /// The border of two blocks.
    Blank,
}

/// A row: a piece of the page's text.
pub(super) struct Row {
    pub(super) kind: Kind,
    /// Whether it stands in a quote.
    pub(super) quoted: bool,
    from: usize,
    to: usize,
    /// Whether a message begins with it, because it goes on with the row before.
    pub(super) begins: bool,
    /// Whether no message should end with it.
    pub(super) title: bool,
}

/// What stands before a line.
#[derive(Default)]
pub(super) struct Prefix {
    /// Quote marks, indentation and the mark of an item.
    pub(super) first: String,
    /// The same before what follows of that item.
    pub(super) next: String,
    pub(super) quoted: bool,
}

/// Rows in their order, which need not be that of their text.
pub(super) struct Page {
    /// The characters of a message at most.
    most: usize,
    text: String,
    pub(super) rows: Vec<Row>,
}

impl Page {
    /// A page with room for what becomes of a text, for messages of this length.
    pub(super) fn new(source: &str, most: usize) -> Page {
        let (bytes, lines) = (source.len() + source.len() / 4, source.len() / LINE_BYTES);
        Page { most, text: String::with_capacity(bytes), rows: Vec::with_capacity(lines) }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn last(&self) -> Option<&Row> {
        self.rows.last()
    }

    pub(super) fn text_of(&self, row: &Row) -> &str {
        &self.text[row.from..row.to]
    }

    /// No less bytes than these rows have, and no less characters, with all that joins them; counted
    /// no further than a message can be long.
    pub(super) fn bytes_at_most(&self, rows: &[Row]) -> usize {
        let mut bytes = 1;
        for row in rows {
            bytes += row.to - row.from + 1 + CODE_TAGS_CHARS;
            if bytes > self.most {
                break;
            }
        }
        bytes
    }

    /// The border of two blocks, inside this prefix.
    pub(super) fn blank(&mut self, prefix: &str) {
        let from = self.text.len();
        self.text.push_str(prefix);
        self.row(Kind::Blank, from, !prefix.is_empty(), false);
    }

    /// A line of text.
    pub(super) fn line(&mut self, prefix: &Prefix, inline: &Inline, styles: &Styles) {
        let from = self.text.len();
        self.text.push_str(&prefix.first);
        emit::runs(inline, &inline.runs, styles, &mut self.text);
        self.trim_end(from);
        if self.row(Kind::Text, from, prefix.quoted, false) {
            return;
        }
        self.pieces(inline, |page, piece, goes_on| {
            let from = page.text.len();
            page.text.push_str(if goes_on { &prefix.next } else { &prefix.first });
            emit::runs(inline, piece, styles, &mut page.text);
            page.trim_end(from);
            page.row(Kind::Text, from, prefix.quoted, goes_on)
        });
    }

    /// A line of code.
    pub(super) fn code(&mut self, code: &str) {
        let from = self.text.len();
        defang::code_block(code, &mut self.text);
        if self.row(Kind::Code, from, false, false) {
            return;
        }
        let mut inline = Inline::new();
        inline.push(code, Stack::EMPTY, false);
        self.pieces(&inline, |page, piece, goes_on| {
            let from = page.text.len();
            piece.iter().for_each(|run| defang::code_block(inline.text_of(run), &mut page.text));
            page.row(Kind::Code, from, false, goes_on)
        });
    }

    /// A line of BB-code as it is.
    pub(super) fn raw(&mut self, line: &str) {
        let from = self.text.len();
        self.text.push_str(line);
        if self.row(Kind::Text, from, false, false) {
            return;
        }
        let mut inline = Inline::new();
        inline.push(line, Stack::EMPTY, false);
        self.pieces(&inline, |page, piece, goes_on| {
            let from = page.text.len();
            piece.iter().for_each(|run| page.text.push_str(inline.text_of(run)));
            page.row(Kind::Text, from, false, goes_on)
        });
    }

    /// Blanks at the end of a line are invisible and cost length. To a client that reads Markdown a
    /// backslash there is a line end (b24: messenger §10.6).
    fn trim_end(&mut self, from: usize) {
        let end = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(end.max(from));
        if self.text.ends_with('\\') {
            self.text.push(defang::ZWSP);
        }
    }

    /// Makes a row of what was written since; takes it back when no message could hold it.
    fn row(&mut self, kind: Kind, from: usize, quoted: bool, begins: bool) -> bool {
        let most = self.most - CODE_TAGS_CHARS;
        let written = &self.text[from..];
        // Most are short by any measure.
        let fits = written.len() < most || written.chars().count() < most;
        if fits {
            let to = self.text.len();
            self.rows.push(Row { kind, quoted, from, to, begins, title: false });
        } else {
            self.text.truncate(from);
        }
        fits
    }

    /// Writes a line in pieces. How much tags and making inert add is known only when a piece is
    /// written, so one that is still too long is cut finer; one character always fits.
    fn pieces(&mut self, line: &Inline, mut write: impl FnMut(&mut Page, &[Run], bool) -> bool) {
        // What is left of a message is room for tags and for what is added.
        let usual = self.most / 5 * 4;
        let mut most = usual;
        let mut rest = line.runs.clone();
        let mut done = 0;
        let mut goes_on = false;
        while done < rest.len() {
            let (whole, part) = cut(line, &rest[done..], most);
            let mut piece = rest[done..done + whole].to_vec();
            if part > 0 {
                let run = rest[done + whole];
                piece.push(Run { to: run.from + part, ..run });
            }
            if write(self, &piece, goes_on) || most == 1 {
                goes_on = true;
                done += whole;
                if part > 0 {
                    rest[done].from += part;
                }
                most = (most * 2).min(usual);
            } else {
                most = (most / 2).max(1);
            }
        }
    }
}

/// A good place to cut a line so that at most `most` characters stay before it: after how many whole
/// runs, and after how many bytes of the next one.
fn cut(line: &Inline, runs: &[Run], most: usize) -> (usize, usize) {
    let mut head = String::new();
    let mut room = most + 1;
    for run in runs {
        let text = line.text_of(run);
        let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
        head.push_str(&text[..end]);
        room -= text[..end].chars().count();
        if room == 0 {
            break;
        }
    }
    let mut length = border(&head, most);
    for (whole, run) in runs.iter().enumerate() {
        let size = run.to - run.from;
        if length < size {
            return (whole, length);
        }
        length -= size;
    }
    (runs.len(), 0)
}

/// Where to cut a text so that at most `most` characters stay: in bytes, at least one character.
fn border(text: &str, most: usize) -> usize {
    let Some((end, _)) = text.char_indices().nth(most.max(1)) else { return text.len() };
    let head = &text[..end];
    let sentences = [". ", "! ", "? ", "… ", "; ", "。", "！", "？"].iter();
    let ends = sentences.filter_map(|mark| head.rfind(mark).map(|at| at + mark.len()));
    let sentence = ends.max().filter(|at| *at > end / 2);
    let word = head.rfind(' ').map(|at| at + 1).filter(|at| *at > end / 2);
    sentence.or(word).unwrap_or_else(|| whole_sign(text, end))
}

/// The last place up to `end` that parts no sign from what is drawn with it.
fn whole_sign(text: &str, end: usize) -> usize {
    let joins = |c: char| matches!(c, JOINER | '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    let mut before = text[..end].char_indices().rev();
    let mut at = end;
    for _ in 0..limits::MARKUP_SIGN_CHARS_MAX {
        let next = text[at..].chars().next();
        let last = before.next();
        match last {
            Some((start, c)) if start > 0 && (c == JOINER || next.is_some_and(joins)) => at = start,
            _ => return at,
        }
    }
    end
}
