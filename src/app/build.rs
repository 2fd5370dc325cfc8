//! Builds and starts every component, in order, each from its own options. A failure names the
//! setting or the file that is wrong; what was started before it ends by being dropped.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant;

use crate::agents::consent::Consents;
use crate::agents::refresh::Refresh;
use crate::agents::registry::Registry;
use crate::api;
use crate::api::consent::ConsentListener;
use crate::api::control::ControlListener;
use crate::api::deliver::DeliverListener;
use crate::api::deliver::may_carry_files;
use crate::app::CONTROL_SECRET_FILE;
use crate::app::Ended;
use crate::base::crypto;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::base::threads::ThreadName;
use crate::bitrix::client::Portal;
use crate::bitrix::oauth::OAuth;
use crate::bitrix::transport;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::directory;
use crate::directory::Directory;
use crate::domain::ids::AgentName;
use crate::gateway::Gateway;
use crate::gateway::GatewayOptions;
use crate::http::Bound;
use crate::http::Larger;
use crate::http::Listen;
use crate::http::Patience;
use crate::http::Reply;
use crate::http::Server;
use crate::inbound::Asked;
use crate::inbound::GatewayState;
use crate::inbound::Inbound;
use crate::inbound::InboundOptions;
use crate::inbound::InboundParts;
use crate::inbound::Refused;
use crate::limits;
use crate::outbound::Outbound;
use crate::outbound::OutboundParts;
use crate::outbound::media::Fetcher;
use crate::outbound::shelf::Shelf;
use crate::settings::PortalSettings;
use crate::settings::Settings;
use crate::settings::TypingPolicy;
use crate::store;
use crate::store::Store;
use crate::store::StoreThread;
use crate::upkeep::Upkeep;
use crate::vault;
use crate::vault::Vault;

/// Fact in the database that proves the master key.
pub(super) const KEY_CHECK: &str = "master_key_check";
/// Where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Everything that runs.
pub(super) struct Running {
    pub(super) control: Server,
    pub(super) deliver: Server,
    pub(super) consent: Server,
    /// `None` while the portal is not configured: then only the listeners answer.
    pub(super) flows: Option<Flows>,
    pub(super) transport: Option<Transport>,
    pub(super) store: StoreThread,
}

/// What runs once the portal is configured.
pub(super) struct Flows {
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    pub(super) refresh: Refresh,
    pub(super) reading: directory::Refresh,
    pub(super) upkeep: Upkeep,
    pub(super) directory: Arc<Directory>,
    pub(super) consents: Arc<Consents>,
}

/// The agents and what makes calls as them.
struct Agents {
    registry: Arc<Registry>,
    consents: Arc<Consents>,
    transport: Transport,
}

/// Starts everything.
pub(super) fn start(settings: Settings, exits: &Exits) -> Result<Running, Ended> {
    // Before anything runs, so that a taken port ends nothing but the start.
    let control_bound = bind(CONTROL, settings.control_addr, &settings.state_dir, None)?;
    let files = files(settings.deliver_secret.as_ref());
    let deliver_bound = bind(DELIVER, settings.deliver_addr, &settings.state_dir, files)?;
    let consent_bound = bind(CONSENT, settings.consent_addr, &settings.state_dir, None)?;
    let (store, thread) = Store::open(&settings.state_dir, exits)
        .map_err(|why| Ended::Failed(not_opened(&settings.state_dir, &why)))?;
    let control_secret = control_secret(&settings)?;
    let agents = match &settings.portal {
        Some(portal) => Some(agents(&settings, portal, &store)?),
        None => {
            log::warn!("portal_not_configured missing={}", settings.portal_missing.join(","));
            None
        }
    };
    let flows = match &agents {
        Some(agents) => Some(flows(&settings, agents, &store, exits)?),
        None => None,
    };
    let shared =
        agents.as_ref().map(|agents| (Arc::clone(&agents.registry), Arc::clone(&agents.consents)));
    let control = ControlListener {
        secret: control_secret,
        store,
        agents: shared.clone(),
        directory: flows.as_ref().map(|flows| Arc::clone(&flows.directory)),
        warnings: warnings(flows.as_ref()),
        desk: flows.as_ref().map(|flows| flows.outbound.desk()),
        inbound: flows.as_ref().map(|flows| flows.inbound.steering()),
        missing: missing(&settings),
        consent_url: settings.consent_url.as_str().trim_end_matches('/').to_owned(),
        gateway: gateway_reason(flows.as_ref()),
        gateway_state: gateway_state(flows.as_ref()),
        checking: Mutex::new(()),
        settings: settings.describe(),
        started: Instant::now(),
    };
    let deliver = DeliverListener {
        desk: flows.as_ref().map(|flows| flows.outbound.desk()),
        secret: settings.deliver_secret.clone(),
        talks: talks(flows.as_ref()),
    };
    let consent = ConsentListener { consents: shared.map(|(_, consents)| consents) };
    let serve = |bound: Bound, handler| bound.serve(exits, handler).map_err(no_thread);
    Ok(Running {
        control: serve(control_bound, Arc::new(control))?,
        deliver: serve(deliver_bound, Arc::new(deliver))?,
        consent: serve(consent_bound, Arc::new(consent))?,
        flows,
        transport: agents.map(|agents| agents.transport),
        store: thread,
    })
}

