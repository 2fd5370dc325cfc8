//! Agents on the control listener: lists them, creates, changes, pauses and forgets one, gives out a
//! consent link. Called by `control`.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::agents::checkup;
use crate::agents::consent::Consents;
use crate::agents::consent::Refusal;
use crate::agents::registry::AgentView;
use crate::agents::registry::Registry;
use crate::agents::webhook::Webhook;
use crate::api::consent::words;
use crate::api::consent::words::Language;
use crate::api::deliver::store_problem;
use crate::api::directory;
use crate::api::problem::Problem;
use crate::directory::Directory;
use crate::domain::finding::Finding;
use crate::domain::ids::AgentName;
use crate::http::Reply;
use crate::http::Request;
use crate::limits;
use crate::outbound::Desk;

/// Fields of [`webhook`].
const WEBHOOK_FIELDS: [&str; 2] = ["url", "replace"];

/// Field of [`change`] that switches an agent off or on.
const PAUSED: &str = "paused";

/// All agents.
pub(super) fn list(views: &[AgentView]) -> Reply {
    let agents: Vec<Value> = views.iter().map(shown).collect();
    Reply::json(200, &json!({ "agents": agents }))
}

/// One agent, and the rule that says who may talk with it.
pub(super) fn show(
    registry: &Registry,
    directory: &Directory,
    name: &str,
) -> Result<Reply, Problem> {
    let view = registry.agent(&parsed(name)?).ok_or_else(unknown)?;
    Ok(whole(directory, &view))
}

/// Creates an agent.
pub(super) fn create(registry: &Registry, request: &Request) -> Result<Reply, Problem> {
    let fields = fields(request, "{\"name\":\"helper\"}")?;
    let name = parsed(fields.get("name").and_then(Value::as_str).unwrap_or_default())?;
    let created = registry.add(&name).map_err(|why| Problem::internal(&why))?;
    if !created {
        return Err(Problem::new(409, "already_exists", "an agent has this name"));
    }
    Ok(Reply::json(201, &json!({ "name": name.as_str(), "state": "created" })))
}

/// Changes an agent's own rule, or switches it off or on; what is absent stays.
pub(super) fn change(
    registry: &Registry,
    directory: &Directory,
    name: &str,
    request: &Request,
) -> Result<Reply, Problem> {
    let view = registry.agent(&parsed(name)?).ok_or_else(unknown)?;
    let fields = fields(request, "{\"departments\":\"own\"} or {\"paused\":true}")?;
    let known: Vec<&str> = directory::RULE_FIELDS.into_iter().chain([PAUSED]).collect();
    if let Some(odd) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Problem::invalid(format!("{odd}: not a field of this; fields: {known:?}")));
    }
    let paused = match fields.get(PAUSED) {
        None => None,
        Some(Value::Bool(paused)) => Some(*paused),
        Some(_) => return Err(Problem::invalid(format!("{PAUSED}: true or false"))),
    };
    directory::change_rule(directory, &view.name, &fields)?;
    let view = match paused {
        Some(paused) => registry.pause(&view.name, paused),
        None => registry.agent(&view.name),
    };
    Ok(whole(directory, &view.ok_or_else(unknown)?))
}

/// Forgets an agent: switches it off, drops what it has not delivered yet, and then all but what it
/// has.
pub(super) fn forget(
    registry: &Registry,
    directory: &Directory,
    desk: &Desk,
    name: &str,
) -> Result<Reply, Problem> {
    let name = parsed(name)?;
    registry.pause(&name, true).ok_or_else(unknown)?;
    let left = desk.drop_all_of(&name).map_err(|why| store_problem(&why))?;
    if left > 0 {
        return Err(Problem::precondition(format!(
            "the agent is paused, and {left} of its deliveries are not dropped yet because they are \
             being sent or are many: ask again in a minute"
        )));
    }
    if !registry.forget(&name).map_err(|why| store_problem(&why))? {
        return Err(unknown());
    }
    directory.forget(&name);
    Ok(Reply::json(200, &json!({ "name": name.as_str(), "state": "forgotten" })))
}

/// What a look at an agent finds, asked of the portal while the caller waits.
pub(super) fn check(registry: &Registry, name: &str) -> Result<Reply, Problem> {
    let name = parsed(name)?;
    let findings = checkup::look(registry, &name).ok_or_else(unknown)?;
    let findings: Vec<Value> = findings.iter().map(found).collect();
    Ok(Reply::json(200, &json!({ "name": name.as_str(), "findings": findings })))
}

