//! What `demo` and `sim` have in common while they stay up: a directory that goes with them, what
//! to type, and every new or changed message of the chats shown. Knows the model, not the connector.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use crate::base::crypto;
use crate::cli::demo::walk::PICTURE;
use crate::sim::Shown;
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
    let calls = [
        ("say something (again with the same delivery_id: once only)",
            r#""delivery_id":"try-1","text":"**Hello** from curl""#.to_owned()),
        ("edit it",
            r#""delivery_id":"try-2","operation":"edit","target_delivery_id":"try-1","text":"Hello *again*""#.to_owned()),
        ("react to it",
            r#""delivery_id":"try-3","operation":"react","target_delivery_id":"try-1","reaction":"fire""#.to_owned()),
        ("attach a picture",
            format!(r#""delivery_id":"try-4","text":"See:","media":[{{"name":"dot.png","data":"{PICTURE}"}}]"#)),
        ("take the first one back",
            r#""delivery_id":"try-5","operation":"delete","target_delivery_id":"try-1""#.to_owned()),
    ];
    let mut told = format!(
        "Olaf writes to the agent:\n\n  \
         curl -s {portal}/rest/im.message.add -H 'Content-Type: application/json' \\\n    \
         -d '{{\"auth\":\"{token}\",\"DIALOG_ID\":\"{mira}\",\"MESSAGE\":\"What about invoice 4712?\"}}'\n\n\
         The gateway lets the agent speak:\n\n  \
         deliver() {{ curl -s {deliver} -H 'Content-Type: application/json' \\\n    \
         -H 'X-AIHummer-Inbound-Secret: {secret}' -d \"$1\"; echo; }}\n",
        portal = stage.portal.url(),
        mira = stage.mira,
        secret = stage::SECRET,
    );
    for (what, fields) in calls {
        let target = format!("helper/{}", stage.olaf);
        told.push_str(&format!(
            "\n  # {what}\n  deliver '{{\"external_id\":\"{target}\",{fields}}}'\n"
        ));
    }
    told.push_str("\nWhat is new in the dialogs appears here; Ctrl-C ends it.\n\n");
    told
}

/// What was seen of which messages.
pub(in crate::cli) struct Watch<'a> {
    stage: &'a Stage,
    /// Title and id.
    chats: Vec<(&'static str, u64)>,
    seen: HashMap<u64, Shown>,
}

impl<'a> Watch<'a> {
    /// Watches these chats; what is in them already is not news.
    pub(in crate::cli) fn new(stage: &'a Stage, chats: Vec<(&'static str, u64)>) -> Watch<'a> {
        let mut watch = Watch { stage, chats, seen: HashMap::new() };
        watch.news();
        watch
    }

    /// What was written or changed since the last time, a line for each.
    pub(in crate::cli) fn news(&mut self) -> String {
        let mut lines = String::new();
        for (title, chat) in &self.chats {
            for message in self.stage.portal.shown(*chat) {
                let known = self.seen.insert(message.id, message.clone());
                if known.as_ref() != Some(&message) {
                    let change = told(&message, known.as_ref());
                    let author = self.name(message.author);
                    lines.push_str(&format!("  [{title}] {author} {change}\n"));
                }
            }
        }
        lines
    }

    fn name(&self, user: u64) -> &'static str {
        match user {
            user if user == self.stage.olaf => "Olaf",
            user if user == self.stage.mira => "Mira (the agent)",
            _ => "system",
        }
    }
}

/// A message as it is now, and what became of it if it was known.
fn told(message: &Shown, known: Option<&Shown>) -> String {
    let mut text = client_text(&message.text).replace('\n', "\n      ");
    for file in &message.files {
        text.push_str(&format!(" [{}, {} bytes]", file.name, file.size));
    }
    for (_, code) in &message.reactions {
        text.push_str(&format!(" ({code})"));
    }
    match known {
        _ if message.deleted => format!("deleted {}: {text}", message.id),
        None => format!("({}): {text}", message.id),
        Some(known) if known.text != message.text => format!("edited {}: {text}", message.id),
        Some(_) => format!("({}) is now: {text}", message.id),
    }
}
