//! The consent listener under abuse: callbacks by the hundred, oversized, odd and repeated ones, and
//! exchanges that hang. What a person does meanwhile works, nobody's secret leaves, and the listener
//! goes on answering.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::HookPoint;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::Connector;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

const TIMEOUT: Duration = Duration::from_secs(20);

fn get(url: &str) -> Response {
    client::request("GET", url, &[], &[], TIMEOUT).expect("an answer")
}

fn health(connector: &Connector, listener: &str) -> u16 {
    get(&format!("{}/healthz", connector.origin(listener))).status
}

fn state(connector: &Connector) -> String {
    let answer = connector.control("GET", "/v1/agents/helper", None).expect("an answer");
    answer.json()["state"].as_str().expect("a state").to_owned()
}

fn callback(scene: &Scene, connector: &Connector) -> String {
    let link = connector.consent_link("helper").expect("a link");
    scene.callback_url(&link, scene.mira).expect("a callback")
}

fn exchanges(scene: &Scene) -> usize {
    let history = scene.network.history().into_iter();
    history.filter(|exchange| exchange.server == ServerKind::OAuth).count()
}

/// Something that everybody waits for until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Waits at the gate, in the middle of an exchange.
    fn fault(&self) -> Fault {
        let Gate(shared) = self.clone();
        Fault::Hook(Arc::new(move |at| {
            if at != HookPoint::BeforeAct {
                return;
            }
            let (state, opened) = &*shared;
            let mut state = state.lock().expect("not poisoned");
            state.0 += 1;
            while !state.1 {
                let waited = opened.wait_timeout(state, TIMEOUT).expect("not poisoned");
                state = waited.0;
                if waited.1.timed_out() {
                    return;
                }
            }
        }))
    }

    fn waiting(&self) -> usize {
        self.0.0.lock().expect("not poisoned").0
    }

    fn open(&self) {
        self.0.0.lock().expect("not poisoned").1 = true;
        self.0.1.notify_all();
    }
}

#[test]
fn exchanges_that_hang_leave_the_listener_to_others() {
    let scene = Scene::new();
    let connector = scene.start();
    let urls: Vec<String> = (0..8).map(|_| callback(&scene, &connector)).collect();
    let gate = Gate::default();
    scene.network.plan(When::matching("/oauth/token/", 1, 3), gate.fault());
    std::thread::scope(|scope| {
        let hanging: Vec<_> = urls[..3].iter().map(|url| scope.spawn(|| get(url))).collect();
        eventually("three exchanges that hang", || (gate.waiting() == 3).then_some(()));
        for url in &urls[3..] {
            let busy = get(url);
            let text = busy.text();
            assert_eq!((busy.status, busy.header("retry-after")), (503, Some("5")), "{text}");
            assert!(text.contains("slow to answer") && text.contains("open the link"), "{text}");
            assert_eq!(health(&connector, "consent"), 200);
        }
        let link = connector.consent_link("helper").expect("a link");
        assert_eq!(get(&link).status, 200, "pages need no portal");
        assert_eq!(gate.waiting(), 3, "nobody else asked");
        gate.open();
        for page in hanging {
            let page = page.join().expect("no panic");
            assert_eq!(page.status, 200, "the exchange is repeated: {}", page.text());
        }
    });
    // Who was sent away lost nothing: the same address works within its 30 seconds.
    let page = get(&urls[7]);
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
    assert_eq!(state(&connector), "active");
}

#[test]
fn a_portal_that_hangs_leaves_the_control_listener_to_others() {
    let scene = Scene::new();
    let connector = scene.start();
    let url = scene.portal.add_webhook(scene.mira, stage::SCOPES);
    let body = json!({ "url": url });
    let put = || connector.control("PUT", "/v1/agents/helper/webhook", Some(&body));
    let gate = Gate::default();
    scene.network.plan(When::first("/profile"), gate.fault());
    std::thread::scope(|scope| {
        let hanging = scope.spawn(put);
        eventually("a look that hangs", || (gate.waiting() == 1).then_some(()));
        for _ in 0..3 {
            let busy = put().expect("an answer");
            assert_eq!(busy.status, 503, "{}", busy.text());
            assert_eq!(health(&connector, "control"), 200);
        }
        gate.open();
        let done = hanging.join().expect("no panic").expect("an answer");
        assert_eq!(done.status, 200, "{}", done.text());
    });
    assert_eq!(put().expect("an answer").status, 200, "the next may ask again");
}

#[test]
fn a_flood_of_callbacks_that_nobody_asked_for_costs_nobody_anything() {
    let scene = Scene::new();
    let connector = scene.start();
    let host = scene.portal.url().replace("http://", "");
    let server = scene.portal.oauth_host();
    let good = callback(&scene, &connector);
    let asked = scene.network.exchanges();
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let (connector, host, server) = (&connector, &host, &server);
            scope.spawn(move || {
                for n in 0..50 {
                    let query = format!(
                        "code=planted{lane}x{n}&state=guess{lane}x{n}&domain={host}\
                         &member_id=0&scope=im&server_domain={server}"
                    );
                    let origin = connector.origin("consent");
                    let answer = get(&format!("{origin}/oauth/callback?{query}"));
                    assert_eq!(answer.status, 400, "{}", answer.text());
                    assert!(!answer.text().contains("planted"), "{}", answer.text());
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(health(&connector, "consent"), 200);
        }
    });
    assert_eq!(exchanges(&scene), 0, "no code was taken anywhere");
    assert_eq!(scene.network.exchanges(), asked, "nor was the portal asked");
    let page = get(&good);
    assert_eq!(page.status, 200, "what was begun before goes on: {}", page.text());
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
    let log = connector.log();
    assert!(!log.contains("planted") && !log.contains("guess") && !log.contains("panicked"));
}

