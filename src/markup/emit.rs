//! Writes lines as BB-code: tags opened and closed in proper nesting, closed at the end of every
//! line. Only these tags are ever written: b i u s url user code.

use crate::markup::Format;
use crate::markup::defang;
use crate::markup::defang::ZWSP;
use crate::markup::line::Inline;
use crate::markup::line::Run;
use crate::markup::line::Stack;
use crate::markup::line::Style;
use crate::markup::line::Styles;
use crate::markup::links;

/// Around a block of code.
pub(super) const CODE_OPEN: &str = "[code]";
/// See [`CODE_OPEN`].
pub(super) const CODE_CLOSE: &str = "[/code]";

/// What is shown as a blank, or collapses (b24: messenger §10.3); wider blanks do not.
const BLANKS: [char; 3] = [' ', '\t', '\u{a0}'];

/// The runs of a line.
pub(super) fn runs(inline: &Inline, runs: &[Run], styles: &Styles, out: &mut String) {
    let mentions = runs.iter().any(|run| styles.is_mention(run.style));
    let mut open = Stack::EMPTY;
    let mut first = true;
    for (number, run) in runs.iter().enumerate() {
        let text = inline.text_of(run);
        // Blanks at the beginning of a line are invisible, but four of them are code to a client
        // that reads Markdown (b24: messenger §10.6).
        let text = if first && !run.code { text.trim_start_matches(BLANKS) } else { text };
        if text.is_empty() && !run.code {
            continue;
        }
        let own_address = own_address(text, run, runs.get(number + 1), styles);
        // A link that shows its own address is written without naming it twice.
        let style = if own_address.is_some() { styles.below(run.style) } else { run.style };
        switch(open, style, styles, out);
        open = style;
        if let Some(address) = own_address {
            out.extend(["[url]", address, "[/url]"]);
        } else if run.code {
            code_span(text, out);
        } else {
            let seen = match mentions {
                true => seen(inline, runs, number, styles),
                false => (String::new(), String::new()),
            };
            let (before, after) = (seen.0.as_str(), seen.1.as_str());
            // Inside a link of ours the server makes no other.
            let linked = styles.is_link(style);
            // A mention's tags may go, others stay between a text and the ends of its line.
            let bare = style == Stack::EMPTY
                || styles.below(style) == Stack::EMPTY && styles.is_mention(style);
            let line_start = first && bare;
            let touches = number.checked_sub(1).map(|number| &runs[number]);
            let touches = touches.filter(|last| last.style == run.style);
            let last = touches.and_then(|last| match last.code {
                true => Some('`'),
                false => inline.text_of(last).chars().next_back(),
            });
            let line_end = number + 1 == runs.len() && bare;
            let place = defang::Place { line_start, line_end, linked, last, before, after };
            // A client that reads Markdown would take a tag before it for the text of a link, or in
            // front of the line for the name of one.
            if out.ends_with(']') && (text.starts_with('(') || first && text.starts_with(':')) {
                out.push(ZWSP);
            }
            defang::prose(text, place, out);
        }
        first = false;
    }
    switch(open, Stack::EMPTY, styles, out);
}

/// Two spans that touch are one to whoever reads their back-ticks again.
fn code_span(text: &str, out: &mut String) {
    if out.ends_with('`') {
        out.push(ZWSP);
    }
    out.push('`');
    defang::code_span(text, out);
    out.push('`');
}

/// The text before and behind a run, as far as nothing but a mention's tags stands between: the
/// portal may take those away, and what is left must not join to something that acts.
fn seen(inline: &Inline, runs: &[Run], number: usize, styles: &Styles) -> (String, String) {
    let apart = |one: &Run, other: &Run| {
        let bare = |run: &Run| match styles.find(run.style, &Style::Mention(None)) {
            Some(mention) if mention == run.style => styles.below(mention),
            _ => run.style,
        };
        one.code || other.code || bare(one) != bare(other)
    };
    let mut after = String::new();
    for pair in runs[number..].windows(2) {
        let room = defang::SEEN_CHARS.saturating_sub(after.chars().count());
        if room == 0 || apart(&pair[0], &pair[1]) {
            break;
        }
        after.extend(inline.text_of(&pair[1]).chars().take(room));
    }
    let mut before = Vec::new();
    for pair in runs[..=number].windows(2).rev() {
        let room = defang::SEEN_CHARS.saturating_sub(before.len());
        if room == 0 || apart(&pair[0], &pair[1]) {
            break;
        }
        before.extend(inline.text_of(&pair[0]).chars().rev().take(room));
    }
    (before.into_iter().rev().collect(), after)
}

