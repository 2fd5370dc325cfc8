//! The random-kill run: deliveries of every kind to many dialogs of two agents, each dialog's caller
//! repeating its calls until they are answered, as a gateway does, while the connector is killed
//! (`kill -9`) at random moments, during its start as well, and started again on the same state. In
//! the end one checker looks at what the portal shows: nothing lost, nothing doubled, each dialog in
//! the order of acceptance.
//!
//! The choice of deliveries and moments follows from a seed, which is printed. `AIHUMMER_SEED` makes
//! a run choose the same again; which line a moment hits, the machine decides.

mod check;
mod script;

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::gateway::DELIVER_PATH;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::CONTROL_SECRET;
use aihummer_bitrix24::sim::stage::SECRET;

use crate::support::PATIENCE;
use crate::support::eventually;
use crate::support::scene::BINARY;
use crate::support::scene::Scene;
use crate::support::scene::last_lines;
use check::Verdict;
use script::Call;
use script::Dice;
use script::Script;

/// How much is done.
struct Size {
    kills: usize,
    deliveries: usize,
    /// Of a thousand deliveries. A publication whose answer is lost is looked for for 75 s.
    files: u64,
    /// How long the run may take to get everything through once it kills no more.
    drain: Duration,
}

const SHORT: Size = Size { kills: 15, deliveries: 400, files: 0, drain: Duration::from_secs(120) };
const LONG: Size =
    Size { kills: 300, deliveries: 10_000, files: 3, drain: Duration::from_secs(400) };

const AGENTS: [&str; 2] = ["helper", "second"];
/// Private dialogs and groups of each agent.
const PRIVATE: usize = 16;
const GROUPS: usize = 4;
/// A kill comes at most so long after the connector answers.
const LIFE_MOST_US: u64 = 150_000;
/// One kill of so many comes during the start, at most so long after its beginning.
const START_EVERY: u64 = 4;
const START_MOST_US: u64 = 60_000;
/// Callers begin so many calls at once, so that dialogs have something in their queues.
const BURST: usize = 6;
/// How long a caller rests before it repeats a call, and how long an answer may take.
const REST: Duration = Duration::from_millis(4);
const ANSWER_MOST: Duration = Duration::from_secs(60);
/// Stream of the seed from which the moments come; dialogs have theirs.
const MOMENTS: u64 = 0;

/// A dialog and what is delivered to it.
struct Dialog {
    external: String,
    agent: u64,
    chat: u64,
    script: Script,
}

/// What callers and killer share.
#[derive(Default)]
struct Progress {
    kills: AtomicUsize,
    accepted: AtomicUsize,
    /// Nothing gets on: callers give up.
    over: AtomicBool,
}

/// The connector as a process that may be killed before it says anything.
struct Victim(Child);

impl Victim {
    fn start(scene: &Scene) -> Victim {
        let log = OpenOptions::new().create(true).append(true).open(scene.log_path());
        let child = Command::new(BINARY)
            .arg("run")
            .env_clear()
            .envs(scene.settings())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        Victim(child.expect("the executable starts"))
    }

    fn kill(&mut self) {
        // Gone by itself is found out by what is missing in the end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Run {
    scene: Scene,
    dialogs: Vec<Dialog>,
    progress: Progress,
    size: Size,
    seed: u64,
}

impl Run {
    fn new(size: Size, seed: u64) -> Run {
        let mut scene = Scene::new();
        let address = || stage::free_address().expect("a free port");
        scene.set("BITRIX24_DELIVER_ADDR", &address());
        scene.set("BITRIX24_CONTROL_ADDR", &address());
        scene.set("BITRIX24_AGENTS", &AGENTS.join(","));
        scene.set("BITRIX24_POLL_ACTIVE_MS", "500");
        scene.set("BITRIX24_POLL_IDLE_MS", "500");
        scene.set("BITRIX24_LOG", "info");
        let second = scene.portal.add_user(User::employee("Ines", "Falk").in_departments(&[1]));
        let mut connector = scene.start_connected();
        let done = connector.consent(AGENTS[1], second).expect("a consent");
        assert_eq!(done.status, 200, "{}", done.text());
        connector.kill();
        scene.network.record(false);
        let places = AGENTS.len() * (PRIVATE + GROUPS);
        let share = |at: usize| (at + 1) * size.deliveries / places - at * size.deliveries / places;
        let mut dialogs: Vec<Dialog> = Vec::new();
        for (name, agent) in AGENTS.into_iter().zip([scene.mira, second]) {
            for number in 0..PRIVATE + GROUPS {
                let portal = &scene.portal;
                let person = User::employee("Employee", &number.to_string()).in_departments(&[1]);
                let person = portal.add_user(person);
                let (chat, external) = if number < PRIVATE {
                    (portal.private_chat(person, agent), format!("{name}/{person}"))
                } else {
                    let chat = portal.add_chat("Invoices", person, &[agent]);
                    (chat, format!("{name}/chat{chat}"))
                };
                // Its UUID is the proof that the portal keeps them.
                portal.say(person, chat, "Good morning").expect("writes");
                let at = dialogs.len();
                let script = Script::new(seed, at, &external, share(at), size.files);
                dialogs.push(Dialog { external, agent, chat, script });
            }
        }
        Run { scene, dialogs, progress: Progress::default(), size, seed }
    }

