//! What an attempt with an unknown effect really did: a look into the dialog for a message that
//! carries the part's UUID (b24: messenger R8, R20). Reads only; decides nothing.

use crate::bitrix::client::Lane;
use crate::bitrix::methods;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::domain::ids::MessageId;
use crate::outbound::Shared;
use crate::store::ledger::Delivery;

/// What the dialog shows of a part.
pub(super) enum Found {
    /// It is there.
    Message(MessageId),
    /// It is not among the newest messages. The portal itself drops a repeat of the same UUID, so
    /// sending it again is safe where the portal knows UUIDs.
    Nothing,
    /// The agent may not read the dialog, or it does not exist: so it cannot be written to either,
    /// and the next attempt brings a definite refusal. Until then the UUID protects.
    Refused,
    /// The dialog could not be read just now.
    Unclear(Failure),
}

/// Looks for a part among the newest messages of its dialog.
pub(super) fn look(shared: &Shared, delivery: &Delivery, part: u32) -> Found {
    let Some(wanted) = delivery.parts.get(part as usize) else { return Found::Nothing };
    let call = methods::newest_messages(delivery.dialog, Lane::Reply);
    match shared.registry.call(&delivery.agent, &call) {
        Ok(messages) => {
            let mut found = messages.iter().rev();
            let found = found.find(|message| message.uuid.as_deref() == Some(&wanted.uuid));
            found.map_or(Found::Nothing, |message| Found::Message(message.id))
        }
        Err(failure)
            if matches!(
                failure.class,
                Class::Denied | Class::NotFound | Class::Invalid | Class::MethodMissing
            ) =>
        {
            Found::Refused
        }
        Err(failure) => Found::Unclear(failure),
    }
}
