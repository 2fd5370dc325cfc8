//! Rank 1: what the connector decides, as values. No I/O, no clock, no threads, no logging: the
//! time and randomness a decision needs arrive as arguments.

pub mod acl;
pub mod agent;
pub mod budget;
pub mod delivery;
pub mod failure;
pub mod filename;
pub mod filter;
pub mod finding;
pub mod ids;
pub mod inbound;
pub mod limiter;
pub mod message;
pub mod order;
pub mod org;
pub mod reaction;
pub mod retry;
pub mod step;
pub mod turns;
