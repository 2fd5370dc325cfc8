//! What happens to deliveries in the ledger: attempts begin and end, states move.
//!
//! INVARIANT: attempt before effect. [`Store::begin_attempt`] returns only after the attempt is
//! committed; nothing that can change the portal leaves before. An attempt without an end has an
//! unknown effect. Every change of state goes through `domain::delivery::transition`.

#[cfg(test)]
use std::time::Duration;

use rusqlite::OptionalExtension;

use crate::base::clock::UnixMs;
use crate::domain::delivery::Event;
use crate::domain::delivery::State;
use crate::domain::delivery::transition;
use crate::domain::failure::Failure;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::ledger::UNFINISHED;
use crate::store::ledger::WARNING_SEPARATOR;
use crate::store::writer::Writing;

/// What a step that is done left on the portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The message it added.
    pub message: Option<MessageId>,
    /// The number of the file it uploaded.
    pub disk: Option<i64>,
}

/// What the ledger knows of the attempts at one step that did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// How many there were since it is tried, failed look-ups among them, but none that only had no
    /// turn, or was cut short by an end of the process.
    pub failed: u32,
    /// When the first of those began that may have acted nevertheless.
    pub doubt_since: Option<UnixMs>,
    /// When the last of those ended, or began if its end was lost.
    pub doubt_last: Option<UnixMs>,
}

/// How a delivery leaves an attempt, a look-up or its planning, without getting on.
#[derive(Clone, Debug)]
pub struct Setback {
    /// The step that was tried or looked for.
    pub step: u32,
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

impl Store {
    /// Begins an attempt at a step. INVARIANT: attempt before effect; the attempt is committed when
    /// this returns.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is finished or already being tried.
    pub fn begin_attempt(&self, row: RowId, step: u32, now: UnixMs) -> Result<()> {
        self.write(move |connection| {
            change_state(connection, row, Event::Begin)?;
            insert_attempt(connection, row, step, now)
        })
    }

    /// The portal has a step. With a step left, its attempt begins in the same transaction; with
    /// the last one the delivery is delivered.
    ///
    /// # Errors
    /// [`Error::WrongState`] when no attempt is running.
    pub fn step_done(
        &self,
        row: RowId,
        step: u32,
        done: Done,
        next: Option<u32>,
        now: UnixMs,
    ) -> Result<()> {
        self.write(move |connection| {
            record_step(connection, row, step, done)?;
            end_attempt(connection, row, None, now)?;
            match next {
                Some(next) => {
                    change_state(connection, row, Event::StepDone)?;
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

    /// A look into the dialog found that an earlier attempt at a step had done it after all.
    ///
    /// # Errors
    /// [`Error::WrongState`] when the delivery's outcome is not unknown.
    pub fn step_found(
        &self,
        row: RowId,
        step: u32,
        message: MessageId,
        last: bool,
        now: UnixMs,
    ) -> Result<()> {
        self.write(move |connection| {
            record_step(connection, row, step, Done { message: Some(message), disk: None })?;
            if last { deliver(connection, row, now) } else { Ok(()) }
        })?;
        if last {
            self.count_unfinished(-1);
        }
        Ok(())
    }

    /// A delivery turned out to have nothing to do.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is finished or being tried.
    pub fn nothing_to_do(&self, row: RowId, now: UnixMs) -> Result<()> {
        self.write(move |connection| {
            change_state(connection, row, Event::Begin)?;
            deliver(connection, row, now)
        })?;
        self.count_unfinished(-1);
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
                insert_attempt(connection, row, setback.step, now)?;
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

    /// What a reaction step really sets, when that is not what was asked for.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set_step_text(&self, row: RowId, step: u32, text: &str) -> Result<()> {
        let text = text.to_owned();
        self.write(move |connection| {
            let sql = "UPDATE steps SET text = ?3 WHERE delivery = ?1 AND step = ?2";
            connection.execute(sql, (row.0, step, &text))?;
            Ok(())
        })
    }

    /// Makes the attempts of a delivery older than they are.
    #[cfg(test)]
    pub fn age_attempts(&self, row: RowId, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("not that old");
        let aged = self.write(move |connection| {
            connection.execute(
                "UPDATE attempts SET started_at = started_at - ?2, ended_at = ended_at - ?2 \
                 WHERE delivery = ?1",
                (row.0, by),
            )?;
            Ok(())
        });
        aged.expect("the database works");
    }

    /// The attempts at a step so far that did not do it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn tries(&self, row: RowId, step: u32) -> Result<Tries> {
        self.read(|connection| {
            // A person's retry begins with short delays again; what may have acted stays in doubt.
            let sql = "SELECT COUNT(*) FILTER (WHERE started_at >= COALESCE( \
                       (SELECT retried_at FROM deliveries WHERE row = ?1), 0) \
                       AND (class IS NULL OR class NOT IN \
                       ('rate_limited', 'method_parked', 'interrupted'))), \
                       MIN(started_at) FILTER (WHERE effect = 'unknown'), \
                       MAX(COALESCE(ended_at, started_at)) FILTER (WHERE effect = 'unknown') \
                       FROM attempts WHERE delivery = ?1 AND step = ?2 AND effect <> 'done'";
            Ok(connection.query_row(sql, (row.0, step), |row| {
                let time = |time: Option<i64>| time.map(UnixMs);
                let (doubt_since, doubt_last) = (time(row.get(1)?), time(row.get(2)?));
                Ok(Tries { failed: row.get(0)?, doubt_since, doubt_last })
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
            // The first half is for the index: all rows would be read without it.
            let sql =
                format!("SELECT row FROM deliveries WHERE {UNFINISHED} AND state = 'attempting'");
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([], |row| Ok(RowId(row.get(0)?)))?;
            let rows: Vec<RowId> = rows.collect::<rusqlite::Result<_>>()?;
            for row in &rows {
                interrupt(connection, *row, now)?;
            }
            Ok(rows.len())
        })
    }
}

fn record_step(connection: &Writing<'_>, row: RowId, step: u32, done: Done) -> Result<()> {
    connection.execute(
        "UPDATE steps SET done = 1, message = COALESCE(?3, message) \
         WHERE delivery = ?1 AND step = ?2",
        (row.0, step, done.message.map(|message| message.0)),
    )?;
    if let Some(disk) = done.disk {
        let sql = "UPDATE files SET disk = ?3 WHERE delivery = ?1 AND file = ?2";
        connection.execute(sql, (row.0, step, disk))?;
    }
    Ok(())
}

/// The portal has every step.
fn deliver(connection: &Writing<'_>, row: RowId, now: UnixMs) -> Result<()> {
    change_state(connection, row, Event::Done)?;
    connection.execute(
        "UPDATE deliveries SET finished_at = ?2, failure_code = NULL, failure_message = NULL \
         WHERE row = ?1",
        (row.0, now.0),
    )?;
    Ok(())
}

fn insert_attempt(connection: &Writing<'_>, row: RowId, step: u32, now: UnixMs) -> Result<()> {
    connection.execute("UPDATE deliveries SET attempts = attempts + 1 WHERE row = ?1", [row.0])?;
    connection.execute(
        "INSERT INTO attempts (delivery, attempt, step, started_at) \
         SELECT row, attempts, ?2, ?3 FROM deliveries WHERE row = ?1",
        (row.0, step, now.0),
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

pub(super) fn change_state(connection: &Writing<'_>, row: RowId, event: Event) -> Result<State> {
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
