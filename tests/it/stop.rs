//! Stopping, and what the three listeners say of the connector's health. A stop lets what is in
//! flight finish, refuses what is new, tells who waits, ends with exit code 0, and the next start
//! goes on with what was left.

use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::CONTROL_SECRET;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::eventually;
use crate::support::scene::Scene;

/// How long a slow portal keeps an answer: long enough for what a test does meanwhile.
const SLOW: Duration = Duration::from_millis(1500);

/// Waits until Mira has said so many things to Olaf.
fn wait_said(scene: &Scene, count: usize) -> Vec<String> {
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    eventually("what the agent says", || {
        let said = scene.said_by_agent(chat);
        (said.len() >= count).then_some(said)
    })
}

/// A Deliver call that asks for no more than to be kept.
fn keep(scene: &Scene, connector: &Connector, id: &str) -> Option<Response> {
    let target = format!("helper/{}", scene.olaf);
    let body = json!({ "delivery_id": id, "external_id": target, "text": id });
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
    connector.deliver(&body, &headers).ok()
}

fn in_flight_finishes(signal: &str) {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    scene.network.plan(When::first("/rest/im.message.add"), Fault::ActAndAnswerLate(SLOW));
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| scene.send(&connector, "in-flight", "in flight"));
        wait_said(&scene, 1);
        stage::signal(signal, connector.pid());
        // What comes now is refused with what to do; it may be that an early one was still kept.
        let refused = eventually("a refusal", || {
            keep(&scene, &connector, "late").filter(|answer| answer.status == 503)
        });
        assert_eq!(refused.json()["code"], "unavailable", "{}", refused.text());
        assert_eq!(refused.header("retry-after"), Some("1"));
        // Liveness is nobody's business but the process's.
        for listener in ["control", "deliver", "consent"] {
            let url = format!("{}/healthz", connector.origin(listener));
            let alive = client::request("GET", &url, &[], &[], PATIENCE).expect("an answer");
            assert_eq!(alive.status, 200, "{listener} while stopping");
        }
        call.join().expect("no panic")
    });
    let receipt = answer.expect("an answer").json();
    assert_eq!((&receipt["status"], &receipt["attempts"]), (&json!("delivered"), &json!(1)));
    // The signal is sent once more; it is no different while stopping.
    assert_eq!(connector.terminate().expect("it stops").code(), Some(0));
    assert!(connector.log().contains("connector_stopped"), "{}", connector.log());

    let connector = scene.start();
    let again = scene.send(&connector, "in-flight", "in flight").expect("an answer").json();
    assert_eq!((&again["status"], &again["replayed"]), (&json!("delivered"), &json!(true)));
    let late = scene.send(&connector, "late", "late").expect("an answer").json();
    assert_eq!(late["status"], "delivered", "{late}");
    assert_eq!(wait_said(&scene, 2), ["in flight", "late"]);
}

#[test]
fn sigterm_lets_a_delivery_in_flight_finish() {
    in_flight_finishes("TERM");
}

#[test]
fn sigint_does_the_same() {
    in_flight_finishes("INT");
}

#[test]
fn who_waits_is_told_and_the_next_start_goes_on() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    scene.portal.set_listening(false).expect("it stops listening");
    scene.gateway.set_listening(false).expect("it stops listening");
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| scene.send(&connector, "waiting", "waiting"));
        eventually("the delivery", || {
            (connector.status()?["deliveries"]["unfinished"] == 1).then_some(())
        });
        stage::signal("TERM", connector.pid());
        call.join().expect("no panic")
    });
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("unavailable")));
    assert!(answer.text().contains("the delivery goes on"), "{}", answer.text());
    assert_eq!(connector.terminate().expect("it stops").code(), Some(0));

    scene.portal.set_listening(true).expect("it listens again");
    scene.gateway.set_listening(true).expect("it listens again");
    scene.portal.write_to(scene.olaf, scene.mira, "meanwhile").expect("writes");
    let _connector = scene.start();
    assert_eq!(wait_said(&scene, 1), ["waiting"]);
    eventually("what was written meanwhile", || (scene.received() == ["meanwhile"]).then_some(()));
}

