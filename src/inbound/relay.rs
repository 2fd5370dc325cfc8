//! Threads `relay-N`: empty the outbox towards the gateway, the rows of one chat by one thread and in
//! the order in which they were committed. A row waits for the one before it until that one is
//! accepted, dead, or put aside. Know neither portal nor filter; every fact is in the outbox, the
//! order kept here is an index over it: a row is read anew before it is posted, so that an edit or a
//! deletion that came in time is heeded.
//!
//! Woken by a kick (rows were committed or changed, the gateway is back), a due row, or the clock.
//! Ended by the stop request, after the POST in progress.

use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::base::threads::Stop;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::MemberId;
use crate::domain::ids::RowId;
use crate::domain::inbound::State;
use crate::domain::order::Order;
use crate::domain::retry::Backoff;
use crate::gateway::BindingStatus;
use crate::gateway::Gateway;
use crate::gateway::InboundMessage;
use crate::gateway::Told;
use crate::gateway::Verdict;
use crate::inbound::Asked;
use crate::inbound::backlog::Backlog;
use crate::inbound::backlog::News;
use crate::inbound::dice;
use crate::inbound::gate::Gate;
use crate::inbound::gate::Pass;
use crate::inbound::presence::ReadMarks;
use crate::limits;
use crate::store;
use crate::store::Store;
use crate::store::outbox::InboundRow;
use crate::store::outbox::NewInbound;

const BACKOFF: Backoff =
    Backoff { first: limits::RELAY_RETRY_FIRST, most: limits::RELAY_RETRY_MAX };

/// What orders rows: a chat as one agent sees it (b24: messenger §14 R6).
type Lane = (AgentName, ChatId);

/// What all relay threads share.
#[derive(Clone)]
pub(in crate::inbound) struct RelayParts {
    /// Has the outbox.
    pub store: Store,
    /// Where rows go.
    pub gateway: Arc<Gateway>,
    /// Whether it may be tried.
    pub gate: Arc<Gate>,
    /// Told of every message that the gateway has.
    pub read: ReadMarks,
    /// Told when the gateway has a message that an answer is to be expected to.
    pub asked: Asked,
    /// Ends the threads.
    pub stop: Stop,
}

/// One thread's state.
pub(in crate::inbound) struct Relay {
    parts: RelayParts,
    number: usize,
    kicked: Receiver<()>,
    /// Agent states to tell; the first thread alone gets any.
    notes: Receiver<BindingStatus>,
    untold: BTreeMap<AgentName, BindingStatus>,
    order: Order<Lane>,
    /// The last row of the outbox that this thread has looked at.
    loaded: RowId,
    /// Rows are held back in the order until the gate's next probe.
    held: bool,
    reload_at: Instant,
    /// What the gate said when the outbox was last read from the start.
    steered: u64,
    /// What the log was told of the backlog; by the first thread alone.
    backlog: Backlog,
}

impl Relay {
    /// The thread of this number, nothing loaded yet.
    pub fn new(
        parts: RelayParts,
        number: usize,
        kicked: Receiver<()>,
        notes: Receiver<BindingStatus>,
    ) -> Relay {
        Relay {
            parts,
            number,
            kicked,
            notes,
            untold: BTreeMap::new(),
            order: Order::new(),
            loaded: RowId(0),
            held: false,
            reload_at: Instant::now(),
            steered: 0,
            backlog: Backlog::default(),
        }
    }

    /// The thread's body.
    pub fn run(mut self) {
        while !self.parts.stop.is_set() {
            match self.step() {
                Ok(None) => {}
                Ok(Some(wait)) => self.rest(wait),
                Err(store::Error::Stopped) => return,
                Err(why) => {
                    log::error!("outbox_unusable reason={why:?}");
                    self.parts.stop.wait(limits::STORE_RETRY);
                }
            }
        }
    }

    /// Does what can be done now; then how long there is nothing to do.
    fn step(&mut self) -> store::Result<Option<Duration>> {
        self.load()?;
        for note in self.notes.try_iter() {
            self.untold.insert(note.agent.clone(), note);
        }
        let untold = self.tell_next();
        let idle = self.relay_next()?;
        Ok(idle.map(|wait| wait.min(untold.unwrap_or(wait))))
    }

