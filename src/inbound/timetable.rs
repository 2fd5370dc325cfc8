//! When each agent is asked for events next. Pure: moments, outcomes and random numbers go in, the
//! agent whose turn it is comes out. Knows no portal. Fairness is its order: the agent that waits
//! longest goes first, and one with more pages to read goes behind those that are due.
//! Moments are `Instant`s, so that setting the clock neither stops nor floods the polling.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::AgentName;
use crate::domain::ids::UserId;
use crate::domain::retry::Backoff;
use crate::limits;

const BACKOFF: Backoff = Backoff { first: limits::POLL_RETRY_FIRST, most: limits::POLL_RETRY_MAX };

/// An agent whose turn it is. Given back with [`Timetable::done`], [`Timetable::failed`] or
/// [`Timetable::unsupported`].
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
    active: Duration,
    idle: Duration,
    agents: BTreeMap<AgentName, Entry>,
    /// Agents whose turn is running. Apart from their entries, because an agent may stop working
    /// and start again during its turn.
    running: BTreeSet<AgentName>,
}

struct Entry {
    user: UserId,
    due: Instant,
    /// Until when the agent counts as in conversation.
    talk_until: Option<Instant>,
    subscribe_at: Instant,
    /// Failures in a row.
    failures: u32,
}

impl Timetable {
    /// No agents; they are asked every `active` in conversation and every `idle` otherwise.
    pub fn new(active: Duration, idle: Duration) -> Timetable {
        Timetable { active, idle, agents: BTreeMap::new(), running: BTreeSet::new() }
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
                talk_until: None,
                subscribe_at: now,
                failures: 0,
            });
        }
    }

    /// The agent whose turn it is, marked as running.
    pub fn take(&mut self, now: Instant) -> Next {
        // Another thread's turn may end at any time, and its agent may then be the next.
        let most = if self.running.is_empty() { limits::POLL_LOOK_EVERY } else { self.active };
        let idle = self.agents.iter().filter(|(name, _)| !self.running.contains(*name));
        let Some((name, entry)) = idle.min_by_key(|(_, entry)| entry.due) else {
            return Next::Wait(most);
        };
        if entry.due > now {
            return Next::Wait(most.min(entry.due - now));
        }
        let due =
            Due { agent: name.clone(), user: entry.user, subscribe: entry.subscribe_at <= now };
        self.running.insert(name.clone());
        Next::Due(due)
    }

    /// The agent has subscribed as this user.
    pub fn subscribed(&mut self, agent: &AgentName, user: UserId, now: Instant) {
        if let Some(entry) = self.agents.get_mut(agent).filter(|entry| entry.user == user) {
            entry.subscribe_at = now + limits::EVENT_SUBSCRIBE_EVERY;
        }
    }

    /// The agent's turn went well.
    pub fn done(&mut self, agent: &AgentName, turn: Turn, now: Instant) {
        self.running.remove(agent);
        let Some(entry) = self.agents.get_mut(agent) else { return };
        entry.failures = 0;
        if turn.talk {
            entry.talk_until = Some(now + limits::CONVERSATION_LASTS);
        }
        let talking = entry.talk_until.is_some_and(|until| now < until);
        entry.due = if turn.more {
            now
        } else if talking {
            now + self.active
        } else {
            now + self.idle
        };
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
        self.running.remove(agent);
        let Some(entry) = self.agents.get_mut(agent) else { return 0 };
        entry.failures = entry.failures.saturating_add(1);
        let delay = BACKOFF.delay(entry.failures, dice).max(after.unwrap_or_default());
        // A failure does not make it more eager than it is in conversation.
        entry.due = now + delay.max(self.active);
        entry.failures
    }

    /// The agent had no turn at the portal's limits, which is no failure of it: it is asked again when
    /// the limiter says, and in its usual interval otherwise.
    pub fn put_off(&mut self, agent: &AgentName, after: Option<Duration>, now: Instant) {
        self.running.remove(agent);
        if let Some(entry) = self.agents.get_mut(agent) {
            entry.due = now + after.unwrap_or_default().max(self.active);
        }
    }

    /// The portal has no event log: it is asked again when it may have been updated.
    pub fn unsupported(&mut self, agent: &AgentName, now: Instant) {
        self.running.remove(agent);
        if let Some(entry) = self.agents.get_mut(agent) {
            entry.due = now + limits::EVENT_METHOD_PROBE_EVERY;
            // Whenever it is asked again, it begins anew.
            entry.subscribe_at = now;
        }
    }

    /// Something is happening in the agent's dialogs: it counts as in conversation and is due at
    /// once, unless the portal is failing, which asking more often would not mend.
    pub fn nudge(&mut self, agent: &AgentName, now: Instant) {
        let Some(entry) = self.agents.get_mut(agent) else { return };
        entry.talk_until = Some(now + limits::CONVERSATION_LASTS);
        if entry.failures == 0 {
            entry.due = entry.due.min(now);
        }
    }
}

#[cfg(test)]
mod tests;
