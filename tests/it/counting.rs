//! The counting loop: one conversation, run again and again with the n-th exchange failing, for
//! n = 1, 2, 3 … until a run has fewer exchanges than n. Exchanges are everything on the network:
//! calls to the portal, renewals at the authorization server, posts to the gateway, and the
//! gateway's Deliver calls. Each n fails once alone, once with all later ones for a while, and once
//! by `kill -9` of the connector in the middle of it. One checker for all.

use std::collections::HashMap;
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
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::Connector;

use crate::support::PATIENCE;
use crate::support::scene::Scene;
use crate::support::scene::last_lines;

/// How long "all later ones" lasts.
const OUTAGE: Duration = Duration::from_millis(700);
/// Longer than the connection of an access token lives (b24: transport §1.6).
const TOKEN_LIFE: Duration = Duration::from_secs(3601);
/// Runs at the same time; they wait more than they compute.
const RUNS_AT_ONCE: usize = 4;
/// A conversation has far fewer exchanges; reaching this means that the loop does not end.
const EXCHANGES_MAX: u64 = 500;

/// What happens at the n-th exchange.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Once(fn() -> Fault),
    AllLater(fn() -> Fault),
    Kill(HookPoint),
}

/// What a run showed.
#[derive(Debug, Default)]
struct Verdict {
    /// Whether the n-th exchange came at all.
    hit: bool,
    lost: Vec<String>,
    doubled: Vec<String>,
    wrong: Vec<String>,
}

/// What the employee says and what the agent answers to it: plain, long enough for two parts, and
/// in a group.
fn conversation() -> Vec<(&'static str, String)> {
    let long = "A sentence of some length, to be cut at its end. ".repeat(400);
    vec![
        ("first question", "first answer".to_owned()),
        ("second question", format!("second answer\n\n{long}")),
        ("third question", "third answer".to_owned()),
    ]
}

fn run(mode: Mode, n: u64) -> Verdict {
    let mut scene = Scene::new();
    scene.set("BITRIX24_POLL_ACTIVE_MS", "40");
    scene.set("BITRIX24_POLL_IDLE_MS", "40");
    let answers: HashMap<&str, String> = conversation().into_iter().collect();
    scene.gateway.script(Box::new(move |inbound| {
        answers.iter().find(|(asked, _)| inbound.text.contains(*asked)).map(|(_, a)| a.clone())
    }));
    let connector = scene.start_connected();
    let group = scene.portal.add_chat("Invoices", scene.olaf, &[scene.mira]);

    let killed = Arc::new(AtomicBool::new(false));
    let hit = Arc::new(AtomicBool::new(false));
    let pid = Arc::new(AtomicU32::new(connector.pid()));
    scene.network.reset_count();
    let outage_began = plan(&scene, mode, n, &killed, &hit, &pid);
    let connector = Mutex::new(connector);

    scene.portal.write_to(scene.olaf, scene.mira, "first question").expect("writes");
    wait(&scene, &connector, &killed, &pid, &outage_began, 1);
    // The access token is over by the portal's clock, so the next call needs a renewal.
    scene.network.clock().advance(TOKEN_LIFE);
    scene.portal.write_to(scene.olaf, scene.mira, "second question").expect("writes");
    let mention = format!("[USER={}]Mira Holt[/USER] third question", scene.mira);
    scene.portal.say(scene.olaf, group, &mention).expect("writes");
    wait(&scene, &connector, &killed, &pid, &outage_began, 3);
    scene.network.clear_plan();
    // What met a failure at the very end is still due; it gets its time.
    let settled = settle(&scene, &connector, &killed, &pid);
    let mut verdict = check(&scene, group);
    if !settled {
        verdict.wrong.push("the queues did not run empty".to_owned());
    }
    verdict.hit = hit.load(Ordering::SeqCst) || scene.network.exchanges() >= n;
    let mut connector = connector.into_inner().expect("not poisoned");
    if !connector.terminate().is_ok_and(|status| status.success()) {
        verdict.wrong.push("the connector did not stop with exit code 0".to_owned());
    }
    check_ledger(&scene, &mut verdict);
    if !(verdict.lost.is_empty() && verdict.doubled.is_empty() && verdict.wrong.is_empty()) {
        verdict.wrong.push(last_lines(&connector.log(), 40));
    }
    verdict
}

