//! Markdown to rows of a page, as a machine over pulldown-cmark's events: here the blocks, in
//! `parse/inline` what stands in lines, in `parse/table` tables, in `parse/containers` what surrounds
//! a line. Never fails: what it does not know stays readable text. Knows no BB-code and makes nothing
//! inert; the page does.

mod containers;
mod html;
mod inline;
mod table;

use std::collections::HashMap;

use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

use crate::markup::Mentions;
use crate::markup::emoji;
use crate::markup::line::Inline;
use crate::markup::line::Run;
use crate::markup::line::Stack;
use crate::markup::line::Style;
use crate::markup::line::Styles;
use crate::markup::links;
use crate::markup::names::Names;
use crate::markup::page::Kind;
use crate::markup::page::Page;
use crate::markup::page::Prefix;
use crate::markup::page::Row;

use containers::Container;
use containers::Containers;
use containers::Mark;
use inline::Link;
use inline::Open;
use table::Table;

/// Indentation that survives every client (b24: messenger §10.3).
pub(super) const INDENT: char = '\u{2003}';
/// Marks of unordered items by depth.
pub(super) const BULLETS: [&str; 3] = ["• ", "◦ ", "▪ "];
/// A thematic break: dashes of another kind, because hyphens have meanings.
const RULE: &str = "—————";

/// The page of a Markdown text, for messages of at most so many characters.
pub(super) fn markdown(text: &str, mentions: &Mentions, most: usize) -> Page {
    let mut machine = Machine::new(mentions, Lines::new(text, most));
    for event in events(text) {
        machine.take(event);
    }
    machine.finish()
}

/// How much the parser finds in a text.
#[cfg(feature = "sim")]
pub(super) fn count(text: &str) -> usize {
    events(text).count()
}

/// What the parser reads, beside CommonMark what agents write.
pub(super) fn events(text: &str) -> Parser<'_> {
    let mut options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    // Where formulas have lines of their own, a dollar begins one; in other texts it is money.
    options.set(Options::ENABLE_MATH, text.contains("$$"));
    Parser::new_ext(text, options)
}

/// The page of a text without markup.
pub(super) fn plain(text: &str, most: usize) -> Page {
    let mut lines = Lines::new(text, most);
    let prefix = Prefix::default();
    for line in text.split('\n').map(str::trim) {
        lines.inline.push(line, Stack::EMPTY, false);
        if line.is_empty() {
            lines.page.blank("");
        } else {
            links::bare_links(&mut lines.inline, &mut lines.styles, lines.web);
            lines.page.line(&prefix, &lines.inline, &lines.styles);
            lines.clear();
        }
    }
    lines.page
}

/// The page of a text that is BB-code already.
pub(super) fn raw(text: &str, most: usize) -> Page {
    let mut page = Page::new(text, most);
    text.split('\n').for_each(|line| page.raw(line));
    page
}

/// The line that is being read, and those that were.
struct Lines {
    page: Page,
    inline: Inline,
    styles: Styles,
    /// Whether addresses may come that lack a scheme.
    web: bool,
}

impl Lines {
    fn new(source: &str, most: usize) -> Lines {
        Lines {
            page: Page::new(source, most),
            inline: Inline::new(),
            styles: Styles::new(),
            web: links::may_be_web(source),
        }
    }

    /// Writes the line.
    fn write(&mut self, names: &Names, prefix: &Prefix) {
        let colon = |run: &Run| !run.code && self.inline.text_of(run).contains(':');
        let colon = self.inline.runs.iter().any(colon);
        if colon || self.web {
            links::bare_links(&mut self.inline, &mut self.styles, self.web);
        }
        if colon {
            emoji::replace(&mut self.inline, &self.styles);
        }
        names.resolve(&mut self.inline, &mut self.styles);
        self.inline.join();
        // A client that reads Markdown would take it for a part of the quote.
        if !prefix.quoted && self.page.last().is_some_and(|row| row.quoted) {
            self.page.blank("");
        }
        self.page.line(prefix, &self.inline, &self.styles);
    }

    fn clear(&mut self) {
        self.inline.clear();
        self.styles.clear();
    }
}

