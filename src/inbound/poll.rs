//! Threads `poll-N`: ask the portal for the events of every working agent, page by page, hand the
//! pages to `inbound::intake`, and give `inbound::catch_up` its turns. Several threads share one timetable, so that an agent whose call
//! hangs holds back nobody else; one agent has one call at a time. Own the subscription and the
//! pace; refuse to know what an event says.
//!
//! Woken by the next due agent, a nudge, or a hint that some agent changed. Ended by the stop
//! request, after the call in progress.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::threads::Stop;
use crate::bitrix::methods;
use crate::domain::agent::AgentState;
use crate::domain::failure::Class;
use crate::domain::ids::AgentName;
use crate::domain::ids::EventId;
use crate::domain::ids::UserId;
use crate::gateway::BindingStatus;
use crate::inbound::Setback;
use crate::inbound::catch_up::CatchUp;
use crate::inbound::catch_up::Source;
use crate::inbound::dice;
use crate::inbound::ingest::Reader;
use crate::inbound::intake::Intake;
use crate::inbound::timetable::Due;
use crate::inbound::timetable::Next;
use crate::inbound::timetable::Timetable;
use crate::inbound::timetable::Turn;
use crate::limits;
use crate::store::Store;
use crate::store::outbox::Findings;
use crate::store::outbox::Progress;

/// The offset of an agent that had no event yet. It deletes nothing, as zero would not, and unlike
/// zero it does not believe the portal's memory of "no events" (b24: messenger §3.2 item 9).
const FIRST: EventId = EventId(1);

/// What the polling threads are made of.
pub(in crate::inbound) struct PollParts {
    /// Has the cursors.
    pub store: Store,
    /// Acts as the agents.
    pub registry: Arc<Registry>,
    /// Takes the pages.
    pub intake: Arc<Intake>,
    /// Looks through the dialogs.
    pub catch_up: CatchUp,
    /// Takes agent states that the gateway is to be told.
    pub notes: Sender<BindingStatus>,
    /// Agents that are to be asked at once.
    pub nudges: Receiver<AgentName>,
    /// Hints that some agent changed.
    pub changes: Receiver<()>,
    /// Ends the threads.
    pub stop: Stop,
}

/// Shared by the polling threads.
pub(in crate::inbound) struct Poll {
    parts: PollParts,
    plan: Mutex<Plan>,
}

struct Plan {
    timetable: Timetable,
    /// The states that the gateway was told, or will be.
    told: HashMap<AgentName, (AgentState, String)>,
    /// Agents whose portal has no event log, and when it is asked again whether it has one.
    without_log: HashMap<AgentName, Instant>,
}

impl Poll {
    /// With agents asked at these intervals, in conversation and otherwise.
    pub fn new(parts: PollParts, active: Duration, idle: Duration) -> Poll {
        let plan = Plan {
            timetable: Timetable::new(active, idle),
            told: HashMap::new(),
            without_log: HashMap::new(),
        };
        let poll = Poll { parts, plan: Mutex::new(plan) };
        poll.look_at_agents();
        poll
    }

    /// A thread's body.
    pub fn run(&self) {
        while !self.parts.stop.is_set() {
            if self.parts.changes.try_recv().is_ok() {
                self.look_at_agents();
            }
            for agent in self.parts.nudges.try_iter() {
                self.plan().timetable.nudge(&agent, Instant::now());
            }
            let next = self.plan().timetable.take(Instant::now());
            match next {
                Next::Due(due) => self.serve(&due),
                Next::Wait(wait) => self.rest(wait),
            }
        }
    }

    /// Waits for whatever comes first.
    fn rest(&self, wait: Duration) {
        crossbeam_channel::select! {
            recv(self.parts.stop.signal()) -> _ => {}
            recv(self.parts.nudges) -> agent => if let Ok(agent) = agent {
                self.plan().timetable.nudge(&agent, Instant::now());
            },
            recv(self.parts.changes) -> _ => self.look_at_agents(),
            // Seldom enough to look for what a lost hint would have told.
            default(wait) => if wait == limits::POLL_LOOK_EVERY {
                self.look_at_agents();
            },
        }
    }

    /// Takes over which agents work, and has the gateway told of those that changed.
    fn look_at_agents(&self) {
        let agents = self.parts.registry.agents();
        let working: Vec<(AgentName, UserId)> = agents
            .iter()
            .filter(|agent| agent.state.works())
            .filter_map(|agent| Some((agent.name.clone(), agent.user?)))
            .collect();
        let there = |name: &AgentName| agents.iter().any(|agent| agent.name == *name);
        self.parts.catch_up.keep_only(there);
        self.parts.intake.ingest.keep_only(there);
        let mut plan = self.plan();
        plan.timetable.set_agents(&working, Instant::now());
        plan.told.retain(|name, _| there(name));
        plan.without_log.retain(|name, _| working.iter().any(|(agent, _)| agent == name));
        for agent in agents {
            let standing = (agent.state, agent.reason.clone());
            if plan.told.get(&agent.name) == Some(&standing) {
                continue;
            }
            let note = BindingStatus {
                agent: agent.name.clone(),
                state: agent.state,
                reason: agent.reason,
                at: clock::now(),
            };
            // When there is no room it is told at the next look.
            if self.parts.notes.try_send(note).is_ok() {
                plan.told.insert(agent.name, standing);
            }
        }
    }

