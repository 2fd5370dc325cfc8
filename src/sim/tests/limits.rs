//! Request rate and operating time (sim quirks 18 and 19).

use std::time::Duration;

use serde_json::json;

use super::Office;
use super::get;
use crate::sim::Switches;
use crate::sim::switches::RateLimit;

/// A bucket that a test fills at once and that leaks only by virtual time.
const SMALL: RateLimit =
    RateLimit::Bucket { drain: 0.01, threshold: 5.0, html: false, refused_fill: false };

fn status(office: &Office) -> u16 {
    office.call("profile", json!({})).status
}

#[test]
fn bucket_refuses_beyond_its_threshold_and_leaks() {
    let office = Office::with(Switches { rate_limit: SMALL, ..Switches::default() });
    for _ in 0..5 {
        assert_eq!(status(&office), 200);
    }
    let refused = office.call("profile", json!({}));
    assert_eq!((refused.status, refused.error().as_str()), (503, "QUERY_LIMIT_EXCEEDED"));
    assert_eq!(refused.header("Retry-After"), None);
    // One request leaks out in 100 s; refused ones did not fill the bucket.
    office.network.clock().advance(Duration::from_secs(101));
    assert_eq!((status(&office), status(&office)), (200, 503));
    // The limiter stands in front of PHP: before the 404, and one batch is one request.
    assert_eq!(office.call("no.such", json!({})).status, 503);
}

#[test]
fn refused_requests_can_fill_the_bucket() {
    let rate_limit =
        RateLimit::Bucket { drain: 0.01, threshold: 3.0, html: false, refused_fill: true };
    let office = Office::with(Switches { rate_limit, ..Switches::default() });
    let statuses: Vec<u16> = (0..5).map(|_| status(&office)).collect();
    assert_eq!(statuses, [200, 200, 200, 503, 503]);
    office.network.clock().advance(Duration::from_secs(101));
    assert_eq!(status(&office), 503, "the refused two are still in it");
}

#[test]
fn refusal_can_be_a_page_of_nginx() {
    let rate_limit =
        RateLimit::Bucket { drain: 0.01, threshold: 1.0, html: true, refused_fill: false };
    let office = Office::with(Switches { rate_limit, ..Switches::default() });
    assert_eq!(status(&office), 200);
    let page = office.call("profile", json!({}));
    assert_eq!(page.status, 503);
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=UTF-8"));
}

#[test]
fn authorization_server_has_no_bucket() {
    let office = Office::with(Switches { rate_limit: SMALL, ..Switches::default() });
    for _ in 0..10 {
        assert_eq!(office.refresh_with(&office.refresh).status, 200);
    }
}

#[test]
fn operating_time_blocks_one_method_of_one_client() {
    let office = Office::open();
    let hook = office.portal.add_webhook(office.ada, &["im"]);
    {
        let mut world = office.portal.world();
        let costs = &mut world.switches.operating_costs;
        costs.insert("profile".to_owned(), Duration::from_secs(200));
        costs.insert("scope".to_owned(), Duration::from_millis(100));
    }
    let first = office.call("profile", json!({}));
    let reset = first.json()["time"]["operating_reset_at"].as_i64().unwrap_or_default();
    assert_eq!(first.json()["time"]["operating"], json!(200));
    office.network.clock().advance(Duration::from_secs(120));
    // The call that crosses the line still completes; the next is refused before it runs.
    assert_eq!((status(&office), status(&office)), (200, 200));
    let refused = office.call("profile", json!({}));
    assert_eq!((refused.status, refused.error().as_str()), (429, "OPERATION_TIME_LIMIT"));
    assert_eq!(refused.json().get("time"), None);
    assert_eq!(office.call("scope", json!({})).status, 200, "other methods go on");
    assert_eq!(get(&format!("{hook}profile")).status, 200, "a webhook has its own baskets");
    // Ten minutes after the first call only its basket drops out: 400 s are left.
    office.network.clock().advance(Duration::from_secs(481));
    let after = office.call("profile", json!({}));
    assert_eq!(after.status, 200);
    assert_eq!(after.json()["time"]["operating"], json!(600));
    let later = after.json()["time"]["operating_reset_at"].as_i64().unwrap_or_default();
    assert!(later - reset >= 119, "the oldest basket is the second now");
}

#[test]
fn calls_up_to_a_tenth_of_a_second_are_not_counted() {
    let office = Office::open();
    let cost = Duration::from_millis(100);
    office.portal.world().switches.operating_costs.insert("profile".to_owned(), cost);
    let time = office.call("profile", json!({})).json()["time"].clone();
    assert_eq!(time["operating"], json!(0));
    assert_eq!(time.get("operating_reset_at"), None);
}

#[test]
fn blocked_method_is_an_error_of_its_command_only() {
    let office = Office::open();
    let cost = Duration::from_secs(500);
    office.portal.world().switches.operating_costs.insert("profile".to_owned(), cost);
    assert_eq!(status(&office), 200);
    let result =
        office.call("batch", json!({"cmd": {"a": "profile", "b": "server.time"}})).result();
    assert_eq!(result["result_error"]["a"]["error"], json!("OPERATION_TIME_LIMIT"));
    assert!(result["result"]["b"].is_string());
}
