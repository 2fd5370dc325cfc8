//! Many agents on a portal that allows two requests a second, a few of them in conversation: how long
//! people wait for an agent to hear of a message and for its answer to be shown, how often each is
//! asked for, and what the connector needs in memory. Takes real time: the rate is real.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::cli::bench::crew;
use crate::cli::bench::crew::Agent;
use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::cli::bench::process;
use crate::sim::Exchange;
use crate::sim::Inbound;
use crate::sim::Network;
use crate::sim::ServerKind;
use crate::sim::client;
use crate::sim::stage;
use crate::sim::stage::Connector;
use crate::sim::stage::SECRET;
use crate::sim::stage::Stage;
use crate::sim::switches::RateLimit;

/// Who is there, and how much is said.
#[derive(Clone, Copy)]
pub(super) struct Many {
    /// Agents in all.
    pub(super) agents: usize,
    /// Those of them that are in conversation.
    pub(super) talking: usize,
    /// How long people write before it is measured: the first messages find idle agents.
    pub(super) warm: Duration,
    /// How long they write while it is.
    pub(super) window: Duration,
    /// After the last message to an agent in conversation its next one, at least.
    pub(super) pause: Duration,
    /// After so long one of the idle agents, in turn, gets a message.
    pub(super) seldom: Duration,
}

/// How long an agent thinks before it answers.
const THINKS: Duration = Duration::from_secs(2);
/// How long a delivery waits, and is let wait.
const WAIT_MS: &str = "120000";
const TIMEOUT: Duration = Duration::from_secs(130);
/// How long the first look at every agent may take, and what is under way in the end.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(20);
const REFUSAL: &str = "QUERY_LIMIT_EXCEEDED";

/// Lets people write and agents answer, and prints the lines.
pub(super) fn measure(binary: &Path, dir: &Path, many: Many) -> Result<(), String> {
    let (mut stage, agents, people) = crew::stage(dir, many.agents, many.agents)?;
    let mut connector = stage.start(binary)?;
    crew::connect(&stage, &connector, &agents)?;
    connector.terminate()?;
    // Their consents are not what is measured, so the limit comes after them.
    stage.unset("BITRIX24_RATE");
    {
        let mut world = stage.portal.world();
        world.switches.rate_limit = RateLimit::CLOUD;
        world.switches.operating = true;
    }
    stage.network.reset_count();
    let began = Instant::now();
    let mut connector = stage.start(binary)?;
    let asked = |network: &Network| asked_each(&network.history(), &agents).iter().all(|n| *n > 0);
    if !stage.network.wait_until(PATIENCE, asked) {
        return Err("not every agent was asked for".to_owned());
    }
    let what = format!("{} agents: start until each was asked", many.agents);
    line(&what, &format!("{:.0} s", began.elapsed().as_secs_f64()), "");
    let mut seen = Talk::new(many, &agents, &people);
    let failed = talk(&stage, &connector, &mut seen)?;
    tell(&stage.network.history(), &stage.gateway.inbound(), &seen);
    line("  other answers", &failed.to_string(), "0");
    line("  resident memory", &process::memory(connector.pid())?, "<= 24 MB");
    connector.terminate().map(drop)
}

/// How often each agent was asked for, in the order of the list.
fn asked_each(history: &[Exchange], agents: &[Agent]) -> Vec<usize> {
    let mut asked: HashMap<u64, usize> = HashMap::new();
    for exchange in history.iter().filter(|one| one.rest_method == stage::EVENTS_METHOD) {
        *asked.entry(exchange.user.unwrap_or_default()).or_default() += 1;
    }
    agents.iter().map(|agent| asked.get(&agent.user).copied().unwrap_or(0)).collect()
}

