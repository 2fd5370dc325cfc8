//! How a client shows parts in BB-code, as a small HTML page: for a person who wants to see what an
//! agent's text becomes before the portal has it. Follows the classic client (b24: messenger §10.3)
//! or the newest, which reads Markdown once more (b24: messenger §10.6); `tags` knows what a tag is,
//! `newest` what Markdown becomes there. The part is first taken through what the portal does to it
//! for certain (`compare`).
//!
//! Pure and total: any text gives balanced HTML in which everything foreign is escaped, that runs no
//! script, loads nothing, and is longer than the text by a constant factor at most. Smileys stay
//! text and pictures are named, because they are the portal's to load. Called by `cli::render`.

mod newest;
mod tags;

use std::fmt::Write;

use crate::limits;
use crate::markup::compare;

use tags::Kind;
use tags::Piece;

/// Whose eyes to look through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Reads BB-code alone.
    Classic,
    /// Reads Markdown in what is BB-code already, where the portal switches that on.
    Newest,
}

/// Commands at the beginning of a message: what they begin with, how much of it vanishes, and the
/// style of the rest.
const COMMANDS: [(&str, usize, &str); 2] =
    [("/me", 4, "<i>"), ("/loud", 6, "<span class=\"loud\">")];

/// A page that shows each part as one message.
pub fn preview(parts: &[String], client: Client) -> String {
    let name = match client {
        Client::Classic => "classic client",
        Client::Newest => "newest client, Markdown on",
    };
    let mut page = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n<title>Preview: {name}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    for (number, part) in parts.iter().enumerate() {
        let chars = part.chars().count();
        let of = parts.len();
        let _ = write!(
            page,
            "<article>\n<div>{}</div>\n<footer>{name}, message {} of {of}, {chars} characters\
             </footer>\n</article>\n",
            message(part, client),
            number + 1
        );
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// The classic client's looks, as far as they change what can be read: no fixed width in code, and
/// spaces that collapse there too.
const STYLE: &str = "\
body { font: 15px sans-serif; background: #eef2f4; margin: 2em auto; max-width: 44em }
article { background: #fff; border-radius: 10px; padding: 10px 14px; margin: 0 0 12px }
article div { overflow-wrap: anywhere }
footer { color: #6b7580; font-size: 11px; margin-top: 8px }
blockquote { border-left: 3px solid #7fbfee; margin: 3px 0; padding: 0 0 0 9px }
.code { border-left: 3px solid #bbb; color: #555; padding-left: 9px; white-space: pre-line }
.user { background: #d7ebff; border-radius: 3px }
.act { border-bottom: 1px dashed }
.loud { font-size: 1.6em }
.note { color: #6b7580 }
code { background: #eef2f4; padding: 0 3px }
td, th { border: 1px solid #bbb; padding: 2px 6px }
";

/// What a client shows of one message, without the page around it.
fn message(part: &str, client: Client) -> String {
    let received = compare::received(part);
    let mut read = String::with_capacity(received.len());
    let mut from = 0;
    for (start, end) in tags::protected(&received, false) {
        plain(&received[from..start], &mut read);
        read.push_str(&received[start..end]);
        from = end;
    }
    plain(&received[from..], &mut read);
    shown(&read, client)
}

/// What the server does to text outside of code, beside what `compare` knows (b24: messenger §10.2).
fn plain(text: &str, out: &mut String) {
    let text = text.replace('\u{a0}', " ");
    out.push_str(&text.replace("(C)", "(c)").replace("(TM)", "(tm)").replace("(R)", "(r)"));
}

/// The same for a text as the portal returns it.
fn shown(read: &str, client: Client) -> String {
    let command = COMMANDS.into_iter().find(|(word, _, _)| read.starts_with(word));
    let Some((_, gone, style)) = command else {
        return match client {
            Client::Classic => body(read, client),
            Client::Newest => body(&newest::reread(read), client),
        };
    };
    // Whatever stands behind the command's word goes with it, a blank or not.
    let rest = read.char_indices().nth(gone).map_or("", |(at, _)| &read[at..]);
    let end = if style == "<i>" { "</i>" } else { "</span>" };
    format!("{style}{}{end}", body(rest, client))
}

/// The HTML of a text whose tags are all there.
fn body(text: &str, client: Client) -> String {
    let mut writer = Writer::default();
    for piece in tags::pieces(text, client) {
        writer.take(piece);
    }
    writer.finish()
}

/// What is quoted just now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    /// Lines that begin with `>>`.
    Lines,
    /// Between two rows of dashes.
    Frame,
}

/// An element that is open.
struct Open<'a> {
    number: usize,
    kind: Kind<'a>,
}

/// Writes pieces; elements always close in the order in which they opened, whatever the tags do.
struct Writer<'a> {
    out: String,
    open: Vec<Open<'a>>,
    quote: Quote,
    line_start: bool,
    /// The next line end belongs to a block that ended just now.
    swallow: bool,
}

impl Default for Writer<'_> {
    fn default() -> Self {
        Writer {
            out: String::new(),
            open: Vec::new(),
            quote: Quote::None,
            line_start: true,
            swallow: false,
        }
    }
}

impl<'a> Writer<'a> {
    fn take(&mut self, piece: Piece<'a>) {
        let swallow = std::mem::take(&mut self.swallow);
        if piece == Piece::LineEnd {
            return self.end_line(swallow);
        }
        let quoted = std::mem::take(&mut self.line_start) && self.begin_line(piece);
        match piece {
            Piece::LineEnd => {}
            Piece::Text(text) if quoted => escape(&text[QUOTE.len()..], &mut self.out),
            Piece::Text(text) => escape(text, &mut self.out),
            Piece::Frame => {
                let quote = if self.quote == Quote::Frame { Quote::None } else { Quote::Frame };
                self.become_quote(quote);
                self.swallow = true;
            }
            Piece::Code(code) => {
                let code = code.strip_prefix('\n').unwrap_or(code);
                self.element("<div class=\"code\">", code, "</div>");
                self.swallow = true;
            }
            Piece::InlineCode(code) => self.element("<code>", code, "</code>"),
            Piece::Note(text) => self.element("<span class=\"note\">", text, "</span>"),
            Piece::Address(kind, address) => {
                kind.begin(&mut self.out);
                escape(address, &mut self.out);
                kind.end(&mut self.out);
            }
            Piece::Rule => {
                self.out.push_str("<hr>");
                self.swallow = true;
            }
            Piece::Open(number, kind) => self.open(Open { number, kind }),
            Piece::Close(number) => self.close(number),
        }
    }

    fn element(&mut self, begin: &str, text: &str, end: &str) {
        self.out.push_str(begin);
        escape(text, &mut self.out);
        self.out.push_str(end);
    }

    /// What a line begins with decides whether it is quoted.
    fn begin_line(&mut self, piece: Piece<'a>) -> bool {
        if self.quote == Quote::Frame {
            return false;
        }
        let quoted = matches!(piece, Piece::Text(text) if text.starts_with(QUOTE));
        self.become_quote(if quoted { Quote::Lines } else { Quote::None });
        quoted
    }

    fn end_line(&mut self, swallow: bool) {
        // A line without anything is not quoted.
        if self.line_start && self.quote == Quote::Lines {
            self.become_quote(Quote::None);
        }
        self.line_start = true;
        if !swallow {
            self.out.push_str(BREAK);
        }
    }

    /// A quote is a block: what is open around its border closes, and opens again behind it.
    fn become_quote(&mut self, quote: Quote) {
        if quote == self.quote {
            return;
        }
        let open = std::mem::take(&mut self.open);
        // The border of a block is a line end by itself.
        let out = self.out.strip_suffix(BREAK).map_or(self.out.len(), str::len);
        self.out.truncate(out);
        open.iter().rev().for_each(|one| one.kind.end(&mut self.out));
        if self.quote != Quote::None {
            self.out.push_str("</blockquote>");
        }
        if quote != Quote::None {
            self.out.push_str("<blockquote>");
        }
        self.quote = quote;
        open.into_iter().for_each(|one| self.again(one));
    }

    fn open(&mut self, one: Open<'a>) {
        if self.open.len() < limits::MARKUP_PREVIEW_DEPTH_MAX {
            one.kind.begin(&mut self.out);
            self.open.push(one);
        }
    }

    fn again(&mut self, one: Open<'a>) {
        let kind = one.kind.goes_on();
        kind.begin(&mut self.out);
        self.open.push(Open { kind, ..one });
    }

    /// Ends an element; what opened inside of it and goes on ends with it and opens again.
    fn close(&mut self, number: usize) {
        let Some(at) = self.open.iter().rposition(|one| one.number == number) else { return };
        let inner = self.open.split_off(at + 1);
        inner.iter().rev().for_each(|one| one.kind.end(&mut self.out));
        if let Some(one) = self.open.pop() {
            one.kind.end(&mut self.out);
            self.swallow = one.kind.is_block();
        }
        inner.into_iter().for_each(|one| self.again(one));
    }

    fn finish(mut self) -> String {
        self.become_quote(Quote::None);
        while let Some(one) = self.open.pop() {
            one.kind.end(&mut self.out);
        }
        self.out
    }
}

/// What a quoted line begins with.
const QUOTE: &str = ">>";
/// The end of a line.
const BREAK: &str = "<br>\n";

/// Text as HTML shows it, with the white space that survives: four spaces and a tab.
fn escape(text: &str, out: &mut String) {
    let text = text.replace('\t', "    ").replace("    ", "\u{a0}\u{a0}\u{a0}\u{a0}");
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
