//! The OAuth protocol: where a person authorizes, and the token endpoint. Pure request building
//! plus one send each; renewal policy is `agents`' matter. The client secret goes to servers of the
//! allow-list only, because the callback that names one can be forged (b24: transport §1.3).

use std::time::Duration;

use serde_json::Value;
use url::Host;
use url::Url;

use crate::base::json;
use crate::base::secret::Secret;
use crate::bitrix::failure;
use crate::bitrix::transport::Transport;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;

/// Names for failures and logs.
const EXCHANGE: &str = "oauth.exchange";
const REFRESH: &str = "oauth.refresh";
/// Code of a request that was not made because its server may not see the secret.
pub const SERVER_NOT_ALLOWED: &str = "server_not_allowed";
/// Code of a request that was not made because no application is configured.
pub const NO_CLIENT: &str = "no_application";
/// What the code of a failure begins with when the authorization server did not answer, or nothing
/// that can be read.
const AWAY: &str = "oauth_";
/// Lifetime of an access token when the answer does not say (b24: transport §1.6).
const ACCESS_LIFETIME_DEFAULT: Duration = Duration::from_secs(3600);

/// The portal's local application and the servers that may know its secret.
pub struct OAuth {
    portal: Url,
    client: Option<Client>,
    servers: Vec<Url>,
}

/// An application's credentials.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// What the token endpoint answered.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// Access token.
    pub access: Secret,
    /// Refresh token.
    pub refresh: Secret,
    /// Lifetime of the access token.
    pub lifetime: Duration,
    /// The portal.
    pub member: MemberId,
    /// Whom the token acts as; absent in some answers.
    pub user: Option<UserId>,
    /// REST root of the portal, ends with a slash. A pair without one is a pair all the same: it may
    /// be the only one that still works.
    pub client_endpoint: Option<Url>,
}

impl OAuth {
    /// An application of a portal, if there is one, and the servers that may see its secret:
    /// [`server_origin`]s.
    pub fn new(portal: Url, client: Option<Client>, servers: Vec<Url>) -> OAuth {
        OAuth { portal, client, servers }
    }

    /// Whether there is an application to consent to.
    pub fn has_client(&self) -> bool {
        self.client.is_some()
    }

    /// Where the person's browser goes (b24: transport §1.2). The redirect URI comes from the
    /// application's card, not from here. `None` without an application.
    pub fn authorize_url(&self, state: &str) -> Option<Url> {
        let client = self.client.as_ref()?;
        let mut url = self.portal.clone();
        url.set_path("/oauth/authorize/");
        url.query_pairs_mut().append_pair("client_id", &client.id).append_pair("state", state);
        Some(url)
    }

    /// Whether a callback's `domain` is the configured portal (host, with a port if any).
    pub fn is_portal(&self, domain: &str) -> bool {
        authority(&self.portal).eq_ignore_ascii_case(domain)
    }

    /// Whether a REST root is on the configured portal.
    pub fn is_endpoint(&self, endpoint: &Url) -> bool {
        authority(&self.portal) == authority(endpoint)
    }

    /// Whether a callback's `server_domain` is on the allow-list.
    pub fn is_server(&self, host: &str) -> bool {
        self.server(host).is_some()
    }

    /// Exchanges an authorization code (b24: transport §1.4). Valid for 30 s, so at once.
    ///
    /// # Errors
    /// The classified failure; nothing is retried here.
    pub fn exchange(
        &self,
        transport: &Transport,
        host: &str,
        code: &Secret,
    ) -> Result<TokenPair, Failure> {
        self.token(transport, host, EXCHANGE, ("authorization_code", "code", code))
    }

    /// Renews a token pair.
    ///
    /// # Errors
    /// The classified failure; nothing is retried here.
    pub fn refresh(
        &self,
        transport: &Transport,
        host: &str,
        refresh: &Secret,
    ) -> Result<TokenPair, Failure> {
        self.token(transport, host, REFRESH, ("refresh_token", "refresh_token", refresh))
    }

    /// One request to the token endpoint. GET with a query is the one form that documentation,
    /// source and SDKs agree on; the URL carries secrets and is never printed.
    fn token(
        &self,
        transport: &Transport,
        host: &str,
        method: &'static str,
        (grant, name, value): (&str, &str, &Secret),
    ) -> Result<TokenPair, Failure> {
        let refused =
            |code| failure::failure(method, false, Class::Certificate, Effect::None, code);
        let client = self.client.as_ref().ok_or_else(|| refused(NO_CLIENT))?;
        let mut url = self.server(host).ok_or_else(|| refused(SERVER_NOT_ALLOWED))?.clone();
        url.set_path("/oauth/token/");
        url.query_pairs_mut()
            .append_pair("grant_type", grant)
            .append_pair("client_id", &client.id)
            .append_pair("client_secret", client.secret.expose())
            .append_pair(name, value.expose());
        let reply = transport.get(&url);
        let reply = reply.map_err(|trouble| failure::of_trouble(method, false, &trouble));
        let answer = reply
            .and_then(|reply| failure::object(method, false, &reply))
            .map_err(at_the_token_endpoint)?;
        let mut pair = pair(&answer).ok_or_else(|| {
            failure::failure(method, false, Class::Protocol, Effect::None, "wrong_type")
        })?;
        if self.portal.scheme() == "https"
            && let Some(endpoint) = &mut pair.client_endpoint
        {
            // Also on this machine: only a trial's portal is spoken to in the clear. Between these
            // two schemes it cannot fail.
            let _ = endpoint.set_scheme("https");
        }
        Ok(pair)
    }

