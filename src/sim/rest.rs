//! The REST server of the model portal: addresses, credentials, and the order of checks
//! (b24: transport §2.1, §2.2). `portal` hands it requests below `/rest/`; handlers are behind
//! `methods`.

use std::time::Duration;

use serde_json::Value;

use super::auth;
use super::auth::Actor;
use super::auth::Credential;
use super::batch;
use super::call::Context;
use super::call::Reply;
use super::call::RestError;
use super::envelope;
use super::envelope::Timing;
use super::http::HttpReply;
use super::http::Request;
use super::methods;
use super::network::AuthForm;
use super::params::Params;
use super::switches::Mode;
use super::world::World;

/// Where a REST address points.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    /// As written by the caller.
    method: String,
    /// User and secret of a webhook address.
    webhook: Option<(u64, String)>,
}

/// Answers one request below `/rest/`.
pub fn serve(world: &mut World, request: &Request) -> HttpReply {
    let Some(route) = route(&request.path) else {
        return HttpReply::html(404, "404 Not Found");
    };
    let method = route.method.to_ascii_lowercase();
    let mut params = Params::from_request(
        &request.query,
        request.header("content-type").unwrap_or_default(),
        &request.body,
    );
    let (credential, form) = credential(world, request, &route, &mut params);
    let (reply, user) = match run(world, &route.method, &method, &credential, &params) {
        Ok((reply, user)) => (reply, Some(user)),
        Err(error) => (envelope::failure(world, &error), None),
    };
    HttpReply { rest_method: method, auth: form, user, ..reply }
}

/// The checks in their order (b24: transport §2.2), then the method.
fn run(
    world: &mut World,
    written: &str,
    method: &str,
    credential: &Credential,
    params: &Params,
) -> Result<(HttpReply, u64), RestError> {
    if world.switches.mode == Mode::SiteClosed {
        return Err(RestError::new(403, "PORTAL_DELETED", "Portal was deleted"));
    }
    // Before authorization: a 404 says nothing about the credentials.
    let scopes = methods::scopes(world, method).ok_or_else(RestError::method_not_found)?;
    let actor = auth::authorize(world, credential, scopes)?;
    let token = match credential {
        Credential::Token(token) => token.clone(),
        _ => String::new(),
    };
    let done = if method == "batch" {
        let start = world.now();
        let reply = batch::run(world, &actor, &token, params);
        Done { reply, timing: Timing { start, finish: world.now(), operating: None } }
    } else {
        run_one(world, &actor, &token, written, method, params)?
    };
    let user = actor.user;
    if let Some(file) = done.reply.file {
        let reply = HttpReply {
            status: 200,
            headers: vec![
                ("Content-Type", file.content_type),
                ("Content-Disposition", format!("attachment; filename=\"{}\"", file.name)),
            ],
            body: file.bytes,
            ..HttpReply::default()
        };
        return Ok((reply, user));
    }
    Ok((envelope::success(world, &actor.client, done.reply, &done.timing), user))
}

/// What a method answered, and its times.
#[derive(Debug)]
pub struct Done {
    /// The answer.
    pub reply: Reply,
    /// The times.
    pub timing: Timing,
}

/// One method of an authorized caller: operating limit, handler, booking. Also for each command of
/// a batch.
///
/// # Errors
/// 429 when the method's operating time is used up, else the handler's refusals.
pub fn run_one(
    world: &mut World,
    actor: &Actor,
    token: &str,
    written: &str,
    method: &str,
    params: &Params,
) -> Result<Done, RestError> {
    let now = world.now();
    let counted = world.switches.operating;
    let limit = world.switches.operating_limit;
    if counted && world.limiter.exhausted(&actor.client, method, limit, now) {
        let text = "Method is blocked due to operation time limit.";
        return Err(RestError::new(429, "OPERATION_TIME_LIMIT", text));
    }
    let mut context = Context {
        world,
        user: actor.user,
        client: actor.client.clone(),
        token: token.to_owned(),
        now,
        written_method: written.to_owned(),
    };
    let reply = methods::call(&mut context, method, params)?;
    let cost = world.switches.operating_costs.get(method).copied().unwrap_or(Duration::ZERO);
    let operating = counted.then(|| {
        world.limiter.book(&actor.client, method, cost, now);
        world.limiter.figures(&actor.client, method, now)
    });
    let finish = world.now().plus(cost);
    Ok(Done { reply, timing: Timing { start: now, finish, operating } })
}

/// `/rest/{method}` or `/rest/{user}/{secret}/{method}`, each with `/` or `.json` behind.
/// `None` for what the model does not answer (REST v3, XML).
fn route(path: &str) -> Option<Route> {
    let rest = path.strip_prefix("/rest/")?.trim_end_matches('/');
    let parts: Vec<&str> = rest.split('/').collect();
    let (method, webhook) = match parts.as_slice() {
        ["api", ..] => return None,
        [method] => (method, None),
        [user, secret, method] => (method, Some((user.parse().ok()?, (*secret).to_owned()))),
        _ => return None,
    };
    let lower = method.to_ascii_lowercase();
    if lower.ends_with(".xml") {
        return None;
    }
    let length = lower.strip_suffix(".json").map_or(method.len(), str::len);
    Some(Route { method: method[..length].to_owned(), webhook })
}

/// Finds the credentials and takes them out of the parameters (b24: transport §1.10, §2.1):
/// webhook path, `Authorization: Bearer`, `auth`, `access_token`.
fn credential(
    world: &World,
    request: &Request,
    route: &Route,
    params: &mut Params,
) -> (Credential, AuthForm) {
    let auth = params.take("auth");
    let access = params.take("access_token");
    if let Some((user, secret)) = &route.webhook {
        let credential = Credential::Webhook { user: *user, secret: secret.clone() };
        return (credential, AuthForm::Webhook);
    }
    let bearer = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    if let Some(token) = bearer.filter(|token| world.switches.bearer && !token.is_empty()) {
        return (Credential::Token(token.trim().to_owned()), AuthForm::Bearer);
    }
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    if let Some(token) = text(auth) {
        let in_query = request.query_param("auth").as_deref() == Some(token.as_str());
        let form = if in_query { AuthForm::Query } else { AuthForm::Body };
        return (Credential::Token(token), form);
    }
    match text(access) {
        Some(token) => (Credential::Token(token), AuthForm::AccessToken),
        None => (Credential::None, AuthForm::None),
    }
}

#[cfg(test)]
mod tests {
    use super::Route;
    use super::route;

    #[test]
    fn every_form_of_address_leads_to_the_method() {
        let plain = Some(Route { method: "im.Message.add".to_owned(), webhook: None });
        for path in ["/rest/im.Message.add", "/rest/im.Message.add/", "/rest/im.Message.add.json"] {
            assert_eq!(route(path), plain, "{path}");
        }
        let hook = route("/rest/7/s3cret/profile.json/").and_then(|route| route.webhook);
        assert_eq!(hook, Some((7, "s3cret".to_owned())));
        for path in ["/rest/api/x.y", "/rest/profile.xml", "/rest/a/b", "/rest/x/y/profile", "/x"] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
