//! The ledger as people see and steer it: which deliveries there are, what was tried of each, another
//! try for one that was given up, an end for one that nobody wants any more. Called by `outbound` for
//! what changes the schedule, and by `api` for what is only shown.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::delivery::Event;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::RowId;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::attempts::change_state;
use crate::store::ledger::Delivery;
use crate::store::ledger::FAILED;
use crate::store::ledger::UNFINISHED;
use crate::store::listing;
use crate::store::writer::Writing;

/// Which deliveries to list.
pub type Filter = listing::Filter<State>;

/// A delivery as it stands in a list: nothing of what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its place.
    pub row: RowId,
    /// The gateway's idempotency key.
    pub id: DeliveryId,
    /// Who speaks.
    pub agent: AgentName,
    /// Where.
    pub dialog: DialogId,
    /// What is asked for.
    pub operation: Operation,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted_at: UnixMs,
    /// When it reached its end.
    pub finished_at: Option<UnixMs>,
    /// Not to be tried before.
    pub due_at: UnixMs,
    /// Code and message of the last failure.
    pub failure: Option<(String, String)>,
}

impl From<&Delivery> for Listed {
    fn from(delivery: &Delivery) -> Listed {
        Listed {
            row: delivery.row,
            id: delivery.id.clone(),
            agent: delivery.agent.clone(),
            dialog: delivery.dialog,
            operation: delivery.operation,
            state: delivery.state,
            attempts: delivery.attempts,
            accepted_at: delivery.accepted_at,
            finished_at: delivery.finished_at,
            due_at: delivery.due_at,
            failure: delivery.failure.clone(),
        }
    }
}

/// One attempt at a step, or a look for what one did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which step.
    pub step: u32,
    /// When it began.
    pub started_at: UnixMs,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<UnixMs>,
    /// A text form of `domain::failure`, or `interrupted`; `None` when it did not fail.
    pub class: Option<String>,
    /// The portal's code, or a word of ours.
    pub code: Option<String>,
    /// `done`, `none` or `unknown`; `None` while it runs.
    pub effect: Option<String>,
}

/// Deliveries that a person has to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Tried for too long without effect.
    pub dead: u32,
    /// Of which it could not be found out whether they happened.
    pub parked: u32,
}

/// What a person did to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it stood.
    pub from: State,
    /// Where it stands now.
    pub to: State,
}

/// Which way a list is read. Chosen here and not by SQLite, which knows nothing of how many rows
/// are in which state. A state of few rows leads, then the agent; what is left is so frequent that
/// the newest rows hold enough of it.
fn way(filter: &Filter) -> (&'static str, &'static str) {
    match (filter.state, &filter.agent) {
        (Some(state), _) if !state.is_end() => ("INDEXED BY deliveries_unfinished", UNFINISHED),
        (Some(state), _) if state != State::Delivered => ("INDEXED BY deliveries_failed", FAILED),
        (_, Some(_)) => ("INDEXED BY deliveries_by_agent", "row > 0"),
        (_, None) => ("NOT INDEXED", "TRUE"),
    }
}

/// The query of a list.
fn query(filter: &Filter) -> String {
    let (index, condition) = way(filter);
    let narrowed = filter.narrowed("row");
    format!(
        "SELECT row, id, agent, dialog, operation, state, attempts, accepted_at, finished_at, \
         due_at, failure_code, failure_message FROM deliveries {index} \
         WHERE {condition} AND {narrowed}"
    )
}