struct Machine {
    names: Names,
    /// Whether everyone may be addressed.
    everyone: bool,
    lines: Lines,
    containers: Containers,
    /// The styles of what comes next.
    style: Stack,
    open: Vec<Open>,
    /// Links that are open.
    links: Vec<Link>,
    /// Bytes of text shown so far.
    shown: usize,
    /// A block of code, or of HTML, that is being read.
    code: Option<String>,
    html: Option<String>,
    table: Option<Table>,
    /// Numbers of footnotes by label.
    footnotes: HashMap<String, usize>,
    /// Where in the page the footnote that is being read begins, and its number.
    note: Option<(usize, usize)>,
    /// Footnotes that were read.
    notes: Vec<(usize, Vec<Row>)>,
}

impl Machine {
    fn new(mentions: &Mentions, lines: Lines) -> Machine {
        Machine {
            names: Names::new(mentions),
            everyone: mentions.all,
            lines,
            containers: Containers::default(),
            style: Stack::EMPTY,
            open: Vec::new(),
            links: Vec::new(),
            shown: 0,
            code: None,
            html: None,
            table: None,
            footnotes: HashMap::new(),
            note: None,
            notes: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.piece(&text),
            },
            Event::Code(text) => self.inline_code(&text),
            Event::InlineMath(text) => self.texts(["$", &text, "$"]),
            Event::DisplayMath(text) => self.formula(&text),
            Event::Html(html) => match &mut self.html {
                Some(block) => block.push_str(&html),
                None => self.inline_html(&html),
            },
            Event::InlineHtml(html) => self.inline_html(&html),
            Event::FootnoteReference(label) => {
                let mut mark = String::new();
                containers::write_note(self.footnote(&label), &mut mark);
                self.text(&mark);
            }
            Event::SoftBreak | Event::HardBreak => self.end_line(),
            Event::Rule => {
                self.border();
                self.text(RULE);
                self.end_block();
            }
            Event::TaskListMarker(done) => {
                if self.containers.make_task(done) {
                    self.text(if done { "☑ " } else { "☐ " });
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.border(),
            Tag::Heading { .. } => {
                self.border();
                self.open(Style::Bold);
            }
            Tag::BlockQuote(_) => self.start_quote(),
            // The language is of no use where nothing is coloured.
            Tag::CodeBlock(_) => {
                self.end_block();
                self.code = Some(String::new());
            }
            Tag::HtmlBlock => {
                self.end_block();
                self.html = Some(String::new());
            }
            Tag::List(start) => {
                self.end_block();
                // Other marks stand in one line with the first mark of the list.
                if self.containers.has_box() {
                    self.show_mark();
                }
                self.border();
                self.containers.push(Container::List(start));
            }
            Tag::Item => {
                self.end_block();
                self.containers.push_item();
            }
            Tag::FootnoteDefinition(label) => self.start_note(&label),
            Tag::Table(_) => {
                self.border();
                self.table = Some(Table::default());
            }
            Tag::TableHead => self.start_head(),
            Tag::Emphasis => self.open(Style::Italic),
            Tag::Strong => self.open(Style::Bold),
            Tag::Strikethrough => self.open(Style::Strike),
            Tag::Link { link_type, dest_url, .. } => self.open_link(link_type, &dest_url),
            Tag::Image { dest_url, .. } => self.open_image(&dest_url),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.end_block(),
            TagEnd::Heading(_) => {
                self.end_block();
                if let Some(row) = self.lines.page.rows.last_mut() {
                    row.title = true;
                }
            }
            TagEnd::HtmlBlock => self.end_html(),
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::BlockQuote(_) | TagEnd::List(_) => {
                self.end_block();
                self.containers.pop();
            }
            TagEnd::Item => {
                self.end_block();
                self.show_mark();
                self.containers.pop();
            }
            TagEnd::FootnoteDefinition => self.end_note(),
            TagEnd::TableCell => self.end_cell(),
            TagEnd::TableHead => self.end_head(),
            TagEnd::TableRow => self.end_row(),
            TagEnd::Table => self.end_table(),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close(),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            _ => {}
        }
    }

    fn finish(mut self) -> Page {
        self.end_block();
        self.notes.sort_by_key(|(number, _)| *number);
        if !self.notes.is_empty() {
            self.border();
        }
        let page = &mut self.lines.page;
        page.rows.extend(self.notes.into_iter().flat_map(|(_, rows)| rows));
        page.rows.truncate(
            page.rows.iter().rposition(|row| row.kind != Kind::Blank).map_or(0, |at| at + 1),
        );
        self.lines.page
    }

    /// An empty line before a block, but not first in its container and not inside lists.
    fn border(&mut self) {
        self.end_block();
        let Some(last) = self.lines.page.last() else { return };
        if self.containers.in_item() || last.kind == Kind::Blank {
            return;
        }
        // Inside one quote the empty line is quoted too, or the quote would end.
        let prefix = if last.quoted { self.containers.prefix().next.as_str() } else { "" };
        self.lines.page.blank(prefix);
    }

    fn end_line(&mut self) {
        if self.table.is_some() {
            // A cell is one line.
            return self.text(" ");
        }
        if !self.lines.inline.is_blank() {
            self.lines.write(&self.names, self.containers.prefix());
            self.containers.written();
        }
        self.lines.inline.clear();
    }

    /// Styles end with their block, also those that HTML left open.
    fn end_block(&mut self) {
        // The parser gives up on tables that lack very many cells, but says so late.
        self.end_table();
        self.end_line();
        self.style = Stack::EMPTY;
        self.open.clear();
        self.links.clear();
        self.lines.styles.clear();
    }

    /// Quotes that follow each other in an item are two.
    fn start_quote(&mut self) {
        self.border();
        let quoted = self.lines.page.last().is_some_and(|row| row.quoted);
        if quoted && !self.containers.prefix().quoted {
            self.lines.page.blank("");
        }
        self.containers.push(Container::Quote);
    }

    /// An item without a text is its mark.
    fn show_mark(&mut self) {
        if self.containers.has_mark() {
            self.lines.write(&self.names, self.containers.prefix());
            self.containers.written();
        }
    }

    /// Blocks cannot nest: code stands by itself, the list or quote goes on behind it.
    fn end_code(&mut self) {
        let Some(code) = self.code.take() else { return };
        self.write_code(&code);
    }

    fn write_code(&mut self, code: &str) {
        let code = code.strip_suffix('\n').unwrap_or(code);
        if code.trim().is_empty() {
            return;
        }
        self.show_mark();
        let page = &mut self.lines.page;
        if let Some(last) = page.last()
            && last.kind != Kind::Blank
            && (last.quoted || !self.containers.in_item())
        {
            page.blank("");
        }
        code.split('\n').for_each(|line| page.code(line));
    }

    /// A formula that has lines of its own is shown as code is: nothing in it means anything else.
    fn formula(&mut self, formula: &str) {
        let alone = self.lines.inline.is_blank() && self.open.is_empty() && self.table.is_none();
        if !alone || formula.trim().is_empty() {
            return self.texts(["$$", formula, "$$"]);
        }
        self.lines.inline.clear();
        self.write_code(formula.trim_matches('\n'));
    }

    fn footnote(&mut self, label: &str) -> usize {
        if let Some(number) = self.footnotes.get(label) {
            return *number;
        }
        let number = self.footnotes.len() + 1;
        self.footnotes.insert(label.to_owned(), number);
        number
    }

    /// Footnotes stand at the end, whatever they stand in.
    fn start_note(&mut self, label: &str) {
        self.end_block();
        let number = self.footnote(label);
        self.note = Some((number, self.lines.page.rows.len()));
        self.containers.push(Container::Note(Some(Mark::Note(number))));
    }

    fn end_note(&mut self) {
        self.end_block();
        self.containers.pop();
        if let Some((number, from)) = self.note.take() {
            let mut rows = self.lines.page.rows.split_off(from);
            // What parted it from the text that it stood in.
            let blank = rows.first().is_some_and(|row| row.kind == Kind::Blank);
            rows.drain(..usize::from(blank));
            self.notes.push((number, rows));
        }
    }
}
