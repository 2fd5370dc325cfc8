//! The whole flow, from the model portal to the model gateway: what goes wrong between them must
//! neither lose a message, nor repeat one without need, nor change the order of a dialog.

mod gaps;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use url::Url;

use crate::agents::registry::Registry;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::bitrix::oauth::Client;
use crate::bitrix::oauth::OAuth;
use crate::domain::agent::AgentState;
use crate::domain::filter::GroupPolicy;
use crate::inbound::GatewayState;
use crate::inbound::Inbound;
use crate::inbound::InboundOptions;
use crate::inbound::InboundParts;
use crate::inbound::SenderPrefix;
use crate::inbound::tests::support::Desk;
use crate::inbound::tests::support::client_with;
use crate::inbound::tests::support::name;
use crate::inbound::tests::support::until;
use crate::limits;
use crate::sim::Fault;
use crate::sim::HookPoint;
use crate::sim::Network;
use crate::sim::Portal;
use crate::sim::PortalOptions;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::When;
use crate::sim::gateway::Gateway;
use crate::sim::gateway::GatewayOptions;

const MIRA: u64 = 57;
const OLGA: u64 = 58;
const OLAF: u64 = 12;
const BOT: u64 = 13;
const GUEST: u64 = 14;
const SECRET: &str = "s3cret";
const GET: &str = "im.v2.event.get";
const SUBSCRIBE: &str = "im.v2.event.subscribe";

/// A company with two agents, and the store of a connector for them.
struct Scene {
    desk: Desk,
    portal: Portal,
    gateway: Gateway,
    network: Network,
    app: String,
    secret: String,
    team: u64,
}

impl Scene {
    fn new() -> Scene {
        let network = Network::new();
        let portal = Portal::start(&network, PortalOptions::default()).expect("a portal");
        portal.without_limits();
        portal.world().messenger.switches.background = Duration::ZERO;
        let people = [
            (MIRA, User::employee("Mira", "Holt")),
            (OLGA, User::employee("Olga", "Lind")),
            (OLAF, User::employee("Olaf", "Brandt")),
            (BOT, User::of_kind(UserKind::Bot, "Robo", "Bot")),
            (GUEST, User::of_kind(UserKind::Extranet, "Gus", "Guest")),
        ];
        for (id, user) in people {
            portal.add_user(User { id, ..user });
        }
        let team = portal.add_chat("Team", OLAF, &[MIRA, OLGA]);
        let (app, secret) = portal.add_app("http://localhost:8791/oauth/callback", &["im", "user"]);
        let options = GatewayOptions { secret: SECRET.to_owned(), hmac: false };
        let gateway = Gateway::start(&network, options).expect("a gateway");
        let desk = Desk::new();
        for (agent, user) in [("mira", MIRA), ("olga", OLGA)] {
            let tokens = portal.issue_tokens(&app, user).expect("tokens");
            desk.connect(agent, &format!("{}/rest/", portal.url()), tokens);
        }
        let scene = Scene { desk, portal, gateway, network, app, secret, team };
        // Events are written for subscribed users only, so the first start belongs to the scene.
        let inbound = scene.start();
        let subscribed = |user| scene.portal.world().messenger.log.is_subscribed(user);
        until("subscribed", || subscribed(MIRA) && subscribed(OLGA));
        drop(inbound);
        scene.network.reset_count();
        scene
    }

    fn registry(&self) -> Arc<Registry> {
        let url = Url::parse(&self.portal.url()).expect("url");
        let server = Url::parse(&format!("http://{}", self.portal.oauth_host())).expect("url");
        let client = Client { id: self.app.clone(), secret: Secret::new(self.secret.clone()) };
        let oauth = OAuth::new(url, Some(client), vec![server]);
        self.desk.registry(oauth)
    }

    fn start(&self) -> Inbound {
        self.start_with(self.registry(), Exits::new().0)
    }

    fn start_with(&self, registry: Arc<Registry>, exits: Exits) -> Inbound {
        let pace = Duration::from_millis(10);
        let options = InboundOptions {
            poll_active: pace,
            poll_idle: pace,
            groups: GroupPolicy::Addressed,
            prefix: SenderPrefix::Group,
            read_marks: false,
        };
        let url = format!("{}/v1/inbound/generic", self.gateway.url());
        Inbound::start(InboundParts {
            store: self.desk.store.clone(),
            directory: self.desk.directory(&registry),
            registry,
            gateway: client_with(&url, SECRET),
            options,
            asked: Arc::new(|_, _, _| {}),
            refused: Arc::new(|_, _| {}),
            exits,
        })
        .expect("starts")
    }

    fn write(&self, author: u64, person: u64) -> String {
        self.portal.write_to(author, person, "hello").expect("writes").to_string()
    }

