//! The JSON bodies of the gateway's two inbound endpoints, with the field order of the contract
//! (`connector §2`). Ids travel as strings, as in Deliver: a reader that keeps numbers as
//! floating-point loses none of their digits.

use serde::Serialize;

use crate::base::clock::UnixMs;
use crate::domain::agent::AgentState;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::ExternalId;
use crate::domain::ids::MemberId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;

/// One message on its way to the gateway.
#[derive(Clone, Debug)]
pub struct InboundMessage<'a> {
    /// The portal it comes from.
    pub member: &'a MemberId,
    /// The agent that received it.
    pub agent: &'a AgentName,
    /// Where the answer goes.
    pub dialog: DialogId,
    /// Its id.
    pub id: MessageId,
    /// Markdown.
    pub text: &'a str,
    /// Who wrote it.
    pub sender: UserId,
    /// Full name; may be empty.
    pub sender_name: &'a str,
    /// Whether it mentions the agent.
    pub mentioned: bool,
    /// The message it replies to.
    pub reply_to: Option<MessageId>,
    /// When it was written, if the portal said so.
    pub sent_at: Option<UnixMs>,
}

/// What the gateway is told when an agent's state changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingStatus {
    /// Which agent.
    pub agent: AgentName,
    /// Where it stands.
    pub state: AgentState,
    /// Why, for people; may be empty.
    pub reason: String,
    /// Since when.
    pub at: UnixMs,
}

impl InboundMessage<'_> {
    /// Equal for every attempt to hand over this message, different for any other.
    pub fn idempotency_key(&self) -> String {
        format!("{}-{}-{}", self.member, self.agent, self.id)
    }
}

#[derive(Serialize)]
struct MessageBody<'a> {
    channel: &'a str,
    external_id: String,
    text: &'a str,
    #[serde(flatten)]
    extra: Option<Extra<'a>>,
}

#[derive(Serialize)]
struct Extra<'a> {
    agent: &'a str,
    message_id: String,
    dialog_id: String,
    dialog_type: &'static str,
    sender: SenderBody<'a>,
    mentioned: bool,
    reply_to: Option<String>,
    sent_at: Option<String>,
}

#[derive(Serialize)]
struct SenderBody<'a> {
    id: String,
    name: &'a str,
}

/// The body of `POST /v1/inbound/generic`.
pub(in crate::gateway) fn message(
    channel: &str,
    message: &InboundMessage<'_>,
    extra: bool,
) -> Vec<u8> {
    let dialog = message.dialog;
    let external_id = ExternalId { agent: message.agent.clone(), dialog }.to_string();
    let extra = extra.then(|| Extra {
        agent: message.agent.as_str(),
        message_id: message.id.to_string(),
        dialog_id: dialog.to_string(),
        dialog_type: if dialog.is_private() { "private" } else { "group" },
        sender: SenderBody { id: message.sender.to_string(), name: message.sender_name },
        mentioned: message.mentioned,
        reply_to: message.reply_to.map(|id| id.to_string()),
        sent_at: message.sent_at.map(|at| at.to_string()),
    });
    encode(&MessageBody { channel, external_id, text: message.text, extra })
}

#[derive(Serialize)]
struct StatusBody<'a> {
    channel: &'a str,
    agent: &'a str,
    state: &'static str,
    reason: &'a str,
    at: String,
}

/// The body of `POST /v1/inbound/binding/status`.
pub(in crate::gateway) fn status(channel: &str, status: &BindingStatus) -> Vec<u8> {
    let (agent, state) = (status.agent.as_str(), status.state.as_str());
    encode(&StatusBody { channel, agent, state, reason: &status.reason, at: status.at.to_string() })
}

fn encode(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("strings, booleans and nulls always have a JSON form")
}

#[cfg(test)]
mod tests {
    use crate::base::clock::UnixMs;
    use crate::domain::agent::AgentState;
    use crate::domain::ids::AgentName;
    use crate::domain::ids::ChatId;
    use crate::domain::ids::DialogId;
    use crate::domain::ids::MemberId;
    use crate::domain::ids::MessageId;
    use crate::domain::ids::UserId;
    use crate::gateway::body::BindingStatus;
    use crate::gateway::body::InboundMessage;

    fn text(body: &[u8]) -> &str {
        std::str::from_utf8(body).expect("UTF-8")
    }

    #[test]
    fn bodies_are_those_of_the_contract() {
        let member = MemberId("0f".repeat(16));
        let helper = AgentName::parse("helper").expect("name");
        let group = InboundMessage {
            member: &member,
            agent: &helper,
            dialog: DialogId::Chat(ChatId(904)),
            id: MessageId(70_412),
            text: "Olaf Brandt: @Mira Holt, is \"it\" out?\n> yes",
            sender: UserId(12),
            sender_name: "Olaf Brandt",
            mentioned: true,
            reply_to: Some(MessageId(70_398)),
            sent_at: Some(UnixMs(1_777_882_807_000)),
        };
        assert_eq!(
            text(&super::message("bitrix24", &group, false)),
            r#"{"channel":"bitrix24","external_id":"helper/chat904","text":"Olaf Brandt: @Mira Holt, is \"it\" out?\n> yes"}"#
        );
        assert_eq!(
            text(&super::message("bitrix24", &group, true)),
            concat!(
                r#"{"channel":"bitrix24","external_id":"helper/chat904","#,
                r#""text":"Olaf Brandt: @Mira Holt, is \"it\" out?\n> yes","#,
                r#""agent":"helper","message_id":"70412","dialog_id":"chat904","#,
                r#""dialog_type":"group","sender":{"id":"12","name":"Olaf Brandt"},"#,
                r#""mentioned":true,"reply_to":"70398","sent_at":"2026-05-04T08:20:07.000Z"}"#
            )
        );
        let private = InboundMessage {
            dialog: DialogId::User(UserId(12)),
            mentioned: false,
            reply_to: None,
            sent_at: None,
            ..group
        };
        let body = super::message("b24", &private, true);
        assert!(text(&body).starts_with(r#"{"channel":"b24","external_id":"helper/12","#));
        assert!(text(&body).contains(r#""dialog_id":"12","dialog_type":"private","#));
        assert!(text(&body).ends_with(r#""mentioned":false,"reply_to":null,"sent_at":null}"#));
        assert_eq!(private.idempotency_key(), "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f-helper-70412");
    }

    #[test]
    fn status_body_names_state_and_reason() {
        let status = BindingStatus {
            agent: AgentName::parse("helper").expect("name"),
            state: AgentState::Revoked,
            reason: "no".to_owned(),
            at: UnixMs(0),
        };
        assert_eq!(
            text(&super::status("bitrix24", &status)),
            concat!(
                r#"{"channel":"bitrix24","agent":"helper","state":"revoked","#,
                r#""reason":"no","at":"1970-01-01T00:00:00.000Z"}"#
            )
        );
    }
}
