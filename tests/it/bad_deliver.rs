//! Deliver calls that are wrong, and Deliver calls in every form that is right: the error table of
//! the contract, row by row, over real HTTP. What is refused leaves nothing behind; what is accepted
//! is shown once, however often and however impatiently it is asked for.

use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::calls::DELIVER;
use crate::support::calls::GET;
use crate::support::calls::JSON;
use crate::support::calls::PROOF;
use crate::support::calls::ask;
use crate::support::calls::assert_refused;
use crate::support::calls::deliver;
use crate::support::calls::look_up;
use crate::support::eventually;
use crate::support::scene::Scene;

/// Path, headers and body.
type Call<'a> = (&'a str, Vec<(&'a str, &'a str)>, Value);

/// A body of a good call with one field changed; `null` takes it away.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"delivery_id": "bad", "external_id": "helper/1", "text": "never shown"});
    body[field] = value;
    body
}

/// Asserts that none of the calls so far left anything behind.
fn assert_nothing_kept(scene: &Scene, connector: &Connector) {
    let missing = look_up(connector, "bad");
    assert_refused("GetDelivery of what was refused", &missing, 404, "not_found", "no delivery");
    let status = connector.status().expect("a status");
    assert_eq!(status["deliveries"]["unfinished"], 0, "{status}");
    assert_eq!(scene.network.calls_of("im.message.add"), 0);
    assert!(!connector.log().contains("panicked"), "{}", connector.log());
}

#[test]
fn a_malformed_body_is_told_with_its_field_and_leaves_nothing() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let in_field = format!(r#"{{"delivery_id":"bad","external_id":"helper/1","text":{deep}}}"#);
    let beside = format!(
        r#"{{"delivery_id":"bad","external_id":"helper/1","text":"x","other":{}}}"#,
        "{\"a\":".repeat(200) + "1" + &"}".repeat(200)
    );
    let not_json: [&[u8]; 12] = [
        b"",
        b"{",
        br#"{"delivery_id":"bad","external_id":"helper/1","text":"x""#,
        br#"{"delivery_id":"bad","external_id":"helper/1","text":"x"}}"#,
        br#"{"delivery_id":"bad","external_id":"helper/1","text":"\ud800"}"#,
        b"{\"delivery_id\":\"bad\",\"external_id\":\"helper/1\",\"text\":\"\xff\"}",
        b"<html><body>502 Bad Gateway</body></html>",
        b"delivery_id=bad&external_id=helper%2F1&text=x",
        b"\0\0\0\0\x02{}",
        deep.as_bytes(),
        in_field.as_bytes(),
        beside.as_bytes(),
    ];
    for body in not_json {
        let what = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = ask(&connector, ("POST", DELIVER), &[JSON, PROOF], body);
        assert_refused(&what, &answer, 400, "invalid_argument", "the body is not JSON");
    }
    for body in ["null", "[]", "\"x\"", "5"] {
        let answer = ask(&connector, ("POST", DELIVER), &[JSON, PROOF], body.as_bytes());
        assert_refused(body, &answer, 400, "invalid_argument", "the body is not a JSON object");
    }
    let long = "x".repeat(300_001);
    let fields = [
        ("delivery_id", vec![json!(null), json!(""), json!("a\u{7f}"), json!("x".repeat(256))]),
        ("delivery_id", vec![json!({}), json!([1]), json!(true), json!(1.5), json!(1e30)]),
        ("external_id", vec![json!(null), json!(""), json!("helper"), json!("helper/"), json!(5)]),
        ("external_id", vec![json!("/1"), json!("helper/chat0"), json!("helper/1/2"), json!({})]),
        ("external_id", vec![json!(long), json!("Helper/1"), json!("helper/-1"), json!([])]),
        (
            "text",
            vec![json!(null), json!(""), json!(" \n\t "), json!(long), json!({}), json!(true)],
        ),
        ("text", vec![json!("[x]: https://a.example"), json!(["never shown"])]),
        ("operation", vec![json!("shout"), json!("OPERATION_SHOUT"), json!(99), json!([])]),
        ("format", vec![json!("html"), json!("FORMAT_HTML"), json!(7), json!({})]),
        ("reply_to", vec![json!("last"), json!(0), json!(-1), json!({}), json!(1e30)]),
    ];
    for (field, values) in fields {
        for value in values {
            let answer = deliver(&connector, &with(field, value.clone()));
            let what = format!("{field}={:.60}", value.to_string());
            let told = format!("{field}: ");
            assert_refused(&what, &answer, 400, "invalid_argument", &told);
        }
    }
    // Refused by the listener itself, in the same form.
    let huge = with("text", json!("x".repeat(1 << 20)));
    let answer = deliver(&connector, &huge);
    assert_refused("a huge body", &answer, 413, "invalid_argument", "body is too large");
    let apart = [
        (json!({"agent": "helper"}), "dialog_id: missing"),
        (json!({"agent": "Mira Holt", "dialog_id": 1}), "agent: "),
        (json!({"agent": "helper", "dialog_id": "everyone"}), "dialog_id: "),
        (json!({"agent": ["helper"], "dialog_id": 1}), "agent: "),
    ];
    for (mut body, told) in apart {
        body["delivery_id"] = json!("bad");
        body["text"] = json!("never shown");
        assert_refused(told, &deliver(&connector, &body), 400, "invalid_argument", told);
    }
    assert_nothing_kept(&scene, &connector);
}

