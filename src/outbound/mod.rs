//! Rank 4: from a Deliver call to one visible effect. `accept` makes a call durable, `waiters` hold
//! the callers, `schedule` decides what runs next, `worker` runs it, `plan` finds its steps out,
//! `execute` takes them one by one, `act` makes their requests, `reconcile` finds out what an unknown
//! attempt did, `steer` is what a person does to a delivery. Never calls `inbound`.

mod accept;
mod act;
mod evidence;
mod execute;
pub mod media;
mod members;
mod memo;
mod permit;
mod plan;
mod reconcile;
mod schedule;
pub mod shelf;
mod slots;
mod steer;
mod typing;
mod verdict;
mod waiters;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

pub use accept::Aim;
pub use accept::DeliverRequest;
pub use accept::Media;
pub use accept::MediaSource;
pub use accept::Refused;
pub use permit::InChat;
pub use steer::NotSteered;
pub use waiters::Outcome;
pub use waiters::Reply;

use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::bitrix::methods::DialogFacts;
use crate::directory::Directory;
use crate::domain::acl;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::domain::step::FileWay;
use crate::limits;
use crate::store;
use crate::store::Store;
use crate::store::ledger::Accepted;
use crate::store::ledger::Delivery;
use evidence::Evidence;
use media::Fetcher;
use members::Members;
use memo::Memo;
use shelf::Shelf;
use slots::Slots;
use typing::Hint;
use typing::Typing;
use waiters::Waiters;

/// What the outbound flow is built from.
pub struct OutboundParts {
    /// The ledger.
    pub store: Store,
    /// The agents.
    pub registry: Arc<Registry>,
    /// Knows who may talk with an agent.
    pub directory: Arc<Directory>,
    /// Size of the pool.
    pub workers: usize,
    /// Whether agents may mention everyone.
    pub mention_all: bool,
    /// Whether agents may be shown as typing.
    pub typing: bool,
    /// Where files are kept.
    pub shelf: Shelf,
    /// Fetches files, from where that is allowed.
    pub fetcher: Fetcher,
}

/// What the threads of this flow share.
pub(crate) struct Shared {
    store: Store,
    registry: Arc<Registry>,
    directory: Arc<Directory>,
    mention_all: bool,
    waiters: Waiters,
    shelf: Shelf,
    fetcher: Fetcher,
    slots: Slots,
    evidence: Evidence,
    /// Who takes part in a dialog.
    members: Memo<(AgentName, DialogId), Members>,
    /// In which groups somebody who may has just asked the agent something, and under which rule.
    met: Memo<(AgentName, DialogId), acl::Rule>,
    /// What kind of chat a dialog is.
    chats: Memo<(AgentName, DialogId), DialogFacts>,
    /// Whether people who are not in the structure are colleagues.
    colleagues: Memo<(AgentName, DialogId), bool>,
    /// How the portal takes an agent's files.
    file_ways: Memo<AgentName, FileWay>,
    /// Hints that an agent types; `None` when nobody is to see that.
    typing: Option<Sender<Hint>>,
    /// A hint to look at the ledger; full means that one is pending.
    kick: Sender<()>,
    /// Rows that a person moved behind the schedule's back. Hints as well: the next start would find
    /// them all in the ledger.
    steered: Mutex<BTreeSet<RowId>>,
    stopping: AtomicBool,
}