    fn setting(&self, name: &str) -> String {
        let settings = self.scene.settings().into_iter();
        settings.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    }

    fn health(&self) -> bool {
        let url = format!("http://{}/healthz", self.setting("BITRIX24_CONTROL_ADDR"));
        client::request("GET", &url, &[], &[], ANSWER_MOST).is_ok_and(|answer| answer.status == 200)
    }

    fn unfinished(&self) -> Option<u64> {
        let url = format!("http://{}/v1/status", self.setting("BITRIX24_CONTROL_ADDR"));
        let bearer = format!("Bearer {CONTROL_SECRET}");
        let headers = [("Authorization", bearer.as_str())];
        let status = client::request("GET", &url, &headers, &[], ANSWER_MOST).ok()?;
        status.json()["deliveries"]["unfinished"].as_u64()
    }

    /// Everything: callers and killer, then what is left in peace.
    fn go(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let url = format!("http://{}{DELIVER_PATH}", self.setting("BITRIX24_DELIVER_ADDR"));
        let mut last = std::thread::scope(|scope| {
            for (number, dialog) in self.dialogs.iter().enumerate() {
                let url = &url;
                scope.spawn(move || self.caller(url, number, dialog));
            }
            self.kill_at_random();
            let last = Victim::start(&self.scene);
            if !self.drained() {
                verdict.wrong.push("not everything got through".to_owned());
            }
            self.progress.over.store(true, Ordering::SeqCst);
            last
        });
        stage::signal("TERM", last.0.id());
        let stopped = eventually("the connector's end", || last.0.try_wait().expect("a child"));
        if !stopped.success() {
            verdict.wrong.push(format!("the connector stopped with {stopped}"));
        }
        for dialog in &self.dialogs {
            let shown = self.scene.portal.shown(dialog.chat);
            verdict.compare(&dialog.external, dialog.agent, &shown, &dialog.script.expected);
        }
        self.check_database(&mut verdict);
        verdict
    }

