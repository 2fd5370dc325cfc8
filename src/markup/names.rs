//! Whom `@Full Name` in a text means: the one member of the dialog who bears that name, or everyone
//! (b24: messenger R27). Compares names after collapsing white space and lower-casing; the longest
//! name wins, and a name that two people bear means nobody. Pure; called by `parse`, and
//! [`may_mention`] by whoever has to fetch the members first.

use crate::limits;
use crate::markup::Mentions;
use crate::markup::defang::ZWSP;
use crate::markup::line::Run;
use crate::markup::line::Style;

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
        Names { rows }
    }

    /// The runs of a line with its `@Name`s made mentions.
    pub(super) fn resolve(&self, runs: Vec<Run>) -> Vec<Run> {
        let mut out = Vec::with_capacity(runs.len());
        for (number, run) in runs.iter().enumerate() {
            if run.code || run.in_link || !run.text.contains('@') {
                out.push(run.clone());
                continue;
            }
            // Styles are no borders of words. Code is one, by the back-ticks around it.
            let prose = |run: &&Run| !run.code;
            let before = runs[..number].last().filter(prose);
            let after = runs.get(number + 1).filter(prose);
            let before = before.and_then(|run| run.text.chars().next_back());
            let after = after.and_then(|run| run.text.chars().next());
            self.split(run, before, after, &mut out);
        }
        out
    }

    fn split(&self, run: &Run, before: Option<char>, after: Option<char>, out: &mut Vec<Run>) {
        let text = run.text.as_str();
        let mut written = 0;
        let mut from = 0;
        while let Some(at) = text[from..].find('@').map(|at| from + at) {
            from = at + 1;
            if is_word(text[..at].chars().next_back().or(before)) {
                continue;
            }
            let Some((length, whom)) = self.longest(&text[from..], after) else { continue };
            out.push(Run { text: text[written..at].to_owned(), ..run.clone() });
            let mut styles = run.styles.clone();
            styles.push(Style::Mention(whom.user));
            out.push(Run { text: whom.shown.clone(), styles, ..run.clone() });
            from += length;
            written = from;
        }
        out.push(Run { text: text[written..].to_owned(), ..run.clone() });
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