    fn say(&self, author: u64, text: &str) -> String {
        self.portal.say(author, self.team, text).expect("says").to_string()
    }

    /// Some talk of every kind; the keys of what is to be forwarded, in order.
    fn talk(&self) -> Vec<String> {
        let lines = self.portal.add_chat_of('L', "lines", "Customer", OLAF, &[MIRA]);
        let mut forwarded = Vec::new();
        for _ in 0..3 {
            let private = self.write(OLAF, MIRA);
            self.write(MIRA, OLAF);
            self.write(BOT, MIRA);
            self.write(GUEST, MIRA);
            self.write(OLGA, MIRA);
            let group = self.say(OLAF, "[USER=57]Mira Holt[/USER], is it out?");
            self.say(OLAF, "chatter");
            self.say(0, "Olaf changed the title");
            self.portal.say(OLAF, lines, "dear customer").expect("says");
            let other = self.write(OLAF, OLGA);
            let agents = [("mira", private), ("mira", group), ("olga", other)];
            forwarded.extend(agents.map(|(agent, id)| format!("m0-{agent}-{id}")));
        }
        forwarded
    }

    /// Keys that the gateway accepted, in order, repeats included.
    fn keys(&self) -> Vec<String> {
        self.gateway.inbound().into_iter().map(|inbound| inbound.key).collect()
    }

    /// Waits until everything is with the gateway, and says whether each went once.
    fn check(&self, forwarded: &[String]) -> bool {
        let there = |keys: &[String]| forwarded.iter().all(|key| keys.contains(key));
        until("all forwarded", || there(&self.keys()) && self.desk.pending() == 0);
        let mut last: HashMap<String, u64> = HashMap::new();
        let mut seen: Vec<String> = Vec::new();
        for one in self.gateway.inbound() {
            assert!(forwarded.contains(&one.key), "{one:?} is not to be forwarded");
            if seen.contains(&one.key) {
                continue;
            }
            let id: u64 = one.key.rsplit('-').next().expect("an id").parse().expect("a number");
            let before = last.insert(one.external_id.clone(), id);
            assert!(before.is_none_or(|before| before < id), "{one:?} after {before:?}");
            seen.push(one.key);
        }
        assert_eq!(self.desk.dead(), 0);
        self.keys().len() == forwarded.len()
    }
}

#[test]
fn messages_of_colleagues_reach_the_gateway_and_nothing_else_does() {
    let scene = Scene::new();
    let mut inbound = scene.start();
    let forwarded = scene.talk();
    assert!(scene.check(&forwarded), "each once");
    let told = |agent: &str| scene.gateway.statuses().iter().any(|one| one["agent"] == agent);
    until("told of both agents", || told("mira") && told("olga"));
    assert_eq!(inbound.handle().gateway_state(), GatewayState::Ok);
    inbound.stop_polling();
    inbound.stop(Instant::now() + limits::STOP_GRACE);
    let texts: Vec<String> =
        scene.gateway.inbound().into_iter().map(|inbound| inbound.text).collect();
    assert!(texts.iter().any(|text| text == "hello"));
    assert!(texts.iter().any(|text| text.starts_with("Olaf Brandt: ")), "{texts:?}");
}

/// One conversation with the n-th exchange failing; `false` when it has no n-th exchange.
fn converse_with_one_failure(nth: u64, fault: Fault) -> bool {
    let scene = Scene::new();
    let forwarded = scene.talk();
    let what = format!("{fault:?} at {nth}");
    scene.network.plan(When::Nth(nth), fault);
    let inbound = scene.start();
    let once = scene.check(&forwarded);
    drop(inbound);
    let history = scene.network.history();
    let Some(hit) = history.iter().find(|exchange| exchange.fault.is_some()) else { return false };
    // Only where the gateway acted and did not say so it may get a message again.
    let answer_lost = hit.path.contains("generic") && hit.fault == Some("act_and_drop_answer");
    assert!(once || answer_lost, "{what} made a repeat");
    true
}

#[test]
fn a_single_failure_anywhere_loses_nothing() {
    let faults: [fn() -> Fault; 5] = [
        || Fault::ActAndDropAnswer,
        || Fault::CloseBeforeReading,
        || Fault::Truncate,
        || Fault::Html(502),
        || Fault::error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
    ];
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let mut nth = 1;
                while nth < 100 && converse_with_one_failure(nth, fault()) {
                    nth += 1;
                }
                // Two subscriptions, two states, two pages and nine messages at least.
                assert!(nth > 15, "{:?} was tried at {nth} exchanges only", fault());
            });
        }
    });
}

