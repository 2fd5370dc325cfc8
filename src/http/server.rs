//! One listener: its socket, its threads, its limits. The only file that names tiny_http. Number 0
//! of its threads accepts, the others are workers: each takes a whole request, hands it to the
//! handler, and goes on; the handler answers now or later, from any thread, through its
//! [`Answer`]. The threads wait on the listener and end when it is stopped.

use std::fmt;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::base::sys;
use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::http::Body;
use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::limits;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Number of workers.
    pub workers: usize,
    /// What a thread is called, by its number.
    pub thread: fn(usize) -> ThreadName,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Longer bodies, for some.
    pub larger: Option<Larger>,
    /// Most connections from one address; `None` for no such limit.
    pub per_source_max: Option<usize>,
    /// Whether that limit spares loopback, where a reverse proxy would be.
    pub loopback_is_free: bool,
    /// Where bodies too long for memory are kept while they are read.
    pub spool_dir: PathBuf,
    /// How long a peer is waited for.
    pub patience: Patience,
    /// What a peer is told whose request reaches no handler, by status and reason.
    pub refusal: fn(u16, &str) -> Reply,
}

/// Bodies longer than [`Listen::body_bytes_max`], for whoever has earned it with the head of the
/// request: they are kept on disk until it is answered, and strangers must not fill that.
#[derive(Clone)]
pub struct Larger {
    /// Largest such body.
    pub bytes_max: usize,
    /// How long it may take.
    pub time: Duration,
    /// Whether this request, its body not read yet, may send one.
    pub allowed: Arc<dyn Fn(&Request) -> bool + Send + Sync>,
}

impl fmt::Debug for Larger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Larger({} bytes)", self.bytes_max)
    }
}

/// How long a listener waits for its peers.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next request of a connection.
    pub idle: Duration,
    /// For a whole head, from its first byte.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// For an answer to be taken.
    pub write: Duration,
}

impl Patience {
    /// That of the product; tests are less patient.
    pub const USUAL: Patience = Patience {
        idle: limits::HTTP_IDLE_MAX,
        head: limits::HTTP_HEAD_TIME_MAX,
        body: limits::HTTP_BODY_TIME_MAX,
        write: limits::HTTP_WRITE_TIME_MAX,
    };
}

/// Whoever answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request by `answer.send`, now or later, from any thread. An answer that is
    /// dropped unsent becomes a 500.
    fn handle(&self, request: Request, answer: Answer);
}

/// A listener that is bound and does not accept yet: connections wait in the kernel.
pub struct Bound {
    server: tiny_http::Server,
    listen: Listen,
}

impl Bound {
    /// Binds the address.
    ///
    /// # Errors
    /// It cannot be bound.
    pub fn new(listen: Listen) -> std::io::Result<Bound> {
        let listener = TcpListener::bind(listen.addr)?;
        sys::lengthen_queue(&listener, limits::HTTP_QUEUE)?;
        let name = (listen.thread)(0).to_string();
        let refuse = listen.refusal;
        let refusal = Arc::new(move |status: u16, why: &str| response(refuse(status, why)));
        let server = tiny_http::Server::from_listener(listener, &name, limits(&listen), refusal)?;
        Ok(Bound { server, listen })
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn serve(self, exits: &Exits, handler: Arc<dyn Handler>) -> std::io::Result<Server> {
        let Bound { server, listen } = self;
        // From here on a failure drops it, which ends the threads that run already.
        let mut server = Server { server: Arc::new(server), threads: Vec::new() };
        let inner = Arc::clone(&server.server);
        server.threads.push(Thread::spawn((listen.thread)(0), exits, move || inner.serve())?);
        for number in 1..=listen.workers {
            let (inner, handler) = (Arc::clone(&server.server), Arc::clone(&handler));
            let thread = Thread::spawn((listen.thread)(number), exits, move || {
                work(&inner, handler.as_ref());
            })?;
            server.threads.push(thread);
        }
        Ok(server)
    }
}

/// A running listener. Dropping it stops it.
pub struct Server {
    server: Arc<tiny_http::Server>,
    threads: Vec<Thread>,
}

impl Server {
    /// The address really bound.
    pub fn addr(&self) -> SocketAddr {
        self.server.server_addr()
    }

