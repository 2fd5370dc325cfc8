//! A host of files, as a Deliver call may name them by URL: what stands under each path is planned by
//! the test, the demo or the bench, lies about lengths and endless bodies included. Besides, every
//! path `/bytes/N` is a file of N bytes that is made while it is sent. Knows no portal and no gateway.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::fault::ServerKind;
use super::http::Framing;
use super::http::HttpReply;
use super::http::Request;
use super::http::Stream;
use super::net::Server;
use super::network::Network;
use super::network::lock;

/// What stands under a path.
#[derive(Clone, Debug)]
pub enum Page {
    /// A file; the connection stays open.
    File(Vec<u8>),
    /// A body that is made while it is sent; the connection closes.
    Stream(Stream),
    /// A redirect: status and `Location`.
    Redirect(u16, String),
    /// No file: this status, and `Retry-After` when there is one.
    Refusal(u16, Option<String>),
    /// A file with one more header.
    WithHeader(&'static str, String, Vec<u8>),
}

impl Page {
    /// A file of `bytes` that stops after `sent` of them and closes.
    pub fn short(bytes: u64, sent: u64) -> Page {
        Page::Stream(Stream { bytes: sent, ..Stream::of(bytes) })
    }

    /// A body without end and without a length; `chunked` or not.
    pub fn endless(chunked: bool) -> Page {
        let framing = if chunked { Framing::Chunked } else { Framing::Close };
        Page::Stream(Stream { framing, ..Stream::of(u64::MAX) })
    }

    /// A file whose every piece of 64 KiB comes after a pause.
    pub fn slow(bytes: u64, pause: Duration) -> Page {
        Page::Stream(Stream { pause, ..Stream::of(bytes) })
    }
}

/// A running host. Dropping it closes its connections.
pub struct FileHost {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    pages: Mutex<HashMap<String, Page>>,
    /// Requests by path.
    counts: Mutex<HashMap<String, usize>>,
    last: Mutex<Option<Request>>,
}

impl FileHost {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(network: &Network) -> io::Result<FileHost> {
        let shared = Arc::new(Shared::default());
        let answering = Arc::clone(&shared);
        let handler = Arc::new(move |request: &Request| answering.answer(request));
        let server = Server::start(network, ServerKind::Files, handler)?;
        Ok(FileHost { server, shared })
    }

    /// Its origin.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// Puts something under a path (which begins with `/` and has no query); its URL.
    pub fn put(&self, path: &str, page: Page) -> String {
        lock(&self.shared.pages).insert(path.to_owned(), page);
        format!("{}{path}", self.url())
    }

    /// Puts a file under a path; its URL.
    pub fn put_file(&self, path: &str, bytes: &[u8]) -> String {
        self.put(path, Page::File(bytes.to_vec()))
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        lock(&self.shared.counts).values().sum()
    }

    /// How many requests came for a path.
    pub fn requests_of(&self, path: &str) -> usize {
        lock(&self.shared.counts).get(path).copied().unwrap_or(0)
    }

    /// The last request.
    pub fn last_request(&self) -> Option<Request> {
        lock(&self.shared.last).clone()
    }

    /// Stops or resumes listening: real refused connections.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub fn set_listening(&self, on: bool) -> io::Result<()> {
        self.server.set_listening(on)
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> HttpReply {
        *lock(&self.counts).entry(request.path.clone()).or_default() += 1;
        *lock(&self.last) = Some(request.clone());
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return HttpReply::html(405, "405 Method Not Allowed");
        }
        let page = lock(&self.pages).get(&request.path).cloned();
        match page.or_else(|| generated(&request.path)) {
            Some(Page::File(body)) => HttpReply { body, ..file() },
            Some(Page::WithHeader(name, value, body)) => {
                HttpReply { body, ..file() }.with_header(name, value)
            }
            Some(Page::Stream(stream)) => HttpReply { stream: Some(stream), ..file() },
            Some(Page::Redirect(status, location)) => {
                HttpReply::html(status, &format!("{status} Moved"))
                    .with_header("Location", location)
            }
            Some(Page::Refusal(status, after)) => {
                let reply = HttpReply::html(status, &format!("{status} files"));
                match after {
                    Some(after) => reply.with_header("Retry-After", after),
                    None => reply,
                }
            }
            None => HttpReply::html(404, "404 Not Found"),
        }
    }
}

fn file() -> HttpReply {
    let headers = vec![("Content-Type", "application/octet-stream".to_owned())];
    HttpReply { status: 200, headers, ..HttpReply::default() }
}

/// `/bytes/N`.
fn generated(path: &str) -> Option<Page> {
    let bytes = path.strip_prefix("/bytes/")?.parse().ok()?;
    Some(Page::Stream(Stream::of(bytes)))
}
