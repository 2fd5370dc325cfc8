//! The relay threads against a gateway that answers as it is told.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::base::clock;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::domain::agent::AgentState;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::domain::inbound::State;
use crate::gateway::BindingStatus;
use crate::gateway::Gateway;
use crate::inbound::Asked;
use crate::inbound::gate::Gate;
use crate::inbound::gate::GatewayState;
use crate::inbound::presence::ReadMarks;
use crate::inbound::relay::Relay;
use crate::inbound::relay::RelayParts;
use crate::inbound::tests::support::Desk;
use crate::inbound::tests::support::FakeGateway;
use crate::inbound::tests::support::NOW;
use crate::inbound::tests::support::client;
use crate::inbound::tests::support::name;
use crate::inbound::tests::support::row;
use crate::inbound::tests::support::until;
use crate::limits;
use crate::store::outbox::NewInbound;

/// All relay threads. Dropping it stops and joins them.
pub(super) struct Running {
    _stop: StopTrigger,
    pub(super) gate: Arc<Gate>,
    notes: Sender<BindingStatus>,
    /// Dialogs in which an answer was said to be awaited.
    asked: Arc<Mutex<Vec<DialogId>>>,
    _threads: Vec<Thread>,
}

pub(super) fn start(desk: &Desk, gateway: Gateway) -> Running {
    let (kicks, kicked): (Vec<_>, Vec<_>) =
        (0..limits::RELAY_THREADS).map(|_| crossbeam_channel::bounded(1)).unzip();
    let gate = Arc::new(Gate::new(kicks, Instant::now()));
    let (trigger, stop) = Stop::new();
    let (notes, noted) = crossbeam_channel::bounded(4);
    let store = desk.store.clone();
    let (gateway, gate_of) = (Arc::new(gateway), Arc::clone(&gate));
    let asked: Arc<Mutex<Vec<DialogId>>> = Arc::default();
    let told = Arc::clone(&asked);
    let hear: Asked = Arc::new(move |_, dialog, _| told.lock().expect("whole").push(dialog));
    let read = ReadMarks::off();
    let parts = RelayParts { store, gateway, gate: gate_of, read, asked: hear, stop };
    let exits = Exits::new().0;
    let threads = kicked.into_iter().enumerate().map(|(number, kicked)| {
        let noted = if number == 0 { noted.clone() } else { crossbeam_channel::never() };
        let relay = Relay::new(parts.clone(), number, kicked, noted);
        Thread::spawn(ThreadName::Relay(number), &exits, move || relay.run()).expect("starts")
    });
    Running { _stop: trigger, gate, notes, asked, _threads: threads.collect() }
}

fn assert_ordered(gateway: &FakeGateway) {
    let mut last: HashMap<String, i64> = HashMap::new();
    for one in gateway.posted().into_iter().filter(|one| one.status == 200) {
        let message: i64 = one.text.parse().expect("a number");
        let before = last.insert(one.external_id.clone(), message);
        assert!(before.is_none_or(|before| before < message), "{one:?} after {before:?}");
    }
}

#[test]
fn every_message_goes_once_and_in_the_order_of_its_chat() {
    let (desk, gateway) = (Desk::new(), FakeGateway::willing());
    desk.queue((0..60).map(|n| row(900 + n % 7, n)).collect());
    let relay = start(&desk, client(gateway.addr()));
    until("first sixty", || desk.pending() == 0);
    desk.queue((60..120).map(|n| row(900 + n % 7, n)).collect());
    relay.gate.kick();
    until("all", || desk.pending() == 0);
    drop(relay);
    assert_eq!(gateway.posted().len(), 120);
    assert_ordered(&gateway);
    let first = &gateway.posted()[0];
    assert_eq!(first.key, format!("m0-mira-{}", first.text));
    assert!(first.external_id.starts_with("mira/chat90"));
}

