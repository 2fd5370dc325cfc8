//! `im.recent.list` and `im.recent.get` (b24: messenger §4.1, Q11): the caller's dialogs, newest
//! first, by offset or all that changed since a date. Called by the messenger's method table.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::org;
use super::super::params::Params;
use super::super::people::UserKind;
use super::super::php;
use super::super::world::World;
use super::Chat;
use super::dialog::chat_fields;
use super::message::shown_text;
use super::message::shown_uuid;
use super::scene_odd::ATTACH;
use super::scene_odd::STICKER;
use crate::base::clock::UnixMs;
use crate::base::clock::parse_rfc3339;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;
/// How far back a date may reach; an earlier one becomes this.
const SYNC_MAX: Duration = Duration::from_secs(7 * 86_400);
/// How far back the list reaches without a date.
const UNASKED: Duration = Duration::from_secs(30 * 86_400);

/// Reads a page of the caller's recent dialogs, newest activity first.
pub fn list(context: &mut Context<'_>, params: &Params) -> Reply {
    let user = context.user;
    let world = &*context.world;
    let limit = params.int_ci("LIMIT").filter(|limit| *limit > 0).unwrap_or(LIMIT_DEFAULT);
    let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(1);
    let unread_only = params.yes_ci("UNREAD_ONLY");
    let until = params.get_ci("LAST_MESSAGE_DATE").or_else(|| params.get_ci("DATE_LAST_ACTIVITY"));
    let until = until.and_then(moment);
    let mut chats = rows(world, user);
    // External chats have a list of their own.
    chats.retain(|chat| {
        chat.letter != 'X'
            && until.is_none_or(|until| last_at(world, chat) <= seconds(until))
            && !(unread_only && chat.unread(user) == 0)
            && !skipped(params, chat)
    });
    let offset = params.int_ci("OFFSET").unwrap_or(params.start.unwrap_or(0));
    // A date makes the offset meaningless.
    let offset = if until.is_some() { 0 } else { usize::try_from(offset).unwrap_or(0) };
    let whole = params.yes_ci("PARSE_TEXT") || params.yes_ci("GET_ORIGINAL_TEXT");
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

/// `im.recent.get`: the caller's dialogs in which something changed since a date, all at once.
pub fn get(context: &mut Context<'_>, params: &Params) -> Reply {
    let (user, now) = (context.user, context.now);
    let world = &*context.world;
    let given = |name| params.get_ci(name).filter(|value| php::truth(value));
    // The older name wins. What is no date is none at all, without a word.
    let since = given("LAST_UPDATE").or_else(|| given("LAST_SYNC_DATE")).and_then(moment);
    let before = |age: Duration| UnixMs(now.0 - i64::try_from(age.as_millis()).unwrap_or(0));
    let only_lines = params.yes_ci("ONLY_OPENLINES");
    let since = match since {
        Some(since) => Some(since.max(before(SYNC_MAX))),
        None if only_lines => None,
        None => Some(before(UNASKED)),
    };
    let mut chats = rows(world, user);
    chats.retain(|chat| {
        let wanted = if only_lines { chat.letter == 'L' } else { !skipped(params, chat) };
        wanted && since.is_none_or(|since| seconds(chat.updated(user)) >= seconds(since))
    });
    Reply::from(chats.iter().map(|chat| item(world, chat, user, false)).collect::<Value>())
}

/// Dialogs that have a row in somebody's list, newest message first: no comment threads and no
/// notifications.
fn rows(world: &World, user: u64) -> Vec<&Chat> {
    let chats = world.messenger.chats.values().filter(|chat| {
        chat.members.contains(&user)
            && !matches!(chat.letter, 'T' | 'S')
            && chat.parent == 0
            && !chat.messages.is_empty()
    });
    let mut chats: Vec<&Chat> = chats.collect();
    chats.sort_by_key(|chat| std::cmp::Reverse(chat.messages.last().copied()));
    chats
}

fn skipped(params: &Params, chat: &Chat) -> bool {
    (params.yes_ci("SKIP_OPENLINES") && chat.letter == 'L')
        || (params.yes_ci("SKIP_DIALOG") && chat.letter == 'P')
        || (params.yes_ci("SKIP_CHAT") && matches!(chat.letter, 'C' | 'O'))
}

/// RFC 3339 as PHP's constant of that name has it: without fractions of a second.
fn moment(value: &Value) -> Option<UnixMs> {
    let text = value.as_str().filter(|text| text.as_bytes().get(19) != Some(&b'.'))?;
    parse_rfc3339(text)
}

/// The portal compares whole seconds, because it stores no others.
fn seconds(moment: UnixMs) -> i64 {
    moment.0.div_euclid(1000)
}

fn last_at(world: &World, chat: &Chat) -> i64 {
    let last = chat.messages.last().and_then(|id| world.messenger.messages.get(id));
    last.map_or(i64::MAX, |last| seconds(last.at))
}

fn item(world: &World, chat: &Chat, user: u64, whole: bool) -> Value {
    let last = chat.messages.last().and_then(|id| world.messenger.messages.get(id));
    let text = last.map(|message| shown_text(world, message)).unwrap_or_default();
    let private = chat.letter == 'P';
    let dialog = world.messenger.dialog_of(chat.id, user);
    let date = last.map_or(json!(false), |message| json!(world.time_text(message.at)));
    let companion = if private { dialog.parse().ok() } else { last.map(|m| m.author) };
    let person = companion.and_then(|id| world.users.get(&id));
    let extra = |name: &str| {
        let extras = last.map(|message| &message.extras).into_iter().flatten();
        extras.into_iter().find(|extra| extra.name == name).map(|extra| &extra.value)
    };
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
            "attach": extra(ATTACH).is_some(),
            "sticker": extra(STICKER),
            "date": date,
            "status": "received",
            "uuid": last.and_then(|message| shown_uuid(world, message)),
        },
        "counter": chat.unread(user),
        "last_id": chat.read_to_of(user),
        "pinned": false,
        "unread": false,
        "has_reminder": false,
        "date_update": world.time_text(chat.updated(user)),
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
    let mut fields = chat_fields(world, chat);
    let members = chat.members.iter().filter_map(|id| world.users.get(id));
    let collaber = members.into_iter().any(|user| user.kind == UserKind::Collaber);
    fields.insert("contains_collaber".to_owned(), json!(collaber));
    // In capitals here, unlike in other methods.
    let role = if chat.owner == user { "OWNER" } else { "MEMBER" };
    fields.insert("role".to_owned(), json!(role));
    Value::Object(fields)
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
