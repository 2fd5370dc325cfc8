//! What an answer of the gateway, or its absence, means for the message that was posted. Pure: one
//! table from statuses to verdicts (contract, `connector §2`), tested row by row. Does not decide
//! when to try again, only how eagerly.

use std::time::Duration;

use serde_json::Value;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::limits;

/// What is at fault when a message has to go again, and so how eagerly it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Perhaps this message alone: others may fare better.
    Message,
    /// The gateway, for any message, until it recovers by itself.
    Gateway,
    /// How the gateway is set up: a person has to change something.
    Setup,
}

/// What became of a posted message. `code` is a word for logs and dead letters: `http_503`,
/// `http_422/invalid_request`, `timeout`; never text of the message or the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The gateway has it.
    Accepted,
    /// Not now; the gateway may nevertheless have it, so it goes again with the same key.
    Retry {
        /// What is at fault.
        trouble: Trouble,
        /// How long the gateway asked us to wait, at most [`limits::GATEWAY_RETRY_AFTER_MAX`].
        after: Option<Duration>,
        /// Why.
        code: String,
    },
    /// The gateway does not accept our secret: nothing else will get through either.
    SecretRefused {
        /// Which refusal.
        code: String,
    },
    /// The gateway refuses this very message: a dead letter.
    Refused {
        /// Why.
        code: String,
    },
}

#[cfg(test)]
impl Verdict {
    /// The verdict's word.
    pub fn code(&self) -> &str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Retry { code, .. }
            | Verdict::SecretRefused { code }
            | Verdict::Refused { code } => code,
        }
    }
}

/// An answer, as far as it matters.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The header of that name.
    pub retry_after: Option<String>,
    /// Its beginning; may hold the gateway's error object.
    pub body: Vec<u8>,
}

/// The verdict of an answer.
pub(in crate::gateway) fn of_answer(answer: &Answer, now: UnixMs) -> Verdict {
    let status = answer.status;
    let code = match error_code(&answer.body) {
        Some(word) => format!("http_{status}/{word}"),
        None => format!("http_{status}"),
    };
    let after = answer.retry_after.as_deref().and_then(|text| clock::retry_after(text, now));
    let after = after.map(|after| after.min(limits::GATEWAY_RETRY_AFTER_MAX));
    let retry = |trouble, code| Verdict::Retry { trouble, after, code };
    match status {
        200..=299 => Verdict::Accepted,
        401 | 403 => Verdict::SecretRefused { code },
        400 | 404 | 413 | 422 => Verdict::Refused { code },
        408 | 429 | 502..=504 => retry(Trouble::Gateway, code),
        // The feature is switched off on the gateway: a person switches it on.
        501 => retry(Trouble::Setup, code),
        // 409: somebody is still busy with the same key, or answers so to what is no conflict.
        409 | 425 | 500.. => retry(Trouble::Message, code),
        // A redirect, a wrong method, something in between that is no gateway: configuration, not
        // the message, is at fault, so the message is kept.
        _ => retry(Trouble::Setup, code),
    }
}

/// The verdict when no answer came.
pub(in crate::gateway) fn of_failure(failure: &ureq::Error) -> Verdict {
    let (trouble, word) = match failure {
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            (Trouble::Gateway, "timeout_connect")
        }
        ureq::Error::Timeout(_) => (Trouble::Gateway, "timeout"),
        ureq::Error::HostNotFound => (Trouble::Gateway, "host_not_found"),
        ureq::Error::ConnectionFailed => (Trouble::Gateway, "connection_failed"),
        ureq::Error::Io(why) if why.kind() == std::io::ErrorKind::ConnectionRefused => {
            (Trouble::Gateway, "connection_refused")
        }
        // A failed handshake arrives wrapped. A certificate does not become trusted by asking often.
        ureq::Error::Io(why) if why.get_ref().is_some_and(|why| why.is::<rustls::Error>()) => {
            (Trouble::Setup, "tls")
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => (Trouble::Setup, "tls"),
        ureq::Error::Io(_) => (Trouble::Gateway, "connection_lost"),
        ureq::Error::Protocol(_) => (Trouble::Gateway, "protocol"),
        // Whatever else the client refuses is about its configuration.
        _ => (Trouble::Setup, "client"),
    };
    Verdict::Retry { trouble, after: None, code: word.to_owned() }
}

