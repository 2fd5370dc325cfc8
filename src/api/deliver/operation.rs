//! The fields of a Deliver call that say what is asked for and what it acts on, and what each
//! operation needs of them. Pure; called by `decode`.

use serde_json::Value;
use url::Url;

use crate::api::deliver::decode::Fields;
use crate::api::deliver::decode::Find;
use crate::api::deliver::decode::is_filled;
use crate::api::problem::Problem;
use crate::base::json;
use crate::domain::delivery::Operation;
use crate::domain::filename;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::reaction;
use crate::limits;
use crate::outbound::Aim;
use crate::outbound::Media;
use crate::outbound::MediaSource;

/// Reads the operation.
pub(super) fn operation(body: &Fields) -> Result<Operation, Problem> {
    match body.word("operation")?.as_deref() {
        None | Some("unspecified" | "0" | "1") => Ok(Operation::Send),
        Some("2") => Ok(Operation::Edit),
        Some("3") => Ok(Operation::Delete),
        Some("4") => Ok(Operation::React),
        Some("5") => Ok(Operation::Typing),
        Some(word) => Operation::parse(word)
            .ok_or_else(|| Problem::invalid("operation: one of send, edit, delete, react, typing")),
    }
}

/// Reads the text, which some operations cannot do without.
pub(super) fn text(
    body: &Fields,
    operation: Operation,
    media: &[Media],
) -> Result<String, Problem> {
    let text = body.text("text")?.unwrap_or_default();
    if text.len() > limits::DELIVERY_TEXT_BYTES_MAX {
        let most = limits::DELIVERY_TEXT_BYTES_MAX;
        return Err(Problem::invalid(format!("text: longer than {most} bytes; send it in pieces")));
    }
    match operation {
        Operation::Send if media.is_empty() && text.trim().is_empty() => {
            Err(Problem::invalid("text: missing or empty"))
        }
        Operation::Edit if text.trim().is_empty() => {
            Err(Problem::invalid("text: missing or empty; to remove a message use delete"))
        }
        // What nothing is done with is not part of what is asked for.
        Operation::Delete | Operation::React | Operation::Typing => Ok(String::new()),
        Operation::Send | Operation::Edit => Ok(text),
    }
}

/// Reads a message id.
pub(super) fn message(body: &Fields, name: &str) -> Result<Option<MessageId>, Problem> {
    let text = body.text(name)?.filter(|text| !text.is_empty());
    let Some(text) = text else { return Ok(None) };
    let id = text.parse::<i64>().ok().filter(|id| *id > 0);
    id.map(|id| Some(MessageId(id)))
        .ok_or_else(|| Problem::invalid(format!("{name}: not a message id, such as 70415")))
}

/// Reads what an operation acts on: exactly one of two fields where it acts on something.
pub(super) fn target(body: &Fields, operation: Operation) -> Result<Option<Aim>, Problem> {
    if matches!(operation, Operation::Send | Operation::Typing) {
        return Ok(None);
    }
    let message = message(body, "message_id")?;
    let delivery = body.text("target_delivery_id")?.filter(|text| !text.is_empty());
    match (message, delivery) {
        (Some(message), None) => Ok(Some(Aim::Message(message))),
        (None, Some(text)) => {
            let id = DeliveryId::parse(&text).ok_or_else(|| {
                Problem::invalid("target_delivery_id: 1 to 255 printable characters")
            })?;
            Ok(Some(Aim::Delivery(id)))
        }
        (None, None) => {
            let word = operation.as_str();
            let why = format!("message_id: {word} needs it, or target_delivery_id");
            Err(Problem::invalid(why))
        }
        (Some(_), Some(_)) => {
            Err(Problem::invalid("message_id: give either it or target_delivery_id, not both"))
        }
    }
}

/// Reads the reaction and whether it is taken back.
pub(super) fn reaction(body: &Fields, operation: Operation) -> Result<(String, bool), Problem> {
    if operation != Operation::React {
        return Ok((String::new(), false));
    }
    let written = body.text("reaction")?.unwrap_or_default();
    let code = reaction::code(&written).ok_or_else(|| {
        Problem::invalid("reaction: a code such as like, redHeart, fire, or its sign")
    })?;
    Ok((code, body.get("remove").is_some_and(json::flag)))
}

/// Reads the files of a send. Those that came with the call are on the shelf already.
pub(super) fn media(
    body: &Fields,
    operation: Operation,
    find: Find<'_>,
) -> Result<Vec<Media>, Problem> {
    let listed = match body.get("media") {
        Some(value) if operation == Operation::Send && is_filled(value) => value,
        _ => return Ok(Vec::new()),
    };
    let Value::Array(listed) = listed else { return Err(Problem::invalid("media: not a list")) };
    if listed.len() > limits::MEDIA_FILES_MAX {
        let most = limits::MEDIA_FILES_MAX;
        return Err(Problem::invalid(format!("media: more than {most} files")));
    }
    let numbered = listed.iter().enumerate();
    numbered.map(|(number, value)| file(number, value, find)).collect()
}

fn file(number: usize, value: &Value, find: Find<'_>) -> Result<Media, Problem> {
    let wrong = |why: &str| Problem::invalid(format!("media[{number}].{why}"));
    let Value::Object(fields) = value else {
        return Err(Problem::invalid(format!("media[{number}]: not an object")));
    };
    let fields = Fields::of(fields.clone());
    let text = |name| match fields.text(name) {
        Ok(text) => Ok(text.filter(|text| !text.is_empty())),
        Err(_) => Err(wrong(&format!("{name}: not a text"))),
    };
    let name = text("name")?.unwrap_or_default();
    filename::check(&name).map_err(|why| wrong(&format!("name: {why}")))?;
    let source = match (text("url")?, text("data")?) {
        (Some(url), None) => {
            let url = Url::parse(&url).ok().filter(|url| url.has_host());
            MediaSource::Url(url.ok_or_else(|| wrong("url: not an http or https address"))?)
        }
        (None, Some(reference)) => {
            let kept = find(&reference).ok_or_else(|| wrong("data: not base64"))?;
            if kept.bytes == 0 {
                return Err(wrong("data: the file is empty, and the portal takes no empty file"));
            }
            MediaSource::Kept(kept)
        }
        (None, None) => return Err(wrong("url: missing, and data too; give one of them")),
        (Some(_), Some(_)) => return Err(wrong("url: give either it or data, not both")),
    };
    Ok(Media { name, as_file: fields.get("as_file").is_some_and(json::flag), source })
}
