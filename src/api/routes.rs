//! The list of routes: one `match` from (listener, method, path) to an action, with who may call
//! it. Whoever asks "which HTTP routes exist" finds the answer here and nowhere else. Knows no
//! component; the listeners' handlers carry the actions out.

use crate::http::Method;

/// Which of the three ports a request came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// 8810: health and control, for operators.
    Control,
    /// 8080: Deliver, for the gateway.
    Deliver,
    /// 8791: OAuth consent, for browsers.
    Consent,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Liveness; open, on every listener.
    Health,
    /// Readiness with reasons; open.
    Ready,
    /// Prometheus text; open.
    Metrics,
    /// Everything an operator asks first.
    Status,
    /// All agents.
    AgentList,
    /// Create an agent.
    AgentCreate,
    /// One agent.
    AgentShow(String),
    /// Change an agent's rule over departments, or switch it off or on.
    AgentChange(String),
    /// Forget an agent.
    AgentForget(String),
    /// Whether somebody may talk with an agent, and why.
    Acl,
    /// The company's structure.
    Departments,
    /// A consent link for an agent.
    AgentConsent(String),
    /// Deliveries, newest first.
    DeliveryList,
    /// One delivery; its id as it stands in the path. Likewise below.
    DeliveryShow(String),
    /// Another try of a delivery that was given up.
    DeliveryRetry(String),
    /// An end for a delivery that nobody wants any more.
    DeliveryDrop(String),
    /// Inbound messages, newest first.
    InboundList,
    /// One inbound message, or an event that could not be read; its id as it stands in the path.
    /// Likewise below.
    InboundShow(String),
    /// Another try of a message that the gateway refused.
    InboundRetry(String),
    /// An end for a message that nobody wants any more.
    InboundDrop(String),
    /// Effective settings and where each came from.
    Settings,
    /// `aihummer.connector.v1.*/Deliver`.
    Deliver,
    /// `aihummer.connector.v1.*/GetDelivery`.
    GetDelivery,
    /// A step of a consent; `api::consent` has the pages.
    Consent(Step),
}

/// The steps of a consent, each a page or a form. Tickets are in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What is asked for, with one button.
    Ask(String),
    /// The button: on to the portal.
    Start(String),
    /// The redirected URL, pasted by hand.
    Paste(String),
    /// Back from the portal.
    Callback,
    /// The person says that it is the right account.
    Confirm,
}

impl Action {
    /// Whether the action is open to everyone who reaches the listener. Deliver and consent check
    /// their callers themselves.
    pub fn is_open(&self) -> bool {
        matches!(self, Action::Health | Action::Ready | Action::Metrics)
    }
}

/// Why there is no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing at this path.
    NotFound,
    /// Something is there, for these methods.
    MethodNotAllowed(&'static str),
}

/// The action of a request.
///
/// # Errors
/// See [`NoRoute`].
pub fn route(listener: Listener, method: Method, path: &str) -> Result<Action, NoRoute> {
    use Method::Delete;
    use Method::Get;
    use Method::Head;
    use Method::Patch;
    use Method::Post;
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let get = |action| match method {
        Get | Head => Ok(action),
        _ => Err(NoRoute::MethodNotAllowed("GET, HEAD")),
    };
    let post = |action| match method {
        Post => Ok(action),
        _ => Err(NoRoute::MethodNotAllowed("POST")),
    };
    let own = |segment: &str| segment.to_owned();
    match (listener, segments.as_slice()) {
        (_, ["healthz"]) => get(Action::Health),
        (Listener::Control, ["readyz"]) => get(Action::Ready),
        (Listener::Control, ["metrics"]) => get(Action::Metrics),
        (Listener::Control, ["v1", "status"]) => get(Action::Status),
        (Listener::Control, ["v1", "settings"]) => get(Action::Settings),
        (Listener::Control, ["v1", "agents"]) => match method {
            Get | Head => Ok(Action::AgentList),
            Post => Ok(Action::AgentCreate),
            _ => Err(NoRoute::MethodNotAllowed("GET, HEAD, POST")),
        },
        (Listener::Control, ["v1", "acl"]) => get(Action::Acl),
        (Listener::Control, ["v1", "departments"]) => get(Action::Departments),
        (Listener::Control, ["v1", "agents", name]) => match method {
            Get | Head => Ok(Action::AgentShow(own(name))),
            Patch => Ok(Action::AgentChange(own(name))),
            Delete => Ok(Action::AgentForget(own(name))),
            _ => Err(NoRoute::MethodNotAllowed("GET, HEAD, PATCH, DELETE")),
        },
        (Listener::Control, ["v1", "agents", name, "consent"]) => {
            post(Action::AgentConsent(own(name)))
        }
        (Listener::Control, ["v1", "deliveries"]) => get(Action::DeliveryList),
        (Listener::Control, ["v1", "deliveries", id]) => get(Action::DeliveryShow(own(id))),
        (Listener::Control, ["v1", "deliveries", id, "retry"]) => {
            post(Action::DeliveryRetry(own(id)))
        }
        (Listener::Control, ["v1", "deliveries", id, "drop"]) => {
            post(Action::DeliveryDrop(own(id)))
        }
        (Listener::Control, ["v1", "inbound"]) => get(Action::InboundList),
        (Listener::Control, ["v1", "inbound", id]) => get(Action::InboundShow(own(id))),
        (Listener::Control, ["v1", "inbound", id, "retry"]) => post(Action::InboundRetry(own(id))),
        (Listener::Control, ["v1", "inbound", id, "drop"]) => post(Action::InboundDrop(own(id))),
        (Listener::Deliver, [service, "Deliver"]) if is_connector(service) => post(Action::Deliver),
        (Listener::Deliver, [service, "GetDelivery"]) if is_connector(service) => {
            post(Action::GetDelivery)
        }
        (Listener::Consent, ["consent", ticket]) => get(Action::Consent(Step::Ask(own(ticket)))),
        (Listener::Consent, ["consent", ticket, "start"]) => {
            post(Action::Consent(Step::Start(own(ticket))))
        }
        (Listener::Consent, ["consent", ticket, "paste"]) => {
            post(Action::Consent(Step::Paste(own(ticket))))
        }
        // No HEAD: it would use the code up and show nobody what came of it.
        (Listener::Consent, ["oauth", "callback"]) => match method {
            Get => Ok(Action::Consent(Step::Callback)),
            _ => Err(NoRoute::MethodNotAllowed("GET")),
        },
        (Listener::Consent, ["oauth", "confirm"]) => post(Action::Consent(Step::Confirm)),
        _ => Err(NoRoute::NotFound),
    }
}

