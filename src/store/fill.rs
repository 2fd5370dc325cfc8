//! A ledger as it looks after years: finished deliveries, each with its step and its attempt, some
//! with a file. For `bench` alone, which asks whether they cost anything; no connector writes like
//! that. The file must not be in use.

use std::path::Path;

use rusqlite::Connection;

use crate::store::DATABASE_FILE;
use crate::store::Result;

/// Deliveries of one transaction.
const GROUP: i64 = 100_000;
/// Dialogs they are spread over.
const DIALOGS: i64 = 1_000;
/// One delivery of so many had a file.
const FILE_EVERY: i64 = 20;
/// Portals' ids of messages begin lower than these, so that none is taken for one of them.
const MESSAGES_FROM: i64 = 1_000_000_000;
/// Page cache while filling, in KiB: ids come in no order, as those of a gateway do.
const CACHE_KIB: i64 = 512 * 1024;

/// Adds so many finished deliveries of an agent, in BB-code such as `text`, accepted one a minute up
/// to `now_ms`.
///
/// # Errors
/// See [`crate::store::Error`].
pub fn fill(dir: &Path, agent: &str, text: &str, count: u32, now_ms: i64) -> Result<()> {
    let connection = Connection::open(dir.join(DATABASE_FILE))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Whatever breaks, the bench is over and its directory goes.
    connection.pragma_update(None, "synchronous", "off")?;
    let last: i64 =
        connection
            .query_row("SELECT COALESCE(MAX(row), 0) FROM deliveries", [], |row| row.get(0))?;
    let end = last + i64::from(count);
    let mut from = last + 1;
    while from <= end {
        let to = (from + GROUP - 1).min(end);
        let at = format!("{now_ms} - ({end} - i) * 60000");
        let rows = format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})"
        );
        let text = text.replace('\'', "''");
        connection.execute_batch(&format!(
            "BEGIN;
             INSERT INTO deliveries (row, id, agent, dialog, operation, content, state, attempts, \
               due_at, accepted_at, finished_at)
             {rows} SELECT i, lower(hex(randomblob(16))), '{agent}', CAST(1 + i % {DIALOGS} AS TEXT), \
               'send', randomblob(32), 'delivered', 1, {at}, {at}, {at} + 100 FROM n;
             INSERT INTO steps (delivery, step, kind, text, uuid, message, done)
             {rows} SELECT i, 0, 'add', '{text}', lower(hex(randomblob(18))), \
               {MESSAGES_FROM} + i, 1 FROM n;
             INSERT INTO attempts (delivery, attempt, step, started_at, ended_at, effect)
             {rows} SELECT i, 1, 0, {at}, {at} + 100, 'done' FROM n;
             INSERT INTO files (delivery, file, name, as_file, kept, bytes, disk)
             {rows} SELECT i, 0, 'invoice.pdf', 0, lower(hex(randomblob(16))), 100000, i FROM n \
               WHERE i % {FILE_EVERY} = 0;
             COMMIT;"
        ))?;
        from = to + 1;
    }
    Ok(())
}
