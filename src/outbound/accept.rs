//! Makes a Deliver call durable: validates it, renders its text into parts, derives each part's
//! UUID, and commits it to the ledger or finds what the ledger knows of its id. What depends on the
//! portal is left to `plan`. Talks to the ledger only.

use serde_json::Value;
use serde_json::json;
use url::Url;

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
use crate::domain::ids::UserId;
use crate::domain::step;
use crate::domain::step::FileWay;
use crate::limits;
use crate::markup;
use crate::markup::Format;
use crate::markup::Mentions;
use crate::outbound::Shared;
use crate::outbound::shelf::Kept;
use crate::store;
use crate::store::ledger::Accepted;
use crate::store::ledger::FileSource;
use crate::store::ledger::NewDelivery;
use crate::store::ledger::NewFile;
use crate::store::ledger::Plan;
use crate::store::ledger::Target;

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
    /// What an edit, a delete or a reaction acts on.
    pub target: Option<Aim>,
    /// The reaction.
    pub reaction: String,
    /// Whether it is taken back.
    pub remove: bool,
    /// Files of a send.
    pub media: Vec<Media>,
    /// Fields that this channel cannot honour.
    pub warnings: Vec<String>,
}

/// What a call says that an operation acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// One message.
    Message(MessageId),
    /// Every message of a delivery.
    Delivery(DeliveryId),
}

