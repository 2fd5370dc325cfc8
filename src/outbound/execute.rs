//! One run of a delivery: planned if it is not, then step by step, the attempt committed before its
//! request leaves, what it brought committed before the next step. Decides nothing about retries
//! (`domain::retry` does), nothing about order (`schedule` does), and knows no request (`act` does).

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
use crate::domain::ids::RowId;
use crate::domain::retry;
use crate::domain::retry::Next;
use crate::domain::retry::Past;
use crate::domain::step::StepKind;
use crate::limits;
use crate::outbound::Shared;
use crate::outbound::act;
use crate::outbound::evidence::Uuids;
use crate::outbound::permit;
use crate::outbound::plan;
use crate::outbound::plan::Unplanned;
use crate::outbound::reconcile;
use crate::outbound::reconcile::Found;
use crate::outbound::reconcile::Stands;
use crate::outbound::schedule::Finished;
use crate::outbound::typing::Hint;
use crate::outbound::verdict;
use crate::store;
use crate::store::attempts::Done;
use crate::store::attempts::Setback;
use crate::store::attempts::Tries;
use crate::store::ledger::Delivery;
use crate::store::ledger::FileSource;
use crate::store::ledger::Step;

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
    // Files take long. Texts must not wait until one of too many of them is through.
    let Some(_slot) = shared.slots.take(!delivery.files.is_empty()) else {
        return Ok(Finished::Again(row, clock::now().plus(limits::MEDIA_SLOT_RETRY)));
    };
    let mut brings_files = !delivery.files.is_empty();
    let finished = match prepared(shared, delivery)? {
        Ok(delivery) => {
            // Its text may have files by now.
            brings_files = !delivery.files.is_empty();
            run(shared, delivery)?
        }
        Err(finished) => finished,
    };
    if brings_files && matches!(finished, Finished::Ended(_)) {
        clear_shelf(shared, row);
    }
    Ok(finished)
}

/// The delivery with its steps, or how it was set back for want of them, or of leave to go.
fn prepared(shared: &Shared, delivery: Delivery) -> store::Result<Result<Delivery, Finished>> {
    match permit::refusal(shared, &delivery) {
        Ok(None) => {}
        Ok(Some((code, message))) => {
            return refuse(shared, &delivery, 0, code, message, None).map(Err);
        }
        Err(failure) => {
            return set_back_by(shared, &delivery, 0, failure, Seen::Clearly).map(Err);
        }
    }
    if delivery.planned {
        return Ok(Ok(delivery));
    }
    match plan::plan(shared, &delivery) {
        Ok(()) => {
            // What it knows now comes from the database, like everything that is acted on.
            let planned = shared.store.delivery(delivery.row)?;
            Ok(planned.ok_or(Finished::Ended(delivery.row)))
        }
        Err(Unplanned::Store(why)) => Err(why),
        Err(Unplanned::Failed(failure)) => {
            set_back_by(shared, &delivery, 0, failure, Seen::Clearly).map(Err)
        }
        Err(Unplanned::Later(fetch)) => {
            let failure = Failure {
                class: Class::Transport,
                effect: Effect::None,
                code: "media_not_fetched".to_owned(),
                method: "media",
                retry_after: fetch.retry_after,
            };
            set_back(shared, &delivery, 0, failure, Seen::Clearly, fetch.sentence).map(Err)
        }
        Err(Unplanned::Refused(code, message)) => {
            refuse(shared, &delivery, 0, code, message, None).map(Err)
        }
    }
}

/// What becomes of a delivery whose run panicked: like a lost answer; the second time it is given
/// up, because a third would panic as well.
pub(super) fn after_panic(shared: &Shared, row: RowId) -> store::Result<Finished> {
    let Some(delivery) = shared.store.delivery(row)? else { return Ok(Finished::Ended(row)) };
    if delivery.state.is_end() {
        return Ok(Finished::Ended(row));
    }
    let step = delivery.next_step().unwrap_or(0);
    let tried = matches!(delivery.state, State::Attempting | State::Unknown);
    let failure = Failure {
        class: Class::PortalTrouble,
        effect: if tried { Effect::Unknown } else { Effect::None },
        code: "panicked".to_owned(),
        method: methods::SEND,
        retry_after: None,
    };
    let again = delivery.failure.as_ref().is_some_and(|(_, message)| message.contains("panicked"));
    if !again {
        return set_back_by(shared, &delivery, step, failure, Seen::Clearly);
    }
    let setback = Setback {
        step,
        event: if tried { Event::Park } else { Event::GiveUp },
        due_at: clock::now(),
        code: "internal".to_owned(),
        message: "the connector failed twice on this delivery (panicked)".to_owned(),
        failure: Some(failure),
    };
    let state = shared.store.set_back(row, setback, clock::now())?;
    Ok(finished(row, state, clock::now()))
}

