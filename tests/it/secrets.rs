//! One run with everything in it, logged as much as it can be: consent, both directions, renewal,
//! refusals, outages, a lost identity. Then a search for every secret, every message and every
//! person's name in whatever the connector wrote or answered, and for everything that lets somebody
//! in in the bytes on its disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::CONTROL_SECRET;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::eventually;
use crate::support::scene::Scene;

const DELIVER_SECRET: &str = "planted-deliver-secret";
/// Base64 of [`KEY_BYTES`].
const MASTER_KEY: &str = "cGxhbnRlZCBtYXN0ZXIga2V5LCAzMiBieXRlcyBvZiE=";
const KEY_BYTES: &str = "planted master key, 32 bytes of!";
/// What people and agents write.
const TEXTS: [&str; 4] = ["planted-question", "planted-answer", "planted-refusal", "planted-junk"];
/// Whose message it is, and who the agent's account belongs to.
const PEOPLE: [&str; 4] = ["Olaf", "Brandt", "Mira", "Holt"];

/// What the connector answered, by what was asked.
struct Answers(Vec<(String, String)>);

impl Answers {
    fn keep(&mut self, what: &str, answer: &client::Response) {
        let headers = format!("{:?}", answer.headers);
        self.0.push((what.to_owned(), format!("{headers}\n{}", answer.text())));
    }
}

/// Everything that lets somebody in. `given` are links and the like.
fn secrets(scene: &Scene, given: &[String]) -> Vec<String> {
    let configured = [SECRET, CONTROL_SECRET, DELIVER_SECRET, MASTER_KEY, KEY_BYTES];
    let mut secrets: Vec<String> = configured.iter().map(|text| (*text).to_owned()).collect();
    secrets.push(scene.client_secret.clone());
    secrets.extend(scene.portal.issued());
    secrets.extend(given.iter().cloned());
    secrets
}

/// The value of a parameter of a URL.
fn parameter(url: &str, name: &str) -> String {
    let start = format!("{name}=");
    let mut pairs = url.split(['?', '&']);
    let found = pairs.find_map(|pair| pair.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("no {name} in {url}")).to_owned()
}

/// A consent that is refused by the portal and one that works; what its links were made of.
fn walk_consent(scene: &Scene, connector: &Connector, answers: &mut Answers) -> Vec<String> {
    let link = connector.consent_link("helper").expect("a link");
    let ticket = link.rsplit('/').next().expect("a ticket").to_owned();
    answers.keep("consent", &scene.follow(&link).expect("a page"));
    scene.network.plan(When::first("/oauth/token/"), Fault::error(400, "invalid_grant", TEXTS[3]));
    let refused = scene.callback_url(&link, scene.mira).expect("authorizes");
    answers.keep("refused consent", &scene.follow(&refused).expect("a page"));
    answers.keep("replayed callback", &scene.follow(&refused).expect("a page"));
    let callback = scene.callback_url(&link, scene.mira).expect("authorizes");
    let page = scene.follow(&callback).expect("a page");
    assert!(page.text().contains("Mira Holt"), "the person is told who it is");
    let confirmation = page.text().split("value=\"").nth(1).expect("a button").to_owned();
    let confirmation = confirmation.split('"').next().expect("a value").to_owned();
    assert_eq!(scene.confirm(&page).expect("a page").status, 200);
    let mut given = vec![ticket, confirmation];
    for url in [refused, callback] {
        given.extend([parameter(&url, "code"), parameter(&url, "state")]);
    }
    given
}

/// Both directions, with every kind of trouble that has words of its own.
fn converse(scene: &Scene, connector: &Connector, answers: &mut Answers) {
    let forwarded = |count: usize| {
        eventually("the messages", || (scene.received().len() >= count).then_some(()));
    };
    let refusal = json!({"error": {"message": TEXTS[2], "code": "no_workspace"}}).to_string();
    let refusal = Fault::Body { status: 422, body: refusal };
    scene.network.plan(When::first("/v1/inbound/generic"), refusal);
    scene.network.plan(When::matching("/v1/inbound/generic", 2, 1), Fault::Html(502));
    for _ in 0..2 {
        scene.portal.write_to(scene.olaf, scene.mira, TEXTS[0]).expect("writes");
    }
    forwarded(1);
    let answer = |id: &str, headers: &[(&str, &str)]| {
        let target = format!("helper/{}", scene.olaf);
        let body = json!({"delivery_id": id, "external_id": target, "text": TEXTS[1]});
        connector.deliver(&body, headers).expect("an answer")
    };
    let proof = [("X-AIHummer-Inbound-Secret", DELIVER_SECRET)];
    scene.network.plan(When::first("/rest/im.message.add"), Fault::Garbage);
    answers.keep("delivered", &answer("d-1", &proof));
    scene.network.clock().advance(std::time::Duration::from_secs(3601));
    answers.keep("delivered by a new token", &answer("d-2", &proof));
    let denied = Fault::error(400, "ACCESS_ERROR", TEXTS[2]);
    scene.network.plan(When::first("/rest/im.message.add"), denied);
    answers.keep("denied", &answer("d-3", &proof));
    answers.keep("wrong secret", &answer("d-4", &[("Authorization", "Bearer planted-wrong")]));
    let junk = format!("{{\"text\":\"{} {DELIVER_SECRET}\"", TEXTS[3]);
    let headers = [proof[0], ("Content-Type", "application/json")];
    let url = connector.deliver_url();
    let broken = client::request("POST", &url, &headers, junk.as_bytes(), PATIENCE);
    answers.keep("broken body", &broken.expect("an answer"));
    let unknown = json!({"delivery_id": "d-5", "external_id": TEXTS[3], "text": TEXTS[3]});
    answers.keep("broken field", &connector.deliver(&unknown, &proof).expect("an answer"));
}

