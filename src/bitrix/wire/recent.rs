//! The recent list: an agent's dialogs with their last messages, as `im.recent.get` and
//! `im.recent.list` return them (b24: messenger §4.1). Its texts are previews and never read. Called
//! by the list of methods.

use serde_json::Value;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::json;
use crate::bitrix::wire::chat;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::message::ChatKind;

/// A page of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentPage {
    /// Its dialogs; those that cannot be read are passed over.
    pub dialogs: Vec<RecentDialog>,
    /// Whether there are more behind it.
    pub has_more: bool,
}

/// A dialog of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentDialog {
    /// The conversation's key.
    pub chat: ChatId,
    /// The address under which this agent reads it.
    pub dialog: DialogId,
    /// What kind of chat.
    pub kind: ChatKind,
    /// Whether people from outside the company are in it, as far as the portal says so.
    pub has_external: bool,
    /// Its last message.
    pub last: MessageId,
    /// When that was written, by the portal's clock.
    pub last_at: Option<UnixMs>,
    /// Whether it stands at the top of the list, whenever that was.
    pub pinned: bool,
}

/// Reads `result` of either method; `None` when it is no list.
pub fn read(result: &Value) -> Option<RecentPage> {
    let (items, has_more) = match result {
        Value::Array(items) => (items, false),
        _ => {
            let more = json::flag(result.get("hasMore").unwrap_or(&Value::Null));
            (result.get("items")?.as_array()?, more)
        }
    };
    Some(RecentPage { dialogs: items.iter().filter_map(dialog).collect(), has_more })
}

fn dialog(item: &Value) -> Option<RecentDialog> {
    let described = item.get("chat").unwrap_or(&Value::Null);
    let id = item.get("id").and_then(json::text)?;
    let dialog = DialogId::parse(&id)?;
    let of_chat = match dialog {
        DialogId::Chat(chat) => Some(chat.0),
        DialogId::User(_) => None,
    };
    let number = |value: &Value| json::int(value).filter(|id| *id > 0);
    let chat = item.get("chat_id").and_then(number).or(of_chat)?;
    let message = item.get("message").unwrap_or(&Value::Null);
    Some(RecentDialog {
        chat: ChatId(chat),
        dialog,
        // Private items have a reduced description without a type.
        kind: if dialog.is_private() { ChatKind::Private } else { chat::kind(described) },
        has_external: chat::has_external(described),
        // A dialog in which nothing was said has 0.
        last: MessageId(message.get("id").and_then(number)?),
        last_at: message.get("date").and_then(Value::as_str).and_then(clock::parse_rfc3339),
        pinned: json::flag(item.get("pinned").unwrap_or(&Value::Null)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;
    use crate::domain::ids::DialogId;
    use crate::domain::message::ChatKind;

    #[test]
    fn both_forms_of_the_list_are_read() {
        let group = json!({"id": "chat904", "chat_id": 904, "type": "chat", "pinned": true,
            "message": {"id": 70412, "text": "…", "date": "2026-05-04T11:20:07+03:00"},
            "chat": {"id": 904, "message_type": "C", "entity_type": "", "extranet": false,
                "contains_collaber": true}});
        let person = json!({"id": 12, "chat_id": "77", "type": "user", "message": {"id": "5"},
            "chat": {"text_field_enabled": true}, "user": {"id": 12}});
        let line = json!({"id": "chat3", "message": {"id": 4}, "chat": {"message_type": "L"}});
        let odd = [
            json!(null),
            json!({"id": "sg5", "message": {"id": 1}}),
            json!({"id": 12, "message": {"id": 9}}),
            json!({"id": 12, "chat_id": 7, "message": {"id": 0}}),
            json!({"id": 12, "chat_id": 7, "message": []}),
        ];
        let mut items = vec![group, person, line];
        items.extend(odd);
        let plain = read(&json!(items)).expect("a list");
        let paged = read(&json!({"items": items, "hasMore": true})).expect("a page");
        assert_eq!((&plain.dialogs, plain.has_more), (&paged.dialogs, false));
        assert!(paged.has_more);
        let [group, person, line] = plain.dialogs.as_slice() else { panic!("{plain:?}") };
        assert_eq!((group.chat.0, group.last.0, group.kind), (904, 70412, ChatKind::Group));
        assert!(group.has_external && group.pinned && group.last_at.is_some());
        assert_eq!((person.chat.0, person.kind), (77, ChatKind::Private));
        assert_eq!(Some(person.dialog), DialogId::parse("12"));
        assert_eq!((line.chat.0, line.kind), (3, ChatKind::OpenLine));
        assert_eq!(read(&json!(false)), None);
    }
}
