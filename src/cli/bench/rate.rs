//! How much of the allowed rate a backlog uses: deliveries for longer than the burst lasts against
//! the model portal with the limit of the largest cloud plan. What is allowed then is what drains;
//! what the portal counts as too much is a refusal. The model is in this process and keeps the times.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use crate::cli::bench::line;
use crate::sim::Exchange;
use crate::sim::PortalOptions;
use crate::sim::ServerKind;
use crate::sim::User;
use crate::sim::stage::SECRET;
use crate::sim::stage::Stage;
use crate::sim::switches::RateLimit;

/// Requests that drain a second, and that fit at once, on both sides.
const PER_SECOND: f64 = 5.0;
const BURST: usize = 250;
const SETTING: &str = "5/250";
/// Dialogs of the backlog.
const DIALOGS: usize = 50;
/// Refusals of the rate.
const REFUSAL: &str = "QUERY_LIMIT_EXCEEDED";
/// How long the burst may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The window begins so long after the burst, when the bucket is full for certain.
const LATER: Duration = Duration::from_secs(1);

/// Lets a backlog run for so long after the burst and prints the lines.
pub(super) fn measure(binary: &Path, dir: &Path, window: Duration) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let mut stage = Stage::new(dir, PortalOptions::default())?;
    stage.portal.world().switches.rate_limit = RateLimit::ENTERPRISE;
    stage.set("BITRIX24_RATE", SETTING);
    let mut connector = stage.start(binary)?;
    let page = connector.consent("helper", stage.mira)?;
    if page.status != 200 {
        return Err(format!("consent: {}", page.text()));
    }
    let person = |number: usize| User::employee("Employee", &number.to_string());
    let people: Vec<u64> = (0..DIALOGS)
        .map(|number| stage.portal.add_user(person(number).in_departments(&[1])))
        .collect();
    // More than what can go until the end, so that the backlog outlasts the window.
    let backlog = 2 * BURST + (PER_SECOND * (window + LATER).as_secs_f64()) as usize;
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
    for number in 0..backlog {
        let person = people[number % people.len()];
        let body = json!({
            "delivery_id": format!("rate-{number}"),
            "external_id": format!("helper/{person}"),
            "text": "One of many.",
        });
        let answer = connector.deliver(&body, &headers)?;
        if answer.status != 202 {
            return Err(format!("Deliver: {}", answer.text()));
        }
    }
    if !stage.network.wait_until(PATIENCE, |network| calls(&network.history()).len() >= BURST) {
        return Err("the burst was not used".to_owned());
    }
    std::thread::sleep(LATER);
    let (from, until) = (Instant::now(), Instant::now() + window);
    std::thread::sleep(window);
    let status = connector.status().unwrap_or_default();
    if status["deliveries"]["unfinished"] == 0 {
        return Err("the backlog ended before the window".to_owned());
    }
    let history = stage.network.history();
    let within = |call: &&&Exchange| call.ended >= from && call.ended < until;
    let made = calls(&history).iter().filter(within).count();
    let refused = history.iter().filter(|exchange| exchange.error == REFUSAL).count();
    let allowed = PER_SECOND * window.as_secs_f64();
    let told = format!(
        "{made} calls in {} s, {:.1} % of the {allowed:.0} allowed",
        window.as_secs(),
        made as f64 / allowed * 100.0
    );
    line("backlog at 5/250, behind the burst", &told, ">= 95 %");
    line("  refused by the portal as too many", &refused.to_string(), "0");
    // The backlog ends with its process: a stop would let what waits for its turn wait on.
    connector.kill();
    Ok(())
}

/// The calls that the portal let in.
fn calls(history: &[Exchange]) -> Vec<&Exchange> {
    let portal = |exchange: &&Exchange| {
        exchange.server == ServerKind::Portal
            && exchange.path.starts_with("/rest/")
            && exchange.error != REFUSAL
    };
    history.iter().filter(portal).collect()
}