    fn server(&self, host: &str) -> Option<&Url> {
        self.servers.iter().find(|server| authority(server).eq_ignore_ascii_case(host))
    }
}

/// At the token endpoint an expired or missing token is the refresh token itself: the end of the
/// chain, not a reason to refresh (b24: transport §1.9). And a refusal that is no end of the chain is
/// none of the call that needed a token: a long pause, and nothing is rejected for it. What says
/// nothing is marked, so that nobody looks for the trouble at the portal.
fn at_the_token_endpoint(failure: Failure) -> Failure {
    let class = match failure.class {
        Class::TokenExpired | Class::ScopeMissing => Class::IdentityLost,
        Class::Denied
        | Class::NotFound
        | Class::Invalid
        | Class::MethodMissing
        | Class::MethodParked
        | Class::Duplicate => Class::PortalClosed,
        class => class,
    };
    let code = match class {
        Class::Transport | Class::Protocol | Class::PortalTrouble => {
            format!("{AWAY}{}", failure.code)
        }
        _ => failure.code,
    };
    Failure { class, code, ..failure }
}

fn pair(answer: &Value) -> Option<TokenPair> {
    let secret = |key| json::nonempty(answer, key).map(|text| Secret::new(text.to_owned()));
    let lifetime = answer.get("expires_in").and_then(json::int);
    // A lifetime of nothing would have the token renewed before every call.
    let lifetime = lifetime.and_then(|seconds| u64::try_from(seconds).ok()).filter(|s| *s > 0);
    Some(TokenPair {
        access: secret("access_token")?,
        refresh: secret("refresh_token")?,
        lifetime: lifetime.map_or(ACCESS_LIFETIME_DEFAULT, Duration::from_secs),
        member: MemberId(json::nonempty(answer, "member_id")?.to_owned()),
        user: answer.get("user_id").and_then(json::int).map(UserId),
        client_endpoint: json::nonempty(answer, "client_endpoint").and_then(endpoint),
    })
}

/// The portal's REST root. Old answers say http; only a loopback portal (a trial) is left with it
/// (b24: transport §6 rule 12).
pub fn endpoint(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => url.set_scheme("https").ok()?,
        _ => return None,
    }
    url.host()?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

/// The origin of an authorization server: `oauth.bitrix.info` is https; a whole `http://` origin is
/// allowed on loopback, for trials. `None` for everything else.
pub fn server_origin(entry: &str) -> Option<Url> {
    let text = if entry.contains("://") { entry.to_owned() } else { format!("https://{entry}") };
    let url = Url::parse(&text).ok()?;
    let plain = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    (plain && safe && url.host().is_some()).then_some(url)
}

