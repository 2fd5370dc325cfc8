//! **The** list of REST methods that this connector calls, each as a function that makes a typed
//! [`Call`]. The only place where a method name is spelt (but for the model portal).
//!
//! Parameter names are upper case where the portal's classic methods document them so, and
//! camelCase for `im.v2`, which is case-sensitive (b24: messenger §1 item 2).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::base::json;
use crate::bitrix::client::Call;
use crate::bitrix::client::Lane;
use crate::bitrix::wire::event::EventPage;
use crate::bitrix::wire::history;
use crate::bitrix::wire::history::HistoryMessage;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
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

/// First and last name without what a terminal or a page would act on; the number of somebody who
/// has neither.
fn person_name(id: UserId, person: &Value) -> String {
    let part = |key| json::nonempty(person, key).unwrap_or_default();
    let whole = format!("{} {}", part("NAME"), part("LAST_NAME"));
    let shown = whole.chars().filter(|c| !c.is_control()).take(limits::PERSON_NAME_CHARS_MAX);
    let name: String = shown.collect();
    match name.trim() {
        "" => format!("#{id}"),
        name => name.to_owned(),
    }
}

/// Whether a PHP array has this key when it is a list.
fn is_index(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names of the scopes that the token really has (b24: transport §1.5: the token answer lies).
pub fn scope() -> Call<Vec<String>> {
    Call {
        method: "scope",
        params: Map::new(),
        writes: false,
        lane: Lane::Upkeep,
        read: |result| {
            let listed: Vec<&Value> = match result {
                Value::Array(listed) => listed.iter().collect(),
                // A PHP array that lost an entry in its middle; an empty one is a list.
                Value::Object(listed)
                    if !listed.is_empty() && listed.keys().all(|key| is_index(key)) =>
                {
                    listed.values().collect()
                }
                _ => return None,
            };
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
/// Reads them.
const EVENT_GET: &str = "im.v2.Event.get";

/// Methods without which an agent cannot hear or speak; a portal that lacks one is too old
/// (b24: messenger §0 version markers).
pub const VITAL: &[&str] = &[SEND, EVENT_SUBSCRIBE, EVENT_GET];

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
    Call {
        method: SEND,
        params: fields,
        writes: true,
        lane: Lane::Reply,
        read: |result| json::int(result).filter(|id| *id > 0).map(MessageId),
        file: None,
    }
}

/// The newest messages of a dialog, at most 50, sorted by id (b24: messenger §4.2: no order is
/// promised).
pub fn newest_messages(dialog: DialogId, lane: Lane) -> Call<Vec<HistoryMessage>> {
    // Without LAST_ID an unread dialog answers in odd ways; 0 means the newest.
    let fields = json!({ "DIALOG_ID": dialog.to_string(), "LIMIT": 50, "LAST_ID": 0 });
    Call {
        method: "im.dialog.messages.get",
        params: params(fields),
        writes: false,
        lane,
        read: history::read,
        file: None,
    }
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
