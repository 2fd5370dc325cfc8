//! A line between parsing and writing: stretches of one text, each with a stack of styles. Stacks
//! are nodes of a tree that is kept beside the text, so a run is a few numbers and to compare two of
//! them is to compare two. Knows neither Markdown nor BB-code.

use std::ops::Range;

/// How a run looks. The order in a stack is the order of nesting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Bold,
    Italic,
    Underline,
    Strike,
    /// A link to a checked address.
    Link(String),
    /// A mention of a user by id, or of everyone.
    Mention(Option<i64>),
}

impl Style {
    /// Whether two are the same kind, whatever they lead to.
    fn is_like(&self, other: &Style) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A stack of styles: its place among [`Styles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stack(usize);

impl Stack {
    /// No style.
    pub(super) const EMPTY: Stack = Stack(0);
}

/// All stacks of a block.
pub(super) struct Styles {
    /// The first one is the empty stack.
    nodes: Vec<Node>,
}

struct Node {
    /// `None` in the empty stack.
    top: Option<Style>,
    below: Stack,
    depth: usize,
    /// Those with one plain style more, so that each is there once.
    above: [Option<Stack>; 4],
}

const ROOT: Node = Node { top: None, below: Stack::EMPTY, depth: 0, above: [None; 4] };

impl Styles {
    pub(super) fn new() -> Styles {
        let mut nodes = Vec::with_capacity(8);
        nodes.push(ROOT);
        Styles { nodes }
    }

    /// Forgets all stacks but the empty one.
    pub(super) fn clear(&mut self) {
        if self.nodes.len() > 1 {
            self.nodes.truncate(1);
            self.nodes[0].above = [None; 4];
        }
    }

    /// A stack with one style more. Links and mentions are never the same one, even if they lead to
    /// the same place: two of them are two.
    pub(super) fn with(&mut self, stack: Stack, style: Style) -> Stack {
        let plain = match style {
            Style::Bold => Some(0),
            Style::Italic => Some(1),
            Style::Underline => Some(2),
            Style::Strike => Some(3),
            Style::Link(_) | Style::Mention(_) => None,
        };
        if let Some(known) = plain.and_then(|plain| self.nodes[stack.0].above[plain]) {
            return known;
        }
        let new = Stack(self.nodes.len());
        if let Some(plain) = plain {
            self.nodes[stack.0].above[plain] = Some(new);
        }
        let depth = self.nodes[stack.0].depth + 1;
        self.nodes.push(Node { top: Some(style), below: stack, depth, above: [None; 4] });
        new
    }

    /// A stack with a plain style at its bottom and nowhere else. `known` holds what became of others,
    /// so that what is one link stays one.
    pub(super) fn within(
        &mut self,
        style: &Style,
        stack: Stack,
        known: &mut Vec<(Stack, Stack)>,
    ) -> Stack {
        if let Some((_, new)) = known.iter().find(|(old, _)| *old == stack) {
            return *new;
        }
        let new = match self.nodes[stack.0].top.clone() {
            None => self.with(stack, style.clone()),
            Some(top) => {
                let below = self.within(style, self.below(stack), known);
                if top == *style { below } else { self.with(below, top) }
            }
        };
        known.push((stack, new));
        new
    }

    /// A stack without all that is the same style as the top of `without`, which is part of it.
    pub(super) fn without(&mut self, stack: Stack, without: Stack) -> Stack {
        if stack == without {
            return self.below(stack);
        }
        match self.nodes[stack.0].top.clone() {
            None => stack,
            Some(top) => {
                let below = self.without(self.below(stack), without);
                self.with(below, top)
            }
        }
    }

    #[inline]
    pub(super) fn top(&self, stack: Stack) -> Option<&Style> {
        self.nodes[stack.0].top.as_ref()
    }

    #[inline]
    pub(super) fn below(&self, stack: Stack) -> Stack {
        self.nodes[stack.0].below
    }

    pub(super) fn depth(&self, stack: Stack) -> usize {
        self.nodes[stack.0].depth
    }

    /// The part of a stack whose top is of this kind.
    pub(super) fn find(&self, stack: Stack, kind: &Style) -> Option<Stack> {
        let mut at = stack;
        while let Some(style) = self.top(at) {
            if style.is_like(kind) {
                return Some(at);
            }
            at = self.below(at);
        }
        None
    }

    /// Whether a stack stands on another one.
    pub(super) fn holds(&self, stack: Stack, part: Stack) -> bool {
        let mut at = stack;
        while self.depth(at) > self.depth(part) {
            at = self.below(at);
        }
        at == part
    }

    /// What two stacks have in common.
    pub(super) fn common(&self, one: Stack, other: Stack) -> Stack {
        let (mut one, mut other) = (one, other);
        while one != other {
            if self.depth(one) >= self.depth(other) {
                one = self.below(one);
            } else {
                other = self.below(other);
            }
        }
        one
    }

    #[inline]
    pub(super) fn is_link(&self, stack: Stack) -> bool {
        stack != Stack::EMPTY && self.find(stack, &Style::Link(String::new())).is_some()
    }

    #[inline]
    pub(super) fn is_mention(&self, stack: Stack) -> bool {
        stack != Stack::EMPTY && self.find(stack, &Style::Mention(None)).is_some()
    }
}

/// A stretch of text in one style.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) style: Stack,
    /// Inline code: back-ticks around it, other rules of making inert.
    pub(super) code: bool,
    /// Inside of a link, whatever became of that: `@Name` is no mention there.
    pub(super) in_link: bool,
}

impl Run {
    pub(super) fn range(&self) -> Range<usize> {
        self.from..self.to
    }

    /// Whether it is prose that may still become links and mentions.
    pub(super) fn is_open(&self) -> bool {
        !self.code && !self.in_link
    }
}

/// What stands in a line: runs of a text that is foreign and not yet made inert.
pub(super) struct Inline {
    pub(super) text: String,
    /// In the order in which they are shown; their text need not stand in that order.
    pub(super) runs: Vec<Run>,
}

impl Inline {
    /// With room for a usual line.
    pub(super) fn new() -> Inline {
        Inline { text: String::with_capacity(256), runs: Vec::with_capacity(16) }
    }

    /// Adds text at the end; what continues the last run becomes part of it, so that what is made
    /// inert sees whole words.
    pub(super) fn push(&mut self, text: &str, style: Stack, in_link: bool) {
        let from = self.text.len();
        self.text.push_str(text);
        match self.runs.last_mut() {
            Some(last)
                if last.to == from
                    && last.style == style
                    && last.in_link == in_link
                    && !last.code =>
            {
                last.to = self.text.len();
            }
            _ if text.is_empty() => {}
            _ => {
                self.runs.push(Run { from, to: self.text.len(), style, code: false, in_link });
            }
        }
    }

    /// Adds inline code.
    pub(super) fn push_code(&mut self, text: &str, style: Stack, in_link: bool) {
        let from = self.text.len();
        self.text.push_str(text);
        self.runs.push(Run { from, to: self.text.len(), style, code: true, in_link });
    }

    #[inline]
    pub(super) fn text_of(&self, run: &Run) -> &str {
        &self.text[run.range()]
    }

    pub(super) fn is_blank(&self) -> bool {
        let blank = |run: &Run| self.text_of(run).chars().all(char::is_whitespace);
        self.runs.iter().all(|run| !run.code && blank(run))
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.runs.clear();
    }

    /// Makes one of runs that only a link parted, of which nothing is left to be seen.
    pub(super) fn join(&mut self) {
        self.runs.dedup_by(|next, last| {
            let joins =
                !last.code && !next.code && last.style == next.style && last.to == next.from;
            if joins {
                last.to = next.to;
            }
            joins
        });
    }

    /// Puts what `split` makes of each run in its place. It may add to the text, and sees the runs
    /// and which of them it is asked for.
    pub(super) fn split_runs(
        &mut self,
        mut split: impl FnMut(&mut String, &[Run], usize, &mut Vec<Run>),
    ) {
        let whole = std::mem::take(&mut self.runs);
        let mut pieces = Vec::with_capacity(whole.len() + 4);
        for number in 0..whole.len() {
            split(&mut self.text, &whole, number, &mut pieces);
        }
        pieces.retain(|run: &Run| run.code || run.from < run.to);
        self.runs = pieces;
    }
}
