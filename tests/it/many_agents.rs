//! Agents that come and go while the connector runs: paused, resumed, forgotten, made anew; and many
//! of them whose tokens end at the same moment.

use std::collections::HashSet;
use std::time::Duration;

use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::Switches;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use aihummer_bitrix24::sim::switches::Mode;
use aihummer_bitrix24::sim::switches::Rotation;
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

/// Agents of one portal, each with a token of its own.
const CROWD: usize = 50;
/// Consents walked at once; the listener takes no more.
const CONSENTS_AT_ONCE: usize = 3;
/// Longer than an access token lives (b24: transport §1.6).
const TOKEN_LIFE: Duration = Duration::from_secs(3601);

/// A scene with so many agents that all work.
struct Crowd {
    scene: Scene,
    agents: Vec<(String, u64)>,
}

impl Crowd {
    fn start(rotation: Rotation) -> (Crowd, Connector) {
        let switches = Switches { rotation, ..Switches::default() };
        let mut scene = Scene::with(PortalOptions { switches, ..PortalOptions::default() });
        let named = |n: usize| {
            let user = User::employee("Agent", &n.to_string()).in_departments(&[1]);
            (format!("agent-{n:02}"), scene.portal.add_user(user))
        };
        let agents: Vec<(String, u64)> = (1..=CROWD).map(named).collect();
        let names: Vec<&str> = agents.iter().map(|(name, _)| name.as_str()).collect();
        scene.set("BITRIX24_AGENTS", &names.join(","));
        scene.set("BITRIX24_POLL_ACTIVE_MS", "400");
        scene.set("BITRIX24_POLL_IDLE_MS", "400");
        scene.set("BITRIX24_LOG", "info");
        let connector = scene.start();
        std::thread::scope(|scope| {
            for lane in 0..CONSENTS_AT_ONCE {
                let (agents, connector) = (&agents, &connector);
                scope.spawn(move || {
                    for (name, user) in agents.iter().skip(lane).step_by(CONSENTS_AT_ONCE) {
                        let done = connector.consent(name, *user).expect("a consent");
                        assert_eq!(done.status, 200, "{name}: {}", done.text());
                    }
                });
            }
        });
        let crowd = Crowd { scene, agents };
        crowd.await_polls();
        (crowd, connector)
    }

    /// Waits until each of them was answered a poll in what the history has.
    fn await_polls(&self) {
        eventually("a poll of everybody", || {
            let history = self.scene.network.history();
            let polls = history.iter().filter(|e| e.rest_method == "im.v2.event.get");
            let users: HashSet<u64> = polls.filter_map(|poll| poll.user).collect();
            self.agents.iter().all(|(_, user)| users.contains(user)).then_some(())
        });
    }

    /// One renewal of each, all of them granted, none with a token that another had.
    fn check_renewals(&self) {
        let history = self.scene.network.history();
        let oauth = history.iter().filter(|e| e.server == ServerKind::OAuth);
        let renewals: Vec<_> = oauth.collect();
        assert!(renewals.iter().all(|e| e.path.contains("refresh_token") && e.status == 200));
        let users: HashSet<_> = renewals.iter().filter_map(|e| e.user).collect();
        let tokens: HashSet<_> = renewals.iter().map(|e| e.path.as_str()).collect();
        assert_eq!((renewals.len(), users.len(), tokens.len()), (CROWD, CROWD, CROWD));
    }
}

fn fifty_tokens_end(rotation: Rotation) {
    let (crowd, mut connector) = Crowd::start(rotation);
    let scene = &crowd.scene;
    scene.network.reset_count();
    scene.network.clock().advance(TOKEN_LIFE);
    // Besides polling, everybody has something to say.
    for (name, _) in &crowd.agents {
        let target = format!("{name}/{}", scene.olaf);
        let body = json!({ "delivery_id": name, "external_id": target, "text": name });
        let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
        assert_eq!(connector.deliver(&body, &headers).expect("an answer").status, 202);
    }
    for (name, user) in &crowd.agents {
        let chat = scene.portal.private_chat(scene.olaf, *user);
        eventually(&format!("{name} to say it"), || {
            let shown = scene.portal.shown(chat);
            (shown.iter().filter(|message| message.text == *name).count() == 1).then_some(())
        });
    }
    crowd.await_polls();
    crowd.check_renewals();
    // What the portal refused was the old token and nothing else, and no caller heard of it.
    let history = scene.network.history();
    let errors: HashSet<&str> = history.iter().map(|exchange| exchange.error.as_str()).collect();
    assert_eq!(errors, HashSet::from(["", "expired_token"]));
    // The same by our own clock, after a restart: nothing at all is refused.
    assert!(connector.terminate().expect("it stops").success());
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    let aged = file.execute("UPDATE agents SET expires_at = 1", []).expect("aged");
    assert_eq!(aged, CROWD);
    drop(file);
    scene.network.reset_count();
    let connector = scene.start();
    crowd.await_polls();
    crowd.check_renewals();
    let refused = scene.network.history().iter().filter(|e| !e.error.is_empty()).count();
    assert_eq!(refused, 0);
    let log = connector.log();
    for word in ["poll_failed", "token_not", "delivery_set_back", "degraded", "revoked"] {
        assert!(!log.contains(word), "{rotation:?}: {word}");
    }
}

#[test]
fn fifty_tokens_that_end_at_once_cost_fifty_renewals_and_no_call() {
    std::thread::scope(|scope| {
        for rotation in [Rotation::Stateless, Rotation::Strict] {
            scope.spawn(move || fifty_tokens_end(rotation));
        }
    });
}