    /// Relays one row; `None` when it did, else how long there is none to relay.
    fn relay_next(&mut self) -> store::Result<Option<Duration>> {
        let now = clock::now();
        let Some(id) = self.order.next(now) else {
            let due = self.order.next_due();
            return Ok(Some(due.map_or(limits::RELAY_RELOAD_EVERY, |due| due.since(now))));
        };
        let (row, member) = match self.read(id) {
            Ok(Some(found)) => found,
            // A person dropped it, it was deleted on the portal, or its agent is gone.
            Ok(None) => {
                self.order.done(id);
                return Ok(None);
            }
            Err(why) => {
                self.order.postponed(id, now);
                return Err(why);
            }
        };
        match self.parts.gate.enter(row.attempts == 0, Instant::now()) {
            Ok(pass) => {
                self.forward(pass, &row, &member);
                Ok(None)
            }
            // Others may pass, so this one makes room for them.
            Err(closed) if closed.untried_pass => {
                self.order.postponed(id, now.plus(closed.wait));
                self.held = true;
                Ok(None)
            }
            Err(closed) => {
                self.order.postponed(id, now);
                Ok(Some(closed.wait))
            }
        }
    }

    /// Waits for whatever comes first.
    fn rest(&mut self, wait: Duration) {
        let until_reload = self.reload_at.saturating_duration_since(Instant::now());
        crossbeam_channel::select! {
            recv(self.parts.stop.signal()) -> _ => {}
            recv(self.kicked) -> _ => if self.held {
                // The gate moved, perhaps: rows held back for it may be due.
                self.reload_at = Instant::now();
            },
            recv(self.notes) -> note => match note {
                Ok(note) => {
                    self.untold.insert(note.agent.clone(), note);
                }
                // Whoever told us is gone: the process is ending.
                Err(_) => self.notes = crossbeam_channel::never(),
            },
            default(wait.min(until_reload)) => {}
        }
    }

    /// Adds rows to the order that it does not have yet, as far as they fit.
    fn load(&mut self) -> store::Result<()> {
        // Before the outbox is read: what is asked for later is done at the next step.
        let steered = self.parts.gate.steered();
        if steered != self.steered || Instant::now() >= self.reload_at {
            self.steered = steered;
            self.reload_at = Instant::now() + limits::RELAY_RELOAD_EVERY;
            self.order = Order::new();
            self.loaded = RowId(0);
            self.held = false;
            self.tell_backlog()?;
        }
        // A due time further away than any we set comes from a clock that was wrong.
        let latest = clock::now().plus(limits::GATEWAY_RETRY_AFTER_MAX);
        while self.order.len() < limits::RELAY_WINDOW_ROWS {
            let rows = self.parts.store.outbox_after(self.loaded, limits::RELAY_PAGE_ROWS)?;
            let full = rows.len() == limits::RELAY_PAGE_ROWS as usize;
            for row in rows {
                self.loaded = row.row;
                let lane = (row.agent, row.inbound.chat);
                if thread_of(&lane) == self.number {
                    self.order.add(row.row, lane, row.due_at.min(latest));
                }
            }
            if !full {
                break;
            }
        }
        Ok(())
    }

    /// Has the log say when many messages wait, and when that is over.
    fn tell_backlog(&mut self) -> store::Result<()> {
        if self.number != 0 {
            return Ok(());
        }
        let pending = self.parts.store.outbox_standing()?.pending;
        match self.backlog.look(pending) {
            Some(News::Growing) => log::warn!("outbox_growing pending={pending}"),
            Some(News::Shrunk) => log::info!("outbox_shrunk pending={pending}"),
            None => {}
        }
        Ok(())
    }

    /// The row as it now is, and the portal it came from.
    fn read(&self, id: RowId) -> store::Result<Option<(InboundRow, MemberId)>> {
        let Some(row) = self.parts.store.outbox_row(id)? else { return Ok(None) };
        let identity = self.parts.store.agent(&row.agent)?.and_then(|agent| agent.identity);
        // Without an identity nothing can have been received; should the database say so
        // nevertheless, the key lacks the portal and is as stable as with it.
        let member = identity.map_or_else(|| MemberId(String::new()), |identity| identity.member);
        Ok(Some((row, member)))
    }

