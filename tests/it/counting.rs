//! The counting loop: one conversation, run again and again with the n-th exchange failing, for
//! n = 1, 2, 3 … until a run has fewer exchanges than n. Exchanges are everything on the network:
//! calls to the portal, renewals at the authorization server, posts to the gateway, and the
//! gateway's Deliver calls. Each n fails once alone, once with everything after it for a while, and
//! once by `kill -9` of the connector in the middle of it. One checker for all.
//!
//! Each kind of exchange is counted for itself. Threads and polls interleave differently in every
//! run, so that one count over all would give the same step another number each time, and a loop
//! over those numbers would leave steps out.

mod identity;
mod operations;

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::HookPoint;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::fault::Line;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::scene::Scene;
use crate::support::scene::last_lines;

/// How long "everything after it" lasts.
const OUTAGE: Duration = Duration::from_millis(300);
/// Longer than the connection of an access token lives (b24: transport §1.6).
const TOKEN_LIFE: Duration = Duration::from_secs(3601);
/// Runs at the same time; they wait more than they compute.
const RUNS_AT_ONCE: usize = 8;
/// A conversation has far fewer exchanges; reaching this means that the loop does not end.
const EXCHANGES_MAX: u64 = 500;
/// What happens at the n-th exchange.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Once(fn() -> Fault),
    AllLater(fn() -> Fault),
    Kill(HookPoint),
}

/// Which exchanges are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Messages,
    Posts,
    Delivers,
    Renewals,
    Polls,
    /// Subscriptions, look-ups, agent states: what is there only when something went wrong.
    Rest,
}

impl Kind {
    const ALL: [Kind; 6] =
        [Kind::Messages, Kind::Posts, Kind::Delivers, Kind::Renewals, Kind::Polls, Kind::Rest];

    fn of(line: Line<'_>) -> Kind {
        let path = line.path.to_ascii_lowercase();
        match line.server {
            ServerKind::OAuth => Kind::Renewals,
            ServerKind::Gateway if line.method == "DELIVER" => Kind::Delivers,
            ServerKind::Gateway if path.contains("/generic") => Kind::Posts,
            ServerKind::Portal if path.contains("im.message.add") => Kind::Messages,
            ServerKind::Portal if path.contains("im.v2.event.get") => Kind::Polls,
            ServerKind::Gateway | ServerKind::Portal | ServerKind::Files => Kind::Rest,
        }
    }

    /// How many of them a conversation has at least when nothing else fails: five deliveries, one
    /// of them in two parts, three of them asked for by the gateway after three posts.
    fn least(self) -> u64 {
        match self {
            Kind::Messages => 6,
            Kind::Posts | Kind::Delivers | Kind::Polls => 3,
            Kind::Renewals => 1,
            Kind::Rest => 0,
        }
    }
}

/// What a run showed.
#[derive(Debug, Default)]
struct Verdict {
    /// Whether the n-th exchange came, and failed.
    hit: bool,
    lost: Vec<String>,
    doubled: Vec<String>,
    wrong: Vec<String>,
}

impl Verdict {
    fn is_good(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.wrong.is_empty()
    }
}

