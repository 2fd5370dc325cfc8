//! Whether an agent may write where a delivery goes: to colleagues whom the department rule lets talk
//! with it, and never where people from outside read along. Asked before every attempt until something
//! of the delivery may be there: that is followed to its end. Reads the portal; called by `execute`, by
//! `typing`, and for people who ask why.

use crate::bitrix::methods;
use crate::bitrix::methods::DialogFacts;
use crate::domain::acl::Because;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::domain::filter::Rule;
use crate::domain::filter::chat_rule;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::UserId;
use crate::outbound::Shared;
use crate::outbound::members;
use crate::store::ledger::Delivery;

/// Why an agent may not write there: a code of the contract and a sentence.
pub(super) type Refusal = (&'static str, String);

/// What the rules say of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InChat {
    /// Every colleague may talk with the agent.
    Everybody,
    /// This member may.
    Member(UserId),
    /// None of its members may.
    Nobody,
    /// Agents keep out of such chats.
    Kind(Rule),
    /// The portal does not let the agent look.
    Closed,
}

impl InChat {
    /// The text form in the control API.
    pub fn as_str(self) -> &'static str {
        match self {
            InChat::Everybody => "all",
            InChat::Member(_) => "member",
            InChat::Nobody => "nobody",
            InChat::Kind(rule) => rule.as_str(),
            InChat::Closed => "closed",
        }
    }
}

/// `None` when the delivery may go.
///
/// # Errors
/// The portal did not tell.
pub(super) fn refusal(shared: &Shared, delivery: &Delivery) -> Result<Option<Refusal>, Failure> {
    // Hours of an outage may lie between two attempts, and people move. Taking something back harms
    // nobody, and a notice tells who may not that they may not.
    let begun = delivery.state == State::Unknown || delivery.steps.iter().any(|step| step.done);
    if begun || delivery.notice || delivery.operation == Operation::Delete {
        return Ok(None);
    }
    refused_place(shared, &delivery.agent, delivery.dialog)
}

/// `None` when the agent may show itself there.
///
/// # Errors
/// The portal did not tell.
pub(super) fn refused_place(
    shared: &Shared,
    agent: &AgentName,
    dialog: DialogId,
) -> Result<Option<Refusal>, Failure> {
    let Some(own) = shared.registry.agent(agent).and_then(|agent| agent.user) else {
        // Without an account the first call tells what is missing.
        return Ok(None);
    };
    match dialog {
        // Its own notes.
        DialogId::User(person) if person == own => Ok(None),
        DialogId::User(person) => of_person(shared, agent, own, person),
        DialogId::Chat(_) if was_met(shared, agent, dialog) => Ok(None),
        DialogId::Chat(_) => of_chat(shared, agent, own, dialog),
    }
}

/// Whether somebody who may has just asked the agent there, under the rule that is in force now.
fn was_met(shared: &Shared, agent: &AgentName, dialog: DialogId) -> bool {
    let met = shared.met.get(&(agent.clone(), dialog));
    met.is_some_and(|rule| rule == shared.directory.rule_of(agent).rule)
}

fn denied(sentence: impl Into<String>) -> Option<Refusal> {
    Some(("permission_denied", sentence.into()))
}

fn of_person(
    shared: &Shared,
    agent: &AgentName,
    own: UserId,
    person: UserId,
) -> Result<Option<Refusal>, Failure> {
    shared.directory.ensure(agent, &[person])?;
    if shared.directory.org().person(person).is_none() && !is_colleague(shared, agent, person)? {
        return Ok(denied(format!(
            "user {person} is no colleague: external, a program, or dismissed"
        )));
    }
    let decision = shared.directory.decide(agent, own, person);
    if decision.allowed {
        return Ok(None);
    }
    let why = match decision.because {
        Because::NoStructure => "the company's structure is not known: see /v1/departments",
        Because::AgentWithoutDepartment => "the agent's account is in no department",
        Because::UnknownPerson => "the company's structure does not have that person",
        _ => "the department rule does not let them talk: see /v1/acl",
    };
    Ok(denied(format!("user {person}: {why} ({})", decision.because.as_str())))
}

/// Whether somebody who is not in the structure is a colleague all the same, as the messenger tells.
fn is_colleague(shared: &Shared, agent: &AgentName, person: UserId) -> Result<bool, Failure> {
    let key = (agent.clone(), DialogId::User(person));
    if let Some(known) = shared.colleagues.get(&key) {
        return Ok(known);
    }
    let colleague = shared.registry.call(agent, &methods::person(person))?;
    shared.colleagues.keep(key, colleague);
    Ok(colleague)
}

fn of_chat(
    shared: &Shared,
    agent: &AgentName,
    own: UserId,
    dialog: DialogId,
) -> Result<Option<Refusal>, Failure> {
    Ok(match in_chat(shared, agent, own, dialog)? {
        InChat::Everybody | InChat::Member(_) => None,
        // Where the agent may not look it may not write either, and the portal's refusal of the
        // message itself tells more.
        InChat::Closed => None,
        InChat::Nobody => {
            denied("the department rule lets nobody in the dialog talk with the agent: see /v1/acl")
        }
        InChat::Kind(rule) => {
            let rule = rule.as_str();
            denied(format!("agents do not write to dialogs of this kind ({rule})"))
        }
    })
}

/// What the rules say of a group.
///
/// # Errors
/// The portal did not tell.
pub(super) fn in_chat(
    shared: &Shared,
    agent: &AgentName,
    own: UserId,
    dialog: DialogId,
) -> Result<InChat, Failure> {
    let key = (agent.clone(), dialog);
    let facts = match shared.chats.get(&key) {
        Some(known) => known,
        None => match shared.registry.call(agent, &methods::dialog_facts(dialog)) {
            Ok(facts) => {
                shared.chats.keep(key, facts);
                facts
            }
            Err(failure) if matches!(failure.class, Class::Denied | Class::NotFound) => {
                return Ok(InChat::Closed);
            }
            Err(failure) => return Err(failure),
        },
    };
    let DialogFacts { kind, has_external } = facts;
    if let Some(rule) = chat_rule(kind, has_external) {
        return Ok(InChat::Kind(rule));
    }
    if !shared.directory.rule_of(agent).rule.needs_structure() {
        return Ok(InChat::Everybody);
    }
    somebody_may(shared, agent, own, dialog)
}

/// Whether a chat has somebody in it who may talk with the agent, and nobody from outside.
fn somebody_may(
    shared: &Shared,
    agent: &AgentName,
    own: UserId,
    dialog: DialogId,
) -> Result<InChat, Failure> {
    let members = members::of(shared, agent, dialog)?;
    if members.listed.iter().any(|member| member.external) {
        return Ok(InChat::Kind(Rule::ExternalChat));
    }
    let others = members.listed.iter().map(|member| member.id).filter(|id| *id != own);
    let people: Vec<UserId> = others.collect();
    shared.directory.ensure(agent, &people)?;
    let may = |person: &UserId| shared.directory.decide(agent, own, *person).allowed;
    Ok(people.into_iter().find(may).map_or(InChat::Nobody, InChat::Member))
}
