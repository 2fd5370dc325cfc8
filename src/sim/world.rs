//! The state of one portal and of its authorization server: people, departments, applications,
//! webhooks, switches, and the messenger's own part. One mutex in `portal` guards it. Holds facts
//! and small questions about them; what the wire makes of them is in `org`, `oauth`, `rest`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::auth::TokenCache;
use super::clock::Clock;
use super::limiter::Limiter;
use super::messenger::Messenger;
use super::people::Department;
use super::people::User;
use super::people::UserKind;
use super::switches::Switches;
use super::token::Tokens;
use crate::base::clock::UnixMs;
use crate::base::crypto;

/// What a portal is started with.
#[derive(Clone, Debug)]
pub struct PortalOptions {
    /// Name of the root department: the company's name.
    pub company: String,
    /// Id of the root department; usually 1, not always (b24: transport §4.1).
    pub root_department: u64,
    /// The portal server's time zone, minutes east of Greenwich.
    pub utc_offset_minutes: i32,
    /// A cloud portal proxies `/oauth/token/`; a self-hosted one does not (b24: transport §1.3).
    pub cloud: bool,
    /// Initial switches.
    pub switches: Switches,
}

impl Default for PortalOptions {
    fn default() -> PortalOptions {
        PortalOptions {
            company: "Acme Ltd".to_owned(),
            root_department: 1,
            utc_offset_minutes: 180,
            cloud: true,
            switches: Switches::default(),
        }
    }
}

/// A local application registered on the portal.
#[derive(Clone, Debug)]
pub struct App {
    /// Number of the application at the authorization server.
    pub id: u32,
    /// `local.<hex>.<digits>`.
    pub client_id: String,
    /// 50 letters and digits.
    pub client_secret: String,
    /// From the application's card; a request cannot name another (b24: transport §1.2).
    pub redirect_uri: String,
    /// Scopes ticked on the card.
    pub scopes: BTreeSet<String>,
    /// False while installation has not been finished, or after it was taken back.
    pub installed: bool,
    /// Deleted for good.
    pub deleted: bool,
    /// When set, only these users may use the application.
    pub allowed_users: Option<BTreeSet<u64>>,
}

/// An incoming webhook (b24: transport §1.16).
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its number.
    pub id: u64,
    /// Whom it acts as.
    pub user: u64,
    /// The secret of its address.
    pub secret: String,
    /// Scopes ticked.
    pub scopes: BTreeSet<String>,
    /// A deactivated webhook answers like a wrong secret.
    pub active: bool,
    /// When it ends, if its owner said so; then it answers like a wrong secret too.
    pub expires: Option<UnixMs>,
}

/// Everything one portal remembers.
#[derive(Debug)]
pub struct World {
    /// The model's time.
    pub clock: Clock,
    /// See [`Switches`].
    pub switches: Switches,
    /// The portal server's time zone, minutes east of Greenwich.
    pub utc_offset_minutes: i32,
    /// Whether this is a cloud portal.
    pub cloud: bool,
    /// 32 hex digits; survives a change of address.
    pub member_id: String,
    /// Host and port of the portal now.
    pub domain: String,
    /// Host and port of the authorization server.
    pub oauth_domain: String,
    /// Who is logged in in the model browser; see `Portal::sign_in`.
    pub session: Option<u64>,
    /// Everybody, by id.
    pub users: BTreeMap<u64, User>,
    /// The company's structure, by id.
    pub departments: BTreeMap<u64, Department>,
    /// Applications by `client_id`; deleted ones stay, marked.
    pub apps: BTreeMap<String, App>,
    /// Webhooks by number.
    pub webhooks: BTreeMap<u64, Webhook>,
    /// Chats, messages, events, files.
    pub messenger: Messenger,
    pub(in crate::sim) tokens: Tokens,
    pub(in crate::sim) token_cache: TokenCache,
    pub(in crate::sim) limiter: Limiter,
}

impl World {
    /// A portal with a root department and nobody in it.
    pub fn new(clock: Clock, options: PortalOptions) -> World {
        let root = Department {
            id: options.root_department,
            name: options.company,
            sort: 500,
            parent: None,
            head: None,
            active: true,
        };
        World {
            clock,
            switches: options.switches,
            utc_offset_minutes: options.utc_offset_minutes,
            cloud: options.cloud,
            member_id: crypto::hex(&crypto::random::<16>()),
            domain: "portal.invalid".to_owned(),
            oauth_domain: "oauth.invalid".to_owned(),
            session: None,
            users: BTreeMap::new(),
            departments: BTreeMap::from([(root.id, root)]),
            apps: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            messenger: Messenger::default(),
            tokens: Tokens::default(),
            token_cache: TokenCache::default(),
            limiter: Limiter::default(),
        }
    }

    /// The model's time now.
    pub fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// A moment as the portal writes it in answers.
    pub fn time_text(&self, moment: UnixMs) -> String {
        super::clock::portal_time(moment, self.utc_offset_minutes)
    }

    /// Adds a user and tells his id; a user with id 0 gets the next free one.
    pub fn add_user(&mut self, mut user: User) -> u64 {
        if user.id == 0 {
            user.id = next_key(&self.users);
        }
        let id = user.id;
        self.users.insert(id, user);
        id
    }

    /// Adds a department and tells its id; without a parent it goes below the root.
    pub fn add_department(&mut self, name: &str, parent: Option<u64>) -> u64 {
        let id = next_key(&self.departments);
        let parent = parent.or_else(|| self.root());
        let department =
            Department { id, name: name.to_owned(), sort: 500, parent, head: None, active: true };
        self.departments.insert(id, department);
        id
    }

    /// Registers an installed local application; tells `client_id` and `client_secret`.
    pub fn add_app(&mut self, redirect_uri: &str, scopes: &[&str]) -> (String, String) {
        let id = u32::try_from(self.apps.len() + 101).unwrap_or(u32::MAX);
        let client_id =
            format!("local.{}.{:08}", crypto::hex(&crypto::random::<7>()), 40_000_000 + id);
        let client_secret = crypto::hex(&crypto::random::<25>());
        let app = App {
            id,
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            redirect_uri: redirect_uri.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            installed: true,
            deleted: false,
            allowed_users: None,
        };
        self.apps.insert(client_id.clone(), app);
        (client_id, client_secret)
    }

    /// Creates an incoming webhook of a user; tells its path below the portal, ending in `/`.
    pub fn add_webhook(&mut self, user: u64, scopes: &[&str]) -> String {
        let id = next_key(&self.webhooks);
        let secret = crypto::hex(&crypto::random::<8>());
        let path = format!("/rest/{user}/{secret}/");
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.webhooks.insert(id, Webhook { id, user, secret, scopes, active: true, expires: None });
        path
    }

    /// The root department: the one without a parent.
    pub fn root(&self) -> Option<u64> {
        self.departments.values().find(|d| d.parent.is_none()).map(|d| d.id)
    }

    /// Whether somebody is of the company: neither external nor a bot.
    pub fn is_intranet(&self, user: u64) -> bool {
        self.users.get(&user).is_some_and(|user| user.kind == UserKind::Employee)
    }

    /// Whether two users share an extranet group.
    pub fn share_group(&self, one: u64, other: u64) -> bool {
        match (self.users.get(&one), self.users.get(&other)) {
            (Some(one), Some(other)) => one.groups.iter().any(|g| other.groups.contains(g)),
            _ => false,
        }
    }
}

fn next_key<T>(map: &BTreeMap<u64, T>) -> u64 {
    map.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
}
