//! Faults, numbers, history, and the server under strange requests (sim quirks 7 and 22).

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::Office;
use super::get;
use super::try_http;
use crate::sim::Fault;
use crate::sim::HookPoint;
use crate::sim::ServerKind;
use crate::sim::When;

/// What a client finds when it reads an answer to the end.
#[derive(Debug, PartialEq)]
enum Outcome {
    Reset,
    Closed(String),
}

/// Sends bytes on a fresh connection and reads to its end.
fn raw(office: &Office, request: &str) -> Outcome {
    let host = office.portal.url().replace("http://", "");
    let mut stream = TcpStream::connect(host).expect("the portal listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).expect("a small request fits the socket's buffer");
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => Outcome::Closed(text),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Outcome::Reset,
        Err(error) => panic!("{error}"),
    }
}

fn request(office: &Office, body: &str) -> String {
    let host = office.portal.url().replace("http://", "");
    format!(
        "POST /rest/scope HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Whether the last request was carried out: only then the history knows who it acted as.
fn acted(office: &Office) -> bool {
    office.network.history().last().is_some_and(|exchange| exchange.user == Some(office.ada))
}

#[test]
fn connection_is_reset_before_or_after_acting() {
    let office = Office::open();
    let body = json!({"auth": office.token}).to_string();
    office.network.plan(When::Nth(1), Fault::CloseBeforeReading);
    office.network.plan(When::Nth(2), Fault::ActAndReset);
    office.network.plan(When::Nth(3), Fault::ActAndDropAnswer);
    assert_eq!(raw(&office, &request(&office, &body)), Outcome::Reset);
    assert!(!acted(&office));
    assert_eq!(raw(&office, &request(&office, &body)), Outcome::Reset);
    assert!(acted(&office));
    let url = format!("/rest/scope?auth={}", office.token);
    let get = format!("GET {url} HTTP/1.1\r\nHost: {}\r\n\r\n", &office.portal.url()[7..]);
    assert_eq!(raw(&office, &get), Outcome::Closed(String::new()));
    assert!(acted(&office));
    let faults: Vec<_> = office.network.history().iter().map(|e| (e.status, e.fault)).collect();
    assert_eq!(
        faults,
        [
            (0, Some("close_before_reading")),
            (0, Some("act_and_reset")),
            (0, Some("act_and_drop_answer"))
        ]
    );
}

#[test]
fn request_without_body_can_be_reset_after_acting() {
    let office = Office::open();
    office.network.plan(When::first("/rest/scope"), Fault::ActAndReset);
    let get = format!("GET /rest/scope?auth={} HTTP/1.1\r\n\r\n", office.token);
    assert_eq!(raw(&office, &get), Outcome::Reset);
    assert!(acted(&office));
}

#[test]
fn idle_connection_meets_a_fault_planned_later() {
    let office = Office::open();
    let host = office.portal.url().replace("http://", "");
    let mut stream = TcpStream::connect(host).expect("the portal listens");
    let body = json!({"auth": office.token}).to_string();
    stream.write_all(request(&office, &body).as_bytes()).expect("sent");
    let mut piece = [0; 4096];
    assert!(stream.read(&mut piece).expect("an answer") > 0);
    office.network.plan(When::Always, Fault::CloseBeforeReading);
    stream.write_all(request(&office, &body).as_bytes()).expect("sent");
    let error = stream.read(&mut piece).expect_err("no answer");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn truncated_body_stops_under_its_full_length() {
    let office = Office::open();
    office.network.plan(When::first("scope"), Fault::Truncate);
    let body = json!({"auth": office.token}).to_string();
    let Outcome::Closed(text) = raw(&office, &request(&office, &body)) else {
        panic!("not a reset")
    };
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let length = head.split("Content-Length: ").nth(1).and_then(|t| t.lines().next());
    let length: usize = length.and_then(|text| text.parse().ok()).expect("a length");
    assert!(!body.is_empty() && body.len() < length);
    assert!(acted(&office));
}

#[test]
fn answers_are_replaced_by_what_no_client_wants() {
    let office = Office::open();
    let rows = [
        (Fault::Html(403), 403, "<h1>", false),
        (Fault::Redirect("http://elsewhere.example/".to_owned()), 302, "<h1>", false),
        (Fault::HtmlAfterAct(504), 504, "<h1>", true),
        (Fault::Empty, 200, "", true),
        (Fault::Garbage, 200, "<b>Notice</b>", true),
        (Fault::WrongType, 200, "{\"result\":[[]]}", true),
        (Fault::error(400, "", "x"), 400, "{\"error\":\"\",\"error_description\":\"x\"}", false),
        (
            Fault::Body { status: 403, body: "{\"error\":{\"code\":\"X\"}}".to_owned() },
            403,
            "{\"error\":{\"code\":\"X\"}}",
            false,
        ),
    ];
    for (fault, status, text, carried_out) in rows {
        office.network.clear_plan();
        office.network.plan(When::Always, fault.clone());
        let answer = office.call("scope", json!({}));
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.body.contains(text), "{fault:?}: {answer:?}");
        assert_eq!(acted(&office), carried_out, "{fault:?}");
    }
}

#[test]
fn late_and_slow_answers_arrive_whole() {
    let office = Office::open();
    let pause = Duration::from_millis(20);
    office.network.plan(When::Nth(1), Fault::ActAndAnswerLate(pause * 5));
    office.network.plan(When::Nth(2), Fault::SlowBody(pause / 4));
    office.network.plan(When::Nth(3), Fault::ActLate(pause));
    let begin = Instant::now();
    assert_eq!(office.call("scope", json!({})).status, 200);
    assert!(begin.elapsed() >= pause * 5);
    assert!(office.call("scope", json!({})).result().is_array());
    let url = format!("{}/rest/scope?auth={}", office.portal.url(), office.token);
    assert!(try_http("GET", &url, &[], b"").is_none());
    assert!(acted(&office));
}

#[test]
fn hook_runs_before_and_after_and_the_answer_is_dropped() {
    let office = Office::open();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let hook = move |point: HookPoint| notes.lock().expect("not poisoned").push(point);
    office.network.plan(When::Nth(2), Fault::Hook(Arc::new(hook)));
    let url = format!("{}/rest/scope?auth={}", office.portal.url(), office.token);
    assert_eq!(get(&url).status, 200);
    assert!(try_http("GET", &url, &[], b"").is_none());
    assert_eq!(get(&url).status, 200);
    let seen = seen.lock().expect("not poisoned").clone();
    assert_eq!(seen, [HookPoint::BeforeAct, HookPoint::AfterAct]);
}

#[test]
fn plans_hit_the_exchanges_they_name() {
    let office = Office::open();
    let hits = |when: When| {
        office.network.clear_plan();
        office.network.reset_count();
        office.network.plan(when, Fault::Html(500));
        (0..5)
            .map(|n| {
                if n % 2 == 0 {
                    office.call("scope", json!({})).status == 500
                } else {
                    office.refresh_with(&office.refresh).status == 500
                }
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(hits(When::Nth(3)), [false, false, true, false, false]);
    assert_eq!(hits(When::From(3)), [false, false, true, true, true]);
    assert_eq!(hits(When::Always), [true; 5]);
    assert_eq!(hits(When::Never), [false; 5]);
    assert_eq!(hits(When::first("POST /REST/scope")), [true, false, false, false, false]);
    assert_eq!(hits(When::matching("scope", 2, 1)), [false, false, true, false, false]);
    assert_eq!(hits(When::every("grant_type=refresh")), [false, true, false, true, false]);
    let oauth =
        When::Matching { server: Some(ServerKind::OAuth), text: String::new(), nth: 2, times: 9 };
    assert_eq!(hits(oauth), [false, false, false, true, false]);
    assert_eq!(office.network.exchanges(), 5, "one count for all servers");
}

#[test]
fn count_can_leave_exchanges_out() {
    let office = Office::open();
    office.network.count_only(|line| !line.path.contains("server.time"));
    office.network.plan(When::Nth(2), Fault::Html(500));
    let statuses: Vec<u16> = ["scope", "server.time", "profile", "server.time"]
        .iter()
        .map(|method| office.call(method, json!({})).status)
        .collect();
    assert_eq!(statuses, [200, 200, 500, 200]);
    let numbers: Vec<u64> = office.network.history().iter().map(|e| e.number).collect();
    assert_eq!(numbers, [1, 0, 2, 0]);
}

#[test]
fn history_can_be_waited_for_and_switched_off() {
    let office = Office::open();
    let network = &office.network;
    std::thread::scope(|scope| {
        scope.spawn(|| office.call("scope", json!({})));
        let seen = network.wait_until(Duration::from_secs(20), |n| n.calls_of("scope") == 1);
        assert!(seen);
    });
    assert!(!network.wait_until(Duration::ZERO, |n| n.exchanges() > 1));
    network.record(false);
    assert_eq!(office.call("scope", json!({})).status, 200);
    assert_eq!((network.exchanges(), network.history().len()), (2, 1));
}

#[test]
fn portal_can_refuse_connections_and_come_back() {
    let office = Office::open();
    office.portal.set_listening(false).expect("closing never fails");
    let host = office.portal.url().replace("http://", "");
    let error = TcpStream::connect(&host).expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(office.refresh_with(&office.refresh).status, 200, "the other server goes on");
    office.portal.set_listening(true).expect("the port is still free");
    assert_eq!(office.call("scope", json!({})).status, 200);
}

#[test]
fn chunked_bodies_and_pipelined_requests_are_read() {
    let office = Office::open();
    let body = json!({"auth": office.token}).to_string();
    let (one, two) = body.split_at(7);
    let head = "POST /rest/scope HTTP/1.1\r\nContent-Type: application/json\r\n";
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    let last = format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let Outcome::Closed(text) = raw(&office, &format!("{chunked}{chunked}{last}")) else {
        panic!("not a reset")
    };
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
}

#[test]
fn what_is_no_http_is_hung_up_on() {
    let office = Office::open();
    for bytes in ["\r\n\r\n", "GET\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n"] {
        let outcome = raw(&office, bytes);
        assert!(matches!(outcome, Outcome::Closed(text) if text.is_empty()), "{bytes:?}");
    }
    let page = get(&format!("{}/nothing/here", office.portal.url()));
    assert_eq!(page.status, 404, "the server is alive");
}
