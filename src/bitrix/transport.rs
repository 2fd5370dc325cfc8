//! HTTP to the portal and to authorization servers: one agent with a limit on every phase, no
//! redirects, certificates always verified. Says for each failure whether the request may have been
//! carried out. Knows no method, no token and no JSON.

use std::fmt;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::Error;
use ureq::Proxy;
use ureq::ProxyProtocol;
use ureq::RequestBuilder;
use ureq::SendBody;
use ureq::Timeout;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::header::CONTENT_LENGTH;
use ureq::http::header::DATE;
use ureq::http::header::EXPECT;
use ureq::http::header::LOCATION;
use ureq::http::header::RETRY_AFTER;
use ureq::tls::Certificate;
use ureq::tls::PemItem;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::tls::parse_pem;
use ureq::typestate::WithBody;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::ConnectionDetails;
use ureq::unversioned::transport::Connector;
use ureq::unversioned::transport::DefaultConnector;
use ureq::unversioned::transport::NextTimeout;
use url::Url;

use crate::base::clock;
use crate::base::clock::UnixMs;
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
#[derive(Debug, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
    /// A redirect to another host: what the old address of a renamed portal answers.
    pub elsewhere: bool,
    /// How long it asks to wait. The portal itself never does; what stands before it may
    /// (b24: transport §2.3).
    pub retry_after: Option<Duration>,
    /// What the clock of whoever answered shows, in whole seconds.
    pub date: Option<UnixMs>,
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
        let agent = Agent::with_parts(config, Connecting::default(), Resolving::default());
        Ok(Transport { agent })
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn post_json(&self, url: &Url, body: &[u8]) -> Result<Reply, Trouble> {
        whole(url, self.json_request(url).send(body), limits::PORTAL_BODY_BYTES_MAX)
    }

    /// Posts JSON of so many bytes that is made while it is sent; a long one has more time.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn post_long_json(
        &self,
        url: &Url,
        body: &mut dyn Read,
        bytes: u64,
    ) -> Result<Reply, Trouble> {
        let time = send_time(bytes);
        let mut request = self
            .json_request(url)
            .config()
            .timeout_send_body(Some(time))
            .timeout_global(Some(limits::PORTAL_CALL_MAX + time))
            .build()
            // With a length it is not sent in chunks, which not every server before PHP takes.
            .header(CONTENT_LENGTH, bytes);
        if bytes >= limits::PORTAL_EXPECT_BYTES_MIN {
            // A server that does not take so much says so before it is sent (b24: transport §3.3);
            // later it would cut the connection, which looks like an unknown outcome. Servers know
            // it from curl, and one that keeps silent costs a second.
            request = request.header(EXPECT, "100-continue");
        }
        let answer = request.send(SendBody::from_reader(body));
        whole(url, answer, limits::PORTAL_BODY_BYTES_MAX)
    }

    fn json_request(&self, url: &Url) -> RequestBuilder<WithBody> {
        let request = self.agent.post(url.as_str());
        request.header("content-type", "application/json").header("accept", "application/json")
    }

    /// Gets a short answer. The URL may carry secrets, so no failure names it.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn get(&self, url: &Url) -> Result<Reply, Trouble> {
        let request = self.agent.get(url.as_str()).header("accept", "application/json");
        whole(url, request.call(), limits::OAUTH_BODY_BYTES_MAX)
    }

    /// Asks who is there, within a time, and presents nothing: posts JSON when some is given, else
    /// gets. For whoever looks whether a way is open.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn knock(
        &self,
        url: &Url,
        json: Option<&[u8]>,
        within: Duration,
    ) -> Result<Reply, Trouble> {
        let within = Some(within);
        let answer = match json {
            Some(body) => {
                let request = self.json_request(url);
                request.config().timeout_global(within).build().send(body)
            }
            None => self.agent.get(url.as_str()).config().timeout_global(within).build().call(),
        };
        whole(url, answer, limits::OAUTH_BODY_BYTES_MAX)
    }

    /// Interrupts calls in progress; later calls fail.
    pub fn shutdown(&self) {
        self.agent.clone().shutdown();
    }
}

/// How long sending a body may take: what any call has, and what a slow line needs for its size.
fn send_time(bytes: u64) -> Duration {
    let needed = Duration::from_secs(bytes / limits::PORTAL_UPLOAD_BYTES_PER_S_MIN);
    (limits::PORTAL_SEND_MAX + needed).min(limits::PORTAL_UPLOAD_MAX)
}

/// Where a connection is made, so that what fails there is known to have sent nothing. Later the
/// same errors mean that the request was on its way: `ureq` does not tell them apart.
#[derive(Debug, Default)]
struct Connecting(DefaultConnector);

/// The same for names.
#[derive(Debug, Default)]
struct Resolving(Names);

/// An error from before the first byte of the request.
#[derive(Debug)]
struct Unsent(Error);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unsent {}

impl Connector for Connecting {
    type Out = <DefaultConnector as Connector>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        self.0.connect(details, chained).map_err(unsent)
    }
}

