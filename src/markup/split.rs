//! Puts the rows of a page together to messages that the portal takes whole: at block borders, but
//! not behind a title, where that leaves a message reasonably full, else between rows. Because every row closes its own tags,
//! any of them may begin a message; code is closed and opened again.

use crate::markup::emit;
use crate::markup::page::CODE_TAGS_CHARS;
use crate::markup::page::Kind;
use crate::markup::page::Page;
use crate::markup::page::Row;

/// The texts of the messages.
pub(super) fn parts(page: &Page) -> Vec<String> {
    let rows = page.rows.as_slice();
    let mut parts = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let end = start + fitting(page, &rows[start..]);
        parts.push(join(page, &rows[start..end]));
        start = end;
        // The border itself belongs to neither message.
        while start < rows.len() && rows[start].kind == Kind::Blank {
            start += 1;
        }
    }
    parts
}

/// How many rows the next message takes; at least one.
fn fitting(page: &Page, rows: &[Row]) -> usize {
    let most = page.most();
    if page.bytes_at_most(rows) <= most && !rows.iter().skip(1).any(|row| row.begins) {
        return rows.len();
    }
    let mut border = None;
    // Room for what the last rules add.
    let mut chars = 1;
    let mut in_code = false;
    for (at, row) in rows.iter().enumerate() {
        let is_code = row.kind == Kind::Code;
        let tags = if is_code && !in_code { CODE_TAGS_CHARS } else { 0 };
        let cost = page.text_of(row).chars().count() + 1 + tags;
        if at > 0 && row.begins {
            return at;
        }
        if at > 0 && chars + cost > most {
            return border.unwrap_or(at);
        }
        if row.kind == Kind::Blank && chars >= most / 2 && !rows[at - 1].title {
            border = Some(at);
        }
        chars += cost;
        in_code = is_code;
    }
    rows.len()
}

fn join(page: &Page, rows: &[Row]) -> String {
    let length = |row: &Row| page.text_of(row).len() + 1;
    let mut out = String::with_capacity(rows.iter().map(length).sum::<usize>() + CODE_TAGS_CHARS);
    let mut in_code = false;
    for (number, row) in rows.iter().enumerate() {
        let is_code = row.kind == Kind::Code;
        if in_code && !is_code {
            out.push_str(emit::CODE_CLOSE);
        }
        if number > 0 {
            out.push('\n');
        }
        if is_code && !in_code {
            out.push_str(emit::CODE_OPEN);
        }
        out.push_str(page.text_of(row));
        in_code = is_code;
    }
    if in_code {
        out.push_str(emit::CODE_CLOSE);
    }
    out
}
