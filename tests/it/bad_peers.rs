//! A portal, an authorization server and a gateway that answer what none of them may answer: pages,
//! nothing, half a JSON, the wrong type, too much, somebody else's address. Every kind of odd answer
//! meets every kind of exchange once; the connector must take it for what it is, lose nothing, go
//! on when the fault is over, and never panic. Cases run in a few lanes, each on a scene of its own,
//! because they wait more than they work.

use std::time::Duration;

use aihummer_bitrix24::sim::Exchange;
use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::stage::Connector;
use serde_json::Value;

use crate::support::eventually;
use crate::support::scene::Scene;

/// Scenes at once.
const LANES: usize = 8;
/// More than an answer may be.
const HUGE: usize = 33 * 1024 * 1024;
/// Longer than an access token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(3601);

/// What can go wrong with an answer on the way, whoever gives it.
fn broken() -> Vec<Fault> {
    vec![
        Fault::Empty,
        Fault::Garbage,
        Fault::WrongType,
        Fault::Truncate,
        Fault::CloseBeforeReading,
        Fault::ActAndDropAnswer,
        Fault::ActAndReset,
        Fault::SlowBody(Duration::from_millis(2)),
    ]
}

/// Answers that say nothing about what became of the request, or that nothing did.
fn faults() -> Vec<Fault> {
    let body = |status, body: &str| Fault::Body { status, body: body.to_owned() };
    let odd = vec![
        Fault::Html(200),
        Fault::Html(302),
        Fault::Html(401),
        Fault::Html(404),
        Fault::Html(502),
        Fault::HtmlAfterAct(504),
        Fault::error(200, "INTERNAL_SERVER_ERROR", "Internal server error"),
        Fault::error(400, "", ""),
        Fault::error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
        body(200, "{}"),
        body(200, "null"),
        body(200, "[[[[]]]]"),
        body(200, r#"{"result":null}"#),
        body(200, r#"{"result":{"events":{},"ID":{},"isExisting":"?"},"time":7}"#),
        body(200, r#"{"error":0}"#),
        body(500, r#"{"error":{"code":5,"message":[]}}"#),
        body(200, &format!("{{\"result\":\"{}\"}}", "x".repeat(HUGE))),
    ];
    [broken(), odd].concat()
}

/// Runs every case in one of a few lanes, each with a scene and a connected agent.
fn in_lanes(cases: Vec<Fault>, case: impl Fn(&Scene, &mut Connector, &Fault, usize) + Sync) {
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (cases, case) = (&cases, &case);
            scope.spawn(move || {
                let scene = Scene::new();
                let mut connector = scene.start_connected();
                for (number, fault) in cases.iter().enumerate().skip(lane).step_by(LANES) {
                    case(&scene, &mut connector, fault, number);
                    scene.network.clear_plan();
                }
                assert!(connector.terminate().expect("it stops").success());
                let log = connector.log();
                assert!(!log.contains("panicked"), "{log}");
                assert!(!log.contains("<html>"), "{log}");
            });
        }
    });
}

/// Plans a fault for the next exchange with a server whose path contains a text.
fn plan(scene: &Scene, server: ServerKind, text: &str, fault: &Fault) {
    scene.network.reset_count();
    let when = When::Matching { server: Some(server), text: text.to_owned(), nth: 1, times: 1 };
    scene.network.plan(when, fault.clone());
}

/// Whether the planned fault has hit.
fn hit(scene: &Scene, fault: &Fault) -> bool {
    scene.network.history().iter().any(|exchange| exchange.fault == Some(fault.name()))
}

fn consent_survives(server: ServerKind, exchange: &str) {
    in_lanes(faults(), |scene, connector, fault, number| {
        plan(scene, server, exchange, fault);
        let done = connector.consent("helper", scene.mira).expect("pages");
        assert!(hit(scene, fault), "{exchange} was not hit by {fault:?}");
        assert_eq!(done.status, 200, "{number} {fault:?} at {exchange}: {}", done.text());
    });
}

#[test]
fn a_consent_goes_on_after_an_odd_answer_to_the_exchange_of_its_code() {
    consent_survives(ServerKind::OAuth, "/oauth/token/");
}

#[test]
fn a_consent_goes_on_after_an_odd_answer_to_who_it_is() {
    consent_survives(ServerKind::Portal, "/rest/profile");
}

#[test]
fn a_consent_goes_on_after_an_odd_answer_to_what_it_may() {
    consent_survives(ServerKind::Portal, "/rest/scope");
}

#[test]
fn a_consent_goes_on_after_an_odd_answer_to_what_the_portal_can() {
    consent_survives(ServerKind::Portal, "/rest/method.get");
}

#[test]
fn a_start_goes_on_after_odd_answers_to_everything_that_it_asks() {
    in_lanes(faults(), |scene, connector, fault, number| {
        connector.kill();
        plan(scene, ServerKind::Gateway, "/binding/status", fault);
        for exchange in ["app.info", "im.v2.event.subscribe", "im.v2.event.get"] {
            let when = When::first(&format!("/rest/{exchange}"));
            scene.network.plan(when, fault.clone());
        }
        *connector = scene.start();
        let text = format!("after start {number}");
        scene.portal.write_to(scene.olaf, scene.mira, &text).expect("writes");
        eventually(&format!("{text} after {fault:?}"), || {
            scene.received().contains(&text).then_some(())
        });
        // Subscribing is not done before the portal said so.
        let good = |exchange: &Exchange| {
            let subscribes = exchange.rest_method == "im.v2.event.subscribe";
            subscribes && exchange.fault.is_none() && exchange.status == 200
        };
        let slow = matches!(fault, Fault::SlowBody(_));
        let subscribed = scene.network.history().iter().any(good);
        assert!(subscribed || slow, "an odd answer was taken for a subscription: {fault:?}");
    });
}

#[test]
fn a_renewal_goes_on_after_an_odd_answer() {
    in_lanes(faults(), |scene, connector, fault, number| {
        // Whoever renewed last time has used the new token: to grow old before it is used once is
        // more than a token does.
        scene.network.reset_count();
        eventually("a poll with the token as it is", || {
            let history = scene.network.history();
            history
                .iter()
                .any(|e| e.rest_method == "im.v2.event.get" && e.status == 200)
                .then_some(())
        });
        plan(scene, ServerKind::OAuth, "/oauth/token/", fault);
        scene.network.clock().advance(TOKEN_LIFE);
        let (id, text) = (format!("d-{number}"), format!("after renewal {number}"));
        let answer = scene.send(connector, &id, &text).expect("an answer");
        assert!(hit(scene, fault), "no renewal was hit by {fault:?}");
        assert_eq!(answer.json()["status"], "delivered", "{fault:?}: {}", answer.text());
    });
}

#[test]
fn a_message_is_shown_once_whatever_the_portal_answers() {
    in_lanes(faults(), |scene, connector, fault, number| {
        // Whose message shows that the portal keeps UUIDs; or a lost one would be waited for.
        scene.portal.write_to(scene.olaf, scene.mira, "good morning").expect("writes");
        plan(scene, ServerKind::Portal, "/rest/im.message.add", fault);
        // What is looked up after it meets the same.
        scene.network.plan(When::first("/rest/im.dialog.messages.get"), fault.clone());
        let (id, text) = (format!("d-{number}"), format!("message {number}"));
        let answer = scene.send(connector, &id, &text).expect("an answer");
        assert!(hit(scene, fault), "no message was hit by {fault:?}");
        assert_eq!(answer.json()["status"], "delivered", "{fault:?}: {}", answer.text());
        let chat = scene.portal.private_chat(scene.olaf, scene.mira);
        let shown = scene.said_by_agent(chat).iter().filter(|said| **said == text).count();
        assert_eq!(shown, 1, "{fault:?}");
    });
}

/// Any 2xx is the gateway's word that it has the message, whatever else it says; so those that did
/// not act are left out here.
#[test]
fn a_message_reaches_a_gateway_that_answers_oddly() {
    let body = |status, body: String| Fault::Body { status, body };
    let odd = vec![
        Fault::Html(302),
        Fault::Html(405),
        Fault::Html(500),
        Fault::Html(502),
        Fault::HtmlAfterAct(200),
        Fault::HtmlAfterAct(504),
        body(503, "x".repeat(HUGE)),
        body(500, r#"{"error":"#.to_owned()),
        body(500, r#"{"error":[5],"code":{}}"#.to_owned()),
        body(503, String::new()),
    ];
    in_lanes([broken(), odd].concat(), |scene, _, fault, number| {
        plan(scene, ServerKind::Gateway, "/v1/inbound/generic", fault);
        let text = format!("message {number}");
        scene.portal.write_to(scene.olaf, scene.mira, &text).expect("writes");
        eventually(&format!("{text} after {fault:?}"), || {
            scene.received().contains(&text).then_some(())
        });
        assert!(hit(scene, fault), "the gateway was not hit by {fault:?}");
    });
}

/// What is refused for good is told to the person, with the code and without anything else, and
/// changes nothing: the same link serves again.
#[test]
fn a_consent_that_is_refused_says_why_and_can_be_repeated() {
    let scene = Scene::new();
    let connector = scene.start();
    let body = |text: &str| Fault::Body { status: 200, body: text.to_owned() };
    let nothing = r#"{"result":{"isExisting":false,"isAvailable":false}}"#;
    let markup = "<script>alert(1)</script>";
    let cases = [
        ("/oauth/token/", Fault::error(200, "wrong_client", "x"), 502, "(wrong_client)"),
        ("/oauth/token/", Fault::error(400, "invalid_grant", "x"), 502, "(invalid_grant)"),
        ("/oauth/token/", Fault::error(400, markup, "x"), 502, "(&lt;script&gt;"),
        ("/rest/profile", Fault::error(401, "authorization_error", "x"), 502, "(authorization_"),
        ("/rest/profile", body(r#"{"result":[]}"#), 403, "inactive"),
        ("/rest/profile", body(r#"{"result":{"ID":"1","ADMIN":false}}"#), 502, "(other_user)"),
        ("/rest/scope", body(r#"{"result":["im"]}"#), 403, "user_brief, department"),
        ("/rest/method.get", body(nothing), 403, "no messenger"),
    ];
    let link = connector.consent_link("helper").expect("a link");
    for (exchange, fault, status, told) in cases {
        scene.network.plan(When::every(exchange), fault);
        let callback = scene.callback_url(&link, scene.mira).expect("authorizes");
        let page = scene.follow(&callback).expect("a page");
        let text = page.text();
        assert_eq!(page.status, status, "{told}: {text}");
        assert!(text.contains(told) && !text.contains(markup), "{told:?} is not in {text}");
        let code = callback.split("code=").nth(1).and_then(|rest| rest.split('&').next());
        assert!(!text.contains(code.expect("a code")), "{text}");
        let agent = connector.control("GET", "/v1/agents/helper", None).expect("an agent");
        assert_eq!(
            (&agent.json()["state"], &agent.json()["user_id"]),
            (&Value::from("created"), &Value::Null)
        );
        scene.network.clear_plan();
    }
    let callback = scene.callback_url(&link, scene.mira).expect("authorizes");
    let page = scene.follow(&callback).expect("a page");
    assert_eq!(scene.confirm(&page).expect("a page").status, 200);
    assert!(!connector.log().contains("panicked"), "{}", connector.log());
}
