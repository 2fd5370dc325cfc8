//! One run of a delivery: part by part, the attempt committed before its request leaves, the
//! message id committed before the next part. Decides nothing about retries (`domain::retry` does)
//! and nothing about order (`schedule` does).

use std::time::Duration;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::crypto;
use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::bitrix::methods;
use crate::domain::delivery::Event;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::retry;
use crate::domain::retry::Next;
use crate::domain::retry::Past;
use crate::limits;
use crate::outbound::Shared;
use crate::outbound::reconcile;
use crate::outbound::reconcile::Found;
use crate::outbound::schedule::Finished;
use crate::store;
use crate::store::ledger::Delivery;
use crate::store::ledger::Setback;

/// Runs a delivery as far as it goes.
///
/// # Errors
/// The database; the row then stays as it is.
pub(super) fn execute(shared: &Shared, row: RowId) -> store::Result<Finished> {
    let Some(mut delivery) = shared.store.delivery(row)? else { return Ok(Finished::Ended(row)) };
    if delivery.state.is_end() {
        return Ok(Finished::Ended(row));
    }
    if delivery.state == State::Attempting {
        // One runner per dialog: nobody is at it, so its end could not be recorded.
        shared.store.interrupt_attempt(row, clock::now())?;
        delivery.state = State::Unknown;
    }
    match delivery.operation {
        Operation::Send => send(shared, delivery),
        // Refused when they are accepted, so none is in the ledger.
        Operation::Edit | Operation::Delete | Operation::React | Operation::Typing => {
            let setback = refusal("unimplemented", "this version sends text only");
            let state = shared.store.set_back(row, setback, clock::now())?;
            Ok(finished(row, state, clock::now()))
        }
    }
}

/// What becomes of a delivery whose run panicked: like a lost answer; the second time it is given
/// up, because a third would panic as well.
pub(super) fn after_panic(shared: &Shared, row: RowId) -> store::Result<Finished> {
    let Some(delivery) = shared.store.delivery(row)? else { return Ok(Finished::Ended(row)) };
    let Some(part) = delivery.next_part().filter(|_| !delivery.state.is_end()) else {
        return Ok(Finished::Ended(row));
    };
    if !matches!(delivery.state, State::Attempting | State::Unknown) {
        return Ok(Finished::Again(row, clock::now().plus(limits::DELIVERY_RETRY_MOST)));
    }
    let failure = Failure {
        class: Class::PortalTrouble,
        effect: Effect::Unknown,
        code: "panicked".to_owned(),
        method: methods::SEND,
        retry_after: None,
    };
    let again = delivery.failure.as_ref().is_some_and(|(_, message)| message.contains("panicked"));
    if again {
        let message = "the connector failed twice on this delivery (panicked)".to_owned();
        let setback = Setback {
            part,
            event: Event::Park,
            due_at: clock::now(),
            code: "internal".to_owned(),
            message,
            failure: Some(failure),
        };
        let state = shared.store.set_back(row, setback, clock::now())?;
        return Ok(finished(row, state, clock::now()));
    }
    setback(shared, &delivery, part, failure, Seen::Clearly)
}

/// What the look before an attempt was worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// There was nothing to look for, or the dialog was read.
    Clearly,
    /// The portal does not let the agent read the dialog.
    Not,
}

fn send(shared: &Shared, delivery: Delivery) -> store::Result<Finished> {
    let row = delivery.row;
    let Some(first) = delivery.next_part() else { return Ok(Finished::Ended(row)) };
    let mut part = first;
    let mut seen = Seen::Clearly;
    if delivery.state == State::Unknown {
        // INVARIANT: what may have happened is looked up before anything is sent again.
        match reconcile::look(shared, &delivery, part) {
            Found::Message(message) => {
                log::info!("part_found delivery={} part={part} message={message}", delivery.id);
                let next = following(&delivery, part);
                shared.store.part_found(row, part, message, next.is_none(), clock::now())?;
                match next {
                    Some(next) => part = next,
                    None => return Ok(delivered(row)),
                }
            }
            Found::Nothing => {}
            Found::Refused => seen = Seen::Not,
            Found::Unclear(failure) => {
                // Whatever the look met, the attempt before it is what matters.
                let failure = Failure { effect: Effect::Unknown, ..failure };
                return setback(shared, &delivery, part, failure, Seen::Not);
            }
        }
    }
    shared.store.begin_attempt(row, part, clock::now())?;
    loop {
        let message = match add(shared, &delivery, part)? {
            Ok(message) => message,
            Err(failure) => return setback(shared, &delivery, part, failure, seen),
        };
        let next = following(&delivery, part);
        shared.store.part_delivered(row, part, message, next, clock::now())?;
        seen = Seen::Clearly;
        match next {
            Some(next) => part = next,
            None => return Ok(delivered(row)),
        }
    }
}

fn delivered(row: RowId) -> Finished {
    count(Counter::DeliveriesDelivered);
    Finished::Ended(row)
}

