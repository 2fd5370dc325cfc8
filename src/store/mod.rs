//! Rank 2: the one SQLite file, where every fact lives. The only module with SQL. Each question is
//! one function named by its answer; writes go through one thread (`writer`) that commits a group
//! and then acknowledges, reads through a few connections of their own. Knows domain values and
//! sealed bytes; never a plain token.

pub mod agents;
pub mod attempts;
pub mod consents;
pub mod directory;
pub mod examine;
#[cfg(feature = "sim")]
pub mod fill;
pub mod inbox;
pub mod ledger;
pub mod listing;
pub mod looks;
mod migrate;
pub mod outbox;
pub mod prune;
pub mod review;
mod shown;
mod writer;

use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;

use crate::base::threads::Exits;
use crate::limits;
use writer::Writing;

/// Name of the database file.
pub const DATABASE_FILE: &str = "connector.sqlite3";
/// Name of the file whose lock keeps a second connector away.
const LOCK_FILE: &str = "lock";

/// Why the store could not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A value that must be unique exists already.
    Conflict,
    /// No space is left on the disk.
    Full,
    /// The writer has too much to do, or another program holds the file.
    Busy,
    /// The file is damaged.
    Corrupt,
    /// The file was written by a newer version.
    NewerSchema {
        /// Version in the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// Another connector runs on the same state directory.
    InUse(PathBuf),
    /// The store is closed.
    Stopped,
    /// A move that the transition table does not have.
    WrongState,
    /// Anything else, for the log.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Conflict => f.write_str("the value exists already"),
            Error::Full => f.write_str("the disk is full: free some space"),
            Error::Busy => f.write_str("the database is busy"),
            Error::Corrupt => f.write_str("the database is damaged: restore a backup"),
            Error::NewerSchema { found, known } => write!(
                f,
                "the database has schema {found} and this version knows {known}: install the \
                 version that wrote it, or restore a backup made by this one"
            ),
            Error::InUse(path) => write!(
                f,
                "another connector runs on {}: stop it, or set BITRIX24_STATE_DIR to a directory \
                 of its own",
                path.display()
            ),
            Error::Stopped => f.write_str("the store is closed"),
            Error::WrongState => f.write_str("the row is not in a state that allows this"),
            Error::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Error::Conflict,
            Some(ErrorCode::DiskFull) => Error::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt,
            _ => Error::Other(format!("database: {error}")),
        }
    }
}

/// What the store's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// The store, for everybody. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    writer: writer::Sender,
    readers: Mutex<Vec<Connection>>,
    path: PathBuf,
    /// Unfinished deliveries, so that accepting one need not count them. Changed behind the commits,
    /// so for a moment it may count an end before its beginning and lie below zero.
    unfinished: AtomicI64,
}

/// Keeps the writer thread and the lock on the state directory. Dropping it finishes the queued
/// writes, checkpoints and closes.
pub struct StoreThread {
    writer: writer::Writer,
    _lock: File,
}

impl StoreThread {
    /// Finishes queued writes, checkpoints, and ends the thread; later writes get
    /// [`Error::Stopped`].
    pub fn stop(self) {
        self.writer.stop();
    }
}

impl Store {
    /// Opens or creates the database in `dir` (created with mode 0700, files 0600), migrates it,
    /// and starts the writer thread.
    ///
    /// # Errors
    /// Directory or file cannot be used, another connector uses it, newer schema, damage.
    pub fn open(dir: &Path, exits: &Exits) -> Result<(Store, StoreThread)> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        let path = dir.join(DATABASE_FILE);
        create_private(&path)?;
        let mut connection = Connection::open(&path)?;
        tune(&connection)?;
        migrate::migrate(&mut connection)?;
        let unfinished = ledger::count_unfinished(&connection)?;
        let (writer, sender) = writer::Writer::start(connection, exits)?;
        let inner = Inner {
            writer: sender,
            readers: Mutex::new(Vec::new()),
            path,
            unfinished: AtomicI64::new(unfinished),
        };
        Ok((Store { inner: Arc::new(inner) }, StoreThread { writer, _lock: lock }))
    }

    /// The value of a fact that has no table of its own.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn meta(&self, key: &'static str) -> Result<Option<Vec<u8>>> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT value FROM meta WHERE key = ?1")?;
            Ok(statement.query_row([key], |row| row.get(0)).optional()?)
        })
    }

    /// Sets such a fact.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set_meta(&self, key: &'static str, value: Vec<u8>) -> Result<()> {
        self.write(move |connection| put_meta(connection, key, &value))
    }

    /// Runs a change on the writer thread and returns once it is durable.
    fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Writing<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.writer.write(change)
    }

    /// Runs a question on a reading connection of its own.
    fn read<T>(&self, question: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.readers().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_reader()?,
        };
        let answer = question(&connection);
        let mut readers = self.readers();
        if readers.len() < limits::STORE_READERS_MAX {
            readers.push(connection);
        }
        answer
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // A panic while the lock was held leaves at worst one connection fewer.
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_reader(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.inner.path, flags)?;
        connection.busy_timeout(limits::STORE_BUSY_MAX)?;
        connection.pragma_update(None, "query_only", true)?;
        // Negative: in KiB.
        connection.pragma_update(None, "cache_size", -limits::STORE_READER_CACHE_KIB)?;
        Ok(connection)
    }

    /// Number of unfinished deliveries.
    pub fn unfinished(&self) -> usize {
        usize::try_from(self.inner.unfinished.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn count_unfinished(&self, change: i64) {
        self.inner.unfinished.fetch_add(change, Ordering::Relaxed);
    }
}

fn tune(connection: &Connection) -> Result<()> {
    connection.busy_timeout(limits::STORE_BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL, not NORMAL: after a power failure a forgotten "delivered" would be a second message.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", limits::STORE_CHECKPOINT_PAGES)?;
    Ok(())
}

fn create_dir(dir: &Path) -> Result<()> {
    let told = |why: std::io::Error| {
        Error::Other(format!(
            "state directory {}: {why}; create it for the service's user or set BITRIX24_STATE_DIR",
            dir.display()
        ))
    };
    if !dir.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(told)?;
        // The umask may have taken bits away that we need ourselves.
        return fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(told);
    }
    let metadata = fs::metadata(dir).map_err(told)?;
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_dir() && mode & 0o002 != 0 {
        return Err(Error::Other(format!(
            "state directory {0} can be changed by every user of this machine (mode {mode:03o}): \
             chmod 700 {0}",
            dir.display()
        )));
    }
    Ok(())
}

/// Creates the database file with its mode before SQLite does; `-wal` and `-shm` inherit it.
fn create_private(path: &Path) -> Result<()> {
    let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let closed = opened.and_then(|file| make_private(&file));
    closed.map_err(|why| Error::Other(format!("{}: {why}", path.display())))
}

/// Whatever the umask took away when it was made, or a restored backup added.
fn make_private(file: &File) -> std::io::Result<()> {
    if file.metadata()?.permissions().mode() & 0o777 == 0o600 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let told = |why: std::io::Error| Error::Other(format!("{}: {why}", path.display()));
    let mut options = fs::OpenOptions::new();
    let opened = options.create(true).write(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(told)?;
    make_private(&file).map_err(told)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
        Err(TryLockError::Error(why)) => Err(told(why)),
    }
}

fn put_meta(connection: &Connection, key: &str, value: &[u8]) -> Result<()> {
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
