//! Whom `@Full Name` in a text means: the one member of the dialog who bears that name, or everyone
//! (b24: messenger R27). Compares names after collapsing white space and lower-casing; the longest
//! name wins, and a name that two people bear means nobody. Pure; called by `parse`, and
//! [`may_mention`] by whoever has to fetch the members first.

use crate::limits;
use crate::markup::Mentions;
use crate::markup::defang::ZWSP;
use crate::markup::line::Inline;
use crate::markup::line::Run;
use crate::markup::line::Style;
use crate::markup::line::Styles;

/// What everyone is called.
const EVERYONE: &str = "all";

/// Whether a Markdown text may hold an `@Name`. Cheap, and never a false no: the parser may still
/// make something else of the `@`, or of what is next to it.
pub fn may_mention(text: &str) -> bool {
    let mut before = None;
    text.chars().any(|c| {
        let begins = c == '@' && !is_word(before);
        before = Some(c);
        begins
    }) || text.contains("&#")
        || text.contains("&commat;")
}

/// The names that mean somebody, by which one can look up the longest that a text begins with.
pub(super) struct Names {
    /// Sorted by name.
    rows: Vec<Row>,
}

struct Row {
    /// As it is compared.
    name: Vec<char>,
    /// `None` when nobody is meant by it.
    whom: Option<Whom>,
}

struct Whom {
    /// `None` for everyone.
    user: Option<i64>,
    shown: String,
}

impl Names {
    pub(super) fn new(mentions: &Mentions) -> Names {
        if mentions.members.is_empty() && !mentions.all {
            return Names { rows: Vec::new() };
        }
        let mut rows: Vec<Row> = Vec::with_capacity(mentions.members.len() + 1);
        for member in &mentions.members {
            let shown = collapsed(&member.name);
            let name: Vec<char> = shown.chars().flat_map(char::to_lowercase).collect();
            let is_name = !name.is_empty() && name.len() <= limits::MARKUP_NAME_CHARS_MAX;
            if is_name && member.id > 0 && name.iter().copied().ne(EVERYONE.chars()) {
                rows.push(Row { name, whom: Some(Whom { user: Some(member.id), shown }) });
            }
        }
        let everyone = Whom { user: None, shown: EVERYONE.to_owned() };
        let whom = mentions.all.then_some(everyone);
        rows.push(Row { name: EVERYONE.chars().collect(), whom });
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows.dedup_by(|next, first| {
            let user = |row: &Row| row.whom.as_ref().map(|whom| whom.user);
            let same = next.name == first.name;
            if same && user(next) != user(first) {
                first.whom = None;
            }
            same
        });
        // Nobody can be meant.
        if rows.iter().all(|row| row.whom.is_none()) {
            rows.clear();
        }
        Names { rows }
    }

    /// Makes mentions of the `@Name`s of a line.
    pub(super) fn resolve(&self, inline: &mut Inline, styles: &mut Styles) {
        if self.rows.is_empty() || !inline.runs.iter().any(|run| inline.text_of(run).contains('@'))
        {
            return;
        }
        inline.split_runs(|text, runs, number, pieces| {
            let run = runs[number];
            if !run.is_open() || !text[run.range()].contains('@') {
                return pieces.push(run);
            }
            // Styles are no borders of words. Code is one, by the back-ticks around it.
            let prose = |run: &&Run| !run.code;
            let before = runs[..number].last().filter(prose);
            let after = runs.get(number + 1).filter(prose);
            let before = before.and_then(|run| text[run.range()].chars().next_back());
            let after = after.and_then(|run| text[run.range()].chars().next());
            let mut from = run.from;
            let mut next = run.from;
            while let Some(at) = text[next..run.to].find('@').map(|at| next + at) {
                next = at + 1;
                if is_word(text[run.from..at].chars().next_back().or(before)) {
                    continue;
                }
                let Some((length, whom)) = self.longest(&text[next..run.to], after) else {
                    continue;
                };
                pieces.push(Run { from, to: at, ..run });
                let style = styles.with(run.style, Style::Mention(whom.user));
                let shown = text.len();
                text.push_str(&whom.shown);
                pieces.push(Run { from: shown, to: text.len(), style, ..run });
                next += length;
                from = next;
            }
            pieces.push(Run { from, ..run });
        });
    }

    /// Who is meant by the longest name that a text begins with and that ends where a word ends;
    /// and how long the name is there.
    fn longest(&self, text: &str, after: Option<char>) -> Option<(usize, &Whom)> {
        // The rows that agree with what was read so far; the shortest of them stands first.
        let mut rows = self.rows.as_slice();
        let mut read = 0;
        let mut blank = false;
        let mut best = None;
        for (at, c) in text.char_indices() {
            let was_blank = std::mem::replace(&mut blank, c.is_whitespace());
            if blank && was_blank {
                continue;
            }
            for c in if blank { ' ' } else { c }.to_lowercase() {
                let first = rows.partition_point(|row| row.name.get(read) < Some(&c));
                let end = rows.partition_point(|row| row.name.get(read) <= Some(&c));
                rows = &rows[first..end];
                read += 1;
            }
            let Some(row) = rows.first() else { break };
            let end = at + c.len_utf8();
            if row.name.len() == read && !is_word(text[end..].chars().next().or(after)) {
                best = Some((end, row));
            }
        }
        let (end, row) = best?;
        // Two may bear the longest name; who bears a part of it is not meant then either.
        Some((end, row.whom.as_ref()?))
    }
}

/// A name in one line, as it is shown.
fn collapsed(name: &str) -> String {
    let visible = |c: &char| *c != ZWSP && (c.is_whitespace() || !c.is_control());
    let name: String = name.chars().filter(visible).collect();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}
