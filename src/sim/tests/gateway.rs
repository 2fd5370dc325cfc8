//! The model gateway: what it lets in, how it refuses, and how its outbox delivers (aihummer: §2,
//! §3).

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::http;
use super::try_http;
use crate::base::crypto;
use crate::sim::Fault;
use crate::sim::Gateway;
use crate::sim::GatewayOptions;
use crate::sim::Network;
use crate::sim::ServerKind;
use crate::sim::When;
use crate::sim::http::HttpReply;
use crate::sim::http::Request;
use crate::sim::net::Server;

const SECRET: &str = "s3cret";
const INBOUND: &str = "/v1/inbound/generic";
const PATIENCE: Duration = Duration::from_secs(20);

fn gateway(network: &Network, hmac: bool) -> Gateway {
    let options = GatewayOptions { secret: SECRET.to_owned(), hmac };
    Gateway::start(network, options).expect("starts")
}

fn message(text: &str) -> Value {
    json!({"channel": "bitrix24", "external_id": "helper/12", "text": text})
}

fn post(gateway: &Gateway, path: &str, secret: &str, key: &str, body: &str) -> Answer {
    let secret = format!("X-AIHummer-Inbound-Secret: {secret}");
    let key = format!("Idempotency-Key: {key}");
    let headers = ["Content-Type: application/json", secret.as_str(), key.as_str()];
    http("POST", &format!("{}{path}", gateway.url()), &headers, body.as_bytes())
}

fn code(answer: &Answer) -> (u16, String) {
    let error = &answer.json()["error"];
    assert_eq!(super::keys(error), ["code", "message", "type"]);
    (answer.status, error["code"].as_str().expect("a word").to_owned())
}

#[test]
fn message_with_the_secret_is_taken_and_remembered() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    let body = message("hello").to_string();
    assert_eq!(post(&gateway, INBOUND, SECRET, "k1", &body).status, 202);
    assert_eq!(post(&gateway, INBOUND, SECRET, "k1", &body).status, 202, "a repeat is no error");
    let inbound = gateway.inbound();
    assert_eq!(inbound.len(), 2, "repeats are kept apart, to be counted");
    assert_eq!((inbound[0].key.as_str(), inbound[0].text.as_str()), ("k1", "hello"));
    let status = post(&gateway, "/v1/inbound/binding/status", SECRET, "", r#"{"agent":"a"}"#);
    assert_eq!(status.status, 200);
    assert_eq!(gateway.statuses(), [json!({"agent": "a"})]);
}

#[test]
fn refusals_have_the_gateways_envelope() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    let whole = message("x").to_string();
    let wrong = post(&gateway, INBOUND, "wrong", "k", &whole);
    assert_eq!(code(&wrong), (401, "unauthenticated".to_owned()));
    for body in ["", "[]", "{\"channel\":\"b\"}", "{\"channel\":1,\"external_id\":2,\"text\":3}"] {
        let answer = post(&gateway, INBOUND, SECRET, "k", body);
        assert_eq!(code(&answer), (400, "invalid".to_owned()), "{body}");
    }
    assert_eq!(code(&post(&gateway, "/v1/other", SECRET, "k", &whole)).0, 404);
    network.plan(When::first(INBOUND), Fault::error(501, "disabled", "generic inbound is off"));
    let disabled = post(&gateway, INBOUND, SECRET, "k", &whole);
    assert_eq!(code(&disabled), (501, "disabled".to_owned()), "planned ones too");
    network.plan(When::first(INBOUND), Fault::RetryAfter { status: 429, after: "7".to_owned() });
    let busy = post(&gateway, INBOUND, SECRET, "k", &whole);
    assert_eq!((busy.status, busy.header("Retry-After")), (429, Some("7")));
    assert!(gateway.inbound().is_empty(), "nothing of this was taken");
}

#[test]
fn secret_can_be_asked_for_as_an_hmac_of_the_body() {
    let network = Network::new();
    let gateway = gateway(&network, true);
    let body = message("x").to_string();
    let mac = crypto::hex(&crypto::hmac_sha256(SECRET.as_bytes(), body.as_bytes()));
    assert_eq!(post(&gateway, INBOUND, SECRET, "k", &body).status, 401, "the secret itself");
    assert_eq!(post(&gateway, INBOUND, &mac, "k", &format!("{body} ")).status, 401);
    assert_eq!(post(&gateway, INBOUND, &mac, "k", &body).status, 202);
}

