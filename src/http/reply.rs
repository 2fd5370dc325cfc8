//! An answer as handlers make it: status, headers, whole body. Every answer forbids caching and
//! sniffing; pages forbid scripts, frames and outside resources.

use serde_json::Value;

/// What pages may load: nothing but their own inline style and images from data, and forms that
/// post to this listener or on to the portal.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; frame-ancestors 'none'";

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    fn new(status: u16, kind: &str, body: Vec<u8>) -> Reply {
        let headers = vec![
            ("Content-Type".to_owned(), kind.to_owned()),
            ("Cache-Control".to_owned(), "no-store".to_owned()),
            ("X-Content-Type-Options".to_owned(), "nosniff".to_owned()),
        ];
        Reply { status, headers, body }
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &Value) -> Reply {
        Reply::new(status, "application/json", value.to_string().into_bytes())
    }

    /// A page. The caller has escaped every text in it.
    pub fn html(status: u16, page: String) -> Reply {
        Reply::new(status, "text/html; charset=utf-8", page.into_bytes())
            .with_header("Content-Security-Policy", PAGE_POLICY)
            .with_header("Referrer-Policy", "no-referrer")
            .with_header("X-Frame-Options", "DENY")
    }

    /// A plain text answer.
    pub fn text(status: u16, text: &str) -> Reply {
        Reply::new(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    /// Sends the browser elsewhere with a GET.
    pub fn redirect(location: &str) -> Reply {
        Reply::new(303, "text/plain; charset=utf-8", Vec::new())
            .with_header("Location", location)
            .with_header("Referrer-Policy", "no-referrer")
    }

    /// The same with another header.
    pub fn with_header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
