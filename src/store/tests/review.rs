//! The ledger as people see and steer it: lists, histories, another try, an end.

use super::Dir;
use super::NOW;
use super::accept;
use super::accept_unbounded;
use super::added;
use super::delivery;
use super::mira;
use crate::base::clock::UnixMs;
use crate::domain::delivery::Event;
use crate::domain::delivery::State;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::store::Error;
use crate::store::Store;
use crate::store::attempts::Setback;
use crate::store::ledger::Accepted;
use crate::store::ledger::NewDelivery;
use crate::store::review::Filter;
use crate::store::review::GivenUp;
use crate::store::review::Moved;

const ALL: Filter = Filter { state: None, agent: None, before: None, limit: 50 };

fn at(ms: i64) -> UnixMs {
    UnixMs(NOW.0 + ms)
}

/// A failed attempt at the first step, from one moment to another, and what it leads to.
fn fail(store: &Store, row: RowId, event: Event, effect: Effect, from: i64, to: i64) {
    let code = "cut".to_owned();
    let failure = Failure { class: Class::Transport, effect, code, method: "m", retry_after: None };
    store.begin_attempt(row, 0, at(from)).expect("begins");
    let setback = Setback {
        step: 0,
        event,
        due_at: at(to + 9),
        code: "unavailable".into(),
        message: "the portal did not answer".into(),
        failure: Some(failure),
    };
    store.set_back(row, setback, at(to)).expect("set back");
}

/// A delivery in a state, by a lawful way.
fn in_state(store: &Store, id: &str, state: State) -> RowId {
    let row = accept_unbounded(store, id);
    match state {
        State::Accepted => {}
        State::Attempting => store.begin_attempt(row, 0, NOW).expect("begins"),
        State::Waiting => fail(store, row, Event::Postpone, Effect::None, 0, 1),
        State::Unknown => fail(store, row, Event::Doubt, Effect::Unknown, 0, 1),
        State::Delivered => {
            store.begin_attempt(row, 0, NOW).expect("begins");
            store.step_done(row, 0, added(70 + row.0), None, NOW).expect("done");
        }
        State::Rejected => fail(store, row, Event::Reject, Effect::None, 0, 1),
        State::Dead => fail(store, row, Event::GiveUp, Effect::None, 0, 1),
        State::Parked => fail(store, row, Event::Park, Effect::Unknown, 0, 1),
        State::Cancelled => {
            store.cancel(row, "failed_precondition", |_, _| String::new(), NOW).expect("drops");
        }
    }
    assert_eq!(store.delivery(row).expect("reads").expect("there").state, state);
    row
}

fn listed(store: &Store, filter: &Filter) -> Vec<i64> {
    store.deliveries(filter).expect("reads").iter().map(|listed| listed.row.0).collect()
}

#[test]
fn lists_are_newest_first_and_narrowed_by_each_filter() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let other = AgentName::parse("other").expect("a name");
    for (number, state) in (1..).zip(State::ALL) {
        assert_eq!(in_state(&store, &format!("d-{number}"), state).0, number);
    }
    let others = NewDelivery { agent: other.clone(), ..delivery("d-10", 1) };
    assert!(matches!(store.accept(others, 100, NOW), Ok(Accepted::New(RowId(10)))));
    assert_eq!(listed(&store, &ALL), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    for (number, state) in (1..).zip(State::ALL) {
        let filter = Filter { state: Some(state), agent: Some(mira()), ..ALL };
        assert_eq!(listed(&store, &filter), [number], "{state:?}");
        let filter = Filter { agent: Some(other.clone()), ..filter };
        let expected: &[i64] = if state == State::Accepted { &[10] } else { &[] };
        assert_eq!(listed(&store, &filter), expected, "{state:?}");
    }
    let accepted = Filter { state: Some(State::Accepted), ..ALL };
    assert_eq!(listed(&store, &accepted), [10, 1]);
    assert_eq!(listed(&store, &Filter { agent: Some(other), ..ALL }), [10]);
    let page = Filter { before: Some(RowId(8)), limit: 3, ..ALL };
    assert_eq!(listed(&store, &page), [7, 6, 5]);
    let rejected = &store.deliveries(&Filter { limit: 1, before: Some(RowId(7)), ..ALL });
    let rejected = &rejected.as_ref().expect("reads")[0];
    assert_eq!((rejected.state, rejected.attempts), (State::Rejected, 1));
    assert_eq!(rejected.finished_at, Some(at(1)));
    let (code, message) = rejected.failure.as_ref().expect("told");
    assert_eq!((code.as_str(), message.as_str()), ("unavailable", "the portal did not answer"));
    assert_eq!(store.given_up(), Ok(GivenUp { dead: 1, parked: 1 }));
}

