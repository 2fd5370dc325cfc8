//! What stands around a connector when it is shown, tested or measured: a portal with two people and
//! an application, a gateway, the connector's settings, its process ([`Connector`]), and a browser
//! that walks the consent. Knows the connector from outside only: its settings, addresses and pages.

mod browser;
mod connector;
mod process;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::client::Response;
use super::gateway::Gateway;
use super::gateway::GatewayOptions;
use super::network::Network;
use super::people::User;
use super::portal::Portal;
use super::world::PortalOptions;

pub use connector::Connector;
pub use process::Process;
pub use process::signal;

/// The secret of gateway and connector on every stage.
pub const SECRET: &str = "stage-inbound-secret";
/// The secret of the control API on every stage.
pub const CONTROL_SECRET: &str = "stage-control-secret";
/// Scopes on the application's card: what the connector asks an administrator to tick, and `disk`,
/// without which files go another way ([`Stage::untick`]).
pub const SCOPES: &[&str] = &["im", "user_brief", "department", "disk"];
/// The method by which agents are told what was said, as the history names it.
pub const EVENTS_METHOD: &str = "im.v2.event.get";
/// The methods by which dialogs are looked through: which changed, and a page of one.
pub const LOOK_METHODS: [&str; 2] = ["im.recent.get", "im.dialog.messages.get"];
/// The method by which an agent says something.
pub const SAY_METHOD: &str = "im.message.add";
/// The method by which it edits, deletes and reacts.
pub const EDIT_METHOD: &str = "im.message.update";
/// See [`EDIT_METHOD`].
pub const DELETE_METHOD: &str = "im.message.delete";
/// See [`EDIT_METHOD`].
pub const REACT_METHOD: &str = "im.v2.chat.message.reaction.add";
/// The methods by which it sends files: an upload each, then one publication.
pub const FILE_METHODS: [&str; 2] = ["disk.folder.uploadfile", "im.disk.file.commit"];
/// Ports that are tried for the consent listener.
const PORT_TRIES: u32 = 100;

/// Why something on a stage did not work, as a sentence for a person.
pub type Result<T> = std::result::Result<T, String>;

/// Everything around one connector.
pub struct Stage {
    /// What the three servers share: faults, history, clock.
    pub network: Network,
    /// The portal.
    pub portal: Portal,
    /// The gateway.
    pub gateway: Gateway,
    /// An employee, Olaf Brandt.
    pub olaf: u64,
    /// The account of the agent `helper`, Mira Holt.
    pub mira: u64,
    /// Of the application.
    pub client_id: String,
    /// Of the application.
    pub client_secret: String,
    consent_addr: String,
    settings: BTreeMap<String, String>,
    dir: PathBuf,
}

impl Stage {
    /// A portal with these options and without limits, a gateway, and settings for a connector with
    /// the agent `helper` that keeps its state and log below `dir`.
    ///
    /// # Errors
    /// No free port or no thread.
    pub fn new(dir: &Path, options: PortalOptions) -> Result<Stage> {
        let network = Network::new();
        let told = |why: std::io::Error| format!("the model cannot start: {why}");
        let portal = Portal::start(&network, options).map_err(told)?;
        portal.without_limits();
        let options = GatewayOptions { secret: SECRET.to_owned(), hmac: false };
        let gateway = Gateway::start(&network, options).map_err(told)?;
        let olaf = portal.add_user(User::employee("Olaf", "Brandt").in_departments(&[1]));
        let mira = portal.add_user(User::employee("Mira", "Holt").in_departments(&[1]));
        let consent_addr = free_address().map_err(told)?;
        let callback = format!("http://{consent_addr}/oauth/callback");
        let (client_id, client_secret) = portal.add_app(&callback, SCOPES);
        let mut stage = Stage {
            network,
            portal,
            gateway,
            olaf,
            mira,
            client_id,
            client_secret,
            consent_addr,
            settings: BTreeMap::new(),
            dir: dir.to_owned(),
        };
        stage.default_settings();
        Ok(stage)
    }

