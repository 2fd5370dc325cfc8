//! A steady stream of messages to many dialogs of several agents: how long the connector adds between
//! the portal's answer that told of a message and the POST that the gateway gets, and what a message
//! costs. The portal's rate is off, so that neither its limit nor ours is what is measured.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::cli::bench::crew;
use crate::cli::bench::figures;
use crate::cli::bench::hops;
use crate::cli::bench::line;
use crate::cli::bench::process;
use crate::sim::Inbound;

const AGENTS: usize = 20;
/// Colleagues, each in a dialog with every agent.
const PEOPLE: usize = 10;
/// Messages a second, of all dialogs.
const PER_SECOND: u32 = 200;
/// How often each agent is asked for: as in conversation, from the start on.
const POLL_MS: &str = "1000";
/// How long what is under way may take in the end.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Lets the stream run, first unmeasured for `warm`, and prints the lines.
pub(super) fn measure(
    binary: &Path,
    dir: &Path,
    (warm, window): (Duration, Duration),
) -> Result<(), String> {
    let (mut stage, agents, people) = crew::stage(dir, AGENTS, PEOPLE)?;
    stage.set("BITRIX24_POLL_ACTIVE_MS", POLL_MS);
    stage.set("BITRIX24_POLL_IDLE_MS", POLL_MS);
    let mut connector = stage.start(binary)?;
    crew::connect(&stage, &connector, &agents)?;
    stage.network.reset_count();
    let pause = Duration::from_secs(1) / PER_SECOND;
    let count = |time: Duration| (time.as_secs_f64() * f64::from(PER_SECOND)) as usize;
    let (unmeasured, all) = (count(warm), count(warm) + count(window));
    let mut measured = HashSet::new();
    let mut spent = None;
    let began = Instant::now();
    for number in 0..all {
        let due = began + pause * u32::try_from(number).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let person = people[number / AGENTS % PEOPLE];
        let agent = agents[number % AGENTS].user;
        let text = format!("Question {number}");
        let written = stage.portal.write_to(person, agent, &text);
        let written = written.map_err(|why| format!("{why:?}"))?;
        if number == unmeasured {
            spent = process::cpu(connector.pid());
        }
        if number >= unmeasured {
            measured.insert(written);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while stage.gateway.accepted() < all && Instant::now() < deadline {
        std::thread::sleep(LOOK);
    }
    let spent = process::cpu(connector.pid()).zip(spent);
    let mut inbound = stage.gateway.inbound();
    let arrived: HashSet<u64> = inbound.iter().filter_map(Inbound::message).collect();
    let doubled = inbound.len() - arrived.len();
    inbound.retain(|message| message.message().is_some_and(|id| measured.contains(&id)));
    let times = hops::times(&stage.network.history(), &inbound);
    let what = format!("{PER_SECOND} a second, {} dialogs", AGENTS * PEOPLE);
    line(&what, &figures::spread(&times), "p50 <= 20 ms, p99 <= 100 ms");
    let told = format!("{} of {all} arrived, {doubled} doubled", arrived.len());
    line("  messages", &told, "all, 0");
    if let Some(spent) = spent.and_then(|(after, before)| after.checked_sub(before)) {
        let each = spent.as_secs_f64() * 1000.0 / measured.len() as f64;
        line("  processor time of one message", &format!("connector {each:.2} ms"), "");
    }
    line("  resident memory", &process::memory(connector.pid())?, "");
    connector.terminate().map(drop)
}