impl Store {
    /// Deliveries, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn deliveries(&self, filter: &Filter) -> Result<Vec<Listed>> {
        self.read(|connection| {
            let mut statement = connection.prepare(&query(filter))?;
            let rows = statement.query_map(filter.values(State::as_str), |row| Ok(listed(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// The newest attempts of a delivery, at most `limit`, oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn attempts_of(&self, row: RowId, limit: u32) -> Result<Vec<Attempt>> {
        self.read(|connection| {
            let sql = "SELECT step, started_at, ended_at, class, code, effect FROM attempts \
                       WHERE delivery = ?1 ORDER BY attempt DESC LIMIT ?2";
            let mut statement = connection.prepare(sql)?;
            let attempts = statement.query_map((row.0, limit), |row| {
                Ok(Attempt {
                    step: row.get(0)?,
                    started_at: UnixMs(row.get(1)?),
                    ended_at: row.get::<_, Option<i64>>(2)?.map(UnixMs),
                    class: row.get(3)?,
                    code: row.get(4)?,
                    effect: row.get(5)?,
                })
            })?;
            let mut attempts: Vec<Attempt> = attempts.collect::<rusqlite::Result<_>>()?;
            attempts.reverse();
            Ok(attempts)
        })
    }

    /// How many deliveries a person has to look at.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn given_up(&self) -> Result<GivenUp> {
        self.read(|connection| {
            Ok(GivenUp {
                dead: count_failed(connection, State::Dead)?,
                parked: count_failed(connection, State::Parked)?,
            })
        })
    }

    /// Unfinished deliveries of an agent, oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn unfinished_of(&self, agent: &AgentName) -> Result<Vec<DeliveryId>> {
        self.read(|connection| {
            let sql =
                format!("SELECT id FROM deliveries WHERE {UNFINISHED} AND agent = ?1 ORDER BY row");
            let mut statement = connection.prepare(&sql)?;
            let ids = statement.query_map([agent.as_str()], |row| row.get::<_, String>(0))?;
            let damaged = || Error::Other("deliveries: an id is unreadable".to_owned());
            ids.map(|id| DeliveryId::parse(&id?).ok_or_else(damaged)).collect()
        })
    }

    /// What waits of an agent is due now: which deliveries.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn hurry(&self, agent: &AgentName, now: UnixMs) -> Result<Vec<RowId>> {
        let agent = agent.clone();
        self.write(move |connection| {
            let sql = format!(
                "UPDATE deliveries SET due_at = ?2 WHERE {UNFINISHED} AND agent = ?1 \
                 AND state <> 'attempting' AND due_at > ?2 RETURNING row"
            );
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map((agent.as_str(), now.0), |row| row.get(0).map(RowId))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// A person wants another try of a delivery that was given up: it is due now, and has as much
    /// time as a new one. What may have happened is still in doubt.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it was not given up.
    pub fn retry(&self, row: RowId, now: UnixMs) -> Result<Moved> {
        let moved = self.write(move |connection| {
            let moved = move_by(connection, row, Event::Retry)?;
            connection.execute(
                "UPDATE deliveries SET due_at = ?2, retried_at = ?2, finished_at = NULL \
                 WHERE row = ?1",
                (row.0, now.0),
            )?;
            Ok(moved)
        })?;
        self.count_unfinished(1);
        Ok(moved)
    }

    /// A person wants no more of a delivery: it ends with this code, and with what `told` makes of
    /// the state it is in and of the message it has.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is being tried, or is delivered or refused already.
    pub fn cancel(
        &self,
        row: RowId,
        code: &'static str,
        told: fn(State, Option<&str>) -> String,
        now: UnixMs,
    ) -> Result<Moved> {
        let moved = self.write(move |connection| {
            let moved = move_by(connection, row, Event::Cancel)?;
            let sql = "SELECT failure_message FROM deliveries WHERE row = ?1";
            let known: Option<String> = connection.query_row(sql, [row.0], |row| row.get(0))?;
            let message = told(moved.from, known.as_deref());
            connection.execute(
                "UPDATE deliveries SET finished_at = ?2, failure_code = ?3, failure_message = ?4 \
                 WHERE row = ?1",
                (row.0, now.0, code, &message),
            )?;
            Ok(moved)
        })?;
        if !moved.from.is_end() {
            self.count_unfinished(-1);
        }
        Ok(moved)
    }
}

fn count_failed(connection: &Connection, state: State) -> Result<u32> {
    let sql = format!("SELECT COUNT(*) FROM deliveries WHERE {FAILED} AND state = ?1");
    Ok(connection.query_row(&sql, [state.as_str()], |row| row.get(0))?)
}

fn move_by(connection: &Writing<'_>, row: RowId, event: Event) -> Result<Moved> {
    let sql = "SELECT state FROM deliveries WHERE row = ?1";
    let from: Option<String> = connection.query_row(sql, [row.0], |row| row.get(0)).optional()?;
    let from = from.as_deref().and_then(State::parse).ok_or(Error::WrongState)?;
    Ok(Moved { from, to: change_state(connection, row, event)? })
}

fn listed(row: &Row<'_>) -> Result<Listed> {
    let number: i64 = row.get(0)?;
    let damaged = || Error::Other(format!("delivery {number} is unreadable"));
    let text = |column: usize| row.get::<_, String>(column);
    let code: Option<String> = row.get(10)?;
    let message: Option<String> = row.get(11)?;
    Ok(Listed {
        row: RowId(number),
        id: DeliveryId::parse(&text(1)?).ok_or_else(damaged)?,
        agent: AgentName::parse(&text(2)?).ok_or_else(damaged)?,
        dialog: DialogId::parse(&text(3)?).ok_or_else(damaged)?,
        operation: Operation::parse(&text(4)?).ok_or_else(damaged)?,
        state: State::parse(&text(5)?).ok_or_else(damaged)?,
        attempts: row.get(6)?,
        accepted_at: UnixMs(row.get(7)?),
        finished_at: row.get::<_, Option<i64>>(8)?.map(UnixMs),
        due_at: UnixMs(row.get(9)?),
        failure: code.map(|code| (code, message.unwrap_or_default())),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::query;
    use crate::base::threads::Exits;
    use crate::domain::delivery::State;
    use crate::store::Store;
    use crate::store::listing::searches;

    #[test]
    fn no_list_reads_or_sorts_the_whole_ledger() {
        let dir = std::env::temp_dir().join(format!("review-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        for (filter, plan) in searches(&State::ALL, State::as_str, query, &store) {
            let led = match (filter.state, &filter.agent) {
                (Some(state), _) if !state.is_end() => "deliveries_unfinished (row<?)",
                (Some(state), _) if state != State::Delivered => {
                    "deliveries_failed (state=? AND rowid<?)"
                }
                (_, Some(_)) => "deliveries_by_agent (agent=? AND rowid>? AND rowid<?)",
                (_, None) => "INTEGER PRIMARY KEY (rowid<?)",
            };
            assert!(plan.ends_with(led), "{filter:?}: {plan:?}");
        }
        // Other questions must not find an agent's million rows by it.
        let plan = store.read(|connection| {
            let sql = "EXPLAIN QUERY PLAN SELECT id FROM deliveries WHERE agent = 'mira'";
            Ok(connection.query_row(sql, [], |row| row.get::<_, String>(3))?)
        });
        assert_eq!(plan.expect("plans"), "SCAN deliveries");
        thread.stop();
        let _ = fs::remove_dir_all(&dir);
    }
}
