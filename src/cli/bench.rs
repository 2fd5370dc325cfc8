//! `bench`: measures this build against the model portal and prints what it found beside what was
//! aimed at. Asserts nothing. This program is the load; connector and, where the load is measured,
//! model portal and gateway run beside it in processes of their own.
//!
//! Whoever reads the numbers needs to know the machine: the first lines say it.

mod backlog;
mod crew;
mod crowd;
mod figures;
mod hops;
mod load;
mod lost;
mod machine;
mod many;
mod markup;
mod process;
mod rate;
mod stream;
mod upload;
mod years;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::demo::watch::Directory;
use crate::cli::say;
use crate::limits;
use crate::sim::stage::Connector;
use crate::sim::stage::Process;
use backlog::Backlog;
use load::Load;
use load::WaitsFor;
use many::Many;
use years::Years;

/// How much is measured.
#[derive(Clone, Copy)]
struct Plan {
    /// Before the load is measured, so that connections and caches are there.
    warm: Duration,
    /// How long the load is measured.
    load: Duration,
    /// Deliveries one after the other.
    alone: Duration,
    /// Messages timed from the portal to the gateway.
    messages: usize,
    /// Starts with an empty and with an existing state directory.
    starts: usize,
    /// How long the connector idles before its memory is read.
    idle: Duration,
    /// Deliveries of the count after which the database is weighed.
    bulk: usize,
    /// Bytes of the large file.
    file: u64,
    /// Calls of each kind with lost answers, and of those with a file.
    lost: (usize, usize),
    /// How long a backlog is watched.
    rate: Duration,
    /// See [`Years`].
    years: Years,
    /// How long a stream of messages runs before and while it is measured.
    stream: (Duration, Duration),
    /// See [`Backlog`].
    backlog: Backlog,
    /// See [`Many`].
    many: Many,
}

const FULL: Plan = Plan {
    warm: Duration::from_secs(2),
    load: Duration::from_secs(10),
    alone: Duration::from_secs(3),
    messages: 200,
    starts: 20,
    idle: Duration::from_secs(5),
    bulk: 10_000,
    file: limits::MEDIA_BYTES_MAX,
    lost: (100, 30),
    rate: Duration::from_secs(60),
    years: Years { rows: 1_000_000, rounds: 5, starts: 4, accepts: 2_000 },
    stream: (Duration::from_secs(3), Duration::from_secs(20)),
    backlog: Backlog { dialogs: 200, each: 50 },
    many: Many {
        agents: 50,
        talking: 5,
        warm: Duration::from_secs(60),
        window: Duration::from_secs(300),
        pause: Duration::from_secs(10),
        seldom: Duration::from_secs(30),
    },
};

const SHORT: Plan = Plan {
    warm: Duration::from_millis(100),
    load: Duration::from_millis(700),
    alone: Duration::from_millis(200),
    messages: 10,
    starts: 2,
    idle: Duration::from_millis(500),
    bulk: 200,
    file: 1_000_000,
    lost: (10, 10),
    rate: Duration::from_secs(1),
    years: Years { rows: 1_000, rounds: 1, starts: 1, accepts: 20 },
    stream: (Duration::from_millis(500), Duration::from_secs(1)),
    backlog: Backlog { dialogs: 10, each: 50 },
    many: Many {
        agents: 4,
        talking: 1,
        warm: Duration::from_secs(1),
        window: Duration::from_secs(5),
        pause: Duration::from_secs(2),
        seldom: Duration::from_secs(3),
    },
};

/// Connections that call Deliver at the same time.
const CONNECTIONS: usize = 64;
/// Dialogs they call it for, each connection its own ones in turn.
const DIALOGS: usize = 256;
/// Those of the count.
const BULK_DIALOGS: usize = 100;

/// What can be measured alone.
#[derive(Clone, Copy)]
enum Part {
    Stream,
    Backlog,
    Many,
    Markup,
}

impl Part {
    const ALL: [Part; 4] = [Part::Stream, Part::Backlog, Part::Many, Part::Markup];

    /// By the word of the command line.
    fn of(word: &str) -> Option<Part> {
        match word {
            "stream" => Some(Part::Stream),
            "backlog" => Some(Part::Backlog),
            "many" => Some(Part::Many),
            "markup" => Some(Part::Markup),
            _ => None,
        }
    }

