//! Whether years of finished deliveries cost anything: a connector on an empty ledger and one on a
//! ledger of a million rows, in turn, how long each takes to start and to accept.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::base::clock;
use crate::cli::bench::Model;
use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::cli::bench::load::Load;
use crate::cli::bench::load::TEXT;
use crate::cli::bench::load::WaitsFor;
use crate::cli::bench::process;
use crate::sim::stage::Connector;
use crate::store::fill;

/// How much is measured.
#[derive(Clone, Copy)]
pub(super) struct Years {
    /// Finished deliveries in the old ledger.
    pub(super) rows: u32,
    /// Times that either is measured.
    pub(super) rounds: usize,
    /// Starts of a round.
    pub(super) starts: usize,
    /// Deliveries accepted in a round.
    pub(super) accepts: usize,
}

/// The state directories.
const STATES: [&str; 2] = ["young", "old"];
/// How long what was accepted may take to be delivered.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured of one ledger.
#[derive(Default)]
struct Times {
    starts: Vec<Duration>,
    accepts: Vec<Duration>,
}

/// Fills a ledger and prints the lines.
pub(super) fn measure(binary: &Path, dir: &Path, years: Years) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let model = Model::start(binary, dir)?;
    for state in STATES {
        let mut connector = model.connector(binary, state)?;
        model.consent(&connector)?;
        connector.terminate()?;
    }
    let began = Instant::now();
    let old = dir.join(STATES[1]);
    fill::fill(&old, "helper", TEXT, years.rows, clock::now().0).map_err(|why| why.to_string())?;
    let size = figures::megabytes(process::database_bytes(&old));
    let took = began.elapsed().as_secs_f64();
    line(&format!("ledger of {} rows", years.rows), &format!("{size}, made in {took:.0} s"), "");
    let mut all = [Times::default(), Times::default()];
    for _ in 0..years.rounds {
        for (state, times) in STATES.into_iter().zip(&mut all) {
            round(binary, &model, state, years, times)?;
        }
    }
    let [young, old] = &all;
    line("start, empty ledger", &figures::spread(&young.starts), "");
    line("start, old ledger", &figures::spread(&old.starts), "");
    let ratio = figures::ratio(&old.starts, &young.starts, 50);
    line("  old against empty, p50", &ratio, "<= 1.2");
    line("accept, empty ledger", &figures::spread(&young.accepts), "");
    line("accept, old ledger", &figures::spread(&old.accepts), "");
    let ratio = figures::ratio(&old.accepts, &young.accepts, 99);
    line("  old against empty, p99", &ratio, "<= 1.2");
    Ok(())
}

fn round(
    binary: &Path,
    model: &Model,
    state: &str,
    years: Years,
    times: &mut Times,
) -> Result<(), String> {
    times.starts.extend(process::starts(years.starts, |_| model.connector(binary, state))?);
    let mut connector = model.connector(binary, state)?;
    let load = Load {
        name: "years",
        address: connector.origin("deliver").trim_start_matches("http://").to_owned(),
        connections: 1,
        users: model.people.clone(),
        waits_for: WaitsFor::Acceptance,
    };
    let measured = load.run_count(years.accepts)?;
    if measured.failures > 0 {
        return Err(format!("{} deliveries were not accepted", measured.failures));
    }
    times.accepts.extend(measured.times);
    wait_delivered(&connector)?;
    connector.terminate().map(drop)
}

fn wait_delivered(connector: &Connector) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let status = connector.status().unwrap_or_default();
        if status["deliveries"]["unfinished"] == 0 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("what was accepted was not delivered".to_owned())
}