fn plan(
    scene: &Scene,
    mode: Mode,
    n: u64,
    killed: &Arc<AtomicBool>,
    hit: &Arc<AtomicBool>,
    pid: &Arc<AtomicU32>,
) -> Arc<Mutex<Option<Instant>>> {
    let outage = Arc::new(Mutex::new(None));
    match mode {
        Mode::Once(fault) => scene.network.plan(When::Nth(n), fault()),
        Mode::AllLater(fault) => {
            scene.network.plan(When::From(n), fault());
            *outage.lock().expect("not poisoned") = Some(Instant::now());
        }
        Mode::Kill(point) => {
            let (killed, hit, pid) = (Arc::clone(killed), Arc::clone(hit), Arc::clone(pid));
            let hook = move |at: HookPoint| {
                if at == point && !hit.swap(true, Ordering::SeqCst) {
                    stage::signal("KILL", pid.load(Ordering::SeqCst));
                    killed.store(true, Ordering::SeqCst);
                }
            };
            scene.network.plan(When::Nth(n), Fault::Hook(Arc::new(hook)));
        }
    }
    outage
}

/// Waits until so many questions are answered; restarts the connector when it was killed, and ends
/// an outage when it has lasted.
fn wait(
    scene: &Scene,
    connector: &Mutex<Connector>,
    killed: &AtomicBool,
    pid: &AtomicU32,
    outage: &Mutex<Option<Instant>>,
    answered: usize,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        restart_if_killed(scene, connector, killed, pid);
        let over =
            outage.lock().expect("not poisoned").is_some_and(|began| began.elapsed() >= OUTAGE);
        if over {
            scene.network.clear_plan();
        }
        let done = scene.gateway.receipts().len() >= answered && scene.gateway.undelivered() == 0;
        if done || Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn restart_if_killed(
    scene: &Scene,
    connector: &Mutex<Connector>,
    killed: &AtomicBool,
    pid: &AtomicU32,
) {
    if killed.swap(false, Ordering::SeqCst) {
        let mut connector = connector.lock().expect("not poisoned");
        connector.kill();
        *connector = scene.start();
        pid.store(connector.pid(), Ordering::SeqCst);
    }
}

/// Waits until outbox and ledger have nothing left to do, and nobody was killed in between.
fn settle(
    scene: &Scene,
    connector: &Mutex<Connector>,
    killed: &AtomicBool,
    pid: &AtomicU32,
) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        restart_if_killed(scene, connector, killed, pid);
        let status = scene.status(&connector.lock().expect("not poisoned"));
        let empty = status.is_some_and(|status| {
            status["outbox"]["pending"] == 0 && status["deliveries"]["unfinished"] == 0
        });
        if empty && !killed.load(Ordering::SeqCst) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn check(scene: &Scene, group: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let received = scene.received();
    let private = scene.portal.private_chat(scene.olaf, scene.mira);
    for (asked, _) in conversation() {
        match received.iter().filter(|text| text.contains(asked)).count() {
            0 => verdict.lost.push(format!("{asked} did not reach the gateway")),
            1 => {}
            // Counted by key: the same key twice is allowed, two keys are not.
            _ => verdict.doubled.push(format!("{asked} reached the gateway under two keys")),
        }
    }
    let order: Vec<usize> = ["first question", "second question"]
        .iter()
        .filter_map(|asked| received.iter().position(|text| text.contains(asked)))
        .collect();
    if !order.is_sorted() {
        verdict.wrong.push(format!("out of order at the gateway: {received:?}"));
    }
    let expected: [(u64, &[&str]); 2] =
        [(private, &["first answer", "second answer", "A sentence"]), (group, &["third answer"])];
    for (chat, beginnings) in expected {
        let said = scene.said_by_agent(chat);
        for beginning in beginnings {
            match said.iter().filter(|text| text.starts_with(beginning)).count() {
                0 => verdict.lost.push(format!("{beginning:?} is not shown")),
                1 => {}
                n => verdict.doubled.push(format!("{beginning:?} is shown {n} times")),
            }
        }
        let positions: Vec<usize> = beginnings
            .iter()
            .filter_map(|beginning| said.iter().position(|text| text.starts_with(beginning)))
            .collect();
        if !positions.is_sorted() {
            verdict.wrong.push(format!("out of order in chat {chat}"));
        }
    }
    for receipt in scene.gateway.receipts() {
        if receipt.status != "delivered" {
            verdict.wrong.push(format!("receipt {receipt:?}"));
        }
    }
    verdict
}

/// Every accepted delivery is in one end state, and the file is whole.
fn check_ledger(scene: &Scene, verdict: &mut Verdict) {
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    let one = |sql: &str| -> String {
        file.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|why| why.to_string())
    };
    let unfinished =
        one("SELECT CAST(COUNT(*) AS TEXT) FROM deliveries WHERE state <> 'delivered'");
    let pending = one("SELECT CAST(COUNT(*) AS TEXT) FROM outbox WHERE state <> 'accepted'");
    let whole = one("PRAGMA integrity_check");
    for (what, found, wanted) in [
        ("deliveries not delivered", unfinished, "0"),
        ("inbound rows not accepted", pending, "0"),
        ("integrity", whole, "ok"),
    ] {
        if found != wanted {
            verdict.wrong.push(format!("{what}: {found}"));
        }
    }
}

