//! The counting loop over the operations of Deliver: a fixed row of calls, one after the other, run
//! again with each of the exchanges that it makes of the portal going wrong once. Which those are a
//! run without failures tells first.

use std::cell::RefCell;
use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::HookPoint;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::fault::Line;
use serde_json::Value;
use serde_json::json;

use super::Mode;
use super::Run;
use super::Totals;
use super::Verdict;
use super::each;
use crate::support::calls::PROOF;
use crate::support::calls::inline;
use crate::support::calls::long;
use crate::support::eventually;
use crate::support::scene::Scene;

/// What goes wrong at each exchange in every run of the tests.
const FAST: &[Mode] = &[
    Mode::Once(|| Fault::CloseBeforeReading),
    Mode::Once(|| Fault::ActAndDropAnswer),
    Mode::Once(|| Fault::Html(502)),
    Mode::Kill(HookPoint::AfterAct),
];

/// What does beside that under `./dev slow`.
const SLOW: &[Mode] = &[
    Mode::Once(|| Fault::ActAndReset),
    Mode::Once(|| Fault::Truncate),
    Mode::Once(|| Fault::HtmlAfterAct(504)),
    Mode::Once(|| Fault::Empty),
    Mode::Once(|| Fault::WrongType),
    Mode::Once(|| Fault::error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")),
    Mode::Once(|| Fault::error(500, "INTERNAL_SERVER_ERROR", "Internal server error")),
    Mode::AllLater(|| Fault::CloseBeforeReading),
    Mode::AllLater(|| Fault::ActAndDropAnswer),
    Mode::Kill(HookPoint::BeforeAct),
];

/// Two tries at publishing a file are further apart than that, unless a look finds the first.
const SETTLES: Duration = Duration::from_secs(150);
const ADD: &str = "im.message.add";
const PUBLISH: &str = "im.disk.file.commit";
const SINGLE: &str = "im.v2.file.upload";
/// The exchange that is best effort, and goes on beside the others.
const WRITING: &str = "im.dialog.writing";

/// What the portal is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Portal {
    /// The newest.
    New,
    /// It keeps no UUIDs and knows no reaction but a like, and the application may not use its disk:
    /// nothing but looking into the dialog protects from a second message.
    Old,
}

impl Portal {
    /// The exchanges of the row without failures, in order.
    fn exchanges(self) -> Vec<&'static str> {
        let files: &[&str] = match self {
            Portal::New => &["im.disk.folder.get", "disk.folder.uploadfile", PUBLISH],
            Portal::Old => &[SINGLE],
        };
        let reactions: &[&str] = match self {
            Portal::New => {
                &["im.v2.chat.message.reaction.add", "im.v2.chat.message.reaction.delete"]
            }
            Portal::Old => {
                &["im.v2.chat.message.reaction.add", "im.message.like", "im.message.like"]
            }
        };
        let row: [&[&str]; 7] = [
            &[ADD, ADD, "method.get", "method.get"],
            files,
            &[ADD, "im.message.update", "im.message.delete"],
            &["im.message.update", ADD],
            &["im.message.like"],
            reactions,
            &["im.message.delete"],
        ];
        row.concat()
    }

    fn prepare(self, scene: &Scene) {
        if self == Portal::Old {
            scene.untick("disk");
            let mut world = scene.portal.world();
            world.messenger.switches.no_uuids = true;
            let lacking = ["im.v2.chat.message.reaction.add", "im.v2.chat.message.reaction.delete"];
            world.switches.missing_methods = lacking.map(str::to_owned).to_vec();
        }
    }

    /// Whether nothing but time tells that a failed try at this exchange did nothing.
    fn settles(self, mode: Mode, method: &str) -> bool {
        let unprotected = match self {
            Portal::New => method == PUBLISH,
            Portal::Old => matches!(method, ADD | SINGLE),
        };
        let acts = match mode {
            Mode::Kill(_) => true,
            Mode::AllLater(_) => false,
            Mode::Once(fault) => {
                !matches!(fault(), Fault::CloseBeforeReading | Fault::Html(_) | Fault::Error { .. })
            }
        };
        unprotected && !acts
    }
}

