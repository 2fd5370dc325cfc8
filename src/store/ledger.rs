//! The ledger: deliveries, their parts and their attempts.
//!
//! INVARIANT: attempt before effect. [`Store::begin_attempt`] returns only after the attempt is
//! committed; nothing that can change the portal leaves before. An attempt without an end has an
//! unknown effect. Every change of state goes through `domain::delivery::transition`.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::delivery::Event;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::delivery::transition;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::writer::Writing;

/// One piece of a message, as it goes to the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPart {
    /// BB-code.
    pub text: String,
    /// The UUID by which the portal recognises a repeat.
    pub uuid: String,
}

/// A validated delivery.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// The gateway's idempotency key.
    pub id: DeliveryId,
    /// Who speaks.
    pub agent: AgentName,
    /// Where.
    pub dialog: DialogId,
    /// What is asked for.
    pub operation: Operation,
    /// Hash over everything that makes two requests the same.
    pub content: [u8; 32],
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Its pieces in order; at least one.
    pub parts: Vec<NewPart>,
    /// What could not be honoured.
    pub warnings: Vec<String>,
}

/// A part as it lies in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// BB-code.
    pub text: String,
    /// See [`NewPart::uuid`].
    pub uuid: String,
    /// The portal's message, once known.
    pub message: Option<MessageId>,
}

/// A delivery as it lies in the ledger.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place.
    pub row: RowId,
    /// See [`NewDelivery`]; likewise below.
    pub id: DeliveryId,
    /// Who speaks.
    pub agent: AgentName,
    /// Where.
    pub dialog: DialogId,
    /// What is asked for.
    pub operation: Operation,
    /// See [`NewDelivery::content`].
    pub content: [u8; 32],
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: UnixMs,
    /// Code and message of the last failure.
    pub failure: Option<(String, String)>,
    /// What could not be honoured.
    pub warnings: Vec<String>,
    /// Its pieces in order.
    pub parts: Vec<Part>,
}

impl Delivery {
    /// Ids of the portal's messages so far.
    pub fn messages(&self) -> Vec<MessageId> {
        self.parts.iter().filter_map(|part| part.message).collect()
    }

    /// Index of the first part the portal is not known to have.
    pub fn next_part(&self) -> Option<u32> {
        (0..).zip(&self.parts).find(|(_, part)| part.message.is_none()).map(|(number, _)| number)
    }
}

/// What became of an attempt to accept a delivery.
#[derive(Debug)]
pub enum Accepted {
    /// It is new and durable.
    New(RowId),
    /// It is known with the same content.
    Same(Box<Delivery>),
    /// Its id is known with other content.
    Conflict,
    /// Too many deliveries are unfinished.
    Full,
}

/// An unfinished delivery, as the schedule needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Its place.
    pub row: RowId,
    /// Who speaks.
    pub agent: AgentName,
    /// Where; with the agent, what orders deliveries.
    pub dialog: DialogId,
    /// Not to be tried before.
    pub due_at: UnixMs,
}

/// What the ledger knows of the attempts at one part that did not deliver it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// How many there were, failed look-ups among them.
    pub failed: u32,
    /// When the first of those began that may have acted nevertheless.
    pub doubt_since: Option<UnixMs>,
}

/// How a delivery leaves an attempt, or a look-up, without being delivered.
#[derive(Clone, Debug)]
pub struct Setback {
    /// The part that was tried or looked for.
    pub part: u32,
    /// What happened: one of postpone, doubt, reject, give up, park.
    pub event: Event,
    /// When to try again, for postpone and doubt.
    pub due_at: UnixMs,
    /// Code for the gateway and people.
    pub code: String,
    /// One sentence for the gateway and people.
    pub message: String,
    /// The portal's failure behind it, for the attempt's row.
    pub failure: Option<Failure>,
}

const COLUMNS: &str = "row, id, agent, dialog, operation, content, reply_to, state, attempts, \
    due_at, accepted_at, failure_code, failure_message, warnings";

const UNFINISHED: &str = "state IN ('accepted', 'attempting', 'waiting', 'unknown')";

/// Separates warnings in their column; no warning contains it.
const WARNING_SEPARATOR: char = '\n';

