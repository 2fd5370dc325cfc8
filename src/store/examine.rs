//! Looks at the database of a service that is stopped, and changes nothing: no file is created, no
//! schema brought up to date, no lock kept. For `doctor`, by way of `app::inspect`.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;

use crate::base::percent;
use crate::limits;
use crate::store::DATABASE_FILE;
use crate::store::Error;
use crate::store::LOCK_FILE;
use crate::store::Result;
use crate::store::migrate;

/// What a database says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Number of its schema; 0 when nothing is in it yet.
    pub schema: u32,
    /// The fact that was asked for.
    pub meta: Option<Vec<u8>>,
    /// Every agent's name, state and reason, as they were stored last.
    pub agents: Vec<(String, String, String)>,
}

/// Opens the database in `dir` for reading, and reads the fact `key` and the agents; `None` when
/// there is no database.
///
/// # Errors
/// It cannot be opened, is damaged, or has a newer schema.
pub fn examine(dir: &Path, key: &str) -> Result<Option<Examined>> {
    let path = dir.join(DATABASE_FILE);
    if !path.try_exists().map_err(|why| Error::Other(format!("{}: {why}", path.display())))? {
        return Ok(None);
    }
    let connection = open(&path)?;
    let schema: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = migrate::known();
    if schema > known {
        return Err(Error::NewerSchema { found: schema, known });
    }
    if schema == 0 {
        return Ok(Some(Examined::default()));
    }
    let meta = connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()?;
    let mut statement =
        connection.prepare("SELECT name, state, reason FROM agents ORDER BY name")?;
    let agents = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let agents = agents.collect::<rusqlite::Result<_>>()?;
    Ok(Some(Examined { schema, meta, agents }))
}

/// Whether another process has the state directory. The lock is tried for a moment and shared, so
/// that two who look do not see each other; only a service that starts in this very moment would be
/// refused, and is started again.
pub fn in_use(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(LOCK_FILE)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn open(path: &Path) -> Result<Connection> {
    let beside = |end: &str| path.with_file_name(format!("{DATABASE_FILE}{end}"));
    let kept = |end: &str| fs::metadata(beside(end)).is_ok_and(|file| file.len() > 0);
    // What a killed service committed last is in the log. Without one SQLite would create it, and
    // the index of a log that has none, only to read; it does not when it takes the file for
    // unchangeable.
    let whole = !(kept("-wal") && kept("-shm"));
    let shown = percent::encode(&path.to_string_lossy());
    let uri = format!("file:{shown}?immutable={}", u8::from(whole));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(limits::STORE_BUSY_MAX)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::path::PathBuf;

    use super::examine;
    use super::in_use;
    use crate::base::clock::UnixMs;
    use crate::base::threads::Exits;
    use crate::domain::ids::AgentName;
    use crate::store::Error;
    use crate::store::Store;

    fn temp_dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("examine-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("temporary directory");
        dir
    }

    fn files(dir: &Path) -> BTreeSet<(String, Vec<u8>)> {
        let read = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("reads"))
        };
        fs::read_dir(dir).expect("a directory").flatten().map(read).collect()
    }

    #[test]
    fn a_closed_database_is_read_and_nothing_changes() {
        let dir = temp_dir("closed");
        assert_eq!(examine(&dir, "k"), Ok(None));
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        store.set_meta("k", vec![7]).expect("is set");
        let name = AgentName::parse("helper").expect("a name");
        assert_eq!(store.create_agent(&name, UnixMs(1)), Ok(true));
        assert!(in_use(&dir));
        let helper = ("helper".to_owned(), "created".to_owned(), String::new());
        let open = examine(&dir, "k").expect("opens").expect("is there");
        assert_eq!((open.meta, &open.agents), (Some(vec![7]), &vec![helper.clone()]));
        drop(store);
        thread.stop();
        assert!(!in_use(&dir));
        let before = files(&dir);
        let closed = examine(&dir, "k").expect("opens").expect("is there");
        assert_eq!((closed.meta, closed.agents), (Some(vec![7]), vec![helper]));
        assert_eq!(closed.schema, super::migrate::known());
        assert_eq!(files(&dir), before);
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn what_is_no_database_of_this_version_is_told_and_left_alone() {
        let dir = temp_dir("odd");
        let path = dir.join(super::DATABASE_FILE);
        fs::write(&path, b"").expect("writes");
        assert_eq!(examine(&dir, "k").expect("opens").expect("is there").schema, 0);
        fs::write(&path, vec![b'x'; 8192]).expect("writes");
        assert_eq!(examine(&dir, "k"), Err(Error::Corrupt));
        fs::remove_file(&path).expect("removes");
        let newer = rusqlite::Connection::open(&path).expect("opens");
        newer.pragma_update(None, "user_version", 99).expect("is set");
        drop(newer);
        let before = files(&dir);
        assert!(matches!(examine(&dir, "k"), Err(Error::NewerSchema { found: 99, .. })));
        assert_eq!(files(&dir), before);
        let _ = fs::remove_dir_all(dir);
    }
}
