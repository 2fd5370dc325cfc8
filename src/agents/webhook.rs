//! An incoming webhook as an agent's identity, for portals without internet access, where nobody can
//! consent: its address, made by the agent's own account, is all there is (b24: transport §1.16). The
//! same checks as for a consent; an operator gives it through the control API.

use std::sync::PoisonError;
use std::sync::TryLockError;
use std::time::Instant;

use url::Url;

use crate::agents::chain::Identity;
use crate::agents::consent::Consents;
use crate::agents::consent::Refusal;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::bitrix::client::Access;
use crate::bitrix::client::Credential;
use crate::bitrix::oauth;
use crate::domain::agent::Event;
use crate::domain::ids::AgentName;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;

/// Longest secret of a webhook; the portal's are 16 characters.
const SECRET_CHARS_MAX: usize = 128;

/// A webhook's address, taken apart.
#[derive(Debug)]
pub struct Webhook {
    /// REST root of the portal, ends with a slash.
    endpoint: Url,
    user: UserId,
    secret: Secret,
}

impl Webhook {
    /// Reads an address such as `https://acme.example/rest/12/abc123/`, as the portal shows it: with
    /// or without a method behind it.
    ///
    /// # Errors
    /// What is wrong with it; never the address itself, which is a secret.
    pub fn parse(text: &str) -> Result<Webhook, &'static str> {
        let mut endpoint = Url::parse(text.trim()).map_err(|_| "it is not a URL")?;
        if endpoint.host().is_none() {
            return Err("it names no host");
        }
        match endpoint.scheme() {
            "https" => {}
            // b24: transport §1.16: the portal refuses it, except in trials.
            "http" if oauth::is_loopback(&endpoint) => {}
            _ => return Err("it must begin with https://"),
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return Err("it carries a user name or a password");
        }
        const SHAPE: &str = "its path must be /rest/, a number, / and the secret";
        let path = endpoint.path().to_owned();
        let (before, after) = path.split_once("/rest/").ok_or(SHAPE)?;
        let mut parts = after.split('/');
        let user = parts.next().and_then(|user| user.parse().ok()).filter(|id| *id > 0);
        let secret = parts.next().unwrap_or_default();
        let plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || !(1..=SECRET_CHARS_MAX).contains(&secret.len()) {
            return Err(SHAPE);
        }
        let (user, secret) = (UserId(user.ok_or(SHAPE)?), Secret::new(secret.to_owned()));
        endpoint.set_path(&format!("{before}/rest/"));
        endpoint.set_query(None);
        endpoint.set_fragment(None);
        Ok(Webhook { endpoint, user, secret })
    }
}

impl Consents {
    /// Makes a webhook an agent's identity, after the checks of a consent. Another account than the
    /// agent has needs `replace`. The person's name.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn connect_webhook(
        &self,
        name: &AgentName,
        webhook: Webhook,
        replace: bool,
    ) -> Result<String, Refusal> {
        if self.stopping() {
            return Err(Refusal::Stopping);
        }
        let agent = self.registry.find(name).ok_or(Refusal::LinkOver)?;
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Refusal::Busy),
        };
        let Webhook { endpoint, user, secret } = webhook;
        if !self.registry.oauth.is_endpoint(&endpoint) {
            return Err(Refusal::OtherPortal);
        }
        let access = Access::Webhook(user, secret.clone());
        let credential = Credential { endpoint: endpoint.clone(), access };
        let profile = self.look_at(&credential, Some(user), Instant::now())?;
        let identity = Identity {
            user,
            member: self.member(name, &endpoint, user, &profile.name),
            user_name: profile.name,
            endpoint,
            oauth_host: String::new(),
            webhook: true,
            access: secret,
            refresh: Secret::new(String::new()),
            previous_refresh: None,
            expires_at: UnixMs(i64::MAX),
            refreshed_at: clock::now(),
        };
        let _one = self.confirming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, former)) = self.free(name, &identity)?
            && !replace
        {
            return Err(Refusal::Occupied(former));
        }
        let person = identity.user_name.clone();
        self.registry.keep(&agent, None, identity, |sealed| {
            self.registry.store.put_consent(None, name, sealed, clock::now()).map(drop)
        })?;
        self.registry.happened(&agent, Event::Connected, "");
        self.registry.changed();
        log::info!("webhook_connected agent={name}");
        Ok(person)
    }

    /// What stands for the portal's own id, which a webhook does not tell and on which the keys of
    /// messages rest: the id that this agent had on the same host, or as the same person elsewhere,
    /// which means that the portal was renamed; else what another has, else the host.
    fn member(&self, name: &AgentName, endpoint: &Url, user: UserId, person: &str) -> MemberId {
        let host = endpoint.authority();
        let mut known = self.registry.agents();
        known.retain(|agent| {
            let same_person = agent.user == Some(user) && agent.user_name == person;
            agent.host.as_deref() == Some(host) || agent.name == *name && same_person
        });
        known.sort_by_key(|agent| agent.name != *name);
        let id = known.into_iter().find_map(|agent| agent.member);
        id.unwrap_or_else(|| MemberId(host.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Webhook;
    use crate::domain::ids::UserId;

    #[test]
    fn addresses_are_read_as_portals_show_them_and_nothing_else_is() {
        for text in [
            "https://acme.example/rest/12/abc123/",
            " https://acme.example/rest/12/abc123\n",
            "https://acme.example/rest/12/abc123/profile.json?x=1#y",
        ] {
            let webhook = Webhook::parse(text).expect(text);
            assert_eq!(webhook.endpoint.as_str(), "https://acme.example/rest/");
            assert_eq!((webhook.user, webhook.secret.expose()), (UserId(12), "abc123"));
        }
        let prefixed = Webhook::parse("https://[::1]:8443/b24/rest/12/abc/").expect("reads");
        assert_eq!(prefixed.endpoint.as_str(), "https://[::1]:8443/b24/rest/");
        assert!(Webhook::parse("http://127.0.0.1:1/rest/12/abc/").is_ok());
        for bad in [
            "",
            "acme.example/rest/12/abc/",
            "http://acme.example/rest/12/abc/",
            "ftp://acme.example/rest/12/abc/",
            "https://acme.example/",
            "https://acme.example/rest/12/",
            "https://acme.example/rest/0/abc/",
            "https://acme.example/rest/abc/12/",
            "https://acme.example/rest/12/a%2Fb/",
            "https://acme.example/rest/12/../",
            "https://user:pw@acme.example/rest/12/abc/",
        ] {
            let why = Webhook::parse(bad).expect_err(bad);
            assert!(!why.contains("abc"), "the secret is not repeated");
        }
    }
}
