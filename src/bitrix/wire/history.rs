//! Messages of a dialog, as `im.dialog.messages.get` returns them (b24: messenger §4.2). Reads what
//! reconciliation compares, and nothing else; called by the list of methods.

use serde_json::Value;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::json;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;

/// Messages on a full page.
pub const PAGE: usize = 50;

/// A page of a dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Its messages, sorted by id; those that cannot be read are passed over.
    pub messages: Vec<HistoryMessage>,
    /// Whether older messages may follow.
    pub full: bool,
}

/// One message of a dialog's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryMessage {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    pub author: UserId,
    /// The client-made UUID, for 31 days.
    pub uuid: Option<String>,
    /// Its text as readers get it; empty when it cannot be read.
    pub text: String,
    /// When, by the portal's clock and to the second.
    pub at: Option<UnixMs>,
    /// Whether only its place is left.
    pub deleted: bool,
    /// Who likes it.
    pub likes: Vec<UserId>,
    /// Files that it shows.
    pub files: Vec<HistoryFile>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryFile {
    /// Its number on the portal.
    pub id: i64,
    /// Its name; empty when the page does not describe it.
    pub name: String,
    /// Its length; 0 likewise.
    pub bytes: u64,
}

/// Reads `result`; `None` when there is no list at all (`false` for an unknown chat).
pub fn read(result: &Value) -> Option<HistoryPage> {
    let listed = result.get("messages")?.as_array()?;
    let described = result.get("files").and_then(json::list).unwrap_or_default();
    let described: Vec<HistoryFile> = described.into_iter().filter_map(file).collect();
    let messages = listed.iter().filter_map(|value| message(value, &described));
    let mut messages: Vec<HistoryMessage> = messages.collect();
    messages.sort_by_key(|message| message.id);
    Some(HistoryPage { messages, full: listed.len() >= PAGE })
}

fn file(value: &Value) -> Option<HistoryFile> {
    Some(HistoryFile {
        id: json::int(value.get("id")?)?,
        name: json::nonempty(value, "name").unwrap_or_default().to_owned(),
        bytes: value.get("size").and_then(json::int).unwrap_or(0).unsigned_abs(),
    })
}

fn message(value: &Value, described: &[HistoryFile]) -> Option<HistoryMessage> {
    let params = value.get("params").unwrap_or(&Value::Null);
    let numbers = |key| {
        let listed = params.get(key).and_then(json::list).unwrap_or_default();
        listed.into_iter().filter_map(json::int).collect::<Vec<i64>>()
    };
    let files = numbers("FILE_ID").into_iter().map(|id| {
        let known = described.iter().find(|file| file.id == id).cloned();
        known.unwrap_or(HistoryFile { id, name: String::new(), bytes: 0 })
    });
    Some(HistoryMessage {
        id: MessageId(json::int(value.get("id")?)?),
        author: UserId(json::int(value.get("author_id")?)?),
        uuid: json::nonempty(value, "uuid").map(str::to_owned),
        text: value.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        at: value.get("date").and_then(Value::as_str).and_then(clock::parse_rfc3339),
        deleted: params.get("IS_DELETED").is_some_and(json::flag),
        likes: numbers("LIKE").into_iter().map(UserId).collect(),
        files: files.collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::HistoryFile;
    use crate::base::clock::UnixMs;
    use crate::domain::ids::UserId;

    #[test]
    fn sorts_and_passes_over_what_it_cannot_read() {
        let result = json!({"chat_id": 904, "messages": [
            {"id": 9, "author_id": 12, "uuid": null},
            {"id": "7", "author_id": "12", "uuid": "u"},
            {"author_id": 12},
        ]});
        let page = super::read(&result).expect("a list");
        let ids: Vec<i64> = page.messages.iter().map(|message| message.id.0).collect();
        assert_eq!((ids, page.full), (vec![7, 9], false));
        assert_eq!(page.messages[0].uuid.as_deref(), Some("u"));
        assert_eq!(super::read(&json!(false)), None);
    }

    #[test]
    fn reads_what_reconciliation_compares() {
        let result = json!({"messages": [
            {"id": 9, "author_id": 57, "date": "2026-05-04T11:20:07+03:00", "text": "hi",
             "params": {"FILE_ID": ["5311", 5312], "LIKE": [31], "IS_DELETED": "Y"}},
            {"id": 8, "author_id": 57, "text": "", "params": []},
        ], "files": [{"id": 5311, "name": "inv-7.pdf", "size": 18233}]});
        let page = super::read(&result).expect("a list");
        let [plain, rich] = page.messages.as_slice() else { panic!("{page:?}") };
        assert!(!plain.deleted && plain.likes.is_empty() && plain.at.is_none());
        assert_eq!((rich.text.as_str(), rich.at), ("hi", Some(UnixMs(1_777_882_807_000))));
        assert_eq!((rich.deleted, rich.likes.as_slice()), (true, &[UserId(31)][..]));
        let file = |id, name: &str, bytes| HistoryFile { id, name: name.to_owned(), bytes };
        assert_eq!(rich.files, [file(5311, "inv-7.pdf", 18233), file(5312, "", 0)]);
    }
}
