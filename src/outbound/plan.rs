//! What the steps of a delivery are when the call alone did not say: whom an `@Name` means, which
//! messages an operation acts on, how the portal takes files, and the files themselves, fetched.
//! Reads the portal and writes the ledger; changes nothing that anybody sees. Called by `execute`
//! before the first attempt.

use std::io;
use std::io::Write;

use url::Url;

use crate::bitrix::methods;
use crate::domain::delivery::Operation;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::domain::ids::MessageId;
use crate::domain::step;
use crate::domain::step::Draft;
use crate::domain::step::FileWay;
use crate::limits;
use crate::markup;
use crate::markup::Enclosed;
use crate::markup::Format;
use crate::markup::Mentions;
use crate::outbound::Shared;
use crate::outbound::accept;
use crate::outbound::media::FetchFailure;
use crate::outbound::members;
use crate::store;
use crate::store::ledger::Delivery;
use crate::store::ledger::FileSource;
use crate::store::ledger::NewFile;

/// Why a delivery has no steps yet, or never will.
pub(super) enum Unplanned {
    /// The portal failed; it decides whether to ask again.
    Failed(Failure),
    /// It can never be carried out: a code of the contract and a sentence.
    Refused(&'static str, String),
    /// A file could not be fetched just now.
    Later(FetchFailure),
    /// The database.
    Store(store::Error),
}

impl From<Failure> for Unplanned {
    fn from(failure: Failure) -> Unplanned {
        Unplanned::Failed(failure)
    }
}

impl From<store::Error> for Unplanned {
    fn from(error: store::Error) -> Unplanned {
        Unplanned::Store(error)
    }
}

/// Finds the steps of a delivery out and commits them.
pub(super) fn plan(shared: &Shared, delivery: &Delivery) -> Result<(), Unplanned> {
    let steps = steps(shared, delivery)?;
    Ok(shared.store.plan(delivery.row, steps)?)
}

fn steps(shared: &Shared, delivery: &Delivery) -> Result<Vec<Draft>, Unplanned> {
    match delivery.operation {
        Operation::Send => {
            let enclosed = enclose(shared, delivery)?;
            let delivery = enclosed.as_ref().unwrap_or(delivery);
            let texts = texts(shared, delivery)?;
            let way = fetch(shared, delivery)?;
            let files = u32::try_from(delivery.files.len()).unwrap_or(u32::MAX);
            Ok(step::send(texts, files, way, &*uuids(shared, delivery)?))
        }
        Operation::Edit => {
            let texts = texts(shared, delivery)?;
            let shown = shown(shared, delivery)?;
            if shown.is_empty() {
                return Err(nothing_shown());
            }
            Ok(step::edit(texts, &shown, &*uuids(shared, delivery)?))
        }
        // What is gone already needs no deleting.
        Operation::Delete => Ok(step::delete(&shown(shared, delivery)?)),
        Operation::React => {
            let shown = shown(shared, delivery)?;
            let reaction = delivery.reaction.as_ref().map_or("", |(reaction, _)| reaction);
            if shown.is_empty() {
                return Err(nothing_shown());
            }
            Ok(step::react(reaction, &shown))
        }
        // Never in the ledger.
        Operation::Typing => Ok(Vec::new()),
    }
}

/// Has long tables and long code go along as files, where the portal takes files and there is room;
/// the delivery as it is then. Elsewhere they stay in the text.
fn enclose(shared: &Shared, delivery: &Delivery) -> Result<Option<Delivery>, Unplanned> {
    let Some((text, Format::Markdown)) = &delivery.source else { return Ok(None) };
    let room = limits::MEDIA_FILES_MAX.saturating_sub(delivery.files.len());
    let Some(Enclosed { text, files }) = markup::enclose(text, room) else { return Ok(None) };
    match file_way(shared, delivery) {
        Ok(_) => {}
        Err(Unplanned::Refused(..)) => return Ok(None),
        Err(other) => return Err(other),
    }
    let mut kept = Vec::new();
    for file in files {
        match keep(shared, &file.content) {
            Ok((name, bytes)) => {
                let source = FileSource::Kept { name, bytes };
                kept.push(NewFile { name: file.name, as_file: true, source });
            }
            Err(why) => {
                // Files that nothing refers to go at the next start.
                log::warn!("text_not_enclosed delivery={} reason={why}", delivery.id);
                return Ok(None);
            }
        }
    }
    shared.store.enclose(delivery.row, &text, kept)?;
    Ok(shared.store.delivery(delivery.row)?)
}

/// Puts a text on the shelf: its name there, and its length.
fn keep(shared: &Shared, content: &str) -> io::Result<(String, u64)> {
    let mut file = shared.shelf.begin(limits::MEDIA_BYTES_MAX)?;
    file.write_all(content.as_bytes())?;
    let kept = file.finish()?;
    Ok((kept.name, kept.bytes))
}

fn nothing_shown() -> Unplanned {
    let sentence = "the delivery it acts on shows no message: it was not delivered, or is deleted";
    Unplanned::Refused("not_found", sentence.to_owned())
}

/// The UUID of each step by its number.
fn uuids<'a>(
    shared: &Shared,
    delivery: &'a Delivery,
) -> Result<Box<dyn Fn(u32) -> String + 'a>, Unplanned> {
    let agent = shared.registry.agent(&delivery.agent);
    let member = agent.and_then(|agent| agent.member).ok_or_else(|| {
        let sentence = "the agent has no account on the portal any more";
        Unplanned::Refused("failed_precondition", sentence.to_owned())
    })?;
    Ok(Box::new(move |number| accept::part_uuid(&member, &delivery.agent, &delivery.id, number)))
}

