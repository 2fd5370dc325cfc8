//! What is written while the connector is away for longer than the portal keeps events: how many calls
//! finding it in the dialogs takes, against the fewest that can be, and how long until the gateway
//! has all of it. The portal's rate is off; with it, calls through rate is the time.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::cli::bench::crew;
use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::cli::bench::process;
use crate::sim::Inbound;
use crate::sim::ServerKind;
use crate::sim::stage::LOOK_METHODS;

/// How much is written.
#[derive(Clone, Copy)]
pub(super) struct Backlog {
    /// Private dialogs of one agent.
    pub(super) dialogs: usize,
    /// Messages in each.
    pub(super) each: usize,
}

/// How long the connector is away: longer than the portal keeps events (b24: messenger §3.2 item 8).
const AWAY: Duration = Duration::from_secs(25 * 3600);
/// Messages of a page (b24: messenger §4.2).
const PAGE: usize = 50;
/// How long it may take until the gateway has all.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long is waited for what should not come: a message that comes twice.
const REST: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(10);

/// Writes the backlog and prints the lines.
pub(super) fn measure(binary: &Path, dir: &Path, backlog: Backlog) -> Result<(), String> {
    let Backlog { dialogs, each } = backlog;
    let (stage, agents, people) = crew::stage(dir, 1, dialogs)?;
    let mut connector = stage.start(binary)?;
    crew::connect(&stage, &connector, &agents)?;
    connector.terminate()?;
    let mut written = HashSet::new();
    // Everybody's first message before anybody's second, as people write.
    for number in 0..dialogs * each {
        let text = format!("Question {number}");
        let id = stage.portal.write_to(people[number % dialogs], agents[0].user, &text);
        written.insert(id.map_err(|why| format!("{why:?}"))?);
    }
    stage.network.clock().advance(AWAY);
    stage.network.reset_count();
    let began = Instant::now();
    let mut connector = stage.start(binary)?;
    while stage.gateway.accepted() < written.len() && began.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
    }
    std::thread::sleep(REST);
    let inbound = stage.gateway.inbound();
    let arrived: HashSet<u64> = inbound.iter().filter_map(Inbound::message).collect();
    let of_these = arrived.intersection(&written).count();
    let last = inbound.iter().map(|message| message.came).max().unwrap_or(began);
    let history = stage.network.history();
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut read, [list, page]) = (began, LOOK_METHODS);
    for call in history.iter().filter(|exchange| exchange.server == ServerKind::Portal) {
        *calls.entry(call.rest_method.as_str()).or_default() += 1;
        if call.rest_method == page {
            read = call.ended;
        }
    }
    let mut of = |method| calls.remove(method).unwrap_or(0);
    let told = format!("{} {list}, {} {page}", of(list), of(page));
    let fewest = format!("1 and {}", dialogs * each.div_ceil(PAGE));
    let what = format!("{} in {dialogs} dialogs: calls", written.len());
    line(&what, &told, &fewest);
    let others: Vec<String> =
        calls.iter().map(|(method, count)| format!("{count} {method}")).collect();
    line("  other calls", &others.join(", "), "");
    let told =
        format!("{of_these} of {}, {} doubled", written.len(), inbound.len() - arrived.len());
    line("  arrived", &told, "all, 0");
    let seconds = |until: Instant| until.saturating_duration_since(began).as_secs_f64();
    let told = format!("{:.1} s, the last dialog read after {:.1} s", seconds(last), seconds(read));
    line("  start until the gateway has all", &told, "");
    let (_, peak) = process::resident_and_peak(connector.pid())?;
    line("  resident memory at most", &figures::megabytes(peak), "");
    connector.terminate().map(drop)
}
