//! One call to the portal: a turn at the limiter, the request, the classified answer. One
//! [`Portal`] is shared by all agents, because the rate is counted per portal and source address
//! (b24: transport §3.1). Knows credentials as values; who they belong to and how they are renewed
//! is `agents`' matter; whose turn it is decides `domain::turns`, of which this keeps clock and lock.

mod attach;

use std::path::PathBuf;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Map;
use serde_json::Value;
use url::Url;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::crypto;
use crate::base::metrics::Counter;
use crate::base::metrics::count;
use crate::base::secret::Secret;
use crate::bitrix::failure;
use crate::bitrix::transport::Reply;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::Trouble;
use crate::domain::budget::Figures;
use crate::domain::budget::Meter;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::UserId;
use crate::domain::limiter::Rate;
pub use crate::domain::turns::Lane;
use crate::domain::turns::Permit;
use crate::domain::turns::Standing;
use crate::domain::turns::Turns;
use crate::domain::turns::Verdict;
use crate::limits;

/// A call, ready to be sent: what `methods` makes.
pub struct Call<T> {
    /// The REST method.
    pub method: &'static str,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// Whether it can change anything on the portal.
    pub writes: bool,
    /// Its place in the queue.
    pub lane: Lane,
    /// Reads `result`, or of a call that asks for a page ([`Call::pages`]) the whole answer; `None`
    /// when it has not the documented type.
    pub read: fn(&Value) -> Option<T>,
    /// A file that goes along in base64.
    pub file: Option<Attached>,
}

impl<T> Call<T> {
    /// Whether it asks for a page of a classic list: then the place of the next page stands beside
    /// `result` (b24: transport §2.4, §2.7). No other call has a parameter of this name.
    pub fn pages(&self) -> bool {
        self.params.contains_key("start")
    }
}

/// A file inside a call's parameters: read, encoded and sent piece by piece, so that its size costs
/// no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The parameter value, unlike any other, in whose place it goes.
    pub marker: String,
}

impl Attached {
    /// A file with a marker of its own.
    pub fn new(path: PathBuf, bytes: u64) -> Attached {
        let marker = format!("file-{}", crypto::hex(&crypto::random::<16>()));
        Attached { path, bytes, marker }
    }
}

/// Whom a call acts as.
#[derive(Clone, Debug)]
pub struct Credential {
    /// REST root of the portal, ends with a slash.
    pub endpoint: Url,
    /// What it presents.
    pub access: Access,
}

/// What a call presents.
#[derive(Clone, Debug)]
pub enum Access {
    /// An access token of the application.
    Token(Secret),
    /// Whose webhook, and its secret, which is part of the address (b24: transport §1.16).
    Webhook(UserId, Secret),
}

impl Credential {
    fn webhook(&self) -> Option<UserId> {
        match self.access {
            Access::Token(_) => None,
            Access::Webhook(user, _) => Some(user),
        }
    }
}

/// How the rate is ruled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateRule {
    /// As the licence says, once known.
    Auto,
    /// This one.
    Fixed(Rate),
    /// None.
    Off,
}

/// The portal as all agents share it.
pub struct Portal {
    transport: Transport,
    rule: RateRule,
    turns: Mutex<Turns>,
    moved: Condvar,
    started: Instant,
    /// By how many milliseconds the portal's clock is ahead of ours, as its last answer said.
    ahead_ms: AtomicI64,
}

/// A turn that was had; its method counts as running until this is dropped.
struct Turn<'a> {
    portal: &'a Portal,
    permit: Permit,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.portal.turns().end(&self.permit);
        self.portal.moved.notify_all();
    }
}

