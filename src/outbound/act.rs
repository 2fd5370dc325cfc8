//! One step as requests to the portal, the documented method first, and what is done instead when
//! the portal lacks something. Says what came of it; when to try again is `execute`'s matter.

use std::path::PathBuf;

use crate::bitrix::methods;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::MessageId;
use crate::domain::reaction;
use crate::domain::step::StepKind;
use crate::outbound::Shared;
use crate::outbound::verdict;
use crate::store;
use crate::store::attempts::Done;
use crate::store::ledger::Delivery;
use crate::store::ledger::FileSource;
use crate::store::ledger::LedgerFile;
use crate::store::ledger::Step;

/// What a step's requests brought.
pub(super) type Acted = Result<Done, Failure>;

/// Makes the step's requests. INVARIANT: its attempt is committed.
///
/// # Errors
/// The database.
pub(super) fn act(shared: &Shared, delivery: &Delivery, number: u32) -> store::Result<Acted> {
    let step = delivery.steps.get(number as usize).ok_or(store::Error::WrongState)?;
    let on = || step.message.ok_or(store::Error::WrongState);
    match step.kind {
        StepKind::Add => add(shared, delivery, number, step),
        StepKind::Update => {
            let call = methods::message_update(on()?, &step.text);
            Ok(shared.registry.call(&delivery.agent, &call).map(|()| Done::default()))
        }
        StepKind::Remove => {
            let call = methods::message_delete(on()?);
            Ok(shared.registry.call(&delivery.agent, &call).map(|()| Done::default()))
        }
        StepKind::React => react(shared, delivery, number, on()?),
        StepKind::Upload => upload(shared, delivery, number),
        StepKind::Publish => publish(shared, delivery, step),
        StepKind::SendFile => send_file(shared, delivery, number, step),
    }
}

fn added(message: MessageId) -> Done {
    Done { message: Some(message), disk: None }
}

/// One `im.message.add`; without the reply target when the portal refuses that.
fn add(shared: &Shared, delivery: &Delivery, number: u32, step: &Step) -> store::Result<Acted> {
    // Only the first message answers one; the others follow it.
    let reply_to = delivery.reply_to.filter(|_| number == 0);
    let call = |reply_to| {
        let call = methods::message_add(delivery.dialog, &step.text, &step.uuid, reply_to);
        shared.registry.call(&delivery.agent, &call).map(added)
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

/// Sets a reaction, or takes it back. What the portal lacks becomes a like where that says nearly
/// the same, and nothing where it would say something else.
fn react(
    shared: &Shared,
    delivery: &Delivery,
    number: u32,
    message: MessageId,
) -> store::Result<Acted> {
    let Some((wanted, remove)) = &delivery.reaction else {
        return Err(store::Error::WrongState);
    };
    let set = match remove {
        // What was set in its place is what has to go.
        true => shared.store.reaction_set(&delivery.agent, message, wanted)?,
        false => None,
    };
    let code = set.as_deref().unwrap_or(wanted);
    let like = || shared.registry.call(&delivery.agent, &methods::message_like(message, *remove));
    if code.is_empty() {
        return Ok(Ok(Done::default()));
    }
    if code != wanted {
        shared.store.set_step_text(delivery.row, number, code)?;
    }
    if code == reaction::LIKE {
        return Ok(like().map(|()| Done::default()));
    }
    let call = methods::message_react(message, code, *remove);
    let failure = match shared.registry.call(&delivery.agent, &call) {
        Err(failure) if says(&failure, "reaction_already_set") => return Ok(Ok(Done::default())),
        // Not set, so there is nothing to take back.
        Err(failure) if *remove && says(&failure, "reaction_not_found") => {
            return Ok(Ok(Done::default()));
        }
        Err(failure)
            if says(&failure, "reaction_not_found") || failure.class == Class::MethodMissing =>
        {
            failure
        }
        other => return Ok(other.map(|()| Done::default())),
    };
    let (instead, done) = match reaction::stands_for_like(code) {
        true => (reaction::LIKE, "a like stands for it"),
        false => ("", "nothing was set"),
    };
    let why = failure.code.to_ascii_lowercase();
    let warning = format!("the portal lacks the reaction {code} ({why}): {done}");
    shared.store.add_warning(delivery.row, &warning)?;
    shared.store.set_step_text(delivery.row, number, instead)?;
    if instead.is_empty() {
        return Ok(Ok(Done::default()));
    }
    Ok(like().map(|()| Done::default()))
}

/// Whether a failure has this code, in lower case.
pub(super) fn says(failure: &Failure, code: &str) -> bool {
    failure.code.eq_ignore_ascii_case(code)
}

/// A file of the delivery that is on the shelf: what people see, where it lies, its length. A
/// database may have been restored without its files.
fn kept<'d>(
    shared: &Shared,
    delivery: &'d Delivery,
    number: u32,
) -> store::Result<Result<(&'d LedgerFile, PathBuf, u64), Failure>> {
    let file = delivery.files.get(number as usize).ok_or(store::Error::WrongState)?;
    let FileSource::Kept { name, bytes } = &file.source else {
        return Err(store::Error::WrongState);
    };
    let path = shared.shelf.path(name);
    if !path.exists() {
        return Ok(Err(Failure {
            class: Class::Invalid,
            effect: Effect::None,
            code: verdict::FILE_GONE.to_owned(),
            method: methods::UPLOAD,
            retry_after: None,
        }));
    }
    Ok(Ok((file, path, *bytes)))
}

fn upload(shared: &Shared, delivery: &Delivery, number: u32) -> store::Result<Acted> {
    let (file, path, bytes) = match kept(shared, delivery, number)? {
        Ok(kept) => kept,
        Err(failure) => return Ok(Err(failure)),
    };
    let folder = match shared.registry.call(&delivery.agent, &methods::file_folder(delivery.dialog))
    {
        Ok(folder) => folder,
        Err(failure) => return Ok(Err(failure)),
    };
    let call = methods::file_upload(folder, &file.name, path, bytes);
    let uploaded = shared.registry.call(&delivery.agent, &call);
    Ok(uploaded.map(|disk| Done { message: None, disk: Some(disk) }))
}

fn publish(shared: &Shared, delivery: &Delivery, step: &Step) -> store::Result<Acted> {
    let disks: Option<Vec<i64>> = delivery.files.iter().map(|file| file.disk).collect();
    // Uploads come first, so each has its number.
    let disks = disks.ok_or(store::Error::WrongState)?;
    let as_file = delivery.files.iter().any(|file| file.as_file);
    let call = methods::files_publish(delivery.dialog, &disks, &step.text, &step.uuid, as_file);
    Ok(shared.registry.call(&delivery.agent, &call).map(added))
}

fn send_file(
    shared: &Shared,
    delivery: &Delivery,
    number: u32,
    step: &Step,
) -> store::Result<Acted> {
    let (file, path, bytes) = match kept(shared, delivery, number)? {
        Ok(kept) => kept,
        Err(failure) => return Ok(Err(failure)),
    };
    let call = methods::file_send(delivery.dialog, &file.name, &step.text, path, bytes);
    Ok(shared.registry.call(&delivery.agent, &call).map(added))
}
