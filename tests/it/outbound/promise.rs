//! The promise around every operation: answered early or joined late, repeated one after the other
//! or all at once, before and after a restart, it is one delivery with one visible effect.

use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::When;
use serde_json::Value;
use serde_json::json;

use crate::support::calls::DELIVER;
use crate::support::calls::JSON;
use crate::support::calls::LATER;
use crate::support::calls::PROOF;
use crate::support::calls::Team;
use crate::support::calls::WRITES;
use crate::support::calls::ask;
use crate::support::calls::assert_refused;
use crate::support::calls::ids;
use crate::support::calls::inline;
use crate::support::calls::long;
use crate::support::calls::look_up;
use crate::support::eventually;

fn changes(team: &Team) -> Vec<usize> {
    WRITES.iter().map(|method| team.calls(method)).collect()
}

/// One of each operation that is kept, in an order in which each has what it acts on.
pub fn one_of_each() -> Vec<(&'static str, Value)> {
    vec![
        ("d-1", json!({ "text": "one" })),
        (
            "d-2",
            json!({ "operation": "send", "text": "a file",
            "media": [inline("a.txt", b"one")] }),
        ),
        ("d-3", json!({ "text": "three" })),
        ("e-1", json!({ "operation": "edit", "target_delivery_id": "d-1", "text": "changed" })),
        (
            "r-1",
            json!({ "operation": "react", "target_delivery_id": "d-1",
            "reaction": "fire" }),
        ),
        ("x-1", json!({ "operation": "delete", "target_delivery_id": "d-3" })),
    ]
}

/// What the dialog then shows.
pub fn assert_all_shown(team: &Team) {
    let shown = team.shown();
    assert_eq!(team.texts(), ["changed", "a file"]);
    assert_eq!((team.reactions(shown[0].id), shown[1].files.len()), (vec!["fire"], 1));
}

#[test]
fn what_is_delivered_stays_so_over_repeats_and_a_restart() {
    let mut team = Team::new();
    let first: Vec<Value> =
        one_of_each().into_iter().map(|(id, fields)| team.done(id, fields)).collect();
    assert_all_shown(&team);
    let before = changes(&team);
    for restarted in [false, true] {
        if restarted {
            team.restart();
        }
        for ((id, fields), first) in one_of_each().into_iter().zip(&first) {
            let mut again = team.call(id, fields).json();
            assert_eq!(again["replayed"], true, "{id}: {again}");
            again["replayed"] = json!(false);
            assert_eq!(&again, first);
            assert_eq!(&look_up(&team.connector, id).json(), first);
        }
    }
    assert_eq!(changes(&team), before);
    assert_all_shown(&team);
}

/// As after the loss of the database, or its restoring from before.
#[test]
fn what_the_connector_has_forgotten_the_portal_still_knows() {
    let mut team = Team::new();
    let (text, file) = (
        json!({ "text": long("one", 2) }),
        json!({ "text": "caption", "media": [inline("a.txt", b"one")] }),
    );
    let first = [team.well("d-1", text.clone()), team.well("d-2", file.clone())];
    team.connector.kill();
    let path = team.scene.state_dir().join("connector.sqlite3");
    let database = rusqlite::Connection::open(path).expect("the database opens");
    let forget = "PRAGMA foreign_keys = ON; DELETE FROM deliveries;";
    database.execute_batch(forget).expect("deletes");
    drop(database);
    // The portal's job that links a message to its UUID has run by then: nobody loses a database and
    // has it back within a moment, and the portal itself takes the files of a hasty repetition away.
    team.scene.network.clock().advance(Duration::from_secs(5));
    team.restart();
    let again = [team.well("d-1", text), team.well("d-2", file)];
    assert_eq!((again, team.shown().len()), (first, 3));
    assert_eq!(team.shown()[2].files.len(), 1);
}

