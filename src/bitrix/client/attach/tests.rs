//! Tests of a call with a file against a server that counts bytes: what arrives, what happens when
//! the file or the connection ends too soon, and where the file's place is.

#![allow(clippy::disallowed_methods, reason = "a server's thread is not the process's")]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use url::Url;

use super::Body;
use super::PIECE_BYTES;
use super::split;
use crate::base::crypto;
use crate::base::json;
use crate::base::secret::Secret;
use crate::bitrix::client::Access;
use crate::bitrix::client::Attached;
use crate::bitrix::client::Call;
use crate::bitrix::client::Credential;
use crate::bitrix::client::Lane;
use crate::bitrix::client::Portal;
use crate::bitrix::client::RateRule;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::bitrix::transport::Trouble;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;

const MARKER: &str = "file-0123456789abcdef";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"result\":7}";

/// A file of its own; removed with it.
struct Fixture(PathBuf);

impl Fixture {
    fn new(content: &[u8]) -> Fixture {
        let name = format!("attached-{}", crypto::hex(&crypto::random::<8>()));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("written");
        Fixture(path)
    }

    fn attached(&self, bytes: u64) -> Attached {
        Attached { path: self.0.clone(), bytes, marker: MARKER.into() }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// All byte values in no order that a mistake would keep.
fn content(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// A portal for one request: reads the head, then does with it what the test wants.
fn portal_that<T: Send + 'static>(
    act: impl FnOnce(Vec<String>, BufReader<TcpStream>) -> T + Send + 'static,
) -> (Credential, mpsc::Receiver<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, hear) = mpsc::channel();
    std::thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else { return };
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            let read = reader.read_line(&mut line);
            if read.is_err() || line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_lowercase());
        }
        let _ = told.send(act(head, reader));
    });
    let endpoint = Url::parse(&format!("http://127.0.0.1:{port}/rest/")).expect("a URL");
    (Credential { endpoint, access: Access::Token(Secret::new("t0ken".into())) }, hear)
}

fn length(head: &[String]) -> usize {
    let lengths: Vec<_> = head.iter().filter_map(|h| h.strip_prefix("content-length: ")).collect();
    assert_eq!(lengths.len(), 1, "{head:?}");
    assert!(!head.iter().any(|line| line.starts_with("transfer-encoding")), "{head:?}");
    lengths[0].parse().expect("a number")
}

fn call(credential: &Credential, params: Value, file: Attached) -> Result<i64, Failure> {
    let transport = Transport::new(&TransportOptions::default()).expect("a transport");
    let Value::Object(params) = params else { panic!("not an object") };
    let call = Call {
        method: "m.upload",
        params,
        writes: true,
        lane: Lane::Reply,
        read: json::int,
        file: Some(file),
    };
    Portal::new(transport, RateRule::Off).call(credential, &call)
}

fn fields() -> Value {
    json!({"dialogId": "chat904", "fields": {"name": "plan.pdf", "content": MARKER}})
}

fn meaning(outcome: Result<i64, Failure>) -> (Class, Effect, String) {
    let failure = outcome.expect_err("a failure");
    (failure.class, failure.effect, failure.code)
}

#[test]
fn a_file_arrives_byte_for_byte_in_a_body_of_known_length() {
    let sizes = [0, 1, 2, 3, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3_000_001];
    for size in sizes {
        let sent = content(size);
        let file = Fixture::new(&sent);
        let (credential, arrived) = portal_that(|head, mut reader| {
            let asks = head.contains(&"expect: 100-continue".to_owned());
            if asks {
                let _ = reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            let mut body = vec![0; length(&head)];
            reader.read_exact(&mut body).expect("the whole body");
            let _ = reader.get_mut().write_all(OK.as_bytes());
            // Nothing comes behind it: the client keeps the connection, and sends no more.
            (asks, body)
        });
        assert_eq!(call(&credential, fields(), file.attached(size as u64)), Ok(7), "{size}");
        let (asks, body) = arrived.recv().expect("a body");
        assert_eq!(asks, size > 1_000_000, "only a long body waits for permission");
        let expected = json!({"dialogId": "chat904", "auth": "t0ken",
            "fields": {"name": "plan.pdf", "content": STANDARD.encode(&sent)}});
        assert!(body == expected.to_string().as_bytes(), "{size}");
    }
}

#[test]
fn a_portal_that_takes_no_such_length_says_so_before_it_is_sent() {
    let sent = content(2_000_000);
    let file = Fixture::new(&sent);
    let (credential, arrived) = portal_that(|_, mut reader| {
        let refusal = "HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 5\r\n\r\n<htm>";
        let _ = reader.get_mut().write_all(refusal.as_bytes());
        // As web servers do, which read on for a while; ureq looks again only when more comes.
        let _ = reader.get_ref().shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest);
        rest.len()
    });
    let outcome = call(&credential, fields(), file.attached(2_000_000));
    assert_eq!(meaning(outcome).2, "not_json_413");
    assert_eq!(arrived.recv().expect("the rest"), 0, "nothing of the file was sent");
}

