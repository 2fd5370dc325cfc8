//! The outbound flow against the model portal, one run of a delivery at a time: what an attempt left
//! behind, and what the next run makes of it. Whole conversations are in `tests/it`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use url::Url;

use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::bitrix::client;
use crate::bitrix::client::RateRule;
use crate::bitrix::oauth::Client;
use crate::bitrix::oauth::OAuth;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::bitrix::transport::trust;
use crate::directory::Directory;
use crate::domain::acl;
use crate::domain::agent::AgentState;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::ids::AgentName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MemberId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::domain::step;
use crate::domain::step::FileWay;
use crate::limits;
use crate::markup::Format;
use crate::outbound::DeliverRequest;
use crate::outbound::Desk;
use crate::outbound::OutboundParts;
use crate::outbound::Outcome;
use crate::outbound::Refused;
use crate::outbound::Shared;
use crate::outbound::accept;
use crate::outbound::execute::execute;
use crate::outbound::media::Fetcher;
use crate::outbound::media::Hosts;
use crate::outbound::schedule::Finished;
use crate::outbound::shelf::Shelf;
use crate::outbound::typing;
use crate::sim::Fault;
use crate::sim::FileHost;
use crate::sim::Network;
use crate::sim::Portal;
use crate::sim::PortalOptions;
use crate::sim::User;
use crate::sim::When;
use crate::store::Store;
use crate::store::StoreThread;
use crate::store::agents::SealedIdentity;
use crate::store::ledger::Accepted;
use crate::store::ledger::Delivery;
use crate::store::ledger::NewDelivery;
use crate::store::ledger::Plan;
use crate::store::ledger::Target;
use crate::vault::Vault;

const MIRA: u64 = 57;
const OLAF: u64 = 12;
const ADD: &str = "im.message.add";
const LOOK: &str = "im.dialog.messages.get";

mod files;
mod operations;
mod permit;
mod steer;
mod unproved;

/// A directory that needs no structure.
fn everybody(store: &Store, registry: &Arc<Registry>) -> Arc<Directory> {
    let rule = acl::Rule { allowed: acl::Allowed::All, ..acl::Rule::default() };
    Directory::open(store.clone(), Arc::clone(registry), rule).expect("opens")
}