#[test]
fn no_text_and_no_name_is_in_the_log() {
    let team = Team::new();
    let words = ["Zwetschge", "Quitte", "Mirabelle.txt", "Holunder", "Brombeere", "Schlehe"];
    team.done("d-1", json!({ "text": words[0], "reply_to": 9_999_999 }));
    team.done("d-2", json!({ "text": words[1], "media": [inline(words[2], b"Holunder")] }));
    team.done(
        "e-1",
        json!({ "operation": "edit", "message_id": team.shown()[0].id,
        "text": words[4] }),
    );
    let nowhere = json!({ "external_id": "helper/chat987654", "text": words[5] });
    assert_eq!(team.call("nowhere", nowhere).status, 404);
    let log = team.connector.log();
    assert!(log.contains("im.message.update"), "it logs what it does");
    for word in words {
        assert!(!log.contains(word), "{word}");
    }
}

#[test]
fn every_operation_may_be_answered_before_it_is_done() {
    let team = Team::new();
    for (id, fields) in one_of_each() {
        let body = team.body(id, fields).to_string();
        let answer =
            ask(&team.connector, ("POST", DELIVER), &[JSON, PROOF, LATER], body.as_bytes());
        let receipt = answer.json();
        // A fast portal may have done it before the answer goes.
        let early = (202, json!("accepted"));
        let late = (200, json!("delivered"));
        let told = (answer.status, receipt["status"].clone());
        assert!(told == early || told == late, "{id}: {receipt}");
        assert_eq!(receipt["replayed"], false, "{id}");
    }
    for (id, fields) in one_of_each() {
        let receipt = team.call(id, fields).json();
        let told = (&receipt["status"], &receipt["replayed"]);
        assert_eq!(told, (&json!("delivered"), &json!(true)), "{id}: {receipt}");
    }
    assert_all_shown(&team);
}

#[test]
fn many_calls_at_once_are_one_delivery() {
    const CALLS: usize = 12;
    let team = Team::new();
    for (id, fields) in one_of_each() {
        // Slow enough that the others come while it runs.
        let slow = Fault::ActAndAnswerLate(Duration::from_millis(150));
        let portal = Some(aihummer_bitrix24::sim::ServerKind::Portal);
        for method in WRITES {
            let when = When::Matching { server: portal, text: method.to_owned(), nth: 1, times: 1 };
            team.scene.network.plan(when, slow.clone());
        }
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let call = || team.call(id, fields.clone());
            let calls: Vec<_> = (0..CALLS).map(|_| scope.spawn(call)).collect();
            calls.into_iter().map(|call| call.join().expect("an answer").json()).collect()
        });
        team.scene.network.clear_plan();
        let new = answers.iter().filter(|answer| answer["replayed"] == false).count();
        assert_eq!(new, 1, "{id}: {answers:#?}");
        for answer in &answers {
            assert_eq!(answer["status"], "delivered", "{id}");
            assert_eq!(ids(answer), ids(&answers[0]), "{id}");
        }
    }
    // One request for each effect: three messages, of which one is a file.
    assert_eq!(changes(&team), [2, 1, 1, 0, 1, 1, 1, 0]);
    assert_all_shown(&team);
}

#[test]
fn a_caller_without_patience_joins_later_whatever_the_operation() {
    let team = Team::new();
    let slow = Fault::ActAndAnswerLate(Duration::from_millis(400));
    for (id, fields) in one_of_each() {
        for method in WRITES {
            team.scene.network.plan(When::first(&format!("/rest/{method}")), slow.clone());
        }
        let body = team.body(id, fields.clone()).to_string();
        let headers = [JSON, PROOF, ("Connect-Timeout-Ms", "30")];
        let answer = ask(&team.connector, ("POST", DELIVER), &headers, body.as_bytes());
        assert_refused(id, &answer, 504, "deadline_exceeded", "repeat the call to join");
        let joined = team.call(id, fields).json();
        let told = (&joined["status"], &joined["replayed"]);
        assert_eq!(told, (&json!("delivered"), &json!(true)), "{id}: {joined}");
        team.scene.network.clear_plan();
    }
    assert_eq!(changes(&team), [2, 1, 1, 0, 1, 1, 1, 0]);
    assert_all_shown(&team);
}

