//! The consent as people and attackers walk it: the pages, who may be connected, forged and repeated
//! callbacks, double clicks, restarts in the middle, several consents at once.

use std::net::TcpListener;
use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::Switches;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::switches::Rotation;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

const TIMEOUT: Duration = Duration::from_secs(30);

fn get(url: &str, headers: &[(&str, &str)]) -> Response {
    client::request("GET", url, headers, &[], TIMEOUT).expect("an answer")
}

fn post(url: &str, form: &[(&str, &str)]) -> Response {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    client::request("POST", url, &kind, body.finish().as_bytes(), TIMEOUT).expect("an answer")
}

fn agent(connector: &Connector, name: &str) -> serde_json::Value {
    let answer = connector.control("GET", &format!("/v1/agents/{name}"), None);
    answer.expect("an answer").json()
}

fn add_agent(connector: &Connector, name: &str) {
    let body = json!({ "name": name });
    let answer = connector.control("POST", "/v1/agents", Some(&body)).expect("an answer");
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// A link of `helper` and the callback of a browser that is signed in as this user.
fn callback(scene: &Scene, connector: &Connector, user: u64) -> String {
    let link = connector.consent_link("helper").expect("a link");
    scene.callback_url(&link, user).expect("a callback")
}

/// The callback with one parameter replaced.
fn forged(callback: &str, name: &str, value: &str) -> String {
    let mut url = url::Url::parse(callback).expect("a URL");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().map(|(known, old)| {
        let value = if known == name { value.to_owned() } else { old };
        (known, value)
    });
    let pairs: Vec<(String, String)> = pairs.collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.into()
}

fn exchanges(scene: &Scene) -> usize {
    let history = scene.network.history().into_iter();
    history.filter(|e| e.server == ServerKind::OAuth).count()
}

#[test]
fn every_page_is_plain_safe_and_in_the_browsers_language() {
    let scene = Scene::new();
    let connector = scene.start();
    let link = connector.consent_link("helper").expect("a link");
    let connected = scene.callback_url(&link, scene.mira).expect("a callback");
    let connected = get(&connected, &[]);
    let done = scene.confirm(&connected).expect("confirmed");
    let over = get(&link, &[]);
    assert_eq!((connected.status, done.status, over.status), (200, 200, 410));
    let link = connector.consent_link("helper").expect("a link");
    let english = get(&link, &[("Accept-Language", "ru;q=0.2, en;q=0.7")]);
    let russian = get(&link, &[("Accept-Language", "en;q=0.2, ru-RU;q=0.7")]);
    assert!(english.text().contains("<html lang=\"en\">") && english.text().contains("Connect"));
    assert!(russian.text().contains("<html lang=\"ru\">") && russian.text().contains("Подключ"));
    for page in [&connected, &done, &over, &english, &russian] {
        let text = page.text();
        assert!(text.contains("name=\"viewport\"") && text.contains("<title>"), "{text}");
        assert!(!text.contains("<script") && !text.contains("javascript:"), "{text}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    assert!(english.text().contains("helper"));
    assert!(english.text().contains("<label"), "the address field has a label");
}

#[test]
fn names_of_the_portal_are_text_and_nobody_is_nameless() {
    let scene = Scene::new();
    let connector = scene.start();
    let odd = User::employee("<script>alert(1)</script>", "\"onload='x' \u{1b}[31m");
    let odd = scene.portal.add_user(odd);
    let page = get(&callback(&scene, &connector, odd), &[]);
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(!text.contains("<script") && !text.contains("\"onload='"), "{text}");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
    assert!(!text.contains('\u{1b}'), "no control characters: a terminal may show the name");
    let nameless = scene.portal.add_user(User::employee("", ""));
    let page = get(&callback(&scene, &connector, nameless), &[]);
    assert!(page.text().contains(&nameless.to_string()), "{}", page.text());
}

#[test]
fn nothing_happens_before_the_right_person_confirms() {
    let scene = Scene::new();
    let connector = scene.start();
    let link = connector.consent_link("helper").expect("a link");
    let page = get(&scene.callback_url(&link, scene.olaf).expect("a callback"), &[]);
    assert!(page.text().contains("Olaf Brandt"), "{}", page.text());
    assert_eq!(agent(&connector, "helper")["state"], "created");
    // The wrong person closes the page; the link still serves the right one.
    let page = get(&scene.callback_url(&link, scene.mira).expect("a callback"), &[]);
    assert!(page.text().contains("Mira Holt"), "{}", page.text());
    assert_eq!(scene.confirm(&page).expect("confirmed").status, 200);
    let connected = agent(&connector, "helper");
    assert_eq!(connected["state"], "active");
    assert_eq!(connected["user_id"], scene.mira);
    // Both are used up now: the link, and whatever else was begun from it.
    assert_eq!(get(&link, &[]).status, 410);
    assert_eq!(post(&format!("{link}/start"), &[]).status, 410);
}

#[test]
fn a_forged_or_repeated_callback_reaches_nobody() {
    let scene = Scene::new();
    let connector = scene.start();
    let evil = TcpListener::bind("127.0.0.1:0").expect("a port");
    evil.set_nonblocking(true).expect("does not block");
    let host = evil.local_addr().expect("an address").to_string();
    let forgeries: [(&str, &str); 8] = [
        ("server_domain", &host),
        ("server_domain", "oauth.bitrix.info.evil.example"),
        ("server_domain", "oauth.bitrix.info"),
        ("domain", &host),
        ("domain", "evil.example"),
        ("state", "0000"),
        ("state", ""),
        ("code", ""),
    ];
    for (name, value) in forgeries {
        let good = callback(&scene, &connector, scene.mira);
        let answer = get(&forged(&good, name, value), &[]);
        assert_eq!(answer.status, 400, "{name}={value}: {}", answer.text());
        if !matches!(name, "state" | "code") {
            // The state is used up by the attempt, so the rest cannot be guessed.
            assert_eq!(get(&good, &[]).status, 400, "{name}={value}");
        }
    }
    assert_eq!(exchanges(&scene), 0, "no secret left the connector");
    assert!(evil.accept().is_err(), "nobody was sent to a host of the callback's choice");
    let good = callback(&scene, &connector, scene.mira);
    assert_eq!(get(&good, &[]).status, 200);
    assert_eq!(get(&good, &[]).status, 400, "a state works once");
    assert_eq!(exchanges(&scene), 1);
    assert_eq!(agent(&connector, "helper")["state"], "created");
}

#[test]
fn another_portal_on_the_same_state_is_refused() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    add_agent(&connector, "second");
    // The address is the same, what stands behind it is not: restored from nothing, say.
    scene.portal.world().member_id = "0123456789abcdef0123456789abcdef".to_owned();
    for (name, user) in [("helper", scene.mira), ("second", scene.olaf)] {
        let refused = connector.consent(name, user).expect("a page");
        assert_eq!(refused.status, 403, "{name}");
        assert!(refused.text().contains("BITRIX24_STATE_DIR"), "{}", refused.text());
    }
    assert_eq!(agent(&connector, "second")["state"], "created");
}

#[test]
fn administrators_and_accounts_of_other_agents_are_refused() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    add_agent(&connector, "second");
    let admin = scene.portal.add_user(User::employee("Anna", "Admin").administrator());
    let refused = connector.consent("second", admin).expect("a page");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("administrate"), "{}", refused.text());
    let refused = connector.consent("second", scene.mira).expect("a page");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("belongs to the agent helper"), "{}", refused.text());
    assert_eq!(agent(&connector, "second")["state"], "created");
    assert_eq!(agent(&connector, "helper")["state"], "active");
    // The same account again is a renewal.
    assert_eq!(connector.consent("helper", scene.mira).expect("a page").status, 200);
    assert_eq!(scene.send(&connector, "d-1", "hello").expect("sent").status, 200);
}

