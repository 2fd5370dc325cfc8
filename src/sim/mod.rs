//! A model of Bitrix24: a portal, its authorization server, and beside them the gateway and a host of
//! files, stateful and over real HTTP on loopback ports. Demo, tests and benches talk to it; it knows
//! nothing of the connector but `base`. Built from the reference alone; where its sources disagree
//! the model follows the portal's PHP source of the newest cloud version and has a switch for the
//! rest ([`Switches`]). Nothing in it may panic on strange input.
//!
//! # How it is used
//!
//! [`Network`] first (count, faults, history, clock), then [`Portal::start`] on it. Limits are on,
//! as in the cloud: [`Portal::without_limits`] for whatever is not about them. The portal keeps
//! verdicts on tokens for an hour, as the real one does: [`Switches::token_cache`].
//!
//! # What is modelled
//!
//! The quirks of the reference are listed one by one in [`quirks`], each with the tests that hold
//! the model to it or with the reason why it is not modelled, and behind them whatever else of the
//! reference the model leaves out. A test keeps that list honest.

pub mod auth;
pub mod batch;
pub mod call;
pub mod client;
pub mod clock;
pub mod envelope;
pub mod fault;
pub mod filehost;
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
pub mod quirks;
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
pub use filehost::FileHost;
pub use gateway::Gateway;
pub use gateway::GatewayOptions;
pub use gateway::Inbound;
pub use messenger::scene::Shown;
pub use messenger::scene_files::ShownFile;
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
