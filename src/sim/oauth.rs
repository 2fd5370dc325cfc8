//! Both halves of OAuth: the portal's `/oauth/authorize/` page and the authorization server's
//! `/oauth/token/` and `/rest/app.info` (b24: transport §1.2 to §1.9). `portal` routes requests
//! here; tokens themselves live in `token`.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use url::form_urlencoded;

use super::auth;
use super::clock::unix_seconds;
use super::envelope;
use super::http::HttpReply;
use super::http::Request;
use super::network::AuthForm;
use super::params::Params;
use super::php;
use super::php::Php;
use super::switches::DismissedRefresh;
use super::switches::ExpiredGrant;
use super::switches::Mode;
use super::switches::Rotation;
use super::switches::TokenScope;
use super::token::Grant;
use super::token::Kind;
use super::world::App;
use super::world::World;

/// Life of an authorization code (b24: transport §1.6).
pub const CODE_LIFETIME: Duration = Duration::from_secs(30);
/// Life of an access token.
pub const ACCESS_LIFETIME: Duration = Duration::from_secs(3600);

/// An error of the token endpoint: status, `error`, and a description that is often missing
/// (b24: transport §1.9).
struct Refused(u16, &'static str, Option<&'static str>);

// ---- the portal's page ----------------------------------------------------------------------

/// `GET /oauth/authorize/`: a redirect to the application's own address, or a page.
pub fn authorize(world: &mut World, request: &Request) -> HttpReply {
    if world.switches.mode == Mode::SiteClosed {
        return HttpReply::html(200, "The site is closed for maintenance");
    }
    let cookie = request.cookie("sim_user").and_then(|id| id.parse().ok());
    let logged_in = cookie.or(world.session);
    let Some(user) = logged_in.filter(|id| world.users.get(id).is_some_and(|u| u.active)) else {
        // Nobody is logged in: the portal's form, status 200 (b24: transport §1.2).
        return HttpReply::html(200, "Authorization: please log in");
    };
    let client_id = request.query_param("client_id").unwrap_or_default();
    let app = match usable_app(world, &client_id, user) {
        Ok(app) => app.clone(),
        // Errors stay on the portal's page with status 200; the application hears nothing
        // (b24: transport §1.2, sim quirk 1).
        Err(text) => return HttpReply::html(200, text),
    };
    let code = issue(world, &app, user, Kind::Code, 0, CODE_LIFETIME);
    let scopes: Vec<&str> = app.scopes.iter().map(String::as_str).collect();
    // Exactly these six in this order; a comma becomes %2C (sim quirk 2).
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &request.query_param("state").unwrap_or_default())
        .append_pair("domain", &world.domain)
        .append_pair("member_id", &world.member_id)
        .append_pair("scope", &scopes.join(","))
        .append_pair("server_domain", &world.oauth_domain)
        .finish();
    let joint = if app.redirect_uri.contains('?') { '&' } else { '?' };
    let location = format!("{}{joint}{query}", app.redirect_uri);
    let page = HttpReply::html(302, "302 Found").with_header("Location", location);
    HttpReply { user: Some(user), ..page }
}

fn usable_app<'a>(world: &'a World, client_id: &str, user: u64) -> Result<&'a App, &'static str> {
    let app = world.apps.get(client_id).filter(|app| !app.deleted);
    let app = app.ok_or("Application not found")?;
    let admin = world.users.get(&user).is_some_and(|user| user.admin);
    // Until its installation is finished only administrators may use an application.
    if !app.installed && !admin {
        return Err("NOT_INSTALLED: Application not installed");
    }
    match world.switches.mode {
        Mode::PaymentRequired => return Err("PAYMENT_REQUIRED: Payment required"),
        // The page gets its code from the authorization server.
        Mode::NoOAuthServer => {
            return Err("CONNECTION_ERROR: Error connecting to authorization server");
        }
        _ => {}
    }
    if app.allowed_users.as_ref().is_some_and(|allowed| !allowed.contains(&user)) {
        return Err("user_access_error: The user does not have access to the application.");
    }
    Ok(app)
}

fn issue(
    world: &mut World,
    app: &App,
    user: u64,
    kind: Kind,
    pair: u64,
    lifetime: Duration,
) -> String {
    let now = world.now();
    let grant = Grant {
        kind,
        client_id: app.client_id.clone(),
        user,
        expires: now.plus(lifetime),
        pair,
        dead: false,
    };
    let form = world.switches.token_form;
    let offset = world.utc_offset_minutes;
    world.tokens.issue(form, app.id, &app.client_secret, offset, grant, now)
}

