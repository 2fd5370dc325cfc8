//! What a person can get wrong before the start: settings, environment files, addresses, state
//! directories, keys. Each is refused with one line that says what and what to do, nothing is
//! destroyed, and no secret is repeated.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::Run;
use crate::support::TempDir;
use crate::support::run;
use crate::support::scene::Scene;

/// Part of every secret that is planted here.
const PLANTED: &str = "hunter2";

/// The lines of a run that was refused for its settings.
fn refused(run: &Run) -> Vec<&str> {
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(run.stdout, "", "nothing was started");
    assert!(!run.stderr.contains(PLANTED), "a secret is repeated: {run:?}");
    run.stderr.lines().collect()
}

#[test]
fn a_malformed_value_is_one_line_with_setting_problem_and_example() {
    let dir = TempDir::new();
    fs::write(dir.path().join("no.pem"), "no certificate").expect("written");
    let cases = [
        ("AIHUMMER_INBOUND_URL", "gateway:8765/inbound", "begin with https://"),
        ("AIHUMMER_INBOUND_URL", "http://", "not a URL"),
        ("AIHUMMER_INBOUND_URL", "http://u:hunter2@gateway", "no password"),
        ("AIHUMMER_INBOUND_URL", "ftp://u:hunter2@gateway", "begin with https://"),
        ("AIHUMMER_INBOUND_URL", "http://gateway/?k=hunter2#x", "# part"),
        ("AIHUMMER_INBOUND_SECRET", "hunter2\u{e9}", "printable ASCII"),
        ("BITRIX24_PORTAL_URL", "http://acme.bitrix24.com", "not encrypted"),
        ("BITRIX24_PORTAL_URL", "http://u:hunter2@acme.bitrix24.com", "no password"),
        ("BITRIX24_PORTAL_URL", "https://acme.bitrix24.com/rest/1/hunter2/", "leave the rest"),
        ("BITRIX24_PORTAL_URL", "https://acme:hunter2", "not a URL"),
        ("BITRIX24_CLIENT_SECRET", "hunter2\nhunter2", "printable ASCII"),
        ("BITRIX24_OAUTH_SERVERS", "oauth.bitrix.info,http://u:hunter2@a.example", "entry 2"),
        ("BITRIX24_CONSENT_URL", "agents.acme.example", "not a URL"),
        ("BITRIX24_CONSENT_URL", "https://agents.acme.example/?a=b", "? part"),
        ("BITRIX24_AGENTS", "helper,Mira Holt", "\"Mira Holt\" is no agent name"),
        ("BITRIX24_CHANNEL", "bitrix 24", "not a channel name"),
        ("BITRIX24_INBOUND_SIGNING", "md5", "none of raw, hmac-sha256"),
        ("BITRIX24_INBOUND_EXTRA", "true", "none of on, off"),
        ("BITRIX24_GROUP_MESSAGES", "some", "none of addressed, all, off"),
        ("BITRIX24_SENDER_PREFIX", "name", "none of group, always, never"),
        ("BITRIX24_MENTION_ALL", "maybe", "none of on, off"),
        ("BITRIX24_MEDIA_HOSTS", "a.example,http://u:hunter2@b.example", "entry 2 is a URL"),
        ("BITRIX24_CONTROL_ADDR", "8810", "not an address and port"),
        ("BITRIX24_DELIVER_ADDR", "::1:8080", "IPv6 address in brackets"),
        ("BITRIX24_CONSENT_ADDR", "127.0.0.1:65536", "not an address and port"),
        ("BITRIX24_DELIVER_SECRET", "\u{1f511}hunter2", "printable ASCII"),
        ("BITRIX24_CONTROL_SECRET", "hunter2\u{7f}", "printable ASCII"),
        ("BITRIX24_MASTER_KEY", "hunter2", "not base64 of 32 bytes"),
        ("BITRIX24_MASTER_KEY", "aHVudGVyMg==", "not base64 of 32 bytes"),
        ("BITRIX24_CA_FILE", "missing.pem", "missing.pem"),
        ("BITRIX24_CA_FILE", "no.pem", "no certificate in it"),
        ("BITRIX24_CA_FILE", ".", "directory"),
        ("BITRIX24_PROXY_URL", "http://u:hunter2@proxy:99999", "not a URL"),
        ("BITRIX24_PROXY_URL", "socks5://proxy:1080", "begin with https://"),
        ("BITRIX24_RATE", "3/60", "none of auto, 2/50, 5/250, off"),
        ("BITRIX24_POLL_ACTIVE_MS", "1s", "whole number from 10 to 600000"),
        ("BITRIX24_POLL_IDLE_MS", "-1", "whole number from 10 to 600000"),
        ("BITRIX24_DELIVERY_WORKERS", "65", "whole number from 1 to 64"),
        ("BITRIX24_LOG", "verbose", "not a list of levels"),
        ("BITRIX24_LOG", "info,ureq=trace", "not a list of levels"),
        ("BITRIX24_LOG_FORMAT", "xml", "none of text, json"),
    ];
    for (name, value, problem) in cases {
        let run = run(dir.path(), &["run"], &[(name, value)]);
        let lines = refused(&run);
        assert_eq!(lines.len(), 1, "{name}={value}: {lines:?}");
        let line = lines[0];
        assert!(line.starts_with(&format!("aihummer-bitrix24: {name}: ")), "{line}");
        assert!(line.contains(problem), "{line}");
        let example = format!("; example: {name}=");
        assert!(line.contains(&example) || line.contains("; how: "), "{line}");
    }
    // What is no text at all could be a setting all the same.
    let run = run(dir.path(), &[], &[("BITRIX24_CHANNEL", OsStr::from_bytes(b"\xff\xfe"))]);
    let lines = refused(&run);
    let told = "aihummer-bitrix24: BITRIX24_CHANNEL: it is not UTF-8; example: BITRIX24_CHANNEL=";
    assert!(lines.len() == 1 && lines[0].starts_with(told), "{lines:?}");
    assert!(!dir.path().join("state").exists(), "a refused start touches nothing");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let dir = TempDir::new();
    let run = run(
        dir.path(),
        &["run"],
        &[
            ("BITRIX24_RATE", "fast"),
            ("BITRIX24_AGENTS", "a b,C"),
            ("BITRIX24_MASTER_KEY", "hunter2"),
            ("BITRIX24_OAUTH_SERVERS", "http://a.example"),
            ("BITRIX24_DELIVER_ADDR", "0.0.0.0:0"),
        ],
    );
    let mut named: Vec<&str> =
        refused(&run).into_iter().map(|line| line.split(": ").nth(1).expect("a setting")).collect();
    named.sort_unstable();
    let expected = [
        "BITRIX24_AGENTS",
        "BITRIX24_AGENTS",
        "BITRIX24_DELIVER_SECRET",
        "BITRIX24_MASTER_KEY",
        "BITRIX24_OAUTH_SERVERS",
        "BITRIX24_RATE",
    ];
    assert_eq!(named, expected, "{run:?}");
}

