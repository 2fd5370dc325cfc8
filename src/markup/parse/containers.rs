//! What surrounds the line that is being read: quotes, lists, items, footnotes; and so what stands
//! before it (b24: messenger §16). As deep as the text nests them: `markup` reads no text as Markdown
//! that nests them deeper than a bound.

use std::fmt::Write;

use crate::limits;
use crate::markup::page::Prefix;
use crate::markup::parse::BULLETS;
use crate::markup::parse::INDENT;

/// Digits of footnote marks.
const SUPERSCRIPT: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// A container around what is being read.
pub(super) enum Container {
    Quote,
    /// Ordered lists carry the next number.
    List(Option<u64>),
    /// An item of a list, whose mark may still have to be written.
    Item(Option<Mark>),
    /// A footnote: what is around it is not shown, because it stands at the end of the text.
    Note(Option<Mark>),
}

/// What an item begins with.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Bullet,
    Number(u64),
    /// Of a task: whether it is done.
    Box(bool),
    /// A number of a footnote.
    Note(usize),
}

/// The containers, outermost first.
#[derive(Default)]
pub(super) struct Containers {
    stack: Vec<Container>,
    /// How many of them are items or footnotes.
    items: usize,
    prefix: Prefix,
    /// Whether the prefix has to be made anew.
    changed: bool,
}

impl Containers {
    pub(super) fn push(&mut self, container: Container) {
        self.items += usize::from(is_item(&container));
        self.stack.push(container);
        self.changed = true;
    }

    pub(super) fn pop(&mut self) {
        self.items -= usize::from(self.stack.pop().as_ref().is_some_and(is_item));
        self.changed = true;
    }

    pub(super) fn in_item(&self) -> bool {
        self.items > 0
    }

    /// The next item of the innermost list.
    pub(super) fn push_item(&mut self) {
        let mark = match self.stack.last_mut() {
            Some(Container::List(Some(number))) => {
                let mark = Mark::Number(*number);
                *number = number.saturating_add(1);
                mark
            }
            _ => Mark::Bullet,
        };
        self.push(Container::Item(Some(mark)));
    }

    /// Makes the innermost item a task. Whether a box has to be written beside its mark: a number
    /// is kept.
    pub(super) fn make_task(&mut self, done: bool) -> bool {
        self.changed = true;
        match self.stack.last_mut() {
            Some(Container::Item(Some(mark @ Mark::Bullet))) => {
                *mark = Mark::Box(done);
                false
            }
            _ => true,
        }
    }

    /// Whether the box of a task is still to be written.
    pub(super) fn has_box(&self) -> bool {
        matches!(self.stack.last(), Some(Container::Item(Some(Mark::Box(_)))))
    }

    /// Whether an item's mark is still to be written.
    pub(super) fn has_mark(&self) -> bool {
        matches!(self.stack.last(), Some(Container::Item(Some(_)) | Container::Note(Some(_))))
    }

    /// What stands before the next line.
    pub(super) fn prefix(&mut self) -> &Prefix {
        if self.changed {
            self.changed = false;
            self.make_prefix();
        }
        &self.prefix
    }

    /// A line was written, with the marks before it.
    pub(super) fn written(&mut self) {
        if self.prefix.first == self.prefix.next {
            return;
        }
        for container in self.stack.iter_mut().rev() {
            let (Container::Item(mark) | Container::Note(mark)) = container else { continue };
            // Those further out were written with one further in.
            if mark.take().is_none() {
                break;
            }
        }
        self.changed = true;
    }

    fn make_prefix(&mut self) {
        let Prefix { first, next, quoted } = &mut self.prefix;
        next.clear();
        let note = self.stack.iter().rposition(|one| matches!(one, Container::Note(_)));
        let inner = &self.stack[note.unwrap_or(0)..];
        let quotes = inner.iter().filter(|one| matches!(one, Container::Quote)).count();
        *quoted = quotes > 0;
        if *quoted {
            // Classic clients know one level only.
            next.push_str(">>");
            let bars = quotes.min(limits::MARKUP_DEPTH_MAX) - 1;
            next.extend(std::iter::repeat_n("│ ", bars));
        }
        first.clone_from(next);
        let mut lists = 0_usize;
        let mut marked = false;
        for container in inner {
            lists += usize::from(matches!(container, Container::List(_)));
            let depth = lists.min(limits::MARKUP_DEPTH_MAX);
            let (Container::Item(Some(mark)) | Container::Note(Some(mark))) = container else {
                continue;
            };
            if !marked {
                first.extend(std::iter::repeat_n(INDENT, depth.saturating_sub(1)));
            }
            marked = true;
            write_mark(*mark, lists, first);
        }
        let depth = lists.min(limits::MARKUP_DEPTH_MAX);
        next.extend(std::iter::repeat_n(INDENT, depth));
        if !marked {
            first.clone_from(next);
        }
    }
}

fn is_item(container: &Container) -> bool {
    matches!(container, Container::Item(_) | Container::Note(_))
}

fn write_mark(mark: Mark, depth: usize, out: &mut String) {
    match mark {
        Mark::Bullet => out.push_str(BULLETS[depth.saturating_sub(1).min(BULLETS.len() - 1)]),
        Mark::Number(number) => drop(write!(out, "{number}. ")),
        Mark::Box(done) => out.push_str(if done { "☑ " } else { "☐ " }),
        Mark::Note(number) => {
            write_note(number, out);
            out.push(' ');
        }
    }
}

/// A number of a footnote.
pub(super) fn write_note(number: usize, out: &mut String) {
    let digits = number.to_string();
    out.extend(digits.bytes().map(|digit| SUPERSCRIPT[usize::from(digit - b'0')]));
}
