//! `im.disk.file.commit`: a message with files that are already in the chat's folder, or with
//! copies of others (b24: messenger §9.2, Q22). Its idempotency is a trap: a repeat that comes while
//! the first call is in flight deletes the files. Called by the messenger's method table.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::super::world::World;
use super::disk;
use super::disk::Named;
use super::files;
use super::files::File;
use super::message;
use super::message::Attached;
use super::message::NewMessage;
use super::message::sees;
use super::save::php_trim;

/// A file the caller named.
struct Wanted {
    /// `upload5311` or `disk5311`, the key in the answer.
    key: String,
    /// Its id.
    id: u64,
    /// Whether a copy is attached and not the file itself.
    copy: bool,
}

/// Publishes files.
///
/// # Errors
/// `DIALOG_ID_EMPTY`, `CHAT_ID_EMPTY`, `ACCESS_ERROR`, `FILES_ERROR`, `SAVE_ERROR`.
pub fn commit(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let chat = addressee(context, params)?;
    let caption = php_trim(&params.text_ci("MESSAGE")).to_owned();
    let member = context.world.messenger.chats.get(&chat);
    if !member.is_some_and(|chat| chat.members.contains(&context.user)) {
        let text = "You don't have access to this chat";
        return Err(RestError::bad("ACCESS_ERROR", text));
    }
    let wanted = wanted(params);
    if wanted.is_empty() {
        return Err(RestError::bad("FILES_ERROR", "List of files in not specified"));
    }
    let as_file = params.yes_ci("AS_FILE");
    let taken: Vec<(String, Option<u64>)> =
        wanted.iter().map(|one| (one.key.clone(), take(context, chat, one, as_file))).collect();
    let ids: Vec<u64> = taken.iter().filter_map(|(_, id)| *id).collect();
    if ids.is_empty() {
        return Err(save_error());
    }
    let message = send(context, params, chat, &caption, &ids).map_err(|why| {
        // The trap: these may be the files of the message that the first call has just sent.
        ids.iter().for_each(|id| context.world.messenger.disk.remove(*id));
        if context.world.messenger.switches.commit_tells_inner { why } else { save_error() }
    })?;
    Ok(Reply::from(answer(context.world, &taken, message)))
}

fn save_error() -> RestError {
    RestError::bad("SAVE_ERROR", "Error during saving file to chat")
}

/// The chat: `DIALOG_ID` wins over `CHAT_ID`. Naming a person without a chat makes the chat.
fn addressee(context: &mut Context<'_>, params: &Params) -> Result<u64, RestError> {
    let Some(named) = params.get_ci("DIALOG_ID").filter(|dialog| !dialog.is_null()) else {
        return disk::chat_number(params);
    };
    let world = &mut *context.world;
    match disk::dialog(&php::text(named)) {
        None => Err(RestError::bad("DIALOG_ID_EMPTY", "Dialog ID can't be empty")),
        Some(Named::Chat(chat)) if chat > 0 => Ok(chat),
        Some(Named::Person(person)) if world.users.contains_key(&person) => {
            Ok(world.messenger.private_chat(context.user, person))
        }
        Some(_) => Err(RestError::bad("CHAT_ID_EMPTY", "Chat ID can't be empty")),
    }
}

/// The files named by the first of the three parameters that is there; each once.
fn wanted(params: &Params) -> Vec<Wanted> {
    for (name, word) in [("FILE_ID", "disk"), ("DISK_ID", "disk"), ("UPLOAD_ID", "upload")] {
        let Some(value) = params.get_ci(name).filter(|value| !value.is_null()) else { continue };
        let mut wanted: Vec<Wanted> = Vec::new();
        for value in php::elements(value) {
            let text = php::text(value);
            let key = format!("{word}{text}");
            let id = u64::try_from(php::int_of_text(&text)).unwrap_or(0);
            if !wanted.iter().any(|known| known.key == key) {
                wanted.push(Wanted { key, id, copy: word == "disk" });
            }
        }
        return wanted;
    }
    Vec::new()
}

/// The file to attach: itself, whatever folder it is in and whoever put it there, or a copy. `None`
/// when the caller may not read it or it does not exist.
fn take(context: &mut Context<'_>, chat: u64, wanted: &Wanted, as_file: bool) -> Option<u64> {
    files::readable(context.world, context.user, wanted.id)?;
    let disk = &mut context.world.messenger.disk;
    if wanted.copy {
        // `AS_FILE` is of no effect on copies.
        return disk.copy(wanted.id, chat, context.user, context.now);
    }
    if as_file {
        disk.mark_as_file(wanted.id);
    }
    Some(wanted.id)
}

fn send(
    context: &mut Context<'_>,
    params: &Params,
    chat: u64,
    caption: &str,
    ids: &[u64],
) -> Result<u64, RestError> {
    message::may_write(context, chat)?;
    let (author, now) = (context.user, context.now);
    let found = context.world.messenger.chats.get(&chat);
    let hidden = found
        .filter(|chat| chat.letter == 'P')
        .is_some_and(|chat| chat.members.iter().any(|other| !sees(context.world, author, *other)));
    if hidden {
        return Err(RestError::bad("ERROR_NO_ACCESS", "You cannot write to this user"));
    }
    // In an open line the answer waits for the whole execution.
    let wait = found.is_some_and(|chat| chat.letter == 'L');
    // PHP takes "0" for no text.
    let text = if caption == "0" { String::new() } else { caption.to_owned() };
    let uuid = params.get_ci("TEMPLATE_ID").map(php::text);
    let new = NewMessage { chat, author, text, uuid, reply_to: None, code: None };
    let attached = Attached { files: ids.to_vec(), wait, ..Attached::default() };
    message::store_with(context.world, now, new, attached)
}

fn answer(world: &World, taken: &[(String, Option<u64>)], message: u64) -> Value {
    let (mut shown, mut models, mut ids) = (Map::new(), Map::new(), Vec::new());
    for (key, id) in taken {
        let Some(file) = id.and_then(|id| world.messenger.disk.get(id)) else {
            shown.insert(key.clone(), json!({ "id": 0 }));
            continue;
        };
        let mut object = files::object(world, file);
        // A date object of PHP, unlike everywhere else.
        object["date"] = php::empty_object();
        shown.insert(key.clone(), object);
        models.insert(key.clone(), model(file));
        ids.push(file.id.to_string());
    }
    json!({ "FILES": shown, "DISK_ID": ids, "FILE_MODELS": models, "MESSAGE_ID": message })
}

/// The noise that is left of a PHP object with the portal's innards.
fn model(file: &File) -> Value {
    json!({
        "id": file.id.to_string(),
        "name": file.name,
        "code": null,
        "storageId": "2",
        "type": "3",
        "parentId": files::folder_of(file.chat).to_string(),
        "size": file.content.size.to_string(),
        "createTime": php::empty_object(),
        "updateTime": php::empty_object(),
        "deleteTime": null,
        "createdBy": file.author.to_string(),
        "globalContentVersion": "2",
        "errorCollection": {},
    })
}
