//! The inbound flow piece by piece: pages of events into a real outbox, the polling against an event
//! log that deletes as the portal's does, the relay against a gateway that answers as it is told.

mod event_log;
mod ingest;
mod poll;
mod relay;
mod support;
