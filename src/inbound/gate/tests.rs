//! The gate as a state machine: time and verdicts go in.

use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::gateway::Told;
use crate::gateway::Trouble;
use crate::gateway::Verdict;
use crate::inbound::gate::Closed;
use crate::inbound::gate::Gate;
use crate::inbound::gate::GatewayState;
use crate::inbound::gate::Pass;
use crate::limits;

fn gate(now: Instant) -> (Gate, Receiver<()>) {
    let (kick, kicked) = crossbeam_channel::bounded(1);
    (Gate::new(vec![kick], now), kicked)
}

fn away() -> Verdict {
    Verdict::Retry { trouble: Trouble::Gateway, after: None, code: "http_503".into() }
}

fn its_own() -> Verdict {
    Verdict::Retry { trouble: Trouble::Message, after: None, code: "http_500".into() }
}

/// Asks for a message that was tried before.
fn enter(gate: &Gate, now: Instant) -> Result<Pass, Duration> {
    gate.enter(false, now).map_err(|closed| closed.wait)
}

fn refused_secret() -> Verdict {
    Verdict::SecretRefused { code: "http_401".into() }
}

#[test]
fn open_gate_passes_everybody() {
    let now = Instant::now();
    let (gate, kicked) = gate(now);
    assert_eq!(gate.state(), GatewayState::Untried);
    let (one, two) = (enter(&gate, now).expect("open"), enter(&gate, now).expect("open"));
    gate.leave(one, &Verdict::Accepted, now, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
    gate.leave(two, &Verdict::Refused { code: "http_422".into() }, now, 0);
    assert_eq!(gate.state(), GatewayState::Ok, "who refuses a message is there");
    assert!(kicked.is_empty(), "nobody waits for an open gate");
}

#[test]
fn closed_gate_lets_one_probe_through_at_growing_intervals() {
    let mut now = Instant::now();
    let (gate, kicked) = gate(now);
    let pass = enter(&gate, now).expect("open");
    gate.leave(pass, &away(), now, 0);
    assert_eq!(gate.state(), GatewayState::Away);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let wait = enter(&gate, now).expect_err("closed");
        waits.push(wait.as_millis());
        now += wait;
        let probe = enter(&gate, now).expect("due");
        assert!(enter(&gate, now).is_err(), "one at a time");
        gate.leave(probe, &away(), now, 0);
        assert!(kicked.try_recv().is_ok(), "those who wait learn the next time");
    }
    assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
    now += limits::RELAY_RETRY_MAX;
    let probe = enter(&gate, now).expect("due");
    gate.leave(probe, &Verdict::Accepted, now, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
    assert!(enter(&gate, now).is_ok() && enter(&gate, now).is_ok());
    assert!(kicked.try_recv().is_ok(), "those who wait may go");
}

#[test]
fn failures_of_one_moment_count_once() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let passes: Vec<_> = (0..4).map(|_| enter(&gate, now).expect("open")).collect();
    for pass in passes {
        gate.leave(pass, &away(), now, 0);
    }
    assert_eq!(enter(&gate, now).expect_err("closed"), limits::RELAY_RETRY_FIRST);
}

#[test]
fn late_success_opens_and_the_probe_still_counts() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let (slow, quick) = (enter(&gate, now).expect("open"), enter(&gate, now).expect("open"));
    gate.leave(quick, &away(), now, 0);
    let later = now + limits::RELAY_RETRY_FIRST;
    let probe = enter(&gate, later).expect("due");
    gate.leave(slow, &Verdict::Accepted, later, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
    gate.leave(probe, &away(), later, 0);
    assert_eq!(gate.state(), GatewayState::Away);
    assert_eq!(enter(&gate, later).expect_err("closed"), limits::RELAY_RETRY_FIRST, "a new streak");
}

#[test]
fn retry_after_and_slow_paces_are_honoured() {
    let now = Instant::now();
    let minute = Duration::from_secs(60);
    let table = [
        (Trouble::Gateway, Some(minute), minute),
        (Trouble::Gateway, Some(Duration::ZERO), limits::RELAY_RETRY_FIRST),
        (Trouble::Setup, None, limits::RELAY_SLOW_FIRST),
        (Trouble::Setup, Some(minute * 5), minute * 5),
    ];
    for (trouble, after, expected) in table {
        let (gate, _kicked) = gate(now);
        let pass = enter(&gate, now).expect("open");
        gate.leave(pass, &Verdict::Retry { trouble, after, code: "http_501".into() }, now, 0);
        assert_eq!(enter(&gate, now).expect_err("closed"), expected);
    }
}

