//! A running portal with its authorization server: two listeners over one [`World`], and the
//! helpers with which tests and the demo furnish it. Routes requests to `oauth` and `rest`; its
//! threads are those of `net` and end when [`Portal`] is dropped.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use super::clock::http_date;
use super::fault::ServerKind;
use super::http::HttpReply;
use super::http::Request;
use super::net::Handler;
use super::net::Server;
use super::network::Network;
use super::network::lock;
use super::oauth;
use super::people::User;
use super::rest;
use super::switches::RateLimit;
use super::world::PortalOptions;
use super::world::World;
use crate::base::crypto;

/// A portal and its authorization server on free loopback ports.
pub struct Portal {
    network: Network,
    world: Arc<Mutex<World>>,
    /// The portal's listeners: the first address, and one more after each change of address. The
    /// old ones answer redirects.
    listeners: Mutex<Vec<Server>>,
    oauth: Server,
}

impl Portal {
    /// Starts listening.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(network: &Network, options: PortalOptions) -> io::Result<Portal> {
        let world = Arc::new(Mutex::new(World::new(network.clock().clone(), options)));
        let listener = Server::start(network, ServerKind::Portal, portal_handler(&world))?;
        let oauth = Server::start(network, ServerKind::OAuth, oauth_handler(&world))?;
        let portal =
            Portal { network: network.clone(), world, listeners: Mutex::new(Vec::new()), oauth };
        {
            let mut world = portal.world();
            world.domain = listener.address().to_string();
            world.oauth_domain = portal.oauth.address().to_string();
        }
        lock(&portal.listeners).push(listener);
        Ok(portal)
    }

    /// `http://127.0.0.1:port`, the portal's address now.
    pub fn url(&self) -> String {
        format!("http://{}", self.world().domain)
    }

    /// `127.0.0.1:port` of the authorization server.
    pub fn oauth_host(&self) -> String {
        self.oauth.address().to_string()
    }

    /// The network the portal is on.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The portal's state, locked: while the guard lives no request is served, and other methods
    /// of this type wait for ever on the thread that holds it.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Adds a user; see [`World::add_user`].
    pub fn add_user(&self, user: User) -> u64 {
        self.world().add_user(user)
    }

    /// Adds a department; see [`World::add_department`].
    pub fn add_department(&self, name: &str, parent: Option<u64>) -> u64 {
        self.world().add_department(name, parent)
    }

    /// Registers an application; tells `client_id` and `client_secret`.
    pub fn add_app(&self, redirect_uri: &str, scopes: &[&str]) -> (String, String) {
        self.world().add_app(redirect_uri, scopes)
    }

    /// Creates an incoming webhook; tells its address, ending in `/`.
    pub fn add_webhook(&self, user: u64, scopes: &[&str]) -> String {
        let path = self.world().add_webhook(user, scopes);
        format!("{}{path}", self.url())
    }

    /// Issues an access and a refresh token without the consent; `None` for an unknown
    /// application.
    pub fn issue_tokens(&self, client_id: &str, user: u64) -> Option<(String, String)> {
        let mut world = self.world();
        let app = world.apps.get(client_id)?.clone();
        Some(oauth::issue_pair(&mut world, &app, user))
    }

    /// Every code, access and refresh token issued so far: what must not be found elsewhere.
    pub fn issued(&self) -> Vec<String> {
        self.world().tokens.texts()
    }

    /// Dismisses a user (b24: transport §1.12, sim quirk 27).
    pub fn dismiss(&self, user: u64) {
        if let Some(user) = self.world().users.get_mut(&user) {
            user.active = false;
        }
    }

    /// Deletes an application for good.
    pub fn delete_app(&self, client_id: &str) {
        if let Some(app) = self.world().apps.get_mut(client_id) {
            app.deleted = true;
            app.installed = false;
        }
    }

    /// Revokes every code and token of a user at the authorization server, as an administrator of
    /// Bitrix24 would. The portal notices when the verdicts that it keeps are over (sim quirk 9).
    pub fn revoke_tokens(&self, user: u64) {
        self.world().tokens.kill_all_of(user);
    }

    /// Gives an application another secret; tells it. What was issued before still acts, but nobody
    /// renews it with the old one (b24: transport §1.12).
    pub fn regenerate_secret(&self, client_id: &str) -> Option<String> {
        let mut world = self.world();
        let app = world.apps.get_mut(client_id)?;
        app.client_secret = crypto::hex(&crypto::random::<25>());
        Some(app.client_secret.clone())
    }

    /// Who is logged in when a browser without a `sim_user` cookie asks; `None` = nobody.
    pub fn sign_in(&self, user: Option<u64>) {
        self.world().session = user;
    }

    /// Switches the rate limit off, for benches and tests that are not about it.
    pub fn without_limits(&self) {
        let mut world = self.world();
        world.switches.rate_limit = RateLimit::Off;
        world.switches.operating = false;
    }

    /// Gives the portal another address; the old one answers 302 from now on
    /// (b24: transport §1.12, sim quirk 21). Tells the new URL.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn rename(&self) -> io::Result<String> {
        let handler = portal_handler(&self.world);
        let listener = Server::start(&self.network, ServerKind::Portal, handler)?;
        let address = listener.address().to_string();
        lock(&self.listeners).push(listener);
        self.world().domain.clone_from(&address);
        Ok(format!("http://{address}"))
    }

    /// With `false`, connecting to the portal is refused; with `true`, it listens again on the
    /// same port.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub fn set_listening(&self, on: bool) -> io::Result<()> {
        lock(&self.listeners).iter().try_for_each(|listener| listener.set_listening(on))
    }

    /// [`Portal::set_listening`] for the authorization server.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub fn set_oauth_listening(&self, on: bool) -> io::Result<()> {
        self.oauth.set_listening(on)
    }
}

