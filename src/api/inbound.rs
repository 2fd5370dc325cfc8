//! Inbound messages on the control listener: the list, one with its text, another try, an end; and the
//! events that could not be read beside them. A list never shows what a message says or who wrote it;
//! one message does, because a person must decide whether it is to be sent. Called by `control`.

use serde_json::Value;
use serde_json::json;

use crate::api::deliver::store_problem;
use crate::api::listing;
use crate::api::listing::asked;
use crate::api::listing::time;
use crate::api::problem::Problem;
use crate::base::clock;
use crate::domain::ids::AgentName;
use crate::domain::inbound::Event;
use crate::domain::inbound::Item;
use crate::domain::inbound::State;
use crate::domain::inbound::TRANSITIONS;
use crate::http::Reply;
use crate::http::Request;
use crate::inbound::NotSteered;
use crate::inbound::Steering;
use crate::limits;
use crate::store::Store;
use crate::store::inbox::Filter;
use crate::store::inbox::Letter;
use crate::store::inbox::Listed;
use crate::store::inbox::OutboxStanding;
use crate::store::inbox::Unread;

/// What a list is asked for by to show the events that could not be read, and how they are shown.
const QUARANTINED: &str = "quarantined";

/// The list that a query asks for, newest first. `agents` are those that exist.
pub(super) fn list(
    store: &Store,
    agents: &[AgentName],
    request: &Request,
) -> Result<Reply, Problem> {
    let page = listing::page(agents, request)?;
    let state = asked(request, "state");
    let unread = state.as_deref() == Some(QUARANTINED);
    let state = state.filter(|_| !unread);
    let state = state.map(|word| State::parse(&word).ok_or_else(unknown_state)).transpose()?;
    let filter = Filter { state, agent: page.agent, before: page.before, limit: page.limit };
    let (shown, next): (Vec<Value>, _) = if unread {
        let mut found = store.quarantine(&filter).map_err(|why| store_problem(&why))?;
        let next = listing::next(&mut found, filter.limit, |unread| unread.row);
        (found.iter().map(brief_unread).collect(), next)
    } else {
        let mut found = store.letters(&filter).map_err(|why| store_problem(&why))?;
        let next = listing::next(&mut found, filter.limit, |listed| listed.row);
        (found.iter().map(brief).collect(), next)
    };
    Ok(Reply::json(200, &json!({ "inbound": shown, "next": next })))
}

/// One message with its text, or one event as it came.
pub(super) fn show(store: &Store, id: &str) -> Result<Reply, Problem> {
    let body = match item(id)? {
        Item::Message(row) => {
            let found = store.letter(row).map_err(|why| store_problem(&why))?;
            whole(&found.ok_or_else(unknown)?)
        }
        Item::Unread(row) => {
            let found = store.quarantined(row).map_err(|why| store_problem(&why))?;
            let (unread, raw) = found.ok_or_else(unknown)?;
            let mut body = brief_unread(&unread);
            body["raw"] = json!(raw);
            body
        }
    };
    Ok(Reply::json(200, &body))
}

/// Another try of a message; it is shown as it then stands, without its text.
pub(super) fn retry(store: &Store, steering: &Steering, id: &str) -> Result<Reply, Problem> {
    match item(id)? {
        Item::Message(row) => {
            let letter = steering.retry(row).map_err(|why| refused(why, Event::Retry))?;
            Ok(Reply::json(200, &brief(&letter.listed)))
        }
        Item::Unread(row) => {
            let found = store.quarantined(row).map_err(|why| store_problem(&why))?;
            found.ok_or_else(unknown)?;
            Err(Problem::precondition(
                "this version cannot read the event, so there is nothing to send: report it, or \
                 drop it",
            ))
        }
    }
}

/// An end for a message, likewise; an event is forgotten.
pub(super) fn discard(store: &Store, steering: &Steering, id: &str) -> Result<Reply, Problem> {
    let body = match item(id)? {
        Item::Message(row) => {
            let letter = steering.discard(row).map_err(|why| refused(why, Event::Drop))?;
            brief(&letter.listed)
        }
        Item::Unread(row) => {
            let found = store.quarantined(row).map_err(|why| store_problem(&why))?;
            let (unread, _) = found.ok_or_else(unknown)?;
            steering.forget(row).map_err(|why| refused(why, Event::Drop))?;
            let mut body = brief_unread(&unread);
            body["state"] = json!(State::Dropped.as_str());
            body
        }
    };
    Ok(Reply::json(200, &body))
}

/// How the outbox stands, for the status.
pub(super) fn standing(outbox: &OutboxStanding) -> Value {
    let age = outbox.oldest_pending.map(|since| clock::now().since(since).as_secs());
    json!({
        "pending": outbox.pending,
        "dead": outbox.dead,
        "quarantined": outbox.quarantined,
        "oldest_pending_age_s": age,
    })
}

