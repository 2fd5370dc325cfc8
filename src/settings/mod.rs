//! Settings as the rest of the program uses them: typed, checked, with defaults filled in. `table`
//! is the list of names, `read` the parsers, `env_file` the file syntax. Only `app` and `cli` know
//! this module; every component gets its own options from `app`.

pub mod env_file;
pub mod read;
pub mod table;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::base::log;
use crate::base::log::Format;
use crate::base::secret::Secret;
use crate::bitrix::client::RateRule;
use crate::bitrix::oauth;
use crate::bitrix::oauth::Client;
use crate::bitrix::transport;
use crate::domain::acl;
use crate::domain::acl::Allowed;
use crate::domain::filter::GroupPolicy;
use crate::domain::ids::AgentName;
use crate::domain::limiter::Rate;
use crate::gateway::Signing;
use crate::inbound::SenderPrefix;
use crate::limits;
use crate::outbound::media::Hosts;
use crate::settings::read::Reader;
use crate::settings::read::SettingError;
use crate::settings::read::Source;
use crate::settings::read::Sourced;
use crate::vault;

/// The portal.
#[derive(Clone, Debug)]
pub struct PortalSettings {
    /// Scheme and host.
    pub url: Url,
    /// Its local application, whose secret goes to authorization servers only; `None` where agents
    /// have webhooks.
    pub client: Option<Client>,
}

/// When agents are shown as typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypingPolicy {
    /// From a message until its answer, and when the gateway says so.
    Auto,
    /// When the gateway says so.
    Explicit,
    /// Never.
    Off,
}

/// Everything that can be configured.
#[derive(Debug)]
pub struct Settings {
    /// Where inbound messages are posted, path included.
    pub inbound_url: Url,
    /// The secret shared with the gateway.
    pub inbound_secret: Option<Secret>,
    /// The portal; `None` until it is named.
    pub portal: Option<PortalSettings>,
    /// Settings of the portal and its application that are missing, by name.
    pub portal_missing: Vec<&'static str>,
    /// Authorization servers that may see the client secret.
    pub oauth_servers: Vec<Url>,
    /// Base URL of the consent listener as browsers see it, without a trailing slash.
    pub consent_url: Url,
    /// Agents to create at start.
    pub agents: Vec<AgentName>,
    /// The `channel` field.
    pub channel: String,
    /// What the inbound header carries.
    pub signing: Signing,
    /// Whether the optional inbound fields are sent.
    pub inbound_extra: bool,
    /// What is forwarded from groups.
    pub group_messages: GroupPolicy,
    /// Where the sender's name is put before the text.
    pub sender_prefix: SenderPrefix,
    /// Who may talk with an agent that has no rule of its own.
    pub departments: acl::Rule,
    /// What is answered to who may not.
    pub denied_reply: Option<String>,
    /// Whether messages are marked as read.
    pub read_marks: bool,
    /// Whether agents may mention everyone.
    pub mention_all: bool,
    /// When agents are shown as typing.
    pub typing: TypingPolicy,
    /// Where files that deliveries name by URL may be fetched from.
    pub media_hosts: Hosts,
    /// Control listener.
    pub control_addr: SocketAddr,
    /// Deliver listener.
    pub deliver_addr: SocketAddr,
    /// Consent listener.
    pub consent_addr: SocketAddr,
    /// What a Deliver caller presents.
    pub deliver_secret: Option<Secret>,
    /// What a control caller presents; `None` = generated into the state directory.
    pub control_secret: Option<Secret>,
    /// Database and keys.
    pub state_dir: PathBuf,
    /// Base64 of the master key; `None` = credential file or generated.
    pub master_key: Option<Secret>,
    /// More PEM roots.
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy for portal and OAuth.
    pub proxy: Option<Url>,
    /// Hosts reached without it.
    pub no_proxy: Vec<String>,
    /// Request rate.
    pub rate: RateRule,
    /// Poll interval in conversation.
    pub poll_active: Duration,
    /// Poll interval when idle.
    pub poll_idle: Duration,
    /// Size of the delivery pool.
    pub delivery_workers: usize,
    /// How long finished rows stay.
    pub retention: Duration,
    /// Log filter.
    pub log_filter: String,
    /// Log line format.
    pub log_format: Format,
    /// What to tell the operator at start: unknown names, settings without effect.
    pub warnings: Vec<String>,
    /// Where each value came from.
    pub sources: Vec<Sourced>,
}

