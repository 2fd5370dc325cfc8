//! Lets time pass for tests of the whole flow, which would have to wait a day until a portal is
//! asked again for its event log. Moves what is due and nothing else.

use std::time::Duration;

use super::Poll;

impl Poll {
    /// As if so much time had passed since the agents looked through their dialogs and found no
    /// event log.
    pub(in crate::inbound) fn let_pass(&self, time: Duration) {
        for at in self.plan().without_log.values_mut() {
            *at -= time;
        }
        let agents = self.parts.registry.agents().into_iter();
        let working = agents.filter(|agent| agent.state.works()).map(|agent| agent.name);
        self.parts.catch_up.let_pass(working.collect(), time);
    }
}