/// Any service name in the package is accepted, because the platform documents only the package.
fn is_connector(service: &str) -> bool {
    service
        .strip_prefix("aihummer.connector.v1.")
        .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::Action;
    use super::Listener;
    use super::NoRoute;
    use super::route;
    use crate::http::Method;

    #[test]
    fn health_answers_on_every_listener() {
        for listener in [Listener::Control, Listener::Deliver, Listener::Consent] {
            assert_eq!(route(listener, Method::Get, "/healthz"), Ok(Action::Health));
            assert!(route(listener, Method::Post, "/healthz").is_err());
        }
    }

    #[test]
    fn a_route_of_one_listener_is_not_on_another() {
        let deliver = "/aihummer.connector.v1.ConnectorService/Deliver";
        assert_eq!(route(Listener::Deliver, Method::Post, deliver), Ok(Action::Deliver));
        assert_eq!(route(Listener::Control, Method::Post, deliver), Err(NoRoute::NotFound));
        assert_eq!(route(Listener::Deliver, Method::Get, "/v1/status"), Err(NoRoute::NotFound));
        assert_eq!(route(Listener::Consent, Method::Get, "/v1/agents"), Err(NoRoute::NotFound));
    }

    #[test]
    fn any_service_of_the_package_and_no_other_delivers() {
        for service in ["aihummer.connector.v1.ConnectorService", "aihummer.connector.v1.X"] {
            let path = format!("/{service}/Deliver");
            assert_eq!(route(Listener::Deliver, Method::Post, &path), Ok(Action::Deliver));
        }
        for service in ["aihummer.connector.v1.", "aihummer.connector.v2.X", "X", "a%2fb"] {
            let path = format!("/{service}/Deliver");
            assert_eq!(route(Listener::Deliver, Method::Post, &path), Err(NoRoute::NotFound));
        }
    }

    #[test]
    fn a_wrong_method_is_told_which_ones_there_are() {
        let refused = route(Listener::Control, Method::Delete, "/v1/agents");
        assert_eq!(refused, Err(NoRoute::MethodNotAllowed("GET, HEAD, POST")));
        let peeked = route(Listener::Consent, Method::Head, "/oauth/callback");
        assert_eq!(peeked, Err(NoRoute::MethodNotAllowed("GET")));
    }

    #[test]
    fn an_id_is_one_segment_and_only_a_post_changes_anything() {
        let id = || "a%2Fb".to_owned();
        let asked = |method, path: &str| route(Listener::Control, method, path);
        let shown = asked(Method::Get, "/v1/deliveries/a%2Fb");
        assert_eq!(shown, Ok(Action::DeliveryShow(id())));
        let retried = asked(Method::Post, "/v1/deliveries/a%2Fb/retry");
        assert_eq!(retried, Ok(Action::DeliveryRetry(id())));
        let dropped = asked(Method::Post, "/v1/deliveries/a%2Fb/drop");
        assert_eq!(dropped, Ok(Action::DeliveryDrop(id())));
        let shown = asked(Method::Get, "/v1/inbound/a%2Fb");
        assert_eq!(shown, Ok(Action::InboundShow(id())));
        let retried = asked(Method::Post, "/v1/inbound/a%2Fb/retry");
        assert_eq!(retried, Ok(Action::InboundRetry(id())));
        let dropped = asked(Method::Post, "/v1/inbound/a%2Fb/drop");
        assert_eq!(dropped, Ok(Action::InboundDrop(id())));
        for list in ["deliveries", "inbound"] {
            for action in ["retry", "drop"] {
                let path = format!("/v1/{list}/a/{action}");
                assert_eq!(asked(Method::Get, &path), Err(NoRoute::MethodNotAllowed("POST")));
            }
            assert!(asked(Method::Post, &format!("/v1/{list}")).is_err());
            assert!(asked(Method::Delete, &format!("/v1/{list}/a")).is_err());
            assert_eq!(asked(Method::Get, &format!("/v1/{list}/a/b")), Err(NoRoute::NotFound));
        }
    }

    #[test]
    fn only_three_actions_are_open() {
        let open = ["/healthz", "/readyz", "/metrics"];
        let closed = ["/v1/status", "/v1/settings", "/v1/agents", "/v1/agents/a"];
        let ledger = ["/v1/deliveries", "/v1/deliveries/a", "/v1/acl", "/v1/departments"];
        let outbox = ["/v1/inbound", "/v1/inbound/1"];
        for path in closed.iter().chain(&ledger).chain(&outbox).chain(&open) {
            let action = route(Listener::Control, Method::Get, path).expect("routed");
            assert_eq!(action.is_open(), open.contains(path), "{path}");
        }
    }
}
