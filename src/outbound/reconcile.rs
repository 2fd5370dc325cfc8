//! What an attempt with an unknown effect really did, and whether a refused change is in place
//! already: looks into the dialog. Reads only; when to look and what to do then is `execute`'s
//! matter.
//!
//! A message is ours when it carries the step's UUID (b24: messenger R8, R20). Where the portal keeps
//! no UUID of it, it is ours when the agent wrote it after the attempt began, the ledger does not
//! know it, and it says what was sent or shows the files that were sent.

use crate::base::clock::UnixMs;
use crate::bitrix::methods;
use crate::bitrix::wire::history::HistoryMessage;
use crate::domain::failure::Failure;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::reaction;
use crate::domain::step::StepKind;
use crate::limits;
use crate::markup;
use crate::outbound::Shared;
use crate::outbound::evidence::Uuids;
use crate::store;
use crate::store::ledger::Delivery;
use crate::store::ledger::FileSource;
use crate::store::ledger::Step;

/// What the dialog shows of a step.
pub(super) enum Found {
    /// It is there.
    Message(MessageId),
    /// It is not: everything since the attempt was read.
    Nothing,
    /// It is not among what was read, and not all of it was.
    Inconclusive,
    /// The agent may not read the dialog, or it does not exist.
    Refused(Failure),
    /// The dialog could not be read just now.
    Unclear(Failure),
}

/// Looks for the message of a step of which an attempt began at `since`.
///
/// # Errors
/// The database.
pub(super) fn look(
    shared: &Shared,
    delivery: &Delivery,
    step: &Step,
    since: UnixMs,
) -> store::Result<Found> {
    let since =
        UnixMs(shared.registry.time_there(since).0 - limits::RECONCILE_SLACK.as_millis() as i64);
    let author = shared.registry.agent(&delivery.agent).and_then(|agent| agent.user);
    let mut before = None;
    for _ in 0..limits::RECONCILE_PAGES_MAX {
        let page =
            match shared.registry.call(&delivery.agent, &methods::history(delivery.dialog, before))
            {
                Ok(page) => page,
                Err(failure) if failure.class.is_refusal() => return Ok(Found::Refused(failure)),
                Err(failure) => return Ok(Found::Unclear(failure)),
            };
        let newest_first = page.messages.iter().rev();
        let own = newest_first.filter(|message| Some(message.author) == author);
        let mine: Vec<&HistoryMessage> = own.collect();
        if let Some(found) = mine.iter().find(|message| has_uuid(message, step)) {
            shared.evidence.proved(&shared.store, Uuids::Honoured)?;
            return Ok(Found::Message(found.id));
        }
        shared.evidence.weigh(shared, &delivery.agent, &page.messages, &mine)?;
        for message in &mine {
            let late = message.at.is_some_and(|at| at >= since);
            if late && is_sent(delivery, step, message) {
                // Known messages are other deliveries', however alike they are.
                if shared.store.uuid_of_own(&delivery.agent, message.id)?.is_none() {
                    return Ok(Found::Message(message.id));
                }
            }
        }
        let oldest = page.messages.first();
        let reaches_back = oldest.is_none_or(|oldest| oldest.at.is_some_and(|at| at < since));
        if reaches_back || !page.full {
            return Ok(Found::Nothing);
        }
        before = oldest.map(|oldest| oldest.id);
    }
    Ok(Found::Inconclusive)
}

fn has_uuid(message: &HistoryMessage, step: &Step) -> bool {
    !step.uuid.is_empty() && message.uuid.as_deref() == Some(step.uuid.as_str())
}

/// Whether a message without a UUID is what the step sends.
fn is_sent(delivery: &Delivery, step: &Step, message: &HistoryMessage) -> bool {
    if message.uuid.is_some() || message.deleted {
        return false;
    }
    match step.kind {
        StepKind::Publish => {
            let disks: Vec<i64> = delivery.files.iter().filter_map(|file| file.disk).collect();
            !disks.is_empty() && message.files.iter().any(|file| disks.contains(&file.id))
        }
        StepKind::SendFile => {
            let number = delivery.steps.iter().position(|other| std::ptr::eq(other, step));
            let file = number.and_then(|number| delivery.files.get(number));
            file.is_some_and(|file| {
                let FileSource::Kept { bytes, .. } = &file.source else { return false };
                let shows = |shown: &crate::bitrix::wire::history::HistoryFile| {
                    shown.bytes == *bytes && is_numbered(&shown.name, &file.name)
                };
                message.files.iter().any(shows)
            })
        }
        _ => message.files.is_empty() && markup::same_text(&step.text, &message.text),
    }
}

