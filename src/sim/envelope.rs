//! The envelope around every REST answer: lifted `next` and `total`, the `time` block, errors, the
//! headers of the REST server (b24: transport §2.3 to §2.5). `rest` and `batch` call it; knows no
//! method.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::call::Client;
use super::call::Reply;
use super::call::RestError;
use super::clock;
use super::http::HttpReply;
use super::php;
use super::php::Php;
use super::switches::StatusTable;
use super::world::World;
use crate::base::clock::UnixMs;

/// When a call began and ended, and what its client has spent on the method so far.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Begin.
    pub start: UnixMs,
    /// End.
    pub finish: UnixMs,
    /// Operating time and its reset; `None` where it is not counted (self-hosted portals, and the
    /// outer call of a batch).
    pub operating: Option<(Duration, Option<UnixMs>)>,
}

/// A result with what was lifted out of it.
#[derive(Clone, Debug)]
pub struct Lifted {
    /// `result`.
    pub result: Php,
    /// `next`.
    pub next: Option<i64>,
    /// `total`.
    pub total: Option<i64>,
}

/// Lifts `next` and `total` out of a result: wherever a handler put them, they end up beside it
/// (b24: transport §2.4, sim quirk 13). A `total` of null becomes 0.
pub fn lift(reply: Reply) -> Lifted {
    let mut lifted = Lifted { result: reply.result, next: reply.next, total: reply.total };
    if let Php::Value(Value::Object(map)) = &mut lifted.result {
        if let Some(next) = map.remove("next") {
            lifted.next = Some(php::int(&next));
        }
        if let Some(total) = map.remove("total") {
            lifted.total = Some(php::int(&total));
        }
    }
    lifted
}

/// The `time` block.
pub fn time_block(world: &World, timing: &Timing) -> Php {
    let seconds = |moment: UnixMs| moment.0 as f64 / 1000.0;
    let (start, finish) = (seconds(timing.start), seconds(timing.finish));
    // b24: transport §2.4: an int property truncates the start, so the duration is up to a
    // second too long and processing is 0 or 1 (sim quirk 15).
    let whole = world.switches.integer_time;
    let shown_start = if whole { json!(start.floor() as i64) } else { json!(start) };
    let shown_from = if whole { start.floor() } else { start };
    let processing = if whole {
        json!(finish.floor() as i64 - start.floor() as i64)
    } else {
        json!((finish - start) * 0.75)
    };
    let mut entries = vec![
        ("start".to_owned(), shown_start.into()),
        ("finish".to_owned(), json!(finish).into()),
        ("duration".to_owned(), json!(finish - shown_from).into()),
        ("processing".to_owned(), processing.into()),
        ("date_start".to_owned(), json!(world.time_text(timing.start)).into()),
        ("date_finish".to_owned(), json!(world.time_text(timing.finish)).into()),
    ];
    if let Some((spent, reset)) = timing.operating {
        if let Some(reset) = reset {
            let reset = json!(clock::unix_seconds(reset));
            entries.push(("operating_reset_at".to_owned(), reset.into()));
        }
        entries.push(("operating".to_owned(), json!(spent.as_secs_f64()).into()));
    }
    Php::Map(entries)
}

/// A call that worked.
pub fn success(world: &World, client: &Client, reply: Reply, timing: &Timing) -> HttpReply {
    let escape = world.switches.escape_unicode;
    if let Some(refused) = error_with_200(&reply) {
        // No `time`, and status 200 (b24: transport §2.4, sim quirk 12).
        let code = refused.get("error").map(php::text).unwrap_or_default();
        let body = php::encode(&reply.result, escape);
        return HttpReply {
            error: code,
            ..with_headers(world, Some(client), HttpReply::json(200, body))
        };
    }
    let told = reply.told.clone();
    let lifted = lift(reply);
    let mut entries = vec![("result".to_owned(), lifted.result)];
    if let Some(next) = lifted.next {
        entries.push(("next".to_owned(), json!(next).into()));
    }
    if let Some(total) = lifted.total {
        entries.push(("total".to_owned(), json!(total).into()));
    }
    entries.push(("time".to_owned(), time_block(world, timing)));
    let body = php::encode(&Php::Map(entries), escape);
    HttpReply { told, ..with_headers(world, Some(client), HttpReply::json(200, body)) }
}

/// The keys of a result that is an error in disguise: both `error` and `error_description` filled.
fn error_with_200(reply: &Reply) -> Option<&serde_json::Map<String, Value>> {
    let Php::Value(Value::Object(map)) = &reply.result else { return None };
    let filled = |key: &str| map.get(key).is_some_and(php::truth);
    (filled("error") && filled("error_description")).then_some(map)
}

/// A refused call: no `time` (b24: transport §2.5).
pub fn failure(world: &World, error: &RestError) -> HttpReply {
    let body = php::encode(&error_body(error), world.switches.escape_unicode);
    let reply = HttpReply::json(status_of(world, error), body);
    HttpReply { error: error.code.clone(), ..with_headers(world, None, reply) }
}

/// `{"error":…,"error_description":…}` and further keys.
pub fn error_body(error: &RestError) -> Php {
    let mut entries = vec![
        ("error".to_owned(), json!(error.code).into()),
        ("error_description".to_owned(), json!(error.description).into()),
    ];
    let extra = error.extra.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    entries.extend(extra);
    Php::Map(entries)
}

/// The HTTP status of a refusal; the sources disagree (b24: transport §1.10, sim quirk 11).
fn status_of(world: &World, error: &RestError) -> u16 {
    let code = error.code.to_ascii_lowercase();
    if let Some(status) = world.switches.status_overrides.get(&code) {
        return *status;
    }
    // Only the refusals of §1.10 (401 in the source) and PORTAL_DELETED are in dispute; an
    // ACCESS_DENIED about an object is 403 everywhere.
    let row = match (code.as_str(), error.status) {
        ("insufficient_scope" | "invalid_credentials", 401) => Some((403, 401)),
        ("user_access_error" | "access_denied", 401) => Some((403, 403)),
        ("overload_limit", 401) => Some((503, 401)),
        ("portal_deleted", 403) => Some((500, 410)),
        _ => None,
    };
    match (world.switches.status_table, row) {
        (StatusTable::Docs, Some((docs, _))) => docs,
        (StatusTable::Sdk, Some((_, sdk))) => sdk,
        _ => error.status,
    }
}

/// The headers of the REST server (b24: transport §2.3); there is no `Retry-After` and no
/// `X-RateLimit-*`.
pub fn with_headers(world: &World, client: Option<&Client>, reply: HttpReply) -> HttpReply {
    let mut reply = reply
        .with_header("Access-Control-Allow-Origin", "*")
        .with_header("Access-Control-Allow-Headers", "origin, content-type, accept")
        .with_header("X-Content-Type-Options", "nosniff");
    if world.cloud
        && let Some(client) = client
    {
        if let Client::App(client_id) = client {
            reply = reply.with_header("X-Bitrix-Rest-Application", client_id.as_str());
        }
        reply = reply
            .with_header("X-Bitrix-Rest-Time", "0.0412340164")
            .with_header("X-Bitrix-Rest-User-Time", "0.020151")
            .with_header("X-Bitrix-Rest-System-Time", "0.004010");
    }
    reply
}
