//! HTTP/1.1 as bytes: reading one request with bounds, writing one answer in one piece. Knows no
//! sockets' faults (`net`) and no paths (`portal`, `gateway`).

use std::fmt::Write;
use std::io;
use std::io::Read;
use std::net::IpAddr;
use std::time::Duration;

use super::network::AuthForm;

/// Longest request head; nginx in front of a portal takes 32 KB.
pub const HEAD_MAX: usize = 64 * 1024;
/// Largest request body: the largest file a portal takes is 100 MiB in base64
/// (b24: messenger §9.1), and some room.
pub const BODY_MAX: usize = 160 * 1024 * 1024;
/// How much is read at once.
const READ_SIZE: usize = 16 * 1024;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path without query, not decoded.
    pub path: String,
    /// Query without `?`, not decoded.
    pub query: String,
    /// Header names in lower case and their values.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// Where it came from.
    pub peer: IpAddr,
    /// Whether the connection stays open after the answer.
    pub keep_alive: bool,
}

impl Request {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.header("cookie")?;
        cookies.split(';').find_map(|c| c.trim().strip_prefix(name)?.strip_prefix('='))
    }

    /// Path and query as received.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.query)
    }

    /// A query parameter, decoded.
    pub fn query_param(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// How an answer says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`, true or not.
    Length(u64),
    /// Chunks, and the last one only when the body is whole.
    Chunked,
    /// Not at all: the connection closes.
    Close,
}

/// A body that is made while it is sent, so that no length costs memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What the head says.
    pub framing: Framing,
    /// Bytes really sent; `u64::MAX` is without end.
    pub bytes: u64,
    /// Whether the last chunk is left out.
    pub cut: bool,
    /// Pause before each piece.
    pub pause: Duration,
}

impl Stream {
    /// An honest body.
    pub fn of(bytes: u64) -> Stream {
        let framing = Framing::Length(bytes);
        Stream { framing, bytes, cut: false, pause: Duration::ZERO }
    }

    /// Fills a buffer with what stands at `offset` of every such body.
    pub fn fill(buffer: &mut [u8], offset: u64) {
        // A prime, so that no two pieces of a power of two begin alike.
        const PERIOD: u64 = 251;
        let mut next = (offset % PERIOD) as u8;
        for byte in buffer {
            *byte = next;
            next = if u64::from(next) + 1 == PERIOD { 0 } else { next + 1 };
        }
    }
}

/// One answer, and what the history should know of it.
#[derive(Clone, Debug, Default)]
pub struct HttpReply {
    /// Status.
    pub status: u16,
    /// Headers but `Content-Length` and `Connection`, which `net` adds.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Made and sent instead of `body`.
    pub stream: Option<Stream>,
    /// For the history: the REST method, lower-case.
    pub rest_method: String,
    /// For the history: where the credentials were.
    pub auth: AuthForm,
    /// For the history: who the request acted as.
    pub user: Option<u64>,
    /// For the history: the error code answered.
    pub error: String,
    /// For the history: messages that it tells of as new.
    pub told: Vec<u64>,
}