impl Store {
    /// Commits a delivery, or says what is known of its id. Durable when it returns.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn accept(&self, new: NewDelivery, unfinished_max: usize, now: UnixMs) -> Result<Accepted> {
        let full = self.unfinished() >= unfinished_max;
        let accepted = self.write(move |connection| {
            let sql = "SELECT row FROM deliveries WHERE id = ?1";
            let row = connection.query_row(sql, [new.id.as_str()], |row| row.get::<_, i64>(0));
            if let Some(row) = row.optional()?
                && let Some(known) = find(connection, "row = ?1", row)?
            {
                let same = known.content == new.content;
                return Ok(if same { Accepted::Same(Box::new(known)) } else { Accepted::Conflict });
            }
            if full {
                return Ok(Accepted::Full);
            }
            Ok(Accepted::New(insert(connection, &new, now)?))
        })?;
        if matches!(accepted, Accepted::New(_)) {
            self.count_unfinished(1);
        }
        Ok(accepted)
    }

    /// One delivery by its place.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delivery(&self, row: RowId) -> Result<Option<Delivery>> {
        self.read(|connection| find(connection, "row = ?1", row.0))
    }

    /// One delivery by the gateway's id.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delivery_by_id(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        self.read(|connection| find(connection, "id = ?1", id.as_str()))
    }

    /// Unfinished deliveries after a row, oldest first, at most `limit`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn unfinished_after(&self, after: RowId, limit: u32) -> Result<Vec<Unfinished>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT row, agent, dialog, due_at FROM deliveries \
                 WHERE {UNFINISHED} AND row > ?1 ORDER BY row LIMIT ?2"
            );
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map((after.0, limit), |row| Ok(unfinished(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Begins an attempt at a part and returns the delivery as it then is. INVARIANT: attempt
    /// before effect; the attempt is committed when this returns.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is finished or already being tried.
    pub fn begin_attempt(&self, row: RowId, part: u32, now: UnixMs) -> Result<()> {
        self.write(move |connection| {
            change_state(connection, row, Event::Begin)?;
            insert_attempt(connection, row, part, now)
        })
    }

    /// The portal has a part as `message`. With a part left, its attempt begins in the same
    /// transaction; with the last one the delivery is delivered.
    ///
    /// # Errors
    /// [`Error::WrongState`] when no attempt is running.
    pub fn part_delivered(
        &self,
        row: RowId,
        part: u32,
        message: MessageId,
        next: Option<u32>,
        now: UnixMs,
    ) -> Result<()> {
        self.write(move |connection| {
            record_part(connection, row, part, message)?;
            end_attempt(connection, row, None, now)?;
            match next {
                Some(next) => {
                    change_state(connection, row, Event::PartDone)?;
                    insert_attempt(connection, row, next, now)
                }
                None => deliver(connection, row, now),
            }
        })?;
        if next.is_none() {
            self.count_unfinished(-1);
        }
        Ok(())
    }

    /// A look into the dialog found a part that an earlier attempt had delivered after all.
    ///
    /// # Errors
    /// [`Error::WrongState`] when the delivery's outcome is not unknown.
    pub fn part_found(
        &self,
        row: RowId,
        part: u32,
        message: MessageId,
        last: bool,
        now: UnixMs,
    ) -> Result<()> {
        self.write(move |connection| {
            record_part(connection, row, part, message)?;
            if last { deliver(connection, row, now) } else { Ok(()) }
        })?;
        if last {
            self.count_unfinished(-1);
        }
        Ok(())
    }

    /// A delivery did not get through: it waits, or reaches an end other than delivered.
    ///
    /// # Errors
    /// [`Error::WrongState`] when the event cannot happen now.
    pub fn set_back(&self, row: RowId, setback: Setback, now: UnixMs) -> Result<State> {
        let state = self.write(move |connection| {
            let state = change_state(connection, row, setback.event)?;
            let failure = setback.failure.as_ref();
            if !end_attempt(connection, row, failure, now)? && failure.is_some() {
                // Nothing was being sent: a look-up failed. It counts, so that the next ones come
                // at growing intervals too.
                insert_attempt(connection, row, setback.part, now)?;
                end_attempt(connection, row, failure, now)?;
            }
            let finished = state.is_end().then_some(now.0);
            connection.execute(
                "UPDATE deliveries SET due_at = ?2, finished_at = ?3, failure_code = ?4, \
                 failure_message = ?5 WHERE row = ?1",
                (row.0, setback.due_at.0, finished, &setback.code, &setback.message),
            )?;
            Ok(state)
        })?;
        if state.is_end() {
            self.count_unfinished(-1);
        }
        Ok(state)
    }

    /// Adds a warning that the answer will carry.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn add_warning(&self, row: RowId, warning: &str) -> Result<()> {
        let warning = warning.replace(WARNING_SEPARATOR, " ");
        self.write(move |connection| {
            let known: String = connection.query_row(
                "SELECT warnings FROM deliveries WHERE row = ?1",
                [row.0],
                |row| row.get(0),
            )?;
            if known.split(WARNING_SEPARATOR).any(|line| line == warning) {
                return Ok(());
            }
            let all = if known.is_empty() { warning } else { format!("{known}\n{warning}") };
            connection
                .execute("UPDATE deliveries SET warnings = ?2 WHERE row = ?1", (row.0, &all))?;
            Ok(())
        })
    }

    /// The attempts at a part so far that did not deliver it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn tries(&self, row: RowId, part: u32) -> Result<Tries> {
        self.read(|connection| {
            let sql = "SELECT COUNT(*), MIN(started_at) FILTER (WHERE effect = 'unknown') \
                       FROM attempts WHERE delivery = ?1 AND part = ?2 AND effect <> 'done'";
            Ok(connection.query_row(sql, (row.0, part), |row| {
                let doubt_since = row.get::<_, Option<i64>>(1)?.map(UnixMs);
                Ok(Tries { failed: row.get(0)?, doubt_since })
            })?)
        })
    }

    /// An attempt is found open that nobody is making: its end could not be recorded, so its
    /// outcome is unknown.
    ///
    /// # Errors
    /// [`Error::WrongState`] when no attempt is open.
    pub fn interrupt_attempt(&self, row: RowId, now: UnixMs) -> Result<()> {
        self.write(move |connection| interrupt(connection, row, now))
    }

    /// At start: every attempt without an end becomes an unknown outcome that is due now. Returns
    /// how many deliveries that were.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn interrupt_attempts(&self, now: UnixMs) -> Result<usize> {
        self.write(move |connection| {
            let mut statement =
                connection.prepare("SELECT row FROM deliveries WHERE state = 'attempting'")?;
            let rows = statement.query_map([], |row| Ok(RowId(row.get(0)?)))?;
            let rows: Vec<RowId> = rows.collect::<rusqlite::Result<_>>()?;
            for row in &rows {
                interrupt(connection, *row, now)?;
            }
            Ok(rows.len())
        })
    }

    /// Whether a message of the portal is one that this connector sent for this agent.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn is_own_message(&self, agent: &AgentName, message: MessageId) -> Result<bool> {
        self.read(|connection| {
            let sql = "SELECT 1 FROM parts JOIN deliveries ON deliveries.row = parts.delivery \
                       WHERE parts.message = ?1 AND deliveries.agent = ?2 LIMIT 1";
            let mut statement = connection.prepare(sql)?;
            Ok(statement.exists((message.0, agent.as_str()))?)
        })
    }

    /// How many deliveries a person has to look at: dead and parked ones.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn given_up(&self) -> Result<u32> {
        self.read(|connection| {
            let sql = "SELECT COUNT(*) FROM deliveries WHERE state IN ('dead', 'parked')";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
    }
}

