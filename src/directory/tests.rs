//! The directory against the model portal: pages, changes, newcomers, and every way of not knowing.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use url::Url;

use super::Directory;
use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::bitrix::client::Portal as Rest;
use crate::bitrix::client::RateRule;
use crate::bitrix::oauth::Client;
use crate::bitrix::oauth::OAuth;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::domain::acl;
use crate::domain::acl::Allowed;
use crate::domain::acl::Because;
use crate::domain::agent::AgentState;
use crate::domain::ids::AgentName;
use crate::domain::ids::DepartmentId;
use crate::domain::ids::MemberId;
use crate::domain::ids::UserId;
use crate::limits;
use crate::sim::Fault;
use crate::sim::Network;
use crate::sim::Portal;
use crate::sim::PortalOptions;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::When;
use crate::store::Store;
use crate::store::StoreThread;
use crate::store::agents::SealedIdentity;
use crate::store::directory::OrgChanges;
use crate::vault::Vault;

const PEOPLE: &str = "user.get";
const DEPARTMENTS: &str = "department.get";

/// A company with the agent Mira in department 1, and a connector's store.
struct Company {
    thread: Option<StoreThread>,
    store: Store,
    network: Network,
    portal: Portal,
    mira: u64,
    app: (String, String),
    dir: PathBuf,
}

fn agent() -> AgentName {
    AgentName::parse("mira").expect("a name")
}

fn id(user: u64) -> UserId {
    UserId(i64::try_from(user).expect("a small number"))
}