#[test]
fn a_consent_in_flight_finishes_and_a_hopeless_one_is_not_repeated() {
    let scene = Scene::new();
    let mut connector = scene.start();
    let exchanges = || {
        let history = scene.network.history();
        history.iter().filter(|e| e.path.starts_with("/oauth/token/")).count()
    };
    let callback = |connector: &Connector| {
        let link = connector.consent_link("helper").expect("a link");
        scene.callback_url(&link, scene.mira).expect("authorizes")
    };
    let stopped_amid = |connector: &mut Connector, begun: &dyn Fn() -> bool| {
        let url = callback(connector);
        let page = std::thread::scope(|scope| {
            let page = scope.spawn(|| scene.follow(&url));
            eventually("the exchange", || begun().then_some(()));
            stage::signal("TERM", connector.pid());
            page.join().expect("no panic")
        });
        assert_eq!(connector.terminate().expect("it stops").code(), Some(0));
        page.expect("a page")
    };
    // The code was taken: whoever issued the tokens shows that the exchange is under way.
    let issued = scene.portal.issued().len();
    scene.network.plan(When::first("/oauth/token/"), Fault::ActAndAnswerLate(SLOW));
    let page = stopped_amid(&mut connector, &|| scene.portal.issued().len() > issued + 1);
    assert_eq!(page.status, 200, "{}", page.text());

    scene.network.clear_plan();
    scene.network.reset_count();
    scene.network.plan(When::every("/oauth/token/"), Fault::Html(502));
    let mut connector = scene.start();
    let page = stopped_amid(&mut connector, &|| exchanges() > 0);
    assert_eq!(page.status, 502, "{}", page.text());
    assert!(exchanges() < 8, "{} exchanges: it went on while stopping", exchanges());
}

/// A portal that never answers holds a stop up for its grace and no longer. Under `./dev slow`,
/// because that takes twenty seconds.
#[test]
fn a_portal_that_never_answers_does_not_hold_up_the_stop() {
    if std::env::var_os("AIHUMMER_SLOW").is_none() {
        return;
    }
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    let never = || Fault::ActAndAnswerLate(Duration::from_secs(100));
    scene.network.plan(When::first("/rest/im.message.add"), never());
    scene.network.plan(When::first("/oauth/token/"), never());
    let link = connector.consent_link("helper").expect("a link");
    let url = scene.callback_url(&link, scene.mira).expect("authorizes");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| scene.send(&connector, "hanging", "hanging"));
        let page = scope.spawn(|| scene.follow(&url));
        wait_said(&scene, 1);
        stage::signal("TERM", connector.pid());
        let answer = call.join().expect("no panic").expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.text());
        // A page or a closed connection: the person opens the link again either way.
        let _ = page.join().expect("no panic");
    });
    assert_eq!(connector.terminate().expect("it stops").code(), Some(0));
    scene.network.clear_plan();
    let connector = scene.start();
    let again = scene.send(&connector, "hanging", "hanging").expect("an answer").json();
    assert_eq!(again["status"], "delivered", "{again}");
    assert_eq!(wait_said(&scene, 1), ["hanging"]);
}

/// Reasons of `/readyz`; empty when ready.
fn reasons(connector: &Connector) -> Vec<String> {
    let url = format!("{}/readyz", connector.origin("control"));
    let answer = client::request("GET", &url, &[], &[], PATIENCE).expect("an answer");
    let body = answer.json();
    let reasons = body["reasons"].as_array().expect("reasons").iter();
    let reasons: Vec<String> = reasons.filter_map(Value::as_str).map(str::to_owned).collect();
    assert_eq!(body["ready"], reasons.is_empty(), "{body}");
    assert_eq!(answer.status, if reasons.is_empty() { 200 } else { 503 }, "{body}");
    reasons
}

fn assert_alive(connector: &Connector) {
    for listener in ["control", "deliver", "consent"] {
        let url = format!("{}/healthz", connector.origin(listener));
        for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 405)] {
            let answer = client::request(method, &url, &[], &[], PATIENCE);
            // The answer to HEAD has a length and no body, which the client calls cut.
            let answered = answer.map_or(200, |answer| answer.status);
            assert_eq!(answered, status, "{method} {listener}");
        }
    }
}

