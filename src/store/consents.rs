//! Consent tickets and OAuth states. Only SHA-256 hashes are stored: whoever reads the database
//! cannot use a link. Each is used once and ends by time.

use rusqlite::OptionalExtension;

use crate::base::clock::UnixMs;
use crate::domain::agent::AgentState;
use crate::domain::ids::AgentName;
use crate::limits;
use crate::store::Result;
use crate::store::Store;
use crate::store::agents;
use crate::store::agents::SealedIdentity;

/// SHA-256 of a ticket or state.
pub type Hash = [u8; 32];

impl Store {
    /// Remembers a ticket, and forgets those that ended.
    ///
    /// # Errors
    /// [`crate::store::Error::Conflict`] when there is no such agent.
    pub fn put_ticket(
        &self,
        hash: Hash,
        agent: &AgentName,
        expires: UnixMs,
        now: UnixMs,
    ) -> Result<()> {
        let agent = agent.clone();
        self.write(move |connection| {
            connection.execute("DELETE FROM consent_states WHERE expires_at <= ?1", [now.0])?;
            connection.execute("DELETE FROM tickets WHERE expires_at <= ?1", [now.0])?;
            connection.execute(
                "INSERT INTO tickets (hash, agent, expires_at) VALUES (?1, ?2, ?3)",
                (hash, agent.as_str(), expires.0),
            )?;
            Ok(())
        })
    }

    /// The agent of a ticket that is neither used nor over.
    ///
    /// # Errors
    /// See [`crate::store::Error`].
    pub fn ticket(&self, hash: Hash, now: UnixMs) -> Result<Option<AgentName>> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT agent FROM tickets WHERE hash = ?1 AND used = 0 AND expires_at > ?2",
            )?;
            let agent: Option<String> =
                statement.query_row((hash, now.0), |row| row.get(0)).optional()?;
            Ok(agent.and_then(|agent| AgentName::parse(&agent)))
        })
    }

    /// Remembers an OAuth state started from a ticket, and forgets its oldest ones beyond a bound.
    ///
    /// # Errors
    /// [`crate::store::Error::Conflict`] when there is no such ticket.
    pub fn put_state(&self, state: Hash, ticket: Hash, expires: UnixMs) -> Result<()> {
        self.write(move |connection| {
            connection.execute(
                "INSERT INTO consent_states (hash, ticket, expires_at) VALUES (?1, ?2, ?3)",
                (state, ticket, expires.0),
            )?;
            connection.execute(
                "DELETE FROM consent_states WHERE ticket = ?1 AND hash <> ?2 AND hash NOT IN \
                 (SELECT hash FROM consent_states WHERE ticket = ?1 AND hash <> ?2 \
                 ORDER BY expires_at DESC LIMIT ?3)",
                (ticket, state, limits::CONSENT_STATES_MAX - 1),
            )?;
            Ok(())
        })
    }

    /// Whether a state was started, and holds with its ticket; it stays.
    ///
    /// # Errors
    /// See [`crate::store::Error`].
    pub fn has_state(&self, state: Hash, now: UnixMs) -> Result<bool> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT EXISTS (SELECT 1 FROM consent_states \
                 JOIN tickets ON tickets.hash = consent_states.ticket \
                 WHERE consent_states.hash = ?1 AND consent_states.expires_at > ?2 \
                 AND tickets.used = 0 AND tickets.expires_at > ?2)",
            )?;
            Ok(statement.query_row((state, now.0), |row| row.get(0))?)
        })
    }

    /// Takes a state: the ticket and agent it was started for, the first time it is asked and
    /// while it and the ticket hold; `None` ever after.
    ///
    /// # Errors
    /// See [`crate::store::Error`].
    pub fn take_state(&self, state: Hash, now: UnixMs) -> Result<Option<(Hash, AgentName)>> {
        self.write(move |connection| {
            let mut statement = connection.prepare(
                "SELECT tickets.hash, tickets.agent FROM consent_states \
                 JOIN tickets ON tickets.hash = consent_states.ticket \
                 WHERE consent_states.hash = ?1 AND consent_states.expires_at > ?2 \
                 AND tickets.used = 0 AND tickets.expires_at > ?2",
            )?;
            let found: Option<(Hash, String)> = statement
                .query_row((state, now.0), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            connection.execute("DELETE FROM consent_states WHERE hash = ?1", [state])?;
            Ok(found.and_then(|(ticket, agent)| Some((ticket, AgentName::parse(&agent)?))))
        })
    }

    /// Uses a ticket up and makes the identity its agent's, which is active from then on unless it is
    /// paused: all of it or nothing. Where it read counts for one account only, so with another it
    /// begins anew; its queue and history stay. `false` when the ticket was used already or is over.
    /// Without a ticket an operator gave the identity.
    ///
    /// # Errors
    /// [`crate::store::Error::Conflict`] when another agent has this user's identity.
    pub fn put_consent(
        &self,
        ticket: Option<Hash>,
        agent: &AgentName,
        identity: SealedIdentity,
        now: UnixMs,
    ) -> Result<bool> {
        let agent = agent.clone();
        self.write(move |connection| {
            if let Some(ticket) = ticket {
                let used = connection.execute(
                    "UPDATE tickets SET used = 1 WHERE hash = ?1 AND used = 0 AND expires_at > ?2",
                    (ticket, now.0),
                )?;
                if used == 0 {
                    return Ok(false);
                }
            }
            let another = connection.execute(
                "UPDATE agents SET cursor = 0, caught_up = NULL, caught_up_at = NULL \
                 WHERE name = ?1 AND user <> ?2",
                (agent.as_str(), identity.user.0),
            )?;
            if another > 0 {
                connection.execute("DELETE FROM chats WHERE agent = ?1", [agent.as_str()])?;
            }
            agents::update_identity(connection, &agent, &identity, now)?;
            connection.execute(
                "UPDATE agents SET state = ?2, reason = '' WHERE name = ?1 AND state <> ?3",
                (agent.as_str(), AgentState::Active.as_str(), AgentState::Paused.as_str()),
            )?;
            Ok(true)
        })
    }
}
