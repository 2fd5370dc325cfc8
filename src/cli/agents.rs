//! `agents`: lists agents, creates one, prints a consent link. Everything goes through the control
//! API of the running service, which owns the database.

use serde_json::Value;
use serde_json::json;

use crate::cli::Invocation;
use crate::cli::complain;
use crate::cli::control_client::perform;

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&["--json"], 2) {
        return code;
    }
    let words: Vec<&str> = invocation.words.iter().map(String::as_str).collect();
    let (method, path, body) = match words.as_slice() {
        [] | ["list"] => ("GET", "/v1/agents".to_owned(), None),
        ["add", name] => ("POST", "/v1/agents".to_owned(), Some(json!({ "name": name }))),
        ["consent", name] => ("POST", format!("/v1/agents/{name}/consent"), None),
        _ => return complain("usage: agents [list | add NAME | consent NAME] [--json]"),
    };
    perform(invocation, method, &path, body.as_ref(), |body| {
        readable(words.first().copied().unwrap_or("list"), body)
    })
}

fn readable(verb: &str, body: &Value) -> String {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    match verb {
        "add" => format!(
            "{} created. Next: aihummer-bitrix24 agents consent {}\n",
            text(body, "name"),
            text(body, "name")
        ),
        "consent" => format!(
            "Open this link once, within 15 minutes, in a browser that is signed in to the portal \
             as the agent's own user:\n\n  {}\n",
            text(body, "link")
        ),
        _ => {
            let none = Vec::new();
            let agents = body["agents"].as_array().unwrap_or(&none);
            let mut table =
                format!("{:<20} {:<10} {:<24} {}\n", "NAME", "STATE", "PERSON", "REASON");
            for agent in agents {
                table.push_str(&format!(
                    "{:<20} {:<10} {:<24} {}\n",
                    text(agent, "name"),
                    text(agent, "state"),
                    text(agent, "user_name"),
                    text(agent, "reason")
                ));
            }
            table
        }
    }
}