/// Mira's agent in a team with Olaf, and the ledger of a connector for it.
struct Scene {
    // Before the directory: the thread writes into it until it ends.
    shared: Arc<Shared>,
    thread: Option<StoreThread>,
    network: Network,
    portal: Portal,
    host: FileHost,
    team: u64,
    dir: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(everybody)
    }

    fn with(directory: impl FnOnce(&Store, &Arc<Registry>) -> Arc<Directory>) -> Scene {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("outbound-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let network = Network::new();
        let portal = Portal::start(&network, PortalOptions::default()).expect("a portal");
        portal.without_limits();
        for (id, name, last_name) in [(MIRA, "Mira", "Holt"), (OLAF, "Olaf", "Brandt")] {
            let employee = User::employee(name, last_name).in_departments(&[1]);
            portal.add_user(User { id, ..employee });
        }
        let team = portal.add_chat("Team", OLAF, &[MIRA]);
        portal.say(OLAF, team, "good morning").expect("says");
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        let registry = registry(&portal, &store, &dir);
        let (kick, _kicked) = crossbeam_channel::bounded(1);
        let host = FileHost::start(&network).expect("a file host");
        let (hint, _hints) = typing::queue();
        let parts = OutboundParts {
            directory: directory(&store, &registry),
            store,
            registry,
            workers: 2,
            mention_all: false,
            typing: true,
            shelf: Shelf::open(&dir).expect("a shelf"),
            fetcher: fetcher(&host),
        };
        let shared = Arc::new(Shared::new(parts, kick, hint).expect("the database works"));
        Scene { shared, thread: Some(thread), network, portal, host, team, dir }
    }

    fn request(&self, id: &str, text: &str) -> DeliverRequest {
        DeliverRequest {
            id: DeliveryId::parse(id).expect("an id"),
            agent: mira(),
            dialog: DialogId::parse(&format!("chat{}", self.team)).expect("a dialog"),
            operation: Operation::Send,
            text: text.to_owned(),
            format: Format::Markdown,
            reply_to: None,
            target: None,
            reaction: String::new(),
            remove: false,
            media: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn accept(&self, id: &str, text: &str) -> RowId {
        self.accepted(self.request(id, text))
    }

    fn accepted(&self, request: DeliverRequest) -> RowId {
        match accept::accept(&self.shared, request).expect("accepts") {
            Accepted::New(row) => row,
            other => panic!("{other:?}"),
        }
    }

    /// A delivery that is through.
    fn delivered(&self, request: DeliverRequest) -> Delivery {
        let row = self.accepted(request);
        let again = self.run(row);
        let delivery = self.delivery(row);
        assert_eq!((again, delivery.state), (None, State::Delivered), "{:?}", delivery.failure);
        delivery
    }

    /// A delivery of one part that was accepted at another time.
    fn accept_at(&self, id: &str, at: UnixMs) -> RowId {
        let DeliverRequest { id, agent, dialog, operation, text, .. } = self.request(id, "hello");
        let uuid = "59478363-9fda-4c98-a4fd-e6cb2f0778dc".to_owned();
        let new = NewDelivery {
            id,
            agent,
            dialog,
            operation,
            content: [7; 32],
            reply_to: None,
            plan: Plan::Ready(step::send(vec![text], 0, FileWay::Folder, &|_| uuid.clone())),
            target: Target::default(),
            reaction: None,
            files: Vec::new(),
            warnings: Vec::new(),
            notice: false,
        };
        match self.shared.store.accept(new, usize::MAX, at).expect("accepts") {
            Accepted::New(row) => row,
            other => panic!("{other:?}"),
        }
    }

    /// One run; when the next is due, unless it ended.
    fn run(&self, row: RowId) -> Option<Duration> {
        let now = clock::now();
        match execute(&self.shared, row).expect("the database works") {
            Finished::Ended(_) => None,
            Finished::Again(_, due) => Some(due.since(now)),
        }
    }

    fn delivery(&self, row: RowId) -> Delivery {
        self.shared.store.delivery(row).expect("reads").expect("there")
    }

    /// What the team's chat shows of Mira.
    fn shown(&self) -> Vec<String> {
        let shown = self.portal.shown(self.team).into_iter();
        shown.filter(|message| message.author == MIRA).map(|message| message.text).collect()
    }

    /// An attempt whose request was carried out and whose answer was lost.
    fn lose_an_answer(&self, row: RowId) {
        self.network.plan(When::first(ADD), Fault::ActAndDropAnswer);
        assert!(self.run(row).is_some());
        self.network.clear_plan();
        assert_eq!(self.delivery(row).state, State::Unknown);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.thread = None;
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Fetches from the model host only.
fn fetcher(host: &FileHost) -> Fetcher {
    let hosts = Hosts::parse(&format!("127.0.0.1:{}", host.port())).expect("hosts");
    Fetcher::new(hosts, trust(None).expect("roots"))
}

fn mira() -> AgentName {
    AgentName::parse("mira").expect("a name")
}

/// The agents of a process that has just started, with `mira` connected.
fn registry(portal: &Portal, store: &Store, dir: &std::path::Path) -> Arc<Registry> {
    let scopes = &["im", "user", "disk", "department"];
    let (app, secret) = portal.add_app("http://localhost:8791/oauth/callback", scopes);
    let (access, refresh) = portal.issue_tokens(&app, MIRA).expect("tokens");
    let vault = Vault::open(dir, None, None).expect("a key");
    let seal = |what, text| vault.seal(&format!("agents/mira/{what}"), &Secret::new(text));
    let member = portal.world().member_id.clone();
    let identity = SealedIdentity {
        user: UserId(57),
        user_name: "Mira Holt".to_owned(),
        member: MemberId(member),
        client_endpoint: format!("{}/rest/", portal.url()),
        oauth_host: portal.oauth_host(),
        webhook: false,
        access: seal("access", access),
        refresh: seal("refresh", refresh),
        previous_refresh: None,
        expires_at: UnixMs(i64::MAX),
        refreshed_at: clock::now(),
    };
    store.create_agent(&mira(), clock::now()).expect("creates");
    store.put_identity(&mira(), identity, clock::now()).expect("connects");
    store.set_agent_state(&mira(), AgentState::Active, "", clock::now()).expect("active");
    let server = Url::parse(&format!("http://{}", portal.oauth_host())).expect("a url");
    let url = Url::parse(&portal.url()).expect("a url");
    let oauth =
        OAuth::new(url, Some(Client { id: app, secret: Secret::new(secret) }), vec![server]);
    let transport = Transport::new(&TransportOptions::default()).expect("a client");
    let rest = Arc::new(client::Portal::new(transport, RateRule::Off));
    Registry::load(store.clone(), vault, rest, oauth).expect("loads")
}

#[test]
fn a_lost_answer_is_found_in_the_dialog_and_nothing_is_sent_again() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    assert_eq!((delivery.state, delivery.messages().len()), (State::Delivered, 1));
    assert_eq!(scene.network.calls_of(ADD), 1, "found, not sent again");
    assert_eq!(scene.shown(), ["hello"]);
}

#[test]
fn an_attempt_whose_end_could_not_be_recorded_is_an_unknown_outcome() {
    // As when the disk was full between the portal's answer and our commit.
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.shared.store.begin_attempt(row, 0, clock::now()).expect("begins");
    let step = &scene.delivery(row).steps[0];
    let dialog = DialogId::parse(&format!("chat{}", scene.team)).expect("a dialog");
    let call = crate::bitrix::methods::message_add(dialog, &step.text, &step.uuid, None);
    let sent = scene.shared.registry.call(&mira(), &call).expect("sends");
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    assert_eq!((delivery.state, delivery.messages()), (State::Delivered, vec![sent]));
    assert_eq!(scene.network.calls_of(LOOK), 1, "looked first");
    assert_eq!(scene.shown(), ["hello"]);
}

#[test]
fn a_look_that_fails_comes_back_at_growing_intervals() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    scene.network.plan(When::every(LOOK), Fault::Html(502));
    let waits: Vec<Duration> = (0..6).map(|_| scene.run(row).expect("goes on")).collect();
    let grown = limits::DELIVERY_RETRY_FIRST * 8;
    assert!(waits[5] > grown, "a portal that is down is asked ever more rarely: {waits:?}");
    let (code, message) = scene.delivery(row).failure.expect("told");
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("unavailable", "the portal did not answer: not_json_502")
    );
    scene.network.clear_plan();
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.shown(), ["hello"]);
}

