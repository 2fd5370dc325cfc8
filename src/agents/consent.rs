//! Connecting a person's account to an agent: the rules behind the pages of `api::consent`. A ticket
//! (the link an operator sends) starts authorizations; each has a single-use `state`; the callback
//! is checked, its code exchanged at once, and *who* was connected is shown, because a browser that
//! is signed in as somebody else authorizes that person without asking (b24: transport §1.11). Only
//! a confirmation makes the identity the agent's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use url::Url;

use crate::agents::chain::Identity;
use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::crypto;
use crate::base::secret::Secret;
use crate::bitrix::client::Access;
use crate::bitrix::client::Call;
use crate::bitrix::client::Credential;
use crate::bitrix::methods;
use crate::bitrix::methods::Profile;
use crate::bitrix::oauth::TokenPair;
use crate::domain::agent::Event;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::UserId;
use crate::domain::retry::Backoff;
use crate::limits;
use crate::store;
use crate::store::consents::Hash;

/// Scopes an agent needs; of alternatives one is enough (b24: transport §1.13).
pub const SCOPES: &[&[&str]] = &[&["im"], &["user_brief", "user_basic", "user"], &["department"]];

const BACKOFF: Backoff =
    Backoff { first: limits::REFRESH_RETRY_FIRST, most: limits::REFRESH_RETRY_MOST };

/// Why an authorization leads to nothing. Nothing of the agent changes in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no portal to consent on.
    NotConfigured,
    /// The link is unknown, used or over.
    LinkOver,
    /// The `state` is unknown, used or over: forged, replayed or late.
    StateUnknown,
    /// The callback names another portal than the configured one.
    OtherPortal,
    /// The callback names an authorization server that may not see the secret.
    ServerNotAllowed,
    /// The callback lacks a parameter.
    Incomplete,
    /// The code could not be exchanged; the code of the failure.
    NotExchanged(String),
    /// The new identity could not be read; the code of the failure.
    NotRead(String),
    /// The account is inactive.
    NoAccount,
    /// The account may administrate the portal.
    Administrator,
    /// The agents of this state directory are of another portal.
    OtherInstallation,
    /// Another agent has this account; its name.
    Taken(AgentName),
    /// The agent has another account than when the person was asked to confirm.
    OtherAccount,
    /// The agent has another account, and nobody said that it is to be replaced; that person's name.
    Occupied(String),
    /// The application lacks scopes.
    ScopesMissing(Vec<&'static str>),
    /// The portal has no way to send messages.
    NoMessenger,
    /// The confirmation is unknown, used or over.
    ConfirmationOver,
    /// Too many confirmations are pending.
    TooMany,
    /// Too many authorizations are being looked at, because the portal is slow to answer.
    Busy,
    /// The connector is stopping.
    Stopping,
    /// The database refused; for the log, not for the page.
    Store,
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Refusal {
        log::error!("consent_not_stored reason={error}");
        Refusal::Store
    }
}

/// What the portal's redirect carries (b24: transport §1.2).
#[derive(Clone, Debug)]
pub struct Callback {
    /// The authorization code.
    pub code: Secret,
    /// Echo of our state.
    pub state: String,
    /// Host of the portal.
    pub domain: String,
    /// Host of the authorization server.
    pub server_domain: String,
}

/// Somebody authorized; the person is asked to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Single-use confirmation.
    pub confirmation: String,
    /// Which agent.
    pub agent: AgentName,
    /// Who was connected.
    pub person: String,
    /// Whom the agent is until then, when that is somebody else: to be said before it is confirmed.
    pub replaces: Option<String>,
}

/// A single-use text and the hash that is remembered of it.
struct Once {
    text: String,
    hash: Hash,
}

impl Once {
    fn new() -> Once {
        let text = crypto::hex(&crypto::random::<32>());
        Once { hash: hash(&text), text }
    }
}

/// The same for everything that somebody presents.
fn hash(text: &str) -> Hash {
    crypto::sha256(text.as_bytes())
}

#[derive(Clone)]
struct Pending {
    ticket: Hash,
    agent: AgentName,
    person: String,
    /// The other account that the agent had then, which the person agrees to replace.
    replaces: Option<UserId>,
    /// `None` once it was confirmed: the second of two clicks shows the same page as the first.
    identity: Option<Identity>,
    expires: UnixMs,
}

