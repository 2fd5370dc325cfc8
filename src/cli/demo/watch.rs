//! What `demo` and `sim` have in common while they stay up: a directory that goes with them, what
//! to type, and every new message of the chats shown. Knows the model, not the connector.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use crate::base::crypto;
use crate::sim::messenger::scene::client_text;
use crate::sim::stage;
use crate::sim::stage::Stage;

/// A directory below the system's temporary one, removed in the end.
pub(in crate::cli) struct Directory(PathBuf);

impl Directory {
    /// Creates one for a verb.
    pub(in crate::cli) fn new(verb: &str) -> Result<Directory, String> {
        let name = format!("aihummer-bitrix24-{verb}-{}", crypto::hex(&crypto::random::<8>()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(Directory(path))
    }

    /// Where it is.
    pub(in crate::cli) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A leftover in /tmp harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An access token of the employee on the stage, for writing as a person by hand.
///
/// # Errors
/// The model lost its application, which would be a bug of the model.
pub(in crate::cli) fn employee_token(stage: &Stage) -> Result<String, String> {
    let issued = stage.portal.issue_tokens(&stage.client_id, stage.olaf);
    issued.map(|(access, _)| access).ok_or_else(|| "the model has no such application".to_owned())
}

/// What to type: writing as an employee, and letting the agent speak. `deliver` is where the
/// connector takes Deliver calls.
pub(in crate::cli) fn to_type(stage: &Stage, token: &str, deliver: &str) -> String {
    format!(
        "Olaf writes to the agent:\n\n  \
         curl -s {portal}/rest/im.message.add -H 'Content-Type: application/json' \\\n    \
         -d '{{\"auth\":\"{token}\",\"DIALOG_ID\":\"{mira}\",\"MESSAGE\":\"What about invoice 4712?\"}}'\n\n\
         The gateway lets the agent say something (again with the same delivery_id: once only):\n\n  \
         curl -s {deliver} \\\n    \
         -H 'Content-Type: application/json' -H 'X-AIHummer-Inbound-Secret: {secret}' \\\n    \
         -d '{{\"delivery_id\":\"try-1\",\"external_id\":\"helper/{olaf}\",\"text\":\"**Hello** from curl\"}}'\n\n\
         New messages appear here; Ctrl-C ends it.\n\n",
        portal = stage.portal.url(),
        mira = stage.mira,
        secret = stage::SECRET,
        olaf = stage.olaf,
    )
}

/// Who has seen which messages.
pub(in crate::cli) struct Watch<'a> {
    stage: &'a Stage,
    /// Title and id.
    chats: Vec<(&'static str, u64)>,
    seen: HashSet<u64>,
}

impl<'a> Watch<'a> {
    /// Watches these chats; what is in them already is not news.
    pub(in crate::cli) fn new(stage: &'a Stage, chats: Vec<(&'static str, u64)>) -> Watch<'a> {
        let mut watch = Watch { stage, chats, seen: HashSet::new() };
        watch.news();
        watch
    }

    /// What was written since the last time, a line for each message.
    pub(in crate::cli) fn news(&mut self) -> String {
        let mut lines = String::new();
        for (title, chat) in &self.chats {
            for message in self.stage.portal.shown(*chat) {
                if self.seen.insert(message.id) {
                    let author = match message.author {
                        user if user == self.stage.olaf => "Olaf",
                        user if user == self.stage.mira => "Mira (the agent)",
                        _ => "system",
                    };
                    let text = client_text(&message.text).replace('\n', "\n      ");
                    lines.push_str(&format!("  [{title}] {author}: {text}\n"));
                }
            }
        }
        lines
    }
}
