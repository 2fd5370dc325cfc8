//! Who is in a dialog and who is typing there (b24: messenger §4.3, §8; Q12, Q21).

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;
use crate::sim::User;

const WRITING: &str = "im.dialog.writing";
const MEMBERS: &str = "im.dialog.users.list";

fn ids(answer: &super::Answer) -> Vec<u64> {
    let users = answer.result();
    let users = users.as_array().expect("a list").iter();
    users.map(|user| user["id"].as_u64().expect("a number")).collect()
}

#[test]
fn typing_is_shown_for_25_seconds_or_until_the_message() {
    let talk = Talk::open();
    let chat = talk.portal().private_chat(MIRA, OLAF);
    let writing = || talk.call(MIRA, WRITING, json!({ "dialog_id": OLAF })).result();
    assert!(talk.portal().typing(chat).is_empty());
    assert_eq!(writing(), json!(true));
    talk.advance(15);
    assert_eq!(talk.portal().typing(chat), [MIRA]);
    assert_eq!(writing(), json!(true), "which starts it again");
    talk.advance(15);
    assert_eq!(talk.portal().typing(chat), [MIRA]);
    talk.advance(10);
    assert!(talk.portal().typing(chat).is_empty());
    writing();
    talk.write("of somebody else");
    assert_eq!(talk.portal().typing(chat), [MIRA]);
    talk.call(MIRA, "im.message.add", json!({ "DIALOG_ID": OLAF, "MESSAGE": "x" })).result();
    assert!(talk.portal().typing(chat).is_empty(), "her message ends it");
}

#[test]
fn typing_is_of_one_chat_and_longer_with_a_copilot() {
    let talk = Talk::open();
    let group = talk.group();
    let copilot = talk.portal().add_chat_of('A', "copilot", "Copilot", MIRA, &[]);
    for user in [OLAF, MIRA] {
        talk.call(user, WRITING, json!({ "CHAT_ID": group })).result();
    }
    talk.call(MIRA, WRITING, json!({ "DIALOG_ID": format!("chat{copilot}") })).result();
    assert_eq!(talk.portal().typing(group), [OLAF, MIRA]);
    assert!(talk.portal().typing(talk.portal().private_chat(MIRA, OLAF)).is_empty());
    talk.advance(165);
    assert_eq!((talk.portal().typing(group), talk.portal().typing(copilot)), (vec![], vec![MIRA]));
    talk.advance(15);
    assert!(talk.portal().typing(copilot).is_empty());
}

#[test]
fn typing_to_oneself_or_where_one_may_not_is_refused() {
    let talk = Talk::open();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let rows = [
        (json!({}), 400, "DIALOG_ID_EMPTY"),
        (json!({ "CHAT_ID": 0 }), 400, "CHAT_ID_EMPTY"),
        (json!({ "CHAT_ID": "x" }), 400, "CHAT_ID_EMPTY"),
        (json!({ "DIALOG_ID": MIRA }), 403, "ACCESS_ERROR"),
        (json!({ "DIALOG_ID": "chat99999" }), 403, "ACCESS_ERROR"),
        (json!({ "DIALOG_ID": "4711" }), 403, "ACCESS_ERROR"),
        (json!({ "CHAT_ID": foreign }), 403, "ACCESS_ERROR"),
    ];
    for (params, status, code) in rows {
        let answer = talk.call(MIRA, WRITING, params.clone());
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{params}");
    }
    assert!(talk.portal().typing(foreign).is_empty());
}

#[test]
fn members_come_as_classic_users_page_by_page() {
    let talk = Talk::open();
    let many: Vec<u64> = (0..210)
        .map(|n| {
            let user = User::employee(&format!("N{n}"), "Guest").in_departments(&[1]);
            talk.portal().add_user(user)
        })
        .collect();
    let chat = talk.portal().add_chat("Everybody", OLAF, &[&many[..], &[MIRA]].concat());
    let all: BTreeSet<u64> = many.iter().copied().chain([OLAF, MIRA]).collect();
    let all: Vec<u64> = all.into_iter().collect();
    let list = |mut params: Value| {
        params["DIALOG_ID"] = json!(format!("chat{chat}"));
        talk.call(MIRA, MEMBERS, params)
    };
    let beside = |answer: &super::Answer| {
        let body = answer.json();
        (body["total"].as_u64(), body["next"].as_u64())
    };
    let first = list(json!({}));
    assert_eq!((ids(&first), beside(&first)), (all[..50].to_vec(), (Some(212), Some(50))));
    for name in ["OFFSET", "start"] {
        let next = list(json!({ name: 200 }));
        assert_eq!((ids(&next), beside(&next)), (all[200..].to_vec(), (Some(212), None)), "{name}");
    }
    let largest = list(json!({ "LIMIT": 500 }));
    assert_eq!((ids(&largest).len(), beside(&largest)), (200, (Some(212), Some(200))));
    let beyond = list(json!({ "OFFSET": 1000 }));
    assert_eq!((ids(&beyond).len(), beside(&beyond)), (0, (Some(212), None)));
    let by_id = list(json!({ "LAST_ID": all[9], "LIMIT": 5 }));
    assert_eq!((ids(&by_id), beside(&by_id)), (all[10..15].to_vec(), (None, None)));
    // The objects are those of im.user.get.
    let user = talk.call(MIRA, "im.user.get", json!({ "ID": OLAF })).result();
    assert_eq!(first.result()[0], user);
    assert!(keys(&user).contains(&"work_position"));
}

#[test]
fn members_of_a_private_dialog_are_both_and_of_a_foreign_one_secret() {
    let talk = Talk::open();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    assert_eq!(ids(&talk.call(MIRA, MEMBERS, json!({ "DIALOG_ID": "12" }))), [OLAF, MIRA]);
    let told = |params: Value| {
        let answer = talk.call(MIRA, MEMBERS, params);
        (answer.status, answer.error())
    };
    assert_eq!(told(json!({})), (400, "DIALOG_ID_EMPTY".to_owned()));
    let foreign = json!({ "DIALOG_ID": format!("chat{foreign}") });
    assert_eq!(told(foreign), (403, "ACCESS_ERROR".to_owned()));
}