/// The running flow. Field order is stop order.
pub struct Outbound {
    desk: Desk,
    schedule: schedule::Schedule,
    workers: Vec<Thread>,
    typing: Typing,
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
        sweep(&parts.store, &parts.shelf)?;
        let workers = parts.workers;
        let (kick, kicked) = crossbeam_channel::bounded(1);
        let (hint, hints) = typing::queue();
        let shared = Arc::new(Shared::new(parts, kick, hint)?);
        let told = |why: std::io::Error| store::Error::Other(format!("outbound threads: {why}"));
        let (schedule, workers) = start_threads(&shared, workers, kicked, exits).map_err(told)?;
        let typing = Typing::start(Arc::clone(&shared), hints, exits).map_err(told)?;
        Ok(Outbound { desk: Desk { shared }, schedule, workers, typing })
    }

    /// Where calls come in.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Phase one of stopping: refuses new calls, lets attempts in flight finish until `deadline`,
    /// and tells every waiting caller. What is unfinished goes on at the next start.
    pub fn drain(&mut self, deadline: Instant) {
        self.desk.shared.stopping.store(true, Ordering::SeqCst);
        // Nobody sees what a fetch has brought so far, and it may take minutes.
        self.desk.shared.fetcher.shutdown();
        self.typing.stop(deadline);
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
    let wires = schedule::Wires { kicked, mendings: shared.registry.mendings(), jobs, finished };
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
        if let Ok(true) = self.shared.store.has_ended(row)
            && let Ok(Some(ended)) = self.shared.store.delivery(row)
        {
            self.shared.waiters.resolve(ended);
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

    /// Takes a typing call: the agent is shown as typing, if the portal's rate allows. `false` when
    /// that is switched off.
    ///
    /// # Errors
    /// Why the call is refused.
    pub fn typing(&self, agent: &AgentName, dialog: DialogId) -> Result<bool, Refused> {
        let known = self.shared.registry.agent(agent).ok_or(Refused::UnknownAgent)?;
        if !known.state.works() {
            return Err(Refused::AgentNotReady(known.state, known.reason));
        }
        Ok(self.shared.hint(|| Hint::Types((agent.clone(), dialog))))
    }

    /// The gateway has a message from a dialog, whose author and kind were found good: an answer may go
    /// there. About one person memory has the answer anyway, so that only groups are remembered.
    pub fn met(&self, agent: &AgentName, dialog: DialogId) {
        if !dialog.is_private() {
            let rule = self.shared.directory.rule_of(agent).rule;
            self.shared.met.keep((agent.clone(), dialog), rule);
        }
    }

    /// The gateway has a message for an agent since that moment, so an answer is to be expected.
    pub fn asked(&self, agent: &AgentName, dialog: DialogId, since: Instant) {
        self.shared.hint(|| Hint::Asked((agent.clone(), dialog), since));
    }

    /// Writes to somebody who may not talk with an agent that they may not, once a day at most.
    pub fn notice(&self, agent: &AgentName, person: UserId, text: &str) {
        match accept::notice(&self.shared, agent, person, text) {
            Ok(true) => self.shared.kick(),
            Ok(false) => {}
            Err(why) => log::warn!("notice_not_queued agent={agent} user={person} reason={why:?}"),
        }
    }

    /// What the rules say of a group in which an agent, whose account is `own`, might write.
    ///
    /// # Errors
    /// The portal did not tell.
    pub fn in_chat(
        &self,
        agent: &AgentName,
        own: UserId,
        dialog: DialogId,
    ) -> Result<InChat, Failure> {
        permit::in_chat(&self.shared, agent, own, dialog)
    }

    /// Where the files of calls go.
    pub fn shelf(&self) -> &Shelf {
        &self.shared.shelf
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

/// Removes files that no delivery needs any more: what a crash left behind.
fn sweep(store: &Store, shelf: &Shelf) -> Result<(), store::Error> {
    let wanted = store.wanted_files()?.into_iter().collect();
    match shelf.sweep(&wanted) {
        Ok(0) => {}
        Ok(count) => log::info!("files_swept count={count}"),
        // They cost room and nothing else.
        Err(why) => log::warn!("files_not_swept reason={why}"),
    }
    Ok(())
}

impl Shared {
    fn new(
        parts: OutboundParts,
        kick: Sender<()>,
        hint: Sender<Hint>,
    ) -> Result<Shared, store::Error> {
        Ok(Shared {
            evidence: Evidence::load(&parts.store)?,
            store: parts.store,
            registry: parts.registry,
            directory: parts.directory,
            mention_all: parts.mention_all,
            waiters: Waiters::new(),
            shelf: parts.shelf,
            fetcher: parts.fetcher,
            slots: Slots::new((parts.workers / 2).max(1)),
            members: Memo::new(limits::MEMBERS_KEPT, limits::MEMBERS_DIALOGS_MAX),
            met: Memo::new(limits::DIALOG_MET_KEPT, limits::DIALOGS_MET_MAX),
            chats: Memo::new(limits::MEMBERS_KEPT, limits::MEMBERS_DIALOGS_MAX),
            colleagues: Memo::new(limits::MEMBERS_KEPT, limits::MEMBERS_DIALOGS_MAX),
            file_ways: Memo::new(limits::FILE_WAY_KEPT, limits::FILE_WAYS_MAX),
            typing: parts.typing.then_some(hint),
            kick,
            steered: Mutex::new(BTreeSet::new()),
            stopping: AtomicBool::new(false),
        })
    }

    /// Tells the typing thread something; `false` when there is none.
    fn hint(&self, hint: impl FnOnce() -> Hint) -> bool {
        let Some(hints) = &self.typing else { return false };
        // Full means that the portal has no room for it now; late it is worth nothing.
        let _ = hints.try_send(hint());
        true
    }

    /// Hints that the ledger has something new.
    fn kick(&self) {
        // Full means that a hint is pending already.
        let _ = self.kick.try_send(());
    }

    /// Hints that a person moved this row.
    fn steer(&self, row: RowId) {
        self.steered().insert(row);
        self.kick();
    }

    fn steered(&self) -> std::sync::MutexGuard<'_, BTreeSet<RowId>> {
        // Single insertions and removals; a panic leaves the set whole.
        self.steered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
