//! Names to addresses for the HTTP clients, kept for a while. ureq resolves before it looks for a
//! kept connection: every call would cost a lookup and a thread for it, and no call would work
//! while the name server is away, however well the peer is. Refuses to know who the peers are.
//! Called by ureq for `bitrix::transport` and `gateway`.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::NextTimeout;

use crate::limits;

/// The addresses of names, as they were when last asked for.
pub struct Names<R = DefaultResolver> {
    /// Asks the system.
    system: R,
    /// How long an answer is good.
    keep: Duration,
    known: Mutex<HashMap<String, Known>>,
}

/// What a name meant, and when it is to be asked for again.
struct Known {
    addresses: Vec<SocketAddr>,
    good_until: Instant,
}

impl Default for Names {
    fn default() -> Names {
        Names::with(DefaultResolver::default(), limits::NAME_KEPT)
    }
}

impl<R> Names<R> {
    fn with(system: R, keep: Duration) -> Names<R> {
        Names { system, keep, known: Mutex::new(HashMap::new()) }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // Whole entries only; a panic leaves nothing half done in them.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, name: String, addresses: Vec<SocketAddr>) {
        let mut known = self.known();
        if known.len() >= limits::NAMES_MAX {
            known.clear();
        }
        known.insert(name, Known { addresses, good_until: Instant::now() + self.keep });
    }
}

impl<R: Resolver> Resolver for Names<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let parts = uri.scheme().zip(uri.authority());
        let name = parts.and_then(|(s, a)| DefaultResolver::host_and_port(s, a));
        let name = name.ok_or(Error::HostNotFound)?;
        if let Ok(address) = name.parse() {
            return Ok(listed(self, &[address]));
        }
        let known =
            self.known().get(&name).map(|known| (known.addresses.clone(), known.good_until));
        if let Some((addresses, good_until)) = &known
            && Instant::now() < *good_until
        {
            return Ok(listed(self, addresses));
        }
        // No lock is held: the system may take as long as the timeout allows.
        match (self.system.resolve(uri, config, timeout), known) {
            (Ok(found), _) => {
                self.keep(name, found.to_vec());
                Ok(found)
            }
            // The peer is probably still where it was, and its certificate tells whether it is the
            // peer. Good for a while again, or every call would wait for a server that is away.
            (Err(why), Some((addresses, _))) => {
                log::warn!("name_not_resolved host={name} reason={why} use=last_known");
                self.keep(name, addresses.clone());
                Ok(listed(self, &addresses))
            }
            (Err(why), None) => Err(why),
        }
    }
}

/// As many addresses as ureq takes.
fn listed(resolver: &impl Resolver, addresses: &[SocketAddr]) -> ResolvedSocketAddrs {
    let mut list = resolver.empty();
    // More never come out of a resolver, and one too many would be a panic.
    for address in addresses.iter().take(limits::NAME_ADDRESSES_MAX) {
        list.push(*address);
    }
    list
}

impl<R> fmt::Debug for Names<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use ureq::Error;
    use ureq::config::Config;
    use ureq::http::Uri;
    use ureq::unversioned::resolver::ResolvedSocketAddrs;
    use ureq::unversioned::resolver::Resolver;
    use ureq::unversioned::transport::NextTimeout;

    use super::Names;

    /// A name server that counts and can be away.
    #[derive(Clone, Debug, Default)]
    struct Server {
        asked: Arc<AtomicUsize>,
        away: Arc<AtomicBool>,
    }

    impl Resolver for Server {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            if self.away.load(Ordering::SeqCst) {
                return Err(Error::HostNotFound);
            }
            let mut found = self.empty();
            found.push(SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).expect("few"))));
            Ok(found)
        }
    }

    fn ask(names: &Names<Server>, uri: &'static str) -> Result<Vec<SocketAddr>, String> {
        let found =
            names.resolve(&Uri::from_static(uri), &Config::default(), NextTimeout::default());
        found.map(|found| found.to_vec()).map_err(|why| why.to_string())
    }

    #[test]
    fn an_address_needs_no_name_server() {
        let server = Server::default();
        let names = Names::with(server.clone(), Duration::ZERO);
        assert_eq!(ask(&names, "http://127.0.0.1:81/a"), Ok(vec!["127.0.0.1:81".parse().unwrap()]));
        assert_eq!(ask(&names, "https://[::1]/"), Ok(vec!["[::1]:443".parse().unwrap()]));
        assert_eq!(server.asked.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_name_is_asked_for_once_in_a_while_and_each_name_by_itself() {
        let server = Server::default();
        let names = Names::with(server.clone(), Duration::from_secs(3600));
        let first = ask(&names, "https://acme.example/rest/a").expect("found");
        assert_eq!(ask(&names, "https://acme.example/rest/b"), Ok(first.clone()));
        assert_ne!(ask(&names, "https://other.example/"), Ok(first.clone()));
        assert_ne!(ask(&names, "http://acme.example/"), Ok(first), "another port");
        assert_eq!(server.asked.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn what_is_old_is_asked_for_again_and_serves_while_the_server_is_away() {
        let server = Server::default();
        let names = Names::with(server.clone(), Duration::ZERO);
        let first = ask(&names, "https://acme.example/").expect("found");
        let second = ask(&names, "https://acme.example/").expect("found");
        assert_ne!(first, second, "an old answer is not believed");
        server.away.store(true, Ordering::SeqCst);
        assert_eq!(ask(&names, "https://acme.example/"), Ok(second.clone()));
        assert!(ask(&names, "https://unheard.example/").is_err());
        server.away.store(false, Ordering::SeqCst);
        assert_ne!(ask(&names, "https://acme.example/"), Ok(second));
    }
}
