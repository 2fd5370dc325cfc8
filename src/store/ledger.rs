//! The ledger: deliveries, their steps and their files, as they are asked for and accepted. What
//! happens to them is in `attempts`. Called by `outbound`, `api` and, for what is an agent's own,
//! `inbound`.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::step::Draft;
use crate::domain::step::StepKind;
use crate::markup::Format;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::writer::Writing;

/// A file that a delivery brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// As people see it.
    pub name: String,
    /// Whether a picture is to be shown as a file.
    pub as_file: bool,
    /// Where it is.
    pub source: FileSource,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// To be fetched from this address, which may be secret.
    Url(String),
    /// On the shelf.
    Kept {
        /// Its name there.
        name: String,
        /// Its length.
        bytes: u64,
    },
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
    /// What is planned so far.
    pub plan: Plan,
    /// What it acts on.
    pub target: Target,
    /// The reaction, and whether it is taken back.
    pub reaction: Option<(String, bool)>,
    /// Its files; the steps that upload them have the same numbers.
    pub files: Vec<NewFile>,
    /// What could not be honoured.
    pub warnings: Vec<String>,
    /// Written by the connector itself, and not bounded by the rule that bounds the gateway.
    pub notice: bool,
}

/// What is known of a delivery's steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// All of them.
    Ready(Vec<Draft>),
    /// They depend on what the portal says. The text they are made from, and how it is written.
    Open(String, Format),
}

/// What an edit, a delete or a reaction acts on; nothing for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// This message alone.
    pub message: Option<MessageId>,
    /// The send whose message that is, or all of whose messages are meant.
    pub origin: Option<RowId>,
}

/// A step as it lies in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// See [`Draft::text`].
    pub text: String,
    /// See [`Draft::uuid`].
    pub uuid: String,
    /// The message it acts on or made.
    pub message: Option<MessageId>,
    /// Whether the portal has it.
    pub done: bool,
}

/// A file as it lies in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFile {
    /// As people see it.
    pub name: String,
    /// Whether a picture is to be shown as a file.
    pub as_file: bool,
    /// Where it is.
    pub source: FileSource,
    /// The portal's number of it, once uploaded.
    pub disk: Option<i64>,
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
    /// When a person last asked for another try.
    pub retried_at: Option<UnixMs>,
    /// When it reached its end.
    pub finished_at: Option<UnixMs>,
    /// Not to be tried before.
    pub due_at: UnixMs,
    /// Code and message of the last failure.
    pub failure: Option<(String, String)>,
    /// What could not be honoured.
    pub warnings: Vec<String>,
    /// See [`NewDelivery::notice`].
    pub notice: bool,
    /// Whether its steps are known.
    pub planned: bool,
    /// Text still to be rendered, and how it is written.
    pub source: Option<(String, Format)>,
    /// What it acts on.
    pub target: Target,
    /// The reaction, and whether it is taken back.
    pub reaction: Option<(String, bool)>,
    /// Its steps in order.
    pub steps: Vec<Step>,
    /// Its files in order.
    pub files: Vec<LedgerFile>,
}

impl Delivery {
    /// Ids of the portal's messages that it made or changed so far; those an edit had too many are
    /// not among them.
    pub fn messages(&self) -> Vec<MessageId> {
        let told = |step: &&Step| {
            step.done && (step.kind != StepKind::Remove || self.operation == Operation::Delete)
        };
        self.steps.iter().filter(told).filter_map(|step| step.message).collect()
    }

    /// Since when it is tried: as it was accepted, or as a person asked for another try.
    pub fn tried_since(&self) -> UnixMs {
        self.retried_at.unwrap_or(self.accepted_at)
    }

    /// Number of the first step that is not done.
    pub fn next_step(&self) -> Option<u32> {
        self.step_after(None)
    }

