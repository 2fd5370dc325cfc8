//! Who may talk with an agent, on the control listener: one decision with what made it, the company's
//! structure as the connector knows it, and the rule of an agent. Called by `control`.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::agents::registry::AgentView;
use crate::agents::registry::Registry;
use crate::api::deliver::store_problem;
use crate::api::problem::Problem;
use crate::base::clock;
use crate::directory::Directory;
use crate::domain::acl;
use crate::domain::acl::Allowed;
use crate::domain::acl::Because;
use crate::domain::acl::Decision;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::DepartmentId;
use crate::domain::ids::DialogId;
use crate::domain::ids::UserId;
use crate::domain::org::Org;
use crate::http::Reply;
use crate::http::Request;
use crate::outbound::Desk;
use crate::outbound::InChat;

/// Whether somebody may talk with an agent, or anybody in a group, and why.
pub(super) fn explain(
    registry: &Registry,
    directory: &Directory,
    desk: &Desk,
    request: &Request,
) -> Result<Reply, Problem> {
    let asked = |name| request.query_value(name).filter(|value| !value.is_empty());
    let name = asked("agent").ok_or_else(|| Problem::invalid("agent: name one"))?;
    let agent = AgentName::parse(&name).and_then(|name| registry.agent(&name));
    let agent = agent.ok_or_else(|| Problem::not_found("no agent has this name"))?;
    let own = agent.user.ok_or_else(|| {
        Problem::precondition("the agent has no account yet: open a consent link")
    })?;
    let person = match asked_about(asked("user"), asked("dialog"))? {
        DialogId::User(person) => person,
        dialog @ DialogId::Chat(_) => return in_chat(desk, &agent, own, dialog),
    };
    directory.ensure(&agent.name, &[person]).map_err(untold)?;
    let decision = directory.decide(&agent.name, own, person);
    let org = directory.org();
    let department = |id: DepartmentId| json!({ "id": id.0, "name": org.department(id).map(|one| one.name.as_str()) });
    let known = org.person(person).map(|known| {
        let departments = known.departments.iter().map(|id| department(*id));
        json!({ "name": known.name, "departments": departments.collect::<Vec<Value>>() })
    });
    Ok(Reply::json(
        200,
        &json!({
            "agent": agent.name.as_str(),
            "user": person.0,
            "allowed": decision.allowed,
            "because": decision.because.as_str(),
            "department": decision.because.department().map(department),
            "explanation": explanation(&org, decision),
            "person": known,
            "rule": rule(directory, &agent.name),
        }),
    ))
}

fn untold(failure: Failure) -> Problem {
    let code = failure.code.to_ascii_lowercase();
    Problem::unavailable(format!("the portal did not tell who that is ({code}); try again"))
}

/// A person or a group.
fn asked_about(user: Option<String>, dialog: Option<String>) -> Result<DialogId, Problem> {
    match (user, dialog) {
        (Some(user), None) => match DialogId::parse(&user) {
            Some(person @ DialogId::User(_)) => Ok(person),
            _ => Err(Problem::invalid("user: the number of a person, such as 12")),
        },
        (None, Some(dialog)) => DialogId::parse(&dialog).ok_or_else(|| {
            Problem::invalid("dialog: the number of a person, such as 12, or chat34 for a group")
        }),
        _ => Err(Problem::invalid("name one of user and dialog")),
    }
}

/// Whether an agent may write to a group, and why.
fn in_chat(
    desk: &Desk,
    agent: &AgentView,
    own: UserId,
    dialog: DialogId,
) -> Result<Reply, Problem> {
    let found = desk.in_chat(&agent.name, own, dialog).map_err(untold)?;
    let (allowed, explanation) = match found {
        InChat::Everybody => (true, "every colleague may talk with this agent".to_owned()),
        InChat::Member(person) => {
            (true, format!("user {person} is in it and may: ask for user={person}"))
        }
        InChat::Nobody => (false, "none of its members may talk with this agent".to_owned()),
        InChat::Kind(rule) => {
            (false, format!("agents keep out of dialogs of this kind ({})", rule.as_str()))
        }
        InChat::Closed => {
            (false, "the portal does not let the agent see it: add the agent to it".to_owned())
        }
    };
    Ok(Reply::json(
        200,
        &json!({
            "agent": agent.name.as_str(),
            "dialog": dialog.to_string(),
            "allowed": allowed,
            "because": found.as_str(),
            "explanation": explanation,
        }),
    ))
}

