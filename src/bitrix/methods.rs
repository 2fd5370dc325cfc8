//! **The** list of REST methods that this connector calls, each as a function that makes a typed
//! [`Call`]. The only place where a method name is spelt (but for the model portal).
//!
//! Parameter names are upper case where the portal's classic methods document them so, and
//! camelCase for `im.v2`, which is case-sensitive (b24: messenger §1 item 2).

pub mod people;
pub mod survey;

use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::base::clock::UnixMs;
use crate::base::json;
use crate::bitrix::client::Attached;
use crate::bitrix::client::Call;
use crate::bitrix::client::Lane;
use crate::bitrix::wire::chat;
use crate::bitrix::wire::dialog;
use crate::bitrix::wire::dialog::DialogPage;
use crate::bitrix::wire::event::EventPage;
use crate::bitrix::wire::history;
use crate::bitrix::wire::history::HistoryPage;
use crate::bitrix::wire::people::person_name;
use crate::bitrix::wire::recent;
use crate::bitrix::wire::recent::RecentPage;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::limits;

/// Who a token acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub id: UserId,
    /// First and last name.
    pub name: String,
    /// Whether an administrator of the portal.
    pub admin: bool,
}

/// Somebody who takes part in a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub id: UserId,
    /// The name that colleagues see.
    pub name: String,
    /// From outside the company.
    pub external: bool,
}

/// What kind of chat a dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialogFacts {
    /// The kind.
    pub kind: ChatKind,
    /// Whether people from outside the company are in it, as far as the portal says so.
    pub has_external: bool,
}

