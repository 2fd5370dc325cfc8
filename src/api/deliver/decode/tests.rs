//! What a Deliver call may look like, and every way it may be wrong.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::DeliverCall;
use crate::api::problem::Problem;
use crate::domain::delivery::Operation;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::http::Method;
use crate::http::Request;
use crate::markup::Format;
use crate::outbound::Aim;
use crate::outbound::shelf::Kept;

fn request(body: &str, headers: &[(&str, &str)]) -> Request {
    let mut all = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    all.splice(0..0, headers.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    Request {
        method: Method::Post,
        path: "/aihummer.connector.v1.ConnectorService/Deliver".into(),
        query: String::new(),
        headers: all,
        body: body.as_bytes().to_vec().into(),
    }
}

fn deliver(request: &Request) -> Result<DeliverCall, Problem> {
    super::deliver(request, &|reference| (reference == "ref-0").then(|| kept(0)))
}

/// A file on the shelf.
fn kept(bytes: u64) -> Kept {
    Kept { name: "k".to_owned(), bytes, sha256: [0; 32] }
}

fn read(body: &Value) -> Result<DeliverCall, (u16, &'static str, String)> {
    deliver(&request(&body.to_string(), &[])).map_err(|p| (p.status, p.code, p.message))
}

fn base() -> Value {
    json!({"delivery_id": "d-1", "external_id": "helper/chat904", "text": "hi"})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = base();
    body[field] = value;
    body
}

#[test]
fn both_spellings_mean_the_same() {
    let snake = read(&json!({"delivery_id": "d-1", "external_id": "helper/12", "text": "hi",
        "operation": "send", "format": "plain", "reply_to": 70398}))
    .expect("reads");
    let camel = read(&json!({"deliveryId": "d-1", "agent": "helper", "dialogId": 12, "text": "hi",
        "operation": "OPERATION_SEND", "format": "FORMAT_PLAIN", "replyTo": "70398",
        "somethingNew": {"a": [1]}}))
    .expect("reads");
    assert_eq!(snake, camel);
    assert_eq!(snake.request.reply_to, Some(MessageId(70398)));
    assert_eq!(snake.request.format, Format::Plain);
    assert_eq!(snake.wait, Duration::from_secs(25));
}

#[test]
fn defaults_are_send_and_markdown() {
    let call = read(&base()).expect("reads");
    assert_eq!(call.request.operation, Operation::Send);
    assert_eq!(call.request.format, Format::Markdown);
    assert!(!call.respond_async && call.request.warnings.is_empty());
    let numbers = with("operation", json!(1));
    assert_eq!(read(&numbers).expect("reads").request.operation, Operation::Send);
    assert_eq!(read(&with("text", json!(5))).expect("reads").request.text, "5");
}

#[test]
fn headers_rule_waiting_and_serve_as_the_key() {
    let body = json!({"external_id": "helper/12", "text": "hi"}).to_string();
    let headers = [
        ("Idempotency-Key", "k-1"),
        ("Connect-Timeout-Ms", "500"),
        ("Prefer", "wait=5, respond-async"),
    ];
    let call = deliver(&request(&body, &headers)).expect("reads");
    assert_eq!(call.request.id.as_str(), "k-1");
    assert_eq!(call.wait, Duration::from_millis(500));
    assert!(call.respond_async);
    let long = deliver(&request(&base().to_string(), &[("Connect-Timeout-Ms", "9999999999")]));
    assert_eq!(long.expect("reads").wait, Duration::from_secs(120));
}

#[test]
fn what_cannot_be_honoured_is_named() {
    let mut body = with("buttons", json!([{"a": 1}]));
    body["threadId"] = json!("7");
    body["poll"] = json!(null);
    let warnings = read(&body).expect("reads").request.warnings;
    assert_eq!(warnings, ["buttons is not supported here", "thread_id is not supported here"]);
}

#[test]
fn every_mistake_is_told_with_its_field() {
    let cases = [
        (with("delivery_id", json!("")), "delivery_id"),
        (with("delivery_id", json!("a\nb")), "delivery_id"),
        (with("delivery_id", json!("x".repeat(256))), "delivery_id"),
        (with("delivery_id", json!({"a": 1})), "delivery_id"),
        (with("external_id", json!("helper")), "external_id"),
        (with("external_id", json!("Helper/12")), "external_id"),
        (with("external_id", json!("helper/sg12")), "external_id"),
        (with("external_id", json!("")), "external_id"),
        (with("text", json!("")), "text"),
        (with("text", json!("  \n")), "text"),
        (with("text", json!(["a"])), "text"),
        (with("text", json!("x".repeat(300_001))), "text"),
        (with("operation", json!("shout")), "operation"),
        (with("format", json!("html")), "format"),
        (with("reply_to", json!("last")), "reply_to"),
        (with("reply_to", json!(-1)), "reply_to"),
    ];
    for (body, field) in cases {
        let (status, code, message) = read(&body).expect_err(field);
        assert_eq!((status, code), (400, "invalid_argument"), "{field}");
        assert!(message.starts_with(&format!("{field}:")), "{message}");
    }
}

/// A call of another operation than send.
fn on(operation: &str, fields: &Value) -> Value {
    let mut body = with("operation", json!(operation));
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[test]
fn operations_on_messages_say_which() {
    let edit = read(&on("edit", &json!({"message_id": "70415"}))).expect("reads").request;
    assert_eq!(edit.target, Some(Aim::Message(MessageId(70415))));
    let delete = on("OPERATION_DELETE", &json!({"targetDeliveryId": "d-0", "text": "unused"}));
    let delete = read(&delete).expect("reads").request;
    let id = DeliveryId::parse("d-0").expect("an id");
    assert_eq!((delete.target, delete.text.as_str()), (Some(Aim::Delivery(id)), ""));
    let react = on("react", &json!({"message_id": 7, "reaction": "❤️", "remove": true}));
    let react = read(&react).expect("reads").request;
    assert_eq!((react.reaction.as_str(), react.remove), ("redHeart", true));
    let typing = read(&on("typing", &json!({}))).expect("reads").request;
    assert_eq!((typing.operation, typing.target), (Operation::Typing, None));
    // A send acts on nothing, whatever it says.
    let send = read(&with("message_id", json!(7))).expect("reads").request;
    assert_eq!(send.target, None);
    let media = on("edit", &json!({"message_id": 7, "media": [{"name": "a.txt"}]}));
    assert_eq!(read(&media).expect("reads").request.warnings, ["media is not sent with edit"]);
}

#[test]
fn every_mistake_in_an_operation_is_told_with_its_field() {
    let cases = [
        (on("edit", &json!({})), "message_id"),
        (on("delete", &json!({"message_id": 0})), "message_id"),
        (on("delete", &json!({"message_id": "70415a"})), "message_id"),
        (on("react", &json!({"reaction": "like"})), "message_id"),
        (on("edit", &json!({"message_id": 7, "target_delivery_id": "d-0"})), "message_id"),
        (on("edit", &json!({"target_delivery_id": "a\nb"})), "target_delivery_id"),
        (on("edit", &json!({"message_id": 7, "text": " "})), "text"),
        (on("react", &json!({"message_id": 7})), "reaction"),
        (on("react", &json!({"message_id": 7, "reaction": "[b]"})), "reaction"),
    ];
    for (body, field) in cases {
        let (status, code, message) = read(&body).expect_err(field);
        assert_eq!((status, code), (400, "invalid_argument"), "{field}");
        assert!(message.starts_with(&format!("{field}:")), "{message}");
    }
}

#[test]
fn files_are_named_and_come_from_one_place() {
    let url = "https://files.example/a.png?sig=x";
    let call = read(&with("media", json!([{"name": "a.png", "url": url, "as_file": true}])));
    let media = call.expect("reads").request.media;
    assert!(media[0].as_file && media[0].name == "a.png", "{media:?}");
    let alone = json!({"delivery_id": "d-1", "external_id": "helper/12",
        "media": [{"name": "a.png", "url": url}]});
    assert!(read(&alone).is_ok(), "a file needs no text");
    let many: Vec<Value> =
        (0..11).map(|n| json!({"name": format!("{n}.txt"), "url": url})).collect();
    let cases = [
        (json!("a.png"), "media:"),
        (json!(many), "media:"),
        (json!([7]), "media[0]:"),
        (json!([{"url": url}]), "media[0].name:"),
        (json!([{"name": "a/b", "url": url}]), "media[0].name:"),
        (json!([{"name": "a", "url": url}, {"name": "0", "url": url}]), "media[1].name:"),
        (json!([{"name": "a"}]), "media[0].url:"),
        (json!([{"name": "a", "url": url, "data": "aGk="}]), "media[0].url:"),
        (json!([{"name": "a", "url": "not an address"}]), "media[0].url:"),
        (json!([{"name": "a", "url": ["x"]}]), "media[0].url:"),
        (json!([{"name": "a", "data": "no such file was taken out"}]), "media[0].data:"),
        (json!([{"name": "a", "data": "ref-0"}]), "media[0].data:"),
    ];
    for (media, begins) in cases {
        let (status, code, message) = read(&with("media", media)).expect_err(begins);
        assert_eq!((status, code), (400, "invalid_argument"), "{begins}");
        assert!(message.starts_with(begins), "{message}");
    }
}

#[test]
fn bodies_that_are_no_json_object_are_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in ["", "{", "null", "[]", "\"a\"", "{\"text\":\"\\ud800\"}", &deep] {
        let problem = deliver(&request(body, &[])).expect_err("refused");
        assert_eq!((problem.status, problem.code), (400, "invalid_argument"));
    }
    for kind in ["application/proto", "application/grpc", "application/connect+json", "text/plain"]
    {
        let mut wrong = request(&base().to_string(), &[]);
        wrong.headers = vec![("Content-Type".into(), kind.into())];
        assert_eq!(deliver(&wrong).expect_err("refused").status, 415, "{kind}");
    }
    let mut charset = request(&base().to_string(), &[]);
    charset.headers = vec![("content-type".into(), "application/json; charset=utf-8".into())];
    assert!(deliver(&charset).is_ok());
}
