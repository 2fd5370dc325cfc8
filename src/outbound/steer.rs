//! What a person does to a delivery: another try, or an end. Changes the ledger first and tells the
//! schedule then; whoever waits for a delivery that was dropped is told here. Which states allow it is
//! in `domain::delivery`. Called by `api`.

use crate::base::clock;
use crate::domain::delivery::State;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::limits;
use crate::outbound::Desk;
use crate::outbound::execute;
use crate::store;
use crate::store::ledger::Delivery;

/// The contract's code of a delivery that was dropped.
const DROPPED: &str = "failed_precondition";

/// Why a delivery stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub enum NotSteered {
    /// There is none of this id.
    Unknown,
    /// It stands where this cannot be done.
    WrongState(State),
    /// Too many deliveries are unfinished already.
    Full,
    /// The database.
    Store(store::Error),
}

impl From<store::Error> for NotSteered {
    fn from(error: store::Error) -> NotSteered {
        NotSteered::Store(error)
    }
}

impl Desk {
    /// Tries a delivery again that was given up; it is due now. What may have happened is looked up
    /// first, as always.
    ///
    /// # Errors
    /// See [`NotSteered`].
    pub fn retry(&self, id: &DeliveryId) -> Result<Delivery, NotSteered> {
        let store = &self.shared.store;
        let known = self.known(id)?;
        if store.unfinished() >= limits::DELIVERIES_UNFINISHED_MAX {
            return Err(NotSteered::Full);
        }
        let moved = store.retry(known.row, clock::now()).map_err(|why| self.unmoved(id, why))?;
        log::info!("delivery_retried delivery={id} from={}", moved.from.as_str());
        self.shared.steer(known.row);
        self.known(id)
    }

    /// Ends a delivery that is not running just now: nothing more is tried, and the next one of its
    /// dialog gets its turn.
    ///
    /// # Errors
    /// See [`NotSteered`].
    pub fn cancel(&self, id: &DeliveryId) -> Result<Delivery, NotSteered> {
        let store = &self.shared.store;
        let row = self.known(id)?.row;
        let moved = store.cancel(row, DROPPED, told, clock::now());
        let moved = moved.map_err(|why| self.unmoved(id, why))?;
        log::info!("delivery_dropped delivery={id} from={}", moved.from.as_str());
        self.shared.steer(row);
        execute::clear_shelf(&self.shared, row);
        let dropped = self.known(id)?;
        self.shared.waiters.resolve(dropped.clone());
        Ok(dropped)
    }

    /// Drops what is unfinished of an agent that is to be forgotten and is paused already. How many
    /// deliveries are left: those that are being sent just now, and all beyond a bound.
    ///
    /// # Errors
    /// See [`store::Error`]; what was dropped stays so.
    pub fn drop_all_of(&self, agent: &AgentName) -> store::Result<usize> {
        let unfinished = self.shared.store.unfinished_of(agent)?;
        let mut left = unfinished.len();
        for id in unfinished.iter().take(limits::FORGET_DELIVERIES_MAX) {
            match self.cancel(id) {
                Ok(_) => left -= 1,
                // It ended by itself.
                Err(NotSteered::WrongState(state)) if state.is_end() => left -= 1,
                Err(NotSteered::Store(why)) => return Err(why),
                Err(_) => {}
            }
        }
        Ok(left)
    }

    fn known(&self, id: &DeliveryId) -> Result<Delivery, NotSteered> {
        self.find(id)?.ok_or(NotSteered::Unknown)
    }

    /// The state that did not allow it, as it is now.
    fn unmoved(&self, id: &DeliveryId, why: store::Error) -> NotSteered {
        match (why, self.known(id)) {
            (store::Error::WrongState, Ok(known)) => NotSteered::WrongState(known.state),
            (why, _) => NotSteered::Store(why),
        }
    }
}

/// What is told of a delivery that was dropped in this state, after this failure.
fn told(from: State, failure: Option<&str>) -> String {
    let mut told = "a person dropped it".to_owned();
    if matches!(from, State::Unknown | State::Parked) {
        told.push_str("; whether the portal shows it was not known");
    }
    if let Some(failure) = failure {
        told.push_str("; before that: ");
        told.push_str(failure);
    }
    told
}
