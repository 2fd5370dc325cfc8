//! `doctor` against set-ups that are well and set-ups that are broken in one way each: the right
//! finding with its remedy, the right exit code, no secret in what it prints, and nothing changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::CONTROL_SECRET;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::Run;
use crate::support::eventually;
use crate::support::scene::Scene;

/// Another master key than any that is generated.
const OTHER_KEY: &str = "cGxhbnRlZCBtYXN0ZXIga2V5LCAzMiBieXRlcyBvZiE=";
/// Findings that are no more than hints for a service that does not run.
const STOPPED: [&str; 2] = ["gateway_secret_unknown", "service_stopped"];

/// What a run found.
struct Told {
    code: Option<i32>,
    findings: Vec<Value>,
}

impl Told {
    /// Runs it for programs and for people; both tell the same and no secret.
    fn of(scene: &Scene, run: impl Fn(&[&str]) -> Run) -> Told {
        let json = run(&["doctor", "--json"]);
        let text = run(&["doctor"]);
        assert_eq!(json.code, text.code, "{}{}", json.stdout, text.stdout);
        let said = [&json.stdout, &json.stderr, &text.stdout, &text.stderr];
        let mut secrets = vec![SECRET.to_owned(), CONTROL_SECRET.to_owned(), OTHER_KEY.to_owned()];
        secrets.push(scene.client_secret.clone());
        secrets.extend(scene.portal.issued());
        let key = fs::read_to_string(scene.state_dir().join("master.key"));
        secrets.extend(key.ok().map(|key| key.trim().to_owned()));
        for secret in &secrets {
            assert!(said.iter().all(|said| !said.contains(secret)), "{secret} is shown");
        }
        let found: Value = serde_json::from_str(&json.stdout).expect("JSON");
        let findings = found["findings"].as_array().expect("findings").clone();
        for finding in &findings {
            for part in ["severity", "id", "means", "remedy"] {
                let part = finding[part].as_str().expect("a text");
                assert!(text.stdout.contains(part), "{part} is not in: {}", text.stdout);
            }
        }
        Told { code: json.code, findings }
    }

    /// Of a set-up whose service does not run.
    fn alone(scene: &Scene) -> Told {
        Told::of(scene, |arguments| scene.run_alone(arguments))
    }

    /// Of one whose service does.
    fn beside(scene: &Scene, connector: &Connector) -> Told {
        Told::of(scene, |arguments| scene.verb(connector, arguments))
    }

    /// Ids of what is not well, each once.
    fn wrong(&self) -> Vec<&str> {
        let bad = self.findings.iter().filter(|one| one["severity"] != "ok");
        let mut ids: Vec<&str> = bad.map(|one| one["id"].as_str().expect("an id")).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn find(&self, id: &str) -> Option<&Value> {
        self.findings.iter().find(|one| one["id"] == id)
    }

    /// Asserts that a finding was made about something, saw something, and says to do something.
    #[track_caller]
    fn expect(&self, id: &str, severity: &str, (about, detail, remedy): (&str, &str, &str)) {
        let found = self.find(id).unwrap_or_else(|| panic!("no {id} in {:#?}", self.findings));
        assert_eq!(found["severity"], severity, "{found}");
        for (part, text) in [("about", about), ("detail", detail), ("remedy", remedy)] {
            let told = found[part].as_str().expect("a text");
            assert!(told.contains(text), "{text:?} is not in {part}: {found}");
        }
    }

    /// The same of the one problem of a set-up whose service does not run.
    #[track_caller]
    fn is_problem(&self, id: &str, told: (&str, &str, &str)) {
        self.expect(id, "problem", told);
        assert_eq!(self.code, Some(3));
        let mut expected = vec![id];
        expected.extend(STOPPED);
        expected.sort_unstable();
        assert_eq!(self.wrong(), expected, "{:#?}", self.findings);
    }
}

/// A connected set-up whose service has stopped.
fn stopped() -> Scene {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    assert!(connector.terminate().expect("it stops").success());
    scene
}

/// Every file in the state directory with its bytes and mode.
fn files(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let entries = fs::read_dir(dir).expect("a directory").flatten();
    let plain = entries.filter(|entry| entry.path().is_file());
    let read = |path: PathBuf| {
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        (path.clone(), (fs::read(path).expect("reads"), mode))
    };
    plain.map(|entry| read(entry.path())).collect()
}

/// The service's status once it is as wanted.
fn wait_for(connector: &Connector, what: &str, wanted: impl Fn(&Value) -> bool) {
    eventually(what, || connector.status().filter(|status| wanted(status)).map(drop));
}

/// Answers every connection on a loopback port as `talk` does; its port.
fn serve(talk: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    answer_on(listener, talk);
    port
}

#[allow(clippy::disallowed_methods, reason = "a server beside the executable under test")]
fn answer_on(listener: TcpListener, talk: impl Fn(TcpStream) + Send + 'static) {
    std::thread::spawn(move || listener.incoming().flatten().for_each(talk));
}

/// Reads a short request and answers with a page.
fn page(stream: &mut (impl Read + Write)) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let _ = stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\
          Connection: close\r\n\r\n<html/>",
    );
}

