//! The inbound flow piece by piece: pages of events into a real outbox, the relay against a gateway
//! that answers as it is told, and the whole flow from the model portal to the model gateway.

mod ingest;
#[cfg(feature = "sim")]
mod model;
mod mutated;
mod relay;
mod steer;
pub(in crate::inbound) mod support;
