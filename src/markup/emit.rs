//! Writes styled lines as BB-code: tags opened and closed in proper nesting, closed at the end of
//! every line. Only these tags are ever written: b i u s url user code.

use crate::markup::Format;
use crate::markup::defang;
use crate::markup::defang::ZWSP;
use crate::markup::line::Kind;
use crate::markup::line::Line;
use crate::markup::line::Run;
use crate::markup::line::Style;
use crate::markup::links;

/// Around a block of code.
pub(super) const CODE_OPEN: &str = "[code]";
/// See [`CODE_OPEN`].
pub(super) const CODE_CLOSE: &str = "[/code]";

/// One line, without the tags of a code block around it.
pub(super) fn line(line: &Line) -> String {
    let mut out = line.prefix.clone();
    match line.kind {
        Kind::Blank => {}
        Kind::Raw => line.runs.iter().for_each(|run| out.push_str(&run.text)),
        Kind::Code => line.runs.iter().for_each(|run| defang::code_block(&run.text, &mut out)),
        Kind::Text => runs(&line.runs, &mut out),
    }
    // Blanks at the end of a line are invisible and cost length.
    if line.kind == Kind::Text {
        out.truncate(out.trim_end_matches([' ', '\t']).len());
    }
    out
}

fn runs(runs: &[Run], out: &mut String) {
    let mut open: Vec<&Style> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let own_address = is_own_address(run, runs.get(number + 1));
        // A link that shows its own address is written without naming it twice.
        let styles = &run.styles[..run.styles.len() - usize::from(own_address)];
        let common = open.iter().zip(styles).take_while(|(a, b)| **a == *b).count();
        while open.len() > common {
            close(open.pop(), out);
        }
        for style in &styles[common..] {
            open_tag(style, out);
            open.push(style);
        }
        let linked = styles.iter().any(|style| matches!(style, Style::Link(_)));
        if own_address {
            if let Some(Style::Link(address)) = run.styles.last() {
                out.push_str(&format!("[url]{address}[/url]"));
            }
        } else if run.code {
            out.push('`');
            defang::code_span(&run.text, out);
            out.push('`');
        } else {
            // Inside a link of ours the server makes no other.
            let (before, after) = seen(runs, number);
            let (before, after) = (before.as_str(), after.as_str());
            let place = defang::Place { line_start: number == 0, linked, before, after };
            defang::prose(&run.text, place, out);
        }
    }
    while !open.is_empty() {
        close(open.pop(), out);
    }
}

/// The text before and behind a run, as far as nothing but a mention's tags stands between: the
/// portal may take those away, and what is left must not join to something that acts.
fn seen(runs: &[Run], number: usize) -> (String, String) {
    let apart = |one: &Run, other: &Run| {
        let styles = |run: &Run| -> Vec<Style> {
            let others = run.styles.iter().filter(|style| !matches!(style, Style::Mention(_)));
            others.cloned().collect()
        };
        one.code || other.code || styles(one) != styles(other)
    };
    let mut after = String::new();
    for pair in runs[number..].windows(2) {
        let room = defang::SEEN_CHARS.saturating_sub(after.chars().count());
        if room == 0 || apart(&pair[0], &pair[1]) {
            break;
        }
        after.extend(pair[1].text.chars().take(room));
    }
    let mut before = Vec::new();
    for pair in runs[..=number].windows(2).rev() {
        let room = defang::SEEN_CHARS.saturating_sub(before.len());
        if room == 0 || apart(&pair[0], &pair[1]) {
            break;
        }
        before.extend(pair[0].text.chars().rev().take(room));
    }
    (before.into_iter().rev().collect(), after)
}

/// Whether a run is the whole text of a link, and shows nothing but where it leads.
fn is_own_address(run: &Run, next: Option<&Run>) -> bool {
    let Some(link @ Style::Link(address)) = run.styles.last() else { return false };
    let goes_on = next.is_some_and(|next| next.styles.contains(link));
    !run.code && !goes_on && links::escaped(&run.text) == *address
}

fn open_tag(style: &Style, out: &mut String) {
    match style {
        Style::Bold => out.push_str("[b]"),
        Style::Italic => out.push_str("[i]"),
        Style::Underline => out.push_str("[u]"),
        Style::Strike => out.push_str("[s]"),
        Style::Link(address) => {
            out.push_str("[url=");
            out.push_str(address);
            out.push(']');
        }
        Style::Mention(Some(user)) => out.push_str(&format!("[USER={user}]")),
        Style::Mention(None) => out.push_str("[USER=all]"),
    }
}

fn close(style: Option<&Style>, out: &mut String) {
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
        return trimmed.to_owned();
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
