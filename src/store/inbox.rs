//! The outbox as people see and steer it: which messages there are, what one says, another try for one
//! that the gateway refused, an end for one that nobody wants any more; and beside it the events that
//! could not be read. Which moves there are is in `domain::inbound`. Called by `inbound` for what
//! changes what is relayed, and by `api` for what is only shown.

use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::inbound::Event;
use crate::domain::inbound::State;
use crate::domain::inbound::transition;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::listing;
use crate::store::outbox;
use crate::store::outbox::NewInbound;
use crate::store::outbox::OutboxCounts;
use crate::store::writer::Writing;

/// Which messages to list.
pub type Filter = listing::Filter<State>;

/// A message as it stands in a list: nothing of what it says or of who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its place.
    pub row: RowId,
    /// The agent it was read by.
    pub agent: AgentName,
    /// Where it was written.
    pub dialog: DialogId,
    /// The portal's id of it.
    pub message: MessageId,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was committed.
    pub queued_at: UnixMs,
    /// Not to be tried before.
    pub due_at: UnixMs,
    /// When it reached its end.
    pub finished_at: Option<UnixMs>,
    /// Code of the last failure.
    pub failure: Option<String>,
}

/// A message with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What a list shows.
    pub listed: Listed,
    /// What it says, and who wrote it.
    pub inbound: NewInbound,
}

/// An event that could not be read, as it stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its place in the quarantine.
    pub row: RowId,
    /// The agent whose event it is.
    pub agent: AgentName,
    /// Its id in the portal's log, if at least that could be read.
    pub event: Option<EventId>,
    /// When it was put there.
    pub queued_at: UnixMs,
}

/// How the outbox stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxStanding {
    /// Messages that wait for the gateway.
    pub pending: u32,
    /// When the oldest of them was committed.
    pub oldest_pending: Option<UnixMs>,
    /// Messages that the gateway refused for good.
    pub dead: u32,
    /// Events that could not be read.
    pub quarantined: u32,
}

/// Which way a list is read, as for deliveries: a state of few rows leads, then the agent; what is
/// left is so frequent that the newest rows hold enough of it.
fn way(filter: &Filter) -> (&'static str, &'static str) {
    match (filter.state, &filter.agent) {
        // Literals, so that the partial indexes serve them.
        (Some(State::Pending), _) => ("INDEXED BY outbox_pending", "state = 'pending'"),
        (Some(State::Dead), _) => ("INDEXED BY outbox_dead", "state = 'dead'"),
        (Some(State::Dropped | State::Withdrawn), _) => {
            ("INDEXED BY outbox_put_aside", "state IN ('dropped', 'withdrawn')")
        }
        (Some(State::Accepted) | None, Some(_)) => ("INDEXED BY outbox_by_agent", "id > 0"),
        (Some(State::Accepted) | None, None) => ("NOT INDEXED", "TRUE"),
    }
}

const LISTED: &str =
    "id, agent, dialog, message, state, attempts, queued_at, due_at, finished_at, failure";

/// The query of a list.
fn query(filter: &Filter) -> String {
    let (index, condition) = way(filter);
    let narrowed = filter.narrowed("id");
    format!(
        "SELECT {LISTED} FROM outbox {index} \
         WHERE {condition} AND {narrowed}"
    )
}

