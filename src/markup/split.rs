//! Cuts lines into parts that the portal takes whole: at block borders where that leaves a part
//! reasonably full, else at lines, else at sentences, else at words, else anywhere. Because every
//! line closes its own tags, any line border is a valid cut; code is closed and opened again.

use crate::limits;
use crate::markup::emit;
use crate::markup::line::Kind;
use crate::markup::line::Line;
use crate::markup::line::Run;

/// A line with its text and length in code points.
struct Written {
    kind: Kind,
    text: String,
    chars: usize,
}

/// The texts of the parts.
pub(super) fn parts(lines: Vec<Line>) -> Vec<String> {
    let written: Vec<Written> =
        lines.into_iter().flat_map(short).map(|line| written(&line)).collect();
    let most = limits::MARKUP_PART_CHARS_MAX;
    let mut parts = Vec::new();
    let mut start = 0;
    while start < written.len() {
        let mut end = start;
        let mut chars = 0;
        let mut border = None;
        while end < written.len() {
            // Each line costs itself, its line end, and the tags of a code block at worst.
            let cost = written[end].chars + 1 + CODE_TAGS_CHARS;
            if chars + cost > most && end > start {
                break;
            }
            if written[end].kind == Kind::Blank && chars >= most / 2 {
                border = Some(end);
            }
            chars += cost;
            end += 1;
        }
        if end < written.len()
            && let Some(border) = border
        {
            end = border;
        }
        parts.push(join(&written[start..end]));
        start = end;
        // The border itself belongs to neither part.
        while start < written.len() && written[start].kind == Kind::Blank {
            start += 1;
        }
    }
    parts
}

/// Characters of the tags around a block of code.
const CODE_TAGS_CHARS: usize = emit::CODE_OPEN.len() + emit::CODE_CLOSE.len();

fn written(line: &Line) -> Written {
    let text = emit::line(line);
    Written { kind: line.kind, chars: text.chars().count(), text }
}

fn join(lines: &[Written]) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for (number, line) in lines.iter().enumerate() {
        let is_code = line.kind == Kind::Code;
        if in_code && !is_code {
            out.push_str(emit::CODE_CLOSE);
        }
        if number > 0 {
            out.push('\n');
        }
        if is_code && !in_code {
            out.push_str(emit::CODE_OPEN);
        }
        out.push_str(&line.text);
        in_code = is_code;
    }
    if in_code {
        out.push_str(emit::CODE_CLOSE);
    }
    out
}

/// A line as lines that fit a part each. How much tags and making inert add is known only when it
/// is written, so a line that is still too long is cut finer; one character always fits.
fn short(line: Line) -> Vec<Line> {
    let fits = |line: &Line| {
        emit::line(line).chars().count() + CODE_TAGS_CHARS < limits::MARKUP_PART_CHARS_MAX
    };
    let mut most = limits::MARKUP_LINE_CHARS_MAX;
    loop {
        let lines = cut_line(&line, most);
        if most == 1 || lines.iter().all(fits) {
            return lines;
        }
        most = (most / 2).max(1);
    }
}

/// A line as lines of at most `most` characters of its text each.
fn cut_line(line: &Line, most: usize) -> Vec<Line> {
    let chars: usize = line.runs.iter().map(|run| run.text.chars().count()).sum();
    if chars <= most {
        return vec![line.clone()];
    }
    let piece = |runs| Line { runs, kind: line.kind, prefix: line.prefix.clone() };
    let mut lines = Vec::new();
    let mut current = Vec::new();
    let mut room = most;
    for run in &line.runs {
        let mut rest = run.text.as_str();
        while !rest.is_empty() {
            let cut = cut(rest, room);
            let taken = &rest[..cut];
            rest = &rest[cut..];
            current.push(Run { text: taken.to_owned(), ..run.clone() });
            room = room.saturating_sub(taken.chars().count());
            if !rest.is_empty() || room == 0 {
                lines.push(piece(std::mem::take(&mut current)));
                room = most;
                if line.kind != Kind::Code {
                    rest = rest.trim_start_matches(' ');
                }
            }
        }
    }
    if !current.is_empty() {
        lines.push(piece(current));
    }
    lines
}

/// Where to cut a text so that at most `room` characters stay: in bytes, at least one character.
fn cut(text: &str, room: usize) -> usize {
    let room = room.max(1);
    let Some((end, _)) = text.char_indices().nth(room) else { return text.len() };
    let head = &text[..end];
    let sentence = [". ", "! ", "? ", "… ", "; "]
        .iter()
        .filter_map(|mark| head.rfind(mark).map(|at| at + mark.len()))
        .max()
        .filter(|at| *at > end / 2);
    let word = head.rfind(' ').map(|at| at + 1).filter(|at| *at > end / 2);
    sentence.or(word).unwrap_or(end)
}
