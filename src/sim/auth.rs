//! What the portal makes of credentials: the checks of b24 transport §1.10 in their order, with
//! the cached verdict of the authorization server. `rest` calls it; knows no HTTP.

use std::collections::HashMap;

use super::call::Client;
use super::call::RestError;
use super::call::Scopes;
use super::switches::Mode;
use super::token::Kind;
use super::world::Webhook;
use super::world::World;
use crate::base::clock::UnixMs;

/// Verdicts kept before the whole cache is dropped, which a cache may always do.
const CACHE_MAX: usize = 10_000;

/// The portal's memory of the authorization server's verdicts, good and bad
/// (b24: transport §1.10, sim quirk 9).
#[derive(Debug, Default)]
pub struct TokenCache {
    verdicts: HashMap<String, Cached>,
}

#[derive(Clone, Debug)]
struct Cached {
    until: UnixMs,
    verdict: Result<Known, RestError>,
}

/// What the authorization server says about a good token.
#[derive(Clone, Debug)]
pub struct Known {
    /// The application.
    pub client_id: String,
    /// Whom the token acts as.
    pub user: u64,
    /// When it ends.
    pub expires: UnixMs,
}

/// What a request presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing the portal knows.
    None,
    /// An access token.
    Token(String),
    /// `/rest/{user}/{secret}/`.
    Webhook {
        /// The user named in the path.
        user: u64,
        /// The secret in the path.
        secret: String,
    },
}

/// On whose behalf a call runs.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user.
    pub user: u64,
    /// The application or webhook.
    pub client: Client,
}

/// Checks credentials for a method that needs one of `scopes`.
///
/// # Errors
/// The 401 family of b24 transport §1.10.
pub fn authorize(
    world: &mut World,
    credential: &Credential,
    scopes: Scopes,
) -> Result<Actor, RestError> {
    match credential {
        Credential::None => Err(refusal("NO_AUTH_FOUND", "Wrong authorization data")),
        Credential::Token(token) => authorize_token(world, token, scopes),
        Credential::Webhook { user, secret } => authorize_webhook(world, *user, secret, scopes),
    }
}

/// All refusals of credentials are 401 in the source; the status table is applied later.
fn refusal(code: &str, description: &str) -> RestError {
    RestError::new(401, code, description)
}

fn authorize_token(world: &mut World, token: &str, scopes: Scopes) -> Result<Actor, RestError> {
    let (known, cached) = verdict(world, token)?;
    if world.switches.mode == Mode::PlanWithoutRest {
        return Err(refusal("ACCESS_DENIED", "REST is available only on commercial plans."));
    }
    let now = world.now();
    let Some(app) = world.apps.get(&known.client_id).filter(|app| !app.deleted) else {
        return Err(refusal("APPLICATION_NOT_FOUND", "Application not found"));
    };
    if cached && known.expires <= now {
        // Without the final dot: the portal's own text, not the authorization server's.
        return Err(refusal("expired_token", "The access token provided has expired"));
    }
    if !granted(scopes, |scope| app.scopes.contains(scope)) {
        return Err(insufficient_scope("access token"));
    }
    check_active(world, known.user)?;
    if app.allowed_users.as_ref().is_some_and(|allowed| !allowed.contains(&known.user)) {
        let text = "The user does not have access to the application.";
        return Err(refusal("user_access_error", text));
    }
    check_confirmed(world, known.user)?;
    if world.switches.mode == Mode::Overload {
        return Err(refusal("OVERLOAD_LIMIT", "REST API is blocked due to overload."));
    }
    Ok(Actor { user: known.user, client: Client::App(known.client_id) })
}

