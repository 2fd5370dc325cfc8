use std::time::SystemTime;

use httpdate::HttpDate;

use crate::common::Header;
use crate::common::StatusCode;

/// One whole answer. `Date`, `Content-Length` and `Connection` are the server's to write; a header
/// of these names, or `Transfer-Encoding`, `Trailer` or `Upgrade`, is left out.
#[derive(Clone, Debug)]
pub struct Response {
    status: StatusCode,
    headers: Vec<Header>,
    body: Vec<u8>,
}

/// Headers that decide where an answer ends.
const OWN_HEADERS: &[&str] =
    &["Date", "Content-Length", "Connection", "Transfer-Encoding", "Trailer", "Upgrade"];

impl Response {
    /// An answer.
    pub fn new(status: u16, headers: Vec<Header>, body: Vec<u8>) -> Response {
        Response { status: StatusCode(status), headers, body }
    }

    /// The bytes to send.
    pub(crate) fn printed(&self, head_only: bool, last: bool) -> Vec<u8> {
        let StatusCode(status) = self.status;
        let reason = self.status.default_reason_phrase();
        let date = HttpDate::from(SystemTime::now());
        let mut head = format!("HTTP/1.1 {status} {reason}\r\nDate: {date}\r\n");
        for header in &self.headers {
            if !OWN_HEADERS.iter().any(|own| header.is(own)) {
                head.push_str(&format!("{}: {}\r\n", header.name(), header.value()));
            }
        }
        let no_body = matches!(status, 100..=199 | 204 | 304);
        if !no_body {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        if last {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !head_only && !no_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}