#[test]
fn everything_failing_for_a_while_loses_nothing() {
    std::thread::scope(|scope| {
        for from in (1..=13).step_by(4) {
            scope.spawn(move || {
                let scene = Scene::new();
                let forwarded = scene.talk();
                scene.network.plan(When::From(from), Fault::ActAndDropAnswer);
                let inbound = scene.start();
                until("failing", || scene.network.exchanges() > from + 8);
                scene.network.clear_plan();
                scene.check(&forwarded);
                drop(inbound);
            });
        }
    });
}

#[test]
fn a_restart_between_any_two_steps_loses_and_repeats_nothing() {
    let scene = Scene::new();
    let mut forwarded = scene.talk();
    for steps in 0..12 {
        let inbound = scene.start();
        let before = scene.network.exchanges();
        until("some steps", || scene.network.exchanges() >= before + steps);
        drop(inbound);
        forwarded.extend(scene.talk());
    }
    let _inbound = scene.start();
    assert!(scene.check(&forwarded), "each once: a stop waits for its calls");
}

#[test]
fn odd_event_logs_are_read_all_the_same() {
    let switches: [fn(&Scene); 6] = [
        |scene| scene.portal.world().messenger.switches.double_every = 1,
        |scene| scene.portal.world().messenger.switches.empty_race = true,
        |scene| {
            let mut world = scene.portal.world();
            // Written late and so together: only neighbours of one moment are inverted.
            world.messenger.switches.background = Duration::from_millis(300);
            world.messenger.switches.invert = true;
        },
        |scene| scene.portal.world().messenger.switches.null_offset = true,
        |scene| scene.portal.world().messenger.switches.documented_shapes = true,
        |scene| scene.portal.world().messenger.switches.gap = 1000,
    ];
    for switch in switches {
        let scene = Scene::new();
        switch(&scene);
        let _inbound = scene.start();
        assert!(scene.check(&scene.talk()), "each once");
    }
}

#[test]
fn messages_logged_in_inverted_order_reach_the_gateway_in_theirs() {
    let scene = Scene::new();
    {
        let mut world = scene.portal.world();
        // Long by the model's clock, so that all four are logged at one moment.
        world.messenger.switches.background = Duration::from_secs(600);
        world.messenger.switches.invert = true;
    }
    let _inbound = scene.start();
    let written: Vec<String> =
        (0..4).map(|_| format!("m0-mira-{}", scene.write(OLAF, MIRA))).collect();
    scene.network.clock().advance(Duration::from_secs(600));
    assert!(scene.check(&written), "each once");
    assert_eq!(scene.keys(), written);
}

#[test]
fn a_long_backlog_is_read_page_by_page() {
    let scene = Scene::new();
    // Exactly full pages: the last one promises more and there is nothing.
    let count = limits::EVENT_PAGE_MAX * (limits::EVENT_PAGES_PER_TURN_MAX + 2);
    let forwarded: Vec<String> =
        (0..count).map(|_| format!("m0-mira-{}", scene.write(OLAF, MIRA))).collect();
    let _inbound = scene.start();
    until("all", || scene.gateway.inbound().len() == forwarded.len());
    assert_eq!(scene.keys(), forwarded, "one dialog, so one order");
    until("acknowledged", || scene.portal.world().messenger.log.pending(MIRA) == 0);
}

#[test]
fn an_agent_whose_call_hangs_holds_back_nobody() {
    let scene = Scene::new();
    // Whoever comes first hangs in its first call for events until the other has heard.
    let barrier = Arc::new(Barrier::new(2));
    let hanging = Arc::new(AtomicBool::new(false));
    let (hook, began) = (Arc::clone(&barrier), Arc::clone(&hanging));
    let hang = Fault::Hook(Arc::new(move |point| {
        if point == HookPoint::BeforeAct {
            began.store(true, Ordering::SeqCst);
            hook.wait();
        }
    }));
    scene.network.plan(When::first(GET), hang);
    let _inbound = scene.start();
    // Its look through the dialogs comes first, and would find what is said before.
    until("hanging", || hanging.load(Ordering::SeqCst));
    let forwarded = scene.talk();
    until("one of them hears", || {
        let keys = scene.keys();
        let all_of = |agent: &str| {
            let mut own = forwarded.iter().filter(|key| key.contains(agent));
            own.all(|key| keys.contains(key))
        };
        all_of("mira") || all_of("olga")
    });
    assert!(scene.keys().len() < forwarded.len(), "the other one hangs");
    barrier.wait();
    assert!(scene.check(&forwarded), "each once");
}

