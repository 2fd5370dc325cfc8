//! Up to where the dialogs themselves were looked through for messages that no event told of: one
//! mark for an agent, and marks of single chats while a look is under way. Called by `inbound`.

use rusqlite::OptionalExtension;

use crate::base::clock::UnixMs;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::MessageId;
use crate::store::Result;
use crate::store::Store;

/// The last complete look of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Every message up to this one was looked for.
    pub up_to: MessageId,
    /// When it began, by the portal's clock.
    pub began: UnixMs,
}

impl Store {
    /// The last complete look of an agent, if there was one.
    ///
    /// # Errors
    /// See [`crate::store::Error`].
    pub fn last_look(&self, agent: &AgentName) -> Result<Option<Look>> {
        self.read(|connection| {
            let sql = "SELECT caught_up, caught_up_at FROM agents \
                       WHERE name = ?1 AND caught_up IS NOT NULL AND caught_up_at IS NOT NULL";
            let mut statement = connection.prepare(sql)?;
            let look = statement.query_row([agent.as_str()], |row| {
                Ok(Look { up_to: MessageId(row.get(0)?), began: UnixMs(row.get(1)?) })
            });
            Ok(look.optional()?)
        })
    }

    /// How far the look that is under way has got in a chat.
    ///
    /// # Errors
    /// See [`crate::store::Error`].
    pub fn looked_at(&self, agent: &AgentName, chat: ChatId) -> Result<Option<MessageId>> {
        self.read(|connection| {
            let sql = "SELECT caught_up FROM chats WHERE agent = ?1 AND chat = ?2";
            let mut statement = connection.prepare(sql)?;
            let found = statement.query_row((agent.as_str(), chat.0), |row| row.get(0));
            Ok(found.optional()?.map(MessageId))
        })
    }

    /// A look is complete: every chat has been looked through up to its mark.
    ///
    /// # Errors
    /// See [`crate::store::Error`].
    pub fn look_done(&self, agent: &AgentName, look: Look) -> Result<()> {
        let agent = agent.clone();
        self.write(move |connection| {
            connection.execute(
                "UPDATE agents SET caught_up = max(coalesce(caught_up, 0), ?2), caught_up_at = ?3 \
                 WHERE name = ?1",
                (agent.as_str(), look.up_to.0, look.began.0),
            )?;
            connection.execute("DELETE FROM chats WHERE agent = ?1", [agent.as_str()])?;
            Ok(())
        })
    }
}
