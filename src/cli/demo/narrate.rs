//! What the demo prints: numbered scenes, hops, what a client shows, and claims with whether they
//! held. Counts the claims; also the only place where the demo waits.

use std::time::Duration;
use std::time::Instant;

use crate::base::sys::StopSignals;
use crate::cli::say;
use crate::sim::Exchange;
use crate::sim::Network;
use crate::sim::ServerKind;
use crate::sim::messenger::scene::client_text;
use crate::sim::stage;

/// How long something that takes milliseconds may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(3);

/// Prints the story.
pub(super) struct Narrator<'a> {
    signals: &'a StopSignals,
    scene: u32,
    held: u32,
    failed: Vec<String>,
    /// Whether a signal asked to stop.
    pub(super) interrupted: bool,
    /// The last exchange told; how many the history had then.
    told: usize,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(signals: &'a StopSignals) -> Narrator<'a> {
        say("AiHummer connector for Bitrix24: one conversation, end to end, on a model portal\n");
        Narrator { signals, scene: 0, held: 0, failed: Vec::new(), interrupted: false, told: 0 }
    }

    /// Begins a scene.
    pub(super) fn scene(&mut self, title: &str) {
        self.scene += 1;
        say(&format!("\n{}  {title}\n", self.scene));
    }

    /// A line of the story.
    pub(super) fn line(&self, left: &str, right: &str) {
        say(&format!("   {left:<26}{right}\n"));
    }

    /// A text as a person's client shows it.
    pub(super) fn shown(&self, whose: &str, text: &str) {
        self.line(whose, "");
        for line in client_text(text).lines() {
            say(&format!("      │ {line}\n"));
        }
    }

    /// A claim of the story, and whether it held.
    pub(super) fn claim(&mut self, claim: &str, held: bool) {
        say(&format!("   {} {claim}\n", if held { "✓" } else { "✗" }));
        match held {
            true => self.held += 1,
            false => self.failed.push(claim.to_owned()),
        }
    }

    /// Waits until something is so.
    pub(super) fn until(&mut self, what: &str, so: impl Fn() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !so() {
            if self.signals.wait(LOOK_AGAIN) {
                self.interrupted = true;
                return Err("interrupted".to_owned());
            }
            if Instant::now() >= deadline {
                return Err(format!("waited in vain for {what}"));
            }
        }
        Ok(())
    }

    /// What went over the network since the last time, repeated questions for events as one line.
    pub(super) fn hops(&mut self, network: &Network) {
        let history = network.history();
        let mut events: Option<&Exchange> = None;
        for exchange in history.iter().skip(self.told) {
            if exchange.rest_method == stage::EVENTS_METHOD && exchange.fault.is_none() {
                events = Some(exchange);
                continue;
            }
            if let Some(event) = events.take() {
                self.hop(event);
            }
            self.hop(exchange);
        }
        self.told = history.len();
    }

    /// Leaves out what went over the network since the last time.
    pub(super) fn skip_hops(&mut self, network: &Network) {
        self.told = network.history().len();
    }

    fn hop(&self, exchange: &Exchange) {
        let (way, what) = match exchange.server {
            ServerKind::Portal if exchange.rest_method.is_empty() => return,
            ServerKind::Portal => ("connector → portal", exchange.rest_method.as_str()),
            ServerKind::OAuth => ("connector → authorization", path(&exchange.path)),
            ServerKind::Gateway if exchange.http_method == "DELIVER" => {
                ("gateway → connector", "Deliver")
            }
            ServerKind::Gateway => ("connector → gateway", path(&exchange.path)),
            ServerKind::Files => ("connector → file host", path(&exchange.path)),
        };
        let answer = match (exchange.status, exchange.fault) {
            (_, Some(_)) => "no answer: the connector was killed".to_owned(),
            (0, None) => "no answer".to_owned(),
            (status, None) if exchange.error.is_empty() => status.to_string(),
            (status, None) => format!("{status} {}", exchange.error),
        };
        self.line(way, &format!("{what}  {answer}"));
    }

    /// The closing lines; whether everything held.
    pub(super) fn close(&self) -> bool {
        say(&format!("\n{} claims held, {} did not\n", self.held, self.failed.len()));
        for claim in &self.failed {
            say(&format!("   ✗ {claim}\n"));
        }
        self.failed.is_empty()
    }
}

/// A path without its query, which may hold a token.
fn path(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}