/// The messages an operation acts on, oldest first.
fn shown(shared: &Shared, delivery: &Delivery) -> Result<Vec<MessageId>, Unplanned> {
    match (delivery.target.message, delivery.target.origin) {
        (Some(message), _) => Ok(vec![message]),
        (None, Some(origin)) => Ok(shared.store.shown_of(origin)?),
        (None, None) => Ok(Vec::new()),
    }
}

/// The parts of the text, with the mentions that the dialog's members allow.
fn texts(shared: &Shared, delivery: &Delivery) -> Result<Vec<String>, Unplanned> {
    let Some((text, format)) = &delivery.source else { return Ok(Vec::new()) };
    let mut mentions = Mentions { all: shared.mention_all, members: Vec::new() };
    if *format == Format::Markdown && markup::may_mention(text) {
        match members::of(shared, &delivery.agent, delivery.dialog) {
            // A name that looks unique among some may not be unique among all.
            Ok(members) if members.whole => {
                let named =
                    |one: &methods::Member| markup::Member { id: one.id.0, name: one.name.clone() };
                mentions.members = members.listed.iter().map(named).collect();
            }
            Ok(_) => {
                let warning = "@names are plain text: the dialog has too many members to tell them \
                               apart";
                shared.store.add_warning(delivery.row, warning)?;
            }
            Err(failure) if failure.class.is_refusal() || failure.class == Class::ScopeMissing => {
                let warning = format!(
                    "@names are plain text: the portal does not list the dialog's members ({})",
                    failure.code.to_ascii_lowercase()
                );
                shared.store.add_warning(delivery.row, &warning)?;
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    let texts = markup::render(text, *format, &mentions);
    // Names may have made it longer than it was when it was accepted.
    if texts.len() > limits::DELIVERY_PARTS_MAX {
        let most = limits::DELIVERY_PARTS_MAX;
        let sentence = format!("text: makes more than {most} messages; send it in pieces");
        return Err(Unplanned::Refused("invalid_argument", sentence));
    }
    Ok(texts)
}

/// Fetches what is not on the shelf yet, and finds out how this portal takes files.
fn fetch(shared: &Shared, delivery: &Delivery) -> Result<FileWay, Unplanned> {
    if delivery.files.is_empty() {
        return Ok(FileWay::Folder);
    }
    // First, because it is quick and may refuse.
    let way = file_way(shared, delivery)?;
    for (number, file) in (0_u32..).zip(&delivery.files) {
        let FileSource::Url(address) = &file.source else { continue };
        let refused =
            |why: &str| Unplanned::Refused("invalid_argument", format!("media[{number}]: {why}"));
        let url = Url::parse(address).map_err(|_| refused("its address is not usable"))?;
        match shared.fetcher.fetch(&url, &shared.shelf, limits::MEDIA_BYTES_MAX) {
            Ok(kept) => shared.store.file_kept(delivery.row, number, &kept.name, kept.bytes)?,
            Err(failure) if failure.again => return Err(Unplanned::Later(failure)),
            Err(failure) => return Err(refused(&failure.sentence)),
        }
    }
    if way == FileWay::Single {
        let several = delivery.files.len() > 1;
        let as_file = delivery.files.iter().any(|file| file.as_file);
        let lost = [
            (several, "each file is a message of its own: the portal or its scopes lack disk"),
            (as_file, "as_file was left out: the portal or its scopes lack disk"),
        ];
        for (_, warning) in lost.into_iter().filter(|(lost, _)| *lost) {
            shared.store.add_warning(delivery.row, warning)?;
        }
    }
    Ok(way)
}

/// The documented chain where the portal has it and the application may use it, because the portal
/// recognises its repeats; else the single call.
fn file_way(shared: &Shared, delivery: &Delivery) -> Result<FileWay, Unplanned> {
    if let Some(known) = shared.file_ways.get(&delivery.agent) {
        return Ok(known);
    }
    let available = |names: &[&'static str]| {
        for name in names {
            let call = methods::method_available(name);
            if !shared.registry.call(&delivery.agent, &call)? {
                return Ok(false);
            }
        }
        Ok::<bool, Failure>(true)
    };
    let way = if available(&[methods::UPLOAD, methods::PUBLISH])? {
        FileWay::Folder
    } else if available(&[methods::SEND_FILE])? {
        FileWay::Single
    } else {
        let sentence = "the portal takes no files from the application: give it the scope disk, \
                        then open a new consent link";
        return Err(Unplanned::Refused("failed_precondition", sentence.to_owned()));
    };
    shared.file_ways.keep(delivery.agent.clone(), way);
    Ok(way)
}
