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
use super::dialog::entity_link;
use super::files;
use super::log::Reacted;
use super::message::shown_text;
use super::message::shown_uuid;

/// `data` of ONIMV2MESSAGEADD and ONIMV2MESSAGEUPDATE for one recipient.
pub fn message(world: &World, message: &Message, recipient: u64) -> Value {
    let mut data = about(world, message.chat, message.author, recipient);
    data["message"] = message_part(world, message);
    data
}

/// `data` of ONIMV2MESSAGEDELETE, which does not tell whether anything is left.
pub fn message_deleted(world: &World, message: &Message, recipient: u64) -> Value {
    let mut data = about(world, message.chat, message.author, recipient);
    data["messageId"] = json!(message.id);
    data
}

/// `data` of ONIMV2REACTIONCHANGE. To people the source does not pass on what happened.
pub fn reaction_changed(
    world: &World,
    message: &Message,
    change: &Reacted,
    recipient: u64,
) -> Value {
    let mut data = about(world, message.chat, change.user, recipient);
    data["message"] = message_part(world, message);
    data["reaction"] = json!(change.code);
    data["action"] = match (world.messenger.switches.documented_shapes, change.added) {
        (false, _) => json!(""),
        (true, true) => json!("add"),
        (true, false) => json!("delete"),
    };
    data
}

/// The V2 form of a message as a reader gets it outside of events (§4.2): with what he has seen
/// of it himself.
pub(super) fn message_for(world: &World, message: &Message, reader: u64) -> Value {
    let mut body = message_body(world, message);
    let own = message.author == reader;
    let read_to = world.messenger.read_to(message.chat, reader);
    body["viewed"] = json!(own || message.marks.viewers.contains_key(&reader));
    body["unread"] = json!(message.id > read_to);
    body["replaces"] = json!([]);
    body
}

/// What stands beside the message: its chat as the recipient sees it, and a person.
fn about(world: &World, chat: u64, user: u64, recipient: u64) -> Value {
    let chat = world.messenger.chats.get(&chat);
    json!({
        "chat": chat.map_or(json!([]), |chat| chat_body(world, chat, recipient)),
        "user": author(world, user),
        "language": "en",
    })
}

/// Of a message that was deleted completely in the meantime only the id is left.
fn message_part(world: &World, message: &Message) -> Value {
    if world.messenger.messages.contains_key(&message.id) {
        return message_body(world, message);
    }
    json!({ "id": message.id })
}

/// `data` of ONIMV2JOINCHAT.
pub fn joined(world: &World, chat: u64, user: u64, recipient: u64) -> Value {
    let mut data = about(world, chat, user, recipient);
    data["dialogId"] = json!(format!("chat{chat}"));
    data
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
    let likers = message.marks.likers();
    if !likers.is_empty() {
        let likers: Vec<String> = likers.iter().map(ToString::to_string).collect();
        params.insert("LIKE".to_owned(), json!(likers));
    }
    for extra in &message.extras {
        params.insert(extra.name.to_owned(), extra.value.clone());
    }
    if message.marks.edited {
        params.insert("IS_EDITED".to_owned(), json!("Y"));
    }
    if message.marks.deleted {
        params.insert("IS_DELETED".to_owned(), json!("Y"));
    }
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
        "forward": forward(world, message),
        "params": params,
        "viewedByOthers": world.messenger.viewed_by_others(message),
    });
    if !documented {
        body["chat_id"] = json!(message.chat);
        body["author_id"] = json!(message.author);
    }
    body
}

/// Where a forwarded message comes from, in the source's form or the documentation's.
fn forward(world: &World, message: &Message) -> Value {
    let messenger = &world.messenger;
    let origin = message.marks.forwarded.and_then(|origin| messenger.ever(origin));
    let Some((origin, chat)) =
        origin.and_then(|origin| Some((origin, messenger.chats.get(&origin.chat)?)))
    else {
        return Value::Null;
    };
    let private = chat.letter == 'P';
    let members: Vec<String> = chat.members.iter().map(ToString::to_string).collect();
    let place = if private { members.join(":") } else { format!("chat{}", chat.id) };
    let id = format!("{place}/{}", origin.id);
    if messenger.switches.documented_shapes {
        let date = world.time_text(origin.at);
        return json!({ "id": id, "userId": origin.author, "chatId": chat.id, "date": date });
    }
    json!({
        "id": id,
        "userId": origin.author,
        "chatTitle": if private { Value::Null } else { json!(chat.title) },
        "chatType": chat.kind,
    })
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
        "diskFolderId": files::folder_of(chat.id),
        "entityData1": "",
        "entityData2": "",
        "entityData3": "",
        "entityId": chat.entity_id,
        "entityType": chat.entity_type,
        "extranet": has(|user| user.kind == UserKind::Extranet),
        "containsCollaber": has(|user| user.kind == UserKind::Collaber),
        "id": chat.id,
        "parentChatId": chat.parent,
        "parentMessageId": chat.parent_message,
        "name": chat.title,
        "owner": chat.owner,
        "messageType": chat.letter.to_string(),
        "type": chat.kind,
        "entityLink": entity_link(chat),
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
pub(super) fn author(world: &World, id: u64) -> Value {
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
