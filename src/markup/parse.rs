//! Markdown to styled lines, as a machine over pulldown-cmark's events with a stack of containers
//! (quotes, lists) and a stack of styles. Never fails: what it does not know stays readable text.
//! Knows no BB-code and makes nothing inert; `emit` does.

use std::collections::HashMap;

use pulldown_cmark::CodeBlockKind;
use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

use crate::limits;
use crate::markup::Mentions;
use crate::markup::line::Kind;
use crate::markup::line::Line;
use crate::markup::line::Run;
use crate::markup::line::Style;
use crate::markup::links::Target;
use crate::markup::links::bare_links;
use crate::markup::links::target;
use crate::markup::names::Names;

/// Indentation that survives every client (b24: messenger §10.3).
pub(super) const INDENT: char = '\u{2003}';
/// Marks of unordered items by depth.
pub(super) const BULLETS: [&str; 3] = ["• ", "◦ ", "▪ "];
/// A thematic break: dashes of another kind, because hyphens have meanings.
const RULE: &str = "—————";
/// Digits of footnote marks.
const SUPERSCRIPT: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
/// What stands for a picture in front of its description; pictures are not loaded from elsewhere.
const IMAGE_MARK: &str = "🖼 ";

/// Lines of a Markdown text.
pub(super) fn markdown(text: &str, mentions: &Mentions) -> Vec<Line> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let mut machine = Machine::new(mentions);
    for event in Parser::new_ext(text, options) {
        machine.take(event);
    }
    machine.finish()
}

/// Lines of a text without markup.
pub(super) fn plain(text: &str) -> Vec<Line> {
    let line = |text: &str| match text.trim() {
        "" => Line::blank(String::new()),
        _ => Line::text(String::new(), bare_links(plain_run(text))),
    };
    text.split('\n').map(line).collect()
}

/// Lines of a text that is BB-code already.
pub(super) fn raw(text: &str) -> Vec<Line> {
    text.split('\n').map(|text| Line::bare(Kind::Raw, text)).collect()
}

/// A container that the machine is inside of.
enum Container {
    Quote,
    /// Ordered lists carry the next number.
    List(Option<u64>),
    /// An item of a list or a footnote, whose mark still has to be written.
    Item {
        mark: Option<String>,
    },
}

/// The containers around what is being read, outermost first, and how many of each kind, so that
/// asking costs the same at any depth.
#[derive(Default)]
struct Containers {
    stack: Vec<Container>,
    quotes: usize,
    lists: usize,
    /// Where the items are in the stack.
    items: Vec<usize>,
}

impl Containers {
    fn push(&mut self, container: Container) {
        match container {
            Container::Quote => self.quotes += 1,
            Container::List(_) => self.lists += 1,
            Container::Item { .. } => self.items.push(self.stack.len()),
        }
        self.stack.push(container);
    }

    fn pop(&mut self) {
        match self.stack.pop() {
            Some(Container::Quote) => self.quotes -= 1,
            Some(Container::List(_)) => self.lists -= 1,
            Some(Container::Item { .. }) => drop(self.items.pop()),
            None => {}
        }
    }

    fn last_mut(&mut self) -> Option<&mut Container> {
        self.stack.last_mut()
    }

    /// The mark of the innermost item; `None` outside of items.
    fn mark_mut(&mut self) -> Option<&mut Option<String>> {
        match self.stack.get_mut(*self.items.last()?) {
            Some(Container::Item { mark }) => Some(mark),
            _ => None,
        }
    }
}

/// Rows of a table being read.
#[derive(Default)]
struct Table {
    head: Vec<Vec<Run>>,
    row: Vec<Vec<Run>>,
    in_head: bool,
    /// Whether the titles stand in a line of their own.
    shown: bool,
}

struct Machine {
    names: Names,
    /// Whether everyone may be addressed.
    everyone: bool,
    lines: Vec<Line>,
    containers: Containers,
    styles: Vec<Style>,
    /// For each open inline tag, whether it pushed a style.
    pushed: Vec<bool>,
    /// Those styles; HTML opens others between them.
    by_markdown: Vec<Style>,
    /// Addresses to be written behind a link's text, because they cannot be links.
    behind: Vec<Option<String>>,
    runs: Vec<Run>,
    code: Option<String>,
    table: Option<Table>,
    /// Numbers of footnotes by label.
    footnotes: HashMap<String, usize>,
}

