//! What the portal's objects say of a chat and of whoever wrote in it, in both spellings: camelCase
//! in events, snake_case in the classic methods (b24: messenger §5). Called by the readers of events,
//! of the recent list and of dialogs.

use serde_json::Value;

use crate::base::json;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Sender;

/// Kinds of external accounts, by `externalAuthId` (b24: messenger §5).
const EXTERNAL_AUTH: &[&str] =
    &["replica", "email", "imconnector", "bot", "network", "calendar", "call", "shop"];
/// Values of `user.type` that mean a colleague; both spellings are documented.
const COLLEAGUE_TYPES: &[&str] = &["user", "employee"];

/// The value at either key.
pub(super) fn either<'a>(value: &'a Value, one: &str, other: &str) -> Option<&'a Value> {
    value.get(one).or_else(|| value.get(other))
}

/// What kind of chat an object describes.
pub fn kind(chat: &Value) -> ChatKind {
    let entity = either(chat, "entityType", "entity_type").and_then(Value::as_str);
    if entity == Some("LINES") || chat.get("type").and_then(Value::as_str) == Some("lines") {
        return ChatKind::OpenLine;
    }
    match either(chat, "messageType", "message_type").and_then(Value::as_str) {
        Some("P") => ChatKind::Private,
        Some("C" | "O" | "B" | "A" | "X") => ChatKind::Group,
        Some("L") => ChatKind::OpenLine,
        Some("N" | "J") => ChatKind::Channel,
        Some("T") => ChatKind::Comment,
        Some("S") => ChatKind::Notification,
        _ => ChatKind::Unknown,
    }
}

/// Whether people from outside the company are in it, as far as the portal says so.
pub fn has_external(chat: &Value) -> bool {
    let collaber = either(chat, "containsCollaber", "contains_collaber");
    chat.get("extranet").into_iter().chain(collaber).any(json::flag)
}

/// Whether a parameter of a message says anything.
fn has_param(params: &Value, key: &str) -> bool {
    match params.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::String(text)) => !text.is_empty() && text != "N",
        Some(_) => true,
    }
}

/// Whether a message brings files, a sticker or a voice note.
pub(super) fn has_files(params: &Value) -> bool {
    has_param(params, "FILE_ID") || has_param(params, "STICKER_PARAMS")
}

/// Fails closed: whoever is not clearly a colleague is external (b24: transport §6 rule 25).
pub fn sender(id: i64, user: &Value) -> Sender {
    let flag = |key: &str| json::flag(user.get(key).unwrap_or(&Value::Null));
    let kind = json::nonempty(user, "type");
    let auth = either(user, "externalAuthId", "external_auth_id").and_then(Value::as_str);
    let auth = auth.unwrap_or_default().to_ascii_lowercase();
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
