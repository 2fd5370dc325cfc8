//! Fetching from model hosts on loopback: what goes over the wire, which redirects are followed, what
//! lying hosts get, which addresses a name may lead to, and how a stop cuts in. A file is on the shelf
//! only when it is whole.

#![allow(clippy::disallowed_methods, reason = "a server's thread is not the process's")]

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::NextTimeout;
use url::Url;

use super::FetchFailure;
use super::Fetcher;
use super::Hosts;
use super::Patience;
use super::next;
use crate::base::crypto;
use crate::bitrix::transport;
use crate::limits;
use crate::outbound::shelf::Kept;
use crate::outbound::shelf::Shelf;
use crate::sim::Fault;
use crate::sim::FileHost;
use crate::sim::Network;
use crate::sim::When;
use crate::sim::filehost::Page;
use crate::sim::http::Framing;
use crate::sim::http::Stream;

/// Longer than any test waits.
const AGES: Duration = Duration::from_secs(600);
/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host, the shelf, and a client that may fetch from that host.
struct Scene {
    network: Network,
    host: FileHost,
    state: PathBuf,
    shelf: Shelf,
}

impl Scene {
    fn new() -> Scene {
        let name = crypto::hex(&crypto::random::<8>());
        let state = std::env::temp_dir().join(format!("media-{name}"));
        let shelf = Shelf::open(&state).expect("opens");
        let network = Network::new();
        let host = FileHost::start(&network).expect("a port");
        Scene { network, host, state, shelf }
    }

    fn fetcher(&self) -> Fetcher {
        fetcher(Hosts::gateway(&url(&self.host.url())))
    }

    fn fetch(&self, to: &str) -> Result<Kept, FetchFailure> {
        self.fetch_with(&self.fetcher(), to)
    }

    fn fetch_with(&self, fetcher: &Fetcher, to: &str) -> Result<Kept, FetchFailure> {
        let kept = fetcher.fetch(&url(to), &self.shelf, 1_000_000);
        assert_eq!(self.files(), usize::from(kept.is_ok()), "only whole files stay");
        if let Ok(kept) = &kept {
            let bytes = fs::read(self.shelf.path(&kept.name)).expect("there");
            assert_eq!(bytes.len() as u64, kept.bytes);
            assert_eq!(crypto::sha256(&bytes), kept.sha256);
            self.shelf.remove(&kept.name);
        }
        kept
    }

    /// A failure for good; its sentence.
    fn refused(&self, to: &str) -> String {
        let failure = self.fetch(to).expect_err(to);
        assert!(!failure.again, "{to}: {failure:?}");
        assert_eq!(failure.retry_after, None);
        failure.sentence
    }

    /// A failure for now; its sentence.
    fn postponed(&self, to: &str) -> String {
        let failure = self.fetch(to).expect_err(to);
        assert!(failure.again, "{to}: {failure:?}");
        failure.sentence
    }

    fn files(&self) -> usize {
        fs::read_dir(self.state.join("files")).expect("there").count()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.state);
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).expect(text)
}

fn fetcher(hosts: Hosts) -> Fetcher {
    Fetcher::new(hosts, transport::trust(None).expect("roots"))
}

fn fetcher_with(hosts: Hosts, patience: Patience, names: Names) -> Fetcher {
    Fetcher::with(hosts, transport::trust(None).expect("roots"), patience, names)
}

