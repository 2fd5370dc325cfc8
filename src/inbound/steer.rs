//! What a person does to an inbound message: another try of one that the gateway refused, or an end.
//! Changes the outbox first and has the relay read it anew then. Which states allow it is in
//! `domain::inbound`. Called by `api`.

use std::sync::Arc;

use crate::base::clock;
use crate::domain::ids::RowId;
use crate::domain::inbound::State;
use crate::inbound::gate::Gate;
use crate::store;
use crate::store::Store;
use crate::store::inbox::Letter;

/// Why a message stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub enum NotSteered {
    /// There is none.
    Unknown,
    /// It stands where this cannot be done.
    WrongState(State),
    /// The database.
    Store(store::Error),
}

impl From<store::Error> for NotSteered {
    fn from(error: store::Error) -> NotSteered {
        NotSteered::Store(error)
    }
}

/// What it takes to steer. Cloning shares it.
#[derive(Clone)]
pub struct Steering {
    pub(in crate::inbound) store: Store,
    /// Tells the relay.
    pub(in crate::inbound) gate: Arc<Gate>,
}

impl Steering {
    /// Tries a message again that the gateway refused. It is due now, and goes before what waits
    /// behind it in its chat; what went meanwhile stays before it.
    ///
    /// # Errors
    /// See [`NotSteered`].
    pub fn retry(&self, row: RowId) -> Result<Letter, NotSteered> {
        let moved = self.store.retry_letter(row, clock::now());
        let (letter, from) = self.moved(row, moved)?;
        let (agent, message) = (&letter.listed.agent, letter.listed.message);
        log::info!("message_retried agent={agent} message={message} from={}", from.as_str());
        Ok(letter)
    }

    /// Ends a message that waits or was refused: it is not tried again, and the next of its chat has
    /// its turn. If it is on its way just now and arrives, it is accepted all the same.
    ///
    /// # Errors
    /// See [`NotSteered`].
    pub fn discard(&self, row: RowId) -> Result<Letter, NotSteered> {
        let moved = self.store.drop_letter(row, clock::now());
        let (letter, from) = self.moved(row, moved)?;
        let (agent, message) = (&letter.listed.agent, letter.listed.message);
        log::info!("message_dropped agent={agent} message={message} from={}", from.as_str());
        Ok(letter)
    }

    /// Forgets an event that could not be read.
    ///
    /// # Errors
    /// See [`NotSteered`].
    pub fn forget(&self, row: RowId) -> Result<(), NotSteered> {
        if !self.store.forget_quarantined(row)? {
            return Err(NotSteered::Unknown);
        }
        log::info!("event_dropped quarantined={row}");
        Ok(())
    }

    /// What was moved as it now stands, and from where it was moved; the relay is told.
    fn moved(
        &self,
        row: RowId,
        moved: store::Result<State>,
    ) -> Result<(Letter, State), NotSteered> {
        if moved.is_ok() {
            self.gate.steer();
        }
        let letter = self.store.letter(row)?.ok_or(NotSteered::Unknown)?;
        match moved {
            Ok(from) => Ok((letter, from)),
            Err(store::Error::WrongState) => Err(NotSteered::WrongState(letter.listed.state)),
            Err(why) => Err(why.into()),
        }
    }
}
