//! Tests of the transport against sockets of their own: in which phase a request fails, and what
//! that says about its effect; whom TLS trusts; redirects and proxies. The certificates below
//! `tests/data/tls` were made with openssl for `localhost`, for a hundred years; nothing else trusts
//! them.

#![allow(clippy::disallowed_methods, reason = "a server's thread is not the process's")]

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use ureq::Error;
use ureq::Timeout;
use url::Url;

use super::Reply;
use super::Transport;
use super::TransportOptions;
use super::Trouble;
use super::roots;
use super::send_time;
use super::trouble;
use super::unsent;
use crate::limits;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn transport(options: &TransportOptions) -> Transport {
    Transport::new(options).expect("a transport")
}

/// A server for one connection; its port, and what it read.
fn serve(
    act: impl FnOnce(TcpStream) -> Vec<u8> + Send + 'static,
) -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, hear) = mpsc::channel();
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            let _ = told.send(act(stream));
        }
    });
    (port, hear)
}

/// Reads a head and what is there of the body.
fn read_request(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while !all.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(n) => all.extend_from_slice(&piece[..n]),
        }
    }
    all
}

/// A server that answers one request with these bytes and closes.
fn answering(answer: &'static [u8]) -> (u16, mpsc::Receiver<Vec<u8>>) {
    serve(move |mut stream| {
        let read = read_request(&mut stream);
        let _ = stream.write_all(answer);
        read
    })
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn post(options: &TransportOptions, to: &str) -> Result<Reply, Trouble> {
    transport(options).post_json(&url(to), b"{}")
}

fn post_plain(to: &str) -> Result<Reply, Trouble> {
    post(&TransportOptions::default(), to)
}

#[test]
fn what_fails_before_the_request_is_sent_had_no_effect() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let refused = post_plain(&format!("http://127.0.0.1:{free}/"));
    assert_eq!(refused.err(), Some(Trouble::NotSent("connection_refused")));
    let nowhere = post_plain("http://no-such-host.invalid/");
    assert_eq!(nowhere.err(), Some(Trouble::NotSent("host_not_found")));
    let (port, _) = serve(|_| Vec::new());
    let closed = post_plain(&format!("https://localhost:{port}/"));
    assert!(matches!(closed, Err(Trouble::NotSent(_))), "{closed:?}");
    let (port, _) = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        read_request(&mut stream)
    });
    let no_tls = post_plain(&format!("https://localhost:{port}/"));
    assert!(matches!(no_tls, Err(Trouble::NotSent(_))), "{no_tls:?}");
}

#[test]
fn what_fails_after_the_request_is_sent_may_have_had_one() {
    let (port, read) = answering(b"");
    let dropped = post_plain(&format!("http://127.0.0.1:{port}/rest/x"));
    assert!(matches!(dropped, Err(Trouble::NoAnswer(_))), "{dropped:?}");
    assert!(read.recv().expect("read").starts_with(b"POST /rest/x HTTP/1.1\r\n"));
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\":"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"re",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
    ] {
        let (port, _read) = answering(answer);
        let broken = post_plain(&format!("http://127.0.0.1:{port}/"));
        let shown = String::from_utf8_lossy(answer);
        assert!(matches!(broken, Err(Trouble::NoAnswer(_))), "{shown}: {broken:?}");
    }
}

#[test]
fn every_phase_that_runs_out_of_time_says_whether_it_was_sent() {
    let before = [
        (Timeout::Resolve, "timeout_resolve"),
        (Timeout::Connect, "timeout_connect"),
        (Timeout::Global, "timeout_connect"),
    ];
    for (phase, word) in before {
        assert_eq!(trouble(&unsent(Error::Timeout(phase))), Trouble::NotSent(word));
        let twice = unsent(unsent(Error::Timeout(phase)));
        assert_eq!(trouble(&twice), Trouble::NotSent(word), "through a proxy");
    }
    for phase in [
        Timeout::Global,
        Timeout::PerCall,
        Timeout::SendRequest,
        Timeout::SendBody,
        Timeout::RecvResponse,
        Timeout::RecvBody,
    ] {
        assert_eq!(trouble(&Error::Timeout(phase)), Trouble::NoAnswer("timeout"));
    }
    // An established connection can report these as well: only the phase counts.
    for kind in [std::io::ErrorKind::HostUnreachable, std::io::ErrorKind::ConnectionRefused] {
        let error = || Error::Io(kind.into());
        assert_eq!(trouble(&error()), Trouble::NoAnswer("connection_cut"));
        assert!(matches!(trouble(&unsent(error())), Trouble::NotSent(_)));
    }
}

