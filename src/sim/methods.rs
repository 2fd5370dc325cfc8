//! The list of what the model portal can be asked by REST: which methods exist, what scope each
//! needs, who runs them. `rest` and `batch` go through it; `org` and `messenger` hold the handlers.

use super::call::Context;
use super::call::Reply;
use super::call::RestError;
use super::call::Scopes;
use super::messenger;
use super::org;
use super::params::Params;
use super::world::World;

/// What a (lower-case) method needs; `None` when this portal does not have it. Asked before
/// authorization (b24: transport §2.2, sim quirk 10).
pub fn scopes(world: &World, method: &str) -> Option<Scopes> {
    if world.switches.missing_methods.iter().any(|missing| missing == method) {
        return None;
    }
    if method == "batch" {
        return Some(&[]);
    }
    org::scopes(method).or_else(|| messenger::scopes(world, method))
}

/// Runs one method for an authorized caller; `method` is lower-case and not `batch`.
///
/// # Errors
/// The portal's refusals.
pub fn call(context: &mut Context<'_>, method: &str, params: &Params) -> Result<Reply, RestError> {
    if org::scopes(method).is_some() {
        return org::call(context, method, params);
    }
    messenger::call(context, method, params)
}
