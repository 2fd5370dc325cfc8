//! What a lost answer costs: every fifth answer of a method is lost after the portal acted, and the
//! portal is counted afterwards: what it has stored, what it has twice, and what its caller was told
//! had failed. The model is in this process, because only it knows what was acted on.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::cli::bench::line;
use crate::sim::Fault;
use crate::sim::PortalOptions;
use crate::sim::Shown;
use crate::sim::User;
use crate::sim::When;
use crate::sim::client;
use crate::sim::stage;
use crate::sim::stage::Connector;
use crate::sim::stage::SECRET;
use crate::sim::stage::Stage;

/// One answer of so many is lost.
const EVERY: u64 = 5;
/// Callers at the same time, each with a dialog of its own.
const CALLERS: usize = 10;
/// How long a caller waits, and is let wait.
const WAIT_MS: &str = "120000";
const TIMEOUT: Duration = Duration::from_secs(130);
/// What is attached where a file is.
const FILE: &str = "SW52b2ljZSA0NzExIGlzIHBhaWQu";

/// One row of the table.
struct Row {
    what: &'static str,
    /// The methods whose answers are lost.
    methods: &'static [&'static str],
    /// The fields of a call, given the number of the send it acts on.
    fields: fn(usize) -> Value,
    /// What of a message is what was asked for, in a word of its own; `None` when it is something
    /// else.
    stored: fn(&Shown) -> Option<String>,
}

/// The sends that the others act on come first.
const ROWS: [Row; 5] = [
    Row {
        what: "sends of text",
        methods: &[stage::SAY_METHOD],
        fields: |number| json!({ "text": format!("Invoice {number} is paid.") }),
        stored: |shown| text_if(shown, shown.text.starts_with("Invoice")),
    },
    Row {
        what: "reactions",
        methods: &[stage::REACT_METHOD],
        fields: |number| json!({ "operation": "react", "reaction": "fire", "target_delivery_id": id(0, number) }),
        stored: |shown| text_if(shown, !shown.reactions.is_empty()),
    },
    Row {
        what: "edits",
        methods: &[stage::EDIT_METHOD],
        fields: |number| {
            let text = format!("Changed: invoice {number} is open.");
            json!({ "operation": "edit", "text": text, "target_delivery_id": id(0, number) })
        },
        stored: |shown| text_if(shown, shown.text.starts_with("Changed")),
    },
    Row {
        what: "deletes",
        methods: &[stage::DELETE_METHOD],
        fields: |number| json!({ "operation": "delete", "target_delivery_id": id(0, number) }),
        stored: |shown| shown.deleted.then(|| shown.id.to_string()),
    },
    Row {
        what: "messages with a file",
        methods: &stage::FILE_METHODS,
        fields: |number| {
            let media = json!([{ "name": format!("invoice-{number}.txt"), "data": FILE }]);
            json!({ "text": format!("Invoice {number} is attached."), "media": media })
        },
        stored: |shown| text_if(shown, shown.files.len() == 1),
    },
];

fn text_if(shown: &Shown, is: bool) -> Option<String> {
    is.then(|| shown.text.clone())
}

fn id(row: usize, number: usize) -> String {
    format!("lost-{row}-{number}")
}

/// Prints the table: so many of each, and so many with files.
pub(super) fn measure(binary: &Path, dir: &Path, count: usize, files: usize) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let stage = Stage::new(dir, PortalOptions::default())?;
    let mut connector = stage.start(binary)?;
    let page = connector.consent("helper", stage.mira)?;
    if page.status != 200 {
        return Err(format!("consent: {}", page.text()));
    }
    let person = |number: usize| User::employee("Employee", &number.to_string());
    let people: Vec<u64> = (0..CALLERS)
        .map(|number| stage.portal.add_user(person(number).in_departments(&[1])))
        .collect();
    for (number, row) in ROWS.iter().enumerate() {
        let count = if row.what.contains("file") { files } else { count };
        measure_row(&stage, &connector, &people, (number, row), count)?;
    }
    connector.terminate().map(drop)
}

fn measure_row(
    stage: &Stage,
    connector: &Connector,
    people: &[u64],
    (number, row): (usize, &Row),
    count: usize,
) -> Result<(), String> {
    stage.network.reset_count();
    for method in row.methods {
        // Repeats are counted as well, and there are never as many as first calls.
        for nth in (EVERY..=2 * count as u64).step_by(EVERY as usize) {
            stage.network.plan(When::matching(method, nth, 1), Fault::ActAndDropAnswer);
        }
    }
    let began = Instant::now();
    let failed: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(caller, person)| {
                let numbers = (0..count).filter(move |at| at % people.len() == caller);
                scope.spawn(move || {
                    numbers
                        .filter(|at| !call(connector, *person, id(number, *at), (row.fields)(*at)))
                        .count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap_or(count)).sum()
    });
    let took = began.elapsed();
    stage.network.clear_plan();
    let history = stage.network.history();
    let lost = history.iter().filter(|exchange| exchange.fault.is_some()).count();
    let mut stored: Vec<String> = Vec::new();
    for person in people {
        let chat = stage.portal.private_chat(*person, stage.mira);
        stored.extend(stage.portal.shown(chat).iter().filter_map(row.stored));
    }
    let all = stored.len();
    stored.sort_unstable();
    stored.dedup();
    let told = format!(
        "{lost} answers lost: {all} stored, {} doubled, {failed} reported as failed, {:.1} s",
        all - stored.len(),
        took.as_secs_f64()
    );
    let aim = format!("{count}, 0, 0");
    line(&format!("{count} {}", row.what), &told, &aim);
    Ok(())
}

/// Whether a call was answered `delivered`.
fn call(connector: &Connector, person: u64, id: String, fields: Value) -> bool {
    let mut body = json!({ "delivery_id": id, "external_id": format!("helper/{person}") });
    for (name, value) in fields.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Connect-Timeout-Ms", WAIT_MS)];
    let answer = client::post_json(&connector.deliver_url(), &headers, &body, TIMEOUT);
    answer.is_ok_and(|answer| answer.status == 200 && answer.json()["status"] == "delivered")
}