#[test]
fn answers_are_bounded() {
    let long: &'static [u8] = Vec::leak(
        [
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                limits::OAUTH_BODY_BYTES_MAX + 1
            )
            .into_bytes(),
            vec![b' '; 70_000],
        ]
        .concat(),
    );
    let (port, _read) = answering(long);
    let transport = transport(&TransportOptions::default());
    let refused = transport.get(&url(&format!("http://127.0.0.1:{port}/")));
    assert_eq!(refused.err(), Some(Trouble::NoAnswer("answer_too_large")));
    let (port, _read) = answering(long);
    assert!(post_plain(&format!("http://127.0.0.1:{port}/")).is_ok(), "a portal may say more");
}

#[test]
fn redirects_are_told_and_never_followed() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    other.set_nonblocking(true).expect("does not block");
    let other_port = other.local_addr().expect("an address").port();
    let cases = [
        (format!("http://127.0.0.1:{other_port}/rest/x"), true),
        ("http://evil.example/".to_owned(), true),
        ("/auth/".to_owned(), false),
        (String::new(), false),
    ];
    for (location, elsewhere) in cases {
        for status in [301, 302, 303, 307, 308] {
            let answer = format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 2\r\n\r\nhi"
            );
            let (port, _read) = answering(Vec::leak(answer.into_bytes()));
            let reply = post_plain(&format!("http://127.0.0.1:{port}/")).expect("an answer");
            assert_eq!((reply.status, reply.elsewhere), (status, elsewhere), "{location}");
            assert_eq!(reply.body, b"hi");
        }
    }
    assert!(other.accept().is_err(), "nobody went there");
}

#[test]
fn a_wait_that_is_asked_for_is_read_within_reason() {
    let (past, future) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 06 Nov 2094 08:49:37 GMT");
    let cases = [("120", Some(120)), ("99999999", Some(300)), ("-1", None), ("soon", None)];
    for (wait, read) in cases.into_iter().chain([(past, Some(0)), (future, Some(300))]) {
        let answer =
            format!("HTTP/1.1 503 Off\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n");
        let (port, _read) = answering(Vec::leak(answer.into_bytes()));
        let reply = post_plain(&format!("http://127.0.0.1:{port}/")).expect("an answer");
        assert_eq!(reply.retry_after.map(|wait| wait.as_secs()), read, "{wait}");
    }
}

#[test]
fn a_request_names_itself_and_carries_json() {
    let (port, read) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    post_plain(&format!("http://127.0.0.1:{port}/rest/x")).expect("an answer");
    let head = String::from_utf8(read.recv().expect("read")).expect("ASCII").to_lowercase();
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert!(head.contains("\r\nuser-agent: aihummer-bitrix24/"), "{head}");
}

#[test]
fn who_is_knocked_at_tells_the_time_within_the_time() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let answer = format!("HTTP/1.1 401 No\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n");
    let (port, read) = answering(Vec::leak(answer.into_bytes()));
    let transport = transport(&TransportOptions::default());
    let to = url(&format!("http://127.0.0.1:{port}/rest/profile"));
    let reply = transport.knock(&to, Some(b"{}"), limits::PORTAL_CALL_MAX).expect("an answer");
    assert_eq!((reply.status, reply.date.map(|date| date.0)), (401, Some(784_111_777_000)));
    let asked = String::from_utf8(read.recv().expect("read")).expect("ASCII");
    // The server may answer before it has read the body.
    assert!(asked.starts_with("POST /rest/profile "), "{asked}");
    assert!(asked.to_lowercase().contains("content-length: 2\r\n"), "{asked}");
    let (port, _read) = serve(|_stream| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        Vec::new()
    });
    let to = url(&format!("http://127.0.0.1:{port}/"));
    let refused = transport.knock(&to, None, std::time::Duration::from_millis(50));
    assert_eq!(refused.expect_err("too slow"), Trouble::NoAnswer("timeout"));
}