/// The application is gone, and with it the agent's identity.
fn lose_identity(scene: &Scene, connector: &Connector) {
    scene.portal.delete_app(&scene.client_id);
    scene.network.clock().advance(std::time::Duration::from_secs(3601));
    eventually("the agent to be revoked", || {
        let status = connector.status()?;
        (status["agents"][0]["state"] == "revoked").then_some(())
    });
}

fn ask_operator_routes(connector: &Connector, answers: &mut Answers) {
    let paths = ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/agents", "/v1/settings"];
    // What was delivered, and what was refused.
    let ledger = ["/v1/deliveries", "/v1/deliveries/d-1", "/v1/deliveries/d-3"];
    for path in paths.into_iter().chain(ledger) {
        answers.keep(path, &connector.control("GET", path, None).expect("an answer"));
        let url = format!("{}{path}", connector.origin("control"));
        let open = client::request("GET", &url, &[], &[], PATIENCE).expect("an answer");
        answers.keep(&format!("{path} without the secret"), &open);
    }
}

#[test]
fn no_secret_no_message_and_no_name_leaves_by_log_page_error_or_disk() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_LOG", "trace");
    scene.set("BITRIX24_LOG_FORMAT", "json");
    scene.set("BITRIX24_DELIVER_SECRET", DELIVER_SECRET);
    scene.set("BITRIX24_MASTER_KEY", MASTER_KEY);
    scene.set("BITRIX24_PORTAL_URI", "https://planted-junk.example");
    let mut connector = scene.start();
    let mut answers = Answers(Vec::new());
    let given = walk_consent(&scene, &connector, &mut answers);
    eventually("the subscription", || scene.is_subscribed().then_some(()));
    converse(&scene, &connector, &mut answers);
    ask_operator_routes(&connector, &mut answers);
    let secrets = secrets(&scene, &given);
    assert!(secrets.len() > 15, "{} secrets", secrets.len());
    assert_sealed(&scene, &secrets);
    lose_identity(&scene, &connector);
    ask_operator_routes(&connector, &mut answers);
    assert!(connector.terminate().expect("it stops").success());
    assert_sealed(&scene, &secrets);

    let log = connector.log();
    for event in ["token_renewed", "consent_confirmed", "portal_call", "state=revoked"] {
        assert!(log.contains(event), "the run has no {event}");
    }
    for line in log.lines() {
        let parsed: Value =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        for key in ["at", "level", "thread", "event"] {
            assert!(parsed[key].is_string(), "{line}");
        }
        let words = secrets.iter().map(String::as_str).chain(TEXTS).chain(PEOPLE);
        for word in words {
            assert!(!line.contains(word), "{word:?} is logged: {line}");
        }
    }
    for (what, answer) in &answers.0 {
        for secret in secrets.iter().filter(|secret| what != "consent" || **secret != given[0]) {
            assert!(!answer.contains(secret), "{secret:?} is in {what}: {answer}");
        }
        // Who an agent's account belongs to is an operator's first question; nobody else's name is.
        let operator = matches!(what.as_str(), "/v1/status" | "/v1/agents");
        let people = if operator { &PEOPLE[..2] } else { &PEOPLE[..] };
        for word in TEXTS.iter().chain(people) {
            assert!(!answer.contains(word), "{word:?} is in {what}: {answer}");
        }
    }
}

/// Asserts that nothing in the state directory lets anybody in, nor lets others in to it.
fn assert_sealed(scene: &Scene, secrets: &[String]) {
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&scene.state_dir()), 0o700);
    let shelf = scene.state_dir().join("files");
    assert_eq!(mode(&shelf), 0o700);
    let mut files = 0;
    let entries = fs::read_dir(scene.state_dir()).expect("a directory");
    let kept = fs::read_dir(&shelf).expect("a directory");
    for entry in entries.chain(kept) {
        let path = entry.expect("an entry").path();
        if path == shelf {
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        files += 1;
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret:?} is in {}", path.display());
        }
    }
    assert!(files >= 2, "the database and its lock are there");
}
