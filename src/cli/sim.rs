//! `sim`: only the model portal and gateway, for trying by hand. Not written yet.

use crate::cli::Invocation;

/// Carries the verb out.
pub fn run(_invocation: &Invocation) -> u8 {
    1
}
