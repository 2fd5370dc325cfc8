//! The host of files: what is planned is what comes, byte for byte, and requests are counted.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use super::try_http;
use crate::sim::Fault;
use crate::sim::FileHost;
use crate::sim::Network;
use crate::sim::ServerKind;
use crate::sim::When;
use crate::sim::filehost::Page;
use crate::sim::http::Framing;
use crate::sim::http::Stream;

/// Head and body of an answer, whatever its framing.
fn raw(host: &FileHost, path: &str, at_most: u64) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).expect("listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: files\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut bytes = Vec::new();
    stream.take(at_most).read_to_end(&mut bytes).expect("read");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let body = bytes.split_off(end + 4);
    (String::from_utf8(bytes).expect("text"), body)
}

#[test]
fn files_come_as_planned_and_requests_are_counted() {
    let host = FileHost::start(&Network::new()).expect("a port");
    let url = host.put_file("/a.txt", b"hello");
    assert_eq!(try_http("GET", &url, &[], b"").expect("answers").body, "hello");
    assert_eq!(try_http("POST", &url, &[], b"").expect("answers").status, 405);
    assert_eq!(try_http("GET", &format!("{url}x"), &[], b"").expect("answers").status, 404);
    let moved = host.put("/moved", Page::Redirect(302, "http://10.0.0.1/".to_owned()));
    let moved = try_http("GET", &moved, &[], b"").expect("answers");
    assert_eq!((moved.status, moved.header("Location")), (302, Some("http://10.0.0.1/")));
    let busy = host.put("/busy", Page::Refusal(503, Some("7".to_owned())));
    let busy = try_http("GET", &busy, &[], b"").expect("answers");
    assert_eq!((busy.status, busy.header("Retry-After")), (503, Some("7")));
    assert_eq!((host.requests(), host.requests_of("/a.txt")), (5, 2));
    assert_eq!(host.last_request().expect("one").path, "/busy");
}

#[test]
fn a_generated_file_has_its_length_and_its_bytes() {
    let host = FileHost::start(&Network::new()).expect("a port");
    let (head, body) = raw(&host, "/bytes/200000", u64::MAX);
    assert!(head.contains("Content-Length: 200000\r\n"), "{head}");
    let mut expected = vec![0; 200_000];
    Stream::fill(&mut expected, 0);
    assert!(body == expected, "other bytes");
    let mut piece = [0; 7];
    Stream::fill(&mut piece, 65_536);
    assert_eq!(piece, expected[65_536..65_543]);
    assert_eq!(raw(&host, "/bytes/0", u64::MAX).1, b"");
}

#[test]
fn bodies_lie_and_never_end_as_planned() {
    let host = FileHost::start(&Network::new()).expect("a port");
    host.put("/short", Page::short(1000, 10));
    let (head, body) = raw(&host, "/short", u64::MAX);
    assert!(head.contains("Content-Length: 1000\r\n") && body.len() == 10, "{head}");
    host.put("/endless", Page::endless(false));
    let (head, body) = raw(&host, "/endless", 500_000);
    assert!(!head.contains("Content-Length") && body.len() > 400_000, "{head}");
    let chunked = Stream { framing: Framing::Chunked, bytes: 3, ..Stream::of(0) };
    host.put("/chunked", Page::Stream(chunked.clone()));
    assert_eq!(raw(&host, "/chunked", u64::MAX).1, b"3\r\n\x00\x01\x02\r\n0\r\n\r\n");
    host.put("/cut", Page::Stream(Stream { cut: true, ..chunked }));
    assert_eq!(raw(&host, "/cut", u64::MAX).1, b"3\r\n\x00\x01\x02\r\n");
}

#[test]
fn faults_hit_made_bodies_too() {
    let network = Network::new();
    let host = FileHost::start(&network).expect("a port");
    network.plan(When::Nth(1), Fault::Truncate);
    network.plan(When::Nth(2), Fault::Empty);
    let (head, body) = raw(&host, "/bytes/1000", u64::MAX);
    assert!(head.contains("Content-Length: 1000\r\n") && body.len() == 500, "{head}");
    let (head, body) = raw(&host, "/bytes/1000", u64::MAX);
    assert!(head.contains("Content-Length: 0\r\n") && body.is_empty(), "{head}");
    assert_eq!(raw(&host, "/bytes/1000", u64::MAX).1.len(), 1000);
    assert!(network.history().iter().all(|exchange| exchange.server == ServerKind::Files));
}
