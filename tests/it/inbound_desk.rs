//! Inbound messages that need a person, over real HTTP and with the verb `inbound`: what the gateway
//! refused is seen with its reason, tried again, or dropped; what holds its chat back is dropped; what
//! could not be read is seen and forgotten; and a backlog is told and never lost.

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::Connector;
use serde_json::Value;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::Run;
use crate::support::calls::get;
use crate::support::calls::post;
use crate::support::eventually;
use crate::support::scene::Scene;

/// Runs the verb beside the connector.
fn verb(scene: &Scene, connector: &Connector, arguments: &[&str]) -> Run {
    scene.verb(connector, &[&["inbound"], arguments].concat())
}

/// Has the gateway answer so many messages with this status.
fn answer_with(scene: &Scene, status: u16, times: u64) {
    let text = "/v1/inbound/generic".to_owned();
    let when = When::Matching { server: Some(ServerKind::Gateway), text, nth: 1, times };
    scene.network.plan(when, Fault::error(status, "no_workspace", "Olaf's words are refused"));
}

fn write(scene: &Scene, text: &str) {
    scene.portal.write_to(scene.olaf, scene.mira, text).expect("writes");
}

/// Messages in a state, newest first.
fn in_state(connector: &Connector, state: &str) -> Vec<Value> {
    let page = get(connector, &format!("/v1/inbound?state={state}"));
    page["inbound"].as_array().expect("a list").clone()
}

/// Waits until so many messages are in a state.
fn await_state(connector: &Connector, state: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} messages to be {state}"), || {
        let found = in_state(connector, state);
        (found.len() == count).then_some(found)
    })
}

/// Changes the database of a connector that does not run.
fn change(scene: &Scene, sql: &str) -> usize {
    let file = rusqlite::Connection::open(scene.state_dir().join("connector.sqlite3"));
    file.expect("the database").execute(sql, []).expect("changes")
}

#[test]
fn a_refused_message_is_seen_with_its_reason_and_comes_after_a_retry() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    answer_with(&scene, 422, 1);
    write(&scene, "the first, secretly");
    let dead = await_state(&connector, "dead", 1).remove(0);
    write(&scene, "the second");
    eventually("the chat to go on", || (scene.received() == ["the second"]).then_some(()));
    let id = dead["id"].as_str().expect("an id").to_owned();
    assert_eq!((&dead["agent"], &dead["attempts"]), (&json!("helper"), &json!(1)));
    assert_eq!((&dead["dialog"], &dead["due_at"]), (&json!(scene.olaf.to_string()), &Value::Null));
    let failure = json!({
        "code": "http_422/no_workspace",
        "message": "the gateway answered 422",
    });
    assert_eq!(dead["failure"], failure);
    let listed = get(&connector, "/v1/inbound").to_string();
    assert!(!listed.contains("secretly") && !listed.contains("Olaf"), "{listed}");
    let shown = get(&connector, &format!("/v1/inbound/{id}"));
    assert_eq!(shown["text"], "the first, secretly");
    assert_eq!(shown["sender"], json!({ "id": scene.olaf.to_string(), "name": "Olaf Brandt" }));
    let standing =
        json!({ "pending": 0, "dead": 1, "quarantined": 0, "oldest_pending_age_s": null });
    let status = eventually("the second to be recorded", || {
        connector.status().filter(|status| status["outbox"] == standing)
    });
    let warned = status["warnings"][0].as_str().expect("a warning");
    assert!(warned.contains("refused: 1; ") && status["ready"] == true, "{status}");

    let table = verb(&scene, &connector, &["--state", "dead", "--agent=helper"]);
    let row = table.stdout.lines().nth(1).expect("a row");
    assert!(row.starts_with("dead ") && row.contains("http_422/no_workspace: "), "{table:?}");
    assert!(!table.stdout.contains("secretly"), "{table:?}");
    let told = verb(&scene, &connector, &["show", &id]);
    assert!(told.stdout.contains("\ntext       the first, secretly\n"), "{told:?}");
    let retried = verb(&scene, &connector, &["retry", &id, "--json"]);
    let answered: Value = serde_json::from_str(&retried.stdout).expect("JSON");
    assert_eq!((retried.code, &answered["id"]), (Some(0), &json!(id)), "{retried:?}");
    assert!(!retried.stdout.contains("secretly"), "{retried:?}");
    eventually("the first", || {
        (scene.received() == ["the second", "the first, secretly"]).then_some(())
    });
    eventually("it to be accepted", || {
        let shown = get(&connector, &format!("/v1/inbound/{id}"));
        let seen = (&shown["state"], &shown["attempts"], &shown["failure"]);
        (seen == (&json!("accepted"), &json!(2), &Value::Null)).then_some(())
    });
    let again = verb(&scene, &connector, &["retry", &id]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is accepted; this is for messages that are dead"), "{again:?}");
    assert_eq!(connector.status().expect("a status")["warnings"], json!([]));
    let log = connector.log();
    assert!(log.contains("message_retried agent=helper") && !log.contains("secretly"), "{log}");
}

