//! HTTP to the portal and to authorization servers: one agent with a limit on every phase, no
//! redirects, certificates always verified. Says for each failure whether the request may have been
//! carried out. Knows no method, no token and no JSON.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use ureq::Agent;
use ureq::Error;
use ureq::Proxy;
use ureq::ProxyProtocol;
use ureq::Timeout;
use ureq::tls::Certificate;
use ureq::tls::PemItem;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::tls::parse_pem;
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use crate::base::names::Names;
use crate::limits;

/// Where distributions keep the roots that `update-ca-certificates` and the like maintain.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How to reach the outside.
#[derive(Clone, Debug, Default)]
pub struct TransportOptions {
    /// More PEM roots beside the distribution's.
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy.
    pub proxy: Option<Url>,
    /// Hosts reached without it.
    pub no_proxy: Vec<String>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The request never left: nothing happened. A word for the log.
    NotSent(&'static str),
    /// The peer's certificate is not trusted: nothing happened. What is wrong with it.
    Certificate(String),
    /// The request left and no whole answer came: it may have been carried out. A word for the log.
    NoAnswer(&'static str),
}

/// The HTTP client. Cloning shares its connections.
#[derive(Clone)]
pub struct Transport {
    agent: Agent,
}

impl Transport {
    /// Reads the trusted roots and builds the client.
    ///
    /// # Errors
    /// A text for the operator: the CA file or the proxy cannot be used.
    pub fn new(options: &TransportOptions) -> Result<Transport, String> {
        let tls = trust(options.ca_file.as_deref())?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // b24: transport §6 rule 13. A followed POST would turn into a GET and carry the token
            // to an unvalidated host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("aihummer-bitrix24/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy(options)?)
            .tls_config(tls)
            .timeout_resolve(Some(limits::PORTAL_RESOLVE_MAX))
            .timeout_connect(Some(limits::PORTAL_CONNECT_MAX))
            .timeout_send_request(Some(limits::PORTAL_SEND_MAX))
            .timeout_send_body(Some(limits::PORTAL_SEND_MAX))
            .timeout_recv_response(Some(limits::PORTAL_ANSWER_MAX))
            .timeout_recv_body(Some(limits::PORTAL_SEND_MAX))
            .timeout_global(Some(limits::PORTAL_CALL_MAX))
            .max_idle_connections(limits::PORTAL_IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(limits::PORTAL_IDLE_CONNECTIONS_MAX)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), Names::default());
        Ok(Transport { agent })
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn post_json(&self, url: &Url, body: &[u8]) -> Result<Reply, Trouble> {
        let request = self
            .agent
            .post(url.as_str())
            .header("content-type", "application/json")
            .header("accept", "application/json");
        whole(request.send(body))
    }

    /// Gets. The URL may carry secrets, so no failure names it.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn get(&self, url: &Url) -> Result<Reply, Trouble> {
        whole(self.agent.get(url.as_str()).header("accept", "application/json").call())
    }

    /// Interrupts calls in progress; later calls fail.
    pub fn shutdown(&self) {
        self.agent.clone().shutdown();
    }
}

fn whole(answer: Result<ureq::http::Response<ureq::Body>, Error>) -> Result<Reply, Trouble> {
    let mut answer = answer.map_err(|error| trouble(&error))?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(limits::PORTAL_BODY_BYTES_MAX).read_to_vec();
    match body {
        Ok(body) => Ok(Reply { status, body }),
        Err(Error::BodyExceedsLimit(_)) => Err(Trouble::NoAnswer("answer_too_large")),
        Err(Error::Timeout(_)) => Err(Trouble::NoAnswer("timeout_body")),
        Err(_) => Err(Trouble::NoAnswer("answer_cut")),
    }
}

fn trouble(error: &Error) -> Trouble {
    match error {
        Error::HostNotFound => Trouble::NotSent("host_not_found"),
        Error::ConnectionFailed => Trouble::NotSent("connection_failed"),
        Error::Timeout(Timeout::Resolve) => Trouble::NotSent("timeout_resolve"),
        Error::Timeout(Timeout::Connect) => Trouble::NotSent("timeout_connect"),
        Error::BadUri(_) | Error::Http(_) => Trouble::NotSent("bad_url"),
        Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => Trouble::NotSent("proxy_failed"),
        Error::Tls(text) => Trouble::Certificate((*text).to_owned()),
        Error::Rustls(error) => tls(&error.to_string()),
        Error::Io(error) => io_trouble(error),
        Error::Timeout(_) => Trouble::NoAnswer("timeout"),
        _ => Trouble::NoAnswer("broken_answer"),
    }
}

fn io_trouble(error: &io::Error) -> Trouble {
    // rustls reports a failed handshake through io::Error; nothing of the request was sent then.
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return tls(&error.to_string());
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Trouble::NotSent("connection_refused"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Trouble::NotSent("unreachable")
        }
        io::ErrorKind::AddrNotAvailable => Trouble::NotSent("no_local_address"),
        _ => Trouble::NoAnswer("connection_cut"),
    }
}

