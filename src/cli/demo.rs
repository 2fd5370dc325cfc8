//! `demo`: the main job on an embedded model portal and gateway, with this very executable as the
//! connector beside them in a process of its own. Walks through one story (`walk`), prints each hop
//! (`narrate`), and then stays up for trying by hand; with `--once` it ends after the walk.
//!
//! Exit code 0 only if everything that the story claims was seen to hold.

mod narrate;
mod walk;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::crypto;
use crate::base::signals::StopSignals;
use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::say;
use crate::sim::messenger::scene::client_text;
use crate::sim::stage;
use crate::sim::stage::Stage;
use narrate::Narrator;
use walk::Walk;

/// How often the demo looks for new messages while it stays up.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&["--once"], 0) {
        return code;
    }
    // Before the model's threads exist, so that a signal finds this thread.
    let signals = StopSignals::block();
    let dir = Directory::new();
    match perform(&signals, &dir, invocation.has("--once")) {
        Ok(true) => OK,
        Ok(false) => FAILED,
        Err(why) => {
            complain(&format!("demo: {why}"));
            FAILED
        }
    }
}

fn perform(signals: &StopSignals, dir: &Directory, once: bool) -> Result<bool, String> {
    std::fs::create_dir_all(&dir.0).map_err(|why| format!("{}: {why}", dir.0.display()))?;
    let binary = std::env::current_exe().map_err(|why| format!("where this program is: {why}"))?;
    let mut narrator = Narrator::new(signals);
    let stage = Stage::new(&dir.0, crate::sim::PortalOptions::default())?;
    let mut walk = Walk::new(stage, binary, &mut narrator)?;
    let walked = walk.all();
    match walked {
        Ok(()) => {}
        // The rest of the story needs what did not come.
        Err(why) => {
            walk.fail(&why);
            let log = walk.connector_log();
            say(&format!("\nThe connector's last words:\n{log}\n"));
            return Ok(false);
        }
    }
    if !once && !walk.interrupted() {
        stay(&walk, signals)?;
    }
    walk.end()
}

/// Prints what to try and then every new message, until a signal comes.
fn stay(walk: &Walk<'_, '_>, signals: &StopSignals) -> Result<(), String> {
    let stage = walk.stage();
    let connector = walk.connector();
    let control = connector.origin("control");
    let (token, _) = stage
        .portal
        .issue_tokens(&stage.client_id, stage.olaf)
        .ok_or("the model has no such application")?;
    let shown: Vec<(&str, u64)> = walk.chats();
    let mut seen: HashSet<u64> = shown
        .iter()
        .flat_map(|(_, chat)| stage.portal.shown(*chat))
        .map(|message| message.id)
        .collect();
    say(&format!(
        "\nIt stays up. To try:\n\n  \
         health   {control}/healthz\n  \
         ready    {control}/readyz\n  \
         state    {state}\n  \
         log      {log}\n\n\
         Olaf writes to the agent:\n\n  \
         curl -s {portal}/rest/im.message.add -H 'Content-Type: application/json' \\\n    \
         -d '{{\"auth\":\"{token}\",\"DIALOG_ID\":\"{mira}\",\"MESSAGE\":\"What about invoice 4712?\"}}'\n\n\
         The gateway lets the agent say something (again with the same delivery_id: once only):\n\n  \
         curl -s {deliver} \\\n    \
         -H 'Content-Type: application/json' -H 'X-AIHummer-Inbound-Secret: {secret}' \\\n    \
         -d '{{\"delivery_id\":\"try-1\",\"external_id\":\"helper/{olaf}\",\"text\":\"**Hello** from curl\"}}'\n\n\
         New messages appear here; Ctrl-C ends it.\n\n",
        state = stage.state_dir().display(),
        log = stage.log_path().display(),
        portal = stage.portal.url(),
        mira = stage.mira,
        deliver = stage::deliver_url(connector),
        secret = stage::SECRET,
        olaf = stage.olaf,
    ));
    while !signals.wait(LOOK_EVERY) {
        for (title, chat) in &shown {
            for message in stage.portal.shown(*chat) {
                if seen.insert(message.id) {
                    let author = walk.name_of(message.author);
                    let text = client_text(&message.text).replace('\n', "\n      ");
                    say(&format!("  [{title}] {author}: {text}\n"));
                }
            }
        }
    }
    Ok(())
}

/// A directory below the system's temporary one, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        let name = format!("aihummer-bitrix24-demo-{}", crypto::hex(&crypto::random::<8>()));
        Directory(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A leftover in /tmp harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
