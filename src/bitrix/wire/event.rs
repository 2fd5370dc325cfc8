//! Pages of the event log, as `im.v2.Event.get` returns them (b24: messenger §3). One event that
//! cannot be read never blocks its page.

use serde_json::Value;

use crate::base::clock;
use crate::base::json;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;
use crate::domain::message::Sender;

/// Kinds of external accounts, by `externalAuthId` (b24: messenger §5).
const EXTERNAL_AUTH: &[&str] =
    &["replica", "email", "imconnector", "bot", "network", "calendar", "call", "shop"];
/// Values of `user.type` that mean a colleague; both spellings are documented.
const COLLEAGUE_TYPES: &[&str] = &["user", "employee"];

/// One page.
#[derive(Debug, PartialEq, Eq)]
pub struct EventPage {
    /// Its events in the portal's order.
    pub events: Vec<PortalEvent>,
    /// The offset behind them; `None` when the portal did not say.
    pub next: Option<EventId>,
    /// Whether to ask again at once.
    pub has_more: bool,
}

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub struct PortalEvent {
    /// Its id, if it could be read.
    pub id: Option<EventId>,
    /// What it says.
    pub kind: EventKind,
}

/// What an event says.
#[derive(Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A message was added.
    Added(Box<Message>),
    /// Anything that this version does not act on, or a message that is gone already.
    Other,
    /// It could not be read.
    Undecodable,
}

impl EventPage {
    /// Reads `result`; `None` when it is no page.
    pub fn read(result: &Value) -> Option<EventPage> {
        let events = result.get("events")?.as_array()?.iter().map(event).collect();
        let next = result.get("nextOffset").and_then(json::int).map(EventId);
        let has_more = json::flag(result.get("hasMore").unwrap_or(&Value::Null));
        Some(EventPage { events, next, has_more })
    }
}

fn event(value: &Value) -> PortalEvent {
    let id = value.get("eventId").and_then(json::int).map(EventId);
    let kind = match (value.get("type").and_then(Value::as_str), value.get("data")) {
        (Some("ONIMV2MESSAGEADD"), Some(data)) => added(data),
        (Some("ONIMV2MESSAGEADD"), None) | (None, _) => EventKind::Undecodable,
        (Some(_), _) => EventKind::Other,
    };
    PortalEvent { id, kind }
}

fn added(data: &Value) -> EventKind {
    let Some(message) = data.get("message") else { return EventKind::Undecodable };
    // b24: messenger §3.3: of a message that was deleted meanwhile only the id is left; of one that
    // was emptied, a phrase of the portal in place of its text.
    let gone = message.get("text").is_none() && message.get("id").is_some();
    if gone || message.pointer("/params/IS_DELETED").is_some_and(json::flag) {
        return EventKind::Other;
    }
    match read_message(message, data) {
        Some(message) => EventKind::Added(Box::new(message)),
        None => EventKind::Undecodable,
    }
}

fn read_message(message: &Value, data: &Value) -> Option<Message> {
    let either = |a: &str, b: &str| message.get(a).or_else(|| message.get(b)).and_then(json::int);
    let chat = data.get("chat")?;
    let params = message.get("params").unwrap_or(&Value::Null);
    let author = either("authorId", "author_id")?;
    let present = |key: &str| match params.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::String(text)) => !text.is_empty() && text != "N",
        Some(_) => true,
    };
    let flag = |key: &str| json::flag(chat.get(key).unwrap_or(&Value::Null));
    let chat_id = either("chatId", "chat_id").or_else(|| chat.get("id").and_then(json::int))?;
    let kind = kind(chat);
    let dialog = chat.get("dialogId").and_then(json::text);
    Some(Message {
        id: MessageId(json::int(message.get("id")?)?),
        chat: ChatId(chat_id),
        // A dialog id of another form than ours is addressed by its chat.
        dialog: dialog
            .and_then(|text| DialogId::parse(&text))
            .unwrap_or(DialogId::Chat(ChatId(chat_id))),
        kind,
        has_external: flag("extranet") || flag("containsCollaber"),
        sender: sender(author, data.get("user").unwrap_or(&Value::Null)),
        system: author == 0 || json::flag(message.get("isSystem").unwrap_or(&Value::Null)),
        text: message.get("text")?.as_str()?.to_owned(),
        uuid: json::nonempty(message, "uuid").map(str::to_owned),
        reply_to: params.get("REPLY_ID").and_then(json::int).map(MessageId),
        has_files: present("FILE_ID") || present("STICKER_PARAMS"),
        sent_at: message.get("date").and_then(Value::as_str).and_then(clock::parse_rfc3339),
    })
}

fn kind(chat: &Value) -> ChatKind {
    let is = |key: &str, value: &str| chat.get(key).and_then(Value::as_str) == Some(value);
    if is("entityType", "LINES") || is("type", "lines") {
        return ChatKind::OpenLine;
    }
    match chat.get("messageType").and_then(Value::as_str) {
        Some("P") => ChatKind::Private,
        Some("C" | "O" | "B" | "A" | "X") => ChatKind::Group,
        Some("L") => ChatKind::OpenLine,
        Some("N" | "J") => ChatKind::Channel,
        Some("T") => ChatKind::Comment,
        Some("S") => ChatKind::Notification,
        _ => ChatKind::Unknown,
    }
}

/// Fails closed: whoever is not clearly a colleague is external (b24: transport §6 rule 25).
fn sender(id: i64, user: &Value) -> Sender {
    let flag = |key: &str| json::flag(user.get(key).unwrap_or(&Value::Null));
    let kind = json::nonempty(user, "type");
    let auth = json::nonempty(user, "externalAuthId").unwrap_or_default().to_ascii_lowercase();
    let bot = flag("bot") || kind == Some("bot");
    let described = user.get("name").is_some();
    let colleague = described
        && !flag("extranet")
        && !flag("connector")
        && !flag("network")
        && kind.is_none_or(|kind| COLLEAGUE_TYPES.contains(&kind))
        && !EXTERNAL_AUTH.contains(&auth.as_str());
    Sender {
        id: UserId(id),
        name: json::nonempty(user, "name").unwrap_or_default().to_owned(),
        bot,
        external: !colleague && !bot,
    }
}

#[cfg(test)]
mod tests;
