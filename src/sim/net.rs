//! A small HTTP/1.1 server on the standard library: one thread accepts, one serves each
//! connection. It exists because faults need the raw socket; what a request means is the
//! handler's business. A connection's thread wakes on bytes and ends with its connection;
//! dropping [`Server`] closes listener and connections and so ends all of them.

#![allow(clippy::disallowed_methods, reason = "the model's threads are not the process's")]

use std::collections::HashMap;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use super::fault::Fault;
use super::fault::HookPoint;
use super::fault::Line;
use super::fault::ServerKind;
use super::gateway;
use super::http;
use super::http::Buffer;
use super::http::Framing;
use super::http::Head;
use super::http::HttpReply;
use super::http::Request;
use super::http::Stream;
use super::network::Decision;
use super::network::Exchange;
use super::network::Network;
use super::network::lock;

/// Connections served at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 1024;
/// How long a connection may be idle, or a request or answer take.
const SOCKET_TIME_MAX: Duration = Duration::from_secs(120);
/// Stack of a connection's thread: JSON nested to serde's limit fits with room to spare.
const STACK: usize = 1024 * 1024;
/// How much of a streamed body is made at once.
const STREAM_PIECE: usize = 64 * 1024;
/// Pieces of a slow body.
const SLOW_PIECES: usize = 16;

/// What answers requests. Called from many threads.
pub type Handler = Arc<dyn Fn(&Request) -> HttpReply + Send + Sync>;

/// A listening server.
pub struct Server {
    shared: Arc<Shared>,
    accepting: Mutex<Option<Accepting>>,
}

struct Shared {
    network: Network,
    kind: ServerKind,
    handler: Handler,
    address: SocketAddr,
    connections: Mutex<HashMap<u64, TcpStream>>,
    next_connection: AtomicU64,
    stopped: AtomicBool,
}

struct Accepting {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(network: &Network, kind: ServerKind, handler: Handler) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let shared = Arc::new(Shared {
            network: network.clone(),
            kind,
            handler,
            address: listener.local_addr()?,
            connections: Mutex::default(),
            next_connection: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
        });
        let accepting = accept(Arc::clone(&shared), listener)?;
        Ok(Server { shared, accepting: Mutex::new(Some(accepting)) })
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// With `false`, closes the listener and all connections, so that connecting is refused; with
    /// `true`, listens on the same port again.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub fn set_listening(&self, on: bool) -> io::Result<()> {
        let mut accepting = lock(&self.accepting);
        if on && accepting.is_none() {
            let listener = TcpListener::bind(self.shared.address)?;
            *accepting = Some(accept(Arc::clone(&self.shared), listener)?);
        } else if !on && let Some(running) = accepting.take() {
            running.stop.store(true, Ordering::SeqCst);
            // The accepting thread sleeps in accept(); a connection wakes it.
            drop(TcpStream::connect(self.shared.address));
            let _ended = running.thread.join();
            for stream in lock(&self.shared.connections).values() {
                let _closed_already = stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _never_fails_when_closing = self.set_listening(false);
    }
}

fn accept(shared: Arc<Shared>, listener: TcpListener) -> io::Result<Accepting> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let thread = thread::Builder::new().name("sim-accept".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            if stopping.load(Ordering::SeqCst) {
                return;
            }
            match stream {
                Ok(stream) => shared.take_in(stream),
                // Out of file descriptors, most likely: a pause instead of a spin.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    })?;
    Ok(Accepting { stop, thread })
}

impl Shared {
    fn take_in(self: &Arc<Shared>, stream: TcpStream) {
        let Ok(copy) = stream.try_clone() else { return };
        let id = self.next_connection.fetch_add(1, Ordering::SeqCst);
        {
            let mut connections = lock(&self.connections);
            if connections.len() >= CONNECTIONS_MAX {
                return;
            }
            connections.insert(id, copy);
        }
        let shared = Arc::clone(self);
        let serve = move || {
            let mut connection =
                Connection { shared: &shared, id, stream, buffer: Buffer::default() };
            // An error is the client's going away or talking no HTTP: either way the end.
            let _ended = connection.serve();
            lock(&shared.connections).remove(&id);
        };
        let builder = thread::Builder::new().name("sim-connection".to_owned()).stack_size(STACK);
        if builder.spawn(serve).is_err() {
            lock(&self.connections).remove(&id);
        }
    }

    /// Sleeps real time, but no longer than the server lives.
    fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.stopped.load(Ordering::SeqCst) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(10)));
        }
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    id: u64,
    stream: TcpStream,
    buffer: Buffer,
}

