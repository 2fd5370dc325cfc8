//! The composition root: builds every component from the settings, starts the threads, watches
//! them, and stops everything in two phases. Decides nothing about messages. Called by `cli`.
//!
//! Start: signals blocked, then store, vault, agents, flows, and the listeners last, because their
//! handlers need the others; a taken port ends what was started. Stop: refuse new work and let work
//! in flight finish, then close and join; the store last, with a checkpoint.

mod build;
pub mod inspect;
pub mod rekey;
mod watchdog;

use std::time::Instant;

use crossbeam_channel::Receiver;
use serde_json::Value;
use serde_json::json;

use crate::base::sys::StopSignals;
use crate::base::systemd::Systemd;
use crate::base::threads::Exit;
use crate::base::threads::Exits;
use crate::limits;
use crate::settings::Settings;
use build::Running;
use watchdog::Watchdog;

/// Where a generated control secret is kept, below the state directory.
pub const CONTROL_SECRET_FILE: &str = "control.secret";

/// How a run ended.
pub enum Ended {
    /// It was asked to, and everything stopped.
    Stopped,
    /// It could not start because of a setting; the text says which and what to do.
    Settings(String),
    /// It could not start or had to end; the text says why.
    Failed(String),
}

/// Runs the connector until it is asked to stop or a thread ends unasked. `announce` gets the
/// addresses really bound, once everything is up.
pub fn run(settings: Settings, announce: &mut dyn FnMut(Value)) -> Ended {
    // Before the first thread: threads inherit the mask.
    let signals = StopSignals::block();
    let (exits, ended) = Exits::new();
    for warning in &settings.warnings {
        log::warn!("setting_without_effect {warning}");
    }
    let started = Instant::now();
    let running = match build::start(settings, &exits) {
        Ok(running) => running,
        Err(why) => return why,
    };
    let took_ms = started.elapsed().as_millis();
    log::info!("connector_started version={} took_ms={took_ms}", env!("CARGO_PKG_VERSION"));
    announce(json!({
        "control": running.control.addr().to_string(),
        "deliver": running.deliver.addr().to_string(),
        "consent": running.consent.addr().to_string(),
    }));
    let mut watchdog = Watchdog::start(Systemd::from_environment(), running.control.addr());
    let unasked = supervise(&signals, &ended, &mut watchdog);
    watchdog.stopping();
    stop(running);
    match unasked {
        None => Ended::Stopped,
        Some(exit) => Ended::Failed(format!("the thread {} ended", exit.name)),
    }
}

/// Waits for a reason to stop: a signal (`None`), or a thread that ended though nobody asked it to.
fn supervise(
    signals: &StopSignals,
    ended: &Receiver<Exit>,
    watchdog: &mut Watchdog,
) -> Option<Exit> {
    loop {
        // A signal wakes this at once; a dead thread is noticed within the tick.
        if signals.wait(limits::SUPERVISE_TICK) {
            log::info!("stop_asked");
            return None;
        }
        if let Ok(exit) = ended.try_recv() {
            log::error!("thread_ended thread={} panicked={}", exit.name, exit.panicked);
            return Some(exit);
        }
        watchdog.tick(Instant::now());
    }
}

fn stop(running: Running) {
    let deadline = Instant::now() + limits::STOP_GRACE;
    let Running { mut control, mut deliver, mut consent, flows, transport, store } = running;
    // Phase one: nothing new is read or taken; what is in flight finishes.
    if let Some(mut flows) = flows {
        flows.inbound.stop_polling();
        flows.consents.refuse();
        flows.outbound.drain(deadline);
        flows.consents.drain(deadline);
        // Phase two: close and join. Calls to the portal that still run are cut before anything
        // that waits for them is joined: a renewal that was not stored is repeated at the start.
        deliver.stop();
        flows.inbound.stop(deadline);
        if let Some(transport) = transport {
            transport.shutdown();
        }
        drop(flows.refresh);
        drop(flows.reading);
        drop(flows.upkeep);
    }
    deliver.stop();
    consent.stop();
    control.stop();
    store.stop();
    log::info!("connector_stopped");
}
