//! What deliveries left on the portal, asked by message: whose it is, what belongs to it, what was
//! set on it. Reads the ledger only. Called by `outbound` for operations on messages and by
//! `inbound` for replies.

use rusqlite::OptionalExtension;

use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;

impl Store {
    /// The send that a message of an agent came from, and the dialog it is in.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn origin_of(
        &self,
        agent: &AgentName,
        message: MessageId,
    ) -> Result<Option<(RowId, DialogId)>> {
        self.read(|connection| {
            let sql = "SELECT COALESCE(deliveries.origin, deliveries.row), dialog FROM steps \
                       JOIN deliveries ON deliveries.row = steps.delivery \
                       WHERE steps.message = ?1 AND deliveries.agent = ?2 AND steps.done = 1 \
                       AND steps.kind IN ('add', 'publish', 'send_file') LIMIT 1";
            let mut statement = connection.prepare(sql)?;
            let found = statement.query_row((message.0, agent.as_str()), |row| {
                Ok((RowId(row.get(0)?), row.get::<_, String>(1)?))
            });
            let Some((row, dialog)) = found.optional()? else { return Ok(None) };
            let damaged = || Error::Other(format!("delivery {row} is unreadable"));
            Ok(Some((row, DialogId::parse(&dialog).ok_or_else(damaged)?)))
        })
    }

    /// The messages that a send shows now, oldest first: its own and those that edits of it added,
    /// without what was removed.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn shown_of(&self, origin: RowId) -> Result<Vec<MessageId>> {
        self.read(|connection| {
            let sql = "SELECT DISTINCT message FROM steps WHERE delivery IN \
                       (SELECT ?1 UNION ALL SELECT row FROM deliveries WHERE origin = ?1) \
                       AND done = 1 AND message IS NOT NULL \
                       AND kind IN ('add', 'publish', 'send_file', 'update') \
                       AND NOT EXISTS (SELECT 1 FROM steps AS gone \
                       WHERE gone.message = steps.message AND gone.kind = 'remove' \
                       AND gone.done = 1) ORDER BY message";
            let mut statement = connection.prepare(sql)?;
            let messages = statement.query_map([origin.0], |row| Ok(MessageId(row.get(0)?)))?;
            Ok(messages.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What was really set when an agent last reacted to a message with `reaction`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn reaction_set(
        &self,
        agent: &AgentName,
        message: MessageId,
        reaction: &str,
    ) -> Result<Option<String>> {
        self.read(|connection| {
            let sql = "SELECT steps.text FROM steps \
                       JOIN deliveries ON deliveries.row = steps.delivery \
                       WHERE steps.message = ?1 AND steps.kind = 'react' AND steps.done = 1 \
                       AND deliveries.agent = ?2 AND deliveries.reaction = ?3 \
                       AND deliveries.remove = 0 ORDER BY deliveries.row DESC LIMIT 1";
            let mut statement = connection.prepare(sql)?;
            let found = statement
                .query_row((message.0, agent.as_str(), reaction), |row| row.get::<_, String>(0));
            Ok(found.optional()?)
        })
    }

    /// The UUID under which this connector sent a message for this agent; empty when it had none,
    /// `None` when the message is not one of them.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn uuid_of_own(&self, agent: &AgentName, message: MessageId) -> Result<Option<String>> {
        self.read(|connection| {
            let sql = "SELECT steps.uuid FROM steps \
                       JOIN deliveries ON deliveries.row = steps.delivery \
                       WHERE steps.message = ?1 AND deliveries.agent = ?2 AND steps.done = 1 \
                       AND steps.kind IN ('add', 'publish', 'send_file') LIMIT 1";
            let mut statement = connection.prepare(sql)?;
            Ok(statement.query_row((message.0, agent.as_str()), |row| row.get(0)).optional()?)
        })
    }
}
