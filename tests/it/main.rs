//! Black-box tests in one binary: the real executable on port 0 against the model portal and
//! gateway of `aihummer_bitrix24::sim`, by HTTP. `tidy`, `docs` and `vendor` read the repository
//! instead.

#![allow(clippy::print_stdout)] // what a failed test shows

mod support;

mod acl;
mod attacks;
mod backup;
mod bad_deliver;
mod bad_peers;
mod bad_settings;
mod callbacks;
mod consent;
mod contract;
mod conversation;
mod counting;
mod deliveries;
mod demo;
mod docs;
mod doctor;
mod endings;
mod errors;
mod identity;
mod inbound_desk;
mod inbound_edits;
mod inbound_gaps;
mod inbound_storm;
mod keys;
mod many_agents;
mod outbound;
mod permit;
mod presence;
mod random_kill;
mod secrets;
mod self_hosted;
mod stop;
mod tidy;
mod vendor;
mod verbs;
mod watchdog;
mod webhooks;