#[test]
fn a_damaged_token_costs_its_agent_a_consent_and_nothing_else() {
    let scene = Scene::new();
    assert!(scene.start_connected().terminate().expect("it stops").success());
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database");
    file.execute("UPDATE agents SET access = zeroblob(length(access))", []).expect("an agent");
    drop(file);

    let connector = scene.start();
    let ready = connector.control("GET", "/readyz", None).expect("an answer");
    let told = "agent helper is revoked: the stored tokens are damaged: open a new consent link";
    assert!(ready.text().contains(told), "{}", ready.text());
    assert_eq!(scene.send(&connector, "d-1", "not yet").expect("an answer").status, 400);
    assert_eq!(connector.consent("helper", scene.mira).expect("pages").status, 200);
    assert_eq!(scene.send(&connector, "d-1", "back again").expect("an answer").status, 200);
}

/// The file's values are seen through the errors about them.
#[test]
fn an_environment_file_is_read_as_systemd_reads_it() {
    let dir = TempDir::new();
    let none: [(&str, &str); 0] = [];
    let file = |text: &str| fs::write(dir.path().join("env"), text).expect("written");
    let with_file = ["--env-file", "env", "run"];
    file(
        "# a comment\n; another \\\n\n\
         BITRIX24_CHANNEL=\"two \\\"words\\\"  \"\n\
         BITRIX24_RATE='2/60 \\ # no comment'   \r\n\
         BITRIX24_LOG_FORMAT = x\\\n  y\n\
         BITRIX24_INBOUND_EXTRA = 1 # 2\n\
         BITRIX24_MENTION_ALL=on\nBITRIX24_MENTION_ALL=\"\"\n\
         BITRIX24_MASTER_KEY=\"hunter2\nhunter2\"\n",
    );
    let run_of_all = run(dir.path(), &with_file, &none);
    let lines = refused(&run_of_all).join("\n");
    for value in [
        r#"CHANNEL: "two \"words\"" is"#,
        r##"RATE: "2/60 \\ # no comment" is"##,
        r#"LOG_FORMAT: "x  y" is"#,
        r#"INBOUND_EXTRA: "1 # 2" is"#,
        "MASTER_KEY: it is not all printable",
    ] {
        assert!(lines.contains(value), "{value} is not in\n{lines}");
    }
    assert_eq!(lines.lines().count(), 5, "{lines}");

    file("BITRIX24_RATE=from-file\nBITRIX24_CHANNEL=from file\n");
    let env = [("BITRIX24_RATE", "from-environment"), ("BITRIX24_CHANNEL", "  ")];
    let run_of_both = run(dir.path(), &with_file, &env);
    let lines = refused(&run_of_both).join("\n");
    assert!(lines.contains("\"from-environment\"") && lines.contains("\"from file\""), "{lines}");

    let broken = [
        ("BITRIX24_RATE=off\nBITRIX24_MASTER_KEY hunter2\n", "line 2: write NAME=value"),
        ("BITRIX24-MASTER-KEY=hunter2\n", "line 1: a name has letters"),
        ("\nBITRIX24_MASTER_KEY=\"hunter2\n", "line 2: a quote is opened and never closed"),
    ];
    for (text, problem) in broken {
        file(text);
        let run = run(dir.path(), &with_file, &none);
        let lines = refused(&run);
        let told = format!("aihummer-bitrix24: --env-file env, {problem}");
        assert!(lines.len() == 1 && lines[0].starts_with(&told), "{lines:?}");
    }
    let run = run(dir.path(), &["--env-file", "nowhere"], &none);
    assert!(refused(&run)[0].contains("--env-file nowhere: No such file"), "{run:?}");
}

