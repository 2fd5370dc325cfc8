//! Identities over time: renewal of tokens in both rotation worlds, lost answers, crashes, a portal
//! that moves, closes or takes rights away, and what lies on the disk meanwhile.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::HookPoint;
use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::Switches;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::network::AuthForm;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use aihummer_bitrix24::sim::switches::Mode;
use aihummer_bitrix24::sim::switches::RateLimit;
use aihummer_bitrix24::sim::switches::Rotation;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

/// Longer than an access token lives (b24: transport §1.6).
const TOKEN_LIFE: Duration = Duration::from_secs(3601);
const BOTH: [Rotation; 2] = [Rotation::Stateless, Rotation::Strict];

fn scene(rotation: Rotation) -> Scene {
    let switches = Switches { rotation, ..Switches::default() };
    Scene::with(PortalOptions { switches, ..PortalOptions::default() })
}

/// State and reason of `helper`.
fn standing(connector: &Connector) -> Option<(String, String)> {
    let status = connector.status()?;
    let agent = status["agents"].as_array()?.iter().find(|agent| agent["name"] == "helper")?;
    Some((agent["state"].as_str()?.to_owned(), agent["reason"].as_str()?.to_owned()))
}

fn wait_for_state(connector: &Connector, wanted: &str) -> String {
    eventually(&format!("helper to be {wanted}"), || {
        standing(connector).filter(|(state, _)| state == wanted).map(|(_, reason)| reason)
    })
}

/// Requests to the token endpoint of one grant type.
fn token_requests(scene: &Scene, grant: &str) -> usize {
    let grant = format!("grant_type={grant}");
    let history = scene.network.history().into_iter();
    history.filter(|e| e.server == ServerKind::OAuth && e.path.contains(&grant)).count()
}

fn token_endpoint(times: u64) -> When {
    When::Matching { server: Some(ServerKind::OAuth), text: "/oauth/token".into(), nth: 1, times }
}

fn deliver(connector: &Connector, id: &str, to: u64) -> u16 {
    let body = json!({ "delivery_id": id, "external_id": format!("helper/{to}"), "text": id });
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Connect-Timeout-Ms", "20000")];
    connector.deliver(&body, &headers).expect("an answer").status
}