/// Runs a mode for every n; how many exchanges it hit.
fn count(mode: Mode, problems: &Mutex<Vec<String>>, totals: &Totals) {
    let next = AtomicU64::new(1);
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..RUNS_AT_ONCE {
            scope.spawn(|| {
                while !finished.load(Ordering::SeqCst) {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    assert!(n < EXCHANGES_MAX, "the loop does not end");
                    let verdict = run(mode, n);
                    if !verdict.hit {
                        finished.store(true, Ordering::SeqCst);
                    }
                    totals.add(mode, &verdict);
                    let Verdict { lost, doubled, wrong, .. } = &verdict;
                    if !(lost.is_empty() && doubled.is_empty() && wrong.is_empty()) {
                        let text = format!("{mode:?} at exchange {n}: {verdict:#?}");
                        problems.lock().expect("not poisoned").push(text);
                        finished.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
}

#[derive(Default)]
struct Totals {
    failed: AtomicU64,
    killed: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
}

impl Totals {
    fn add(&self, mode: Mode, verdict: &Verdict) {
        let counter = match mode {
            Mode::Kill(_) => &self.killed,
            Mode::Once(_) | Mode::AllLater(_) => &self.failed,
        };
        counter.fetch_add(u64::from(verdict.hit), Ordering::SeqCst);
        self.lost.fetch_add(verdict.lost.len() as u64, Ordering::SeqCst);
        self.doubled.fetch_add(verdict.doubled.len() as u64, Ordering::SeqCst);
    }
}

fn all(modes: &[Mode]) {
    let problems = Mutex::new(Vec::new());
    let totals = Totals::default();
    for mode in modes {
        count(*mode, &problems, &totals);
    }
    let number = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    let line = format!(
        "counting loop: {} exchanges failed, {} killed, {} lost, {} doubled\n",
        number(&totals.failed),
        number(&totals.killed),
        number(&totals.lost),
        number(&totals.doubled)
    );
    // Past the test harness's capture, so that the closing line is always seen.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let problems = problems.into_inner().expect("not poisoned");
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    assert!(number(&totals.failed) + number(&totals.killed) > 20, "too few exchanges were hit");
}

/// The worst of each kind, in every run of the tests.
#[test]
fn every_exchange_failed_and_every_exchange_killed_loses_and_doubles_nothing() {
    all(&[
        Mode::Once(|| Fault::ActAndDropAnswer),
        Mode::AllLater(|| Fault::CloseBeforeReading),
        Mode::Kill(HookPoint::AfterAct),
    ]);
}

/// Every kind, under `./dev slow`.
#[test]
fn every_kind_of_failure_at_every_exchange_loses_and_doubles_nothing() {
    if std::env::var_os("AIHUMMER_SLOW").is_none() {
        return;
    }
    all(&[
        Mode::Once(|| Fault::CloseBeforeReading),
        Mode::Once(|| Fault::ActAndReset),
        Mode::Once(|| Fault::Truncate),
        Mode::Once(|| Fault::Html(502)),
        Mode::Once(|| Fault::HtmlAfterAct(504)),
        Mode::Once(|| Fault::Empty),
        Mode::Once(|| Fault::Garbage),
        Mode::Once(|| Fault::WrongType),
        Mode::Once(|| Fault::error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")),
        Mode::Once(|| Fault::error(401, "expired_token", "The access token provided has expired.")),
        Mode::Once(|| Fault::error(500, "INTERNAL_SERVER_ERROR", "Internal server error")),
        Mode::AllLater(|| Fault::ActAndDropAnswer),
        Mode::AllLater(|| Fault::Html(503)),
        Mode::Kill(HookPoint::BeforeAct),
    ]);
}
