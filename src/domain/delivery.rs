//! What a delivery can be and how it moves: operations, states, and the transition table as data.
//! Every pair that is not in the table is a refusal, so that a bug shows as one instead of as a
//! second message.

/// What a Deliver call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new message.
    Send,
    /// Other text in an existing message.
    Edit,
    /// Remove a message.
    Delete,
    /// Add or take back a reaction.
    React,
    /// Show that the agent is typing; never stored.
    Typing,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 5] =
        [Operation::Send, Operation::Edit, Operation::Delete, Operation::React, Operation::Typing];

    /// The text form in the contract and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Send => "send",
            Operation::Edit => "edit",
            Operation::Delete => "delete",
            Operation::React => "react",
            Operation::Typing => "typing",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.as_str() == text)
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Durable; nothing was tried yet.
    Accepted,
    /// An attempt is running, or was when the process died: then its effect is unknown.
    Attempting,
    /// Tried without effect; due again later.
    Waiting,
    /// Tried with an effect that is not known; due again, looking first.
    Unknown,
    /// The portal shows it. End.
    Delivered,
    /// The portal or a rule refused it for good. End.
    Rejected,
    /// Given up; a person may retry. End.
    Dead,
    /// It may have happened and cannot be found out; a person decides. End.
    Parked,
    /// A person dropped it. End.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: [State; 9] = [
        State::Accepted,
        State::Attempting,
        State::Waiting,
        State::Unknown,
        State::Delivered,
        State::Rejected,
        State::Dead,
        State::Parked,
        State::Cancelled,
    ];

    /// The text form in the database, logs and the control API.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Accepted => "accepted",
            State::Attempting => "attempting",
            State::Waiting => "waiting",
            State::Unknown => "unknown",
            State::Delivered => "delivered",
            State::Rejected => "rejected",
            State::Dead => "dead",
            State::Parked => "parked",
            State::Cancelled => "cancelled",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing will be tried any more without a person.
    pub fn is_end(self) -> bool {
        matches!(
            self,
            State::Delivered | State::Rejected | State::Dead | State::Parked | State::Cancelled
        )
    }
}

/// What happens to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker committed an attempt.
    Begin,
    /// The portal has the step; another one follows.
    StepDone,
    /// The portal has the last step.
    Done,
    /// Refused without effect; again later.
    Postpone,
    /// No trustworthy answer; look first, later.
    Doubt,
    /// Refused for good.
    Reject,
    /// Not worth another try.
    GiveUp,
    /// Inconclusive for too long.
    Park,
    /// The process started and found an attempt without an end.
    Interrupt,
    /// A person wants another try.
    Retry,
    /// A person drops it.
    Cancel,
}

impl Event {
    /// Every event.
    #[cfg(test)]
    pub const ALL: [Event; 11] = [
        Event::Begin,
        Event::StepDone,
        Event::Done,
        Event::Postpone,
        Event::Doubt,
        Event::Reject,
        Event::GiveUp,
        Event::Park,
        Event::Interrupt,
        Event::Retry,
        Event::Cancel,
    ];
}

/// Every allowed move.
pub const TRANSITIONS: &[(State, Event, State)] = &[
    (State::Accepted, Event::Begin, State::Attempting),
    (State::Waiting, Event::Begin, State::Attempting),
    (State::Unknown, Event::Begin, State::Attempting),
    (State::Attempting, Event::StepDone, State::Attempting),
    (State::Attempting, Event::Done, State::Delivered),
    (State::Attempting, Event::Postpone, State::Waiting),
    (State::Attempting, Event::Doubt, State::Unknown),
    (State::Attempting, Event::Reject, State::Rejected),
    (State::Attempting, Event::GiveUp, State::Dead),
    (State::Attempting, Event::Park, State::Parked),
    (State::Attempting, Event::Interrupt, State::Unknown),
    // Nothing was tried: no token, agent paused, look-up impossible just now.
    (State::Accepted, Event::Postpone, State::Waiting),
    (State::Waiting, Event::Postpone, State::Waiting),
    (State::Unknown, Event::Doubt, State::Unknown),
    // The look-up found the last step, or settled that no more is to be done.
    (State::Unknown, Event::StepDone, State::Unknown),
    (State::Unknown, Event::Done, State::Delivered),
    (State::Unknown, Event::Park, State::Parked),
    (State::Accepted, Event::Reject, State::Rejected),
    (State::Waiting, Event::Reject, State::Rejected),
    (State::Accepted, Event::GiveUp, State::Dead),
    (State::Waiting, Event::GiveUp, State::Dead),
    (State::Dead, Event::Retry, State::Waiting),
    (State::Parked, Event::Retry, State::Unknown),
    (State::Accepted, Event::Cancel, State::Cancelled),
    (State::Waiting, Event::Cancel, State::Cancelled),
    (State::Unknown, Event::Cancel, State::Cancelled),
    (State::Dead, Event::Cancel, State::Cancelled),
    (State::Parked, Event::Cancel, State::Cancelled),
];

/// The state after an event; `None` when the event cannot happen in that state.
pub fn transition(state: State, event: Event) -> Option<State> {
    let found = TRANSITIONS.iter().find(|(from, on, _)| *from == state && *on == event);
    found.map(|(_, _, to)| *to)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Event;
    use super::Operation;
    use super::State;
    use super::TRANSITIONS;
    use super::transition;

    #[test]
    fn text_forms_invert() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        for operation in Operation::ALL {
            assert_eq!(Operation::parse(operation.as_str()), Some(operation));
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
    fn an_end_is_left_only_by_a_person() {
        for state in State::ALL.into_iter().filter(|state| state.is_end()) {
            for event in Event::ALL {
                if transition(state, event).is_some() {
                    assert!(matches!(event, Event::Retry | Event::Cancel), "{state:?} {event:?}");
                }
            }
        }
        for state in [State::Delivered, State::Rejected, State::Cancelled] {
            assert!(Event::ALL.iter().all(|event| transition(state, *event).is_none()));
        }
    }

    #[test]
    fn every_unfinished_state_can_reach_an_end() {
        for start in State::ALL.into_iter().filter(|state| !state.is_end()) {
            let mut reached = HashSet::from([start]);
            for _ in 0..State::ALL.len() {
                let next: Vec<State> = TRANSITIONS
                    .iter()
                    .filter(|(from, _, _)| reached.contains(from))
                    .map(|(_, _, to)| *to)
                    .collect();
                reached.extend(next);
            }
            assert!(reached.contains(&State::Delivered), "{start:?}");
        }
    }

    #[test]
    fn nothing_can_be_tried_twice_at_once() {
        assert_eq!(transition(State::Attempting, Event::Begin), None);
        assert_eq!(transition(State::Delivered, Event::Begin), None);
    }
}
