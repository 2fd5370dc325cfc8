//! `agents`: lists agents, creates one, prints a consent link, takes a webhook, pauses, resumes or forgets
//! one, and tells or changes who may talk with one. Everything goes through the control API of the running service, which owns the database.

use std::io::Read;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::base::percent;
use crate::cli::Invocation;
use crate::cli::complain;
use crate::cli::control_client::perform;
use crate::limits;

/// Flags that change a rule, and the field that each changes.
const RULE: [(&str, &str); 2] =
    [("--departments=", "departments"), ("--denied=", "departments_denied")];

/// Flag that lets a webhook of another account replace the one that an agent has.
const REPLACE: &str = "--replace";

/// The value that takes back what an agent has of its own.
const DEFAULT: &str = "default";

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    let words: Vec<&str> = invocation.words.iter().map(String::as_str).collect();
    let verb = words.first().copied().unwrap_or("list");
    let own: Vec<&str> = match verb {
        "rule" => RULE.iter().map(|(flag, _)| *flag).collect(),
        "webhook" => vec![REPLACE],
        _ => Vec::new(),
    };
    let flags: Vec<&str> = own.into_iter().chain(["--json"]).collect();
    if let Some(code) = invocation.refuse_beyond(&flags, if verb == "acl" { 3 } else { 2 }) {
        return code;
    }
    let (method, path, body) = match words.as_slice() {
        [] | ["list"] => ("GET", "/v1/agents".to_owned(), None),
        ["add", name] => ("POST", "/v1/agents".to_owned(), Some(json!({ "name": name }))),
        ["consent", name] => ("POST", format!("{}/consent", path_of(name)), None),
        ["webhook", name] => match address() {
            Ok(url) => {
                let body = json!({ "url": url, "replace": invocation.has(REPLACE) });
                ("PUT", format!("{}/webhook", path_of(name)), Some(body))
            }
            Err(code) => return code,
        },
        ["pause", name] => ("PATCH", path_of(name), Some(json!({ "paused": true }))),
        ["resume", name] => ("PATCH", path_of(name), Some(json!({ "paused": false }))),
        ["forget", name] => ("DELETE", path_of(name), None),
        ["acl", name, who] => ("GET", acl_path(name, who), None),
        ["rule", name] => {
            let change = change(invocation);
            (if change.is_some() { "PATCH" } else { "GET" }, path_of(name), change)
        }
        _ => {
            return complain(
                "usage: agents [list | {add | consent | pause | resume | forget} NAME | webhook NAME \
                 [--replace] | acl NAME WHO | rule NAME [--departments own|all|IDS|default] [--denied IDS|default]] \
                 [--json]; WHO is the number of a person, or chat34 for a group",
            );
        }
    };
    perform(invocation, method, &path, body.as_ref(), |body| readable(verb, body))
}

/// The webhook's address, from stdin: on a command line other users of the machine would see it.
fn address() -> Result<String, u8> {
    let mut line = String::new();
    let most = u64::try_from(limits::HTTP_SMALL_BODY_BYTES_MAX / 2).unwrap_or(u64::MAX);
    match std::io::stdin().take(most).read_to_string(&mut line) {
        Ok(_) => Ok(line.trim().to_owned()),
        Err(why) => Err(complain(&format!("stdin: {why}; give the webhook's address there"))),
    }
}

fn path_of(name: &str) -> String {
    format!("/v1/agents/{}", percent::encode(name))
}

fn acl_path(name: &str, who: &str) -> String {
    format!("/v1/acl?agent={}&dialog={}", percent::encode(name), percent::encode(who))
}

/// What the flags change of a rule, if anything.
fn change(invocation: &Invocation) -> Option<Value> {
    let given = RULE.iter().filter_map(|(flag, field)| Some((*field, invocation.value(flag)?)));
    let change: Map<String, Value> = given
        .map(|(field, value)| {
            (field.to_owned(), if value == DEFAULT { Value::Null } else { json!(value) })
        })
        .collect();
    (!change.is_empty()).then_some(Value::Object(change))
}

/// A rule in one line, and where its parts come from.
fn rule(body: &Value) -> String {
    let rule = &body["rule"];
    let part = |key: &str, own: &str| {
        let value = rule[key].as_str().unwrap_or_default();
        let from = if rule[own] == json!(true) { "its own" } else { "as the settings say" };
        format!("{} ({from})", if value.is_empty() { "none" } else { value })
    };
    let name = body["name"].as_str().unwrap_or_default();
    format!(
        "{name}: departments {}, denied {}\n",
        part("departments", "own"),
        part("departments_denied", "own_denied")
    )
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
        "pause" | "resume" => {
            format!("{} is {}\n", text(body, "name"), text(body, "state"))
        }
        "webhook" => format!("{} works as {}\n", text(body, "name"), text(body, "user_name")),
        "forget" => format!(
            "{} is forgotten. If BITRIX24_AGENTS names it, take it out there: else it is created \
             anew at the next start.\n",
            text(body, "name")
        ),
        "rule" => rule(body),
        "acl" => {
            let allowed = if body["allowed"] == json!(true) { "allowed" } else { "refused" };
            format!("{allowed} ({}): {}\n", text(body, "because"), text(body, "explanation"))
        }
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
