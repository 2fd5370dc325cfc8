//! What portal, authorization server and gateway of one model share: the count of exchanges, the
//! plan of faults, the history, the clock. Tests hold a [`Network`]; `net` reports to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use super::clock::Clock;
use super::fault::Fault;
use super::fault::Line;
use super::fault::Plan;
use super::fault::ServerKind;
use super::fault::When;
use crate::base::clock::UnixMs;

/// Exchanges the history keeps; older ones fall out.
const HISTORY_MAX: usize = 100_000;
/// How often a wait looks again when no exchange ends: conditions may depend on something else.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Where a request carried its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AuthForm {
    /// Nowhere.
    #[default]
    None,
    /// `auth` in the body.
    Body,
    /// `auth` in the query.
    Query,
    /// Parameter `access_token`.
    AccessToken,
    /// Header `Authorization: Bearer`.
    Bearer,
    /// User and secret in the path.
    Webhook,
    /// Client id and secret (token endpoint) or shared secret (gateway).
    Secret,
}

/// One exchange as the model saw it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its number from 1; 0 when left out by [`Network::count_only`].
    pub number: u64,
    /// The server addressed.
    pub server: ServerKind,
    /// HTTP method.
    pub http_method: String,
    /// Path with query as received, secrets included.
    pub path: String,
    /// The REST method, lower-case; empty when it was none or was never looked at.
    pub rest_method: String,
    /// Where the credentials were.
    pub auth: AuthForm,
    /// The user the request acted as, when it got that far.
    pub user: Option<u64>,
    /// HTTP status answered; 0 = nothing was.
    pub status: u16,
    /// `error` of the answer, empty when there was none.
    pub error: String,
    /// Name of the fault applied.
    pub fault: Option<&'static str>,
    /// Messages that the answer tells of as new: what an agent hears of by it.
    pub told: Vec<u64>,
    /// The model's time.
    pub at: UnixMs,
    /// When its head was there, or when the model's own call left, by the machine's clock.
    pub began: Instant,
    /// When it ended, by the machine's clock.
    pub ended: Instant,
}

/// One model's shared part. Cloning shares it.
#[derive(Clone)]
pub struct Network(Arc<State>);

struct State {
    clock: Clock,
    count: AtomicU64,
    /// Whether any fault is planned, so that an idle plan costs no lock.
    armed: AtomicBool,
    filtered: AtomicBool,
    plan: Mutex<Planning>,
    recording: AtomicBool,
    history: Mutex<VecDeque<Exchange>>,
    ended: Condvar,
}

#[derive(Default)]
struct Planning {
    plan: Plan,
    filter: Option<Filter>,
}

/// Which exchanges are counted.
type Filter = Arc<dyn Fn(Line<'_>) -> bool + Send + Sync>;

/// What the network decided about one exchange.
#[derive(Debug)]
pub struct Decision {
    /// Its number, 0 when not counted.
    pub number: u64,
    /// What goes wrong with it.
    pub fault: Option<Fault>,
    /// When it began.
    pub began: Instant,
}

impl Default for Network {
    fn default() -> Network {
        Network::new()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({} exchanges)", self.exchanges())
    }
}

impl Network {
    /// A network on which nothing happened and nothing is planned.
    pub fn new() -> Network {
        Network(Arc::new(State {
            clock: Clock::new(),
            count: AtomicU64::new(0),
            armed: AtomicBool::new(false),
            filtered: AtomicBool::new(false),
            plan: Mutex::default(),
            recording: AtomicBool::new(true),
            history: Mutex::default(),
            ended: Condvar::new(),
        }))
    }

    /// The model's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Exchanges begun and counted so far.
    pub fn exchanges(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }

    /// Plans a fault; several may be planned, the first that hits an exchange wins.
    pub fn plan(&self, when: When, fault: Fault) {
        let mut planning = lock(&self.0.plan);
        planning.plan.add(when, fault);
        self.0.armed.store(!planning.plan.is_empty(), Ordering::SeqCst);
    }

    /// Forgets all planned faults.
    pub fn clear_plan(&self) {
        let mut planning = lock(&self.0.plan);
        planning.plan = Plan::default();
        self.0.armed.store(false, Ordering::SeqCst);
    }

    /// Counts from now on only exchanges for which `filter` is true, so that "the n-th exchange"
    /// leaves out, say, background polls. Starts the count at 0 again.
    pub fn count_only(&self, filter: impl Fn(Line<'_>) -> bool + Send + Sync + 'static) {
        let mut planning = lock(&self.0.plan);
        planning.filter = Some(Arc::new(filter));
        self.0.filtered.store(true, Ordering::SeqCst);
        self.0.count.store(0, Ordering::SeqCst);
    }

    /// Starts the count of exchanges at 0 again and forgets the history.
    pub fn reset_count(&self) {
        self.0.count.store(0, Ordering::SeqCst);
        lock(&self.0.history).clear();
    }

    /// Switches the history off (benches) or on.
    pub fn record(&self, on: bool) {
        self.0.recording.store(on, Ordering::SeqCst);
    }

    /// The exchanges that ended, oldest first, at most the last 100,000. An exchange is in it
    /// before its client sees the answer.
    pub fn history(&self) -> Vec<Exchange> {
        lock(&self.0.history).iter().cloned().collect()
    }

    /// How many exchanges in the history called this (lower-case) REST method.
    pub fn calls_of(&self, rest_method: &str) -> usize {
        lock(&self.0.history).iter().filter(|e| e.rest_method == rest_method).count()
    }

    /// Waits until `condition` is true, at most `deadline`; tells whether it became true.
    pub fn wait_until(&self, deadline: Duration, condition: impl Fn(&Network) -> bool) -> bool {
        let end = Instant::now() + deadline;
        loop {
            if condition(self) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            let history = lock(&self.0.history);
            // The lock was free while the condition ran, so an exchange may have ended unseen:
            // waking up again after LOOK_AGAIN makes that harmless.
            let waited = self.0.ended.wait_timeout(history, LOOK_AGAIN);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Whether a fault may hit the next exchange.
    pub(in crate::sim) fn armed(&self) -> bool {
        self.0.armed.load(Ordering::SeqCst)
    }

    /// An exchange begins: counts it and decides its fault.
    pub(in crate::sim) fn begin(&self, line: Line<'_>) -> Decision {
        let began = Instant::now();
        if !self.armed() && !self.0.filtered.load(Ordering::SeqCst) {
            let number = self.0.count.fetch_add(1, Ordering::SeqCst) + 1;
            return Decision { number, fault: None, began };
        }
        let mut planning = lock(&self.0.plan);
        let counted = planning.filter.as_ref().is_none_or(|filter| filter(line));
        let number = if counted { self.0.count.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        let fault = planning.plan.decide(number, line);
        Decision { number, fault, began }
    }

    /// Whether [`Network::end`] keeps what it is given.
    pub(in crate::sim) fn recording(&self) -> bool {
        self.0.recording.load(Ordering::SeqCst)
    }

    /// An exchange ended.
    pub(in crate::sim) fn end(&self, exchange: Exchange) {
        if !self.recording() {
            return;
        }
        let mut history = lock(&self.0.history);
        if history.len() >= HISTORY_MAX {
            history.pop_front();
        }
        history.push_back(exchange);
        drop(history);
        self.0.ended.notify_all();
    }
}

/// Locks. A test that panicked while it held the lock must not take the model down with it.
pub(in crate::sim) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
