//! Whether the gateway may be tried now. While it works every relay thread passes; once a POST
//! failed the gate closes and lets one probe through at a time, at growing intervals, so that a
//! gateway that is away sees one client and not a crowd, and is found again within
//! [`limits::RELAY_RETRY_MAX`]. When the failure may be that message's own, messages that were not
//! tried yet still pass. Knows no message. Shared by the relay threads; readiness and status read
//! [`Gate::state`]. The lock is never held across a call. Beside it, the hints that the relay threads
//! look again: at the outbox, or at all of it.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::domain::retry::Backoff;
use crate::gateway::Told;
use crate::gateway::Trouble;
use crate::gateway::Verdict;
use crate::limits;

const BACKOFF: Backoff =
    Backoff { first: limits::RELAY_RETRY_FIRST, most: limits::RELAY_RETRY_MAX };
const SLOW: Backoff = Backoff { first: limits::RELAY_SLOW_FIRST, most: limits::RELAY_SLOW_MAX };

/// What is known of the gateway. Text forms are the same in JSON, logs and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayState {
    /// Nothing was sent yet.
    Untried,
    /// It answers.
    Ok,
    /// It does not answer, or answers that it cannot.
    Away,
    /// It does not accept our secret.
    RefusesSecret,
}

impl GatewayState {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            GatewayState::Untried => "untried",
            GatewayState::Ok => "ok",
            GatewayState::Away => "away",
            GatewayState::RefusesSecret => "refuses_secret",
        }
    }
}

/// Permission to try the gateway once. Given back with [`Gate::leave`] or [`Gate::told`].
#[derive(Debug, PartialEq, Eq)]
pub struct Pass {
    /// How many failures were known when it was given: attempts that began before the last one
    /// say nothing new when they fail too.
    failures: u64,
    /// The one that was let through a closed gate to see whether it can open.
    probe: bool,
}

/// Why there is no pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When to ask again at the latest; a kick may come before.
    pub wait: Duration,
    /// Whether messages that were not tried yet would pass.
    pub untried_pass: bool,
}

/// See the module.
pub struct Gate {
    inner: Mutex<Inner>,
    /// Inboxes of the relay threads, one hint each.
    kicks: Vec<Sender<()>>,
    /// See [`Gate::steer`].
    steered: AtomicU64,
}

struct Inner {
    state: GatewayState,
    /// While closed: it may be for some messages only.
    doubtful: bool,
    /// Failures in a row.
    streak: u32,
    /// All failures ever counted, see [`Pass`].
    failures: u64,
    /// While closed: when the next probe may go.
    probe_at: Instant,
    /// While closed: a probe is under way.
    probing: bool,
    /// The trouble the log has told of since the gateway last answered.
    told: Option<GatewayState>,
}

impl Inner {
    fn open(&self) -> bool {
        matches!(self.state, GatewayState::Untried | GatewayState::Ok)
    }

    fn close(&mut self, state: GatewayState, wait: Duration, now: Instant) {
        self.state = state;
        self.streak = self.streak.saturating_add(1);
        self.failures += 1;
        self.probe_at = now + wait;
    }

    fn answers(&mut self) {
        if self.told.take().is_some() {
            log::info!("gateway_answers failures={}", self.streak);
        }
        self.state = GatewayState::Ok;
        self.streak = 0;
        self.probing = false;
    }

    /// Whether this trouble is still to be told; once told it is not told again.
    fn tell(&mut self, trouble: GatewayState) -> bool {
        self.told.replace(trouble) != Some(trouble)
    }
}

impl Gate {
    /// An open gate. `kicks` wake the relay threads.
    pub fn new(kicks: Vec<Sender<()>>, now: Instant) -> Gate {
        let inner = Inner {
            state: GatewayState::Untried,
            doubtful: false,
            streak: 0,
            failures: 0,
            probe_at: now,
            probing: false,
            told: None,
        };
        Gate { inner: Mutex::new(inner), kicks, steered: AtomicU64::new(0) }
    }

    /// What is known of the gateway.
    pub fn state(&self) -> GatewayState {
        self.inner().state
    }

