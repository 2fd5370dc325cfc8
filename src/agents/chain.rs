//! One agent's token chain: who may renew it, and what the stored pair is. Renewal is single-flight
//! (b24: transport §1.8): many callers that meet an expired token cause exactly one request, and no
//! lock is held while it is on the network. A renewal that failed is not begun anew by every caller:
//! the chain rests, longer from failure to failure. Knows neither the network nor the database.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use url::Url;

use crate::base::clock::UnixMs;
use crate::base::crypto;
use crate::base::secret::Secret;
use crate::bitrix::client::Access;
use crate::bitrix::client::Credential;
use crate::domain::failure::Failure;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;
use crate::domain::retry::Backoff;
use crate::limits;

const REST: Backoff =
    Backoff { first: limits::REFRESH_REST_FIRST, most: limits::REFRESH_REST_MOST };

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
    /// Whether it is a webhook: `access` is its secret, which does not end, and there is nothing to
    /// renew.
    pub webhook: bool,
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
pub struct Chain {
    state: Mutex<State>,
    /// How long it rests after failures.
    rests: Backoff,
    settled: Condvar,
    /// Held while an identity goes to the database and then into `state`, never on the network.
    writing: Mutex<()>,
}

#[derive(Default)]
struct State {
    identity: Option<Identity>,
    renewing: bool,
    /// A renewed pair that could not be stored yet, so it may not be used either. Where a refresh
    /// token works once, it is the only one that still does.
    unsaved: Option<Identity>,
    rest: Option<Rest>,
}

/// After a renewal that failed.
struct Rest {
    failures: u32,
    until: Instant,
    failure: Failure,
}

/// What a caller that met an expired token is to do.
pub enum Turn<'a> {
    /// Renew it, and tell the others by dropping or finishing the permit.
    Renew(Permit<'a>, Identity),
    /// Somebody else has renewed it meanwhile.
    Renewed(Identity),
    /// Somebody else has tried in vain, just now.
    Failed(Failure),
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
        Chain {
            state: Mutex::new(State { identity, ..State::default() }),
            rests: REST,
            settled: Condvar::new(),
            writing: Mutex::new(()),
        }
    }

    /// The identity as it is now.
    pub fn identity(&self) -> Option<Identity> {
        self.state().identity.clone()
    }

    /// Stores an identity by `store` and only then lets it be used (b24: transport §6 rule 7). With
    /// `instead_of`, the access token of the pair it renews, only while that is still the agent's:
    /// a consent that came in between stands. The identity that is the agent's now.
    ///
    /// # Errors
    /// What `store` says; nothing has changed then.
    pub fn replace<E>(
        &self,
        instead_of: Option<&Secret>,
        identity: Identity,
        store: impl FnOnce(&Identity) -> Result<(), E>,
    ) -> Result<Identity, E> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(stale), Some(current)) = (instead_of, self.identity())
            && !current.is(stale)
        {
            return Ok(current);
        }
        store(&identity)?;
        let mut state = self.state();
        state.identity = Some(identity.clone());
        state.unsaved = None;
        state.rest = None;
        Ok(identity)
    }

    /// A renewed pair that waits to be stored.
    pub fn unsaved(&self) -> Option<Identity> {
        self.state().unsaved.clone()
    }

    /// Keeps a renewed pair that could not be stored.
    pub fn keep_unsaved(&self, identity: Identity) {
        self.state().unsaved = Some(identity);
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
            if !identity.is(stale) {
                return Turn::Renewed(identity);
            }
            let now = Instant::now();
            if !state.renewing {
                if let Some(rest) = state.rest.as_ref().filter(|rest| rest.until > now) {
                    let left = Some(rest.until - now);
                    return Turn::Failed(Failure { retry_after: left, ..rest.failure.clone() });
                }
                state.renewing = true;
                return Turn::Renew(Permit { chain: self }, identity);
            }
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Turn::Nothing;
            }
            let waited = self.settled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A clone or an assignment cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identity {
    /// What a call presents.
    pub fn credential(&self) -> Credential {
        let secret = self.access.clone();
        let access = match self.webhook {
            true => Access::Webhook(self.user, secret),
            false => Access::Token(secret),
        };
        Credential { endpoint: self.endpoint.clone(), access }
    }

    /// Whether this is the pair with that access token.
    fn is(&self, access: &Secret) -> bool {
        self.access.matches(access.expose().as_bytes())
    }
}