fn tls_data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// A server for https on `localhost` whose authority nobody trusts unasked; its port.
fn serve_tls() -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(tls_data("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(tls_data("server.key")).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).expect("a server"));
    serve(move |mut stream| {
        let Ok(mut tls) = rustls::ServerConnection::new(Arc::clone(&config)) else { return };
        page(&mut rustls::Stream::new(&mut tls, &mut stream));
    })
}

#[test]
fn a_set_up_that_is_well_is_told_to_be_and_left_as_it_is() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    wait_for(&connector, "the gateway to be told", |status| status["gateway"] == "ok");
    let told = Told::beside(&scene, &connector);
    assert_eq!((told.code, told.wrong()), (Some(0), vec![]), "{:#?}", told.findings);
    for id in [
        "settings_ok",
        "service_ok",
        "port_ok",
        "state_ok",
        "disk_ok",
        "key_ok",
        "database_ok",
        "portal_ok",
        "clock_ok",
        "oauth_ok",
        "gateway_ok",
        "agent_active",
        "agent_account_ok",
        "agent_scopes_ok",
        "agent_methods_ok",
    ] {
        // A small disk is no matter of this test.
        assert!(id == "disk_ok" || told.find(id).is_some(), "{id} is not told");
    }
    assert!(connector.terminate().expect("it stops").success());
    let before = (files(&scene.state_dir()), scene.portal.issued());
    let told = Told::alone(&scene);
    assert_eq!((told.code, told.wrong()), (Some(0), STOPPED.to_vec()), "{:#?}", told.findings);
    told.expect("agent_active", "ok", ("helper", "", ""));
    told.expect("key_ok", "ok", ("", "", ""));
    let after = (files(&scene.state_dir()), scene.portal.issued());
    assert!(after == before, "no file changes, no token is renewed");
}

#[test]
fn a_set_up_that_never_ran_is_looked_at_without_making_anything() {
    let mut scene = Scene::new();
    scene.unset("BITRIX24_CONTROL_SECRET");
    let told = Told::alone(&scene);
    assert_eq!(told.code, Some(0));
    told.expect("state_missing", "warning", ("state", "", "BITRIX24_STATE_DIR"));
    assert!(!scene.state_dir().exists());
    scene.unset("BITRIX24_PORTAL_URL");
    scene.unset("BITRIX24_CLIENT_ID");
    let told = Told::alone(&scene);
    assert_eq!(told.code, Some(3));
    told.expect("setting_missing", "problem", ("BITRIX24_PORTAL_URL", "", "restart"));
}

#[test]
fn what_a_killed_service_left_is_read_with_its_log() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    connector.kill();
    let told = Told::alone(&scene);
    assert_eq!((told.code, told.wrong()), (Some(0), STOPPED.to_vec()), "{:#?}", told.findings);
    told.expect("key_ok", "ok", ("", "", ""));
    let connector = scene.start();
    wait_for(&connector, "the agent to work", |status| status["agents"][0]["state"] == "active");
}

#[test]
fn settings_that_cannot_be_used_are_all_named_with_exit_code_2() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_RATE", "9");
    scene.set("BITRIX24_POLL_IDLE_MS", "soon");
    let told = Told::alone(&scene);
    assert_eq!((told.code, told.wrong(), told.findings.len()), (Some(2), vec!["setting_wrong"], 2));
    told.expect("setting_wrong", "problem", ("BITRIX24_RATE", "2/50", "settings"));
    let lost = Told::of(&scene, |arguments| {
        scene.run_alone(&[&["--env-file", "/no/such/file"][..], arguments].concat())
    });
    assert_eq!((lost.code, lost.wrong()), (Some(2), vec!["settings_file_unreadable"]));
    scene.unset("BITRIX24_RATE");
    scene.unset("BITRIX24_POLL_IDLE_MS");
    scene.set("BITRIX24_AGENT", "helper");
    let told = Told::alone(&scene);
    assert_eq!(told.code, Some(0), "a warning is no problem");
    let about = ("BITRIX24_AGENT", "BITRIX24_AGENTS", "name");
    told.expect("setting_without_effect", "warning", about);
}