/// Consents in progress.
pub struct Consents {
    pub(super) registry: Arc<Registry>,
    /// By the hash of their confirmation. Gone with the process: the person begins anew.
    pending: Mutex<HashMap<Hash, Pending>>,
    /// Callbacks that are being carried out.
    busy: AtomicUsize,
    /// Those of them that may ask the portal.
    exchanging: AtomicUsize,
    stopping: AtomicBool,
    /// Confirmations go one by one: the second of two clicks finds what the first did, and of two
    /// agents for one account only one gets it. Never held on the network.
    pub(super) confirming: Mutex<()>,
    /// Held while the portal is asked about a webhook, on one of the control listener's few workers.
    /// Whoever finds it held does not wait.
    pub(super) asking: Mutex<()>,
}

/// A callback that is being carried out; counted until it is dropped.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    /// One more, and how many others there were.
    fn begin(count: &'a AtomicUsize) -> (Busy<'a>, usize) {
        let others = count.fetch_add(1, Ordering::SeqCst);
        (Busy(count), others)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Consents {
    /// No consents yet.
    pub fn new(registry: Arc<Registry>) -> Consents {
        Consents {
            registry,
            pending: Mutex::new(HashMap::new()),
            busy: AtomicUsize::new(0),
            exchanging: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            confirming: Mutex::new(()),
            asking: Mutex::new(()),
        }
    }

    /// Phase one of stopping: takes no callback any more and asks nobody a second time.
    pub fn refuse(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until the callbacks in flight are answered, at most until `deadline`.
    pub fn drain(&self, deadline: Instant) {
        while self.busy.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            // Polling is enough here: it happens once, at the end of the process.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A ticket for an agent; `None` when there is no such agent.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn open(&self, agent: &AgentName) -> Result<Option<String>, store::Error> {
        if self.registry.find(agent).is_none() {
            return Ok(None);
        }
        let (once, now) = (Once::new(), clock::now());
        let expires = now.plus(limits::CONSENT_LIFETIME);
        self.registry.store.put_ticket(once.hash, agent, expires, now)?;
        log::info!("consent_opened agent={agent}");
        Ok(Some(once.text))
    }

    /// Whether there is an application to consent to.
    pub fn can_begin(&self) -> bool {
        self.registry.oauth.has_client()
    }

    /// The agent a ticket is for.
    ///
    /// # Errors
    /// [`Refusal::LinkOver`].
    pub fn agent_of(&self, ticket: &str) -> Result<AgentName, Refusal> {
        self.registry.store.ticket(hash(ticket), clock::now())?.ok_or(Refusal::LinkOver)
    }

    /// Where the browser goes to authorize, with a state of its own.
    ///
    /// # Errors
    /// [`Refusal::LinkOver`].
    pub fn begin(&self, ticket: &str) -> Result<Url, Refusal> {
        self.agent_of(ticket)?;
        let once = Once::new();
        let expires = clock::now().plus(limits::CONSENT_LIFETIME);
        self.registry.store.put_state(once.hash, hash(ticket), expires)?;
        self.registry.oauth.authorize_url(&once.text).ok_or(Refusal::NotConfigured)
    }

    /// Checks a callback, exchanges its code and sees who it is.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn callback(&self, callback: &Callback) -> Result<Connected, Refusal> {
        // Counted first: whoever is not seen by `drain` sees that it is too late.
        let _busy = Busy::begin(&self.busy).0;
        if self.stopping() {
            return Err(Refusal::Stopping);
        }
        // Whoever was asked has a place in front of strangers, however many these are; and keeps its
        // state where there is none, so that the same address can be opened again.
        if !self.registry.store.has_state(hash(&callback.state), clock::now())? {
            return Err(Refusal::StateUnknown);
        }
        let (_exchanging, others) = Busy::begin(&self.exchanging);
        if others >= limits::CONSENT_CALLBACKS_MAX {
            return Err(Refusal::Busy);
        }
        // The state goes first and is used up whatever comes after, so that a callback with a
        // guessed rest cannot be tried twice. It is found by its hash: nothing is compared here
        // that takes longer the nearer a guess is.
        let taken = self.registry.store.take_state(hash(&callback.state), clock::now())?;
        let (ticket, agent) = taken.ok_or(Refusal::StateUnknown)?;
        if !self.registry.oauth.is_portal(&callback.domain) {
            return Err(Refusal::OtherPortal);
        }
        if !self.registry.oauth.is_server(&callback.server_domain) {
            return Err(Refusal::ServerNotAllowed);
        }
        let began = Instant::now();
        let pair = self.exchange(callback, began)?;
        let identity = self.examine(&callback.server_domain, pair, began)?;
        let former = self.free(&agent, &identity)?;
        let replaces = former.as_ref().map(|(user, _)| *user);
        let person = identity.user_name.clone();
        let (once, now) = (Once::new(), clock::now());
        let mut pending = self.pending();
        pending.retain(|_, pending| pending.expires > now);
        if pending.len() >= limits::CONSENT_PENDING_MAX {
            // What was confirmed stays only for a second click.
            pending.retain(|_, pending| pending.identity.is_some());
        }
        if pending.len() >= limits::CONSENT_PENDING_MAX {
            return Err(Refusal::TooMany);
        }
        let expires = now.plus(limits::CONSENT_LIFETIME);
        let identity = Some(identity);
        let (name, who) = (agent.clone(), person.clone());
        let waiting = Pending { ticket, agent: name, person: who, replaces, identity, expires };
        pending.insert(once.hash, waiting);
        let replaces = former.map(|(_, name)| name);
        Ok(Connected { confirmation: once.text, agent, person, replaces })
    }

    /// Makes a pending identity the agent's. What cannot be stored stays pending.
    ///
    /// # Errors
    /// [`Refusal::ConfirmationOver`], [`Refusal::LinkOver`], [`Refusal::Taken`],
    /// [`Refusal::OtherAccount`], [`Refusal::Store`].
    pub fn confirm(&self, confirmation: &str) -> Result<(AgentName, String), Refusal> {
        let _one = self.confirming.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, key) = (clock::now(), hash(confirmation));
        let pending = self.pending().get(&key).filter(|pending| pending.expires > now).cloned();
        let Pending { ticket, agent: name, person, replaces, identity, .. } =
            pending.ok_or(Refusal::ConfirmationOver)?;
        let Some(identity) = identity else { return Ok((name, person)) };
        let agent = self.registry.find(&name).ok_or(Refusal::LinkOver)?;
        // Somebody else may have confirmed the same account in the meantime.
        let former = self.free(&name, &identity)?.map(|(user, _)| user);
        if former.is_some() && former != replaces {
            return Err(Refusal::OtherAccount);
        }
        let store = &self.registry.store;
        self.registry.keep(&agent, None, identity, |sealed| {
            match store.put_consent(Some(ticket), &name, sealed, now)? {
                true => Ok(()),
                false => Err(Refusal::LinkOver),
            }
        })?;
        if let Some(pending) = self.pending().get_mut(&key) {
            pending.identity = None;
        }
        self.registry.happened(&agent, Event::Connected, "");
        // Also when it was active before: its events must be subscribed to anew (b24: R1).
        self.registry.changed();
        log::info!("consent_confirmed agent={name} replaces={}", former.is_some());
        Ok((name, person))
    }

    /// The exchange, repeated only while the code lives and only when an answer was lost
    /// (b24: transport §6 rule 10).
    fn exchange(&self, callback: &Callback, began: Instant) -> Result<TokenPair, Refusal> {
        let mut attempt = 1;
        loop {
            let transport = self.registry.portal.transport();
            let answer =
                self.registry.oauth.exchange(transport, &callback.server_domain, &callback.code);
            let failure = match answer {
                Ok(pair) => return Ok(pair),
                Err(failure) => failure,
            };
            log::warn!("code_not_exchanged {failure}");
            let delay = BACKOFF.delay(attempt, u64::from_le_bytes(crypto::random()));
            let in_time = began.elapsed() + delay < limits::CONSENT_CODE_LIFETIME;
            if !lost(&failure) || !in_time || self.stopping() {
                return Err(Refusal::NotExchanged(failure.code));
            }
            std::thread::sleep(delay);
            attempt += 1;
        }
    }

    /// Sees who the tokens act as, and whether that will do.
    fn examine(
        &self,
        oauth_host: &str,
        pair: TokenPair,
        began: Instant,
    ) -> Result<Identity, Refusal> {
        let endpoint = pair.client_endpoint.filter(|url| self.registry.oauth.is_endpoint(url));
        let endpoint = endpoint.ok_or(Refusal::OtherPortal)?;
        let access = Access::Token(pair.access.clone());
        let credential = Credential { endpoint: endpoint.clone(), access };
        let profile = self.look_at(&credential, pair.user, began)?;
        let now = clock::now();
        Ok(Identity {
            user: profile.id,
            user_name: profile.name,
            member: pair.member,
            endpoint,
            oauth_host: oauth_host.to_owned(),
            webhook: false,
            access: pair.access,
            refresh: pair.refresh,
            previous_refresh: None,
            expires_at: now.plus(pair.lifetime),
            refreshed_at: now,
        })
    }

    /// Sees whom a credential acts as, who should be `expected`, and whether an agent can be that
    /// account.
    pub(super) fn look_at(
        &self,
        credential: &Credential,
        expected: Option<UserId>,
        began: Instant,
    ) -> Result<Profile, Refusal> {
        let profile = self.ask(began, credential, &methods::profile())?;
        let profile = profile.ok_or(Refusal::NoAccount)?;
        if expected.is_some_and(|user| user != profile.id) {
            return Err(Refusal::NotRead("other_user".to_owned()));
        }
        if profile.admin {
            return Err(Refusal::Administrator);
        }
        let granted = self.ask(began, credential, &methods::scope())?;
        let missing: Vec<&str> = SCOPES
            .iter()
            .filter(|any| !any.iter().any(|scope| granted.iter().any(|has| has == scope)))
            .map(|any| any[0])
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::ScopesMissing(missing));
        }
        if !self.ask(began, credential, &methods::method_available(methods::SEND))? {
            return Err(Refusal::NoMessenger);
        }
        Ok(profile)
    }

    /// Whether the account is no other agent's, and on the portal that cursors, messages and
    /// deliveries here belong to: their numbers mean nothing elsewhere. Who the agent is until now,
    /// when that is somebody else. A webhook does not tell the portal's own id: where the ids differ,
    /// its host will do.
    pub(super) fn free(
        &self,
        agent: &AgentName,
        identity: &Identity,
    ) -> Result<Option<(UserId, String)>, Refusal> {
        let mut former = None;
        for known in self.registry.agents() {
            let same_host = known.host.as_deref() == Some(identity.endpoint.authority());
            let by_host = (known.webhook || identity.webhook) && same_host;
            if known.member.is_some_and(|member| member != identity.member) && !by_host {
                return Err(Refusal::OtherInstallation);
            }
            let same_account = known.user == Some(identity.user);
            if known.name != *agent && same_account {
                return Err(Refusal::Taken(known.name));
            }
            if let (true, false, Some(user)) = (known.name == *agent, same_account, known.user) {
                former = Some((user, known.user_name));
            }
        }
        Ok(former)
    }

    /// One reading call with the new token, repeated a few times when the answer is lost, and only
    /// while the person may still be waiting for the page.
    fn ask<T>(
        &self,
        began: Instant,
        credential: &Credential,
        call: &Call<T>,
    ) -> Result<T, Refusal> {
        let mut attempt = 1;
        loop {
            if began.elapsed() > limits::CONSENT_PAGE_MAX {
                return Err(Refusal::NotRead("timeout".to_owned()));
            }
            match self.registry.portal.call(credential, call) {
                Ok(answer) => return Ok(answer),
                Err(failure)
                    if lost(&failure)
                        && attempt < limits::REFRESH_ATTEMPTS_MAX
                        && !self.stopping() =>
                {
                    std::thread::sleep(
                        BACKOFF.delay(attempt, u64::from_le_bytes(crypto::random())),
                    );
                    attempt += 1;
                }
                Err(failure) => {
                    log::warn!("identity_not_read {failure}");
                    return Err(Refusal::NotRead(failure.code));
                }
            }
        }
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Hash, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an answer may come the next time.
fn lost(failure: &Failure) -> bool {
    matches!(
        failure.class,
        Class::Transport | Class::Protocol | Class::PortalTrouble | Class::RateLimited
    )
}
