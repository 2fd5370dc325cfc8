//! One agent's token chain: who may renew it, and what the stored pair is. Renewal is single-flight
//! (b24: transport §1.8): many callers that meet an expired token cause exactly one request, and no
//! lock is held while it is on the network.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use url::Url;

use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;
use crate::limits;

/// An opened identity: what the database has sealed.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The portal user the tokens act as.
    pub user: UserId,
    /// The user's name, for people.
    pub user_name: String,
    /// The portal.
    pub member: MemberId,
    /// REST root of the portal.
    pub endpoint: Url,
    /// Authorization server that issued the pair.
    pub oauth_host: String,
    /// Access token.
    pub access: Secret,
    /// Refresh token.
    pub refresh: Secret,
    /// Refresh token of the pair before, until the new access token has worked once.
    pub previous_refresh: Option<Secret>,
    /// When the access token ends, by our clock.
    pub expires_at: UnixMs,
    /// When the pair was obtained.
    pub refreshed_at: UnixMs,
}

/// The chain of one agent.
#[derive(Default)]
pub struct Chain {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    identity: Option<Identity>,
    renewing: bool,
}

/// What a caller that met an expired token is to do.
pub enum Turn<'a> {
    /// Renew it, and tell the others by dropping or finishing the permit.
    Renew(Permit<'a>, Identity),
    /// Somebody else has renewed it meanwhile.
    Renewed(Identity),
    /// There is no identity, or the other's renewal did not end in time.
    Nothing,
}

/// The right to renew. Dropping it without a new pair lets the next caller try.
pub struct Permit<'a> {
    chain: &'a Chain,
}

impl Chain {
    /// A chain with the pair that the database has.
    pub fn new(identity: Option<Identity>) -> Chain {
        Chain { state: Mutex::new(State { identity, renewing: false }), settled: Condvar::new() }
    }

    /// The identity as it is now.
    pub fn identity(&self) -> Option<Identity> {
        self.state().identity.clone()
    }

    /// Replaces the identity: a consent, or a renewal by its permit.
    pub fn put(&self, identity: Identity) {
        self.state().identity = Some(identity);
    }

    /// Forgets the refresh token of the pair before; `true` when there was one.
    pub fn forget_previous(&self) -> bool {
        let mut state = self.state();
        state.identity.as_mut().is_some_and(|identity| identity.previous_refresh.take().is_some())
    }

    /// Asks to renew the pair whose access token is `stale`. Waits while another caller renews it;
    /// bounded.
    pub fn turn(&self, stale: &Secret) -> Turn<'_> {
        let deadline = Instant::now() + limits::REFRESH_WAIT_MAX;
        let mut state = self.state();
        loop {
            let Some(identity) = state.identity.clone() else { return Turn::Nothing };
            if !identity.access.matches(stale.expose().as_bytes()) {
                return Turn::Renewed(identity);
            }
            if !state.renewing {
                state.renewing = true;
                return Turn::Renew(Permit { chain: self }, identity);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Turn::Nothing;
            }
            let waited = self.settled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            // A failed renewal is not repeated by those who waited for it.
            let unchanged = state
                .identity
                .as_ref()
                .is_some_and(|identity| identity.access.matches(stale.expose().as_bytes()));
            if unchanged && !state.renewing {
                return Turn::Nothing;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A clone or an assignment cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.chain.state().renewing = false;
        self.chain.settled.notify_all();
    }
}