#[test]
fn a_call_at_the_wrong_door_is_told_which_is_the_right_one() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let good = with("text", json!("never shown")).to_string();
    let good = good.as_bytes();
    let wrong = ("X-AIHummer-Inbound-Secret", "stage-inbound-secreT");
    let bearer = ("Authorization", "Bearer stage");
    let basic = ("Authorization", "Basic c3RhZ2UtaW5ib3VuZC1zZWNyZXQ=");
    let empty = ("X-AIHummer-Inbound-Secret", "");
    for path in [DELIVER, GET] {
        for headers in [vec![], vec![wrong], vec![bearer], vec![basic], vec![empty], vec![wrong]] {
            let what = format!("{path} with {headers:?}");
            let headers: Vec<_> = headers.into_iter().chain([JSON]).collect();
            let answer = ask(&connector, ("POST", path), &headers, good);
            assert_refused(&what, &answer, 401, "unauthenticated", "secret");
        }
        for kind in ["application/proto", "application/grpc+json", "text/plain", ""] {
            let answer = ask(&connector, ("POST", path), &[("Content-Type", kind), PROOF], good);
            assert_refused(kind, &answer, 415, "invalid_argument", "application/json");
        }
        for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
            let answer = ask(&connector, (method, path), &[JSON, PROOF], b"");
            assert_refused(method, &answer, 405, "unimplemented", "use POST here");
            assert_eq!(answer.header("allow"), Some("POST"), "{method} {path}");
        }
    }
    for path in [
        "/",
        "/Deliver",
        "/aihummer.connector.v2.ConnectorService/Deliver",
        "/aihummer.connector.v1.ConnectorService/Deliver/",
        "/aihummer.connector.v1.ConnectorService/deliver",
        "/v1/status",
    ] {
        let answer = ask(&connector, ("POST", path), &[JSON, PROOF], good);
        assert_refused(path, &answer, 404, "not_found", "nothing is here");
    }
    for timeout in ["soon", "-1", "1.5", "99999999999", ""] {
        let headers = [JSON, PROOF, ("Connect-Timeout-Ms", timeout)];
        let answer = ask(&connector, ("POST", DELIVER), &headers, good);
        assert_refused(timeout, &answer, 400, "invalid_argument", "Connect-Timeout-Ms: ");
    }
    let nobody = ask(&connector, ("POST", GET), &[JSON, PROOF], b"{}");
    assert_refused("GetDelivery {}", &nobody, 400, "invalid_argument", "delivery_id: missing");
    assert_nothing_kept(&scene, &connector);
}

