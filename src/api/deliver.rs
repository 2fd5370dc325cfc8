//! The Deliver listener: Connect unary JSON of `aihummer.connector.v1`, decoded by `decode`, carried
//! out by `outbound`. Knows the caller's secret and the wire form of answers; no delivery rule.

mod decode;
mod inline;
mod operation;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::api;
use crate::api::deliver::decode::DeliverCall;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::api::routes::Action;
use crate::api::routes::Listener;
use crate::base::secret::Secret;
use crate::domain::agent::AgentState;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::ids::AgentName;
use crate::http::Answer;
use crate::http::Handler;
use crate::http::Reply;
use crate::http::Request;
use crate::limits;
use crate::outbound::DeliverRequest;
use crate::outbound::Desk;
use crate::outbound::MediaSource;
use crate::outbound::Outcome;
use crate::outbound::Refused;
use crate::store;
use crate::store::ledger::Delivery;

/// Answers the Deliver listener.
pub struct DeliverListener {
    /// Where deliveries go; `None` while the portal is not configured.
    pub desk: Option<Desk>,
    /// What a caller must present.
    pub secret: Option<Secret>,
    /// Told which agent is about to say something, so that answers to it are soon looked for.
    pub talks: Box<dyn Fn(&AgentName) + Send + Sync>,
}

impl Handler for DeliverListener {
    fn handle(&self, request: Request, answer: Answer) {
        match api::action(Listener::Deliver, &request) {
            Ok(Action::Health) => answer.send(api::health()),
            Ok(Action::Deliver) => self.deliver(request, answer),
            Ok(Action::GetDelivery) => {
                answer.send(self.find(&request).unwrap_or_else(|problem| problem.reply()));
            }
            Ok(_) => answer.send(Problem::not_found("nothing is here").reply()),
            Err(refused) => answer.send(refused),
        }
    }
}

impl DeliverListener {
    fn deliver(&self, request: Request, answer: Answer) {
        let began = Instant::now();
        let admitted = self.admit(&request).cloned();
        let read = admitted.and_then(|desk| {
            let call = Self::read(&desk, request)?;
            Ok((desk, call))
        });
        let (desk, call) = match read {
            Ok(admitted) => admitted,
            Err(problem) => return answer.send(problem.reply()),
        };
        (self.talks)(&call.request.agent);
        if call.request.operation == Operation::Typing {
            return answer.send(typing(&desk, &call.request));
        }
        if call.respond_async {
            let accepted = desk.deliver_later(call.request);
            return answer.send(match accepted {
                Ok((delivery, replayed)) if delivery.state.is_end() => {
                    finished(&delivery, replayed)
                }
                Ok((delivery, replayed)) => {
                    Reply::json(202, &receipt(&delivery, "accepted", replayed))
                }
                Err(refused) => problem_of(refused).reply(),
            });
        }
        let deadline = began + call.wait;
        // The answer is taken out by whoever comes first: the outcome, or the refusal below.
        let owed = Arc::new(std::sync::Mutex::new(Some(answer)));
        let later = Arc::clone(&owed);
        let reply = Box::new(move |outcome: Outcome| send(&later, outcome_reply(&outcome)));
        if let Err(refused) = desk.deliver(call.request, deadline, reply) {
            send(&owed, problem_of(refused).reply());
        }
    }

    /// Decodes a call. Of its files those that it uses are handed over with it, the others removed.
    fn read(desk: &Desk, mut request: Request) -> Result<DeliverCall, Problem> {
        let (json, mut files) = inline::read(&mut request.body, desk.shelf())?;
        request.body = json.into();
        let call = decode::deliver(&request, &|reference| files.find(reference).cloned())?;
        for media in &call.request.media {
            if let MediaSource::Kept(kept) = &media.source {
                files.hand_over(&kept.name);
            }
        }
        Ok(call)
    }

    fn find(&self, request: &Request) -> Result<Reply, Problem> {
        let desk = self.admit(request)?;
        let id = decode::delivery_id(request)?;
        match desk.find(&id) {
            Ok(Some(delivery)) => {
                let status = status_word(delivery.state);
                Ok(Reply::json(200, &receipt(&delivery, status, false)))
            }
            Ok(None) => Err(Problem::not_found("no delivery has this delivery_id")),
            Err(why) => Err(store_problem(&why)),
        }
    }

    fn admit(&self, request: &Request) -> Result<&Desk, Problem> {
        let Some(secret) = &self.secret else {
            return Err(Problem::unauthenticated(
                "no secret is configured: set AIHUMMER_INBOUND_SECRET here and in the gateway",
            ));
        };
        match presented(request) {
            Some(presented) if secret.matches(presented.as_bytes()) => {}
            Some(_) => return Err(Problem::unauthenticated("the secret is wrong")),
            None => {
                return Err(Problem::unauthenticated(
                    "present the secret in X-AIHummer-Inbound-Secret",
                ));
            }
        }
        self.desk.as_ref().ok_or_else(|| {
            Problem::precondition("the connector has no portal yet: its /readyz says what to set")
        })
    }
}

/// The answer to a typing call. Nothing is kept of it, so it is new each time.
fn typing(desk: &Desk, request: &DeliverRequest) -> Reply {
    let mut warnings = request.warnings.clone();
    match desk.typing(&request.agent, request.dialog) {
        Ok(true) => {}
        Ok(false) => warnings.push("typing is switched off by BITRIX24_TYPING".to_owned()),
        Err(refused) => return problem_of(refused).reply(),
    }
    let messages: [&str; 0] = [];
    let receipt = json!({
        "delivery_id": request.id.as_str(),
        "status": "accepted",
        "message_ids": messages,
        "replayed": false,
        "attempts": 0,
        "warnings": warnings,
    });
    Reply::json(200, &receipt)
}

