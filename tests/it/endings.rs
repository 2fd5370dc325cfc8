//! The table of endings, end to end: every way in which a portal or its authorization server ends an
//! agent's work (b24: transport §1.9, §1.12, §3.5), brought about on the model. What becomes of the
//! agent and the sentence that people read, that others go on, how little the portal is called
//! meanwhile, that nothing is lost, and how it comes back. `--nocapture` shows the table. What takes
//! a quarter of an hour is tested beside `agents::refresh`, with the time passed in.

mod table;

use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use aihummer_bitrix24::sim::Exchange;
use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::Switches;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use aihummer_bitrix24::sim::switches::Mode;
use serde_json::Value;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

/// Longer than an access token, and the verdict that a portal keeps on it, lives.
const TOKEN_LIFE: Duration = Duration::from_secs(3601);
/// For so long the calls of agents are counted that were ended. At their usual pace each would make
/// 37 polls in it.
const WATCH: Duration = Duration::from_millis(1500);
/// What an agent makes of calls in that time at growing intervals, with room for what is asked
/// beside its polls: the licence, the company's structure, a renewal.
const FEW: usize = 12;
const LANES: usize = 6;

/// Whom an ending hits: the agents of [`Cast`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hits {
    Helper,
    Hook,
    Application,
    Everybody,
}

impl Hits {
    fn agents(self) -> &'static [&'static str] {
        match self {
            Hits::Helper => &["helper"],
            Hits::Hook => &["hook"],
            Hits::Application => &["helper", "second"],
            Hits::Everybody => &["helper", "second", "hook"],
        }
    }
}

/// How an agent comes back after somebody mended what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Itself,
    PauseAndResume,
    Consent,
    /// With another setting.
    Restart,
    /// The same, and new consents.
    RestartAndConsent,
    NewWebhook,
}

struct Ending {
    name: &'static str,
    hits: Hits,
    /// The portal keeps verdicts on tokens, as it does.
    cache: bool,
    /// Settings that change at a restart before it happens.
    sets: &'static [(&'static str, &'static str)],
    happens: fn(&Cast),
    state: &'static str,
    /// The sentence and the code behind it.
    reason: (&'static str, &'static str),
    /// Calls of one agent in [`WATCH`] at most.
    calls: usize,
    mend: fn(&mut Cast),
    way: Way,
}

/// Three agents: two by consent, one by webhook.
struct Cast {
    scene: Scene,
    vera: u64,
    nora: u64,
}

/// One line of the table.
struct Row {
    name: &'static str,
    state: String,
    reason: String,
    calls: usize,
    others: &'static str,
    back: String,
}

