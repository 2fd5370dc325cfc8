//! `deliveries`: lists deliveries, shows one with all that was tried, tries one again, drops one. What a
//! delivery says is never shown.

use serde_json::Value;

use crate::cli::Invocation;
use crate::cli::steering;
use crate::cli::steering::Lines;
use crate::cli::steering::Steered;
use crate::cli::steering::failure;
use crate::cli::steering::list;
use crate::cli::steering::place;
use crate::cli::steering::text;
use crate::cli::steering::time;

const DELIVERIES: Steered = Steered {
    path: "/v1/deliveries",
    usage: "usage: deliveries [--state S] [--agent A] [--limit N] [--json], or deliveries {show | retry | \
            drop} ID [--json]",
    table,
    one,
};

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    steering::run(invocation, &DELIVERIES)
}

fn table(body: &Value) -> String {
    steering::table(body, "deliveries", "accepted_at", "TO", "delivery_id")
}

fn one(body: &Value) -> String {
    let mut lines = Lines::default();
    let mut line = |name: &str, value: String| lines.add(name, &value);
    line("id", text(&body["delivery_id"]));
    line("state", text(&body["state"]));
    line("operation", text(&body["operation"]));
    line("to", place(body));
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
    lines.into_text()
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
