//! What people write while no event tells of it: the connector is not there, or the portal does not
//! answer it, for longer than the portal keeps events, than it lists what changed, or it keeps none at
//! all. Each message that should arrives once and in the order of its dialog, and no other does.
//! What takes a process of many minutes (lost numbers, foreign readers) is in
//! `src/inbound/tests/model/gaps.rs`, with virtual time.

use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::EVENTS_METHOD;
use serde_json::json;

use crate::support::eventually;
use crate::support::office::Office;

/// What lists the dialogs that changed since a moment, a week ago at most.
const CHANGED: &str = "im.recent.get";
/// What lists all dialogs, page by page.
const ALL: &str = "im.recent.list";
const HOUR: Duration = Duration::from_secs(3600);

fn pass(office: &Office, hours: u32) {
    office.scene.network.clock().advance(HOUR * hours);
}

/// An office whose first round has arrived, and the connector.
fn in_conversation() -> (Office, Connector) {
    let mut office = Office::new();
    // As far apart as on a portal with many people.
    office.scene.portal.world().messenger.switches.gap = 1000;
    let connector = office.scene.start_connected();
    eventually("the first look", || first_look_is_done(&connector).then_some(()));
    office.round(0);
    office.check();
    (office, connector)
}

fn first_look_is_done(connector: &Connector) -> bool {
    connector.log().contains("dialogs_looked_at_first")
}

fn calls(office: &Office) -> (usize, usize) {
    (office.scene.network.calls_of(CHANGED), office.scene.network.calls_of(ALL))
}

#[test]
fn after_a_day_away_what_changed_is_read_in_the_dialogs() {
    let (mut office, mut connector) = in_conversation();
    office.kill(&mut connector);
    pass(&office, 5);
    office.round(1);
    pass(&office, 8);
    office.round(2);
    // More than a page of one dialog.
    for number in 0..120 {
        office.ask_in_team(office.scene.olaf, "Olaf Brandt", &format!("number {number}"));
    }
    pass(&office, 30);
    office.scene.network.reset_count();
    let mut connector = office.scene.start();
    office.check();
    assert_eq!(calls(&office), (1, 0));
    // The log is read again, and what it has is not what was found.
    office.round(3);
    office.check();
    office.kill(&mut connector);
    let _connector = office.scene.start();
    office.round(4);
    office.check();
}

#[test]
fn after_more_than_a_week_away_all_dialogs_are_listed() {
    let (mut office, mut connector) = in_conversation();
    office.kill(&mut connector);
    office.round(1);
    // Two pages of dialogs.
    let sales = office.scene.portal.world().users[&office.scene.olaf].departments.clone();
    for number in 0..205 {
        let colleague = User::employee("Colleague", &number.to_string()).in_departments(&sales);
        let colleague = office.scene.portal.add_user(colleague);
        office.write(colleague, "is anybody there?");
        office.write(colleague, "nobody?");
    }
    pass(&office, 8 * 24);
    office.round(2);
    office.scene.network.reset_count();
    let _connector = office.scene.start();
    office.check();
    assert_eq!(calls(&office), (0, 2));
    office.round(3);
    office.check();
}

#[test]
fn a_connector_that_heard_nothing_for_a_day_looks_before_it_reads_events() {
    let (mut office, connector) = in_conversation();
    let before = calls(&office);
    let fault = Fault::error(503, "INTERNAL_SERVER_ERROR", "no");
    office.scene.network.plan(When::every(EVENTS_METHOD), fault);
    office.round(1);
    // The first round is gone from the log then, the second is not. In one step: a token that is
    // renewed in the middle and too old at once would be no token at all.
    pass(&office, 25);
    office.round(2);
    let since = office.scene.network.clock().now();
    // An answer of any kind tells what time it is.
    let answer = office.scene.send(&connector, "d-1", "hello").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    office.scene.network.clear_plan();
    office.check();
    assert_eq!(calls(&office), (before.0 + 1, before.1));
    let history = office.scene.network.history().into_iter().filter(|one| one.at >= since);
    let answered = history.filter(|one| one.status == 200).map(|one| one.rest_method);
    let first = answered.into_iter().find(|method| method == CHANGED || method == EVENTS_METHOD);
    assert_eq!(first.as_deref(), Some(CHANGED));
    office.round(3);
    office.check();
}

#[test]
fn what_somebody_else_took_is_found_at_the_next_start() {
    let troubles: [fn(&Office); 3] = [
        |office| office.scene.portal.steal_all_events(office.scene.mira, true),
        |office| office.scene.portal.unsubscribe_foreign(office.scene.mira),
        numbers_begin_anew,
    ];
    for trouble in troubles {
        let (mut office, mut connector) = in_conversation();
        let heard = office.arrived();
        trouble(&office);
        office.round(1);
        pass(&office, 1);
        let polls = office.scene.network.calls_of(EVENTS_METHOD);
        eventually("polls", || {
            (office.scene.network.calls_of(EVENTS_METHOD) > polls + 3).then_some(())
        });
        assert_eq!(office.arrived(), heard, "nobody heard of the second round");
        office.kill(&mut connector);
        let _connector = office.scene.start();
        office.check();
    }
}

/// Events get low numbers again, so that the stored offset deletes each unread.
fn numbers_begin_anew(office: &Office) {
    eventually("an empty log", || {
        let mut world = office.scene.portal.world();
        let log = &mut world.messenger.log;
        (log.pending(office.scene.mira) == 0).then(|| log.reset_counter())
    });
    office.scene.portal.world().messenger.switches.gap = 0;
}

#[test]
fn a_portal_without_event_log_is_read_dialog_by_dialog() {
    let mut office = Office::new();
    office.scene.portal.world().messenger.switches.no_event_log = true;
    let mut connector = office.scene.start();
    let done = connector.consent("helper", office.scene.mira).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    eventually("the first look", || first_look_is_done(&connector).then_some(()));
    for number in 0..3 {
        office.round(number);
        office.check();
    }
    let warnings = connector.status().expect("a status")["warnings"].to_string();
    assert!(warnings.contains("agent helper: the portal has no im.v2.Event.get"), "{warnings}");
    // A change is no new message; what was deleted before anybody looked never was.
    let kept = office.write(office.scene.olaf, "a word");
    office.check();
    office.scene.portal.edit(office.scene.olaf, kept, "another word").expect("edits");
    office.kill(&mut connector);
    let gone = office.scene.portal.write_to(office.eva, office.scene.mira, "oh").expect("writes");
    office.scene.portal.delete(office.eva, gone).expect("deletes");
    office.round(3);
    let mut connector = office.scene.start();
    office.check();
    assert_eq!(office.scene.network.calls_of(EVENTS_METHOD), 0);
    // The portal is updated.
    office.kill(&mut connector);
    office.round(4);
    office.scene.portal.world().messenger.switches.no_event_log = false;
    let connector = office.scene.start();
    eventually("events", || (office.scene.network.calls_of(EVENTS_METHOD) > 2).then_some(()));
    let looks = calls(&office);
    office.round(5);
    office.check();
    assert_eq!(calls(&office), looks, "by events");
    assert_eq!(connector.status().expect("a status")["warnings"], json!([]));
}
