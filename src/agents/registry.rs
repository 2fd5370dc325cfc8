//! The agents in memory, each with its state and token chain, and calls made as one of them: token
//! renewed when over, the call repeated exactly once after that, the agent's state kept true.
//! Shared by every thread. Facts are in the store; this is their working copy.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::agents::chain::Chain;
use crate::agents::chain::Identity;
use crate::agents::chain::Turn;
use crate::agents::refresh;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::bitrix::client::Call;
use crate::bitrix::client::Credential;
use crate::bitrix::client::Portal;
use crate::bitrix::failure;
use crate::bitrix::methods;
use crate::bitrix::oauth;
use crate::bitrix::oauth::OAuth;
use crate::domain::agent::AgentState;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;
use crate::domain::turns::Standing;
use crate::limits;
use crate::store;
use crate::store::Store;
use crate::store::agents::AgentRow;
use crate::store::agents::SealedIdentity;
use crate::vault::Vault;
use crate::vault::VaultError;

/// Reason of an agent whose stored tokens do not open.
const DAMAGED: &str = "the stored tokens are damaged: open a new consent link";

/// Every agent, and how to act as one.
pub struct Registry {
    pub(super) store: Store,
    pub(super) vault: Vault,
    pub(super) portal: Arc<Portal>,
    pub(super) oauth: OAuth,
    agents: RwLock<BTreeMap<AgentName, Arc<Agent>>>,
    listeners: Mutex<Vec<Sender<()>>>,
}

