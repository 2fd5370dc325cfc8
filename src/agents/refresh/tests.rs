//! The rounds of the `refresh` thread against the model portal, with the time passed in: what keeps
//! an idle chain alive, and how a lost agent is found again.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use url::Url;

use super::Timetable;
use crate::agents::agent::AgentView;
use crate::agents::chain::Identity;
use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::bitrix::client::Portal as Rest;
use crate::bitrix::client::RateRule;
use crate::bitrix::methods;
use crate::bitrix::oauth;
use crate::bitrix::oauth::Client;
use crate::bitrix::oauth::OAuth;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::domain::agent::AgentState;
use crate::domain::agent::Event;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;
use crate::limits;
use crate::sim::Fault;
use crate::sim::Network;
use crate::sim::Portal;
use crate::sim::PortalOptions;
use crate::sim::ServerKind;
use crate::sim::Switches;
use crate::sim::User;
use crate::sim::When;
use crate::sim::switches::Mode;
use crate::sim::switches::Rotation;
use crate::store::Store;
use crate::store::StoreThread;
use crate::vault::Vault;

const DAY: Duration = Duration::from_secs(24 * 3600);
const BOTH: [Rotation; 2] = [Rotation::Stateless, Rotation::Strict];

/// A portal with the agent Mira on it, and the registry that acts as her.
struct Office {
    thread: Option<StoreThread>,
    network: Network,
    portal: Portal,
    registry: Arc<Registry>,
    mira: u64,
    client_id: String,
    dir: PathBuf,
    timetable: Timetable,
    /// Since the rounds began.
    passed_by: Duration,
    began: UnixMs,
    _open: StopTrigger,
    stop: Stop,
}

fn name() -> AgentName {
    AgentName::parse("mira").expect("a name")
}

