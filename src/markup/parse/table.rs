//! Tables: a row becomes a line that reads without columns, because no client has a font of fixed
//! width (b24: messenger §16). Part of the machine of `parse`.

use crate::limits;
use crate::markup::line::Run;
use crate::markup::line::Stack;
use crate::markup::line::Style;
use crate::markup::parse::Machine;

/// A table being read. The text of its cells stands in the line that is being read.
#[derive(Default)]
pub(super) struct Table {
    head: Vec<Vec<Run>>,
    /// How much of the text belongs to the head.
    head_bytes: usize,
    row: Vec<Vec<Run>>,
    in_head: bool,
    /// Whether anything was shown of it.
    shown: bool,
}

impl Machine {
    pub(super) fn start_head(&mut self) {
        if let Some(table) = &mut self.table {
            table.in_head = true;
        }
    }

    pub(super) fn end_cell(&mut self) {
        let Some(table) = &mut self.table else { return };
        let cell = std::mem::take(&mut self.lines.inline.runs);
        let cells = if table.in_head { &mut table.head } else { &mut table.row };
        cells.push(cell);
        // What HTML left open ends with the cell.
        self.style = Stack::EMPTY;
        self.open.clear();
        self.links.clear();
    }

    /// Titles that are too long to be repeated are written once.
    pub(super) fn end_head(&mut self) {
        let Some(table) = &mut self.table else { return };
        table.in_head = false;
        table.head_bytes = self.lines.inline.text.len();
        let inline = &self.lines.inline;
        let chars = |cell: &[Run]| -> usize {
            cell.iter().map(|run| inline.text_of(run).chars().count()).sum()
        };
        if table.head.iter().any(|title| chars(title) > limits::MARKUP_TITLE_CHARS_MAX) {
            self.show_head();
        }
    }

    fn show_head(&mut self) {
        let Some(table) = &mut self.table else { return };
        for (column, title) in std::mem::take(&mut table.head).into_iter().enumerate() {
            if column > 0 {
                self.lines.inline.push("; ", Stack::EMPTY, false);
            }
            self.bold(title);
        }
        self.end_table_line();
        // Nobody needs it any more.
        self.lines.inline.clear();
        if let Some(table) = &mut self.table {
            table.head_bytes = 0;
        }
    }

    /// The first cell, then title and cell for each other one.
    pub(super) fn end_row(&mut self) {
        let Some(table) = &mut self.table else { return };
        let row = std::mem::take(&mut table.row);
        let head = std::mem::take(&mut table.head);
        let mut first = true;
        for (column, cell) in row.into_iter().enumerate() {
            let blank = cell.iter().all(|run| self.lines.inline.text_of(run).trim().is_empty());
            if blank {
                continue;
            }
            if column == 0 {
                self.bold(cell);
                continue;
            }
            let inline = &mut self.lines.inline;
            if !inline.runs.is_empty() {
                inline.push(if first { " — " } else { "; " }, Stack::EMPTY, false);
            }
            first = false;
            if let Some(title) = head.get(column).filter(|title| !title.is_empty()) {
                inline.runs.extend(title);
                inline.push(": ", Stack::EMPTY, false);
            }
            inline.runs.extend(cell);
        }
        if let Some(table) = &mut self.table {
            table.head = head;
        }
        self.end_table_line();
    }

    /// A table without rows is its titles.
    pub(super) fn end_table(&mut self) {
        if self.table.as_ref().is_some_and(|table| !table.shown) {
            self.show_head();
        }
        if self.table.take().is_some() {
            self.lines.clear();
        }
    }

    fn bold(&mut self, cell: Vec<Run>) {
        let mut known = Vec::new();
        for run in cell {
            let style = self.lines.styles.within(&Style::Bold, run.style, &mut known);
            self.lines.inline.runs.push(Run { style, ..run });
        }
    }

    fn end_table_line(&mut self) {
        let Some(table) = &mut self.table else { return };
        table.shown = true;
        if !self.lines.inline.is_blank() {
            self.lines.write(&self.names, self.containers.prefix());
            self.containers.written();
        }
        self.lines.inline.runs.clear();
        self.lines.inline.text.truncate(table.head_bytes);
    }
}