#[test]
fn oversized_and_odd_parameters_are_refused_and_shown_nowhere() {
    let scene = Scene::new();
    let connector = scene.start();
    let origin = connector.origin("consent");
    let page = |path: &str| get(&format!("{origin}{path}"));
    let callback_with = |state: &str| {
        page(&format!("/oauth/callback?code=c&state={state}&domain=d&server_domain=s"))
    };
    let long = "x".repeat(12_000);
    for (what, state) in [
        ("long", long.as_str()),
        ("no UTF-8", "%ff%fe%00"),
        ("control characters", "%0d%0aSet-Cookie:%20a=b"),
        ("markup", "%3Cscript%3Ealert(1)%3C/script%3E"),
        ("half an escape", "%"),
        ("an array", "x&state[]=y"),
    ] {
        let refused = callback_with(state);
        let text = refused.text();
        assert_eq!(refused.status, 400, "{what}: {text}");
        assert!(refused.header("set-cookie").is_none(), "{what}");
        assert!(!text.contains("<script") && !text.contains("xxxx"), "{what}: {text}");
    }
    // A head beyond what a listener reads, and a form beyond what it takes.
    let head = page(&format!("/oauth/callback?state={}", "x".repeat(20_000)));
    assert!(matches!(head.status, 414 | 431), "{}", head.status);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let link = connector.consent_link("helper").expect("a link");
    let post = |url: &str, body: &str| {
        client::request("POST", url, &form, body.as_bytes(), TIMEOUT).expect("an answer").status
    };
    let paste = format!("{link}/paste");
    assert_eq!(post(&paste, &format!("url={}", "x".repeat(100_000))), 413);
    assert_eq!(post(&paste, &format!("url=http://a/?state={}", "x".repeat(60_000))), 400);
    let confirm = format!("{origin}/oauth/confirm");
    for value in ["", "confirmation=", "confirmation=%00", &format!("confirmation={long}")] {
        assert_eq!(post(&confirm, value), 410, "{value:.20}");
    }
    for ticket in ["..", "%2e%2e", &long, "a%00b", "%3Cscript%3E"] {
        let status = page(&format!("/consent/{ticket}")).status;
        assert!(matches!(status, 404 | 410), "{ticket:.20}: {status}");
    }
    assert_eq!((exchanges(&scene), health(&connector, "consent")), (0, 200));
    assert_eq!(get(&link).status, 200, "the link still serves its person");
    assert!(!connector.log().contains("panicked"), "{}", connector.log());
}

#[test]
fn whoever_presses_the_button_without_end_loses_the_oldest_and_fills_nothing() {
    let scene = Scene::new();
    let connector = scene.start();
    let link = connector.consent_link("helper").expect("a link");
    let first = scene.callback_url(&link, scene.mira).expect("a callback");
    let mut last = String::new();
    for _ in 0..40 {
        last = scene.callback_url(&link, scene.mira).expect("a callback");
    }
    let path = scene.state_dir().join("connector.sqlite3");
    let file = rusqlite::Connection::open(path).expect("the database opens");
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        file.query_row(&sql, [], |row| row.get(0)).expect("a count")
    };
    assert_eq!((count("consent_states"), count("tickets")), (16, 1));
    assert_eq!(get(&first).status, 400, "the oldest is forgotten");
    let page = get(&last);
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
}

#[test]
fn of_what_was_begun_from_one_link_one_confirmation_counts() {
    let scene = Scene::new();
    let connector = scene.start();
    let vera = scene.portal.add_user(User::employee("Vera", "Klein").in_departments(&[1]));
    let link = connector.consent_link("helper").expect("a link");
    let begun = scene.callback_url(&link, scene.mira).expect("a callback");
    let pages: Vec<Response> = [scene.mira, vera, scene.mira]
        .map(|user| get(&scene.callback_url(&link, user).expect("a callback")))
        .into();
    assert!(pages.iter().all(|page| page.status == 200));
    assert_eq!(scene.confirm(&pages[2]).expect("an answer").status, 200);
    for page in &pages[..2] {
        let late = scene.confirm(page).expect("an answer");
        assert!(matches!(late.status, 403 | 410), "{}: {}", late.status, late.text());
    }
    let asked = exchanges(&scene);
    assert_eq!(get(&begun).status, 400, "nor is a code taken any more");
    assert_eq!(exchanges(&scene), asked);
    let agent = connector.control("GET", "/v1/agents/helper", None).expect("an answer").json();
    assert_eq!((&agent["state"], &agent["user_name"]), (&json!("active"), &json!("Mira Holt")));
}