/// Asks for a delivery without waiting for it.
fn accept(scene: &Scene, connector: &Connector, id: &str) {
    let body = json!({ "delivery_id": id, "external_id": format!("helper/{}", scene.olaf),
        "text": id });
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
    let answer = connector.deliver(&body, &headers).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// Waits until an attempt at a delivery has ended in vain.
fn wait_for_failed_attempt(connector: &Connector, id: &str) {
    let url = connector.deliver_url().replace("/Deliver", "/GetDelivery");
    let headers = [("X-AIHummer-Inbound-Secret", SECRET)];
    let body = json!({ "delivery_id": id });
    eventually("an attempt to fail", || {
        let answer = client::post_json(&url, &headers, &body, Duration::from_secs(30));
        answer.expect("an answer").json()["failure"].is_object().then_some(())
    });
}

fn said(scene: &Scene) -> Vec<String> {
    scene.said_by_agent(scene.portal.private_chat(scene.olaf, scene.mira))
}

fn wait_until_said(scene: &Scene, text: &str) {
    eventually(&format!("{text:?} to be shown"), || {
        said(scene).iter().any(|shown| shown == text).then_some(())
    });
    assert_eq!(said(scene).iter().filter(|shown| *shown == text).count(), 1);
}

fn database(scene: &Scene) -> rusqlite::Connection {
    let file = rusqlite::Connection::open(scene.state_dir().join("connector.sqlite3"));
    let file = file.expect("the database opens");
    file.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    file
}

#[test]
fn many_callers_with_an_expired_token_renew_it_once() {
    for rotation in BOTH {
        let scene = scene(rotation);
        let people: Vec<u64> = (0..8)
            .map(|n| {
                scene.portal.add_user(User::employee("Person", &n.to_string()).in_departments(&[1]))
            })
            .collect();
        let connector = scene.start_connected();
        assert_eq!(token_requests(&scene, "refresh_token"), 0);
        scene.network.clock().advance(TOKEN_LIFE);
        std::thread::scope(|scope| {
            for person in &people {
                let connector = &connector;
                scope.spawn(move || {
                    let status = deliver(connector, &format!("to-{person}"), *person);
                    assert_eq!(status, 200);
                });
            }
        });
        assert_eq!(token_requests(&scene, "refresh_token"), 1, "{rotation:?}");
    }
}

#[test]
fn a_lost_answer_to_a_renewal_heals_where_tokens_can_be_used_again() {
    let scene = scene(Rotation::Stateless);
    let connector = scene.start_connected();
    scene.network.plan(token_endpoint(2), Fault::ActAndDropAnswer);
    scene.network.clock().advance(TOKEN_LIFE);
    assert_eq!(deliver(&connector, "after the loss", scene.olaf), 200);
    assert_eq!(token_requests(&scene, "refresh_token"), 3, "the same token, until an answer came");
    wait_for_state(&connector, "active");
}

#[test]
fn a_lost_answer_to_a_renewal_asks_for_consent_where_tokens_work_once() {
    let scene = scene(Rotation::Strict);
    let connector = scene.start_connected();
    scene.network.plan(token_endpoint(1), Fault::ActAndDropAnswer);
    scene.network.clock().advance(TOKEN_LIFE);
    let reason = wait_for_state(&connector, "revoked");
    assert!(reason.contains("open a new consent link"), "{reason}");
    let asked = token_requests(&scene, "refresh_token");
    assert!(asked <= 3, "{asked} requests for a chain that has ended");
    // Nothing is lost meanwhile: what was said waits at the portal, and the same person mends it.
    scene.portal.write_to(scene.olaf, scene.mira, "Are you there?").expect("writes");
    let done = connector.consent("helper", scene.mira).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    eventually("the message said meanwhile", || {
        scene.received().iter().any(|text| text.contains("Are you there?")).then_some(())
    });
    assert_eq!(deliver(&connector, "again", scene.olaf), 200);
    assert_eq!(token_requests(&scene, "refresh_token"), asked);
}

#[test]
fn a_kill_between_the_answer_to_a_renewal_and_its_commit_leaves_a_way_back() {
    for rotation in BOTH {
        let scene = scene(rotation);
        let connector = scene.start_connected();
        let pid = connector.pid();
        let killed = Arc::new(Mutex::new(false));
        let told = Arc::clone(&killed);
        let hook = move |at| {
            if at == HookPoint::AfterAct {
                stage::signal("KILL", pid);
                *told.lock().expect("not poisoned") = true;
            }
        };
        scene.network.plan(token_endpoint(1), Fault::Hook(Arc::new(hook)));
        scene.network.clock().advance(TOKEN_LIFE);
        eventually("the kill", || killed.lock().expect("not poisoned").then_some(()));
        drop(connector);
        let connector = scene.start();
        if rotation == Rotation::Strict {
            wait_for_state(&connector, "revoked");
            let done = connector.consent("helper", scene.mira).expect("a consent");
            assert_eq!(done.status, 200, "{}", done.text());
        }
        assert_eq!(deliver(&connector, "after the kill", scene.olaf), 200);
    }
}

#[test]
fn a_new_pair_that_cannot_be_stored_is_kept_until_it_can() {
    let scene = scene(Rotation::Strict);
    let connector = scene.start_connected();
    let file = database(&scene);
    file.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE OF refresh ON agents \
         BEGIN SELECT RAISE(ABORT, 'no space'); END",
    )
    .expect("a trigger");
    scene.network.clock().advance(TOKEN_LIFE);
    eventually("the log to tell", || connector.log().contains("token_not_stored").then_some(()));
    file.execute_batch("DROP TRIGGER full").expect("dropped");
    assert_eq!(deliver(&connector, "with room again", scene.olaf), 200);
    assert_eq!(token_requests(&scene, "refresh_token"), 1, "asking again would end the chain");
    wait_for_state(&connector, "active");
}