impl Machine {
    fn new(mentions: &Mentions) -> Machine {
        Machine {
            names: Names::new(mentions),
            everyone: mentions.all,
            lines: Vec::new(),
            containers: Containers::default(),
            styles: Vec::new(),
            pushed: Vec::new(),
            by_markdown: Vec::new(),
            behind: Vec::new(),
            runs: Vec::new(),
            code: None,
            table: None,
            footnotes: HashMap::new(),
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.text(&text),
            },
            Event::Code(text) => {
                let styles = self.styles.clone();
                self.push(Run { text: text.into_string(), styles, code: true, in_link: false })
            }
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::FootnoteReference(label) => {
                let mark = self.footnote_mark(&label);
                self.text(&mark);
            }
            Event::SoftBreak | Event::HardBreak => self.end_line(),
            Event::Rule => {
                self.border();
                self.text(RULE);
                self.end_line();
            }
            Event::TaskListMarker(done) => {
                self.text(if done { "☑ " } else { "☐ " });
                // The box is the mark.
                if let Some(Container::Item { mark }) = self.containers.last_mut() {
                    *mark = Some(String::new());
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
            Tag::BlockQuote(_) => {
                self.border();
                self.containers.push(Container::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.end_line();
                self.border();
                self.code = Some(String::new());
                // The language is of no use where nothing is coloured.
                let (CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) = kind;
            }
            Tag::List(start) => {
                self.end_line();
                if !self.in_list() {
                    self.border();
                }
                self.containers.push(Container::List(start));
            }
            Tag::Item => {
                self.end_line();
                let mark = self.item_mark();
                self.containers.push(Container::Item { mark: Some(mark) });
            }
            Tag::FootnoteDefinition(label) => {
                self.border();
                let mark = format!("{} ", self.footnote_mark(&label));
                self.containers.push(Container::Item { mark: Some(mark) });
            }
            Tag::Table(_) => {
                self.border();
                self.table = Some(Table::default());
            }
            Tag::TableHead => self.table_mut(|table| table.in_head = true),
            Tag::Emphasis => self.open(Style::Italic),
            Tag::Strong => self.open(Style::Bold),
            Tag::Strikethrough => self.open(Style::Strike),
            Tag::Link { dest_url, .. } => self.open_link(&dest_url),
            Tag::Image { dest_url, .. } => {
                self.open_link(&dest_url);
                self.text(IMAGE_MARK);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_line(),
            TagEnd::Heading(_) => {
                self.close();
                self.end_line();
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item | TagEnd::FootnoteDefinition => {
                self.end_line();
                self.containers.pop();
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.runs);
                self.table_mut(|table| match table.in_head {
                    true => table.head.push(cell),
                    false => table.row.push(cell),
                });
            }
            TagEnd::TableHead => self.end_head(),
            TagEnd::TableRow => self.end_row(),
            TagEnd::Table => self.end_table(),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close(),
            TagEnd::Link | TagEnd::Image => {
                self.show_address();
                self.close();
                if let Some(Some(address)) = self.behind.pop() {
                    self.push(Run {
                        text: format!(" ({})", address.replace("://", ":\u{200b}//")),
                        styles: self.styles.clone(),
                        code: false,
                        in_link: true,
                    });
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Vec<Line> {
        self.end_line();
        while self.lines.last().is_some_and(|line| line.kind == Kind::Blank) {
            self.lines.pop();
        }
        self.lines
    }

    fn table_mut(&mut self, change: impl FnOnce(&mut Table)) {
        if let Some(table) = &mut self.table {
            change(table);
        }
    }

    /// Text in the present style; line breaks inside end lines, bare addresses become links.
    fn text(&mut self, text: &str) {
        let mut pieces = text.split('\n');
        let first = pieces.next().unwrap_or_default();
        self.piece(first);
        for piece in pieces {
            self.end_line();
            self.piece(piece);
        }
    }

    fn piece(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let (styles, in_link) = (self.styles.clone(), !self.behind.is_empty());
        self.push(Run { text: text.to_owned(), styles, code: false, in_link });
    }

    fn push(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if last.continued_by(&run) && last.in_link == run.in_link => {
                last.text.push_str(&run.text);
            }
            _ => self.runs.push(run),
        }
    }

    fn open(&mut self, style: Style) {
        let nested = self
            .styles
            .iter()
            .any(|open| std::mem::discriminant(open) == std::mem::discriminant(&style));
        // Bold inside bold, or a link inside a link, is what it is already.
        let push = !nested && self.styles.len() < limits::MARKUP_DEPTH_MAX;
        if push {
            self.by_markdown.push(style.clone());
            self.styles.push(style);
        }
        self.pushed.push(push);
    }

    fn close(&mut self) {
        if self.pushed.pop() == Some(true)
            && let Some(style) = self.by_markdown.pop()
            && let Some(at) = self.styles.iter().position(|open| *open == style)
        {
            // What HTML opened inside of it ends with it.
            self.styles.truncate(at);
        }
    }

    fn open_link(&mut self, address: &str) {
        let mut behind = None;
        let in_mention = self.styles.iter().any(|style| matches!(style, Style::Mention(_)));
        match target(address, self.everyone) {
            _ if in_mention => self.pushed.push(false),
            Target::Link(address) => self.open(Style::Link(address)),
            Target::Mention(user) => self.open(Style::Mention(user)),
            Target::Text(address) => {
                self.pushed.push(false);
                behind = Some(address).filter(|address| !address.is_empty());
            }
        }
        self.behind.push(behind);
    }

    /// A link without a text shows where it leads.
    fn show_address(&mut self) {
        let Some(link @ Style::Link(address)) = self.styles.last() else { return };
        let shown = self.runs.last().is_some_and(|run| run.styles.contains(link));
        if !shown {
            let address = address.clone();
            self.piece(&address);
        }
    }

    /// Inline HTML that has a style of its own is mapped, a break breaks, the rest of the tags is
    /// left out and the text between them kept.
    fn html(&mut self, html: &str) {
        let mut rest = html;
        while let Some(start) = rest.find('<') {
            self.text(&rest[..start]);
            let tag = &rest[start..];
            if tag.starts_with("<!--") {
                match tag.find("-->") {
                    Some(end) => rest = &tag[end + 3..],
                    None => return,
                }
                continue;
            }
            let Some(end) = tag.find('>') else {
                self.text(tag);
                return;
            };
            self.html_tag(&tag[1..end]);
            rest = &tag[end + 1..];
        }
        self.text(rest);
    }

    fn html_tag(&mut self, inside: &str) {
        let closing = inside.starts_with('/');
        let name = inside.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let style = match name[..end].to_ascii_lowercase().as_str() {
            "br" => return self.end_line(),
            "b" | "strong" => Style::Bold,
            "i" | "em" => Style::Italic,
            "u" | "ins" => Style::Underline,
            "s" | "del" | "strike" => Style::Strike,
            _ => return,
        };
        // HTML may be nested wrongly; a style is opened once and closed wherever it stands.
        match (closing, self.styles.iter().position(|open| *open == style)) {
            (false, None) if self.styles.len() < limits::MARKUP_DEPTH_MAX => {
                self.styles.push(style);
            }
            // What belongs to Markdown is closed by Markdown.
            (true, Some(at)) if !self.by_markdown.contains(&self.styles[at]) => {
                self.styles.remove(at);
            }
            _ => {}
        }
    }

    fn footnote_mark(&mut self, label: &str) -> String {
        let next = self.footnotes.len() + 1;
        let number = *self.footnotes.entry(label.to_owned()).or_insert(next);
        let digits = number.to_string();
        digits.bytes().map(|digit| SUPERSCRIPT[usize::from(digit - b'0')]).collect()
    }

    fn in_list(&self) -> bool {
        !self.containers.items.is_empty()
    }

    /// An empty line before a block, but not first in its container and not inside lists.
    fn border(&mut self) {
        self.end_line();
        if self.in_list() || self.lines.is_empty() {
            return;
        }
        let blank = self.lines.last().is_some_and(|line| line.kind == Kind::Blank);
        let quote = self.quote_prefix();
        let was_quote = self.lines.last().is_some_and(|line| line.prefix.starts_with(">>"));
        if !blank {
            // Inside one quote the empty line is quoted too, or the quote would end.
            let prefix = if was_quote { quote } else { String::new() };
            self.lines.push(Line::blank(prefix));
        }
    }

    /// `>>` for a quote, and bars for those inside it (b24: messenger §16).
    fn quote_prefix(&self) -> String {
        match self.containers.quotes.min(limits::MARKUP_DEPTH_MAX) {
            0 => String::new(),
            depth => format!(">>{}", "│ ".repeat(depth - 1)),
        }
    }

    fn item_mark(&mut self) -> String {
        let depth = self.containers.lists;
        match self.containers.last_mut() {
            Some(Container::List(Some(number))) => {
                let mark = format!("{number}. ");
                *number = number.saturating_add(1);
                mark
            }
            _ => BULLETS[depth.saturating_sub(1).min(BULLETS.len() - 1)].to_owned(),
        }
    }

    /// What stands before a line: quote marks, indentation, and an item's mark on its first line.
    fn prefix(&mut self) -> String {
        let mut prefix = self.quote_prefix();
        let mark = self.containers.mark_mut().map(Option::take);
        let depth = self.containers.lists.min(limits::MARKUP_DEPTH_MAX);
        match mark {
            Some(Some(mark)) => {
                prefix.extend(std::iter::repeat_n(INDENT, depth.saturating_sub(1)));
                prefix.push_str(&mark);
            }
            _ => prefix.extend(std::iter::repeat_n(INDENT, depth)),
        }
        prefix
    }

    fn end_line(&mut self) {
        if self.table.is_some() || self.code.is_some() {
            return;
        }
        let runs = std::mem::take(&mut self.runs);
        if runs.iter().all(|run| run.text.trim().is_empty() && !run.code) {
            return;
        }
        let prefix = self.prefix();
        let runs = self.names.resolve(runs.into_iter().flat_map(bare_links).collect());
        self.lines.push(Line::text(prefix, runs));
    }

    /// Blocks cannot nest: code stands by itself, the list or quote goes on behind it.
    fn end_code(&mut self) {
        let Some(code) = self.code.take() else { return };
        let code = code.strip_suffix('\n').unwrap_or(&code);
        if code.trim().is_empty() {
            return;
        }
        self.lines.extend(code.split('\n').map(|line| Line::bare(Kind::Code, line)));
    }

    /// Titles that are too long to be repeated are written once.
    fn end_head(&mut self) {
        let Some(table) = &mut self.table else { return };
        table.in_head = false;
        let chars = |cell: &[Run]| cell.iter().map(|run| run.text.chars().count()).sum::<usize>();
        if table.head.iter().any(|title| chars(title) > limits::MARKUP_TITLE_CHARS_MAX) {
            self.show_head();
        }
    }

    fn show_head(&mut self) {
        let Some(table) = &mut self.table else { return };
        table.shown = true;
        let mut runs = Vec::new();
        for title in std::mem::take(&mut table.head) {
            if !runs.is_empty() {
                runs.push(plain_run("; "));
            }
            runs.extend(title.into_iter().map(bold));
        }
        self.push_row(runs);
    }

    /// A row becomes a line that reads without columns: the first cell, then title and cell.
    fn end_row(&mut self) {
        let Some(table) = &mut self.table else { return };
        table.shown = true;
        let row = std::mem::take(&mut table.row);
        let mut first = true;
        let mut runs = Vec::new();
        for (column, cell) in row.into_iter().enumerate() {
            if column == 0 {
                runs.extend(cell.into_iter().map(bold));
                continue;
            }
            if cell.is_empty() {
                continue;
            }
            runs.push(plain_run(if first { " — " } else { "; " }));
            first = false;
            if let Some(title) = table.head.get(column).filter(|title| !title.is_empty()) {
                runs.extend(title.iter().cloned());
                runs.push(plain_run(": "));
            }
            runs.extend(cell);
        }
        self.push_row(runs);
    }

    /// A table without rows is its titles.
    fn end_table(&mut self) {
        if self.table.as_ref().is_some_and(|table| !table.shown) {
            self.show_head();
        }
        self.table = None;
    }

    fn push_row(&mut self, runs: Vec<Run>) {
        if runs.iter().all(|run| run.text.trim().is_empty()) {
            return;
        }
        let prefix = self.prefix();
        let runs = self.names.resolve(runs.into_iter().flat_map(bare_links).collect());
        self.lines.push(Line::text(prefix, runs));
    }
}

fn plain_run(text: &str) -> Run {
    Run { text: text.to_owned(), styles: Vec::new(), code: false, in_link: false }
}

fn bold(mut run: Run) -> Run {
    if !run.styles.contains(&Style::Bold) {
        run.styles.insert(0, Style::Bold);
    }
    run
}