/// A file of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// As people see it.
    pub name: String,
    /// Whether a picture is to be shown as a file.
    pub as_file: bool,
    /// Where its bytes are.
    pub source: MediaSource,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// To be fetched from here.
    Url(Url),
    /// They came with the call and are on the shelf.
    Kept(Kept),
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
    /// The delivery or message to act on is not known here, or not of this agent and dialog.
    WrongTarget(&'static str),
    /// A file may not be fetched from where it is; why, and what to do.
    MediaHost(String),
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

/// Validates and commits. Files that came with a call of which nothing new is kept are removed.
///
/// # Errors
/// See [`Refused`].
pub(super) fn accept(shared: &Shared, request: DeliverRequest) -> Result<Accepted, Refused> {
    let kept = |media: &Media| match &media.source {
        MediaSource::Kept(kept) => Some(kept.name.clone()),
        MediaSource::Url(_) => None,
    };
    let brought: Vec<String> = request.media.iter().filter_map(kept).collect();
    let accepted = commit(shared, request);
    // A database that failed may have committed all the same; the next start sweeps.
    if !matches!(accepted, Ok(Accepted::New(_)) | Err(Refused::Store(_))) {
        brought.iter().for_each(|name| shared.shelf.remove(name));
    }
    accepted
}

fn commit(shared: &Shared, request: DeliverRequest) -> Result<Accepted, Refused> {
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
    for media in &request.media {
        if let MediaSource::Url(url) = &media.source {
            shared.fetcher.hosts().check(url).map_err(|why| Refused::MediaHost(why.to_string()))?;
        }
    }
    let new = NewDelivery {
        plan: plan(shared, &request, member)?,
        target: target(shared, &request)?,
        reaction: (request.operation == Operation::React)
            .then_some((request.reaction, request.remove)),
        files: request.media.into_iter().map(new_file).collect(),
        id: request.id,
        agent: request.agent,
        dialog: request.dialog,
        operation: request.operation,
        content,
        reply_to: request.reply_to,
        warnings: request.warnings,
        notice: false,
    };
    let accepted = shared.store.accept(new, limits::DELIVERIES_UNFINISHED_MAX, clock::now())?;
    match &accepted {
        Accepted::New(_) => count(Counter::DeliveriesAccepted),
        Accepted::Same(_) => count(Counter::DeliveriesReplayed),
        _ => {}
    }
    Ok(accepted)
}

/// Commits a message of the connector's own to a person, once a day; `false` when today's is there.
pub(super) fn notice(
    shared: &Shared,
    agent: &AgentName,
    person: UserId,
    text: &str,
) -> Result<bool, Refused> {
    let known = shared.registry.agent(agent).ok_or(Refused::UnknownAgent)?;
    let member = known.member.ok_or(Refused::AgentNotReady(known.state, known.reason))?;
    let now = clock::now();
    let today = now.to_string().chars().take(10).collect::<String>();
    let id = DeliveryId::parse(&format!("connector:denied:{agent}:{person}:{today}"));
    let id = id.ok_or(Refused::EmptyText)?;
    let mentions = Mentions { all: false, members: Vec::new() };
    let texts = markup::render(text, Format::Plain, &mentions);
    let uuid = |number| part_uuid(&member, agent, &id, number);
    let new = NewDelivery {
        plan: Plan::Ready(step::send(texts, 0, FileWay::Folder, &uuid)),
        target: Target::default(),
        reaction: None,
        files: Vec::new(),
        agent: agent.clone(),
        dialog: DialogId::User(person),
        operation: Operation::Send,
        // Whatever it says, one of a day is enough.
        content: [0; 32],
        reply_to: None,
        warnings: Vec::new(),
        notice: true,
        id: id.clone(),
    };
    match shared.store.accept(new, limits::DELIVERIES_UNFINISHED_MAX, now)? {
        Accepted::New(_) => Ok(true),
        Accepted::Same(_) | Accepted::Conflict => Ok(false),
        Accepted::Full => Err(Refused::Full),
    }
}

/// The steps of a call, as far as they follow from the call alone. The text is rendered either way,
/// so that what can never be sent is refused while its caller listens.
fn plan(shared: &Shared, request: &DeliverRequest, member: &MemberId) -> Result<Plan, Refused> {
    let open = || Plan::Open(request.text.clone(), request.format);
    if !matches!(request.operation, Operation::Send | Operation::Edit) {
        return Ok(open());
    }
    // Nobody is known yet; a text in which a name could be meant is rendered again once they are.
    let mentions = Mentions { all: shared.mention_all, members: Vec::new() };
    let texts = markup::render(&request.text, request.format, &mentions);
    if texts.is_empty() && request.media.is_empty() {
        return Err(Refused::EmptyText);
    }
    if texts.len() > limits::DELIVERY_PARTS_MAX {
        return Err(Refused::TooManyParts);
    }
    // Whom a name means, and whether files can go along, the portal knows.
    let text = &request.text;
    let asks = request.format == Format::Markdown
        && (markup::may_mention(text) || markup::enclose(text, 1).is_some());
    if request.operation == Operation::Edit || !request.media.is_empty() || asks {
        return Ok(open());
    }
    let uuid = |number| part_uuid(member, &request.agent, &request.id, number);
    Ok(Plan::Ready(step::send(texts, 0, FileWay::Folder, &uuid)))
}

/// What an operation acts on, as the ledger knows it.
fn target(shared: &Shared, request: &DeliverRequest) -> Result<Target, Refused> {
    match &request.target {
        None => Ok(Target::default()),
        Some(Aim::Message(message)) => {
            let origin = shared.store.origin_of(&request.agent, *message)?;
            if origin.is_some_and(|(_, dialog)| dialog.is_surely_not(request.dialog)) {
                return Err(Refused::WrongTarget("message_id: that message is in another dialog"));
            }
            Ok(Target { message: Some(*message), origin: origin.map(|(row, _)| row) })
        }
        Some(Aim::Delivery(id)) => {
            let known = shared.store.delivery_by_id(id)?;
            let known =
                known.ok_or(Refused::WrongTarget("target_delivery_id: no delivery has this id"))?;
            if (&known.agent, known.dialog) != (&request.agent, request.dialog) {
                let why = "target_delivery_id: it went to another dialog or from another agent";
                return Err(Refused::WrongTarget(why));
            }
            let edited = known.operation == Operation::Edit;
            let origin = known.target.origin.or(Some(known.row));
            Ok(match known.target.message {
                // A reaction to one message is about that one.
                Some(_) if !edited => known.target,
                // An edit is about what it changed and what it added.
                _ => Target { message: None, origin },
            })
        }
    }
}

fn new_file(media: Media) -> NewFile {
    let source = match media.source {
        MediaSource::Url(url) => FileSource::Url(url.into()),
        MediaSource::Kept(kept) => FileSource::Kept { name: kept.name, bytes: kept.bytes },
    };
    NewFile { name: media.name, as_file: media.as_file, source }
}

/// Everything that makes two requests the same, in a form in which no two meanings collide.
fn content_hash(request: &DeliverRequest) -> [u8; 32] {
    let mut meaning = vec![
        json!(request.agent.as_str()),
        json!(request.dialog.to_string()),
        json!(request.operation.as_str()),
        json!(request.text),
        json!(request.format.as_str()),
        json!(request.reply_to.map(|id| id.0)),
    ];
    // What the first version did not know comes behind and only when it says something, so that a
    // call it accepted stays the same call.
    match &request.target {
        None => {}
        Some(Aim::Message(message)) => meaning.push(json!({ "message": message.0 })),
        Some(Aim::Delivery(id)) => meaning.push(json!({ "delivery": id.as_str() })),
    }
    if request.operation == Operation::React {
        meaning.push(json!({ "reaction": request.reaction, "remove": request.remove }));
    }
    for media in &request.media {
        let source = match &media.source {
            MediaSource::Url(url) => json!({ "url": url.as_str() }),
            MediaSource::Kept(kept) => json!({ "sha256": crypto::hex(&kept.sha256) }),
        };
        meaning.push(json!({ "name": media.name, "as_file": media.as_file, "source": source }));
    }
    crypto::sha256(Value::Array(meaning).to_string().as_bytes())
}

/// The UUID v4 by which the portal itself drops a repeat, even if our database is lost: a function
/// of whose message it is and nothing else. Lower case, because the portal takes no other
/// (b24: messenger §6.2).
pub(super) fn part_uuid(
    member: &MemberId,
    agent: &AgentName,
    id: &DeliveryId,
    part: u32,
) -> String {
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
    use super::Aim;
    use super::DeliverRequest;
    use super::Media;
    use super::MediaSource;
    use super::content_hash;
    use super::part_uuid;
    use crate::base::crypto;
    use crate::domain::delivery::Operation;
    use crate::domain::ids::AgentName;
    use crate::domain::ids::DeliveryId;
    use crate::domain::ids::DialogId;
    use crate::domain::ids::MemberId;
    use crate::domain::ids::MessageId;
    use crate::markup::Format;
    use crate::outbound::shelf::Kept;

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
            target: None,
            reaction: String::new(),
            remove: false,
            media: Vec::new(),
            warnings: Vec::new(),
        };
        // A changed meaning would refuse every repeat of a call from before the change.
        assert_eq!(
            crypto::hex(&content_hash(&base)),
            "aab3f861baaf22ccc15e09522842c6d7e08cc3fd6f4b0688b4bf564b62286c03"
        );
        let other_id = DeliveryId::parse("d-2").expect("an id");
        let id = DeliveryId::parse("7").expect("an id");
        let kept = Kept { name: "a".into(), bytes: 1, sha256: [1; 32] };
        let source = MediaSource::Kept(kept);
        let picture = Media { name: "p.png".into(), as_file: false, source };
        let warned = vec!["buttons".to_owned()];
        let same = DeliverRequest { id: other_id, warnings: warned, ..base.clone() };
        assert_eq!(content_hash(&base), content_hash(&same));
        let others = [
            DeliverRequest { text: "hi ".into(), ..base.clone() },
            DeliverRequest { format: Format::Plain, ..base.clone() },
            DeliverRequest { reply_to: Some(MessageId(7)), ..base.clone() },
            DeliverRequest { dialog: DialogId::parse("chat12").expect("a dialog"), ..base.clone() },
            DeliverRequest { target: Some(Aim::Message(MessageId(7))), ..base.clone() },
            DeliverRequest { target: Some(Aim::Delivery(id.clone())), ..base.clone() },
            DeliverRequest { media: vec![picture.clone()], ..base.clone() },
            DeliverRequest { media: vec![picture.clone(), picture], ..base.clone() },
        ];
        for other in others {
            assert_ne!(content_hash(&base), content_hash(&other), "{other:?}");
        }
    }
}