/// One agent.
pub(super) struct Agent {
    pub(super) name: AgentName,
    pub(super) chain: Chain,
    status: RwLock<(AgentState, String)>,
    /// Calls in a row that met trouble which passes by itself.
    trouble: AtomicU32,
    /// A vital method that does not work, and why. The agent stays degraded, whatever else works,
    /// until that method does.
    lacking: Mutex<Option<(&'static str, String)>>,
    /// When a redirect to another host last cost a renewal.
    moved: Mutex<Option<Instant>>,
    /// Held while a state goes into memory and to the database, so that both end with the same.
    changing: Mutex<()>,
}

/// What others may know of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// Its name.
    pub name: AgentName,
    /// Where it stands.
    pub state: AgentState,
    /// Why, for people.
    pub reason: String,
    /// The portal user it acts as.
    pub user: Option<UserId>,
    /// That user's name.
    pub user_name: String,
    /// The portal.
    pub member: Option<MemberId>,
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
            let identity = open_identity(&vault, &row).or_else(|why| {
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
        let credential =
            Credential { endpoint: identity.endpoint.clone(), access: identity.access.clone() };
        let outcome = self.portal.call(&credential, call);
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
                // Held until the state is set: what one call finds lacking, another that works must
                // not declare well a moment later.
                let mut lacking = agent.lacking();
                lacking.take_if(|(known, _)| *known == method);
                match &*lacking {
                    Some((_, reason)) => self.degrade(agent, reason),
                    None if agent.state() == AgentState::Degraded => {
                        self.set_state(agent, AgentState::Active, "");
                    }
                    None => {}
                }
            }
            Err(failure) => match failure.class {
                Class::IdentityLost => {
                    self.set_state(agent, AgentState::Revoked, &lost_reason(&failure.code));
                }
                Class::Licence => self.degrade(
                    agent,
                    &format!(
                        "the portal refuses every call: its plan is over or has no REST, or the \
                         account is not confirmed yet ({})",
                        failure.code.to_ascii_lowercase()
                    ),
                ),
                Class::PortalClosed => self.degrade(
                    agent,
                    &format!(
                        "the portal or the application is closed or blocked ({})",
                        failure.code.to_ascii_lowercase()
                    ),
                ),
                Class::Certificate if failure.code == oauth::SERVER_NOT_ALLOWED => self.degrade(
                    agent,
                    "the agent's authorization server is not in BITRIX24_OAUTH_SERVERS: add it, or \
                     open a new consent link",
                ),
                Class::Certificate => self.degrade(
                    agent,
                    "the portal's certificate is not trusted: set BITRIX24_CA_FILE",
                ),
                Class::ScopeMissing | Class::MethodMissing if methods::VITAL.contains(&method) => {
                    let reason = lacking_reason(failure.class, method);
                    let mut lacking = agent.lacking();
                    self.degrade(agent, &reason);
                    *lacking = Some((method, reason));
                }
                Class::Transport | Class::Protocol | Class::PortalTrouble => {
                    let row = agent.trouble.fetch_add(1, Ordering::Relaxed) + 1;
                    if row >= limits::AGENT_TROUBLE_STREAK {
                        self.degrade(
                            agent,
                            &format!("the portal does not answer: {}", failure.code),
                        );
                    }
                }
                _ => {}
            },
        }
        outcome
    }

    fn degrade(&self, agent: &Agent, reason: &str) {
        if agent.state().works() {
            self.set_state(agent, AgentState::Degraded, reason);
        }
    }

    /// Sets an agent's state; says so once, where it changes.
    pub(super) fn set_state(&self, agent: &Agent, state: AgentState, reason: &str) {
        let _changing = agent.changing.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut status = agent.status.write().unwrap_or_else(PoisonError::into_inner);
            if *status == (state, reason.to_owned()) {
                return;
            }
            *status = (state, reason.to_owned());
        }
        let name = &agent.name;
        log::info!("agent_state agent={name} state={} reason={reason:?}", state.as_str());
        if let Err(why) = self.store.set_agent_state(name, state, reason, clock::now()) {
            log::error!("agent_state_not_stored agent={name} reason={why}");
        }
        self.changed();
    }

    /// Stores an identity, sealed, by `store`, and only then lets it be used; see
    /// [`Chain::replace`].
    pub(super) fn keep<E>(
        &self,
        agent: &Agent,
        instead_of: Option<&Secret>,
        identity: Identity,
        store: impl FnOnce(SealedIdentity) -> Result<(), E>,
    ) -> Result<Identity, E> {
        let sealed = |identity: &Identity| self.seal(&agent.name, identity);
        agent.chain.replace(instead_of, identity, |identity| store(sealed(identity)))
    }

    fn seal(&self, name: &AgentName, identity: &Identity) -> SealedIdentity {
        let seal = |what, secret| self.vault.seal(&context(name, what), secret);
        SealedIdentity {
            user: identity.user,
            user_name: identity.user_name.clone(),
            member: identity.member.clone(),
            client_endpoint: identity.endpoint.to_string(),
            oauth_host: identity.oauth_host.clone(),
            access: seal("access", &identity.access),
            refresh: seal("refresh", &identity.refresh),
            previous_refresh: identity
                .previous_refresh
                .as_ref()
                .map(|secret| seal("previous_refresh", secret)),
            expires_at: identity.expires_at,
            refreshed_at: identity.refreshed_at,
        }
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

impl Agent {
    fn new(name: AgentName, identity: Option<Identity>, status: (AgentState, String)) -> Agent {
        Agent {
            name,
            chain: Chain::new(identity),
            status: RwLock::new(status),
            trouble: AtomicU32::new(0),
            lacking: Mutex::new(None),
            moved: Mutex::new(None),
            changing: Mutex::new(()),
        }
    }

    fn moved(&self) -> MutexGuard<'_, Option<Instant>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lacking(&self) -> MutexGuard<'_, Option<(&'static str, String)>> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> AgentState {
        self.status.read().unwrap_or_else(PoisonError::into_inner).0
    }

    fn view(&self) -> AgentView {
        let (state, reason) = self.status.read().unwrap_or_else(PoisonError::into_inner).clone();
        let identity = self.chain.identity();
        AgentView {
            name: self.name.clone(),
            state,
            reason,
            user: identity.as_ref().map(|identity| identity.user),
            user_name: identity.as_ref().map(|i| i.user_name.clone()).unwrap_or_default(),
            member: identity.map(|identity| identity.member),
        }
    }
}

fn lacking_reason(class: Class, method: &str) -> String {
    match class {
        Class::ScopeMissing => {
            format!("the application lacks a scope for {method}: add it to its card")
        }
        _ => format!("the portal does not have {method}: update its messenger"),
    }
}

/// What a sealed value belongs to; part of what is authenticated.
fn context(name: &AgentName, what: &str) -> String {
    format!("agents/{name}/{what}")
}

fn open_identity(vault: &Vault, row: &AgentRow) -> Result<Option<Identity>, VaultError> {
    let Some(sealed) = &row.identity else { return Ok(None) };
    let open = |what, sealed: &[u8]| vault.open_sealed(&context(&row.name, what), sealed);
    let previous = sealed.previous_refresh.as_ref();
    Ok(Some(Identity {
        user: sealed.user,
        user_name: sealed.user_name.clone(),
        member: sealed.member.clone(),
        endpoint: oauth::endpoint(&sealed.client_endpoint).ok_or(VaultError::Sealed)?,
        oauth_host: sealed.oauth_host.clone(),
        access: open("access", &sealed.access)?,
        refresh: open("refresh", &sealed.refresh)?,
        // Only a way back, so nothing is lost with it.
        previous_refresh: previous.and_then(|sealed| open("previous_refresh", sealed).ok()),
        expires_at: sealed.expires_at,
        refreshed_at: sealed.refreshed_at,
    }))
}

/// One sentence about what a person must do, by the code that ended the identity
/// (b24: transport §1.9, §1.12).
fn lost_reason(code: &str) -> String {
    let what = match code.to_ascii_lowercase().as_str() {
        "authorization_error" => {
            "the account is dismissed or inactive: reactivate it, or consent \
             with another account"
        }
        "user_access_error" => {
            "the application is restricted to other users: allow this account \
             in the application's rights"
        }
        "application_not_found" | "not_installed" | "error_oauth" | "wrong_client" => {
            "the application was deleted in the portal: create it again, set BITRIX24_CLIENT_ID \
             and BITRIX24_CLIENT_SECRET, and consent again"
        }
        "invalid_client" | "unauthorized_client" => {
            "the application's secret is not the configured one: set BITRIX24_CLIENT_SECRET"
        }
        _ => "the portal does not accept the agent's tokens any more: open a new consent link",
    };
    format!("{what} ({})", code.to_ascii_lowercase())
}
