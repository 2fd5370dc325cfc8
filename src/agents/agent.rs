//! One agent in memory: its token chain, where it stands, and what its calls met lately. A memory that
//! `registry` keeps true to the store; nobody else changes it. Knows no portal and no database.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use crate::agents::chain::Chain;
use crate::agents::chain::Identity;
use crate::domain::agent::AgentState;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;

/// One agent.
pub(super) struct Agent {
    pub(super) name: AgentName,
    pub(super) chain: Chain,
    pub(super) status: RwLock<(AgentState, String)>,
    /// Calls in a row that met trouble which passes by itself.
    pub(super) trouble: AtomicU32,
    /// A vital method that does not work, and why. The agent stays degraded, whatever else works,
    /// until that method does.
    pub(super) lacking: Mutex<Option<(&'static str, String)>>,
    /// Until when no call is made, and the failure that says why; kept until a call works.
    pub(super) rest: Mutex<Option<(Instant, Failure)>>,
    /// It was lost because a fresh token was refused, which may have been a slip of the portal's: worth
    /// one look before the next that is due.
    pub(super) slip: AtomicBool,
    /// When a redirect to another host last cost a renewal.
    pub(super) moved: Mutex<Option<Instant>>,
    /// Held while a state goes into memory and to the database, so that both end with the same.
    pub(super) changing: Mutex<()>,
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
    /// Its host, with a port if any.
    pub host: Option<String>,
    /// Whether it acts by a webhook.
    pub webhook: bool,
}

impl Agent {
    pub(super) fn new(
        name: AgentName,
        identity: Option<Identity>,
        status: (AgentState, String),
    ) -> Agent {
        Agent {
            name,
            chain: Chain::new(identity),
            status: RwLock::new(status),
            trouble: AtomicU32::new(0),
            lacking: Mutex::new(None),
            rest: Mutex::new(None),
            slip: AtomicBool::new(false),
            moved: Mutex::new(None),
            changing: Mutex::new(()),
        }
    }

    /// While the agent leaves the portal alone: what that said of everything, and would say again.
    pub(super) fn resting(&self, method: &'static str) -> Option<Failure> {
        let rest = self.rest();
        let (until, failure) = rest.as_ref()?;
        let left = until.checked_duration_since(Instant::now())?;
        let retry_after = Some(left);
        Some(Failure { method, effect: Effect::None, retry_after, ..failure.clone() })
    }

    pub(super) fn rest(&self) -> MutexGuard<'_, Option<(Instant, Failure)>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn moved(&self) -> MutexGuard<'_, Option<Instant>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lacking(&self) -> MutexGuard<'_, Option<(&'static str, String)>> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> AgentState {
        self.status.read().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn view(&self) -> AgentView {
        let (state, reason) = self.status.read().unwrap_or_else(PoisonError::into_inner).clone();
        let identity = self.chain.identity();
        AgentView {
            name: self.name.clone(),
            state,
            reason,
            user: identity.as_ref().map(|identity| identity.user),
            user_name: identity.as_ref().map(|i| i.user_name.clone()).unwrap_or_default(),
            webhook: identity.as_ref().is_some_and(|identity| identity.webhook),
            host: identity.as_ref().map(|identity| identity.endpoint.authority().to_owned()),
            member: identity.map(|identity| identity.member),
        }
    }
}