/// The calls, in an order in which each has what it acts on, and how many messages each receipt has.
fn calls(asked: u64) -> Vec<(&'static str, Value, usize)> {
    let one = "target_delivery_id";
    vec![
        ("d-1", json!({ "text": long("one", 2) }), 2),
        ("d-2", json!({ "text": "caption", "media": [inline("a.txt", b"a file")] }), 1),
        ("d-3", json!({ "text": "short-lived" }), 1),
        ("e-1", json!({ "operation": "edit", one: "d-1", "text": "one again" }), 1),
        ("e-2", json!({ "operation": "edit", one: "d-2", "text": long("two", 2) }), 2),
        ("r-1", json!({ "operation": "react", one: "d-1", "reaction": "like" }), 1),
        ("r-2", json!({ "operation": "react", "message_id": asked, "reaction": "fire" }), 1),
        (
            "r-3",
            json!({ "operation": "react", "message_id": asked, "reaction": "fire",
                "remove": true }),
            1,
        ),
        ("x-1", json!({ "operation": "delete", one: "d-3" }), 1),
    ]
}

/// Whether an exchange with the portal calls one of these methods.
fn calls_any(line: Line<'_>, methods: &[&str]) -> bool {
    let path = line.path.to_ascii_lowercase();
    let is = |method: &&str| path.contains(&format!("/rest/{method}"));
    line.server == ServerKind::Portal && methods.iter().any(is)
}

/// The row with one exchange going wrong: the n-th of the row, or of a method beside it.
fn run(portal: Portal, mode: Mode, n: u64, beside: Option<&'static str>) -> (Verdict, Vec<String>) {
    let mut scene = Scene::new();
    scene.set("BITRIX24_POLL_ACTIVE_MS", "40");
    scene.set("BITRIX24_POLL_IDLE_MS", "40");
    portal.prepare(&scene);
    let group = scene.portal.add_chat("Invoices", scene.olaf, &[scene.mira]);
    let asked = scene.portal.say(scene.olaf, group, "Is it out?").expect("says");
    let connector = scene.start_connected();
    // Whether the portal keeps UUIDs is found out with the first message; what is not yet known
    // then would be waited for.
    let body = call("d-0", group, json!({ "text": "zero" }));
    let answer = connector.deliver(&body, &[PROOF]).expect("an answer");
    assert_eq!(answer.json()["status"], "delivered", "{}", answer.text());
    if portal == Portal::New {
        let proved = || connector.log().contains("message_uuids honoured").then_some(());
        eventually("the proof", proved);
    }
    let methods = beside.map_or_else(|| portal.exchanges(), |method| vec![method]);
    let of_row = methods.clone();
    let counted = move |line: Line<'_>| calls_any(line, &methods);
    let mut run = Run::begin((scene, connector, group), mode, n, counted);
    run.patience = SETTLES;
    let mut verdict = Verdict::default();
    for (id, fields, messages) in calls(asked) {
        run.carry_out(id, fields, messages, &mut verdict);
    }
    if beside.is_some() {
        run.type_once();
    }
    run.scene.network.clear_plan();
    if !run.settle() {
        verdict.wrong.push("the queues did not run empty".to_owned());
    }
    run.stop(&mut verdict);
    check(&run, asked, &mut verdict);
    let history = run.scene.network.history().into_iter();
    // A poll that was under way when the counting began has a number of the count before.
    let counted = history
        .filter(|exchange| exchange.number > 0 && of_row.contains(&exchange.rest_method.as_str()));
    let seen = counted.map(|exchange| exchange.rest_method).collect();
    (run.close(verdict), seen)
}

fn call(id: &str, group: u64, fields: Value) -> Value {
    let mut body = json!({ "delivery_id": id, "external_id": format!("helper/chat{group}") });
    body.as_object_mut().expect("a body").extend(fields.as_object().expect("fields").clone());
    body
}

impl Run {
    /// Repeats a call, as a gateway does, until it is told an end.
    fn carry_out(&mut self, id: &str, fields: Value, messages: usize, verdict: &mut Verdict) {
        let body = call(id, self.group, fields);
        let told = RefCell::new(Value::Null);
        let ended = self.wait(|run| {
            let Ok(answer) = run.connector.deliver(&body, &[PROOF]) else { return false };
            told.replace(answer.json());
            matches!(answer.status, 200 | 400 | 403 | 404 | 409)
        });
        let told = told.into_inner();
        let shown = told["message_ids"].as_array().map_or(0, Vec::len);
        if !ended || told["status"] != "delivered" || shown != messages {
            verdict.wrong.push(format!("{id}: {told}"));
        }
    }