#[test]
fn a_dismissed_account_is_told_with_its_remedy_running_and_stopped() {
    let scene = Scene::new();
    let mut connector = scene.start_connected();
    scene.portal.dismiss(scene.mira);
    wait_for(&connector, "the loss", |status| status["agents"][0]["state"] == "revoked");
    let told = Told::beside(&scene, &connector);
    assert_eq!(told.code, Some(3));
    let about = ("helper", "the account is dismissed or inactive: reactivate it", "its reason");
    told.expect("agent_revoked", "problem", about);
    told.expect("service_not_ready", "problem", ("", "agent helper is revoked", "the reasons"));
    assert!(connector.terminate().expect("it stops").success());
    Told::alone(&scene).is_problem("agent_revoked", about);
}

#[test]
fn a_wrong_client_secret_is_told_with_its_remedy() {
    let mut scene = stopped();
    scene.set("BITRIX24_CLIENT_SECRET", "not-the-clients-secret");
    let connector = scene.start();
    // Longer than an access token lives, so that the secret is needed.
    scene.network.clock().advance(Duration::from_secs(3601));
    wait_for(&connector, "the loss", |status| status["agents"][0]["state"] == "revoked");
    let told = Told::beside(&scene, &connector);
    assert_eq!(told.code, Some(3));
    let about = ("helper", "set BITRIX24_CLIENT_SECRET (invalid_client)", "its reason");
    told.expect("agent_revoked", "problem", about);
}

#[test]
fn a_gateway_that_refuses_the_secret_or_is_away_is_told() {
    let mut scene = Scene::new();
    scene.set("AIHUMMER_INBOUND_SECRET", "another-secret");
    let connector = scene.start_connected();
    wait_for(&connector, "the refusal", |status| status["gateway"] == "refuses_secret");
    let told = Told::beside(&scene, &connector);
    assert_eq!(told.code, Some(3));
    let remedy = ("127.0.0.1", "", "AIHUMMER_INBOUND_SECRET");
    told.expect("gateway_secret_refused", "problem", remedy);
    drop(connector);
    let scene = stopped();
    scene.gateway.set_listening(false).expect("stops listening");
    let told = Told::alone(&scene);
    let remedy = ("127.0.0.1", "connection_refused", "AIHUMMER_INBOUND_URL");
    told.expect("gateway_unreachable", "problem", remedy);
    assert_eq!(told.wrong(), ["gateway_unreachable", "service_stopped"]);
}

