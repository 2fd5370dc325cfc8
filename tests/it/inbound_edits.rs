//! Messages that people change or delete: before the gateway has them it gets what they say in the
//! end, and nothing of what was deleted; afterwards it gets nothing more. Whether the connector heard
//! of it by events or finds the dialogs as they are makes no difference.

use std::collections::HashSet;
use std::time::Duration;

use aihummer_bitrix24::sim::stage::Connector;
use serde_json::json;

use crate::support::eventually;
use crate::support::office::Office;

/// A connector that has heard of everything so far and has relayed it.
fn connected(office: &Office) -> Connector {
    let connector = office.scene.start_connected();
    eventually("the first look", || {
        connector.log().contains("dialogs_looked_at_first").then_some(())
    });
    connector
}

/// Waits until so many messages wait for the gateway.
fn wait_pending(connector: &Connector, count: usize) {
    eventually("messages that wait", || {
        let status = connector.status()?;
        (status["outbox"]["pending"] == json!(count)).then_some(())
    });
}

/// Olaf writes to Mira, and it is not said yet what is to become of it.
fn write(office: &Office, text: &str) -> u64 {
    office.scene.portal.write_to(office.scene.olaf, office.scene.mira, text).expect("writes")
}

fn edit(office: &Office, message: u64, text: &str) {
    office.scene.portal.edit(office.scene.olaf, message, text).expect("edits");
}

fn delete(office: &Office, message: u64) {
    office.scene.portal.delete(office.scene.olaf, message).expect("deletes");
}

/// Messages of Olaf in private and in the team that then change in every way; what is left of them is
/// expected.
fn change_everything(office: &mut Office, between: impl FnOnce()) {
    let (olaf, team) = (office.scene.olaf, office.team);
    let mention = format!("[USER={}]Mira Holt[/USER], ", office.scene.mira);
    let say =
        |office: &Office, text: &str| office.scene.portal.say(olaf, team, text).expect("says");
    let (mended, unsaid, kept) =
        (write(office, "tomorow"), write(office, "never mind"), write(office, "kept"));
    // A deleted one leaves its place, with a phrase in it, where somebody else has seen it: here
    // whoever looks after the agent's account.
    let seen = write(office, "never mind that either");
    let private = office.scene.portal.private_chat(olaf, office.scene.mira);
    office.scene.portal.view(office.scene.mira, private);
    let asked_of_her = say(office, &format!("{mention}is it out?"));
    let seen_by_others = say(office, &format!("{mention}and this?"));
    office.scene.portal.view(office.eva, team);
    let not_for_her = say(office, "is it out?");
    let forgotten = say(office, "and that?");
    between();
    edit(office, mended, "tomorrow");
    edit(office, kept, "kept.");
    edit(office, kept, "kept, as it is");
    delete(office, unsaid);
    delete(office, seen);
    // Whom a message is for may change as well.
    edit(office, asked_of_her, "is it out, anybody?");
    edit(office, not_for_her, &format!("{mention}is it out?"));
    delete(office, seen_by_others);
    edit(office, forgotten, &format!("{mention}and that?"));
    delete(office, forgotten);
    let private = format!("helper/{olaf}");
    office.expect(private.clone(), "tomorrow");
    office.expect(private, "kept, as it is");
    let group = format!("helper/chat{team}");
    office.expect(group, "Olaf Brandt: @Mira Holt, is it out?");
}

#[test]
fn what_changes_before_the_gateway_has_it_arrives_as_it_is_in_the_end() {
    let mut office = Office::new();
    let connector = connected(&office);
    office.scene.gateway.refuse_texts("", 503, "unavailable");
    change_everything(&mut office, || wait_pending(&connector, 6));
    // So many wait only after every change, when these are there as well.
    office.write(office.scene.olaf, "last");
    office.ask_in_team(office.eva, "Eva Lund", "last");
    office.write(office.eva, "last");
    office.write(office.eva, "the very last");
    wait_pending(&connector, 7);
    office.scene.gateway.accept_all();
    office.check();
    wait_pending(&connector, 0);
}

#[test]
fn what_changed_while_nobody_listened_arrives_as_it_is_in_the_end() {
    let mut office = Office::new();
    let mut connector = connected(&office);
    office.write(office.scene.olaf, "first");
    office.check();
    office.kill(&mut connector);
    change_everything(&mut office, || {});
    office.write(office.scene.olaf, "last");
    let _connector = office.scene.start();
    office.check();
}

#[test]
fn a_deletion_counts_though_an_earlier_change_is_told_after_it() {
    let mut office = Office::new();
    let connector = connected(&office);
    office.scene.gateway.refuse_texts("", 503, "unavailable");
    let gone = write(&office, "thrid");
    wait_pending(&connector, 1);
    {
        let mut world = office.scene.portal.world();
        world.messenger.switches.background = Duration::ZERO;
        world.messenger.switches.invert_every = 1;
    }
    edit(&office, gone, "third");
    delete(&office, gone);
    wait_pending(&connector, 0);
    office.scene.portal.world().messenger.switches.invert_every = 0;
    office.write(office.scene.olaf, "fourth");
    wait_pending(&connector, 1);
    office.scene.gateway.accept_all();
    office.check();
}

#[test]
fn what_changes_after_the_gateway_has_it_is_left_as_it_is() {
    let mut office = Office::new();
    let mut connector = connected(&office);
    let (edited, deleted) =
        (office.write(office.scene.olaf, "one"), office.write(office.scene.olaf, "two"));
    office.check();
    let again = |office: &mut Office, number: u32| {
        edit(office, edited, &format!("one, {number} times changed"));
        office.write(office.scene.olaf, &format!("after change {number}"));
        office.check();
    };
    again(&mut office, 1);
    delete(&office, deleted);
    again(&mut office, 2);
    // Nor does a look through the dialog, where it stands changed, take it for a new one.
    office.kill(&mut connector);
    edit(&office, edited, "one, changed while nobody listened");
    let _connector = office.scene.start();
    again(&mut office, 3);
    let keys = office.scene.gateway.inbound().into_iter().map(|one| one.key);
    let keys: HashSet<String> = keys.collect();
    assert_eq!(keys.len(), office.scene.gateway.inbound().len(), "each under a key of its own");
}
