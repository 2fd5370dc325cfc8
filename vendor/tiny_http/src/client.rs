//! One connection: reads a request, hands it over, waits for its answer, writes it, and again. One
//! request at a time, so that a peer cannot queue work faster than it is done.

use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::net::SocketAddr;
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::mpsc::sync_channel;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::body::Body;
use crate::body::Framing;
use crate::common::Header;
use crate::common::Method;
use crate::incoming::Incoming;
use crate::request::Request;
use crate::response::Response;
use crate::slots::Phase;
use crate::slots::Ticket;
use crate::Limits;
use crate::Shared;

/// What is read away after the last answer of a connection, and for how long: a peer that sends a
/// body much too large still gets to read why it was refused. It costs no memory.
const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(1);

/// Why a connection ends before its request is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody is there to be told.
    Gone,
    /// Status and reason.
    Answer(u16, &'static str),
}

impl Refusal {
    pub(crate) fn bad(why: &'static str) -> Refusal {
        Refusal::Answer(400, why)
    }

    pub(crate) fn head_too_large() -> Refusal {
        Refusal::Answer(431, "the request's head is too large")
    }

    pub(crate) fn body_too_large() -> Refusal {
        Refusal::Answer(413, "the request's body is too large")
    }

    pub(crate) fn reading(why: io::Error) -> Refusal {
        match why.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Refusal::Answer(408, "the request took too long")
            }
            _ => Refusal::Gone,
        }
    }

    pub(crate) fn spooling(why: io::Error) -> Refusal {
        log::error!("body_not_stored reason={why}");
        Refusal::Answer(503, "the request's body cannot be stored")
    }
}

/// A request line and its headers.
struct Head {
    method: Method,
    url: String,
    http_1_1: bool,
    headers: Vec<Header>,
}

/// One connection.
pub(crate) struct ClientConnection {
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    incoming: Incoming,
    ticket: Ticket,
    shared: Arc<Shared>,
}

impl ClientConnection {
    pub(crate) fn new(
        stream: Arc<TcpStream>,
        peer: SocketAddr,
        ticket: Ticket,
        shared: Arc<Shared>,
    ) -> ClientConnection {
        let incoming = Incoming::new(Arc::clone(&stream));
        ClientConnection { stream, peer, incoming, ticket, shared }
    }

    /// Serves the connection to its end.
    pub(crate) fn run(mut self) {
        // An answer is one write; waiting to fill a packet would only delay it.
        let _ = self.stream.set_nodelay(true);
        loop {
            match self.serve_one() {
                Ok(true) => {}
                Ok(false) => break,
                Err(Refusal::Gone) => return,
                Err(Refusal::Answer(status, why)) => {
                    let answer = (self.shared.refusal)(status, why).printed(false, true);
                    if !self.ticket.enter(Phase::Writing) || self.write(&answer).is_err() {
                        return;
                    }
                    break;
                }
            }
        }
        if self.stream.shutdown(Shutdown::Write).is_ok() && self.ticket.enter(Phase::Idle) {
            self.incoming.discard(DISCARD_BYTES_MAX, DISCARD_TIME_MAX);
        }
    }

    /// One request and its answer; whether another may follow.
    fn serve_one(&mut self) -> Result<bool, Refusal> {
        self.enter(Phase::Idle)?;
        self.incoming.within(self.shared.limits.idle_time);
        // A peer that says nothing is left without a word.
        if self.incoming.peek().map_or(true, <[u8]>::is_empty) {
            return Err(Refusal::Gone);
        }
        self.enter(Phase::Head)?;
        self.incoming.within(self.shared.limits.head_time);
        let head = read_head(&mut self.incoming, &self.shared.limits)?;
        let body = self.read_body(&head)?;
        let last = !head.http_1_1 || wants_close(&head.headers);
        let head_only = head.method == Method::Head;
        let response = self.hand_over(head, body)?;
        self.enter(Phase::Writing)?;
        let last = last || self.ticket.is_last();
        self.write(&response.printed(head_only, last)).map_err(|_| Refusal::Gone)?;
        Ok(!last)
    }