/// The `code` (or else `type`) of an error object `{"error":{"code":…}}`, when it is a word. The
/// `message` beside it may quote what people wrote and stays unread.
fn error_code(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let error = value.get("error")?;
    let word = |key: &str| error.get(key).and_then(Value::as_str);
    let code = word("code").or_else(|| word("type"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fits = (1..=limits::GATEWAY_CODE_CHARS_MAX).contains(&code.len());
    (fits && code.chars().all(plain)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Answer;
    use super::Trouble;
    use super::Verdict;
    use super::of_answer;
    use crate::base::clock::UnixMs;
    use crate::limits;

    /// 2026-05-04T08:20:07Z.
    const NOW: UnixMs = UnixMs(1_777_882_807_000);

    fn verdict(status: u16, retry_after: Option<&str>, body: &str) -> Verdict {
        let retry_after = retry_after.map(str::to_owned);
        of_answer(&Answer { status, retry_after, body: body.as_bytes().to_vec() }, NOW)
    }

    fn shape(status: u16) -> &'static str {
        match verdict(status, None, "") {
            Verdict::Accepted => "accepted",
            Verdict::Retry { trouble: Trouble::Message, .. } => "message",
            Verdict::Retry { trouble: Trouble::Gateway, .. } => "gateway",
            Verdict::Retry { trouble: Trouble::Setup, .. } => "setup",
            Verdict::SecretRefused { .. } => "secret",
            Verdict::Refused { .. } => "refused",
        }
    }

    #[test]
    fn every_status_has_its_verdict() {
        let table: [(&[u16], &str); 6] = [
            (&[200, 201, 202, 204, 299], "accepted"),
            (&[401, 403], "secret"),
            (&[400, 404, 413, 422], "refused"),
            (&[408, 429, 502, 503, 504], "gateway"),
            (&[409, 425, 500, 505, 507, 599], "message"),
            (&[501, 301, 302, 307, 405, 407, 410, 415, 418, 451], "setup"),
        ];
        for (statuses, expected) in table {
            for status in statuses {
                assert_eq!(shape(*status), expected, "{status}");
            }
        }
    }

    fn after(header: &str) -> Option<Duration> {
        match verdict(503, Some(header), "") {
            Verdict::Retry { after, .. } => after,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after(" 0 "), Some(Duration::ZERO));
        assert_eq!(after("Mon, 04 May 2026 08:21:07 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(after("Mon, 04 May 2026 08:00:00 GMT"), Some(Duration::ZERO), "in the past");
        assert_eq!(after("86400"), Some(limits::GATEWAY_RETRY_AFTER_MAX));
        for nonsense in ["", "soon", "-1", "1.5", "Mon, 04 Mai 2026 08:21:07 GMT", "GMT"] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn codes_are_words_and_never_text() {
        let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "x".repeat(65));
        let table = [
            (
                r#"{"error":{"code":"no_workspace","message":"Olaf wrote"}}"#,
                "http_422/no_workspace",
            ),
            (r#"{"error":{"type":"invalid","message":"m"}}"#, "http_422/invalid"),
            (r#"{"error":{"code":"Olaf wrote"}}"#, "http_422"),
            (r#"{"error":{"code":42}}"#, "http_422"),
            (r#"{"error":"text"}"#, "http_422"),
            (&long, "http_422"),
            ("<html>", "http_422"),
            ("", "http_422"),
        ];
        for (body, expected) in table {
            assert_eq!(verdict(422, None, body).code(), expected, "{body}");
        }
    }
}
