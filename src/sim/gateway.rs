//! A model of the AiHummer gateway: takes inbound messages, remembers them, and plays its durable
//! outbox with a small scripted agent that answers through the connector's Deliver endpoint
//! (aihummer: §2, §3). At-least-once towards the connector, as the real one is documented to be.

#![allow(clippy::disallowed_methods, reason = "the model's threads are not the process's")]

use std::collections::HashSet;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::client;
use super::fault::Fault;
use super::fault::Line;
use super::fault::ServerKind;
use super::fault::When;
use super::http::HttpReply;
use super::http::Request;
use super::net::Server;
use super::network::AuthForm;
use super::network::Exchange;
use super::network::Network;
use super::network::lock;
use crate::base::crypto;

/// How long one Deliver call may take.
const DELIVER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause before a Deliver call is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Where inbound messages are posted.
pub const INBOUND_PATH: &str = "/v1/inbound/generic";
/// The Deliver method of the contract.
pub const DELIVER_PATH: &str = "/aihummer.connector.v1.ConnectorService/Deliver";

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// The shared secret.
    pub secret: String,
    /// The header must carry the HMAC of the body instead of the secret itself.
    pub hmac: bool,
}

/// An inbound message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// `channel`.
    pub channel: String,
    /// `external_id`.
    pub external_id: String,
    /// `text`.
    pub text: String,
    /// Header `Idempotency-Key`.
    pub key: String,
    /// The whole body.
    pub body: Value,
    /// When the request was there, by the machine's clock.
    pub came: Instant,
}

impl Inbound {
    /// The portal's number of the message, as the key has it behind portal and agent.
    pub fn message(&self) -> Option<u64> {
        self.key.rsplit_once('-')?.1.parse().ok()
    }
}

/// What became of a delivery of the scripted agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub delivery_id: String,
    /// Where it went.
    pub external_id: String,
    /// HTTP status of the final answer.
    pub http: u16,
    /// `status` or `code` of the final answer.
    pub status: String,
    /// The final answer.
    pub body: Value,
    /// Calls it took.
    pub tries: u32,
}

/// The scripted agent: an inbound message to the Markdown of the answer.
pub type Script = Box<dyn Fn(&Inbound) -> Option<String> + Send>;

/// A running gateway. Dropping it stops its threads.
pub struct Gateway {
    server: Server,
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

struct Shared {
    network: Network,
    options: GatewayOptions,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    inbound: Vec<Inbound>,
    /// Keys seen, for the agent's one answer to each message.
    keys: HashSet<String>,
    statuses: Vec<Value>,
    /// What texts must not contain, and how they are refused otherwise.
    refusals: Vec<(String, u16, String)>,
    script: Option<Script>,
    deliver: Option<String>,
    due: VecDeque<(String, String, String)>,
    receipts: Vec<Receipt>,
    stopping: bool,
}

impl Gateway {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(network: &Network, options: GatewayOptions) -> io::Result<Gateway> {
        let shared = Arc::new(Shared {
            network: network.clone(),
            options,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let answering = Arc::clone(&shared);
        let handler = Arc::new(move |request: &Request| answer(&answering, request));
        let server = Server::start(network, ServerKind::Gateway, handler)?;
        let delivering = Arc::clone(&shared);
        let worker = std::thread::Builder::new()
            .name("sim-gateway".to_owned())
            .spawn(move || deliver_all(&delivering))?;
        Ok(Gateway { server, shared, worker: Some(worker) })
    }

    /// Its origin.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Stops or resumes listening: real refused connections.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    pub fn set_listening(&self, on: bool) -> io::Result<()> {
        self.server.set_listening(on)
    }

    /// Accepted inbound messages in order of arrival, repeats included.
    pub fn inbound(&self) -> Vec<Inbound> {
        lock(&self.shared.state).inbound.clone()
    }

    /// How many messages were accepted, repeats included.
    pub fn accepted(&self) -> usize {
        lock(&self.shared.state).inbound.len()
    }

    /// Agent states that were told.
    pub fn statuses(&self) -> Vec<Value> {
        lock(&self.shared.state).statuses.clone()
    }