    /// Number of the first step behind this one that is not done.
    pub fn step_after(&self, number: Option<u32>) -> Option<u32> {
        let steps = (0_u32..).zip(&self.steps);
        let mut rest = steps.filter(|(at, step)| Some(*at) > number && !step.done);
        rest.next().map(|(number, _)| number)
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

const COLUMNS: &str = "row, id, agent, dialog, operation, content, reply_to, state, attempts, \
    due_at, accepted_at, retried_at, finished_at, failure_code, failure_message, warnings, planned, \
    source, format, target, origin, reaction, remove, notice";

/// The condition of the partial index over unfinished deliveries, in its words: SQLite uses an
/// index only for a condition that it can see to be the same.
pub(super) const UNFINISHED: &str = "state IN ('accepted', 'attempting', 'waiting', 'unknown')";

/// The same for the index over those that ended otherwise than delivered.
pub(super) const FAILED: &str = "state IN ('rejected', 'dead', 'parked', 'cancelled')";

/// Separates warnings in their column; no warning contains it.
pub(super) const WARNING_SEPARATOR: char = '\n';

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

    /// Whether a delivery reached an end. Quicker than reading all of it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn has_ended(&self, row: RowId) -> Result<bool> {
        self.read(|connection| {
            let sql = "SELECT finished_at IS NOT NULL FROM deliveries WHERE row = ?1";
            let mut statement = connection.prepare(sql)?;
            Ok(statement.query_row([row.0], |row| row.get(0)).optional()?.unwrap_or(true))
        })
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

    /// Sets the steps of a delivery of which nothing was tried yet.
    ///
    /// # Errors
    /// [`Error::WrongState`] when a step of it is done.
    pub fn plan(&self, row: RowId, steps: Vec<Draft>) -> Result<()> {
        self.write(move |connection| {
            let sql = "SELECT COUNT(*) FROM steps WHERE delivery = ?1 AND done = 1";
            let done: u32 = connection.query_row(sql, [row.0], |row| row.get(0))?;
            if done > 0 {
                return Err(Error::WrongState);
            }
            connection.execute("DELETE FROM steps WHERE delivery = ?1", [row.0])?;
            insert_steps(connection, row, &steps)?;
            let sql =
                "UPDATE deliveries SET planned = 1, source = NULL, format = NULL WHERE row = ?1";
            connection.execute(sql, [row.0])?;
            Ok(())
        })
    }

    /// Parts of a text become files of their own, behind those that the delivery has; nothing of it
    /// was planned or tried yet.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it was planned.
    pub fn enclose(&self, row: RowId, text: &str, files: Vec<NewFile>) -> Result<()> {
        let text = text.to_owned();
        self.write(move |connection| {
            let changed = connection.execute(
                "UPDATE deliveries SET source = ?2 WHERE row = ?1 AND planned = 0",
                (row.0, &text),
            )?;
            if changed == 0 {
                return Err(Error::WrongState);
            }
            let sql = "SELECT COUNT(*) FROM files WHERE delivery = ?1";
            let first: u32 = connection.query_row(sql, [row.0], |row| row.get(0))?;
            insert_files(connection, row, first, &files)
        })
    }

    /// A file was fetched and is on the shelf; its address is not needed any more.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn file_kept(&self, row: RowId, file: u32, name: &str, bytes: u64) -> Result<()> {
        let name = name.to_owned();
        self.write(move |connection| {
            connection.execute(
                "UPDATE files SET url = NULL, kept = ?3, bytes = ?4 \
                 WHERE delivery = ?1 AND file = ?2",
                (row.0, file, &name, i64::try_from(bytes).unwrap_or(i64::MAX)),
            )?;
            Ok(())
        })
    }

    /// The uploads of a delivery are lost on the portal and have to be made again.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn uploads_lost(&self, row: RowId) -> Result<()> {
        self.write(move |connection| {
            connection.execute("UPDATE files SET disk = NULL WHERE delivery = ?1", [row.0])?;
            let sql = "UPDATE steps SET done = 0 WHERE delivery = ?1 AND kind = 'upload'";
            connection.execute(sql, [row.0])?;
            Ok(())
        })
    }

    /// Names of the files on the shelf that some delivery may still need: of unfinished ones, and
    /// of those a person may want to try again.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn wanted_files(&self) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare(&wanted_files_sql())?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// See [`Store::wanted_files`]. From the deliveries to their files, and not the other way, which
/// SQLite would choose: it would look at every file there ever was at each start.
pub(super) fn wanted_files_sql() -> String {
    let files_of = |condition: &str| {
        format!(
            "SELECT kept FROM deliveries CROSS JOIN files ON files.delivery = deliveries.row \
             WHERE {condition} AND kept IS NOT NULL"
        )
    };
    let given_up = format!("{FAILED} AND state IN ('dead', 'parked')");
    format!("{} UNION ALL {}", files_of(UNFINISHED), files_of(&given_up))
}

/// Number of unfinished deliveries, counted once at start.
pub(super) fn count_unfinished(connection: &Connection) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM deliveries WHERE {UNFINISHED}");
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

fn insert(connection: &Writing<'_>, new: &NewDelivery, now: UnixMs) -> Result<RowId> {
    let (planned, source) = match &new.plan {
        Plan::Ready(_) => (true, None),
        Plan::Open(text, format) => (false, Some((text.as_str(), format.as_str()))),
    };
    let (reaction, remove) = match &new.reaction {
        Some((reaction, remove)) => (Some(reaction.as_str()), *remove),
        None => (None, false),
    };
    connection.execute(
        "INSERT INTO deliveries (id, agent, dialog, operation, content, reply_to, due_at, \
         accepted_at, warnings, planned, source, format, target, origin, reaction, remove, \
         notice) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        rusqlite::params![
            new.id.as_str(),
            new.agent.as_str(),
            new.dialog.to_string(),
            new.operation.as_str(),
            new.content,
            new.reply_to.map(|id| id.0),
            now.0,
            new.warnings.join(&WARNING_SEPARATOR.to_string()),
            planned,
            source.map(|(text, _)| text),
            source.map(|(_, format)| format),
            new.target.message.map(|id| id.0),
            new.target.origin.map(|row| row.0),
            reaction,
            remove,
            new.notice,
        ],
    )?;
    let row = RowId(connection.last_insert_rowid());
    if let Plan::Ready(steps) = &new.plan {
        insert_steps(connection, row, steps)?;
    }
    insert_files(connection, row, 0, &new.files)?;
    Ok(row)
}