/// Whether the connection goes on after an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
}

impl Connection<'_> {
    fn serve(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(SOCKET_TIME_MAX))?;
        self.stream.set_write_timeout(Some(SOCKET_TIME_MAX))?;
        while self.exchange()? == Then::GoOn {}
        Ok(())
    }

    fn exchange(&mut self) -> io::Result<Then> {
        let peer = self.stream.peer_addr()?.ip();
        let mut decision = None;
        // The first byte is awaited without taking it: a fault planned while this connection was
        // idle must still find the request unread.
        if self.buffer.is_empty() {
            if self.stream.peek(&mut [0])? == 0 {
                return Ok(Then::Close);
            }
            if self.shared.network.armed() {
                let head = self.peek_head(peer)?;
                let decided = self.decide(&head.request);
                match decided.fault {
                    Some(Fault::CloseBeforeReading) => {
                        self.record(&head.request, &decided, None);
                        return Ok(self.reset());
                    }
                    Some(Fault::ActAndReset) => return self.act_and_reset(&head, &decided),
                    _ => decision = Some(decided),
                }
            }
        }
        let head = self.buffer.read_head(&mut self.stream, peer)?;
        if head.expects_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let decision = decision.unwrap_or_else(|| self.decide(&head.request));
        if head.body_length.is_some_and(|length| length > http::BODY_MAX) {
            return self.answer(
                &head.request,
                &decision,
                HttpReply::html(413, "413 Request Entity Too Large"),
                false,
            );
        }
        let body = self.buffer.read_body(&mut self.stream, &head)?;
        let request = Request { body, ..head.request };
        self.carry_out(&request, &decision)
    }

    fn decide(&self, request: &Request) -> Decision {
        let path = request.target();
        let line = Line { server: self.shared.kind, method: &request.method, path: &path };
        self.shared.network.begin(line)
    }

    /// Looks at a whole head without taking it from the socket.
    fn peek_head(&self, peer: std::net::IpAddr) -> io::Result<Head> {
        let mut bytes = vec![0; http::HEAD_MAX];
        let end = Instant::now() + SOCKET_TIME_MAX;
        let mut seen = 0;
        loop {
            let count = self.stream.peek(&mut bytes)?;
            if http::head_end(&bytes[..count]).is_some() {
                let head = http::parse_head(&bytes[..count], peer);
                return head.ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            if count == 0 || count == bytes.len() || Instant::now() > end {
                return Err(io::ErrorKind::InvalidData.into());
            }
            // peek() cannot wait for more than is there.
            if count == seen {
                thread::sleep(Duration::from_millis(1));
            }
            seen = count;
        }
    }

    /// Closes so that the kernel sends a reset: with bytes of the request unread.
    fn reset(&mut self) -> Then {
        // INVARIANT: the copy in the list is gone before the stream is dropped, or the socket
        // would stay open.
        lock(&self.shared.connections).remove(&self.id);
        Then::Close
    }

    fn act_and_reset(&mut self, head: &Head, decision: &Decision) -> io::Result<Then> {
        let Some(body_length) = head.body_length.filter(|length| *length <= http::BODY_MAX) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if head.expects_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        // All but the last byte is taken, the last one only looked at: it stays unread.
        let mut bytes = vec![0; head.length + body_length - 1];
        self.stream.read_exact(&mut bytes)?;
        let mut last = [0];
        if self.stream.peek(&mut last)? == 0 {
            return Ok(Then::Close);
        }
        bytes.push(last[0]);
        let body = bytes.split_off(head.length);
        let request = Request { body, ..head.request.clone() };
        let reply = (self.shared.handler)(&request);
        self.record(&request, decision, Some(&HttpReply { status: 0, ..reply }));
        Ok(self.reset())
    }

    fn carry_out(&mut self, request: &Request, decision: &Decision) -> io::Result<Then> {
        let act = || (self.shared.handler)(request);
        let fault = decision.fault.clone();
        match fault {
            None => {
                let reply = act();
                self.answer(request, decision, reply, request.keep_alive)
            }
            Some(Fault::CloseBeforeReading) => self.drop_answer(request, decision, None),
            Some(Fault::ActAndDropAnswer | Fault::ActAndReset) => {
                let reply = act();
                self.drop_answer(request, decision, Some(reply))
            }
            Some(Fault::ActLate(time)) => {
                self.shared.sleep(time);
                let reply = act();
                self.drop_answer(request, decision, Some(reply))
            }
            Some(Fault::Hook(hook)) => {
                hook(HookPoint::BeforeAct);
                let reply = act();
                hook(HookPoint::AfterAct);
                self.drop_answer(request, decision, Some(reply))
            }
            Some(Fault::ActAndAnswerLate(time)) => {
                let reply = act();
                self.shared.sleep(time);
                self.answer(request, decision, reply, request.keep_alive)
            }
            Some(Fault::Truncate) => {
                let reply = act();
                self.truncate(request, decision, &reply)
            }
            Some(Fault::SlowBody(pause)) => {
                let reply = act();
                self.answer_slowly(request, decision, &reply, pause)
            }
            Some(other) => {
                let reply = instead(&other, self.shared.kind, act);
                let reply = HttpReply { stream: None, ..reply };
                self.answer(request, decision, reply, request.keep_alive)
            }
        }
    }

    fn answer(
        &mut self,
        request: &Request,
        decision: &Decision,
        reply: HttpReply,
        keep_alive: bool,
    ) -> io::Result<Then> {
        self.record(request, decision, Some(&reply));
        if let Some(stream) = reply.stream.as_ref().filter(|_| request.method != "HEAD") {
            return self.stream_out(&reply, stream);
        }
        let mut bytes = reply.head(reply.body.len(), keep_alive).into_bytes();
        if request.method != "HEAD" {
            bytes.extend_from_slice(&reply.body);
        }
        self.stream.write_all(&bytes)?;
        Ok(if keep_alive { Then::GoOn } else { Then::Close })
    }

    /// Sends a body that is made on the way, and closes.
    fn stream_out(&mut self, reply: &HttpReply, stream: &Stream) -> io::Result<Then> {
        self.stream.write_all(reply.head_framed(stream.framing, false).as_bytes())?;
        let chunked = stream.framing == Framing::Chunked;
        let mut piece = vec![0; STREAM_PIECE];
        let mut sent = 0;
        while sent < stream.bytes {
            self.shared.sleep(stream.pause);
            if self.shared.stopped.load(Ordering::SeqCst) {
                return Ok(Then::Close);
            }
            let left = usize::try_from(stream.bytes - sent).unwrap_or(usize::MAX);
            let count = left.min(STREAM_PIECE);
            Stream::fill(&mut piece[..count], sent);
            if chunked {
                write!(self.stream, "{count:x}\r\n")?;
            }
            self.stream.write_all(&piece[..count])?;
            if chunked {
                self.stream.write_all(b"\r\n")?;
            }
            sent += count as u64;
        }
        if chunked && !stream.cut {
            self.stream.write_all(b"0\r\n\r\n")?;
        }
        Ok(Then::Close)
    }

    fn drop_answer(
        &self,
        request: &Request,
        decision: &Decision,
        reply: Option<HttpReply>,
    ) -> io::Result<Then> {
        let unanswered = reply.map(|reply| HttpReply { status: 0, ..reply });
        self.record(request, decision, unanswered.as_ref());
        self.stream.shutdown(Shutdown::Both)?;
        Ok(Then::Close)
    }

    fn truncate(
        &mut self,
        request: &Request,
        decision: &Decision,
        reply: &HttpReply,
    ) -> io::Result<Then> {
        self.record(request, decision, Some(reply));
        if let Some(whole) = &reply.stream {
            let half = Stream { bytes: whole.bytes / 2, cut: true, ..whole.clone() };
            return self.stream_out(reply, &half);
        }
        let mut bytes = reply.head(reply.body.len().max(2), false).into_bytes();
        bytes.extend_from_slice(&reply.body[..reply.body.len() / 2]);
        self.stream.write_all(&bytes)?;
        self.stream.shutdown(Shutdown::Both)?;
        Ok(Then::Close)
    }

    fn answer_slowly(
        &mut self,
        request: &Request,
        decision: &Decision,
        reply: &HttpReply,
        pause: Duration,
    ) -> io::Result<Then> {
        self.record(request, decision, Some(reply));
        if let Some(stream) = &reply.stream {
            return self.stream_out(reply, &Stream { pause, ..stream.clone() });
        }
        let head = reply.head(reply.body.len(), request.keep_alive);
        self.stream.write_all(head.as_bytes())?;
        for piece in reply.body.chunks(reply.body.len().div_ceil(SLOW_PIECES).max(1)) {
            self.shared.sleep(pause);
            self.stream.write_all(piece)?;
        }
        Ok(if request.keep_alive { Then::GoOn } else { Then::Close })
    }

    fn record(&self, request: &Request, decision: &Decision, reply: Option<&HttpReply>) {
        let network = &self.shared.network;
        if !network.recording() {
            return;
        }
        network.end(Exchange {
            number: decision.number,
            server: self.shared.kind,
            http_method: request.method.clone(),
            path: request.target(),
            rest_method: reply.map(|r| r.rest_method.clone()).unwrap_or_default(),
            auth: reply.map(|r| r.auth).unwrap_or_default(),
            user: reply.and_then(|r| r.user),
            status: reply.map_or(0, |r| r.status),
            error: reply.map(|r| r.error.clone()).unwrap_or_default(),
            fault: decision.fault.as_ref().map(Fault::name),
            told: reply.map(|r| r.told.clone()).unwrap_or_default(),
            at: network.clock().now(),
            began: decision.began,
            ended: Instant::now(),
        });
    }
}

