//! Fetches a file that a Deliver call names by URL, from hosts that the operator allows, onto the
//! shelf. Owns the HTTP client for that: nothing goes along but the request, no redirect is followed
//! and no address connected to that `Hosts` was not asked about, and time and size are bounded.
//! Refuses to know deliveries and what becomes of a failure. Called by `execute`.

mod address;
mod hosts;

use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use ureq::Agent;
use ureq::Body;
use ureq::Error;
use ureq::config::Config;
use ureq::http::HeaderMap;
use ureq::http::Response;
use ureq::http::Uri;
use ureq::http::header::ACCEPT_ENCODING;
use ureq::http::header::CONTENT_ENCODING;
use ureq::http::header::LOCATION;
use ureq::http::header::RETRY_AFTER;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::Buffers;
use ureq::unversioned::transport::ConnectionDetails;
use ureq::unversioned::transport::Connector;
use ureq::unversioned::transport::DefaultConnector;
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::Transport;
use url::Url;

use crate::base::clock;
use crate::limits;
use crate::outbound::shelf::Kept;
use crate::outbound::shelf::Shelf;
use hosts::place;

pub use hosts::Hosts;
pub use hosts::Refused;

/// Why no file came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchFailure {
    /// Whether it may come another time.
    pub again: bool,
    /// What is wrong, for people; of the URL it has the host only.
    pub sentence: String,
    /// How long the host asks to wait.
    pub retry_after: Option<Duration>,
}

impl FetchFailure {
    fn for_good(sentence: String) -> FetchFailure {
        FetchFailure { again: false, sentence, retry_after: None }
    }

    fn for_now(sentence: String) -> FetchFailure {
        FetchFailure { again: true, sentence, retry_after: None }
    }
}

impl From<Refused> for FetchFailure {
    fn from(refused: Refused) -> FetchFailure {
        FetchFailure::for_good(refused.to_string())
    }
}

/// The client. Cloning shares it.
#[derive(Clone)]
pub struct Fetcher {
    hosts: Arc<Hosts>,
    agent: Agent,
    /// How long one file may take in all.
    whole: Duration,
    stopping: Arc<AtomicBool>,
}

impl Fetcher {
    /// Builds the client; connects to nothing yet. `tls` says whom to trust: `bitrix::transport::trust`.
    pub fn new(hosts: Hosts, tls: TlsConfig) -> Fetcher {
        Fetcher::with(hosts, tls, Patience::USUAL, DefaultResolver::default())
    }

    fn with(hosts: Hosts, tls: TlsConfig, patience: Patience, names: impl Resolver) -> Fetcher {
        let hosts = Arc::new(hosts);
        let config = Agent::config_builder()
            .tls_config(tls)
            // Without this line ureq would take one from the environment, and what the proxy
            // connects to is out of our sight.
            .proxy(None)
            .http_status_as_error(false)
            // Followed by hand, because each hop has to be allowed.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("aihummer-bitrix24/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(limits::MEDIA_CONNECT_MAX))
            .timeout_connect(Some(limits::MEDIA_CONNECT_MAX))
            .timeout_recv_response(Some(patience.silence))
            .timeout_per_read(Some(patience.silence))
            .timeout_per_write(Some(patience.silence))
            // Files come rarely: a kept connection would be gone when the next one is due.
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        let names = Allowed { hosts: Arc::clone(&hosts), names };
        let agent = Agent::with_parts(config, Watching::default(), names);
        Fetcher { hosts, agent, whole: patience.whole, stopping: Arc::default() }
    }

    /// The hosts that are allowed, to refuse a delivery before it is accepted.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Fetches a file of at most `bytes_max` bytes onto the shelf. Waits for it, at most
    /// [`limits::MEDIA_FETCH_MAX`].
    ///
    /// # Errors
    /// See [`FetchFailure`]; nothing is then left on the shelf.
    pub fn fetch(&self, url: &Url, shelf: &Shelf, bytes_max: u64) -> Result<Kept, FetchFailure> {
        let end = Instant::now() + self.whole;
        let mut url = url.clone();
        url.set_fragment(None);
        for _hop in 0..=limits::MEDIA_REDIRECTS_MAX {
            self.hosts.check(&url)?;
            let answer = self.ask(&url, end)?;
            let status = answer.status().as_u16();
            let location = answer.headers().get(LOCATION).map(|location| location.as_bytes());
            match (status, location) {
                (200 | 203, _) => return self.keep(&url, answer, shelf, bytes_max),
                (301 | 302 | 303 | 307 | 308, Some(location)) => url = next(&url, location)?,
                _ => return Err(not_a_file(&url, status, answer.headers())),
            }
        }
        Err(FetchFailure::for_good(format!("{} redirects without end", place(&url))))
    }

