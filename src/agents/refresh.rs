//! Renewing tokens. [`renew`] is one renewal, right in a world where refresh tokens can be used
//! again and in one where each works once (b24: transport §1.8). The `refresh` thread keeps idle
//! chains alive and probes agents whose identity was lost; it is woken by its timetable and ends on
//! stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::agents::agent::Agent;
use crate::agents::chain::Identity;
use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::crypto;
use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::bitrix::failure;
use crate::bitrix::methods;
use crate::bitrix::oauth::TokenPair;
use crate::domain::agent::AgentState;
use crate::domain::agent::Event;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::retry::Backoff;
use crate::limits;

/// The name failures of a renewal carry.
pub(super) const METHOD: &str = "oauth.refresh";

const BACKOFF: Backoff =
    Backoff { first: limits::REFRESH_RETRY_FIRST, most: limits::REFRESH_RETRY_MOST };

/// Renews an agent's pair and stores it before it is used. The caller holds the permit.
///
/// # Errors
/// The classified failure; `IdentityLost` when the chain has ended.
pub(super) fn renew(
    registry: &Registry,
    agent: &Agent,
    identity: &Identity,
) -> Result<Identity, Failure> {
    let renewed = match agent.chain.unsaved() {
        // The pair before could not be stored. Where tokens work once, asking again with the old
        // refresh token would end the chain.
        Some(unsaved) => unsaved,
        None => obtain(registry, identity).inspect_err(|failure| {
            log::warn!("token_not_renewed agent={} {failure}", agent.name);
        })?,
    };
    let stored = registry.keep(agent, Some(&identity.access), renewed.clone(), |sealed| {
        registry.store.put_identity(&agent.name, sealed, clock::now())
    });
    let kept = stored.map_err(|why| {
        log::error!("token_not_stored agent={} reason={why}", agent.name);
        agent.chain.keep_unsaved(renewed);
        failure::failure(METHOD, false, Class::Transport, Effect::None, "token_not_stored")
    })?;
    count(Counter::TokensRefreshed);
    log::info!("token_renewed agent={}", agent.name);
    Ok(kept)
}

/// A new pair of the authorization server, checked, not stored.
fn obtain(registry: &Registry, identity: &Identity) -> Result<Identity, Failure> {
    let renewed = ask(registry, identity, &identity.refresh).or_else(|failure| {
        // An answer to the renewal before may have been lost on its way to the disk; its refresh
        // token is still a way back, once (b24: transport §1.8 item 5).
        match &identity.previous_refresh {
            Some(previous) if failure.code.eq_ignore_ascii_case("invalid_grant") => {
                ask(registry, identity, previous).map_err(|second| match second.class {
                    Class::IdentityLost => failure,
                    _ => second,
                })
            }
            _ => Err(failure),
        }
    });
    let pair = renewed.and_then(|pair| check(identity, pair))?;
    let now = clock::now();
    Ok(Identity {
        endpoint: pair.client_endpoint.unwrap_or_else(|| identity.endpoint.clone()),
        access: pair.access,
        refresh: pair.refresh,
        previous_refresh: Some(identity.refresh.clone()),
        expires_at: now.plus(pair.lifetime),
        refreshed_at: now,
        ..identity.clone()
    })
}

/// One refresh token, asked again after a lost answer: the only move that can help in either world
/// (b24: transport §1.8 item 4).
fn ask(registry: &Registry, identity: &Identity, refresh: &Secret) -> Result<TokenPair, Failure> {
    let mut attempt = 1;
    loop {
        let transport = registry.portal.transport();
        let answer = registry.oauth.refresh(transport, &identity.oauth_host, refresh);
        let Err(failure) = answer else { return answer };
        let passing = matches!(
            failure.class,
            Class::Transport | Class::Protocol | Class::PortalTrouble | Class::RateLimited
        );
        if !passing || attempt >= limits::REFRESH_ATTEMPTS_MAX {
            return Err(failure);
        }
        // Sleeping here is bounded by the attempts; callers of the same agent wait with it.
        std::thread::sleep(BACKOFF.delay(attempt, dice()));
        attempt += 1;
    }
}

