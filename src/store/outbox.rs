//! The outbox: inbound messages between the portal and the gateway.
//!
//! INVARIANT: cursor after commit. Rows and the cursor that lets the portal forget their events
//! change in one transaction, [`Store::commit_events`], and nowhere else.

use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
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

const COLUMNS: &str = "id, agent, chat, dialog, message, text, sender, sender_name, mentioned, \
    reply_to, sent_at, attempts, due_at";

impl Store {
    /// Commits the messages of a page of events together with the cursor behind them. Messages
    /// that are known (same agent, same id) are passed over. Returns how many were new.
    ///
    /// # Errors
    /// See [`Error`]; then neither rows nor cursor changed.
    pub fn commit_events(
        &self,
        agent: &AgentName,
        rows: Vec<NewInbound>,
        cursor: EventId,
        now: UnixMs,
    ) -> Result<usize> {
        let agent = agent.clone();
        self.write(move |connection| {
            let mut inserted = 0;
            let insert = "INSERT INTO outbox (agent, chat, dialog, message, text, sender, sender_name, \
                 mentioned, reply_to, sent_at, due_at, queued_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11) \
                 ON CONFLICT (agent, message) DO NOTHING";
            for row in &rows {
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
                inserted += connection.execute(insert, values)?;
            }
            connection.execute(
                "UPDATE agents SET cursor = ?2 WHERE name = ?1",
                (agent.as_str(), cursor.0),
            )?;
            Ok(inserted)
        })
    }

    /// Pending rows after a row, oldest first, at most `limit`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn outbox_after(&self, after: RowId, limit: u32) -> Result<Vec<InboundRow>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND id > ?1 \
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

    /// The gateway has it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn inbound_accepted(&self, row: RowId, now: UnixMs) -> Result<()> {
        self.write(move |connection| {
            connection.execute(
                "UPDATE outbox SET state = 'accepted', attempts = attempts + 1, failure = '', \
                 finished_at = ?2 WHERE id = ?1 AND state = 'pending'",
                (row.0, now.0),
            )?;
            Ok(())
        })
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

fn inbound(row: &Row<'_>) -> Result<InboundRow> {
    let id: i64 = row.get("id")?;
    let damaged = || Error::Other(format!("outbox row {id} is unreadable"));
    let agent: String = row.get("agent")?;
    let dialog: String = row.get("dialog")?;
    Ok(InboundRow {
        row: RowId(id),
        agent: AgentName::parse(&agent).ok_or_else(damaged)?,
        inbound: NewInbound {
            chat: ChatId(row.get("chat")?),
            dialog: DialogId::parse(&dialog).ok_or_else(damaged)?,
            message: MessageId(row.get("message")?),
            text: row.get("text")?,
            sender: UserId(row.get("sender")?),
            sender_name: row.get("sender_name")?,
            mentioned: row.get("mentioned")?,
            reply_to: row.get::<_, Option<i64>>("reply_to")?.map(MessageId),
            sent_at: row.get::<_, Option<i64>>("sent_at")?.map(UnixMs),
        },
        attempts: row.get("attempts")?,
        due_at: UnixMs(row.get("due_at")?),
    })
}
