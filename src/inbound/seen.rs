//! What has been seen of an agent's messages lately: which ones events told of, which ones it wrote,
//! which ones were deleted. A memory and no fact: what is forgotten is asked for again. Bounded; of
//! too many the oldest go. Owned by `ingest`.

use std::collections::BTreeSet;

use crate::domain::ids::MessageId;
use crate::limits;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::inbound) struct Seen {
    told: Ids,
    own: Ids,
    deleted: Ids,
}

/// The newest of the ids that were put in.
#[derive(Debug, Default)]
struct Ids(BTreeSet<MessageId>);

impl Ids {
    fn put(&mut self, id: MessageId) {
        self.0.insert(id);
        // Ids rise with time, so the smallest is the oldest.
        while self.0.len() > limits::SEEN_MESSAGES_MAX {
            self.0.pop_first();
        }
    }
}

impl Seen {
    /// An event told of this message.
    pub fn told(&mut self, id: MessageId) {
        self.told.put(id);
    }

    /// Whether one did.
    pub fn was_told(&self, id: MessageId) -> bool {
        self.told.0.contains(&id)
    }

    /// The agent's account wrote this message.
    pub fn own(&mut self, id: MessageId) {
        self.own.put(id);
    }

    /// Whether it did.
    pub fn is_own(&self, id: MessageId) -> bool {
        self.own.0.contains(&id)
    }

    /// This message was deleted.
    pub fn deleted(&mut self, id: MessageId) {
        self.deleted.put(id);
    }

    /// Whether it was.
    pub fn is_deleted(&self, id: MessageId) -> bool {
        self.deleted.0.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;
    use crate::domain::ids::MessageId;
    use crate::limits;

    #[test]
    fn the_newest_are_remembered_and_not_more() {
        let mut seen = Seen::default();
        let most = limits::SEEN_MESSAGES_MAX as i64;
        for id in 1..=most + 1 {
            seen.told(MessageId(id));
        }
        assert!(!seen.was_told(MessageId(1)) && seen.was_told(MessageId(2)));
        assert!(seen.was_told(MessageId(most + 1)));
        assert!(!seen.is_own(MessageId(2)) && !seen.is_deleted(MessageId(2)));
    }
}