impl Settings {
    /// Where a setting's value came from.
    pub fn source(&self, name: &str) -> &'static str {
        self.sourced(name).map_or(Source::Default, |sourced| sourced.source).as_str()
    }

    /// The value in force, for people; of a secret only whether it is set.
    pub fn value(&self, setting: &table::Setting) -> String {
        let sourced = self.sourced(setting.name);
        let set = sourced.is_some_and(|sourced| sourced.source != Source::Default);
        match (setting.secret, sourced.and_then(|sourced| sourced.text.clone())) {
            (true, _) => if set { "set" } else { "not set" }.to_owned(),
            (false, Some(text)) => text,
            (false, None) => setting.default.to_owned(),
        }
    }

    fn sourced(&self, name: &str) -> Option<&Sourced> {
        self.sources.iter().find(|sourced| sourced.name == name)
    }

    /// Every setting with its value, default and source; of secrets only whether they are set.
    pub fn describe(&self) -> serde_json::Value {
        let rows = table::SETTINGS.iter().map(|setting| {
            serde_json::json!({
                "name": setting.name,
                "value": self.value(setting),
                "source": self.source(setting.name),
                "secret": setting.secret,
                "default": setting.default,
                "example": setting.example,
                "meaning": setting.meaning,
            })
        });
        let rows: Vec<serde_json::Value> = rows.collect();
        serde_json::json!({ "settings": rows, "warnings": self.warnings })
    }
}

/// Why the settings cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// The file named by `--env-file` cannot be read or parsed.
    File(String),
    /// Malformed settings, every one of them.
    Settings(Vec<SettingError>),
}

/// Reads the process environment, and a file under it when one is named.
///
/// # Errors
/// See [`Unusable`].
#[allow(clippy::disallowed_methods)] // the one place that reads the environment
pub fn load(env_file: Option<&Path>) -> Result<Settings, Unusable> {
    let mut file = HashMap::new();
    if let Some(path) = env_file {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|why| Unusable::File(format!("--env-file {shown}: {why}")))?;
        let assignments = env_file::parse(&text).map_err(|why| {
            Unusable::File(format!("--env-file {shown}, line {}: {}", why.line, why.problem))
        })?;
        file.extend(assignments);
    }
    let mut environment = HashMap::new();
    let mut errors = Vec::new();
    // A variable whose name is not Unicode cannot be one of ours; one whose value is not can.
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                environment.insert(name, value);
            }
            (Ok(name), Err(_)) => errors.extend(table::find(&name).map(|setting| SettingError {
                name: setting.name,
                problem: "it is not UTF-8".to_owned(),
            })),
            _ => {}
        }
    }
    match from(environment, file) {
        Ok(settings) if errors.is_empty() => Ok(settings),
        Ok(_) => Err(Unusable::Settings(errors)),
        Err(more) => {
            errors.extend(more);
            Err(Unusable::Settings(errors))
        }
    }
}

/// Settings from an environment and the assignments of a file.
///
/// # Errors
/// Every malformed setting.
pub fn from(
    environment: HashMap<String, String>,
    file: HashMap<String, String>,
) -> Result<Settings, Vec<SettingError>> {
    let state_fallback = environment
        .get("STATE_DIRECTORY")
        // systemd separates several directories by colons; the first is ours.
        .and_then(|list| list.split(':').next())
        .filter(|path| !path.is_empty())
        .unwrap_or("./state")
        .to_owned();
    let mut reader = Reader::new(environment, file);
    let settings = typed(&mut reader, &state_fallback);
    if reader.errors.is_empty() { Ok(settings) } else { Err(reader.errors) }
}