#[test]
fn what_cannot_be_carried_out_is_told_why_and_leaves_nothing() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_AGENTS", "helper,unasked");
    let connector = scene.start_connected();
    let unknown = with("external_id", json!("stranger/1"));
    assert_refused("agent", &deliver(&connector, &unknown), 404, "not_found", "no agent");
    let unasked = with("external_id", json!("unasked/1"));
    let answer = deliver(&connector, &unasked);
    assert_refused("no consent", &answer, 400, "failed_precondition", "nobody has consented");
    assert_nothing_kept(&scene, &connector);

    // What the portal refuses is an end of its own: recorded, told, and told again.
    let target = json!("helper/chat4711");
    let body = json!({"delivery_id": "elsewhere", "external_id": target, "text": "never shown"});
    for replayed in [false, true] {
        let answer = deliver(&connector, &body);
        let denied = answer.json();
        assert!(matches!(answer.status, 403 | 404), "{}", answer.text());
        assert_eq!(denied["details"][0]["status"], "rejected", "{denied}");
        assert_eq!(denied["details"][0]["replayed"], replayed, "{denied}");
    }
    assert_eq!(look_up(&connector, "elsewhere").json()["status"], "rejected");
}

#[test]
fn every_form_of_a_good_call_is_understood_and_shown_once() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let olaf = scene.olaf;
    let target = format!("helper/{olaf}");
    let any_service = "/aihummer.connector.v1.AnythingElse/Deliver";
    let bearer = format!("Bearer {SECRET}");
    let bearer = ("Authorization", bearer.as_str());
    let charset = ("content-type", "Application/JSON; charset=utf-8");
    let calls: Vec<Call<'_>> = vec![
        (
            DELIVER,
            vec![JSON, PROOF],
            json!({"delivery_id": "доставка 1", "external_id": target,
            "operation": "send", "format": "markdown", "text": "one", "media": [], "poll": null}),
        ),
        (
            DELIVER,
            vec![JSON, bearer],
            json!({"deliveryId": 2, "externalId": target,
            "operation": "OPERATION_SEND", "format": "FORMAT_PLAIN", "text": "two"}),
        ),
        (
            DELIVER,
            vec![charset, PROOF, ("Connect-Protocol-Version", "1")],
            json!({
            "delivery_id": 18_446_744_073_709_551_615_u64, "agent": "helper", "dialogId": olaf,
            "operation": 1, "format": 3, "text": "[b]three[/b]", "whatever": {"a": [1, {}]}}),
        ),
        (
            any_service,
            vec![JSON, PROOF, ("Idempotency-Key", "key-4")],
            json!({"text": "four",
            "external_id": target, "operation": "OPERATION_UNSPECIFIED", "reply_to": ""}),
        ),
        (
            DELIVER,
            vec![JSON, PROOF, ("Idempotency-Key", "ignored")],
            json!({"delivery_id": "5",
            "external_id": target, "text": "five", "buttons": [{"text": "Yes"}],
            "keyboard": {"a": 1}, "threadId": 7, "poll": {"q": "?"}}),
        ),
    ];
    let ids = ["доставка 1", "2", "18446744073709551615", "key-4", "5"];
    for replayed in [false, true] {
        for ((path, headers, body), id) in calls.iter().zip(ids) {
            let answer = ask(&connector, ("POST", path), headers, body.to_string().as_bytes());
            let receipt = answer.json();
            assert_eq!(answer.status, 200, "{id}: {receipt}");
            assert_eq!(receipt["delivery_id"], id);
            assert_eq!(
                (&receipt["status"], &receipt["attempts"]),
                (&json!("delivered"), &json!(1))
            );
            assert_eq!(receipt["replayed"], replayed, "{id}: {receipt}");
            assert_eq!(receipt["message_ids"].as_array().map(Vec::len), Some(1), "{receipt}");
            assert!(receipt["message_ids"][0].is_string(), "{receipt}");
            let warned = receipt["warnings"].as_array().expect("warnings").len();
            assert_eq!(warned, if id == "5" { 4 } else { 0 }, "{receipt}");
            assert_eq!(look_up(&connector, id).json()["message_ids"], receipt["message_ids"]);
        }
    }
    let chat = scene.portal.private_chat(olaf, scene.mira);
    assert_eq!(scene.said_by_agent(chat), ["one", "two", "[b]three[/b]", "four", "five"]);

    for (field, other) in [("text", "another"), ("format", "plain"), ("externalId", "helper/chat1")]
    {
        let mut body = json!({"delivery_id": "доставка 1", "external_id": target, "text": "one"});
        body[field] = json!(other);
        if field == "externalId" {
            body["external_id"] = json!(null);
        }
        let answer = deliver(&connector, &body);
        assert_refused(field, &answer, 409, "already_exists", "other content");
    }
    assert_eq!(scene.said_by_agent(chat).len(), calls.len());
}

