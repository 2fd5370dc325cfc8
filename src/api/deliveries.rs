//! Deliveries on the control listener: the list, one with all that was tried, another try, an end.
//! Never a text, an address or the content of a file: what colleagues are told is no operator's
//! business. Called by `control`.

use serde_json::Value;
use serde_json::json;

use crate::api::deliver::store_problem;
use crate::api::listing;
use crate::api::listing::asked;
use crate::api::listing::time;
use crate::api::problem::Problem;
use crate::base::percent;
use crate::domain::delivery::Event;
use crate::domain::delivery::State;
use crate::domain::delivery::TRANSITIONS;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::http::Reply;
use crate::http::Request;
use crate::limits;
use crate::outbound::Desk;
use crate::outbound::NotSteered;
use crate::store::Store;
use crate::store::ledger::Delivery;
use crate::store::ledger::FileSource;
use crate::store::review::Attempt;
use crate::store::review::Filter;
use crate::store::review::Listed;

/// The list that a query asks for, newest first. `agents` are those that exist.
pub(super) fn list(
    store: &Store,
    agents: &[AgentName],
    request: &Request,
) -> Result<Reply, Problem> {
    let page = listing::page(agents, request)?;
    let state = asked(request, "state").map(|word| State::parse(&word).ok_or_else(unknown_state));
    let state = state.transpose()?;
    let filter = Filter { state, agent: page.agent, before: page.before, limit: page.limit };
    let mut found = store.deliveries(&filter).map_err(|why| store_problem(&why))?;
    let next = listing::next(&mut found, filter.limit, |listed| listed.row);
    let deliveries: Vec<Value> = found.iter().map(brief).collect();
    Ok(Reply::json(200, &json!({ "deliveries": deliveries, "next": next })))
}

/// One delivery.
pub(super) fn show(store: &Store, id: &str) -> Result<Reply, Problem> {
    let found = store.delivery_by_id(&delivery_id(id)?).map_err(|why| store_problem(&why))?;
    shown(store, &found.ok_or_else(unknown)?)
}

/// What a person does to a delivery; it is shown as it then stands.
pub(super) fn steer(store: &Store, desk: &Desk, id: &str, event: Event) -> Result<Reply, Problem> {
    let id = delivery_id(id)?;
    let steered = match event {
        Event::Retry => desk.retry(&id),
        _ => desk.cancel(&id),
    };
    let refused = |why| match why {
        NotSteered::Unknown => unknown(),
        NotSteered::WrongState(state) => Problem::precondition(format!(
            "the delivery is {}; this is for deliveries that are {}",
            state.as_str(),
            allowing(event).join(", ")
        )),
        NotSteered::Full => {
            Problem::new(429, "resource_exhausted", "too many deliveries are unfinished")
        }
        NotSteered::Store(why) => store_problem(&why),
    };
    shown(store, &steered.map_err(refused)?)
}

fn unknown_state() -> Problem {
    let states = State::ALL.map(State::as_str).join(", ");
    Problem::invalid(format!("state: one of {states}"))
}

fn unknown() -> Problem {
    Problem::not_found("no delivery has this id")
}

/// The id of a path.
fn delivery_id(segment: &str) -> Result<DeliveryId, Problem> {
    let id = percent::decode(segment).and_then(|id| DeliveryId::parse(&id));
    id.ok_or_else(|| {
        Problem::invalid("id: 1 to 255 printable characters, percent-encoded in the path")
    })
}

/// The states in which a person may do this.
fn allowing(event: Event) -> Vec<&'static str> {
    let moves = TRANSITIONS.iter().filter(|(_, on, _)| *on == event);
    moves.map(|(from, _, _)| from.as_str()).collect()
}

fn brief(listed: &Listed) -> Value {
    let due = Some(listed.due_at).filter(|_| !listed.state.is_end());
    let failure = listed.failure.as_ref();
    json!({
        "delivery_id": listed.id.as_str(),
        "agent": listed.agent.as_str(),
        "dialog": listed.dialog.to_string(),
        "operation": listed.operation.as_str(),
        "state": listed.state.as_str(),
        "attempts": listed.attempts,
        "accepted_at": time(Some(listed.accepted_at)),
        "finished_at": time(listed.finished_at),
        "due_at": time(due),
        "failure": failure.map(|(code, message)| json!({ "code": code, "message": message })),
    })
}

fn shown(store: &Store, delivery: &Delivery) -> Result<Reply, Problem> {
    let history = store.attempts_of(delivery.row, limits::DELIVERY_ATTEMPTS_SHOWN);
    let history = history.map_err(|why| store_problem(&why))?;
    let history: Vec<Value> = history.iter().map(attempt).collect();
    let steps = delivery.steps.iter().map(|step| {
        json!({
            "kind": step.kind.as_str(),
            "done": step.done,
            "message_id": step.message.map(|message| message.to_string()),
        })
    });
    let files = delivery.files.iter().enumerate().map(|(number, file)| {
        let bytes = match &file.source {
            FileSource::Kept { bytes, .. } => Some(*bytes),
            FileSource::Url(_) => None,
        };
        // A file has the number of the step that uploads it.
        let uploaded = delivery.steps.get(number).is_some_and(|step| step.done);
        json!({ "name": file.name, "bytes": bytes, "uploaded": uploaded })
    });
    let mut body = brief(&Listed::from(delivery));
    body["retried_at"] = time(delivery.retried_at);
    body["steps"] = steps.collect();
    body["files"] = files.collect();
    body["warnings"] = json!(delivery.warnings);
    body["history"] = json!(history);
    Ok(Reply::json(200, &body))
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "step": attempt.step,
        "started_at": time(Some(attempt.started_at)),
        "ended_at": time(attempt.ended_at),
        "class": attempt.class,
        "code": attempt.code,
        "effect": attempt.effect,
    })
}
