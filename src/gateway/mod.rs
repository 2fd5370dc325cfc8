//! The client of AiHummer's inbound endpoint: posts one message, or tells of an agent's state, and
//! turns the answer into a verdict. Owns the HTTP client, the shape of the body and the signature.
//! Refuses to know what happens next: retrying, order and dead letters are `inbound::relay`'s, its
//! only caller.

mod body;
mod verdict;

use std::time::Duration;

use url::Url;

use crate::base::clock;
use crate::base::crypto;
use crate::base::names::Names;
use crate::base::secret::Secret;
use crate::gateway::verdict::Answer;
use crate::limits;

pub use body::BindingStatus;
pub use body::InboundMessage;
pub use verdict::Trouble;
pub use verdict::Verdict;

/// Carries the shared secret, or a signature made with it.
const SECRET_HEADER: &str = "X-AIHummer-Inbound-Secret";
/// Where agent states are told, on the gateway's origin.
const STATUS_PATH: &str = "/v1/inbound/binding/status";

/// What the secret header carries. The gateway's documents can be read both ways, hence a setting
/// (`aihummer: §2.2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// The secret itself.
    Raw,
    /// Lower-case hexadecimal HMAC-SHA-256 of the exact body, keyed with the secret.
    HmacSha256,
}

/// What a [`Gateway`] is made of.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Where messages are posted, path included.
    pub url: Url,
    /// The shared secret; without one the header is left out.
    pub secret: Option<Secret>,
    /// What the header carries.
    pub signing: Signing,
    /// The `channel` field.
    pub channel: String,
    /// Whether the optional fields are sent.
    pub extra: bool,
    /// Whom to trust, for a gateway behind https: `bitrix::transport::trust`.
    pub tls: ureq::tls::TlsConfig,
}

/// What became of telling an agent's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Somebody answered, whatever it was.
    Answered,
    /// The answer was that our secret is wrong.
    SecretRefused,
    /// No answer came.
    Unanswered,
}

/// The client. Shared by the relay threads; cheap calls only, no lock of ours.
pub struct Gateway {
    options: GatewayOptions,
    status_url: Url,
    agent: ureq::Agent,
}

impl Gateway {
    /// Builds the client; connects to nothing yet.
    pub fn new(options: GatewayOptions) -> Gateway {
        let mut status_url = options.url.clone();
        status_url.set_path(STATUS_PATH);
        status_url.set_query(None);
        status_url.set_fragment(None);
        let config = ureq::Agent::config_builder()
            .tls_config(options.tls.clone())
            // The proxy setting is for the portal; without this line ureq would take one from the
            // environment and send the gateway's traffic, on the same host as a rule, through it.
            .proxy(None)
            .http_status_as_error(false)
            // A redirect would carry the secret elsewhere; it is reported as a status instead.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("aihummer-bitrix24/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(limits::GATEWAY_CONNECT_TIME_MAX))
            .timeout_connect(Some(limits::GATEWAY_CONNECT_TIME_MAX))
            .timeout_recv_body(Some(limits::GATEWAY_ANSWER_TIME_MAX))
            .max_idle_connections_per_host(limits::RELAY_THREADS)
            .build();
        let connector = ureq::unversioned::transport::DefaultConnector::default();
        let agent = ureq::Agent::with_parts(config, connector, Names::default());
        Gateway { options, status_url, agent }
    }

    /// Posts one message and waits for the verdict, at most
    /// [`limits::GATEWAY_POST_TIME_MAX`]. The same message has the same idempotency key each time.
    pub fn post(&self, message: &InboundMessage<'_>) -> Verdict {
        let body = body::message(&self.options.channel, message, self.options.extra);
        let key = message.idempotency_key();
        let within = limits::GATEWAY_POST_TIME_MAX;
        match self.exchange(&self.options.url, &body, Some(&key), within) {
            Ok(answer) => verdict::of_answer(&answer, clock::now()),
            Err(failure) => verdict::of_failure(&failure),
        }
    }

    /// Tells the gateway that an agent's state changed, within
    /// [`limits::GATEWAY_STATUS_TIME_MAX`]. Best effort: 404 and 501 are what a gateway without
    /// this endpoint answers, so an answer says only that somebody is there.
    pub fn binding_status(&self, status: &BindingStatus) -> Told {
        let body = body::status(&self.options.channel, status);
        let within = limits::GATEWAY_STATUS_TIME_MAX;
        match self.exchange(&self.status_url, &body, None, within) {
            Ok(answer) if matches!(answer.status, 401 | 403) => Told::SecretRefused,
            Ok(_) => Told::Answered,
            Err(_) => Told::Unanswered,
        }
    }

    /// Cuts every call in progress and refuses new ones. For the end of the process, when a call
    /// outlives the time that a stop may take.
    pub fn shutdown(&self) {
        self.agent.clone().shutdown();
    }

    fn exchange(
        &self,
        url: &Url,
        body: &[u8],
        key: Option<&str>,
        within: Duration,
    ) -> Result<Answer, ureq::Error> {
        let mut request = self
            .agent
            .post(url.as_str())
            .config()
            .timeout_global(Some(within))
            .build()
            .header("Content-Type", "application/json");
        if let Some(proof) = self.proof(body) {
            request = request.header(SECRET_HEADER, proof.expose());
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let mut response = request.send(body)?;
        let retry_after = response.headers().get("Retry-After");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        // The status has decided already, so an answer that breaks off or is too long only loses
        // its error code. Reading to the end is what lets the connection be used again.
        let limit = limits::GATEWAY_ANSWER_BYTES_MAX;
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        let body = body.unwrap_or_default();
        Ok(Answer { status: response.status().as_u16(), retry_after, body })
    }

    /// What the secret header says about this body.
    fn proof(&self, body: &[u8]) -> Option<Secret> {
        let secret = self.options.secret.as_ref()?;
        Some(match self.options.signing {
            Signing::Raw => secret.clone(),
            Signing::HmacSha256 => {
                let digest = crypto::hmac_sha256(secret.expose().as_bytes(), body);
                Secret::new(crypto::hex(&digest))
            }
        })
    }
}

#[cfg(test)]
mod tests;