#[test]
fn an_answer_is_awaited_where_the_agent_is_addressed() {
    let (desk, gateway) = (Desk::new(), FakeGateway::willing());
    let chatter = NewInbound { mentioned: false, ..row(901, 1) };
    let reply = NewInbound { reply_to: Some(MessageId(7)), mentioned: false, ..row(902, 2) };
    let dialog = DialogId::User(UserId(12));
    let private = NewInbound { dialog, mentioned: false, ..row(903, 3) };
    desk.queue(vec![chatter, reply, private, row(904, 4)]);
    let relay = start(&desk, client(gateway.addr()));
    until("all", || desk.pending() == 0);
    let mut asked = relay.asked.lock().expect("whole").clone();
    asked.sort();
    let chat = |id| DialogId::Chat(ChatId(id));
    assert_eq!(asked, [dialog, chat(902), chat(904)]);
}

#[test]
fn trouble_repeats_with_the_same_key_and_keeps_the_order() {
    let (desk, gateway) = (Desk::new(), FakeGateway::willing());
    gateway.plan(&[503, 500, 429]);
    desk.queue((0..20).map(|n| row(900 + n % 3, n)).collect());
    let relay = start(&desk, client(gateway.addr()));
    until("all", || desk.pending() == 0);
    assert_eq!(relay.gate.state(), GatewayState::Ok);
    drop(relay);
    assert_eq!(gateway.accepted().len(), 20, "each once");
    assert_ordered(&gateway);
    for one in gateway.posted() {
        assert_eq!(one.key, format!("m0-mira-{}", one.text));
    }
    assert_eq!(desk.dead(), 0);
}

#[test]
fn gateway_that_comes_later_gets_everything_in_order() {
    let desk = Desk::new();
    // A port at which nobody listens, until somebody does.
    let addr = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("address");
    desk.queue((0..12).map(|n| row(900 + n % 4, n)).collect());
    let relay = start(&desk, client(addr));
    until("noticed", || relay.gate.state() == GatewayState::Away);
    assert_eq!(desk.pending(), 12);
    let gateway = FakeGateway::start(Some(addr), |_| 200);
    until("all", || desk.pending() == 0);
    drop(relay);
    assert_eq!(gateway.accepted().len(), 12);
    assert_ordered(&gateway);
}

#[test]
fn refused_head_is_put_aside_and_the_dialog_goes_on() {
    let desk = Desk::new();
    let gateway = FakeGateway::start(None, |one| if one.text == "1" { 422 } else { 200 });
    desk.queue(vec![row(900, 1), row(900, 2), row(900, 3)]);
    let relay = start(&desk, client(gateway.addr()));
    until("all", || desk.pending() == 0);
    assert_eq!(relay.gate.state(), GatewayState::Ok, "it answers");
    assert_eq!((desk.dead(), gateway.accepted()), (1, vec!["2".to_owned(), "3".to_owned()]));
}

#[test]
fn one_message_that_always_fails_holds_back_its_dialog_alone() {
    let desk = Desk::new();
    let gateway = FakeGateway::start(None, |one| if one.text == "1" { 500 } else { 200 });
    desk.queue(vec![row(900, 1), row(900, 2), row(901, 3), row(902, 4), row(903, 5)]);
    let relay = start(&desk, client(gateway.addr()));
    until("the others", || gateway.accepted().len() == 3);
    drop(relay);
    assert_eq!(desk.pending(), 2);
    assert!(!gateway.accepted().contains(&"2".to_owned()));
}

#[test]
fn a_message_is_not_tried_again_before_the_gateway_asked_for_it() {
    let desk = Desk::new();
    let gateway = FakeGateway::start(None, |one| if one.text == "1" { 500 } else { 200 });
    gateway.ask_to_wait(120);
    desk.queue(vec![row(900, 1), row(901, 2)]);
    let before = clock::now();
    let relay = start(&desk, client(gateway.addr()));
    // Others get through and open the gate, but this one was asked to wait.
    until("the other", || gateway.accepted() == ["2"] && desk.pending() == 1);
    until("tried", || gateway.posted().iter().any(|one| one.text == "1"));
    drop(relay);
    let rows = desk.store.outbox_after(RowId(0), 9).expect("reads");
    assert!(rows[0].due_at.since(before).as_secs() >= 120, "{:?}", rows[0]);
    // A restart keeps to it.
    let relay = start(&desk, client(gateway.addr()));
    desk.queue(vec![row(902, 3)]);
    relay.gate.kick();
    until("the next", || gateway.accepted() == ["2", "3"] && desk.pending() == 1);
    drop(relay);
    assert_eq!(gateway.posted().iter().filter(|one| one.text == "1").count(), 1);
}

