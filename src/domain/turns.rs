//! Whose call goes to the portal next, as a value: the bucket, the lanes that wait for it, and the
//! time budgets of the methods. A ticket and a moment go in; go, wait so long, or refused comes out.
//! `bitrix::client` keeps the clock and the lock, and wakes whoever waits.
//!
//! Places are granted in the order of lanes, within a lane first come first served; a method that is
//! parked or slowed takes nobody's place.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::budget::Budget;
use crate::domain::budget::Figures;
use crate::domain::budget::Meter;
use crate::domain::limiter::Bucket;
use crate::domain::limiter::Rate;
use crate::limits;

/// Whose turn comes first when the portal's rate is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Answers of agents.
    Reply,
    /// Asking for events.
    Poll,
    /// Consent, identity, directory.
    Upkeep,
    /// Showing that an agent types: never waits, because late it is worth nothing.
    Typing,
}

/// Lanes that wait.
const QUEUES: usize = 3;

/// A call's place in its lane.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    lane: Lane,
    meter: Meter,
    since: Duration,
}

/// A call that may go. Given back with [`Turns::end`].
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    meter: Meter,
    /// When it was granted.
    left: Duration,
}

/// What a ticket is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call may go.
    Go(Permit),
    /// Ask again after this long, or when something changed.
    Wait(Duration),
    /// Not in time: there was no place. The ticket is gone.
    NoPlace,
    /// The method has no time left for so long. The ticket is gone.
    NoTime(Duration),
}

/// How things stand, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The rate; `None` without a limit.
    pub rate: Option<Rate>,
    /// Requests in the bucket, as far as we know.
    pub level: f64,
    /// The part of the rate that we take; less than 1 after refusals.
    pub share: f64,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Calls that the portal refused as too many, since the start.
    pub refused: u64,
    /// Methods that are parked, and for how long.
    pub parked: Vec<(Meter, Duration)>,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Turns {
    bucket: Bucket,
    budget: Budget,
    queues: [VecDeque<Ticket>; QUEUES],
    /// Granted and not fetched yet, by ticket.
    granted: Vec<(u64, Permit)>,
    next: u64,
    /// Places in a row that went to replies.
    replies_in_row: u32,
    refused: u64,
}

/// The ticket that the next place belongs to.
struct Chosen {
    queue: usize,
    at: usize,
    /// Whether it leaves the reserve to replies.
    spare: bool,
}

impl Turns {
    /// Nobody waits; the bucket is as [`Bucket::new`] says.
    pub fn new(rate: Option<Rate>, now: Duration) -> Turns {
        Turns {
            bucket: Bucket::new(rate, now),
            budget: Budget::default(),
            queues: Default::default(),
            granted: Vec::new(),
            next: 0,
            replies_in_row: 0,
            refused: 0,
        }
    }

    /// Takes a place in a lane. The ticket is to be asked about until it is granted or refused.
    pub fn join(&mut self, lane: Lane, meter: Meter, now: Duration) -> Ticket {
        self.next += 1;
        let ticket = Ticket { number: self.next, lane, meter, since: now };
        if lane != Lane::Typing {
            self.queues[lane as usize].push_back(Ticket { ..ticket });
        }
        ticket
    }

    /// Whether a ticket's call may go.
    pub fn ask(&mut self, ticket: &Ticket, now: Duration) -> Verdict {
        self.grant(now);
        if let Some(at) = self.granted.iter().position(|(number, _)| *number == ticket.number) {
            return Verdict::Go(self.granted.swap_remove(at).1);
        }
        let no_time = self.budget.wait(ticket.meter, ticket.lane == Lane::Reply, now);
        if ticket.lane == Lane::Typing {
            let busy = self.waiting() > 0 || !self.bucket.wait(now, true).is_zero();
            return match no_time.is_zero() {
                false => Verdict::NoTime(no_time),
                true if busy => Verdict::NoPlace,
                true => Verdict::Go(self.leave(ticket.meter, now)),
            };
        }
        // Whoever waits for a method keeps a thread from work that could go on.
        let refused = if no_time > limits::LIMITER_PATIENCE {
            Verdict::NoTime(no_time)
        } else if now.saturating_sub(ticket.since) >= limits::LIMITER_WAIT_MAX {
            Verdict::NoPlace
        } else {
            let wait = self.bucket.wait(now, false).min(limits::LIMITER_LOOK);
            // Zero when there is a place that the ticket may not have.
            return Verdict::Wait(if wait.is_zero() { limits::LIMITER_LOOK } else { wait });
        };
        self.queues[ticket.lane as usize].retain(|waiting| waiting.number != ticket.number);
        refused
    }

