//! One call to the portal: a turn at the limiter, the request, the classified answer. One
//! [`Portal`] is shared by all agents, because the rate is counted per portal and source address
//! (b24: transport §3.1). Knows credentials as values; who they belong to and how they are renewed
//! is `agents`' matter.

mod attach;

use std::collections::HashMap;
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
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::limiter::Bucket;
use crate::domain::limiter::Rate;
use crate::limits;

/// Whose turn comes first when the portal's rate is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Answers of agents.
    Reply,
    /// Asking for events.
    Poll,
    /// Consent, identity, directory.
    Upkeep,
    /// Showing that an agent types: never waits, because late it is worth nothing.
    Typing,
}

const LANES: usize = 4;

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
    /// Reads `result`; `None` when it has not the documented type.
    pub read: fn(&Value) -> Option<T>,
    /// A file that goes along in base64.
    pub file: Option<Attached>,
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
    /// Access token.
    pub access: Secret,
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
    queue: Mutex<Queue>,
    moved: Condvar,
    started: Instant,
    /// By how many milliseconds the portal's clock is ahead of ours, as its last answer said.
    ahead_ms: AtomicI64,
}

/// Who waits for a turn, and what may not be asked just now.
struct Queue {
    /// `None` when there is no limit.
    bucket: Option<Bucket>,
    waiting: [usize; LANES],
    parked: HashMap<&'static str, Instant>,
    /// When the operating time of a method is counted anew, as its last success said.
    resets: HashMap<&'static str, Instant>,
}

impl Portal {
    /// A portal behind a transport.
    pub fn new(transport: Transport, rule: RateRule) -> Portal {
        let bucket = match rule {
            RateRule::Off => None,
            // The slower rate is safe until the licence is known.
            RateRule::Auto => Some(Bucket::new(Rate::STANDARD, Duration::ZERO)),
            RateRule::Fixed(rate) => Some(Bucket::new(rate, Duration::ZERO)),
        };
        let queue =
            Queue { bucket, waiting: [0; LANES], parked: HashMap::new(), resets: HashMap::new() };
        Portal {
            transport,
            rule,
            queue: Mutex::new(queue),
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
            let now = self.started.elapsed();
            if let Some(bucket) = &mut self.queue().bucket {
                bucket.set_rate(Rate::of_licence(licence), now);
            }
        }
    }

    /// Sends one call as `credential` and reads its result.
    ///
    /// # Errors
    /// The classified failure; nothing is retried here.
    pub fn call<T>(&self, credential: &Credential, call: &Call<T>) -> Result<T, Failure> {
        self.turn(call.lane, call.method, call.writes)?;
        let started = Instant::now();
        let reply = self.send(credential, call);
        let result = self.read(call, reply);
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
        let Ok(url) = credential.endpoint.join(call.method) else {
            return Err(Trouble::NotSent("bad_url"));
        };
        let mut params = call.params.clone();
        // b24: transport §6 rule 15: in the body it reaches every portal, a header does not.
        params.insert("auth".to_owned(), Value::String(credential.access.expose().to_owned()));
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

    fn read<T>(&self, call: &Call<T>, reply: Result<Reply, Trouble>) -> Result<T, Failure> {
        let reply = reply.map_err(|trouble| {
            if let Trouble::Certificate(why) = &trouble {
                log::warn!("certificate_refused reason={why:?}");
            }
            failure::of_trouble(call.method, call.writes, &trouble)
        })?;
        let envelope = failure::object(call.method, call.writes, &reply)
            .map_err(|failure| self.heed(call.method, failure))?;
        self.remember_times(call.method, &envelope);
        let odd = |code| {
            failure::failure(call.method, call.writes, Class::Protocol, Effect::Unknown, code)
        };
        let result = envelope.get("result").ok_or_else(|| odd("no_result"))?;
        (call.read)(result).ok_or_else(|| odd("wrong_type"))
    }

    /// Makes the limiter heed a refusal: a full bucket is full for all, a parked method parked.
    fn heed(&self, method: &'static str, failure: Failure) -> Failure {
        match failure.class {
            Class::RateLimited => {
                count(Counter::PortalRateLimited);
                let now = self.started.elapsed();
                if let Some(bucket) = &mut self.queue().bucket {
                    bucket.fill(now);
                }
                failure
            }
            Class::MethodParked => {
                let mut queue = self.queue();
                let now = Instant::now();
                let reset = queue.resets.get(method).copied().filter(|reset| *reset > now);
                let until = reset.unwrap_or(now + limits::METHOD_PARKED_DEFAULT);
                queue.parked.insert(method, until);
                log::warn!("method_parked method={method} for_s={}", (until - now).as_secs());
                failure::after(failure, until - now)
            }
            _ => failure,
        }
    }

    /// Keeps what an answer says of time: how far the portal's clock is from ours, and
    /// `operating_reset_at` relative to the answer's own clock.
    fn remember_times(&self, method: &'static str, envelope: &Value) {
        let time = envelope.get("time").unwrap_or(&Value::Null);
        let reset = time.get("operating_reset_at").and_then(Value::as_f64);
        let Some(finish) = time.get("finish").and_then(Value::as_f64) else { return };
        // Saturating casts: an absurd clock stays absurd and nothing else.
        let ahead_ms = ((finish * 1000.0) as i64).saturating_sub(clock::now().0);
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        if let Some(reset) = reset {
            let seconds =
                (reset - finish + 1.0).clamp(0.0, limits::METHOD_PARKED_MAX.as_secs_f64());
            let until = Instant::now() + Duration::from_secs_f64(seconds);
            self.queue().resets.insert(method, until);
        }
    }

    /// Waits for a turn. Bounded: a call that cannot go in time is refused, not executed.
    fn turn(&self, lane: Lane, method: &'static str, writes: bool) -> Result<(), Failure> {
        let refused = |class, code, wait| {
            failure::after(failure::failure(method, writes, class, Effect::None, code), wait)
        };
        let began = Instant::now();
        let mut queue = self.queue();
        if queue.bucket.is_none() && queue.parked.is_empty() {
            return Ok(());
        }
        queue.waiting[lane as usize] += 1;
        let outcome = loop {
            let now = Instant::now();
            queue.parked.retain(|_, until| *until > now);
            if let Some(until) = queue.parked.get(method) {
                break Err(refused(Class::MethodParked, "method_parked", *until - now));
            }
            let waited = now - began;
            let ahead: usize = queue.waiting[..lane as usize].iter().sum();
            let behind = ahead > 0 && waited < limits::LIMITER_PATIENCE;
            let wait = match &mut queue.bucket {
                None => break Ok(()),
                Some(_) if behind => limits::LIMITER_PATIENCE - waited,
                // Who has waited long enough may use what is kept for answers, too.
                Some(bucket) => match bucket.take(
                    self.started.elapsed(),
                    lane != Lane::Reply && waited < limits::LIMITER_PATIENCE,
                ) {
                    Ok(()) => break Ok(()),
                    Err(wait) => wait,
                },
            };
            if waited >= limits::LIMITER_WAIT_MAX || lane == Lane::Typing {
                break Err(refused(Class::RateLimited, "limiter", wait));
            }
            let waited_for = self.moved.wait_timeout(queue, wait);
            queue = waited_for.unwrap_or_else(PoisonError::into_inner).0;
        };
        queue.waiting[lane as usize] -= 1;
        drop(queue);
        // Whoever waited behind this lane looks again.
        self.moved.notify_all();
        outcome
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Counters and times only: a panic elsewhere leaves nothing half done in them.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
