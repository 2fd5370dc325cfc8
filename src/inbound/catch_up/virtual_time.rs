//! Lets time pass for tests of the whole flow, which would have to wait minutes for the next look.
//! Moves what is due and nothing else. Called by `poll`'s file of the same name.

use std::time::Duration;

use super::CatchUp;
use crate::domain::ids::AgentName;
use crate::inbound::tests::support::until;

impl CatchUp {
    /// As if so much time had passed since these agents last looked.
    pub(in crate::inbound) fn let_pass(&self, mut agents: Vec<AgentName>, time: Duration) {
        // Whoever has its turn now is there again when that ends.
        until("everybody's time passed", || {
            let mut watched = self.agents();
            agents.retain(|agent| match watched.get_mut(agent) {
                Some(watch) => {
                    watch.due -= time;
                    false
                }
                None => true,
            });
            agents.is_empty()
        });
    }
}
