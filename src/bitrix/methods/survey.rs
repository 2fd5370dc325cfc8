//! Which of the methods that this connector calls a portal has, asked in one request: the list of those
//! that matter with what is lost without each, and the call. For `agents::checkup`; a unit test holds
//! the names to those that are called.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::bitrix::client::Call;
use crate::bitrix::client::Lane;
use crate::bitrix::methods::HISTORY;
use crate::bitrix::methods::PUBLISH;
use crate::bitrix::methods::SEND;
use crate::bitrix::methods::SEND_FILE;
use crate::bitrix::methods::UPLOAD;
use crate::bitrix::methods::params;
use crate::bitrix::methods::people::ACCOUNTS;
use crate::bitrix::methods::people::DEPARTMENTS;

/// What is lost without a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The agent cannot hear or speak.
    Vital,
    /// This feature is left out, or done in the slower way that is named.
    Feature(&'static str),
}

/// How a portal has a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has it, and this identity may call it.
    Available,
    /// It has it; the identity lacks the scope.
    NotGranted,
    /// It does not have it.
    Missing,
}

/// Every method that is looked for.
pub const SURVEYED: &[(&str, Need)] = &[
    (SEND, Need::Vital),
    (HISTORY, Need::Vital),
    ("im.recent.get", Need::Vital),
    ("im.recent.list", Need::Vital),
    ("im.dialog.get", Need::Vital),
    (DEPARTMENTS, Need::Vital),
    (ACCOUNTS, Need::Vital),
    ("im.v2.Event.subscribe", Need::Feature("the event log; dialogs are read one by one instead")),
    ("im.v2.Event.get", Need::Feature("the event log; dialogs are read one by one instead")),
    ("im.message.update", Need::Feature("edits")),
    ("im.message.delete", Need::Feature("deletions")),
    ("im.message.like", Need::Feature("likes")),
    ("im.v2.Chat.Message.Reaction.add", Need::Feature("reactions other than a like")),
    ("im.v2.Chat.Message.Reaction.delete", Need::Feature("reactions other than a like")),
    ("im.dialog.writing", Need::Feature("typing")),
    ("im.dialog.read", Need::Feature("read marks")),
    ("im.dialog.users.list", Need::Feature("mentions by @Name")),
    ("im.dialog.context.get", Need::Feature("replies among messages that no event told of")),
    ("im.user.get", Need::Feature("whether somebody to be written to in private is a colleague")),
    ("im.disk.folder.get", Need::Feature("several files in one message")),
    (UPLOAD, Need::Feature("several files in one message")),
    (PUBLISH, Need::Feature("several files in one message")),
    (SEND_FILE, Need::Feature("files without the right `disk`")),
];

/// Asks for all of them: each position of [`SURVEYED`] that the portal answered for
/// (b24: transport §1.11, §2.6).
pub fn survey() -> Call<Vec<(usize, Standing)>> {
    let commands: Map<String, Value> = SURVEYED
        .iter()
        .enumerate()
        // Never numbers alone: PHP would make a list of them.
        .map(|(at, (name, _))| (format!("m{at}"), json!(format!("method.get?name={name}"))))
        .collect();
    Call {
        method: "batch",
        params: params(json!({ "halt": 0, "cmd": commands })),
        writes: false,
        lane: Lane::Upkeep,
        read,
        file: None,
    }
}

fn read(result: &Value) -> Option<Vec<(usize, Standing)>> {
    let answers = result.get("result")?.as_object()?;
    let standing = |(key, answer): (&String, &Value)| {
        let at: usize = key.strip_prefix('m')?.parse().ok().filter(|at| *at < SURVEYED.len())?;
        let flag = |name| answer.get(name).and_then(Value::as_bool);
        let standing = match (flag("isExisting")?, flag("isAvailable")?) {
            (true, true) => Standing::Available,
            (true, false) => Standing::NotGranted,
            (false, _) => Standing::Missing,
        };
        Some((at, standing))
    };
    let mut found: Vec<(usize, Standing)> = answers.iter().filter_map(standing).collect();
    found.sort_by_key(|(at, _)| *at);
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::Need;
    use super::SURVEYED;
    use super::Standing;
    use super::survey;

    #[test]
    fn what_is_surveyed_is_what_is_called() {
        let called = concat!(include_str!("../methods.rs"), include_str!("people.rs"));
        let mut seen = HashSet::new();
        for (name, need) in SURVEYED {
            assert!(called.contains(&format!("\"{name}\"")), "{name} is never called");
            assert!(seen.insert(name), "{name} stands twice");
            assert_ne!(*need, Need::Feature(""));
        }
        for vital in crate::bitrix::methods::VITAL {
            assert!(SURVEYED.contains(&(vital, Need::Vital)), "{vital}");
        }
        // b24: transport §6 rule 21: no more fit into one request.
        assert!(SURVEYED.len() <= 50);
    }

    #[test]
    fn answers_are_read_by_their_keys_and_no_answer_is_no_answer() {
        let call = survey();
        assert_eq!(call.params["cmd"]["m0"], json!("method.get?name=im.message.add"));
        let answer = json!({
            "result": {
                "m2": {"isExisting": true, "isAvailable": false},
                "m0": {"isExisting": true, "isAvailable": true},
                "m1": {"isExisting": false, "isAvailable": false},
                "m3": [], "m999": {"isExisting": true, "isAvailable": true}, "x": 1,
            },
            "result_error": {"m4": {"error": "ERROR_CORE"}},
        });
        let found =
            vec![(0, Standing::Available), (1, Standing::Missing), (2, Standing::NotGranted)];
        assert_eq!((call.read)(&answer), Some(found));
        for odd in [json!([]), json!({"result": []}), json!(null), json!("x")] {
            assert_eq!((call.read)(&odd), None, "{odd}");
        }
    }
}