/// b24: transport §6 rule 9: a pair of another portal or another person is refused and reported.
fn check(identity: &Identity, pair: TokenPair) -> Result<TokenPair, Failure> {
    let odd = |code| failure::failure(METHOD, false, Class::IdentityLost, Effect::None, code);
    if pair.member != identity.member {
        return Err(odd("other_portal"));
    }
    if pair.user.is_some_and(|user| user != identity.user) {
        return Err(odd("other_user"));
    }
    Ok(pair)
}

fn dice() -> u64 {
    u64::from_le_bytes(crypto::random())
}

/// The thread. Trigger before thread: dropping asks it to end, then joins.
pub struct Refresh {
    trigger: Option<StopTrigger>,
    _thread: Thread,
}

impl Refresh {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn start(registry: Arc<Registry>, exits: &Exits) -> std::io::Result<Refresh> {
        let (trigger, stop) = Stop::new();
        let thread = Thread::spawn(ThreadName::Refresh, exits, move || watch(&registry, &stop))?;
        Ok(Refresh { trigger: Some(trigger), _thread: thread })
    }
}

impl Drop for Refresh {
    fn drop(&mut self) {
        self.trigger.take();
    }
}

fn watch(registry: &Registry, stop: &Stop) {
    let mut timetable = Timetable::default();
    let mut passed_by = Duration::ZERO;
    loop {
        timetable.round(registry, passed_by, clock::now(), stop);
        if stop.wait(limits::REFRESH_TICK) {
            return;
        }
        passed_by += limits::REFRESH_TICK;
    }
}

/// What is due next, in time since the start. All of it at the start: a person may have mended what
/// an agent's state tells of, and restarted.
#[derive(Default)]
struct Timetable {
    look: Duration,
    licence: Duration,
}

impl Timetable {
    /// One round of the agents, so long after the start, at this moment.
    fn round(&mut self, registry: &Registry, passed_by: Duration, now: UnixMs, stop: &Stop) {
        let look = passed_by >= self.look;
        for agent in registry.all() {
            if stop.is_set() {
                return;
            }
            if look {
                keep_alive(registry, &agent, now);
            }
            let due = look || agent.slip.swap(false, Ordering::Relaxed);
            if due && agent.state() == AgentState::Revoked {
                probe(registry, &agent);
            }
        }
        if look {
            self.look = passed_by + limits::AGENT_PROBE_EVERY;
        }
        if passed_by >= self.licence && learn_licence(registry) {
            self.licence = passed_by + limits::LICENCE_EVERY;
        }
    }
}

/// Renews a chain that nobody used for long. Not at every tick: a paused agent shows nowhere that its
/// chain has ended, so this would ask again and again.
fn keep_alive(registry: &Registry, agent: &Agent, now: UnixMs) {
    let Some(identity) = agent.chain.identity() else { return };
    if is_idle(&identity, agent.state(), now) {
        let renewed = registry.renew(agent, &identity.access, METHOD, false);
        // Heeding keeps the state and the log; there is nobody to tell. That the authorization server
        // renews says nothing of the portal, from which the agent may be resting.
        if renewed.is_err() {
            let _ = registry.heed(agent, METHOD, renewed);
        }
    }
}

/// Whether nobody used a chain for 20 days that is to be kept: the shortest documented lifetime of a
/// refresh token is 28 days (b24: transport §1.6).
fn is_idle(identity: &Identity, state: AgentState, now: UnixMs) -> bool {
    let kept = state.works() || state == AgentState::Paused;
    kept && !identity.webhook && now.since(identity.refreshed_at) >= limits::REFRESH_IDLE_MAX
}

/// Sees whether a lost identity works again, so that a mended portal needs no restart. Rare, because
/// the portal must not be asked in vain (b24: transport §3.5: every 15 minutes at most).
fn probe(registry: &Registry, agent: &Agent) {
    if let Ok(Some(_)) = registry.call_renewing(agent, &methods::profile()) {
        registry.happened(agent, Event::Recovered, "");
    }
}

/// Asks any working agent for the licence, which decides the rate.
fn learn_licence(registry: &Registry) -> bool {
    let agents = registry.all();
    let Some(agent) = agents.iter().find(|agent| agent.state() == AgentState::Active) else {
        return false;
    };
    match registry.call_renewing(agent, &methods::licence()) {
        Ok(licence) => {
            registry.portal.set_licence(&licence);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
