//! A company with a portal, a gateway and the connector between them: people, chats, one agent or
//! several, consent walked through as a browser would, and the checker that every run must pass.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use aihummer_bitrix24::sim::Gateway;
use aihummer_bitrix24::sim::GatewayOptions;
use aihummer_bitrix24::sim::Network;
use aihummer_bitrix24::sim::Portal;
use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::client::Response;
use serde_json::Value;
use serde_json::json;

use crate::support::TempDir;
use crate::support::connector::Connector;
use crate::support::eventually;

/// The inbound secret of every scene; planted, so that a test can look for it where it must not be.
pub const SECRET: &str = "planted-inbound-secret";
/// The control secret, likewise.
pub const CONTROL_SECRET: &str = "planted-control-secret";
/// Scopes on the application's card.
pub const SCOPES: &[&str] = &["im", "user_brief", "department"];
const TIMEOUT: Duration = Duration::from_secs(30);

/// Everything around the connector.
pub struct Scene {
    pub network: Network,
    pub portal: Portal,
    pub gateway: Gateway,
    /// An employee.
    pub olaf: u64,
    /// The account of the agent `helper`.
    pub mira: u64,
    pub client_id: String,
    pub client_secret: String,
    consent_addr: String,
    settings: HashMap<String, String>,
    dir: TempDir,
}

impl Scene {
    /// A portal without limits, a gateway, Olaf and Mira, an application, no connector yet.
    pub fn new() -> Scene {
        Scene::with(PortalOptions::default())
    }

    /// The same on a portal with these options.
    pub fn with(options: PortalOptions) -> Scene {
        let network = Network::new();
        let portal = Portal::start(&network, options).expect("portal");
        portal.without_limits();
        let options = GatewayOptions { secret: SECRET.to_owned(), hmac: false };
        let gateway = Gateway::start(&network, options).expect("gateway");
        let olaf = portal.add_user(User::employee("Olaf", "Brandt").in_departments(&[1]));
        let mira = portal.add_user(User::employee("Mira", "Holt").in_departments(&[1]));
        let consent_addr = free_address();
        let callback = format!("http://{consent_addr}/oauth/callback");
        let (client_id, client_secret) = portal.add_app(&callback, SCOPES);
        let mut scene = Scene {
            network,
            portal,
            gateway,
            olaf,
            mira,
            client_id,
            client_secret,
            consent_addr,
            settings: HashMap::new(),
            dir: TempDir::new(),
        };
        scene.default_settings();
        scene
    }

