//! `demo`: the main job on an embedded model portal and gateway, with this very executable as the
//! connector beside them in a process of its own. Walks through one story (`walk`), prints each hop
//! (`narrate`), and then stays up for trying by hand; with `--once` it ends after the walk.
//!
//! Exit code 0 only if everything that the story claims was seen to hold.

mod narrate;
mod walk;
pub(in crate::cli) mod watch;

use std::time::Duration;

use crate::base::sys::StopSignals;
use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::say;
use crate::sim::stage::Stage;
use narrate::Narrator;
use walk::Walk;
pub(in crate::cli) use walk::scripted_agent;
use watch::Directory;
use watch::Watch;

/// How often new messages are looked for while the model stays up.
pub(in crate::cli) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&["--once"], 0) {
        return code;
    }
    // Before the model's threads exist, so that a signal finds this thread.
    let signals = StopSignals::block();
    match perform(&signals, invocation.has("--once")) {
        Ok(true) => OK,
        Ok(false) => FAILED,
        Err(why) => {
            complain(&format!("demo: {why}"));
            FAILED
        }
    }
}

fn perform(signals: &StopSignals, once: bool) -> Result<bool, String> {
    let dir = Directory::new("demo")?;
    let binary = std::env::current_exe().map_err(|why| format!("where this program is: {why}"))?;
    let mut narrator = Narrator::new(signals);
    let stage = Stage::new(dir.path(), crate::sim::PortalOptions::default())?;
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
    let token = watch::employee_token(stage)?;
    let mut watch = Watch::new(stage, walk.chats());
    say(&format!(
        "\nIt stays up. To try:\n\n  \
         health   {control}/healthz\n  \
         ready    {control}/readyz\n  \
         state    {state}\n  \
         log      {log}\n\n\
         {to_type}",
        state = stage.state_dir().display(),
        log = stage.log_path().display(),
        to_type = watch::to_type(stage, &token, &connector.deliver_url()),
    ));
    while !signals.wait(LOOK_EVERY) {
        say(&watch.news());
    }
    Ok(())
}
