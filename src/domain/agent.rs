//! The states of an agent, as one closed list with the one thing a person can do about each. Who
//! moves an agent from one to another is `agents`; this only says what a state means.

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

#[cfg(test)]
mod tests {
    use super::AgentState;

    #[test]
    fn text_forms_invert() {
        for state in AgentState::ALL {
            assert_eq!(AgentState::parse(state.as_str()), Some(state));
        }
        assert_eq!(AgentState::parse("Active"), None);
    }
}
