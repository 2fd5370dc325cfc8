//! Agents that come and go while the connector runs: paused, resumed, forgotten, made anew.

use std::time::Duration;

use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use aihummer_bitrix24::sim::switches::Mode;
use serde_json::Value;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

fn agent(connector: &Connector) -> Value {
    connector.control("GET", "/v1/agents/helper", None).expect("an answer").json()
}

fn write(scene: &Scene, text: &str) {
    scene.portal.write_to(scene.olaf, scene.mira, text).expect("writes");
}

fn await_received(scene: &Scene, texts: &[&str]) {
    eventually(&format!("{texts:?}"), || (scene.received() == texts).then_some(()));
}

/// Asks for a delivery without waiting for it.
fn accept(scene: &Scene, connector: &Connector, id: &str) -> u16 {
    let target = format!("helper/{}", scene.olaf);
    let body = json!({ "delivery_id": id, "external_id": target, "text": id });
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
    connector.deliver(&body, &headers).expect("an answer").status
}

#[test]
fn a_paused_agent_is_silent_and_misses_nothing() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    write(&scene, "before");
    await_received(&scene, &["before"]);
    let told = scene.verb(&connector, &["agents", "pause", "helper"]);
    assert_eq!(told.stdout, "helper is paused\n", "{told:?}");
    assert_eq!(agent(&connector)["state"], "paused");
    let settled = eventually("the polls in flight to end", || {
        let calls = scene.network.calls_of("im.v2.Event.get");
        std::thread::sleep(Duration::from_millis(100));
        (scene.network.calls_of("im.v2.Event.get") == calls).then_some(calls)
    });
    write(&scene, "meanwhile");
    assert_eq!(accept(&scene, &connector, "d-refused"), 400);
    // It stays so over a restart.
    assert!(connector.terminate().expect("it stops").success());
    let connector = scene.start();
    eventually("it to run", || connector.status());
    assert_eq!(agent(&connector)["state"], "paused");
    // A consent renews the identity and ends no pause.
    assert_eq!(connector.consent("helper", scene.mira).expect("a page").status, 200);
    assert_eq!(agent(&connector)["state"], "paused");
    assert_eq!(scene.network.calls_of("im.v2.Event.get"), settled);
    let told = scene.verb(&connector, &["agents", "resume", "helper"]);
    assert_eq!(told.stdout, "helper is active\n", "{told:?}");
    write(&scene, "after");
    await_received(&scene, &["before", "meanwhile", "after"]);
    assert_eq!(accept(&scene, &connector, "d-1"), 202);
}

#[test]
fn a_forgotten_agent_leaves_nothing_behind_and_can_be_made_anew() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_GROUP_MESSAGES", "all");
    let connector = scene.start_connected();
    let body = json!({ "departments": "all", "departments_denied": "77" });
    let changed = connector.control("PATCH", "/v1/agents/helper", Some(&body)).expect("an answer");
    assert_eq!(changed.status, 200);
    write(&scene, "before");
    await_received(&scene, &["before"]);
    // A delivery that waits.
    scene.portal.world().users.get_mut(&scene.mira).expect("there").active = false;
    eventually("the agent to be lost", || (agent(&connector)["state"] == "revoked").then_some(()));
    scene.portal.world().users.get_mut(&scene.mira).expect("there").active = true;
    let told = scene.verb(&connector, &["agents", "forget", "helper"]);
    assert!(told.stdout.starts_with("helper is forgotten."), "{told:?}");
    let gone = connector.control("GET", "/v1/agents/helper", None).expect("an answer");
    assert_eq!(gone.status, 404);
    assert!(!scene.is_subscribed(), "the portal writes down no more events for her");
    assert_eq!(accept(&scene, &connector, "d-1"), 404);
    write(&scene, "to nobody");
    // The portal writes events a moment later, for whoever is subscribed by then.
    scene.network.clock().advance(Duration::from_secs(2));
    // The same name and account again begin anew.
    let body = json!({ "name": "helper" });
    let made = connector.control("POST", "/v1/agents", Some(&body)).expect("an answer");
    assert_eq!(made.status, 201);
    assert_eq!(agent(&connector)["rule"]["own"], false);
    assert_eq!(connector.consent("helper", scene.mira).expect("a page").status, 200);
    eventually("the agent's events to be subscribed", || scene.is_subscribed().then_some(()));
    write(&scene, "after");
    await_received(&scene, &["before", "after"]);
}

#[test]
fn what_a_forgotten_agent_had_to_deliver_is_dropped_and_told() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    scene.portal.world().switches.mode = Mode::PlanWithoutRest;
    assert_eq!(accept(&scene, &connector, "d-waits"), 202);
    eventually("a failed attempt", || {
        let shown = connector.control("GET", "/v1/deliveries/d-waits", None).ok()?.json();
        (shown["state"] == "waiting").then_some(())
    });
    let gone = connector.control("DELETE", "/v1/agents/helper", None).expect("an answer");
    assert_eq!(gone.status, 200, "{}", gone.text());
    let shown = connector.control("GET", "/v1/deliveries/d-waits", None).expect("an answer").json();
    assert_eq!(shown["state"], "cancelled", "{shown}");
    let again = connector.control("DELETE", "/v1/agents/helper", None).expect("an answer");
    assert_eq!(again.status, 404);
}