#[test]
fn readiness_names_what_is_missing_until_nothing_is() {
    let mut scene = Scene::new();
    scene.unset("BITRIX24_AGENTS");
    scene.gateway.set_listening(false).expect("it stops listening");
    let mut connector = scene.start();
    assert_alive(&connector);
    let first = |connector: &Connector| reasons(connector).first().cloned().unwrap_or_default();
    assert!(first(&connector).starts_with("no agent exists: set BITRIX24_AGENTS"));
    let helper = json!({ "name": "helper" });
    let created = connector.control("POST", "/v1/agents", Some(&helper));
    assert_eq!(created.expect("an answer").status, 201);
    assert!(first(&connector).starts_with("agent helper waits for consent"));
    assert_eq!(connector.consent("helper", scene.mira).expect("pages").status, 200);
    let away = ["the gateway does not answer: see AIHUMMER_INBOUND_URL"];
    eventually("the gateway to be missed", || {
        let told = reasons(&connector);
        assert!(!told.is_empty(), "ready before the gateway answered");
        (told == away).then_some(())
    });
    assert_alive(&connector);
    scene.gateway.set_listening(true).expect("it listens again");
    eventually("readiness", || reasons(&connector).is_empty().then_some(()));

    // A lost identity; the other listeners and the process do not care.
    scene.portal.dismiss(scene.mira);
    scene.network.clock().advance(Duration::from_secs(3601));
    eventually("the agent to be missed", || {
        first(&connector).starts_with("agent helper is revoked: ").then_some(())
    });
    scene.portal.set_listening(false).expect("it stops listening");
    assert_alive(&connector);
    assert_eq!(connector.terminate().expect("it stops").code(), Some(0));

    // What was lost stays lost over a restart, and is not asked for again and again.
    scene.set("AIHUMMER_INBOUND_SECRET", "another");
    let connector = scene.start();
    eventually("both to be told", || {
        let reasons = reasons(&connector);
        let secret = reasons
            .iter()
            .any(|r| r == "the gateway refuses our secret: see AIHUMMER_INBOUND_SECRET");
        (reasons[0].starts_with("agent helper is revoked: ") && secret).then_some(())
    });
    assert_alive(&connector);
}

#[test]
fn the_control_listener_is_closed_to_whoever_has_no_secret() {
    let scene = Scene::new();
    let connector = scene.start();
    let bearer = format!("Bearer {CONTROL_SECRET}");
    let routes = [
        ("GET", "/v1/status"),
        ("GET", "/v1/settings"),
        ("GET", "/v1/agents"),
        ("POST", "/v1/agents"),
        ("GET", "/v1/agents/helper"),
        ("POST", "/v1/agents/helper/consent"),
    ];
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let url = format!("{}{path}", connector.origin("control"));
        client::request(method, &url, headers, b"{}", PATIENCE).expect("an answer")
    };
    let wrong: [&[(&str, &str)]; 6] = [
        &[],
        &[("Authorization", "Bearer ")],
        &[("Authorization", "Bearer stage-control-secre")],
        &[("Authorization", "Basic c3RhZ2UtY29udHJvbC1zZWNyZXQ=")],
        &[("Authorization", CONTROL_SECRET)],
        &[("X-AIHummer-Inbound-Secret", CONTROL_SECRET)],
    ];
    for (method, path) in routes {
        for headers in wrong {
            let answer = ask(method, path, headers);
            let body = answer.json();
            assert_eq!((answer.status, &body["code"]), (401, &json!("unauthenticated")), "{path}");
            assert!(!answer.text().contains("helper"), "{path}: {}", answer.text());
        }
        let answer = ask(method, path, &[("Authorization", &bearer)]);
        assert_ne!(answer.status, 401, "{method} {path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_ne!(ask("GET", path, &[]).status, 401, "{path} is open");
    }
    for (method, path, status) in [
        ("GET", "/v1/agents/nobody", 404),
        ("POST", "/v1/agents/nobody/consent", 404),
        ("GET", "/v1/agents/No%20Name", 400),
        ("DELETE", "/v1/status", 405),
        ("GET", "/nothing", 404),
    ] {
        let answer = ask(method, path, &[("Authorization", &bearer)]);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("{\"name\":7}", 400),
        ("{\"name\":\"A B\"}", 400),
        ("{\"name\":\"helper\"}", 409),
    ] {
        let url = format!("{}/v1/agents", connector.origin("control"));
        let headers = [("Authorization", bearer.as_str())];
        let answer = client::request("POST", &url, &headers, body.as_bytes(), PATIENCE);
        assert_eq!(answer.expect("an answer").status, status, "{body}");
    }
}
