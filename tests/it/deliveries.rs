//! Deliveries that need a person, over real HTTP and with the verb `deliveries`: what failed is seen
//! with its reason, what is parked or dead is tried again and shown once, what nobody wants any more
//! is dropped and holds nothing back.

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::FileHost;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::filehost::Page;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SAY_METHOD;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::Run;
use crate::support::calls::get;
use crate::support::calls::post;
use crate::support::eventually;
use crate::support::scene::Scene;

const PROOF: (&str, &str) = ("X-AIHummer-Inbound-Secret", SECRET);

/// What the gateway is told of a delivery.
fn receipt(connector: &Connector, id: &str) -> Value {
    let url = connector.deliver_url().replace("/Deliver", "/GetDelivery");
    let body = json!({ "delivery_id": id });
    let answer = client::post_json(&url, &[PROOF], &body, PATIENCE);
    answer.expect("an answer").json()
}

/// Runs the verb beside the connector.
fn verb(scene: &Scene, connector: &Connector, arguments: &[&str]) -> Run {
    scene.verb(connector, &[&["deliveries"], arguments].concat())
}

/// A Deliver call as `helper`, answered as soon as it is durable.
fn deliver_later(connector: &Connector, body: &Value) {
    let headers = [PROOF, ("Prefer", "respond-async")];
    let answer = connector.deliver(body, &headers).expect("an answer");
    assert!(matches!(answer.status, 200 | 202), "{}", answer.text());
}

fn await_state(connector: &Connector, id: &str, state: &str) -> Value {
    eventually(&format!("{id} to be {state}"), || {
        let shown = get(connector, &format!("/v1/deliveries/{id}"));
        (shown["state"] == state).then_some(shown)
    })
}

#[test]
fn a_parked_delivery_is_seen_with_its_reason_and_shown_once_after_a_retry() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let team = scene.portal.add_chat("Team", scene.olaf, &[scene.mira]);
    // The message is shown, the answer lost, and then Mira may not look any more.
    scene.network.plan(When::first(SAY_METHOD), Fault::ActAndDropAnswer);
    scene.network.plan(When::every("im.dialog.messages.get"), Fault::Html(502));
    let (id, path) = ("team/1 é", "team%2F1%20%C3%A9");
    let target = format!("helper/chat{team}");
    let body = json!({ "delivery_id": id, "external_id": target, "text": "hello, secretly" });
    deliver_later(&connector, &body);
    await_state(&connector, path, "unknown");
    scene.portal.world().messenger.chats.get_mut(&team).expect("there").members.remove(&scene.mira);
    scene.network.clear_plan();
    let shown = await_state(&connector, path, "parked");
    assert_eq!(receipt(&connector, id)["status"], "unknown");
    assert_eq!(receipt(&connector, id)["failure"], shown["failure"]);
    assert_eq!(shown["failure"]["code"], "permission_denied", "{shown}");
    assert_eq!((&shown["delivery_id"], &shown["due_at"]), (&json!(id), &Value::Null));
    let steps = json!([{ "kind": "add", "done": false, "message_id": null }]);
    assert_eq!(shown["steps"], steps, "{shown}");
    let first = &shown["history"][0];
    assert_eq!((&first["effect"], &first["class"]), (&json!("unknown"), &json!("transport")));
    assert!(!shown.to_string().contains("secretly"), "{shown}");
    let status = connector.status().expect("a status");
    let counts = json!({ "unfinished": 0, "dead": 0, "parked": 1, "waiting_for_a_person": 1 });
    assert_eq!(status["deliveries"], counts);

    let listed = verb(&scene, &connector, &["--state", "parked", "--agent=helper"]);
    let row = listed.stdout.lines().nth(1).expect("a row");
    assert!(row.starts_with("parked ") && row.contains(id), "{listed:?}");
    assert!(row.contains("permission_denied: the portal refuses"), "{listed:?}");
    let told = verb(&scene, &connector, &["show", id]);
    assert!(told.stdout.contains("effect unknown transport"), "{told:?}");

    scene.portal.join(team, scene.olaf, scene.mira);
    let retried = verb(&scene, &connector, &["retry", id]);
    assert_eq!(retried.code, Some(0), "{retried:?}");
    let shown = await_state(&connector, path, "delivered");
    assert_eq!(scene.said_by_agent(team), ["hello, secretly"], "exactly once");
    assert!(shown["retried_at"].is_string() && shown["steps"][0]["done"] == true, "{shown}");
    assert_eq!(receipt(&connector, id)["message_ids"][0], shown["steps"][0]["message_id"]);
    let again = verb(&scene, &connector, &["retry", id]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is delivered"), "{again:?}");
    assert!(again.stderr.contains("that are dead, parked"), "{again:?}");
}