    /// Final outcomes of the scripted agent's deliveries.
    pub fn receipts(&self) -> Vec<Receipt> {
        lock(&self.shared.state).receipts.clone()
    }

    /// Deliveries of the scripted agent without a final answer.
    pub fn undelivered(&self) -> usize {
        lock(&self.shared.state).due.len()
    }

    /// Sets the agent that answers.
    pub fn script(&self, script: Script) {
        lock(&self.shared.state).script = Some(script);
    }

    /// From now on every n-th inbound post fails, each time in the next of three ways: 503 without
    /// acting, a reset before acting, acting without an answer. It is a plan of the network like
    /// any other and ends with `Network::clear_plan`.
    pub fn fail_every(&self, n: u64) {
        let ways = [
            Fault::error(503, "unavailable", "try later"),
            Fault::CloseBeforeReading,
            Fault::ActAndDropAnswer,
        ];
        let count = ways.len() as u64;
        for (way, turn) in ways.into_iter().zip(1..) {
            let when = When::Every {
                server: Some(ServerKind::Gateway),
                text: format!("POST {INBOUND_PATH}"),
                first: n.saturating_mul(turn),
                n: n.saturating_mul(count),
            };
            self.shared.network.plan(when, way);
        }
    }

    /// Refuses every message whose text contains `part` with this status and word, until
    /// [`Gateway::accept_all`]: for messages that nobody will ever take.
    pub fn refuse_texts(&self, part: &str, status: u16, word: &str) {
        lock(&self.shared.state).refusals.push((part.to_owned(), status, word.to_owned()));
    }

    /// Forgets what is refused.
    pub fn accept_all(&self) {
        lock(&self.shared.state).refusals.clear();
    }

    /// Where the connector's Deliver listener is; may change while running.
    pub fn set_deliver(&self, origin: &str) {
        lock(&self.shared.state).deliver = Some(origin.to_owned());
        self.shared.changed.notify_all();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        lock(&self.shared.state).stopping = true;
        self.shared.changed.notify_all();
        if let Some(worker) = self.worker.take() {
            // A panic of the model shows in the test that asks it.
            let _ = worker.join();
        }
    }
}

/// The gateway's error envelope (aihummer: §2.3).
pub(in crate::sim) fn refuse(status: u16, kind: &str, message: &str) -> HttpReply {
    let body = json!({ "error": { "message": message, "type": kind, "code": kind } });
    HttpReply { error: kind.to_owned(), ..HttpReply::json(status, body.to_string()) }
}

fn answer(shared: &Shared, request: &Request) -> HttpReply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/healthz" | "/readyz") => HttpReply::json(200, r#"{"status":"ok"}"#),
        ("POST", INBOUND_PATH) => inbound(shared, request),
        ("POST", "/v1/inbound/binding/status") => {
            if !authentic(shared, request) {
                return refuse(401, "unauthenticated", "bad inbound secret");
            }
            let status = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            lock(&shared.state).statuses.push(status);
            HttpReply::json(200, "{}")
        }
        _ => refuse(404, "not_found", "no such route"),
    }
}

fn authentic(shared: &Shared, request: &Request) -> bool {
    let presented = request.header("x-aihummer-inbound-secret").unwrap_or_default();
    if shared.options.hmac {
        let mac = crypto::hmac_sha256(shared.options.secret.as_bytes(), &request.body);
        return presented == crypto::hex(&mac);
    }
    presented == shared.options.secret
}