#[test]
fn what_the_token_endpoint_says_never_rejects_a_delivery() {
    let faults: [fn() -> Fault; 7] = [
        || Fault::error(400, "invalid_request", ""),
        || Fault::error(429, "slow_down", "too often"),
        || Fault::error(403, "something_new", ""),
        || Fault::Html(403),
        || Fault::Html(502),
        || Fault::Empty,
        || Fault::WrongType,
    ];
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let scene = Scene::new();
                let connector = scene.start_connected();
                let name = format!("{:?}", fault());
                scene.network.plan(token_endpoint(u64::MAX), fault());
                scene.network.clock().advance(TOKEN_LIFE);
                accept(&scene, &connector, &name);
                wait_for_failed_attempt(&connector, &name);
                scene.network.clear_plan();
                wait_until_said(&scene, &name);
                wait_for_state(&connector, "active");
            });
        }
    });
}

#[test]
fn a_token_that_is_refused_again_is_renewed_once_and_not_in_a_loop() {
    for code in ["expired_token", "invalid_token", "NO_AUTH_FOUND"] {
        let scene = scene(Rotation::Strict);
        let mut connector = scene.start_connected();
        scene.network.plan(When::every("POST /rest/"), Fault::error(401, code, ""));
        let reason = wait_for_state(&connector, "revoked");
        assert!(reason.contains(&code.to_lowercase()), "{reason}");
        assert_eq!(token_requests(&scene, "refresh_token"), 1, "{code}");
        // The pair itself was good: it is found out at the next start, without a consent.
        scene.network.clear_plan();
        connector.terminate().expect("stops");
        let connector = scene.start();
        wait_for_state(&connector, "active");
    }
}

#[test]
fn a_pair_of_another_person_or_portal_is_refused_and_the_old_one_kept() {
    let good = json!({"access_token": "a", "refresh_token": "r", "expires_in": 3600});
    for (key, value, told) in
        [("user_id", json!(1), "other_user"), ("member_id", json!("ff"), "other_portal")]
    {
        let scene = scene(Rotation::Strict);
        let mut connector = scene.start_connected();
        let mut pair = good.clone();
        pair["member_id"] = json!(scene.portal.world().member_id);
        pair["user_id"] = json!(scene.mira);
        pair[key] = value;
        let fault = Fault::Body { status: 200, body: pair.to_string() };
        scene.network.plan(token_endpoint(u64::MAX), fault);
        scene.network.clock().advance(TOKEN_LIFE);
        let reason = wait_for_state(&connector, "revoked");
        assert!(reason.contains(told), "{reason}");
        scene.network.clear_plan();
        connector.terminate().expect("stops");
        let connector = scene.start();
        wait_for_state(&connector, "active");
    }
}

#[test]
fn an_authorization_server_that_comes_back_is_used_again() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    scene.portal.set_oauth_listening(false).expect("stops listening");
    scene.network.clock().advance(TOKEN_LIFE);
    accept(&scene, &connector, "waits");
    let reason = wait_for_state(&connector, "degraded");
    assert!(reason.contains("does not answer"), "{reason}");
    scene.portal.set_oauth_listening(true).expect("listens again");
    wait_until_said(&scene, "waits");
    wait_for_state(&connector, "active");
}

#[test]
fn a_portal_that_moved_is_found_at_its_new_address() {
    let scene = scene(Rotation::Strict);
    let connector = scene.start_connected();
    scene.portal.rename().expect("another port");
    assert_eq!(deliver(&connector, "to the new address", scene.olaf), 200);
    scene.portal.write_to(scene.olaf, scene.mira, "found you").expect("writes");
    eventually("a message at the new address", || {
        scene.received().iter().any(|text| text.contains("found you")).then_some(())
    });
    assert_eq!(token_requests(&scene, "refresh_token"), 1);
}

