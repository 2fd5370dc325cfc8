//! Several agents on one stage, for the benches of the inbound path: their accounts, their consents,
//! and the colleagues who write to them.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::sim::Network;
use crate::sim::PortalOptions;
use crate::sim::User;
use crate::sim::stage::Connector;
use crate::sim::stage::EVENTS_METHOD;
use crate::sim::stage::Stage;

/// How long the portal may take to be asked for all agents' events.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent and its account.
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) user: u64,
}

/// A stage in `dir` with so many agents, which the connector gets at its next start, and so many
/// colleagues.
pub(super) fn stage(
    dir: &Path,
    agents: usize,
    people: usize,
) -> Result<(Stage, Vec<Agent>, Vec<u64>), String> {
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let mut stage = Stage::new(dir, PortalOptions::default())?;
    let account = |kind: &str, number: usize| {
        let user = User::employee(kind, &number.to_string()).in_departments(&[1]);
        stage.portal.add_user(user)
    };
    let agents: Vec<Agent> = (1..=agents)
        .map(|number| Agent { name: format!("agent-{number}"), user: account("Agent", number) })
        .collect();
    let people = (1..=people).map(|number| account("Employee", number)).collect();
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    stage.set("BITRIX24_AGENTS", &names.join(","));
    Ok((stage, agents, people))
}

/// Consents for all of them, and waits until the portal writes their events and each has looked at
/// what was there before.
pub(super) fn connect(
    stage: &Stage,
    connector: &Connector,
    agents: &[Agent],
) -> Result<(), String> {
    for agent in agents {
        let page = connector.consent(&agent.name, agent.user)?;
        if page.status != 200 {
            return Err(format!("consent: {}", page.text()));
        }
    }
    let all_asked = |network: &Network| {
        let history = network.history();
        let asked = history.iter().filter(|one| one.rest_method == EVENTS_METHOD);
        let users: HashSet<u64> = asked.filter_map(|one| one.user).collect();
        agents.iter().all(|agent| users.contains(&agent.user))
    };
    if !stage.network.wait_until(PATIENCE, all_asked) {
        return Err("the agents' events were not asked for".to_owned());
    }
    Ok(())
}