/// Number of unfinished deliveries, counted once at start.
pub(super) fn count_unfinished(connection: &Connection) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM deliveries WHERE {UNFINISHED}");
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

fn insert(connection: &Writing<'_>, new: &NewDelivery, now: UnixMs) -> Result<RowId> {
    connection.execute(
        "INSERT INTO deliveries (id, agent, dialog, operation, content, reply_to, due_at, \
         accepted_at, warnings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
        rusqlite::params![
            new.id.as_str(),
            new.agent.as_str(),
            new.dialog.to_string(),
            new.operation.as_str(),
            new.content,
            new.reply_to.map(|id| id.0),
            now.0,
            new.warnings.join(&WARNING_SEPARATOR.to_string()),
        ],
    )?;
    let row = connection.last_insert_rowid();
    for (number, part) in (0_u32..).zip(&new.parts) {
        connection.execute(
            "INSERT INTO parts (delivery, part, text, uuid) VALUES (?1, ?2, ?3, ?4)",
            (row, number, &part.text, &part.uuid),
        )?;
    }
    Ok(RowId(row))
}

fn record_part(connection: &Writing<'_>, row: RowId, part: u32, message: MessageId) -> Result<()> {
    connection.execute(
        "UPDATE parts SET message = ?3 WHERE delivery = ?1 AND part = ?2",
        (row.0, part, message.0),
    )?;
    Ok(())
}

/// The portal has every part.
fn deliver(connection: &Writing<'_>, row: RowId, now: UnixMs) -> Result<()> {
    change_state(connection, row, Event::Done)?;
    connection.execute(
        "UPDATE deliveries SET finished_at = ?2, failure_code = NULL, failure_message = NULL \
         WHERE row = ?1",
        (row.0, now.0),
    )?;
    Ok(())
}