#[test]
fn refused_secret_is_probed_slowly_and_recovers() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let pass = enter(&gate, now).expect("open");
    gate.leave(pass, &refused_secret(), now, 0);
    assert_eq!(gate.state(), GatewayState::RefusesSecret);
    let mut later = now;
    for _ in 0..10 {
        later += enter(&gate, later).expect_err("closed");
        let probe = enter(&gate, later).expect("due");
        gate.leave(probe, &refused_secret(), later, 0);
    }
    assert_eq!(enter(&gate, later).expect_err("closed"), limits::RELAY_SLOW_MAX);
    later += limits::RELAY_SLOW_MAX;
    let probe = enter(&gate, later).expect("due");
    gate.leave(probe, &Verdict::Accepted, later, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
}

#[test]
fn a_failure_that_may_be_the_messages_own_lets_untried_ones_pass() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let pass = enter(&gate, now).expect("open");
    gate.leave(pass, &its_own(), now, 0);
    let closed = gate.enter(false, now).expect_err("closed");
    assert_eq!(closed, Closed { wait: limits::RELAY_RETRY_FIRST, untried_pass: true });
    let first = gate.enter(true, now).expect("untried");
    let second = gate.enter(true, now).expect("untried");
    gate.leave(first, &its_own(), now, 0);
    assert_eq!(gate.enter(false, now), Err(closed), "it does not make the probes rarer");
    gate.leave(second, &Verdict::Accepted, now, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
}

#[test]
fn an_untried_message_that_finds_the_gateway_away_ends_the_exception() {
    let now = Instant::now();
    for (verdict, passes) in [(its_own(), true), (away(), false), (refused_secret(), false)] {
        let (gate, _kicked) = gate(now);
        let pass = enter(&gate, now).expect("open");
        gate.leave(pass, &its_own(), now, 0);
        let untried = gate.enter(true, now).expect("untried");
        gate.leave(untried, &verdict, now, 0);
        assert_eq!(gate.enter(true, now).is_ok(), passes, "{verdict:?}");
        let wait = enter(&gate, now).expect_err("closed");
        assert_eq!(wait, limits::RELAY_RETRY_FIRST);
    }
}

#[test]
fn status_endpoint_opens_but_hardly_closes() {
    use GatewayState as State;
    let now = Instant::now();
    let ok = || Verdict::Accepted;
    let table: [(Option<Verdict>, Told, State); 10] = [
        (None, Told::Answered, State::Ok),
        (None, Told::SecretRefused, State::RefusesSecret),
        (None, Told::Unanswered, State::Away),
        (Some(ok()), Told::Answered, State::Ok),
        (Some(ok()), Told::SecretRefused, State::Ok),
        (Some(ok()), Told::Unanswered, State::Away),
        (Some(away()), Told::Answered, State::Ok),
        (Some(away()), Told::SecretRefused, State::Away),
        (Some(refused_secret()), Told::Answered, State::RefusesSecret),
        (Some(refused_secret()), Told::SecretRefused, State::RefusesSecret),
    ];
    for (before, told, expected) in table {
        let (gate, _kicked) = gate(now);
        if let Some(verdict) = &before {
            let pass = enter(&gate, now).expect("open");
            gate.leave(pass, verdict, now, 0);
        }
        let later = now + limits::RELAY_SLOW_MAX;
        let pass = enter(&gate, later).expect("due");
        gate.told(pass, told, later, 0);
        assert_eq!(gate.state(), expected, "{before:?} {told:?}");
        // Where only the status endpoint refused, the message endpoint decides at once.
        let at_once = before.is_none() && told == Told::SecretRefused;
        let when = if at_once { later } else { later + limits::RELAY_SLOW_MAX };
        assert!(enter(&gate, when).is_ok(), "the probe came back");
    }
}

#[test]
fn whoever_is_steered_is_woken_and_knows_that_it_was_asked_for() {
    let (gate, kicked) = gate(Instant::now());
    assert_eq!(gate.steered(), 0);
    gate.kick();
    assert_eq!((gate.steered(), kicked.try_recv()), (0, Ok(())), "a kick alone changes nothing");
    gate.steer();
    gate.steer();
    assert_eq!((gate.steered(), kicked.try_recv()), (2, Ok(())));
}