fn authorize_webhook(
    world: &mut World,
    user: u64,
    secret: &str,
    scopes: Scopes,
) -> Result<Actor, RestError> {
    if world.switches.webhook_needs_https {
        return Err(refusal("INVALID_REQUEST", "Https required."));
    }
    let hook = world.webhooks.values().find(|hook| hook.user == user && hook.secret == secret);
    let now = world.now();
    let valid = |hook: &&Webhook| hook.active && hook.expires.is_none_or(|end| end > now);
    let Some(hook) = hook.filter(valid) else {
        return Err(refusal("INVALID_CREDENTIALS", "Invalid request credentials"));
    };
    if world.switches.mode == Mode::PlanWithoutRest {
        return Err(refusal("ACCESS_DENIED", "REST is available only on commercial plans."));
    }
    if !granted(scopes, |scope| hook.scopes.contains(scope)) {
        return Err(insufficient_scope("webhook token"));
    }
    check_active(world, user)?;
    check_confirmed(world, user)?;
    if world.switches.mode == Mode::Overload {
        return Err(refusal("OVERLOAD_LIMIT", "REST API is blocked due to overload."));
    }
    Ok(Actor { user, client: Client::Webhook(hook.id) })
}

/// Whether one of the needed scopes is there; a basic method needs none.
pub fn granted(needed: Scopes, has: impl Fn(&str) -> bool) -> bool {
    needed.is_empty() || needed.iter().any(|scope| has(scope))
}

fn insufficient_scope(of: &str) -> RestError {
    let text = format!("The request requires higher privileges than provided by the {of}");
    refusal("insufficient_scope", &text)
}

fn check_active(world: &World, user: u64) -> Result<(), RestError> {
    if world.users.get(&user).is_some_and(|user| user.active) {
        return Ok(());
    }
    Err(refusal("authorization_error", "Unable to authorize user"))
}

/// Who never logged in may not be acted as (b24: transport §1.10 row 9).
fn check_confirmed(world: &World, user: u64) -> Result<(), RestError> {
    if world.users.get(&user).is_some_and(|user| user.confirmed) {
        return Ok(());
    }
    Err(refusal("ACCESS_DENIED", "Current user can't be authorized in this context"))
}

/// The authorization server's verdict on a token, and whether it came from the cache.
fn verdict(world: &mut World, token: &str) -> Result<(Known, bool), RestError> {
    let now = world.now();
    if let Some(cached) = world.token_cache.verdicts.get(token)
        && cached.until > now
    {
        return cached.verdict.clone().map(|known| (known, true));
    }
    if world.switches.mode == Mode::NoOAuthServer {
        // No answer is no verdict: it is not kept.
        return Err(refusal("CONNECTION_ERROR", "Error connecting to authorization server"));
    }
    let verdict = ask(world, token, now);
    let lifetime = world.switches.token_cache;
    if !lifetime.is_zero() {
        if world.token_cache.verdicts.len() >= CACHE_MAX {
            world.token_cache.verdicts.clear();
        }
        let cached = Cached { until: now.plus(lifetime), verdict: verdict.clone() };
        world.token_cache.verdicts.insert(token.to_owned(), cached);
    }
    verdict.map(|known| (known, false))
}

/// What the authorization server itself answers about an access token.
///
/// # Errors
/// Its verdict on a bad one (b24: transport §1.10 rows 1 and 10).
pub fn ask(world: &World, token: &str, now: UnixMs) -> Result<Known, RestError> {
    let grant = world.tokens.find(token).filter(|g| g.kind == Kind::Access && !g.dead);
    let Some(grant) = grant else {
        return Err(refusal("invalid_token", "Unable to get application by token"));
    };
    if grant.expires <= now {
        return Err(refusal("expired_token", "The access token provided has expired."));
    }
    if world.switches.mode == Mode::PaymentRequired {
        return Err(refusal("PAYMENT_REQUIRED", "Payment required"));
    }
    match world.apps.get(&grant.client_id) {
        Some(app) if app.installed && !app.deleted => Ok(Known {
            client_id: grant.client_id.clone(),
            user: grant.user,
            expires: grant.expires,
        }),
        _ => Err(refusal("ERROR_OAUTH", "Application not installed")),
    }
}
