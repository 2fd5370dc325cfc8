//! `inbound`: lists messages on their way to the gateway, shows one with its text, tries one again that
//! the gateway refused, drops one; and the events that could not be read. What people wrote is printed
//! so that a terminal cannot take it for commands.

use serde_json::Value;

use crate::cli::Invocation;
use crate::cli::steering;
use crate::cli::steering::Lines;
use crate::cli::steering::Steered;
use crate::cli::steering::failure;
use crate::cli::steering::place;
use crate::cli::steering::text;
use crate::cli::steering::time;

const INBOUND: Steered = Steered {
    path: "/v1/inbound",
    usage: "usage: inbound [--state S] [--agent A] [--limit N] [--json], or inbound {show | retry | \
            drop} ID [--json]",
    table,
    one,
};

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    steering::run(invocation, &INBOUND)
}

fn table(body: &Value) -> String {
    steering::table(body, "inbound", "queued_at", "FROM", "id")
}

fn one(body: &Value) -> String {
    let mut lines = Lines::default();
    lines.add("id", &text(&body["id"]));
    lines.add("state", &text(&body["state"]));
    lines.add("from", &place(body));
    lines.add("message", &text(&body["message_id"]));
    lines.add("event", &text(&body["event_id"]));
    for name in ["sent", "queued", "due", "finished"] {
        lines.add(name, &time(&body[&format!("{name}_at")]));
    }
    lines.add("tries", &text(&body["attempts"]));
    lines.add("failure", &failure(body));
    let sender = ["id", "name"].map(|name| text(&body["sender"][name])).join(" ");
    lines.add("sender", harmless(&sender).trim());
    lines.add("reply to", &text(&body["reply_to"]));
    for name in ["text", "raw"] {
        // Its further lines stand under the first, so that none looks like one of ours.
        let shown = harmless(&text(&body[name]));
        let shown: Vec<&str> = shown.lines().collect();
        lines.add(name, &shown.join(&format!("\n{:11}", "")));
    }
    lines.into_text()
}

/// Without what moves a terminal's cursor, changes its colours or turns the reading direction.
fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c != '\n' && (c.is_control() || turns(c)) { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_list_and_one_message_are_readable() {
        let failure = json!({ "code": "http_422", "message": "the gateway answered 422" });
        let mut message = json!({
            "id": "7", "agent": "helper", "dialog": "chat7", "message_id": "70415",
            "state": "dead", "attempts": 2, "queued_at": "2026-11-24T22:56:01.000Z",
            "finished_at": null, "due_at": null, "failure": failure,
        });
        let event = json!({
            "id": "q7", "agent": "helper", "event_id": null, "state": "quarantined",
            "queued_at": "2026-11-24T22:56:01.000Z",
        });
        let table = super::table(&json!({ "inbound": [message, event], "next": null }));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        let columns: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(columns[..5], ["dead", "2026-11-24T22:56:01", "2", "helper/chat7", "7"]);
        assert!(lines[1].ends_with("http_422: the gateway answered 422"), "{table}");
        let columns: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(columns, ["quarantined", "2026-11-24T22:56:01", "helper", "q7"]);
        message["text"] = json!("one\ntwo");
        message["sender"] = json!({ "id": "12", "name": "Olaf Brandt" });
        let one = super::one(&message);
        for told in [
            "id         7\n",
            "from       helper/chat7\n",
            "message    70415\n",
            "sender     12 Olaf Brandt\n",
            "failure    http_422: the gateway answered 422\n",
            "text       one\n           two\n",
        ] {
            assert!(one.contains(told), "{told} is not in {one}");
        }
        assert!(!super::one(&event).contains("sender"), "an event has none that could be read");
    }

    #[test]
    fn nothing_that_a_person_wrote_steers_the_terminal() {
        let hostile = "a\x1b[2Jb\r\nstate      accepted\u{9b}31m\u{202e}c\x07";
        let sender = json!({ "id": "1", "name": "\x1b[0m" });
        let one = super::one(&json!({ "id": "1", "text": hostile, "sender": sender }));
        assert!(one.chars().all(|c| c == '\n' || !c.is_control()), "{one:?}");
        assert!(!one.contains('\u{202e}') && !one.lines().any(|line| line.starts_with("state")));
        assert!(one.contains("a\u{fffd}[2Jb\n           state      accepted"), "{one:?}");
    }
}