    /// Has the agent shown as typing until the portal has heard of it.
    fn type_once(&mut self) {
        let body = call("t-1", self.group, json!({ "operation": "typing" }));
        self.wait(|run| {
            let answer = run.connector.deliver(&body, &[PROOF]);
            answer.is_ok_and(|answer| answer.status == 200)
        });
        self.wait(|run| run.scene.network.exchanges() > 0);
    }
}

/// The dialog shows exactly what was asked for, once, and so says the database.
fn check(run: &Run, asked: u64, verdict: &mut Verdict) {
    let scene = &run.scene;
    let all = scene.portal.shown(run.group);
    let mine: Vec<_> = all.iter().filter(|message| message.author == scene.mira).collect();
    // Four texts, a part that an edit has removed, and a message that was deleted.
    let expected = ["zero", "one again", "", "two", "", "two"];
    match mine.len() {
        n if n > expected.len() => verdict.doubled.push(format!("{n} messages: {mine:#?}")),
        n if n < expected.len() => verdict.lost.push(format!("{n} messages: {mine:#?}")),
        _ => {}
    }
    for (message, expected) in mine.iter().zip(expected) {
        let good = message.deleted == expected.is_empty()
            && (message.deleted || message.text.starts_with(expected));
        if !good {
            verdict.wrong.push(format!("{expected:?} is not what {message:?} says"));
        }
    }
    let files: Vec<usize> = mine.iter().map(|message| message.files.len()).collect();
    let reactions: Vec<_> = mine.iter().flat_map(|message| message.reactions.clone()).collect();
    let on_his =
        all.iter().filter(|message| message.id == asked).flat_map(|m| &m.reactions).count();
    let (stored, orphans) = scene.portal.file_counts();
    if files != [0, 0, 0, 1, 0, 0] || stored - orphans != 1 {
        verdict.wrong.push(format!("files {files:?}, {stored} stored, {orphans} of them orphans"));
    }
    if reactions != [(scene.mira, "like")] || on_his != 0 {
        verdict.wrong.push(format!("reactions {reactions:?}, and {on_his}"));
    }
    let left = std::fs::read_dir(scene.state_dir().join("files")).map_or(0, Iterator::count);
    if left != 0 || run.connector.log().contains("panicked") {
        verdict.wrong.push(format!("{left} files are left, or a thread panicked"));
    }
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    for (what, wanted) in [
        ("deliveries", 10),
        ("deliveries WHERE state <> 'delivered'", 0),
        ("steps WHERE done = 0", 0),
        ("attempts WHERE ended_at IS NULL", 0),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {what}");
        let found = file.query_row(&sql, [], |row| row.get::<_, i64>(0));
        if found != Ok(wanted) {
            verdict.wrong.push(format!("{what}: {found:?}"));
        }
    }
}

/// Every exchange under `./dev slow` in every way; else in a few, without those that wait.
fn every_exchange(portal: Portal) {
    let (verdict, seen) = run(portal, Mode::Once(|| Fault::Empty), u64::MAX, None);
    assert!(verdict.is_good() && !verdict.hit, "{verdict:#?}");
    assert_eq!(seen, portal.exchanges(), "the exchanges of a run without failures");
    let slow = std::env::var_os("AIHUMMER_SLOW").is_some();
    let modes: Vec<Mode> = if slow { [FAST, SLOW].concat() } else { FAST.to_vec() };
    let mut work = Vec::new();
    for mode in modes {
        for (n, method) in (1..).zip(portal.exchanges()) {
            if slow || !portal.settles(mode, method) {
                work.push((mode, n, method, None));
            }
        }
        work.push((mode, 1, WRITING, Some(WRITING)));
    }
    let totals = Totals::default();
    each(work, |(mode, n, method, beside)| {
        if totals.has_problems() {
            return;
        }
        let what = format!("{portal:?}, {mode:?} at {n}, {method}");
        if !totals.note(&what, mode, run(portal, mode, n, beside).0) {
            totals.problem(format!("{what}: nothing failed"));
        }
    });
    totals.close();
}

#[test]
fn every_exchange_of_every_operation_failed_or_killed_shows_everything_once() {
    every_exchange(Portal::New);
}

#[test]
fn every_exchange_of_every_operation_on_an_old_portal_does_so_too() {
    every_exchange(Portal::Old);
}
