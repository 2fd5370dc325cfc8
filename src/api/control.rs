//! The control listener: liveness, readiness with reasons, metrics, and the operator's API. Reads
//! the other components' states; changes agents, and what a person does to deliveries
//! (`api::deliveries`) and inbound messages (`api::inbound`). Everything but the three open routes
//! needs the control secret.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::TryLockError;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::agents::consent::Consents;
use crate::agents::registry::AgentView;
use crate::agents::registry::Registry;
use crate::api;
use crate::api::agents;
use crate::api::deliveries;
use crate::api::directory;
use crate::api::inbound;
use crate::api::problem::Problem;
use crate::api::render;
use crate::api::routes::Action;
use crate::api::routes::Listener;
use crate::base::metrics;
use crate::base::secret::Secret;
use crate::directory::Directory;
use crate::domain::agent::AgentState;
use crate::domain::delivery::Event;
use crate::domain::ids::AgentName;
use crate::domain::turns::Standing;
use crate::http::Answer;
use crate::http::Handler;
use crate::http::Reply;
use crate::http::Request;
use crate::inbound::Steering;
use crate::outbound::Desk;
use crate::store::Store;

/// What the listener answers from.
pub struct ControlListener {
    /// What a caller must present.
    pub secret: Secret,
    /// The database.
    pub store: Store,
    /// Agents and consents; `None` while the portal is not configured.
    pub agents: Option<(Arc<Registry>, Arc<Consents>)>,
    /// Who may talk with agents; `None` likewise.
    pub directory: Option<Arc<Directory>>,
    /// What a person should look at, one sentence each.
    pub warnings: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Where deliveries are steered; `None` likewise.
    pub desk: Option<Desk>,
    /// Where inbound messages are steered; `None` likewise.
    pub inbound: Option<Steering>,
    /// Settings of the portal that are missing.
    pub missing: Vec<&'static str>,
    /// Base URL of the consent listener, without a trailing slash.
    pub consent_url: String,
    /// What the gateway last said: a reason when it is not well.
    pub gateway: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// The same as a word.
    pub gateway_state: Box<dyn Fn() -> &'static str + Send + Sync>,
    /// Held while an agent is looked at.
    pub checking: Mutex<()>,
    /// Every setting with its source, secrets left out.
    pub settings: Value,
    /// When the process started.
    pub started: Instant,
}

impl Handler for ControlListener {
    fn handle(&self, request: Request, answer: Answer) {
        let action = match api::action(Listener::Control, &request) {
            Ok(action) => action,
            Err(refused) => return answer.send(refused),
        };
        let presented = request.bearer().unwrap_or_default();
        if !action.is_open() && !self.secret.matches(presented.as_bytes()) {
            let problem = Problem::unauthenticated(
                "present the control secret as Authorization: Bearer; it is in control.secret in \
                 the state directory unless BITRIX24_CONTROL_SECRET is set",
            );
            return answer.send(problem.reply());
        }
        answer.send(self.act(action, &request).unwrap_or_else(|problem| problem.reply()));
    }
}

impl ControlListener {
    fn act(&self, action: Action, request: &Request) -> Result<Reply, Problem> {
        match action {
            Action::Health => Ok(api::health()),
            Action::Ready => Ok(self.ready()),
            Action::Metrics => Ok(Reply::text(200, &metrics::render())),
            Action::Status => self.status(),
            Action::Settings => Ok(Reply::json(200, &self.settings)),
            Action::Render => render::render(request),
            Action::AgentList => Ok(agents::list(&self.views())),
            Action::AgentShow(name) => agents::show(self.registry()?, self.directory()?, &name),
            Action::AgentCreate => agents::create(self.registry()?, request),
            Action::AgentChange(name) => {
                agents::change(self.registry()?, self.directory()?, &name, request)
            }
            Action::AgentForget(name) => {
                agents::forget(self.registry()?, self.directory()?, self.steering()?, &name)
            }
            Action::AgentWebhook(name) => {
                let ((registry, consents), directory) = (self.configured()?, self.directory()?);
                agents::webhook(consents, directory, registry, &name, request)
            }
            Action::AgentCheck(name) => self.check(&name),
            Action::AgentConsent(name) => {
                let (_, consents) = self.configured()?;
                agents::consent(consents, &self.consent_url, &name)
            }
            Action::Acl => {
                let (directory, desk) = (self.directory()?, self.steering()?);
                directory::explain(self.registry()?, directory, desk, request)
            }
            Action::Departments => Ok(directory::departments(self.directory()?)),
            Action::DeliveryList => deliveries::list(&self.store, &self.names(), request),
            Action::DeliveryShow(id) => deliveries::show(&self.store, &id),
            Action::DeliveryRetry(id) => {
                deliveries::steer(&self.store, self.steering()?, &id, Event::Retry)
            }
            Action::DeliveryDrop(id) => {
                deliveries::steer(&self.store, self.steering()?, &id, Event::Cancel)
            }
            Action::InboundList => inbound::list(&self.store, &self.names(), request),
            Action::InboundShow(id) => inbound::show(&self.store, &id),
            Action::InboundRetry(id) => inbound::retry(&self.store, self.inbound()?, &id),
            Action::InboundDrop(id) => inbound::discard(&self.store, self.inbound()?, &id),
            Action::Deliver | Action::GetDelivery | Action::Consent(_) => {
                Err(Problem::not_found("nothing is here"))
            }
        }
    }