impl Store {
    /// Messages of the outbox, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn letters(&self, filter: &Filter) -> Result<Vec<Listed>> {
        self.read(|connection| {
            let mut statement = connection.prepare(&query(filter))?;
            let rows = statement.query_map(filter.values(State::as_str), |row| Ok(listed(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// One message of the outbox, wherever it stands.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn letter(&self, row: RowId) -> Result<Option<Letter>> {
        self.read(|connection| {
            let sql = format!("SELECT {LISTED}, {} FROM outbox WHERE id = ?1", outbox::CONTENT);
            let mut statement = connection.prepare(&sql)?;
            let found = statement.query_row([row.0], |row| Ok(letter(row))).optional()?;
            found.transpose()
        })
    }

    /// Events that could not be read, newest first; the filter's state does not matter.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn quarantine(&self, filter: &Filter) -> Result<Vec<Unread>> {
        self.read(|connection| {
            let sql = "SELECT id, agent, event, queued_at FROM quarantine \
                       WHERE (?1 IS NULL OR agent = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3";
            let mut statement = connection.prepare(sql)?;
            let before = filter.before.map_or(i64::MAX, |row| row.0);
            let agent = filter.agent.as_ref().map(AgentName::as_str);
            let rows = statement.query_map((agent, before, filter.limit), |row| Ok(unread(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// One such event, and what came.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn quarantined(&self, row: RowId) -> Result<Option<(Unread, String)>> {
        self.read(|connection| {
            let sql = "SELECT id, agent, event, queued_at, raw FROM quarantine WHERE id = ?1";
            let mut statement = connection.prepare(sql)?;
            let found = statement.query_row([row.0], |row| Ok((unread(row), row.get("raw"))));
            let Some((unread, raw)) = found.optional()? else { return Ok(None) };
            Ok(Some((unread?, raw?)))
        })
    }

    /// Forgets such an event; whether there was one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn forget_quarantined(&self, row: RowId) -> Result<bool> {
        self.write(move |connection| {
            Ok(connection.execute("DELETE FROM quarantine WHERE id = ?1", [row.0])? > 0)
        })
    }

    /// How many messages wait, and what a person has to look at.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn outbox_standing(&self) -> Result<OutboxStanding> {
        let OutboxCounts { pending, dead } = self.outbox_counts()?;
        self.read(|connection| {
            let oldest = "SELECT queued_at FROM outbox INDEXED BY outbox_pending \
                          WHERE state = 'pending' ORDER BY id LIMIT 1";
            let oldest = connection.query_row(oldest, [], |row| row.get(0)).optional()?;
            let quarantined = "SELECT COUNT(*) FROM quarantine";
            let quarantined = connection.query_row(quarantined, [], |row| row.get(0))?;
            Ok(OutboxStanding { pending, oldest_pending: oldest.map(UnixMs), dead, quarantined })
        })
    }

    /// The gateway has it. Returns where it stood: when a person dropped it, or its author deleted
    /// it, while it was on its way, it is relayed all the same. `None` when it is gone or was counted
    /// already.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn letter_accepted(&self, row: RowId, now: UnixMs) -> Result<Option<State>> {
        self.write(move |connection| {
            let Some(from) = move_by(connection, row, Event::Accept)? else { return Ok(None) };
            connection.execute(
                "UPDATE outbox SET attempts = attempts + 1, failure = '', finished_at = ?2 \
                 WHERE id = ?1",
                (row.0, now.0),
            )?;
            Ok(Some(from))
        })
    }

    /// A person wants another try of a message that the gateway refused: it is due now. Returns
    /// where it stood.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it was not refused.
    pub fn retry_letter(&self, row: RowId, now: UnixMs) -> Result<State> {
        self.write(move |connection| {
            let from = move_by(connection, row, Event::Retry)?.ok_or(Error::WrongState)?;
            connection.execute(
                "UPDATE outbox SET due_at = ?2, failure = '', finished_at = NULL WHERE id = ?1",
                (row.0, now.0),
            )?;
            Ok(from)
        })
    }

    /// A person wants no more of a message: what failed last stays told. Returns where it stood.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it neither waits nor was refused.
    pub fn drop_letter(&self, row: RowId, now: UnixMs) -> Result<State> {
        self.write(move |connection| {
            let from = move_by(connection, row, Event::Drop)?.ok_or(Error::WrongState)?;
            connection
                .execute("UPDATE outbox SET finished_at = ?2 WHERE id = ?1", (row.0, now.0))?;
            Ok(from)
        })
    }
}

/// Moves a row by the table: where it stood, or `None` when it is gone or the table has no such move.
fn move_by(connection: &Writing<'_>, row: RowId, event: Event) -> Result<Option<State>> {
    let sql = "SELECT state FROM outbox WHERE id = ?1";
    let found: Option<String> = connection.query_row(sql, [row.0], |row| row.get(0)).optional()?;
    let Some(from) = found.as_deref().and_then(State::parse) else { return Ok(None) };
    let Some(to) = transition(from, event) else { return Ok(None) };
    connection.execute("UPDATE outbox SET state = ?2 WHERE id = ?1", (row.0, to.as_str()))?;
    Ok(Some(from))
}

fn listed(row: &Row<'_>) -> Result<Listed> {
    let number: i64 = row.get("id")?;
    let damaged = || Error::Other(format!("outbox row {number} is unreadable"));
    let text = |column: &str| row.get::<_, String>(column);
    Ok(Listed {
        row: RowId(number),
        agent: AgentName::parse(&text("agent")?).ok_or_else(damaged)?,
        dialog: DialogId::parse(&text("dialog")?).ok_or_else(damaged)?,
        message: MessageId(row.get("message")?),
        state: State::parse(&text("state")?).ok_or_else(damaged)?,
        attempts: row.get("attempts")?,
        queued_at: UnixMs(row.get("queued_at")?),
        due_at: UnixMs(row.get("due_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(UnixMs),
        failure: Some(text("failure")?).filter(|code| !code.is_empty()),
    })
}

fn letter(row: &Row<'_>) -> Result<Letter> {
    Ok(Letter { listed: listed(row)?, inbound: outbox::message(row)? })
}

fn unread(row: &Row<'_>) -> Result<Unread> {
    let number: i64 = row.get("id")?;
    let agent: String = row.get("agent")?;
    let damaged = || Error::Other(format!("quarantine row {number} is unreadable"));
    Ok(Unread {
        row: RowId(number),
        agent: AgentName::parse(&agent).ok_or_else(damaged)?,
        event: row.get::<_, Option<i64>>("event")?.map(EventId),
        queued_at: UnixMs(row.get("queued_at")?),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::query;
    use crate::base::threads::Exits;
    use crate::domain::inbound::State;
    use crate::store::Store;
    use crate::store::listing::searches;

    #[test]
    fn no_list_reads_or_sorts_the_whole_outbox() {
        let dir = std::env::temp_dir().join(format!("inbox-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        for (filter, plan) in searches(&State::ALL, State::as_str, query, &store) {
            let led = match (filter.state, &filter.agent) {
                (Some(State::Pending), _) => "outbox_pending (id<?)",
                (Some(State::Dead), _) => "outbox_dead (id<?)",
                (Some(State::Dropped | State::Withdrawn), _) => {
                    "outbox_put_aside (state=? AND rowid<?)"
                }
                (_, Some(_)) => "outbox_by_agent (agent=? AND rowid>? AND rowid<?)",
                (_, None) => "INTEGER PRIMARY KEY (rowid<?)",
            };
            assert!(plan.ends_with(led), "{filter:?}: {plan:?}");
        }
        thread.stop();
        let _ = fs::remove_dir_all(&dir);
    }
}