/// What of it does not keep the connector from its job, and yet somebody should look at.
pub(super) fn warnings(outbox: &OutboxStanding) -> Vec<String> {
    let OutboxStanding { pending, dead, quarantined, .. } = outbox;
    let mut warnings = Vec::new();
    if *pending >= limits::OUTBOX_TOLD[0] {
        warnings.push(format!(
            "messages that wait for the gateway: {pending}; they are kept while the disk has room"
        ));
    }
    if *dead > 0 {
        warnings.push(format!(
            "messages that the gateway refused: {dead}; see aihummer-bitrix24 inbound --state dead"
        ));
    }
    if *quarantined > 0 {
        warnings.push(format!(
            "events that could not be read: {quarantined}; \
             see aihummer-bitrix24 inbound --state quarantined"
        ));
    }
    warnings
}

fn refused(why: NotSteered, event: Event) -> Problem {
    match why {
        NotSteered::Unknown => unknown(),
        NotSteered::WrongState(state) => Problem::precondition(format!(
            "the message is {}; this is for messages that are {}",
            state.as_str(),
            allowing(event).join(", ")
        )),
        NotSteered::Store(why) => store_problem(&why),
    }
}

/// The states in which a person may do this.
fn allowing(event: Event) -> Vec<&'static str> {
    let moves = TRANSITIONS.iter().filter(|(_, on, _)| *on == event);
    moves.map(|(from, _, _)| from.as_str()).collect()
}

fn unknown_state() -> Problem {
    let states = State::ALL.map(State::as_str).join(", ");
    Problem::invalid(format!("state: one of {states}, {QUARANTINED}"))
}

fn unknown() -> Problem {
    Problem::not_found("no inbound message has this id")
}

/// The id of a path.
fn item(segment: &str) -> Result<Item, Problem> {
    Item::parse(segment).ok_or_else(|| {
        Problem::invalid("id: the number that a list shows, such as 12, or q12 in the quarantine")
    })
}

fn brief(listed: &Listed) -> Value {
    let due = Some(listed.due_at).filter(|_| listed.state == State::Pending);
    let failure = listed.failure.as_deref();
    json!({
        "id": Item::Message(listed.row).to_string(),
        "agent": listed.agent.as_str(),
        "dialog": listed.dialog.to_string(),
        "message_id": listed.message.to_string(),
        "state": listed.state.as_str(),
        "attempts": listed.attempts,
        "queued_at": time(Some(listed.queued_at)),
        "finished_at": time(listed.finished_at),
        "due_at": time(due),
        "failure": failure.map(|code| json!({ "code": code, "message": told(code) })),
    })
}

/// What the code of a failure means, as far as it can be said of all of its kind.
fn told(code: &str) -> String {
    let status = code.strip_prefix("http_").and_then(|rest| rest.split('/').next());
    match status {
        Some(status) => format!("the gateway answered {status}"),
        None => "the gateway did not answer".to_owned(),
    }
}

fn whole(Letter { listed, inbound }: &Letter) -> Value {
    let mut body = brief(listed);
    body["text"] = json!(inbound.text);
    body["sender"] = json!({ "id": inbound.sender.to_string(), "name": inbound.sender_name });
    body["mentioned"] = json!(inbound.mentioned);
    body["reply_to"] = json!(inbound.reply_to.map(|message| message.to_string()));
    body["sent_at"] = time(inbound.sent_at);
    body
}

fn brief_unread(unread: &Unread) -> Value {
    json!({
        "id": Item::Unread(unread.row).to_string(),
        "agent": unread.agent.as_str(),
        "event_id": unread.event.map(|event| event.to_string()),
        "state": QUARANTINED,
        "queued_at": time(Some(unread.queued_at)),
    })
}

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::store::inbox::OutboxStanding;

    #[test]
    fn a_failure_is_told_without_more_than_is_known() {
        assert_eq!(super::told("http_422"), "the gateway answered 422");
        assert_eq!(super::told("http_400/no_workspace"), "the gateway answered 400");
        for silent in ["timeout", "connection_refused", "tls", "protocol"] {
            assert_eq!(super::told(silent), "the gateway did not answer");
        }
    }

    #[test]
    fn a_warning_names_how_many_and_a_usual_outbox_has_none() {
        let usual = OutboxStanding { pending: limits::OUTBOX_TOLD[0] - 1, ..Default::default() };
        assert!(super::warnings(&usual).is_empty());
        let trouble = OutboxStanding {
            pending: limits::OUTBOX_TOLD[0],
            dead: 2,
            quarantined: 3,
            ..Default::default()
        };
        let warnings = super::warnings(&trouble);
        let counts = [": 1000; ", ": 2; ", ": 3; "];
        assert_eq!(warnings.len(), counts.len());
        for (warning, count) in warnings.iter().zip(counts) {
            assert!(warning.contains(count), "{warning}");
        }
    }
}