fn wait_until(condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "it never happened");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_file_comes_whole_and_nothing_goes_along() {
    let scene = Scene::new();
    let to = scene.host.put_file("/a%20b.txt", b"hello");
    let kept = scene.fetch(&format!("{to}?k=v#part")).expect("fetched");
    assert_eq!((kept.bytes, kept.sha256), (5, crypto::sha256(b"hello")));
    let request = scene.host.last_request().expect("one");
    assert_eq!((request.method.as_str(), request.target().as_str()), ("GET", "/a%20b.txt?k=v"));
    assert_eq!(request.header("accept"), Some("*/*"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);

    let large = scene.fetch(&format!("{}/bytes/999999", scene.host.url())).expect("fetched");
    let mut expected = vec![0; 999_999];
    Stream::fill(&mut expected, 0);
    assert_eq!((large.bytes, large.sha256), (999_999, crypto::sha256(&expected)));
}

#[test]
fn nothing_is_asked_of_a_host_that_is_not_allowed() {
    let scene = Scene::new();
    let other = FileHost::start(&scene.network).expect("a port");
    let to = other.put_file("/hush", b"x");
    let said = scene.refused(&format!("{to}?hush=1"));
    assert!(said.contains("BITRIX24_MEDIA_HOSTS") && !said.contains("hush"), "{said}");
    let to = scene.host.put_file("/a", b"x");
    let said = scene.refused(&to.replace("http://", "http://hush:hush@"));
    assert!(said.contains("no user name") && !said.contains("hush"), "{said}");
    assert_eq!(scene.network.exchanges(), 0);
}

#[test]
fn redirects_are_followed_five_times() {
    let scene = Scene::new();
    scene.host.put_file("/file", b"hello");
    for (number, status) in [302, 301, 303, 307, 308, 302].into_iter().enumerate() {
        let to = if number == 0 { "/file#x".to_owned() } else { format!("{}", number - 1) };
        scene.host.put(&format!("/{number}"), Page::Redirect(status, to));
    }
    let path = |path: &str| format!("{}{path}", scene.host.url());
    assert_eq!(scene.fetch(&path("/4")).expect("five are followed").bytes, 5);
    assert_eq!(scene.host.requests(), 6);
    assert!(scene.refused(&path("/5")).contains("redirects without end"));
    assert_eq!(scene.host.requests_of("/file"), 1);
    scene.host.put("/loop", Page::Redirect(302, "/loop".to_owned()));
    assert!(scene.refused(&path("/loop")).contains("redirects without end"));
    assert_eq!(scene.host.requests_of("/loop"), 6);
}

#[test]
fn every_hop_has_to_be_allowed() {
    let scene = Scene::new();
    let other = FileHost::start(&scene.network).expect("a port");
    let there = other.put_file("/file", b"hello");
    let stranger = FileHost::start(&scene.network).expect("a port");
    let list = format!("127.0.0.1:{},127.0.0.1:{}", scene.host.port(), other.port());
    let both = fetcher(Hosts::parse(&list).expect("a list"));
    let start = scene.host.put("/start", Page::Redirect(302, there));
    assert_eq!(scene.fetch_with(&both, &start).expect("another host that is listed").bytes, 5);

    for (location, word) in [
        (stranger.put_file("/hush", b"x"), "is not in BITRIX24_MEDIA_HOSTS"),
        ("http://169.254.169.254/hush".to_owned(), "add 169.254.169.254 to it"),
        ("http://10.0.0.1/hush".to_owned(), "add 10.0.0.1 to it"),
        ("http://[::1]/hush".to_owned(), "add [::1] to it"),
        ("//localhost/hush".to_owned(), "add localhost to it"),
        (format!("http://hush@127.0.0.1:{}/", other.port()), "no user name"),
        ("ftp://127.0.0.1/hush".to_owned(), "begins with http"),
        ("file:///hush".to_owned(), "begins with http"),
        ("http://".to_owned(), "no URL"),
        ("http://ho st/hush".to_owned(), "no URL"),
    ] {
        scene.host.put("/start", Page::Redirect(302, location.clone()));
        let failure = scene.fetch_with(&both, &start).expect_err(&location);
        let FetchFailure { again, sentence, .. } = failure;
        assert!(!again && sentence.contains(word), "{location}: {sentence}");
        assert!(!sentence.contains("hush"), "{sentence}");
    }
    assert_eq!((other.requests(), stranger.requests()), (1, 0));
    let nowhere = scene.host.put("/nowhere", Page::Refusal(302, None));
    let said = scene.fetch_with(&both, &nowhere).expect_err("no location");
    assert!(!said.again && said.sentence.contains("answers 302"), "{said:?}");
}

#[test]
fn a_redirect_never_gives_up_encryption() {
    let hop = |from: &str, to: &str| next(&url(from), to.as_bytes());
    let followed = |from, to| hop(from, to).expect("followed").to_string();
    assert_eq!(followed("https://a.example/b/c?d", "e?f#g"), "https://a.example/b/e?f");
    assert_eq!(followed("http://a.example/", "https://b.example/"), "https://b.example/");
    assert_eq!(followed("http://a.example/", "http://b.example/"), "http://b.example/");
    assert_eq!(followed("https://a.example/", "//b.example/"), "https://b.example/");
    let refused = hop("https://a.example/hush", "http://b.example/hush").expect_err("refused");
    let sentence = "a.example redirects from https to http (b.example), which is not followed";
    assert_eq!(refused, FetchFailure::for_good(sentence.to_owned()));
    assert!(next(&url("http://a.example/"), b"/\xff").is_err());
}

#[test]
fn a_status_says_whether_it_is_worth_another_time() {
    let scene = Scene::new();
    let to = format!("{}/x", scene.host.url());
    for status in [201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 410, 416, 451, 499] {
        scene.host.put("/x", Page::Refusal(status, Some("7".to_owned())));
        assert!(scene.refused(&to).ends_with(&format!("answers {status} instead of the file")));
    }
    for status in [408, 425, 429, 500, 501, 502, 503, 504, 599] {
        scene.host.put("/x", Page::Refusal(status, None));
        assert!(scene.postponed(&to).ends_with(&format!("answers {status} instead of the file")));
    }
    let date = "Fri, 31 Dec 9999 23:59:59 GMT";
    let most = limits::MEDIA_RETRY_AFTER_MAX;
    for (asked, wait) in [
        ("7", Some(Duration::from_secs(7))),
        ("999999", Some(most)),
        (date, Some(most)),
        ("soon", None),
    ] {
        scene.host.put("/x", Page::Refusal(503, Some(asked.to_owned())));
        let failure = scene.fetch(&to).expect_err("busy");
        assert_eq!((failure.again, failure.retry_after), (true, wait), "{asked}");
    }
}

#[test]
fn a_length_that_lies_makes_no_file() {
    let scene = Scene::new();
    let put = |stream| scene.host.put("/x", Page::Stream(stream));
    let framed = |framing, bytes| Stream { framing, ..Stream::of(bytes) };
    for cut in [
        framed(Framing::Length(1000), 999),
        framed(Framing::Length(1000), 0),
        framed(Framing::Length(900_000), 800_000),
        Stream { cut: true, ..framed(Framing::Chunked, 1000) },
        Stream { cut: true, ..framed(Framing::Chunked, 0) },
    ] {
        let to = put(cut.clone());
        let said = scene.postponed(&to);
        assert!(said.contains("broke the connection off"), "{cut:?}: {said}");
    }
    for (whole, bytes) in [
        (framed(Framing::Length(10), 1000), 10),
        (framed(Framing::Chunked, 100_000), 100_000),
        (framed(Framing::Close, 100_000), 100_000),
        (framed(Framing::Length(1_000_000), 1_000_000), 1_000_000),
        (framed(Framing::Chunked, 1_000_000), 1_000_000),
    ] {
        let to = put(whole.clone());
        assert_eq!(scene.fetch(&to).expect("whole").bytes, bytes, "{whole:?}");
    }
}

#[test]
fn too_much_is_stopped_at_the_bound_and_nothing_is_empty() {
    let scene = Scene::new();
    let put = |page| scene.host.put("/x", page);
    for page in [
        // Said at once: the host would send it for ages.
        Page::slow(1_000_001, AGES),
        Page::Stream(Stream { framing: Framing::Length(u64::MAX), ..Stream::of(u64::MAX) }),
        Page::endless(true),
        Page::endless(false),
        Page::Stream(Stream { framing: Framing::Chunked, ..Stream::of(1_000_001) }),
        Page::Stream(Stream { framing: Framing::Close, ..Stream::of(1_000_001) }),
    ] {
        let to = put(page);
        assert!(scene.refused(&to).contains("more than 1000000 bytes"));
    }
    for framing in [Framing::Length(0), Framing::Chunked, Framing::Close] {
        let to = put(Page::Stream(Stream { framing, ..Stream::of(0) }));
        assert!(scene.refused(&to).ends_with("is empty"), "{framing:?}");
    }
}

#[test]
fn bytes_that_are_not_the_files_are_refused() {
    let scene = Scene::new();
    let put = |encoding: &str| {
        let page = Page::WithHeader("Content-Encoding", encoding.to_owned(), b"hello".to_vec());
        scene.host.put("/x", page)
    };
    for encoding in ["gzip", "br", "GZIP, identity"] {
        let to = put(encoding);
        assert!(scene.refused(&to).contains("encoding"), "{encoding}");
    }
    for encoding in ["identity", "Identity", ""] {
        let to = put(encoding);
        assert!(scene.fetch(&to).is_ok(), "{encoding}");
    }
}

/// A server for one connection on a loopback port.
fn serve(act: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            act(stream);
        }
    });
    format!("http://{address}/")
}

