//! Rank 3: identities. `registry` holds the agents and makes calls as one of them, `refresh` renews
//! their tokens, `consent` connects a person's account to an agent. Everybody above asks here and
//! never sees a token.

pub mod chain;
pub mod consent;
pub mod refresh;
pub mod registry;
