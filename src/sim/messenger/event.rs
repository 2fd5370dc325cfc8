//! Payloads of the event log in their two forms: what the source writes, and by switch what the
//! documentation shows (b24: messenger §3.4, Q7).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::super::org;
use super::super::people::User;
use super::super::people::UserKind;
use super::super::world::World;
use super::Chat;
use super::Message;
use super::message::shown_text;
use super::message::shown_uuid;

/// `data` of ONIMV2MESSAGEADD for one recipient.
pub fn message_added(world: &World, message: u64, recipient: u64) -> Value {
    let Some(found) = world.messenger.messages.get(&message) else {
        // Deleted completely in the meantime.
        return json!({ "message": { "id": message }, "chat": [], "user": [], "language": "en" });
    };
    let chat = world.messenger.chats.get(&found.chat);
    json!({
        "message": message_body(world, found),
        "chat": chat.map_or(json!([]), |chat| chat_body(world, chat, recipient)),
        "user": author(world, found.author),
        "language": "en",
    })
}

/// `data` of ONIMV2JOINCHAT.
pub fn joined(world: &World, chat: u64, user: u64, recipient: u64) -> Value {
    let found = world.messenger.chats.get(&chat);
    json!({
        "dialogId": format!("chat{chat}"),
        "chat": found.map_or(json!([]), |chat| chat_body(world, chat, recipient)),
        "user": author(world, user),
        "language": "en",
    })
}

fn message_body(world: &World, message: &Message) -> Value {
    let documented = world.messenger.switches.documented_shapes;
    let mut params = Map::new();
    // Integers are strings here, unlike in the classic form.
    if !message.files.is_empty() {
        let files: Vec<String> = message.files.iter().map(ToString::to_string).collect();
        params.insert("FILE_ID".to_owned(), json!(files));
    }
    if let Some(reply_to) = message.reply_to {
        params.insert("REPLY_ID".to_owned(), json!(reply_to.to_string()));
    }
    if let Some(code) = message.code {
        params.insert("CODE".to_owned(), json!([code]));
        params.insert("NOTIFY".to_owned(), json!("N"));
    }
    let chat = world.messenger.chats.get(&message.chat);
    let viewed = chat.is_some_and(|chat| {
        chat.read_to.iter().any(|(user, to)| *user != message.author && *to >= message.id)
    });
    let mut body = json!({
        "id": message.id,
        "chatId": message.chat,
        "authorId": message.author,
        "date": world.time_text(message.at),
        "text": shown_text(world, message),
        "isSystem": message.system,
        "uuid": match shown_uuid(world, message) {
            Some(uuid) => json!(uuid),
            None if documented => json!(""),
            None => Value::Null,
        },
        "forward": null,
        "params": params,
        "viewedByOthers": viewed,
    });
    if !documented {
        body["chat_id"] = json!(message.chat);
        body["author_id"] = json!(message.author);
    }
    body
}

fn chat_body(world: &World, chat: &Chat, recipient: u64) -> Value {
    let has = |what: fn(&User) -> bool| {
        chat.members.iter().filter_map(|user| world.users.get(user)).any(what)
    };
    let enabled = !chat.silent;
    json!({
        "avatar": "",
        "color": "#ab7761",
        "description": "",
        "dialogId": world.messenger.dialog_of(chat.id, recipient),
        "diskFolderId": 300 + chat.id,
        "entityData1": "",
        "entityData2": "",
        "entityData3": "",
        "entityId": "",
        "entityType": chat.entity_type,
        "extranet": has(|user| user.kind == UserKind::Extranet),
        "containsCollaber": has(|user| user.kind == UserKind::Collaber),
        "id": chat.id,
        "parentChatId": chat.parent,
        "parentMessageId": 0,
        "name": chat.title,
        "owner": chat.owner,
        "messageType": chat.letter.to_string(),
        "type": chat.kind,
        "entityLink": { "type": "", "url": "", "id": "" },
        "permissions": {
            "manageUsersAdd": "member",
            "manageUsersDelete": "manager",
            "manageUi": "member",
            "manageSettings": "owner",
            "manageMessages": "member",
            "canPost": "member",
        },
        "isNew": false,
        "textFieldEnabled": if world.messenger.switches.documented_shapes {
            json!(if enabled { "Y" } else { "N" })
        } else {
            json!(enabled)
        },
        "backgroundId": null,
    })
}

/// A person in camelCase; `[]` for the system, `{"id":n}` for a missing row.
fn author(world: &World, id: u64) -> Value {
    if id == 0 {
        return json!([]);
    }
    let Some(user) = world.users.get(&id) else { return json!({ "id": id }) };
    let classic = org::im_user(world, user);
    let mut object = Map::new();
    for (key, value) in classic.as_object().into_iter().flatten() {
        // Three keys of the classic object have no twin here.
        if !matches!(key.as_str(), "avatar_hr" | "bot_data" | "network") {
            object.insert(camel(key), value.clone());
        }
    }
    if let Some(Value::Object(phones)) = object.get("phones") {
        let phones: Map<String, Value> =
            phones.iter().map(|(key, value)| (camel(key), value.clone())).collect();
        object.insert("phones".to_owned(), Value::Object(phones));
    }
    if world.messenger.switches.documented_shapes {
        // The documentation has other words for two of the types.
        let word = match user.kind {
            UserKind::Employee | UserKind::Network => "employee",
            UserKind::Email => "email",
            kind => org::im_type(kind),
        };
        object.insert("type".to_owned(), json!(word));
    }
    Value::Object(object)
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        out.extend(letters);
    }
    out
}