/// Lets people write until the window is over, and agents answer until nothing is under way.
fn talk(stage: &Stage, connector: &Connector, talk: &mut Talk<'_>) -> Result<usize, String> {
    talk.open(connector)?;
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        loop {
            let now = Instant::now();
            let writing = now < talk.ends();
            if writing {
                talk.write(stage, now)?;
            }
            for (delivery, external_id) in talk.answers(stage, now) {
                let body = json!({
                    "delivery_id": delivery, "external_id": external_id, "text": "This, too.",
                });
                // A thread of its own for each, as gateways call.
                scope.spawn(|| {
                    if !deliver(connector, body) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            if !writing && talk.called.len() >= talk.written.len() + talk.many.talking {
                return Ok(());
            }
            if now > talk.ends() + PATIENCE {
                return Err("not every message reached the gateway".to_owned());
            }
            std::thread::sleep(LOOK);
        }
    })?;
    Ok(failed.into_inner())
}

/// Whether a call was answered `delivered`.
fn deliver(connector: &Connector, body: Value) -> bool {
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Connect-Timeout-Ms", WAIT_MS)];
    let answer = client::post_json(&connector.deliver_url(), &headers, &body, TIMEOUT);
    answer.is_ok_and(|answer| answer.json()["status"] == "delivered")
}

/// Who says what when, and what was said.
struct Talk<'a> {
    many: Many,
    agents: &'a [Agent],
    people: &'a [u64],
    /// When the window begins.
    from: Instant,
    /// When each agent in conversation gets its next message.
    next: Vec<Instant>,
    /// When an idle agent gets one, and how many did.
    seldom: (Instant, usize),
    /// Messages that the gateway has shown us, and those of them that are not answered yet.
    heard: usize,
    unanswered: Vec<Inbound>,
    /// The agent's place and the moment of each message, by its number on the portal.
    written: HashMap<u64, (usize, Instant)>,
    /// The same of each call of Deliver, in order.
    called: Vec<(usize, Instant)>,
}

impl<'a> Talk<'a> {
    fn new(many: Many, agents: &'a [Agent], people: &'a [u64]) -> Talk<'a> {
        let now = Instant::now();
        let from = now + many.warm;
        // Not all at once: each begins somewhere in its first pause.
        let next = (0..many.talking).map(|number| now + many.share(number)).collect();
        Talk {
            many,
            agents,
            people,
            from,
            next,
            seldom: (from + many.seldom / 2, 0),
            heard: 0,
            unanswered: Vec::new(),
            written: HashMap::new(),
            called: Vec::new(),
        }
    }

    /// The agents of the conversations say something first, or their first messages would find them
    /// idle.
    fn open(&mut self, connector: &Connector) -> Result<(), String> {
        for (place, agent) in self.agents.iter().enumerate().take(self.many.talking) {
            let body = json!({
                "delivery_id": format!("opening-{place}"),
                "external_id": format!("{}/{}", agent.name, self.people[place]),
                "text": "Good morning.",
            });
            self.called.push((place, Instant::now()));
            if !deliver(connector, body) {
                return Err("an agent could not say anything".to_owned());
            }
        }
        Ok(())
    }

    /// When people stop writing.
    fn ends(&self) -> Instant {
        self.from + self.many.window
    }

    /// People write to the agents whose time has come.
    fn write(&mut self, stage: &Stage, now: Instant) -> Result<(), String> {
        let many = self.many;
        let mut due: Vec<usize> =
            (0..many.talking).filter(|place| self.next[*place] <= now).collect();
        for place in &due {
            // Up to twice the pause, and no two agents in step.
            self.next[*place] = now + many.pause + many.share(*place * 3 + self.written.len());
        }
        let idle = many.agents - many.talking;
        if self.seldom.0 <= now && idle > 0 {
            due.push(many.talking + self.seldom.1 % idle);
            self.seldom = (now + many.seldom, self.seldom.1 + 1);
        }
        for place in due {
            let agent = self.agents[place].user;
            let written = stage.portal.write_to(self.people[place], agent, "And this?");
            let written = written.map_err(|why| format!("{why:?}"))?;
            self.written.insert(written, (place, Instant::now()));
        }
        Ok(())
    }

    /// The answers whose time has come: delivery and dialog.
    fn answers(&mut self, stage: &Stage, now: Instant) -> Vec<(String, String)> {
        if stage.gateway.accepted() > self.heard {
            let inbound = stage.gateway.inbound();
            self.unanswered.extend_from_slice(&inbound[self.heard..]);
            self.heard = inbound.len();
        }
        let mut due = Vec::new();
        self.unanswered.retain(|message| {
            let place = message.message().and_then(|id| self.written.get(&id));
            let Some((place, _)) = place.filter(|_| message.came + THINKS <= now) else {
                return true;
            };
            self.called.push((*place, Instant::now()));
            due.push((format!("answer-{}", message.key), message.external_id.clone()));
            false
        });
        due
    }
}

