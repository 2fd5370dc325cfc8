//! A model of Bitrix24: a portal, its authorization server and the gateway beside them, stateful
//! and over real HTTP. Demo, tests and benches talk to it; nothing of the connector is known here.

pub mod auth;
pub mod call;
pub mod clock;
pub mod limiter;
pub mod messenger;
pub mod params;
pub mod people;
pub mod php;
pub mod rest;
pub mod switches;
pub mod token;
pub mod world;