/// The rule in force for an agent, and which parts are its own.
pub(super) fn rule(directory: &Directory, agent: &AgentName) -> Value {
    let in_force = directory.rule_of(agent);
    json!({
        "departments": in_force.rule.allowed.to_string(),
        "departments_denied": acl::departments_text(&in_force.rule.denied),
        "own": in_force.own_allowed,
        "own_denied": in_force.own_denied,
    })
}

fn explanation(org: &Org, Decision { because, .. }: Decision) -> String {
    let name = |id: DepartmentId| match org.department(id) {
        Some(department) => format!("{} ({id})", department.name),
        None => format!("department {id}"),
    };
    match because {
        Because::All => "every colleague may talk with this agent".into(),
        Because::OwnDepartment(id) => {
            format!("the person is in {}, which is the agent's or lies below it", name(id))
        }
        Because::HeadAbove(id) => {
            format!("the person heads {}, which is the agent's or lies above it", name(id))
        }
        Because::Listed(id) => {
            format!("the person is in {}, which is listed or lies below a listed one", name(id))
        }
        Because::Denied(id) => {
            format!("the person is in {}, which is denied or lies below a denied one", name(id))
        }
        Because::Outside => "the person is in no department that may".into(),
        Because::UnknownPerson => {
            "the structure does not have the person: dismissed, external, or in no department"
                .into()
        }
        Because::AgentWithoutDepartment => {
            "the agent's account is in no department: put it in one, or list departments".into()
        }
        Because::NoStructure => {
            "the company's structure is not known or too old: see /v1/departments".into()
        }
    }
}

/// The structure as the connector knows it.
pub(super) fn departments(directory: &Directory) -> Reply {
    let org = directory.org();
    let people_in =
        |id: DepartmentId| org.people().filter(|person| person.departments.contains(&id)).count();
    let departments = org.departments().map(|one| {
        json!({
            "id": one.id.0,
            "name": one.name,
            "parent": one.parent.map(|id| id.0),
            "head": one.head.map(|id| id.0),
            "people": people_in(one.id),
        })
    });
    let departments: Vec<Value> = departments.collect();
    let mut shown = standing(directory);
    shown["departments"] = json!(departments);
    Reply::json(200, &shown)
}

/// How the structure stands.
pub(super) fn standing(directory: &Directory) -> Value {
    let standing = directory.standing();
    json!({
        "departments": standing.departments,
        "people": standing.people,
        "read_at": standing.read_at.map(|at| at.to_string()),
        "age_s": standing.read_at.map(|at| clock::now().since(at).as_secs()),
        "fresh": standing.fresh,
        "problem": standing.problem,
    })
}

/// Fields that change a rule.
pub(super) const RULE_FIELDS: [&str; 2] = ["departments", "departments_denied"];

/// Changes an agent's own rule; what is absent stays, `null` goes back to the setting.
pub(super) fn change_rule(
    directory: &Directory,
    agent: &AgentName,
    fields: &Map<String, Value>,
) -> Result<(), Problem> {
    let allowed = field(fields, RULE_FIELDS[0], Allowed::parse)?;
    let denied = field(fields, RULE_FIELDS[1], acl::parse_departments)?;
    if allowed.is_none() && denied.is_none() {
        return Ok(());
    }
    let there = directory.change_rule(agent, |own| {
        own.allowed = allowed.unwrap_or_else(|| own.allowed.take());
        own.denied = denied.unwrap_or_else(|| own.denied.take());
    });
    if !there.map_err(|why| store_problem(&why))? {
        return Err(Problem::not_found("no agent has this name"));
    }
    Ok(())
}

/// A field as it is to be: `None` when it is absent, nothing of one's own when it is `null`.
fn field<T>(
    fields: &Map<String, Value>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Option<T>>, Problem> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => match parse(text) {
            Ok(value) => Ok(Some(Some(value))),
            Err(why) => Err(Problem::invalid(format!("{name}: {why}"))),
        },
        Some(_) => Err(Problem::invalid(format!("{name}: a text or null"))),
    }
}
