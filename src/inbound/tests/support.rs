//! What the inbound tests share: a store of their own, messages, and a scripted gateway.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use url::Url;

use crate::agents::registry::Registry;
use crate::base::clock::UnixMs;
use crate::base::secret::Secret;
use crate::base::threads::Exits;
use crate::base::threads::ThreadName;
use crate::bitrix::client::Portal;
use crate::bitrix::client::RateRule;
use crate::bitrix::oauth::OAuth;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::directory::Directory;
use crate::domain::acl;
use crate::domain::agent::AgentState;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MemberId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::gateway::Gateway;
use crate::gateway::GatewayOptions;
use crate::gateway::Signing;
use crate::http::Answer;
use crate::http::Bound;
use crate::http::Handler;
use crate::http::Listen;
use crate::http::Patience;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Server;
use crate::store::Store;
use crate::store::StoreThread;
use crate::store::agents::SealedIdentity;
use crate::store::outbox::Findings;
use crate::store::outbox::NewInbound;
use crate::store::outbox::Progress;
use crate::vault::Vault;

/// 2026-05-04T08:20:07Z.
pub const NOW: UnixMs = UnixMs(1_777_882_807_000);
/// How long a test waits for something that happens within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn name(text: &str) -> AgentName {
    AgentName::parse(text).expect("a name")
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A store in a directory of its own, with the agents `mira` (user 57) and `olga` (user 58).
pub struct Desk {
    // Before the directory: the thread writes into it until it ends.
    thread: Option<StoreThread>,
    pub store: Store,
    dir: PathBuf,
}