/// Whether it is on this machine, where trials run in the clear.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Host, with the port when it is not the scheme's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::Client;
    use super::OAuth;
    use super::endpoint;
    use super::pair;
    use super::server_origin;
    use crate::base::secret::Secret;
    use crate::bitrix::failure;
    use crate::bitrix::transport::Reply;
    use crate::domain::failure::Class;

    fn oauth(servers: &[&str]) -> Option<OAuth> {
        let portal = Url::parse("https://acme.bitrix24.com").expect("a URL");
        let servers: Option<Vec<Url>> = servers.iter().map(|entry| server_origin(entry)).collect();
        servers.map(|servers| {
            let client = Client { id: "local.1".into(), secret: Secret::new("s".into()) };
            OAuth::new(portal, Some(client), servers)
        })
    }

    #[test]
    fn only_listed_servers_see_the_secret() {
        let oauth = oauth(&["oauth.bitrix.info", "http://127.0.0.1:99"]).expect("valid");
        assert!(oauth.is_server("oauth.bitrix.info") && oauth.is_server("127.0.0.1:99"));
        for host in [
            "",
            "oauth.bitrix.info.evil.example",
            "evil.example",
            "127.0.0.1",
            "oauth.bitrix.info:8443",
        ] {
            assert!(!oauth.is_server(host), "{host}");
        }
        for entry in
            ["http://oauth.bitrix.info", "https://a/path", "ftp://a", "", "a b", "u:p@a", "a#b"]
        {
            assert!(self::oauth(&[entry]).is_none(), "{entry}");
        }
    }

    #[test]
    fn the_authorize_link_names_client_and_state_only() {
        let oauth = oauth(&["oauth.bitrix.info"]).expect("valid");
        let url = oauth.authorize_url("n0nce");
        let expected = "https://acme.bitrix24.com/oauth/authorize/?client_id=local.1&state=n0nce";
        assert_eq!(url.expect("an address").as_str(), expected);
        assert!(oauth.is_portal("ACME.bitrix24.com") && !oauth.is_portal("evil.example"));
        let endpoint = |text| endpoint(text).expect("an endpoint");
        assert!(oauth.is_endpoint(&endpoint("http://acme.bitrix24.com/rest/")));
        assert!(!oauth.is_endpoint(&endpoint("https://acme.bitrix24.com:8443/rest/")));
        assert!(!oauth.is_endpoint(&endpoint("http://127.0.0.1/rest/")));
    }

    #[test]
    fn a_pair_needs_both_tokens_and_a_portal() {
        let whole = json!({"access_token": "a", "refresh_token": "r", "expires_in": "3600",
            "member_id": "0f", "user_id": 101, "client_endpoint": "http://acme.bitrix24.com/rest"});
        let read = pair(&whole).expect("a pair");
        let endpoint = read.client_endpoint.as_ref().map(url::Url::as_str);
        assert_eq!(endpoint, Some("https://acme.bitrix24.com/rest/"));
        assert_eq!(read.lifetime.as_secs(), 3600);
        assert!(!format!("{read:?}").contains("\"a\""));
        for key in ["access_token", "refresh_token", "member_id"] {
            let mut without = whole.clone();
            without[key] = json!("");
            assert!(pair(&without).is_none(), "{key}");
        }
        let mut old = whole.clone();
        old.as_object_mut().expect("an object").remove("user_id");
        assert!(pair(&old).expect("a pair").user.is_none());
    }

    #[test]
    fn odd_fields_do_not_cost_the_pair() {
        let mut odd = json!({"access_token": "a", "refresh_token": "r", "member_id": "0f"});
        for endpoint in [json!(""), json!(null), json!(7), json!("ftp://a/"), json!([])] {
            odd["client_endpoint"] = endpoint;
            assert!(pair(&odd).expect("a pair").client_endpoint.is_none());
        }
        for lifetime in [json!(0), json!(-1), json!("soon"), json!(null), json!(1.5), json!([])] {
            odd["expires_in"] = lifetime;
            assert_eq!(pair(&odd).expect("a pair").lifetime.as_secs(), 3600);
        }
    }

    /// b24: transport §1.9, one row each; what is no end of the chain never rejects a call.
    #[test]
    fn what_the_token_endpoint_says_is_about_the_chain() {
        let rows: &[(u16, &str, Class)] = &[
            (200, "wrong_client", Class::IdentityLost),
            (400, "invalid_client", Class::IdentityLost),
            (400, "invalid_grant", Class::IdentityLost),
            (400, "bad_verification_code", Class::IdentityLost),
            (400, "unauthorized_client", Class::IdentityLost),
            (401, "expired_token", Class::IdentityLost),
            (401, "invalid_token", Class::IdentityLost),
            (401, "NOT_INSTALLED", Class::IdentityLost),
            (403, "USER_ACCESS_ERROR", Class::IdentityLost),
            (403, "invalid_scope", Class::IdentityLost),
            (403, "INSUFFICIENT_SCOPE", Class::IdentityLost),
            (401, "PAYMENT_REQUIRED", Class::Licence),
            (403, "verification_needed", Class::Licence),
            (400, "invalid_request", Class::PortalClosed),
            (400, "unsupported_grant_type", Class::PortalClosed),
            (403, "ACCESS_DENIED", Class::PortalClosed),
            (404, "ERROR_METHOD_NOT_FOUND", Class::PortalClosed),
            (403, "something_new", Class::PortalClosed),
            (429, "something_new", Class::RateLimited),
            (503, "QUERY_LIMIT_EXCEEDED", Class::RateLimited),
            (500, "something_new", Class::PortalTrouble),
        ];
        for (status, code, class) in rows {
            let body = json!({ "error": code }).to_string().into_bytes();
            let reply = Reply { status: *status, body, ..Reply::default() };
            let failure = failure::object(super::REFRESH, false, &reply).expect_err("an error");
            assert_eq!(super::at_the_token_endpoint(failure).class, *class, "{code}");
        }
    }

    #[test]
    fn endpoints_are_encrypted_unless_on_this_machine() {
        let shown = |text| endpoint(text).map(String::from);
        assert_eq!(shown("http://127.0.0.1:8/rest/").as_deref(), Some("http://127.0.0.1:8/rest/"));
        assert_eq!(shown("https://a:8443/rest").as_deref(), Some("https://a:8443/rest/"));
        assert_eq!(shown("ftp://a/rest/"), None);
        assert_eq!(shown("nonsense"), None);
    }
}