fn control(connector: &Connector, method: &str, path: &str, body: &Value) -> Value {
    let answer = connector.control(method, path, Some(body)).expect("an answer");
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

/// State and reason of an agent.
fn standing(connector: &Connector, agent: &str) -> Option<(String, String)> {
    let status = connector.status()?;
    let all = status["agents"].as_array()?;
    let found = all.iter().find(|one| one["name"] == agent)?;
    Some((found["state"].as_str()?.to_owned(), found["reason"].as_str()?.to_owned()))
}

impl Cast {
    fn new(cache: bool) -> Cast {
        let token_cache = if cache { TOKEN_LIFE } else { Duration::ZERO };
        let switches = Switches { token_cache, ..Switches::default() };
        let mut scene = Scene::with(PortalOptions { switches, ..PortalOptions::default() });
        scene.set("BITRIX24_AGENTS", "helper,second,hook");
        scene.set("BITRIX24_POLL_ACTIVE_MS", "40");
        scene.set("BITRIX24_POLL_IDLE_MS", "40");
        scene.set("BITRIX24_LOG", "info");
        let add = |name| scene.portal.add_user(User::employee(name, "Klein").in_departments(&[1]));
        let (vera, nora) = (add("Vera"), add("Nora"));
        Cast { scene, vera, nora }
    }

    fn start(&self) -> Connector {
        let connector = self.scene.start();
        for (agent, user) in [("helper", self.scene.mira), ("second", self.vera)] {
            let done = connector.consent(agent, user).expect("a consent");
            assert_eq!(done.status, 200, "{}", done.text());
        }
        self.give_webhook(&connector);
        for user in [self.scene.mira, self.vera, self.nora] {
            eventually("everybody's events", || {
                let world = self.scene.portal.world();
                world.messenger.log.is_subscribed(user).then_some(())
            });
        }
        connector
    }

    fn give_webhook(&self, connector: &Connector) {
        let address = self.scene.portal.add_webhook(self.nora, stage::SCOPES);
        control(connector, "PUT", "/v1/agents/hook/webhook", &json!({ "url": address }));
    }

    fn user(&self, agent: &str) -> u64 {
        match agent {
            "helper" => self.scene.mira,
            "second" => self.vera,
            _ => self.nora,
        }
    }

    /// A change of the application on the portal.
    fn app(&self, change: impl FnOnce(&mut aihummer_bitrix24::sim::world::App)) {
        let mut world = self.scene.portal.world();
        change(world.apps.get_mut(&self.scene.client_id).expect("the application"));
    }

    fn account(&self, change: impl FnOnce(&mut User)) {
        change(self.scene.portal.world().users.get_mut(&self.scene.mira).expect("Mira"));
    }

    fn mode(&self, mode: Mode) {
        self.scene.portal.world().switches.mode = mode;
    }

    fn an_hour_later(&self) {
        self.scene.network.clock().advance(TOKEN_LIFE);
    }

    /// Exchanges with portal and authorization server that are not of these users.
    fn calls_beside(&self, users: &[u64]) -> usize {
        let of_portal = |e: &&Exchange| matches!(e.server, ServerKind::Portal | ServerKind::OAuth);
        let theirs = |e: &&Exchange| e.user.is_some_and(|user| users.contains(&user));
        let history = self.scene.network.history();
        history.iter().filter(of_portal).filter(|exchange| !theirs(exchange)).count()
    }

    /// A delivery of an agent to Olaf, not waited for.
    fn accept(&self, connector: &Connector, agent: &str, id: &str) -> u16 {
        let target = format!("{agent}/{}", self.scene.olaf);
        let body = json!({ "delivery_id": id, "external_id": target, "text": id });
        let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Prefer", "respond-async")];
        connector.deliver(&body, &headers).expect("an answer").status
    }

    fn await_received(&self, text: &str) {
        eventually(&format!("{text:?} at the gateway"), || {
            self.scene.received().iter().any(|one| one == text).then_some(())
        });
        let all = self.scene.received();
        assert_eq!(all.iter().filter(|one| *one == text).count(), 1, "{text}");
    }

    /// Waits until the agent shows this to Olaf, once.
    fn await_shown(&self, agent: &str, text: &str) {
        let user = self.user(agent);
        let chat = self.scene.portal.private_chat(self.scene.olaf, user);
        let shown = || {
            let all = self.scene.portal.shown(chat).into_iter();
            all.filter(|message| message.author == user && message.text == text).count()
        };
        eventually(&format!("{text:?} to be shown"), || (shown() > 0).then_some(()));
        assert_eq!(shown(), 1, "{text}");
    }

    /// Those who are not hit go on, in both directions.
    fn others_go_on(&self, connector: &Connector, hits: Hits, others: &[&str]) -> &'static str {
        for agent in others {
            let text = format!("to {agent} meanwhile");
            self.scene.portal.write_to(self.scene.olaf, self.user(agent), &text).expect("writes");
            self.await_received(&text);
            let id = format!("of {agent} meanwhile");
            assert_eq!(self.accept(connector, agent, &id), 202);
            self.await_shown(agent, &id);
            let (state, reason) = standing(connector, agent).expect("an agent");
            assert_eq!((state.as_str(), reason.as_str()), ("active", ""), "{agent}");
        }
        match hits {
            Hits::Everybody => "hit too",
            _ => "go on",
        }
    }

    /// How many calls the agents that were hit make in [`WATCH`].
    fn watch(&self, others: &[u64], none: bool) -> usize {
        if none {
            // What was under way when the last of them stopped.
            eventually("calls under way to end", || {
                self.scene.network.reset_count();
                std::thread::sleep(WATCH / 10);
                (self.calls_beside(others) == 0).then_some(())
            });
        }
        self.scene.network.reset_count();
        std::thread::sleep(WATCH);
        self.calls_beside(others)
    }
}

