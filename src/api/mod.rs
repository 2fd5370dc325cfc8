//! Rank 5: what the three listeners answer. `routes` is the list of routes; each listener is one
//! `http::Handler` that asks it and calls the module that owns the action.

mod agents;
pub mod consent;
pub mod control;
pub mod deliver;
mod deliveries;
mod directory;
mod inbound;
mod listing;
pub mod problem;
mod render;
pub mod routes;

use serde_json::json;

use crate::api::problem::Problem;
use crate::api::routes::Action;
use crate::api::routes::Listener;
use crate::api::routes::NoRoute;
use crate::http::Reply;
use crate::http::Request;

/// Liveness, the same on every listener: it gates the plugin's installation, so it says nothing
/// about the portal.
pub(crate) fn health() -> Reply {
    Reply::json(200, &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// What a caller is told whose request could not be read: it says what is wrong with it, or with us.
pub(crate) fn unread(status: u16, why: &str) -> Reply {
    match status {
        408 => Problem::new(408, "deadline_exceeded", why),
        413 => Problem::new(413, "invalid_argument", why),
        417 => Problem::new(417, "invalid_argument", why),
        431 => Problem::new(431, "invalid_argument", why),
        500 => Problem::new(500, "internal", why),
        503 => Problem::unavailable(why),
        505 => Problem::new(505, "invalid_argument", why),
        _ => Problem::invalid(why),
    }
    .reply()
}

/// The action of a request, or the answer to one that has none.
pub(crate) fn action(listener: Listener, request: &Request) -> Result<Action, Reply> {
    routes::route(listener, request.method, &request.path).map_err(|refused| match refused {
        NoRoute::NotFound => Problem::not_found("nothing is here").reply(),
        NoRoute::MethodNotAllowed(allowed) => {
            let message = format!("use {allowed} here");
            Problem::new(405, "unimplemented", message).reply().with_header("Allow", &allowed)
        }
    })
}
