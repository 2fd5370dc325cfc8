//! A model of Bitrix24: a portal, its authorization server and the gateway beside them, stateful
//! and over real HTTP. Demo, tests and benches talk to it; nothing of the connector is known here.

pub mod auth;
pub mod batch;
pub mod call;
pub mod clock;
pub mod envelope;
pub mod fault;
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
pub mod switches;
pub mod token;
pub mod users;
pub mod world;

pub use fault::Fault;
pub use fault::HookPoint;
pub use fault::ServerKind;
pub use fault::When;
pub use network::Exchange;
pub use network::Network;
pub use people::Department;
pub use people::User;
pub use people::UserKind;
pub use portal::Portal;
pub use switches::Switches;
pub use world::PortalOptions;
