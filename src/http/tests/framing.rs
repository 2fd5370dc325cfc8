//! What a peer may say, and everything that two servers might read differently: refused, and the
//! bytes behind it never run as a request.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::Larger;
use super::Request;
use super::TEST_PATIENCE;
use super::one;
use super::rest;
use super::stand;
use super::stand_with;

/// A request that must never run: it follows what is refused.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn ambiguous_framing_is_refused_and_nothing_behind_it_runs() {
    let stand = stand();
    let long = format!("{}\r\n", "0".repeat(300));
    // (headers, body)
    let cases: &[(&str, &str)] = &[
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 6", "hello"),
        ("Content-Length: 5\r\nContent-Length: 5", "hello"),
        ("Content-Length: abc", "hello"),
        ("Content-Length: +5", "hello"),
        ("Content-Length: -1", "hello"),
        ("Content-Length: 5, 5", "hello"),
        ("Content-Length: 0x5", "hello"),
        ("Content-Length: 5 5", "hello"),
        ("Content-Length:", "hello"),
        ("Transfer-Encoding: identity", "hello"),
        ("Transfer-Encoding: xchunked", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding:", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked", "0\r\n\r\n"),
        ("Content-Length : 5", "hello"),
        ("X: y\r\n Transfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "+5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "-5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", " 5\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "5\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "4\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", &long),
    ];
    for (headers, body) in cases {
        let request =
            format!("POST /first HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}{SMUGGLED}");
        let answer = stand.ask(request.as_bytes());
        let refused = answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 431 ");
        assert!(
            refused && answer.contains("Connection: close\r\n"),
            "{headers:?} {body:?}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers:?} {body:?}: {answer}");
    }
    // Transfer-Encoding came with HTTP/1.1.
    let old =
        format!("POST /first HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    assert!(stand.ask(old.as_bytes()).starts_with("HTTP/1.1 400 "));
    assert_eq!(stand.handler.asked(), Vec::<String>::new());
    stand.assert_serves();
}

#[test]
fn a_body_beyond_the_limit_is_refused_unread_and_allocates_nothing() {
    let stand = stand();
    for length in ["1000001", "40000000000", "18446744073709551615", "99999999999999999999999"] {
        let request =
            format!("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let answer = stand.ask(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{length}: {answer}");
    }
    for size in ["F4241", "FFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFF"] {
        let request = format!(
            "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n"
        );
        let answer = stand.ask(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{size}: {answer}");
    }
    // Many chunks that are each within it.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let head = "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = stand.ask(format!("{head}{}0\r\n\r\n", chunk.repeat(16)).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(stand.handler.asked(), Vec::<String>::new());
}

#[test]
fn a_longer_body_is_for_those_who_have_earned_it() {
    let allowed =
        Arc::new(|request: &Request| request.path == "/long" && request.bearer() == Some("t"));
    let larger = Larger { bytes_max: 3_000_000, time: TEST_PATIENCE, allowed };
    let stand = stand_with(|listen| listen.larger = Some(larger));
    let ask = |path: &str, token: &str, framing: &str, body: &str| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\n{framing}\r\n\r\n{body}"
        );
        stand.ask(request.as_bytes())
    };
    let body = "0123456789".repeat(200_000);
    let length = format!("Content-Length: {}", body.len());
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let chunks = "Transfer-Encoding: chunked";
    assert!(ask("/long", "t", &length, &body).contains(&body), "every byte in order");
    assert!(ask("/long", "t", chunks, &chunked).contains(&body), "every byte in order");
    for (path, token) in [("/long", "x"), ("/other", "t")] {
        for (framing, body) in [(length.as_str(), &body), (chunks, &chunked)] {
            let answer = ask(path, token, framing, body);
            assert!(answer.starts_with("HTTP/1.1 413 "), "{path} {token} {framing}: {answer}");
        }
        let short = ask(path, token, "Content-Length: 5", "hello");
        assert!(short.starts_with("HTTP/1.1 200 "), "{path} {token}: {short}");
    }
    let longest = ask("/long", "t", "Content-Length: 3000001", "");
    assert!(longest.starts_with("HTTP/1.1 413 "), "{longest}");
    let asked = stand.handler.asked();
    assert_eq!(asked[..2], ["Post /long 2000000", "Post /long 2000000"]);
    assert_eq!(asked[2..], ["Post /long 5", "Post /other 5"]);
    assert_eq!(std::fs::read_dir(&stand.spool_dir).expect("a directory").count(), 0);
}

#[test]
fn a_longer_body_has_more_time_and_no_other() {
    let stand = stand_with(|listen| {
        listen.patience.body = Duration::from_millis(300);
        let allowed = Arc::new(|request: &Request| request.path == "/long");
        listen.larger = Some(Larger { bytes_max: 3_000_000, time: TEST_PATIENCE, allowed });
    });
    let begin = |path: &str, length: usize| {
        let mut stream = stand.connect();
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sends");
        stream
    };
    let (mut long, mut short) = (begin("/long", 2_000_000), begin("/long", 5));
    let mut other = begin("/other", 5);
    // The two that have little time are cut while the long one is waited for.
    assert!(rest(&mut short).starts_with("HTTP/1.1 408 "));
    assert!(rest(&mut other).starts_with("HTTP/1.1 408 "));
    long.write_all(&vec![b'x'; 2_000_000]).expect("sends");
    assert!(one(&mut long).starts_with("HTTP/1.1 200 "));
}

