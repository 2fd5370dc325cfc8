//! Tokens of a line as inline Markdown. Tags may cross each other and go on over lines; emphasis may
//! not, so marks are closed at the end of each line and wherever tags cross, and opened again. Blanks
//! are left outside of marks, where they would keep them from being marks; where a sign next to a
//! mark would too, it is written as HTML. Pure; called line after line by `readback`.

use crate::limits;
use crate::markup::readback::escape;
use crate::markup::readback::escape::Place;
use crate::markup::readback::tags::Name;
use crate::markup::readback::tags::Tag;
use crate::markup::readback::tags::Token;

/// Signs beside those of ASCII that Markdown surely takes for punctuation.
const PUNCTUATION: &str = "«»“”„‘’–—…№•";

/// What marks are made of.
const SIGNS: [char; 3] = ['*', '_', '~'];

/// What a text is shown as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style<'a> {
    Bold,
    Italic,
    Strike,
    Link(Address<'a>),
}

/// Where a link leads. Two links are two, even if they lead to one place, so what is compared is
/// where it stands in the text.
#[derive(Clone, Copy)]
struct Address<'a>(&'a str);

impl PartialEq for Address<'_> {
    fn eq(&self, other: &Address<'_>) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Address<'_> {}

/// What is open at the end of a line.
pub(super) struct Inline<'a> {
    /// In the order in which they were opened, each kind once, and how often.
    open: Vec<(Style<'a>, usize)>,
    /// Tags around what is not shown.
    hidden: usize,
    /// A mention has begun, its name has not.
    named: bool,
    /// Whom it means.
    whom: &'a str,
    /// How many bytes of addresses may still be written: a link that goes on over lines, or over tags
    /// that cross it, has its address written again.
    room: usize,
}

/// A stretch of text in one style, still as it was typed.
struct Run<'a> {
    text: String,
    styles: Vec<Style<'a>>,
}

impl<'a> Inline<'a> {
    /// Nothing is open at the beginning of a text of so many bytes.
    pub(super) fn new(bytes: usize) -> Inline<'a> {
        let room = bytes.saturating_mul(limits::MARKUP_BACK_ADDRESSES_MAX);
        Inline { open: Vec::new(), hidden: 0, named: false, whom: "", room }
    }

    /// The Markdown of the next line.
    pub(super) fn line(&mut self, tokens: &[Token<'a>]) -> String {
        let mut runs = Vec::new();
        for token in tokens {
            match token {
                Token::Text(text) => self.text(text, &mut runs),
                Token::Made(text) => self.text(text, &mut runs),
                Token::Tag(tag) if !tag.paired => self.text(tag.raw, &mut runs),
                Token::Tag(tag) => self.tag(tag, &mut runs),
            }
        }
        written(&runs)
    }

    fn text(&mut self, text: &str, runs: &mut Vec<Run<'a>>) {
        if self.hidden > 0 || text.is_empty() {
            return;
        }
        if self.named {
            let name = text.trim_start_matches(' ');
            self.named = name.is_empty();
            let at = if self.named || name.starts_with('@') { "" } else { "@" };
            return self.push(format!("{at}{name}"), runs);
        }
        self.push(text.to_owned(), runs);
    }

    fn push(&mut self, text: String, runs: &mut Vec<Run<'a>>) {
        let mut styles: Vec<Style<'a>> = self.open.iter().map(|(style, _)| *style).collect();
        let goes_on = runs.last().is_some_and(|last| last.styles == styles);
        // What is not linked any more is still there to be read.
        if !goes_on {
            styles.retain(|style| match style {
                Style::Link(address) => match self.room.checked_sub(address.0.len()) {
                    Some(room) => {
                        self.room = room;
                        true
                    }
                    None => false,
                },
                _ => true,
            });
        }
        match runs.last_mut() {
            Some(last) if last.styles == styles => last.text.push_str(&text),
            _ => runs.push(Run { text, styles }),
        }
    }

    fn tag(&mut self, tag: &Tag<'a>, runs: &mut Vec<Run<'a>>) {
        let style = match tag.name {
            Name::Bold => Style::Bold,
            Name::Italic => Style::Italic,
            Name::Strike => Style::Strike,
            Name::Link => Style::Link(Address(tag.value)),
            Name::User => return self.mention(tag, runs),
            Name::Hidden if tag.closes => return self.hidden = self.hidden.saturating_sub(1),
            Name::Hidden => return self.hidden += 1,
            // A picture is where it is found, and that is not a part of the word before it.
            Name::Image if !tag.closes => {
                let glued = runs.last().is_some_and(|run| !run.text.ends_with(char::is_whitespace));
                return if glued {
                    self.text(" ", runs)
                };
            }
            _ => return,
        };
        // A link inside of a link is part of its text.
        let same = |open: &(Style<'a>, usize)| {
            std::mem::discriminant(&open.0) == std::mem::discriminant(&style)
        };
        match (tag.closes, self.open.iter().position(same)) {
            (false, Some(at)) => self.open[at].1 += 1,
            (false, None) => self.open.push((style, 1)),
            (true, Some(at)) if self.open[at].1 == 1 => drop(self.open.remove(at)),
            (true, Some(at)) => self.open[at].1 -= 1,
            (true, None) => {}
        }
    }

    /// Whom a mention without a name means is all that is known of them.
    fn mention(&mut self, tag: &Tag<'a>, runs: &mut Vec<Run<'a>>) {
        if self.named {
            let whom = std::mem::take(&mut self.whom);
            self.text(whom, runs);
        }
        self.named = !tag.closes;
        self.whom = tag.value.split(' ').next().unwrap_or_default();
    }
}

