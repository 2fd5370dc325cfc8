//! The list of routes: one table of listener, method, path and action, and who may call it. Whoever
//! asks "which HTTP routes exist" finds the answer here and nowhere else. Knows no component; the
//! listeners' handlers carry the actions out.

use crate::http::Method;

/// Which of the three ports a request came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// A look at an agent as the portal has it.
    AgentCheck(String),
    /// A consent link for an agent.
    AgentConsent(String),
    /// A webhook as an agent's identity.
    AgentWebhook(String),
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
    /// What a text becomes on the portal.
    Render,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing at this path.
    NotFound,
    /// Something is there, for these methods.
    MethodNotAllowed(String),
}

/// One route.
pub struct Route {
    /// Where; `None` on every listener.
    pub listener: Option<Listener>,
    /// How. What can be got can be asked for with HEAD too, unless it is [`Route::once`].
    pub method: Method,
    /// Its path; what stands in braces is one segment of the caller's.
    pub path: &'static str,
    /// The action, of those segments in order.
    action: fn(&[&str]) -> Action,
}

impl Route {
    const fn new(
        listener: Option<Listener>,
        method: Method,
        path: &'static str,
        action: fn(&[&str]) -> Action,
    ) -> Route {
        Route { listener, method, path, action }
    }

    /// Whether asking uses something up, so that HEAD would do so and show nobody what came of it.
    fn once(&self) -> bool {
        self.path == CALLBACK
    }

    /// The caller's segments, when the path is this route's.
    fn segments<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let mut own = Vec::new();
        let mut given = path.trim_start_matches('/').split('/');
        for known in self.path.trim_start_matches('/').split('/') {
            let segment = given.next()?;
            match known.starts_with('{') {
                true if known == SERVICE && !is_connector(segment) => return None,
                true => own.push(segment),
                false if known == segment => {}
                false => return None,
            }
        }
        given.next().is_none().then_some(own)
    }
}

/// Where the portal sends the browser back to, with a code that works once.
const CALLBACK: &str = "/oauth/callback";

/// Segment of a path that stands for a service of the connector's package.
const SERVICE: &str = "{service}";

/// Every route.
pub const ROUTES: &[Route] = {
    use Method::Delete;
    use Method::Get;
    use Method::Patch;
    use Method::Post;
    use Method::Put;
    const CONTROL: Option<Listener> = Some(Listener::Control);
    const DELIVER: Option<Listener> = Some(Listener::Deliver);
    const CONSENT: Option<Listener> = Some(Listener::Consent);
    &[
        Route::new(None, Get, "/healthz", |_| Action::Health),
        Route::new(CONTROL, Get, "/readyz", |_| Action::Ready),
        Route::new(CONTROL, Get, "/metrics", |_| Action::Metrics),
        Route::new(CONTROL, Get, "/v1/status", |_| Action::Status),
        Route::new(CONTROL, Get, "/v1/settings", |_| Action::Settings),
        Route::new(CONTROL, Post, "/v1/render", |_| Action::Render),
        Route::new(CONTROL, Get, "/v1/agents", |_| Action::AgentList),
        Route::new(CONTROL, Post, "/v1/agents", |_| Action::AgentCreate),
        Route::new(CONTROL, Get, "/v1/agents/{name}", |own| Action::AgentShow(own[0].into())),
        Route::new(CONTROL, Patch, "/v1/agents/{name}", |own| Action::AgentChange(own[0].into())),
        Route::new(CONTROL, Delete, "/v1/agents/{name}", |own| Action::AgentForget(own[0].into())),
        Route::new(CONTROL, Get, "/v1/agents/{name}/check", |own| {
            Action::AgentCheck(own[0].into())
        }),
        Route::new(CONTROL, Put, "/v1/agents/{name}/webhook", |own| {
            Action::AgentWebhook(own[0].into())
        }),
        Route::new(CONTROL, Post, "/v1/agents/{name}/consent", |own| {
            Action::AgentConsent(own[0].into())
        }),
        Route::new(CONTROL, Get, "/v1/acl", |_| Action::Acl),
        Route::new(CONTROL, Get, "/v1/departments", |_| Action::Departments),
        Route::new(CONTROL, Get, "/v1/deliveries", |_| Action::DeliveryList),
        Route::new(CONTROL, Get, "/v1/deliveries/{id}", |own| Action::DeliveryShow(own[0].into())),
        Route::new(CONTROL, Post, "/v1/deliveries/{id}/retry", |own| {
            Action::DeliveryRetry(own[0].into())
        }),
        Route::new(CONTROL, Post, "/v1/deliveries/{id}/drop", |own| {
            Action::DeliveryDrop(own[0].into())
        }),
        Route::new(CONTROL, Get, "/v1/inbound", |_| Action::InboundList),
        Route::new(CONTROL, Get, "/v1/inbound/{id}", |own| Action::InboundShow(own[0].into())),
        Route::new(CONTROL, Post, "/v1/inbound/{id}/retry", |own| {
            Action::InboundRetry(own[0].into())
        }),
        Route::new(CONTROL, Post, "/v1/inbound/{id}/drop", |own| {
            Action::InboundDrop(own[0].into())
        }),
        Route::new(DELIVER, Post, "/{service}/Deliver", |_| Action::Deliver),
        Route::new(DELIVER, Post, "/{service}/GetDelivery", |_| Action::GetDelivery),
        Route::new(CONSENT, Get, "/consent/{ticket}", |own| {
            Action::Consent(Step::Ask(own[0].into()))
        }),
        Route::new(CONSENT, Post, "/consent/{ticket}/start", |own| {
            Action::Consent(Step::Start(own[0].into()))
        }),
        Route::new(CONSENT, Post, "/consent/{ticket}/paste", |own| {
            Action::Consent(Step::Paste(own[0].into()))
        }),
        Route::new(CONSENT, Get, "/oauth/callback", |_| Action::Consent(Step::Callback)),
        Route::new(CONSENT, Post, "/oauth/confirm", |_| Action::Consent(Step::Confirm)),
    ]
};

