//! What a person does to a delivery: another try shows it once, whatever happened before; a drop ends
//! it, tells whoever waits, and lets its dialog go on; and the running schedule hears of both.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use super::ADD;
use super::LOOK;
use super::MIRA;
use super::Scene;
use super::fetcher;
use crossbeam_channel as channel;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::base::threads::Exits;
use crate::domain::delivery::Event;
use crate::domain::delivery::State;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::RowId;
use crate::limits;
use crate::outbound::Desk;
use crate::outbound::Media;
use crate::outbound::MediaSource;
use crate::outbound::NotSteered;
use crate::outbound::Outbound;
use crate::outbound::OutboundParts;
use crate::outbound::Outcome;
use crate::outbound::schedule;
use crate::outbound::schedule::Finished;
use crate::outbound::shelf::Shelf;
use crate::outbound::worker;
use crate::sim::Fault;
use crate::sim::When;
use crate::store::attempts::Setback;

/// Older than any delivery that is not given up.
const LONG_AGO: Duration = Duration::from_secs(3 * 24 * 3600);

fn id(text: &str) -> DeliveryId {
    DeliveryId::parse(text).expect("an id")
}

fn long_ago() -> UnixMs {
    UnixMs(clock::now().0 - i64::try_from(LONG_AGO.as_millis()).expect("fits"))
}

impl Scene {
    fn desk(&self) -> Desk {
        Desk { shared: Arc::clone(&self.shared) }
    }

    /// Whether Mira is in the team's chat.
    fn let_in(&self, member: bool) {
        let team = self.team;
        let mut world = self.portal.world();
        let chat = world.messenger.chats.get_mut(&team).expect("the team");
        if member {
            chat.members.insert(MIRA);
        } else {
            chat.members.remove(&MIRA);
        }
    }

    /// Makes a delivery wait for an hour, in the ledger.
    fn set_aside(&self, row: RowId, event: Event) -> State {
        let now = clock::now();
        self.shared.store.begin_attempt(row, 0, now).expect("begins");
        let due_at = now.plus(limits::DELIVERY_DUE_MAX);
        let (code, message) = ("unavailable".to_owned(), "set aside".to_owned());
        let setback = Setback { step: 0, event, due_at, code, message, failure: None };
        self.shared.store.set_back(row, setback, now).expect("set back")
    }

    /// The whole flow with its threads, over the same ledger.
    fn start(&self) -> Outbound {
        let parts = OutboundParts {
            store: self.shared.store.clone(),
            registry: Arc::clone(&self.shared.registry),
            directory: Arc::clone(&self.shared.directory),
            workers: 2,
            mention_all: false,
            typing: false,
            shelf: Shelf::open(&self.dir).expect("a shelf"),
            fetcher: fetcher(&self.host),
        };
        Outbound::start(parts, &Exits::new().0).expect("starts")
    }

    /// Waits until a delivery is delivered, and counted as such, which comes a moment later.
    fn await_delivered(&self, row: RowId) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.delivery(row).state != State::Delivered || self.shared.store.unfinished() > 0 {
            assert!(Instant::now() < deadline, "{:?}", self.delivery(row));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn what_is_parked_is_looked_up_and_shown_once_after_a_retry() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.lose_an_answer(row);
    scene.let_in(false);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.delivery(row).state, State::Parked);
    // Nothing is mended: it parks again, however young it is.
    assert_eq!(scene.desk().retry(&id("d-1")).expect("retries").state, State::Unknown);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.delivery(row).state, State::Parked);
    scene.let_in(true);
    scene.desk().retry(&id("d-1")).expect("retries");
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    assert_eq!((delivery.state, delivery.messages().len()), (State::Delivered, 1));
    assert_eq!(delivery.failure, None);
    assert_eq!(scene.shown(), ["hello"]);
    let refused = scene.desk().retry(&id("d-1"));
    assert_eq!(refused.expect_err("delivered"), NotSteered::WrongState(State::Delivered));
    let refused = scene.desk().retry(&id("d-2"));
    assert_eq!(refused.expect_err("never heard of"), NotSteered::Unknown);
}

#[test]
fn an_old_delivery_in_doubt_has_all_its_time_again() {
    let scene = Scene::new();
    let row = scene.accept_at("d-1", long_ago());
    scene.lose_an_answer(row);
    scene.shared.store.age_attempts(row, LONG_AGO / 2);
    scene.network.plan(When::every(LOOK), Fault::Html(502));
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.delivery(row).state, State::Parked);
    scene.desk().retry(&id("d-1")).expect("retries");
    let wait = scene.run(row).expect("is not given up at once");
    assert!(wait <= limits::DELIVERY_RETRY_FIRST * 8, "begins with short delays: {wait:?}");
    assert_eq!(scene.delivery(row).state, State::Unknown);
    scene.network.clear_plan();
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.shown(), ["hello"]);
    assert_eq!(scene.network.calls_of(ADD), 1, "found, however long ago it was sent");
}

#[test]
fn an_old_delivery_without_effect_has_all_its_time_again() {
    let scene = Scene::new();
    let row = scene.accept_at("d-1", long_ago());
    let busy = Fault::error(503, "CONNECTION_ERROR", "No connection to the server");
    scene.network.plan(When::every(ADD), busy);
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.delivery(row).state, State::Dead);
    assert_eq!(scene.desk().retry(&id("d-1")).expect("retries").state, State::Waiting);
    let wait = scene.run(row).expect("is not given up at once");
    assert!(wait <= limits::DELIVERY_RETRY_FIRST * 8, "begins with short delays: {wait:?}");
    scene.network.clear_plan();
    assert_eq!(scene.run(row), None);
    assert_eq!(scene.shown(), ["hello"]);
}