    /// Cuts every fetch in progress and refuses new ones, for the end of the process: they fail as
    /// something to try again.
    pub fn shutdown(&self) {
        // INVARIANT: set before anything is cut, because the end of a body without a length looks
        // like its cut.
        self.stopping.store(true, Ordering::SeqCst);
        self.agent.clone().shutdown();
    }

    fn ask(&self, url: &Url, end: Instant) -> Result<Response<Body>, FetchFailure> {
        self.go_on(())?;
        let left = end.saturating_duration_since(Instant::now());
        let request = self.agent.get(url.as_str()).config().timeout_global(Some(left)).build();
        // What is stored has to be the file, not a form of it for the way.
        let answer = request.header(ACCEPT_ENCODING, "identity").call();
        answer.or_else(|error| self.go_on(()).and(Err(trouble(url, &error))))
    }

    fn keep(
        &self,
        url: &Url,
        answer: Response<Body>,
        shelf: &Shelf,
        bytes_max: u64,
    ) -> Result<Kept, FetchFailure> {
        let place = place(url);
        if encoded(answer.headers()) {
            let sentence = format!("{place} sends the file in an encoding that was not asked for");
            return Err(FetchFailure::for_good(sentence));
        }
        let too_large = || {
            FetchFailure::for_good(format!("the file at {place} has more than {bytes_max} bytes"))
        };
        let empty = || FetchFailure::for_good(format!("the file at {place} is empty"));
        let body = answer.into_body();
        match body.content_length() {
            Some(0) => return Err(empty()),
            Some(length) if length > bytes_max => return Err(too_large()),
            _ => {}
        }
        let not_stored = |why: io::Error| match why.kind() {
            io::ErrorKind::FileTooLarge => too_large(),
            io::ErrorKind::ResourceBusy => {
                FetchFailure::for_now("too many files wait for the portal".to_owned())
            }
            _ => FetchFailure::for_now(format!("the file cannot be stored here: {why}")),
        };
        let mut filling = shelf.begin(bytes_max).map_err(not_stored)?;
        let mut reader = body.into_reader();
        let mut piece = vec![0; limits::MEDIA_PIECE_BYTES];
        // Bounded: the shelf takes `bytes_max` bytes, and the client stops at its time.
        loop {
            let read = reader.read(&mut piece).map_err(Error::from);
            let count = read.or_else(|error| self.go_on(()).and(Err(trouble(url, &error))))?;
            if count == 0 {
                break;
            }
            filling.write_all(&piece[..count]).map_err(not_stored)?;
        }
        self.go_on(())?;
        if filling.bytes() == 0 {
            return Err(empty());
        }
        filling.finish().map_err(not_stored)
    }