    /// Whether a place was granted to a ticket that has not asked since.
    pub fn has_granted(&self) -> bool {
        !self.granted.is_empty()
    }

    /// The portal answered a permitted call.
    pub fn admitted(&mut self, permit: &Permit, figures: Option<Figures>, now: Duration) {
        self.bucket.admitted(permit.left);
        if let Some(figures) = figures {
            self.budget.learn(permit.meter, figures, now);
        }
    }

    /// The portal refused a permitted call because of its rate. Returns the pause of all callers,
    /// when it begins now.
    pub fn refused(&mut self, permit: &Permit, now: Duration, dice: u64) -> Option<Duration> {
        self.refused += 1;
        self.bucket.refused(permit.left, now, dice)
    }

    /// The portal refused a permitted call because its method has no time left. Returns for how
    /// long it is parked.
    pub fn park(&mut self, permit: &Permit, now: Duration) -> Duration {
        self.budget.park(permit.meter, now)
    }

    /// A permitted call is over, whatever came of it.
    pub fn end(&mut self, permit: &Permit) {
        self.budget.end(permit.meter);
    }

    /// Another rate, unless there is no limit.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.bucket.set_rate(rate, now);
    }

    /// How things stand.
    pub fn standing(&mut self, now: Duration) -> Standing {
        let (level, share) = self.bucket.figures(now);
        Standing {
            rate: self.bucket.rate(),
            level,
            share,
            waiting: self.waiting(),
            refused: self.refused,
            parked: self.budget.parked(now),
        }
    }

    fn waiting(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    /// Grants every place there is to whom it belongs, whoever asks.
    fn grant(&mut self, now: Duration) {
        while let Some(Chosen { queue, at, spare }) = self.choose(now) {
            if !self.bucket.wait(now, spare).is_zero() {
                return;
            }
            let Some(ticket) = self.queues[queue].remove(at) else { return };
            let reply = ticket.lane == Lane::Reply;
            self.replies_in_row = if reply { self.replies_in_row.saturating_add(1) } else { 0 };
            let permit = self.leave(ticket.meter, now);
            self.granted.push((ticket.number, permit));
        }
    }

    fn leave(&mut self, meter: Meter, now: Duration) -> Permit {
        self.bucket.take();
        self.budget.begin(meter, now);
        Permit { meter, left: now }
    }

    /// Lanes in their order; but of polls and upkeep that have waited long the oldest goes first, and
    /// after some replies in a row even before replies, out of what is kept for them: no backlog stops the
    /// polling, and no polling stops upkeep.
    fn choose(&self, now: Duration) -> Option<Chosen> {
        let first = |queue: usize| {
            let hurry = queue == Lane::Reply as usize;
            let may = |t: &Ticket| self.budget.wait(t.meter, hurry, now).is_zero();
            let at = self.queues[queue].iter().position(may)?;
            Some((&self.queues[queue][at], queue, at))
        };
        let [reply, poll, upkeep] = [0, 1, 2].map(first);
        let oldest =
            [poll, upkeep].into_iter().flatten().min_by_key(|(ticket, _, _)| ticket.number);
        let patient = oldest
            .filter(|(ticket, _, _)| now.saturating_sub(ticket.since) >= limits::LIMITER_PATIENCE);
        let overtakes = self.replies_in_row >= limits::LIMITER_REPLIES_IN_ROW;
        let (spare, chosen) = match (patient, reply) {
            (Some(lower), _) if overtakes => (false, lower),
            (_, Some(reply)) => (false, reply),
            (lower, None) => (true, lower.or(poll).or(upkeep)?),
        };
        Some(Chosen { queue: chosen.1, at: chosen.2, spare })
    }
}

#[cfg(test)]
mod tests;
