//! One listener: its socket, its workers, its limits. The only file that names tiny_http. A worker
//! takes a whole request, hands it to the handler, and goes on; the handler answers now or later,
//! from any thread, through its [`Answer`]. Workers wait on the listener and end when it is dropped.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::limits;

/// Where and how to listen.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Address; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Number of workers.
    pub workers: usize,
    /// What a worker's thread is called, by its number.
    pub thread: fn(usize) -> ThreadName,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Most connections from one address that is not loopback; `None` for no such limit.
    pub per_source_max: Option<usize>,
}

/// Whoever answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request by `answer.send`, now or later, from any thread. An answer that is
    /// dropped unsent becomes a 500.
    fn handle(&self, request: Request, answer: Answer);
}

/// A running listener. Dropping it closes the socket and joins the workers.
pub struct Server {
    // Before the workers: they end when the server wakes them.
    server: Arc<tiny_http::Server>,
    addr: SocketAddr,
    stopping: Arc<std::sync::atomic::AtomicBool>,
    workers: Vec<Thread>,
}

impl Server {
    /// Binds the address and starts the workers.
    ///
    /// # Errors
    /// The address cannot be bound, or the operating system refused a thread.
    pub fn start(
        listen: Listen,
        exits: &Exits,
        handler: Arc<dyn Handler>,
    ) -> std::io::Result<Server> {
        let server = Arc::new(tiny_http::Server::http(listen.addr).map_err(std::io::Error::other)?);
        let addr = server.server_addr().to_ip().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let stopping = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut workers = Vec::new();
        for number in 0..listen.workers {
            let (server, handler) = (Arc::clone(&server), Arc::clone(&handler));
            let stopping = Arc::clone(&stopping);
            let body_bytes_max = listen.body_bytes_max;
            workers.push(Thread::spawn((listen.thread)(number), exits, move || {
                work(&server, handler.as_ref(), &stopping, body_bytes_max);
            })?);
        }
        Ok(Server { server, addr, stopping, workers })
    }

    /// The address really bound.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops taking requests and joins the workers. Answers that are still owed can be sent.
    pub fn stop(&mut self) {
        self.stopping.store(true, std::sync::atomic::Ordering::SeqCst);
        for _ in &self.workers {
            self.server.unblock();
        }
        self.workers.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn work(
    server: &tiny_http::Server,
    handler: &dyn Handler,
    stopping: &std::sync::atomic::AtomicBool,
    body_bytes_max: usize,
) {
    while !stopping.load(std::sync::atomic::Ordering::SeqCst) {
        let Ok(mut inner) = server.recv() else { continue };
        let request = read(&mut inner, body_bytes_max);
        let answer = Answer { inner: Some(inner) };
        let Some(request) = request else {
            answer.send(Reply::text(413, "the body is too large\n"));
            continue;
        };
        // A handler's bug costs its own request only; the dropped answer sends a 500.
        if catch_unwind(AssertUnwindSafe(|| handler.handle(request, answer))).is_err() {
            count(Counter::HandlerPanics);
            log::error!("handler_panicked");
        }
    }
}

fn read(inner: &mut tiny_http::Request, body_bytes_max: usize) -> Option<Request> {
    use std::io::Read;
    let (path, query) = match inner.url().split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned()),
        None => (inner.url().to_owned(), String::new()),
    };
    let headers = inner.headers().iter();
    let headers = headers
        .map(|header| (header.field.to_string(), header.value.to_string()))
        .collect::<Vec<_>>();
    let method = method(inner.method());
    let peer = inner.remote_addr().copied()?;
    let mut body = Vec::new();
    let most = u64::try_from(body_bytes_max).unwrap_or(u64::MAX);
    inner.as_reader().take(most + 1).read_to_end(&mut body).ok()?;
    (body.len() <= body_bytes_max).then_some(Request { method, path, query, headers, body, peer })
}

fn method(method: &tiny_http::Method) -> Method {
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
    /// Answers. A client that went away is not our failure.
    pub fn send(mut self, reply: Reply) {
        if let Some(inner) = self.inner.take() {
            respond(inner, reply);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            respond(inner, Reply::text(500, "internal error\n"));
        }
    }
}

fn respond(inner: tiny_http::Request, reply: Reply) {
    let Reply { status, headers, body } = reply;
    let length = body.len();
    let headers = headers.iter().filter_map(|(name, value)| {
        tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()).ok()
    });
    let response = tiny_http::Response::new(
        tiny_http::StatusCode(status),
        headers.collect(),
        std::io::Cursor::new(body),
        Some(length),
        None,
    )
    .with_chunked_threshold(usize::MAX);
    if let Err(why) = inner.respond(response) {
        log::debug!("answer_not_sent reason={}", why.kind());
    }
}

const _: () = assert!(limits::HTTP_CONNECTIONS_MAX > 0);
