//! The JSON examples of docs/contract.md are what a run shows: the same fields, the same types, the
//! same words; and everything the run shows of the contract has its example.

use std::collections::BTreeSet;
use std::fs;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::CONTROL_SECRET;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::eventually;
use crate::support::scene::Scene;

/// The examples in order.
fn examples() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/contract.md");
    let document = fs::read_to_string(path).expect("docs/contract.md");
    let blocks = document.split("```json\n").skip(1);
    let parse = |block: &str| {
        let text = block.split("```").next().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|why| panic!("{why} in: {text}"))
    };
    blocks.map(parse).collect()
}

/// Fields and types of a value; words that the contract fixes stand as they are.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(list) => {
            let kinds: BTreeSet<String> = list.iter().map(shape).collect();
            format!("[{}]", kinds.into_iter().collect::<Vec<_>>().join("|"))
        }
        Value::Object(object) => {
            let words = ["code", "message", "status", "state", "channel", "dialog_type"];
            let field = |(name, value): (&String, &Value)| match value {
                Value::String(word) if words.contains(&name.as_str()) => format!("{name}={word}"),
                _ => format!("{name}:{}", shape(value)),
            };
            let mut fields: Vec<String> = object.iter().map(field).collect();
            fields.sort();
            format!("{{{}}}", fields.join(" "))
        }
    }
}

/// One call and its answer.
fn call(method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = client::request(method, url, &all, body.as_bytes(), PATIENCE).expect("answered");
    (answer.status, answer.json())
}

fn control(connector: &Connector, method: &str, path: &str) -> Value {
    let bearer = format!("Bearer {CONTROL_SECRET}");
    let url = format!("{}{path}", connector.origin("control"));
    call(method, &url, &[("Authorization", &bearer)], &Value::Null).1
}

/// Deliver calls: the example's request and what comes of it.
fn deliveries(scene: &Scene, connector: &Connector, request: &Value) -> Vec<Value> {
    let url = connector.deliver_url();
    let secret = ("X-AIHummer-Inbound-Secret", SECRET);
    let mut body = request.clone();
    body["external_id"] = json!(format!("helper/{}", scene.olaf));
    let (status, first) = call("POST", &url, &[secret], &body);
    assert_eq!((status, first["status"].as_str()), (200, Some("delivered")));
    let (status, again) =
        call("POST", &url, &[("Authorization", &format!("Bearer {SECRET}"))], &body);
    assert_eq!((status, &again["replayed"]), (200, &json!(true)));
    assert_eq!(again["message_ids"], first["message_ids"]);
    let get = url.replace("/Deliver", "/GetDelivery");
    let (status, found) = call("POST", &get, &[secret], &json!({ "delivery_id": "d-1" }));
    assert_eq!((status, &found), (200, &first));
    let mut other = body.clone();
    other["text"] = json!("something else");
    let (status, conflict) = call("POST", &url, &[secret], &other);
    assert_eq!(status, 409);
    // A fast portal may have shown it before the answer goes; then the next one is asked for.
    let mut number = 1;
    let later = eventually("an answer before the outcome", || {
        number += 1;
        body["delivery_id"] = json!(format!("later-{number}"));
        let (status, later) = call("POST", &url, &[secret, ("Prefer", "respond-async")], &body);
        (status == 202).then_some(later)
    });
    let nowhere = json!({ "delivery_id": "d-6", "external_id": "helper/chat999999", "text": "hi" });
    let (status, refused) = call("POST", &url, &[secret], &nowhere);
    assert_eq!(status, 404);
    vec![request.clone(), first, conflict, later, refused]
}

/// What people see of a message that the gateway refuses: in a list, and alone.
fn refused(scene: &Scene, connector: &Connector) -> Vec<Value> {
    let refusal = Fault::error(422, "no_workspace", "no workspace for this channel");
    scene.network.plan(When::first("POST /v1/inbound/generic"), refusal);
    scene.portal.write_to(scene.olaf, scene.mira, "Is anybody there?").expect("writes");
    let listed = eventually("the refusal", || {
        let listed = control(connector, "GET", "/v1/inbound?state=dead");
        (listed["inbound"] != json!([])).then_some(listed)
    });
    let id = listed["inbound"][0]["id"].as_str().expect("an id");
    let one = control(connector, "GET", &format!("/v1/inbound/{id}"));
    vec![listed, one]
}

/// The example of `/v1/render`, and what comes of it, word by word.
fn rendering(connector: &Connector, examples: &[Value]) -> [Value; 2] {
    let at = examples.iter().position(|e| e.get("parts").is_some()).expect("an example");
    let bearer = format!("Bearer {CONTROL_SECRET}");
    let url = format!("{}/v1/render", connector.origin("control"));
    let request = &examples[at - 1];
    let (status, shown) = call("POST", &url, &[("Authorization", &bearer)], request);
    assert_eq!((status, &shown), (200, &examples[at]));
    assert_eq!(call("POST", &url, &[], request).0, 401);
    [request.clone(), shown]
}

#[test]
fn the_examples_are_what_a_run_shows() {
    let examples = examples();
    let mut seen = Vec::new();
    let mut scene = Scene::new();
    scene.set("BITRIX24_INBOUND_EXTRA", "off");
    let connector = scene.start();
    for path in ["/healthz", "/readyz"] {
        seen.push(control(&connector, "GET", path));
    }
    seen.push(control(&connector, "POST", "/v1/agents/helper/consent"));
    let done = connector.consent("helper", scene.mira).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    eventually("the events to be subscribed", || scene.is_subscribed().then_some(()));
    let active = eventually("the gateway to be told", || {
        scene.gateway.statuses().into_iter().find(|status| status["state"] == "active")
    });
    seen.push(active);
    seen.push(control(&connector, "GET", "/v1/agents/helper"));
    seen.push(control(&connector, "GET", "/v1/agents/helper/check"));
    let status = eventually("the company's structure to be read", || {
        let status = control(&connector, "GET", "/v1/status");
        (status["directory"]["fresh"] == true).then_some(status)
    });
    seen.push(status);
    let request = examples.iter().find(|e| e["delivery_id"] == "d-1").expect("a request");
    seen.extend(deliveries(&scene, &connector, request));
    seen.extend(rendering(&connector, &examples));
    seen.push(control(&connector, "GET", "/v1/deliveries?state=rejected"));
    seen.push(control(&connector, "GET", "/v1/deliveries/d-1"));
    let inbound = |text: &str| {
        scene.portal.write_to(scene.olaf, scene.mira, text).expect("writes");
        eventually("the gateway's copy", || {
            scene.gateway.inbound().into_iter().find(|inbound| inbound.text == text)
        })
    };
    let plain = inbound("Is the invoice 4711 paid?");
    assert!(plain.key.contains("-helper-"), "{}", plain.key);
    seen.push(plain.body);
    seen.extend(refused(&scene, &connector));
    drop(connector);
    scene.set("BITRIX24_INBOUND_EXTRA", "on");
    let _connector = scene.start();
    scene.portal.write_to(scene.olaf, scene.mira, "And 4712?").expect("writes");
    seen.push(eventually("the gateway's copy", || {
        let mut all = scene.gateway.inbound().into_iter();
        all.find(|inbound| inbound.text == "And 4712?").map(|inbound| inbound.body)
    }));
    let told: BTreeSet<String> = examples.iter().map(shape).collect();
    let seen: BTreeSet<String> = seen.iter().map(shape).collect();
    let differ: Vec<&String> = told.symmetric_difference(&seen).collect();
    assert!(differ.is_empty(), "in one of docs/contract.md and the run only: {differ:#?}");
}