impl Many {
    /// A part of the pause that differs from agent to agent.
    fn share(self, number: usize) -> Duration {
        let talking = u32::try_from(self.talking).unwrap_or(u32::MAX).max(1);
        self.pause / talking * (u32::try_from(number).unwrap_or(0) % talking)
    }
}

/// Prints what was seen.
fn tell(history: &[Exchange], inbound: &[Inbound], seen: &Talk<'_>) {
    let (many, from) = (seen.many, seen.from);
    let kind_of = |place: usize| usize::from(place >= many.talking);
    let since = |later: Instant, at: Instant| later.saturating_duration_since(at);
    let mut heard = [Vec::new(), Vec::new()];
    for message in inbound {
        let written = message.message().and_then(|id| seen.written.get(&id));
        if let Some((place, at)) = written.filter(|(_, at)| *at >= from) {
            heard[kind_of(*place)].push(since(message.came, *at));
        }
    }
    let mut shown = [Vec::new(), Vec::new()];
    for (place, agent) in seen.agents.iter().enumerate() {
        let calls = seen.called.iter().filter(|(called, _)| *called == place);
        // An agent has one dialog here, and that keeps its order: the n-th call is the n-th message.
        let said = history.iter().filter(|one| {
            one.rest_method == stage::SAY_METHOD
                && one.user == Some(agent.user)
                && one.status == 200
        });
        let pairs = calls.map(|(_, at)| *at).zip(said).filter(|(at, _)| *at >= from);
        shown[kind_of(place)].extend(pairs.map(|(at, said)| since(said.ended, at)));
    }
    let within = |one: &&Exchange| one.ended >= from && one.ended < from + many.window;
    let within: Vec<Exchange> = history.iter().filter(within).cloned().collect();
    let asked = asked_each(&within, seen.agents);
    let written_to: HashSet<usize> = seen.written.values().map(|(place, _)| *place).collect();
    for (kind, name) in ["in conversation", "idle"].into_iter().enumerate() {
        line(&format!("  {name}: written to heard"), &figures::waits(&heard[kind]), "");
        line("    answer given to shown", &figures::waits(&shown[kind]), "");
        // An idle one that was written to is in conversation from then on.
        let of_kind =
            |place: usize| kind_of(place) == kind && (kind == 0 || !written_to.contains(&place));
        let these: Vec<usize> = (0..asked.len()).filter(|place| of_kind(*place)).collect();
        let calls: usize = these.iter().map(|place| asked[*place]).sum();
        let every = many.window.as_secs_f64() * these.len() as f64 / calls.max(1) as f64;
        line("    asked for", &format!("every {every:.1} s, {} agents", these.len()), "");
    }
    tell_calls(&within, many.window);
    let refused = history.iter().filter(|one| one.error == REFUSAL).count();
    line("  refused by the portal as too many", &refused.to_string(), "0");
}

/// Prints what the rate went into.
fn tell_calls(within: &[Exchange], window: Duration) {
    let within: Vec<&Exchange> =
        within.iter().filter(|one| one.server == ServerKind::Portal).collect();
    let mut calls: HashMap<&str, usize> = HashMap::new();
    for call in &within {
        *calls.entry(call.rest_method.as_str()).or_default() += 1;
    }
    let mut calls: Vec<(&str, usize)> = calls.into_iter().collect();
    calls.sort_unstable_by_key(|(method, count)| (std::cmp::Reverse(*count), *method));
    let each: Vec<String> =
        calls.iter().map(|(method, count)| format!("{count} {method}")).collect();
    let rate = within.len() as f64 / window.as_secs_f64();
    line("  calls a second", &format!("{rate:.2}: {}", each.join(", ")), "");
}