fn params(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Who the token acts as (b24: transport §1.11). An inactive user is `[]`, which reads as `None`
/// inside.
pub fn profile() -> Call<Option<Profile>> {
    Call {
        method: "profile",
        params: Map::new(),
        writes: false,
        lane: Lane::Upkeep,
        read: |result| match result {
            Value::Array(list) if list.is_empty() => Some(None),
            _ => {
                let id = UserId(json::int(result.get("ID")?)?);
                Some(Some(Profile {
                    id,
                    name: person_name(id, result),
                    admin: json::flag(result.get("ADMIN").unwrap_or(&Value::Null)),
                }))
            }
        },
        file: None,
    }
}

/// Names of the scopes that the token really has (b24: transport §1.5: the token answer lies).
pub fn scope() -> Call<Vec<String>> {
    Call {
        method: "scope",
        params: Map::new(),
        writes: false,
        lane: Lane::Upkeep,
        read: |result| {
            let listed = json::list(result)?;
            let names = listed.iter().filter_map(|name| name.as_str().map(str::to_owned));
            let names: Vec<String> = names.collect();
            // A list of something else says nothing about scopes.
            (!names.is_empty() || listed.is_empty()).then_some(names)
        },
        file: None,
    }
}

/// The portal's licence, such as `en_ent250` (b24: transport §1.11).
pub fn licence() -> Call<String> {
    Call {
        method: "app.info",
        params: Map::new(),
        writes: false,
        lane: Lane::Upkeep,
        read: |result| {
            let licence = result.as_object()?.get("LICENSE").and_then(Value::as_str);
            Some(licence.unwrap_or_default().to_owned())
        },
        file: None,
    }
}

/// Whether the portal has a method and lets this token use it.
pub fn method_available(name: &'static str) -> Call<bool> {
    Call {
        method: "method.get",
        params: params(json!({ "name": name })),
        writes: false,
        lane: Lane::Upkeep,
        read: |result| {
            let flag = |key| result.get(key)?.as_bool();
            Some(flag("isExisting")? && flag("isAvailable")?)
        },
        file: None,
    }
}

/// The method that makes an agent able to answer; its availability is checked at consent.
pub const SEND: &str = "im.message.add";

/// Makes the portal write events for a user.
const EVENT_SUBSCRIBE: &str = "im.v2.Event.subscribe";
const EVENT_UNSUBSCRIBE: &str = "im.v2.Event.unsubscribe";
/// Reads them.
const EVENT_GET: &str = "im.v2.Event.get";

/// Methods without which an agent cannot hear or speak. The event log is not among them: a portal
/// that is too old for it is read dialog by dialog (b24: messenger §14 R1).
pub const VITAL: &[&str] = &[SEND, RECENT_SINCE, RECENT, HISTORY];

/// The methods of the event log: where a portal has it, an agent that may not use it hears nothing
/// before the next look through its dialogs.
pub const EVENTS: &[&str] = &[EVENT_SUBSCRIBE, EVENT_GET];

/// Makes the portal write events for this user (b24: messenger §3.1). Idempotent.
pub fn event_subscribe() -> Call<()> {
    Call {
        method: EVENT_SUBSCRIBE,
        params: Map::new(),
        // It changes a flag, but repeating it is harmless: a failure never needs reconciling.
        writes: false,
        lane: Lane::Poll,
        // b24: messenger §14 R1: nothing else is success, or messages would be waited for in vain.
        read: |result| json::flag(result).then_some(()),
        file: None,
    }
}

/// Makes the portal write no more events for this user (b24: messenger §3.1). Idempotent.
pub fn event_unsubscribe() -> Call<()> {
    Call { method: EVENT_UNSUBSCRIBE, ..event_subscribe() }
}

/// Events from an offset on. INVARIANT: cursor after commit; the portal deletes everything before
/// the offset (b24: messenger §3.2).
pub fn event_get(offset: EventId, limit: u32) -> Call<EventPage> {
    Call {
        method: EVENT_GET,
        params: params(json!({ "offset": offset.0, "limit": limit })),
        writes: false,
        lane: Lane::Poll,
        read: EventPage::read,
        file: None,
    }
}

/// Adds a message; `uuid` makes a repeat the same message (b24: messenger §6.2).
pub fn message_add(
    dialog: DialogId,
    text: &str,
    uuid: &str,
    reply_to: Option<MessageId>,
) -> Call<MessageId> {
    let mut fields = params(json!({
        "DIALOG_ID": dialog.to_string(),
        "MESSAGE": text,
        "TEMPLATE_ID": uuid,
    }));
    if let Some(reply_to) = reply_to {
        fields.insert("REPLY_ID".to_owned(), json!(reply_to.0));
    }
    write(SEND, Value::Object(fields), |result| {
        json::int(result).filter(|id| *id > 0).map(MessageId)
    })
}

/// Dialogs that changed lately.
const RECENT_SINCE: &str = "im.recent.get";
/// All dialogs.
const RECENT: &str = "im.recent.list";

/// Dialogs that changed since a moment of the portal's clock, which is to be less than 7 days ago:
/// of an older one the portal makes 7 days (b24: messenger §4.1).
pub fn recent_since(since: UnixMs) -> Call<RecentPage> {
    // In whole seconds: a date that the portal cannot read it ignores without a word.
    recent(RECENT_SINCE, json!({ "LAST_SYNC_DATE": since.to_seconds(), "SKIP_OPENLINES": "Y" }))
}

/// All dialogs, pinned ones first and then those with the newest messages, from an offset on, at
/// most [`limits::RECENT_PAGE`] (b24: messenger §4.1).
pub fn recent_list(offset: usize) -> Call<RecentPage> {
    let limit = limits::RECENT_PAGE;
    recent(RECENT, json!({ "LIMIT": limit, "OFFSET": offset, "SKIP_OPENLINES": "Y" }))
}

fn recent(method: &'static str, fields: Value) -> Call<RecentPage> {
    let params = params(fields);
    Call { method, params, writes: false, lane: Lane::Poll, read: recent::read, file: None }
}

/// Messages of a dialog after one, at most 50 (b24: messenger §4.2: not promised to be the next ones,
/// and they are; never without an id, or an unread dialog answers in odd ways).
pub fn messages_after(dialog: DialogId, after: MessageId) -> Call<DialogPage> {
    let fields =
        json!({ "DIALOG_ID": dialog.to_string(), "LIMIT": history::PAGE, "FIRST_ID": after.0 });
    let params = params(fields);
    Call {
        method: HISTORY,
        params,
        writes: false,
        lane: Lane::Poll,
        read: dialog::read,
        file: None,
    }
}

/// Which messages around one answer which: callable and hidden, and the only way to know of messages
/// that no event told (b24: messenger §4.2).
pub fn replies_around(message: MessageId) -> Call<Vec<(MessageId, Option<MessageId>)>> {
    Call {
        method: "im.dialog.context.get",
        params: params(json!({ "MESSAGE_ID": message.0, "RANGE": history::PAGE })),
        writes: false,
        lane: Lane::Poll,
        read: dialog::replies,
        file: None,
    }
}

/// Reads what a dialog shows.
pub const HISTORY: &str = "im.dialog.messages.get";

/// Messages of a dialog from the newest before `before` on back, at most 50, sorted by id; the
/// newest of all without it (b24: messenger §4.2: without `LAST_ID` an unread dialog answers in odd
/// ways, and 0 means the newest).
pub fn history(dialog: DialogId, before: Option<MessageId>) -> Call<HistoryPage> {
    history_of(dialog, before, history::PAGE)
}

/// One message of a dialog, if it is there: a page of one before the id that follows it, because
/// only that order is promised.
pub fn message_at(dialog: DialogId, message: MessageId) -> Call<HistoryPage> {
    history_of(dialog, Some(MessageId(message.0.saturating_add(1))), 1)
}

fn history_of(dialog: DialogId, before: Option<MessageId>, limit: usize) -> Call<HistoryPage> {
    let before = before.map_or(0, |before| before.0);
    let fields = json!({ "DIALOG_ID": dialog.to_string(), "LIMIT": limit, "LAST_ID": before });
    Call {
        method: HISTORY,
        params: params(fields),
        writes: false,
        lane: Lane::Reply,
        read: history::read,
        file: None,
    }
}

/// Puts another text into a message of the agent's own (b24: messenger §7). An empty one would
/// remove it.
pub fn message_update(message: MessageId, text: &str) -> Call<()> {
    let fields = json!({ "MESSAGE_ID": message.0, "MESSAGE": text });
    write("im.message.update", fields, acknowledged)
}

/// Removes a message of the agent's own (b24: messenger §7): a placeholder stays.
pub fn message_delete(message: MessageId) -> Call<()> {
    write("im.message.delete", json!({ "MESSAGE_ID": message.0 }), acknowledged)
}

/// Sets or takes back the one reaction that is documented for users (b24: messenger §7). Never
/// `auto`: a repeat would undo it (b24: messenger R30).
pub fn message_like(message: MessageId, remove: bool) -> Call<()> {
    let action = if remove { "minus" } else { "plus" };
    let fields = json!({ "MESSAGE_ID": message.0, "ACTION": action });
    write("im.message.like", fields, acknowledged)
}

/// Sets or takes back any reaction: callable by users and not documented for them, so only for what
/// the documented method cannot do (b24: messenger §7).
pub fn message_react(message: MessageId, reaction: &str, remove: bool) -> Call<()> {
    let method = match remove {
        true => "im.v2.Chat.Message.Reaction.delete",
        false => "im.v2.Chat.Message.Reaction.add",
    };
    // Its success has no documented shape.
    write(method, json!({ "messageId": message.0, "reaction": reaction }), |_| Some(()))
}

/// Shows the agent as typing for 25 seconds (b24: messenger §8).
pub fn dialog_writing(dialog: DialogId) -> Call<()> {
    Call {
        method: "im.dialog.writing",
        params: params(json!({ "DIALOG_ID": dialog.to_string() })),
        // Nobody looks for what became of it.
        writes: false,
        lane: Lane::Typing,
        read: |_| Some(()),
        file: None,
    }
}

/// What kind of chat a dialog is (b24: messenger §4.3).
pub fn dialog_facts(dialog: DialogId) -> Call<DialogFacts> {
    Call {
        method: "im.dialog.get",
        params: params(json!({ "DIALOG_ID": dialog.to_string() })),
        writes: false,
        lane: Lane::Reply,
        read: |result| {
            result.as_object()?;
            let (kind, has_external) = (chat::kind(result), chat::has_external(result));
            Some(DialogFacts { kind, has_external })
        },
        file: None,
    }
}

/// Whether a person is a colleague who may log in: neither external nor a program
/// (b24: transport §4.3).
pub fn person(person: UserId) -> Call<bool> {
    Call {
        method: "im.user.get",
        params: params(json!({ "ID": person.0 })),
        writes: false,
        lane: Lane::Reply,
        read: |result| {
            let id = json::int(result.get("id")?)?;
            let sender = chat::sender(id, result);
            let active = result.get("active").is_none_or(json::flag);
            Some(active && !sender.bot && !sender.external)
        },
        file: None,
    }
}

/// Marks a dialog as read up to a message, which shows the authors that it was seen. Without the
/// message it would be read to the end and show nothing (b24: messenger §12).
pub fn dialog_read(dialog: DialogId, message: MessageId) -> Call<()> {
    Call {
        method: "im.dialog.read",
        params: params(json!({ "DIALOG_ID": dialog.to_string(), "MESSAGE_ID": message.0 })),
        // Reading twice reads once.
        writes: false,
        lane: Lane::Typing,
        read: |_| Some(()),
        file: None,
    }
}

/// Members of a dialog from an offset on (b24: messenger §4.3, §4.4).
pub fn dialog_members(dialog: DialogId, offset: usize, limit: usize) -> Call<Vec<Member>> {
    let fields = json!({ "DIALOG_ID": dialog.to_string(), "LIMIT": limit, "OFFSET": offset });
    Call {
        method: "im.dialog.users.list",
        params: params(fields),
        writes: false,
        lane: Lane::Reply,
        read: |result| Some(result.as_array()?.iter().filter_map(member).collect()),
        file: None,
    }
}

fn member(user: &Value) -> Option<Member> {
    let id = UserId(json::int(user.get("id")?)?);
    let name = json::nonempty(user, "name")?.to_owned();
    // Absent on portals that list nobody else.
    let active = user.get("active").is_none_or(json::flag);
    let sender = chat::sender(id.0, user);
    (id.0 > 0 && active).then_some(Member { id, name, external: sender.external })
}

/// Stores a file in a folder, once its place is known (b24: messenger §9.2).
pub const UPLOAD: &str = "disk.folder.uploadfile";
/// Shows uploaded files in a message.
pub const PUBLISH: &str = "im.disk.file.commit";
/// Does both with one file.
pub const SEND_FILE: &str = "im.v2.File.upload";

/// The folder in which a dialog keeps its files (b24: messenger §9.2).
pub fn file_folder(dialog: DialogId) -> Call<i64> {
    Call {
        method: "im.disk.folder.get",
        params: params(json!({ "DIALOG_ID": dialog.to_string() })),
        writes: false,
        lane: Lane::Reply,
        read: |result| json::int(result.get("ID")?).filter(|id| *id > 0),
        file: None,
    }
}

/// Stores a file in a folder; its number. A name that is taken gets a number of its own.
pub fn file_upload(folder: i64, name: &str, path: PathBuf, bytes: u64) -> Call<i64> {
    let file = Attached::new(path, bytes);
    let fields = json!({
        "id": folder,
        "data": { "NAME": name },
        "fileContent": [name, file.marker],
        "generateUniqueName": true,
    });
    let read = |result: &Value| json::int(result.get("ID")?).filter(|id| *id > 0);
    Call { file: Some(file), ..write(UPLOAD, fields, read) }
}

/// Shows uploaded files in one message with a text (b24: messenger §9.2).
pub fn files_publish(
    dialog: DialogId,
    files: &[i64],
    text: &str,
    uuid: &str,
    as_file: bool,
) -> Call<MessageId> {
    let mut fields = json!({
        "DIALOG_ID": dialog.to_string(),
        "UPLOAD_ID": files,
        "TEMPLATE_ID": uuid,
    });
    if !text.is_empty() {
        fields["MESSAGE"] = json!(text);
    }
    if as_file {
        fields["AS_FILE"] = json!("Y");
    }
    write(PUBLISH, fields, |result| {
        json::int(result.get("MESSAGE_ID")?).filter(|id| *id > 0).map(MessageId)
    })
}

/// Stores a file and shows it in a message (b24: messenger §9.1). The portal knows no repeats here.
pub fn file_send(
    dialog: DialogId,
    name: &str,
    text: &str,
    path: PathBuf,
    bytes: u64,
) -> Call<MessageId> {
    let file = Attached::new(path, bytes);
    let mut fields = json!({ "name": name, "content": file.marker });
    if !text.is_empty() {
        fields["message"] = json!(text);
    }
    let fields = json!({ "dialogId": dialog.to_string(), "fields": fields });
    let read =
        |result: &Value| json::int(result.get("messageId")?).filter(|id| *id > 0).map(MessageId);
    Call { file: Some(file), ..write(SEND_FILE, fields, read) }
}

/// A call of a delivery that changes something.
fn write<T>(method: &'static str, fields: Value, read: fn(&Value) -> Option<T>) -> Call<T> {
    Call { method, params: params(fields), writes: true, lane: Lane::Reply, read, file: None }
}

/// `true`, in whatever way the portal writes it.
fn acknowledged(result: &Value) -> Option<()> {
    json::flag(result).then_some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn profile_reads_people_and_nobody() {
        let read = super::profile().read;
        let person = json!({"ID": "101", "ADMIN": false, "NAME": "Ada", "LAST_NAME": "Byron"});
        let profile = read(&person).expect("reads").expect("somebody");
        assert_eq!((profile.id.0, profile.name.as_str(), profile.admin), (101, "Ada Byron", false));
        assert_eq!(read(&json!([])), Some(None));
        assert_eq!(read(&json!("x")), None);
        let nobody = json!({"ID": 7, "ADMIN": "Y", "NAME": "\u{1b}", "LAST_NAME": null});
        let profile = read(&nobody).expect("reads").expect("somebody");
        assert_eq!((profile.name.as_str(), profile.admin), ("#7", true));
    }

    #[test]
    fn scopes_are_read_from_whatever_php_makes_of_a_list() {
        let read = super::scope().read;
        assert_eq!(read(&json!(["im", 7, "user"])), Some(vec!["im".into(), "user".into()]));
        assert_eq!(read(&json!({"0": "im", "2": "user"})), Some(vec!["im".into(), "user".into()]));
        assert_eq!(read(&json!([])), Some(Vec::new()));
        assert_eq!(read(&json!("im")), None);
    }

    #[test]
    fn no_answer_is_not_taken_for_a_no() {
        for odd in [json!(null), json!([[]]), json!({}), json!("x"), json!({"isExisting": 5})] {
            assert_eq!((super::scope().read)(&odd), None, "{odd}");
            assert_eq!((super::method_available("x").read)(&odd), None, "{odd}");
            assert_eq!((super::event_subscribe().read)(&odd), None, "{odd}");
        }
        assert_eq!((super::scope().read)(&json!(["im"])), Some(vec!["im".to_owned()]));
        let (yes, no) = (
            json!({"isExisting": true, "isAvailable": true}),
            json!({"isExisting": false, "isAvailable": false}),
        );
        assert_eq!((super::method_available("x").read)(&yes), Some(true));
        assert_eq!((super::method_available("x").read)(&no), Some(false));
        assert_eq!((super::event_subscribe().read)(&json!(true)), Some(()));
    }

    #[test]
    fn a_message_carries_text_uuid_and_reply() {
        let dialog = crate::domain::ids::DialogId::parse("chat904").expect("a dialog");
        let reply = Some(crate::domain::ids::MessageId(70));
        let call = super::message_add(dialog, "hi", "u-1", reply);
        assert_eq!(
            serde_json::Value::Object(call.params),
            json!({"DIALOG_ID": "chat904", "MESSAGE": "hi", "TEMPLATE_ID": "u-1", "REPLY_ID": 70})
        );
        assert!(call.writes);
        assert_eq!((call.read)(&json!(70415)).map(|id| id.0), Some(70415));
        assert_eq!((call.read)(&json!(true)), None);
        assert_eq!((call.read)(&json!(0)), None);
    }
}
