//! Messages of a dialog, as `im.dialog.messages.get` returns them (b24: messenger §4.2). Reads what
//! reconciliation compares, and nothing else; called by the list of methods.

use serde_json::Value;

use crate::base::json;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;

/// One message of a dialog's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryMessage {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    pub author: UserId,
    /// The client-made UUID, for 31 days.
    pub uuid: Option<String>,
}

/// Reads `result`, sorted by id. Messages that cannot be read are passed over; `None` when there is
/// no list at all (`false` for an unknown chat).
pub fn read(result: &Value) -> Option<Vec<HistoryMessage>> {
    let mut messages: Vec<HistoryMessage> =
        result.get("messages")?.as_array()?.iter().filter_map(message).collect();
    messages.sort_by_key(|message| message.id);
    Some(messages)
}

fn message(value: &Value) -> Option<HistoryMessage> {
    Some(HistoryMessage {
        id: MessageId(json::int(value.get("id")?)?),
        author: UserId(json::int(value.get("author_id")?)?),
        uuid: json::nonempty(value, "uuid").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn sorts_and_passes_over_what_it_cannot_read() {
        let result = json!({"chat_id": 904, "messages": [
            {"id": 9, "author_id": 12, "uuid": null},
            {"id": "7", "author_id": "12", "uuid": "u"},
            {"author_id": 12},
        ]});
        let messages = super::read(&result).expect("a list");
        let ids: Vec<i64> = messages.iter().map(|message| message.id.0).collect();
        assert_eq!(ids, [7, 9]);
        assert_eq!(messages[0].uuid.as_deref(), Some("u"));
        assert_eq!(super::read(&json!(false)), None);
    }
}