fn tls(text: &str) -> Trouble {
    if text.contains("certificate") {
        Trouble::Certificate(text.to_owned())
    } else {
        // An alert can also arrive after the request was sent.
        Trouble::NoAnswer("tls_failed")
    }
}

fn proxy(options: &TransportOptions) -> Result<Option<Proxy>, String> {
    let Some(url) = &options.proxy else { return Ok(None) };
    let host = url.host_str().unwrap_or_default();
    let mut builder = Proxy::builder(ProxyProtocol::Http)
        .host(host)
        .port(url.port_or_known_default().unwrap_or(3128));
    // Loopback is never reached through a proxy.
    let direct = ["localhost", "127.0.0.1", "[::1]"].into_iter();
    for host in direct.chain(options.no_proxy.iter().map(String::as_str)) {
        builder = builder.no_proxy(host);
    }
    builder.build().map(Some).map_err(|_| "BITRIX24_PROXY_URL: not a usable proxy".to_owned())
}

/// Whom to trust over TLS, for this client and the gateway's: the distribution's roots and those of
/// `ca_file`.
///
/// # Errors
/// A text for the operator: the CA file cannot be used.
pub fn trust(ca_file: Option<&Path>) -> Result<TlsConfig, String> {
    // Fails only when it was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = RootCerts::Specific(Arc::new(roots(ca_file)?));
    Ok(TlsConfig::builder().root_certs(roots).build())
}

fn roots(ca_file: Option<&Path>) -> Result<Vec<Certificate<'static>>, String> {
    let mut roots = Vec::new();
    let configured = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let bundles = configured.into_iter().chain(BUNDLES.iter().map(PathBuf::from));
    if let Some(bytes) = bundles.filter_map(|path| fs::read(path).ok()).next() {
        // One unreadable root among many is no reason to refuse all.
        roots.extend(certificates(&bytes).flatten());
    }
    if let Some(path) = ca_file {
        roots.extend(ca_roots(path).map_err(|why| format!("BITRIX24_CA_FILE: {why}"))?);
    }
    if roots.is_empty() {
        log::warn!("no_trusted_roots remedy=install_ca_certificates_or_set_BITRIX24_CA_FILE");
    }
    Ok(roots)
}

/// The certificates of a CA file, at least one.
///
/// # Errors
/// A text for the operator: why there is none.
pub fn ca_roots(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|why| format!("{shown}: {why}"))?;
    let roots: Result<Vec<_>, ()> = certificates(&bytes).collect();
    let roots = roots.map_err(|()| format!("{shown}: not a PEM file of certificates"))?;
    if roots.is_empty() { Err(format!("{shown}: no certificate in it")) } else { Ok(roots) }
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = Result<Certificate<'static>, ()>> + '_ {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(_) => Some(Err(())),
    })
}