    fn measure(self, plan: Plan, binary: &Path, dir: &Path) -> Result<(), String> {
        match self {
            Part::Stream => {
                say("\ninbound, a steady stream, the model in this process\n");
                stream::measure(binary, &dir.join("stream"), plan.stream)
            }
            Part::Backlog => {
                say("\ncatching up after a day, the model in this process\n");
                backlog::measure(binary, &dir.join("backlog"), plan.backlog)
            }
            Part::Many => {
                say("\nmany agents on a portal of two requests a second\n");
                many::measure(binary, &dir.join("many"), plan.many)
            }
            Part::Markup => {
                markup::measure(plan.warm * 20);
                Ok(())
            }
        }
    }
}

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let [crowd, address] = &invocation.words[..]
        && crowd == "crowd"
    {
        return crowd::hold(address);
    }
    let part = invocation.words.first().and_then(|word| Part::of(word));
    if let Some(code) = invocation.refuse_beyond(&["--short"], usize::from(part.is_some())) {
        return code;
    }
    let plan = if invocation.has("--short") { SHORT } else { FULL };
    match measure(plan, part) {
        Ok(()) => OK,
        Err(why) => {
            complain(&format!("bench: {why}"));
            FAILED
        }
    }
}

/// A line of the result: what, the number, what was aimed at.
fn line(what: &str, number: &str, aim: &str) {
    let aim = if aim.is_empty() { String::new() } else { format!("  (aim: {aim})") };
    say(&format!("  {what:<40}{number}{aim}\n"));
}

fn measure(plan: Plan, only: Option<Part>) -> Result<(), String> {
    let dir = Directory::new("bench")?;
    let binary = std::env::current_exe().map_err(|why| format!("where this program is: {why}"))?;
    say(&format!("aihummer-bitrix24 {}, measured\n\n", env!("CARGO_PKG_VERSION")));
    machine::describe(dir.path())?;
    say("\nthe program\n");
    process::build(&binary)?;
    if let Some(part) = only {
        return part.measure(plan, &binary, dir.path());
    }
    let model = Model::start(&binary, dir.path())?;
    say("\nstart, from the process's creation to an answer of /healthz\n");
    let empty = process::starts(plan.starts, |number| {
        model.connector(&binary, &format!("empty-{number}"))
    })?;
    line("empty state directory", &figures::spread(&empty), "<= 100 ms");
    let mut connector = model.connector(&binary, "state")?;
    model.consent(&connector)?;
    connector.terminate()?;
    let existing = process::starts(plan.starts, |_| model.connector(&binary, "state"))?;
    line("state with a connected agent", &figures::spread(&existing), "<= 100 ms");
    say("\nresident memory of the connector\n");
    let mut connector = model.connector(&binary, "state")?;
    std::thread::sleep(plan.idle);
    line("idle, one agent connected", &process::memory(connector.pid())?, "<= 12 MB");
    say("\nresident memory while a file goes through\n");
    upload::measure(&connector, &model.files, model.people[0], plan.file)?;
    deliveries(plan, &model, &connector)?;
    say("\nhealth of a listener, a new connection each time\n");
    crowd::measure(&binary, dir.path(), &connector)?;
    connector.terminate()?;
    bulk(plan, &model, &binary)?;
    drop(model);
    say("\na ledger of years\n");
    years::measure(&binary, &dir.path().join("years"), plan.years)?;
    say("\nevery fifth answer lost after the portal acted, the model in this process\n");
    let (count, files) = plan.lost;
    lost::measure(&binary, &dir.path().join("lost"), count, files)?;
    say("\nthe portal's rate\n");
    rate::measure(&binary, &dir.path().join("rate"), plan.rate)?;
    say("\ninbound, the model in this process\n");
    hops::measure(&binary, &dir.path().join("hops"), plan.messages)?;
    Part::ALL.into_iter().try_for_each(|part| part.measure(plan, &binary, dir.path()))
}

/// The load, and what it cost.
fn deliveries(plan: Plan, model: &Model, connector: &Connector) -> Result<(), String> {
    let users = |count: usize| model.people.iter().copied().take(count).collect::<Vec<u64>>();
    let load = |name, connections: usize, users: Vec<u64>| Load {
        name,
        address: connector.origin("deliver").trim_start_matches("http://").to_owned(),
        connections,
        users,
        waits_for: WaitsFor::Outcome,
    };
    // Before the load, whose thousands of events the connector reads back afterwards.
    let alone = load("alone", 1, users(1)).run(Duration::ZERO, plan.alone)?;
    let (connector_pid, model_pid) = (connector.pid(), model.process.pid());
    let cpu = || (process::cpu(connector_pid), process::cpu(model_pid));
    let before = cpu();
    let loaded = load("load", CONNECTIONS, users(DIALOGS)).run(plan.warm, plan.load)?;
    let after = cpu();
    line("after the load", &process::memory(connector_pid)?, "");
    say("\ndeliveries: durable, attempted, shown by the portal, answered `delivered`\n");
    let what = format!("{CONNECTIONS} callers, {DIALOGS} dialogs");
    let rate = format!("{:.0} a second", loaded.rate());
    line(&what, &rate, ">= 1,000 on two cores");
    line("  one call", &figures::spread(&loaded.times), "");
    line("  other answers", &loaded.failures.to_string(), "");
    let spent = |before: Option<Duration>, after: Option<Duration>| {
        let spent = after?.checked_sub(before?)?;
        Some(spent.as_secs_f64() * 1000.0 / loaded.calls as f64)
    };
    if let (Some(connector), Some(model)) = (spent(before.0, after.0), spent(before.1, after.1)) {
        let cost = format!("connector {connector:.2} ms, model portal {model:.2} ms");
        line("  processor time of one delivery", &cost, "");
    }
    line("1 caller, 1 dialog", &format!("{:.0} a second", alone.rate()), "");
    line("  one call", &figures::spread(&alone.times), "");
    Ok(())
}

