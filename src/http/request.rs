//! A request as handlers see it: whole, bounded, decoded. Knows no socket; `server` makes it, and
//! `api` asks it for headers, the token of its bearer, form fields and its body, which may be too
//! long for memory.

use std::fs::File;
use std::io;
use std::io::Cursor;
use std::io::Read;

use crate::limits;

/// Request methods that some route knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD; answered like GET without a body.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// Anything else.
    Other,
}

impl Method {
    /// As it stands in a request; empty for those that no route knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => "",
        }
    }
}

/// One request with its whole body.
#[derive(Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path as sent, without the query.
    pub path: String,
    /// Query as sent, without the question mark; may be empty.
    pub query: String,
    /// Header names and values in order.
    pub headers: Vec<(String, String)>,
    /// The body, within the listener's limit.
    pub body: Body,
}

/// The body of a request, from its start.
#[derive(Debug)]
pub enum Body {
    /// As it is.
    Memory(Cursor<Vec<u8>>),
    /// In a file that has no name any more.
    File(File),
}

/// What every listener keeps in memory is all that the small ones take: they never see a file.
const _: () = assert!(limits::HTTP_SMALL_BODY_BYTES_MAX <= limits::HTTP_BODY_MEMORY_BYTES_MAX);

impl Body {
    /// The whole body; `None` when it is too long to be kept in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match self {
            Body::Memory(bytes) => Some(bytes.get_ref()),
            Body::File(_) => None,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::Memory(Cursor::new(bytes))
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Body::Memory(bytes) => bytes.read(buf),
            Body::File(file) => file.read(buf),
        }
    }
}

impl Request {
    /// The first header of a name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of a name in a form body, decoded.
    pub fn form_value(&self, name: &str) -> Option<String> {
        let kind = self.header("content-type").unwrap_or_default();
        let is_form = kind.split(';').next().is_some_and(|kind| {
            kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if is_form { pair(self.body.in_memory()?, name) } else { None }
    }

    /// The first value of a name in the query, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        pair(self.query.as_bytes(), name)
    }

    /// The token of `Authorization: Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

fn pair(encoded: &[u8], name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(encoded);
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
