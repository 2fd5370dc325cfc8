//! Agents: their state, cursor and identity. Tokens arrive and leave sealed; what a state means is
//! `domain`'s business. Called by the registry of `agents`, and for cursors by `inbound`.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::agent::AgentState;
use crate::domain::ids::AgentName;
use crate::domain::ids::EventId;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::put_meta;

/// An identity as it lies in the database: whom the agent acts as, and its sealed token pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedIdentity {
    /// The portal user the tokens act as.
    pub user: UserId,
    /// The user's name, for people.
    pub user_name: String,
    /// The portal.
    pub member: MemberId,
    /// REST root of the portal, as the latest token answer gave it.
    pub client_endpoint: String,
    /// Authorization server that issued the pair.
    pub oauth_host: String,
    /// Whether it is a webhook, whose secret is `access`, and has no tokens.
    pub webhook: bool,
    /// Sealed access token.
    pub access: Vec<u8>,
    /// Sealed refresh token.
    pub refresh: Vec<u8>,
    /// Sealed refresh token of the pair before, kept until the new access token has worked once
    /// (b24: transport §1.8).
    pub previous_refresh: Option<Vec<u8>>,
    /// When the access token ends, by our clock.
    pub expires_at: UnixMs,
    /// When the pair was obtained.
    pub refreshed_at: UnixMs,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Its name.
    pub name: AgentName,
    /// Where it stands.
    pub state: AgentState,
    /// Why, for people; empty when there is nothing to say.
    pub reason: String,
    /// Its identity, once somebody consented.
    pub identity: Option<SealedIdentity>,
    /// The offset to ask the next events with; zero before the first.
    pub cursor: EventId,
}

const COLUMNS: &str = "name, state, reason, cursor, user, user_name, member, client_endpoint, \
    oauth_host, webhook, access, refresh, previous_refresh, expires_at, refreshed_at";

impl Store {
    /// Every agent by name.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn agents(&self) -> Result<Vec<AgentRow>> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM agents ORDER BY name");
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([], |row| Ok(agent(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// One agent.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn agent(&self, name: &AgentName) -> Result<Option<AgentRow>> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM agents WHERE name = ?1");
            let mut statement = connection.prepare(&sql)?;
            statement.query_row([name.as_str()], |row| Ok(agent(row))).optional()?.transpose()
        })
    }

    /// Creates an agent without identity; `false` when it exists already.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn create_agent(&self, name: &AgentName, now: UnixMs) -> Result<bool> {
        let name = name.clone();
        self.write(move |connection| {
            let inserted = connection.execute(
                "INSERT INTO agents (name, state, created_at, changed_at) \
                 VALUES (?1, ?2, ?3, ?3) ON CONFLICT (name) DO NOTHING",
                (name.as_str(), AgentState::Created.as_str(), now.0),
            )?;
            Ok(inserted == 1)
        })
    }

    /// Sets an agent's state and the reason for it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set_agent_state(
        &self,
        name: &AgentName,
        state: AgentState,
        reason: &str,
        now: UnixMs,
    ) -> Result<()> {
        let (name, reason) = (name.clone(), reason.to_owned());
        self.write(move |connection| update_state(connection, &name, state, &reason, now))
    }

    /// Stores an identity or its renewed tokens. The cursor stays.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another agent has this user's identity.
    pub fn put_identity(
        &self,
        name: &AgentName,
        identity: SealedIdentity,
        now: UnixMs,
    ) -> Result<()> {
        let name = name.clone();
        self.write(move |connection| update_identity(connection, &name, &identity, now))
    }

    /// Stores identities and a fact about all of them (see [`Store::set_meta`]) in one piece.
    ///
    /// # Errors
    /// See [`Error`]; nothing changed then.
    pub fn put_identities(
        &self,
        identities: Vec<(AgentName, SealedIdentity)>,
        (key, value): (&'static str, Vec<u8>),
        now: UnixMs,
    ) -> Result<()> {
        self.write(move |connection| {
            for (name, identity) in &identities {
                update_identity(connection, name, identity, now)?;
            }
            put_meta(connection, key, &value)
        })
    }

    /// Forgets an agent with its identity, its outbox and where it read; deliveries stay.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn forget_agent(&self, name: &AgentName) -> Result<()> {
        let name = name.clone();
        self.write(move |connection| {
            connection.execute("DELETE FROM agents WHERE name = ?1", [name.as_str()])?;
            Ok(())
        })
    }

    /// Forgets the refresh token of the pair before: the new access token has worked.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn drop_previous_refresh(&self, name: &AgentName) -> Result<()> {
        let name = name.clone();
        self.write(move |connection| {
            connection.execute(
                "UPDATE agents SET previous_refresh = NULL WHERE name = ?1",
                [name.as_str()],
            )?;
            Ok(())
        })
    }
}

pub(super) fn update_state(
    connection: &Connection,
    name: &AgentName,
    state: AgentState,
    reason: &str,
    now: UnixMs,
) -> Result<()> {
    connection.execute(
        "UPDATE agents SET state = ?2, reason = ?3, changed_at = ?4 WHERE name = ?1",
        (name.as_str(), state.as_str(), reason, now.0),
    )?;
    Ok(())
}

pub(super) fn update_identity(
    connection: &Connection,
    name: &AgentName,
    identity: &SealedIdentity,
    now: UnixMs,
) -> Result<()> {
    connection.execute(
        "UPDATE agents SET user = ?2, user_name = ?3, member = ?4, client_endpoint = ?5, \
         oauth_host = ?6, access = ?7, refresh = ?8, previous_refresh = ?9, expires_at = ?10, \
         refreshed_at = ?11, changed_at = ?12, webhook = ?13 WHERE name = ?1",
        rusqlite::params![
            name.as_str(),
            identity.user.0,
            identity.user_name,
            identity.member.0,
            identity.client_endpoint,
            identity.oauth_host,
            identity.access,
            identity.refresh,
            identity.previous_refresh,
            identity.expires_at.0,
            identity.refreshed_at.0,
            now.0,
            identity.webhook,
        ],
    )?;
    Ok(())
}

fn agent(row: &Row<'_>) -> Result<AgentRow> {
    let name: String = row.get("name")?;
    let state: String = row.get("state")?;
    let damaged = |what: &str| Error::Other(format!("agents: {what} of {name:?} is unreadable"));
    let user: Option<i64> = row.get("user")?;
    let identity = match user {
        None => None,
        Some(user) => Some(SealedIdentity {
            user: UserId(user),
            user_name: row.get("user_name")?,
            member: MemberId(row.get("member")?),
            client_endpoint: row.get("client_endpoint")?,
            oauth_host: row.get("oauth_host")?,
            webhook: row.get("webhook")?,
            access: row.get("access")?,
            refresh: row.get("refresh")?,
            previous_refresh: row.get("previous_refresh")?,
            expires_at: UnixMs(row.get("expires_at")?),
            refreshed_at: UnixMs(row.get("refreshed_at")?),
        }),
    };
    Ok(AgentRow {
        state: AgentState::parse(&state).ok_or_else(|| damaged("state"))?,
        reason: row.get("reason")?,
        identity,
        cursor: EventId(row.get("cursor")?),
        name: AgentName::parse(&name).ok_or_else(|| damaged("name"))?,
    })
}
