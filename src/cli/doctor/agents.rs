//! The agents: looked at by the running service, which alone can act as them, or told of as the
//! database of a stopped one has them. Called by `doctor`.

use serde_json::Value;

use crate::base::percent;
use crate::cli::control_client;
use crate::cli::control_client::Answered;
use crate::cli::control_client::Unasked;
use crate::cli::doctor::Patience;
use crate::cli::doctor::report::Report;
use crate::cli::doctor::state::Stored;
use crate::domain::agent::AgentState;
use crate::domain::finding;
use crate::domain::finding::Finding;
use crate::limits;
use crate::settings::Settings;

/// Has the service look at each of its agents, as long as there is time; of the others only what the
/// status says.
pub fn ask(settings: &Settings, status: &Value, patience: &Patience, report: &mut Report) {
    let agents = status["agents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut left_out = Vec::new();
    for agent in agents {
        let text = |key: &str| agent[key].as_str().unwrap_or_default().to_owned();
        let (name, state, reason) = (text("name"), text("state"), text("reason"));
        if !patience.allows(&format!("agent {name}")) {
            report.extend(of_state(&name, &state, &reason));
            left_out.push(name);
            continue;
        }
        let path = format!("/v1/agents/{}/check", percent::encode(&name));
        let within = limits::DOCTOR_CHECK_TIME_MAX;
        let unseen = match control_client::ask(settings, "GET", &path, None, within) {
            Ok(Answered { status: 200, body }) if report.read(&body) => None,
            Ok(Answered { status: 404, .. }) => {
                Some("the running service has no such check".to_owned())
            }
            Ok(Answered { status, body }) => {
                Some(body["message"].as_str().map_or(format!("status {status}"), str::to_owned))
            }
            Err(Unasked::NoSecret(why) | Unasked::Unheard(why)) => Some(why),
        };
        if let Some(why) = unseen {
            report.extend(of_state(&name, &state, &reason));
            report.extend([finding::AGENT_NOT_ASKED.of(name, why)]);
        }
    }
    if !left_out.is_empty() {
        report.extend([finding::NOT_LOOKED_AT.of(left_out.join(", "), "agents at the portal")]);
    }
}

/// The agents of a stopped service.
pub fn of_stored(stored: &[Stored]) -> Vec<Finding> {
    stored.iter().filter_map(|(name, state, reason)| of_state(name, state, reason)).collect()
}

fn of_state(name: &str, state: &str, reason: &str) -> Option<Finding> {
    Some(finding::of_agent_state(AgentState::parse(state)?).of(name, reason))
}

#[cfg(test)]
mod tests {
    use super::of_stored;

    #[test]
    fn agents_of_a_stopped_service_are_told_as_they_were() {
        let row = |state: &str| ("helper".to_owned(), state.to_owned(), "why".to_owned());
        let found = of_stored(&[row("active"), row("revoked"), row("of the future")]);
        let seen: Vec<_> = found.iter().map(|one| (one.kind.id, one.detail.as_str())).collect();
        assert_eq!(seen, [("agent_active", "why"), ("agent_revoked", "why")]);
    }
}