#[test]
fn a_dropped_message_never_comes_and_its_chat_goes_on() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    answer_with(&scene, 400, 1);
    write(&scene, "refused");
    let id = await_state(&connector, "dead", 1)[0]["id"].as_str().expect("an id").to_owned();
    let dropped = post(&connector, &format!("/v1/inbound/{id}/drop"));
    assert_eq!((dropped.status, &dropped.json()["state"]), (200, &json!("dropped")));
    // One that is tried again and again, and another behind it.
    answer_with(&scene, 500, u64::MAX);
    write(&scene, "stuck");
    write(&scene, "behind");
    let waiting = await_state(&connector, "pending", 2);
    let stuck = waiting[1]["id"].as_str().expect("an id").to_owned();
    eventually("a try", || {
        let shown = get(&connector, &format!("/v1/inbound/{stuck}"));
        (shown["attempts"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(get(&connector, "/v1/inbound?state=pending")["inbound"][0]["attempts"], 0);
    let run = verb(&scene, &connector, &["drop", &stuck]);
    assert!(run.code == Some(0) && run.stdout.contains("state      dropped\n"), "{run:?}");
    scene.network.clear_plan();
    eventually("the next", || (scene.received() == ["behind"]).then_some(()));
    await_state(&connector, "pending", 0);
    assert_eq!(
        await_state(&connector, "dropped", 2)[0]["failure"]["code"],
        "http_500/no_workspace"
    );
    for (action, told) in [("retry", "that are dead"), ("drop", "that are pending, dead")] {
        let answer = post(&connector, &format!("/v1/inbound/{id}/{action}"));
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("failed_precondition")));
        let message = answer.json()["message"].as_str().expect("a sentence").to_owned();
        assert!(message.contains("is dropped; ") && message.ends_with(told), "{message}");
    }
    assert!(connector.terminate().expect("it stops").success());
    let connector = scene.start();
    write(&scene, "after a restart");
    eventually("the last", || (scene.received().len() == 2).then_some(()));
    assert_eq!(scene.received(), ["behind", "after a restart"]);
    assert_eq!(in_state(&connector, "dropped").len(), 2);
}

#[test]
fn lists_are_paged_and_wrong_questions_are_refused_with_what_is_wrong() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    for text in ["a", "b", "c", "d"] {
        write(&scene, text);
    }
    await_state(&connector, "accepted", 4);
    let ids = |page: &Value| -> Vec<i64> {
        let listed = page["inbound"].as_array().expect("a list").iter();
        listed.map(|one| one["id"].as_str().expect("text").parse().expect("a number")).collect()
    };
    let all = ids(&get(&connector, "/v1/inbound"));
    assert!(all.len() == 4 && all.is_sorted_by(|one, next| one > next), "{all:?}");
    let page = get(&connector, "/v1/inbound?limit=3&agent=helper");
    assert_eq!((ids(&page), page["next"].as_i64()), (all[..3].to_vec(), Some(all[2])));
    let rest = get(&connector, &format!("/v1/inbound?limit=3&before={}", page["next"]));
    assert_eq!((ids(&rest), &rest["next"]), (all[3..].to_vec(), &Value::Null));
    let table = verb(&scene, &connector, &["list", "--limit", "3"]);
    assert_eq!(
        table.stdout.lines().count(),
        5,
        "a head, three, and that there are more: {table:?}"
    );

    for wrong in ["state=broken", "agent=nobody", "limit=0", "limit=201", "limit=x", "before=q1"] {
        let path = format!("/v1/inbound?{wrong}");
        let answer = connector.control("GET", &path, None).expect("an answer");
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        let (field, _) = wrong.split_once('=').expect("a pair");
        assert!(answer.status == 400 && message.starts_with(&format!("{field}: ")), "{message}");
        assert!(field != "state" || message.ends_with("withdrawn, quarantined"), "{message}");
    }
    for wrong in ["0", "-1", "x", "q", "q0", "Q1", "%31", "1%00", "99999999999999999999", ""] {
        for (method, end) in [("GET", ""), ("POST", "/retry"), ("POST", "/drop")] {
            let path = format!("/v1/inbound/{wrong}{end}");
            let answer = connector.control(method, &path, None).expect("an answer");
            let code = answer.json()["code"].clone();
            assert_eq!((answer.status, code), (400, json!("invalid_argument")), "{path}");
        }
    }
    for unknown in ["9999", "q9999"] {
        for (method, end) in [("GET", ""), ("POST", "/retry"), ("POST", "/drop")] {
            let path = format!("/v1/inbound/{unknown}{end}");
            let answer = connector.control(method, &path, None).expect("an answer");
            let code = answer.json()["code"].clone();
            assert_eq!((answer.status, code), (404, json!("not_found")), "{path}");
        }
    }
    let id = all[0];
    let paths = ["", &format!("/{id}"), &format!("/{id}/retry"), &format!("/{id}/drop")]
        .map(|end| format!("/v1/inbound{end}"));
    for path in &paths {
        let steers = path.ends_with("retry") || path.ends_with("drop");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if (method == "POST") == steers && matches!(method, "GET" | "POST") {
                continue;
            }
            let answer = connector.control(method, path, None).expect("an answer");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(if steers { "POST" } else { "GET, HEAD" }));
        }
        for headers in [&[][..], &[("Authorization", "Bearer wrong")]] {
            let method = if steers { "POST" } else { "GET" };
            let url = format!("{}{path}", connector.origin("control"));
            let answer = client::request(method, &url, headers, b"", PATIENCE);
            let answer = answer.expect("an answer");
            assert_eq!(answer.status, 401, "{path}");
            assert!(!answer.text().contains("Olaf"), "{}", answer.text());
        }
    }
    let complaint = verb(&scene, &connector, &["show", "x y"]);
    assert!(complaint.code == Some(1) && complaint.stderr.contains("id: "), "{complaint:?}");
}