fn agents(settings: &Settings, portal: &PortalSettings, store: &Store) -> Result<Agents, Ended> {
    let vault = vault(settings, store)?;
    let transport = Transport::new(&TransportOptions {
        ca_file: settings.ca_file.clone(),
        proxy: settings.proxy.clone(),
        no_proxy: settings.no_proxy.clone(),
    })
    .map_err(Ended::Settings)?;
    let servers = settings.oauth_servers.clone();
    let oauth = OAuth::new(portal.url.clone(), portal.client.clone(), servers);
    let portal = Arc::new(Portal::new(transport.clone(), settings.rate));
    let registry = Registry::load(store.clone(), vault, portal, oauth).map_err(failed)?;
    for name in &settings.agents {
        registry.add(name).map_err(failed)?;
    }
    let consents = Arc::new(Consents::new(Arc::clone(&registry)));
    Ok(Agents { registry, consents, transport })
}

/// Where systemd put credentials, if it did.
#[allow(clippy::disallowed_methods)] // systemd's variable, not a setting of ours
pub(super) fn credentials() -> Option<PathBuf> {
    std::env::var_os(CREDENTIALS).map(PathBuf::from)
}

/// The vault, with a key proven to be the one the database was sealed with.
fn vault(settings: &Settings, store: &Store) -> Result<Vault, Ended> {
    let credentials = credentials();
    let wrong = |why: vault::VaultError| Ended::Settings(why.to_string());
    let (dir, key) = (&settings.state_dir, settings.master_key.as_ref());
    match store.meta(KEY_CHECK).map_err(failed)? {
        Some(check) => Vault::reopen(dir, key, credentials.as_deref(), &check).map_err(wrong),
        None => {
            let vault = Vault::open(dir, key, credentials.as_deref()).map_err(wrong)?;
            store.set_meta(KEY_CHECK, vault.check_value()).map_err(failed)?;
            Ok(vault)
        }
    }
}

