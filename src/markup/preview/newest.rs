//! What the newest client reads in a text that is BB-code already (b24: messenger §10.6): Markdown,
//! turned into BB-code with tags that older clients lack. Set aside are blocks of code, mentions, and
//! each sign with U+200B behind it (b24: messenger §16); everything else is read, addresses in tags
//! too. The client has a parser of its own; here it is pulldown-cmark, so a preview tells what may
//! happen, not to the last letter what will. Pure and total; called by `preview` alone.

use std::ops::Range;

use pulldown_cmark::Event;
use pulldown_cmark::HeadingLevel;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

use crate::limits;
use crate::markup::defang::ZWSP;
use crate::markup::preview::tags;

/// Around the number of what was set aside; no text holds it, because it is no character.
const MARK: char = '\u{fdd0}';
/// Without one of these, and without a number or an indentation at the beginning of a line, nothing
/// is read.
const SIGNIFICANT: &str = "`*_~#>|-+<&\\=![";
/// HTML that has a meaning, and its tag.
const HTML: [(&str, &str); 9] = [
    ("<b>", "[b]"),
    ("</b>", "[/b]"),
    ("<i>", "[i]"),
    ("</i>", "[/i]"),
    ("<u>", "[u]"),
    ("</u>", "[/u]"),
    ("<s>", "[s]"),
    ("</s>", "[/s]"),
    ("<br>", "\n"),
];

/// A text as the newest client has it before it decodes tags.
pub(super) fn reread(text: &str) -> String {
    let line = |line: &str| line.starts_with(|c: char| c.is_ascii_digit() || " \t".contains(c));
    let significant = text.contains(|c| SIGNIFICANT.contains(c)) || text.split('\n').any(line);
    if !significant || crate::markup::too_deep(text) {
        return text.to_owned();
    }
    let text = text.replace(MARK, "");
    let aside = aside(&text);
    let mut marked = String::with_capacity(text.len());
    let mut from = 0;
    for (number, (start, end)) in aside.iter().enumerate() {
        marked.push_str(&text[from..*start]);
        marked.push_str(&format!("{MARK}{number}{MARK}"));
        from = *end;
    }
    marked.push_str(&text[from..]);
    let converted = Converter { text: &marked, out: String::new(), fresh: true, skip: 0 }.run();
    let mut out = String::with_capacity(converted.len());
    for (number, piece) in converted.split(MARK).enumerate() {
        let aside = piece.parse().ok().and_then(|at: usize| aside.get(at));
        match aside.filter(|_| number % 2 == 1) {
            Some((start, end)) => out.push_str(&text[*start..*end]),
            None => out.push_str(piece),
        }
    }
    out
}

/// The places that are not read, in order.
fn aside(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    let protected = tags::protected(text, true);
    for (start, end) in protected.into_iter().chain([(text.len(), text.len())]) {
        for (at, _) in text[from..start].match_indices(ZWSP) {
            let sign = text[from..from + at].bytes().next_back();
            if sign.is_some_and(|byte| byte.is_ascii_punctuation()) {
                found.push((from + at - 1, from + at + ZWSP.len_utf8()));
            }
        }
        if start < end {
            found.push((start, end));
        }
        from = end;
    }
    found
}

struct Converter<'a> {
    text: &'a str,
    out: String,
    /// Nothing stands yet in the container that began last.
    fresh: bool,
    /// Up to where events are of a table that is none.
    skip: usize,
}

impl Converter<'_> {
    fn run(mut self) -> String {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let text = self.text;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            if range.start >= self.skip {
                self.take(event, range);
            }
        }
        self.out
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag),
            Event::Code(code) => {
                let code = code.replace("[/", "[\u{200b}/");
                self.push(&format!("[icode]{code}[/icode]"));
            }
            Event::SoftBreak | Event::HardBreak => self.push("\n"),
            Event::Rule => {
                self.border(range.start);
                self.push("[hr]");
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let known = HTML.iter().find(|(tag, _)| html.trim().eq_ignore_ascii_case(tag));
                self.push(known.map_or(&html, |(_, tag)| tag));
            }
            Event::Text(text) => self.push(&text),
            // Not switched on.
            Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        let block = !matches!(
            tag,
            Tag::Item
                | Tag::TableHead
                | Tag::TableRow
                | Tag::TableCell
                | Tag::Emphasis
                | Tag::Strong
                | Tag::Strikethrough
                | Tag::Link { .. }
                | Tag::Image { .. }
        );
        if block {
            self.border(range.start);
        }
        match tag {
            Tag::Heading { level: HeadingLevel::H1, .. } => self.begin("[h1]"),
            Tag::Heading { level: HeadingLevel::H2, .. } => self.begin("[h2]"),
            Tag::Heading { .. } => self.begin("[size=16][b]"),
            Tag::BlockQuote(_) => self.begin("[quote]"),
            Tag::CodeBlock(_) => self.begin("[code]"),
            Tag::List(None) => self.begin("[list]"),
            Tag::List(Some(first)) => self.begin(&format!("[list={first}]")),
            Tag::Item => self.begin("[*]"),
            Tag::Table(columns) if columns.len() > limits::MARKUP_PREVIEW_COLUMNS_MAX => {
                self.push(&self.text[range.clone()].replace(MARK, ""));
                self.skip = range.end;
            }
            Tag::Table(_) => self.begin("[table]"),
            Tag::TableHead | Tag::TableRow => self.begin("[tr]"),
            Tag::TableCell => self.begin("[td]"),
            Tag::Emphasis => self.push("[i]"),
            Tag::Strong => self.push("[b]"),
            Tag::Strikethrough => self.push("[s]"),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                let address = dest_url.replace('[', "%5B").replace(']', "%5D").replace('\n', "");
                self.push(&format!("[url={address}]"));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        let tag = match tag {
            TagEnd::Heading(HeadingLevel::H1) => "[/h1]",
            TagEnd::Heading(HeadingLevel::H2) => "[/h2]",
            TagEnd::Heading(_) => "[/b][/size]",
            TagEnd::BlockQuote(_) => "[/quote]",
            TagEnd::CodeBlock => {
                let code = self.out.strip_suffix('\n').map_or(self.out.len(), str::len);
                self.out.truncate(code);
                "[/code]"
            }
            TagEnd::List(_) => "[/list]",
            TagEnd::Item => "[/*]",
            TagEnd::Table => "[/table]",
            TagEnd::TableHead | TagEnd::TableRow => "[/tr]",
            TagEnd::TableCell => "[/td]",
            TagEnd::Emphasis => "[/i]",
            TagEnd::Strong => "[/b]",
            TagEnd::Strikethrough => "[/s]",
            TagEnd::Link | TagEnd::Image => "[/url]",
            _ => return,
        };
        self.push(tag);
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.fresh = false;
    }

    /// Of something that holds others.
    fn begin(&mut self, tag: &str) {
        self.push(tag);
        self.fresh = true;
    }

    /// Between two blocks: a line end, and an empty line where the text has one.
    fn border(&mut self, start: usize) {
        if std::mem::take(&mut self.fresh) {
            return;
        }
        let before = &self.text[..self.text[..start].rfind('\n').unwrap_or(0)];
        let before = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        let blank = before.chars().all(|c| c == '>' || c.is_whitespace());
        self.push(if blank { "\n\n" } else { "\n" });
    }
}