#[test]
fn a_redirect_that_leads_nowhere_costs_few_renewals_and_no_token() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    // A page of a proxy in front of the portal: the address stays what it was.
    scene.network.plan(When::every("POST /rest/"), Fault::Html(302));
    wait_for_state(&connector, "degraded");
    scene.network.clear_plan();
    wait_for_state(&connector, "active");
    let asked = token_requests(&scene, "refresh_token");
    assert!(asked <= 1, "{asked} renewals");
}

#[test]
fn a_portal_with_limits_is_never_asked_too_often_and_answers_go_first() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_RATE", "2/50");
    scene.portal.world().switches.rate_limit = RateLimit::CLOUD;
    let people: Vec<u64> = (0..14)
        .map(|n| {
            scene.portal.add_user(User::employee("Person", &n.to_string()).in_departments(&[1]))
        })
        .collect();
    let connector = scene.start_connected();
    // The limiter begins full, and polling every 20 ms takes whatever drains.
    eventually("some polls", || (scene.network.calls_of("im.v2.event.get") > 4).then_some(()));
    std::thread::scope(|scope| {
        for person in &people {
            let connector = &connector;
            scope.spawn(move || {
                assert_eq!(deliver(connector, &format!("to-{person}"), *person), 200);
            });
        }
    });
    let history = scene.network.history();
    assert_eq!(history.iter().filter(|e| e.error == "QUERY_LIMIT_EXCEEDED").count(), 0);
}

#[test]
fn a_plan_without_rest_holds_deliveries_back() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    scene.portal.world().switches.mode = Mode::PlanWithoutRest;
    accept(&scene, &connector, "held back");
    let reason = wait_for_state(&connector, "degraded");
    assert!(reason.contains("plan"), "{reason}");
    wait_for_failed_attempt(&connector, "held back");
    scene.portal.world().switches.mode = Mode::Normal;
    // The portal is left alone for a quarter of an hour, unless a person says that it is mended.
    for paused in [true, false] {
        let body = json!({ "paused": paused });
        let answer = connector.control("PATCH", "/v1/agents/helper", Some(&body));
        assert_eq!(answer.expect("an answer").status, 200);
    }
    wait_until_said(&scene, "held back");
}

#[test]
fn a_method_without_its_scope_keeps_the_agent_degraded_while_others_work() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let lacks = || Fault::error(401, "insufficient_scope", "");
    scene.network.plan(When::every("/rest/im.message.add"), lacks());
    accept(&scene, &connector, "needs a scope");
    let reason = wait_for_state(&connector, "degraded");
    assert!(reason.contains("scope for im.message.add"), "{reason}");
    let polls = || scene.network.calls_of("im.v2.event.get");
    let before = polls();
    eventually("some polls that work", || (polls() > before + 5).then_some(()));
    // It was active, is degraded, and does not go back and forth.
    let log = connector.log();
    assert_eq!(log.matches("agent_state").count(), 2, "{log}");
    scene.network.clear_plan();
    wait_until_said(&scene, "needs a scope");
    wait_for_state(&connector, "active");
}

#[test]
fn a_mended_identity_works_after_a_restart() {
    let mut scene = Scene::new();
    let mut connector = scene.start_connected();
    connector.terminate().expect("stops");
    let right = scene.client_secret.clone();
    scene.set("BITRIX24_CLIENT_SECRET", "not-the-secret");
    scene.network.clock().advance(TOKEN_LIFE);
    let mut connector = scene.start();
    let reason = wait_for_state(&connector, "revoked");
    assert!(reason.contains("BITRIX24_CLIENT_SECRET"), "{reason}");
    connector.terminate().expect("stops");
    scene.set("BITRIX24_CLIENT_SECRET", &right);
    let connector = scene.start();
    wait_for_state(&connector, "active");
    assert_eq!(deliver(&connector, "mended", scene.olaf), 200);
}

