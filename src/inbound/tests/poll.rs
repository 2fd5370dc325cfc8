//! The polling threads against an event log that deletes what lies before the offset, and the whole
//! flow from there to a gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::agents::registry::Registry;
use crate::base::threads::Exits;
use crate::domain::agent::AgentState;
use crate::domain::filter::GroupPolicy;
use crate::domain::ids::RowId;
use crate::inbound::GatewayState;
use crate::inbound::Inbound;
use crate::inbound::InboundOptions;
use crate::inbound::InboundParts;
use crate::inbound::SenderPrefix;
use crate::inbound::tests::event_log::EventLog;
use crate::inbound::tests::event_log::Wrong;
use crate::inbound::tests::support::Desk;
use crate::inbound::tests::support::FakeGateway;
use crate::inbound::tests::support::client;
use crate::inbound::tests::support::name;
use crate::inbound::tests::support::until;
use crate::limits;

const MIRA: i64 = 57;
const OLGA: i64 = 58;

fn start(desk: &Desk, registry: &Arc<Registry>, gateway: SocketAddr) -> Inbound {
    start_reporting(desk, registry, gateway, Exits::new().0)
}

fn start_reporting(
    desk: &Desk,
    registry: &Arc<Registry>,
    gateway: SocketAddr,
    exits: Exits,
) -> Inbound {
    let pace = Duration::from_millis(10);
    let options = InboundOptions {
        poll_active: pace,
        poll_idle: pace,
        groups: GroupPolicy::Addressed,
        prefix: SenderPrefix::Group,
    };
    Inbound::start(InboundParts {
        store: desk.store.clone(),
        registry: Arc::clone(registry),
        gateway: client(gateway),
        options,
        exits,
    })
    .expect("starts")
}

/// A gateway that keeps everything waiting, so that the outbox shows what was taken.
fn closed_gateway() -> FakeGateway {
    FakeGateway::start(None, |_| 503)
}

fn queued(desk: &Desk) -> Vec<i64> {
    let rows = desk.store.outbox_after(RowId(0), 10_000).expect("reads");
    rows.iter().map(|row| row.inbound.message.0).collect()
}

#[test]
fn every_event_is_queued_once_though_answers_get_lost_and_the_process_restarts() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), closed_gateway());
    log.subscribe(MIRA);
    let mut expected = Vec::new();
    for round in 0..12 {
        for message in round * 5..round * 5 + 5 {
            log.write(MIRA, message + 1);
            expected.push(message + 1);
        }
        // Each round begins with a start, ends with a stop, and loses another answer in between.
        log.plan(&vec![Wrong::AnswerLost; round as usize % 3]);
        let before = log.calls(MIRA).len();
        let inbound = start(&desk, &desk.registry(log.addr()), gateway.addr());
        until("a few calls", || log.calls(MIRA).len() >= before + 2);
        drop(inbound);
    }
    let inbound = start(&desk, &desk.registry(log.addr()), gateway.addr());
    until("all", || queued(&desk).len() == expected.len() && log.stored() == 0);
    drop(inbound);
    assert_eq!(queued(&desk), expected, "once each and in order");
    assert_eq!(log.lost(), Vec::<i64>::new(), "cursor after commit");
}

#[test]
fn a_long_backlog_is_read_page_by_page() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), closed_gateway());
    log.subscribe(MIRA);
    log.write_garbage(MIRA);
    // Exactly full pages: the last one promises more and there is nothing.
    let count = i64::from(limits::EVENT_PAGE_MAX) * 6 - 1;
    (1..=count).for_each(|message| log.write(MIRA, message));
    let inbound = start(&desk, &desk.registry(log.addr()), gateway.addr());
    until("all", || queued(&desk).len() == count as usize && log.stored() == 0);
    drop(inbound);
    assert_eq!(log.lost(), Vec::<i64>::new());
    assert!(queued(&desk).is_sorted());
}

#[test]
fn an_agent_subscribes_before_it_asks() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), closed_gateway());
    let inbound = start(&desk, &desk.registry(log.addr()), gateway.addr());
    until("asked", || log.calls(MIRA).len() >= 3 && log.calls(OLGA).len() >= 3);
    drop(inbound);
    for reader in [MIRA, OLGA] {
        let calls = log.calls(reader);
        assert!(calls[0].ends_with("subscribe"));
        assert!(calls[1..].iter().all(|method| method.ends_with("get")));
    }
}