fn found(finding: &Finding) -> Value {
    json!({
        "id": finding.kind.id,
        "severity": finding.kind.severity.as_str(),
        "about": finding.about,
        "detail": finding.detail,
        "means": finding.kind.means,
        "remedy": finding.kind.remedy,
    })
}

/// A consent link.
pub(super) fn consent(
    consents: &Consents,
    consent_url: &str,
    name: &str,
) -> Result<Reply, Problem> {
    if !consents.can_begin() {
        return Err(Problem::precondition(
            "no application is configured: set BITRIX24_CLIENT_ID and BITRIX24_CLIENT_SECRET and \
             restart, or give the agent a webhook (agents webhook NAME)",
        ));
    }
    let ticket = consents.open(&parsed(name)?).map_err(|why| Problem::internal(&why))?;
    let ticket = ticket.ok_or_else(unknown)?;
    let link = format!("{consent_url}/consent/{ticket}");
    Ok(Reply::json(
        201,
        &json!({ "link": link, "expires_in_s": limits::CONSENT_LIFETIME.as_secs() }),
    ))
}

/// Gives an agent a webhook as its identity.
pub(super) fn webhook(
    consents: &Consents,
    directory: &Directory,
    registry: &Registry,
    name: &str,
    request: &Request,
) -> Result<Reply, Problem> {
    let view = registry.agent(&parsed(name)?).ok_or_else(unknown)?;
    let fields = fields(request, "{\"url\":\"https://portal.example/rest/12/…/\"}")?;
    if let Some(odd) = fields.keys().find(|key| !WEBHOOK_FIELDS.contains(&key.as_str())) {
        let known = WEBHOOK_FIELDS;
        return Err(Problem::invalid(format!("{odd}: not a field of this; fields: {known:?}")));
    }
    let replace = match fields.get(WEBHOOK_FIELDS[1]) {
        None => false,
        Some(Value::Bool(replace)) => *replace,
        Some(_) => return Err(Problem::invalid("replace: true or false")),
    };
    let url = fields.get(WEBHOOK_FIELDS[0]).and_then(Value::as_str).unwrap_or_default();
    let webhook = Webhook::parse(url).map_err(|why| {
        Problem::invalid(format!(
            "url: {why}; it looks like https://portal.example/rest/12/…/ and is on the page of the \
             agent's own webhook in the portal"
        ))
    })?;
    consents.connect_webhook(&view.name, webhook, replace).map_err(|why| refused(&why))?;
    let view = registry.agent(&view.name).ok_or_else(unknown)?;
    Ok(whole(directory, &view))
}

fn refused(refusal: &Refusal) -> Problem {
    let told = words::refusal(refusal, Language::English);
    match refusal {
        Refusal::LinkOver => unknown(),
        Refusal::NotRead(_) | Refusal::Busy | Refusal::Stopping | Refusal::Store => {
            Problem::unavailable(told)
        }
        Refusal::Occupied(_) => Problem::precondition(format!("{told} Send \"replace\":true.")),
        _ => Problem::precondition(told),
    }
}

/// An agent as lists and the status have it.
pub(super) fn shown(view: &AgentView) -> Value {
    json!({
        "name": view.name.as_str(),
        "state": view.state.as_str(),
        "reason": view.reason,
        "user_id": view.user.map(|user| user.0),
        "user_name": view.user_name,
        "identity": if view.webhook { "webhook" } else { "oauth" },
    })
}

fn whole(directory: &Directory, view: &AgentView) -> Reply {
    let mut agent = shown(view);
    agent["rule"] = directory::rule(directory, &view.name);
    Reply::json(200, &agent)
}

fn fields(request: &Request, example: &str) -> Result<Map<String, Value>, Problem> {
    let body = serde_json::from_slice(request.body.in_memory().unwrap_or_default());
    match body {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Problem::invalid(format!("the body is no object; send {example}"))),
        Err(_) => Err(Problem::invalid(format!("the body is not JSON; send {example}"))),
    }
}

fn parsed(text: &str) -> Result<AgentName, Problem> {
    AgentName::parse(text).ok_or_else(|| {
        Problem::invalid(
            "name: up to 39 lower-case letters, digits and hyphens, beginning with a letter or digit",
        )
    })
}

fn unknown() -> Problem {
    Problem::not_found("no agent has this name")
}
