//! Whether this portal recognises a repeated message by its UUID: newer ones do, and no version
//! number tells (b24: messenger §6.2). What messages of a dialog prove is kept in the database; as
//! long as nothing is proved, nothing is assumed. Called by `reconcile` and `execute`.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::base::clock;
use crate::bitrix::methods;
use crate::bitrix::wire::history::HistoryMessage;
use crate::domain::ids::AgentName;
use crate::limits;
use crate::outbound::Shared;
use crate::store;
use crate::store::Store;
use crate::store::ledger::Delivery;

/// Where the database keeps it.
const FACT: &str = "message_uuids";

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uuids {
    /// Nothing yet.
    Unproved,
    /// A repeat with the same UUID is the same message.
    Honoured,
    /// A repeat is another message.
    Ignored,
}

/// The fact, as this process knows it.
pub(super) struct Evidence {
    known: AtomicU8,
    probed: Mutex<Option<Instant>>,
}

impl Evidence {
    /// Reads it from the database.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub(super) fn load(store: &Store) -> store::Result<Evidence> {
        let kept = store.meta(FACT)?;
        let known = match kept.as_deref() {
            Some(b"honoured") => Uuids::Honoured,
            Some(b"ignored") => Uuids::Ignored,
            _ => Uuids::Unproved,
        };
        Ok(Evidence { known: AtomicU8::new(known as u8), probed: Mutex::new(None) })
    }

    /// What is known.
    pub(super) fn uuids(&self) -> Uuids {
        let known = self.known.load(Ordering::Relaxed);
        let all = [Uuids::Unproved, Uuids::Honoured, Uuids::Ignored];
        all.into_iter().find(|uuids| *uuids as u8 == known).unwrap_or(Uuids::Unproved)
    }

    /// Something was proved. The newest proof counts: a portal may have been updated, or moved.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub(super) fn proved(&self, store: &Store, uuids: Uuids) -> store::Result<()> {
        if self.uuids() == uuids {
            return Ok(());
        }
        let kept: &[u8] = match uuids {
            Uuids::Unproved => return Ok(()),
            Uuids::Honoured => b"honoured",
            Uuids::Ignored => b"ignored",
        };
        store.set_meta(FACT, kept.to_vec())?;
        self.known.store(uuids as u8, Ordering::Relaxed);
        log::info!("message_uuids {}", String::from_utf8_lossy(kept));
        Ok(())
    }

    /// Reads a dialog that was just written to, as long as nothing is proved: the first doubt would
    /// otherwise have to wait for what is known by then. Best effort.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub(super) fn probe(&self, shared: &Shared, delivery: &Delivery) -> store::Result<()> {
        if self.uuids() != Uuids::Unproved || !self.is_probe_due() {
            return Ok(());
        }
        let call = methods::history(delivery.dialog, None);
        let Ok(page) = shared.registry.call(&delivery.agent, &call) else { return Ok(()) };
        let agent = shared.registry.agent(&delivery.agent);
        let me = agent.and_then(|agent| agent.user);
        let own: Vec<_> = page.messages.iter().filter(|m| Some(m.author) == me).collect();
        self.weigh(shared, &delivery.agent, &page.messages, &own)
    }

    fn is_probe_due(&self) -> bool {
        let mut last = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= limits::UUID_PROBE_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    /// What messages of a dialog prove. One of ours that was sent with a UUID and shows none tells
    /// that they are ignored, once it is old enough for the portal to have linked it and young
    /// enough not to have forgotten it; a UUID on any message tells that the portal keeps them.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub(super) fn weigh(
        &self,
        shared: &Shared,
        agent: &AgentName,
        all: &[HistoryMessage],
        own: &[&HistoryMessage],
    ) -> store::Result<()> {
        let now = shared.registry.time_there(clock::now());
        let settled = |message: &HistoryMessage| {
            let age = message.at.map_or(Duration::ZERO, |at| now.since(at));
            age >= limits::UUID_LINKED_MAX && age < limits::UUID_KEPT_MIN
        };
        for message in own.iter().filter(|message| message.uuid.is_none() && settled(message)) {
            let sent = shared.store.uuid_of_own(agent, message.id)?;
            if sent.is_some_and(|uuid| !uuid.is_empty()) {
                return self.proved(&shared.store, Uuids::Ignored);
            }
        }
        if all.iter().any(|message| message.uuid.is_some()) {
            return self.proved(&shared.store, Uuids::Honoured);
        }
        Ok(())
    }
}
