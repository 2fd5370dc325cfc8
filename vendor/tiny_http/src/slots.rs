//! Which connections are open, what each is doing, and who has to go when there is no room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::Limits;

/// What a connection is doing, in the order in which connections have to go for a new one. From
/// `Handling` on the server owes an answer, and the connection stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Waiting for a request, or for the peer to close.
    Idle,
    /// Reading a request line and headers.
    Head,
    /// Reading a body.
    Body,
    /// A request was handed over.
    Handling,
    /// An answer is being written.
    Writing,
}

struct Slot {
    source: IpAddr,
    stream: Arc<TcpStream>,
    phase: Phase,
    since: Instant,
}

struct State {
    open: HashMap<u64, Slot>,
    next: u64,
    /// Threads of connections, those included that were closed and have not noticed yet.
    threads: usize,
    closed: bool,
}

/// All connections of a server.
pub(crate) struct Slots {
    connections_max: usize,
    per_source_max: Option<usize>,
    loopback_is_free: bool,
    state: Mutex<State>,
    answered: Condvar,
}

/// The right of one connection to exist; gives its place back when dropped.
pub(crate) struct Ticket {
    slots: Arc<Slots>,
    number: u64,
}

impl Slots {
    pub(crate) fn new(limits: &Limits) -> Slots {
        Slots {
            connections_max: limits.connections,
            per_source_max: limits.connections_per_source,
            loopback_is_free: limits.loopback_is_free,
            state: Mutex::new(State {
                open: HashMap::new(),
                next: 0,
                threads: 0,
                closed: false,
            }),
            answered: Condvar::new(),
        }
    }

    /// Makes room and gives it to a connection; `None` when every connection is owed an answer.
    pub(crate) fn admit(self: &Arc<Slots>, stream: &Arc<TcpStream>, source: IpAddr) -> Option<Ticket> {
        let mut state = self.lock();
        // Connections told to go leave within a moment; a flood faster than that is refused.
        if state.closed || state.threads >= 2 * self.connections_max {
            return None;
        }
        let (source, is_loopback) = (network(source), source.to_canonical().is_loopback());
        if let Some(most) = self.per_source_max {
            let counts = !(self.loopback_is_free && is_loopback);
            let of_source = || state.open.values().filter(|slot| slot.source == source).count();
            if counts && of_source() >= most && !state.evict(Some(source)) {
                return None;
            }
        }
        if state.open.len() >= self.connections_max && !state.evict(None) {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.threads += 1;
        let stream = Arc::clone(stream);
        let slot = Slot { source, stream, phase: Phase::Idle, since: Instant::now() };
        state.open.insert(number, slot);
        Some(Ticket { slots: Arc::clone(self), number })
    }

    /// Closes the connection that waited longest for its peer, if one does.
    pub(crate) fn evict_one(&self) {
        self.lock().evict(None);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Admits nobody any more and closes whoever waits for a request.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.open.retain(|_, slot| {
            let idle = slot.phase == Phase::Idle;
            if idle {
                slot.shut();
            }
            !idle
        });
        self.answered.notify_all();
    }

    /// Waits until no answer is owed or being written; whether that is so.
    pub(crate) fn wait_answered(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.open.values().any(|slot| slot.phase >= Phase::Handling) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.answered.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Insertions and removals only; a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an address belongs to: an IPv6 subscriber has a /64 and could come from each of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(std::net::Ipv6Addr::from_bits(bits))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl State {
    fn evict(&mut self, source: Option<IpAddr>) -> bool {
        let waits = |slot: &&Slot| {
            slot.phase < Phase::Handling && source.is_none_or(|source| slot.source == source)
        };
        let candidates = self.open.iter().filter(|(_, slot)| waits(slot));
        let first = candidates.min_by_key(|(_, slot)| (slot.phase, slot.since));
        let Some(number) = first.map(|(number, _)| *number) else { return false };
        if let Some(slot) = self.open.remove(&number) {
            slot.shut();
        }
        true
    }
}

impl Slot {
    /// Wakes the connection's thread, which finds its peer gone.
    fn shut(&self) {
        // The peer may have closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Ticket {
    /// Notes what the connection does from now on; `false` when it has to go.
    pub(crate) fn enter(&self, phase: Phase) -> bool {
        let mut state = self.slots.lock();
        let closing = state.closed && phase == Phase::Idle;
        let Some(slot) = state.open.get_mut(&self.number) else { return false };
        // A connection waits from the moment it was accepted, whenever its thread gets to run.
        if slot.phase != phase {
            slot.phase = phase;
            slot.since = Instant::now();
        }
        self.slots.answered.notify_all();
        !closing
    }

    /// Whether the server takes no more requests.
    pub(crate) fn is_last(&self) -> bool {
        self.slots.is_closed()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        state.open.remove(&self.number);
        state.threads -= 1;
        self.slots.answered.notify_all();
    }
}
