//! To whom an agent may write: to colleagues whom the department rule lets talk with it, in groups in
//! which there is one and nobody from outside. Whatever else is asked for is refused with the
//! contract's error before anything is shown; only taking something back needs nobody's leave. What
//! `acl` shows of both directions is not repeated here; what takes ten minutes is in
//! `src/outbound/tests/permit.rs`.

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::UserKind;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::stage::Connector;
use serde_json::Value;
use serde_json::json;

use crate::support::calls::DELIVER;
use crate::support::calls::JSON;
use crate::support::calls::LATER;
use crate::support::calls::PROOF;
use crate::support::calls::WRITES;
use crate::support::calls::ask;
use crate::support::calls::assert_refused;
use crate::support::calls::deliver;
use crate::support::calls::inline;
use crate::support::calls::look_up;
use crate::support::eventually;
use crate::support::office::Office;

const DEPARTMENTS: &str = "department.get";

/// A call of `helper` for a dialog.
fn body(id: &str, dialog: &str, fields: &Value) -> Value {
    let mut body = json!({ "delivery_id": id, "external_id": format!("helper/{dialog}") });
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

fn call(connector: &Connector, id: &str, dialog: &str, fields: &Value) -> Response {
    deliver(connector, &body(id, dialog, fields))
}

/// Calls so far that can change anything on the portal.
fn writes(office: &Office) -> usize {
    WRITES.iter().map(|method| office.scene.network.calls_of(method)).sum()
}

/// Asserts that a call is refused for good, and nothing is shown for it.
fn refused(
    office: &Office,
    connector: &Connector,
    id: &str,
    (dialog, fields): (&str, &Value),
    told: &str,
) {
    let before = writes(office);
    for _ in 0..2 {
        let answer = call(connector, id, dialog, fields);
        assert_refused(id, &answer, 403, "permission_denied", told);
    }
    let found = look_up(connector, id).json();
    assert_eq!(
        (&found["status"], &found["failure"]["code"]),
        (&json!("rejected"), &json!("permission_denied")),
        "{id}: {found}"
    );
    assert_eq!(writes(office), before, "{id} changed something");
}

fn done(connector: &Connector, id: &str, dialog: &str, fields: &Value) {
    let answer = call(connector, id, dialog, fields);
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("delivered")),
        "{id}: {}",
        answer.text()
    );
}