#[test]
fn another_account_replaces_the_former_only_by_the_word_of_whoever_was_told() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let vera = scene.portal.add_user(User::employee("Vera", "Klein").in_departments(&[1]));
    scene.portal.write_to(scene.olaf, scene.mira, "to Mira").expect("writes");
    eventually("the first", || (scene.received() == ["to Mira"]).then_some(()));
    // What was said to the other account before is none of the agent's business.
    scene.portal.write_to(scene.olaf, vera, "a private word to Vera").expect("writes");
    // The portal writes events a moment later, for whoever is subscribed by then.
    scene.network.clock().advance(Duration::from_secs(2));
    let page = get(&callback(&scene, &connector, vera), &[]);
    let text = page.text();
    assert!(text.contains("works as <b>Mira Holt</b> until now"), "{text}");
    assert!(text.contains("no longer <b>Mira Holt</b>"), "{text}");
    assert_eq!(agent(&connector, "helper")["user_name"], "Mira Holt");
    // Somebody else renews it as Mira meanwhile: what the page said is still so.
    assert_eq!(connector.consent("helper", scene.mira).expect("a page").status, 200);
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
    assert_eq!(agent(&connector, "helper")["user_name"], "Vera Klein");
    eventually("Vera's events", || {
        scene.portal.write_to(scene.olaf, vera, "to Vera").expect("writes");
        scene.received().iter().any(|text| text == "to Vera").then_some(())
    });
    assert!(!scene.received().iter().any(|text| text.contains("private")));
    // The page of an account that was confirmed while somebody became another one is over.
    let page = get(&callback(&scene, &connector, scene.mira), &[]);
    let nora = scene.portal.add_user(User::employee("Nora", "Lind").in_departments(&[1]));
    let other = get(&callback(&scene, &connector, nora), &[]);
    assert_eq!(scene.confirm(&other).expect("an answer").status, 200);
    let refused = scene.confirm(&page).expect("an answer");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("another user meanwhile"), "{}", refused.text());
    assert_eq!(agent(&connector, "helper")["user_name"], "Nora Lind");
}