/// The contract's table, as it comes out: what is refused for good is put aside with its code, and
/// everything else goes again under the same key until the gateway has it.
#[test]
fn every_answer_of_the_contract_does_what_the_contract_says() {
    let again = [408, 425, 429, 500, 502, 503, 504, 501, 401, 403];
    let refused = [400, 404, 413, 422];
    std::thread::scope(|scope| {
        for status in again.into_iter().chain(refused) {
            scope.spawn(move || {
                let (desk, gateway) = (Desk::new(), FakeGateway::willing());
                gateway.plan(&[status]);
                desk.queue(vec![row(900, 1), row(900, 2)]);
                let relay = start(&desk, client(gateway.addr()));
                until(&format!("an end after {status}"), || desk.pending() == 0);
                assert_eq!(relay.gate.state(), GatewayState::Ok, "{status}");
                drop(relay);
                let keys: Vec<String> = gateway.posted().into_iter().map(|one| one.key).collect();
                let first = desk.store.letter(RowId(1)).expect("reads").expect("there").listed;
                let dies = refused.contains(&status);
                let expected: &[&str] = if dies {
                    &["m0-mira-1", "m0-mira-2"]
                } else {
                    &["m0-mira-1", "m0-mira-1", "m0-mira-2"]
                };
                assert_eq!(keys, expected, "{status}");
                let state = if dies { State::Dead } else { State::Accepted };
                assert_eq!(first.state, state, "{status}");
                assert_eq!(first.failure, dies.then(|| format!("http_{status}")));
            });
        }
    });
}

#[test]
fn refused_secret_keeps_everything_and_recovers() {
    let (desk, gateway) = (Desk::new(), FakeGateway::willing());
    gateway.plan(&[401; limits::RELAY_THREADS]);
    desk.queue((0..10).map(|n| row(900 + n, n)).collect());
    let relay = start(&desk, client(gateway.addr()));
    until("refusal", || relay.gate.state() == GatewayState::RefusesSecret);
    assert_eq!((desk.pending(), desk.dead()), (10, 0));
    until("all", || desk.pending() == 0);
    assert_eq!(relay.gate.state(), GatewayState::Ok);
    assert_eq!(gateway.accepted().len(), 10);
}

#[test]
fn restart_goes_on_where_it_was() {
    let (desk, gateway) = (Desk::new(), FakeGateway::willing());
    desk.queue((0..200).map(|n| row(900 + n % 5, n)).collect());
    while desk.pending() > 0 {
        let before = desk.pending();
        let relay = start(&desk, client(gateway.addr()));
        until("some", || desk.pending() < before);
        drop(relay);
    }
    assert_eq!(gateway.posted().len(), 200, "a stop waits for its POST, so none goes twice");
    assert_ordered(&gateway);
}

#[test]
fn agent_states_are_told_and_find_the_gateway_without_a_message() {
    let desk = Desk::new();
    let addr = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("address");
    let relay = start(&desk, client(addr));
    let active = BindingStatus {
        agent: name("mira"),
        state: AgentState::Active,
        reason: String::new(),
        at: NOW,
    };
    relay.notes.send(active).expect("takes it");
    until("noticed", || relay.gate.state() == GatewayState::Away);
    let gateway = FakeGateway::start(Some(addr), |_| 501);
    until("told", || gateway.told() == 1);
    until("found", || relay.gate.state() == GatewayState::Ok);
}
