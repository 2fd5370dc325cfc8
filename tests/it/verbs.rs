//! The verbs that stand beside the connector: `sim`, whose settings must make a connector work with
//! nothing else known, `render`, which must say what is wrong with its input, and `bench`, whose
//! every line must come.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::Process;
use serde_json::Value;
use serde_json::json;

use crate::support::TempDir;
use crate::support::eventually;
use crate::support::scene::BINARY;

const TIMEOUT: Duration = Duration::from_secs(30);

fn sim(dir: &TempDir, arguments: &[&str]) -> (Process, Value) {
    let arguments = [&["sim"], arguments].concat();
    let started = Process::start(Path::new(BINARY), &arguments, &[], &dir.path().join("sim.log"));
    started.expect("sim starts")
}

fn connector(dir: &TempDir, arguments: &[&str]) -> (Process, Value) {
    let log = dir.path().join("connector.log");
    Process::start(Path::new(BINARY), arguments, &[], &log).expect("a connector starts")
}

/// The page a browser without cookies ends at.
fn browse(method: &str, url: &str, body: &str) -> client::Response {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let page = client::request(method, url, &form, body.as_bytes(), TIMEOUT).expect("a page");
    match page.header("location") {
        Some(onward) => browse("GET", onward, ""),
        None => page,
    }
}

#[test]
fn what_sim_prints_is_all_that_a_connector_and_a_person_need() {
    let dir = TempDir::new();
    let (mut sim, told) = sim(&dir, &[]);
    let env_file = told["env_file"].as_str().expect("an environment file").to_owned();
    let (mut connector, addresses) = connector(&dir, &["--env-file", &env_file, "run"]);
    for listener in ["control", "deliver", "consent"] {
        let url = format!("http://{}/healthz", addresses[listener].as_str().expect("bound"));
        assert_eq!(browse("GET", &url, "").status, 200, "{listener}");
    }
    // The verb `agents` finds the connector by the same file.
    let arguments = ["--env-file", &env_file, "agents", "consent", "helper"];
    let output = Command::new(BINARY).args(arguments).env_clear().output().expect("a link");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let link = printed.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
    let page = browse("POST", &format!("{link}/start"), "").text();
    assert!(page.contains("Mira Holt"), "{page}");
    let confirmation = page.split("name=\"confirmation\" value=\"").nth(1).expect("a button");
    let confirmation = confirmation.split('"').next().expect("a value");
    let consent = addresses["consent"].as_str().expect("bound");
    let url = format!("http://{consent}/oauth/confirm");
    assert_eq!(browse("POST", &url, &format!("confirmation={confirmation}")).status, 200);

    // As the manual says: Olaf writes until the agent, subscribed by then, answers.
    let rest = |method: &str, params: Value| {
        let url = format!("{}/rest/{method}", told["portal"].as_str().expect("an address"));
        client::post_json(&url, &[], &params, TIMEOUT).expect("the portal answers").json()
    };
    let dialog = json!({ "auth": told["employee_token"], "DIALOG_ID": told["agent_user"] });
    eventually("the scripted agent's answer", || {
        let mut question = dialog.clone();
        question["MESSAGE"] = json!("What about invoice 4712?");
        assert!(rest("im.message.add", question)["result"].is_u64());
        let shown = rest("im.dialog.messages.get", dialog.clone());
        let said = shown["result"]["messages"].as_array()?.iter();
        said.filter_map(|message| message["text"].as_str())
            .any(|text| text.contains("[b]Invoice 4711[/b]"))
            .then_some(())
    });
    assert!(connector.terminate().expect("it stops").success());
    assert!(sim.terminate().expect("it stops").success());
    assert!(!Path::new(&env_file).exists(), "nothing stays behind");
}

#[test]
fn sim_refuses_what_it_does_not_know() {
    for wrong in ["--people=many", "--people=10001", "--limits", "extra"] {
        let output = Command::new(BINARY).args(["sim", wrong]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
    let dir = TempDir::new();
    let (_sim, told) = sim(&dir, &["--people=3", "--no-history"]);
    assert_eq!(told["people"].as_array().map(Vec::len), Some(3), "{told}");
}

/// What `render` says of an input: exit code, stdout, stderr.
fn render(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let dir = TempDir::new();
    let file = dir.path().join("input");
    std::fs::write(&file, input).expect("writes");
    let mut command = Command::new(BINARY);
    command.arg("render").args(arguments).env_clear();
    let output = command.stdin(std::fs::File::open(&file).expect("opens")).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn render_shows_a_text_or_says_what_is_wrong_with_it() {
    let (code, shown, _) = render(&[], "**a**\n\n# б".as_bytes());
    assert_eq!((code, shown.as_str()), (Some(0), "[b]a[/b]\n\n[b]б[/b]\n"));
    let (code, shown, _) = render(&["--html"], b"> q\n\n<script>x</script>");
    assert_eq!(code, Some(0));
    assert!(shown.contains("<blockquote>q</blockquote>") && !shown.contains("<script"), "{shown}");
    let long = "word ".repeat(60_001);
    for target in ["--json", "--html", "--html=newest", "--back"] {
        let (code, shown, told) = render(&[target], long.as_bytes());
        assert_eq!((code, shown.as_str()), (Some(1), ""), "{target}");
        assert!(told.contains("longer than 300000 bytes") && told.contains("in pieces"), "{told}");
        let (code, shown, told) = render(&[target], b"line\n\xcf\xf0\xe8");
        assert_eq!((code, shown.as_str()), (Some(1), ""), "{target}");
        assert!(told.contains("not UTF-8") && told.contains("line 2"), "{told}");
    }
    assert_eq!(render(&["--json", "--back"], b"x").0, Some(2));
}

#[test]
fn a_short_bench_prints_every_line() {
    let output = Command::new(BINARY).args(["bench", "--short"]).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "a page of 4 KiB made durable",
        "executable, the model included",
        "crates in the tree",
        "empty state directory",
        "state with a connected agent",
        "idle, one agent connected",
        "1.0 MB by URL",
        "1.0 MB in base64",
        "64 callers, 256 dialogs",
        "1 caller, 1 dialog",
        "200 over 100 dialogs",
        "start, old ledger",
        "accept, old ledger",
        "10 sends of text",
        "10 messages with a file",
        "backlog at 5/250",
        "poll answered to gateway has it",
        "200 a second, 200 dialogs",
        "500 in 10 dialogs: calls",
        "4 agents: start until each was asked",
        "in conversation: written to heard",
        "idle: written to heard",
        "answer given to shown",
        "beside 2000 idle, 500 half-sent",
    ] {
        assert!(told.lines().any(|printed| printed.trim_start().starts_with(line)), "{told}");
    }
    assert!(!told.contains("none measured"), "{told}");
    let failed = told.lines().find(|line| line.contains("other answers")).expect("a line");
    assert!(failed.trim_end().ends_with(" 0"), "{failed}");
}