#[test]
fn an_agent_that_cannot_look_waits_for_its_person() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    scene.portal.dismiss(MIRA);
    for _ in 0..3 {
        let wait = scene.run(row).expect("goes on");
        assert!(wait >= limits::DELIVERY_MEND_FIRST / 3, "{wait:?}");
    }
    let delivery = scene.delivery(row);
    assert_eq!(delivery.state, State::Unknown);
    assert_eq!(delivery.failure.expect("told").0, "failed_precondition");
}

#[test]
fn a_refusal_says_nothing_of_an_earlier_attempt_that_cannot_be_looked_up() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    let team = scene.team;
    scene.portal.world().messenger.chats.get_mut(&team).expect("the team").members.remove(&MIRA);
    assert_eq!(scene.run(row), None);
    // It is shown, and the agent may not see that any more: "rejected" would be a lie.
    assert_eq!(scene.delivery(row).state, State::Parked);
    assert_eq!(scene.shown(), ["hello"]);
}

#[test]
fn a_refusal_after_a_look_that_found_nothing_is_final() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.network.plan(When::first(ADD), Fault::Html(504));
    assert!(scene.run(row).is_some());
    scene.network.clear_plan();
    let team = scene.team;
    scene.portal.world().messenger.chats.get_mut(&team).expect("the team").silent = true;
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.delivery(row).state, State::Rejected);
}

#[test]
fn a_uuid_in_flight_is_looked_for_from_the_moment_it_was_sent() {
    // The portal was away for two hours before the first request reached it.
    let scene = Scene::new();
    let row = scene.accept_at("d-1", UnixMs(clock::now().0 - 2 * 3_600_000));
    let duplicated = Fault::error(400, "MESSAGE_DUPLICATED_BY_UUID", "Message was already sent");
    scene.network.plan(When::every(ADD), duplicated);
    let wait = scene.run(row).expect("not given up");
    assert!(wait >= limits::DELIVERY_LINK_FIRST / 2, "{wait:?}");
    assert_eq!(scene.delivery(row).state, State::Unknown);
    scene.network.clear_plan();
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.shown(), ["hello"]);
}

#[test]
fn a_delivery_in_parts_goes_on_where_it_stopped() {
    let scene = Scene::new();
    let text = "A sentence of words. ".repeat(1500);
    let row = scene.accept("d-1", &text);
    let parts = scene.delivery(row).steps.len();
    assert!(parts > 2, "{parts}");
    scene.network.plan(When::matching(ADD, 2, 1), Fault::ActAndDropAnswer);
    assert!(scene.run(row).is_some());
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    assert_eq!((delivery.state, delivery.messages().len()), (State::Delivered, parts));
    assert_eq!(scene.network.calls_of(ADD), parts, "each once");
    assert_eq!(scene.shown().len(), parts);
}

#[test]
fn a_text_that_makes_too_many_messages_is_refused() {
    let scene = Scene::new();
    let titles = format!("|{}", "x".repeat(100)).repeat(20);
    let rules = "|-".repeat(20);
    let text = format!("{titles}|\n{rules}|\n{}", format!("{}|\n", "|a".repeat(20)).repeat(1000));
    assert!(text.len() < limits::DELIVERY_TEXT_BYTES_MAX);
    let refused = accept::accept(&scene.shared, scene.request("d-1", &text));
    assert!(matches!(refused, Err(Refused::TooManyParts)), "{refused:?}");
    assert_eq!(scene.shared.store.unfinished(), 0);
}

#[test]
fn a_caller_who_comes_when_all_is_over_is_told_at_once() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    assert_eq!(scene.run(row), None);
    let (told, heard) = crossbeam_channel::bounded(1);
    let desk = Desk { shared: Arc::clone(&scene.shared) };
    let reply = Box::new(move |outcome: Outcome| told.send(outcome).expect("heard"));
    desk.wait(row, Instant::now(), false, reply).expect("waits");
    let outcome = heard.try_recv().expect("told");
    assert!(matches!(outcome, Outcome::Finished { replayed: false, .. }));
}