/// Gives the agent another rule than the settings'.
fn set_rule(connector: &Connector, rule: &Value) {
    let answer = connector.control("PATCH", "/v1/agents/helper", Some(rule)).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn an_agent_writes_to_colleagues_who_may_talk_with_it_and_to_nobody_else() {
    let office = Office::new();
    let portal = &office.scene.portal;
    let (olaf, mira) = (office.scene.olaf, office.scene.mira);
    let guest = portal.add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let bot = portal.add_user(User::of_kind(UserKind::Bot, "Robo", "Bot"));
    let left = portal.add_user(User::employee("Leo", "Left").in_departments(&[1]));
    portal.dismiss(left);
    let chat = |letter, kind, owner, others: &[u64]| {
        let members: Vec<u64> = others.iter().copied().chain([mira]).collect();
        format!("chat{}", portal.add_chat_of(letter, kind, "Chat", owner, &members))
    };
    let lines = chat('L', "lines", olaf, &[]);
    let channel = chat('N', "channel", olaf, &[]);
    let hers = chat('C', "chat", office.ann, &[]);
    let mixed = chat('C', "chat", office.ann, &[olaf]);
    let abroad = chat('C', "chat", olaf, &[guest]);
    let text = json!({ "text": "never" });
    let file = json!({ "text": "never", "media": [inline("a.txt", b"x")] });
    let react = json!({ "operation": "react", "message_id": 7, "reaction": "like" });
    let edit = json!({ "operation": "edit", "message_id": 7, "text": "never" });
    let connector = office.scene.start_connected();
    let cases = [
        (office.ann.to_string(), "the department rule does not let them talk"),
        (guest.to_string(), "is no colleague"),
        (bot.to_string(), "is no colleague"),
        (left.to_string(), "is no colleague"),
        (lines, "(open_line)"),
        (channel, "(channel)"),
        (hers, "lets nobody in the dialog talk"),
        (abroad, "(external_chat)"),
    ];
    for (number, (dialog, told)) in cases.iter().enumerate() {
        for (what, fields) in [("text", &text), ("file", &file), ("react", &react), ("edit", &edit)]
        {
            refused(&office, &connector, &format!("{what}-{number}"), (dialog, fields), told);
        }
    }
    // Somebody in it may, which is enough for a group: whoever else is in it is a colleague.
    done(&connector, "mixed", &mixed, &json!({ "text": "hello" }));
    done(&connector, "olaf", &olaf.to_string(), &json!({ "text": "hello" }));
    done(&connector, "notes", &mira.to_string(), &json!({ "text": "hello" }));
    // Where every colleague may, nobody from outside does.
    set_rule(&connector, &json!({ "departments": "all" }));
    refused(&office, &connector, "guest-all", (&guest.to_string(), &text), "is no colleague");
    refused(&office, &connector, "abroad-all", (&cases[7].0, &text), "(external_chat)");
    done(&connector, "ann-all", &office.ann.to_string(), &json!({ "text": "hello" }));
    // A denial wins for the one who is denied, and does not silence the agent among others.
    set_rule(&connector, &json!({ "departments_denied": office.accounting.to_string() }));
    let told = "the department rule";
    refused(&office, &connector, "ann-denied", (&office.ann.to_string(), &text), told);
    refused(&office, &connector, "hers-denied", (&cases[6].0, &text), told);
    done(&connector, "mixed-denied", &mixed, &json!({ "text": "hello" }));
}

#[test]
fn what_was_said_can_be_taken_back_when_nothing_more_may_be_said() {
    let office = Office::new();
    let connector = office.scene.start_connected();
    let olaf = office.scene.olaf.to_string();
    let team = format!("chat{}", office.team);
    for dialog in [&olaf, &team] {
        done(&connector, &format!("said-{dialog}"), dialog, &json!({ "text": "hello" }));
    }
    // Nobody but Ann may talk with the agent from now on, and she is in the team.
    set_rule(
        &connector,
        &json!({ "departments_denied": office.scene.portal.world().users
        [&office.scene.olaf].departments[0].to_string() }),
    );
    for dialog in [&olaf, &team] {
        let on = |operation: &str| {
            json!({ "operation": operation, "text": "never",
            "target_delivery_id": format!("said-{dialog}"), "reaction": "like" })
        };
        let told = "the department rule";
        let id = |what: &str| format!("{what}-{dialog}");
        refused(&office, &connector, &id("more"), (dialog, &json!({ "text": "never" })), told);
        refused(&office, &connector, &id("edit"), (dialog, &on("edit")), told);
        refused(&office, &connector, &id("react"), (dialog, &on("react")), told);
        done(
            &connector,
            &id("delete"),
            dialog,
            &json!({ "operation": "delete",
            "target_delivery_id": format!("said-{dialog}") }),
        );
    }
    let private = office.scene.portal.private_chat(office.scene.olaf, office.scene.mira);
    for chat in [private, office.team] {
        let shown = office.scene.portal.shown(chat).into_iter();
        let left = shown.filter(|one| one.author == office.scene.mira && !one.deleted).count();
        assert_eq!(left, 0, "in {chat}");
    }
}

#[test]
fn without_the_structure_nothing_is_written_to_whom_the_rule_needs_it_for() {
    let office = Office::new();
    let lacking = Fault::error(403, "insufficient_scope", "The request requires higher privileges");
    office.scene.network.plan(When::every(DEPARTMENTS), lacking);
    let connector = office.scene.start_connected();
    let text = json!({ "text": "hello" });
    let olaf = office.scene.olaf.to_string();
    let team = format!("chat{}", office.team);
    refused(&office, &connector, "olaf", (&olaf, &text), "structure is not known");
    refused(&office, &connector, "team", (&team, &text), "lets nobody in the dialog talk");
    let warnings = connector.status().expect("a status")["warnings"].to_string();
    assert!(warnings.contains("lacks the scope department"), "{warnings}");
    // Whoever may in any case needs no structure.
    set_rule(&connector, &json!({ "departments": "all" }));
    done(&connector, "olaf-all", &olaf, &text);
    done(&connector, "team-all", &team, &text);
}

#[test]
fn while_the_structure_cannot_be_read_a_delivery_waits() {
    let office = Office::new();
    let fault = Fault::error(500, "INTERNAL_SERVER_ERROR", "no");
    office.scene.network.plan(When::every(DEPARTMENTS), fault);
    let connector = office.scene.start_connected();
    let olaf = office.scene.olaf.to_string();
    let call = body("d-1", &olaf, &json!({ "text": "hello" })).to_string();
    let answer = ask(&connector, ("POST", DELIVER), &[JSON, PROOF, LATER], call.as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.text());
    // Again and again, in vain: a failure to learn whether it may go is no leave.
    eventually("several tries", || {
        let told = connector.control("GET", "/v1/deliveries/d-1", None).ok()?.json();
        (told["attempts"].as_u64()? >= 3).then_some(())
    });
    assert_eq!(writes(&office), 0, "nobody knows whether he may");
    office.scene.network.clear_plan();
    eventually("the delivery", || {
        (look_up(&connector, "d-1").json()["status"] == "delivered").then_some(())
    });
    assert_eq!(writes(&office), 1);
}
