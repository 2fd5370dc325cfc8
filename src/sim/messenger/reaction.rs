//! Reactions to messages: the documented `im.message.like`, the undocumented
//! `im.v2.Chat.Message.Reaction.*`, and people in the official clients (b24: messenger §7, Q20). A
//! like is the same thing wherever it was set. The method table and `scene` call it.

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::params::Params;
use super::super::php;
use super::super::world::World;
use super::change::message_id;
use super::log::Reacted;

/// The reaction that `im.message.like` sets.
pub const LIKE: &str = "like";
/// How many of [`REACTIONS`] an old portal knows.
const OLD: usize = 12;
/// Every code of the newest portal, oldest first.
pub const REACTIONS: &[&str] = &[
    LIKE,
    "dislike",
    "faceWithTearsOfJoy",
    "redHeart",
    "neutralFace",
    "fire",
    "cry",
    "slightlySmilingFace",
    "winkingFace",
    "laugh",
    "kiss",
    "wonder",
    "slightlyFrowningFace",
    "loudlyCryingFace",
    "faceWithStuckOutTongue",
    "faceWithStuckOutTongueAndWinkingEye",
    "smilingFaceWithSunglasses",
    "confusedFace",
    "flushedFace",
    "thinkingFace",
    "angry",
    "smilingFaceWithHorns",
    "faceWithThermometer",
    "facepalm",
    "poo",
    "flexedBiceps",
    "clappingHands",
    "raisedHand",
    "smilingFaceWithHeartEyes",
    "smilingFaceWithHearts",
    "pleadingFace",
    "relievedFace",
    "foldedHands",
    "okHand",
    "signHorns",
    "loveYouGesture",
    "clownFace",
    "partyingFace",
    "questionMark",
    "exclamationMark",
    "lightBulb",
    "bomb",
    "sleepingSymbol",
    "crossMark",
    "whiteHeavyCheckMark",
    "eyes",
    "handshake",
    "hundredPoints",
];

/// `im.message.like`. Whatever changes nothing is refused with one code, for whatever reason.
///
/// # Errors
/// `MESSAGE_ID_ERROR`, `WITHOUT_CHANGES`.
pub fn like(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = message_id(params)?;
    let liked = context.world.messenger.messages.get(&id);
    let liked = liked.is_some_and(|message| message.marks.likers().contains(&context.user));
    let on = match params.text_ci("ACTION").as_str() {
        "plus" => true,
        "minus" => false,
        _ => !liked,
    };
    change(context.world, context.user, id, LIKE, on)
        .map(|()| Reply::from(json!(true)))
        .map_err(|_| RestError::bad("WITHOUT_CHANGES", "Like is not changed"))
}

/// `im.v2.Chat.Message.Reaction.add`.
///
/// # Errors
/// `REACTION_ALREADY_SET`, `REACTION_NOT_FOUND`, no access to the message.
pub fn add(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    controller(context, params, true)
}

/// `im.v2.Chat.Message.Reaction.delete`.
///
/// # Errors
/// `REACTION_NOT_FOUND`, no access to the message.
pub fn delete(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    controller(context, params, false)
}

/// Names are case-sensitive and needed, as in every controller (Q26).
fn controller(context: &mut Context<'_>, params: &Params, on: bool) -> Result<Reply, RestError> {
    let needed = |name: &str| -> Result<&Value, RestError> {
        let text = format!("Could not find value for parameter {{{name}}}");
        let value = params.get(name).filter(|value| !value.is_null());
        value.ok_or_else(|| RestError::bad("100", &text))
    };
    let id = u64::try_from(php::int(needed("messageId")?)).unwrap_or(0);
    let code = php::text(needed("reaction")?);
    change(context.world, context.user, id, &code, on)?;
    Ok(Reply::from(json!([])))
}

/// Somebody sets a reaction or takes it back.
///
/// # Errors
/// What a controller says.
pub(super) fn change(
    world: &mut World,
    user: u64,
    id: u64,
    code: &str,
    on: bool,
) -> Result<(), RestError> {
    let now = world.now();
    let messenger = &mut world.messenger;
    let old = messenger.switches.old_reactions;
    let at = messenger.background(now);
    let Some(message) = messenger.messages.get_mut(&id) else {
        return Err(RestError::bad("MESSAGE_NOT_FOUND", "Message not found"));
    };
    let chat = messenger.chats.get(&message.chat);
    if !chat.is_some_and(|chat| chat.members.contains(&user)) {
        let text = "You do not have access to this message";
        return Err(RestError::bad("MESSAGE_ACCESS_DENIED", text));
    }
    let known = if old { &REACTIONS[..OLD] } else { REACTIONS };
    let unknown = || RestError::bad("REACTION_NOT_FOUND", "Reaction not found");
    let code = *known.iter().find(|known| **known == code).ok_or_else(unknown)?;
    let reactions = &mut message.marks.reactions;
    match (reactions.iter().position(|own| *own == (user, code)), on) {
        (Some(_), true) => {
            return Err(RestError::bad("REACTION_ALREADY_SET", "Reaction is already set"));
        }
        (None, false) => return Err(unknown()),
        (Some(own), false) => {
            reactions.remove(own);
        }
        (None, true) => {
            reactions.retain(|(other, _)| !old || *other != user);
            reactions.push((user, code));
        }
    }
    messenger.log.reaction(id, Reacted { user, code, added: on }, at);
    Ok(())
}