/// Brings the agents that were hit back; the connector, which may be another one.
fn bring_back(cast: &mut Cast, mut connector: Connector, ending: &Ending) -> Connector {
    (ending.mend)(cast);
    if matches!(ending.way, Way::Restart | Way::RestartAndConsent) {
        assert!(connector.terminate().expect("it stops").success());
        connector = cast.scene.start();
    }
    for agent in ending.hits.agents() {
        match ending.way {
            Way::PauseAndResume => {
                for paused in [true, false] {
                    let path = format!("/v1/agents/{agent}");
                    control(&connector, "PATCH", &path, &json!({ "paused": paused }));
                }
            }
            Way::Consent | Way::RestartAndConsent => {
                let done = connector.consent(agent, cast.user(agent)).expect("a consent");
                assert_eq!(done.status, 200, "{}", done.text());
            }
            Way::NewWebhook => cast.give_webhook(&connector),
            Way::Itself | Way::Restart => {}
        }
    }
    connector
}

fn run(ending: &Ending) -> Row {
    let mut cast = Cast::new(ending.cache);
    let mut connector = cast.start();
    let (hit, subject) = (ending.hits.agents(), ending.hits.agents()[0]);
    let others: Vec<&str> =
        Hits::Everybody.agents().iter().copied().filter(|agent| !hit.contains(agent)).collect();
    let users: Vec<u64> = others.iter().map(|agent| cast.user(agent)).collect();
    if !ending.sets.is_empty() {
        assert!(connector.terminate().expect("it stops").success());
        ending.sets.iter().for_each(|(name, value)| cast.scene.set(name, value));
        connector = cast.scene.start();
    }
    (ending.happens)(&cast);
    let (text, code) = ending.reason;
    let reason = format!("{text}{code}");
    for agent in hit {
        let wanted = (ending.state.to_owned(), reason.clone());
        eventually(&format!("{}: {agent} to be {wanted:?}", ending.name), || {
            standing(&connector, agent).filter(|standing| *standing == wanted)
        });
    }
    let others_did = cast.others_go_on(&connector, ending.hits, &others);
    let calls = cast.watch(&users, ending.calls == 0);
    let most = ending.calls * hit.len();
    assert!(calls <= most, "{}: {calls} calls, at most {most}", ending.name);
    // Nothing is lost: what is said meanwhile, and what is to be delivered where that may wait.
    let said = cast.scene.portal.write_to(cast.scene.olaf, cast.user(subject), "meanwhile").is_ok();
    let accepted = cast.accept(&connector, subject, "waits");
    assert_eq!(accepted, if ending.state == "degraded" { 202 } else { 400 }, "{}", ending.name);
    let connector = bring_back(&mut cast, connector, ending);
    for agent in hit {
        eventually(&format!("{}: {agent} to be back", ending.name), || {
            standing(&connector, agent).filter(|(state, why)| state == "active" && why.is_empty())
        });
    }
    if accepted == 202 {
        cast.await_shown(subject, "waits");
    }
    assert_eq!(cast.accept(&connector, subject, "back"), 202);
    cast.await_shown(subject, "back");
    if said {
        cast.await_received("meanwhile");
    }
    assert!(!connector.log().contains("panicked"), "{}", ending.name);
    let back = format!("{:?}", ending.way);
    Row {
        name: ending.name,
        state: ending.state.to_owned(),
        reason,
        calls,
        others: others_did,
        back,
    }
}

/// A portal that sends everybody elsewhere, and an authorization server that knows of no new address:
/// credentials go nowhere else.
fn redirected_to_a_foreign_host() -> Row {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("does not block");
    let address = format!("http://{}/rest/", elsewhere.local_addr().expect("an address"));
    let cast = Cast::new(true);
    let connector = cast.start();
    cast.scene.network.plan(When::every("POST /rest/"), Fault::Redirect(address));
    let reason = "the portal does not answer: moved";
    for agent in Hits::Everybody.agents() {
        eventually(&format!("{agent} to be degraded"), || {
            standing(&connector, agent).filter(|(state, why)| state == "degraded" && why == reason)
        });
    }
    let first = renewals(&cast);
    let calls = cast.watch(&[], false);
    assert!(calls <= FEW * 3, "{calls}");
    assert!(elsewhere.accept().is_err(), "somebody went where the redirect led");
    let all = first + renewals(&cast);
    assert!(all <= 2, "{all}: one of each agent by consent in a quarter of an hour");
    cast.scene.network.clear_plan();
    for agent in Hits::Everybody.agents() {
        eventually(&format!("{agent} to be back"), || {
            standing(&connector, agent).filter(|(state, _)| state == "active")
        });
    }
    Row {
        name: "portal redirects elsewhere",
        state: "degraded".to_owned(),
        reason: reason.to_owned(),
        calls,
        others: "hit too",
        back: "Itself".to_owned(),
    }
}

