//! A small HTTP/1.1 server: one thread accepts, one thread serves each connection, whole requests
//! come out of [`Server::recv`], and the answer goes back by [`Request::respond`].
//!
//! This is a reduced and hardened copy of tiny_http 0.12.0; `vendor/PATCHES.md` says what differs
//! and why. Everything a peer can do to it is bounded by [`Limits`].
//!
//! ```no_run
//! # fn limits() -> tiny_http::Limits { unimplemented!() }
//! # fn refusal() -> tiny_http::Refusal { unimplemented!() }
//! let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
//! let server = tiny_http::Server::from_listener(listener, "web", limits(), refusal()).unwrap();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| server.serve());
//!     while let Some(request) = server.recv() {
//!         request.respond(tiny_http::Response::new(200, Vec::new(), b"hello".to_vec()));
//!     }
//! });
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs, rust_2018_idioms)]

mod body;
mod client;
mod common;
mod incoming;
mod messages_queue;
mod request;
mod response;
mod slots;

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use client::ClientConnection;
use messages_queue::MessagesQueue;
use slots::Slots;

pub use body::Body;
pub use common::Header;
pub use common::Unprintable;
pub use common::Method;
pub use common::StatusCode;
pub use request::Request;
pub use response::Response;

/// Stack of a connection's thread: it parses a head and copies bytes.
const STACK_BYTES: usize = 256 * 1024;
/// Pause after an accept that failed: without descriptors the next one fails at once as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the accepting thread may spend on telling one client that there is no room.
const REFUSE_TIME_MAX: Duration = Duration::from_millis(20);

/// What a peer is told whose request is not handed over, by status and reason.
pub type Refusal = Arc<dyn Fn(u16, &str) -> Response + Send + Sync>;

/// What bounds a server. There is no default: whoever listens has to think of each.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections. One more closes the one that waited longest for its peer.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_source: Option<usize>,
    /// Whether that does not count for loopback, where a reverse proxy would be.
    pub loopback_is_free: bool,
    /// Bytes of a request line and its headers, and of a chunked body's trailers.
    pub head_bytes: usize,
    /// Header lines of one request.
    pub headers: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Longer bodies, for some.
    pub larger: Option<Larger>,
    /// Bytes of a body kept in memory; a longer one goes to an unlinked file.
    pub body_memory_bytes: usize,
    /// Where that file is made.
    pub spool_dir: PathBuf,
    /// How long a connection may wait for the first byte of its next request.
    pub idle_time: Duration,
    /// How long a head may take from its first byte.
    pub head_time: Duration,
    /// How long a body may take.
    pub body_time: Duration,
    /// How long writing one answer may take.
    pub write_time: Duration,
}

/// Bodies that are longer than others may send, because the head of their request earns it.
#[derive(Clone)]
pub struct Larger {
    /// Bytes of such a body.
    pub body_bytes: usize,
    /// How long it may take.
    pub body_time: Duration,
    /// Whether a request may send one.
    pub allowed: Arc<dyn Fn(&Method, &str, &[Header]) -> bool + Send + Sync>,
}

impl fmt::Debug for Larger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Larger({} bytes)", self.body_bytes)
    }
}

/// What the server, its connections and their requests share.
struct Shared {
    limits: Limits,
    refusal: Refusal,
    slots: Arc<Slots>,
    messages: MessagesQueue<Request>,
}

/// A bound listener. [`serve`](Server::serve) and [`recv`](Server::recv) are called by threads of
/// the owner's; [`close`](Server::close) ends both.
pub struct Server {
    listener: TcpListener,
    /// The same socket as a stream, because only a stream can be shut down, and that is what wakes
    /// `accept` even when no descriptor is left to connect with.
    waker: TcpStream,
    addr: SocketAddr,
    name: String,
    shared: Arc<Shared>,
}

impl Server {
    /// Takes a bound listener. Nothing is accepted before [`serve`](Server::serve). `name` is what
    /// connection threads are called.
    ///
    /// # Errors
    /// The listener has no address, or there is no descriptor left.
    pub fn from_listener(
        listener: TcpListener,
        name: &str,
        limits: Limits,
        refusal: Refusal,
    ) -> io::Result<Server> {
        let waker = TcpStream::from(OwnedFd::from(listener.try_clone()?));
        let addr = listener.local_addr()?;
        let slots = Arc::new(Slots::new(&limits));
        let shared = Arc::new(Shared { limits, refusal, slots, messages: MessagesQueue::new() });
        Ok(Server { listener, waker, addr, name: name.to_owned(), shared })
    }

    /// The address really bound.
    pub fn server_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts connections until [`close`](Server::close). No failure ends it: without descriptors
    /// or threads it refuses or waits, and goes on.
    pub fn serve(&self) {
        let mut failing = false;
        while !self.shared.slots.is_closed() {
            let accepted = self.listener.accept();
            match accepted.and_then(|(stream, peer)| self.take(stream, peer)) {
                Ok(()) => failing = false,
                Err(_) if self.shared.slots.is_closed() => return,
                Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(why) => {
                    if !failing {
                        log::warn!("accept_failed listener={} reason={why}", self.name);
                    }
                    failing = true;
                    // Most likely the process has no descriptor or thread left; an idle connection
                    // is one of each.
                    self.shared.slots.evict_one();
                    thread::sleep(ACCEPT_PAUSE);
                }
            }
        }
    }

    /// Gives a connection its thread, or tells it that there is no room. Without a thread it is
    /// dropped, and so closed.
    fn take(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let stream = Arc::new(stream);
        let Some(ticket) = self.shared.slots.admit(&stream, peer.ip()) else {
            refuse(&stream, &(self.shared.refusal)(503, "too many connections"));
            return Ok(());
        };
        let client = ClientConnection::new(stream, peer, ticket, Arc::clone(&self.shared));
        let builder = thread::Builder::new().name(self.name.clone()).stack_size(STACK_BYTES);
        builder.spawn(move || client.run()).map(drop)
    }

    /// The next request; `None` once the server was closed and no request is left.
    pub fn recv(&self) -> Option<Request> {
        self.shared.messages.pop()
    }

    /// Refuses connections and requests from now on, closes idle connections, and ends
    /// [`serve`](Server::serve) and, when the requests already read are taken,
    /// [`recv`](Server::recv). Answers that are still owed can be given and are written.
    pub fn close(&self) {
        self.shared.slots.close();
        self.shared.messages.close();
        // A socket that is no longer connected to anything cannot be shut down twice.
        let _ = self.waker.shutdown(Shutdown::Both);
    }

    /// After [`close`](Server::close): waits until every owed answer is written, at most `time`.
    /// Whether all are.
    pub fn finish(&self, time: Duration) -> bool {
        self.shared.slots.wait_answered(Instant::now() + time)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells a client that there is no room, as far as that takes no time.
fn refuse(stream: &TcpStream, refusal: &Response) {
    use std::io::Read;
    use std::io::Write;
    let answer = refusal.printed(false, true);
    let mut stream = stream;
    // The peer may be gone or slow; either is its own affair.
    let _ = stream.set_write_timeout(Some(REFUSE_TIME_MAX));
    let _ = stream.write_all(&answer);
    // What has arrived is read, because closing over unread bytes resets the connection and the
    // peer would never see the answer.
    let _ = stream.set_nonblocking(true);
    let _ = stream.read(&mut [0; 4096]);
}