/// Who is quoted.
pub(super) fn author(name: &str) -> String {
    let bold = Run { text: name.to_owned(), styles: vec![Style::Bold] };
    written(&[bold, Run { text: ":".to_owned(), styles: Vec::new() }])
}

/// A piece of what is written.
enum Piece {
    Text(String),
    /// The mark at the beginning of a span.
    Open(usize),
    /// And the one at its end.
    Close(usize),
}

/// A stretch of text in one style, from mark to mark.
struct Span<'a> {
    style: Style<'a>,
    /// Where its marks are among the pieces.
    open: usize,
    close: usize,
}

fn written(runs: &[Run<'_>]) -> String {
    let (pieces, spans) = nested(runs);
    let mut out = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Open(span) => {
                escape::guard(&mut out);
                // With this sign before it a link would be a picture.
                if matches!(spans[*span].style, Style::Link(_)) && out.ends_with('!') {
                    out.pop();
                    out.push_str("\\!");
                }
                out.push_str(marks(&pieces, &spans, *span).0);
            }
            Piece::Close(span) => {
                escape::guard(&mut out);
                match spans[*span].style {
                    Style::Link(address) => {
                        out.extend(["](", &escape::address(address.0), ")"]);
                    }
                    _ => out.push_str(marks(&pieces, &spans, *span).1),
                }
            }
        }
    }
    out
}

