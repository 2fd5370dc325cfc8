//! Rank 4: what keeps the database small for years. The `upkeep` thread removes what ended longer ago
//! than BITRIX24_RETENTION_DAYS, some rows at a time so that nobody waits for it; it is woken once an
//! hour and ends on stop. Knows no portal. Called by `app`.

use std::time::Duration;

use crate::base::clock;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::limits;
use crate::store;
use crate::store::Store;
use crate::store::prune::Old;

/// The thread. Trigger before thread: dropping asks it to end, then joins.
pub struct Upkeep {
    trigger: Option<StopTrigger>,
    _thread: Thread,
}

impl Upkeep {
    /// Starts the thread, which keeps what ended less than `retention` ago.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn start(store: Store, retention: Duration, exits: &Exits) -> std::io::Result<Upkeep> {
        let (trigger, stop) = Stop::new();
        let body = move || {
            while !stop.is_set() {
                match prune(&store, retention, &stop) {
                    Ok(Removed { deliveries: 0, messages: 0 }) => {}
                    Ok(Removed { deliveries, messages }) => {
                        log::info!("old_rows_removed deliveries={deliveries} messages={messages}");
                    }
                    Err(why) => log::warn!("old_rows_not_removed reason={why}"),
                }
                stop.wait(limits::UPKEEP_EVERY);
            }
        };
        let thread = Thread::spawn(ThreadName::Upkeep, exits, body)?;
        Ok(Upkeep { trigger: Some(trigger), _thread: thread })
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.trigger.take();
    }
}

/// What went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Removed {
    deliveries: usize,
    messages: usize,
}

fn prune(store: &Store, retention: Duration, stop: &Stop) -> store::Result<Removed> {
    let before = clock::now().minus(retention);
    let remove = |old: Old| -> store::Result<usize> {
        let (mut removed, mut from) = (0, None);
        loop {
            let batch = store.prune(old, from, before)?;
            removed += batch.removed;
            from = batch.next;
            // Others write between two batches.
            if from.is_none() || stop.wait(limits::PRUNE_PAUSE) {
                return Ok(removed);
            }
        }
    };
    Ok(Removed { deliveries: remove(Old::Deliveries)?, messages: remove(Old::Messages)? })
}
