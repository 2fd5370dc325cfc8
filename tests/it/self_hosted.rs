//! Portals of one's own: behind TLS with a private authority, behind a proxy, at an IPv6 address and
//! a port, with the consent pages behind a reverse proxy; and answers that name other hosts than the
//! right ones. `Front` stands before the model portal, which speaks no TLS.

#![allow(clippy::disallowed_methods, reason = "a server's thread is not the process's")]

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::stage;
use aihummer_bitrix24::sim::stage::Connector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use url::Url;

use crate::support::eventually;
use crate::support::scene::Scene;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Longer than an access token lives (b24: transport §1.6).
const TOKEN_LIFE: Duration = Duration::from_secs(3601);

/// Of `acme-ca.pem` and, by it, for `portal.acme.test`, `127.0.0.1` and `::1`; made with openssl for a
/// hundred years, and trusted by nothing else.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Reads one request with its body.
fn read_request(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        all.extend_from_slice(&piece[..n]);
        let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if all.len() >= end + 4 + length.unwrap_or(0) {
            return Some(all);
        }
    }
}

/// The whole answer of the model to one request.
fn ask_plainly(portal: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(portal).expect("the model listens");
    let head_end = request.windows(2).position(|window| window == b"\r\n").expect("a line") + 2;
    let closing: &[u8] = b"Connection: close\r\n";
    let whole = [&request[..head_end], closing, &request[head_end..]].concat();
    stream.write_all(&whole).expect("sends");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}

