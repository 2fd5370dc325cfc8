//! The outbox: inbound messages between the portal and the gateway.
//!
//! INVARIANT: cursor after commit. Rows and the cursor that lets the portal forget their events
//! change in one transaction, [`Store::commit_inbound`], and nowhere else; so do rows and up to where
//! a dialog itself was looked through.

use rusqlite::Connection;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::limits;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;

/// A message to forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInbound {
    /// The conversation's key, which orders messages.
    pub chat: ChatId,
    /// Where the agent answers.
    pub dialog: DialogId,
    /// Its id.
    pub message: MessageId,
    /// Markdown, as the gateway gets it.
    pub text: String,
    /// Who wrote it.
    pub sender: UserId,
    /// The author's name.
    pub sender_name: String,
    /// Whether the agent is mentioned.
    pub mentioned: bool,
    /// The message it replies to.
    pub reply_to: Option<MessageId>,
    /// When it was written, by the portal's clock.
    pub sent_at: Option<UnixMs>,
}

/// What was found out about an agent's messages, to be committed in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Messages to forward; known ones are passed over, and those as old as what was removed.
    pub rows: Vec<NewInbound>,
    /// Messages as their authors changed them: taken over while the gateway does not have them.
    pub edits: Vec<NewInbound>,
    /// Messages that are gone, or are not for the agent any more.
    pub withdrawn: Vec<MessageId>,
    /// Events that could not be read, as they came.
    pub unreadable: Vec<(Option<EventId>, String)>,
}

/// Up to where messages have been looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The event log, up to this offset.
    Events(EventId),
    /// A chat, up to this message.
    Chat(ChatId, MessageId),
    /// Nothing that is to be remembered.
    None,
}

/// What a commit changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Messages whose rows are new.
    pub queued: Vec<MessageId>,
    /// Rows that the gateway does not have, and whose text changed.
    pub edited: usize,
    /// Rows that the gateway does not have, and will not get.
    pub withdrawn: usize,
}

/// A message waiting for the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRow {
    /// Its place in the outbox.
    pub row: RowId,
    /// The agent it was read by.
    pub agent: AgentName,
    /// What to forward.
    pub inbound: NewInbound,
    /// How often it was tried.
    pub attempts: u32,
    /// Not to be tried before.
    pub due_at: UnixMs,
}

/// Rows of the outbox by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OutboxCounts {
    /// Waiting for the gateway.
    pub pending: u32,
    /// Refused for good; a person may retry or drop them.
    pub dead: u32,
}

/// Columns of what a message says and who wrote it.
pub(super) const CONTENT: &str = "chat, text, sender, sender_name, mentioned, reply_to, sent_at";

impl Store {
    /// Commits what was found out about an agent's messages together with up to where that was looked
    /// for.
    ///
    /// # Errors
    /// See [`Error`]; then nothing changed.
    pub fn commit_inbound(
        &self,
        agent: &AgentName,
        findings: Findings,
        progress: Progress,
        now: UnixMs,
    ) -> Result<Committed> {
        let agent = agent.clone();
        self.write(move |connection| {
            let mut committed = Committed::default();
            for row in &findings.rows {
                let inserted = insert(connection, &agent, row, now)? > 0;
                committed.queued.extend(inserted.then_some(row.message));
            }
            for edit in &findings.edits {
                committed.edited += update(connection, &agent, edit)?;
            }
            for message in &findings.withdrawn {
                committed.withdrawn += withdraw(connection, &agent, *message, now)?;
            }
            for (event, raw) in &findings.unreadable {
                quarantine(connection, &agent, *event, raw, now)?;
            }
            advance(connection, &agent, progress)?;
            Ok(committed)
        })
    }

    /// Pending rows after a row, oldest first, at most `limit`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn outbox_after(&self, after: RowId, limit: u32) -> Result<Vec<InboundRow>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT id, agent, dialog, message, attempts, due_at, {CONTENT} FROM outbox WHERE state = 'pending' AND id > ?1 \
                 ORDER BY id LIMIT ?2"
            );
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map((after.0, limit), |row| Ok(inbound(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// One row, if it is still pending.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn outbox_row(&self, row: RowId) -> Result<Option<InboundRow>> {
        Ok(self.outbox_after(RowId(row.0 - 1), 1)?.into_iter().find(|found| found.row == row))
    }

    /// It is to be tried again.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn inbound_retry(&self, row: RowId, due_at: UnixMs, failure: &str) -> Result<()> {
        let failure = failure.to_owned();
        self.write(move |connection| {
            connection.execute(
                "UPDATE outbox SET attempts = attempts + 1, due_at = ?2, failure = ?3 \
                 WHERE id = ?1 AND state = 'pending'",
                (row.0, due_at.0, &failure),
            )?;
            Ok(())
        })
    }

    /// The gateway refuses it for good.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn inbound_dead(&self, row: RowId, failure: &str, now: UnixMs) -> Result<()> {
        let failure = failure.to_owned();
        self.write(move |connection| {
            connection.execute(
                "UPDATE outbox SET state = 'dead', attempts = attempts + 1, failure = ?3, \
                 finished_at = ?2 WHERE id = ?1 AND state = 'pending'",
                (row.0, now.0, &failure),
            )?;
            Ok(())
        })
    }

    /// How many rows wait and how many are dead.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn outbox_counts(&self) -> Result<OutboxCounts> {
        self.read(|connection| {
            // Literals, so that the partial indexes serve them.
            let pending = "SELECT COUNT(*) FROM outbox WHERE state = 'pending'";
            let dead = "SELECT COUNT(*) FROM outbox WHERE state = 'dead'";
            Ok(OutboxCounts {
                pending: connection.query_row(pending, [], |row| row.get(0))?,
                dead: connection.query_row(dead, [], |row| row.get(0))?,
            })
        })
    }
}

