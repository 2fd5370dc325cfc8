//! Removing what ended long ago, some rows at a time, oldest first. Called by `upkeep`.
//!
//! A message that is removed must not come again when its author edits it: the newest that was removed
//! of an agent is remembered, and older ones are not taken any more.

use crate::base::clock::UnixMs;
use crate::domain::ids::RowId;
use crate::limits;
use crate::store::Result;
use crate::store::Store;
use crate::store::writer::Writing;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// Deliveries with their steps, attempts and files.
    Deliveries,
    /// Inbound messages.
    Messages,
}

/// What one batch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Rows that went.
    pub removed: usize,
    /// Where the next batch begins; `None` when the rest is too young.
    pub next: Option<RowId>,
}

impl Store {
    /// Looks at some rows after `from`, and removes those that ended before a moment.
    ///
    /// # Errors
    /// See [`crate::store::Error`]; nothing of this batch went then.
    pub fn prune(&self, old: Old, from: Option<RowId>, before: UnixMs) -> Result<Batch> {
        self.write(move |connection| batch(connection, old, from, before))
    }
}

fn batch(connection: &Writing<'_>, old: Old, from: Option<RowId>, before: UnixMs) -> Result<Batch> {
    // By number and not by time: no index is kept for what is asked once an hour.
    let (look, delete) = match old {
        Old::Deliveries => (
            "SELECT row, accepted_at, finished_at FROM deliveries WHERE row > ?1 ORDER BY row LIMIT ?2",
            "DELETE FROM deliveries WHERE row = ?1",
        ),
        Old::Messages => (
            "SELECT id, queued_at, finished_at FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2",
            "DELETE FROM outbox WHERE id = ?1",
        ),
    };
    let mut statement = connection.prepare(look)?;
    let from = from.map_or(0, |row| row.0);
    let rows = statement.query_map((from, limits::PRUNE_ROWS), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
    })?;
    let rows: Vec<(i64, i64, Option<i64>)> = rows.collect::<rusqlite::Result<_>>()?;
    let full = rows.len() == limits::PRUNE_ROWS as usize;
    // Numbers rise with time, so behind the first that came later nothing has ended before it.
    let old_ones = rows.iter().take_while(|(_, came, _)| *came < before.0).count();
    let mut removed = 0;
    for (row, _, ended) in &rows[..old_ones] {
        if ended.is_some_and(|at| at < before.0) {
            if old == Old::Messages {
                remember(connection, *row)?;
            }
            removed += connection.execute(delete, [row])?;
        }
    }
    let next = rows.last().filter(|_| full && old_ones == rows.len());
    Ok(Batch { removed, next: next.map(|(row, _, _)| RowId(*row)) })
}

/// Notes that a message of its agent is removed.
fn remember(connection: &Writing<'_>, row: i64) -> Result<()> {
    connection.execute(
        "UPDATE agents SET pruned_to = max(pruned_to, (SELECT message FROM outbox WHERE id = ?1)) \
         WHERE name = (SELECT agent FROM outbox WHERE id = ?1)",
        [row],
    )?;
    Ok(())
}
