//! A refusal as callers get it: Connect's error JSON with its HTTP status, the same on every
//! listener. Texts say what to do; nothing of the inside goes out.

use serde_json::Value;
use serde_json::json;

use crate::base::crypto;
use crate::http::Reply;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Connect's code.
    pub code: &'static str,
    /// One sentence for whoever reads the caller's log.
    pub message: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A refusal with this status and code.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), retry_after: None }
    }

    /// The request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Problem {
        Problem::new(400, "invalid_argument", message)
    }

    /// Something it names does not exist.
    pub fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(404, "not_found", message)
    }

    /// The secret is missing or wrong.
    pub fn unauthenticated(message: impl Into<String>) -> Problem {
        Problem::new(401, "unauthenticated", message)
    }

    /// The connector cannot do it in its present state.
    pub fn precondition(message: impl Into<String>) -> Problem {
        Problem::new(400, "failed_precondition", message)
    }

    /// Not now.
    pub fn unavailable(message: impl Into<String>) -> Problem {
        Problem { retry_after: Some(1), ..Problem::new(503, "unavailable", message) }
    }

    /// A failure of our own: the cause goes to the log under an id, the id to the caller.
    pub fn internal(cause: &dyn std::fmt::Display) -> Problem {
        let id = crypto::hex(&crypto::random::<6>());
        log::error!("internal_error id={id} reason={cause}");
        Problem::new(500, "internal", format!("internal error; the log has it under {id}"))
    }

    /// The answer.
    pub fn reply(&self) -> Reply {
        let details: [Value; 0] = [];
        let body = json!({ "code": self.code, "message": self.message, "details": details });
        let reply = Reply::json(self.status, &body);
        match self.retry_after {
            Some(seconds) => reply.with_header("Retry-After", &seconds.to_string()),
            None => reply,
        }
    }
}

/// The HTTP status of a Connect code that the ledger recorded as the end of a delivery.
pub fn status_of(code: &str) -> u16 {
    match code {
        "invalid_argument" | "failed_precondition" => 400,
        "permission_denied" => 403,
        "not_found" => 404,
        _ => 500,
    }
}
