//! `doctor`: looks at everything that a working connector needs and says what is wrong, what that means
//! and what to do, for somebody who looks at this twice a year. Changes nothing. Each room below looks
//! at one thing and makes findings of it: `service`, `state`, `network`, `agents`; `report` shows them.
//! Exit code 3 when it found a problem.

mod agents;
mod network;
mod report;
mod service;
mod state;

use std::io::IsTerminal;
use std::time::Instant;

use serde_json::Value;

use crate::cli::FOUND;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::USAGE;
use crate::cli::aside;
use crate::cli::say;
use crate::domain::finding;
use crate::domain::finding::Finding;
use crate::domain::finding::Severity;
use crate::limits;
use crate::settings;
use crate::settings::Settings;
use crate::settings::Unusable;
use report::Report;

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&["--json"], 0) {
        return code;
    }
    let mut report = Report::default();
    let usable = match settings::load(invocation.env_file.as_deref()) {
        Ok(settings) => {
            report.extend(of_settings(&settings));
            look(&settings, &mut report);
            true
        }
        Err(unusable) => {
            report.extend(of_unusable(&unusable));
            false
        }
    };
    match invocation.has("--json") {
        true => say(&format!("{}\n", report.json())),
        false => say(&report.text()),
    }
    match (usable, report.worst()) {
        (false, _) => USAGE,
        (true, Severity::Problem) => FOUND,
        (true, _) => OK,
    }
}

/// How much time there is.
struct Patience {
    until: Instant,
    told: bool,
}

impl Patience {
    /// Whether there is time for something; tells whoever waits at a terminal that it begins.
    fn allows(&self, what: &str) -> bool {
        let allows = Instant::now() < self.until;
        if allows && self.told {
            aside(&format!("looking at {what} …\n"));
        }
        allows
    }
}

fn look(settings: &Settings, report: &mut Report) {
    let until = Instant::now() + limits::DOCTOR_TIME_MAX;
    let patience = Patience { until, told: std::io::stderr().is_terminal() };
    patience.allows("the service");
    let status = service::look(settings, report);
    patience.allows("the state directory");
    let stored = state::look(settings, status.as_ref(), report);
    network::look(settings, gateway_state(status.as_ref()), &patience, report);
    match &status {
        Some(status) => agents::ask(settings, status, &patience, report),
        None => report.extend(agents::of_stored(&stored)),
    }
}

/// What the running service knows of the gateway.
fn gateway_state(status: Option<&Value>) -> Option<&str> {
    status.and_then(|status| status["gateway"].as_str())
}

/// What settings that can be used still lack.
fn of_settings(settings: &Settings) -> Vec<Finding> {
    let missing = |name: &str| settings.portal_missing.contains(&name);
    let (id, secret) = ("BITRIX24_CLIENT_ID", "BITRIX24_CLIENT_SECRET");
    let mut lacking = Vec::new();
    if missing("BITRIX24_PORTAL_URL") {
        lacking.push("BITRIX24_PORTAL_URL");
    }
    // One without the other is a slip; neither is a portal without internet access.
    if missing(id) != missing(secret) {
        lacking.push(if missing(id) { id } else { secret });
    }
    if settings.inbound_secret.is_none() {
        lacking.push("AIHUMMER_INBOUND_SECRET");
    }
    let mut findings: Vec<Finding> =
        lacking.into_iter().map(|name| finding::SETTING_MISSING.of(name, "")).collect();
    if missing(id) && missing(secret) {
        findings.push(finding::APPLICATION_MISSING.of(id, ""));
    }
    let odd = settings.warnings.iter().map(|warning| {
        let name = warning.split(' ').next().unwrap_or_default();
        finding::SETTING_WITHOUT_EFFECT.of(name, warning.as_str())
    });
    findings.extend(odd);
    if findings.is_empty() {
        findings.push(finding::SETTINGS_OK.of("", ""));
    }
    findings
}

fn of_unusable(unusable: &Unusable) -> Vec<Finding> {
    match unusable {
        Unusable::File(problem) => {
            vec![finding::SETTINGS_FILE_UNREADABLE.of("--env-file", problem.as_str())]
        }
        Unusable::Settings(errors) => errors
            .iter()
            .map(|error| finding::SETTING_WRONG.of(error.name, error.to_string()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::of_settings;
    use super::of_unusable;
    use crate::settings;
    use crate::settings::Unusable;

    fn ids(pairs: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let environment: HashMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let findings = match settings::from(environment, HashMap::new()) {
            Ok(settings) => of_settings(&settings),
            Err(errors) => of_unusable(&Unusable::Settings(errors)),
        };
        findings.into_iter().map(|found| (found.kind.id, found.about)).collect()
    }

    #[test]
    fn what_the_settings_lack_is_named() {
        let whole = [
            ("BITRIX24_PORTAL_URL", "https://acme.example"),
            ("AIHUMMER_INBOUND_SECRET", "s"),
            ("BITRIX24_CLIENT_ID", "local.1"),
            ("BITRIX24_CLIENT_SECRET", "s"),
        ];
        assert_eq!(ids(&whole), [("settings_ok", String::new())]);
        assert_eq!(ids(&whole[..2]), [("application_missing", "BITRIX24_CLIENT_ID".into())]);
        assert_eq!(ids(&whole[..3]), [("setting_missing", "BITRIX24_CLIENT_SECRET".into())]);
        assert_eq!(
            ids(&whole[2..]),
            [
                ("setting_missing", "BITRIX24_PORTAL_URL".into()),
                ("setting_missing", "AIHUMMER_INBOUND_SECRET".into())
            ]
        );
        let slip: Vec<_> = whole.into_iter().chain([("BITRIX24_AGENT", "x")]).collect();
        assert_eq!(ids(&slip), [("setting_without_effect", "BITRIX24_AGENT".into())]);
        let wrong: Vec<_> = whole.into_iter().chain([("BITRIX24_RATE", "9")]).collect();
        assert_eq!(ids(&wrong), [("setting_wrong", "BITRIX24_RATE".into())]);
    }
}