impl Permit<'_> {
    /// The renewal failed: those who waited for it hear why, and the chain rests.
    pub fn failed(self, failure: &Failure) {
        let mut state = self.chain.state();
        let failures = state.rest.as_ref().map_or(1, |rest| rest.failures.saturating_add(1));
        let rest = self.chain.rests.delay(failures, u64::from_le_bytes(crypto::random()));
        let until = Instant::now() + rest;
        state.rest = Some(Rest { failures, until, failure: failure.clone() });
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.chain.state().renewing = false;
        self.chain.settled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use url::Url;

    use super::Chain;
    use super::Identity;
    use super::Turn;
    use crate::base::clock::UnixMs;
    use crate::base::secret::Secret;
    use crate::domain::failure::Class;
    use crate::domain::failure::Effect;
    use crate::domain::failure::Failure;
    use crate::domain::ids::MemberId;
    use crate::domain::ids::UserId;
    use crate::domain::retry::Backoff;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn identity(access: &str) -> Identity {
        Identity {
            user: UserId(7),
            user_name: "Mira Holt".into(),
            member: MemberId("0f".into()),
            endpoint: Url::parse("https://acme.example/rest/").expect("a URL"),
            oauth_host: "oauth.example".into(),
            webhook: false,
            access: secret(access),
            refresh: secret("r"),
            previous_refresh: None,
            expires_at: UnixMs(0),
            refreshed_at: UnixMs(0),
        }
    }

    fn access(chain: &Chain) -> String {
        chain.identity().expect("an identity").access.expose().to_owned()
    }

    fn store(_: &Identity) -> Result<(), ()> {
        Ok(())
    }

    fn failure() -> Failure {
        let class = Class::Transport;
        Failure { class, effect: Effect::None, code: "away".into(), method: "m", retry_after: None }
    }

    #[test]
    fn of_many_callers_one_renews_and_all_get_the_new_pair() {
        let chain = Chain::new(Some(identity("old")));
        let (renewals, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| match chain.turn(&secret("old")) {
                    Turn::Renew(permit, _) => {
                        renewals.fetch_add(1, Ordering::SeqCst);
                        let stale = secret("old");
                        chain.replace(Some(&stale), identity("new"), store).expect("stored");
                        drop(permit);
                    }
                    Turn::Renewed(identity) => {
                        assert_eq!(identity.access.expose(), "new");
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                    Turn::Failed(_) | Turn::Nothing => panic!("nobody failed"),
                });
            }
        });
        assert_eq!((renewals.into_inner(), taken.into_inner()), (1, 15));
    }

    #[test]
    fn a_failed_renewal_is_not_begun_anew_by_those_who_waited_or_come_next() {
        // So long that no thread comes late.
        let rests = Backoff { first: Duration::from_secs(3600), most: Duration::from_secs(3600) };
        let chain = Chain { rests, ..Chain::new(Some(identity("old"))) };
        let (tried, told) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| match chain.turn(&secret("old")) {
                    Turn::Renew(permit, _) => {
                        tried.fetch_add(1, Ordering::SeqCst);
                        permit.failed(&failure());
                    }
                    Turn::Failed(failure) => {
                        assert_eq!(failure.code, "away");
                        assert!(failure.retry_after.is_some_and(|left| !left.is_zero()));
                        told.fetch_add(1, Ordering::SeqCst);
                    }
                    Turn::Renewed(_) | Turn::Nothing => panic!("nobody renewed"),
                });
            }
        });
        assert_eq!((tried.into_inner(), told.into_inner()), (1, 15));
        // A new identity ends the rest.
        chain.replace(None, identity("new"), store).expect("stored");
        assert!(matches!(chain.turn(&secret("new")), Turn::Renew(..)));
    }

    #[test]
    fn a_permit_that_is_lost_lets_the_next_caller_try() {
        let chain = Chain::new(Some(identity("old")));
        drop(chain.turn(&secret("old")));
        assert!(matches!(chain.turn(&secret("old")), Turn::Renew(..)));
        assert!(matches!(Chain::new(None).turn(&secret("old")), Turn::Nothing));
    }

    #[test]
    fn a_consent_during_a_renewal_stands() {
        let chain = Chain::new(Some(identity("old")));
        let Turn::Renew(permit, renewed) = chain.turn(&secret("old")) else { panic!("its turn") };
        chain.replace(None, identity("consented"), store).expect("stored");
        let refuse = |_: &Identity| -> Result<(), ()> { panic!("it must not be stored") };
        let now = chain.replace(Some(&renewed.access), identity("renewed"), refuse);
        assert_eq!(now.expect("the consent's").access.expose(), "consented");
        drop(permit);
        assert_eq!(access(&chain), "consented");
    }

    #[test]
    fn what_could_not_be_stored_is_kept_and_not_used() {
        let chain = Chain::new(Some(identity("old")));
        assert!(chain.replace(Some(&secret("old")), identity("new"), |_| Err(())).is_err());
        assert_eq!(access(&chain), "old");
        chain.keep_unsaved(identity("new"));
        assert_eq!(access(&chain), "old");
        let unsaved = chain.unsaved().expect("kept");
        chain.replace(Some(&secret("old")), unsaved, store).expect("stored");
        assert_eq!(access(&chain), "new");
        assert!(chain.unsaved().is_none());
    }
}
