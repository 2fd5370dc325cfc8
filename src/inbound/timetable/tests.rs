//! The timetable by its outcomes: who is next and when, after which turn.

use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::AgentName;
use crate::domain::ids::UserId;
use crate::inbound::timetable::Due;
use crate::inbound::timetable::Next;
use crate::inbound::timetable::Timetable;
use crate::inbound::timetable::Turn;
use crate::limits;

/// The timetable against a portal that takes so many calls a second, in virtual time.
mod supply;

const ACTIVE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(10);
const QUIET: Turn = Turn { talk: false, more: false };
const TALK: Turn = Turn { talk: true, more: false };
const MORE: Turn = Turn { talk: false, more: true };

fn name(text: &str) -> AgentName {
    AgentName::parse(text).expect("a name")
}

fn agents(names: &[&str]) -> Vec<(AgentName, UserId)> {
    (1..).zip(names).map(|(id, text)| (name(text), UserId(id))).collect()
}

fn table(names: &[&str], now: Instant) -> Timetable {
    let mut table = Timetable::new(ACTIVE, IDLE);
    table.set_agents(&agents(names), now);
    table
}

fn take(table: &mut Timetable, now: Instant) -> Due {
    match table.take(now) {
        Next::Due(due) => due,
        Next::Wait(wait) => panic!("nobody for {wait:?}"),
    }
}

fn wait(table: &mut Timetable, now: Instant) -> Duration {
    match table.take(now) {
        Next::Due(due) => panic!("{due:?}"),
        Next::Wait(wait) => wait,
    }
}

#[test]
fn new_agents_are_due_at_once_and_subscribe_first() {
    let now = Instant::now();
    let mut table = table(&["mira"], now);
    let mira = name("mira");
    let due = take(&mut table, now);
    assert_eq!(due, Due { agent: mira.clone(), user: UserId(1), subscribe: true });
    table.subscribed(&mira, UserId(1), now);
    table.done(&mira, QUIET, now);
    assert_eq!(wait(&mut table, now), IDLE);
    assert!(!take(&mut table, now + IDLE).subscribe);
    table.done(&mira, QUIET, now);
    let later = now + limits::EVENT_SUBSCRIBE_EVERY;
    assert!(take(&mut table, later).subscribe, "a lost subscription heals by itself");
}

#[test]
fn agents_that_stay_keep_their_place_and_others_start_anew() {
    let now = Instant::now();
    let mut table = table(&["mira"], now);
    let mira = name("mira");
    let settle = |table: &mut Timetable, user| {
        assert!(take(table, now).subscribe);
        table.subscribed(&mira, UserId(user), now);
        table.done(&mira, QUIET, now);
    };
    settle(&mut table, 1);
    table.set_agents(&agents(&["mira", "olaf"]), now);
    assert_eq!(take(&mut table, now).agent, name("olaf"));
    table.done(&name("olaf"), QUIET, now);
    assert_eq!(wait(&mut table, now), IDLE, "mira kept her place");
    table.set_agents(&[(mira.clone(), UserId(7))], now);
    settle(&mut table, 7);
    table.set_agents(&[], now);
    assert_eq!(wait(&mut table, now), limits::POLL_LOOK_EVERY);
    table.set_agents(&[(mira.clone(), UserId(7))], now);
    settle(&mut table, 7);
}

#[test]
fn an_agent_has_one_turn_at_a_time_even_when_its_account_changes() {
    let now = Instant::now();
    let mut table = table(&["mira"], now);
    let mira = name("mira");
    take(&mut table, now);
    assert_eq!(wait(&mut table, now), ACTIVE, "running, so the others look again soon");
    table.set_agents(&[], now);
    table.set_agents(&[(mira.clone(), UserId(7))], now);
    assert_eq!(wait(&mut table, now), ACTIVE, "the old turn still runs");
    table.subscribed(&mira, UserId(1), now);
    table.done(&mira, MORE, now);
    let due = take(&mut table, now);
    assert_eq!((due.user, due.subscribe), (UserId(7), true), "not subscribed by the old account");
}

