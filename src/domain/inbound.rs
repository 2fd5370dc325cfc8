//! What an inbound message in the outbox can be and how it moves: states, and the transition table as
//! data. Every pair that is not in the table is a refusal. Also how people name such a message, or an
//! event that could not be read. Called by `store`, and by `api` for what people see.

use std::fmt;

use crate::domain::ids::RowId;

/// Where an inbound message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for the gateway, or is on its way there.
    Pending,
    /// The gateway has it. End.
    Accepted,
    /// The gateway refuses it for good; a person may retry. End.
    Dead,
    /// A person dropped it. End.
    Dropped,
    /// It was deleted on the portal before the gateway had it. End.
    Withdrawn,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] =
        [State::Pending, State::Accepted, State::Dead, State::Dropped, State::Withdrawn];

    /// The text form in the database, logs and the control API.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Accepted => "accepted",
            State::Dead => "dead",
            State::Dropped => "dropped",
            State::Withdrawn => "withdrawn",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What happens to an inbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The gateway has it.
    Accept,
    /// The gateway refuses it for good.
    Refuse,
    /// It was deleted on the portal.
    Withdraw,
    /// A person wants another try.
    Retry,
    /// A person drops it.
    Drop,
}

impl Event {
    /// Every event.
    #[cfg(test)]
    pub const ALL: [Event; 5] =
        [Event::Accept, Event::Refuse, Event::Withdraw, Event::Retry, Event::Drop];
}

/// Every allowed move. A drop is final, as it is for deliveries: what came after it in its dialog has
/// gone by then.
pub const TRANSITIONS: &[(State, Event, State)] = &[
    (State::Pending, Event::Accept, State::Accepted),
    (State::Pending, Event::Refuse, State::Dead),
    (State::Pending, Event::Withdraw, State::Withdrawn),
    (State::Pending, Event::Drop, State::Dropped),
    (State::Dead, Event::Withdraw, State::Withdrawn),
    (State::Dead, Event::Retry, State::Pending),
    (State::Dead, Event::Drop, State::Dropped),
    // It was on its way: that the gateway has it is a fact, whatever was wanted meanwhile.
    (State::Dropped, Event::Accept, State::Accepted),
    (State::Withdrawn, Event::Accept, State::Accepted),
];

/// The state after an event; `None` when the event cannot happen in that state.
pub fn transition(state: State, event: Event) -> Option<State> {
    let found = TRANSITIONS.iter().find(|(from, on, _)| *from == state && *on == event);
    found.map(|(_, _, to)| *to)
}

/// What a person points at: `12` is a message of the outbox, `q12` an event that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A row of the outbox.
    Message(RowId),
    /// A row of the quarantine.
    Unread(RowId),
}

impl Item {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Item> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten().filter(|&id| id > 0).map(RowId)
        };
        match text.strip_prefix('q') {
            Some(digits) => number(digits).map(Item::Unread),
            None => number(text).map(Item::Message),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Message(row) => row.fmt(f),
            Item::Unread(row) => write!(f, "q{row}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Event;
    use super::Item;
    use super::State;
    use super::TRANSITIONS;
    use super::transition;
    use crate::domain::ids::RowId;

    #[test]
    fn text_forms_invert() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("quarantined"), None, "that is another table");
        for text in ["1", "70415", "q1", "q9223372036854775807"] {
            assert_eq!(Item::parse(text).expect("reads").to_string(), text);
        }
        assert_eq!(Item::parse("q12"), Some(Item::Unread(RowId(12))));
        let beyond = "9223372036854775808";
        for bad in ["", "q", "0", "q0", "-1", "+1", " 1", "1 ", "1q", "Q1", "qq1", "%31", beyond] {
            assert_eq!(Item::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_pair_is_decided_once() {
        let pairs: HashSet<_> = TRANSITIONS.iter().map(|(from, on, _)| (*from, *on)).collect();
        assert_eq!(pairs.len(), TRANSITIONS.len());
        let allowed = State::ALL
            .iter()
            .flat_map(|state| Event::ALL.iter().map(move |event| transition(*state, *event)))
            .flatten()
            .count();
        assert_eq!(allowed, TRANSITIONS.len());
    }

    #[test]
    fn only_a_person_brings_a_message_back_and_nothing_undoes_what_the_gateway_has() {
        for (from, event, to) in TRANSITIONS {
            assert!(*to != State::Pending || (*from, *event) == (State::Dead, Event::Retry));
            assert_ne!(*from, State::Accepted);
        }
        for state in State::ALL.into_iter().filter(|state| *state != State::Dead) {
            assert_eq!(transition(state, Event::Retry), None, "{state:?}");
        }
        for state in State::ALL {
            let can = matches!(state, State::Pending | State::Dead);
            assert_eq!(transition(state, Event::Drop).is_some(), can, "{state:?}");
        }
    }

    #[test]
    fn a_refusal_ends_only_what_still_waits() {
        for state in State::ALL {
            let dies = state == State::Pending;
            assert_eq!(transition(state, Event::Refuse).is_some(), dies, "{state:?}");
        }
    }
}
