//! The `schedule` thread: decides which delivery runs next and hands it to an idle worker. Owns the
//! order of dialogs in memory; the ledger has the facts. Woken by a kick, by a finished job, by an
//! agent that works again, by the next due time, and every second in case a kick was lost; ends when it is drained.
//!
//! INVARIANT: one runner per dialog. Only this thread starts deliveries, and `domain::order` never
//! gives it a second one of a dialog.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::RowId;
use crate::domain::order::Order;
use crate::limits;
use crate::outbound::Shared;

/// What a worker reports of a job.
pub(super) enum Finished {
    /// The delivery reached an end.
    Ended(RowId),
    /// It is to run again at this time.
    Again(RowId, UnixMs),
}

/// The thread's connections.
pub(super) struct Wires {
    pub(super) kicked: Receiver<()>,
    /// Agents that work again after a wait, a pause or a loss.
    pub(super) mendings: Receiver<AgentName>,
    pub(super) jobs: Sender<RowId>,
    pub(super) finished: Receiver<Finished>,
}

/// The thread. Trigger before thread: dropping asks it to end, then joins.
pub(super) struct Schedule {
    trigger: Option<StopTrigger>,
    thread: Thread,
}

impl Schedule {
    pub(super) fn start(
        shared: Arc<Shared>,
        wires: Wires,
        workers: usize,
        exits: &Exits,
    ) -> std::io::Result<Schedule> {
        let (trigger, stop) = Stop::new();
        let thread = Thread::spawn(ThreadName::Schedule, exits, move || {
            let mut state = State::new(&shared, wires, workers);
            while !stop.is_set() {
                state.turn(&stop);
            }
            state.finish();
        })?;
        Ok(Schedule { trigger: Some(trigger), thread })
    }

    /// Starts nothing more and waits until every job in flight is finished, at most until
    /// `deadline`. The job queue closes with the thread, which ends the workers.
    pub(super) fn drain(&mut self, deadline: Instant) {
        self.trigger.take();
        if !self.thread.join_until(deadline) {
            log::warn!("thread_left_behind thread={}", self.thread.name());
        }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.trigger.take();
    }
}

/// What the thread knows.
pub(super) struct State<'a> {
    shared: &'a Shared,
    wires: Wires,
    order: Order<(AgentName, DialogId)>,
    /// Every unfinished delivery up to this row is in `order` or was.
    seen: RowId,
    idle: usize,
    workers: usize,
    next_look: Instant,
    next_expiry: Instant,
}

impl<'a> State<'a> {
    pub(super) fn new(shared: &'a Shared, wires: Wires, workers: usize) -> State<'a> {
        let now = Instant::now();
        State {
            shared,
            wires,
            order: Order::new(),
            seen: RowId(0),
            idle: workers,
            workers,
            next_look: now,
            next_expiry: now,
        }
    }

    /// One round: look, start what can run, then wait for something to happen.
    fn turn(&mut self, stop: &Stop) {
        let now = Instant::now();
        if now >= self.next_look {
            self.look();
        }
        if now >= self.next_expiry {
            self.shared.waiters.expire(now);
            self.next_expiry = now + limits::DELIVERY_EXPIRY_TICK;
        }
        self.start_due();
        let due = self.order.next_due().filter(|_| self.idle > 0);
        let due = due.map(|due| due.since(clock::now()));
        let look = self.next_look.saturating_duration_since(now);
        let wait = look.min(limits::DELIVERY_EXPIRY_TICK).min(due.unwrap_or(Duration::MAX));
        crossbeam_channel::select! {
            recv(self.wires.kicked) -> _ => self.look(),
            recv(self.wires.finished) -> finished => {
                finished.into_iter().for_each(|finished| self.settle(finished));
                while let Ok(finished) = self.wires.finished.try_recv() {
                    self.settle(finished);
                }
            }
            recv(self.wires.mendings) -> agent => match agent {
                Ok(agent) => self.hurry(&agent),
                // The registry is gone: the process is ending.
                Err(_) => self.wires.mendings = crossbeam_channel::never(),
            },
            recv(stop.signal()) -> _ => {}
            default(wait) => {}
        }
    }

    /// Reads what the ledger has beyond what is known.
    pub(super) fn look(&mut self) {
        self.next_look = Instant::now() + limits::SCHEDULE_TICK;
        self.heed();
        // A due time further away than any we set comes from a clock that was wrong.
        let latest = clock::now().plus(limits::DELIVERY_DUE_MAX);
        // Bounded: the ledger never has more unfinished deliveries than DELIVERIES_UNFINISHED_MAX.
        loop {
            let page = match self.shared.store.unfinished_after(self.seen, limits::SCHEDULE_PAGE) {
                Ok(page) => page,
                Err(why) => {
                    // The next look is a second away; the facts stay where they are.
                    log::error!("ledger_not_read reason={why}");
                    return;
                }
            };
            let full = page.len() == limits::SCHEDULE_PAGE as usize;
            for found in page {
                self.seen = found.row;
                self.order.add(found.row, (found.agent, found.dialog), found.due_at.min(latest));
            }
            if !full {
                return;
            }
        }
    }

    /// What waited for an agent to work again goes now.
    fn hurry(&mut self, agent: &AgentName) {
        match self.shared.store.hurry(agent, clock::now()) {
            Ok(rows) => self.shared.steered().extend(rows),
            // It goes when it is due.
            Err(why) => log::warn!("deliveries_not_hurried agent={agent} reason={why}"),
        }
        self.look();
    }

    /// Takes over what moved besides: a row that is unfinished again is older than what was seen, one
    /// that was dropped must not hold its dialog back.
    fn heed(&mut self) {
        let latest = clock::now().plus(limits::DELIVERY_DUE_MAX);
        let steered = std::mem::take(&mut *self.shared.steered());
        for row in steered {
            // INVARIANT: one runner per dialog. What runs is settled first; then it is looked at
            // again.
            if self.order.is_running(row) {
                self.shared.steered().insert(row);
                continue;
            }
            match self.shared.store.delivery(row) {
                Ok(Some(found)) if !found.state.is_end() => {
                    let due = found.due_at.min(latest);
                    self.order.remove(row);
                    self.order.add(row, (found.agent, found.dialog), due);
                }
                Ok(_) => self.order.remove(row),
                Err(why) => {
                    log::error!("ledger_not_read reason={why}");
                    self.shared.steered().insert(row);
                }
            }
        }
    }

    pub(super) fn start_due(&mut self) {
        let now = clock::now();
        while self.idle > 0 {
            let Some(row) = self.order.next(now) else { return };
            self.idle -= 1;
            // There is room: no more jobs are out than there are workers. It fails only when the
            // workers are gone, and then the process is ending.
            let _ = self.wires.jobs.send(row);
        }
    }

    pub(super) fn settle(&mut self, finished: Finished) {
        self.idle += 1;
        match finished {
            Finished::Ended(row) => self.order.done(row),
            Finished::Again(row, due) => self.order.postponed(row, due),
        }
    }

    /// Waits for the jobs in flight; the owner bounds it by its deadline.
    fn finish(mut self) {
        while self.idle < self.workers {
            match self.wires.finished.recv() {
                Ok(finished) => self.settle(finished),
                Err(_) => return,
            }
        }
    }
}