#[test]
fn one_account_confirmed_for_two_agents_at_once_is_one_agents() {
    let scene = Scene::new();
    let connector = scene.start();
    let names = ["one", "two", "three", "four"];
    let pages: Vec<Response> = names
        .iter()
        .map(|name| {
            add_agent(&connector, name);
            let link = connector.consent_link(name).expect("a link");
            get(&scene.callback_url(&link, scene.mira).expect("a callback"), &[])
        })
        .collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let scene = &scene;
        let confirming = |page: &'_ Response| {
            let page = page.clone();
            scope.spawn(move || scene.confirm(&page).expect("an answer").status)
        };
        let running: Vec<_> = pages.iter().map(confirming).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 403)), "{statuses:?}");
    let active = names.iter().filter(|name| agent(&connector, name)["state"] == "active");
    assert_eq!(active.count(), 1);
}

#[test]
fn a_double_click_on_the_button_shows_success_twice() {
    let scene = Scene::new();
    let connector = scene.start();
    let page = get(&callback(&scene, &connector, scene.mira), &[]);
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let (scene, page) = (&scene, &page);
        let click = || scope.spawn(|| scene.confirm(page).expect("an answer"));
        let clicks = [click(), click(), click()];
        clicks.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("Mira Holt"));
    }
    assert_eq!(agent(&connector, "helper")["state"], "active");
}

#[test]
fn two_consents_of_one_agent_do_not_disturb_each_other() {
    let scene = Scene::new();
    let connector = scene.start();
    let first = get(&callback(&scene, &connector, scene.mira), &[]);
    let second = get(&callback(&scene, &connector, scene.mira), &[]);
    assert_eq!(scene.confirm(&second).expect("confirmed").status, 200);
    assert_eq!(scene.confirm(&first).expect("confirmed").status, 200);
    assert_eq!(scene.send(&connector, "d-1", "hello").expect("sent").status, 200);
}

#[test]
fn the_redirected_address_can_be_pasted() {
    let scene = Scene::new();
    let connector = scene.start();
    let link = connector.consent_link("helper").expect("a link");
    let paste = format!("{link}/paste");
    for nonsense in ["", "hello", "https://acme.example/", "https://acme.example/?code=x"] {
        assert_eq!(post(&paste, &[("url", nonsense)]).status, 400, "{nonsense}");
    }
    let callback = scene.callback_url(&link, scene.mira).expect("a callback");
    let page = post(&paste, &[("url", &format!("  {callback}#top "))]);
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("action=\"../../oauth/confirm\""));
    assert_eq!(scene.confirm(&page).expect("confirmed").status, 200);
    assert_eq!(agent(&connector, "helper")["state"], "active");
}

