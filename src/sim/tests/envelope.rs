//! What the envelope does to a handler's answer (sim quirks 12 and 13), without HTTP.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::base::clock::UnixMs;
use crate::sim::PortalOptions;
use crate::sim::call::Client;
use crate::sim::call::Reply;
use crate::sim::call::RestError;
use crate::sim::clock::Clock;
use crate::sim::envelope;
use crate::sim::envelope::Timing;
use crate::sim::http::HttpReply;
use crate::sim::php;
use crate::sim::world::World;

fn timing() -> Timing {
    let start = UnixMs(1_781_000_000_118);
    let finish = start.plus(Duration::from_millis(900));
    Timing { start, finish, operating: None }
}

fn wrapped(result: Value) -> HttpReply {
    let world = World::new(Clock::new(), PortalOptions::default());
    let client = Client::App("local.1.2".to_owned());
    envelope::success(&world, &client, Reply::from(result), &timing())
}

fn body(reply: &HttpReply) -> Value {
    serde_json::from_slice(&reply.body).expect("the envelope is JSON")
}

#[test]
fn next_and_total_are_lifted_out_of_the_result() {
    let lifted = body(&wrapped(json!({"items": [1], "next": 50, "total": "81"})));
    assert_eq!(lifted["result"], json!({"items": [1]}));
    assert_eq!((&lifted["next"], &lifted["total"]), (&json!(50), &json!(81)));
    let emptied = body(&wrapped(json!({"total": null})));
    assert_eq!((&emptied["result"], &emptied["total"]), (&json!([]), &json!(0)));
    let last = body(&wrapped(json!({"items": [1]})));
    assert!(last.get("next").is_none() && last.get("total").is_none());
}

#[test]
fn error_returned_by_a_handler_has_status_200_and_no_time() {
    let refused = json!({"error": "insufficient_scope", "error_description": "x"});
    let reply = wrapped(refused.clone());
    assert_eq!((reply.status, body(&reply)), (200, refused));
    // With an empty text it is an ordinary result.
    let half = body(&wrapped(json!({"error": "x", "error_description": ""})));
    assert!(half.get("result").is_some() && half.get("time").is_some());
}

#[test]
fn integer_start_makes_the_duration_too_long() {
    let mut world = World::new(Clock::new(), PortalOptions::default());
    let block = |world: &World| {
        let text = php::encode(&envelope::time_block(world, &timing()), false);
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let whole = block(&world);
    assert_eq!(whole["start"], json!(1_781_000_000));
    assert!(whole["duration"].as_f64().is_some_and(|d| (1.0..1.1).contains(&d)), "{whole}");
    assert_eq!(whole["processing"], json!(1));
    assert_eq!(whole["date_start"], json!("2026-06-09T13:13:20+03:00"));
    world.switches.integer_time = false;
    let exact = block(&world);
    assert!(exact["start"].is_f64());
    assert!(exact["duration"].as_f64().is_some_and(|d| (0.8..1.0).contains(&d)), "{exact}");
}

#[test]
fn refusals_carry_extra_keys_and_any_code() {
    let world = World::new(Clock::new(), PortalOptions::default());
    let mut error = RestError::plain_exception(0, "access_denied");
    error.extra.insert("argument".to_owned(), json!("ID"));
    let reply = envelope::failure(&world, &error);
    let expected =
        json!({"error": "ERROR_CORE", "error_description": "access_denied", "argument": "ID"});
    assert_eq!((reply.status, body(&reply)), (400, expected));
    assert_eq!(RestError::plain_exception(7, "").code, "7");
    let empty = body(&envelope::failure(&world, &RestError::bad("", "SQL trouble")));
    assert_eq!(empty["error"], json!(""));
    let denied = RestError::access_denied("Application context required");
    assert_eq!(denied.description, "Access denied! Application context required");
    assert_eq!((denied.status, denied.code.as_str()), (403, "ACCESS_DENIED"));
}