fn insert_attempt(connection: &Writing<'_>, row: RowId, part: u32, now: UnixMs) -> Result<()> {
    connection.execute("UPDATE deliveries SET attempts = attempts + 1 WHERE row = ?1", [row.0])?;
    connection.execute(
        "INSERT INTO attempts (delivery, attempt, part, started_at) \
         SELECT row, attempts, ?2, ?3 FROM deliveries WHERE row = ?1",
        (row.0, part, now.0),
    )?;
    Ok(())
}

fn interrupt(connection: &Writing<'_>, row: RowId, now: UnixMs) -> Result<()> {
    change_state(connection, row, Event::Interrupt)?;
    connection.execute("UPDATE deliveries SET due_at = ?2 WHERE row = ?1", (row.0, now.0))?;
    connection.execute(
        "UPDATE attempts SET ended_at = ?2, class = 'interrupted', effect = 'unknown' \
         WHERE delivery = ?1 AND ended_at IS NULL",
        (row.0, now.0),
    )?;
    Ok(())
}

/// Ends the open attempt; `false` when there is none.
fn end_attempt(
    connection: &Writing<'_>,
    row: RowId,
    failure: Option<&Failure>,
    now: UnixMs,
) -> Result<bool> {
    let ended = connection.execute(
        "UPDATE attempts SET ended_at = ?2, class = ?3, code = ?4, effect = ?5 \
         WHERE delivery = ?1 AND ended_at IS NULL",
        (
            row.0,
            now.0,
            failure.map(|failure| failure.class.as_str()),
            failure.map(|failure| failure.code.as_str()),
            failure.map_or("done", |failure| failure.effect.as_str()),
        ),
    )?;
    Ok(ended > 0)
}

fn change_state(connection: &Writing<'_>, row: RowId, event: Event) -> Result<State> {
    let sql = "SELECT state FROM deliveries WHERE row = ?1";
    let found: Option<String> = connection.query_row(sql, [row.0], |row| row.get(0)).optional()?;
    let state = found.as_deref().and_then(State::parse).ok_or(Error::WrongState)?;
    let next = transition(state, event).ok_or(Error::WrongState)?;
    if next != state {
        connection
            .execute("UPDATE deliveries SET state = ?2 WHERE row = ?1", (row.0, next.as_str()))?;
    }
    Ok(next)
}

fn find(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> Result<Option<Delivery>> {
    let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE {condition}");
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_row([value], |row| Ok(delivery(row))).optional()?;
    let Some(mut found) = found.transpose()? else { return Ok(None) };
    let mut statement = connection
        .prepare("SELECT text, uuid, message FROM parts WHERE delivery = ?1 ORDER BY part")?;
    let parts = statement.query_map([found.row.0], |row| {
        Ok(Part {
            text: row.get(0)?,
            uuid: row.get(1)?,
            message: row.get::<_, Option<i64>>(2)?.map(MessageId),
        })
    })?;
    found.parts = parts.collect::<rusqlite::Result<_>>()?;
    Ok(Some(found))
}

fn unfinished(row: &Row<'_>) -> Result<Unfinished> {
    let number: i64 = row.get("row")?;
    let damaged = || Error::Other(format!("delivery {number} is unreadable"));
    let (agent, dialog): (String, String) = (row.get("agent")?, row.get("dialog")?);
    Ok(Unfinished {
        row: RowId(number),
        agent: AgentName::parse(&agent).ok_or_else(damaged)?,
        dialog: DialogId::parse(&dialog).ok_or_else(damaged)?,
        due_at: UnixMs(row.get("due_at")?),
    })
}

/// A delivery without its parts.
fn delivery(row: &Row<'_>) -> Result<Delivery> {
    let Unfinished { row: number, agent, dialog, .. } = unfinished(row)?;
    let damaged = || Error::Other(format!("delivery {number} is unreadable"));
    let id: String = row.get("id")?;
    let operation: String = row.get("operation")?;
    let state: String = row.get("state")?;
    let code: Option<String> = row.get("failure_code")?;
    let message: Option<String> = row.get("failure_message")?;
    let warnings: String = row.get("warnings")?;
    Ok(Delivery {
        row: number,
        id: DeliveryId::parse(&id).ok_or_else(damaged)?,
        agent,
        dialog,
        operation: Operation::parse(&operation).ok_or_else(damaged)?,
        content: row.get("content")?,
        reply_to: row.get::<_, Option<i64>>("reply_to")?.map(MessageId),
        state: State::parse(&state).ok_or_else(damaged)?,
        attempts: row.get("attempts")?,
        accepted_at: UnixMs(row.get("accepted_at")?),
        failure: code.map(|code| (code, message.unwrap_or_default())),
        warnings: warnings.split_terminator(WARNING_SEPARATOR).map(str::to_owned).collect(),
        parts: Vec::new(),
    })
}
