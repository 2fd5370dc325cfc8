//! Tests of one call against a server with canned answers: what counts as a success, how the
//! credential travels, and what a refusal does to the calls after it.

#![allow(clippy::disallowed_methods, reason = "a server's thread is not the process's")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use url::Url;

use super::Access;
use super::Call;
use super::Credential;
use super::Lane;
use super::Portal;
use super::RateRule;
use crate::base::json;
use crate::base::secret::Secret;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::limiter::Rate;

/// A portal of canned answers, and the requests it got: line and body.
struct Canned {
    endpoint: Url,
    requests: mpsc::Receiver<(String, Value)>,
}

fn canned(answers: Vec<(u16, Value)>) -> Canned {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let mut length = 0;
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
                    break;
                }
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut sent = vec![0; length];
            let _ = reader.read_exact(&mut sent);
            let _ = told.send((line, serde_json::from_slice(&sent).unwrap_or_default()));
            let body = body.to_string();
            let _ = write!(
                reader.get_mut(),
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let endpoint = Url::parse(&format!("http://127.0.0.1:{port}/rest/")).expect("a URL");
    Canned { endpoint, requests }
}

impl Canned {
    fn credential(&self) -> Credential {
        Credential {
            endpoint: self.endpoint.clone(),
            access: Access::Token(Secret::new("t0ken".into())),
        }
    }
}

fn portal(rule: RateRule) -> Portal {
    Portal::new(Transport::new(&TransportOptions::default()).expect("a transport"), rule)
}

/// A write that expects a number.
fn write(method: &'static str) -> Call<i64> {
    let mut params = Map::new();
    params.insert("TEXT".to_owned(), json!("hi"));
    Call { method, params, writes: true, lane: Lane::Reply, read: json::int, file: None }
}

fn meaning(outcome: Result<i64, Failure>) -> (Class, Effect, String) {
    let failure = outcome.expect_err("a failure");
    (failure.class, failure.effect, failure.code)
}

#[test]
fn a_success_has_a_result_of_the_right_type_and_no_error() {
    let good = [json!({"result": 7}), json!({"result": "7", "error": null, "time": []})];
    let odd = [
        (200, json!({}), "no_result"),
        (200, json!({"time": {}}), "no_result"),
        (200, json!({"result": null}), "wrong_type"),
        (200, json!({"result": {"a": 7}}), "wrong_type"),
        (200, json!([]), "not_json_200"),
        (201, json!("7"), "not_json_201"),
        (400, json!({"result": 7}), "not_json_400"),
    ];
    let answers = good.iter().map(|body| (200, body.clone()));
    let answers = answers.chain(odd.iter().map(|(status, body, _)| (*status, body.clone())));
    let server = canned(answers.chain([(200, json!({"result": 7, "error": "x"}))]).collect());
    let portal = portal(RateRule::Off);
    for _ in good {
        assert_eq!(portal.call(&server.credential(), &write("m.add")), Ok(7));
    }
    for (_, _, code) in odd {
        let outcome = portal.call(&server.credential(), &write("m.add"));
        assert_eq!(meaning(outcome), (Class::Protocol, Effect::Unknown, code.to_owned()));
    }
    let outcome = portal.call(&server.credential(), &write("m.add"));
    assert_eq!(meaning(outcome).2, "x", "an error beside a result is an error");
}

#[test]
fn the_token_travels_in_the_body_of_a_post() {
    let server = canned(vec![(200, json!({"result": 1}))]);
    portal(RateRule::Off).call(&server.credential(), &write("m.add")).expect("a success");
    let (line, body) = server.requests.recv().expect("a request");
    assert_eq!(line.trim_end(), "POST /rest/m.add HTTP/1.1");
    assert_eq!(body, json!({"TEXT": "hi", "auth": "t0ken"}));
}

