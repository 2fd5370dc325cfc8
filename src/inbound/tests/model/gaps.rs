//! What no event tells, in a process that goes on: numbers of events that begin anew, somebody else
//! who reads or unsubscribes them, and an event log that comes with an update of the portal. The
//! looks through the dialogs that find it come after minutes, so time is let pass by hand; gaps that
//! a restart or the portal's clock can show are in `tests/it/inbound_gaps.rs`.

use std::time::Duration;

use super::GET;
use super::MIRA;
use super::OLAF;
use super::OLGA;
use super::SUBSCRIBE;
use super::Scene;
use crate::inbound::Inbound;
use crate::inbound::tests::support::until;
use crate::limits;
use crate::sim::Fault;
use crate::sim::When;

const LIST: &str = "im.recent.get";
const DIALOG: &str = "im.dialog.messages.get";
/// Longer than an event may be late, and than a look takes a message for unsettled.
const A_WHILE: Duration = Duration::from_secs(120);

fn key(message: &str) -> String {
    format!("m0-mira-{message}")
}

/// Lets the portal's clock go on, until the connector has heard of it from events.
fn wait_a_while(scene: &Scene) {
    scene.network.clock().advance(A_WHILE);
    wait_for_polls(scene);
}

/// Both agents ask for events at least twice more: what was there to hear is heard.
fn wait_for_polls(scene: &Scene) {
    let asked = |user| {
        let history = scene.network.history();
        history.iter().filter(|one| one.rest_method == GET && one.user == Some(user)).count()
    };
    let before = [MIRA, OLGA].map(asked);
    until("polls", || asked(MIRA) > before[0] + 2 && asked(OLGA) > before[1] + 2);
}

/// Both agents look through their dialogs, because it is time.
fn look(scene: &Scene, inbound: &Inbound) {
    let before = scene.network.calls_of(LIST);
    // More than the pause and its spread.
    inbound.poll.let_pass(limits::LOOK_EVERY * 2);
    until("a look of both", || scene.network.calls_of(LIST) >= before + 2);
    wait_for_polls(scene);
}

fn warned(inbound: &Inbound) -> bool {
    let warnings = inbound.handle().warnings();
    warnings.iter().any(|one| one.contains("agent mira") && one.contains("another application"))
}

/// A connector that has looked at the start and hears of messages by their events.
fn listening(scene: &Scene) -> (Inbound, Vec<String>) {
    let inbound = scene.start();
    wait_for_polls(scene);
    let told = key(&scene.write(OLAF, MIRA));
    until("told", || scene.keys() == [told.clone()]);
    wait_a_while(scene);
    (inbound, vec![told])
}

#[test]
fn event_numbers_that_begin_anew_lose_and_double_nothing() {
    let scene = Scene::new();
    scene.portal.world().messenger.switches.gap = 1000;
    let (inbound, mut forwarded) = listening(&scene);
    {
        let mut world = scene.portal.world();
        world.messenger.log.reset_counter();
        world.messenger.switches.gap = 0;
    }
    // The old offset deletes these before anybody reads them.
    let lost: Vec<String> = (0..3).map(|_| key(&scene.write(OLAF, MIRA))).collect();
    let mention = key(&scene.say(OLAF, "[USER=57]Mira Holt[/USER], is it out?"));
    scene.say(OLAF, "chatter");
    wait_a_while(&scene);
    assert_eq!(scene.portal.world().messenger.log.pending(MIRA), 0, "they are deleted");
    assert_eq!(scene.keys(), forwarded, "and nobody heard of them");
    forwarded.extend(lost);
    forwarded.push(mention);
    look(&scene, &inbound);
    assert!(scene.check(&forwarded), "each once");
    // From here on events are read again, and no dialog.
    let looks = scene.network.calls_of(DIALOG);
    forwarded.extend((0..3).map(|_| key(&scene.write(OLAF, MIRA))));
    assert!(scene.check(&forwarded), "each once");
    assert_eq!(scene.network.calls_of(DIALOG), looks);
    // Nothing is left for a person to do.
    wait_a_while(&scene);
    look(&scene, &inbound);
    assert!(scene.check(&forwarded) && !warned(&inbound));
}

