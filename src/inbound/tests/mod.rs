//! The inbound flow piece by piece: pages of events into a real outbox, and the relay against a
//! gateway that answers as it is told.

mod ingest;
mod relay;
mod support;
