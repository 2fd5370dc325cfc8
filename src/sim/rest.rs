//! The list of what the model portal can be asked by REST, and the way of one call to its handler.
//! The HTTP side stands in front of it.

use super::call::Context;
use super::call::Reply;
use super::call::RestError;
use super::call::Scopes;
use super::messenger;
use super::params::Params;
use super::world::World;

/// What a (lower-case) method needs; `None` when this portal does not have it. Asked before
/// authorization (b24: transport §2.2).
pub fn scopes(world: &World, method: &str) -> Option<Scopes> {
    if world.switches.missing_methods.iter().any(|missing| missing == method) {
        return None;
    }
    messenger::scopes(world, method)
}

/// Runs one method for an authorized caller; `method` is lower-case.
///
/// # Errors
/// The portal's refusals.
pub fn call(context: &mut Context<'_>, method: &str, params: &Params) -> Result<Reply, RestError> {
    messenger::call(context, method, params)
}