    /// Passes on what it is given, unless the connector stops.
    fn go_on<T>(&self, value: T) -> Result<T, FetchFailure> {
        if self.stopping.load(Ordering::SeqCst) {
            return Err(FetchFailure::for_now("the connector is stopping".to_owned()));
        }
        Ok(value)
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

/// How long a host may take; tests have less.
#[derive(Clone, Copy)]
struct Patience {
    /// Without a byte.
    silence: Duration,
    /// In all.
    whole: Duration,
}

impl Patience {
    const USUAL: Patience =
        Patience { silence: limits::MEDIA_SILENCE_MAX, whole: limits::MEDIA_FETCH_MAX };
}

/// Where a redirect leads; whether that is allowed is asked before it is followed.
fn next(from: &Url, location: &[u8]) -> Result<Url, FetchFailure> {
    let to = std::str::from_utf8(location).ok().and_then(|location| from.join(location).ok());
    let Some(mut to) = to else {
        let sentence = format!("{} redirects to what is no URL", place(from));
        return Err(FetchFailure::for_good(sentence));
    };
    if from.scheme() == "https" && to.scheme() == "http" {
        let (from, to) = (place(from), place(&to));
        let sentence = format!("{from} redirects from https to http ({to}), which is not followed");
        return Err(FetchFailure::for_good(sentence));
    }
    to.set_fragment(None);
    Ok(to)
}

/// Whether the body is not the bytes of the file.
fn encoded(headers: &HeaderMap) -> bool {
    let plain = |value: &[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !plain(value.as_bytes()))
}

/// An answer that has no file.
fn not_a_file(url: &Url, status: u16, headers: &HeaderMap) -> FetchFailure {
    let again = matches!(status, 408 | 425 | 429 | 500..=599);
    let wait = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    let wait = wait.filter(|_| again).and_then(|wait| clock::retry_after(wait, clock::now()));
    FetchFailure {
        again,
        sentence: format!("{} answers {status} instead of the file", place(url)),
        retry_after: wait.map(|wait| wait.min(limits::MEDIA_RETRY_AFTER_MAX)),
    }
}

fn trouble(url: &Url, error: &Error) -> FetchFailure {
    let place = place(url);
    let what = match (error, handshake(error)) {
        (Error::Other(inner), _) => match inner.downcast_ref::<Refused>() {
            Some(refused) => return FetchFailure::from(refused.clone()),
            None => "broke the connection off",
        },
        (Error::BadUri(_) | Error::Http(_), _) => {
            let sentence = format!("the media URL at {place} cannot be asked for");
            return FetchFailure::for_good(sentence);
        }
        (_, Some(rustls::Error::InvalidCertificate(_))) => {
            "has a certificate that is not trusted: see BITRIX24_CA_FILE"
        }
        (Error::Tls(_), _) | (_, Some(_)) => "does not speak TLS",
        (Error::HostNotFound, _) => "is not known to the name server",
        (Error::Timeout(_), _) => "takes too long",
        (Error::Io(why), _) if why.kind() == io::ErrorKind::ConnectionRefused => {
            "refuses connections"
        }
        (Error::Io(_), _) => "broke the connection off",
        _ => "gives an answer that is not HTTP",
    };
    FetchFailure::for_now(format!("{place} {what}"))
}

/// What TLS says is wrong.
fn handshake(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Rustls(why) => Some(why),
        // rustls reports a failed handshake through io::Error.
        Error::Io(why) => why.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    }
}

/// Asks for the addresses of a name and leaves out those that are not allowed. What is left is what
/// is connected to, so that no second answer of a name server can lead elsewhere.
#[derive(Debug)]
struct Allowed<R> {
    hosts: Arc<Hosts>,
    names: R,
}

impl<R: Resolver> Resolver for Allowed<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let refuse = |refused: Refused| Error::Other(Box::new(refused));
        let url = Url::parse(&uri.to_string()).map_err(|why| Error::BadUri(why.to_string()))?;
        self.hosts.check(&url).map_err(refuse)?;
        let found = self.names.resolve(uri, config, timeout).map_err(|error| match error {
            // A name without addresses is an io::Error without a kind of its own.
            Error::Io(_) => Error::HostNotFound,
            error => error,
        })?;
        let mut allowed = self.empty();
        let mut refused = None;
        // More never come out of a resolver, and one too many would be a panic.
        for address in found.iter().take(limits::NAME_ADDRESSES_MAX) {
            match self.hosts.check_address(&url, address.ip()) {
                Ok(()) => allowed.push(*address),
                Err(why) => refused = Some(why),
            }
        }
        match refused {
            _ if !allowed.is_empty() => Ok(allowed),
            Some(why) => Err(refuse(why)),
            None => Err(Error::HostNotFound),
        }
    }
}

/// Makes connections that [`Watched`] looks at.
#[derive(Debug, Default)]
struct Watching(DefaultConnector);

/// A connection whose breaking is an error. ureq takes a reset for the end of a body that has no
/// length, and a part of a file for the file.
#[derive(Debug)]
struct Watched<T>(T);

impl Connector for Watching {
    type Out = Watched<<DefaultConnector as Connector>::Out>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(self.0.connect(details, chained)?.map(Watched))
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout).map_err(|error| match error {
            // The kinds that ureq reads as an end; an orderly end is not an error.
            Error::Io(why)
                if matches!(
                    why.kind(),
                    io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                ) =>
            {
                Error::Io(io::ErrorKind::BrokenPipe.into())
            }
            error => error,
        })
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