#[test]
fn names_that_nobody_reads_are_told_with_what_was_probably_meant() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_PORTAL_URI", "https://hunter2.example");
    scene.set("BITRIX24_CONTROL_SECRETS", PLANTED);
    scene.set("BITRIX24_NONSENSE_OF_ANOTHER_KIND", PLANTED);
    let connector = scene.start();
    let log = connector.log();
    for told in [
        "BITRIX24_PORTAL_URI is not a setting; did you mean BITRIX24_PORTAL_URL?",
        "BITRIX24_CONTROL_SECRETS is not a setting; did you mean BITRIX24_CONTROL_SECRET?",
        "BITRIX24_NONSENSE_OF_ANOTHER_KIND is not a setting and has no effect",
    ] {
        let line = log.lines().find(|line| line.ends_with(told));
        assert!(line.is_some_and(|line| line.contains(" WARN ")), "{told} is not in\n{log}");
    }
    assert!(!log.contains(PLANTED), "{log}");
}

#[test]
fn what_other_machines_can_reach_asks_for_a_secret() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_DELIVER_ADDR", "0.0.0.0:0");
    scene.set("BITRIX24_CONTROL_ADDR", "0.0.0.0:0");
    scene.unset("AIHUMMER_INBOUND_SECRET");
    scene.unset("BITRIX24_CONTROL_SECRET");
    let told = scene.refused();
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.stderr.contains("BITRIX24_DELIVER_SECRET: 0.0.0.0:0 is reachable"), "{told:?}");

    // The control listener's secret is made up, so it always has one.
    scene.set("BITRIX24_DELIVER_SECRET", "of-its-own");
    let connector = scene.start();
    let url = format!("{}/v1/status", connector.origin("control"));
    let file = fs::read_to_string(scene.state_dir().join("control.secret")).expect("generated");
    for (secret, status) in [(None, 401), (Some("wrong"), 401), (Some(file.trim()), 200)] {
        let bearer = format!("Bearer {}", secret.unwrap_or_default());
        let headers = [("Authorization", bearer.as_str())];
        let headers = if secret.is_some() { &headers[..] } else { &[] };
        let answer = client::request("GET", &url, headers, &[], PATIENCE).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    // The inbound secret is no Deliver secret once that has its own.
    let body = json!({"delivery_id": "d", "external_id": "helper/1", "text": "x"});
    let secret = [("X-AIHummer-Inbound-Secret", "of-its-own")];
    let answer = connector.deliver(&body, &secret).expect("an answer");
    assert_eq!(answer.json()["code"], "failed_precondition", "{}", answer.text());
    assert_eq!(scene.send(&connector, "d", "x").expect("an answer").status, 401);
}

#[test]
fn without_a_portal_the_listeners_say_what_to_set() {
    let mut scene = Scene::new();
    for name in ["BITRIX24_PORTAL_URL", "BITRIX24_CLIENT_SECRET", "AIHUMMER_INBOUND_SECRET"] {
        scene.unset(name);
    }
    scene.set("BITRIX24_DELIVER_SECRET", "of-its-own");
    let connector = scene.start();
    let ready = connector.control("GET", "/readyz", None).expect("an answer");
    assert_eq!(ready.status, 503);
    let reasons = json!([
        "BITRIX24_PORTAL_URL is not set",
        "BITRIX24_CLIENT_SECRET is not set",
        "AIHUMMER_INBOUND_SECRET is not set",
    ]);
    assert_eq!(ready.json()["reasons"], reasons);
    let body = json!({"delivery_id": "d", "external_id": "helper/1", "text": "x"});
    let secret = [("X-AIHummer-Inbound-Secret", "of-its-own")];
    let answer = connector.deliver(&body, &secret).expect("an answer");
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("failed_precondition")));
    let link = connector.control("POST", "/v1/agents/helper/consent", None);
    let link = link.expect("an answer");
    assert_eq!((link.status, &link.json()["code"]), (400, &json!("failed_precondition")));
    let told = "the portal is not configured: set BITRIX24_PORTAL_URL, BITRIX24_CLIENT_SECRET and";
    assert!(link.text().contains(told), "{}", link.text());
    let page = format!("{}/consent/abc", connector.origin("consent"));
    let page = client::request("GET", &page, &[], &[], PATIENCE).expect("a page");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("no portal yet"), "{}", page.text());
}

