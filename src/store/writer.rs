//! The one thread that writes. It drains its queue, runs each job in a savepoint of one
//! transaction, commits once, and only then acknowledges: durable before anybody relies on it, and
//! one fsync for many jobs. Woken by its queue; ends when every sender is gone or on stop.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use crossbeam_channel::Receiver;
use crossbeam_channel::SendTimeoutError;
use rusqlite::Connection;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::Statement;

use crate::base::threads::Exits;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::limits;
use crate::store::Error;
use crate::store::Result;

/// What a job leaves behind: whether its changes are to be kept, or why not, and how to tell its
/// caller.
struct Outcome {
    kept: Result<()>,
    /// Called with the result of the commit.
    acknowledge: Box<dyn FnOnce(Result<()>) + Send>,
}

/// A change to run: given the connection, or why there will be no transaction.
type Job = Box<dyn FnOnce(Result<&Writing<'_>>) -> Outcome + Send>;

/// The writing connection, with its statements kept: a delivery needs a score of them, and preparing
/// one costs as much as running it. What is not declared here is the connection's own.
pub struct Writing<'c> {
    connection: &'c Connection,
    /// By text. Bounded by the texts in this module: none has a value written into it.
    kept: RefCell<HashMap<String, Statement<'c>>>,
}

impl<'c> Writing<'c> {
    fn new(connection: &'c Connection) -> Writing<'c> {
        Writing { connection, kept: RefCell::new(HashMap::new()) }
    }

    /// Runs a statement that returns no rows.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.run(sql, |statement| statement.execute(params))
    }

    /// Reads the first row of a query.
    ///
    /// # Errors
    /// No row, or what SQLite says.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.run(sql, |statement| statement.query_row(params, read))
    }

    fn run<T>(
        &self,
        sql: &str,
        run: impl FnOnce(&mut Statement<'c>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        // Taken out, not borrowed: whatever `run` calls may need statements too.
        let kept = self.kept.borrow_mut().remove_entry(sql);
        let (text, mut statement) = match kept {
            Some(kept) => kept,
            None => (sql.to_owned(), self.connection.prepare(sql)?),
        };
        let outcome = run(&mut statement);
        self.kept.borrow_mut().insert(text, statement);
        outcome
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

enum Message {
    Job(Job),
    Stop,
}

/// The writing end, for every thread.
pub struct Sender {
    queue: crossbeam_channel::Sender<Message>,
}

/// The thread. Sender before thread: the stop message goes first, then the join.
pub struct Writer {
    queue: crossbeam_channel::Sender<Message>,
    _thread: Thread,
}

impl Writer {
    /// Starts the thread over a tuned and migrated connection.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn start(connection: Connection, exits: &Exits) -> Result<(Writer, Sender)> {
        let (queue, jobs) = crossbeam_channel::bounded(limits::STORE_QUEUE_MAX);
        let thread = Thread::spawn(ThreadName::Store, exits, move || work(connection, &jobs))
            .map_err(|why| Error::Other(format!("store thread: {why}")))?;
        Ok((Writer { queue: queue.clone(), _thread: thread }, Sender { queue }))
    }

    /// Lets queued jobs finish and ends the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Fails only when the thread is gone already.
        let _ = self.queue.send(Message::Stop);
    }
}

impl Sender {
    /// Jobs that wait for the thread.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Runs `change` and returns once it is committed. A failing change is undone alone.
    ///
    /// # Errors
    /// What the change or the commit says; [`Error::Busy`] when the queue stays full;
    /// [`Error::Stopped`] after the end.
    pub fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Writing<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let job = move |connection: Result<&Writing<'_>>| {
            let result = connection.and_then(|connection| {
                catch_unwind(AssertUnwindSafe(|| change(connection)))
                    .unwrap_or_else(|panic| Err(Error::Other(panic_text(panic.as_ref()))))
            });
            Outcome {
                kept: result.as_ref().map(|_| ()).map_err(Clone::clone),
                acknowledge: Box::new(move |committed| {
                    // The caller may have died; its change stands all the same.
                    let _ = answer.send(result.and_then(|value| committed.map(|()| value)));
                }),
            }
        };
        match self.queue.send_timeout(Message::Job(Box::new(job)), limits::STORE_BUSY_MAX) {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => return Err(Error::Busy),
            Err(SendTimeoutError::Disconnected(_)) => return Err(Error::Stopped),
        }
        answered.recv().unwrap_or(Err(Error::Stopped))
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a write panicked: {}", text.unwrap_or("no text"))
}

fn work(connection: Connection, jobs: &Receiver<Message>) {
    let writing = Writing::new(&connection);
    let mut group = Vec::new();
    let mut stopping = false;
    while !stopping {
        match jobs.recv() {
            Ok(Message::Job(job)) => group.push(job),
            Ok(Message::Stop) | Err(_) => stopping = true,
        }
        while group.len() < limits::STORE_GROUP_MAX {
            match jobs.try_recv() {
                Ok(Message::Job(job)) => group.push(job),
                Ok(Message::Stop) => stopping = true,
                Err(_) => break,
            }
        }
        if !group.is_empty() {
            commit(&writing, group.drain(..));
        }
    }
    // A truncated log makes the next start and every backup quicker; failing to is harmless.
    if let Err(why) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        log::warn!("checkpoint_failed reason={why}");
    }
}

/// Runs the jobs of one group in one transaction and tells each caller.
fn commit(connection: &Writing<'_>, jobs: impl Iterator<Item = Job>) {
    let mut sound = connection.execute("BEGIN IMMEDIATE", []).map(drop).map_err(Error::from);
    let mut outcomes = Vec::new();
    for job in jobs {
        let outcome = match sound.clone() {
            Err(why) => job(Err(why)),
            Ok(()) => {
                let (outcome, still) = in_savepoint(connection, job);
                sound = still;
                outcome
            }
        };
        outcomes.push(outcome);
    }
    let committed =
        sound.and_then(|()| connection.execute("COMMIT", []).map(drop).map_err(Error::from));
    if committed.is_err() && !connection.is_autocommit() {
        // The transaction is lost either way; the next group begins a new one.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for outcome in outcomes {
        (outcome.acknowledge)(committed.clone());
    }
}

/// Runs one job so that its failure undoes its own changes only. The second value is whether the
/// transaction is still sound.
fn in_savepoint(connection: &Writing<'_>, job: Job) -> (Outcome, Result<()>) {
    if let Err(why) = connection.execute("SAVEPOINT job", []) {
        let why = Error::from(why);
        return (job(Err(why.clone())), Err(why));
    }
    let outcome = job(Ok(connection));
    if let Err(why) = &outcome.kept
        && connection.is_autocommit()
    {
        // A full disk and the like undo the whole transaction: everybody in it fails for the same
        // reason, and nobody was told otherwise yet.
        let why = why.clone();
        return (outcome, Err(why));
    }
    let undone =
        if outcome.kept.is_ok() { Ok(0) } else { connection.execute("ROLLBACK TO job", []) };
    let ended = undone.and_then(|_| connection.execute("RELEASE job", []));
    let ended = ended.map(drop).map_err(Error::from);
    (outcome, ended)
}