fn inbound(shared: &Shared, request: &Request) -> HttpReply {
    let came = Instant::now();
    if !authentic(shared, request) {
        return refuse(401, "unauthenticated", "bad inbound secret");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let field = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(channel), Some(external_id), Some(text)) =
        (field("channel"), field("external_id"), field("text"))
    else {
        return refuse(400, "invalid", "channel, external_id and text are required");
    };
    let key = request.header("idempotency-key").unwrap_or_default().to_owned();
    let message = Inbound { channel, external_id, text, key: key.clone(), body, came };
    let mut state = lock(&shared.state);
    let refused = state.refusals.iter().find(|(part, _, _)| message.text.contains(part.as_str()));
    if let Some((_, status, word)) = refused {
        return refuse(*status, word, "refused by its text");
    }
    // Without a key a repeat cannot be told from somebody who says the same again.
    let fresh = key.is_empty() || state.keys.insert(key.clone());
    let answer =
        if fresh { state.script.as_ref().and_then(|script| script(&message)) } else { None };
    if let Some(answer) = answer {
        let delivery = format!("reply-{key}");
        state.due.push_back((delivery, message.external_id.clone(), answer));
        shared.changed.notify_all();
    }
    state.inbound.push(message);
    HttpReply::json(202, r#"{"accepted":true}"#)
}

/// The durable outbox: one delivery after the other, each until its final answer.
fn deliver_all(shared: &Shared) {
    let mut tries = 0;
    loop {
        let (deliver, (id, external_id, text)) = {
            let mut state = lock(&shared.state);
            loop {
                if state.stopping {
                    return;
                }
                if let (Some(deliver), Some(due)) = (&state.deliver, state.due.front()) {
                    break (deliver.clone(), due.clone());
                }
                state = shared.changed.wait(state).unwrap_or_else(|e| e.into_inner());
            }
        };
        tries += 1;
        let body = json!({ "delivery_id": id, "external_id": external_id, "text": text });
        match call(shared, &format!("{deliver}{DELIVER_PATH}"), &body) {
            Some((http, body)) if is_final(http) => {
                let word = body.get("status").or_else(|| body.get("code"));
                let status = word.and_then(Value::as_str).unwrap_or_default().to_owned();
                let mut state = lock(&shared.state);
                state.due.pop_front();
                state.receipts.push(Receipt {
                    delivery_id: id,
                    external_id,
                    http,
                    status,
                    body,
                    tries,
                });
                tries = 0;
            }
            _ => std::thread::sleep(RETRY_PAUSE),
        }
    }
}

fn is_final(http: u16) -> bool {
    (200..300).contains(&http)
        || ((400..500).contains(&http) && !matches!(http, 408 | 425 | 429))
        || http == 501
}

/// One Deliver call. It is an exchange of the network too, so that plans can hit it: whatever the
/// fault, either the call does not leave or its answer is not read.
fn call(shared: &Shared, url: &str, body: &Value) -> Option<(u16, Value)> {
    let line = Line { server: ServerKind::Gateway, method: "DELIVER", path: DELIVER_PATH };
    let decision = shared.network.begin(line);
    let (number, began) = (decision.number, decision.began);
    let fault = decision.fault.as_ref().map(Fault::name);
    let answer = exchange(shared, url, body, decision.fault);
    shared.network.end(Exchange {
        number,
        server: line.server,
        http_method: line.method.to_owned(),
        path: line.path.to_owned(),
        rest_method: String::new(),
        auth: AuthForm::Secret,
        user: None,
        status: answer.as_ref().map_or(0, |(status, _)| *status),
        error: String::new(),
        fault,
        told: Vec::new(),
        at: shared.network.clock().now(),
        began,
        ended: Instant::now(),
    });
    answer
}

fn exchange(
    shared: &Shared,
    url: &str,
    body: &Value,
    fault: Option<Fault>,
) -> Option<(u16, Value)> {
    let secret = [
        ("X-AIHummer-Inbound-Secret", shared.options.secret.as_str()),
        ("Content-Type", "application/json"),
    ];
    let bytes = body.to_string();
    let go = || client::request("POST", url, &secret, bytes.as_bytes(), DELIVER_TIMEOUT);
    match fault {
        None => go().ok().map(|response| (response.status, response.json())),
        Some(
            Fault::CloseBeforeReading
            | Fault::Html(_)
            | Fault::Redirect(_)
            | Fault::Error { .. }
            | Fault::RetryAfter { .. }
            | Fault::Body { .. },
        ) => None,
        Some(Fault::Hook(hook)) => {
            hook(super::fault::HookPoint::BeforeAct);
            let _ = client::send_and_leave("POST", url, &secret, bytes.as_bytes(), DELIVER_TIMEOUT);
            hook(super::fault::HookPoint::AfterAct);
            None
        }
        Some(_) => {
            let _ = client::send_and_leave("POST", url, &secret, bytes.as_bytes(), DELIVER_TIMEOUT);
            None
        }
    }
}