/// The address of a link whose whole text a run is, when it shows nothing but that address.
fn own_address<'a>(
    text: &str,
    run: &Run,
    next: Option<&Run>,
    styles: &'a Styles,
) -> Option<&'a str> {
    let Some(Style::Link(address)) = styles.top(run.style) else { return None };
    // Most have another text, which the first letter tells.
    if run.code || text.as_bytes().first() != address.as_bytes().first() {
        return None;
    }
    let goes_on = next.is_some_and(|next| styles.holds(next.style, run.style));
    let own = !goes_on && (text == address || links::escaped(text) == *address);
    own.then_some(address.as_str())
}

/// From one stack of open tags to another.
fn switch(from: Stack, to: Stack, styles: &Styles, out: &mut String) {
    if from == to {
        return;
    }
    let common = styles.common(from, to);
    let mut at = from;
    while at != common {
        close_tag(styles.top(at), out);
        at = styles.below(at);
    }
    open_tags(common, to, styles, out);
}

/// Calls itself once for each style; a stack holds a few.
fn open_tags(from: Stack, to: Stack, styles: &Styles, out: &mut String) {
    if from == to {
        return;
    }
    open_tags(from, styles.below(to), styles, out);
    match styles.top(to) {
        Some(Style::Bold) => out.push_str("[b]"),
        Some(Style::Italic) => out.push_str("[i]"),
        Some(Style::Underline) => out.push_str("[u]"),
        Some(Style::Strike) => out.push_str("[s]"),
        Some(Style::Link(address)) => out.extend(["[url=", address, "]"]),
        Some(Style::Mention(Some(user))) => out.extend(["[USER=", &user.to_string(), "]"]),
        Some(Style::Mention(None)) => out.push_str("[USER=all]"),
        None => {}
    }
}

fn close_tag(style: Option<&Style>, out: &mut String) {
    out.push_str(match style {
        Some(Style::Bold) => "[/b]",
        Some(Style::Italic) => "[/i]",
        Some(Style::Underline) => "[/u]",
        Some(Style::Strike) => "[/s]",
        Some(Style::Link(_)) => "[/url]",
        Some(Style::Mention(_)) => "[/USER]",
        None => "",
    });
}

/// The last rules, about a message as a whole (b24: messenger R25).
pub(super) fn finish(part: String, format: Format) -> String {
    let trimmed = part.trim_matches(['\n', ' ', '\t']);
    // A message beginning with a slash is a command; a lone zero is shown as deleted.
    if format != Format::Bbcode && trimmed.starts_with('/') {
        return format!("{ZWSP}{trimmed}");
    }
    if trimmed == "0" {
        return format!("0{ZWSP}");
    }
    if format == Format::Bbcode || !trimmed.starts_with("[USER=") {
        return if trimmed.len() == part.len() { part } else { trimmed.to_owned() };
    }
    // The portal may take the tags of a mention away.
    let bare = without_mentions(trimmed);
    match bare.trim_start() {
        bare if bare.starts_with('/') || bare.trim_end() == "0" => format!("{ZWSP}{trimmed}"),
        _ => trimmed.to_owned(),
    }
}

fn without_mentions(text: &str) -> String {
    let pieces = text.split("[USER=").enumerate().map(|(number, piece)| match number {
        0 => piece,
        _ => piece.split_once(']').map_or(piece, |(_, behind)| behind),
    });
    pieces.collect::<String>().replace("[/USER]", "")
}