#[test]
fn a_portal_without_event_log_is_read_dialog_by_dialog_until_it_has_one() {
    let scene = Scene::new();
    scene.portal.world().messenger.switches.no_event_log = true;
    let registry = scene.registry();
    let inbound = scene.start_with(Arc::clone(&registry), Exits::new().0);
    let warned = |inbound: &Inbound| inbound.handle().warnings().len() == 2;
    until("told", || warned(&inbound));
    assert!(scene.check(&scene.talk()), "each once");
    assert!(registry.agents().iter().all(|agent| agent.state == AgentState::Active));
    assert_eq!(scene.network.calls_of(GET), 0);
    // The portal is updated, and the connector restarted to notice it before the day is over.
    scene.portal.world().messenger.switches.no_event_log = false;
    drop(inbound);
    let inbound = scene.start();
    until("subscribed", || scene.network.calls_of(GET) > 2);
    assert!(inbound.handle().warnings().is_empty());
    let keys = scene.keys().len();
    let more = scene.talk();
    until("all forwarded", || scene.keys().len() == keys + more.len());
    assert_eq!(scene.keys()[keys..].iter().filter(|key| more.contains(key)).count(), more.len());
}

#[test]
fn a_dismissed_agent_is_left_alone_and_the_others_go_on() {
    let scene = Scene::new();
    let registry = scene.registry();
    let _inbound = scene.start_with(Arc::clone(&registry), Exits::new().0);
    scene.portal.dismiss(MIRA);
    let state = |agent: &str| registry.agent(&name(agent)).expect("there").state;
    until("revoked", || state("mira") == AgentState::Revoked);
    let revoked =
        |scene: &Scene| scene.gateway.statuses().iter().any(|one| one["state"] == "revoked");
    until("told", || revoked(&scene));
    let calls = scene.network.calls_of(GET);
    until("others are asked on", || scene.network.calls_of(GET) > calls + 10);
    let history = scene.network.history();
    let last = history.iter().filter(|one| one.rest_method == GET).rev().take(5);
    assert!(last.into_iter().all(|one| one.user == Some(OLGA)));
    assert_eq!(state("olga"), AgentState::Active);
}

#[test]
fn an_agent_subscribes_once_and_before_it_asks() {
    let scene = Scene::new();
    let _inbound = scene.start();
    until("asked", || scene.network.calls_of(GET) > 6);
    let history = scene.network.history();
    for user in [MIRA, OLGA] {
        let of_user = history.iter().filter(|one| one.user == Some(user));
        let methods: Vec<&str> = of_user.map(|one| one.rest_method.as_str()).collect();
        assert_eq!(methods[0], SUBSCRIBE);
        let asked = methods.iter().filter(|method| **method == GET).count();
        // And one look at the list of dialogs, of which none changed.
        assert_eq!((methods[1], asked), ("im.recent.get", methods.len() - 2), "{methods:?}");
    }
}

#[test]
fn a_gateway_that_is_away_or_refuses_the_secret_loses_nothing() {
    let scene = Scene::new();
    scene.gateway.set_listening(false).expect("closes");
    let inbound = scene.start();
    let mut forwarded = scene.talk();
    until("away", || inbound.handle().gateway_state() == GatewayState::Away);
    until("queued", || scene.desk.pending() as usize == forwarded.len());
    scene.gateway.set_listening(true).expect("opens");
    assert!(scene.check(&forwarded), "each once");
    scene.network.plan(When::every("generic"), Fault::error(401, "unauthenticated", "no"));
    forwarded.extend(scene.talk());
    let refuses = GatewayState::RefusesSecret;
    until("refuses", || inbound.handle().gateway_state() == refuses);
    scene.network.clear_plan();
    assert!(scene.check(&forwarded), "each once");
    assert_eq!(inbound.handle().gateway_state(), GatewayState::Ok);
}

#[test]
fn a_stop_cuts_a_call_that_hangs_and_keeps_its_message() {
    let scene = Scene::new();
    let over = Arc::new(Barrier::new(2));
    let hanging = Arc::new(AtomicBool::new(false));
    let (hook, began) = (Arc::clone(&over), Arc::clone(&hanging));
    let hang = Fault::Hook(Arc::new(move |point| {
        if point == HookPoint::BeforeAct {
            began.store(true, Ordering::SeqCst);
            hook.wait();
        }
    }));
    scene.network.plan(When::first("generic"), hang);
    let (exits, ended) = Exits::new();
    let inbound = scene.start_with(scene.registry(), exits);
    let key = format!("m0-mira-{}", scene.write(OLAF, MIRA));
    until("hanging", || hanging.load(Ordering::SeqCst));
    inbound.stop(Instant::now() + limits::STOP_CUT + limits::STOP_CUT);
    assert_eq!(ended.try_iter().count(), limits::POLL_THREADS + limits::RELAY_THREADS);
    assert_eq!(scene.desk.pending(), 1, "kept");
    over.wait();
    let _inbound = scene.start();
    scene.check(&[key]);
}
