//! Rank 3: identities. `registry` holds the agents and makes calls as one of them, `refresh` renews
//! their tokens, `remedy` says what an ending means, `sealed` is how they lie in the database, `consent` connects a person's account to an agent, `webhook` does so without a person.
//! Everybody above asks here and never sees a token.

mod agent;
pub mod chain;
pub mod checkup;
pub mod consent;
pub mod refresh;
pub mod registry;
mod remedy;
pub mod sealed;
pub mod webhook;