    /// Asks for a pass, for a message that was tried before or not.
    ///
    /// # Errors
    /// See [`Closed`].
    pub fn enter(&self, untried: bool, now: Instant) -> Result<Pass, Closed> {
        let mut inner = self.inner();
        let failures = inner.failures;
        if inner.open() || (untried && inner.doubtful) {
            return Ok(Pass { failures, probe: false });
        }
        let wait = if inner.probing {
            // Whoever probes kicks the others afterwards.
            limits::GATEWAY_POST_TIME_MAX
        } else {
            inner.probe_at.saturating_duration_since(now)
        };
        if !wait.is_zero() {
            return Err(Closed { wait, untried_pass: inner.doubtful });
        }
        inner.probing = true;
        Ok(Pass { failures, probe: true })
    }

    /// A pass comes back with what became of the message.
    pub fn leave(&self, pass: Pass, verdict: &Verdict, now: Instant, dice: u64) {
        let mut inner = self.inner();
        let was_open = inner.open();
        // What was let through beside the probe must not make the probes rarer.
        let news = pass.failures == inner.failures && (pass.probe || was_open);
        if pass.probe {
            inner.probing = false;
        }
        match verdict {
            Verdict::Accepted | Verdict::Refused { .. } => inner.answers(),
            Verdict::SecretRefused { code } => {
                inner.doubtful = false;
                if news {
                    let wait = SLOW.delay(inner.streak.saturating_add(1), dice);
                    inner.close(GatewayState::RefusesSecret, wait, now);
                }
                if inner.tell(GatewayState::RefusesSecret) {
                    log::error!(
                        "gateway_refuses_secret code={code} setting=AIHUMMER_INBOUND_SECRET"
                    );
                }
            }
            Verdict::Retry { trouble, after, code } => {
                let perhaps_its_own = *trouble == Trouble::Message;
                inner.doubtful = perhaps_its_own && (news || inner.doubtful);
                if news {
                    let backoff = if *trouble == Trouble::Setup { SLOW } else { BACKOFF };
                    let wait = backoff.delay(inner.streak.saturating_add(1), dice);
                    let wait = wait.max(after.unwrap_or_default());
                    inner.close(GatewayState::Away, wait, now);
                }
                let lasting = inner.streak >= limits::RELAY_AWAY_FAILURES;
                if lasting && inner.tell(GatewayState::Away) {
                    log::warn!("gateway_away code={code} failures={}", inner.streak);
                }
            }
        }
        drop(inner);
        // Only while it was closed somebody waits for it.
        if !was_open {
            self.kick();
        }
    }

    /// The gateway was told of an agent's state. Its status endpoint may be missing or broken while
    /// messages flow, so an answer can open the gate but closes it only when nothing is known yet;
    /// silence, on the other hand, is the same for every endpoint.
    pub fn told(&self, pass: Pass, outcome: Told, now: Instant, dice: u64) {
        match (outcome, self.state()) {
            (Told::Unanswered, _) => {
                let code = "status_unanswered".to_owned();
                let verdict = Verdict::Retry { trouble: Trouble::Gateway, after: None, code };
                self.leave(pass, &verdict, now, dice);
            }
            (Told::SecretRefused, GatewayState::Untried) => {
                let code = "status_refused".to_owned();
                self.leave(pass, &Verdict::SecretRefused { code }, now, dice);
                // The message endpoint is the one that counts: the first message tries it at once.
                self.inner().probe_at = now;
            }
            (Told::Answered, GatewayState::Untried | GatewayState::Away) => {
                self.leave(pass, &Verdict::Accepted, now, dice);
            }
            (Told::SecretRefused | Told::Answered, _) => {
                if pass.probe {
                    self.inner().probing = false;
                    self.kick();
                }
            }
        }
    }

    /// Wakes the relay threads: rows were committed, or the gate moved.
    pub fn kick(&self) {
        for kick in &self.kicks {
            // A full inbox means that the thread is going to look anyway.
            let _ = kick.try_send(());
        }
    }

    /// Has every relay thread read the outbox from the start: rows that it may know were changed by
    /// somebody else, who has committed that. A row that came back is then in its place, and one that
    /// is gone holds nobody back.
    pub fn steer(&self) {
        self.steered.fetch_add(1, Ordering::Release);
        self.kick();
    }

    /// How often that was asked for. Whoever reads this, and then the outbox, sees what was changed
    /// before.
    pub fn steered(&self) -> u64 {
        self.steered.load(Ordering::Acquire)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is a few assignments; a panic leaves them usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