/// What the look before an attempt was worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// There was nothing to look for, or the dialog was read.
    Clearly,
    /// The portal does not let the agent read the dialog.
    Not,
}

fn run(shared: &Shared, delivery: Delivery) -> store::Result<Finished> {
    let row = delivery.row;
    let Some(mut number) = delivery.next_step() else {
        shared.store.nothing_to_do(row, clock::now())?;
        return Ok(delivered(row));
    };
    let mut seen = Seen::Clearly;
    if delivery.state == State::Unknown {
        match before_again(shared, &delivery, number)? {
            Before::Found(next) => match next {
                Some(next) => number = next,
                None => return Ok(delivered(row)),
            },
            Before::Try(worth) => seen = worth,
            Before::Wait(finished) => return Ok(finished),
        }
    }
    shared.store.begin_attempt(row, number, clock::now())?;
    if delivery.operation == Operation::Send {
        shared.hint(|| Hint::Answers((delivery.agent.clone(), delivery.dialog)));
    }
    let mut current = delivery;
    loop {
        let done = match act::act(shared, &current, number)? {
            Ok(done) => done,
            Err(failure) if act::says(&failure, "message_duplicated_by_uuid") => {
                shared.evidence.proved(&shared.store, Uuids::Honoured)?;
                return set_back_by(shared, &current, number, failure, seen);
            }
            Err(failure) => match settled(shared, &current, number, &failure)? {
                Settled::Done => Done::default(),
                Settled::Refused(code, message) => {
                    return refuse(shared, &current, number, code, message, Some(failure));
                }
                Settled::Failed(failure) => {
                    return set_back_by(shared, &current, number, failure, seen);
                }
            },
        };
        let next = current.step_after(Some(number));
        shared.store.step_done(row, number, done, next, clock::now())?;
        seen = Seen::Clearly;
        let Some(next) = next else {
            shared.evidence.probe(shared, &current)?;
            return Ok(delivered(row));
        };
        if done.disk.is_some() {
            // What is published needs the numbers of what was uploaded.
            let Some(fresh) = shared.store.delivery(row)? else { return Ok(Finished::Ended(row)) };
            current = fresh;
        }
        number = next;
    }
}

/// What to do with a step whose last attempt may have acted.
enum Before {
    /// It was done; the step that follows.
    Found(Option<u32>),
    /// Make the next attempt, after a look that was worth so much.
    Try(Seen),
    /// Not yet.
    Wait(Finished),
}