    /// One turn of an agent, and what follows from it for the next.
    fn serve(&self, due: &Due) {
        let outcome = self.turn(due);
        let (now, agent) = (Instant::now(), &due.agent);
        let mut plan = self.plan();
        let timetable = &mut plan.timetable;
        match outcome {
            Ok(turn) => timetable.done(agent, turn, now),
            Err(Setback::Portal(failure))
                if matches!(failure.class, Class::RateLimited | Class::MethodParked) =>
            {
                timetable.put_off(agent, failure.retry_after, now);
            }
            Err(Setback::Portal(failure)) => {
                let streak = timetable.failed(agent, failure.retry_after, now, dice());
                // The first of a row says it; what goes on is told by the agent's state, as is an
                // identity that is lost.
                if streak == 1 && failure.class != Class::IdentityLost {
                    log::warn!("poll_failed agent={agent} {failure}");
                }
            }
            Err(Setback::Store(why)) => {
                log::error!("events_not_committed agent={agent} reason={why:?}");
                timetable.failed(agent, None, now, dice());
            }
        }
    }

    /// Looks through the dialogs if that is due, and reads events.
    fn turn(&self, due: &Due) -> Result<Turn, Setback> {
        let agents: HashSet<UserId> = self.parts.registry.own_users();
        let reader = Reader { agent: &due.agent, user: due.user, agents: &agents };
        let source = self.source(due)?;
        let looked = self.parts.catch_up.turn(reader, source)?;
        let mut turn = Turn { talk: looked.talk, more: looked.unfinished };
        if source == Source::Dialogs || looked.unfinished {
            return Ok(turn);
        }
        if looked.events_astray {
            self.subscribe(due)?;
        }
        let read = self.read_events(reader)?;
        turn.talk |= read.talk;
        turn.more = read.more;
        Ok(turn)
    }

    /// Where this agent's messages come from. One that is to subscribe does so first
    /// (b24: messenger §14 R1).
    fn source(&self, due: &Due) -> Result<Source, Setback> {
        let agent = &due.agent;
        let again_at = self.plan().without_log.get(agent).copied();
        if again_at.is_some_and(|at| Instant::now() < at) {
            return Ok(Source::Dialogs);
        }
        if !due.subscribe && again_at.is_none() {
            return Ok(Source::Events);
        }
        match self.subscribe(due) {
            Ok(()) => {
                if self.plan().without_log.remove(agent).is_some() {
                    log::info!("event_log_there agent={agent}");
                }
                Ok(Source::Events)
            }
            Err(Setback::Portal(failure)) if failure.class == Class::MethodMissing => {
                let again_at = Instant::now() + limits::EVENT_METHOD_PROBE_EVERY;
                if self.plan().without_log.insert(agent.clone(), again_at).is_none() {
                    log::warn!("event_log_missing agent={agent} method={}", failure.method);
                }
                Ok(Source::Dialogs)
            }
            Err(why) => Err(why),
        }
    }

    /// Subscribes, and reads from the first event on: numbers that began anew below the cursor would
    /// have it delete each event unread (b24: messenger §3.2 item 5, §14 R12). Whatever is still
    /// there comes again, and what is known is passed over.
    fn subscribe(&self, due: &Due) -> Result<(), Setback> {
        self.parts.registry.call(&due.agent, &methods::event_subscribe())?;
        let progress = Progress::Events(FIRST);
        self.parts.store.commit_inbound(&due.agent, Findings::default(), progress, clock::now())?;
        self.plan().timetable.subscribed(&due.agent, due.user, Instant::now());
        Ok(())
    }

    /// Reads pages until there is no more, or this turn has had its share.
    fn read_events(&self, reader: Reader<'_>) -> Result<Turn, Setback> {
        let mut turn = Turn { talk: false, more: false };
        // Read anew each turn: the database is where the cursor lives.
        let Some(row) = self.parts.store.agent(reader.agent)? else { return Ok(turn) };
        let mut cursor = row.cursor;
        for _ in 0..limits::EVENT_PAGES_PER_TURN_MAX {
            if self.parts.stop.is_set() {
                return Ok(turn);
            }
            // INVARIANT: cursor after commit; `cursor` came from the store or from `intake`.
            let call = methods::event_get(cursor.max(FIRST), limits::EVENT_PAGE_MAX);
            let page = self.parts.registry.call(reader.agent, &call)?;
            let has_more = page.has_more;
            let (taken, next) = self.parts.intake.events(reader, cursor, page)?;
            self.parts.catch_up.events_came(reader.agent);
            turn.talk |= taken.talk;
            // A full page with nothing behind it, or an offset that does not move, ends the turn
            // (b24: messenger §14 R4).
            turn.more = has_more && next > cursor;
            if !turn.more {
                break;
            }
            cursor = next;
        }
        Ok(turn)
    }

    /// What a person should look at, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let suspicions = self.parts.catch_up.suspicions().into_iter().map(|agent| {
            format!(
                "agent {agent}: messages are found that no event told of, time and again: does \
                 another application read the events of this account? Until that ends they come up \
                 to two minutes late"
            )
        });
        let mut without_log: Vec<AgentName> = self.plan().without_log.keys().cloned().collect();
        without_log.sort();
        let without_log = without_log.into_iter().map(|agent| {
            format!(
                "agent {agent}: the portal has no im.v2.Event.get, so its dialogs are read one by \
                 one; a newer messenger module would spare it most calls"
            )
        });
        suspicions.chain(without_log).collect()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // Assignments of whole values only; a panic leaves nothing half done in it.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "sim"))]
mod virtual_time;