    /// Posts a row that the order has given out, and gives it back.
    fn forward(&mut self, pass: Pass, row: &InboundRow, member: &MemberId) {
        let inbound = &row.inbound;
        let began = Instant::now();
        let verdict = self.parts.gateway.post(&InboundMessage {
            member,
            agent: &row.agent,
            dialog: inbound.dialog,
            id: inbound.message,
            text: &inbound.text,
            sender: inbound.sender,
            sender_name: &inbound.sender_name,
            mentioned: inbound.mentioned,
            reply_to: inbound.reply_to,
            sent_at: inbound.sent_at,
        });
        self.parts.gate.leave(pass, &verdict, Instant::now(), dice());
        if verdict == Verdict::Accepted {
            self.parts.read.accepted(&row.agent, inbound.dialog, inbound.message);
        }
        if verdict == Verdict::Accepted && asks(inbound) {
            (self.parts.asked)(&row.agent, inbound.dialog, began);
        }
        self.settle(row, &verdict);
    }

    /// Records what became of a row.
    fn settle(&mut self, row: &InboundRow, verdict: &Verdict) {
        let (id, agent, message) = (row.row, &row.agent, row.inbound.message);
        let store = &self.parts.store;
        match verdict {
            Verdict::Accepted => {
                let was = self.record(id, |now| store.letter_accepted(id, now)).flatten();
                count(Counter::MessagesRelayed);
                log::info!("message_relayed agent={agent} message={message}");
                if let Some(was) = was.filter(|was| *was != State::Pending) {
                    let was = was.as_str();
                    log::warn!("message_was_on_its_way agent={agent} message={message} was={was}");
                }
                self.order.done(id);
            }
            Verdict::Refused { code } => {
                self.record(id, |now| store.inbound_dead(id, code, now));
                count(Counter::MessagesDead);
                log::warn!("message_dead agent={agent} message={message} code={code}");
                self.order.done(id);
            }
            Verdict::Retry { code, after, .. } => {
                // The gate heeds `after` as well, until somebody else's message opens it.
                let delay = BACKOFF.delay(row.attempts.saturating_add(1), dice());
                let due = clock::now().plus(delay.max(after.unwrap_or_default()));
                if let Err(why) = store.inbound_retry(id, due, code) {
                    // Only the count of attempts is lost; the order here knows when to go on.
                    log::warn!("outbox_unusable reason={why:?}");
                }
                self.order.postponed(id, due);
            }
            // The gate rules when the next one goes; nothing is wrong with this row.
            Verdict::SecretRefused { .. } => self.order.postponed(id, clock::now()),
        }
    }

    /// Records an end, however long the database refuses: a message that the gateway has must not
    /// be sent again because a disk is full. Given up only when the process ends; the same message
    /// then goes again with the same key.
    fn record<T>(&self, id: RowId, change: impl Fn(UnixMs) -> store::Result<T>) -> Option<T> {
        let mut told = false;
        loop {
            let why = match change(clock::now()) {
                Ok(done) => return Some(done),
                Err(why) => why,
            };
            if !told {
                log::error!("outbox_not_recorded row={id} reason={why:?}");
                told = true;
            }
            let closed = why == store::Error::Stopped;
            if closed || self.parts.stop.wait(limits::STORE_RETRY) {
                return None;
            }
        }
    }

    /// Tells one agent's state; how long until the next can be told, if one is left.
    fn tell_next(&mut self) -> Option<Duration> {
        let (_, status) = self.untold.first_key_value()?;
        let pass = match self.parts.gate.enter(false, Instant::now()) {
            Ok(pass) => pass,
            Err(closed) => return Some(closed.wait),
        };
        let outcome = self.parts.gateway.binding_status(status);
        self.parts.gate.told(pass, outcome, Instant::now(), dice());
        // Without an answer it stays, which also finds out when the gateway is back while nobody
        // writes.
        if outcome != Told::Unanswered {
            self.untold.pop_first();
        }
        (!self.untold.is_empty()).then_some(Duration::ZERO)
    }
}

/// Whether an answer is to be expected: in a group where everything is forwarded, most of it asks
/// the agent nothing.
fn asks(inbound: &NewInbound) -> bool {
    inbound.dialog.is_private() || inbound.mentioned || inbound.reply_to.is_some()
}

/// Which thread carries a lane. Equal within one run, which is all that order needs.
fn thread_of(lane: &Lane) -> usize {
    let mut hasher = DefaultHasher::new();
    lane.hash(&mut hasher);
    // The remainder is below a small number of threads.
    (hasher.finish() % limits::RELAY_THREADS as u64) as usize
}
