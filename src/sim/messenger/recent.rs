//! `im.recent.list` (b24: messenger §4.1, Q11): the caller's dialogs, newest first, by offset.
//! Called by the messenger's method table.

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::org;
use super::super::params::Params;
use super::super::people::User;
use super::super::people::UserKind;
use super::super::world::World;
use super::Chat;
use super::message::shown_text;
use super::message::shown_uuid;
use crate::base::clock::UnixMs;
use crate::base::clock::parse_rfc3339;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// Reads a page of the caller's recent dialogs, newest activity first.
pub fn list(context: &mut Context<'_>, params: &Params) -> Reply {
    let user = context.user;
    let world = &*context.world;
    let limit = params.int_ci("LIMIT").filter(|limit| *limit > 0).unwrap_or(LIMIT_DEFAULT);
    let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(1);
    let skip = |chat: &Chat| {
        (params.yes_ci("SKIP_OPENLINES") && chat.letter == 'L')
            || (params.yes_ci("SKIP_DIALOG") && chat.letter == 'P')
            || (params.yes_ci("SKIP_CHAT") && matches!(chat.letter, 'C' | 'O'))
    };
    let unread_only = params.yes_ci("UNREAD_ONLY");
    let until = params.get_ci("LAST_MESSAGE_DATE").or_else(|| params.get_ci("DATE_LAST_ACTIVITY"));
    let until = until.and_then(Value::as_str).and_then(parse_rfc3339);
    let active = |chat: &Chat| {
        let last = chat.messages.last().and_then(|id| world.messenger.messages.get(id));
        // The portal compares whole seconds, because it stores no others.
        let second = |moment: UnixMs| moment.0.div_euclid(1000);
        last.is_some_and(|last| until.is_none_or(|until| second(last.at) <= second(until)))
    };
    // Comment threads, notifications and external chats are not in this list.
    let listed = |chat: &&Chat| {
        chat.members.contains(&user)
            && !matches!(chat.letter, 'T' | 'S' | 'X')
            && chat.parent == 0
            && active(chat)
            && !(unread_only && unread(chat, user) == 0)
            && !skip(chat)
    };
    let offset = params.int_ci("OFFSET").unwrap_or(params.start.unwrap_or(0));
    // A date makes the offset meaningless.
    let offset = if until.is_some() { 0 } else { usize::try_from(offset).unwrap_or(0) };
    let whole = params.yes_ci("PARSE_TEXT") || params.yes_ci("GET_ORIGINAL_TEXT");
    let mut chats: Vec<&Chat> = world.messenger.chats.values().filter(listed).collect();
    chats.sort_by_key(|chat| std::cmp::Reverse(chat.messages.last().copied()));
    let page: Vec<Value> =
        chats.iter().skip(offset).take(limit).map(|chat| item(world, chat, user, whole)).collect();
    let more = page.len() >= limit;
    let next = more.then(|| i64::try_from(offset + page.len()).unwrap_or(i64::MAX));
    let mut result = json!({
        "items": page,
        "hasMorePages": more,
        "hasMore": more,
        "copilot": null,
        "messagesAutoDeleteConfigs": [],
        "total": -1,
    });
    if let Some(next) = next {
        result["next"] = json!(next);
    }
    Reply::from(result)
}

/// How many messages a member has not read.
fn unread(chat: &Chat, user: u64) -> usize {
    let read_to = chat.read_to.get(&user).copied().unwrap_or(0);
    chat.messages.iter().filter(|id| **id > read_to).count()
}

fn item(world: &World, chat: &Chat, user: u64, whole: bool) -> Value {
    let last = chat.messages.last().and_then(|id| world.messenger.messages.get(id));
    let read_to = chat.read_to.get(&user).copied().unwrap_or(0);
    let text = last.map(|message| shown_text(world, message)).unwrap_or_default();
    let private = chat.letter == 'P';
    let dialog = world.messenger.dialog_of(chat.id, user);
    let date = last.map_or(json!(false), |message| json!(world.time_text(message.at)));
    let companion = if private { dialog.parse().ok() } else { last.map(|m| m.author) };
    let person = companion.and_then(|id| world.users.get(&id));
    json!({
        // A number for people, a text for chats.
        "id": if private { json!(companion) } else { json!(dialog) },
        "chat_id": chat.id,
        "type": if private { "user" } else { "chat" },
        "avatar": { "url": "", "color": "#ab7761" },
        "title": if private { person.map(|p| p.full_name()).unwrap_or_default() } else { chat.title.clone() },
        "message": {
            "id": last.map_or(0, |message| message.id),
            "text": if whole { text } else { preview(&text) },
            "file": last.is_some_and(|message| !message.files.is_empty()),
            "author_id": last.map_or(0, |message| message.author),
            "attach": false,
            "sticker": null,
            "date": date,
            "status": "received",
            "uuid": last.and_then(|message| shown_uuid(world, message)),
        },
        "counter": unread(chat, user),
        "last_id": read_to,
        "pinned": false,
        "unread": false,
        "has_reminder": false,
        "date_update": date,
        "date_last_activity": date,
        "chat": chat_part(world, chat, user),
        "user": person.map_or(json!({ "id": 0 }), |person| org::im_user(world, person)),
        "options": [],
    })
}

fn chat_part(world: &World, chat: &Chat, user: u64) -> Value {
    if chat.letter == 'P' {
        return json!({ "text_field_enabled": true, "background_id": null, "mute_list": [] });
    }
    let any = |what: fn(&User) -> bool| {
        chat.members.iter().filter_map(|id| world.users.get(id)).any(what)
    };
    let first = chat.messages.first().and_then(|id| world.messenger.messages.get(id));
    json!({
        "id": chat.id,
        "parent_chat_id": chat.parent,
        "parent_message_id": 0,
        "name": chat.title,
        "owner": chat.owner,
        "extranet": any(User::external),
        "contains_collaber": any(|user| user.kind == UserKind::Collaber),
        "avatar": "",
        "color": "#ab7761",
        "type": chat.kind,
        "entity_type": chat.entity_type,
        "entity_id": "",
        "entity_data_1": "",
        "entity_data_2": "",
        "entity_data_3": "",
        "mute_list": [],
        "manager_list": [chat.owner],
        "date_create": first.map(|message| world.time_text(message.at)),
        "message_type": chat.letter.to_string(),
        "user_counter": chat.members.len(),
        "restrictions": {
            "avatar": true, "rename": true, "extend": true, "call": true, "mute": true,
            "leave": true, "leave_owner": true, "send": true, "user_list": true,
        },
        // In capitals here, unlike in other methods.
        "role": if chat.owner == user { "OWNER" } else { "MEMBER" },
        "text_field_enabled": !chat.silent,
        "background_id": null,
        "entity_link": { "type": "", "url": "", "id": "" },
        "permissions": {
            "manage_users_add": "member", "manage_users_delete": "manager",
            "manage_ui": "member", "manage_settings": "owner",
            "manage_messages": "member", "can_post": "member",
        },
        "public": "",
    })
}

/// Tags away, lines joined: never to be taken for the content.
fn preview(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '[' => inside = true,
            ']' if inside => inside = false,
            '\n' if !inside => out.push(' '),
            _ if !inside => out.push(c),
            _ => {}
        }
    }
    out
}
