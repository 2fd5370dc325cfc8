//! Messages of a dialog read for their content, as `im.dialog.messages.get` returns them
//! (b24: messenger §4.2), and what only the messenger's newer form tells of them. Called by the list
//! of methods, for whoever looks for what no event told.

use std::collections::HashMap;

use serde_json::Value;

use crate::base::clock;
use crate::base::json;
use crate::bitrix::wire::chat;
use crate::bitrix::wire::recent::RecentDialog;
use crate::domain::ids::MessageId;
use crate::domain::message::Message;
use crate::domain::message::Sender;

/// A page of a dialog, upwards from a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogPage {
    /// Its messages, sorted by id; those that cannot be read are passed over.
    pub messages: Vec<DialogMessage>,
    /// The newest message of the page, also of those that cannot be read; `None` of an empty page.
    pub newest: Option<MessageId>,
    /// How many it has, also of those that cannot be read.
    pub listed: usize,
}

/// A message of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogMessage {
    /// Its id.
    pub id: MessageId,
    /// Whether only its place is left.
    pub deleted: bool,
    /// Whether it was changed since it was written.
    pub edited: bool,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Body {
    sender: Sender,
    system: bool,
    text: String,
    uuid: Option<String>,
    reply_to: Option<MessageId>,
    has_files: bool,
    sent_at: Option<clock::UnixMs>,
}

impl DialogMessage {
    /// When it was written, by the portal's clock.
    pub fn sent_at(&self) -> Option<clock::UnixMs> {
        self.body.sent_at
    }

    /// The message as one of this dialog.
    pub fn of(self, dialog: &RecentDialog) -> Message {
        let Body { sender, system, text, uuid, reply_to, has_files, sent_at } = self.body;
        Message {
            id: self.id,
            chat: dialog.chat,
            dialog: dialog.dialog,
            kind: dialog.kind,
            has_external: dialog.has_external,
            sender,
            system,
            text,
            uuid,
            reply_to,
            has_files,
            sent_at,
        }
    }
}

/// Reads `result`; `None` when there is no list at all (`false` for an unknown chat).
pub fn read(result: &Value) -> Option<DialogPage> {
    let listed = result.get("messages")?.as_array()?;
    let users = result.get("users").and_then(json::list).unwrap_or_default();
    let people: HashMap<i64, &Value> = users.into_iter().filter_map(numbered).collect();
    let mut messages: Vec<DialogMessage> =
        listed.iter().filter_map(|value| message(value, &people)).collect();
    messages.sort_by_key(|message| message.id);
    let ids = listed.iter().filter_map(|value| value.get("id").and_then(json::int));
    Some(DialogPage { messages, newest: ids.max().map(MessageId), listed: listed.len() })
}

fn numbered(user: &Value) -> Option<(i64, &Value)> {
    Some((user.get("id").and_then(json::int)?, user))
}

fn message(value: &Value, people: &HashMap<i64, &Value>) -> Option<DialogMessage> {
    let params = value.get("params").unwrap_or(&Value::Null);
    let flag = |key: &str| params.get(key).is_some_and(json::flag);
    let author = json::int(value.get("author_id")?)?;
    let body = Body {
        sender: chat::sender(author, people.get(&author).copied().unwrap_or(&Value::Null)),
        system: author == 0,
        text: value.get("text")?.as_str()?.to_owned(),
        uuid: json::nonempty(value, "uuid").map(str::to_owned),
        reply_to: params.get("REPLY_ID").and_then(json::int).map(MessageId),
        has_files: chat::has_files(params),
        sent_at: value.get("date").and_then(Value::as_str).and_then(clock::parse_rfc3339),
    };
    Some(DialogMessage {
        id: MessageId(json::int(value.get("id")?)?),
        deleted: flag("IS_DELETED"),
        edited: flag("IS_EDITED"),
        body,
    })
}

/// Which messages answer which, out of the newer form of a dialog's messages; a message that answers
/// none is there with `None`. `None` when there is no list.
pub fn replies(result: &Value) -> Option<Vec<(MessageId, Option<MessageId>)>> {
    let listed = result.get("messages")?.as_array()?;
    let reply = |value: &Value| {
        let id = value.get("id").and_then(json::int)?;
        let target = value.pointer("/params/REPLY_ID").and_then(json::int);
        Some((MessageId(id), target.map(MessageId)))
    };
    Some(listed.iter().filter_map(reply).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;
    use super::replies;
    use crate::domain::ids::ChatId;
    use crate::domain::ids::DialogId;
    use crate::domain::ids::MessageId;
    use crate::domain::message::ChatKind;

    fn dialog() -> super::RecentDialog {
        super::RecentDialog {
            chat: ChatId(904),
            dialog: DialogId::Chat(ChatId(904)),
            kind: ChatKind::Group,
            has_external: true,
            last: MessageId(9),
            last_at: None,
            pinned: false,
        }
    }

    #[test]
    fn messages_are_read_with_their_authors_and_sorted() {
        let result = json!({"chat_id": 904, "messages": [
            {"id": 9, "author_id": 12, "date": "2026-05-04T11:20:07+03:00", "text": "hi",
             "uuid": null, "params": {"FILE_ID": [5311], "IS_EDITED": "Y"}},
            {"id": 7, "author_id": 99, "text": "who?", "params": []},
            {"id": 8, "author_id": 0, "text": "joined", "params": {"CODE": "CHAT_JOIN"}},
            {"id": 6, "author_id": 12, "text": "gone", "params": {"IS_DELETED": "Y"}},
            {"id": 11, "author_id": 12},
        ], "users": [{"id": 12, "name": "Olaf Brandt", "external_auth_id": "default"}]});
        let page = read(&result).expect("a page");
        assert_eq!((page.newest, page.listed), (Some(MessageId(11)), 5));
        let ids: Vec<i64> = page.messages.iter().map(|message| message.id.0).collect();
        assert_eq!(ids, [6, 7, 8, 9]);
        assert!(page.messages[0].deleted && page.messages[3].edited);
        let stranger = page.messages[1].clone().of(&dialog());
        assert!(stranger.sender.external, "an author who is not described is no colleague");
        assert!(page.messages[2].clone().of(&dialog()).system);
        let own = page.messages[3].clone().of(&dialog());
        assert!(own.has_files && own.has_external && !own.sender.external);
        assert_eq!(
            (own.sender.name.as_str(), own.chat, own.text.as_str()),
            ("Olaf Brandt", ChatId(904), "hi")
        );
        assert_eq!(read(&json!(false)), None);
        let empty = read(&json!({"messages": []})).expect("a page");
        assert_eq!((empty.newest, empty.listed), (None, 0));
    }

    #[test]
    fn answers_are_told_apart_from_what_answers_nothing() {
        let result = json!({"messages": [
            {"id": 9, "params": {"REPLY_ID": "5"}}, {"id": "8", "params": []}, {"params": {}},
        ]});
        let id = MessageId;
        assert_eq!(replies(&result), Some(vec![(id(9), Some(id(5))), (id(8), None)]));
        assert_eq!(replies(&json!([])), None);
    }
}