#[test]
fn only_what_was_given_up_is_tried_again_and_only_what_stands_still_is_dropped() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    for state in State::ALL {
        let row = in_state(&store, &format!("r-{state:?}"), state);
        let before = store.unfinished();
        let again = match state {
            State::Dead => Ok(Moved { from: state, to: State::Waiting }),
            State::Parked => Ok(Moved { from: state, to: State::Unknown }),
            _ => Err(Error::WrongState),
        };
        assert_eq!(store.retry(row, at(50)), again, "{state:?}");
        assert_eq!(store.unfinished(), before + usize::from(again.is_ok()));
        let found = store.delivery(row).expect("reads").expect("there");
        assert_eq!(found.retried_at, again.is_ok().then_some(at(50)), "{state:?}");
        if again.is_ok() {
            assert_eq!((found.due_at, found.finished_at), (at(50), None));
            assert_eq!(found.tried_since(), at(50));
        }
        let row = in_state(&store, &format!("c-{state:?}"), state);
        let before = store.unfinished();
        let dropped = match state {
            State::Attempting | State::Delivered | State::Rejected | State::Cancelled => {
                Err(Error::WrongState)
            }
            _ => Ok(Moved { from: state, to: State::Cancelled }),
        };
        let told = |from: State, failure: Option<&str>| format!("{from:?} {failure:?}");
        assert_eq!(store.cancel(row, "gone", told, at(60)), dropped, "{state:?}");
        let was_open = usize::from(dropped.is_ok() && !state.is_end());
        assert_eq!(store.unfinished(), before - was_open, "{state:?}");
        if dropped.is_ok() {
            let found = store.delivery(row).expect("reads").expect("there");
            let (code, message) = found.failure.expect("told");
            assert_eq!((code.as_str(), found.finished_at), ("gone", Some(at(60))));
            assert!(message.starts_with(&format!("{state:?} ")), "{message}");
        }
    }
    let recounted = store.read(crate::store::ledger::count_unfinished).expect("counts");
    assert_eq!(usize::try_from(recounted), Ok(store.unfinished()));
    assert_eq!(store.retry(RowId(999), NOW), Err(Error::WrongState));
}

#[test]
fn another_try_begins_anew_and_forgets_no_doubt() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let row = accept(&store, "d-1", 1);
    fail(&store, row, Event::Doubt, Effect::Unknown, 10, 20);
    fail(&store, row, Event::Park, Effect::Unknown, 30, 40);
    assert_eq!(store.tries(row, 0).expect("reads").failed, 2);
    store.retry(row, at(100)).expect("retries");
    let tries = store.tries(row, 0).expect("reads");
    assert_eq!(tries.failed, 0, "its delays begin anew");
    assert_eq!((tries.doubt_since, tries.doubt_last), (Some(at(10)), Some(at(40))));
    fail(&store, row, Event::Doubt, Effect::Unknown, 110, 120);
    assert_eq!(store.tries(row, 0).expect("reads").failed, 1);
    let waiting = store.unfinished_after(RowId(0), 10).expect("reads");
    assert_eq!((waiting[0].row, waiting[0].due_at), (row, at(129)));
}

#[test]
fn the_history_has_the_newest_attempts_in_order() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let row = accept(&store, "d-1", 2);
    fail(&store, row, Event::Postpone, Effect::None, 0, 5);
    store.begin_attempt(row, 0, at(10)).expect("begins");
    store.step_done(row, 0, added(70), Some(1), at(15)).expect("done");
    let history = store.attempts_of(row, 10).expect("reads");
    let told: Vec<_> = history
        .iter()
        .map(|attempt| (attempt.step, attempt.started_at, attempt.ended_at, &attempt.effect))
        .collect();
    let effect = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            (0, at(0), Some(at(5)), &effect("none")),
            (0, at(10), Some(at(15)), &effect("done")),
            (1, at(15), None, &None),
        ]
    );
    assert_eq!(history[0].class.as_deref(), Some("transport"));
    assert_eq!((history[0].code.as_deref(), history[1].class.as_deref()), (Some("cut"), None));
    assert_eq!(store.attempts_of(row, 2).expect("reads"), history[1..]);
    assert_eq!(store.delivery(row).expect("reads").expect("there").messages(), [MessageId(70)]);
}