/// The answer of a fault that only replaces it; `act` is called where the request is carried out.
fn instead(fault: &Fault, kind: ServerKind, act: impl FnOnce() -> HttpReply) -> HttpReply {
    match fault {
        Fault::Html(status) => HttpReply::html(*status, &format!("{status} nginx")),
        Fault::Redirect(address) => {
            HttpReply::html(302, "302 Found").with_header("Location", address.as_str())
        }
        Fault::Error { status, code, description } if kind == ServerKind::Gateway => {
            gateway::refuse(*status, code, description)
        }
        Fault::Error { status, code, description } => {
            let body = serde_json::json!({ "error": code, "error_description": description });
            let reply = HttpReply::json(*status, body.to_string());
            HttpReply { error: code.clone(), ..reply }
        }
        Fault::RetryAfter { status, after } => gateway::refuse(*status, "busy", "try again later")
            .with_header("Retry-After", after.as_str()),
        Fault::Body { status, body } => HttpReply::json(*status, body.clone()),
        Fault::HtmlAfterAct(status) => {
            let page = HttpReply::html(*status, &format!("{status} nginx"));
            HttpReply { status: page.status, headers: page.headers, body: page.body, ..act() }
        }
        Fault::Empty => HttpReply { status: 200, headers: Vec::new(), body: Vec::new(), ..act() },
        Fault::Garbage => {
            let notice =
                "<b>Notice</b>: Undefined index in /home/bitrix/www/x.php<br />\n{\"result\":";
            HttpReply { status: 200, body: notice.into(), ..act() }
        }
        Fault::WrongType => HttpReply { status: 200, body: "{\"result\":[[]]}".into(), ..act() },
        // The others have no answer of their own; carry_out deals with them.
        _ => act(),
    }
}