#[test]
fn whoever_sends_all_of_a_body_that_is_too_large_can_read_why_it_is_refused() {
    let stand = stand();
    let length = 8_000_000;
    for _ in 0..10 {
        let mut stream = stand.connect();
        let head = format!("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sends the head");
        stream.write_all(&vec![b'x'; length]).expect("sends the body");
        assert!(rest(&mut stream).starts_with("HTTP/1.1 413 "));
    }
}

#[test]
fn a_body_that_ends_too_soon_never_reaches_the_handler() {
    let stand = stand();
    for request in [
        "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello",
        "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "POST /first HTTP/1.1\r\nHost: a\r\nX-Half",
    ] {
        assert_eq!(stand.ask(request.as_bytes()), "", "{request:?}");
    }
    assert_eq!(stand.handler.asked(), Vec::<String>::new());
}

#[test]
fn a_head_that_others_might_read_differently_is_refused() {
    let stand = stand();
    let cases: &[(&[u8], u16)] = &[
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \xd0\xb0\r\n\r\n", 400),
        (b"GET /\xd0\xb0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\tX: folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET / extra HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\r\nHost: a\r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n", 417),
    ];
    for (request, status) in cases {
        let answer = stand.ask(request);
        let shown = String::from_utf8_lossy(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {answer:?}");
        assert!(answer.contains("Connection: close\r\n"), "{shown:?}: {answer:?}");
    }
    assert_eq!(stand.handler.asked(), Vec::<String>::new());
}

#[test]
fn a_flood_of_headers_is_cut() {
    let stand = stand();
    let many = "X: y\r\n".repeat(100_000);
    let cases = [
        format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(1 << 20)),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(1 << 20)),
        "G".repeat(1 << 20),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n",
            "X: y\r\n".repeat(10_000)
        ),
    ];
    for request in cases {
        let answer = stand.ask(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 "), "{:?}: {answer:?}", &request[..30]);
    }
    assert_eq!(stand.handler.asked(), Vec::<String>::new());
}

#[test]
fn every_honest_form_is_understood() {
    let stand = stand();
    let cases = [
        ("GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", "Get /a 0"),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "Get / 0"),
        ("GET / HTTP/1.0\r\n\r\n", "Get / 0"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "Head / 0"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "Options * 0"),
        ("PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", "Other / 0"),
        ("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "Get /b 0"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "Post / 5"),
        ("POST / HTTP/1.1\r\nHost:a\r\ncontent-length:  005 \r\n\r\nhello", "Post / 5"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             Content-Length: 5\r\n\r\nhello",
            "Post / 5",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\
             5;ext=\"x\"\r\nhello\r\n06 \r\n world\r\n0\r\nTrailer: x\r\n\r\n",
            "Post / 11",
        ),
    ];
    for (request, expected) in cases {
        let answer = stand.ask(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{request:?}: {answer}");
        assert_eq!(stand.handler.asked().last().map(String::as_str), Some(expected), "{request:?}");
        let head_only = expected.starts_with("Head");
        assert_eq!(answer.ends_with("\r\n\r\n"), head_only, "{request:?}: {answer}");
    }
}

#[test]
fn a_body_that_waits_for_permission_gets_it() {
    let stand = stand();
    let mut stream = stand.connect();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sends");
    let mut permission = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut permission).expect("a permission");
    assert_eq!(&permission, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").expect("sends");
    assert!(one(&mut stream).contains("\"body\":\"hello\""));
    // One that is too large does not get it.
    let head =
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sends");
    assert!(rest(&mut stream).starts_with("HTTP/1.1 413 "));
}

#[test]
fn a_connection_serves_many_requests_in_order() {
    let stand = stand();
    let mut stream = stand.connect();
    let mut pipelined = String::new();
    for number in 0..200 {
        pipelined.push_str(&format!(
            "POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        ));
    }
    stream.write_all(pipelined.as_bytes()).expect("sends");
    for number in 0..200 {
        assert!(one(&mut stream).contains(&format!("\"path\":\"/{number}\"")));
    }
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").expect("sends");
    assert!(rest(&mut stream).contains("Connection: close\r\n"));
}

#[test]
fn a_long_body_arrives_whole_and_leaves_nothing_behind() {
    let stand = stand();
    let body = "0123456789".repeat(90_000);
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = stand.ask(request.as_bytes());
    assert!(answer.ends_with("\"path\":\"/\",\"query\":\"\"}"), "it is whole");
    assert!(answer.contains(&body), "every byte in order");
    let left = std::fs::read_dir(&stand.spool_dir).expect("a directory").count();
    assert_eq!(left, 0, "no file is left");
}