/// INVARIANT: what may have happened is looked up before anything is sent again.
fn before_again(shared: &Shared, delivery: &Delivery, number: u32) -> store::Result<Before> {
    let row = delivery.row;
    let step = delivery.steps.get(number as usize).ok_or(store::Error::WrongState)?;
    if step.kind.is_repeatable() {
        return Ok(Before::Try(Seen::Clearly));
    }
    let tries = shared.store.tries(row, number)?;
    let now = clock::now();
    let found = reconcile::look(shared, delivery, step, tries.doubt_since.unwrap_or(now))?;
    // A person may ask for another try when the portal has forgotten the first.
    let forgotten =
        tries.doubt_since.is_some_and(|since| now.since(since) >= limits::UUID_KEPT_MIN);
    let protected = is_protected(shared, step) && !forgotten;
    match found {
        Found::Message(message) => {
            log::info!("step_found delivery={} step={number} message={message}", delivery.id);
            let next = delivery.step_after(Some(number));
            shared.store.step_found(row, number, message, next.is_none(), now)?;
            Ok(Before::Found(next))
        }
        Found::Unclear(failure) => {
            set_back_by(shared, delivery, number, failure, Seen::Not).map(Before::Wait)
        }
        Found::Refused(_) if protected => Ok(Before::Try(Seen::Not)),
        Found::Refused(failure) => {
            set_back_by(shared, delivery, number, failure, Seen::Not).map(Before::Wait)
        }
        Found::Nothing | Found::Inconclusive => {
            let since = tries.doubt_last.map_or(Duration::MAX, |last| now.since(last));
            let settling = settling_time(step, protected).saturating_sub(since);
            if !settling.is_zero() {
                let wait = since.max(limits::DELIVERY_LOOK_FIRST).min(settling);
                return look_again(shared, delivery, number, wait).map(Before::Wait);
            }
            if matches!(found, Found::Inconclusive) && !protected {
                let failure = Failure {
                    class: Class::Duplicate,
                    effect: Effect::Unknown,
                    code: "too_many_messages_to_look_through".to_owned(),
                    method: methods::HISTORY,
                    retry_after: None,
                };
                return set_back_by(shared, delivery, number, failure, Seen::Not).map(Before::Wait);
            }
            if step.kind == StepKind::Publish && files_are_gone(delivery) {
                shared.store.uploads_lost(row)?;
                return Ok(Before::Wait(Finished::Again(row, now)));
            }
            Ok(Before::Try(Seen::Clearly))
        }
    }
}

/// Whether the portal itself drops a repeat of the step.
fn is_protected(shared: &Shared, step: &Step) -> bool {
    !step.uuid.is_empty() && shared.evidence.uuids() == Uuids::Honoured
}

/// How long an attempt may still act after it was given up on our side. A repeat that the portal
/// drops may come at once, but not that of a publication, which would remove the files of the first
/// (b24: messenger R33).
fn settling_time(step: &Step, protected: bool) -> Duration {
    match step.kind {
        StepKind::Add if protected => Duration::ZERO,
        _ => limits::DELIVERY_SETTLE,
    }
}

/// Whether the portal said of a publication that it removed the files.
fn files_are_gone(delivery: &Delivery) -> bool {
    let failure = delivery.failure.as_ref();
    failure.is_some_and(|(_, sentence)| verdict::tells_of_removed_files(sentence))
}

/// Looks again later, with nothing tried meanwhile.
fn look_again(
    shared: &Shared,
    delivery: &Delivery,
    step: u32,
    wait: Duration,
) -> store::Result<Finished> {
    let now = clock::now();
    let due = now.plus(wait);
    // An attempt that a kill cut short left no failure behind.
    let (code, message) = delivery.failure.clone().unwrap_or_else(|| {
        let sentence = "the last attempt was cut short; what came of it is being looked up";
        ("unavailable".to_owned(), sentence.to_owned())
    });
    let setback = Setback { step, event: Event::Doubt, due_at: due, code, message, failure: None };
    let state = shared.store.set_back(delivery.row, setback, now)?;
    Ok(finished(delivery.row, state, due))
}

