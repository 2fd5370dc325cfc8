//! When each agent is asked for events next. Pure: moments, outcomes and random numbers go in, the
//! agent whose turn it is comes out. Knows no portal.
//!
//! How often an agent wants to be asked depends on how long ago it last talked:
//! `active * max(1, silence / CONVERSATION_LASTS)`, at most `idle`; one that never did wants `idle`.
//! When the portal's rate does not serve everybody, the agent goes first that is latest in relation
//! to its own interval: all intervals then grow by the same factor, and nobody is forgotten. Whom a
//! nudge names goes before them, in every second place at most; whoever has more pages to read goes
//! behind.
//!
//! Moments are `Instant`s, so that setting the clock neither stops nor floods the polling.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::AgentName;
use crate::domain::ids::UserId;
use crate::domain::retry::Backoff;
use crate::limits;

const BACKOFF: Backoff = Backoff { first: limits::POLL_RETRY_FIRST, most: limits::POLL_RETRY_MAX };

/// An agent whose turn it is. Given back with [`Timetable::done`], [`Timetable::failed`] or
/// [`Timetable::put_off`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Who.
    pub agent: AgentName,
    /// As which portal user.
    pub user: UserId,
    /// Whether it is to subscribe before it asks.
    pub subscribe: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This agent's turn.
    Due(Due),
    /// Nobody's turn for so long; then look again.
    Wait(Duration),
}

/// What a turn that went well found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Somebody wrote to the agent, or it wrote itself.
    pub talk: bool,
    /// There is more to read at once.
    pub more: bool,
}

/// Working agents and their next turns.
pub struct Timetable {
    pace: Pace,
    agents: BTreeMap<AgentName, Entry>,
    /// Agents whose turn is running, and since when. Apart from their entries, because an agent may
    /// stop working and start again during its turn.
    running: BTreeMap<AgentName, Instant>,
    /// The last turn went to an agent that was nudged.
    favoured: bool,
}

/// How often agents want to be asked.
#[derive(Clone, Copy)]
struct Pace {
    active: Duration,
    idle: Duration,
}

impl Pace {
    /// How long an agent wants to wait between two turns; see the head of this file.
    fn interval(self, talked: Option<Instant>, now: Instant) -> Duration {
        let Some(talked) = talked else { return self.idle };
        let silence = now.saturating_duration_since(talked).as_secs_f64();
        let slower = silence / limits::CONVERSATION_LASTS.as_secs_f64();
        // Compared as a number, because it may be more than a `Duration` holds.
        let seconds = self.active.as_secs_f64() * slower.max(1.0);
        if seconds < self.idle.as_secs_f64() { Duration::from_secs_f64(seconds) } else { self.idle }
    }
}

struct Entry {
    user: UserId,
    /// Not before.
    due: Instant,
    /// Since when it waits: when its last turn began, or ended with more to read; `None` before the
    /// first one.
    since: Option<Instant>,
    /// When somebody last wrote to the agent, or it wrote itself.
    talked: Option<Instant>,
    /// When it was nudged, until its next turn.
    nudged: Option<Instant>,
    subscribe_at: Instant,
    /// Failures in a row.
    failures: u32,
}

impl Timetable {
    /// No agents; they are asked every `active` in conversation and every `idle` when they have been
    /// silent for long, which is never more often.
    pub fn new(active: Duration, idle: Duration) -> Timetable {
        let pace = Pace { active, idle: idle.max(active) };
        Timetable { pace, agents: BTreeMap::new(), running: BTreeMap::new(), favoured: false }
    }

    /// Takes over which agents work, and as whom. One that is new, or came back, or has another
    /// user, is due at once and subscribes first (b24: messenger §14 R1).
    pub fn set_agents(&mut self, working: &[(AgentName, UserId)], now: Instant) {
        let stays = |name: &AgentName, entry: &Entry| {
            working.iter().any(|(other, user)| other == name && *user == entry.user)
        };
        self.agents.retain(|name, entry| stays(name, entry));
        for (name, user) in working {
            self.agents.entry(name.clone()).or_insert(Entry {
                user: *user,
                due: now,
                since: None,
                talked: None,
                nudged: None,
                subscribe_at: now,
                failures: 0,
            });
        }
    }

