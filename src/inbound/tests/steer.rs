//! What people and the portal do to messages while the relay carries them: another try, a drop, a
//! deletion, an edit. The relay must act on it at once, and never out of order. That it is at once
//! shows in that nothing here waits for the relay's own look at the outbox, which comes once a minute.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::domain::ids::RowId;
use crate::domain::inbound::State;
use crate::inbound::NotSteered;
use crate::inbound::Steering;
use crate::inbound::tests::relay::Running;
use crate::inbound::tests::relay::start;
use crate::inbound::tests::support::Desk;
use crate::inbound::tests::support::FakeGateway;
use crate::inbound::tests::support::client;
use crate::inbound::tests::support::row;
use crate::inbound::tests::support::until;
use crate::store::inbox::Listed;
use crate::store::outbox::NewInbound;

fn steering(desk: &Desk, relay: &Running) -> Steering {
    Steering { store: desk.store.clone(), gate: Arc::clone(&relay.gate) }
}

fn listed(desk: &Desk, row: i64) -> Listed {
    desk.store.letter(RowId(row)).expect("reads").expect("there").listed
}

#[test]
fn a_retried_message_goes_at_once_and_before_what_still_waits_in_its_chat() {
    let desk = Desk::new();
    let mended = Arc::new(AtomicBool::new(false));
    let (seen, first_gone) = (Arc::clone(&mended), AtomicBool::new(false));
    // Until it is mended the first is refused and the second fails; then the second fails for as
    // long as the first was not there.
    let gateway = FakeGateway::start(None, move |one| match one.text.as_str() {
        "1" if !seen.load(Ordering::SeqCst) => 422,
        "1" => {
            first_gone.store(true, Ordering::SeqCst);
            200
        }
        "2" if !first_gone.load(Ordering::SeqCst) => 500,
        _ => 200,
    });
    desk.queue(vec![row(900, 1), row(900, 2), row(900, 3), row(901, 4)]);
    let relay = start(&desk, client(gateway.addr()));
    until("the second to wait", || listed(&desk, 2).attempts > 0);
    assert_eq!((listed(&desk, 1).state, listed(&desk, 1).attempts), (State::Dead, 1));
    mended.store(true, Ordering::SeqCst);
    let retried = steering(&desk, &relay).retry(RowId(1)).expect("retries").listed;
    assert_eq!((retried.state, retried.attempts, retried.failure), (State::Pending, 1, None));
    until("all", || desk.pending() == 0);
    drop(relay);
    let accepted = gateway.accepted();
    let of_chat: Vec<&String> = accepted.iter().filter(|text| *text != "4").collect();
    assert_eq!(of_chat, ["1", "2", "3"]);
    assert_eq!((listed(&desk, 1).state, listed(&desk, 1).attempts), (State::Accepted, 2));
    let keys = gateway.posted().into_iter().filter(|one| one.text == "1").map(|one| one.key);
    assert!(keys.eq(["m0-mira-1", "m0-mira-1"]), "one message, one key");
}

#[test]
fn a_dropped_message_that_held_back_its_chat_frees_it_at_once() {
    let desk = Desk::new();
    let gateway = FakeGateway::start(None, |one| if one.text == "1" { 500 } else { 200 });
    // So that it is due in two minutes.
    gateway.ask_to_wait(120);
    desk.queue(vec![row(900, 1), row(900, 2)]);
    let relay = start(&desk, client(gateway.addr()));
    until("the first to wait", || listed(&desk, 1).attempts == 1);
    let dropped = steering(&desk, &relay).discard(RowId(1)).expect("drops").listed;
    assert_eq!((dropped.state, dropped.failure.as_deref()), (State::Dropped, Some("http_500")));
    until("the next", || desk.pending() == 0);
    drop(relay);
    assert_eq!(gateway.accepted(), ["2"]);
    assert_eq!(gateway.posted().iter().filter(|one| one.text == "1").count(), 1);
    assert_eq!(listed(&desk, 1).state, State::Dropped);
}