    /// Refuses connections, joins the threads, and waits a moment until the answers that were
    /// given are written. Whoever still keeps an [`Answer`] should have sent it before.
    pub fn stop(&mut self) {
        self.server.close();
        if self.threads.drain(..).count() > 0 && !self.server.finish(limits::HTTP_FINISH_TIME_MAX) {
            log::warn!("answers_not_taken listener={}", self.addr());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn limits(listen: &Listen) -> tiny_http::Limits {
    tiny_http::Limits {
        connections: limits::HTTP_CONNECTIONS_MAX,
        connections_per_source: listen.per_source_max,
        loopback_is_free: listen.loopback_is_free,
        head_bytes: limits::HTTP_HEAD_BYTES_MAX,
        headers: limits::HTTP_HEADERS_MAX,
        body_bytes: listen.body_bytes_max,
        larger: listen.larger.clone().map(|larger| tiny_http::Larger {
            body_bytes: larger.bytes_max,
            body_time: larger.time,
            allowed: Arc::new(move |method, url, headers| {
                (larger.allowed)(&request(method, url, headers))
            }),
        }),
        body_memory_bytes: limits::HTTP_BODY_MEMORY_BYTES_MAX,
        spool_dir: listen.spool_dir.clone(),
        idle_time: listen.patience.idle,
        head_time: listen.patience.head,
        body_time: listen.patience.body,
        write_time: listen.patience.write,
    }
}

fn work(server: &tiny_http::Server, handler: &dyn Handler) {
    while let Some(mut inner) = server.recv() {
        let mut request = request(inner.method(), inner.url(), inner.headers());
        request.body = match inner.take_body() {
            tiny_http::Body::Memory(bytes) => Body::Memory(bytes),
            tiny_http::Body::File(file) => Body::File(file),
        };
        let answer = Answer { inner: Some(inner) };
        // A handler's bug costs its own request only; the dropped answer sends a 500.
        if catch_unwind(AssertUnwindSafe(|| handler.handle(request, answer))).is_err() {
            count(Counter::HandlerPanics);
            log::error!("handler_panicked");
        }
    }
}

/// A request without its body.
fn request(method: &tiny_http::Method, url: &str, headers: &[tiny_http::Header]) -> Request {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let headers =
        headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned()));
    Request {
        method: known(method),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body: Body::from(Vec::new()),
    }
}

fn known(method: &tiny_http::Method) -> Method {
    match method {
        tiny_http::Method::Get => Method::Get,
        tiny_http::Method::Head => Method::Head,
        tiny_http::Method::Post => Method::Post,
        tiny_http::Method::Put => Method::Put,
        tiny_http::Method::Patch => Method::Patch,
        tiny_http::Method::Delete => Method::Delete,
        tiny_http::Method::Options => Method::Options,
        _ => Method::Other,
    }
}

/// The right to answer one request, once. Can be kept and sent from any thread.
pub struct Answer {
    inner: Option<tiny_http::Request>,
}

impl Answer {
    /// Answers, without waiting for the peer. A peer that went away is not our failure.
    pub fn send(mut self, reply: Reply) {
        if let Some(inner) = self.inner.take() {
            inner.respond(response(reply));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.respond(response(Reply::text(500, "internal error\n")));
        }
    }
}

/// A reply with a header that cannot be sent becomes a 500, because what it says without that
/// header is not what was meant.
fn response(reply: Reply) -> tiny_http::Response {
    let headers: Result<Vec<_>, _> =
        reply.headers.iter().map(|(name, value)| tiny_http::Header::new(name, value)).collect();
    match headers {
        Ok(headers) => tiny_http::Response::new(reply.status, headers, reply.body),
        Err(tiny_http::Unprintable) => {
            log::error!("reply_refused status={}", reply.status);
            tiny_http::Response::new(500, Vec::new(), b"internal error\n".to_vec())
        }
    }
}