    /// The agent whose turn it is, marked as running.
    pub fn take(&mut self, now: Instant) -> Next {
        // Another thread's turn may end at any time, and its agent may then be the next.
        let most = if self.running.is_empty() { limits::POLL_LOOK_EVERY } else { self.pace.active };
        let free = self.agents.iter().filter(|(name, _)| !self.running.contains_key(*name));
        let Some(soonest) = free.clone().map(|(_, entry)| entry.due).min() else {
            return Next::Wait(most);
        };
        let due = free.filter(|(_, entry)| entry.due <= now);
        let Some((name, entry)) = due.min_by(|one, other| self.order(one.1, other.1, now)) else {
            return Next::Wait(most.min(soonest.saturating_duration_since(now)));
        };
        let due =
            Due { agent: name.clone(), user: entry.user, subscribe: entry.subscribe_at <= now };
        self.running.insert(due.agent.clone(), now);
        self.favoured = self.agents.get_mut(&due.agent).is_some_and(|e| e.nudged.take().is_some());
        Next::Due(due)
    }

    /// Which of two that are due goes first.
    fn order(&self, one: &Entry, other: &Entry, now: Instant) -> Ordering {
        // `false` comes before `true`: after one of the nudged, one of the others is next.
        let behind = |entry: &Entry| entry.nudged.is_some() == self.favoured;
        let lateness = |entry: &Entry| match entry.since {
            Some(since) => {
                let waits = now.saturating_duration_since(since).as_secs_f64();
                waits / self.pace.interval(entry.talked, now).as_secs_f64()
            }
            None => f64::INFINITY,
        };
        let by_place = behind(one).cmp(&behind(other));
        // Nudged ones in the order in which they were nudged; for the others this says nothing.
        let by_nudge = one.nudged.cmp(&other.nudged);
        let by_lateness = lateness(other).total_cmp(&lateness(one));
        by_place.then(by_nudge).then(by_lateness).then(one.due.cmp(&other.due))
    }

    /// The agent has subscribed as this user.
    pub fn subscribed(&mut self, agent: &AgentName, user: UserId, now: Instant) {
        if let Some(entry) = self.agents.get_mut(agent).filter(|entry| entry.user == user) {
            entry.subscribe_at = now + limits::EVENT_SUBSCRIBE_EVERY;
        }
    }

    /// The agent's turn went well.
    pub fn done(&mut self, agent: &AgentName, turn: Turn, now: Instant) {
        let pace = self.pace;
        let Some(entry) = self.end(agent, now) else { return };
        entry.failures = 0;
        if turn.talk {
            entry.talked = Some(now);
        }
        if turn.more {
            // At once, but everybody else who is due has waited longer.
            entry.since = Some(now);
            entry.due = now;
        } else {
            entry.due = now + pace.interval(entry.talked, now);
        }
    }

    /// The agent's turn failed; `after` is how long the portal asked us to wait. Returns how many
    /// failures in a row that makes.
    pub fn failed(
        &mut self,
        agent: &AgentName,
        after: Option<Duration>,
        now: Instant,
        dice: u64,
    ) -> u32 {
        let pace = self.pace;
        let Some(entry) = self.end(agent, now) else { return 0 };
        entry.failures = entry.failures.saturating_add(1);
        let delay = BACKOFF.delay(entry.failures, dice).max(after.unwrap_or_default());
        // A failure does not make it more eager than it is in conversation.
        entry.due = now + delay.max(pace.active);
        entry.failures
    }

    /// The agent had no turn at the portal's limits, which is no failure of it: it is asked again when
    /// the limiter says, and soon otherwise. It goes on waiting, so it is then among the first.
    pub fn put_off(&mut self, agent: &AgentName, after: Option<Duration>, now: Instant) {
        self.running.remove(agent);
        if let Some(entry) = self.agents.get_mut(agent) {
            entry.due = now + after.unwrap_or_default().max(self.pace.active);
        }
    }

    /// Something is happening in the agent's dialogs: it counts as in conversation and is asked as
    /// soon as one in conversation would be, unless the portal is failing, which asking more often
    /// would not mend.
    pub fn nudge(&mut self, agent: &AgentName, now: Instant) {
        let Some(entry) = self.agents.get_mut(agent) else { return };
        entry.talked = Some(now);
        if entry.failures == 0 {
            entry.nudged = entry.nudged.or(Some(now));
            // However often it is nudged, others have their turns.
            let soonest = entry.since.map_or(now, |since| since + self.pace.active);
            entry.due = entry.due.min(soonest.max(now));
        }
    }

    /// Ends a turn in which the portal was asked. The agent's entry, if it still works.
    fn end(&mut self, agent: &AgentName, now: Instant) -> Option<&mut Entry> {
        let began = self.running.remove(agent).unwrap_or(now);
        let entry = self.agents.get_mut(agent)?;
        entry.since = Some(began);
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
