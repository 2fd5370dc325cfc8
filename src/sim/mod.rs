//! A model of Bitrix24: a portal, its authorization server, and the gateway beside them, stateful
//! and over real HTTP on loopback ports. Demo, tests and benches talk to it; it knows nothing of
//! the connector but `base`. Built from the reference alone; where its sources disagree the model
//! follows the portal's PHP source of the newest cloud version and has a switch for the rest
//! ([`Switches`]). Nothing in it may panic on strange input.
//!
//! # How it is used
//!
//! [`Network`] first (count, faults, history, clock), then [`Portal::start`] on it. Limits are on,
//! as in the cloud: [`Portal::without_limits`] for whatever is not about them. The portal keeps
//! verdicts on tokens for an hour, as the real one does: [`Switches::token_cache`].
//!
//! # Modelled, by the quirk numbers of b24 transport §7
//!
//! - 1, 2 authorize page and its six parameters; 3, 4 token endpoint; 5 lifetimes by virtual clock;
//!   6 stateless and strict rotation; 8 layout of tokens (`oauth`, `token`).
//! - 7, 22 answers dropped, cut, late, slow, replaced; resets before and after acting (`fault`,
//!   `net`).
//! - 9 cached verdicts; 11 auth errors with three tables of statuses; 28 webhooks; 30 modes of the
//!   whole portal (`auth`, `envelope`).
//! - 10 404 before authorization; 17 addresses, credentials, forms and JSON (`rest`, `params`).
//! - 12 errors with status 200, `ERROR_CORE`, empty and numeric codes; 13 lifted `next` and
//!   `total`; 15 time block; 20 escapes (`envelope`, `php`).
//! - 14, 23 `department.get`; 25 `im.user.*` (`org`); 24 `user.get`, `user.current` (`users`).
//! - 16 batch (`batch`); 18, 19 limits (`limiter`); 21 change of address (`portal`); 27 dismissal
//!   and deletion.
//! - The messenger's quirks are listed in `messenger`.
//!
//! # Not modelled
//!
//! - TLS, DNS and proxies; REST v3 (`/rest/api/`, half of 29: v3 methods on the old address do
//!   give 404); XML answers and `INTERNAL_WRONG_TRANSPORT`; `im.department.*` (26),
//!   `humanresources.*`, `user.search`, `department.fields`, and every method that changes the
//!   structure; `signature` for `state`; installation events; the six-digit code; system users;
//!   confirmation of methods (`METHOD_CONFIRM_*`), `verification_needed`, `invalid_scope` and other
//!   codes without a state behind them, which [`Fault::Error`] can answer.
//! - Keys inside a result are in alphabetical order, not the portal's; the token response and the
//!   maps of a batch keep theirs. The HMAC in a token is not the original's. Operating time is what
//!   [`Switches::operating_costs`] says, not measured. A change of an application's scopes acts at
//!   once, without the cache. A closed site's authorize page is a guess.

pub mod auth;
pub mod batch;
pub mod call;
pub mod client;
pub mod clock;
pub mod envelope;
pub mod fault;
pub mod gateway;
pub mod http;
pub mod limiter;
pub mod messenger;
pub mod methods;
pub mod net;
pub mod network;
pub mod oauth;
pub mod org;
pub mod params;
pub mod people;
pub mod php;
pub mod portal;
pub mod rest;
pub mod stage;
pub mod switches;
pub mod token;
pub mod users;
pub mod world;

pub use fault::Fault;
pub use fault::HookPoint;
pub use fault::ServerKind;
pub use fault::When;
pub use gateway::Gateway;
pub use gateway::GatewayOptions;
pub use messenger::scene::Shown;
pub use network::Exchange;
pub use network::Network;
pub use people::Department;
pub use people::User;
pub use people::UserKind;
pub use portal::Portal;
pub use switches::Switches;
pub use world::PortalOptions;

#[cfg(test)]
mod tests;
