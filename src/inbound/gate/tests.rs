//! The gate as a state machine: time and verdicts go in.

use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::gateway::Pace;
use crate::gateway::Told;
use crate::gateway::Verdict;
use crate::inbound::gate::Gate;
use crate::inbound::gate::GatewayState;
use crate::limits;

fn gate(now: Instant) -> (Gate, Receiver<()>) {
    let (kick, kicked) = crossbeam_channel::bounded(1);
    (Gate::new(vec![kick], now), kicked)
}

fn away() -> Verdict {
    Verdict::Retry { pace: Pace::Growing, after: None, code: "http_503".into() }
}

fn refused_secret() -> Verdict {
    Verdict::SecretRefused { code: "http_401".into() }
}

#[test]
fn open_gate_passes_everybody() {
    let now = Instant::now();
    let (gate, kicked) = gate(now);
    assert_eq!(gate.state(), GatewayState::Untried);
    let (one, two) = (gate.enter(now).expect("open"), gate.enter(now).expect("open"));
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
    let pass = gate.enter(now).expect("open");
    gate.leave(pass, &away(), now, 0);
    assert_eq!(gate.state(), GatewayState::Away);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let wait = gate.enter(now).expect_err("closed");
        waits.push(wait.as_millis());
        now += wait;
        let probe = gate.enter(now).expect("due");
        assert!(gate.enter(now).is_err(), "one at a time");
        gate.leave(probe, &away(), now, 0);
        assert!(kicked.try_recv().is_ok(), "those who wait learn the next time");
    }
    assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
    now += limits::RELAY_RETRY_MAX;
    let probe = gate.enter(now).expect("due");
    gate.leave(probe, &Verdict::Accepted, now, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
    assert!(gate.enter(now).is_ok() && gate.enter(now).is_ok());
    assert!(kicked.try_recv().is_ok(), "those who wait may go");
}

#[test]
fn failures_of_one_moment_count_once() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let passes: Vec<_> = (0..4).map(|_| gate.enter(now).expect("open")).collect();
    for pass in passes {
        gate.leave(pass, &away(), now, 0);
    }
    assert_eq!(gate.enter(now).expect_err("closed"), limits::RELAY_RETRY_FIRST);
}

#[test]
fn late_success_opens_and_the_probe_still_counts() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let (slow, quick) = (gate.enter(now).expect("open"), gate.enter(now).expect("open"));
    gate.leave(quick, &away(), now, 0);
    let later = now + limits::RELAY_RETRY_FIRST;
    let probe = gate.enter(later).expect("due");
    gate.leave(slow, &Verdict::Accepted, later, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
    gate.leave(probe, &away(), later, 0);
    assert_eq!(gate.state(), GatewayState::Away);
    assert_eq!(gate.enter(later).expect_err("closed"), limits::RELAY_RETRY_FIRST, "a new streak");
}

#[test]
fn retry_after_and_slow_paces_are_honoured() {
    let now = Instant::now();
    let minute = Duration::from_secs(60);
    let table = [
        (Pace::Growing, Some(minute), minute),
        (Pace::Growing, Some(Duration::ZERO), limits::RELAY_RETRY_FIRST),
        (Pace::Slow, None, limits::RELAY_SLOW_FIRST),
        (Pace::Slow, Some(minute * 5), minute * 5),
    ];
    for (pace, after, expected) in table {
        let (gate, _kicked) = gate(now);
        let pass = gate.enter(now).expect("open");
        gate.leave(pass, &Verdict::Retry { pace, after, code: "http_501".into() }, now, 0);
        assert_eq!(gate.enter(now).expect_err("closed"), expected);
    }
}

#[test]
fn refused_secret_is_probed_slowly_and_recovers() {
    let now = Instant::now();
    let (gate, _kicked) = gate(now);
    let pass = gate.enter(now).expect("open");
    gate.leave(pass, &refused_secret(), now, 0);
    assert_eq!(gate.state(), GatewayState::RefusesSecret);
    let mut later = now;
    for _ in 0..10 {
        later += gate.enter(later).expect_err("closed");
        let probe = gate.enter(later).expect("due");
        gate.leave(probe, &refused_secret(), later, 0);
    }
    assert_eq!(gate.enter(later).expect_err("closed"), limits::RELAY_SLOW_MAX);
    later += limits::RELAY_SLOW_MAX;
    let probe = gate.enter(later).expect("due");
    gate.leave(probe, &Verdict::Accepted, later, 0);
    assert_eq!(gate.state(), GatewayState::Ok);
}

#[test]
fn unused_probe_lets_the_next_one_through() {
    let now = Instant::now();
    let (gate, kicked) = gate(now);
    let pass = gate.enter(now).expect("open");
    gate.leave(pass, &away(), now, 0);
    let later = now + limits::RELAY_RETRY_FIRST;
    let probe = gate.enter(later).expect("due");
    gate.unused(probe);
    assert!(kicked.try_recv().is_ok());
    assert!(gate.enter(later).is_ok());
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
            let pass = gate.enter(now).expect("open");
            gate.leave(pass, verdict, now, 0);
        }
        let later = now + limits::RELAY_SLOW_MAX;
        let pass = gate.enter(later).expect("due");
        gate.told(pass, told, later, 0);
        assert_eq!(gate.state(), expected, "{before:?} {told:?}");
        if before.is_none() && told == Told::SecretRefused {
            assert!(gate.enter(later).is_ok(), "the message endpoint decides");
        }
    }
}