    fn read_body(&mut self, head: &Head) -> Result<Body, Refusal> {
        let limits = &self.shared.limits;
        let most = limits.larger.as_ref().map_or(0, |larger| larger.body_bytes);
        let framing = Framing::of(&head.headers, head.http_1_1, most.max(limits.body_bytes))?;
        // Whoever sends little is not asked what it may send.
        let long = framing.exceeds(limits.body_bytes);
        let larger = limits.larger.as_ref().filter(|larger| {
            long && (larger.allowed)(&head.method, &head.url, &head.headers)
        });
        let (most, time) = match larger {
            Some(larger) => (larger.body_bytes, larger.body_time),
            None if long && framing != Framing::Chunked => return Err(Refusal::body_too_large()),
            None => (limits.body_bytes, limits.body_time),
        };
        let expect = head.headers.iter().find(|header| header.is("Expect"));
        match expect.map(Header::value) {
            None => {}
            Some(value) if value.eq_ignore_ascii_case("100-continue") && head.http_1_1 => {
                if framing != Framing::Length(0) {
                    self.write(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| Refusal::Gone)?;
                }
            }
            Some(_) => return Err(Refusal::Answer(417, "an expectation that is not known")),
        }
        self.enter(Phase::Body)?;
        self.incoming.within(time);
        Body::read(&mut self.incoming, framing, limits, most)
    }

    fn hand_over(&mut self, head: Head, body: Body) -> Result<Response, Refusal> {
        self.enter(Phase::Handling)?;
        let (answer, answered) = sync_channel(1);
        let Head { method, url, headers, .. } = head;
        let request = Request { method, url, headers, remote_addr: self.peer, body, answer };
        if self.shared.messages.push(request).is_err() {
            return Err(Refusal::Answer(503, "the server is stopping"));
        }
        // Bounded by whoever took the request: dropping it unanswered ends the wait as well.
        Ok(answered.recv().unwrap_or_else(|_| (self.shared.refusal)(500, "internal error")))
    }

    fn enter(&self, phase: Phase) -> Result<(), Refusal> {
        if self.ticket.enter(phase) { Ok(()) } else { Err(Refusal::Gone) }
    }

    /// Writes within one deadline, however the peer dribbles.
    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + self.shared.limits.write_time;
        let mut stream = &*self.stream;
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_write_timeout(Some(left))?;
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }
}

fn read_head(incoming: &mut Incoming, limits: &Limits) -> Result<Head, Refusal> {
    let mut budget = limits.head_bytes;
    let mut line = incoming.line(&mut budget)?;
    if line.is_empty() {
        // Some clients end a body with a line end that does not belong to it (RFC 9112 §2.2).
        line = incoming.line(&mut budget)?;
    }
    let (method, url, http_1_1) = request_line(&line)?;
    let mut headers = Vec::new();
    loop {
        let line = incoming.line(&mut budget)?;
        if line.is_empty() {
            break;
        }
        if headers.len() == limits.headers {
            return Err(Refusal::head_too_large());
        }
        headers.push(Header::parse(&line).ok_or(Refusal::bad("a header that cannot be read"))?);
    }
    let hosts = headers.iter().filter(|header| header.is("Host")).count();
    if hosts > 1 || (http_1_1 && hosts == 0) {
        return Err(Refusal::bad("not exactly one Host header"));
    }
    Ok(Head { method, url, http_1_1, headers })
}

fn request_line(line: &str) -> Result<(Method, String, bool), Refusal> {
    let malformed = Refusal::bad("a request line that cannot be read");
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words[..] else { return Err(malformed) };
    let method = Method::parse(method).ok_or(malformed)?;
    let http_1_1 = match version.as_bytes() {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Refusal::Answer(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"));
        }
        _ => return Err(malformed),
    };
    let url = match target.strip_prefix("http://") {
        // As sent to a proxy; the host is the Host header's affair.
        Some(rest) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => target,
    };
    let known = url.starts_with('/') || (url == "*" && method == Method::Options);
    if !known || url.contains('\t') {
        return Err(malformed);
    }
    Ok((method, url.to_owned(), http_1_1))
}

fn wants_close(headers: &[Header]) -> bool {
    let values = headers.iter().filter(|header| header.is("Connection"));
    let mut words = values.flat_map(|header| header.value().split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case("close"))
}