#[test]
fn every_nth_post_fails_in_the_next_of_three_ways() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    gateway.fail_every(10);
    let secret = format!("X-AIHummer-Inbound-Secret: {SECRET}");
    let url = format!("{}{INBOUND}", gateway.url());
    let status = |n: u64| {
        let body = message(&n.to_string()).to_string();
        let json = "Content-Type: application/json";
        try_http("POST", &url, &[json, &secret], body.as_bytes()).map(|answer| answer.status)
    };
    let told: Vec<Option<u16>> = (1..=60).map(status).collect();
    for (n, status) in (1..).zip(&told) {
        let expected = match n {
            10 | 40 => Some(503),
            20 | 30 | 50 | 60 => None,
            _ => Some(202),
        };
        assert_eq!(*status, expected, "{n}");
    }
    let taken: Vec<String> = gateway.inbound().into_iter().map(|inbound| inbound.text).collect();
    let acted = (1..=60).filter(|n| ![10, 20, 40, 50].contains(n)).map(|n: u64| n.to_string());
    assert_eq!(taken, acted.collect::<Vec<_>>(), "30 and 60 were taken, and nobody was told");
    network.clear_plan();
    assert!((61..=90).all(|n| status(n) == Some(202)));
    gateway.fail_every(0);
    assert!((91..=99).all(|n| status(n) == Some(202)), "none");
}

#[test]
fn texts_can_be_refused_by_what_they_contain() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    gateway.refuse_texts("poison", 422, "invalid");
    gateway.refuse_texts("flood", 429, "rate_limited");
    let send = |text: &str| post(&gateway, INBOUND, SECRET, "k", &message(text).to_string());
    for _ in 0..2 {
        assert_eq!(code(&send("a poisonous text")), (422, "invalid".to_owned()));
    }
    assert_eq!(code(&send("flood")), (429, "rate_limited".to_owned()));
    assert_eq!(send("harmless").status, 202);
    gateway.accept_all();
    assert_eq!(send("a poisonous text").status, 202);
    let taken: Vec<String> = gateway.inbound().into_iter().map(|inbound| inbound.text).collect();
    assert_eq!(taken, ["harmless", "a poisonous text"]);
}

/// A connector that answers Deliver with these, the last one again and again, and remembers.
fn connector(network: &Network, answers: &[(u16, &str)]) -> (Server, Arc<Mutex<Vec<Value>>>) {
    let calls: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let answers: Vec<(u16, String)> =
        answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let handler = move |request: &Request| {
        let mut seen = seen.lock().expect("not poisoned");
        let (status, body) = &answers[seen.len().min(answers.len() - 1)];
        seen.push(serde_json::from_slice(&request.body).unwrap_or(Value::Null));
        HttpReply::json(*status, body.as_str())
    };
    let server = Server::start(network, ServerKind::Gateway, Arc::new(handler)).expect("starts");
    (server, calls)
}

#[test]
fn agents_answer_is_delivered_until_it_is_final() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    let busy = (503, r#"{"code":"unavailable"}"#);
    let (connector, calls) =
        connector(&network, &[busy, busy, (200, r#"{"status":"delivered","message_ids":["1"]}"#)]);
    gateway.script(Box::new(|inbound| Some(format!("re: {}", inbound.text))));
    gateway.set_deliver(&format!("http://{}", connector.address()));
    // The same message twice: one answer.
    for _ in 0..2 {
        post(&gateway, INBOUND, SECRET, "k1", &message("hello").to_string());
    }
    assert!(network.wait_until(PATIENCE, |_| gateway.receipts().len() == 1));
    let receipt = gateway.receipts().remove(0);
    assert_eq!((receipt.http, receipt.status.as_str(), receipt.tries), (200, "delivered", 3));
    assert_eq!(receipt.external_id, "helper/12");
    let calls = calls.lock().expect("not poisoned");
    let body = json!({"delivery_id": "reply-k1", "external_id": "helper/12", "text": "re: hello"});
    assert_eq!(*calls, [body.clone(), body.clone(), body], "at least once, always the same");
    assert_eq!(gateway.undelivered(), 0);
}

#[test]
fn delivery_whose_answer_is_lost_is_repeated_and_a_refusal_is_final() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    let (connector, calls) = connector(
        &network,
        &[(200, r#"{"status":"delivered"}"#), (409, r#"{"code":"already_exists"}"#)],
    );
    gateway.script(Box::new(|_| Some("answer".to_owned())));
    network.plan(When::first("DELIVER"), Fault::ActAndDropAnswer);
    gateway.set_deliver(&format!("http://{}", connector.address()));
    post(&gateway, INBOUND, SECRET, "k1", &message("hello").to_string());
    assert!(network.wait_until(PATIENCE, |_| gateway.receipts().len() == 1));
    let receipt = gateway.receipts().remove(0);
    assert_eq!((receipt.http, receipt.status.as_str(), receipt.tries), (409, "already_exists", 2));
    assert_eq!(calls.lock().expect("not poisoned").len(), 2);
}

#[test]
fn messages_without_a_key_cannot_be_told_apart_from_repeats() {
    let network = Network::new();
    let gateway = gateway(&network, false);
    gateway.script(Box::new(|_| Some("answer".to_owned())));
    for _ in 0..2 {
        post(&gateway, INBOUND, SECRET, "", &message("hello").to_string());
    }
    assert_eq!(gateway.undelivered(), 2, "so each is answered");
}