#[test]
fn a_rejected_delivery_is_seen_with_its_reason_and_is_final() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let nowhere = json!({ "delivery_id": "n", "external_id": "helper/chat999999", "text": "hi" });
    let refused = connector.deliver(&nowhere, &[PROOF]).expect("an answer");
    assert_eq!(refused.status, 404);
    let told = receipt(&connector, "n");
    assert_eq!(
        (&told["status"], &told["failure"]["code"]),
        (&json!("rejected"), &json!("not_found"))
    );
    let shown = get(&connector, "/v1/deliveries/n");
    assert_eq!((&shown["state"], &shown["failure"]), (&json!("rejected"), &told["failure"]));
    for action in ["retry", "drop"] {
        let answer = post(&connector, &format!("/v1/deliveries/n/{action}"));
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("failed_precondition")));
    }
    let unknown = post(&connector, "/v1/deliveries/other/drop");
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("not_found")));
    for wrong in ["state=broken", "agent=nobody", "limit=0", "limit=201", "limit=x", "before=0"] {
        let path = format!("/v1/deliveries?{wrong}");
        let answer = connector.control("GET", &path, None).expect("an answer");
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        let (field, _) = wrong.split_once('=').expect("a pair");
        assert!(answer.status == 400 && message.starts_with(&format!("{field}: ")), "{message}");
        assert!(field != "state" || message.contains("dead, parked, cancelled"), "{message}");
    }
    for wrong in ["%", "%00", "%ff", ""] {
        let path = format!("/v1/deliveries/{wrong}");
        assert_eq!(
            connector.control("GET", &path, None).expect("an answer").status,
            400,
            "{wrong}"
        );
    }
    for id in ["p-1", "p-2", "p-3"] {
        assert_eq!(scene.send(&connector, id, id).expect("an answer").status, 200);
    }
    let ids = |page: &Value| -> Vec<String> {
        let listed = page["deliveries"].as_array().expect("a list").iter();
        listed.map(|one| one["delivery_id"].as_str().expect("an id").to_owned()).collect()
    };
    let page = get(&connector, "/v1/deliveries?limit=3&agent=helper");
    assert_eq!(ids(&page), ["p-3", "p-2", "p-1"]);
    let rest = get(&connector, &format!("/v1/deliveries?limit=3&before={}", page["next"]));
    assert_eq!((ids(&rest), &rest["next"]), (vec!["n".to_owned()], &Value::Null));
    let open = client::request(
        "GET",
        &format!("{}/v1/deliveries", connector.origin("control")),
        &[],
        b"",
        PATIENCE,
    );
    assert_eq!(open.expect("an answer").status, 401);
}

#[test]
fn a_dead_delivery_is_seen_with_its_reason_and_has_all_its_time_after_a_retry() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    let away = Fault::error(503, "CONNECTION_ERROR", "No connection to the server");
    scene.network.plan(When::every(SAY_METHOD), away);
    let target = format!("helper/{}", scene.olaf);
    deliver_later(
        &connector,
        &json!({ "delivery_id": "d", "external_id": target, "text": "late" }),
    );
    await_state(&connector, "d", "waiting");
    assert!(connector.terminate().expect("it stops").success());
    let file = rusqlite::Connection::open(scene.state_dir().join("connector.sqlite3"));
    let aged = "UPDATE deliveries SET accepted_at = accepted_at - 90000000, due_at = 0";
    assert_eq!(file.expect("the database").execute(aged, []), Ok(1));
    let connector = scene.start();
    let shown = await_state(&connector, "d", "dead");
    let told = receipt(&connector, "d");
    assert_eq!((&told["status"], &told["failure"]), (&json!("dead"), &shown["failure"]));
    assert_eq!(shown["failure"]["code"], "unavailable", "{shown}");
    assert_eq!(post(&connector, "/v1/deliveries/d/retry").status, 200);
    eventually("another attempt", || {
        let now = get(&connector, "/v1/deliveries/d");
        (now["attempts"].as_u64() > shown["attempts"].as_u64()).then_some(())
    });
    await_state(&connector, "d", "waiting");
    scene.network.clear_plan();
    await_state(&connector, "d", "delivered");
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    assert_eq!(scene.said_by_agent(chat), ["late"]);
}

#[test]
fn a_drop_answers_who_waits_and_lets_the_dialog_go_on() {
    let mut scene = Scene::new();
    let host = FileHost::start(&scene.network).expect("a port");
    let hour = Some("3600".to_owned());
    let file = host.put("/file", Page::Refusal(503, hour));
    scene.set("BITRIX24_MEDIA_HOSTS", &format!("127.0.0.1:{}", host.port()));
    let connector = scene.start_connected();
    let target = format!("helper/{}", scene.olaf);
    let media = json!([{ "name": "file.txt", "url": file }]);
    let first = json!({ "delivery_id": "one", "external_id": target, "media": media });
    let second = json!({ "delivery_id": "two", "external_id": target, "text": "two" });
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| connector.deliver(&first, &[PROOF]).expect("an answer"));
        eventually("the first to wait", || {
            let shown = connector.control("GET", "/v1/deliveries/one", None).expect("an answer");
            (shown.json()["state"] == "waiting").then_some(())
        });
        deliver_later(&connector, &second);
        let shown = get(&connector, "/v1/deliveries/one");
        let files = json!([{ "name": "file.txt", "bytes": null, "uploaded": false }]);
        assert_eq!(shown["files"], files, "{shown}");
        assert!(!shown.to_string().contains("http://"), "{shown}");
        assert_eq!(get(&connector, "/v1/deliveries/two")["state"], "accepted", "it has its turn");
        let dropped = verb(&scene, &connector, &["drop", "one", "--json"]);
        let told: Value = serde_json::from_str(&dropped.stdout).expect("JSON");
        assert_eq!((dropped.code, &told["state"]), (Some(0), &json!("cancelled")), "{told}");
        let answered = waits.join().expect("no panic");
        assert_eq!(
            (answered.status, &answered.json()["code"]),
            (400, &json!("failed_precondition"))
        );
        assert_eq!(answered.json()["details"][0]["status"], "rejected", "{}", answered.text());
    });
    await_state(&connector, "two", "delivered");
    let told = receipt(&connector, "one");
    let message = told["failure"]["message"].as_str().expect("a reason");
    assert!(message.starts_with("a person dropped it; before that: "), "{told}");
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    assert_eq!(scene.said_by_agent(chat), ["two"]);
}