impl Resolver for Resolving {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, timeout).map_err(|error| match error {
            // A resolver that cannot be reached is an io::Error without a kind of its own.
            Error::Io(_) => unsent(Error::HostNotFound),
            error => unsent(error),
        })
    }
}

fn unsent(error: Error) -> Error {
    match error {
        // A connection to a proxy comes through here twice.
        Error::Other(inner) if inner.is::<Unsent>() => Error::Other(inner),
        error => Error::Other(Box::new(Unsent(error))),
    }
}

fn whole(
    url: &Url,
    answer: Result<ureq::http::Response<ureq::Body>, Error>,
    bytes_max: u64,
) -> Result<Reply, Trouble> {
    let mut answer = answer.map_err(|error| trouble(&error))?;
    let status = answer.status().as_u16();
    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    let elsewhere = (300..400).contains(&status)
        && target.is_some_and(|target| {
            target.host() != url.host()
                || target.port_or_known_default() != url.port_or_known_default()
        });
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    let retry_after = retry_after.and_then(|wait| clock::retry_after(wait, clock::now()));
    let retry_after = retry_after.map(|wait| wait.min(limits::PORTAL_RETRY_AFTER_MAX));
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(clock::parse_http_date);
    let body = answer.body_mut().with_config().limit(bytes_max).read_to_vec();
    match body {
        Ok(body) => Ok(Reply { status, body, elsewhere, retry_after, date }),
        Err(Error::BodyExceedsLimit(_)) => Err(Trouble::NoAnswer("answer_too_large")),
        Err(Error::Timeout(_)) => Err(Trouble::NoAnswer("timeout_body")),
        Err(_) => Err(Trouble::NoAnswer("answer_cut")),
    }
}

fn trouble(error: &Error) -> Trouble {
    match error {
        Error::Other(inner) => match inner.downcast_ref::<Unsent>() {
            Some(Unsent(error)) => not_sent(error),
            None => Trouble::NoAnswer("broken_answer"),
        },
        Error::BadUri(_) | Error::Http(_) => Trouble::NotSent("bad_url"),
        Error::Timeout(_) => Trouble::NoAnswer("timeout"),
        Error::Io(_) => Trouble::NoAnswer("connection_cut"),
        _ => Trouble::NoAnswer("broken_answer"),
    }
}

fn not_sent(error: &Error) -> Trouble {
    Trouble::NotSent(match error {
        Error::HostNotFound => "host_not_found",
        Error::Timeout(Timeout::Resolve) => "timeout_resolve",
        Error::Timeout(_) => "timeout_connect",
        Error::BadUri(_) => "bad_url",
        Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => "proxy_failed",
        Error::Rustls(error) => return handshake(error),
        Error::Tls(_) => "tls_failed",
        Error::Io(error) => {
            // rustls reports a failed handshake through io::Error.
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match (inner, error.kind()) {
                (Some(error), _) => return handshake(error),
                (None, io::ErrorKind::ConnectionRefused) => "connection_refused",
                (None, io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                    "unreachable"
                }
                (None, io::ErrorKind::AddrNotAvailable) => "no_local_address",
                _ => "connection_failed",
            }
        }
        _ => "connection_failed",
    })
}

fn handshake(error: &rustls::Error) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(why) => Trouble::Certificate(format!("{why:?}")),
        _ => Trouble::NotSent("tls_failed"),
    }
}

fn proxy(options: &TransportOptions) -> Result<Option<Proxy>, String> {
    let Some(url) = &options.proxy else { return Ok(None) };
    let host = url.host_str().unwrap_or_default();
    let protocol = if url.scheme() == "https" { ProxyProtocol::Https } else { ProxyProtocol::Http };
    let mut builder =
        Proxy::builder(protocol).host(host).port(url.port_or_known_default().unwrap_or(3128));
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
    let bundle = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let roots = RootCerts::Specific(Arc::new(roots(bundle, ca_file)?));
    Ok(TlsConfig::builder().root_certs(roots).build())
}

/// `configured` stands for the distribution's bundle when it can be read.
fn roots(
    configured: Option<PathBuf>,
    ca_file: Option<&Path>,
) -> Result<Vec<Certificate<'static>>, String> {
    let mut roots = Vec::new();
    if let Some(why) = configured.as_ref().and_then(|path| fs::read(path).err()) {
        log::warn!("ssl_cert_file_passed_over reason={why}");
    }
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
    let usable = |certificate: Result<_, ()>| certificate.ok().filter(is_certificate);
    let roots: Option<Vec<_>> = certificates(&bytes).map(usable).collect();
    let roots = roots.ok_or_else(|| format!("{shown}: not a PEM file of certificates"))?;
    if roots.is_empty() { Err(format!("{shown}: no certificate in it")) } else { Ok(roots) }
}

/// Whether it can be a root at all; one that cannot would be passed over without a word.
fn is_certificate(certificate: &Certificate<'static>) -> bool {
    let der = rustls::pki_types::CertificateDer::from(certificate.der());
    rustls::RootCertStore::empty().add(der).is_ok()
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = Result<Certificate<'static>, ()>> + '_ {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(_) => Some(Err(())),
    })
}

#[cfg(test)]
mod tests;