fn typed(reader: &mut Reader, state_fallback: &str) -> Settings {
    let inbound_url = inbound_url(reader);
    let inbound_secret = reader.secret("AIHUMMER_INBOUND_SECRET");
    let (portal, portal_missing) = portal(reader);
    let oauth_servers = oauth_servers(reader);
    let consent_url = consent_url(reader);
    let agents = agents(reader);
    let channel = reader.parsed("BITRIX24_CHANNEL", channel);
    let signings = [("raw", Signing::Raw), ("hmac-sha256", Signing::HmacSha256)];
    let signing = reader.choice("BITRIX24_INBOUND_SIGNING", &signings, Signing::Raw);
    let inbound_extra = reader.switch("BITRIX24_INBOUND_EXTRA", false);
    let groups = [
        ("addressed", GroupPolicy::Addressed),
        ("all", GroupPolicy::All),
        ("off", GroupPolicy::Off),
    ];
    let group_messages = reader.choice("BITRIX24_GROUP_MESSAGES", &groups, GroupPolicy::Addressed);
    let prefixes = [
        ("group", SenderPrefix::Group),
        ("always", SenderPrefix::Always),
        ("never", SenderPrefix::Never),
    ];
    let sender_prefix = reader.choice("BITRIX24_SENDER_PREFIX", &prefixes, SenderPrefix::Group);
    let allowed = reader.parsed("BITRIX24_DEPARTMENTS", Allowed::parse);
    let denied = reader.parsed("BITRIX24_DEPARTMENTS_DENIED", acl::parse_departments);
    let departments =
        acl::Rule { allowed: allowed.unwrap_or(Allowed::Own), denied: denied.unwrap_or_default() };
    let denied_reply = reader.parsed("BITRIX24_DENIED_REPLY", denied_reply);
    let read_marks = reader.switch("BITRIX24_READ_MARKS", true);
    let mention_all = reader.switch("BITRIX24_MENTION_ALL", false);
    let typings = [
        ("auto", TypingPolicy::Auto),
        ("explicit", TypingPolicy::Explicit),
        ("off", TypingPolicy::Off),
    ];
    let typing = reader.choice("BITRIX24_TYPING", &typings, TypingPolicy::Auto);
    let media_hosts = reader.parsed("BITRIX24_MEDIA_HOSTS", Hosts::parse);
    let media_hosts = media_hosts.unwrap_or_else(|| Hosts::gateway(&inbound_url));
    let control_addr = reader.address("BITRIX24_CONTROL_ADDR", "127.0.0.1:8810");
    let deliver_addr = reader.address("BITRIX24_DELIVER_ADDR", "127.0.0.1:8080");
    let consent_addr = reader.address("BITRIX24_CONSENT_ADDR", "127.0.0.1:8791");
    let deliver_secret =
        reader.secret("BITRIX24_DELIVER_SECRET").or_else(|| inbound_secret.clone());
    let control_secret = reader.secret("BITRIX24_CONTROL_SECRET");
    if !deliver_addr.ip().is_loopback() && deliver_secret.is_none() {
        reader.wrong(
            "BITRIX24_DELIVER_SECRET",
            format!("{deliver_addr} is reachable from other machines, so a secret is required"),
        );
    }
    let state_dir = reader.text("BITRIX24_STATE_DIR").unwrap_or_else(|| state_fallback.to_owned());
    let master_key = master_key(reader);
    let ca_file = reader.parsed("BITRIX24_CA_FILE", ca_file);
    let proxy = reader.url("BITRIX24_PROXY_URL");
    let no_proxy = reader.list("NO_PROXY");
    let rates = [
        ("auto", RateRule::Auto),
        ("2/50", RateRule::Fixed(Rate::STANDARD)),
        ("5/250", RateRule::Fixed(Rate::ENTERPRISE)),
        ("off", RateRule::Off),
    ];
    let rate = reader.choice("BITRIX24_RATE", &rates, RateRule::Auto);
    let (least, most) = (limits::POLL_INTERVAL_MIN, limits::POLL_INTERVAL_MAX);
    let poll_active = reader.millis("BITRIX24_POLL_ACTIVE_MS", least, most, Duration::from_secs(1));
    let poll_idle = reader.millis("BITRIX24_POLL_IDLE_MS", least, most, Duration::from_secs(10));
    let delivery_workers = reader.number("BITRIX24_DELIVERY_WORKERS", 1, 64, 8);
    let (least, most) = (limits::RETENTION_DAYS_MIN, limits::RETENTION_DAYS_MAX);
    let retention = reader.number("BITRIX24_RETENTION_DAYS", least, most, 45);
    let log_filter = reader.parsed("BITRIX24_LOG", log_filter);
    let formats = [("text", Format::Text), ("json", Format::Json)];
    let log_format = reader.choice("BITRIX24_LOG_FORMAT", &formats, Format::Text);
    Settings {
        inbound_url,
        inbound_secret,
        portal,
        portal_missing,
        oauth_servers,
        consent_url,
        agents,
        channel: channel.unwrap_or_else(|| "bitrix24".to_owned()),
        signing,
        inbound_extra,
        group_messages,
        sender_prefix,
        departments,
        denied_reply,
        read_marks,
        mention_all,
        typing,
        media_hosts,
        control_addr,
        deliver_addr,
        consent_addr,
        deliver_secret,
        control_secret,
        state_dir: PathBuf::from(state_dir),
        master_key,
        ca_file,
        proxy,
        no_proxy,
        rate,
        poll_active,
        poll_idle,
        delivery_workers: usize::try_from(delivery_workers).unwrap_or(8),
        retention: Duration::from_secs(retention * 24 * 3600),
        log_filter: log_filter.unwrap_or_else(|| "info".to_owned()),
        log_format,
        warnings: warnings(reader),
        sources: reader.sources.clone(),
    }
}

/// A bare origin gets the gateway's path; a URL with a path is used as given.
fn inbound_url(reader: &mut Reader) -> Url {
    let default = || Url::parse("http://127.0.0.1:8765").expect("the default gateway is valid");
    let mut url = reader.url("AIHUMMER_INBOUND_URL").unwrap_or_else(default);
    if matches!(url.path(), "" | "/") {
        url.set_path("/v1/inbound/generic");
    }
    url
}