/// A TLS server for one request, with the certificate for `localhost`.
fn serve_tls() -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(data("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(data("server.key")).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).expect("a configuration");
    let config = Arc::new(config);
    let (port, _read) = serve(move |mut stream| {
        let mut tls = rustls::ServerConnection::new(config).expect("a connection");
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let read = read_request(&mut tls);
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        read
    });
    port
}

#[test]
fn a_private_authority_is_trusted_only_when_it_is_named() {
    let named = TransportOptions { ca_file: Some(data("ca.pem")), ..TransportOptions::default() };
    let url = format!("https://localhost:{}/", serve_tls());
    assert_eq!(post(&named, &url).expect("trusted").body, b"{}");
    let url = format!("https://localhost:{}/", serve_tls());
    let refused = post_plain(&url);
    assert!(matches!(refused, Err(Trouble::Certificate(_))), "{refused:?}");
    // The right authority and another host.
    let url = format!("https://127.0.0.1:{}/", serve_tls());
    let refused = post(&named, &url);
    assert!(matches!(refused, Err(Trouble::Certificate(_))), "{refused:?}");
}

#[test]
fn roots_come_from_the_named_bundle_and_the_ca_file() {
    let named = roots(Some(data("ca.pem")), None).expect("roots");
    assert_eq!(named.len(), 1, "SSL_CERT_FILE replaces the distribution's bundle");
    let both = roots(Some(data("server.pem")), Some(&data("ca.pem"))).expect("roots");
    assert_eq!(both.len(), 2);
    let fallback = roots(Some("/no/such/bundle.pem".into()), Some(&data("ca.pem")));
    assert!(fallback.is_ok_and(|roots| !roots.is_empty()));
    let dir = std::env::temp_dir();
    for (n, text) in
        ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
            .iter()
            .enumerate()
    {
        let path = dir.join(format!("ca-{}-{n}.pem", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let problem = roots(None, Some(&path)).expect_err("no certificate");
        assert!(problem.starts_with("BITRIX24_CA_FILE: "), "{problem}");
        let _ = std::fs::remove_file(&path);
    }
    let problem = roots(None, Some(&data("server.key"))).expect_err("a key is no certificate");
    assert!(problem.contains("no certificate in it"), "{problem}");
}

#[test]
fn a_proxy_is_asked_for_others_and_not_for_this_machine() {
    let through = |port: u16, no_proxy: &[&str]| TransportOptions {
        proxy: Some(url(&format!("http://127.0.0.1:{port}"))),
        no_proxy: no_proxy.iter().map(|host| (*host).to_owned()).collect(),
        ..TransportOptions::default()
    };
    // A proxy that refuses, and one that goes away: nothing was sent to the portal.
    for answer in [&b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"[..], b""] {
        let (port, read) = answering(answer);
        let refused = post(&through(port, &[]), "https://portal.invalid/rest/x");
        assert!(matches!(refused, Err(Trouble::NotSent(_))), "{refused:?}");
        let asked = read.recv().expect("asked");
        assert!(asked.starts_with(b"CONNECT portal.invalid:443 HTTP/1.1\r\n"));
    }
    let (proxy, asked) = answering(b"HTTP/1.1 502 Bad\r\n\r\n");
    for excepted in ["portal.invalid", ".invalid", "*.invalid"] {
        let direct = post(&through(proxy, &[excepted]), "https://portal.invalid/");
        assert_eq!(direct.err(), Some(Trouble::NotSent("host_not_found")), "{excepted}");
    }
    let (port, read) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert!(post(&through(proxy, &[]), &format!("http://127.0.0.1:{port}/")).is_ok());
    assert!(read.recv().expect("read").starts_with(b"POST / HTTP/1.1\r\n"));
    assert!(asked.try_recv().is_err(), "the proxy was not asked");
}

#[test]
fn a_long_body_has_the_time_of_a_slow_line_and_no_more() {
    let quick = limits::PORTAL_SEND_MAX;
    assert_eq!(send_time(0), quick);
    assert_eq!(send_time(limits::PORTAL_UPLOAD_BYTES_PER_S_MIN * 60), quick * 3);
    // The longest base64 that a portal takes fits (b24: messenger §9.1).
    assert!(send_time(139_810_133) < limits::PORTAL_UPLOAD_MAX);
    assert_eq!(send_time(u64::MAX), limits::PORTAL_UPLOAD_MAX);
}