/// What a failure comes to, once what the dialog shows is taken into account.
enum Settled {
    /// All is as it should be.
    Done,
    /// Refused for good, and why: a code of the contract and a sentence.
    Refused(&'static str, String),
    /// It stands.
    Failed(Failure),
}

/// A refused change of a message may be in place already; if it is not, the message tells why.
fn settled(
    shared: &Shared,
    delivery: &Delivery,
    number: u32,
    failure: &Failure,
) -> store::Result<Settled> {
    let step = delivery.steps.get(number as usize).ok_or(store::Error::WrongState)?;
    let changes = matches!(step.kind, StepKind::Update | StepKind::Remove | StepKind::React);
    let refused = matches!(failure.class, Class::Denied | Class::NotFound | Class::Invalid);
    if !changes || !refused {
        return Ok(Settled::Failed(failure.clone()));
    }
    // Another reaction may have been tried than was planned.
    let fresh = shared.store.delivery(delivery.row)?.ok_or(store::Error::WrongState)?;
    let step = fresh.steps.get(number as usize).ok_or(store::Error::WrongState)?;
    Ok(match reconcile::stands(shared, &fresh, step) {
        Stands::Wanted => Settled::Done,
        Stands::Not(Some((code, sentence))) => {
            Settled::Refused(code, format!("{sentence} ({})", failure.code.to_ascii_lowercase()))
        }
        Stands::Not(None) => Settled::Failed(failure.clone()),
        Stands::Unclear(failure) => Settled::Failed(failure),
    })
}

fn delivered(row: RowId) -> Finished {
    count(Counter::DeliveriesDelivered);
    Finished::Ended(row)
}

/// Ends a delivery as refused for good.
fn refuse(
    shared: &Shared,
    delivery: &Delivery,
    step: u32,
    code: &str,
    message: String,
    failure: Option<Failure>,
) -> store::Result<Finished> {
    let now = clock::now();
    log::info!("delivery_refused agent={} delivery={} code={code}", delivery.agent, delivery.id);
    let event = Event::Reject;
    let setback = Setback { step, event, due_at: now, code: code.to_owned(), message, failure };
    let state = shared.store.set_back(delivery.row, setback, now)?;
    Ok(finished(delivery.row, state, now))
}

/// Records a failed attempt, look-up or plan as `domain::retry` decides.
fn set_back_by(
    shared: &Shared,
    delivery: &Delivery,
    number: u32,
    failure: Failure,
    seen: Seen,
) -> store::Result<Finished> {
    let told = verdict::told(&failure);
    set_back(shared, delivery, number, failure, seen, told)
}

/// The same, with the sentence that people get.
fn set_back(
    shared: &Shared,
    delivery: &Delivery,
    number: u32,
    failure: Failure,
    seen: Seen,
    told: String,
) -> store::Result<Finished> {
    let now = clock::now();
    let tries = shared.store.tries(delivery.row, number)?;
    let kind = delivery.steps.get(number as usize).map(|step| step.kind);
    let repeatable = kind.is_none_or(StepKind::is_repeatable);
    let past = Past {
        failures: tries.failed.saturating_add(1),
        age: now.since(delivery.tried_since()),
        // A person who wants another try gives it all the time that a new one has.
        doubt: doubt(&tries, repeatable)
            .map(|since| now.since(delivery.retried_at.map_or(since, |again| again.max(since)))),
    };
    let failure = verdict::with_patience(kind, failure, &past);
    // The dialog shows the same after another attempt, so it does not matter what this one did.
    let effect = if repeatable { Effect::None } else { failure.effect };
    let weighed = Failure { effect, ..failure.clone() };
    let next = retry::next(&weighed, &past, u64::from_le_bytes(crypto::random()));
    let (event, delay) = match next {
        Next::Again(delay) if failure.effect == Effect::Unknown => (Event::Doubt, delay),
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
        "delivery_set_back agent={} dialog={} delivery={} step={number} failures={} \
         event={event:?} {failure}",
        delivery.agent,
        delivery.dialog,
        delivery.id,
        past.failures
    );
    let setback = Setback {
        step: number,
        event,
        due_at: due,
        code: verdict::outward_code(failure.class).to_owned(),
        message: told,
        failure: Some(failure),
    };
    let state = shared.store.set_back(delivery.row, setback, now)?;
    Ok(finished(delivery.row, state, due))
}

/// Since when it is in doubt whether a step was done.
fn doubt(tries: &Tries, repeatable: bool) -> Option<UnixMs> {
    tries.doubt_since.filter(|_| !repeatable)
}

fn finished(row: RowId, state: State, due: UnixMs) -> Finished {
    if !state.is_end() {
        return Finished::Again(row, due);
    }
    count(Counter::DeliveriesFailed);
    Finished::Ended(row)
}

/// Whether a delivery is known to have reached an end.
pub(super) fn is_over(shared: &Shared, row: RowId) -> bool {
    shared.store.delivery(row).is_ok_and(|found| found.is_none_or(|found| found.state.is_end()))
}

/// Removes the files of a delivery that nobody can want any more.
pub(super) fn clear_shelf(shared: &Shared, row: RowId) {
    // Whatever cannot be read or removed now is swept at the next start.
    let Ok(Some(delivery)) = shared.store.delivery(row) else { return };
    if matches!(delivery.state, State::Dead | State::Parked) || !delivery.state.is_end() {
        return;
    }
    for file in &delivery.files {
        if let FileSource::Kept { name, .. } = &file.source {
            shared.shelf.remove(name);
        }
    }
}