impl Company {
    fn new(scopes: &[&str]) -> Company {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("directory-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let network = Network::new();
        let portal = Portal::start(&network, PortalOptions::default()).expect("a portal");
        portal.without_limits();
        let mira = portal.add_user(User::employee("Mira", "Holt").in_departments(&[1]));
        let app = portal.add_app("http://localhost:8791/oauth/callback", scopes);
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        let company = Company { thread: Some(thread), store, network, portal, mira, app, dir };
        company.connect();
        company
    }

    /// Gives the agent tokens, as a consent would.
    fn connect(&self) {
        let now = clock::now();
        let vault = Vault::open(&self.dir, None, None).expect("a key");
        let tokens = self.portal.issue_tokens(&self.app.0, self.mira).expect("tokens");
        let seal = |what: &str, text: String| {
            vault.seal(&format!("agents/mira/{what}"), &Secret::new(text))
        };
        let identity = SealedIdentity {
            user: id(self.mira),
            user_name: "Mira Holt".to_owned(),
            member: MemberId("m0".to_owned()),
            client_endpoint: format!("{}/rest/", self.portal.url()),
            oauth_host: "127.0.0.1".to_owned(),
            webhook: false,
            access: seal("access", tokens.0),
            refresh: seal("refresh", tokens.1),
            previous_refresh: None,
            expires_at: UnixMs(i64::MAX),
            refreshed_at: now,
        };
        self.store.create_agent(&agent(), now).expect("creates");
        self.store.put_identity(&agent(), identity, now).expect("identity");
        self.store.set_agent_state(&agent(), AgentState::Active, "", now).expect("active");
    }

    fn open(&self) -> Arc<Directory> {
        self.open_with("own")
    }

    fn open_with(&self, allowed: &str) -> Arc<Directory> {
        let vault = Vault::open(&self.dir, None, None).expect("a key");
        let transport = Transport::new(&TransportOptions::default()).expect("a client");
        let rest = Arc::new(Rest::new(transport, RateRule::Off));
        let url = Url::parse(&self.portal.url()).expect("url");
        let client = Client { id: self.app.0.clone(), secret: Secret::new(self.app.1.clone()) };
        let oauth = OAuth::new(url, Some(client), Vec::new());
        let registry = Registry::load(self.store.clone(), vault, rest, oauth).expect("loads");
        let allowed = Allowed::parse(allowed).expect("a rule");
        let rule = acl::Rule { allowed, denied: BTreeSet::new() };
        Directory::open(self.store.clone(), registry, rule).expect("opens")
    }

    fn hire(&self, departments: &[u64]) -> u64 {
        self.portal.add_user(User::employee("Ann", "Other").in_departments(departments))
    }

    /// What the directory decides about somebody after it had the chance to ask.
    fn asked(&self, directory: &Directory, person: u64) -> Because {
        directory.ensure(&agent(), &[id(person)]).expect("nothing to try again");
        directory.decide(&agent(), id(self.mira), id(person)).because
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        self.thread = None;
        let _ = fs::remove_dir_all(&self.dir);
    }
}

const SCOPES: &[&str] = &["im", "user_brief", "department"];

#[test]
fn a_company_of_many_pages_is_read_whole_and_once() {
    let company = Company::new(SCOPES);
    let mut departments = Vec::new();
    for number in 0..120 {
        let name = format!("d{number}");
        departments.push(company.portal.world().add_department(&name, None));
    }
    let people: Vec<u64> = (0..230).map(|n| company.hire(&[departments[n % 120]])).collect();
    let directory = company.open();
    assert_eq!(
        directory.decide(&agent(), id(company.mira), id(people[0])).because,
        Because::NoStructure
    );
    for person in people.iter().step_by(40) {
        assert!(matches!(company.asked(&directory, *person), Because::OwnDepartment(_)));
    }
    let standing = directory.standing();
    assert_eq!((standing.departments, standing.people), (121, 231));
    assert!(standing.fresh && standing.problem.is_none());
    // 121 departments and 231 people, 50 on a page.
    assert_eq!(company.network.calls_of(DEPARTMENTS), 3);
    assert_eq!(company.network.calls_of(PEOPLE), 5);
}

#[test]
fn moves_dismissals_and_vanished_departments_are_noticed_by_the_next_reading() {
    let company = Company::new(SCOPES);
    let below = company.portal.world().add_department("below", None);
    let (mover, leaver, stays) =
        (company.hire(&[below]), company.hire(&[1]), company.hire(&[below]));
    let directory = company.open();
    for person in [mover, leaver, stays] {
        assert!(matches!(company.asked(&directory, person), Because::OwnDepartment(_)));
    }
    {
        let mut world = company.portal.world();
        world.users.get_mut(&mover).expect("there").departments = vec![4711];
        world.departments.get_mut(&below).expect("there").active = false;
    }
    company.portal.dismiss(leaver);
    directory.read(&agent(), true).expect("reads");
    assert_eq!(company.asked(&directory, mover), Because::Outside);
    assert_eq!(company.asked(&directory, leaver), Because::UnknownPerson);
    assert_eq!(company.asked(&directory, stays), Because::Outside, "their department is gone");
    let known = company.store.org().expect("reads").0;
    assert_eq!(known, *directory.org(), "the store has the same");
}

#[test]
fn a_newcomer_is_asked_for_and_who_is_not_there_is_not_asked_for_again() {
    let company = Company::new(SCOPES);
    let directory = company.open();
    directory.read(&agent(), true).expect("reads");
    let newcomer = company.hire(&[1]);
    let guest = company.portal.add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let before = company.network.calls_of(PEOPLE);
    for _ in 0..3 {
        assert!(matches!(company.asked(&directory, newcomer), Because::OwnDepartment(_)));
        assert_eq!(company.asked(&directory, guest), Because::UnknownPerson);
    }
    assert_eq!(company.network.calls_of(PEOPLE), before + 2);
}

#[test]
fn a_structure_that_is_too_old_decides_nothing() {
    let company = Company::new(SCOPES);
    let olaf = company.hire(&[1]);
    let directory = company.open();
    directory.read(&agent(), true).expect("reads");
    let long_ago = clock::now().minus(limits::DIRECTORY_FRESH_MAX);
    company.store.change_org(OrgChanges::default(), long_ago).expect("stored");
    let directory = company.open();
    company.network.plan(When::every(PEOPLE), Fault::error(500, "INTERNAL_SERVER_ERROR", "no"));
    assert!(directory.ensure(&agent(), &[id(olaf)]).is_err(), "to be tried again");
    let decision = directory.decide(&agent(), id(company.mira), id(olaf));
    assert_eq!((decision.allowed, decision.because), (false, Because::NoStructure));
    assert!(directory.standing().problem.is_some());
    company.network.clear_plan();
    assert!(matches!(company.asked(&directory, olaf), Because::OwnDepartment(_)));
    assert_eq!(directory.standing().problem, None);
}

#[test]
fn a_reading_that_fails_in_its_middle_changes_nothing() {
    let company = Company::new(SCOPES);
    let olaf = company.hire(&[1]);
    let directory = company.open();
    directory.read(&agent(), true).expect("reads");
    company.portal.dismiss(olaf);
    company.network.plan(When::every(PEOPLE), Fault::Truncate);
    assert!(directory.read(&agent(), true).is_err());
    assert!(directory.org().person(id(olaf)).is_some());
    // A connector that starts while the portal is away has what it had.
    drop(directory);
    assert!(matches!(company.asked(&company.open(), olaf), Because::OwnDepartment(_)));
}

#[test]
fn a_missing_scope_is_told_and_nobody_may_who_needs_the_structure() {
    let company = Company::new(&["im", "user_brief"]);
    let olaf = company.hire(&[1]);
    let directory = company.open();
    assert_eq!(company.asked(&directory, olaf), Because::NoStructure);
    let problem = directory.standing().problem.expect("told");
    assert!(problem.contains("scope department"), "{problem}");
    assert_eq!(company.asked(&company.open_with("all"), olaf), Because::All);
}

#[test]
fn an_agents_own_rule_wins_over_the_settings_and_outlives_a_restart() {
    let company = Company::new(SCOPES);
    let other = company.portal.world().add_department("other", None);
    let olaf = company.hire(&[other]);
    let directory = company.open();
    assert!(matches!(company.asked(&directory, olaf), Because::OwnDepartment(_)));
    let other = DepartmentId(i64::try_from(other).expect("small"));
    let denied = BTreeSet::from([other]);
    assert_eq!(directory.change_rule(&agent(), |own| own.denied = Some(denied.clone())), Ok(true));
    assert_eq!(company.asked(&directory, olaf), Because::Denied(other));
    let again = company.open();
    assert_eq!(company.asked(&again, olaf), Because::Denied(other));
    let rule = again.rule_of(&agent());
    assert_eq!((rule.rule.denied, rule.own_allowed, rule.own_denied), (denied, false, true));
    assert_eq!(again.change_rule(&agent(), |own| own.denied = None), Ok(true));
    assert!(matches!(company.asked(&again, olaf), Because::OwnDepartment(_)));
    let nobody = AgentName::parse("nobody").expect("a name");
    assert_eq!(again.change_rule(&nobody, |_| {}), Ok(false));
}