/// What the employee says and what the agent answers to it: plain, long enough for two parts, and
/// in a group.
fn conversation() -> [(&'static str, String); 3] {
    let long = "A sentence of some length, to be cut at its end. ".repeat(400);
    [
        ("first question", "first answer".to_owned()),
        ("second question", format!("second answer\n\n{long}")),
        ("third question", "third answer".to_owned()),
    ]
}

/// One conversation with one thing going wrong.
struct Run {
    scene: Scene,
    connector: Connector,
    group: u64,
    mode: Mode,
    n: u64,
    killed: Arc<AtomicBool>,
    pid: Arc<AtomicU32>,
    outage_began: Option<Instant>,
    /// How long anything may take.
    patience: Duration,
}

impl Run {
    fn new(mode: Mode, kind: Kind, n: u64) -> Run {
        let mut scene = Scene::new();
        scene.set("BITRIX24_POLL_ACTIVE_MS", "40");
        scene.set("BITRIX24_POLL_IDLE_MS", "40");
        scene.gateway.script(Box::new(move |inbound| {
            let answers = conversation();
            let mut answers = answers.into_iter();
            answers.find(|(asked, _)| inbound.text.contains(asked)).map(|(_, answer)| answer)
        }));
        let connector = scene.start_connected();
        let group = scene.portal.add_chat("Invoices", scene.olaf, &[scene.mira]);
        Run::begin((scene, connector, group), mode, n, move |line| Kind::of(line) == kind)
    }

    /// From now on exchanges are counted, and the n-th goes wrong.
    fn begin(
        (scene, connector, group): (Scene, Connector, u64),
        mode: Mode,
        n: u64,
        counted: impl Fn(Line<'_>) -> bool + Send + Sync + 'static,
    ) -> Run {
        let pid = Arc::new(AtomicU32::new(connector.pid()));
        let killed = Arc::new(AtomicBool::new(false));
        scene.network.reset_count();
        scene.network.count_only(counted);
        let patience = PATIENCE;
        let outage_began = None;
        let run = Run { scene, connector, group, mode, n, killed, pid, outage_began, patience };
        run.plan();
        run
    }

    fn plan(&self) {
        let network = &self.scene.network;
        match self.mode {
            Mode::Once(fault) | Mode::AllLater(fault) => network.plan(When::Nth(self.n), fault()),
            Mode::Kill(point) => {
                let (killed, pid) = (Arc::clone(&self.killed), Arc::clone(&self.pid));
                let hook = move |at: HookPoint| {
                    if at == point {
                        let pid = pid.load(Ordering::SeqCst);
                        // Noted first, so that whoever finds it dead finds out why.
                        killed.store(true, Ordering::SeqCst);
                        stage::signal("KILL", pid);
                    }
                };
                network.plan(When::Nth(self.n), Fault::Hook(Arc::new(hook)));
            }
        }
    }

    /// What has to go on while anything is waited for: the connector is started again when it was
    /// killed; an outage begins with the n-th exchange, and ends when it has lasted.
    fn tend(&mut self) {
        if self.killed.swap(false, Ordering::SeqCst) {
            self.connector.kill();
            self.connector = self.scene.start();
            self.pid.store(self.connector.pid(), Ordering::SeqCst);
        }
        let Mode::AllLater(fault) = self.mode else { return };
        match self.outage_began {
            None if self.scene.network.exchanges() >= self.n => {
                self.scene.network.plan(When::Always, fault());
                self.outage_began = Some(Instant::now());
            }
            Some(began) if began.elapsed() >= OUTAGE => self.scene.network.clear_plan(),
            _ => {}
        }
    }

    /// Tends until `condition`; whether it came true.
    fn wait(&mut self, condition: impl Fn(&Run) -> bool) -> bool {
        let deadline = Instant::now() + self.patience;
        loop {
            self.tend();
            if condition(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn answered(&mut self, answers: usize) {
        self.wait(|run| {
            let gateway = &run.scene.gateway;
            gateway.receipts().len() >= answers && gateway.undelivered() == 0
        });
    }

    /// Has a delivery accepted, by repeating the call until it is. Whoever calls next comes later in
    /// the order of the dialog, whatever happens to this one.
    fn deliver(&mut self, id: &str, text: &str) {
        let target = format!("helper/{}", self.scene.olaf);
        let body = json!({ "delivery_id": id, "external_id": target, "text": text });
        let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
        self.wait(|run| {
            let answer = run.connector.deliver(&body, &headers);
            answer.is_ok_and(|answer| matches!(answer.status, 200 | 202))
        });
    }

    /// What met a failure at the very end is still due; gives it its time. Whether nothing is due
    /// any more.
    fn settle(&mut self) -> bool {
        self.wait(|run| {
            let status = run.connector.status();
            let empty = status.is_some_and(|status| {
                status["outbox"]["pending"] == 0 && status["deliveries"]["unfinished"] == 0
            });
            empty && !run.killed.load(Ordering::SeqCst)
        })
    }

    /// The connector stops when asked to, with nothing wrong.
    fn stop(&mut self, verdict: &mut Verdict) {
        let mut stopped = self.connector.terminate();
        if self.killed.load(Ordering::SeqCst) {
            // By an exchange that was under way when the plan was cleared.
            self.settle();
            stopped = self.connector.terminate();
        }
        if !stopped.is_ok_and(|status| status.success()) {
            verdict.wrong.push("the connector did not stop with exit code 0".to_owned());
        }
    }

    /// From the first word to the exit of the connector.
    fn talk(mut self) -> Verdict {
        let (olaf, mira, group) = (self.scene.olaf, self.scene.mira, self.group);
        self.scene.portal.write_to(olaf, mira, "first question").expect("writes");
        self.answered(1);
        // The access token is over by the portal's clock, so the next call needs a renewal.
        self.scene.network.clock().advance(TOKEN_LIFE);
        self.scene.portal.write_to(olaf, mira, "second question").expect("writes");
        let mention = format!("[USER={mira}]Mira Holt[/USER] third question");
        self.scene.portal.say(olaf, group, &mention).expect("writes");
        self.deliver("own-1", "first word");
        self.deliver("own-2", "second word");
        self.answered(3);
        // An outage that began with the last exchanges gets its time.
        self.wait(|run| run.outage_began.is_none_or(|began| began.elapsed() >= OUTAGE));
        self.scene.network.clear_plan();
        let mut verdict = Verdict::default();
        if !self.settle() {
            verdict.wrong.push("the queues did not run empty".to_owned());
        }
        self.stop(&mut verdict);
        check_gateway(&self.scene, &mut verdict);
        check_portal(&self.scene, group, &mut verdict);
        check_database(&self.scene, &mut verdict);
        self.close(verdict)
    }

    /// Whether anything went wrong on purpose, and the log if anything went wrong by itself.
    fn close(self, mut verdict: Verdict) -> Verdict {
        let history = self.scene.network.history();
        verdict.hit = history.iter().any(|exchange| exchange.fault.is_some());
        if !verdict.is_good() {
            verdict.wrong.push(last_lines(&self.connector.log(), 40));
        }
        verdict
    }
}

/// Every message that should be forwarded reached the gateway, nothing else did, and each dialog in
/// order. The same key may come twice, but never after a later message.
fn check_gateway(scene: &Scene, verdict: &mut Verdict) {
    let inbound = scene.gateway.inbound();
    let keys: HashSet<&str> = inbound.iter().map(|one| one.key.as_str()).collect();
    let mut dialogs: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for one in &inbound {
        match conversation().iter().position(|(asked, _)| one.text.contains(asked)) {
            Some(place) => dialogs.entry(&one.external_id).or_default().push(place),
            None => verdict.wrong.push(format!("{:?} is not to be forwarded", one.text)),
        }
    }
    for (asked, _) in conversation() {
        let its: HashSet<&str> = inbound
            .iter()
            .filter(|one| one.text.contains(asked))
            .map(|one| one.key.as_str())
            .collect();
        match its.len() {
            0 => verdict.lost.push(format!("{asked} did not reach the gateway")),
            1 => {}
            _ => verdict.doubled.push(format!("{asked} reached the gateway as {its:?}")),
        }
    }
    let sorted = dialogs.values().all(|places| places.is_sorted());
    if !sorted || dialogs.len() != 2 || keys.len() != 3 {
        verdict.wrong.push(format!("at the gateway: {dialogs:?} under {keys:?}"));
    }
    let receipts = scene.gateway.receipts();
    if receipts.len() != 3 || receipts.iter().any(|receipt| receipt.status != "delivered") {
        verdict.wrong.push(format!("receipts {receipts:?}"));
    }
}

/// The portal shows each delivery once, whole, and in the order of its dialog.
fn check_portal(scene: &Scene, group: u64, verdict: &mut Verdict) {
    let private = scene.portal.private_chat(scene.olaf, scene.mira);
    let answers = ["first answer", "second answer", "A sentence"];
    // Two things are said to a dialog side by side: each keeps its own order.
    let expected: [(u64, &[&[&str]]); 2] =
        [(private, &[&answers, &["first word", "second word"]]), (group, &[&["third answer"]])];
    for (chat, threads) in expected {
        let said = scene.said_by_agent(chat);
        for beginning in threads.iter().copied().flatten() {
            match said.iter().filter(|text| text.starts_with(beginning)).count() {
                0 => verdict.lost.push(format!("{beginning:?} is not shown")),
                1 => {}
                n => verdict.doubled.push(format!("{beginning:?} is shown {n} times")),
            }
        }
        for thread in threads {
            let mut places = thread
                .iter()
                .filter_map(|beginning| said.iter().position(|text| text.starts_with(beginning)));
            if !places.by_ref().is_sorted() {
                verdict.wrong.push(format!("out of order in chat {chat}"));
            }
        }
        if said.len() != threads.iter().map(|thread| thread.len()).sum::<usize>() {
            verdict.wrong.push(format!("{} messages are shown in chat {chat}", said.len()));
        }
    }
}

/// Every accepted delivery is in one end state and knows its messages, every attempt has an end, and
/// the file is whole.
fn check_database(scene: &Scene, verdict: &mut Verdict) {
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    let questions = [
        ("deliveries", "SELECT COUNT(*) FROM deliveries", "5"),
        (
            "deliveries not delivered",
            "SELECT COUNT(*) FROM deliveries WHERE state <> 'delivered'",
            "0",
        ),
        ("messages of steps", "SELECT COUNT(DISTINCT message) FROM steps", "6"),
        ("steps not done", "SELECT COUNT(*) FROM steps WHERE done = 0", "0"),
        ("attempts without an end", "SELECT COUNT(*) FROM attempts WHERE ended_at IS NULL", "0"),
        ("rows not accepted", "SELECT COUNT(*) FROM outbox WHERE state <> 'accepted'", "0"),
        ("rows", "SELECT COUNT(*) FROM outbox", "3"),
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
}

/// What all runs of a test showed.
#[derive(Default)]
struct Totals {
    failed: AtomicU64,
    killed: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
    problems: Mutex<Vec<String>>,
}

impl Totals {
    /// One run; whether it had an n-th exchange.
    fn run(&self, mode: Mode, kind: Kind, n: u64) -> bool {
        self.note(&format!("{mode:?} at {kind:?} {n}"), mode, Run::new(mode, kind, n).talk())
    }

    /// What a run showed; whether it had an n-th exchange.
    fn note(&self, what: &str, mode: Mode, verdict: Verdict) -> bool {
        let counter = match mode {
            Mode::Kill(_) => &self.killed,
            Mode::Once(_) | Mode::AllLater(_) => &self.failed,
        };
        counter.fetch_add(u64::from(verdict.hit), Ordering::SeqCst);
        self.lost.fetch_add(verdict.lost.len() as u64, Ordering::SeqCst);
        self.doubled.fetch_add(verdict.doubled.len() as u64, Ordering::SeqCst);
        if !verdict.is_good() {
            self.problem(format!("{what}: {verdict:#?}"));
        }
        verdict.hit
    }

    /// One mode at every exchange of a kind.
    fn every(&self, mode: Mode, kind: Kind) {
        let mut n = 1;
        while self.run(mode, kind, n) {
            n += 1;
            assert!(n < EXCHANGES_MAX, "the loop does not end");
            if self.has_problems() {
                return;
            }
        }
        if n <= kind.least() {
            self.problem(format!("{mode:?}: no more than {} {kind:?}", n - 1));
        }
    }

    /// These modes at every exchange of these kinds.
    fn all(&self, modes: &[Mode], kinds: &[Kind]) {
        let pairs = modes.iter().flat_map(|mode| kinds.iter().map(move |kind| (*mode, *kind)));
        each(pairs.collect(), |(mode, kind)| self.every(mode, kind));
    }

    fn problem(&self, text: String) {
        self.problems.lock().expect("not poisoned").push(text);
    }

    fn has_problems(&self) -> bool {
        !self.problems.lock().expect("not poisoned").is_empty()
    }

    /// The closing line, and the failure if there is one.
    fn close(self) {
        let number = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let line = format!(
            "counting loop: {} exchanges failed, {} killed, {} lost, {} doubled\n",
            number(&self.failed),
            number(&self.killed),
            number(&self.lost),
            number(&self.doubled)
        );
        // Past the test harness's capture, so that the closing line is always seen.
        let _ = std::io::stderr().write_all(line.as_bytes());
        let problems = self.problems.into_inner().expect("not poisoned");
        assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    }
}

/// Does a list of work on a few threads.
fn each<T: Send>(work: Vec<T>, run: impl Fn(T) + Sync) {
    let work = Mutex::new(work.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..RUNS_AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = work.lock().expect("not poisoned").next();
                    let Some(next) = next else { return };
                    run(next);
                }
            });
        }
    });
}

/// The worst of each kind.
const WORST: &[Mode] = &[
    Mode::Once(|| Fault::ActAndDropAnswer),
    Mode::AllLater(|| Fault::CloseBeforeReading),
    Mode::Kill(HookPoint::AfterAct),
];

/// The other kinds. Not among them: `expired_token`. Each run has a token that really ends, and a
/// portal that refuses the renewed one as well, or its renewal, means the end of the identity.
const OTHERS: &[Mode] = &[
    Mode::Once(|| Fault::CloseBeforeReading),
    Mode::Once(|| Fault::ActAndReset),
    Mode::Once(|| Fault::Truncate),
    Mode::Once(|| Fault::Html(502)),
    Mode::Once(|| Fault::HtmlAfterAct(504)),
    Mode::Once(|| Fault::Empty),
    Mode::Once(|| Fault::Garbage),
    Mode::Once(|| Fault::WrongType),
    Mode::Once(|| Fault::error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")),
    Mode::Once(|| Fault::error(500, "INTERNAL_SERVER_ERROR", "Internal server error")),
    Mode::AllLater(|| Fault::ActAndDropAnswer),
    Mode::AllLater(|| Fault::Html(503)),
    Mode::Kill(HookPoint::BeforeAct),
];

/// In every run of the tests.
#[test]
fn every_exchange_failed_and_every_exchange_killed_loses_and_doubles_nothing() {
    let totals = Totals::default();
    totals.all(WORST, &Kind::ALL);
    totals.close();
}

/// Every exchange under `./dev slow`; else each mode at one exchange, every mode at another.
#[test]
fn every_kind_of_failure_at_every_exchange_loses_and_doubles_nothing() {
    let totals = Totals::default();
    if std::env::var_os("AIHUMMER_SLOW").is_some() {
        totals.all(OTHERS, &Kind::ALL);
        return totals.close();
    }
    let steps = Kind::ALL.iter().flat_map(|kind| (1..=kind.least()).map(move |n| (*kind, n)));
    let pairs: Vec<_> = OTHERS.iter().zip(steps.collect::<Vec<_>>().into_iter().cycle()).collect();
    each(pairs, |(mode, (kind, n))| {
        if !totals.run(*mode, kind, n) {
            totals.problem(format!("{mode:?}: no more than {} {kind:?}", n - 1));
        }
    });
    totals.close();
}