fn flows(
    settings: &Settings,
    agents: &Agents,
    store: &Store,
    exits: &Exits,
) -> Result<Flows, Ended> {
    let tls = transport::trust(settings.ca_file.as_deref()).map_err(Ended::Settings)?;
    let gateway = Gateway::new(GatewayOptions {
        url: settings.inbound_url.clone(),
        secret: settings.inbound_secret.clone(),
        signing: settings.signing,
        channel: settings.channel.clone(),
        extra: settings.inbound_extra,
        tls: tls.clone(),
    });
    let directory =
        Directory::open(store.clone(), Arc::clone(&agents.registry), settings.departments.clone())
            .map_err(failed)?;
    let outbound = Outbound::start(
        OutboundParts {
            store: store.clone(),
            registry: Arc::clone(&agents.registry),
            directory: Arc::clone(&directory),
            workers: settings.delivery_workers,
            mention_all: settings.mention_all,
            typing: settings.typing != TypingPolicy::Off,
            shelf: Shelf::open(&settings.state_dir).map_err(no_shelf)?,
            fetcher: Fetcher::new(settings.media_hosts.clone(), tls),
        },
        exits,
    )
    .map_err(failed)?;
    let desk = outbound.desk();
    let awaited = settings.typing == TypingPolicy::Auto;
    let asked: Asked = Arc::new(move |agent, dialog, since| {
        desk.met(agent, dialog);
        if awaited {
            desk.asked(agent, dialog, since);
        }
    });
    let (desk, denied_reply) = (outbound.desk(), settings.denied_reply.clone());
    let refused: Refused = Arc::new(move |agent, person| {
        if let Some(text) = &denied_reply {
            desk.notice(agent, person, text);
        }
    });
    let inbound = Inbound::start(InboundParts {
        store: store.clone(),
        registry: Arc::clone(&agents.registry),
        directory: Arc::clone(&directory),
        gateway,
        options: InboundOptions {
            poll_active: settings.poll_active,
            poll_idle: settings.poll_idle,
            groups: settings.group_messages,
            prefix: settings.sender_prefix,
            read_marks: settings.read_marks,
        },
        asked,
        refused,
        exits: exits.clone(),
    })
    .map_err(no_thread)?;
    let refresh = Refresh::start(Arc::clone(&agents.registry), exits).map_err(no_thread)?;
    let reading = directory::Refresh::start(Arc::clone(&directory), exits).map_err(no_thread)?;
    let upkeep = Upkeep::start(store.clone(), settings.retention, exits).map_err(no_thread)?;
    let consents = Arc::clone(&agents.consents);
    Ok(Flows { inbound, outbound, refresh, reading, upkeep, directory, consents })
}

/// Settings without which nothing works, in the order in which a person sets them.
fn missing(settings: &Settings) -> Vec<&'static str> {
    let mut missing = settings.portal_missing.clone();
    if settings.inbound_secret.is_none() {
        missing.push("AIHUMMER_INBOUND_SECRET");
    }
    missing
}

fn warnings(flows: Option<&Flows>) -> Box<dyn Fn() -> Vec<String> + Send + Sync> {
    let Some(flows) = flows else { return Box::new(Vec::new) };
    let (inbound, directory) = (flows.inbound.handle(), Arc::clone(&flows.directory));
    Box::new(move || inbound.warnings().into_iter().chain(directory.standing().problem).collect())
}

fn gateway_reason(flows: Option<&Flows>) -> Box<dyn Fn() -> Option<String> + Send + Sync> {
    let Some(handle) = flows.map(|flows| flows.inbound.handle()) else {
        return Box::new(|| None);
    };
    Box::new(move || match handle.gateway_state() {
        GatewayState::Ok => None,
        GatewayState::Untried => Some("the gateway was not asked yet".into()),
        GatewayState::Away => Some("the gateway does not answer: see AIHUMMER_INBOUND_URL".into()),
        GatewayState::RefusesSecret => {
            Some("the gateway refuses our secret: see AIHUMMER_INBOUND_SECRET".into())
        }
    })
}

fn gateway_state(flows: Option<&Flows>) -> Box<dyn Fn() -> &'static str + Send + Sync> {
    match flows.map(|flows| flows.inbound.handle()) {
        Some(handle) => Box::new(move || handle.gateway_state().as_str()),
        None => Box::new(|| GatewayState::Untried.as_str()),
    }
}

/// Whoever the agent talks to may answer at once.
fn talks(flows: Option<&Flows>) -> Box<dyn Fn(&AgentName) + Send + Sync> {
    match flows.map(|flows| flows.inbound.handle()) {
        Some(handle) => Box::new(move |agent| handle.nudge(agent)),
        None => Box::new(|_| {}),
    }
}

/// One of the three listeners.
struct Kind {
    setting: &'static str,
    thread: fn(usize) -> ThreadName,
    workers: usize,
    body_bytes_max: usize,
    per_source_max: Option<usize>,
    refusal: fn(u16, &str) -> Reply,
}

