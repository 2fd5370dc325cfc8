//! One REST call inside the model: who calls ([`Context`]), what comes back ([`Reply`]) and how it
//! is refused ([`RestError`]). The shapes every handler shares; `rest` and `batch` make the
//! contexts, `org` and `messenger` hold the handlers.

use serde_json::Map;
use serde_json::Value;

use super::php::Php;
use super::world::World;
use crate::base::clock::UnixMs;

/// Whose credentials a call carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// An application, by `client_id`.
    App(String),
    /// An incoming webhook, by its number.
    Webhook(u64),
}

/// What a handler may see and change.
pub struct Context<'a> {
    /// The portal. Its parts are public fields, so a handler borrows them separately.
    pub world: &'a mut World,
    /// The user the call acts as.
    pub user: u64,
    /// The application or webhook the call comes through.
    pub client: Client,
    /// The access token or empty; a download address carries it (b24: messenger §9.3).
    pub token: String,
    /// The model's time when the call began.
    pub now: UnixMs,
    /// The method as the caller wrote it; dispatch uses the lower-cased one.
    pub written_method: String,
}

/// What a handler answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// `result` of the envelope. `next` and `total` inside an object are lifted out of it
    /// (b24: transport §2.4).
    pub result: Php,
    /// `next` beside a result that is a list.
    pub next: Option<i64>,
    /// `total` beside a result that is a list.
    pub total: Option<i64>,
    /// Bytes to answer instead of an envelope (file downloads).
    pub file: Option<FileBody>,
    /// For the history: messages that the answer tells of as new.
    pub told: Vec<u64>,
}

/// A file as an HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBody {
    /// `Content-Type`.
    pub content_type: String,
    /// Name in `Content-Disposition`.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// A page of a list.
    pub fn page(list: Vec<Value>, next: Option<i64>, total: Option<i64>) -> Reply {
        Reply { next, total, ..Reply::from(Value::Array(list)) }
    }

    /// A file instead of JSON.
    pub fn file(content_type: &str, name: &str, bytes: Vec<u8>) -> Reply {
        let file = FileBody { content_type: content_type.into(), name: name.into(), bytes };
        Reply { file: Some(file), ..Reply::from(Value::Null) }
    }
}

impl From<Value> for Reply {
    fn from(result: Value) -> Reply {
        Reply { result: Php::Value(result), next: None, total: None, file: None, told: Vec::new() }
    }
}

/// How a handler or a check refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestError {
    /// HTTP status; the portal's status table may override it (b24: transport §1.10).
    pub status: u16,
    /// `error`; may be empty or numeric text.
    pub code: String,
    /// `error_description`.
    pub description: String,
    /// Further keys of the body, such as `argument` (b24: transport §2.5).
    pub extra: Map<String, Value>,
}

impl RestError {
    /// A refusal with these parts.
    pub fn new(status: u16, code: &str, description: &str) -> RestError {
        RestError {
            status,
            code: code.to_owned(),
            description: description.to_owned(),
            extra: Map::new(),
        }
    }

    /// 400, the default of classic handlers (b24: transport §2.5).
    pub fn bad(code: &str, description: &str) -> RestError {
        RestError::new(400, code, description)
    }

    /// 404 before authorization is looked at (b24: transport §2.2).
    pub fn method_not_found() -> RestError {
        RestError::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
    }

    /// `AccessException`: 403 `ACCESS_DENIED` (b24: transport §2.5).
    pub fn access_denied(reason: &str) -> RestError {
        let text = if reason.is_empty() {
            "Access denied!".to_owned()
        } else {
            format!("Access denied! {reason}")
        };
        RestError::new(403, "ACCESS_DENIED", &text)
    }

    /// A plain PHP exception in a handler: `ERROR_CORE` when it has no number
    /// (b24: transport §2.5).
    pub fn plain_exception(number: i64, description: &str) -> RestError {
        let code = if number == 0 { "ERROR_CORE".to_owned() } else { number.to_string() };
        RestError::bad(&code, description)
    }
}

/// The scopes of which one is needed to call a method; none = a basic method.
pub type Scopes = &'static [&'static str];
