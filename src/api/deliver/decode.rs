//! From the JSON of a Deliver call to a typed request. Pure and tolerant where the platform's schema
//! is not published: snake_case or camelCase, enum values in either form, ids as text or number,
//! unknown fields ignored. Strict where a mistake would reach people.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use crate::api::deliver::operation;
use crate::api::deliver::wait;
use crate::api::problem::Problem;
use crate::base::json;
use crate::domain::delivery::Operation;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::ExternalId;
use crate::http::Request;
use crate::markup::Format;
use crate::outbound::DeliverRequest;
use crate::outbound::shelf::Kept;

/// Fields of other channels that this one cannot honour; named in the answer's warnings.
const IGNORED: &[&str] = &["buttons", "keyboard", "thread_id", "poll"];

/// A decoded call: what to deliver and how to answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DeliverCall {
    pub(super) request: DeliverRequest,
    pub(super) wait: Duration,
    pub(super) respond_async: bool,
}

/// The file that a value stands for, of those that were taken out of a call.
pub(super) type Find<'a> = &'a dyn Fn(&str) -> Option<Kept>;

/// Reads a Deliver call whose files were taken out of it.
pub(super) fn deliver(request: &Request, find: Find<'_>) -> Result<DeliverCall, Problem> {
    let body = Fields(object(request)?);
    let id = id(&body, request)?;
    let (agent, dialog) = target(&body)?;
    let operation = operation::operation(&body)?;
    let media = operation::media(&body, operation, find)?;
    let text = operation::text(&body, operation, &media)?;
    let (reaction, remove) = operation::reaction(&body, operation)?;
    let asked_ms = request.header("connect-timeout-ms").map(|text| {
        let digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = if digits { text.parse::<u64>().ok() } else { None };
        parsed.ok_or_else(|| Problem::invalid("Connect-Timeout-Ms: not a number of milliseconds"))
    });
    let ignored = IGNORED.iter().filter(|field| body.get(field).is_some_and(is_filled));
    let ignored = ignored.map(|field| format!("{field} is not supported here"));
    let files = operation != Operation::Send && body.get("media").is_some_and(is_filled);
    let files = files.then(|| format!("media is not sent with {}", operation.as_str()));
    let request_fields = DeliverRequest {
        id,
        agent,
        dialog,
        operation,
        text,
        format: format(&body)?,
        reply_to: operation::message(&body, "reply_to")?.filter(|_| operation == Operation::Send),
        target: operation::target(&body, operation)?,
        reaction,
        remove,
        media,
        warnings: ignored.chain(files).collect(),
    };
    Ok(DeliverCall {
        request: request_fields,
        wait: wait(asked_ms.transpose()?),
        respond_async: prefers_async(request),
    })
}

/// Reads the `delivery_id` of a GetDelivery call.
pub(super) fn delivery_id(request: &Request) -> Result<DeliveryId, Problem> {
    id(&Fields(object(request)?), request)
}

/// The body's object.
fn object(request: &Request) -> Result<Map<String, Value>, Problem> {
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let message = "send Content-Type: application/json (Connect unary JSON)";
        return Err(Problem::new(415, "invalid_argument", message));
    }
    // A Deliver call comes here without its files, and nothing else is ever so long.
    let body = request.body.in_memory();
    let body =
        body.ok_or_else(|| Problem::new(413, "invalid_argument", "the body is too large"))?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::invalid("the body is not a JSON object")),
        Err(why) => Err(Problem::invalid(format!("the body is not JSON (line {})", why.line()))),
    }
}

/// The fields of a body under either spelling.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of an object.
    pub(super) fn of(object: Map<String, Value>) -> Fields {
        Fields(object)
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let filled = |key: &str| self.0.get(key).filter(|value| !value.is_null());
        filled(name).or_else(|| filled(&camel(name)))
    }

    /// A text field; a whole number is read as its text. Others are refused: beyond 64 bits they
    /// are rounded, and two ids that round to the same would be taken for one.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = json::text(value).filter(|_| !value.is_f64());
        text.map(Some).ok_or_else(|| {
            Problem::invalid(format!("{name}: not a text (nor a whole number of 64 bits)"))
        })
    }

    /// The lower-case word of an enum in either form: `send` or `OPERATION_SEND`.
    pub(super) fn word(&self, name: &str) -> Result<Option<String>, Problem> {
        let word = self.text(name)?.filter(|word| !word.is_empty());
        let prefix = format!("{name}_");
        Ok(word.map(|word| {
            let lower = word.to_ascii_lowercase();
            lower.strip_prefix(&prefix).map_or(lower.clone(), str::to_owned)
        }))
    }
}

/// `delivery_id` to `deliveryId`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

/// Whether a field says anything.
pub(super) fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Null | Value::Bool(false) => false,
        _ => true,
    }
}

fn id(body: &Fields, request: &Request) -> Result<DeliveryId, Problem> {
    let in_body = body.text("delivery_id")?.filter(|text| !text.is_empty());
    let header = request.header("idempotency-key").map(str::to_owned);
    let text = in_body.or(header).ok_or_else(|| Problem::invalid("delivery_id: missing"))?;
    DeliveryId::parse(&text)
        .ok_or_else(|| Problem::invalid("delivery_id: 1 to 255 printable ASCII characters"))
}

fn target(body: &Fields) -> Result<(AgentName, DialogId), Problem> {
    if let Some(text) = body.text("external_id")?.filter(|text| !text.is_empty()) {
        let external = ExternalId::parse(&text).ok_or_else(|| {
            Problem::invalid("external_id: <agent>/<dialog>, such as helper/chat904 or helper/12")
        })?;
        return Ok((external.agent, external.dialog));
    }
    let agent = body.text("agent")?.filter(|text| !text.is_empty());
    let agent = agent.ok_or_else(|| Problem::invalid("external_id: missing"))?;
    let dialog = body.text("dialog_id")?.ok_or_else(|| Problem::invalid("dialog_id: missing"))?;
    Ok((
        AgentName::parse(&agent).ok_or_else(|| Problem::invalid("agent: not an agent's name"))?,
        DialogId::parse(&dialog)
            .ok_or_else(|| Problem::invalid("dialog_id: such as chat904 or 12"))?,
    ))
}

fn format(body: &Fields) -> Result<Format, Problem> {
    match body.word("format")?.as_deref() {
        None | Some("unspecified" | "markdown" | "0" | "1") => Ok(Format::Markdown),
        Some("plain" | "2") => Ok(Format::Plain),
        Some("bbcode" | "3") => Ok(Format::Bbcode),
        Some(_) => Err(Problem::invalid("format: one of markdown, plain, bbcode")),
    }
}

fn prefers_async(request: &Request) -> bool {
    let preferences = request.header("prefer").unwrap_or_default().split(',');
    preferences.into_iter().any(|word| word.trim().eq_ignore_ascii_case("respond-async"))
}

#[cfg(test)]
mod tests;
