//! How long a message takes through the connector: from the end of the portal's answer that told of
//! it to the moment at which the gateway has its POST. Measured by the model, which is in this
//! process: one message at a time here, many of them in `stream`.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::sim::Exchange;
use crate::sim::Inbound;
use crate::sim::PortalOptions;
use crate::sim::stage::Stage;

/// How long a message may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Poll interval: short, because it is not measured, and longer than the way through the connector.
const POLL_MS: &str = "50";

/// Sends so many messages and prints the line.
pub(super) fn measure(binary: &Path, dir: &Path, messages: usize) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let mut stage = Stage::new(dir, PortalOptions::default())?;
    stage.set("BITRIX24_POLL_ACTIVE_MS", POLL_MS);
    stage.set("BITRIX24_POLL_IDLE_MS", POLL_MS);
    let mut connector = stage.start(binary)?;
    let page = connector.consent("helper", stage.mira)?;
    if page.status != 200 {
        return Err(format!("consent: {}", page.text()));
    }
    if !stage.network.wait_until(PATIENCE, |_| stage.is_subscribed()) {
        return Err("the agent's events were not subscribed".to_owned());
    }
    stage.network.reset_count();
    for number in 1..=messages {
        let written = stage.portal.write_to(stage.olaf, stage.mira, &format!("Question {number}"));
        written.map_err(|why| format!("{why:?}"))?;
        if !stage.network.wait_until(PATIENCE, |_| stage.gateway.inbound().len() >= number) {
            return Err(format!("message {number} did not reach the gateway"));
        }
    }
    let times = times(&stage.network.history(), &stage.gateway.inbound());
    line("poll answered to gateway has it", &figures::spread(&times), "");
    // Its exit code is a test's business.
    connector.terminate().map(drop)
}

/// For each message at the gateway the time since the end of the first answer that told of it.
pub(super) fn times(history: &[Exchange], inbound: &[Inbound]) -> Vec<Duration> {
    let mut told: HashMap<u64, Instant> = HashMap::new();
    for exchange in history {
        for message in &exchange.told {
            told.entry(*message).or_insert(exchange.ended);
        }
    }
    let took = |message: &Inbound| {
        let told = told.get(&message.message()?)?;
        Some(message.came.saturating_duration_since(*told))
    };
    inbound.iter().filter_map(took).collect()
}
