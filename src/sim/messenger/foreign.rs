//! What other applications do to a user's event log: it is the user's and not the application's, so
//! whoever reads or unsubscribes does so for all (b24: messenger §3.2 item 7, Q1). For tests and the
//! demo; the methods themselves are in `log`.

use super::super::portal::Portal;
use super::log;

impl Portal {
    /// Another application reads and acknowledges all that is written for a user now, as
    /// `im.v2.Event.get` with the next offset does; how many rows are lost to everybody else.
    pub fn steal_events(&self, user: u64) -> usize {
        let mut world = self.world();
        log::catch_up(&mut world);
        world.messenger.log.take_all(user)
    }

    /// Another application asks for a user's events so often that nobody else ever sees one, until it
    /// is switched off.
    pub fn steal_all_events(&self, user: u64, on: bool) {
        let mut world = self.world();
        log::catch_up(&mut world);
        world.messenger.log.take_all(user);
        world.messenger.log.set_taken_away(user, on);
    }

    /// Another application subscribes a user.
    pub fn subscribe_foreign(&self, user: u64) {
        let mut world = self.world();
        log::catch_up(&mut world);
        world.messenger.log.subscribe_user(user);
    }

    /// Another application unsubscribes a user: nothing more is written, and what is pending goes,
    /// unless the switch follows the documentation.
    pub fn unsubscribe_foreign(&self, user: u64) {
        let mut world = self.world();
        log::catch_up(&mut world);
        let keeps = world.messenger.switches.unsubscribe_keeps;
        world.messenger.log.unsubscribe_user(user, keeps);
    }
}