#[test]
fn a_drop_is_told_and_leaves_nothing_on_the_shelf() {
    let scene = Scene::new();
    let mut filling = scene.shared.shelf.begin(100).expect("begins");
    filling.write_all(b"a file").expect("fits");
    let kept = filling.finish().expect("finishes");
    let path = scene.shared.shelf.path(&kept.name);
    let source = MediaSource::Kept(kept);
    let media = vec![Media { name: "a.txt".to_owned(), as_file: true, source }];
    let row = scene.accepted(crate::outbound::DeliverRequest { media, ..scene.request("d-1", "") });
    let (told, heard) = crossbeam_channel::bounded(1);
    let reply = Box::new(move |outcome: Outcome| told.send(outcome).expect("heard"));
    let later = Instant::now() + Duration::from_secs(600);
    scene.desk().wait(row, later, false, reply).expect("waits");
    assert!(path.exists() && heard.try_recv().is_err());
    let dropped = scene.desk().cancel(&id("d-1")).expect("drops");
    assert_eq!(dropped.state, State::Cancelled);
    let (code, message) = dropped.failure.expect("told");
    assert_eq!((code.as_str(), message.as_str()), ("failed_precondition", "a person dropped it"));
    assert!(!path.exists());
    let outcome = heard.try_recv().expect("told");
    assert!(matches!(outcome, Outcome::Finished { delivery, .. } if delivery.row == row));
    // In the schedule's memory it may still be: it does nothing any more.
    assert_eq!(scene.run(row), None);
    assert_eq!((scene.shown().len(), scene.delivery(row).attempts), (0, 0));
    let refused = scene.desk().cancel(&id("d-1"));
    assert_eq!(refused.expect_err("over"), NotSteered::WrongState(State::Cancelled));
}

#[test]
fn what_is_being_tried_is_not_dropped() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.shared.store.begin_attempt(row, 0, clock::now()).expect("begins");
    let refused = scene.desk().cancel(&id("d-1"));
    assert_eq!(refused.expect_err("runs"), NotSteered::WrongState(State::Attempting));
}

#[test]
fn a_drop_between_two_steps_of_a_run_ends_it() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    scene.network.plan(When::first(ADD), Fault::Html(504));
    assert!(scene.run(row).is_some());
    assert_eq!(scene.delivery(row).state, State::Unknown);
    // Dropped while its run looks into the dialog.
    let desk = scene.desk();
    let drops = move |_| {
        let _ = desk.cancel(&id("d-1"));
    };
    scene.network.plan(When::every(LOOK), Fault::Hook(Arc::new(drops)));
    assert!(matches!(worker::work(&scene.shared, row), Finished::Ended(_)));
    assert_eq!(scene.delivery(row).state, State::Cancelled);
    let (_, message) = scene.delivery(row).failure.expect("told");
    assert!(message.contains("whether the portal shows it was not known"), "{message}");
    assert_eq!(scene.network.calls_of(ADD), 0, "the one before did not arrive");
}

#[test]
fn the_schedule_takes_an_old_delivery_up_again() {
    let scene = Scene::new();
    let old = scene.accept("d-1", "one");
    assert_eq!(scene.set_aside(old, Event::GiveUp), State::Dead);
    let young = scene.accept("d-2", "two");
    let outbound = scene.start();
    scene.await_delivered(young);
    assert_eq!(scene.delivery(old).state, State::Dead);
    let retried = outbound.desk().retry(&id("d-1")).expect("retries");
    assert_ne!(retried.state, State::Dead);
    scene.await_delivered(old);
    assert_eq!(scene.shown(), ["two", "one"]);
}

#[test]
fn a_retry_before_the_end_of_the_last_run_is_settled_is_not_lost() {
    let scene = Scene::new();
    let row = scene.accept("d-1", "hello");
    let ((_kick, kicked), (jobs, queue), (done, finished)) =
        (channel::bounded(1), channel::bounded(1), channel::bounded(1));
    let mendings = crossbeam_channel::never();
    let wires = schedule::Wires { kicked, mendings, jobs, finished };
    let mut state = schedule::State::new(&scene.shared, wires, 1);
    state.look();
    state.start_due();
    assert_eq!(queue.try_recv(), Ok(row));
    // The worker has recorded its end, the schedule does not know yet.
    assert_eq!(scene.set_aside(row, Event::GiveUp), State::Dead);
    scene.desk().retry(&id("d-1")).expect("retries");
    state.look();
    state.start_due();
    assert!(queue.try_recv().is_err(), "one runner");
    state.settle(Finished::Ended(row));
    state.look();
    state.start_due();
    assert_eq!(queue.try_recv(), Ok(row));
    drop(done);
}

#[test]
fn a_drop_gives_the_next_of_its_dialog_its_turn() {
    let scene = Scene::new();
    let first = scene.accept("d-1", "one");
    assert_eq!(scene.set_aside(first, Event::Postpone), State::Waiting);
    let second = scene.accept("d-2", "two");
    let third = scene.accept("d-3", "three");
    let outbound = scene.start();
    // One that waits for its turn goes as well as the one that holds all others back for an hour.
    outbound.desk().cancel(&id("d-2")).expect("drops");
    outbound.desk().cancel(&id("d-1")).expect("drops");
    scene.await_delivered(third);
    assert_eq!(scene.shown(), ["three"]);
    assert_eq!(scene.delivery(second).state, State::Cancelled);
    assert_eq!(scene.shared.store.unfinished(), 0);
}