#[test]
fn a_file_that_is_not_what_it_was_is_never_begun() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let endpoint = Url::parse(&format!("http://127.0.0.1:{port}/rest/")).expect("a URL");
    let credential = Credential { endpoint, access: Access::Token(Secret::new("t0ken".into())) };
    let file = Fixture::new(b"hello");
    let gone = Attached { path: "/no/such/file".into(), ..file.attached(5) };
    let twice = json!({"content": MARKER, "name": MARKER});
    for (params, attached, word) in [
        (fields(), file.attached(6), "file_changed"),
        (fields(), file.attached(4), "file_changed"),
        (fields(), gone, "file_unreadable"),
        (json!({"content": "elsewhere"}), file.attached(5), "bad_params"),
        (twice, file.attached(5), "bad_params"),
    ] {
        let outcome = call(&credential, params, attached);
        assert_eq!(meaning(outcome), (Class::Transport, Effect::None, word.to_owned()));
    }
    listener.set_nonblocking(true).expect("does not block");
    assert!(listener.accept().is_err(), "nobody connected");
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_may_have_had_an_effect() {
    let size = 8_000_000;
    let file = Fixture::new(&content(size));
    let path = file.0.clone();
    let (credential, arrived) = portal_that(move |head, mut reader| {
        // It is open and has its length, and not a byte of it was read: that needs permission.
        fs::OpenOptions::new().write(true).open(path).and_then(|f| f.set_len(100)).expect("cut");
        let _ = reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = Vec::new();
        let _ = reader.read_to_end(&mut body);
        (length(&head), body.len())
    });
    let outcome = call(&credential, fields(), file.attached(size as u64));
    let expected = (Class::Transport, Effect::Unknown, "file_unreadable".to_owned());
    assert_eq!(meaning(outcome), expected);
    let (promised, came) = arrived.recv().expect("a body");
    assert!(came < promised, "{came} of {promised} bytes came");
}

#[test]
fn a_connection_that_is_cut_in_the_middle_may_have_had_an_effect() {
    let size = 8_000_000;
    let file = Fixture::new(&content(size));
    let (credential, arrived) = portal_that(|_, mut reader| {
        let _ = reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        reader.read_exact(&mut vec![0; 100_000]).expect("the beginning");
    });
    let outcome = call(&credential, fields(), file.attached(size as u64));
    let expected = (Class::Transport, Effect::Unknown, "connection_cut".to_owned());
    assert_eq!(meaning(outcome), expected);
    arrived.recv().expect("it was begun");
}

#[test]
fn the_place_of_the_file_is_one_whole_value_and_no_other() {
    let quoted = format!("say \"{MARKER}\" and \"{MARKER}");
    let params = json!({
        "a": format!("x{MARKER}"),
        "b": format!("{MARKER}x"),
        "c": quoted,
        "d": [format!("\\\"{MARKER}"), "\\", {"e": MARKER}],
        MARKER: 5,
    });
    let json = params.to_string();
    let (before, after) = split(json.as_bytes(), MARKER).expect("one place");
    let filled = [before, b"the file", after].concat();
    let mut expected = params;
    expected["d"][2]["e"] = json!("the file");
    assert_eq!(serde_json::from_slice::<Value>(&filled).expect("JSON"), expected);
    // What cannot be told from JSON is no marker.
    for odd in ["", ",", "a\"b", "a\\b", "ф", ":", "a b"] {
        assert!(split(json!(["a", odd, "b"]).to_string().as_bytes(), odd).is_none(), "{odd:?}");
    }
}

#[test]
fn a_body_can_be_read_in_pieces_of_any_size() {
    let sent = content(1000);
    let file = Fixture::new(&sent);
    let Value::Object(params) = fields() else { panic!("not an object") };
    let whole = fields().to_string().replace(MARKER, &STANDARD.encode(&sent));
    for size in [1, 2, 3, 7, 4096] {
        let mut body = Body::new(&params, &file.attached(1000)).expect("a body");
        let (mut read, mut piece) = (Vec::new(), vec![0; size]);
        while let Ok(count @ 1..) = body.read(&mut piece) {
            read.extend_from_slice(&piece[..count]);
        }
        assert_eq!(String::from_utf8(read).expect("ASCII"), whole, "{size}");
        assert_eq!(body.length(), whole.len() as u64);
    }
}

#[test]
fn an_unsent_file_is_told_apart_by_the_transport_too() {
    let file = Fixture::new(b"hello");
    let Value::Object(params) = fields() else { panic!("not an object") };
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let url = Url::parse(&format!("http://127.0.0.1:{free}/")).expect("a URL");
    let transport = Transport::new(&TransportOptions::default()).expect("a transport");
    let mut body = Body::new(&params, &file.attached(5)).expect("a body");
    let bytes = body.length();
    let refused = transport.post_long_json(&url, &mut body, bytes);
    assert_eq!(refused.err(), Some(Trouble::NotSent("connection_refused")));
    assert!(!body.is_broken());
}