/// A number of deliveries into a database of their own, and its size.
fn bulk(plan: Plan, model: &Model, binary: &Path) -> Result<(), String> {
    let mut connector = model.connector(binary, "bulk")?;
    model.consent(&connector)?;
    let load = Load {
        name: "bulk",
        address: connector.origin("deliver").trim_start_matches("http://").to_owned(),
        connections: BULK_DIALOGS / 2,
        users: model.people.iter().copied().take(BULK_DIALOGS).collect(),
        waits_for: WaitsFor::Outcome,
    };
    let measured = load.run_count(plan.bulk)?;
    say("\na number of deliveries\n");
    let what = format!("{} over {BULK_DIALOGS} dialogs", measured.calls);
    line(&what, &format!("{:.0} a second", measured.rate()), "");
    line("  one call", &figures::spread(&measured.times), "");
    line("  other answers", &measured.failures.to_string(), "");
    let state = model.dir.join("bulk");
    let running = process::database_bytes(&state);
    connector.terminate()?;
    let stopped = process::database_bytes(&state);
    let told = format!(
        "{} with its log, {} after a stop, {} bytes a delivery",
        figures::megabytes(running),
        figures::megabytes(stopped),
        stopped / measured.calls.max(1) as u64
    );
    line("  database", &told, "");
    Ok(())
}

/// Model portal and gateway in a process of their own: the verb `sim`.
struct Model {
    process: Process,
    settings: Vec<(String, String)>,
    agent_user: u64,
    people: Vec<u64>,
    /// Origin of its host of files.
    files: String,
    dir: PathBuf,
}

impl Model {
    fn start(binary: &Path, dir: &Path) -> Result<Model, String> {
        let people = format!("--people={DIALOGS}");
        let arguments = ["sim", people.as_str(), "--no-history"];
        // Only where temporary files go: the connector gets its settings from the line below.
        let environment: Vec<(String, String)> =
            vec![("TMPDIR".to_owned(), dir.display().to_string())];
        let log = dir.join("sim.log");
        let (process, told) = Process::start(binary, &arguments, &environment, &log)?;
        let strange = || format!("`sim` told {told}");
        let settings = told["settings"].as_object().ok_or_else(strange)?.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut settings: Vec<(String, String)> =
            settings.map(|(name, value)| (name.clone(), text(value))).collect();
        // The gateway's agent has nothing to say here, so these two may move.
        for (name, value) in &mut settings {
            if name == "BITRIX24_CONTROL_ADDR" || name == "BITRIX24_DELIVER_ADDR" {
                "127.0.0.1:0".clone_into(value);
            }
        }
        let people = told["people"].as_array().ok_or_else(strange)?.iter();
        Ok(Model {
            settings,
            agent_user: told["agent_user"].as_u64().ok_or_else(strange)?,
            people: people.filter_map(Value::as_u64).collect(),
            files: text(&told["files"]),
            process,
            dir: dir.to_owned(),
        })
    }

    /// Starts a connector that keeps its state in `state`.
    fn connector(&self, binary: &Path, state: &str) -> Result<Connector, String> {
        let mut settings = self.settings.clone();
        let state = self.dir.join(state).display().to_string();
        settings.retain(|(name, _)| name != "BITRIX24_STATE_DIR");
        settings.push(("BITRIX24_STATE_DIR".to_owned(), state));
        Connector::start(binary, &settings, &self.dir.join("connector.log"))
    }

    fn consent(&self, connector: &Connector) -> Result<(), String> {
        let page = connector.consent("helper", self.agent_user)?;
        if page.status == 200 { Ok(()) } else { Err(format!("consent: {}", page.text())) }
    }
}
