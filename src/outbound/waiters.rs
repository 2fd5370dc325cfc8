//! Callers waiting for an outcome, without a thread each: a callback and a deadline by delivery.
//! Whoever finishes a delivery resolves its waiters; the schedule thread expires the others.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::domain::ids::RowId;
use crate::limits;
use crate::outbound::Refused;
use crate::store::ledger::Delivery;

/// What a caller is told.
pub enum Outcome {
    /// The delivery reached an end.
    Finished {
        /// As it ended.
        delivery: Box<Delivery>,
        /// Whether this caller repeated an earlier call.
        replayed: bool,
    },
    /// Its deadline passed; the delivery goes on.
    TimedOut,
    /// The connector is stopping; the delivery goes on at the next start.
    Stopping,
}

/// How a caller is told; called once.
pub type Reply = Box<dyn FnOnce(Outcome) + Send>;

struct Waiter {
    deadline: Instant,
    replayed: bool,
    reply: Reply,
}

/// Everybody who waits.
pub(super) struct Waiters {
    by_delivery: Mutex<HashMap<RowId, Vec<Waiter>>>,
}

impl Waiters {
    pub(super) fn new() -> Waiters {
        Waiters { by_delivery: Mutex::new(HashMap::new()) }
    }

    /// Lets a caller wait for a delivery.
    ///
    /// # Errors
    /// [`Refused::Full`]; the delivery itself stands.
    pub(super) fn add(
        &self,
        row: RowId,
        deadline: Instant,
        replayed: bool,
        reply: Reply,
    ) -> Result<(), Refused> {
        let mut waiting = self.waiting();
        if waiting.values().map(Vec::len).sum::<usize>() >= limits::DELIVERY_WAITERS_MAX {
            return Err(Refused::Full);
        }
        waiting.entry(row).or_default().push(Waiter { deadline, replayed, reply });
        Ok(())
    }

    /// Tells everybody who waits for this delivery.
    pub(super) fn resolve(&self, delivery: Delivery) {
        // Taken out first: a reply is written to a socket, and no lock is held over that.
        let waiters = self.waiting().remove(&delivery.row).unwrap_or_default();
        for waiter in waiters {
            let (delivery, replayed) = (Box::new(delivery.clone()), waiter.replayed);
            (waiter.reply)(Outcome::Finished { delivery, replayed });
        }
    }

    /// Whether anybody waits for a delivery.
    pub(super) fn has(&self, row: RowId) -> bool {
        self.waiting().contains_key(&row)
    }

    /// Tells everybody whose deadline passed.
    pub(super) fn expire(&self, now: Instant) {
        let mut late = Vec::new();
        // The lock is free again before the first reply is written.
        self.waiting().retain(|_, waiters| {
            late.extend(waiters.extract_if(.., |waiter| waiter.deadline <= now));
            !waiters.is_empty()
        });
        for waiter in late {
            (waiter.reply)(Outcome::TimedOut);
        }
    }

    /// Tells everybody that the connector is stopping.
    pub(super) fn resolve_all(&self) {
        let all: Vec<Waiter> = self.waiting().drain().flat_map(|(_, waiters)| waiters).collect();
        for waiter in all {
            (waiter.reply)(Outcome::Stopping);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RowId, Vec<Waiter>>> {
        // Insertions and removals only; a panic leaves the map whole.
        self.by_delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
