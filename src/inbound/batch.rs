//! What a page tells of messages, folded to one fate for each: the last word on its text counts, and
//! a deletion is final whatever comes before or after it (b24: messenger §14 R5, R15). Pure. Made by
//! `poll` from events and by `catch_up` from dialogs, taken by `ingest`.

use std::collections::BTreeMap;

use crate::bitrix::wire::dialog::DialogMessage;
use crate::bitrix::wire::event::EventKind;
use crate::bitrix::wire::event::PortalEvent;
use crate::bitrix::wire::recent::RecentDialog;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::message::Message;

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::inbound) enum Fate {
    /// It was written.
    Added(Box<Message>),
    /// It was written, now or before, and changed.
    Updated(Box<Message>),
    /// It is gone.
    Deleted,
}

/// Messages by id, which is the order in which they were written (b24: messenger §14 R7).
#[derive(Debug, Default)]
pub(in crate::inbound) struct Batch {
    /// What became of each.
    pub fates: BTreeMap<MessageId, Fate>,
    /// Events that could not be read, as they came.
    pub unreadable: Vec<(Option<EventId>, String)>,
}

impl Batch {
    /// Of a page of events.
    pub fn of_events(events: Vec<PortalEvent>) -> Batch {
        let mut batch = Batch::default();
        for event in events {
            match event.kind {
                EventKind::Added(message) => batch.note(message.id, Fate::Added(message)),
                EventKind::Updated(message) => batch.note(message.id, Fate::Updated(message)),
                EventKind::Deleted(id) => batch.note(id, Fate::Deleted),
                EventKind::Other => {}
                EventKind::Undecodable(raw) => batch.unreadable.push((event.id, raw)),
            }
        }
        batch
    }

    /// Of messages as a dialog shows them.
    pub fn of_dialog(dialog: &RecentDialog, messages: Vec<DialogMessage>) -> Batch {
        let mut batch = Batch::default();
        for message in messages {
            let (id, edited) = (message.id, message.edited);
            let fate = match message.deleted {
                true => Fate::Deleted,
                false if edited => Fate::Updated(Box::new(message.of(dialog))),
                false => Fate::Added(Box::new(message.of(dialog))),
            };
            batch.note(id, fate);
        }
        batch
    }

    fn note(&mut self, id: MessageId, fate: Fate) {
        match (self.fates.get(&id), &fate) {
            (Some(Fate::Deleted), _) => {}
            // A second row of the log, or one that was written before the change.
            (Some(Fate::Updated(_)), Fate::Added(_)) => {}
            _ => {
                self.fates.insert(id, fate);
            }
        }
    }
}