/// Whether a request may have a body with files: it is a Deliver call and presents the secret.
pub fn may_carry_files(secret: &Secret, request: &Request) -> bool {
    let calls = api::action(Listener::Deliver, request) == Ok(Action::Deliver);
    calls && presented(request).is_some_and(|presented| secret.matches(presented.as_bytes()))
}

fn presented(request: &Request) -> Option<&str> {
    request.header("x-aihummer-inbound-secret").or_else(|| request.bearer())
}

fn send(owed: &std::sync::Mutex<Option<Answer>>, reply: Reply) {
    let answer = owed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(answer) = answer {
        answer.send(reply);
    }
}

fn outcome_reply(outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Finished { delivery, replayed } => finished(delivery, *replayed),
        Outcome::TimedOut => Problem::new(
            504,
            "deadline_exceeded",
            "the delivery is still running; repeat the call to join it",
        )
        .reply(),
        Outcome::Stopping => {
            Problem::unavailable("the connector is stopping; the delivery goes on, repeat the call")
                .reply()
        }
    }
}

/// The answer of a delivery that reached an end. A refusal, by the portal or by a person, is an error
/// with the code that the contract has for it; everything else is a receipt.
fn finished(delivery: &Delivery, replayed: bool) -> Reply {
    if !matches!(delivery.state, State::Rejected | State::Cancelled) {
        return Reply::json(200, &receipt(delivery, status_word(delivery.state), replayed));
    }
    let (code, message) = delivery.failure.clone().unwrap_or_default();
    let body = json!({
        "code": code,
        "message": message,
        "details": [receipt(delivery, status_word(delivery.state), replayed)],
    });
    Reply::json(problem::status_of(&code), &body)
}

/// The states of the ledger in the contract's words.
fn status_word(state: State) -> &'static str {
    match state {
        State::Accepted | State::Attempting | State::Waiting | State::Unknown => "accepted",
        State::Delivered => "delivered",
        State::Rejected | State::Cancelled => "rejected",
        State::Dead => "dead",
        State::Parked => "unknown",
    }
}

/// How often the delivery was tried. The ledger counts requests; those that only led on to the next
/// step are no further try of the whole.
fn attempts(delivery: &Delivery) -> u32 {
    let done = delivery.steps.iter().filter(|step| step.done).count();
    let led_on = if done == delivery.steps.len() { done.saturating_sub(1) } else { done };
    let led_on = u32::try_from(led_on).unwrap_or(u32::MAX);
    delivery.attempts.saturating_sub(led_on).max(delivery.attempts.min(1))
}

fn receipt(delivery: &Delivery, status: &str, replayed: bool) -> Value {
    let messages: Vec<String> = delivery.messages().iter().map(ToString::to_string).collect();
    let mut receipt = json!({
        "delivery_id": delivery.id.as_str(),
        "status": status,
        "message_ids": messages,
        "replayed": replayed,
        "attempts": attempts(delivery),
        "warnings": delivery.warnings,
    });
    if let Some((code, message)) = &delivery.failure {
        receipt["failure"] = json!({ "code": code, "message": message });
    }
    receipt
}

fn problem_of(refused: Refused) -> Problem {
    match refused {
        Refused::UnknownAgent => {
            Problem::not_found("no agent has this name; see the agents of the connector")
        }
        Refused::AgentNotReady(state, reason) => {
            let what = match state {
                AgentState::Created => "nobody has consented for this agent yet".to_owned(),
                AgentState::Paused => "the agent is paused".to_owned(),
                _ => format!("the agent is not connected: {reason}"),
            };
            Problem::precondition(what)
        }
        Refused::EmptyText => Problem::invalid("text: nothing visible is left of it"),
        Refused::TooManyParts => Problem::invalid(format!(
            "text: makes more than {} messages; send it in pieces",
            limits::DELIVERY_PARTS_MAX
        )),
        Refused::WrongTarget(why) => Problem::not_found(why),
        Refused::MediaHost(why) => Problem::invalid(format!("media: {why}")),
        Refused::Conflict => Problem::new(
            409,
            "already_exists",
            "this delivery_id was used with other content; use a new one",
        ),
        Refused::Full => Problem {
            retry_after: Some(limits::DELIVERY_FULL_RETRY_S),
            ..Problem::new(429, "resource_exhausted", "too many deliveries are unfinished")
        },
        Refused::Stopping => Problem::unavailable("the connector is stopping"),
        Refused::Store(why) => store_problem(&why),
    }
}

pub(super) fn store_problem(why: &store::Error) -> Problem {
    match why {
        store::Error::Full => Problem::unavailable("the connector's disk is full"),
        store::Error::Busy | store::Error::Stopped => {
            log::warn!("store_unavailable reason={why}");
            Problem::unavailable("the connector's database is busy")
        }
        _ => Problem::internal(why),
    }
}

/// How long a call waits: what it asks for, within bounds.
fn wait(asked_ms: Option<u64>) -> Duration {
    let asked = asked_ms.map_or(limits::DELIVERY_WAIT_DEFAULT, Duration::from_millis);
    asked.min(limits::DELIVERY_WAIT_MAX)
}
