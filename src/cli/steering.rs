//! What the verbs `deliveries` and `inbound` have in common: a list that can be narrowed, one entry,
//! another try, a drop, all through the control API of the running service, which owns the database;
//! and how values are shown to people.

use serde_json::Value;

use crate::base::percent;
use crate::cli::Invocation;
use crate::cli::complain;
use crate::cli::control_client::perform;

/// What a list can be narrowed by, and its names in the API.
const NARROWING: [(&str, &str); 3] =
    [("--state=", "state"), ("--agent=", "agent"), ("--limit=", "limit")];

/// One of the two verbs.
pub(in crate::cli) struct Steered {
    /// Where its list is.
    pub path: &'static str,
    /// What to type.
    pub usage: &'static str,
    /// A list for people.
    pub table: fn(&Value) -> String,
    /// One entry for people.
    pub one: fn(&Value) -> String,
}

/// Carries a verb out.
pub(in crate::cli) fn run(invocation: &Invocation, steered: &Steered) -> u8 {
    let words: Vec<&str> = invocation.words.iter().map(String::as_str).collect();
    let lists = matches!(words.as_slice(), [] | ["list"]);
    let narrowing = NARROWING.iter().map(|(flag, _)| *flag).filter(|_| lists);
    let flags: Vec<&str> = narrowing.chain(["--json"]).collect();
    if let Some(code) = invocation.refuse_beyond(&flags, 2) {
        return code;
    }
    let path = steered.path;
    let (method, path) = match words.as_slice() {
        [] | ["list"] => ("GET", format!("{path}{}", query(invocation))),
        ["show", id] => ("GET", format!("{path}/{}", percent::encode(id))),
        [action @ ("retry" | "drop"), id] => {
            ("POST", format!("{path}/{}/{action}", percent::encode(id)))
        }
        _ => return complain(steered.usage),
    };
    let readable = if lists { steered.table } else { steered.one };
    perform(invocation, method, &path, None, readable)
}

fn query(invocation: &Invocation) -> String {
    let mut query = String::new();
    for (flag, name) in NARROWING {
        if let Some(value) = invocation.value(flag) {
            let joint = if query.is_empty() { '?' } else { '&' };
            query.push_str(&format!("{joint}{name}={}", percent::encode(value)));
        }
    }
    query
}

/// A value as people read it: nothing for null, texts without their quotes.
pub(in crate::cli) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time to the second.
pub(in crate::cli) fn time(value: &Value) -> String {
    text(value).chars().take(19).collect()
}

/// The entries of a list.
pub(in crate::cli) fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

/// `agent/dialog`; the agent alone where there is no dialog.
pub(in crate::cli) fn place(entry: &Value) -> String {
    match text(&entry["dialog"]) {
        dialog if dialog.is_empty() => text(&entry["agent"]),
        dialog => format!("{}/{dialog}", text(&entry["agent"])),
    }
}

/// Code and message of what failed last.
pub(in crate::cli) fn failure(entry: &Value) -> String {
    let failure = &entry["failure"];
    if failure.is_null() {
        return String::new();
    }
    format!("{}: {}", text(&failure["code"]), text(&failure["message"]))
}

/// A table of the entries of a list: which key has them, which time says since when each is there,
/// whether its place is where it goes `TO` or where it is `FROM`, and which key has its id.
pub(in crate::cli) fn table(body: &Value, key: &str, since: &str, way: &str, id: &str) -> String {
    let row = |cells: [&str; 6]| {
        let [state, since, tries, place, id, reason] = cells;
        let line = format!("{state:<11} {since:<19} {tries:>5}  {place:<24} {id:<20} {reason}");
        format!("{}\n", line.trim_end())
    };
    let title = format!("{} (UTC)", since.trim_end_matches("_at").to_uppercase());
    let mut table = row(["STATE", &title, "TRIES", way, "ID", "REASON"]);
    for entry in list(body, key) {
        table.push_str(&row([
            &text(&entry["state"]),
            &time(&entry[since]),
            &text(&entry["attempts"]),
            &place(entry),
            &text(&entry[id]),
            &failure(entry),
        ]));
    }
    if !body["next"].is_null() {
        table.push_str(
            "There are older ones; --limit shows up to 200, --state and --agent fewer.\n",
        );
    }
    table
}

/// Lines of a name and a value; what has no value is left out.
#[derive(Default)]
pub(in crate::cli) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.push_str(&format!("{name:<10} {}\n", value.trim_end()));
        }
    }

    /// All of them.
    pub fn into_text(self) -> String {
        self.0
    }
}
