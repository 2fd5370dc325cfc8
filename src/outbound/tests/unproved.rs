//! Portals that recognise no repeats: what a lost answer comes to when only author, text and time
//! tell whose a message is.

use std::time::Duration;

use crate::domain::delivery::State;
use crate::limits;
use crate::outbound::tests::ADD;
use crate::outbound::tests::OLAF;
use crate::outbound::tests::Scene;
use crate::outbound::tests::operations::id;
use crate::sim::Fault;
use crate::sim::When;

/// A portal that knows no UUIDs.
fn old_portal() -> Scene {
    let scene = Scene::new();
    scene.portal.world().messenger.switches.no_uuids = true;
    for message in scene.portal.world().messenger.messages.values_mut() {
        message.uuid = None;
    }
    scene
}

#[test]
fn a_lost_answer_is_found_by_author_text_and_time() {
    let scene = old_portal();
    scene.delivered(scene.request("d-0", "hello"));
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    assert_eq!(delivery.state, State::Delivered);
    assert_eq!(scene.texts(), ["hello", "hello"], "one for each delivery");
    let second = scene.mine()[1].id;
    assert_eq!(id(delivery.messages()[0]), second);
}

#[test]
fn nothing_is_sent_again_before_the_first_can_no_longer_act() {
    let scene = old_portal();
    scene.delivered(scene.request("d-0", "hello"));
    let row = scene.accept("d-1", "hello");
    scene.network.plan(When::first(ADD), Fault::Html(504));
    assert!(scene.run(row).is_some());
    scene.network.clear_plan();
    let wait = scene.run(row).expect("not yet");
    assert!(wait >= limits::DELIVERY_LOOK_FIRST / 2, "{wait:?}");
    assert_eq!(scene.delivery(row).state, State::Unknown, "the earlier hello is another's");
    assert_eq!(scene.texts(), ["hello"]);
    scene.shared.store.age_attempts(row, limits::DELIVERY_SETTLE);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.texts(), ["hello", "hello"]);
}

#[test]
fn a_dialog_too_busy_to_look_through_is_left_to_a_person() {
    let scene = old_portal();
    let row = scene.accept("d-1", "hello");
    scene.network.plan(When::first(ADD), Fault::Html(504));
    assert!(scene.run(row).is_some());
    scene.network.clear_plan();
    for number in 0..limits::RECONCILE_PAGES_MAX * 50 + 60 {
        scene.portal.say(OLAF, scene.team, &number.to_string()).expect("says");
    }
    scene.shared.store.age_attempts(row, limits::DELIVERY_SETTLE);
    assert!(scene.run(row).is_some());
    let (_, sentence) = scene.delivery(row).failure.expect("told");
    assert!(sentence.contains("too_many_messages"), "{sentence}");
    scene.shared.store.age_attempts(row, limits::DELIVERY_DOUBT_MIN);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.delivery(row).state, State::Parked);
    assert!(scene.texts().is_empty());
}

#[test]
fn a_uuid_that_the_portal_never_links_makes_no_second_message() {
    // The first attempt was stored, and the job that links its UUID never ran: after an hour the
    // portal takes the same UUID for a new message.
    let scene = Scene::new();
    scene.portal.world().messenger.switches.background = Duration::from_secs(7 * 24 * 3600);
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    for message in scene.portal.world().messenger.messages.values_mut() {
        message.uuid = None;
    }
    assert_eq!(scene.run(row), None);
    assert_eq!((scene.delivery(row).state, scene.texts().len()), (State::Delivered, 1));
}