    /// Makes a dialog's calls in order, each until it is answered.
    fn caller(&self, url: &str, number: usize, dialog: &Dialog) {
        let calls = &dialog.script.calls;
        for (at, call) in calls.iter().enumerate() {
            // What a burst begins with decides when all of it may begin.
            let first = at - (at + number) % BURST.min(at + 1);
            while first * self.size.kills > (self.kills() + 1) * calls.len() && !self.is_over() {
                std::thread::sleep(REST);
            }
            while !answered(url, call) && !self.is_over() {
                std::thread::sleep(REST);
            }
            self.progress.accepted.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn kills(&self) -> usize {
        self.progress.kills.load(Ordering::SeqCst)
    }

    fn is_over(&self) -> bool {
        self.progress.over.load(Ordering::SeqCst)
    }

    /// Starts and kills until it was often enough and nearly everything was accepted, at most twice
    /// as often.
    fn kill_at_random(&self) {
        let mut dice = Dice::new(self.seed, MOMENTS);
        let nearly = self.size.deliveries - self.size.deliveries / 50;
        loop {
            let kills = self.kills();
            let through = self.progress.accepted.load(Ordering::SeqCst) >= nearly;
            if kills >= self.size.kills && (through || kills >= 2 * self.size.kills) {
                return;
            }
            let in_start = dice.below(START_EVERY) == 0;
            let moment = dice.below(if in_start { START_MOST_US } else { LIFE_MOST_US });
            let mut victim = Victim::start(&self.scene);
            if !in_start {
                let deadline = Instant::now() + PATIENCE;
                while !self.health() && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            std::thread::sleep(Duration::from_micros(moment));
            victim.kill();
            self.progress.kills.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until everything is accepted and finished.
    fn drained(&self) -> bool {
        let deadline = Instant::now() + self.size.drain;
        while Instant::now() < deadline {
            let accepted = self.progress.accepted.load(Ordering::SeqCst);
            if accepted == self.size.deliveries && self.unfinished() == Some(0) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Every delivery is in the end state that it should have, every attempt has an end, and the
    /// file is whole.
    fn check_database(&self, verdict: &mut Verdict) {
        let file = rusqlite::Connection::open(self.scene.state_dir().join("connector.sqlite3"));
        let file = file.expect("the database opens");
        let deliveries = self.size.deliveries.to_string();
        let questions = [
            ("deliveries", "SELECT COUNT(*) FROM deliveries", deliveries.as_str()),
            (
                "attempts without an end",
                "SELECT COUNT(*) FROM attempts WHERE ended_at IS NULL",
                "0",
            ),
            ("steps not done", "SELECT COUNT(*) FROM steps WHERE done = 0", "0"),
            ("integrity", "PRAGMA integrity_check", "ok"),
        ];
        for (what, sql, wanted) in questions {
            let found = file.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0));
            let found = match found {
                Ok(rusqlite::types::Value::Integer(number)) => number.to_string(),
                Ok(rusqlite::types::Value::Text(text)) => text,
                other => format!("{other:?}"),
            };
            if found != wanted {
                verdict.wrong.push(format!("{what}: {found}"));
            }
        }
        let sql = "SELECT id || ' ' || operation || ' ' || state || ' ' || \
                   COALESCE(failure_code, '') || ' ' || COALESCE(failure_message, '') \
                   FROM deliveries WHERE state <> 'delivered'";
        let mut statement = file.prepare(sql).expect("SQL");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        verdict.wrong.extend(rows.map(|row| format!("not delivered: {}", row.expect("a row"))));
    }

    /// How many attempts were cut short, as the connector counted them at its starts.
    fn cut_short(&self) -> u64 {
        let log = std::fs::read_to_string(self.scene.log_path()).unwrap_or_default();
        let counts = log.split("attempts_interrupted count=").skip(1);
        let number = |rest: &str| rest.split_whitespace().next()?.parse::<u64>().ok();
        counts.filter_map(number).sum()
    }
}

/// Whether a call was answered as accepted: durable, or carried out.
fn answered(url: &str, call: &Call) -> bool {
    let mut headers = vec![("X-AIHummer-Inbound-Secret", SECRET)];
    if !call.waits {
        headers.push(("Prefer", "respond-async"));
    }
    let answer = client::post_json(url, &headers, &call.body, ANSWER_MOST);
    answer.is_ok_and(|answer| matches!(answer.status, 200 | 202))
}

/// A number with commas, as people write thousands.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

fn seed() -> u64 {
    let given = std::env::var_os("AIHUMMER_SEED").and_then(|text| text.to_str()?.parse().ok());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    given.unwrap_or(now.as_micros() as u64 % 1_000_000_000)
}

/// The long form under `./dev slow`.
#[test]
fn killed_at_random_moments_it_loses_doubles_and_disorders_nothing() {
    let slow = std::env::var_os("AIHUMMER_SLOW").is_some();
    let seed = seed();
    let began = Instant::now();
    let run = Run::new(if slow { LONG } else { SHORT }, seed);
    let verdict = run.go();
    let line = format!(
        "random kill: {} kills over {} deliveries, seed {seed}: {} lost, {} doubled, {} out of \
         order ({} attempts cut short, {:.0} s)\n",
        run.kills(),
        thousands(run.size.deliveries),
        verdict.lost.len(),
        verdict.doubled.len(),
        verdict.disordered.len(),
        run.cut_short(),
        began.elapsed().as_secs_f64()
    );
    // Past the test harness's capture, so that the closing line is always seen.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if !verdict.is_good() {
        let log = std::fs::read_to_string(run.scene.log_path()).unwrap_or_default();
        panic!("seed {seed}:\n{}\n{}", verdict.told(), last_lines(&log, 40));
    }
}