/// The part after this one that the portal is not known to have.
fn following(delivery: &Delivery, part: u32) -> Option<u32> {
    let rest = (0..).zip(&delivery.parts).skip(part as usize + 1);
    rest.filter(|(_, part)| part.message.is_none()).map(|(number, _)| number).next()
}

/// One `im.message.add`; without the reply target when the portal refuses that.
fn add(
    shared: &Shared,
    delivery: &Delivery,
    part: u32,
) -> store::Result<Result<MessageId, Failure>> {
    let Some(content) = delivery.parts.get(part as usize) else {
        return Err(store::Error::WrongState);
    };
    // Only the first part answers a message; the others follow it.
    let reply_to = delivery.reply_to.filter(|_| part == 0);
    let call = |reply_to| {
        let call = methods::message_add(delivery.dialog, &content.text, &content.uuid, reply_to);
        shared.registry.call(&delivery.agent, &call)
    };
    let failure = match call(reply_to) {
        Err(failure) if reply_to.is_some() && is_reply_refusal(&failure) => failure,
        other => return Ok(other),
    };
    // b24: messenger R22: these checks run before the UUID is claimed, so the same one goes again.
    let warning = format!("reply_to was left out: {}", failure.code.to_ascii_lowercase());
    shared.store.add_warning(delivery.row, &warning)?;
    Ok(call(None))
}

fn is_reply_refusal(failure: &Failure) -> bool {
    failure.code.to_ascii_uppercase().starts_with("REPLY_")
}

/// Records a failed attempt or look-up as `domain::retry` decides.
fn setback(
    shared: &Shared,
    delivery: &Delivery,
    part: u32,
    failure: Failure,
    seen: Seen,
) -> store::Result<Finished> {
    let now = clock::now();
    let tries = shared.store.tries(delivery.row, part)?;
    let past = Past {
        failures: tries.failed.saturating_add(1),
        age: now.since(delivery.accepted_at),
        doubt: tries.doubt_since.map(|since| now.since(since)),
    };
    let step = retry::next(&failure, &past, u64::from_le_bytes(crypto::random()));
    let (event, delay) = match step {
        Next::Again(delay) => (Event::Postpone, delay),
        Next::LookThenAgain(delay) => (Event::Doubt, delay),
        // An earlier attempt may have acted where the agent may not look any more.
        Next::Reject if past.doubt.is_some() && seen == Seen::Not => (Event::Park, Duration::ZERO),
        Next::Reject => (Event::Reject, Duration::ZERO),
        Next::GiveUp => (Event::GiveUp, Duration::ZERO),
        Next::Park => (Event::Park, Duration::ZERO),
    };
    let due = now.plus(delay);
    log::info!(
        "delivery_set_back agent={} dialog={} delivery={} part={part} failures={} event={event:?} \
         {failure}",
        delivery.agent,
        delivery.dialog,
        delivery.id,
        past.failures
    );
    let setback = Setback {
        part,
        event,
        due_at: due,
        code: outward_code(failure.class).to_owned(),
        message: format!("{}: {}", sentence(failure.class), failure.code),
        failure: Some(failure),
    };
    let state = shared.store.set_back(delivery.row, setback, now)?;
    Ok(finished(delivery.row, state, due))
}

fn finished(row: RowId, state: State, due: UnixMs) -> Finished {
    if !state.is_end() {
        return Finished::Again(row, due);
    }
    count(Counter::DeliveriesFailed);
    Finished::Ended(row)
}

fn refusal(code: &str, message: &str) -> Setback {
    Setback {
        part: 0,
        event: Event::Reject,
        due_at: clock::now(),
        code: code.to_owned(),
        message: message.to_owned(),
        failure: None,
    }
}

/// The code of the contract's error table for a class of failure.
fn outward_code(class: Class) -> &'static str {
    match class {
        Class::Denied => "permission_denied",
        Class::NotFound => "not_found",
        Class::Invalid => "invalid_argument",
        Class::MethodMissing => "unimplemented",
        Class::IdentityLost | Class::ScopeMissing | Class::Licence | Class::PortalClosed => {
            "failed_precondition"
        }
        Class::RateLimited | Class::MethodParked => "resource_exhausted",
        Class::TokenExpired
        | Class::Duplicate
        | Class::PortalTrouble
        | Class::Protocol
        | Class::Transport
        | Class::Certificate => "unavailable",
    }
}

fn sentence(class: Class) -> &'static str {
    match class {
        Class::Denied => "the portal refuses this message",
        Class::NotFound => "the portal does not know this dialog",
        Class::Invalid => "the portal calls the message malformed",
        Class::MethodMissing => "the portal cannot send messages by REST",
        Class::IdentityLost => "the agent is not connected",
        Class::ScopeMissing => "the application lacks a scope",
        Class::Licence => "the portal's plan does not allow it",
        Class::PortalClosed => "the portal is closed or the application blocked",
        Class::RateLimited | Class::MethodParked => "the portal asks to wait",
        Class::Certificate => "the portal's certificate is not trusted",
        Class::Duplicate => "the portal is still busy with the first attempt",
        Class::TokenExpired | Class::PortalTrouble | Class::Protocol | Class::Transport => {
            "the portal did not answer"
        }
    }
}