#[test]
fn what_somebody_else_reads_is_found_and_told_of_while_it_lasts() {
    let scene = Scene::new();
    let (inbound, mut forwarded) = listening(&scene);
    scene.portal.steal_all_events(MIRA, true);
    for round in 1..=3 {
        forwarded.push(key(&scene.write(OLAF, MIRA)));
        forwarded.push(key(&scene.say(OLAF, "[USER=57]Mira Holt[/USER], is it out?")));
        scene.say(OLAF, "chatter");
        wait_a_while(&scene);
        assert_eq!(scene.keys().len(), forwarded.len() - 2, "nobody heard of them");
        look(&scene, &inbound);
        assert!(scene.check(&forwarded), "each once");
        assert_eq!(warned(&inbound), round >= 2, "once may be an accident");
    }
    scene.portal.steal_all_events(MIRA, false);
    let looks = scene.network.calls_of(DIALOG);
    forwarded.push(key(&scene.write(OLAF, MIRA)));
    assert!(scene.check(&forwarded), "each once");
    assert_eq!(scene.network.calls_of(DIALOG), looks, "an event told");
    wait_a_while(&scene);
    look(&scene, &inbound);
    assert!(scene.check(&forwarded) && !warned(&inbound), "it is over");
}

#[test]
fn an_agent_that_somebody_unsubscribes_subscribes_again() {
    let scene = Scene::new();
    let (inbound, mut forwarded) = listening(&scene);
    scene.portal.unsubscribe_foreign(MIRA);
    forwarded.push(key(&scene.write(OLAF, MIRA)));
    wait_a_while(&scene);
    let before = scene.network.calls_of(SUBSCRIBE);
    look(&scene, &inbound);
    assert!(scene.check(&forwarded), "each once");
    assert_eq!(scene.network.calls_of(SUBSCRIBE), before + 1);
    forwarded.push(key(&scene.write(OLAF, MIRA)));
    assert!(scene.check(&forwarded), "each once, and without a further look");
}

#[test]
fn an_event_log_that_comes_with_an_update_is_found_within_a_day() {
    let scene = Scene::new();
    scene.portal.world().messenger.switches.no_event_log = true;
    let inbound = scene.start();
    until("told", || inbound.handle().warnings().len() == 2);
    let mut forwarded = scene.talk();
    assert!(scene.check(&forwarded), "each once");
    // While the portal is updated nobody can look, and no event is written.
    scene.network.plan(When::every(LIST), Fault::error(503, "INTERNAL_SERVER_ERROR", "update"));
    forwarded.extend(scene.talk());
    let probes = scene.network.calls_of(SUBSCRIBE);
    scene.portal.world().messenger.switches.no_event_log = false;
    inbound.poll.let_pass(limits::EVENT_METHOD_PROBE_EVERY / 2);
    until("tried", || scene.network.history().iter().filter(|one| one.fault.is_some()).count() > 3);
    assert_eq!(scene.network.calls_of(SUBSCRIBE), probes, "not before a day is over");
    scene.network.clear_plan();
    inbound.poll.let_pass(limits::EVENT_METHOD_PROBE_EVERY / 2);
    wait_for_polls(&scene);
    assert_eq!(scene.network.calls_of(SUBSCRIBE), probes + 2, "once for each agent");
    assert!(scene.check(&forwarded), "each once");
    assert!(inbound.handle().warnings().is_empty());
    let looks = scene.network.calls_of(DIALOG);
    forwarded.extend(scene.talk());
    assert!(scene.check(&forwarded), "each once");
    assert_eq!(scene.network.calls_of(DIALOG), looks, "by events");
}
