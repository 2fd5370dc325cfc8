//! Rank 4: from the portal to the gateway. `poll` asks for events at the pace of `timetable`,
//! `catch_up` looks through the dialogs for what no event told, `intake` and `ingest` decide and
//! commit what is to be forwarded together with up to where it was read, `relay` empties the outbox
//! towards the gateway as far as `gate` lets it and tells the log of a growing `backlog`, and
//! `presence` shows people what it took. The two halves meet in the database only: a kick between
//! them is a hint. `steer` is what a person does to a message. Knows nothing of the way back
//! (`outbound`).

mod backlog;
mod batch;
mod catch_up;
mod gate;
mod ingest;
mod intake;
mod poll;
mod presence;
mod relay;
mod seen;
mod steer;
mod timetable;

use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::agents::registry::Registry;
use crate::base::crypto;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::directory::Directory;
use crate::domain::failure::Failure;
use crate::domain::filter::GroupPolicy;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::UserId;
use crate::gateway::BindingStatus;
use crate::gateway::Gateway;
use crate::inbound::catch_up::CatchUp;
use crate::inbound::gate::Gate;
use crate::inbound::ingest::Ingest;
use crate::inbound::intake::Intake;
use crate::inbound::poll::Poll;
use crate::inbound::poll::PollParts;
use crate::inbound::presence::ReadMarks;
use crate::inbound::relay::Relay;
use crate::inbound::relay::RelayParts;
use crate::limits;
use crate::store;
use crate::store::Store;

pub use gate::GatewayState;
pub use ingest::SenderPrefix;
pub use steer::NotSteered;
pub use steer::Steering;

/// Told that the gateway has a message from a dialog that addresses an agent, and when it began to be
/// posted.
pub type Asked = Arc<dyn Fn(&AgentName, DialogId, Instant) + Send + Sync>;

/// Told of somebody who wrote to an agent in private and may not talk with it.
pub type Refused = Arc<dyn Fn(&AgentName, UserId) + Send + Sync>;

/// Why a turn failed.
enum Setback {
    Portal(Failure),
    Store(store::Error),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Setback {
        Setback::Portal(failure)
    }
}

impl From<store::Error> for Setback {
    fn from(error: store::Error) -> Setback {
        Setback::Store(error)
    }
}

/// What an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundOptions {
    /// Poll interval of an agent in conversation.
    pub poll_active: Duration,
    /// Poll interval of an idle one.
    pub poll_idle: Duration,
    /// What is forwarded from groups.
    pub groups: GroupPolicy,
    /// Where the sender's name is put before the text.
    pub prefix: SenderPrefix,
    /// Whether messages are marked as read once the gateway has them.
    pub read_marks: bool,
}

/// What [`Inbound`] is made of.
pub struct InboundParts {
    /// The outbox and the cursors.
    pub store: Store,
    /// Acts as the agents.
    pub registry: Arc<Registry>,
    /// Knows who may talk with an agent.
    pub directory: Arc<Directory>,
    /// Where messages go.
    pub gateway: Gateway,
    /// See [`InboundOptions`].
    pub options: InboundOptions,
    /// See [`Asked`].
    pub asked: Asked,
    /// See [`Refused`].
    pub refused: Refused,
    /// Where the threads report their end.
    pub exits: Exits,
}

/// The running threads of this direction. Dropping it stops them: polling first, then the relay,
/// each after the call in progress.
pub struct Inbound {
    nudges: Sender<AgentName>,
    store: Store,
    gate: Arc<Gate>,
    poll: Arc<Poll>,
    gateway: Arc<Gateway>,
    polling: Option<StopTrigger>,
    relaying: Option<StopTrigger>,
    threads: Vec<Thread>,
}

/// What other components may ask and hint. Cloning shares it.
#[derive(Clone)]
pub struct InboundHandle {
    gate: Arc<Gate>,
    poll: Arc<Poll>,
    nudges: Sender<AgentName>,
}

impl InboundHandle {
    /// What is known of the gateway; for readiness and status.
    pub fn gateway_state(&self) -> GatewayState {
        self.gate.state()
    }

    /// What a person should look at, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.poll.warnings()
    }

    /// Asks for this agent's events at once: something is happening in its dialogs. May be lost.
    pub fn nudge(&self, agent: &AgentName) {
        // A full queue means that the polling is behind and gets there anyway.
        let _ = self.nudges.try_send(agent.clone());
    }
}

