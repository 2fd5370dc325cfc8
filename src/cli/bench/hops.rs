//! How long a message takes through the connector: from the end of the portal's answer that carried
//! it to the moment at which the gateway has it. One message at a time, so that it is clear which
//! answer that was; measured by the model, which is in this process.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::sim::Exchange;
use crate::sim::PortalOptions;
use crate::sim::ServerKind;
use crate::sim::stage;
use crate::sim::stage::Stage;

/// How long a message may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Poll interval: far longer than the way through the connector, so that no later answer is taken
/// for the one that carried the message.
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
    let times = hops(&stage.network.history());
    line("poll answered to gateway has it", &figures::spread(&times), "");
    // Its exit code is a test's business.
    connector.terminate().map(drop)
}

/// For each message at the gateway the time since the last answer to a poll.
fn hops(history: &[Exchange]) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut polled: Option<Instant> = None;
    for exchange in history {
        if exchange.rest_method == stage::EVENTS_METHOD {
            polled = Some(exchange.ended);
        } else if exchange.server == ServerKind::Gateway
            && exchange.path.ends_with("/generic")
            && let Some(polled) = polled
        {
            times.push(exchange.ended.saturating_duration_since(polled));
        }
    }
    times
}