#[test]
fn an_agent_whose_calls_hang_or_fail_holds_back_nobody() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), closed_gateway());
    [MIRA, OLGA].into_iter().for_each(|reader| log.subscribe(reader));
    log.hang(MIRA);
    let inbound = start(&desk, &desk.registry(log.addr()), gateway.addr());
    until("mira hangs", || !log.calls(MIRA).is_empty());
    log.write(OLGA, 1);
    until("olga hears", || queued(&desk) == [1]);
    log.outlaw(Some((MIRA, 503, "INTERNAL_SERVER_ERROR")));
    log.free();
    log.write(OLGA, 2);
    until("olga hears", || queued(&desk) == [1, 2]);
    log.write(MIRA, 3);
    log.outlaw(None);
    until("mira recovers", || queued(&desk) == [1, 2, 3]);
    drop(inbound);
}

#[test]
fn a_portal_without_event_log_degrades_the_agent_until_it_has_one() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), closed_gateway());
    let registry = desk.registry(log.addr());
    let mira = || registry.agent(&name("mira")).expect("there");
    log.outlaw(Some((MIRA, 404, "ERROR_METHOD_NOT_FOUND")));
    let inbound = start(&desk, &registry, gateway.addr());
    until("degraded", || mira().state == AgentState::Degraded);
    assert!(mira().reason.contains("Event.subscribe"), "{}", mira().reason);
    assert_eq!(log.calls(MIRA).len(), 1, "not asked again for a day");
    log.outlaw(None);
    // A person updated the portal and does not want to wait.
    until("active", || {
        inbound.handle().nudge(&name("mira"));
        mira().state == AgentState::Active
    });
    log.write(MIRA, 1);
    until("hears", || queued(&desk) == [1]);
}

#[test]
fn a_revoked_agent_is_left_alone() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), closed_gateway());
    let registry = desk.registry(log.addr());
    log.outlaw(Some((MIRA, 401, "authorization_error")));
    let inbound = start(&desk, &registry, gateway.addr());
    let state = |agent: &str| registry.agent(&name(agent)).expect("there").state;
    until("revoked", || state("mira") == AgentState::Revoked);
    let calls = log.calls(MIRA).len();
    let before = log.calls(OLGA).len();
    until("others are asked on", || log.calls(OLGA).len() > before + 10);
    assert_eq!((log.calls(MIRA).len(), state("olga")), (calls, AgentState::Active));
    drop(inbound);
}

#[test]
fn messages_of_colleagues_reach_the_gateway_and_nothing_else_does() {
    let desk = Desk::new();
    let (log, gateway) = (EventLog::start(&desk.store), FakeGateway::willing());
    [MIRA, OLGA].into_iter().for_each(|reader| log.subscribe(reader));
    let registry = desk.registry(log.addr());
    let mut inbound = start(&desk, &registry, gateway.addr());
    for message in 1..=30 {
        log.write(if message % 2 == 0 { MIRA } else { OLGA }, message);
        log.write_as(MIRA, message + 100, MIRA, "mira herself");
        log.write_as(MIRA, message + 200, OLGA, "another agent");
        log.write_as(MIRA, message + 300, 13, "a bot");
        log.write_as(MIRA, message + 400, 0, "the portal");
    }
    until("all", || gateway.accepted().len() == 30 && log.stored() == 0);
    until("told of both agents", || gateway.told() == 2);
    assert_eq!(inbound.handle().gateway_state(), GatewayState::Ok);
    inbound.stop_polling();
    inbound.stop(Instant::now() + limits::STOP_GRACE);
    assert_eq!(gateway.posted().len(), 30, "none twice");
    for agent in ["mira", "olga"] {
        let external_id = format!("{agent}/12");
        let posted = gateway.posted().into_iter().filter(|one| one.external_id == external_id);
        let ids: Vec<i64> = posted
            .map(|one| one.text.trim_start_matches("text ").parse().expect("a number"))
            .collect();
        assert!(ids.len() == 15 && ids.is_sorted(), "{agent}: {ids:?}");
    }
}

#[test]
fn a_stop_cuts_a_call_that_hangs_and_keeps_its_message() {
    let desk = Desk::new();
    let log = EventLog::start(&desk.store);
    log.subscribe(MIRA);
    log.write(MIRA, 1);
    // Messages are not answered before the test is over; agent states are.
    let (over, wait) = crossbeam_channel::bounded::<()>(0);
    let gateway = FakeGateway::start(None, move |one| {
        let _ = wait.recv_timeout(Duration::from_secs(if one.text.is_empty() { 0 } else { 60 }));
        200
    });
    let (exits, ended) = Exits::new();
    let inbound = start_reporting(&desk, &desk.registry(log.addr()), gateway.addr(), exits);
    until("queued", || queued(&desk) == [1]);
    inbound.stop(Instant::now() + limits::STOP_CUT + limits::STOP_CUT);
    assert_eq!(ended.try_iter().count(), limits::POLL_THREADS + limits::RELAY_THREADS);
    assert_eq!(queued(&desk), [1]);
    drop(over);
}