// ---- the authorization server ---------------------------------------------------------------

/// Any request to the authorization server.
pub fn serve(world: &mut World, request: &Request) -> HttpReply {
    match request.path.trim_end_matches('/') {
        "/oauth/token" => token(world, request),
        "/rest/app.info" | "/rest/app.info.json" => app_info(world, request),
        _ => HttpReply::html(404, "404 Not Found"),
    }
}

/// `/oauth/token/`: exchange of a code, or refresh.
pub fn token(world: &mut World, request: &Request) -> HttpReply {
    let content_type = request.header("content-type").unwrap_or_default();
    // Only forms were ever seen to work; JSON is nothing PHP reads by itself (b24: transport §1.4).
    let form = !content_type.trim_start().to_ascii_lowercase().starts_with("application/json");
    let of_body = request.method == "POST" && world.switches.token_post && form;
    let body: &[u8] = if of_body { &request.body } else { &[] };
    let params = Params::from_request(&request.query, content_type, body);
    let (status, body, error, user) = match grant(world, &params) {
        Ok((answer, user)) => (200, answer, "", Some(user)),
        Err(Refused(status, code, description)) => {
            let mut entries = vec![("error".to_owned(), Php::from(json!(code)))];
            if let Some(text) = description {
                entries.push(("error_description".to_owned(), json!(text).into()));
            }
            (status, Php::Map(entries), code, None)
        }
    };
    let mut reply = HttpReply::json(status, php::encode(&body, world.switches.escape_unicode));
    reply.headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    HttpReply { auth: AuthForm::Secret, user, error: error.to_owned(), ..reply }
}

/// The checks of b24 transport §1.9 in the order of the server's source.
fn grant(world: &mut World, params: &Params) -> Result<(Php, u64), Refused> {
    let text = |name: &str| params.get(name).map(php::text).filter(|text| !text.is_empty());
    let Some(grant_type) = text("grant_type") else {
        let description = "Invalid grant_type parameter or parameter missing";
        return Err(Refused(400, "invalid_request", Some(description)));
    };
    let app = client(world, text("client_id"), text("client_secret"))?;
    let (name, kind, missing) = match grant_type.as_str() {
        "authorization_code" => ("code", Kind::Code, "No \"code\" parameter found"),
        "refresh_token" => ("refresh_token", Kind::Refresh, "No \"refresh_token\" parameter found"),
        _ => return Err(Refused(400, "unsupported_grant_type", None)),
    };
    let Some(secret) = text(name) else {
        return Err(Refused(400, "invalid_request", Some(missing)));
    };
    let grant = world.tokens.find(&secret);
    let of_this_app = |g: &&Grant| g.kind == kind && !g.dead && g.client_id == app.client_id;
    let Some(grant) = grant.filter(of_this_app).cloned() else {
        return Err(Refused(400, "invalid_grant", None));
    };
    if grant.expires <= world.now() {
        return Err(expired(world, kind));
    }
    check_standing(world, &app, grant.user)?;
    if world.switches.rotation == Rotation::Strict {
        world.tokens.kill(&secret);
    }
    Ok((pair(world, &app, grant.user), grant.user))
}

fn client(world: &World, id: Option<String>, secret: Option<String>) -> Result<App, Refused> {
    let Some(id) = id else {
        let unauthorized = world.switches.missing_client_unauthorized;
        let code = if unauthorized { "unauthorized_client" } else { "invalid_client" };
        return Err(Refused(400, code, None));
    };
    // An error with status 200 (sim quirk 4, b24: transport §1.9).
    let app = world.apps.get(&id).filter(|app| !app.deleted);
    let app = app.ok_or(Refused(200, "wrong_client", None))?;
    if secret.as_deref() != Some(app.client_secret.as_str()) {
        return Err(Refused(400, "invalid_client", None));
    }
    Ok(app.clone())
}

fn expired(world: &World, kind: Kind) -> Refused {
    match (world.switches.expired_grant, kind) {
        (ExpiredGrant::InvalidGrant, _) => Refused(400, "invalid_grant", None),
        (ExpiredGrant::ExpiredToken, Kind::Code) => {
            let text = "The authorization token provided has expired.";
            Refused(401, "expired_token", Some(text))
        }
        (ExpiredGrant::ExpiredToken, _) => {
            Refused(401, "expired_token", Some("The refresh token provided has expired."))
        }
    }
}

