//! Styled lines: what a document is between parsing and writing. A run is a stretch of text with
//! one stack of styles; a line is runs behind a prefix. Knows neither Markdown nor BB-code.

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

/// A stretch of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Foreign text, not yet made inert.
    pub(super) text: String,
    pub(super) styles: Vec<Style>,
    /// Inline code: back-ticks around it, other rules of making inert.
    pub(super) code: bool,
    /// Inside of a link, whatever became of that: `@Name` is no mention there.
    pub(super) in_link: bool,
}

impl Run {
    /// Whether another run looks the same, so that both are one.
    pub(super) fn continued_by(&self, next: &Run) -> bool {
        !self.code && !next.code && self.styles == next.styles
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Prose behind a prefix of our own.
    Text,
    /// A line of a code block; neighbours form one block.
    Code,
    /// BB-code as it is.
    Raw,
    /// The border of two blocks.
    Blank,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    /// Quote marks, indentation and bullets of ours.
    pub(super) prefix: String,
    pub(super) runs: Vec<Run>,
}

impl Line {
    /// A line of prose.
    pub(super) fn text(prefix: String, runs: Vec<Run>) -> Line {
        Line { kind: Kind::Text, prefix, runs: merged(runs) }
    }

    /// A line without styles.
    pub(super) fn bare(kind: Kind, text: &str) -> Line {
        let run = Run { text: text.to_owned(), styles: Vec::new(), code: false, in_link: false };
        Line { kind, prefix: String::new(), runs: vec![run] }
    }

    /// The border of two blocks, inside this prefix.
    pub(super) fn blank(prefix: String) -> Line {
        Line { kind: Kind::Blank, prefix, runs: Vec::new() }
    }
}

/// Neighbouring runs of one style as one, so that what is made inert sees whole words.
fn merged(runs: Vec<Run>) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match merged.last_mut() {
            Some(last) if last.continued_by(&run) => {
                last.text.push_str(&run.text);
            }
            _ if run.text.is_empty() => {}
            _ => merged.push(run),
        }
    }
    merged
}