impl Office {
    fn new(switches: Switches) -> Office {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("refresh-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let network = Network::new();
        let options = PortalOptions { switches, ..PortalOptions::default() };
        let portal = Portal::start(&network, options).expect("a portal");
        portal.without_limits();
        let mira = portal.add_user(User::employee("Mira", "Holt").in_departments(&[1]));
        let (client_id, secret) = portal.add_app("http://localhost:8791/oauth/callback", &["im"]);
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        let vault = Vault::open(&dir, None, None).expect("a key");
        let transport = Transport::new(&TransportOptions::default()).expect("a client");
        let rest = Arc::new(Rest::new(transport, RateRule::Off));
        let client = Client { id: client_id.clone(), secret: Secret::new(secret) };
        let server = oauth::server_origin(&format!("http://{}", portal.oauth_host()));
        let url = Url::parse(&portal.url()).expect("a URL");
        let oauth = OAuth::new(url, Some(client), vec![server.expect("an origin")]);
        let registry = Registry::load(store, vault, rest, oauth).expect("loads");
        registry.add(&name()).expect("creates");
        let (open, stop) = Stop::new();
        let office = Office {
            thread: Some(thread),
            network,
            portal,
            registry,
            mira,
            client_id,
            dir,
            timetable: Timetable::default(),
            passed_by: Duration::ZERO,
            began: clock::now(),
            _open: open,
            stop,
        };
        let (access, refresh) =
            office.portal.issue_tokens(&office.client_id, mira).expect("tokens");
        office.connect(office.identity(&access, &refresh));
        office
    }

    fn identity(&self, access: &str, refresh: &str) -> Identity {
        let endpoint = oauth::endpoint(&format!("{}/rest/", self.portal.url()));
        Identity {
            user: UserId(i64::try_from(self.mira).expect("a small number")),
            user_name: "Mira Holt".to_owned(),
            member: MemberId(self.portal.world().member_id.clone()),
            endpoint: endpoint.expect("an endpoint"),
            oauth_host: self.portal.oauth_host(),
            webhook: false,
            access: Secret::new(access.to_owned()),
            refresh: Secret::new(refresh.to_owned()),
            previous_refresh: None,
            // Our clock does not move in these tests: the portal says that a token is over.
            expires_at: UnixMs(i64::MAX),
            refreshed_at: self.began,
        }
    }

    /// Gives the agent an identity, as a consent would.
    fn connect(&self, identity: Identity) {
        let agent = self.registry.find(&name()).expect("there");
        let stored = self.registry.keep(&agent, None, identity, |sealed| {
            self.registry.store.put_identity(&name(), sealed, clock::now())
        });
        stored.expect("stored");
        self.registry.happened(&agent, Event::Connected, "");
    }

    /// Lets time pass by for thread and portal, and has the thread look once.
    fn round_after(&mut self, time: Duration) {
        self.network.clock().advance(time);
        self.passed_by += time;
        let now = self.began.plus(self.passed_by);
        self.timetable.round(&self.registry, self.passed_by, now, &self.stop);
    }

    fn ask(&self) -> Result<(), Failure> {
        self.registry.call(&name(), &methods::profile()).map(drop)
    }

    fn view(&self) -> AgentView {
        self.registry.agent(&name()).expect("there")
    }

    fn state(&self) -> AgentState {
        self.view().state
    }

    fn renewals(&self) -> usize {
        let history = self.network.history();
        history.iter().filter(|e| e.server == ServerKind::OAuth).count()
    }

    fn looks(&self) -> usize {
        self.network.calls_of("profile")
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.thread = None;
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn switches(rotation: Rotation) -> Switches {
    Switches { rotation, refresh_lifetime: DAY * 28, ..Switches::default() }
}

/// A renewal is stamped with our clock, which stands still here: the rounds begin anew with it.
fn begin_anew(office: &mut Office) {
    office.began = clock::now();
    office.passed_by = Duration::ZERO;
    office.timetable = Timetable::default();
}

#[test]
fn an_idle_chain_outlives_the_shortest_life_of_its_token_also_of_a_paused_agent() {
    for rotation in BOTH {
        for state in [AgentState::Paused, AgentState::Degraded] {
            let mut office = Office::new(switches(rotation));
            if state == AgentState::Paused {
                office.registry.pause(&name(), true);
            } else {
                // It leaves a closed portal alone; the authorization server is another one.
                office.portal.world().switches.mode = Mode::SiteClosed;
                office.ask().expect_err("closed");
            }
            // 20 days three times: a refresh token lives 28.
            for times in 1..=3 {
                office.round_after(DAY * 20 - Duration::from_secs(1));
                assert_eq!((office.renewals(), office.state()), (times - 1, state), "not yet");
                office.round_after(limits::AGENT_PROBE_EVERY);
                assert_eq!(office.renewals(), times, "{rotation:?} {state:?}");
                begin_anew(&mut office);
                office.round_after(Duration::ZERO);
                assert_eq!(office.renewals(), times, "{rotation:?} {state:?}: once is enough");
            }
            office.portal.world().switches.mode = Mode::Normal;
            office.registry.pause(&name(), true);
            office.registry.pause(&name(), false);
            office.ask().expect("it works after two months");
            assert_eq!(office.state(), AgentState::Active);
        }
    }
}

#[test]
fn nobody_renews_a_webhook_or_the_chain_of_a_lost_agent() {
    let mut office = Office::new(switches(Rotation::Stateless));
    let mut identity = office.identity("secret", "");
    identity.webhook = true;
    office.connect(identity);
    office.round_after(DAY * 100);
    assert_eq!(office.renewals(), 0, "a webhook");
    let office = Office::new(switches(Rotation::Stateless));
    office.portal.dismiss(office.mira);
    office.ask().expect_err("dismissed");
    assert_eq!(office.state(), AgentState::Revoked);
    let asked = office.renewals();
    let agent = office.registry.find(&name()).expect("there");
    super::keep_alive(&office.registry, &agent, office.began.plus(DAY * 100));
    assert_eq!(office.renewals(), asked, "a lost agent is probed, not kept");
}

#[test]
fn an_idle_chain_is_looked_at_no_more_often_than_a_lost_agent() {
    let mut office = Office::new(switches(Rotation::Strict));
    office.registry.pause(&name(), true);
    office.round_after(DAY * 20 - limits::REFRESH_TICK);
    office.portal.revoke_tokens(office.mira);
    // It is due from the next tick on; what is refused for good shows in no state of a paused agent.
    office.round_after(limits::REFRESH_TICK);
    assert_eq!(office.renewals(), 0, "it waits for its look");
    office.round_after(limits::AGENT_PROBE_EVERY);
    assert_eq!(office.renewals(), 1);
    assert_eq!(office.state(), AgentState::Paused, "a pause is ended by a person only");
    // The person who resumes it is told.
    office.registry.pause(&name(), false);
    office.ask().expect_err("its chain has ended");
    assert_eq!(office.state(), AgentState::Revoked);
    assert!(office.view().reason.contains("open a new consent link"), "{}", office.view().reason);
}

#[test]
fn a_fresh_token_that_was_refused_by_a_slip_is_looked_at_again_at_the_next_tick() {
    for code in ["NO_AUTH_FOUND", "expired_token", "invalid_token"] {
        for rotation in BOTH {
            let mut office = Office::new(switches(rotation));
            office.round_after(Duration::ZERO);
            office.network.plan(When::every("/rest/profile"), Fault::error(401, code, ""));
            office.ask().expect_err("refused twice");
            assert_eq!(office.state(), AgentState::Revoked);
            assert!(
                office.view().reason.contains(&code.to_lowercase()),
                "{}",
                office.view().reason
            );
            assert_eq!((office.looks(), office.renewals()), (0, 1), "one renewal, no loop");
            office.network.clear_plan();
            office.round_after(limits::REFRESH_TICK);
            assert_eq!(office.looks(), 1, "{code} {rotation:?}");
            assert_eq!(office.state(), AgentState::Active, "{code} {rotation:?}");
            assert_eq!(office.view().reason, "");
            office.ask().expect("works");
            assert_eq!(office.renewals(), 1, "the pair itself was good");
        }
    }
}

#[test]
fn a_slip_that_was_none_costs_one_look_and_then_the_usual_rests() {
    let mut office = Office::new(switches(Rotation::Stateless));
    office.round_after(Duration::ZERO);
    let refused = Fault::error(401, "NO_AUTH_FOUND", "");
    office.network.plan(When::every("/rest/profile"), refused);
    office.ask().expect_err("refused twice");
    // Each look is a call, a renewal that the chain may still rest from, and the call again.
    let exchanges = |office: &Office| office.network.exchanges();
    let before = exchanges(&office);
    office.round_after(limits::REFRESH_TICK);
    let after_one = exchanges(&office);
    assert!(after_one > before, "one look");
    let ticks = limits::AGENT_PROBE_EVERY.as_secs() / limits::REFRESH_TICK.as_secs();
    for _ in 2..ticks {
        office.round_after(limits::REFRESH_TICK);
        assert_eq!(exchanges(&office), after_one, "no look before its time");
    }
    office.round_after(limits::REFRESH_TICK);
    assert!(exchanges(&office) > after_one, "the usual look");
    assert_eq!(office.state(), AgentState::Revoked);
}

#[test]
fn a_mended_identity_is_found_by_the_look_every_quarter_of_an_hour_and_not_before() {
    let mut office = Office::new(switches(Rotation::Stateless));
    office.round_after(Duration::ZERO);
    office.portal.dismiss(office.mira);
    office.ask().expect_err("dismissed");
    let lost = office.view();
    assert_eq!(lost.state, AgentState::Revoked);
    assert!(lost.reason.ends_with("(authorization_error)"), "{}", lost.reason);
    office.portal.world().users.get_mut(&office.mira).expect("there").active = true;
    let (exchanges, asked) = (office.network.exchanges(), office.looks());
    let mendings = office.registry.mendings();
    for _ in 1..limits::AGENT_PROBE_EVERY.as_secs() / limits::REFRESH_TICK.as_secs() {
        office.round_after(limits::REFRESH_TICK);
    }
    assert_eq!(office.network.exchanges(), exchanges, "nobody asks in vain");
    office.round_after(limits::REFRESH_TICK);
    assert_eq!((office.looks(), office.state()), (asked + 1, AgentState::Active));
    assert_eq!(mendings.try_recv().ok(), Some(name()), "what waited is hurried");
}

#[test]
fn an_agent_that_rests_calls_again_when_its_rest_is_over() {
    let mut office = Office::new(switches(Rotation::Stateless));
    office.round_after(Duration::ZERO);
    office.portal.world().switches.mode = Mode::SiteClosed;
    let first = office.ask().expect_err("closed");
    assert_eq!((first.code.as_str(), office.state()), ("PORTAL_DELETED", AgentState::Degraded));
    let exchanges = office.network.exchanges();
    let left = office.ask().expect_err("it rests").retry_after.expect("so long");
    assert!(left <= limits::PORTAL_CLOSED_REST && left > Duration::ZERO);
    assert_eq!(office.network.exchanges(), exchanges, "no call meanwhile");
    office.portal.world().switches.mode = Mode::Normal;
    let agent = office.registry.find(&name()).expect("there");
    // The rest is over now.
    agent.rest().as_mut().expect("it rests").0 = Instant::now();
    office.ask().expect("it calls again");
    assert_eq!(office.network.exchanges(), exchanges + 1);
    assert_eq!(office.state(), AgentState::Active);
}
