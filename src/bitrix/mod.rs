//! Rank 2: the portal and its authorization server, and nothing else. `methods` is the list of REST
//! methods, `failure` the table of error codes, `client` one call, `oauth` the token endpoint,
//! `transport` the only place with an HTTP client, `wire` the portal's JSON.

pub mod client;
pub mod failure;
pub mod methods;
pub mod oauth;
pub mod transport;
pub mod wire;