#[test]
fn used_up_operating_time_parks_the_method_and_no_other() {
    let time = json!({"finish": 1_781_000_000.5, "operating_reset_at": 1_781_000_300});
    let blocked = json!({"error": "OPERATION_TIME_LIMIT", "error_description": "blocked"});
    let server = canned(vec![
        (200, json!({"result": 1, "time": time})),
        (429, blocked.clone()),
        (200, json!({"result": 2, "time": {"finish": "soon", "operating_reset_at": []}})),
        (429, blocked),
    ]);
    let portal = portal(RateRule::Off);
    let call = |method| portal.call(&server.credential(), &write(method));
    call("m.add").expect("a success");
    let failure = call("m.add").expect_err("blocked");
    assert_eq!((failure.class, failure.effect), (Class::MethodParked, Effect::None));
    let wait = failure.retry_after.expect("a wait");
    assert!(wait > Duration::from_secs(290) && wait <= Duration::from_secs(301), "{wait:?}");
    let parked = call("m.add").expect_err("parked");
    assert_eq!((parked.code.as_str(), parked.effect), ("method_parked", Effect::None));
    assert!(parked.retry_after.is_some());
    // The portal was not asked; another method goes on, and is parked for a minute when nothing
    // is known of it.
    assert_eq!(call("m.get"), Ok(2));
    let wait = call("m.get").expect_err("blocked").retry_after.expect("a wait");
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(server.requests.iter().take(4).count(), 4);
}

#[test]
fn a_method_that_is_nearly_used_up_is_not_asked_and_one_without_figures_is() {
    let time = |spent: f64| {
        let (finish, reset) = (1_781_000_000.5, 1_781_000_300);
        json!({"finish": finish, "operating": spent, "operating_reset_at": reset, "duration": 9})
    };
    let answer = |time: Value| (200, json!({"result": 1, "time": time}));
    let server = canned(vec![
        answer(time(405.0)),
        answer(json!({"finish": "soon", "operating": [], "operating_reset_at": {}})),
        answer(json!({"finish": -1e300, "operating": 1e300, "operating_reset_at": 1e300})),
    ]);
    let portal = portal(RateRule::Off);
    let call = |method| portal.call(&server.credential(), &write(method));
    assert_eq!(call("m.add"), Ok(1));
    let failure = call("m.add").expect_err("nothing is left");
    assert_eq!((failure.class, failure.effect), (Class::MethodParked, Effect::None));
    assert!(failure.retry_after > Some(Duration::from_secs(290)));
    assert_eq!((call("m.get"), call("m.get")), (Ok(1), Ok(1)));
    let wait = call("m.get").expect_err("absurd figures are believed for a while").retry_after;
    assert!(wait <= Some(Duration::from_secs(660)), "{wait:?}");
}

#[test]
fn a_portal_that_says_too_often_makes_all_callers_pause() {
    let refused = json!({"error": "query_limit_exceeded"});
    for rule in [RateRule::Fixed(Rate::STANDARD), RateRule::Off] {
        let server = canned(vec![(503, refused.clone())]);
        let portal = portal(rule);
        let failure = portal.call(&server.credential(), &write("m.add")).expect_err("refused");
        assert_eq!((failure.class, failure.effect), (Class::RateLimited, Effect::None));
        let hint = Call { lane: Lane::Typing, ..write("m.writing") };
        let failure = portal.call(&server.credential(), &hint).expect_err("nobody has a turn");
        assert_eq!((failure.class, failure.code.as_str()), (Class::RateLimited, "limiter"));
        assert_eq!(portal.standing().share, 0.5);
        assert_eq!(server.requests.iter().take(1).count(), 1);
    }
}

#[test]
fn only_an_unset_rate_follows_the_licence() {
    let (standard, enterprise) = (Some(Rate::STANDARD), Some(Rate::ENTERPRISE));
    for (rule, rate) in [
        (RateRule::Auto, enterprise),
        (RateRule::Fixed(Rate::STANDARD), standard),
        (RateRule::Off, None),
    ] {
        let portal = portal(rule);
        portal.set_licence("en_ent250");
        assert_eq!(portal.standing().rate, rate, "{rule:?}");
    }
}

#[test]
fn many_callers_share_what_there_is_and_none_is_forgotten() {
    let answers = (0..40).map(|_| (200, json!({"result": 1}))).collect();
    let server = canned(answers);
    // Fast enough for a test, slow enough that everybody waits.
    let portal = portal(RateRule::Fixed(Rate { per_second: 100, burst: 250 }));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (portal, credential) = (&portal, server.credential());
            scope.spawn(move || {
                let lane = [Lane::Reply, Lane::Poll, Lane::Upkeep][number % 3];
                for _ in 0..5 {
                    let call = Call { lane, ..write("m.add") };
                    assert_eq!(portal.call(&credential, &call), Ok(1));
                }
            });
        }
    });
    assert_eq!(portal.standing().waiting, 0);
}
