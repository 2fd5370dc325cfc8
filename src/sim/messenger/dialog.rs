//! `im.dialog.get` (b24: messenger §4.3, Q12): a chat in small letters, with how far everybody else
//! has read it. Called by the messenger's method table; what lists of chats share with it is in
//! `chat_fields`.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::people::User;
use super::super::php;
use super::super::world::World;
use super::Chat;
use super::disk;
use super::disk::Named;
use super::files;
use super::history;

/// Viewers of the last message that are named.
const FIRST_VIEWERS: usize = 1;

/// Describes a dialog.
///
/// # Errors
/// `DIALOG_ID_EMPTY`; `ACCESS_ERROR` with 403 where the caller may not look, with 400 where there is
/// no chat.
pub fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let asked = params.get_ci("DIALOG_ID").cloned().unwrap_or(Value::Null);
    let unknown = || RestError::bad("ACCESS_ERROR", "You don't have access to this chat");
    match disk::dialog(&php::text(&asked)) {
        None => return Err(RestError::bad("DIALOG_ID_EMPTY", "Dialog ID can't be empty")),
        Some(Named::Chat(chat)) if !context.world.messenger.chats.contains_key(&chat) => {
            return Err(unknown());
        }
        Some(_) => {}
    }
    let chat = history::dialog(context, params)?;
    let world = &*context.world;
    let chat = world.messenger.chats.get(&chat).ok_or_else(unknown)?;
    let mut body = chat_fields(world, chat);
    body.extend(state(world, chat, context.user));
    body.insert("dialog_id".to_owned(), asked);
    Ok(Reply::from(Value::Object(body)))
}

/// What every description of a chat in small letters has.
pub(super) fn chat_fields(world: &World, chat: &Chat) -> Map<String, Value> {
    let outsiders = chat.members.iter().filter_map(|id| world.users.get(id)).any(User::external);
    let first = chat.messages.first().and_then(|id| world.messenger.messages.get(id));
    let fields = json!({
        "id": chat.id,
        "parent_chat_id": chat.parent,
        "parent_message_id": chat.parent_message,
        "name": chat.title,
        "owner": chat.owner,
        "extranet": outsiders,
        "avatar": "",
        "color": "#ab7761",
        "type": chat.kind,
        "entity_type": chat.entity_type,
        "entity_id": chat.entity_id,
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
        "text_field_enabled": !chat.silent,
        "background_id": null,
        "entity_link": entity_link(chat),
        "permissions": {
            "manage_users_add": "member", "manage_users_delete": "manager",
            "manage_ui": "member", "manage_settings": "owner",
            "manage_messages": "member", "can_post": "member",
        },
        "public": "",
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Where the work is that a chat belongs to; empty texts for most chats.
pub(super) fn entity_link(chat: &Chat) -> Value {
    let linked = !chat.entity_url.is_empty();
    let id = if linked { chat.entity_id.as_str() } else { "" };
    let kind = if linked { chat.entity_type.as_str() } else { "" };
    json!({ "type": kind, "url": chat.entity_url, "id": id })
}

/// What only this method tells: how far the caller and the others have got.
fn state(world: &World, chat: &Chat, user: u64) -> Map<String, Value> {
    let visible = chat.visible(user);
    let unread = chat.unread(user);
    let first_unread = visible.get(visible.len() - unread).copied().unwrap_or(0);
    let role = match (chat.owner == user, chat.members.contains(&user)) {
        (_, false) => "guest",
        (true, true) => "owner",
        (false, true) => "member",
    };
    let fields = json!({
        "description": "",
        "counter": unread,
        "message_count": visible.len(),
        "unread_id": first_unread,
        "last_message_id": chat.messages.last().copied().unwrap_or(0),
        "last_id": chat.read_to_of(user),
        "marked_id": 0,
        "disk_folder_id": files::folder_of(chat.id),
        // In small letters here, unlike in recent items.
        "role": role,
        "is_new": false,
        "readed_list": readed_list(world, chat, user),
        "last_message_views": last_views(world, chat),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// How far everybody else has read who is still active.
fn readed_list(world: &World, chat: &Chat, user: u64) -> Vec<Value> {
    let others = chat.members.iter().filter(|member| **member != user);
    let others = others.filter_map(|member| world.users.get(member)).filter(|user| user.active);
    others
        .map(|other| {
            json!({
                "user_id": other.id,
                "user_name": other.full_name(),
                "message_id": chat.read_to_of(other.id),
                "date": chat.read_at.get(&other.id).map(|at| world.time_text(*at)),
            })
        })
        .collect()
}

fn last_views(world: &World, chat: &Chat) -> Value {
    let last = chat.messages.last().and_then(|id| world.messenger.messages.get(id));
    let viewers = last.map(|message| &message.marks.viewers);
    let mut by_time: Vec<_> = viewers.into_iter().flatten().collect();
    by_time.sort_by_key(|(user, at)| (**at, **user));
    let first = by_time.iter().take(FIRST_VIEWERS).map(|(user, at)| {
        let name = world.users.get(*user).map(User::full_name).unwrap_or_default();
        json!({ "user_id": user, "user_name": name, "date": world.time_text(**at) })
    });
    json!({
        "message_id": last.map_or(0, |message| message.id),
        "first_viewers": first.collect::<Vec<_>>(),
        "count_of_viewers": by_time.len(),
    })
}