#[test]
fn both_spellings_mean_the_same_delivery() {
    let team = Team::new();
    let asked = team.olaf_says("Is it out?");
    let target = format!("helper/chat{}", team.chat);
    let dialog = format!("chat{}", team.chat);
    let file = |flag: &str| {
        let mut file = inline("a.png", b"\x89PNG");
        file[flag] = json!(true);
        json!([file])
    };
    let pairs = [
        (
            json!({ "delivery_id": "d-1", "external_id": target, "operation": "send",
                "format": "plain", "text": "one", "reply_to": asked }),
            json!({ "deliveryId": "d-1", "agent": "helper", "dialogId": dialog,
                "operation": "OPERATION_SEND", "format": "FORMAT_PLAIN", "text": "one",
                "replyTo": asked.to_string() }),
        ),
        (
            json!({ "delivery_id": "d-2", "external_id": target, "text": "two",
                "media": file("as_file") }),
            json!({ "deliveryId": "d-2", "externalId": target, "operation": 1, "text": "two",
                "media": file("asFile") }),
        ),
        (
            json!({ "delivery_id": "e-1", "external_id": target, "operation": "edit",
                "target_delivery_id": "d-1", "text": "changed" }),
            json!({ "deliveryId": "e-1", "externalId": target, "operation": "OPERATION_EDIT",
                "targetDeliveryId": "d-1", "text": "changed" }),
        ),
        (
            json!({ "delivery_id": "r-1", "external_id": target, "operation": "react",
                "message_id": asked, "reaction": "like" }),
            json!({ "deliveryId": "r-1", "externalId": target, "operation": "OPERATION_REACT",
                "messageId": asked.to_string(), "reaction": "like", "remove": false }),
        ),
        (
            json!({ "delivery_id": "x-1", "external_id": target, "operation": "delete",
                "target_delivery_id": "d-2" }),
            json!({ "deliveryId": "x-1", "externalId": target, "operation": 3,
                "targetDeliveryId": "d-2" }),
        ),
    ];
    for (snake, camel) in pairs {
        for (body, replayed) in [(&snake, false), (&camel, true)] {
            let answer = crate::support::calls::deliver(&team.connector, body);
            let receipt = answer.json();
            assert_eq!(
                (answer.status, &receipt["replayed"]),
                (200, &json!(replayed)),
                "{body}: {receipt}"
            );
        }
    }
    assert_eq!(team.texts(), ["changed"]);
    assert_eq!(team.reactions(asked), ["like"]);
}

#[test]
fn a_file_in_another_content_type_is_not_even_looked_at() {
    let team = Team::new();
    let body = team.body("d-1", json!({ "media": [inline("a.txt", b"one")] })).to_string();
    for kind in ["application/proto", "application/connect+json", "application/grpc", "text/json"] {
        let headers = [("Content-Type", kind), PROOF];
        let answer = ask(&team.connector, ("POST", DELIVER), &headers, body.as_bytes());
        assert_refused(kind, &answer, 415, "invalid_argument", "application/json");
    }
    assert_eq!((look_up(&team.connector, "d-1").status, team.on_the_shelf()), (404, 0));
}

#[test]
fn a_slow_dialog_holds_back_no_other_and_keeps_its_own_order() {
    let team = Team::new();
    let send = "/rest/im.message.add";
    let late = Fault::ActAndAnswerLate(Duration::from_secs(2));
    team.scene.network.plan(When::first(send), late);
    let keep = |id: &str, body: Value| {
        let body = team.body(id, body).to_string();
        let answer =
            ask(&team.connector, ("POST", DELIVER), &[JSON, PROOF, LATER], body.as_bytes());
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text());
    };
    for number in 1..=3 {
        keep(&format!("d-{number}"), json!({ "text": format!("{number}") }));
    }
    eventually("the first one to be shown", || (team.texts() == ["1"]).then_some(()));
    let elsewhere = format!("helper/{}", team.scene.olaf);
    team.done("elsewhere", json!({ "external_id": elsewhere, "text": "meanwhile" }));
    let status = |id: &str| look_up(&team.connector, id).json()["status"].clone();
    assert_eq!((status("d-1"), status("d-2")), (json!("accepted"), json!("accepted")));
    eventually("the others", || (team.texts() == ["1", "2", "3"]).then_some(()));
}