    /// One at a time: it waits for the portal, and others need the other workers.
    fn check(&self, name: &str) -> Result<Reply, Problem> {
        let registry = self.registry()?;
        let _one = match self.checking.try_lock() {
            Ok(one) => one,
            // It guards nothing but itself.
            Err(TryLockError::Poisoned(one)) => one.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let told = "an agent is being looked at: ask again in a moment";
                return Err(Problem::unavailable(told));
            }
        };
        agents::check(registry, name)
    }

    fn ready(&self) -> Reply {
        let reasons = self.reasons();
        let status = if reasons.is_empty() { 200 } else { 503 };
        Reply::json(status, &json!({ "ready": reasons.is_empty(), "reasons": reasons }))
    }

    /// Why the connector cannot do its job yet, in the order in which a person mends it.
    fn reasons(&self) -> Vec<String> {
        let views = self.views();
        // An agent by webhook needs no application.
        let by_webhook = views.iter().any(|view| view.webhook && view.state.works());
        let missing = self.missing.iter();
        let missing = missing.filter(|name| !by_webhook || !name.starts_with("BITRIX24_CLIENT_"));
        let mut reasons: Vec<String> = missing.map(|name| format!("{name} is not set")).collect();
        if self.agents.is_some() && views.is_empty() {
            reasons.push("no agent exists: set BITRIX24_AGENTS, or agents add NAME".to_owned());
        }
        let works = views.iter().any(|view| view.state == AgentState::Active);
        if !works {
            reasons.extend(views.iter().map(|view| match view.state {
                AgentState::Created => format!(
                    "agent {0} waits for consent: aihummer-bitrix24 agents consent {0}",
                    view.name
                ),
                _ => format!("agent {} is {}: {}", view.name, view.state.as_str(), view.reason),
            }));
        }
        reasons.extend((self.gateway)());
        reasons
    }

    fn status(&self) -> Result<Reply, Problem> {
        let outbox = self.store.outbox_standing().map_err(|why| Problem::internal(&why))?;
        let given_up = self.store.given_up().map_err(|why| Problem::internal(&why))?;
        let agents: Vec<Value> = self.views().iter().map(agents::shown).collect();
        let mut warnings = (self.warnings)();
        warnings.extend(inbound::warnings(&outbox));
        Ok(Reply::json(
            200,
            &json!({
                "version": env!("CARGO_PKG_VERSION"),
                "uptime_s": self.started.elapsed().as_secs(),
                "ready": self.reasons().is_empty(),
                "reasons": self.reasons(),
                "agents": agents,
                "gateway": (self.gateway_state)(),
                "outbox": inbound::standing(&outbox),
                "deliveries": {
                    "unfinished": self.store.unfinished(),
                    "dead": given_up.dead,
                    "parked": given_up.parked,
                    "waiting_for_a_person": given_up.dead.saturating_add(given_up.parked),
                },
                "directory": self.directory.as_deref().map(directory::standing),
                "warnings": warnings,
                "limits": self.agents.as_ref().map(|(registry, _)| limits_shown(&registry.limits())),
            }),
        ))
    }

    fn views(&self) -> Vec<AgentView> {
        self.agents.as_ref().map(|(registry, _)| registry.agents()).unwrap_or_default()
    }

    fn names(&self) -> Vec<AgentName> {
        self.views().into_iter().map(|view| view.name).collect()
    }

    fn inbound(&self) -> Result<&Steering, Problem> {
        self.configured()?;
        self.inbound.as_ref().ok_or_else(|| Problem::unavailable("the connector is starting"))
    }

    fn directory(&self) -> Result<&Directory, Problem> {
        self.configured()?;
        let known = self.directory.as_deref();
        known.ok_or_else(|| Problem::unavailable("the connector is starting"))
    }

    fn steering(&self) -> Result<&Desk, Problem> {
        self.configured()?;
        self.desk.as_ref().ok_or_else(|| Problem::unavailable("the connector is starting"))
    }

    fn registry(&self) -> Result<&Registry, Problem> {
        self.configured().map(|(registry, _)| registry.as_ref())
    }

    fn configured(&self) -> Result<&(Arc<Registry>, Arc<Consents>), Problem> {
        self.agents.as_ref().ok_or_else(|| {
            let missing = self.missing.iter().filter(|name| name.starts_with("BITRIX24_"));
            let missing: Vec<&str> = missing.copied().collect();
            Problem::precondition(format!(
                "the portal is not configured: set {} and restart",
                missing.join(", ")
            ))
        })
    }
}

/// How the portal's limits stand; whole numbers, because more would be false precision.
fn limits_shown(standing: &Standing) -> Value {
    let rate = standing.rate.map(|rate| format!("{}/{}", rate.per_second, rate.burst));
    let parked = standing.parked.iter();
    let parked = parked.map(|(meter, wait)| {
        let webhook = meter.webhook.map(|user| user.0);
        json!({ "method": meter.method, "webhook_of": webhook, "for_s": wait.as_secs() })
    });
    json!({
        "rate": rate.unwrap_or_else(|| "off".to_owned()),
        "level": standing.level.ceil() as u64,
        "share_percent": (standing.share * 100.0).round() as u64,
        "waiting": standing.waiting,
        "refused": standing.refused,
        "parked": parked.collect::<Vec<Value>>(),
    })
}
