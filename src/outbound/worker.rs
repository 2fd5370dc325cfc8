//! The `deliver-N` pool: takes a delivery, executes it under `catch_unwind`, reports. Woken by its
//! job queue; ends when the queue closes. A job that panics costs its own delivery an attempt with
//! unknown effect, and nobody else anything.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::base::clock;
use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::domain::ids::RowId;
use crate::limits;
use crate::outbound::Shared;
use crate::outbound::execute;
use crate::outbound::schedule::Finished;
use crate::store;

/// Starts one worker.
pub(super) fn start(
    number: usize,
    shared: &Arc<Shared>,
    jobs: Receiver<RowId>,
    done: Sender<Finished>,
    exits: &Exits,
) -> std::io::Result<Thread> {
    let shared = Arc::clone(shared);
    Thread::spawn(ThreadName::Deliver(number), exits, move || {
        while let Ok(row) = jobs.recv() {
            let finished = work(&shared, row);
            // Fails only when the schedule is gone, which means that the process is ending.
            let _ = done.send(finished);
        }
    })
}

/// Runs a delivery and says how it goes on, whatever happens.
pub(super) fn work(shared: &Shared, row: RowId) -> Finished {
    let executed = catch_unwind(AssertUnwindSafe(|| execute::execute(shared, row)));
    let finished = executed.unwrap_or_else(|_| {
        count(Counter::HandlerPanics);
        log::error!("delivery_panicked row={row}");
        execute::after_panic(shared, row)
    });
    let finished = match finished {
        // A person dropped it between two steps, which is its end.
        Err(store::Error::WrongState) if execute::is_over(shared, row) => {
            execute::clear_shelf(shared, row);
            Ok(Finished::Ended(row))
        }
        finished => finished,
    };
    let finished = finished.unwrap_or_else(|why| {
        // The database refused: whatever the portal did, the ledger does not know. The row runs
        // again, and what it finds there, an open attempt at worst, says how.
        log::error!("delivery_not_recorded row={row} reason={why}");
        Finished::Again(row, clock::now().plus(limits::STORE_RETRY))
    });
    if matches!(finished, Finished::Ended(_))
        && shared.waiters.has(row)
        && let Ok(Some(delivery)) = shared.store.delivery(row)
    {
        shared.waiters.resolve(delivery);
    }
    finished
}
