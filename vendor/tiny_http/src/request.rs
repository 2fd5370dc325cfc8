use std::fmt;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;

use crate::body::Body;
use crate::common::Header;
use crate::common::Method;
use crate::response::Response;

/// One whole request. A request that is dropped without [`respond`](Request::respond) is answered
/// with a 500.
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<Header>,
    pub(crate) remote_addr: SocketAddr,
    pub(crate) body: Body,
    /// To the connection's thread, which writes the answer: no worker waits for a slow peer.
    pub(crate) answer: SyncSender<Response>,
}

impl Request {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Path and query as sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All headers in order.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// Who connected; behind a proxy that is the proxy.
    pub fn remote_addr(&self) -> SocketAddr {
        self.remote_addr
    }

    /// The body, decoded and within the limit; an empty one stays behind.
    pub fn take_body(&mut self) -> Body {
        std::mem::replace(&mut self.body, Body::Memory(Cursor::default()))
    }

    /// Answers; never waits.
    pub fn respond(self, response: Response) {
        // There is room for the one answer, and a connection that ended needs none.
        let _ = self.answer.try_send(response);
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({} from {})", self.method.as_str(), self.remote_addr)
    }
}
