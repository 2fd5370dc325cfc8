//! What stands in lines: text in styles, links, inline code, HTML. Part of the machine of `parse`,
//! which calls it for each event of these.

use pulldown_cmark::LinkType;

use crate::limits;
use crate::markup::line::Stack;
use crate::markup::line::Style;
use crate::markup::links::Target;
use crate::markup::links::target;
use crate::markup::parse::Machine;
use crate::markup::parse::RULE;
use crate::markup::parse::html;
use crate::markup::parse::html::Meaning;
use crate::markup::parse::html::Piece;

/// What stands for a picture in front of its description; pictures are not loaded from elsewhere.
const IMAGE_MARK: &str = "🖼 ";

/// An inline construct of Markdown that is open.
pub(super) struct Open {
    /// The styles around it, and those inside of it.
    around: Stack,
    style: Stack,
}

/// A link that is open.
pub(super) struct Link {
    /// What is written behind its text, because it cannot be a link.
    behind: Option<String>,
    picture: bool,
    /// How much was shown when it began.
    shown: usize,
}

impl Machine {
    /// Text in the present style; line breaks inside end lines.
    pub(super) fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(end) = rest.find('\n') {
            self.piece(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.piece(rest);
    }

    pub(super) fn texts<const N: usize>(&mut self, texts: [&str; N]) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    /// Text of one line.
    pub(super) fn piece(&mut self, text: &str) {
        self.shown += text.len();
        self.lines.inline.push(text, self.style, !self.links.is_empty());
    }

    fn part_of_link(&mut self, text: &str) {
        self.shown += text.len();
        self.lines.inline.push(text, self.style, true);
    }

    pub(super) fn inline_code(&mut self, code: &str) {
        self.shown += code.len();
        self.lines.inline.push_code(code, self.style, !self.links.is_empty());
    }

    pub(super) fn open(&mut self, style: Style) {
        let around = self.style;
        self.style = self.with(style);
        self.open.push(Open { around, style: self.style });
    }

    /// What HTML opened inside of it ends with it.
    pub(super) fn close(&mut self) {
        self.style = self.open.pop().map_or(Stack::EMPTY, |open| open.around);
    }

    /// Bold inside bold, or a link inside a link, is what it is already.
    fn with(&mut self, style: Style) -> Stack {
        let styles = &mut self.lines.styles;
        let known = styles.find(self.style, &style).is_some();
        if known || styles.depth(self.style) >= limits::MARKUP_DEPTH_MAX {
            return self.style;
        }
        styles.with(self.style, style)
    }

    pub(super) fn open_link(&mut self, kind: LinkType, address: &str) {
        let mail = matches!(kind, LinkType::Email).then(|| format!("mailto:{address}"));
        let address = mail.as_deref().unwrap_or(address);
        let link = self.begin_link(address);
        self.links.push(link);
    }

    pub(super) fn open_image(&mut self, address: &str) {
        let link = self.begin_link(address);
        self.text(IMAGE_MARK);
        self.links.push(Link { picture: true, shown: self.shown, ..link });
    }

    fn begin_link(&mut self, address: &str) -> Link {
        let mut link = Link { behind: None, picture: false, shown: self.shown };
        let in_mention = self.lines.styles.is_mention(self.style);
        let style = match target(address, self.everyone) {
            Target::Link(address) => Some(Style::Link(address)),
            Target::Mention(user) => Some(Style::Mention(user)),
            Target::Text(address) => {
                let inert = Some(address.replace("://", ":\u{200b}//"));
                link.behind = inert.filter(|address| !address.is_empty());
                None
            }
        };
        match style.filter(|_| !in_mention) {
            Some(style) => self.open(style),
            None => self.open.push(Open { around: self.style, style: self.style }),
        }
        link
    }

    /// A link without a text is called where it leads, a picture what its file is called.
    pub(super) fn close_link(&mut self) {
        let Some(Link { behind, picture, shown }) = self.links.pop() else { return };
        let empty = shown == self.shown;
        if empty && let Some(Style::Link(address)) = self.lines.styles.top(self.style) {
            let instead = if picture { file_name(address) } else { address }.to_owned();
            self.part_of_link(&instead);
        }
        self.close();
        match behind {
            Some(address) if empty => self.part_of_link(&address),
            Some(address) => self.part_of_link(&format!(" ({address})")),
            None => {}
        }
    }

    pub(super) fn inline_html(&mut self, html: &str) {
        let inside = html.strip_prefix('<').and_then(|html| html.strip_suffix('>'));
        if let Some(inside) = inside {
            self.html_tag(inside);
        }
    }

    pub(super) fn end_html(&mut self) {
        let Some(block) = self.html.take() else { return };
        self.border();
        for piece in html::pieces(&block) {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Tag(inside) => self.html_tag(inside),
            }
        }
        self.end_block();
    }

    fn html_tag(&mut self, inside: &str) {
        let closing = inside.starts_with('/');
        match html::meaning(inside) {
            Meaning::Style(style) if closing => self.close_html(&style),
            Meaning::Style(style) => self.style = self.with(style),
            Meaning::Break => self.end_line(),
            Meaning::Item => {
                self.end_line();
                if !closing {
                    self.text("• ");
                }
            }
            Meaning::Rule => {
                self.end_line();
                self.text(RULE);
                self.end_line();
            }
            Meaning::Cell if closing => self.text(" "),
            Meaning::Cell | Meaning::Nothing => {}
        }
    }

    /// HTML may be nested wrongly: a style is closed wherever it stands. What belongs to Markdown,
    /// or is around something of Markdown's, is closed by Markdown.
    fn close_html(&mut self, style: &Style) {
        let styles = &mut self.lines.styles;
        let markdown = self.open.last().map_or(Stack::EMPTY, |open| open.style);
        if let Some(opened) = styles.find(self.style, style)
            && styles.depth(opened) > styles.depth(markdown)
        {
            self.style = styles.without(self.style, opened);
        }
    }
}

/// The last part of an address's path.
fn file_name(address: &str) -> &str {
    let path = &address[..address.find(['?', '#']).unwrap_or(address.len())];
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() { address } else { name }
}
