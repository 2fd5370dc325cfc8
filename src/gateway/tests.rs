//! The client against a gateway made of a listening socket: what goes over the wire, and what
//! becomes of answers that a table of statuses does not have.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;

use crossbeam_channel::Receiver;
use url::Url;

use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::domain::agent::AgentState;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::MemberId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::gateway::BindingStatus;
use crate::gateway::Gateway;
use crate::gateway::GatewayOptions;
use crate::gateway::InboundMessage;
use crate::gateway::Signing;
use crate::gateway::Told;
use crate::gateway::Verdict;

struct Request {
    /// Request line and headers, lower case but for values.
    head: Vec<String>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let mut request = Request { head, body: String::new() };
    let length = request.header("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).expect("UTF-8");
    Some(request)
}

/// Answers every request on every connection with `answer`; closes the connection when that says
/// so or is empty.
fn gateway(answer: &str) -> (Url, Receiver<Request>, Thread) {
    let answer = answer.to_owned();
    let last = answer.is_empty() || answer.contains("Connection: close");
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("address");
    let (seen, requests) = crossbeam_channel::bounded(16);
    let (exits, _) = Exits::new();
    let thread = Thread::spawn(ThreadName::Relay(0), &exits, move || {
        // One connection after the other, until a client leaves without a request.
        while let Ok((stream, _)) = listener.accept() {
            let mut stream = BufReader::new(stream);
            let mut served = 0;
            while let Some(request) = read_request(&mut stream) {
                served += 1;
                seen.send(request).expect("listening");
                let written = stream.get_mut().write_all(answer.as_bytes());
                if last || written.is_err() {
                    break;
                }
            }
            if served == 0 {
                return;
            }
        }
    })
    .expect("thread");
    let url = Url::parse(&format!("http://{address}/v1/inbound/generic?a=b")).expect("url");
    (url, requests, thread)
}

fn client(url: &Url, secret: Option<&str>, signing: Signing) -> Gateway {
    Gateway::new(GatewayOptions {
        url: url.clone(),
        secret: secret.map(|text| Secret::new(text.to_owned())),
        signing,
        channel: "bitrix24".to_owned(),
        extra: false,
        tls: ureq::tls::TlsConfig::default(),
    })
}

fn post(gateway: &Gateway) -> Verdict {
    gateway.post(&InboundMessage {
        member: &MemberId("m".to_owned()),
        agent: &AgentName::parse("mira").expect("name"),
        dialog: DialogId::User(UserId(12)),
        id: MessageId(7),
        text: "hello",
        sender: UserId(12),
        sender_name: "Olaf",
        mentioned: false,
        reply_to: None,
        sent_at: None,
    })
}

fn active() -> BindingStatus {
    let agent = AgentName::parse("mira").expect("name");
    BindingStatus { agent, state: AgentState::Active, reason: String::new(), at: UnixMs(0) }
}

/// Ends [`gateway`]'s thread: a connection without a request.
fn leave(url: &Url) {
    drop(TcpStream::connect(url.socket_addrs(|| None).expect("address")[0]));
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const BODY: &str = r#"{"channel":"bitrix24","external_id":"mira/12","text":"hello"}"#;

#[test]
fn a_message_goes_as_the_contract_says_and_reuses_the_connection() {
    let (url, requests, thread) = gateway(OK);
    let gateway = client(&url, Some("s3cret"), Signing::Raw);
    assert_eq!(post(&gateway), Verdict::Accepted);
    assert_eq!(post(&gateway), Verdict::Accepted, "on the same connection");
    let request = requests.recv().expect("one");
    assert_eq!(request.head[0], "POST /v1/inbound/generic?a=b HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-aihummer-inbound-secret"), Some("s3cret"));
    assert_eq!(request.header("idempotency-key"), Some("m-mira-7"));
    assert_eq!(request.header("content-length"), Some("61"));
    assert_eq!(request.body, BODY);
    gateway.shutdown();
    leave(&url);
    drop(thread);
}

#[test]
fn the_signature_is_an_hmac_of_the_exact_body() {
    let (url, requests, thread) = gateway(OK);
    let gateway = client(&url, Some("s3cret"), Signing::HmacSha256);
    assert_eq!(post(&gateway), Verdict::Accepted);
    let request = requests.recv().expect("one");
    assert_eq!(request.body, BODY);
    // printf %s BODY | openssl dgst -sha256 -hmac s3cret
    let expected = "697cc672ca05b7f7736ae89f5df9be64c0fe60ff833344c6a85740849aae5676";
    assert_eq!(request.header("x-aihummer-inbound-secret"), Some(expected));
    gateway.shutdown();
    leave(&url);
    drop(thread);
}

#[test]
fn without_a_secret_there_is_no_header() {
    let (url, requests, thread) = gateway(OK);
    let gateway = client(&url, None, Signing::HmacSha256);
    assert_eq!(post(&gateway), Verdict::Accepted);
    assert_eq!(requests.recv().expect("one").header("x-aihummer-inbound-secret"), None);
    gateway.shutdown();
    leave(&url);
    drop(thread);
}

#[test]
fn agent_states_are_told_on_the_origin() {
    let (url, requests, thread) = gateway("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let gateway = client(&url, Some("s3cret"), Signing::Raw);
    assert_eq!(gateway.binding_status(&active()), Told::Answered);
    let request = requests.recv().expect("one");
    assert_eq!(request.head[0], "POST /v1/inbound/binding/status HTTP/1.1");
    assert_eq!(request.header("x-aihummer-inbound-secret"), Some("s3cret"));
    assert_eq!(request.header("idempotency-key"), None);
    assert!(request.body.starts_with(r#"{"channel":"bitrix24","agent":"mira","state":"active""#));
    gateway.shutdown();
    leave(&url);
    drop(thread);
}

#[test]
fn a_status_decides_although_its_body_breaks_off_or_is_too_long() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{".to_owned();
    let error = r#"{"error":{"code":"word"}}"#;
    let padded = error.to_owned() + &" ".repeat(20_000);
    let long = format!("HTTP/1.1 422 No\r\nContent-Length: {}\r\n\r\n{padded}", padded.len());
    let short = format!("HTTP/1.1 422 No\r\nContent-Length: {}\r\n\r\n{error}", error.len());
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let table = [
        (cut, "accepted"),
        (long, "http_422"),
        (short, "http_422/word"),
        (elsewhere.to_owned(), "http_302"),
    ];
    for (answer, expected) in table {
        let (url, _requests, thread) = gateway(&answer);
        let gateway = client(&url, None, Signing::Raw);
        assert_eq!(post(&gateway).code(), expected);
        gateway.shutdown();
        leave(&url);
        drop(thread);
    }
}

#[test]
fn no_answer_is_a_retry_and_the_request_is_not_repeated_silently() {
    let (url, requests, thread) = gateway("");
    let gateway = client(&url, None, Signing::Raw);
    assert_eq!(post(&gateway).code(), "connection_lost");
    assert_eq!(requests.len(), 1);
    leave(&url);
    drop(thread);
    assert_eq!(post(&gateway).code(), "connection_refused");
    assert_eq!(gateway.binding_status(&active()), Told::Unanswered);
    gateway.shutdown();
    assert!(matches!(post(&gateway), Verdict::Retry { .. }));
}