/// Reads a request but for its last byte, so that closing resets the connection.
fn read_almost(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        seen.push(byte[0]);
    }
}

#[test]
fn a_broken_connection_is_not_the_end_of_a_file_without_a_length() {
    let scene = Scene::new();
    let to = serve(|mut stream| {
        read_almost(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf a fi").expect("written");
    });
    let own = fetcher(Hosts::gateway(&url(&to)));
    let failure = scene.fetch_with(&own, &to).expect_err("cut");
    assert!(failure.again && failure.sentence.contains("broke the connection off"), "{failure:?}");
}

#[test]
fn trouble_on_the_way_is_for_another_time() {
    let scene = Scene::new();
    let to = scene.host.put_file("/x", b"hello");
    for (fault, word) in [
        (Fault::CloseBeforeReading, "broke the connection off"),
        (Fault::ActAndDropAnswer, "broke the connection off"),
        (Fault::ActAndReset, "broke the connection off"),
        (Fault::Truncate, "broke the connection off"),
        (Fault::Html(502), "answers 502"),
    ] {
        let name = fault.name();
        scene.network.clear_plan();
        scene.network.plan(When::Always, fault);
        let said = scene.postponed(&to);
        assert!(said.contains(word), "{name}: {said}");
    }
    scene.network.clear_plan();
    assert!(scene.fetch(&to).is_ok());
    scene.host.set_listening(false).expect("closed");
    assert!(scene.postponed(&to).ends_with("refuses connections"));

    let nonsense = serve(|mut stream| {
        read_almost(&mut stream);
        let _ = stream.write_all(b"220 files ready\r\n\r\n");
        let _ = stream.read(&mut [0; 9]);
    });
    let own = fetcher(Hosts::gateway(&url(&nonsense)));
    let failure = scene.fetch_with(&own, &nonsense).expect_err("no HTTP");
    assert!(failure.again && failure.sentence.ends_with("not HTTP"), "{failure:?}");

    let hosts = Hosts::parse("no-such-host.invalid").expect("a list");
    let unknown = fetcher_with(hosts, Patience::USUAL, Names::default());
    let failure = scene.fetch_with(&unknown, "http://no-such-host.invalid/").expect_err("unknown");
    assert!(failure.again && failure.sentence.contains("name server"), "{failure:?}");

    fs::remove_dir_all(scene.state.join("files")).expect("removed");
    scene.host.set_listening(true).expect("open");
    let failure = scene.fetcher().fetch(&url(&to), &scene.shelf, 10).expect_err("no shelf");
    assert!(failure.again && failure.sentence.contains("cannot be stored"), "{failure:?}");
    fs::create_dir(scene.state.join("files")).expect("made");
}

#[test]
fn a_host_that_is_slow_or_silent_is_left() {
    let scene = Scene::new();
    let short = Duration::from_millis(50);
    let with = |patience| {
        fetcher_with(Hosts::gateway(&url(&scene.host.url())), patience, Names::default())
    };
    let no_silence = with(Patience { silence: short, whole: AGES });
    let no_delay = with(Patience { silence: AGES, whole: short });
    let silent = scene.host.put("/silent", Page::slow(1000, AGES));
    let slow = scene.host.put("/slow", Page::slow(900_000, Duration::from_millis(40)));
    let moved = scene.host.put("/moved", Page::Redirect(302, "/silent".to_owned()));
    for (fetcher, to) in
        [(&no_silence, &silent), (&no_delay, &silent), (&no_delay, &slow), (&no_delay, &moved)]
    {
        let failure = scene.fetch_with(fetcher, to).expect_err("too slow");
        assert!(failure.again && failure.sentence.ends_with("takes too long"), "{failure:?}");
    }
    let file = scene.host.put_file("/file", b"x");
    scene.network.plan(When::Always, Fault::ActAndAnswerLate(AGES));
    let failure = scene.fetch_with(&no_silence, &file).expect_err("silent");
    assert!(failure.again && failure.sentence.ends_with("takes too long"), "{failure:?}");
}

/// A name server that knows what it is told and counts; addresses are themselves.
#[derive(Clone, Debug, Default)]
struct Names {
    known: HashMap<String, Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let host = uri.host().unwrap_or_default();
        let known = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.known.get(host).cloned().unwrap_or_default(),
        };
        let mut found = self.empty();
        for address in known {
            found.push(SocketAddr::new(address, uri.port_u16().unwrap_or(80)));
        }
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

#[test]
fn a_listed_name_leads_only_to_addresses_that_are_allowed() {
    let scene = Scene::new();
    scene.host.put_file("/file", b"hello");
    let port = scene.host.port();
    scene.host.put("/moved", Page::Redirect(302, format!("http://inner.corp:{port}/file")));
    let to = format!("http://files.corp:{port}/file");
    let through = |list: &str, addresses: &[&str], to: &str| {
        let addresses: Vec<IpAddr> =
            addresses.iter().map(|address| address.parse().expect("an address")).collect();
        let mut names = Names::default();
        names.known.insert("files.corp".to_owned(), addresses);
        names.known.insert("inner.corp".to_owned(), vec!["127.0.0.2".parse().expect("one")]);
        let hosts = Hosts::parse(&list.replace("PORT", &port.to_string())).expect("a list");
        let fetcher = fetcher_with(hosts, Patience::USUAL, names.clone());
        let result = scene.fetch_with(&fetcher, to);
        (result, names.asked.load(Ordering::SeqCst))
    };
    for addresses in [
        &["127.0.0.1"][..],
        &["::ffff:127.0.0.1"],
        &["10.0.0.1", "127.0.0.1"],
        &["169.254.169.254", "::1", "fe80::1", "64:ff9b::7f00:1"],
    ] {
        let (result, asked) = through("files.corp:PORT", addresses, &to);
        let failure = result.expect_err("private");
        assert!(!failure.again, "{failure:?}");
        assert!(failure.sentence.contains("is not a public address"), "{failure:?}");
        assert!(failure.sentence.contains("BITRIX24_MEDIA_HOSTS"), "{failure:?}");
        assert_eq!(asked, 1);
    }
    assert_eq!(scene.host.requests(), 0);

    // The address that was looked at is the one that is connected to: one look per hop, and what is
    // not allowed is left out.
    for (list, addresses) in [
        ("files.corp:PORT,127.0.0.1", &["127.0.0.1"][..]),
        ("files.corp:PORT,127.0.0.1", &["10.0.0.1", "127.0.0.2", "127.0.0.1"]),
        ("files.corp:PORT,127.0.0.1/32", &["::1", "127.0.0.1"]),
        ("files.corp:PORT,127.0.0.1:PORT", &["127.0.0.1"]),
        ("127.0.0.0/8,files.corp:PORT", &["127.0.0.1"]),
    ] {
        let (result, asked) = through(list, addresses, &to);
        assert_eq!(result.expect(list).bytes, 5);
        assert_eq!(asked, 1);
    }
    assert_eq!(scene.host.requests(), 5);

    let moved = format!("http://files.corp:{port}/moved");
    let list = "files.corp:PORT,inner.corp:PORT,127.0.0.1";
    let (result, asked) = through(list, &["127.0.0.1"], &moved);
    let failure = result.expect_err("inner.corp is private");
    assert!(failure.sentence.starts_with("inner.corp is at 127.0.0.2"), "{failure:?}");
    assert_eq!((asked, scene.host.requests_of("/file")), (2, 5));
}

#[test]
fn the_gateways_own_name_leads_anywhere() {
    let scene = Scene::new();
    scene.host.put_file("/file", b"hello");
    let gateway = format!("http://gateway.corp:{}", scene.host.port());
    let mut names = Names::default();
    names.known.insert("gateway.corp".to_owned(), vec!["127.0.0.1".parse().expect("one")]);
    let hosts = Hosts::gateway(&url(&format!("{gateway}/v1/inbound/generic")));
    let fetcher = fetcher_with(hosts, Patience::USUAL, names);
    assert_eq!(fetcher.hosts().check(&url(&gateway)), Ok(()));
    assert_eq!(scene.fetch_with(&fetcher, &format!("{gateway}/file")).expect("fetched").bytes, 5);
}

#[test]
fn a_stop_cuts_a_fetch_whatever_its_framing() {
    for framing in [Framing::Length(1_000_000), Framing::Chunked, Framing::Close] {
        let scene = Scene::new();
        // The first piece comes at once, the second never.
        let to = serve(move |mut stream| {
            read_almost(&mut stream);
            let framing = match framing {
                Framing::Length(length) => format!("Content-Length: {length}\r\n"),
                Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
                Framing::Close => String::new(),
            };
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n{framing}\r\n4\r\nhalf\r\n");
            // The rest of the request, then until the other side closes.
            while stream.read(&mut [0; 16]).is_ok_and(|count| count > 0) {}
        });
        let fetcher = fetcher(Hosts::gateway(&url(&to)));
        let running = fetcher.clone();
        let (shelf, there) = (scene.shelf.clone(), url(&to));
        let thread = std::thread::spawn(move || running.fetch(&there, &shelf, 1_000_000));
        wait_until(|| scene.files() == 1);
        fetcher.shutdown();
        let stopped = FetchFailure::for_now("the connector is stopping".to_owned());
        assert_eq!(thread.join().expect("no panic"), Err(stopped.clone()), "{framing:?}");
        assert_eq!(scene.files(), 0);
        assert_eq!(fetcher.fetch(&url(&to), &scene.shelf, 9), Err(stopped));
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// A server for one TLS connection with a certificate for `localhost`; its port.
fn serve_tls() -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(data("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(data("server.key")).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).expect("a configuration");
    let config = Arc::new(config);
    let to = serve(move |mut stream| {
        let mut tls = rustls::ServerConnection::new(config).expect("a connection");
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let _ = tls.read(&mut [0; 4096]);
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    });
    to.replace("http://127.0.0.1", "https://localhost")
}

#[test]
fn certificates_are_verified_against_the_roots_given() {
    let scene = Scene::new();
    let to = serve_tls();
    let tls = transport::trust(Some(&data("ca.pem"))).expect("roots");
    let own = Fetcher::new(Hosts::gateway(&url(&to)), tls);
    assert_eq!(scene.fetch_with(&own, &to).expect("trusted").bytes, 5);
    let to = serve_tls();
    let own = fetcher(Hosts::gateway(&url(&to)));
    let failure = scene.fetch_with(&own, &to).expect_err("not trusted");
    assert!(failure.again && failure.sentence.contains("BITRIX24_CA_FILE"), "{failure:?}");
    let plain = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let plain = plain.replace("http:", "https:");
    let own = fetcher(Hosts::gateway(&url(&plain)));
    let failure = scene.fetch_with(&own, &plain).expect_err("no TLS");
    assert!(failure.again && failure.sentence.ends_with("does not speak TLS"), "{failure:?}");
}