#[test]
fn what_cannot_be_done_says_where_the_message_stands_and_changes_nothing() {
    let (desk, gateway) = (Desk::new(), FakeGateway::willing());
    desk.queue(vec![row(900, 1)]);
    let relay = start(&desk, client(gateway.addr()));
    until("it is there", || desk.pending() == 0);
    let steering = steering(&desk, &relay);
    let accepted = listed(&desk, 1);
    assert_eq!(steering.retry(RowId(1)), Err(NotSteered::WrongState(State::Accepted)));
    assert_eq!(steering.discard(RowId(1)), Err(NotSteered::WrongState(State::Accepted)));
    assert_eq!(steering.retry(RowId(9)), Err(NotSteered::Unknown));
    assert_eq!(steering.discard(RowId(9)), Err(NotSteered::Unknown));
    assert_eq!(steering.forget(RowId(9)), Err(NotSteered::Unknown));
    assert_eq!(listed(&desk, 1), accepted);
}

/// A gateway that answers a message only when it is told with what, and says when it has one.
fn held_gateway() -> (FakeGateway, Receiver<String>, Sender<u16>) {
    let (came, arrivals) = crossbeam_channel::bounded(8);
    let (answers, answer) = crossbeam_channel::bounded(8);
    let gateway = FakeGateway::start(None, move |one| {
        came.send(one.text.clone()).expect("heard");
        answer.recv().expect("told")
    });
    (gateway, arrivals, answers)
}

#[test]
fn what_is_dropped_or_deleted_on_its_way_is_accepted_if_the_gateway_has_it_and_else_stays_so() {
    for (status, deleted) in [(200, false), (200, true), (422, false), (422, true), (503, false)] {
        let desk = Desk::new();
        let (gateway, arrivals, answers) = held_gateway();
        desk.queue(vec![row(900, 1), row(900, 2)]);
        let relay = start(&desk, client(gateway.addr()));
        assert_eq!(arrivals.recv().expect("comes"), "1");
        let put_aside = if deleted {
            desk.withdraw(1);
            relay.gate.steer();
            State::Withdrawn
        } else {
            steering(&desk, &relay).discard(RowId(1)).expect("drops");
            State::Dropped
        };
        answers.send(status).expect("answers");
        answers.send(200).expect("answers");
        assert_eq!(
            arrivals.recv().expect("comes"),
            "2",
            "the chat goes on, and not with the first"
        );
        until("the next", || listed(&desk, 2).state == State::Accepted);
        drop(relay);
        let expected = if status == 200 { State::Accepted } else { put_aside };
        assert_eq!(listed(&desk, 1).state, expected, "{status} {put_aside:?}");
        assert_eq!(gateway.posted().len(), 2);
    }
}

#[test]
fn an_edit_or_a_deletion_that_comes_before_the_gateway_has_it_is_heeded() {
    let desk = Desk::new();
    let changed = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&changed);
    let gateway =
        FakeGateway::start(None, move |_| if *seen.lock().expect("whole") { 200 } else { 503 });
    desk.queue(vec![row(900, 1), row(900, 2), row(900, 3)]);
    let relay = start(&desk, client(gateway.addr()));
    // All of them are in the relay's order, and the first was tried.
    until("a try", || listed(&desk, 1).attempts > 0);
    for (message, text) in [(1, "one"), (3, "three")] {
        desk.edit(NewInbound { text: text.to_owned(), ..row(900, message) });
    }
    desk.withdraw(2);
    *changed.lock().expect("whole") = true;
    until("all", || desk.pending() == 0);
    drop(relay);
    assert_eq!(gateway.accepted(), ["one", "three"]);
    let keys: Vec<String> = gateway.posted().into_iter().map(|one| one.key).collect();
    assert!(!keys.contains(&"m0-mira-2".to_owned()), "{keys:?}");
    let states = [1, 2, 3].map(|row| listed(&desk, row).state);
    assert_eq!(states, [State::Accepted, State::Withdrawn, State::Accepted]);
}

#[test]
fn messages_that_were_retried_or_dropped_while_nobody_ran_are_found_so_at_the_start() {
    let desk = Desk::new();
    let gateway = FakeGateway::start(None, |one| if one.text == "1" { 404 } else { 200 });
    desk.queue(vec![row(900, 1), row(900, 2), row(900, 3)]);
    let relay = start(&desk, client(gateway.addr()));
    until("all", || desk.pending() == 0);
    drop(relay);
    desk.queue(vec![row(900, 4), row(900, 5)]);
    desk.store.retry_letter(RowId(1), crate::base::clock::now()).expect("retries");
    desk.store.drop_letter(RowId(4), crate::base::clock::now()).expect("drops");
    let mended = FakeGateway::willing();
    let relay = start(&desk, client(mended.addr()));
    until("all", || desk.pending() == 0);
    drop(relay);
    assert_eq!(mended.accepted(), ["1", "5"]);
}
