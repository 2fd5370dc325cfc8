//! The agents in memory, each with its state and token chain, and calls made as one of them: token
//! renewed when over, the call repeated exactly once after that, the agent's state kept true.
//! Shared by every thread. Facts are in the store; this is their working copy.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::agents::agent::Agent;
pub use crate::agents::agent::AgentView;
use crate::agents::chain::Identity;
use crate::agents::chain::Turn;
use crate::agents::refresh;
use crate::agents::remedy;
use crate::agents::sealed;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::bitrix::client::Call;
use crate::bitrix::client::Portal;
use crate::bitrix::failure;
use crate::bitrix::methods;
use crate::bitrix::oauth::OAuth;
use crate::domain::agent::AgentState;
use crate::domain::agent::Event;
use crate::domain::agent::transition;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::UserId;
use crate::domain::turns::Standing;
use crate::limits;
use crate::store;
use crate::store::Store;
use crate::store::agents::SealedIdentity;
use crate::vault::Vault;

/// Reason of an agent whose stored tokens do not open.
const DAMAGED: &str = "the stored tokens are damaged: open a new consent link";

/// Reason of an agent that an operator switched off.
const PAUSED: &str = "an operator switched it off: resume it";

/// Every agent, and how to act as one.
pub struct Registry {
    pub(super) store: Store,
    pub(super) vault: Vault,
    pub(super) portal: Arc<Portal>,
    pub(super) oauth: OAuth,
    agents: RwLock<BTreeMap<AgentName, Arc<Agent>>>,
    listeners: Mutex<Vec<Sender<()>>>,
    mendings: Mutex<Option<Sender<AgentName>>>,
}