#[test]
fn an_event_that_could_not_be_read_is_seen_as_it_came_and_forgotten() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    assert!(connector.terminate().expect("it stops").success());
    let odd = r#"{"id":"7","type":{},"message":"hello\u001b[2J"}"#;
    let put = "INSERT INTO quarantine (agent, event, raw, queued_at) VALUES";
    assert_eq!(
        change(&scene, &format!("{put} ('helper', 7, '{odd}', 1), ('helper', NULL, '[', 2)")),
        2
    );
    let connector = scene.start();
    let found = in_state(&connector, "quarantined");
    let ids: Vec<&Value> = found.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["q2", "q1"]);
    assert_eq!((&found[1]["event_id"], &found[0]["event_id"]), (&json!("7"), &Value::Null));
    assert!(!json!(found).to_string().contains("hello"), "{found:?}");
    assert_eq!(get(&connector, "/v1/inbound")["inbound"], json!([]), "it is no message");
    assert_eq!(get(&connector, "/v1/inbound/q1")["raw"], odd);
    let page = get(&connector, "/v1/inbound?state=quarantined&limit=1");
    assert_eq!((&page["inbound"][0]["id"], &page["next"]), (&json!("q2"), &json!(2)));
    let status = connector.status().expect("a status");
    assert_eq!(status["outbox"]["quarantined"], 2);
    assert!(
        status["warnings"].to_string().contains("events that could not be read: 2; "),
        "{status}"
    );
    let shown = verb(&scene, &connector, &["show", "q1"]);
    assert!(shown.stdout.contains("raw        {\"id\":\"7\""), "{shown:?}");
    let retried = verb(&scene, &connector, &["retry", "q1"]);
    assert!(retried.code == Some(1) && retried.stderr.contains("cannot read"), "{retried:?}");
    let dropped = verb(&scene, &connector, &["drop", "q1"]);
    assert!(dropped.code == Some(0) && dropped.stdout.contains("dropped"), "{dropped:?}");
    assert_eq!(post(&connector, "/v1/inbound/q1/drop").status, 404);
    assert_eq!(in_state(&connector, "quarantined").len(), 1);
}

#[test]
fn a_backlog_is_told_in_the_log_and_the_status_and_comes_whole() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    assert!(connector.terminate().expect("it stops").success());
    scene.gateway.set_listening(false).expect("stops");
    let rows = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200) \
                INSERT INTO outbox (agent, chat, dialog, message, text, sender, sender_name, \
                mentioned, due_at, queued_at) SELECT 'helper', 900 + n % 40, 'chat' || (900 + n % 40), \
                90000 + n, 'backlog ' || n, 12, 'Olaf Brandt', 1, 0, 0 FROM n";
    assert_eq!(change(&scene, rows), 1200);
    let connector = scene.start();
    eventually("the log to tell", || {
        connector.log().contains("outbox_growing pending=1200").then_some(())
    });
    let status = connector.status().expect("a status");
    assert_eq!(status["outbox"]["pending"], 1200);
    assert!(status["outbox"]["oldest_pending_age_s"].as_u64() > Some(0), "{status}");
    let warned = status["warnings"].to_string();
    assert!(warned.contains("messages that wait for the gateway: 1200; "), "{status}");
    scene.gateway.set_listening(true).expect("listens");
    await_state(&connector, "pending", 0);
    assert_eq!(scene.received().len(), 1200);
    let status = connector.status().expect("a status");
    assert_eq!((&status["warnings"], &status["outbox"]["pending"]), (&json!([]), &json!(0)));
    assert_eq!(connector.log().matches("outbox_growing").count(), 1, "told once");
}