impl Inbound {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn start(parts: InboundParts) -> io::Result<Inbound> {
        let InboundParts { store, registry, directory, gateway, options, asked, refused, exits } =
            parts;
        let gateway = Arc::new(gateway);
        let (kicks, kicked): (Vec<_>, Vec<_>) =
            (0..limits::RELAY_THREADS).map(|_| crossbeam_channel::bounded(1)).unzip();
        let gate = Arc::new(Gate::new(kicks, Instant::now()));
        let (nudges, nudged) = crossbeam_channel::bounded(limits::NUDGES_MAX);
        let (notes, noted) = crossbeam_channel::bounded(limits::STATUS_NOTES_MAX);
        let (polling, stop_polling) = Stop::new();
        let (relaying, stop_relaying) = Stop::new();
        let intake = Arc::new(Intake {
            ingest: Ingest::new(store.clone(), options.groups, options.prefix),
            registry: Arc::clone(&registry),
            directory,
            gate: Arc::clone(&gate),
            refused,
        });
        let catch_up = CatchUp::new(store.clone(), Arc::clone(&intake), options.groups);
        let poll = Arc::new(Poll::new(
            PollParts {
                store: store.clone(),
                intake,
                catch_up,
                notes,
                nudges: nudged,
                changes: registry.changes(),
                stop: stop_polling,
                registry: Arc::clone(&registry),
            },
            options.poll_active,
            options.poll_idle,
        ));
        let (read, marking) = if options.read_marks {
            let (read, thread) = ReadMarks::start(registry, stop_relaying.clone(), &exits)?;
            (read, Some(thread))
        } else {
            (ReadMarks::off(), None)
        };
        let relay = RelayParts {
            store: store.clone(),
            gateway: Arc::clone(&gateway),
            gate: Arc::clone(&gate),
            read,
            asked,
            stop: stop_relaying,
        };
        // From here on a thread that cannot be started drops the handle, which stops the others.
        let mut inbound = Inbound {
            nudges,
            store,
            gate,
            poll: Arc::clone(&poll),
            gateway,
            polling: Some(polling),
            relaying: Some(relaying),
            threads: marking.into_iter().collect(),
        };
        inbound.spawn_relay(&relay, kicked, noted, &exits)?;
        inbound.spawn_poll(poll, &exits)?;
        Ok(inbound)
    }

    /// What others may ask and hint, for as long as they like.
    pub fn handle(&self) -> InboundHandle {
        InboundHandle {
            gate: Arc::clone(&self.gate),
            poll: Arc::clone(&self.poll),
            nudges: self.nudges.clone(),
        }
    }

    /// What a person may do to messages, for as long as they like.
    pub fn steering(&self) -> Steering {
        Steering { store: self.store.clone(), gate: Arc::clone(&self.gate) }
    }

    /// First phase of a stop: no further call to the portal. Returns at once; what was read is
    /// still relayed.
    pub fn stop_polling(&mut self) {
        self.polling = None;
    }

    /// Second phase: ends the relay and waits for all threads until `deadline`; calls to the
    /// gateway that take as long are cut shortly before, and their messages stay in the outbox.
    /// Calls to the portal are whoever's who owns its client to cut.
    pub fn stop(mut self, deadline: Instant) {
        self.end(deadline);
    }

    fn end(&mut self, deadline: Instant) {
        self.polling = None;
        self.relaying = None;
        let cut_at = deadline.checked_sub(limits::STOP_CUT).unwrap_or(deadline);
        while !self.threads.iter().all(Thread::is_finished) {
            if Instant::now() >= cut_at {
                self.gateway.shutdown();
                break;
            }
            // Polling is enough here: it happens once, at the end of the process.
            std::thread::sleep(Duration::from_millis(2));
        }
        for mut thread in self.threads.drain(..) {
            if !thread.join_until(deadline) {
                log::warn!("thread_left_behind thread={}", thread.name());
            }
        }
    }

    fn spawn_relay(
        &mut self,
        parts: &RelayParts,
        kicked: Vec<Receiver<()>>,
        noted: Receiver<BindingStatus>,
        exits: &Exits,
    ) -> io::Result<()> {
        // Telling agent states is rare and short; one thread does it beside its messages.
        let notes = std::iter::once(noted).chain(std::iter::repeat_with(crossbeam_channel::never));
        for (number, (kicked, notes)) in kicked.into_iter().zip(notes).enumerate() {
            let relay = Relay::new(parts.clone(), number, kicked, notes);
            let name = ThreadName::Relay(number);
            self.threads.push(Thread::spawn(name, exits, move || relay.run())?);
        }
        Ok(())
    }

    fn spawn_poll(&mut self, poll: Arc<Poll>, exits: &Exits) -> io::Result<()> {
        for number in 0..limits::POLL_THREADS {
            let poll = Arc::clone(&poll);
            let name = ThreadName::Poll(number);
            self.threads.push(Thread::spawn(name, exits, move || poll.run())?);
        }
        Ok(())
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.end(Instant::now() + limits::STOP_GRACE);
    }
}

/// A random number for jitter.
fn dice() -> u64 {
    u64::from_le_bytes(crypto::random())
}

#[cfg(test)]
mod tests;