#[test]
fn a_server_that_may_not_see_the_secret_any_more_is_not_asked() {
    let mut scene = Scene::new();
    let mut connector = scene.start_connected();
    connector.terminate().expect("stops");
    scene.set("BITRIX24_OAUTH_SERVERS", "oauth.bitrix.info");
    scene.network.clock().advance(TOKEN_LIFE);
    let connector = scene.start();
    let reason = wait_for_state(&connector, "degraded");
    assert!(reason.contains("BITRIX24_OAUTH_SERVERS"), "{reason}");
    assert_eq!(token_requests(&scene, "refresh_token"), 0);
}

#[test]
fn a_dismissed_account_stops_its_agent_and_says_why() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    scene.portal.dismiss(scene.mira);
    let reason = wait_for_state(&connector, "revoked");
    assert!(reason.contains("dismissed"), "{reason}");
    // Another account may take its place, since the one before is gone.
    let other = scene.portal.add_user(User::employee("Vera", "Neu").in_departments(&[1]));
    let done = connector.consent("helper", other).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    wait_for_state(&connector, "active");
    assert_eq!(deliver(&connector, "from Vera", scene.olaf), 200);
    let chat = scene.portal.private_chat(scene.olaf, other);
    assert_eq!(scene.portal.shown(chat).last().map(|m| m.author), Some(other));
    scene.portal.write_to(scene.olaf, other, "welcome").expect("writes");
    eventually("what is written to the new account", || {
        scene.received().iter().any(|text| text.contains("welcome")).then_some(())
    });
}

#[test]
fn a_damaged_token_costs_its_agent_a_consent_and_nobody_the_start() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    connector.terminate().expect("stops");
    database(&scene)
        .execute("UPDATE agents SET access = x'00112233445566778899aabbccddeeff00'", [])
        .expect("damaged");
    let connector = scene.start();
    let reason = wait_for_state(&connector, "revoked");
    assert!(reason.contains("consent"), "{reason}");
    let done = connector.consent("helper", scene.mira).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(deliver(&connector, "mended", scene.olaf), 200);
}

#[test]
fn no_secret_reaches_the_log_or_lies_open_in_the_database() {
    let scene = scene(Rotation::Strict);
    let connector = scene.start_connected();
    scene.network.clock().advance(TOKEN_LIFE);
    assert_eq!(deliver(&connector, "planted words", scene.olaf), 200);
    scene.network.plan(When::first("im.message.add"), Fault::Html(502));
    scene.network.plan(token_endpoint(1), Fault::ActAndDropAnswer);
    scene.network.clock().advance(TOKEN_LIFE);
    wait_for_state(&connector, "revoked");
    let mut secrets = vec![
        scene.client_secret.clone(),
        SECRET.to_owned(),
        stage::CONTROL_SECRET.to_owned(),
        "planted words".to_owned(),
    ];
    for exchange in scene.network.history() {
        let query = exchange.path.split_once('?').map(|(_, query)| query.to_owned());
        for (name, value) in
            query.iter().flat_map(|q| q.split('&')).filter_map(|p| p.split_once('='))
        {
            if matches!(name, "code" | "refresh_token" | "state") {
                secrets.push(value.to_owned());
            }
        }
    }
    assert!(secrets.len() > 6, "codes, states and refresh tokens were seen");
    // Access tokens go in bodies only, where no proxy logs them.
    let rest = scene.network.history().into_iter().filter(|e| e.path.starts_with("/rest/"));
    for exchange in rest.filter(|e| e.fault.is_none()) {
        assert_eq!((exchange.http_method.as_str(), exchange.auth), ("POST", AuthForm::Body));
        assert!(!exchange.path.contains('?'), "{}", exchange.path);
    }
    let log = connector.log();
    drop(connector);
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret:?} is in the log");
    }
    for name in ["connector.sqlite3", "connector.sqlite3-wal"] {
        let bytes = std::fs::read(scene.state_dir().join(name)).unwrap_or_default();
        for secret in secrets.iter().filter(|secret| *secret != "planted words") {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret:?} is in {name}");
        }
    }
}