impl Desk {
    pub fn new() -> Desk {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("inbound-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let (store, thread) = Store::open(&dir, &Exits::new().0).expect("opens");
        for (agent, user) in [("mira", 57), ("olga", 58)] {
            let agent = name(agent);
            store.create_agent(&agent, NOW).expect("creates");
            store.put_identity(&agent, identity(user), NOW).expect("identity");
            store.set_agent_state(&agent, AgentState::Active, "", NOW).expect("active");
        }
        Desk { thread: Some(thread), store, dir }
    }

    /// Gives an agent tokens, as a consent would.
    pub fn connect(&self, agent: &str, endpoint: &str, tokens: (String, String)) {
        let row = self.store.agent(&name(agent)).expect("reads").expect("there");
        let known = row.identity.expect("has one");
        let vault = Vault::open(&self.dir, None, None).expect("a key");
        let seal = |what: &str, text: String| {
            vault.seal(&format!("agents/{agent}/{what}"), &Secret::new(text))
        };
        let identity = SealedIdentity {
            client_endpoint: endpoint.to_owned(),
            access: seal("access", tokens.0),
            refresh: seal("refresh", tokens.1),
            expires_at: UnixMs(i64::MAX),
            ..known
        };
        self.store.put_identity(&name(agent), identity, NOW).expect("connects");
    }

    /// The agents as a process that has just started sees them.
    pub fn registry(&self, oauth: OAuth) -> Arc<Registry> {
        let vault = Vault::open(&self.dir, None, None).expect("a key");
        let transport = Transport::new(&TransportOptions::default()).expect("a client");
        let rest = Arc::new(Portal::new(transport, RateRule::Off));
        Registry::load(self.store.clone(), vault, rest, oauth).expect("loads")
    }

    /// What the rule that lets everybody talk needs of a directory.
    pub fn directory(&self, registry: &Arc<Registry>) -> Arc<Directory> {
        let rule = acl::Rule { allowed: acl::Allowed::All, ..acl::Rule::default() };
        Directory::open(self.store.clone(), Arc::clone(registry), rule).expect("opens")
    }

    /// Queues messages for `mira`, as `ingest` would.
    pub fn queue(&self, rows: Vec<NewInbound>) {
        let findings = Findings { rows, ..Findings::default() };
        self.store.commit_inbound(&name("mira"), findings, Progress::None, NOW).expect("commits");
    }

    /// What a deletion on the portal does to a message of `mira`.
    pub fn withdraw(&self, message: i64) {
        let findings = Findings { withdrawn: vec![MessageId(message)], ..Findings::default() };
        let done = self.store.commit_inbound(&name("mira"), findings, Progress::None, NOW);
        assert_eq!(done.expect("commits").withdrawn, 1);
    }

    /// What an edit does.
    pub fn edit(&self, edited: NewInbound) {
        let findings = Findings { edits: vec![edited], ..Findings::default() };
        let done = self.store.commit_inbound(&name("mira"), findings, Progress::None, NOW);
        assert_eq!(done.expect("commits").edited, 1);
    }

    pub fn pending(&self) -> u32 {
        self.store.outbox_counts().expect("counts").pending
    }

    pub fn dead(&self) -> u32 {
        self.store.outbox_counts().expect("counts").dead
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.thread = None;
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// An identity whose tokens do not open; whoever calls the portal connects first.
fn identity(user: i64) -> SealedIdentity {
    SealedIdentity {
        user: UserId(user),
        user_name: "Mira Holt".to_owned(),
        member: MemberId("m0".to_owned()),
        client_endpoint: "http://127.0.0.1:1/rest/".to_owned(),
        oauth_host: "127.0.0.1".to_owned(),
        webhook: false,
        access: vec![1],
        refresh: vec![2],
        previous_refresh: None,
        expires_at: NOW,
        refreshed_at: NOW,
    }
}

/// A message of a chat, its text its id.
pub fn row(chat: i64, message: i64) -> NewInbound {
    NewInbound {
        chat: ChatId(chat),
        dialog: DialogId::Chat(ChatId(chat)),
        message: MessageId(message),
        text: message.to_string(),
        sender: UserId(12),
        sender_name: "Olaf Brandt".to_owned(),
        mentioned: true,
        reply_to: None,
        sent_at: None,
    }
}

/// What the scripted gateway got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub path: String,
    pub key: String,
    pub external_id: String,
    pub text: String,
    /// What it was answered with.
    pub status: u16,
}

type Script = dyn Fn(&Posted) -> u16 + Send + Sync;

struct Scripted {
    posted: Mutex<Vec<Posted>>,
    /// Statuses of the next messages, before the script is asked.
    next: Mutex<VecDeque<u16>>,
    script: Box<Script>,
    /// What refusals say in `Retry-After`.
    retry_after: Mutex<Option<String>>,
}

impl Handler for Scripted {
    fn handle(&self, mut request: Request, answer: Answer) {
        let body: Value = serde_json::from_reader(&mut request.body).expect("JSON");
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let mut posted = Posted {
            key: request.header("idempotency-key").unwrap_or_default().to_owned(),
            external_id: text("external_id"),
            text: text("text"),
            path: request.path,
            status: 0,
        };
        let planned = match posted.path.as_str() {
            "/v1/inbound/generic" => self.next.lock().expect("lock").pop_front(),
            _ => None,
        };
        posted.status = planned.unwrap_or_else(|| (self.script)(&posted));
        let mut reply = Reply::json(posted.status, &json!({}));
        let retry_after = self.retry_after.lock().expect("lock").clone();
        if let Some(seconds) = retry_after.filter(|_| posted.status >= 400) {
            reply = reply.with_header("Retry-After", &seconds);
        }
        self.posted.lock().expect("lock").push(posted);
        answer.send(reply);
    }
}

/// A gateway that answers messages by a script.
pub struct FakeGateway {
    _server: Server,
    addr: SocketAddr,
    scripted: Arc<Scripted>,
}

impl FakeGateway {
    /// At a free port, or at `addr`.
    pub fn start(
        addr: Option<SocketAddr>,
        script: impl Fn(&Posted) -> u16 + Send + Sync + 'static,
    ) -> FakeGateway {
        let scripted = Arc::new(Scripted {
            posted: Mutex::default(),
            next: Mutex::default(),
            script: Box::new(script),
            retry_after: Mutex::default(),
        });
        let listen = Listen {
            addr: addr.unwrap_or_else(|| "127.0.0.1:0".parse().expect("an address")),
            workers: 4,
            thread: ThreadName::HttpControl,
            body_bytes_max: 1 << 20,
            larger: None,
            per_source_max: None,
            loopback_is_free: true,
            spool_dir: std::env::temp_dir(),
            patience: Patience::USUAL,
            refusal: |status, why| Reply::text(status, why),
        };
        let handler: Arc<dyn Handler> = scripted.clone();
        let server =
            Bound::new(listen).expect("binds").serve(&Exits::new().0, handler).expect("starts");
        FakeGateway { addr: server.addr(), _server: server, scripted }
    }

    /// One that accepts everything but what `plan` was told.
    pub fn willing() -> FakeGateway {
        FakeGateway::start(None, |_| 200)
    }

    /// Statuses of the next messages.
    pub fn plan(&self, statuses: &[u16]) {
        self.scripted.next.lock().expect("lock").extend(statuses);
    }

    /// From now on refusals ask to wait for so many seconds.
    pub fn ask_to_wait(&self, seconds: u32) {
        *self.scripted.retry_after.lock().expect("lock") = Some(seconds.to_string());
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Messages, in the order in which they came.
    pub fn posted(&self) -> Vec<Posted> {
        let posted = self.scripted.posted.lock().expect("lock");
        posted.iter().filter(|one| one.path == "/v1/inbound/generic").cloned().collect()
    }

    /// Agent states that were told.
    pub fn told(&self) -> usize {
        let posted = self.scripted.posted.lock().expect("lock");
        posted.iter().filter(|one| one.path == "/v1/inbound/binding/status").count()
    }

    /// Texts that were accepted, in order.
    pub fn accepted(&self) -> Vec<String> {
        let posted = self.posted().into_iter();
        posted.filter(|one| one.status == 200).map(|one| one.text).collect()
    }
}

/// The client of a gateway at an address.
pub fn client(addr: SocketAddr) -> Gateway {
    client_with(&format!("http://{addr}/v1/inbound/generic"), "s3cret")
}

/// The client of a gateway at a URL.
pub fn client_with(url: &str, secret: &str) -> Gateway {
    Gateway::new(GatewayOptions {
        url: Url::parse(url).expect("url"),
        secret: Some(Secret::new(secret.to_owned())),
        signing: Signing::Raw,
        channel: "bitrix24".to_owned(),
        extra: false,
        tls: Default::default(),
    })
}
