//! `batch`: up to fifty commands in one request, with the quirks that come from PHP arrays
//! (b24: transport §2.6, sim quirk 16). `rest` calls it for an authorized caller; the outer call
//! is never refused here.

use serde_json::Value;

use super::auth;
use super::auth::Actor;
use super::call::Client;
use super::call::Reply;
use super::call::RestError;
use super::envelope;
use super::methods;
use super::params::Params;
use super::php;
use super::php::Php;
use super::rest;
use super::world::World;

/// Commands of one batch that run.
const COMMANDS_MAX: usize = 50;

/// Methods that a batch may not contain.
const NOT_IN_BATCH: [&str; 3] = ["batch", "upload", "download"];

/// The five maps of the answer. A PHP array each: empty or with keys 0..n-1 it is a list.
#[derive(Default)]
struct Maps {
    result: Vec<(String, Php)>,
    error: Vec<(String, Php)>,
    total: Vec<(String, Php)>,
    next: Vec<(String, Php)>,
    time: Vec<(String, Php)>,
}

/// Runs the commands in the order in which they came.
pub fn run(world: &mut World, actor: &Actor, token: &str, params: &Params) -> Reply {
    // Cast by PHP: the string "false" is true.
    let halt = params.get("halt").or_else(|| params.get("HALT")).is_some_and(php::truth);
    let mut maps = Maps::default();
    let mut count = 0;
    for (key, command) in params.commands() {
        // Commands that are no text are skipped without a word.
        let Value::String(command) = command else { continue };
        count += 1;
        let done = if count > COMMANDS_MAX {
            let text = "Max batch length exceeded";
            Err(RestError::bad("ERROR_BATCH_LENGTH_EXCEEDED", text))
        } else {
            run_command(world, actor, token, command, &maps.result)
        };
        match done {
            Ok(done) => keep(world, &mut maps, key, done),
            Err(error) => {
                maps.error.push((key.clone(), envelope::error_body(&error)));
                if halt {
                    break;
                }
            }
        }
    }
    let result = Php::map([
        ("result", Php::Map(maps.result)),
        ("result_error", Php::Map(maps.error)),
        ("result_total", Php::Map(maps.total)),
        ("result_next", Php::Map(maps.next)),
        ("result_time", Php::Map(maps.time)),
    ]);
    Reply { result, ..Reply::from(Value::Null) }
}

fn keep(world: &World, maps: &mut Maps, key: &str, done: rest::Done) {
    let time = envelope::time_block(world, &done.timing);
    let lifted = envelope::lift(done.reply);
    maps.result.push((key.to_owned(), lifted.result));
    if let Some(total) = lifted.total {
        maps.total.push((key.to_owned(), Value::from(total).into()));
    }
    if let Some(next) = lifted.next {
        maps.next.push((key.to_owned(), Value::from(next).into()));
    }
    maps.time.push((key.to_owned(), time));
}

fn run_command(
    world: &mut World,
    actor: &Actor,
    token: &str,
    command: &str,
    earlier: &[(String, Php)],
) -> Result<rest::Done, RestError> {
    let (written, query) = command.split_once('?').unwrap_or((command, ""));
    let method = written.trim().trim_end_matches('/').to_ascii_lowercase();
    if NOT_IN_BATCH.contains(&method.as_str()) {
        let text = "Method is not allowed for batch usage";
        return Err(RestError::bad("ERROR_BATCH_METHOD_NOT_ALLOWED", text));
    }
    let scopes = methods::scopes(world, &method).ok_or_else(RestError::method_not_found)?;
    if !auth::granted(scopes, |scope| has_scope(world, &actor.client, scope)) {
        // Without a text here (b24: transport §2.6).
        return Err(RestError::new(401, "insufficient_scope", ""));
    }
    let mut params = Params::from_query(query);
    params.replace_texts(&|text| substitute(text, earlier));
    rest::run_one(world, actor, token, written, &method, &params)
}

/// Whether an application or webhook has a scope.
pub fn has_scope(world: &World, client: &Client, scope: &str) -> bool {
    match client {
        Client::App(client_id) => {
            world.apps.get(client_id).is_some_and(|app| app.scopes.contains(scope))
        }
        Client::Webhook(id) => {
            world.webhooks.get(id).is_some_and(|hook| hook.scopes.contains(scope))
        }
    }
}

/// Puts results of earlier commands where `$result[key][field]` stands. A value that is nothing
/// but a reference becomes what it refers to, an array too; a reference that leads nowhere stays
/// as text (b24: transport §2.6).
fn substitute(text: &str, earlier: &[(String, Php)]) -> Option<Value> {
    const MARK: &str = "$result[";
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find(MARK) {
        let (path, length) = reference(&rest[at + MARK.len() - 1..]);
        let found = look_up(&path, earlier);
        let whole = at == 0 && out.is_empty() && length + MARK.len() - 1 == rest.len();
        let end = at + MARK.len() - 1 + length;
        out.push_str(&rest[..at]);
        match found {
            Some(value) if whole => return Some(value),
            Some(value) if !value.is_array() && !value.is_object() => {
                out.push_str(&php::text(&value));
                changed = true;
            }
            _ => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    changed.then_some(Value::String(out))
}

/// Reads `[a][b][0]` at the front of a text: the keys, and the bytes they take (at least one, so
/// that a broken reference is stepped over).
fn reference(text: &str) -> (Vec<&str>, usize) {
    let mut path = Vec::new();
    let mut used = 0;
    while let Some(inner) = text[used..].strip_prefix('[') {
        let Some(end) = inner.find(']') else { break };
        path.push(&inner[..end]);
        used += end + 2;
    }
    (path, used.max(1))
}

fn look_up(path: &[&str], earlier: &[(String, Php)]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    let (_, Php::Value(result)) = earlier.iter().find(|(key, _)| key == first)? else {
        return None;
    };
    let mut value = result;
    for key in rest {
        value = match value {
            Value::Array(list) => list.get(key.parse::<usize>().ok()?)?,
            Value::Object(map) => map.get(*key)?,
            _ => return None,
        };
    }
    Some(value.clone())
}