impl Portal {
    /// A portal behind a transport.
    pub fn new(transport: Transport, rule: RateRule) -> Portal {
        let rate = match rule {
            RateRule::Off => None,
            // The slower rate is safe until the licence is known.
            RateRule::Auto => Some(Rate::STANDARD),
            RateRule::Fixed(rate) => Some(rate),
        };
        Portal {
            transport,
            rule,
            turns: Mutex::new(Turns::new(rate, Duration::ZERO)),
            moved: Condvar::new(),
            started: Instant::now(),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// What the portal's clock shows, or showed, at a moment of ours.
    pub fn time_there(&self, here: UnixMs) -> UnixMs {
        UnixMs(here.0.saturating_add(self.ahead_ms.load(Ordering::Relaxed)))
    }

    /// The HTTP client, for the authorization server.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Tells the licence, which decides the rate unless a setting does.
    pub fn set_licence(&self, licence: &str) {
        if self.rule == RateRule::Auto {
            self.turns().set_rate(Rate::of_licence(licence), self.now());
            self.moved.notify_all();
        }
    }

    /// How the limits stand.
    pub fn standing(&self) -> Standing {
        self.turns().standing(self.now())
    }

    /// Sends one call as `credential` and reads its result.
    ///
    /// # Errors
    /// The classified failure; nothing is retried here.
    pub fn call<T>(&self, credential: &Credential, call: &Call<T>) -> Result<T, Failure> {
        let meter = Meter { method: call.method, webhook: credential.webhook() };
        let turn = self.turn(call.lane, meter, call.writes)?;
        let started = Instant::now();
        let reply = self.send(credential, call);
        let result = self.read(call, reply, &turn.permit);
        drop(turn);
        count(Counter::PortalCalls);
        let took_ms = started.elapsed().as_millis();
        match &result {
            Ok(_) => log::debug!("portal_call method={} took_ms={took_ms} ok", call.method),
            Err(failure) => {
                count(Counter::PortalFailures);
                log::debug!("portal_call {failure} took_ms={took_ms}");
            }
        }
        result
    }

    fn send<T>(&self, credential: &Credential, call: &Call<T>) -> Result<Reply, Trouble> {
        let mut params = call.params.clone();
        let url = match &credential.access {
            Access::Token(token) => {
                // b24: transport §6 rule 15: in the body it reaches every portal, a header does not.
                params.insert("auth".to_owned(), Value::String(token.expose().to_owned()));
                credential.endpoint.join(call.method)
            }
            // Nothing prints this address, see `transport`.
            Access::Webhook(user, secret) => {
                credential.endpoint.join(&format!("{user}/{}/{}", secret.expose(), call.method))
            }
        };
        let Ok(url) = url else { return Err(Trouble::NotSent("bad_url")) };
        if let Some(file) = &call.file {
            let mut body = attach::Body::new(&params, file)?;
            let bytes = body.length();
            let reply = self.transport.post_long_json(&url, &mut body, bytes);
            return reply.map_err(|trouble| match trouble {
                Trouble::NoAnswer(_) if body.is_broken() => Trouble::NoAnswer("file_unreadable"),
                trouble => trouble,
            });
        }
        let body = serde_json::to_vec(&params).map_err(|_| Trouble::NotSent("bad_params"))?;
        self.transport.post_json(&url, &body)
    }

    fn read<T>(
        &self,
        call: &Call<T>,
        reply: Result<Reply, Trouble>,
        permit: &Permit,
    ) -> Result<T, Failure> {
        let reply = reply.map_err(|trouble| {
            if let Trouble::Certificate(why) = &trouble {
                log::warn!("certificate_refused reason={why:?}");
            }
            failure::of_trouble(call.method, call.writes, &trouble)
        })?;
        let envelope = failure::object(call.method, call.writes, &reply)
            .map_err(|failure| match call.file {
                Some(_) => failure::with_file(failure),
                None => failure,
            })
            .map_err(|failure| self.heed(permit, failure))?;
        let figures = self.times(&envelope);
        self.turns().admitted(permit, figures, self.now());
        let odd = |code| {
            failure::failure(call.method, call.writes, Class::Protocol, Effect::Unknown, code)
        };
        let result = envelope.get("result").ok_or_else(|| odd("no_result"))?;
        let told = if call.pages() { &envelope } else { result };
        (call.read)(told).ok_or_else(|| odd("wrong_type"))
    }

    /// Makes the limiter heed a refusal: a full bucket is full for all, a parked method parked.
    fn heed(&self, permit: &Permit, failure: Failure) -> Failure {
        match failure.class {
            Class::RateLimited => {
                count(Counter::PortalRateLimited);
                let dice = u64::from_le_bytes(crypto::random());
                let pause = self.turns().refused(permit, self.now(), dice);
                if let Some(pause) = pause {
                    log::warn!(
                        "rate_refused method={} pause_ms={}",
                        failure.method,
                        pause.as_millis()
                    );
                }
                failure
            }
            Class::MethodParked => {
                count(Counter::PortalMethodsParked);
                let wait = self.turns().park(permit, self.now());
                log::warn!("method_parked method={} for_s={}", failure.method, wait.as_secs());
                failure::after(failure, wait)
            }
            _ => failure,
        }
    }

    /// What an answer says of time: how far the portal's clock is from ours is kept, its method's
    /// operating time returned, with the reset relative to the answer's own clock.
    fn times(&self, envelope: &Value) -> Option<Figures> {
        let time = envelope.get("time")?;
        let number = |name| time.get(name).and_then(Value::as_f64).filter(|n| n.is_finite());
        let finish = number("finish")?;
        // Saturating casts: an absurd clock stays absurd and nothing else.
        let ahead_ms = ((finish * 1000.0) as i64).saturating_sub(clock::now().0);
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        let longest = limits::METHOD_PARKED_MAX.as_secs_f64();
        let reset = (number("operating_reset_at")? - finish + 1.0).clamp(0.0, longest);
        Some(Figures {
            spent: number("operating").unwrap_or_default().max(0.0),
            cost: number("duration").unwrap_or_default().clamp(0.0, longest),
            reset: Duration::from_secs_f64(reset),
        })
    }

    /// Waits for a turn. Bounded: a call that cannot go in time is refused, not executed.
    fn turn(&self, lane: Lane, meter: Meter, writes: bool) -> Result<Turn<'_>, Failure> {
        let refused =
            |class, code| failure::failure(meter.method, writes, class, Effect::None, code);
        let mut turns = self.turns();
        let ticket = turns.join(lane, meter, self.now());
        let outcome = loop {
            let verdict = turns.ask(&ticket, self.now());
            if turns.has_granted() {
                self.moved.notify_all();
            }
            match verdict {
                Verdict::Go(permit) => break Ok(Turn { portal: self, permit }),
                Verdict::Wait(wait) => {
                    let waited = self.moved.wait_timeout(turns, wait);
                    turns = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Verdict::NoPlace => break Err(refused(Class::RateLimited, "limiter")),
                Verdict::NoTime(wait) => {
                    let failure = refused(Class::MethodParked, "method_parked");
                    break Err(failure::after(failure, wait));
                }
            }
        };
        drop(turns);
        outcome
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // Counters and times only: a panic elsewhere leaves nothing half done in them.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
