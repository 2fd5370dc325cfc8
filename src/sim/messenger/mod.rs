//! The messenger of the model portal: chats, messages, events, files. The state lives in
//! [`Messenger`] inside the world; `rest` asks [`scopes`] whether a method exists and what it
//! needs, and calls [`call`] once the caller is authorized.

use super::call::Context;
use super::call::Reply;
use super::call::RestError;
use super::call::Scopes;
use super::params::Params;
use super::world::World;

/// Everything the messenger remembers.
#[derive(Debug, Default)]
pub struct Messenger {}

/// What a method of the messenger needs; `None` when this portal does not have the method.
pub fn scopes(_world: &World, _method: &str) -> Option<Scopes> {
    None
}

/// Runs one method of the messenger; `method` is lower-cased and known to [`scopes`].
///
/// # Errors
/// The portal's refusals.
pub fn call(
    _context: &mut Context<'_>,
    _method: &str,
    _params: &Params,
) -> Result<Reply, RestError> {
    Err(RestError::method_not_found())
}