impl Registry {
    /// Reads every agent from the store. One whose tokens do not open needs a new consent; the
    /// others work.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn load(
        store: Store,
        vault: Vault,
        portal: Arc<Portal>,
        oauth: OAuth,
    ) -> Result<Arc<Registry>, store::Error> {
        let mut agents = BTreeMap::new();
        for mut row in store.agents()? {
            let identity = sealed::open(&vault, &row).or_else(|why| {
                log::error!("identity_not_opened agent={} reason={why}", row.name);
                (row.state, row.reason) = (AgentState::Revoked, DAMAGED.to_owned());
                store.set_agent_state(&row.name, row.state, &row.reason, clock::now())?;
                Ok::<_, store::Error>(None)
            })?;
            let agent = Agent::new(row.name.clone(), identity, (row.state, row.reason));
            agents.insert(row.name, Arc::new(agent));
        }
        Ok(Arc::new(Registry {
            store,
            vault,
            portal,
            oauth,
            agents: RwLock::new(agents),
            listeners: Mutex::new(Vec::new()),
            mendings: Mutex::new(None),
        }))
    }

    /// Creates an agent; `false` when it exists.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn add(&self, name: &AgentName) -> Result<bool, store::Error> {
        let created = self.store.create_agent(name, clock::now())?;
        if created {
            let agent = Agent::new(name.clone(), None, (AgentState::Created, String::new()));
            self.map_mut(|agents| agents.insert(name.clone(), Arc::new(agent)));
            log::info!("agent_created agent={name}");
            self.changed();
        }
        Ok(created)
    }

    /// Switches an agent off, or on again; `None` when there is none of this name. Off, it reads and
    /// writes nothing; its tokens are kept alive, its queue and history stay.
    pub fn pause(&self, name: &AgentName, paused: bool) -> Option<AgentView> {
        let agent = self.find(name)?;
        let (event, reason) = match (paused, agent.chain.identity()) {
            (true, _) => (Event::Paused, PAUSED),
            (false, Some(_)) => (Event::Resumed, ""),
            (false, None) => (Event::ResumedUnconnected, ""),
        };
        self.happened(&agent, event, reason);
        Some(agent.view())
    }

    /// Forgets an agent that is paused: its identity, its queue, where it read. What it delivered
    /// stays in the ledger. The portal is asked to write down no more events for its account.
    /// `false` when there is none.
    ///
    /// # Errors
    /// See [`store::Error`]; it is still there then.
    pub fn forget(&self, name: &AgentName) -> Result<bool, store::Error> {
        let Some(agent) = self.find(name) else { return Ok(false) };
        if agent.chain.identity().is_some()
            && let Err(failure) = self.call_renewing(&agent, &methods::event_unsubscribe())
        {
            // They are gone after a day anyway (b24: messenger §3.2 item 8).
            log::info!("events_not_unsubscribed agent={name} {failure}");
        }
        self.store.forget_agent(name)?;
        self.map_mut(|agents| agents.remove(name));
        log::info!("agent_forgotten agent={name}");
        self.changed();
        Ok(true)
    }

    /// Every agent by name.
    pub fn agents(&self) -> Vec<AgentView> {
        self.all().iter().map(|agent| agent.view()).collect()
    }

    /// One agent.
    pub fn agent(&self, name: &AgentName) -> Option<AgentView> {
        self.find(name).map(|agent| agent.view())
    }

    /// The portal users of all agents: messages of these are never forwarded.
    pub fn own_users(&self) -> HashSet<UserId> {
        let identities = self.all();
        let users = identities.iter().filter_map(|agent| agent.chain.identity());
        users.map(|identity| identity.user).collect()
    }

    /// A hint that some agent changed: its state, its identity, or that it exists. At most one is
    /// pending for each listener.
    pub fn changes(&self) -> Receiver<()> {
        let (hint, listen) = crossbeam_channel::bounded(1);
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(hint);
        listen
    }

    /// Hints that an agent works again after a wait, a pause or a loss. For one listener; a hint for
    /// which there is no room is lost.
    pub fn mendings(&self) -> Receiver<AgentName> {
        let (hint, listen) = crossbeam_channel::bounded(limits::MENDINGS_MAX);
        *self.mendings.lock().unwrap_or_else(PoisonError::into_inner) = Some(hint);
        listen
    }

    fn mended(&self, agent: &Agent) {
        let mendings = self.mendings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hint) = &*mendings {
            let _ = hint.try_send(agent.name.clone());
        }
    }

    /// What the portal's clock shows, or showed, at a moment of ours.
    pub fn time_there(&self, here: UnixMs) -> UnixMs {
        self.portal.time_there(here)
    }

    /// How the portal's limits stand.
    pub fn limits(&self) -> Standing {
        self.portal.standing()
    }

    /// One call as `agent`. The token is renewed when it is over and the call then repeated exactly
    /// once (b24: transport §6 rules 4–6); the agent's state follows what the portal says.
    ///
    /// # Errors
    /// The classified failure. An agent that cannot act gets `IdentityLost` without a request.
    pub fn call<T>(&self, name: &AgentName, call: &Call<T>) -> Result<T, Failure> {
        let refused = |code| {
            failure::failure(call.method, call.writes, Class::IdentityLost, Effect::None, code)
        };
        let agent = self.find(name).ok_or_else(|| refused("agent_unknown"))?;
        if !agent.state().works() {
            return Err(refused(match agent.state() {
                AgentState::Paused => "agent_paused",
                AgentState::Created => "agent_without_consent",
                _ => "agent_revoked",
            }));
        }
        if let Some(failure) = agent.resting(call.method) {
            return Err(failure);
        }
        let outcome = self.call_renewing(&agent, call);
        let outcome = outcome.map_err(|failure| match failure::is_ambiguous(&failure) {
            true => self.disambiguated(&agent, failure),
            false => failure,
        });
        self.heed(&agent, call.method, outcome)
    }

    /// `ACCESS_DENIED` is said of one request, and of every request when the plan has no REST or the
    /// account is not usable. Only asking for something that everybody may have tells which
    /// (b24: transport §2.5).
    fn disambiguated(&self, agent: &Agent, failure: Failure) -> Failure {
        match self.call_renewing(agent, &methods::profile()) {
            Ok(_) => failure,
            Err(other) if failure::is_ambiguous(&other) => {
                Failure { class: Class::Licence, ..failure }
            }
            // Not found out; the request itself was refused and can be made again.
            Err(other) => Failure { method: failure.method, ..other },
        }
    }

    /// The call, with at most one renewal.
    pub(super) fn call_renewing<T>(&self, agent: &Agent, call: &Call<T>) -> Result<T, Failure> {
        let refused = |code| {
            failure::failure(call.method, call.writes, Class::IdentityLost, Effect::None, code)
        };
        let identity = agent.chain.identity().ok_or_else(|| refused("agent_without_consent"))?;
        if identity.webhook {
            return self.send(agent, &identity, call).map_err(|failure| match failure.class {
                // There is nothing that could be renewed.
                Class::TokenExpired => Failure { class: Class::IdentityLost, ..failure },
                _ => failure,
            });
        }
        // Renewed before the call when our clock says that it is over; else by the portal's word.
        let identity = if identity.expires_at > clock::now() {
            identity
        } else {
            self.renew(agent, &identity.access, call.method, call.writes)?
        };
        let refused = match self.send(agent, &identity, call) {
            Err(failure)
                if failure.class == Class::TokenExpired || failure.code == failure::MOVED =>
            {
                failure
            }
            other => return other,
        };
        let identity = if refused.class == Class::TokenExpired {
            self.renew(agent, &identity.access, call.method, call.writes)?
        } else {
            match self.follow(agent, &identity) {
                Some(identity) => identity,
                None => return Err(refused),
            }
        };
        self.send(agent, &identity, call).map_err(|failure| match failure.class {
            // A fresh token that is refused again is no matter of time (b24: transport §3.5).
            Class::TokenExpired if refused.class == Class::TokenExpired => {
                Failure { class: Class::IdentityLost, ..refused }
            }
            _ => failure,
        })
    }

    /// The identity at the portal's new address, when there is one. The redirect alone proves
    /// nothing: the address is what the authorization server says of the same portal
    /// (b24: transport §1.12, §6 rule 13).
    fn follow(&self, agent: &Agent, identity: &Identity) -> Option<Identity> {
        let elsewhere = |new: Identity| (new.endpoint != identity.endpoint).then_some(new);
        if let Some(new) = agent.chain.identity().and_then(elsewhere) {
            return Some(new);
        }
        {
            let mut moved = agent.moved();
            if moved.is_some_and(|at| at.elapsed() < limits::PORTAL_MOVED_EVERY) {
                return None;
            }
            *moved = Some(Instant::now());
        }
        let Ok(renewed) = self.renew(agent, &identity.access, refresh::METHOD, false) else {
            // Nothing was learnt; the chain's own rest bounds how often this is tried.
            *agent.moved() = None;
            return None;
        };
        let new = elsewhere(renewed)?;
        log::warn!("portal_moved agent={} host={}", agent.name, new.endpoint.authority());
        Some(new)
    }

    fn send<T>(&self, agent: &Agent, identity: &Identity, call: &Call<T>) -> Result<T, Failure> {
        let outcome = self.portal.call(&identity.credential(), call);
        if outcome.is_ok() && identity.previous_refresh.is_some() && agent.chain.forget_previous() {
            // The new access token works, so the pair before is of no use any more. Forgetting it
            // late is harmless, so a failure to write is none of the call's.
            if let Err(why) = self.store.drop_previous_refresh(&agent.name) {
                log::warn!("previous_token_kept agent={} reason={why}", agent.name);
            }
        }
        outcome
    }

    /// A pair newer than the one with `stale` as its access token.
    pub(super) fn renew(
        &self,
        agent: &Agent,
        stale: &Secret,
        method: &'static str,
        writes: bool,
    ) -> Result<Identity, Failure> {
        match agent.chain.turn(stale) {
            Turn::Renewed(identity) => Ok(identity),
            Turn::Renew(permit, identity) => {
                refresh::renew(self, agent, &identity).map_err(|failure| {
                    permit.failed(&failure);
                    // Nothing of the call itself was sent yet.
                    Failure { method, ..failure }
                })
            }
            Turn::Failed(failure) => Err(Failure { method, ..failure }),
            Turn::Nothing => Err(failure::failure(
                method,
                writes,
                Class::Transport,
                Effect::None,
                "token_not_renewed",
            )),
        }
    }

    /// Keeps the agent's state true to what a call met.
    pub(super) fn heed<T>(
        &self,
        agent: &Agent,
        method: &'static str,
        outcome: Result<T, Failure>,
    ) -> Result<T, Failure> {
        match &outcome {
            Ok(_) => {
                agent.trouble.store(0, Ordering::Relaxed);
                let rested = agent.rest().take().is_some();
                // Held until the state is set: what one call finds lacking, another that works must
                // not declare well a moment later.
                let mut lacking = agent.lacking();
                lacking.take_if(|(known, _)| *known == method);
                match &*lacking {
                    Some((_, reason)) => self.degrade(agent, reason),
                    None => self.happened(agent, Event::Works, ""),
                }
                if rested {
                    self.mended(agent);
                }
            }
            Err(failure) => self.heed_failure(agent, method, failure),
        }
        outcome
    }

    fn heed_failure(&self, agent: &Agent, method: &'static str, failure: &Failure) {
        if let Some(ending) = remedy::of(failure) {
            if !ending.rest.is_zero() {
                *agent.rest() = Some((Instant::now() + ending.rest, failure.clone()));
            }
            let slip = failure::of_a_token(&failure.code);
            agent.slip.store(slip, Ordering::Relaxed);
            return self.happened(agent, ending.event, &remedy::reason(ending, &failure.code));
        }
        match failure.class {
            Class::ScopeMissing | Class::MethodMissing if is_vital(failure.class, method) => {
                let reason = lacking_reason(failure.class, method);
                let mut lacking = agent.lacking();
                self.degrade(agent, &reason);
                *lacking = Some((method, reason));
            }
            Class::Transport | Class::Protocol | Class::PortalTrouble => {
                let row = agent.trouble.fetch_add(1, Ordering::Relaxed) + 1;
                if row >= limits::AGENT_TROUBLE_STREAK {
                    let code = failure.code.to_ascii_lowercase();
                    self.degrade(agent, &format!("the portal does not answer: {code}"));
                }
            }
            _ => {}
        }
    }

    fn degrade(&self, agent: &Agent, reason: &str) {
        self.happened(agent, Event::Troubled, reason);
    }

    /// Moves an agent as the table says, with a reason for people; says so once, where it changes.
    pub(super) fn happened(&self, agent: &Agent, event: Event, reason: &str) {
        let mended = matches!(event, Event::Connected | Event::Resumed | Event::Recovered);
        if mended {
            // Somebody did something, so it is worth to look at once.
            *agent.rest() = None;
        }
        let _changing = agent.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = {
            let mut status = agent.status.write().unwrap_or_else(PoisonError::into_inner);
            let Some(state) = transition(status.0, event) else { return };
            if *status == (state, reason.to_owned()) {
                return;
            }
            *status = (state, reason.to_owned());
            state
        };
        let name = &agent.name;
        log::info!("agent_state agent={name} state={} reason={reason:?}", state.as_str());
        if let Err(why) = self.store.set_agent_state(name, state, reason, clock::now()) {
            log::error!("agent_state_not_stored agent={name} reason={why}");
        }
        self.changed();
        if mended {
            self.mended(agent);
        }
    }

    /// Stores an identity, sealed, by `store`, and only then lets it be used; see
    /// [`crate::agents::chain::Chain::replace`].
    pub(super) fn keep<E>(
        &self,
        agent: &Agent,
        instead_of: Option<&Secret>,
        identity: Identity,
        store: impl FnOnce(SealedIdentity) -> Result<(), E>,
    ) -> Result<Identity, E> {
        let sealed = |identity: &Identity| sealed::seal(&self.vault, &agent.name, identity);
        agent.chain.replace(instead_of, identity, |identity| store(sealed(identity)))
    }

    /// Tells everyone who listens that some agent changed.
    pub(super) fn changed(&self) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            // Full means that a hint is pending already.
            let _ = listener.try_send(());
        }
    }

    pub(super) fn find(&self, name: &AgentName) -> Option<Arc<Agent>> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Agent>> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn map_mut<T>(&self, change: impl FnOnce(&mut BTreeMap<AgentName, Arc<Agent>>) -> T) -> T {
        change(&mut self.agents.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether an agent is the worse for it that a method does not work. An event log that is not there
/// is none; one that it may not read is.
fn is_vital(class: Class, method: &str) -> bool {
    methods::VITAL.contains(&method)
        || class == Class::ScopeMissing && methods::EVENTS.contains(&method)
}

fn lacking_reason(class: Class, method: &str) -> String {
    match class {
        Class::ScopeMissing => {
            format!("the application lacks a scope for {method}: add it to its card")
        }
        _ => format!("the portal does not have {method}: update its messenger"),
    }
}
