//! `deliveries`: lists deliveries, shows one with all that was tried, tries one again, drops one.
//! Everything goes through the control API of the running service, which owns the database and never
//! shows what a delivery says.

use serde_json::Value;

use crate::base::percent;
use crate::cli::Invocation;
use crate::cli::complain;
use crate::cli::control_client::perform;

const USAGE: &str = "usage: deliveries [--state S] [--agent A] [--limit N] [--json], or deliveries \
                     {show | retry | drop} ID [--json]";
/// What a list can be narrowed by; the API has the same names.
const NARROWING: [&str; 3] = ["state", "agent", "limit"];

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    let words: Vec<&str> = invocation.words.iter().map(String::as_str).collect();
    let lists = matches!(words.as_slice(), [] | ["list"]);
    let flags = invocation.flags.iter().map(String::as_str);
    let narrows =
        |flag: &&str| NARROWING.iter().any(|name| flag.starts_with(&format!("--{name}=")));
    let known: Vec<&str> =
        flags.filter(|flag| *flag == "--json" || (lists && narrows(flag))).collect();
    if let Some(code) = invocation.refuse_beyond(&known, 2) {
        return code;
    }
    let (method, path) = match words.as_slice() {
        [] | ["list"] => ("GET", format!("/v1/deliveries{}", query(invocation))),
        ["show", id] => ("GET", format!("/v1/deliveries/{}", percent::encode(id))),
        [action @ ("retry" | "drop"), id] => {
            ("POST", format!("/v1/deliveries/{}/{action}", percent::encode(id)))
        }
        _ => return complain(USAGE),
    };
    perform(invocation, method, &path, None, |body| if lists { table(body) } else { one(body) })
}

fn query(invocation: &Invocation) -> String {
    let mut query = String::new();
    for name in NARROWING {
        if let Some(value) = invocation.value(&format!("--{name}")) {
            let joint = if query.is_empty() { '?' } else { '&' };
            query.push_str(&format!("{joint}{name}={}", percent::encode(value)));
        }
    }
    query
}

/// A value as people read it: nothing for null, texts without their quotes.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time to the second.
fn time(value: &Value) -> String {
    text(value).chars().take(19).collect()
}

fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

fn failure(delivery: &Value) -> String {
    let failure = &delivery["failure"];
    if failure.is_null() {
        return String::new();
    }
    format!("{}: {}", text(&failure["code"]), text(&failure["message"]))
}

fn table(body: &Value) -> String {
    let row = |cells: [&str; 6]| {
        let [state, accepted, tries, target, id, reason] = cells;
        let line = format!("{state:<10} {accepted:<19} {tries:>5}  {target:<24} {id:<20} {reason}");
        format!("{}\n", line.trim_end())
    };
    let mut table = row(["STATE", "ACCEPTED (UTC)", "TRIES", "TO", "ID", "REASON"]);
    for delivery in list(body, "deliveries") {
        table.push_str(&row([
            &text(&delivery["state"]),
            &time(&delivery["accepted_at"]),
            &text(&delivery["attempts"]),
            &format!("{}/{}", text(&delivery["agent"]), text(&delivery["dialog"])),
            &text(&delivery["delivery_id"]),
            &failure(delivery),
        ]));
    }
    if !body["next"].is_null() {
        table.push_str(
            "There are older ones; --limit shows up to 200, --state and --agent fewer.\n",
        );
    }
    table
}

fn one(body: &Value) -> String {
    let mut told = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            told.push_str(&format!("{name:<10} {}\n", value.trim_end()));
        }
    };
    line("id", text(&body["delivery_id"]));
    line("state", text(&body["state"]));
    line("operation", text(&body["operation"]));
    line("to", format!("{}/{}", text(&body["agent"]), text(&body["dialog"])));
    for name in ["accepted", "retried", "due", "finished"] {
        line(name, time(&body[&format!("{name}_at")]));
    }
    line("failure", failure(body));
    for warning in list(body, "warnings") {
        line("warning", text(warning));
    }
    for (number, step) in list(body, "steps").iter().enumerate() {
        let done = if step["done"] == true { "done" } else { "open" };
        let message = match text(&step["message_id"]) {
            id if id.is_empty() => id,
            id => format!("message {id}"),
        };
        line(&format!("step {number}"), format!("{:<9} {done} {message}", text(&step["kind"])));
    }
    for file in list(body, "files") {
        let bytes = match text(&file["bytes"]) {
            bytes if bytes.is_empty() => "not fetched".to_owned(),
            bytes => format!("{bytes} bytes"),
        };
        let uploaded = if file["uploaded"] == true { ", uploaded" } else { "" };
        line("file", format!("{} ({bytes}{uploaded})", text(&file["name"])));
    }
    line("tries", text(&body["attempts"]));
    for attempt in list(body, "history") {
        let words = ["class", "code"].map(|name| text(&attempt[name]));
        let told = format!("step {} effect {}", text(&attempt["step"]), text(&attempt["effect"]));
        line("", format!("{} {told} {}", time(&attempt["started_at"]), words.join(" ").trim()));
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_list_and_one_delivery_are_readable() {
        let failure = json!({ "code": "unavailable", "message": "the portal did not answer" });
        let mut delivery = json!({
            "delivery_id": "d 1", "agent": "helper", "dialog": "chat7", "operation": "send",
            "state": "parked", "attempts": 2, "accepted_at": "2026-11-24T22:56:01.000Z",
            "finished_at": null, "due_at": null, "failure": failure,
        });
        let table = super::table(&json!({ "deliveries": [delivery], "next": 5 }));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        let columns: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(columns[..4], ["parked", "2026-11-24T22:56:01", "2", "helper/chat7"]);
        assert!(lines[1].ends_with("unavailable: the portal did not answer"), "{table}");
        delivery["steps"] = json!([{ "kind": "add", "done": true, "message_id": "70" }]);
        delivery["files"] = json!([{ "name": "a.png", "bytes": null, "uploaded": false }]);
        delivery["history"] = json!([{
            "step": 0, "started_at": "2026-11-24T22:56:02.000Z", "ended_at": null,
            "class": "transport", "code": "cut", "effect": "unknown",
        }]);
        let one = super::one(&delivery);
        for told in [
            "id         d 1\n",
            "to         helper/chat7\n",
            "step 0     add       done message 70\n",
            "file       a.png (not fetched)\n",
            "2026-11-24T22:56:02 step 0 effect unknown transport cut\n",
        ] {
            assert!(one.contains(told), "{told} is not in {one}");
        }
    }
}
