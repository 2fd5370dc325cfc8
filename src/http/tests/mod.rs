//! Tests of the listener against real sockets: what honest clients do, and what strangers do to it
//! (`framing`, `patience`, `room`). Peers are waited for shorter than in the product.

mod framing;
mod patience;
mod room;

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::Answer;
use super::Bound;
use super::Handler;
use super::Larger;
use super::Listen;
use super::Patience;
use super::Reply;
use super::Request;
use super::Server;
use crate::base::threads::Exits;
use crate::base::threads::ThreadName;

/// Far more than anything here takes; only a failure waits so long.
const TEST_PATIENCE: Duration = Duration::from_secs(20);
/// An answer that no socket buffers.
const LARGE: usize = 16 << 20;

/// Answers by path, and notes what it was asked.
#[derive(Default)]
struct Scripted {
    asked: Mutex<Vec<String>>,
    held: Mutex<Vec<Answer>>,
}

impl Scripted {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    fn held(&self) -> usize {
        self.held.lock().expect("not poisoned").len()
    }

    fn release(&self) {
        for answer in self.held.lock().expect("not poisoned").drain(..) {
            answer.send(Reply::text(200, "released"));
        }
    }
}

impl Handler for Scripted {
    fn handle(&self, mut request: Request, answer: Answer) {
        let in_memory = request.body.in_memory().map(<[u8]>::len);
        let mut body = Vec::new();
        request.body.read_to_end(&mut body).expect("it was stored");
        assert!(in_memory.is_none_or(|length| length == body.len()), "the body from its start");
        let asked = format!("{:?} {} {}", request.method, request.path, body.len());
        self.asked.lock().expect("not poisoned").push(asked);
        match request.path.as_str() {
            "/panic" => panic!("on purpose"),
            "/forget" => drop(answer),
            "/hold" => self.held.lock().expect("not poisoned").push(answer),
            "/large" => answer.send(Reply::text(200, &"x".repeat(LARGE))),
            "/split" => {
                let reply = Reply::text(200, "ok").with_header("Location", "/a\r\nSet-Cookie: b=c");
                answer.send(reply);
            }
            "/later" => {
                std::thread::scope(|scope| {
                    scope.spawn(|| answer.send(Reply::text(200, "later")));
                });
            }
            _ => answer.send(Reply::json(
                200,
                &serde_json::json!({
                    "path": request.path,
                    "query": request.query,
                    "form": request.form_value("name"),
                    "bearer": request.bearer(),
                    "body": String::from_utf8_lossy(&body),
                }),
            )),
        }
    }
}

/// A listener, its handler, and a directory for long bodies.
struct Stand {
    server: Server,
    handler: Arc<Scripted>,
    spool_dir: PathBuf,
}

/// A listener whose peers are waited for long.
fn stand() -> Stand {
    let patient = Patience {
        idle: TEST_PATIENCE,
        head: TEST_PATIENCE,
        body: TEST_PATIENCE,
        write: TEST_PATIENCE,
    };
    stand_with(|listen| listen.patience = patient)
}

fn stand_with(change: impl FnOnce(&mut Listen)) -> Stand {
    let name =
        format!("aihummer-http-{}", crate::base::crypto::hex(&crate::base::crypto::random::<8>()));
    let spool_dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&spool_dir).expect("a directory");
    let mut listen = Listen {
        addr: "127.0.0.1:0".parse().expect("an address"),
        workers: 2,
        thread: ThreadName::HttpControl,
        body_bytes_max: 1_000_000,
        larger: None,
        per_source_max: None,
        loopback_is_free: true,
        spool_dir: spool_dir.clone(),
        patience: Patience::USUAL,
        refusal: |status, why| Reply::text(status, &format!("{why}\n")),
    };
    change(&mut listen);
    let handler = Arc::new(Scripted::default());
    let dynamic: Arc<dyn Handler> = handler.clone();
    let server =
        Bound::new(listen).and_then(|bound| bound.serve(&Exits::new().0, dynamic)).expect("starts");
    Stand { server, handler, spool_dir }
}

impl Stand {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.addr()).expect("connects");
        stream.set_read_timeout(Some(TEST_PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends bytes on a connection of its own, says that no more come, and gives everything that
    /// comes back.
    fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may refuse and close before it has read everything.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        rest(&mut stream)
    }

    /// Whether somebody who behaves is served.
    fn assert_serves(&self) {
        let answer = self.ask(b"GET /well HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.handler.release();
        let _ = std::fs::remove_dir_all(&self.spool_dir);
    }
}

/// Everything until the server closes; what came before an error counts.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer with a body of known length.
fn one(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer's head");
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = head.split("Content-Length: ").nth(1).expect("a length");
    let length = length.split('\r').next().and_then(|text| text.parse().ok()).expect("a number");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("an answer's body");
    head + &String::from_utf8_lossy(&body)
}

/// Waits until something is so.
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + TEST_PATIENCE;
    while !so() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_request_arrives_whole_and_decoded() {
    let answer = stand().ask(
        b"POST /a?name=x%20y+z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
          Authorization: bearer t\r\nContent-Type: application/x-www-form-urlencoded\r\n\
          Content-Length: 11\r\n\r\nname=%D0%B0",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for part in ["\"form\":\"а\"", "\"query\":\"name=x%20y+z\"", "\"bearer\":\"t\"", "no-store"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[test]
fn a_panic_or_a_forgotten_answer_is_a_500_and_the_workers_live() {
    let stand = stand();
    for path in ["/panic", "/forget", "/panic", "/forget", "/panic"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(stand.ask(request.as_bytes()).starts_with("HTTP/1.1 500 "), "{path}");
    }
    let later = stand.ask(b"GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(later.ends_with("later"));
}

#[test]
fn a_header_that_would_begin_another_is_never_sent() {
    let answer = stand().ask(b"GET /split HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer:?}");
    assert!(!answer.contains("Set-Cookie") && !answer.contains("Location"), "{answer:?}");
}

#[test]
fn a_stopped_server_writes_what_it_owes_and_refuses_the_rest() {
    let mut stand = stand();
    let (mut owed, mut idle) = (stand.connect(), stand.connect());
    owed.write_all(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").expect("sends");
    idle.write_all(b"GET /well HTTP/1.1\r\nHost: a\r\n\r\n").expect("sends");
    assert!(one(&mut idle).starts_with("HTTP/1.1 200 "));
    until("the request", || stand.handler.held() == 1);
    stand.handler.release();
    stand.server.stop();
    assert!(rest(&mut owed).ends_with("released"));
    assert_eq!(rest(&mut idle), "", "an idle connection is closed");
    assert!(TcpStream::connect(stand.server.addr()).is_err());
}