const CONTROL: Kind = Kind {
    setting: "BITRIX24_CONTROL_ADDR",
    thread: ThreadName::HttpControl,
    workers: limits::HTTP_CONTROL_WORKERS,
    body_bytes_max: limits::HTTP_SMALL_BODY_BYTES_MAX,
    per_source_max: None,
    refusal: api::unread,
};

const DELIVER: Kind = Kind {
    setting: "BITRIX24_DELIVER_ADDR",
    thread: ThreadName::HttpDeliver,
    workers: limits::HTTP_DELIVER_WORKERS,
    body_bytes_max: limits::HTTP_DELIVER_BODY_BYTES_MAX,
    per_source_max: None,
    refusal: api::unread,
};

const CONSENT: Kind = Kind {
    setting: "BITRIX24_CONSENT_ADDR",
    thread: ThreadName::HttpConsent,
    workers: limits::HTTP_CONSENT_WORKERS,
    body_bytes_max: limits::HTTP_SMALL_BODY_BYTES_MAX,
    per_source_max: Some(limits::HTTP_CONSENT_PER_SOURCE_MAX),
    refusal: |status, why| Reply::text(status, &format!("{why}\n")),
};

/// Files come with Deliver calls, from whoever has the secret.
fn files(secret: Option<&Secret>) -> Option<Larger> {
    let secret = secret?.clone();
    Some(Larger {
        bytes_max: limits::DELIVER_BODY_BYTES_MAX,
        time: limits::DELIVER_BODY_TIME_MAX,
        allowed: Arc::new(move |request| may_carry_files(&secret, request)),
    })
}

fn bind(
    kind: Kind,
    addr: SocketAddr,
    state_dir: &Path,
    larger: Option<Larger>,
) -> Result<Bound, Ended> {
    let listen = Listen {
        addr,
        workers: kind.workers,
        thread: kind.thread,
        body_bytes_max: kind.body_bytes_max,
        larger,
        per_source_max: kind.per_source_max,
        loopback_is_free: true,
        spool_dir: state_dir.to_owned(),
        patience: Patience::USUAL,
        refusal: kind.refusal,
    };
    Bound::new(listen).map_err(|why| {
        Ended::Settings(format!(
            "{}: cannot listen on {addr} ({why}); stop what uses the port or set another one",
            kind.setting
        ))
    })
}

/// The configured control secret, or the generated one.
fn control_secret(settings: &Settings) -> Result<Secret, Ended> {
    match &settings.control_secret {
        Some(secret) => Ok(secret.clone()),
        None => generated(&settings.state_dir.join(CONTROL_SECRET_FILE)),
    }
}

fn generated(path: &Path) -> Result<Secret, Ended> {
    if !path.exists() {
        let secret = Secret::new(crypto::hex(&crypto::random::<16>()));
        vault::write_private(path, secret.expose())
            .map_err(|why| Ended::Failed(format!("{}: {why}", path.display())))?;
    }
    let text = vault::read_private(path).map_err(Ended::Settings)?;
    let secret = Secret::new(text.expose().trim().to_owned());
    if secret.is_empty() {
        return Err(Ended::Failed(format!(
            "{} is empty: delete it, and a new one is made",
            path.display()
        )));
    }
    Ok(secret)
}

/// Why the database cannot be used, with the file unless the reason names it already.
pub(super) fn not_opened(state_dir: &Path, why: &store::Error) -> String {
    match why {
        store::Error::InUse(_) | store::Error::Other(_) => why.to_string(),
        _ => format!("{}: {why}", state_dir.join(store::DATABASE_FILE).display()),
    }
}

pub(super) fn failed(why: store::Error) -> Ended {
    Ended::Failed(why.to_string())
}

fn no_shelf(why: std::io::Error) -> Ended {
    Ended::Failed(format!("the directory for files cannot be made in the state directory: {why}"))
}

fn no_thread(why: std::io::Error) -> Ended {
    Ended::Failed(format!("threads: {why}"))
}