/// Serves each connection on a thread of its own, for as long as the test runs.
fn listen(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(address).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// What stands before a portal: TLS, one request for each connection. Its port.
fn front(address: &str, portal: String) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(data("portal.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(data("portal.key")).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).expect("TLS"));
    listen(address, move |mut stream| {
        let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut tls = rustls::Stream::new(&mut tls, &mut stream);
        let Some(request) = read_request(&mut tls) else { return };
        let answer = ask_plainly(&portal, &request);
        let _ = tls.write_all(&answer);
        tls.conn.send_close_notify();
        let _ = tls.flush();
    })
}

/// A proxy that leads everybody to this port; its own port, and what it was asked for.
fn proxy(to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    let port = listen("127.0.0.1:0", move |mut stream| {
        let Some(request) = read_request(&mut stream) else { return };
        let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
        told.lock().expect("not poisoned").push(line);
        let Ok(mut there) = TcpStream::connect(("127.0.0.1", to)) else { return };
        let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let (mut back, mut forth) =
            (there.try_clone().expect("a copy"), stream.try_clone().expect("a copy"));
        std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
        let _ = std::io::copy(&mut stream, &mut there);
        let _ = there.shutdown(std::net::Shutdown::Write);
    });
    (port, asked)
}

/// A scene whose portal is known by this name, and the model's real address.
fn scene_at(name: &str, port: Option<u16>) -> (Scene, String) {
    let mut scene = Scene::new();
    scene.set("BITRIX24_LOG", "info");
    let real = scene.portal.url().replace("http://", "");
    rename(&mut scene, name, port);
    (scene, real)
}

fn rename(scene: &mut Scene, name: &str, port: Option<u16>) {
    let authority = port.map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    scene.set("BITRIX24_PORTAL_URL", &format!("https://{authority}"));
    scene.portal.world().domain = authority;
}

/// A GET of the model at its real address, under the name that it is known by; where it leads to.
fn authorize(real: &str, url: &Url, user: u64) -> String {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..];
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: sim_user={user}\r\n\r\n");
    let answer = String::from_utf8(ask_plainly(real, request.as_bytes())).expect("text");
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: "));
    location.unwrap_or_else(|| panic!("no redirect but {answer}")).to_owned()
}

fn post(url: &str, body: &str) -> Response {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    client::request("POST", url, &form, body.as_bytes(), TIMEOUT).expect("an answer")
}

/// Walks the consent of `helper` on a portal that no browser of ours reaches by its name; the page
/// that says who was connected.
fn walk(scene: &Scene, connector: &Connector, real: &str) -> Response {
    let link = connector.consent_link("helper").expect("a link");
    let started = post(&format!("{link}/start"), "");
    let url = Url::parse(started.header("location").expect("to the portal")).expect("a URL");
    scene.follow(&authorize(real, &url, scene.mira)).expect("a page")
}

fn connect(scene: &Scene, connector: &Connector, real: &str) {
    let page = walk(scene, connector, real);
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
    eventually("the agent's events to be subscribed", || scene.is_subscribed().then_some(()));
}

fn converse(scene: &Scene, connector: &Connector, text: &str) {
    scene.portal.write_to(scene.olaf, scene.mira, text).expect("writes");
    eventually("the message", || scene.received().iter().any(|one| one == text).then_some(()));
    assert_eq!(scene.send(connector, text, text).expect("an answer").status, 200);
}

fn await_standing(connector: &Connector, state: &str, reason: &str) {
    eventually(&format!("helper to be {state} because of {reason:?}"), || {
        let status = connector.status()?;
        let agent = &status["agents"][0];
        (agent["state"] == state && agent["reason"] == reason).then_some(())
    });
}

#[test]
fn a_portal_with_a_private_authority_is_reached_through_a_proxy_and_only_encrypted() {
    let (mut scene, real) = scene_at("portal.acme.test", None);
    let (port, asked) = proxy(front("127.0.0.1:0", real.clone()));
    scene.set("BITRIX24_PROXY_URL", &format!("http://127.0.0.1:{port}"));
    scene.set("BITRIX24_CA_FILE", &data("acme-ca.pem").display().to_string());
    let mut connector = scene.start();
    connect(&scene, &connector, &real);
    converse(&scene, &connector, "through the proxy");
    // The token answers say http; a renewal says so again.
    scene.network.clock().advance(TOKEN_LIFE);
    converse(&scene, &connector, "with a renewed token");
    assert!(connector.terminate().expect("it stops").success());
    let lines = asked.lock().expect("not poisoned").clone();
    assert!(lines.len() > 5, "{lines:?}");
    // Neither in the clear, nor was the authorization server, which is on this machine, asked there.
    for line in &lines {
        assert_eq!(line, "CONNECT portal.acme.test:443 HTTP/1.1");
    }

    // A host that is left out is reached directly: here by nobody.
    scene.set("NO_PROXY", "elsewhere.test, .acme.test");
    let mut connector = scene.start();
    await_standing(&connector, "degraded", "the portal does not answer: host_not_found");
    assert!(connector.terminate().expect("it stops").success());
    assert_eq!(asked.lock().expect("not poisoned").len(), lines.len());

    // Without its authority it is not trusted, and that is said.
    scene.unset("NO_PROXY");
    scene.unset("BITRIX24_CA_FILE");
    let mut connector = scene.start();
    let untrusted = "the portal's certificate is not trusted: set BITRIX24_CA_FILE";
    await_standing(&connector, "degraded", untrusted);
    assert!(connector.log().contains("certificate_refused"));
    assert!(connector.terminate().expect("it stops").success());
    scene.set("BITRIX24_CA_FILE", &data("acme-ca.pem").display().to_string());
    let connector = scene.start();
    converse(&scene, &connector, "trusted again");
}

#[test]
fn a_portal_may_be_an_ipv6_address_with_a_port() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_LOG", "info");
    scene.set("BITRIX24_AGENTS", "helper,hook");
    scene.set("BITRIX24_CA_FILE", &data("acme-ca.pem").display().to_string());
    let real = scene.portal.url().replace("http://", "");
    let port = front("[::1]:0", real.clone());
    rename(&mut scene, "[::1]", Some(port));
    let mut connector = scene.start();
    connect(&scene, &connector, &real);
    converse(&scene, &connector, "to an address");
    let nora = scene.portal.add_user(aihummer_bitrix24::sim::User::employee("Nora", "Lind"));
    let path = scene.portal.world().add_webhook(nora, stage::SCOPES);
    let body = json!({ "url": format!("https://[::1]:{port}{path}") });
    let given = connector.control("PUT", "/v1/agents/hook/webhook", Some(&body));
    let given = given.expect("an answer");
    assert_eq!(given.status, 200, "{}", given.text());
    // And it is still the same after a restart and a renewal.
    scene.network.clock().advance(TOKEN_LIFE);
    assert!(connector.terminate().expect("it stops").success());
    let connector = scene.start();
    converse(&scene, &connector, "after a restart");
}

/// Where a browser is sent to by a page below `https://x.example/b24/`, and what a reverse proxy that
/// takes the prefix away makes of it.
fn behind_the_prefix(page: &str, link: &str, origin: &str) -> String {
    let there = Url::parse(page).expect("a URL").join(link).expect("a link");
    let path = there.as_str().strip_prefix("https://x.example/b24/");
    format!("{origin}/{}", path.unwrap_or_else(|| panic!("{there} is not behind the prefix")))
}

/// The addresses of a page's forms.
fn forms(page: &Response) -> Vec<String> {
    let text = page.text();
    let actions = text.split(" action=\"").skip(1);
    actions.map(|rest| rest.split('"').next().expect("an end").to_owned()).collect()
}