    fn default_settings(&mut self) {
        let pairs = [
            ("AIHUMMER_INBOUND_URL", self.gateway.url()),
            ("AIHUMMER_INBOUND_SECRET", SECRET.to_owned()),
            ("BITRIX24_PORTAL_URL", self.portal.url()),
            ("BITRIX24_CLIENT_ID", self.client_id.clone()),
            ("BITRIX24_CLIENT_SECRET", self.client_secret.clone()),
            ("BITRIX24_OAUTH_SERVERS", format!("http://{}", self.portal.oauth_host())),
            ("BITRIX24_CONSENT_URL", format!("http://{}", self.consent_addr)),
            ("BITRIX24_CONTROL_SECRET", CONTROL_SECRET.to_owned()),
            ("BITRIX24_AGENTS", "helper".to_owned()),
            ("BITRIX24_CONTROL_ADDR", "127.0.0.1:0".to_owned()),
            ("BITRIX24_DELIVER_ADDR", "127.0.0.1:0".to_owned()),
            ("BITRIX24_CONSENT_ADDR", self.consent_addr.clone()),
            ("BITRIX24_STATE_DIR", self.state_dir().display().to_string()),
            ("BITRIX24_RATE", "off".to_owned()),
        ];
        for (name, value) in pairs {
            self.set(name, &value);
        }
    }

    /// Takes a scope off the application's card; acts at once.
    pub fn untick(&self, scope: &str) {
        if let Some(app) = self.portal.world().apps.get_mut(&self.client_id) {
            app.scopes.remove(scope);
        }
    }

    /// Sets a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a setting back.
    pub fn unset(&mut self, name: &str) {
        self.settings.remove(name);
    }

    /// Settings as the connector gets them, in order of their names.
    pub fn settings(&self) -> Vec<(String, String)> {
        self.settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Where the connector keeps its state.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Where the connector's log goes, restarts appended.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Starts `binary run` and tells the gateway where it listens.
    ///
    /// # Errors
    /// It did not start; its log is shown.
    pub fn start(&self, binary: &Path) -> Result<Connector> {
        let connector = Connector::start(binary, &self.settings(), &self.log_path())?;
        self.gateway.set_deliver(&connector.origin("deliver"));
        Ok(connector)
    }

    /// From the consent page to the address the portal redirects a browser to that is signed in as
    /// `user`.
    ///
    /// # Errors
    /// A step did not lead on.
    pub fn callback_url(&self, link: &str, user: u64) -> Result<String> {
        browser::callback_url(link, user)
    }

    /// The page that says who was connected.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn follow(&self, callback: &str) -> Result<Response> {
        browser::get(callback)
    }

    /// Presses the button of the page that says who was connected.
    ///
    /// # Errors
    /// The page has no such button, or nobody answers.
    pub fn confirm(&self, page: &Response) -> Result<Response> {
        browser::confirm(&format!("http://{}", self.consent_addr), page)
    }

    /// Sends a text as `helper` to Olaf.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn send(&self, connector: &Connector, id: &str, text: &str) -> Result<Response> {
        let target = format!("helper/{}", self.olaf);
        let body = json!({ "delivery_id": id, "external_id": target, "text": text });
        connector.deliver(&body, &[("X-AIHummer-Inbound-Secret", SECRET)])
    }

    /// Texts of Mira's messages in a chat, in order.
    pub fn said_by_agent(&self, chat: u64) -> Vec<String> {
        let shown = self.portal.shown(chat).into_iter();
        shown.filter(|message| message.author == self.mira).map(|message| message.text).collect()
    }

    /// Whether the portal writes events for Mira: what is said before, the agent never hears of.
    pub fn is_subscribed(&self) -> bool {
        self.portal.world().messenger.log.is_subscribed(self.mira)
    }
}

/// An address nobody listens on just now. The consent listener must have a known one before the
/// start, because the application's card names it. Below the ports that systems give to outgoing
/// connections, or one of those may have it when the connector starts, and again when it restarts.
///
/// # Errors
/// No port is free.
pub fn free_address() -> std::io::Result<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let number =
            std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{}", 10_000 + number % 20_000);
        match TcpListener::bind(&address) {
            Ok(_) => return Ok(address),
            Err(why) => last = Some(why),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}
