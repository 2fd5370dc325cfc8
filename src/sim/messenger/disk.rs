//! `im.disk.folder.get` and `disk.folder.uploadfile`, the first two links of the classic chain
//! (b24: messenger §9.2). Which file goes where is kept in `files`; the third link is `commit`.

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::super::world::World;
use super::files;
use super::files::File;
use super::files::NewFile;
use super::message::sees;

/// A dialog as the classic file methods read it: a chat's number, or a person's.
pub enum Named {
    /// `chat904`; `sg17` and `crm…` name no chat of the model and are chat 0.
    Chat(u64),
    /// `57`.
    Person(u64),
}

/// Digits, or `chat`, `sg` or `crm` and digits, in any case of letters.
pub fn dialog(text: &str) -> Option<Named> {
    let lower = text.to_ascii_lowercase();
    let digits = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if let Some(number) = lower.strip_prefix("chat") {
        return digits(number).map(Named::Chat);
    }
    if let Some(number) = lower.strip_prefix("sg").or_else(|| lower.strip_prefix("crm")) {
        return digits(number).map(|_| Named::Chat(0));
    }
    digits(&lower).map(Named::Person)
}

/// `im.disk.folder.get`.
///
/// # Errors
/// `DIALOG_ID_EMPTY`, `CHAT_ID_EMPTY`, `ACCESS_ERROR`.
pub fn folder(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let refused =
        || RestError::new(403, "ACCESS_ERROR", "You do not have access to the specified dialog");
    let user = context.user;
    let named = params.get_ci("DIALOG_ID").filter(|dialog| !dialog.is_null());
    let named = match named {
        Some(named) => dialog(&php::text(named))
            .ok_or_else(|| RestError::bad("DIALOG_ID_EMPTY", "Dialog ID can't be empty"))?,
        None => Named::Chat(chat_number(params)?),
    };
    let world = &mut *context.world;
    let chat = match named {
        Named::Chat(chat) => chat,
        Named::Person(person) if world.users.contains_key(&person) && sees(world, user, person) => {
            world.messenger.private_chat(user, person)
        }
        Named::Person(_) => return Err(refused()),
    };
    let found = world.messenger.chats.get(&chat);
    let colleague = world.is_intranet(user);
    let readable = found.filter(|chat| world.messenger.may_read(chat, user, colleague));
    let chat = readable.ok_or_else(refused)?;
    Ok(Reply::from(json!({ "ID": files::folder_of(chat.id) })))
}

/// `CHAT_ID` as the classic file methods read it.
///
/// # Errors
/// `CHAT_ID_EMPTY`.
pub fn chat_number(params: &Params) -> Result<u64, RestError> {
    let number = params.int_ci("CHAT_ID").and_then(|chat| u64::try_from(chat).ok());
    let number = number.filter(|chat| *chat > 0);
    number.ok_or_else(|| RestError::bad("CHAT_ID_EMPTY", "Chat ID can't be empty"))
}

/// `disk.folder.uploadfile`. Its parameters are matched to those of a PHP function by name, so
/// their letters' case matters.
///
/// # Errors
/// `ERROR_ARGUMENT` without an id, `ERROR_NOT_FOUND` for a folder that does not exist,
/// `ACCESS_DENIED` for who may not add to it, `DISK_OBJ_22000` for a name that is taken.
pub fn upload_file(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let Some(id) = params.get("id").filter(|id| !id.is_null()).map(php::int) else {
        let mut error = RestError::bad("ERROR_ARGUMENT", "Argument 'id' is null or empty");
        error.extra.insert("argument".to_owned(), json!("id"));
        return Err(error);
    };
    let content = params.get("fileContent").filter(|content| !content.is_null());
    let Some(content) = content else {
        // Nothing is looked at yet. The model does not answer at this address.
        let query = format!("token=disk%7C{id}&auth={}", context.token);
        let url = format!("http://{}/rest/upload.json?{query}", context.world.domain);
        return Ok(Reply::from(json!({ "field": "file", "uploadUrl": url })));
    };
    let name = params.get("data").and_then(|data| data.get("NAME")).map(php::text);
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        let text = "Error: required parameter NAME";
        return Err(RestError::bad("DISK_BASE_SERVICE_22001", text));
    };
    let chat = may_add(context, u64::try_from(id).unwrap_or(0))?;
    // Not strictly, unlike the newer method.
    let content = files::decode(base64_of(content), false).filter(|content| content.size > 0);
    let Some(content) = content else {
        // A REST exception without a code.
        return Err(RestError::bad("", "Could not save file."));
    };
    let unique = params.get("generateUniqueName").is_some_and(php::truth);
    let new = NewFile { chat, name, content, author: context.user, at: context.now };
    let disk = &mut context.world.messenger.disk;
    let added = if unique { Some(disk.add_unique(new)) } else { disk.add(new) };
    let added = added.and_then(|id| disk.get(id)).cloned();
    match added {
        Some(file) => Ok(Reply::from(disk_object(context.world, &file, &context.token))),
        None => Err(RestError::bad("DISK_OBJ_22000", "The name is already in use")),
    }
}

/// `[name, base64]`, of which the second counts; a plain text is base64 as well.
fn base64_of(content: &Value) -> &str {
    match content {
        Value::String(text) => text,
        list => php::elements(list).get(1).and_then(|text| text.as_str()).unwrap_or_default(),
    }
}

/// The chat whose folder this is, when the caller may put files there: members may, colleagues
/// may only read the folder of an open chat.
fn may_add(context: &Context<'_>, folder: u64) -> Result<u64, RestError> {
    let chats = &context.world.messenger.chats;
    let chat = files::chat_of_folder(folder).and_then(|chat| chats.get(&chat));
    let Some(chat) = chat else {
        let text = format!("Could not find entity with id `{folder}`.");
        return Err(RestError::bad("ERROR_NOT_FOUND", &text));
    };
    if !chat.members.contains(&context.user) {
        return Err(RestError::access_denied(""));
    }
    Ok(chat.id)
}

/// A file as methods of the Drive tell of it: capitals, and numbers as texts.
fn disk_object(world: &World, file: &File, token: &str) -> Value {
    let (id, at) = (file.id.to_string(), world.time_text(file.at));
    let download =
        format!("http://{}/rest/download.json?auth={token}&token=disk%7C{id}", world.domain);
    json!({
        "ID": id,
        "NAME": file.name,
        "CODE": null,
        "STORAGE_ID": "2",
        "TYPE": "file",
        "PARENT_ID": files::folder_of(file.chat).to_string(),
        "DELETED_TYPE": "0",
        "GLOBAL_CONTENT_VERSION": "1",
        "FILE_ID": (file.id * 2).to_string(),
        "SIZE": file.content.size.to_string(),
        "CREATE_TIME": at,
        "UPDATE_TIME": at,
        "DELETE_TIME": null,
        "CREATED_BY": file.author.to_string(),
        "UPDATED_BY": file.author.to_string(),
        "DELETED_BY": "0",
        "DOWNLOAD_URL": download,
        "DETAIL_URL": format!("http://{}/disk/file/{id}/", world.domain),
    })
}
