//! Decides whether an inbound message is forwarded to the gateway, and names the rule when it is
//! not. Pure: who the agents are, whether the agent is mentioned and whether the message answers one
//! of its own arrive as values. Knows nothing of departments (`acl` does) and of text.
//! Called by `inbound::ingest`, and by whoever explains a verdict to a person.

use std::collections::HashSet;

use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;

/// What is forwarded from group dialogs. Private dialogs are always forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupPolicy {
    /// Messages that mention the agent or reply to it.
    Addressed,
    /// Everything.
    All,
    /// Nothing.
    Off,
}

/// Why a message is not forwarded. Closed list, in order of precedence: the first rule that applies
/// is the one that is named. Text forms are the same in logs, metrics and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Written by the portal itself, such as a join notice.
    System,
    /// Written by this agent's own user, by us or by a person at its keyboard.
    Own,
    /// Written by another agent of this connector: two agents must not talk in circles.
    OtherAgent,
    /// Written by a bot.
    Bot,
    /// Written by somebody who is not an employee.
    ExternalSender,
    /// A dialog with a customer: an answer would leave the company.
    OpenLine,
    /// A news channel.
    Channel,
    /// Comments below a channel post.
    Comment,
    /// Notifications.
    Notification,
    /// A kind of chat this connector does not know (b24: messenger §14 R9).
    UnknownChat,
    /// People from outside the company read along.
    ExternalChat,
    /// Groups are switched off.
    GroupsOff,
    /// A group message that neither mentions the agent nor replies to it.
    NotAddressed,
    /// Only files, a sticker or a voice note: the gateway takes text only.
    NoText,
    /// The department rule does not let the author talk with the agent. Decided by `domain::acl`, and
    /// only about messages that would go but for it, because it may take asking who is who.
    Department,
}

impl Rule {
    /// Every rule, in order of precedence.
    #[cfg(test)]
    pub const ALL: [Rule; 15] = [
        Rule::System,
        Rule::Own,
        Rule::OtherAgent,
        Rule::Bot,
        Rule::ExternalSender,
        Rule::OpenLine,
        Rule::Channel,
        Rule::Comment,
        Rule::Notification,
        Rule::UnknownChat,
        Rule::ExternalChat,
        Rule::GroupsOff,
        Rule::NotAddressed,
        Rule::NoText,
        Rule::Department,
    ];

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::System => "system",
            Rule::Own => "own",
            Rule::OtherAgent => "other_agent",
            Rule::Bot => "bot",
            Rule::ExternalSender => "external_sender",
            Rule::OpenLine => "open_line",
            Rule::Channel => "channel",
            Rule::Comment => "comment",
            Rule::Notification => "notification",
            Rule::UnknownChat => "unknown_chat",
            Rule::ExternalChat => "external_chat",
            Rule::GroupsOff => "groups_off",
            Rule::NotAddressed => "not_addressed",
            Rule::NoText => "no_text",
            Rule::Department => "department",
        }
    }
}

/// The outcome, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the gateway.
    Forward,
    /// Not forwarded, because of this rule.
    Ignore(Rule),
}

/// What the filter has to know besides the message.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The agent's own portal user.
    pub own: UserId,
    /// The portal users of all agents of this connector.
    pub agents: &'a HashSet<UserId>,
    /// What is forwarded from groups.
    pub groups: GroupPolicy,
    /// Whether the text mentions the agent itself, outside code and quotes. A mention of everyone
    /// is not one: with several agents in a group all of them would answer it.
    pub mentioned: bool,
    /// Whether the message replies to one the agent wrote.
    pub replies_to_agent: bool,
}

/// Decides about one message (b24: messenger §5, §14 R8, R9, R17).
pub fn verdict(message: &Message, context: &Context<'_>) -> Verdict {
    let refused = by_author(message, context)
        .or_else(|| chat_rule(message.kind, message.has_external))
        .or_else(|| by_address(message.kind, context))
        .or_else(|| message.text.trim().is_empty().then_some(Rule::NoText));
    match refused {
        Some(rule) => Verdict::Ignore(rule),
        None => Verdict::Forward,
    }
}

fn by_author(message: &Message, context: &Context<'_>) -> Option<Rule> {
    let sender = &message.sender;
    if message.system || sender.id.0 <= 0 {
        Some(Rule::System)
    } else if sender.id == context.own {
        Some(Rule::Own)
    } else if context.agents.contains(&sender.id) {
        Some(Rule::OtherAgent)
    } else if sender.bot {
        Some(Rule::Bot)
    } else if sender.external {
        Some(Rule::ExternalSender)
    } else {
        None
    }
}

/// Why nothing of a chat is forwarded, whoever writes there.
pub fn chat_rule(kind: ChatKind, has_external: bool) -> Option<Rule> {
    match kind {
        ChatKind::Private | ChatKind::Group => has_external.then_some(Rule::ExternalChat),
        ChatKind::OpenLine => Some(Rule::OpenLine),
        ChatKind::Channel => Some(Rule::Channel),
        ChatKind::Comment => Some(Rule::Comment),
        ChatKind::Notification => Some(Rule::Notification),
        ChatKind::Unknown => Some(Rule::UnknownChat),
    }
}

fn by_address(kind: ChatKind, context: &Context<'_>) -> Option<Rule> {
    let addressed = context.mentioned || context.replies_to_agent;
    match (kind, context.groups) {
        (ChatKind::Private, _) | (_, GroupPolicy::All) => None,
        (_, GroupPolicy::Off) => Some(Rule::GroupsOff),
        (_, GroupPolicy::Addressed) => (!addressed).then_some(Rule::NotAddressed),
    }
}

#[cfg(test)]
mod tests;
