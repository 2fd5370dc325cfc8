//! Brings a database file to the schema of this version: numbered SQL files, each applied once in a
//! transaction of its own, the number kept in `user_version`. A newer file is refused untouched.

use rusqlite::Connection;

use crate::store::Error;
use crate::store::Result;

/// Every migration in order; the position from 1 is its number.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_start.sql"),
    include_str!("schema/0002_steps.sql"),
    include_str!("schema/0003_inbound.sql"),
    include_str!("schema/0004_identities.sql"),
];

/// The newest schema that this version knows.
pub fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Applies what is missing.
///
/// # Errors
/// [`Error::NewerSchema`], or what SQLite says.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    let known = known();
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
        log::info!("schema_migrated to={number}");
    }
    Ok(())
}