fn insert(
    connection: &Connection,
    agent: &AgentName,
    row: &NewInbound,
    now: UnixMs,
) -> Result<usize> {
    let sql = "INSERT INTO outbox (agent, chat, dialog, message, text, sender, sender_name, \
               mentioned, reply_to, sent_at, due_at, queued_at) \
               SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11 \
               WHERE NOT EXISTS (SELECT 1 FROM agents WHERE name = ?1 AND pruned_to >= ?4) \
               ON CONFLICT (agent, message) DO NOTHING";
    let values = rusqlite::params![
        agent.as_str(),
        row.chat.0,
        row.dialog.to_string(),
        row.message.0,
        row.text,
        row.sender.0,
        row.sender_name,
        row.mentioned,
        row.reply_to.map(|id| id.0),
        row.sent_at.map(|at| at.0),
        now.0,
    ];
    Ok(connection.execute(sql, values)?)
}

/// What the gateway refused counts as well: a person may try it again, and then it is what its author
/// says now. A gateway that got an earlier text and lost the answer gets the same key with this one.
fn update(connection: &Connection, agent: &AgentName, edit: &NewInbound) -> Result<usize> {
    let sql = "UPDATE outbox SET text = ?3, mentioned = ?4 \
               WHERE agent = ?1 AND message = ?2 AND state IN ('pending', 'dead') AND text <> ?3";
    let values = (agent.as_str(), edit.message.0, &edit.text, edit.mentioned);
    Ok(connection.execute(sql, values)?)
}

fn withdraw(
    connection: &Connection,
    agent: &AgentName,
    message: MessageId,
    now: UnixMs,
) -> Result<usize> {
    let sql = "UPDATE outbox SET state = 'withdrawn', finished_at = ?3 \
               WHERE agent = ?1 AND message = ?2 AND state IN ('pending', 'dead')";
    Ok(connection.execute(sql, (agent.as_str(), message.0, now.0))?)
}

fn quarantine(
    connection: &Connection,
    agent: &AgentName,
    event: Option<EventId>,
    raw: &str,
    now: UnixMs,
) -> Result<()> {
    connection.execute(
        "INSERT INTO quarantine (agent, event, raw, queued_at) VALUES (?1, ?2, ?3, ?4)",
        (agent.as_str(), event.map(|event| event.0), raw, now.0),
    )?;
    connection.execute(
        "DELETE FROM quarantine WHERE id <= last_insert_rowid() - ?1",
        [limits::QUARANTINE_ROWS_MAX],
    )?;
    Ok(())
}

fn advance(connection: &Connection, agent: &AgentName, progress: Progress) -> Result<()> {
    match progress {
        Progress::Events(cursor) => connection.execute(
            "UPDATE agents SET cursor = ?2 WHERE name = ?1",
            (agent.as_str(), cursor.0),
        )?,
        Progress::Chat(chat, message) => connection.execute(
            "INSERT INTO chats (agent, chat, caught_up) VALUES (?1, ?2, ?3) \
             ON CONFLICT (agent, chat) DO UPDATE SET caught_up = max(caught_up, excluded.caught_up)",
            (agent.as_str(), chat.0, message.0),
        )?,
        Progress::None => 0,
    };
    Ok(())
}

fn inbound(row: &Row<'_>) -> Result<InboundRow> {
    let id: i64 = row.get("id")?;
    let damaged = || Error::Other(format!("outbox row {id} is unreadable"));
    let agent: String = row.get("agent")?;
    Ok(InboundRow {
        row: RowId(id),
        agent: AgentName::parse(&agent).ok_or_else(damaged)?,
        inbound: message(row)?,
        attempts: row.get("attempts")?,
        due_at: UnixMs(row.get("due_at")?),
    })
}

/// The message of a row that has its id and dialog and [`CONTENT`].
pub(super) fn message(row: &Row<'_>) -> Result<NewInbound> {
    let id: i64 = row.get("id")?;
    let damaged = || Error::Other(format!("outbox row {id} is unreadable"));
    let dialog: String = row.get("dialog")?;
    Ok(NewInbound {
        chat: ChatId(row.get("chat")?),
        dialog: DialogId::parse(&dialog).ok_or_else(damaged)?,
        message: MessageId(row.get("message")?),
        text: row.get("text")?,
        sender: UserId(row.get("sender")?),
        sender_name: row.get("sender_name")?,
        mentioned: row.get("mentioned")?,
        reply_to: row.get::<_, Option<i64>>("reply_to")?.map(MessageId),
        sent_at: row.get::<_, Option<i64>>("sent_at")?.map(UnixMs),
    })
}