fn portal_handler(world: &Arc<Mutex<World>>) -> Handler {
    let world = Arc::clone(world);
    Arc::new(move |request| {
        let mut world = lock(&world);
        let date = http_date(world.now());
        serve(&mut world, request).with_header("Date", date)
    })
}

fn oauth_handler(world: &Arc<Mutex<World>>) -> Handler {
    let world = Arc::clone(world);
    Arc::new(move |request| oauth::serve(&mut lock(&world), request))
}

/// One request to the portal's host.
fn serve(world: &mut World, request: &Request) -> HttpReply {
    let rest = request.path.starts_with("/rest/");
    if rest && let Some(refused) = rate_limited(world, request) {
        return refused;
    }
    if let Some(moved) = moved(world, request) {
        return moved;
    }
    match request.path.trim_end_matches('/') {
        _ if rest => rest::serve(world, request),
        "/oauth/authorize" => oauth::authorize(world, request),
        // Only a cloud portal passes token requests on (b24: transport §1.3).
        "/oauth/token" if world.cloud => oauth::token(world, request),
        "" => HttpReply::html(200, "Authorization: please log in"),
        _ => HttpReply::html(404, "404 Not Found"),
    }
}

/// The limiter sits in front of PHP and comes first (b24: transport §2.2, §3.1).
fn rate_limited(world: &mut World, request: &Request) -> Option<HttpReply> {
    let (limit, now) = (world.switches.rate_limit, world.now());
    if world.limiter.admits(limit, request.peer, now) {
        return None;
    }
    let html = matches!(limit, RateLimit::Bucket { html: true, .. });
    let reply = if html {
        HttpReply::html(503, "503 Service Temporarily Unavailable")
    } else {
        let body =
            "{\"error\":\"QUERY_LIMIT_EXCEEDED\",\"error_description\":\"Too many requests\"}";
        HttpReply::json(503, body)
    };
    Some(HttpReply { error: "QUERY_LIMIT_EXCEEDED".to_owned(), ..reply })
}

/// An old address answers everything with a redirect and a page. Hosts are told apart by port.
fn moved(world: &World, request: &Request) -> Option<HttpReply> {
    let port = |host: &str| host.rsplit(':').next().map(str::to_owned);
    let asked = port(request.header("host")?);
    if asked == port(&world.domain) {
        return None;
    }
    let location = format!("http://{}{}", world.domain, request.target());
    Some(HttpReply::html(302, "302 Found").with_header("Location", location))
}