#[test]
fn conversation_is_polled_often_and_ends() {
    let now = Instant::now();
    let mut table = table(&["mira"], now);
    let mira = name("mira");
    table.done(&mira, QUIET, now);
    assert_eq!(wait(&mut table, now), IDLE);
    table.done(&mira, TALK, now);
    assert_eq!(wait(&mut table, now), ACTIVE);
    table.done(&mira, QUIET, now);
    assert_eq!(wait(&mut table, now), ACTIVE);
    let later = now + limits::CONVERSATION_LASTS * 10;
    table.done(&mira, QUIET, later);
    assert_eq!(wait(&mut table, later), IDLE);
    table.nudge(&mira, later);
    assert_eq!(wait(&mut table, later), ACTIVE, "nudges make it no more eager than a conversation");
    take(&mut table, later + ACTIVE);
    table.done(&mira, QUIET, later + ACTIVE);
    assert_eq!(wait(&mut table, later + ACTIVE), ACTIVE);
    table.nudge(&mira, later + IDLE);
    take(&mut table, later + IDLE);
}

#[test]
fn the_interval_grows_with_the_silence_from_active_to_idle() {
    let start = Instant::now();
    let mut table = table(&["mira"], start);
    let mira = name("mira");
    table.done(&mira, TALK, start);
    let mut intervals = Vec::new();
    for second in 0..3600 {
        let now = start + Duration::from_secs(second);
        table.done(&mira, QUIET, now);
        intervals.push(wait(&mut table, now));
    }
    assert!(intervals.is_sorted());
    // Minutes of silence, and the interval.
    for (minutes, seconds) in [(0, 1), (3, 1), (6, 2), (15, 5), (30, 10), (59, 10)] {
        assert_eq!(intervals[minutes * 60], Duration::from_secs(seconds), "{minutes}");
    }
    table.done(&mira, TALK, start + Duration::from_secs(3600));
    assert_eq!(wait(&mut table, start + Duration::from_secs(3600)), ACTIVE);

    let mut strange = Timetable::new(IDLE, ACTIVE);
    strange.set_agents(&agents(&["mira"]), start);
    strange.done(&mira, QUIET, start);
    assert_eq!(wait(&mut strange, start), IDLE, "idle is never more often than active");
}

#[test]
fn more_pages_wait_for_those_who_are_due() {
    let now = Instant::now();
    let mut table = table(&["a", "b", "c"], now - Duration::from_millis(5));
    let mut turns = Vec::new();
    for _ in 0..6 {
        let due = take(&mut table, now);
        let turn = if due.agent == name("a") { MORE } else { QUIET };
        table.done(&due.agent, turn, now);
        turns.push(due.agent.as_str().to_owned());
    }
    assert_eq!(turns, ["a", "b", "c", "a", "a", "a"]);
}

#[test]
fn failures_of_one_agent_delay_that_agent_alone() {
    let now = Instant::now();
    let mut table = table(&["mira", "olaf"], now);
    let (mira, olaf) = (name("mira"), name("olaf"));
    for streak in 1..12 {
        assert_eq!(table.failed(&mira, None, now, 0), streak);
        assert_eq!(take(&mut table, now).agent, olaf, "not held back");
        table.done(&olaf, MORE, now);
    }
    table.set_agents(&agents(&["mira"]), now);
    assert_eq!(wait(&mut table, now), limits::POLL_RETRY_MAX);
    table.nudge(&mira, now);
    assert_eq!(wait(&mut table, now), limits::POLL_RETRY_MAX, "a nudge mends no portal");
    let asked = limits::POLL_RETRY_MAX * 3;
    table.failed(&mira, Some(asked), now, 0);
    assert_eq!(wait(&mut table, now + asked - ACTIVE), ACTIVE, "the portal asked for it");
    table.done(&mira, QUIET, now);
    let mut delays = Vec::new();
    for _ in 0..3 {
        table.failed(&mira, None, now, 0);
        delays.push(wait(&mut table, now));
    }
    assert!(delays.is_sorted() && delays[0] >= ACTIVE && delays[2] < limits::POLL_RETRY_MAX);
}

#[test]
fn waiting_for_the_limiter_is_no_failure() {
    let start = Instant::now();
    let mut table = table(&["a"], start);
    let mut now = start;
    for _ in 0..20 {
        let due = take(&mut table, now);
        table.put_off(&due.agent, None, now);
        assert_eq!(table.take(now), Next::Wait(ACTIVE), "not longer from time to time");
        now += ACTIVE;
    }
    let due = take(&mut table, now);
    table.put_off(&due.agent, Some(Duration::from_secs(30)), now);
    assert_eq!(table.take(now), Next::Wait(Duration::from_secs(30)));
}