fn check_standing(world: &World, app: &App, user: u64) -> Result<(), Refused> {
    if !app.installed {
        return Err(Refused(401, "NOT_INSTALLED", Some("Application not installed")));
    }
    if world.switches.mode == Mode::PaymentRequired {
        return Err(Refused(401, "PAYMENT_REQUIRED", Some("Payment required")));
    }
    // The status is not known; 403 is what b24pysdk has for the same word of the portal.
    if app.allowed_users.as_ref().is_some_and(|allowed| !allowed.contains(&user)) {
        return Err(Refused(403, "USER_ACCESS_ERROR", None));
    }
    let dismissed = !world.users.get(&user).is_some_and(|user| user.active);
    match world.switches.dismissed_refresh {
        DismissedRefresh::InvalidGrant if dismissed => Err(Refused(400, "invalid_grant", None)),
        DismissedRefresh::UserAccessError if dismissed => {
            Err(Refused(403, "USER_ACCESS_ERROR", None))
        }
        _ => Ok(()),
    }
}

/// A new pair and its answer, keys in the order of real samples (b24: transport §1.5, sim
/// quirk 3).
fn pair(world: &mut World, app: &App, user: u64) -> Php {
    let (access, refresh) = issue_pair(world, app, user);
    let scope = match world.switches.token_scope {
        TokenScope::App => "app".to_owned(),
        TokenScope::List => app.scopes.iter().cloned().collect::<Vec<_>>().join(","),
    };
    let mut entries: Vec<(&str, Value)> = vec![("access_token", json!(access))];
    if world.switches.token_expires {
        let expires = unix_seconds(world.now().plus(ACCESS_LIFETIME));
        entries.push(("expires", json!(expires)));
    }
    entries.push(("expires_in", json!(ACCESS_LIFETIME.as_secs())));
    entries.push(("scope", json!(scope)));
    // The authorization server's host, not the portal's.
    entries.push(("domain", json!(world.oauth_domain)));
    entries.push(("server_endpoint", json!(format!("http://{}/rest/", world.oauth_domain))));
    entries.push(("status", json!("L")));
    entries.push(("client_endpoint", json!(format!("http://{}/rest/", world.domain))));
    entries.push(("member_id", json!(world.member_id)));
    if world.switches.token_user_id {
        entries.push(("user_id", json!(user)));
    }
    entries.push(("refresh_token", json!(refresh)));
    Php::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
}

/// Issues access and refresh token of one pair; also how a test skips the consent.
pub fn issue_pair(world: &mut World, app: &App, user: u64) -> (String, String) {
    let pair = world.tokens.next_pair();
    let lifetime = world.switches.refresh_lifetime;
    let access = issue(world, app, user, Kind::Access, pair, ACCESS_LIFETIME);
    let refresh = issue(world, app, user, Kind::Refresh, pair, lifetime);
    (access, refresh)
}

/// `/rest/app.info` of the authorization server itself (b24: transport §1.11).
fn app_info(world: &World, request: &Request) -> HttpReply {
    let token = request.query_param("auth").unwrap_or_default();
    let known = match auth::ask(world, &token, world.now()) {
        Ok(known) => known,
        Err(error) => {
            let body = php::encode(&envelope::error_body(&error), world.switches.escape_unicode);
            let reply = HttpReply::json(error.status, body);
            return HttpReply { error: error.code, auth: AuthForm::Query, ..reply };
        }
    };
    let Some(app) = world.apps.get(&known.client_id) else {
        return HttpReply::html(404, "404 Not Found");
    };
    let scope = app.scopes.iter().cloned().collect::<Vec<_>>().join(",");
    let body = json!({"result": {
        "client_id": app.client_id,
        "scope": scope,
        "expires": unix_seconds(known.expires),
        "install": {
            "installed": app.installed, "version": "1", "status": "L", "scope": scope,
            "domain": world.domain, "uri": format!("http://{}", world.domain),
            "client_endpoint": format!("http://{}/rest/", world.domain),
            "member_id": world.member_id, "member_type": "PORTAL",
        },
        "user_id": known.user,
    }});
    let text = php::encode(&Php::Value(body), world.switches.escape_unicode);
    let reply = HttpReply::json(200, text);
    HttpReply {
        rest_method: "app.info".to_owned(),
        auth: AuthForm::Query,
        user: Some(known.user),
        ..reply
    }
}