fn renewals(cast: &Cast) -> usize {
    let history = cast.scene.network.history().into_iter();
    history.filter(|exchange| exchange.path.contains("grant_type=refresh_token")).count()
}

/// A portal that was renamed is found by those who have tokens. A webhook's address is all there is:
/// its agent gets another one, and goes on as the same on the same portal.
fn renamed() -> Row {
    let mut cast = Cast::new(true);
    let mut connector = cast.start();
    for agent in Hits::Everybody.agents() {
        cast.others_go_on(&connector, Hits::Helper, &[agent]);
    }
    cast.scene.network.reset_count();
    let address = cast.scene.portal.rename().expect("another address");
    for agent in ["helper", "second"] {
        let text = format!("to {agent} after it");
        let written = cast.scene.portal.write_to(cast.scene.olaf, cast.user(agent), &text);
        written.expect("writes");
        cast.await_received(&text);
        assert_eq!(cast.accept(&connector, agent, agent), 202);
        cast.await_shown(agent, agent);
        let (state, reason) = standing(&connector, agent).expect("an agent");
        assert_eq!((state.as_str(), reason.as_str()), ("active", ""));
    }
    assert_eq!(renewals(&cast), 2, "one of each");
    eventually("the webhook's agent", || {
        let moved = "the portal does not answer: moved";
        standing(&connector, "hook").filter(|(state, why)| state == "degraded" && why == moved)
    });
    let calls = cast.watch(&[cast.scene.mira, cast.vera], false);
    assert!(calls <= FEW, "{calls}");
    cast.scene.portal.write_to(cast.scene.olaf, cast.nora, "meanwhile").expect("writes");
    assert!(connector.terminate().expect("it stops").success());
    cast.scene.set("BITRIX24_PORTAL_URL", &address);
    let connector = cast.scene.start();
    cast.give_webhook(&connector);
    cast.await_received("meanwhile");
    for agent in Hits::Everybody.agents() {
        eventually(&format!("{agent} to be well"), || {
            standing(&connector, agent).filter(|(state, why)| state == "active" && why.is_empty())
        });
    }
    let member = cast.scene.portal.world().member_id.clone();
    let keys: Vec<String> = cast.scene.gateway.inbound().into_iter().map(|one| one.key).collect();
    assert!(keys.len() >= 6 && keys.iter().all(|key| key.starts_with(&member)), "{keys:?}");
    let done = connector.consent("helper", cast.scene.mira).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    Row {
        name: "portal renamed",
        state: "active".to_owned(),
        reason: "(an agent by webhook: the portal does not answer: moved)".to_owned(),
        calls,
        others: "find it",
        back: "Itself, NewWebhook".to_owned(),
    }
}

#[test]
fn every_ending_has_its_state_its_reason_its_rest_and_its_way_back() {
    let endings = [table::personal(), table::of_the_application(), table::of_the_portal()];
    let endings: Vec<Ending> = endings.into_iter().flatten().collect();
    let work = Mutex::new(endings.iter());
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let row = renamed();
            rows.lock().expect("not poisoned").push(row);
            let row = redirected_to_a_foreign_host();
            rows.lock().expect("not poisoned").push(row);
        });
        for _ in 1..LANES {
            scope.spawn(|| {
                loop {
                    let next = work.lock().expect("not poisoned").next();
                    let Some(ending) = next else { return };
                    let row = run(ending);
                    rows.lock().expect("not poisoned").push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("not poisoned");
    assert_eq!(rows.len(), endings.len() + 2);
    rows.sort_by_key(|row| (row.state.clone(), row.reason.clone(), row.name));
    let watch = WATCH.as_millis();
    println!(
        "{:<29} {:<9} {:>5}  {:<8} {:<18} reason",
        "ending", "state", "calls", "others", "back by"
    );
    for Row { name, state, reason, calls, others, back } in rows {
        println!("{name:<29} {state:<9} {calls:>5}  {others:<8} {back:<18} {reason}");
    }
    println!("calls: of all agents that were hit, in {watch} ms after their state was known");
}