#[test]
fn the_consent_pages_work_behind_a_path_prefix() {
    for slash in ["", "/"] {
        let mut scene = Scene::new();
        scene.set("BITRIX24_CONSENT_URL", &format!("https://x.example/b24{slash}"));
        let card = "https://x.example/b24/oauth/callback".to_owned();
        scene.portal.world().apps.values_mut().for_each(|app| app.redirect_uri.clone_from(&card));
        let connector = scene.start();
        let origin = connector.origin("consent");
        let real = scene.portal.url().replace("http://", "");
        let link = connector.consent_link("helper").expect("a link");
        assert!(link.starts_with("https://x.example/b24/consent/"), "{link}");
        let ask = scene.follow(&behind_the_prefix(&link, "", &origin)).expect("a page");
        let actions = forms(&ask);
        assert_eq!(actions.len(), 2, "{actions:?}");
        // The button, on to the portal and back.
        let started = post(&behind_the_prefix(&link, &actions[0], &origin), "");
        let to = Url::parse(started.header("location").expect("to the portal")).expect("a URL");
        let back = authorize(&real, &to, scene.mira);
        assert!(back.starts_with(&format!("{card}?code=")), "{back}");
        let page = scene.follow(&behind_the_prefix(&back, "", &origin)).expect("a page");
        assert_eq!(page.status, 200, "{}", page.text());
        let confirm = behind_the_prefix(&back, &forms(&page)[0], &origin);
        assert_eq!(confirm, format!("{origin}/oauth/confirm"));
        // The address pasted instead.
        let started = post(&behind_the_prefix(&link, &actions[0], &origin), "");
        let to = Url::parse(started.header("location").expect("to the portal")).expect("a URL");
        let mut pasted = url::form_urlencoded::Serializer::new(String::new());
        pasted.append_pair("url", &authorize(&real, &to, scene.mira));
        let paste = Url::parse(&link).expect("a URL").join(&actions[1]).expect("a link");
        let page = post(&behind_the_prefix(&link, &actions[1], &origin), &pasted.finish());
        assert_eq!(page.status, 200, "{}", page.text());
        let confirm = behind_the_prefix(paste.as_str(), &forms(&page)[0], &origin);
        assert_eq!(confirm, format!("{origin}/oauth/confirm"));
        assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
        await_standing(&connector, "active", "");
    }
}

/// A listener that nobody may come to, and its address.
fn stranger() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("does not block");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

fn token_requests(scene: &Scene) -> usize {
    let history = scene.network.history().into_iter();
    history.filter(|exchange| exchange.server == ServerKind::OAuth).count()
}

#[test]
fn answers_that_name_other_hosts_lead_no_secret_there() {
    let scene = Scene::new();
    let (strangers, host) = stranger();
    let right = format!("{}/rest/", scene.portal.url());
    let connector = scene.start();
    // A pair that works, in an answer with these places in it.
    let answer = |client_endpoint: &str| {
        let (access, refresh) =
            scene.portal.issue_tokens(&scene.client_id, scene.mira).expect("tokens");
        let body = json!({
            "access_token": access, "refresh_token": refresh, "expires_in": 3600, "scope": "app",
            "domain": host, "server_endpoint": format!("http://{host}/rest/"),
            "client_endpoint": client_endpoint, "status": "L", "user_id": scene.mira,
            "member_id": scene.portal.world().member_id,
        });
        Fault::Body { status: 200, body: body.to_string() }
    };
    let walk = || {
        let link = connector.consent_link("helper").expect("a link");
        scene.follow(&scene.callback_url(&link, scene.mira).expect("a callback")).expect("a page")
    };
    let foreign = [
        format!("http://{host}/rest/"),
        format!("{right}@{host}/rest/").replace("/rest/@", "@"),
        format!("http://{}.evil.example/rest/", "portal"),
        "/rest/".to_owned(),
        String::new(),
    ];
    for endpoint in &foreign {
        scene.network.plan(When::first("/oauth/token"), answer(endpoint));
        let refused = walk();
        assert_eq!(refused.status, 400, "{endpoint}: {}", refused.text());
        assert!(refused.text().contains("another portal"), "{}", refused.text());
        scene.network.clear_plan();
    }
    // A redirect of the token endpoint leads nobody there, with the secret in the address.
    let elsewhere = Fault::Redirect(format!("http://{host}/oauth/token/"));
    scene.network.plan(When::matching("/oauth/token", 1, 2), elsewhere);
    let page = walk();
    assert_eq!(page.status, 200, "asked again, at the same server: {}", page.text());
    scene.network.clear_plan();
    // What an answer says of the authorization server is not believed either, now or later.
    scene.network.plan(When::first("/oauth/token"), answer(&right));
    let page = walk();
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(scene.confirm(&page).expect("an answer").status, 200);
    eventually("the agent's events to be subscribed", || scene.is_subscribed().then_some(()));
    for text in ["after one renewal", "after two"] {
        let before = token_requests(&scene);
        // The pair in the answer is made before the old one ends, and outlives it.
        let margin = Duration::from_secs(60);
        scene.network.clock().advance(TOKEN_LIFE - margin);
        scene.network.plan(When::first("/oauth/token"), answer(&right));
        scene.network.clock().advance(margin);
        converse(&scene, &connector, text);
        assert_eq!(token_requests(&scene), before + 1, "at the server of the consent");
        scene.network.clear_plan();
    }
    assert!(strangers.accept().is_err(), "somebody went to a host of the answers' choice");
}