/// The action of a request.
///
/// # Errors
/// See [`NoRoute`].
pub fn route(listener: Listener, method: Method, path: &str) -> Result<Action, NoRoute> {
    let mut allowed: Vec<&str> = Vec::new();
    for route in ROUTES.iter().filter(|r| r.listener.is_none_or(|known| known == listener)) {
        let Some(own) = route.segments(path) else { continue };
        let peeked = method == Method::Head && route.method == Method::Get && !route.once();
        if method == route.method || peeked {
            return Ok((route.action)(&own));
        }
        allowed.push(route.method.as_str());
        if route.method == Method::Get && !route.once() {
            allowed.push(Method::Head.as_str());
        }
    }
    match allowed.is_empty() {
        true => Err(NoRoute::NotFound),
        false => Err(NoRoute::MethodNotAllowed(allowed.join(", "))),
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
    use std::collections::HashSet;

    use super::Action;
    use super::Listener;
    use super::NoRoute;
    use super::ROUTES;
    use super::route;
    use crate::http::Method;

    #[test]
    fn no_path_and_method_stand_twice() {
        let mut seen = HashSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.listener, route.method, route.path)), "{}", route.path);
        }
    }

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
        assert_eq!(refused, Err(NoRoute::MethodNotAllowed("GET, HEAD, POST".into())));
        let peeked = route(Listener::Consent, Method::Head, "/oauth/callback");
        assert_eq!(peeked, Err(NoRoute::MethodNotAllowed("GET".into())));
        let looked = route(Listener::Control, Method::Get, "/v1/render");
        assert_eq!(looked, Err(NoRoute::MethodNotAllowed("POST".into())));
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
                assert_eq!(
                    asked(Method::Get, &path),
                    Err(NoRoute::MethodNotAllowed("POST".into()))
                );
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
        assert!(!Action::Render.is_open());
        let outbox = ["/v1/inbound", "/v1/inbound/1"];
        for path in closed.iter().chain(&ledger).chain(&outbox).chain(&open) {
            let action = route(Listener::Control, Method::Get, path).expect("routed");
            assert_eq!(action.is_open(), open.contains(path), "{path}");
        }
    }
}
