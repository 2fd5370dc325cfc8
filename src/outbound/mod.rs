//! Rank 4: from a Deliver call to one visible message. `accept` makes a call durable, `waiters` hold
//! the callers, `schedule` decides what runs next, `worker` runs it, `execute` talks to the portal,
//! `reconcile` finds out what an unknown attempt did. Never calls `inbound`.

mod accept;
mod execute;
#[allow(dead_code, reason = "called once deliveries carry files")]
pub mod media;
mod reconcile;
mod schedule;
pub mod shelf;
mod waiters;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

pub use accept::DeliverRequest;
pub use accept::Refused;
pub use waiters::Outcome;
pub use waiters::Reply;

use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::RowId;
use crate::markup::Mentions;
use crate::store;
use crate::store::Store;
use crate::store::ledger::Accepted;
use crate::store::ledger::Delivery;
use waiters::Waiters;

/// What the outbound flow is built from.
pub struct OutboundParts {
    /// The ledger.
    pub store: Store,
    /// The agents.
    pub registry: Arc<Registry>,
    /// Size of the pool.
    pub workers: usize,
    /// Whether agents may mention everyone.
    pub mention_all: bool,
}

/// What the threads of this flow share.
pub(crate) struct Shared {
    store: Store,
    registry: Arc<Registry>,
    mentions: Mentions,
    waiters: Waiters,
    /// A hint to look at the ledger; full means that one is pending.
    kick: Sender<()>,
    stopping: AtomicBool,
}

/// The running flow. Field order is stop order.
pub struct Outbound {
    desk: Desk,
    schedule: schedule::Schedule,
    workers: Vec<Thread>,
}

/// Where Deliver calls come in. Cloning shares it.
#[derive(Clone)]
pub struct Desk {
    shared: Arc<Shared>,
}

impl Outbound {
    /// Turns interrupted attempts into unknown outcomes and starts the threads.
    ///
    /// # Errors
    /// The database, or the operating system refused a thread.
    pub fn start(parts: OutboundParts, exits: &Exits) -> Result<Outbound, store::Error> {
        let interrupted = parts.store.interrupt_attempts(clock::now())?;
        if interrupted > 0 {
            log::info!("attempts_interrupted count={interrupted}");
        }
        let (kick, kicked) = crossbeam_channel::bounded(1);
        let shared = Arc::new(Shared {
            store: parts.store,
            registry: parts.registry,
            mentions: Mentions { all: parts.mention_all, members: Vec::new() },
            waiters: Waiters::new(),
            kick,
            stopping: AtomicBool::new(false),
        });
        let threads = start_threads(&shared, parts.workers, kicked, exits);
        let (schedule, workers) =
            threads.map_err(|why| store::Error::Other(format!("outbound threads: {why}")))?;
        Ok(Outbound { desk: Desk { shared }, schedule, workers })
    }

    /// Where calls come in.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Phase one of stopping: refuses new calls, lets attempts in flight finish until `deadline`,
    /// and tells every waiting caller. What is unfinished goes on at the next start.
    pub fn drain(&mut self, deadline: Instant) {
        self.desk.shared.stopping.store(true, Ordering::SeqCst);
        self.schedule.drain(deadline);
        self.desk.shared.waiters.resolve_all();
        for worker in &mut self.workers {
            if !worker.join_until(deadline) {
                log::warn!("thread_left_behind thread={}", worker.name());
            }
        }
    }
}

fn start_threads(
    shared: &Arc<Shared>,
    count: usize,
    kicked: Receiver<()>,
    exits: &Exits,
) -> std::io::Result<(schedule::Schedule, Vec<Thread>)> {
    let (jobs, queue) = crossbeam_channel::bounded(count);
    let (done, finished) = crossbeam_channel::bounded(count);
    let mut workers = Vec::new();
    for number in 0..count {
        workers.push(worker::start(number, shared, queue.clone(), done.clone(), exits)?);
    }
    let wires = schedule::Wires { kicked, jobs, finished };
    let schedule = schedule::Schedule::start(Arc::clone(shared), wires, count, exits)?;
    Ok((schedule, workers))
}

impl Desk {
    /// Takes a Deliver call. `reply` is called once: now, when the outcome is known already; by
    /// the thread that finishes the delivery; or at `deadline`.
    ///
    /// # Errors
    /// Why the call is refused; `reply` was not called then.
    pub fn deliver(
        &self,
        request: DeliverRequest,
        deadline: Instant,
        reply: Reply,
    ) -> Result<(), Refused> {
        let (row, replayed) = match self.accept(request)? {
            Accepted::New(row) => (row, false),
            Accepted::Same(known) if known.state.is_end() => {
                reply(Outcome::Finished { delivery: known, replayed: true });
                return Ok(());
            }
            Accepted::Same(known) => (known.row, true),
            Accepted::Conflict => return Err(Refused::Conflict),
            Accepted::Full => return Err(Refused::Full),
        };
        // Whatever becomes of the caller, the delivery stands.
        let waiting = self.wait(row, deadline, replayed, reply);
        self.shared.kick();
        waiting
    }

    /// Lets a caller wait for a delivery that is in the ledger.
    fn wait(
        &self,
        row: RowId,
        deadline: Instant,
        replayed: bool,
        reply: Reply,
    ) -> Result<(), Refused> {
        self.shared.waiters.add(row, deadline, replayed, reply)?;
        // It may have ended before: a worker was quicker than this thread. Then nobody else tells.
        if let Ok(Some(now)) = self.shared.store.delivery(row)
            && now.state.is_end()
        {
            self.shared.waiters.resolve(now);
        }
        Ok(())
    }

    /// Takes a Deliver call and answers as soon as it is durable: the delivery as it then is.
    ///
    /// # Errors
    /// Why the call is refused.
    pub fn deliver_later(&self, request: DeliverRequest) -> Result<(Delivery, bool), Refused> {
        let gone = || Refused::Store(store::Error::WrongState);
        match self.accept(request)? {
            Accepted::New(row) => {
                self.shared.kick();
                Ok((self.shared.store.delivery(row)?.ok_or_else(gone)?, false))
            }
            Accepted::Same(known) => Ok((*known, true)),
            Accepted::Conflict => Err(Refused::Conflict),
            Accepted::Full => Err(Refused::Full),
        }
    }

    /// A delivery by its id.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn find(&self, id: &DeliveryId) -> Result<Option<Delivery>, store::Error> {
        self.shared.store.delivery_by_id(id)
    }

    fn accept(&self, request: DeliverRequest) -> Result<Accepted, Refused> {
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Err(Refused::Stopping);
        }
        accept::accept(&self.shared, request)
    }
}

impl Shared {
    /// Hints that the ledger has something new.
    fn kick(&self) {
        // Full means that a hint is pending already.
        let _ = self.kick.try_send(());
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
