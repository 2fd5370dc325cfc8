//! Pages of the event log, as `im.v2.Event.get` returns them (b24: messenger §3). One event that
//! cannot be read never blocks its page.

use serde_json::Value;

use crate::base::clock;
use crate::base::json;
use crate::bitrix::wire::chat;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::message::Message;

/// Longest event that is kept when it cannot be read: the longest message and what stands around it.
const RAW_BYTES_MAX: usize = 128 * 1024;

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
    /// A message was changed; this is how it now is.
    Updated(Box<Message>),
    /// A message was deleted.
    Deleted(MessageId),
    /// Anything that this version does not act on.
    Other,
    /// It could not be read; as it came, cut if it is very long.
    Undecodable(String),
}

impl EventPage {
    /// Reads `result`; `None` when it is no page.
    pub fn read(result: &Value) -> Option<EventPage> {
        let events = json::list(result.get("events")?)?.into_iter().map(event).collect();
        let next = result.get("nextOffset").and_then(json::int).map(EventId);
        let has_more = json::flag(result.get("hasMore").unwrap_or(&Value::Null));
        Some(EventPage { events, next, has_more })
    }
}

fn event(value: &Value) -> PortalEvent {
    let id = value.get("eventId").and_then(json::int).map(EventId);
    let data = value.get("data").unwrap_or(&Value::Null);
    let kind = match value.get("type").and_then(Value::as_str) {
        Some("ONIMV2MESSAGEADD") => {
            message_event(data).map(|message| message.map_or(EventKind::Other, EventKind::Added))
        }
        Some("ONIMV2MESSAGEUPDATE") => message_event(data).and_then(|message| match message {
            Some(message) => Some(EventKind::Updated(message)),
            None => data.pointer("/message/id").and_then(deleted),
        }),
        Some("ONIMV2MESSAGEDELETE") => data.get("messageId").and_then(deleted),
        Some(_) => Some(EventKind::Other),
        None => None,
    };
    PortalEvent { id, kind: kind.unwrap_or_else(|| EventKind::Undecodable(raw(value))) }
}

/// The event as text.
fn raw(value: &Value) -> String {
    let mut text = value.to_string();
    let most = (0..=RAW_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(most.unwrap_or(0));
    text
}

fn deleted(id: &Value) -> Option<EventKind> {
    json::int(id).map(|id| EventKind::Deleted(MessageId(id)))
}

/// The message of an event; `Some(None)` when it is gone by now. b24: messenger §3.3: of a message
/// that was deleted meanwhile only the id is left; of one that was emptied, a phrase of the portal in
/// place of its text.
fn message_event(data: &Value) -> Option<Option<Box<Message>>> {
    let message = data.get("message")?;
    let gone = message.get("text").is_none() && message.get("id").is_some();
    if gone || message.pointer("/params/IS_DELETED").is_some_and(json::flag) {
        return Some(None);
    }
    read_message(message, data).map(|message| Some(Box::new(message)))
}

fn read_message(message: &Value, data: &Value) -> Option<Message> {
    let either = |a: &str, b: &str| chat::either(message, a, b).and_then(json::int);
    let described = data.get("chat")?;
    let params = message.get("params").unwrap_or(&Value::Null);
    let author = either("authorId", "author_id")?;
    let chat_id =
        either("chatId", "chat_id").or_else(|| described.get("id").and_then(json::int))?;
    let dialog = described.get("dialogId").and_then(json::text);
    Some(Message {
        id: MessageId(json::int(message.get("id")?)?),
        chat: ChatId(chat_id),
        // A dialog id of another form than ours is addressed by its chat.
        dialog: dialog
            .and_then(|text| DialogId::parse(&text))
            .unwrap_or(DialogId::Chat(ChatId(chat_id))),
        kind: chat::kind(described),
        has_external: chat::has_external(described),
        sender: chat::sender(author, data.get("user").unwrap_or(&Value::Null)),
        system: author == 0 || json::flag(message.get("isSystem").unwrap_or(&Value::Null)),
        text: message.get("text")?.as_str()?.to_owned(),
        uuid: json::nonempty(message, "uuid").map(str::to_owned),
        reply_to: params.get("REPLY_ID").and_then(json::int).map(MessageId),
        has_files: chat::has_files(params),
        sent_at: message.get("date").and_then(Value::as_str).and_then(clock::parse_rfc3339),
    })
}

#[cfg(test)]
mod tests;