/// The runs of a line in proper nesting, blanks outside of the marks.
fn nested<'a>(runs: &[Run<'a>]) -> (Vec<Piece>, Vec<Span<'a>>) {
    let (mut pieces, mut spans) = (Vec::new(), Vec::<Span<'a>>::new());
    let mut open: Vec<usize> = Vec::new();
    let mut blanks = String::new();
    let mut line_start = true;
    // How many of the open spans go on over the blanks.
    let mut through = usize::MAX;
    for run in runs {
        let linked = run.styles.iter().any(|style| matches!(style, Style::Link(_)));
        let text = escape::escaped(&run.text, Place { line_start, linked });
        let core = text.trim();
        let begin = text.len() - text.trim_start().len();
        blanks.push_str(&text[..begin]);
        let both =
            open.iter().zip(&run.styles).take_while(|(one, two)| spans[**one].style == **two);
        let common = both.count().min(through);
        if core.is_empty() {
            through = if text.is_empty() { through } else { common };
            continue;
        }
        line_start = false;
        through = usize::MAX;
        for span in open.drain(common..).rev() {
            spans[span].close = pieces.len();
            pieces.push(Piece::Close(span));
        }
        if !blanks.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut blanks)));
        }
        for style in &run.styles[common..] {
            open.push(spans.len());
            pieces.push(Piece::Open(spans.len()));
            spans.push(Span { style: *style, open: pieces.len() - 1, close: 0 });
        }
        pieces.push(Piece::Text(core.to_owned()));
        blanks.push_str(&text[begin + core.len()..]);
    }
    for span in open.into_iter().rev() {
        spans[span].close = pieces.len();
        pieces.push(Piece::Close(span));
    }
    if !blanks.is_empty() {
        pieces.push(Piece::Text(blanks));
    }
    (pieces, spans)
}

/// What a span is written between, so that Markdown surely takes it for marks (CommonMark 6.2).
fn marks(pieces: &[Piece], spans: &[Span<'_>], span: usize) -> (&'static str, &'static str) {
    let Span { style, open, close } = &spans[span];
    let before = |at: usize| at.checked_sub(1).and_then(|at| pieces.get(at));
    let outside = [before(*open), pieces.get(close + 1)];
    let inside = [pieces.get(open + 1), before(*close)];
    let border = |piece: &Option<&Piece>, last: bool| match piece {
        None | Some(Piece::Open(_) | Piece::Close(_)) => true,
        Some(Piece::Text(text)) => {
            let next = if last { text.chars().next_back() } else { text.chars().next() };
            next.is_none_or(|c| {
                c.is_whitespace() || c.is_ascii_punctuation() || PUNCTUATION.contains(c)
            })
        }
    };
    let word = |piece: &Option<&Piece>, last: bool| match piece {
        Some(Piece::Text(text)) => {
            let next = if last { text.chars().next_back() } else { text.chars().next() };
            next.is_some_and(char::is_alphanumeric)
        }
        _ => false,
    };
    let borders = [border(&outside[0], true), border(&outside[1], false)];
    let words = [word(&inside[0], false), word(&inside[1], true)];
    let flanks = (borders[0] || words[0]) && (borders[1] || words[1]);
    let is_star = |piece: &Option<&Piece>| match piece {
        Some(Piece::Open(other) | Piece::Close(other)) => {
            matches!(spans[*other].style, Style::Bold | Style::Italic)
        }
        _ => false,
    };
    let touches = outside.iter().chain(&inside).any(is_star);
    // Nor may a sign in the text be taken for a part of a mark.
    let sign = |piece: &Option<&Piece>, last: bool| match piece {
        Some(Piece::Text(text)) if last => {
            let raw = text.strip_suffix(SIGNS);
            raw.is_some_and(|before| !before.ends_with('\\'))
        }
        Some(Piece::Text(text)) => text.starts_with(SIGNS),
        _ => false,
    };
    let flanks = flanks
        && !(sign(&outside[0], true) || sign(&outside[1], false))
        && !(sign(&inside[0], false) || sign(&inside[1], true));
    match style {
        Style::Link(_) => ("[", "]"),
        Style::Bold if flanks => ("**", "**"),
        Style::Bold => ("<b>", "</b>"),
        // Next to the stars of bold text another star would be one of them.
        Style::Italic if flanks && !touches => ("*", "*"),
        Style::Italic if flanks && borders == [true, true] => ("_", "_"),
        Style::Italic => ("<i>", "</i>"),
        Style::Strike if flanks => ("~~", "~~"),
        Style::Strike => ("<s>", "</s>"),
    }
}
