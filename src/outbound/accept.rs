//! Makes a Deliver call durable: validates it, renders its text into parts, derives each part's
//! UUID, and commits it to the ledger or finds what the ledger knows of its id.

use crate::base::clock;
use crate::base::crypto;
use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::domain::agent::AgentState;
use crate::domain::delivery::Operation;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MemberId;
use crate::domain::ids::MessageId;
use crate::limits;
use crate::markup;
use crate::markup::Format;
use crate::outbound::Shared;
use crate::store;
use crate::store::ledger::Accepted;
use crate::store::ledger::NewDelivery;
use crate::store::ledger::NewPart;

/// A decoded Deliver call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverRequest {
    /// Idempotency key.
    pub id: DeliveryId,
    /// Who speaks.
    pub agent: AgentName,
    /// Where.
    pub dialog: DialogId,
    /// What is asked for.
    pub operation: Operation,
    /// The text.
    pub text: String,
    /// How it is written.
    pub format: Format,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Fields that this channel cannot honour.
    pub warnings: Vec<String>,
}

/// Why a call is refused. Nothing of it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such agent.
    UnknownAgent,
    /// The agent cannot act; its state and the reason for it.
    AgentNotReady(AgentState, String),
    /// Nothing visible is left of the text.
    EmptyText,
    /// The text makes more messages than anybody wants to get at once.
    TooManyParts,
    /// This version does not carry the operation out.
    Unsupported(Operation),
    /// The id is known with other content.
    Conflict,
    /// Too many deliveries are unfinished, or too many callers wait.
    Full,
    /// The connector is stopping.
    Stopping,
    /// The database.
    Store(store::Error),
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Refused {
        Refused::Store(error)
    }
}

/// Validates and commits.
///
/// # Errors
/// See [`Refused`].
pub(super) fn accept(shared: &Shared, request: DeliverRequest) -> Result<Accepted, Refused> {
    if request.operation != Operation::Send {
        return Err(Refused::Unsupported(request.operation));
    }
    let agent = shared.registry.agent(&request.agent).ok_or(Refused::UnknownAgent)?;
    let content = content_hash(&request);
    // A repeat is answered whatever became of the agent since.
    if let Some(known) = shared.store.delivery_by_id(&request.id)? {
        if known.content != content {
            return Ok(Accepted::Conflict);
        }
        count(Counter::DeliveriesReplayed);
        return Ok(Accepted::Same(Box::new(known)));
    }
    let (Some(member), true) = (&agent.member, agent.state.works()) else {
        return Err(Refused::AgentNotReady(agent.state, agent.reason));
    };
    let texts = markup::render(&request.text, request.format, &shared.mentions);
    if texts.is_empty() {
        return Err(Refused::EmptyText);
    }
    if texts.len() > limits::DELIVERY_PARTS_MAX {
        return Err(Refused::TooManyParts);
    }
    let parts = (0_u32..).zip(texts).map(|(number, text)| NewPart {
        uuid: part_uuid(member, &request.agent, &request.id, number),
        text,
    });
    let new = NewDelivery {
        parts: parts.collect(),
        id: request.id,
        agent: request.agent,
        dialog: request.dialog,
        operation: request.operation,
        content,
        reply_to: request.reply_to,
        warnings: request.warnings,
    };
    let accepted = shared.store.accept(new, limits::DELIVERIES_UNFINISHED_MAX, clock::now())?;
    match &accepted {
        Accepted::New(_) => count(Counter::DeliveriesAccepted),
        Accepted::Same(_) => count(Counter::DeliveriesReplayed),
        _ => {}
    }
    Ok(accepted)
}

/// Everything that makes two requests the same, in a form in which no two meanings collide.
fn content_hash(request: &DeliverRequest) -> [u8; 32] {
    let format = match request.format {
        Format::Markdown => "markdown",
        Format::Plain => "plain",
        Format::Bbcode => "bbcode",
    };
    let meaning = serde_json::json!([
        request.agent.as_str(),
        request.dialog.to_string(),
        request.operation.as_str(),
        request.text,
        format,
        request.reply_to.map(|id| id.0),
    ]);
    crypto::sha256(meaning.to_string().as_bytes())
}

/// The UUID v4 by which the portal itself drops a repeat, even if our database is lost: a function
/// of whose message it is and nothing else. Lower case, because the portal takes no other
/// (b24: messenger §6.2).
fn part_uuid(member: &MemberId, agent: &AgentName, id: &DeliveryId, part: u32) -> String {
    let name = format!("{member}\0{agent}\0{id}\0{part}");
    let digest = crypto::sha256(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crypto::hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::DeliverRequest;
    use super::content_hash;
    use super::part_uuid;
    use crate::domain::delivery::Operation;
    use crate::domain::ids::AgentName;
    use crate::domain::ids::DeliveryId;
    use crate::domain::ids::DialogId;
    use crate::domain::ids::MemberId;
    use crate::domain::ids::MessageId;
    use crate::markup::Format;

    #[test]
    fn the_uuid_of_a_part_never_changes() {
        // A changed derivation would double every message that is repeated across the change.
        let member = MemberId("0f1e2d3c4b5a69788796a5b4c3d2e1f0".into());
        let agent = AgentName::parse("helper").expect("a name");
        let id = DeliveryId::parse("d-1").expect("an id");
        let first = part_uuid(&member, &agent, &id, 0);
        assert_eq!(first, "59478363-9fda-4c98-a4fd-e6cb2f0778dc");
        assert_ne!(first, part_uuid(&member, &agent, &id, 1));
        let bytes = first.as_bytes();
        assert!(bytes[14] == b'4' && b"89ab".contains(&bytes[19]), "{first}");
    }

    #[test]
    fn requests_are_the_same_only_if_they_mean_the_same() {
        let base = DeliverRequest {
            id: DeliveryId::parse("d-1").expect("an id"),
            agent: AgentName::parse("helper").expect("a name"),
            dialog: DialogId::parse("12").expect("a dialog"),
            operation: Operation::Send,
            text: "hi".into(),
            format: Format::Markdown,
            reply_to: None,
            warnings: Vec::new(),
        };
        let other_id = DeliveryId::parse("d-2").expect("an id");
        let warned = vec!["buttons".to_owned()];
        let same = DeliverRequest { id: other_id, warnings: warned, ..base.clone() };
        assert_eq!(content_hash(&base), content_hash(&same));
        let others = [
            DeliverRequest { text: "hi ".into(), ..base.clone() },
            DeliverRequest { format: Format::Plain, ..base.clone() },
            DeliverRequest { reply_to: Some(MessageId(7)), ..base.clone() },
            DeliverRequest { dialog: DialogId::parse("chat12").expect("a dialog"), ..base.clone() },
        ];
        for other in others {
            assert_ne!(content_hash(&base), content_hash(&other), "{other:?}");
        }
    }
}
