//! `im.v2.File.upload`: file and message in one call, without any protection against repeats
//! (b24: messenger §9.1, Q22). Its errors are all 400, its parameters' letters' case matters.
//! Called by the messenger's method table.

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::disk;
use super::disk::Named;
use super::files;
use super::files::NewFile;
use super::message;
use super::message::Attached;
use super::message::NewMessage;
use super::message::sees;

/// Longest base64 text: that of a file of one byte less than 100 MiB.
const BASE64_MAX: usize = 139_810_133;

/// Uploads a file and sends the message with it.
///
/// # Errors
/// `100` for a missing parameter, `CHAT_NOT_FOUND`, `ACCESS_DENIED`, `FILE_EMPTY`,
/// `FILE_TOO_LARGE`, `FILE_INVALID_CONTENT`, `FILE_SEND_FAILED`.
pub fn upload(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let missing = |name: &str| {
        let text = format!("Could not find value for parameter {{{name}}}");
        RestError::bad("100", &text)
    };
    // The chat and the right to send are checked before the method itself runs.
    let named = params.get("dialogId").filter(|named| !named.is_null());
    let chat = addressee(context, named.ok_or_else(|| missing("dialogId"))?)?;
    let fields = params.get("fields").and_then(Value::as_object);
    let fields = fields.ok_or_else(|| missing("fields"))?;
    let empty = json!("");
    let field = |name: &str| fields.get(name).unwrap_or(&empty);
    let (name, content) = (php::text(field("name")), field("content"));
    // What is no text is no base64 either.
    let content = content.as_str().unwrap_or("?");
    refuse_by_looks(&name, content.len(), content)?;
    let content = files::decode(content, true)
        .ok_or_else(|| RestError::bad("FILE_INVALID_CONTENT", "Invalid base64 content"))?;
    if content.size == 0 {
        return Err(file_empty());
    }
    let (author, now) = (context.user, context.now);
    let new = NewFile { chat, name, content, author, at: now };
    let id = context.world.messenger.disk.add_unique(new);
    let text = php::text(field("message"));
    let new = NewMessage { chat, author, text, uuid: None, reply_to: None, code: None };
    let attached = Attached { files: vec![id], wait: true, ..Attached::default() };
    let sent = message::may_write(context, chat)
        .and_then(|()| message::store_with(context.world, now, new, attached));
    let Ok(message) = sent else {
        // The file stays where it is: an orphan.
        let documented = context.world.messenger.switches.documented_shapes;
        let code = if documented { "SEND_FAILED" } else { "FILE_SEND_FAILED" };
        return Err(RestError::bad(code, "Failed to send message"));
    };
    let world = &*context.world;
    Ok(Reply::from(json!({
        "file": world.messenger.disk.get(id).map(|file| files::object(world, file)),
        "messageId": message,
        "chatId": chat,
        "dialogId": world.messenger.dialog_of(chat, author),
    })))
}

fn addressee(context: &mut Context<'_>, named: &Value) -> Result<u64, RestError> {
    let unknown = || RestError::bad("CHAT_NOT_FOUND", "Chat not found");
    let denied = || RestError::bad("ACCESS_DENIED", "Access denied");
    let user = context.user;
    let world = &mut *context.world;
    let chat = match disk::dialog(&php::text(named)).ok_or_else(unknown)? {
        Named::Chat(chat) => chat,
        Named::Person(person) if !world.users.contains_key(&person) => return Err(unknown()),
        Named::Person(person) if !sees(world, user, person) => return Err(denied()),
        Named::Person(person) => world.messenger.private_chat(user, person),
    };
    let found = world.messenger.chats.get(&chat).ok_or_else(unknown)?;
    found.members.contains(&user).then_some(chat).ok_or_else(denied)
}

/// What is refused before anything is decoded. PHP takes "0" for empty.
fn refuse_by_looks(name: &str, length: usize, content: &str) -> Result<(), RestError> {
    if matches!(name, "" | "0") || matches!(content, "" | "0") {
        return Err(file_empty());
    }
    if length > BASE64_MAX {
        return Err(RestError::bad("FILE_TOO_LARGE", "File is too large"));
    }
    Ok(())
}

fn file_empty() -> RestError {
    RestError::bad("FILE_EMPTY", "File name or content is empty")
}

#[cfg(test)]
mod tests {
    use super::super::super::http::BODY_MAX;
    use super::BASE64_MAX;
    use super::refuse_by_looks;

    #[test]
    fn size_is_that_of_the_base64_text() {
        let told = |length| refuse_by_looks("a", length, "aGk=").err().map(|error| error.code);
        assert_eq!(told(BASE64_MAX), None);
        assert_eq!(told(BASE64_MAX + 1).as_deref(), Some("FILE_TOO_LARGE"));
        // The largest file whose text fits, and the smallest whose does not.
        let text = |bytes: usize| bytes.div_ceil(3) * 4;
        assert_eq!(told(text(104_857_599)), None);
        assert_eq!(told(text(104_857_600)).as_deref(), Some("FILE_TOO_LARGE"));
        // The server in front must let through what this has to refuse.
        assert!(BODY_MAX > text(104_857_600) + 64 * 1024);
    }
}
