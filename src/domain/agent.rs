//! The states of an agent, as one closed list with the one thing a person can do about each, and the
//! moves between them as data. Every pair that is not in the table leaves an agent where it is: what
//! a call in flight finds out must not undo what a person did meanwhile. Called by `agents`.

/// Where an agent stands. Text forms are the same in the database, JSON, logs and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// Created; nobody consented yet. To do: open the consent link.
    Created,
    /// Reads and writes. To do: nothing.
    Active,
    /// Temporary trouble with the portal; recovers by itself. To do: read the reason.
    Degraded,
    /// The identity is gone. To do: consent again, or mend what the reason says.
    Revoked,
    /// Switched off by an operator. To do: resume.
    Paused,
}

impl AgentState {
    /// Every state.
    pub const ALL: [AgentState; 5] = [
        AgentState::Created,
        AgentState::Active,
        AgentState::Degraded,
        AgentState::Revoked,
        AgentState::Paused,
    ];

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            AgentState::Created => "created",
            AgentState::Active => "active",
            AgentState::Degraded => "degraded",
            AgentState::Revoked => "revoked",
            AgentState::Paused => "paused",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<AgentState> {
        AgentState::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the agent is to be polled and may be written for.
    pub fn works(self) -> bool {
        matches!(self, AgentState::Active | AgentState::Degraded)
    }
}

/// What happens to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody confirmed an identity for it.
    Connected,
    /// A call worked.
    Works,
    /// A call met trouble that passes, or that somebody mends without a new identity.
    Troubled,
    /// The portal does not accept its identity any more.
    Lost,
    /// A rare look found that the identity works again.
    Recovered,
    /// An operator switched it off.
    Paused,
    /// An operator switched it on again; it has an identity.
    Resumed,
    /// The same of an agent without one.
    ResumedUnconnected,
}

/// Every move.
pub const TRANSITIONS: &[(AgentState, Event, AgentState)] = &[
    (AgentState::Created, Event::Connected, AgentState::Active),
    (AgentState::Active, Event::Connected, AgentState::Active),
    (AgentState::Degraded, Event::Connected, AgentState::Active),
    (AgentState::Revoked, Event::Connected, AgentState::Active),
    (AgentState::Degraded, Event::Works, AgentState::Active),
    (AgentState::Active, Event::Troubled, AgentState::Degraded),
    (AgentState::Degraded, Event::Troubled, AgentState::Degraded),
    (AgentState::Active, Event::Lost, AgentState::Revoked),
    (AgentState::Degraded, Event::Lost, AgentState::Revoked),
    (AgentState::Revoked, Event::Recovered, AgentState::Active),
    (AgentState::Created, Event::Paused, AgentState::Paused),
    (AgentState::Active, Event::Paused, AgentState::Paused),
    (AgentState::Degraded, Event::Paused, AgentState::Paused),
    (AgentState::Revoked, Event::Paused, AgentState::Paused),
    (AgentState::Paused, Event::Resumed, AgentState::Active),
    (AgentState::Paused, Event::ResumedUnconnected, AgentState::Created),
];

/// The state after an event; `None` when the agent stays as it is.
pub fn transition(state: AgentState, event: Event) -> Option<AgentState> {
    let found = TRANSITIONS.iter().find(|(from, on, _)| *from == state && *on == event);
    found.map(|(_, _, to)| *to)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::AgentState;
    use super::Event;
    use super::TRANSITIONS;
    use super::transition;

    #[test]
    fn text_forms_invert() {
        for state in AgentState::ALL {
            assert_eq!(AgentState::parse(state.as_str()), Some(state));
        }
        assert_eq!(AgentState::parse("Active"), None);
    }

    #[test]
    fn every_pair_is_decided_once_and_only_an_operator_ends_a_pause() {
        let pairs: HashSet<_> = TRANSITIONS.iter().map(|(from, on, _)| (*from, *on)).collect();
        assert_eq!(pairs.len(), TRANSITIONS.len());
        for (from, event, to) in TRANSITIONS {
            let resumed = matches!(event, Event::Resumed | Event::ResumedUnconnected);
            assert_eq!(*from == AgentState::Paused, resumed, "{event:?}");
            assert_eq!(*to == AgentState::Paused, *event == Event::Paused, "{from:?}");
        }
        // A call in flight says nothing of an agent that was switched off or lost meanwhile.
        for state in [AgentState::Created, AgentState::Revoked, AgentState::Paused] {
            for event in [Event::Works, Event::Troubled, Event::Lost] {
                assert_eq!(transition(state, event), None, "{state:?} {event:?}");
            }
        }
    }
}