/// Each of these once held a listener's thread for minutes.
#[test]
fn a_hostile_text_costs_no_more_than_its_length() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    // Whether it can be shown is not asked here.
    scene.portal.set_listening(false).expect("it stops listening");
    let target = format!("helper/{}", scene.olaf);
    let later = [JSON, PROOF, ("Prefer", "respond-async")];
    for (number, piece) in [">", "> ", "1. ", "[", "![](", "*a_"].iter().enumerate() {
        let text = piece.repeat(300_000 / piece.len());
        let body = json!({"delivery_id": number, "external_id": target, "text": text}).to_string();
        let answer = ask(&connector, ("POST", DELIVER), &later, body.as_bytes());
        let answered = matches!(answer.status, 202) || answer.json()["code"] == "invalid_argument";
        assert!(answered, "{piece}: {}", answer.text());
    }
    let answer = ask(&connector, ("GET", "/healthz"), &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn an_impatient_caller_is_told_so_and_may_join_later() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let target = format!("helper/{}", scene.olaf);
    let body = |id: &str| json!({"delivery_id": id, "external_id": target, "text": id});
    scene.portal.set_listening(false).expect("it stops listening");

    let impatient = [JSON, PROOF, ("Connect-Timeout-Ms", "1")];
    let bytes = body("slow").to_string();
    for _ in 0..2 {
        let answer = ask(&connector, ("POST", DELIVER), &impatient, bytes.as_bytes());
        assert_refused("slow", &answer, 504, "deadline_exceeded", "repeat the call to join");
    }
    let later = [JSON, PROOF, ("Prefer", "respond-async")];
    for replayed in [false, true] {
        let bytes = body("later").to_string();
        let answer = ask(&connector, ("POST", DELIVER), &later, bytes.as_bytes());
        let receipt = answer.json();
        assert_eq!(answer.status, 202, "{receipt}");
        assert_eq!(
            (&receipt["status"], &receipt["replayed"]),
            (&json!("accepted"), &json!(replayed))
        );
    }
    // The last failure is told while it is being tried again.
    let tried = eventually("an attempt at it", || {
        let receipt = look_up(&connector, "slow").json();
        receipt.get("failure").is_some().then_some(receipt)
    });
    assert_eq!(
        (&tried["status"], &tried["failure"]["code"]),
        (&json!("accepted"), &json!("unavailable"))
    );
    let mut other = body("slow");
    other["text"] = json!("another");
    let conflict = deliver(&connector, &other);
    assert_refused("while it runs", &conflict, 409, "already_exists", "other content");

    scene.portal.set_listening(true).expect("it listens again");
    for id in ["slow", "later"] {
        let receipt = deliver(&connector, &body(id)).json();
        assert_eq!((&receipt["status"], &receipt["replayed"]), (&json!("delivered"), &json!(true)));
        assert_eq!(look_up(&connector, id).json()["status"], "delivered");
    }
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    assert_eq!(scene.said_by_agent(chat), ["slow", "later"]);
}

#[test]
fn a_full_queue_refuses_new_calls_and_answers_repeated_ones() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    assert_eq!(scene.send(&connector, "before", "before").expect("an answer").status, 200);
    assert!(connector.terminate().expect("it stops").success());
    // Ten thousand deliveries for an agent that nobody has: they stay where they are.
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database");
    let filled = file.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO deliveries (id, agent, dialog, operation, content, due_at, accepted_at) \
         SELECT 'filler-' || i, 'nobody', 'chat1', 'send', x'00', \
         unixepoch() * 1000 + 3600000, unixepoch() * 1000 FROM n",
        [],
    );
    assert_eq!(filled, Ok(10_000));
    drop(file);

    let connector = scene.start();
    let answer = scene.send(&connector, "after", "after").expect("an answer");
    assert_refused("full", &answer, 429, "resource_exhausted", "too many deliveries");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(look_up(&connector, "after").status, 404);
    let repeated = scene.send(&connector, "before", "before").expect("an answer").json();
    assert_eq!((&repeated["status"], &repeated["replayed"]), (&json!("delivered"), &json!(true)));
}