impl HttpReply {
    /// A JSON answer.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> HttpReply {
        let headers = vec![("Content-Type", "application/json; charset=utf-8".to_owned())];
        HttpReply { status, headers, body: body.into(), ..HttpReply::default() }
    }

    /// An HTML page with a heading.
    pub fn html(status: u16, heading: &str) -> HttpReply {
        let body = format!(
            "<!DOCTYPE html>\r\n<html><head><title>{heading}</title></head>\
             <body><h1>{heading}</h1></body></html>\r\n"
        );
        let headers = vec![("Content-Type", "text/html; charset=UTF-8".to_owned())];
        HttpReply { status, headers, body: body.into(), ..HttpReply::default() }
    }

    /// The same answer with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> HttpReply {
        self.headers.push((name, value.into()));
        self
    }

    /// The head of the answer; `length` is what `Content-Length` claims.
    pub fn head(&self, length: usize, keep_alive: bool) -> String {
        self.head_framed(Framing::Length(length as u64), keep_alive)
    }

    /// The head of the answer with any framing.
    pub fn head_framed(&self, framing: Framing, keep_alive: bool) -> String {
        let mut head = String::with_capacity(256);
        let _ = write!(head, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let _ = match framing {
            Framing::Length(length) => write!(head, "Content-Length: {length}\r\n"),
            Framing::Chunked => write!(head, "Transfer-Encoding: chunked\r\n"),
            Framing::Close => Ok(()),
        };
        let _ = write!(head, "Connection: {connection}\r\n\r\n");
        head
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// The head of a request, before its body is read.
#[derive(Clone, Debug)]
pub struct Head {
    /// The request, still without its body.
    pub request: Request,
    /// Bytes of the head including the empty line.
    pub length: usize,
    /// `Content-Length`, `None` for a chunked body.
    pub body_length: Option<usize>,
    /// The client waits for `100 Continue`.
    pub expects_continue: bool,
}

/// Where the head in `bytes` ends, if it does.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Reads the head at the front of `bytes`, which hold a whole one; `None` = not HTTP.
pub fn parse_head(bytes: &[u8], peer: IpAddr) -> Option<Head> {
    let length = head_end(bytes)?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        peer,
        keep_alive: version == "HTTP/1.1",
    };
    if let Some(connection) = request.header("connection") {
        request.keep_alive = !connection.eq_ignore_ascii_case("close");
    }
    let chunked = request
        .header("transfer-encoding")
        .is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked"));
    let body_length = match request.header("content-length") {
        _ if chunked => None,
        Some(text) => Some(text.parse().ok()?),
        None => Some(0),
    };
    let expects_continue =
        request.header("expect").is_some_and(|wish| wish.eq_ignore_ascii_case("100-continue"));
    Some(Head { request, length, body_length, expects_continue })
}

/// Bytes received and not yet used.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Buffer {
    /// Whether nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.used == self.bytes.len()
    }

    /// Puts bytes in front of what will be read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    fn fill(&mut self, source: &mut impl Read) -> io::Result<()> {
        if self.used > 0 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        let mut piece = [0; READ_SIZE];
        let count = source.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes.extend_from_slice(&piece[..count]);
        Ok(())
    }

    fn take(&mut self, source: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
        let ready = self.rest().len().min(count);
        let mut taken = Vec::with_capacity(count);
        taken.extend_from_slice(&self.rest()[..ready]);
        self.used += ready;
        // What is not here yet goes straight to its place: a body may have 140 MB.
        let missing = (count - ready) as u64;
        source.by_ref().take(missing).read_to_end(&mut taken)?;
        if taken.len() < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(taken)
    }

    fn take_line(&mut self, source: &mut impl Read) -> io::Result<String> {
        loop {
            if let Some(end) = self.rest().windows(2).position(|window| window == b"\r\n") {
                let line = self.take(source, end + 2)?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.rest().len() > HEAD_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.fill(source)?;
        }
    }

    /// Reads a head.
    ///
    /// # Errors
    /// The socket's; `InvalidData` for what is not HTTP or too long.
    pub fn read_head(&mut self, source: &mut impl Read, peer: IpAddr) -> io::Result<Head> {
        while head_end(self.rest()).is_none() {
            if self.rest().len() > HEAD_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.fill(source)?;
        }
        let head = parse_head(self.rest(), peer).ok_or(io::ErrorKind::InvalidData)?;
        self.used += head.length;
        Ok(head)
    }

    /// Reads the body that belongs to `head`.
    ///
    /// # Errors
    /// The socket's; `InvalidData` for a broken or too large body.
    pub fn read_body(&mut self, source: &mut impl Read, head: &Head) -> io::Result<Vec<u8>> {
        let Some(length) = head.body_length else {
            return self.read_chunks(source);
        };
        if length > BODY_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.take(source, length)
    }

    fn read_chunks(&mut self, source: &mut impl Read) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line(source)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size > BODY_MAX || body.len() + size > BODY_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if size == 0 {
                // Trailers up to the empty line.
                while !self.take_line(source)?.is_empty() {}
                return Ok(body);
            }
            body.append(&mut self.take(source, size)?);
            self.take_line(source)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;
    use super::READ_SIZE;
    use std::net::IpAddr;

    #[test]
    fn body_is_taken_whole_and_nothing_behind_it() {
        let body: Vec<u8> = (0..READ_SIZE * 5 + 3).map(|n| (n % 251) as u8).collect();
        let head = format!("POST /x HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        let next = "GET /y HTTP/1.1\r\n\r\n";
        let stream = [head.as_bytes(), &body, next.as_bytes()].concat();
        let (mut source, peer) = (&stream[..], IpAddr::from([127, 0, 0, 1]));
        let mut buffer = Buffer::default();
        let head = buffer.read_head(&mut source, peer).expect("a head");
        assert_eq!(buffer.read_body(&mut source, &head).expect("a body"), body);
        let head = buffer.read_head(&mut source, peer).expect("the next head");
        assert_eq!((head.request.path.as_str(), buffer.is_empty()), ("/y", true));
        let cut = &stream[..stream.len() - next.len() - 1];
        let (mut source, mut buffer) = (cut, Buffer::default());
        let head = buffer.read_head(&mut source, peer).expect("a head");
        assert!(buffer.read_body(&mut source, &head).is_err(), "the end came too early");
    }
}