    fn default_settings(&mut self) {
        let state = self.dir.path().join("state");
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
            ("BITRIX24_STATE_DIR", state.display().to_string()),
            ("BITRIX24_RATE", "off".to_owned()),
            ("BITRIX24_POLL_ACTIVE_MS", "20".to_owned()),
            ("BITRIX24_POLL_IDLE_MS", "20".to_owned()),
            ("BITRIX24_LOG", "debug".to_owned()),
        ];
        for (name, value) in pairs {
            self.set(name, &value);
        }
    }

    /// Sets a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Where the connector keeps its state.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// A directory that lives as long as the scene.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Settings as the connector gets them.
    pub fn settings(&self) -> Vec<(String, String)> {
        self.settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Starts the connector and tells the gateway where it is.
    pub fn start(&self) -> Connector {
        let connector = Connector::start(&self.settings(), &self.dir.path().join("log"));
        self.gateway.set_deliver(&connector.origin("deliver"));
        connector
    }

    /// Starts the connector and connects `helper` as Mira.
    pub fn start_connected(&self) -> Connector {
        let connector = self.start();
        let done = self.consent(&connector, "helper", self.mira);
        assert_eq!(done.status, 200, "{}", done.text());
        connector
    }

    /// Walks the consent of an agent in a browser that is signed in as `user`; the last page.
    pub fn consent(&self, connector: &Connector, agent: &str, user: u64) -> Response {
        let link = self.consent_link(connector, agent);
        let connected = self.authorize(&link, user);
        if connected.status != 200 {
            return connected;
        }
        self.confirm(&connected)
    }

    /// A consent link of the control API.
    pub fn consent_link(&self, connector: &Connector, agent: &str) -> String {
        let path = format!("/v1/agents/{agent}/consent");
        let opened = self.control(connector, "POST", &path, None);
        assert_eq!(opened.status, 201, "{}", opened.text());
        opened.json()["link"].as_str().expect("a link").to_owned()
    }

    /// From the consent page through the portal back to the page that says who was connected.
    pub fn authorize(&self, link: &str, user: u64) -> Response {
        let callback = self.callback_url(link, user);
        get(&callback)
    }

    /// From the consent page to the address the portal redirects to.
    pub fn callback_url(&self, link: &str, user: u64) -> String {
        let page = get(link);
        assert_eq!(page.status, 200, "{}", page.text());
        let started = client::request("POST", &format!("{link}/start"), &[], &[], TIMEOUT);
        let started = started.expect("start");
        let authorize = started.header("location").expect("a redirect to the portal").to_owned();
        let cookie = format!("sim_user={user}");
        let granted =
            client::request("GET", &authorize, &[("Cookie", &cookie)], &[], TIMEOUT).expect("GET");
        granted.header("location").expect("a redirect back").to_owned()
    }

    /// Presses the button of the page that says who was connected.
    pub fn confirm(&self, connected: &Response) -> Response {
        let page = connected.text();
        let value = page.split("name=\"confirmation\" value=\"").nth(1).expect("a form");
        let value = value.split('"').next().expect("a value");
        let body = format!("confirmation={value}");
        let url = format!("http://{}/oauth/confirm", self.consent_addr);
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        client::request("POST", &url, &form, body.as_bytes(), TIMEOUT).expect("confirm")
    }

    /// A call of the control API with the secret.
    pub fn control(
        &self,
        connector: &Connector,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Response {
        self.try_control(connector, method, path, body).expect("control answers")
    }

    /// `GET /v1/status`; `None` when nobody answers.
    pub fn status(&self, connector: &Connector) -> Option<Value> {
        self.try_control(connector, "GET", "/v1/status", None).ok().map(|answer| answer.json())
    }

    fn try_control(
        &self,
        connector: &Connector,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<Response> {
        let bearer = format!("Bearer {CONTROL_SECRET}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = body.map(Value::to_string).unwrap_or_default();
        let url = format!("{}{path}", connector.origin("control"));
        client::request(method, &url, &headers, body.as_bytes(), TIMEOUT)
    }

    /// A Deliver call with the secret.
    pub fn deliver(&self, connector: &Connector, body: &Value) -> Response {
        self.deliver_with(connector, body, &[("X-AIHummer-Inbound-Secret", SECRET)])
    }

    /// A Deliver call with these headers.
    pub fn deliver_with(
        &self,
        connector: &Connector,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Response {
        let url = deliver_url(connector);
        client::post_json(&url, headers, body, TIMEOUT).expect("an answer of Deliver")
    }

    /// Sends a text as `helper` to Olaf.
    pub fn send(&self, connector: &Connector, id: &str, text: &str) -> Response {
        let target = format!("helper/{}", self.olaf);
        let body = json!({ "delivery_id": id, "external_id": target, "text": text });
        self.deliver(connector, &body)
    }

    /// Texts of Mira's messages in a chat, in order.
    pub fn said_by_agent(&self, chat: u64) -> Vec<String> {
        let shown = self.portal.shown(chat).into_iter();
        shown.filter(|message| message.author == self.mira).map(|message| message.text).collect()
    }

    /// Texts the gateway got, repeats of one key counted once, in order of first arrival.
    pub fn received(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let inbound = self.gateway.inbound().into_iter();
        inbound.filter(|inbound| seen.insert(inbound.key.clone())).map(|i| i.text).collect()
    }

    /// Waits until the agent's events are subscribed to, so that nothing said before is missed.
    pub fn wait_for_subscription(&self) {
        eventually("the agent's events to be subscribed", || {
            self.portal.world().messenger.log.is_subscribed(self.mira).then_some(())
        });
    }
}

/// Where Deliver calls go.
pub fn deliver_url(connector: &Connector) -> String {
    format!("{}/aihummer.connector.v1.ConnectorService/Deliver", connector.origin("deliver"))
}

/// A plain GET.
pub fn get(url: &str) -> Response {
    client::request("GET", url, &[], &[], TIMEOUT).expect("an answer")
}

/// An address nobody listens on just now. The consent listener must have a known one before the
/// start, because the application's card names it.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}