fn insert_files(connection: &Writing<'_>, row: RowId, first: u32, files: &[NewFile]) -> Result<()> {
    for (number, file) in (first..).zip(files) {
        let (url, kept, bytes) = match &file.source {
            FileSource::Url(url) => (Some(url), None, None),
            FileSource::Kept { name, bytes } => (None, Some(name), Some(*bytes)),
        };
        let bytes = bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        connection.execute(
            "INSERT INTO files (delivery, file, name, as_file, url, kept, bytes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (row.0, number, &file.name, file.as_file, url, kept, bytes),
        )?;
    }
    Ok(())
}

fn insert_steps(connection: &Writing<'_>, row: RowId, steps: &[Draft]) -> Result<()> {
    for (number, step) in (0_u32..).zip(steps) {
        connection.execute(
            "INSERT INTO steps (delivery, step, kind, text, uuid, message) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                row.0,
                number,
                step.kind.as_str(),
                &step.text,
                &step.uuid,
                step.message.map(|id| id.0),
            ),
        )?;
    }
    Ok(())
}

pub(super) fn find(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> Result<Option<Delivery>> {
    let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE {condition}");
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_row([value], |row| Ok(delivery(row))).optional()?;
    let Some(mut found) = found.transpose()? else { return Ok(None) };
    read_steps(connection, &mut found)?;
    Ok(Some(found))
}

/// Reads what belongs to a delivery: its steps, and its files if it can have some.
fn read_steps(connection: &Connection, found: &mut Delivery) -> Result<()> {
    let sql = "SELECT kind, text, uuid, message, done FROM steps WHERE delivery = ?1 ORDER BY step";
    let mut statement = connection.prepare(sql)?;
    let steps = statement.query_map([found.row.0], |row| {
        let kind: String = row.get(0)?;
        Ok(StepKind::parse(&kind)
            .map(|kind| (kind, row.get(1), row.get(2), row.get(3), row.get(4))))
    })?;
    for step in steps {
        let damaged = || Error::Other(format!("a step of delivery {} is unreadable", found.row));
        let (kind, text, uuid, message, done) = step?.ok_or_else(damaged)?;
        let message: Option<i64> = message?;
        let message = message.map(MessageId);
        found.steps.push(Step { kind, text: text?, uuid: uuid?, message, done: done? });
    }
    let adds_only = found.steps.iter().all(|step| step.kind == StepKind::Add);
    if found.operation != Operation::Send || (found.planned && adds_only) {
        return Ok(());
    }
    let sql =
        "SELECT name, as_file, url, kept, bytes, disk FROM files WHERE delivery = ?1 ORDER BY file";
    let mut statement = connection.prepare(sql)?;
    let files = statement.query_map([found.row.0], |row| {
        let source = match (row.get::<_, Option<String>>(2)?, row.get::<_, Option<String>>(3)?) {
            (_, Some(name)) => {
                let bytes: Option<i64> = row.get(4)?;
                FileSource::Kept { name, bytes: bytes.unwrap_or(0).unsigned_abs() }
            }
            (url, None) => FileSource::Url(url.unwrap_or_default()),
        };
        Ok(LedgerFile { name: row.get(0)?, as_file: row.get(1)?, source, disk: row.get(5)? })
    })?;
    found.files = files.collect::<rusqlite::Result<_>>()?;
    Ok(())
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

/// A delivery without its steps and files.
fn delivery(row: &Row<'_>) -> Result<Delivery> {
    let Unfinished { row: number, agent, dialog, due_at } = unfinished(row)?;
    let damaged = || Error::Other(format!("delivery {number} is unreadable"));
    let id: String = row.get("id")?;
    let operation: String = row.get("operation")?;
    let state: String = row.get("state")?;
    let code: Option<String> = row.get("failure_code")?;
    let message: Option<String> = row.get("failure_message")?;
    let warnings: String = row.get("warnings")?;
    let (source, format): (Option<String>, Option<String>) =
        (row.get("source")?, row.get("format")?);
    let format = format.as_deref().and_then(Format::parse);
    let (reaction, remove): (Option<String>, bool) = (row.get("reaction")?, row.get("remove")?);
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
        retried_at: row.get::<_, Option<i64>>("retried_at")?.map(UnixMs),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(UnixMs),
        due_at,
        failure: code.map(|code| (code, message.unwrap_or_default())),
        warnings: warnings.split_terminator(WARNING_SEPARATOR).map(str::to_owned).collect(),
        notice: row.get("notice")?,
        planned: row.get("planned")?,
        source: source.zip(format),
        target: Target {
            message: row.get::<_, Option<i64>>("target")?.map(MessageId),
            origin: row.get::<_, Option<i64>>("origin")?.map(RowId),
        },
        reaction: reaction.map(|reaction| (reaction, remove)),
        steps: Vec::new(),
        files: Vec::new(),
    })
}
