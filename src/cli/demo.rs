//! `demo`: the main job. Not written yet.

use crate::cli::Invocation;

/// Carries the verb out.
pub fn run(_invocation: &Invocation) -> u8 {
    1
}