#[test]
fn a_taken_port_or_state_directory_is_told_with_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("an address").to_string();
    for name in ["BITRIX24_CONTROL_ADDR", "BITRIX24_DELIVER_ADDR", "BITRIX24_CONSENT_ADDR"] {
        let mut scene = Scene::new();
        scene.set(name, &taken);
        let told = scene.refused();
        assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""), "{told:?}");
        let last = told.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(&format!("{name}: cannot listen on {taken}")), "{last}");
        assert!(last.contains("stop what uses the port or set another one"), "{last}");
    }

    // Neither does a portal that never answers hold up the end, though the agent works already.
    let mut scene = Scene::new();
    assert!(scene.start_connected().terminate().expect("it stops").success());
    let never = Fault::ActAndAnswerLate(PATIENCE * 3);
    scene.network.plan(When::every("/rest/"), never);
    scene.set("BITRIX24_CONSENT_ADDR", &taken);
    let told = scene.refused();
    assert_eq!(told.code, Some(2), "{told:?}");

    let mut scene = Scene::new();
    let _running = scene.start();
    scene.set("BITRIX24_CONSENT_ADDR", "127.0.0.1:0");
    let told = scene.refused();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("another connector runs on"), "{told:?}");

    let mut scene = Scene::new();
    let file = scene.dir().join("file");
    fs::write(&file, "").expect("written");
    let below = file.join("state").display().to_string();
    scene.set("BITRIX24_STATE_DIR", &below);
    let told = scene.refused();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains(&format!("state directory {below}: ")), "{told:?}");
    assert!(told.stderr.contains("or set BITRIX24_STATE_DIR"), "{told:?}");
}

#[test]
fn a_database_that_is_not_ours_is_refused_untouched() {
    let scene = Scene::new();
    let path = scene.state_dir().join("connector.sqlite3");
    fs::create_dir_all(scene.state_dir()).expect("a directory");
    let text = "hunter2 is no database\n".repeat(200);
    fs::write(&path, &text).expect("written");
    let told = scene.refused();
    assert_eq!(told.code, Some(1), "{told:?}");
    let shown = path.display();
    assert!(told.stderr.contains(&format!("{shown}: the database is damaged")), "{told:?}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), text);

    fs::remove_file(&path).expect("removed");
    assert!(scene.start().terminate().expect("it stops").success());
    let set_version = |version: u32| {
        let file = rusqlite::Connection::open(&path).expect("the database");
        let own = file.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0));
        file.pragma_update(None, "user_version", version).expect("a pragma");
        own.expect("a version")
    };
    let own = set_version(4711);
    let told = scene.refused();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains(&format!("{shown}: the database has schema 4711")), "{told:?}");
    set_version(own);
    assert!(scene.start().terminate().expect("it stops").success(), "it works as before");
}

#[test]
fn a_wrong_or_lost_master_key_is_told_and_changes_nothing() {
    let mut scene = Scene::new();
    let mut connector = scene.start_connected();
    assert!(connector.terminate().expect("it stops").success());
    let key = scene.state_dir().join("master.key");
    let kept = fs::read(&key).expect("generated");
    let refused = |scene: &Scene, told: &str| {
        let run = scene.refused();
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(told), "{told:?} is not in {}", run.stderr);
        assert!(!run.stderr.contains(PLANTED), "{run:?}");
    };

    scene.set("BITRIX24_MASTER_KEY", "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ=");
    refused(&scene, "BITRIX24_MASTER_KEY is not the key the stored tokens are sealed with");
    scene.unset("BITRIX24_MASTER_KEY");
    fs::write(&key, PLANTED).expect("written");
    refused(&scene, "master.key is not base64 of 32 bytes");
    fs::remove_file(&key).expect("removed");
    refused(&scene, "master.key is missing");
    assert!(!key.exists(), "a key that opens nothing was made up");

    fs::write(&key, kept).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("private again");
    let connector = scene.start();
    let answer = scene.send(&connector, "d-1", "back again").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}