#[test]
fn what_answers_instead_of_the_portal_is_told() {
    let scene = stopped();
    scene.network.plan(When::every("/rest/profile"), Fault::Html(200));
    let remedy = ("127.0.0.1", "not_json_200", "BITRIX24_PORTAL_URL");
    Told::alone(&scene).is_problem("portal_page", remedy);

    let scene = stopped();
    scene.portal.set_listening(false).expect("stops listening");
    let remedy = ("127.0.0.1", "connection_refused", "BITRIX24_PROXY_URL");
    Told::alone(&scene).is_problem("portal_unreachable", remedy);

    let scene = stopped();
    scene.portal.set_oauth_listening(false).expect("stops listening");
    let remedy = ("127.0.0.1", "connection_refused", "BITRIX24_OAUTH_SERVERS");
    Told::alone(&scene).is_problem("oauth_unreachable", remedy);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_told_for_each_who_has_one() {
    let port = serve_tls();
    for (setting, address, id) in [
        ("BITRIX24_PORTAL_URL", format!("https://localhost:{port}"), "portal_certificate"),
        ("BITRIX24_OAUTH_SERVERS", format!("localhost:{port}"), "oauth_certificate"),
        ("AIHUMMER_INBOUND_URL", format!("https://localhost:{port}"), "gateway_certificate"),
    ] {
        let mut scene = Scene::new();
        scene.set(setting, &address);
        let told = Told::alone(&scene);
        assert_eq!(told.code, Some(3), "{setting}");
        told.expect(id, "problem", ("localhost", "UnknownIssuer", "BITRIX24_CA_FILE"));
        scene.set("BITRIX24_CA_FILE", &tls_data("ca.pem").display().to_string());
        let told = Told::alone(&scene);
        assert!(told.find(id).is_none(), "{id} with the authority named");
    }
}

#[test]
fn a_master_key_that_does_not_fit_is_told() {
    let mut scene = stopped();
    scene.set("BITRIX24_MASTER_KEY", OTHER_KEY);
    let told = Told::alone(&scene);
    told.is_problem("key_wrong", ("BITRIX24_MASTER_KEY", "", "Bring the former key back"));
    scene.unset("BITRIX24_MASTER_KEY");
    fs::remove_file(scene.state_dir().join("master.key")).expect("removes");
    let told = Told::alone(&scene);
    told.is_problem("key_missing", ("master.key", "", "Bring the former key back"));
    assert!(!scene.state_dir().join("master.key").exists(), "none is made up");
}

#[test]
fn a_state_directory_that_others_can_change_or_read_is_told() {
    let scene = stopped();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    set(&scene.state_dir(), 0o777);
    Told::alone(&scene).is_problem("state_open", ("state", "mode 777", "chmod 700"));
    set(&scene.state_dir(), 0o700);
    set(&scene.state_dir().join("connector.sqlite3"), 0o644);
    Told::alone(&scene).is_problem("file_open", ("connector.sqlite3", "mode 644", "chmod 600"));
}

#[test]
fn a_database_of_another_version_or_damaged_is_told_and_left_alone() {
    let scene = stopped();
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(&path).expect("opens");
    file.pragma_update(None, "user_version", 99).expect("is set");
    file.close().expect("closes");
    let before = files(&scene.state_dir());
    let told = Told::alone(&scene);
    told.expect("database_newer", "problem", ("connector.sqlite3", "99", "Install the version"));
    assert_eq!((told.code, files(&scene.state_dir())), (Some(3), before));
    fs::write(&path, "no database ".repeat(1000)).expect("writes");
    let told = Told::alone(&scene);
    told.expect("database_unusable", "problem", ("connector.sqlite3", "damaged", "backup"));
    assert_eq!(told.code, Some(3));
}

#[test]
fn a_taken_port_and_a_locked_directory_are_told() {
    let scene = stopped();
    let settings: BTreeMap<String, String> = scene.settings().into_iter().collect();
    let address = &settings["BITRIX24_CONSENT_ADDR"];
    answer_on(TcpListener::bind(address).expect("the port"), |mut stream| page(&mut stream));
    let remedy = ("BITRIX24_CONSENT_ADDR", "", "set another one");
    Told::alone(&scene).is_problem("port_taken", remedy);

    let scene = stopped();
    let lock = fs::File::open(scene.state_dir().join("lock")).expect("opens");
    lock.lock().expect("is locked");
    Told::alone(&scene).is_problem("state_in_use", ("state", "", "fuser"));
}

#[test]
fn a_service_that_does_not_know_our_secret_is_told() {
    let mut scene = Scene::new();
    let connector = scene.start_connected();
    scene.set("BITRIX24_CONTROL_SECRET", "not-the-secret");
    let told = Told::beside(&scene, &connector);
    assert_eq!(told.code, Some(3));
    told.expect("service_secret_refused", "problem", ("127.0.0.1", "", "settings file"));
    scene.unset("BITRIX24_CONTROL_SECRET");
    let told = Told::beside(&scene, &connector);
    let remedy = ("127.0.0.1", "control.secret", "--env-file");
    told.expect("service_secret_unreadable", "problem", remedy);
}

#[test]
fn an_agent_whose_account_lacks_something_is_told_what() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    scene.untick("department");
    scene.untick("disk");
    {
        let mut world = scene.portal.world();
        world.switches.missing_methods.push("im.dialog.writing".to_owned());
        world.users.get_mut(&scene.mira).expect("Mira").admin = true;
    }
    let told = Told::beside(&scene, &connector);
    assert_eq!(told.code, Some(3));
    let remedy = ("helper", "department", "the application's card");
    told.expect("agent_scope_missing", "problem", remedy);
    told.expect("agent_scope_disk", "note", ("helper", "", "Tick `disk`"));
    told.expect("agent_administrator", "warning", ("helper", "", "administrator's rights"));
    let typing = ("helper", "typing (im.dialog.writing)", "Update");
    told.expect("agent_feature_missing", "note", typing);
}

#[test]
fn a_clock_that_is_off_is_told_once() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    scene.network.clock().advance(Duration::from_secs(300));
    let told = Told::beside(&scene, &connector);
    told.expect("clock_off", "warning", ("127.0.0.1", "ahead of this machine's", "NTP"));
    let clocks = told.findings.iter().filter(|one| one["id"] == "clock_off");
    assert_eq!((told.code, clocks.count()), (Some(0), 1), "{:#?}", told.findings);
}

#[test]
fn the_check_of_an_agent_needs_the_secret_and_an_agent() {
    let scene = Scene::new();
    let connector = scene.start();
    let url = format!("{}/v1/agents/helper/check", connector.origin("control"));
    assert_eq!(client::request("GET", &url, &[], b"", PATIENCE).expect("an answer").status, 401);
    let ask = |path: &str| connector.control("GET", path, None).expect("an answer");
    assert_eq!(ask("/v1/agents/nobody/check").status, 404);
    assert_eq!(ask("/v1/agents/No%20name/check").status, 400);
    let told = ask("/v1/agents/helper/check").json();
    assert_eq!(told["findings"][0]["id"], "agent_without_consent", "{told}");
    let calls = scene.network.history().into_iter().filter(|one| one.rest_method == "profile");
    assert_eq!(calls.count(), 0, "nobody is there to be asked as");
}