/// The portal, its application if there is one, and the names of those settings of the two that are
/// still missing. A portal without internet access has no application, and its agents have webhooks.
fn portal(reader: &mut Reader) -> (Option<PortalSettings>, Vec<&'static str>) {
    let url = reader.parsed("BITRIX24_PORTAL_URL", portal_url);
    let client_id = reader.text("BITRIX24_CLIENT_ID");
    let client_secret = reader.secret("BITRIX24_CLIENT_SECRET");
    let missing = [
        ("BITRIX24_PORTAL_URL", url.is_none()),
        ("BITRIX24_CLIENT_ID", client_id.is_none()),
        ("BITRIX24_CLIENT_SECRET", client_secret.is_none()),
    ];
    let missing = missing.into_iter().filter(|(_, absent)| *absent).map(|(name, _)| name).collect();
    let client = client_id.zip(client_secret).map(|(id, secret)| Client { id, secret });
    (url.map(|url| PortalSettings { url, client }), missing)
}

/// Never repeats the text: people paste what they have, and that may be the address of a webhook,
/// which is a secret.
fn portal_url(text: &str) -> Result<Url, String> {
    let with_scheme =
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&with_scheme).map_err(|why| format!("it is not a URL ({why})"))?;
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() || !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with https:// and the portal's host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the portal's URL carries no user name and no password".to_owned());
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|ip| ip.is_loopback());
    if url.scheme() == "http" && !loopback {
        return Err("it is not encrypted; only https:// carries credentials".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("it has more than scheme and host; leave the rest out".to_owned());
    }
    Ok(url)
}

fn oauth_servers(reader: &mut Reader) -> Vec<Url> {
    let mut entries = reader.list("BITRIX24_OAUTH_SERVERS");
    if entries.is_empty() {
        entries = vec!["oauth.bitrix.info".to_owned(), "oauth.bitrix24.tech".to_owned()];
    }
    let mut servers = Vec::new();
    for (number, entry) in (1..).zip(&entries) {
        match oauth::server_origin(entry) {
            Some(server) => servers.push(server),
            None => reader.wrong(
                "BITRIX24_OAUTH_SERVERS",
                format!("entry {number} is neither a host nor a loopback http:// origin"),
            ),
        }
    }
    servers
}

fn consent_url(reader: &mut Reader) -> Url {
    let default = || Url::parse("http://localhost:8791").expect("the default consent URL is valid");
    let url = reader.url("BITRIX24_CONSENT_URL");
    if url.as_ref().is_some_and(|url| url.query().is_some()) {
        reader.wrong("BITRIX24_CONSENT_URL", "it has a ? part; links are made by adding to it");
    }
    url.unwrap_or_else(default)
}

fn master_key(reader: &mut Reader) -> Option<Secret> {
    let key = reader.secret("BITRIX24_MASTER_KEY");
    if key.as_ref().is_some_and(|key| !vault::is_key(key)) {
        reader.wrong("BITRIX24_MASTER_KEY", "it is not base64 of 32 bytes");
    }
    key
}

fn agents(reader: &mut Reader) -> Vec<AgentName> {
    let mut agents = Vec::new();
    for entry in reader.list("BITRIX24_AGENTS") {
        match AgentName::parse(&entry) {
            Some(name) if !agents.contains(&name) => agents.push(name),
            Some(_) => {}
            None => reader.wrong(
                "BITRIX24_AGENTS",
                format!(
                    "{entry:?} is no agent name: up to 39 lower-case letters, digits and hyphens, \
                     beginning with a letter or digit"
                ),
            ),
        }
    }
    agents
}

fn channel(text: &str) -> Result<String, String> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() <= 64 && text.chars().all(word) {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a channel name of up to 64 letters, digits, - _ ."))
    }
}

fn denied_reply(text: &str) -> Result<String, String> {
    let most = limits::DENIED_REPLY_CHARS_MAX;
    if text.chars().count() > most {
        return Err(format!("it is longer than {most} characters"));
    }
    Ok(text.to_owned())
}

fn ca_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    transport::ca_roots(&path).map(|_| path)
}

fn log_filter(text: &str) -> Result<String, String> {
    if log::is_filter(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a list of levels (off, error, warn, info, debug, trace) for this program \
         or for modules of it"
    ))
}

fn warnings(reader: &Reader) -> Vec<String> {
    let unknown = reader.unknown().into_iter();
    let told = unknown.map(|(name, nearest)| match nearest {
        Some(nearest) => format!("{name} is not a setting; did you mean {nearest}?"),
        None => format!("{name} is not a setting and has no effect"),
    });
    told.collect()
}

#[cfg(test)]
mod tests;
