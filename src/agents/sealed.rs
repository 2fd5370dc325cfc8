//! Identities as they lie in the database: each secret sealed under the master key and bound to its
//! agent and its place. Also how all of them go over to another key. Called by `registry`, and by
//! `app` for the change of key.

use crate::agents::chain::Identity;
use crate::base::clock;
use crate::bitrix::oauth;
use crate::domain::ids::AgentName;
use crate::store;
use crate::store::Store;
use crate::store::agents::AgentRow;
use crate::store::agents::SealedIdentity;
use crate::vault::Vault;
use crate::vault::VaultError;

/// What a sealed value belongs to; part of what is authenticated.
fn context(name: &AgentName, what: &str) -> String {
    format!("agents/{name}/{what}")
}

/// An identity for the database.
pub(super) fn seal(vault: &Vault, name: &AgentName, identity: &Identity) -> SealedIdentity {
    let seal = |what, secret| vault.seal(&context(name, what), secret);
    let previous = identity.previous_refresh.as_ref();
    SealedIdentity {
        user: identity.user,
        user_name: identity.user_name.clone(),
        member: identity.member.clone(),
        client_endpoint: identity.endpoint.to_string(),
        oauth_host: identity.oauth_host.clone(),
        webhook: identity.webhook,
        access: seal("access", &identity.access),
        refresh: seal("refresh", &identity.refresh),
        previous_refresh: previous.map(|secret| seal("previous_refresh", secret)),
        expires_at: identity.expires_at,
        refreshed_at: identity.refreshed_at,
    }
}

/// The identity of an agent, if it has one.
///
/// # Errors
/// [`VaultError::Sealed`] when a value is damaged or belongs elsewhere.
pub(super) fn open(vault: &Vault, row: &AgentRow) -> Result<Option<Identity>, VaultError> {
    let Some(sealed) = &row.identity else { return Ok(None) };
    let open = |what, sealed: &[u8]| vault.open_sealed(&context(&row.name, what), sealed);
    let previous = sealed.previous_refresh.as_ref();
    Ok(Some(Identity {
        user: sealed.user,
        user_name: sealed.user_name.clone(),
        member: sealed.member.clone(),
        endpoint: oauth::endpoint(&sealed.client_endpoint).ok_or(VaultError::Sealed)?,
        oauth_host: sealed.oauth_host.clone(),
        webhook: sealed.webhook,
        access: open("access", &sealed.access)?,
        refresh: open("refresh", &sealed.refresh)?,
        // Only a way back, so nothing is lost with it.
        previous_refresh: previous.and_then(|sealed| open("previous_refresh", sealed).ok()),
        expires_at: sealed.expires_at,
        refreshed_at: sealed.refreshed_at,
    }))
}

/// What became of a change of key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Agents whose secrets are under the new key.
    pub agents: usize,
    /// Agents whose secrets did not open under the former key: they need a new consent, as before.
    pub damaged: Vec<AgentName>,
}

/// Seals everything under another key, together with the value that proves it: all or nothing.
///
/// # Errors
/// See [`store::Error`]; nothing has changed then.
pub fn rekey(
    store: &Store,
    check_name: &'static str,
    former: &Vault,
    new: &Vault,
) -> Result<Rekeyed, store::Error> {
    let mut rekeyed = Rekeyed::default();
    let mut changed = Vec::new();
    for row in store.agents()? {
        match open(former, &row) {
            Ok(Some(identity)) => changed.push((row.name.clone(), seal(new, &row.name, &identity))),
            Ok(None) => {}
            Err(_) => rekeyed.damaged.push(row.name),
        }
    }
    rekeyed.agents = changed.len();
    store.put_identities(changed, (check_name, new.check_value()), clock::now())?;
    Ok(rekeyed)
}