#[test]
fn a_missing_scope_is_named_with_what_to_tick() {
    for missing in ["im", "user_brief", "department"] {
        let scene = Scene::new();
        {
            let mut world = scene.portal.world();
            let app = world.apps.get_mut(&scene.client_id).expect("the application");
            app.scopes.remove(missing);
        }
        let connector = scene.start();
        let refused = connector.consent("helper", scene.mira).expect("a page");
        assert_eq!(refused.status, 403, "{missing}");
        assert!(refused.text().contains(missing), "{}", refused.text());
        assert!(refused.text().contains("card"), "{}", refused.text());
    }
}

#[test]
fn a_restart_in_the_middle_costs_at_most_one_step() {
    let scene = Scene::new();
    let connector = scene.start();
    let link = connector.consent_link("helper").expect("a link");
    let callback = scene.callback_url(&link, scene.mira).expect("a callback");
    drop(connector);
    let connector = scene.start();
    let page = get(&callback, &[]);
    assert_eq!(page.status, 200, "the state outlives the process: {}", page.text());
    drop(connector);
    let connector = scene.start();
    let refused = scene.confirm(&page).expect("an answer");
    assert_eq!(refused.status, 410, "{}", refused.text());
    assert_eq!(agent(&connector, "helper")["state"], "created");
    // The link was not used, so the person opens it again.
    let page = get(&scene.callback_url(&link, scene.mira).expect("a callback"), &[]);
    assert_eq!(scene.confirm(&page).expect("confirmed").status, 200);
    drop(connector);
    let connector = scene.start();
    assert_eq!(agent(&connector, "helper")["state"], "active");
    assert_eq!(scene.confirm(&page).expect("an answer").status, 410);
}

#[test]
fn links_and_states_end_by_time() {
    let scene = Scene::new();
    let connector = scene.start();
    let link = connector.consent_link("helper").expect("a link");
    let callback = scene.callback_url(&link, scene.mira).expect("a callback");
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    file.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    let left: i64 = file
        .query_row("SELECT expires_at - unixepoch() * 1000 FROM tickets", [], |row| row.get(0))
        .expect("a ticket");
    assert!((1..=15 * 60 * 1000 + 1000).contains(&left), "{left} ms");
    file.execute_batch("UPDATE consent_states SET expires_at = 1").expect("over");
    assert_eq!(get(&callback, &[]).status, 400);
    file.execute_batch("UPDATE tickets SET expires_at = 1").expect("over");
    assert_eq!(get(&link, &[]).status, 410);
    assert_eq!(exchanges(&scene), 0);
}

#[test]
fn a_lost_exchange_is_repeated_and_a_used_code_is_told() {
    for (rotation, status) in [(Rotation::Stateless, 200), (Rotation::Strict, 502)] {
        let switches = Switches { rotation, ..Switches::default() };
        let scene = Scene::with(PortalOptions { switches, ..PortalOptions::default() });
        let connector = scene.start();
        scene.network.plan(When::first("/oauth/token"), Fault::ActAndDropAnswer);
        let page = get(&callback(&scene, &connector, scene.mira), &[]);
        assert_eq!(page.status, status, "{rotation:?}: {}", page.text());
        if status == 502 {
            assert!(page.text().contains("Open the link again"), "{}", page.text());
        }
    }
}

#[test]
fn a_page_never_shows_what_the_portal_wrote_into_an_error() {
    let scene = Scene::new();
    let connector = scene.start();
    let inner = "<b>SQL at /home/bitrix/www</b>";
    scene.network.plan(When::every("/rest/profile"), Fault::error(500, "INTERNAL", inner));
    let page = get(&callback(&scene, &connector, scene.mira), &[]);
    assert_eq!(page.status, 502);
    assert!(!page.text().contains("SQL") && !page.text().contains("bitrix/www"), "{}", page.text());
}

#[test]
fn a_database_that_refuses_costs_another_click_and_not_the_link() {
    let scene = Scene::new();
    let connector = scene.start();
    let page = get(&callback(&scene, &connector, scene.mira), &[]);
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    file.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE OF refresh ON agents \
         BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    )
    .expect("a trigger");
    let refused = scene.confirm(&page).expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(agent(&connector, "helper")["state"], "created");
    file.execute_batch("DROP TRIGGER full").expect("dropped");
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
    assert_eq!(agent(&connector, "helper")["state"], "active");
}