/// Whether the portal may have made `shown` of `name`: a name that was taken gets a number in
/// brackets before its ending (b24: messenger §9.1).
fn is_numbered(shown: &str, name: &str) -> bool {
    if shown == name {
        return true;
    }
    let (stem, ending) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    let middle = shown.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
    let number = middle.and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// What the dialog shows of a change that was refused.
pub(super) enum Stands {
    /// What was wanted.
    Wanted,
    /// Something else, and why the portal refuses to change it: a code of the contract and a
    /// sentence; `None` when nothing explains it.
    Not(Option<(&'static str, &'static str)>),
    /// It could not be read just now.
    Unclear(Failure),
}

/// Reads the message that a refused step acts on. A refusal after a lost answer, or of a repeat, may
/// mean that all is as it should be (b24: messenger R29, R30).
pub(super) fn stands(shared: &Shared, delivery: &Delivery, step: &Step) -> Stands {
    let Some(target) = step.message else { return Stands::Not(None) };
    let call = methods::message_at(delivery.dialog, target);
    let page = match shared.registry.call(&delivery.agent, &call) {
        Ok(page) => page,
        Err(failure) if failure.class.is_refusal() => return Stands::Not(None),
        Err(failure) => return Stands::Unclear(failure),
    };
    let me = shared.registry.agent(&delivery.agent).and_then(|agent| agent.user);
    let message = page.messages.iter().find(|message| message.id == target);
    standing(delivery, step, message, me)
}

fn standing(
    delivery: &Delivery,
    step: &Step,
    message: Option<&HistoryMessage>,
    me: Option<UserId>,
) -> Stands {
    let gone = message.is_none_or(|message| message.deleted);
    let wanted = match (step.kind, message) {
        // The employees' client may have removed it without a trace; but of a message that this
        // connector never sent, no trace means that there was none.
        (StepKind::Remove, None) => delivery.target.origin.is_some(),
        (StepKind::Remove, Some(_)) => gone,
        (StepKind::Update, Some(message)) => {
            !gone && Some(message.author) == me && markup::same_text(&step.text, &message.text)
        }
        // Of other reactions the history says nothing.
        (StepKind::React, Some(message)) if step.text == reaction::LIKE => {
            let likes = me.is_some_and(|me| message.likes.contains(&me));
            let remove = delivery.reaction.as_ref().is_some_and(|(_, remove)| *remove);
            !gone && likes != remove
        }
        _ => false,
    };
    if wanted {
        return Stands::Wanted;
    }
    let own = message.is_some_and(|message| Some(message.author) == me);
    Stands::Not(match step.kind {
        _ if gone => Some(("not_found", "the message is not in the dialog, or is deleted")),
        StepKind::Update | StepKind::Remove if !own => {
            Some(("permission_denied", "the message is somebody else's"))
        }
        StepKind::Update => {
            Some(("failed_precondition", "the portal lets nobody edit the message: it is too old"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::is_numbered;

    #[test]
    fn a_taken_name_gets_a_number() {
        for (shown, name) in [
            ("plan.pdf", "plan.pdf"),
            ("plan (1).pdf", "plan.pdf"),
            ("plan (12).pdf", "plan.pdf"),
            ("Makefile (1)", "Makefile"),
            ("a.tar (2).gz", "a.tar.gz"),
        ] {
            assert!(is_numbered(shown, name), "{shown}");
        }
        for (shown, name) in [
            ("plan2.pdf", "plan.pdf"),
            ("plan (x).pdf", "plan.pdf"),
            ("plan ().pdf", "plan.pdf"),
            ("plan (1).png", "plan.pdf"),
            ("other (1).pdf", "plan.pdf"),
        ] {
            assert!(!is_numbered(shown, name), "{shown}");
        }
    }
}
