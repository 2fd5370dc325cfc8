//! The outbox as people see and steer it: lists, one message, another try, an end; the quarantine
//! beside it; and a disk that is full.

use super::Dir;
use super::NOW;
use super::inbound;
use super::mira;
use crate::base::clock::UnixMs;
use crate::domain::ids::AgentName;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::inbound::State;
use crate::store::Error;
use crate::store::Store;
use crate::store::inbox::Filter;
use crate::store::inbox::Listed;
use crate::store::inbox::OutboxStanding;
use crate::store::outbox::Findings;
use crate::store::outbox::NewInbound;
use crate::store::outbox::Progress;

const ALL: Filter = Filter { state: None, agent: None, before: None, limit: 50 };

fn at(ms: i64) -> UnixMs {
    UnixMs(NOW.0 + ms)
}

/// A store with the agents `mira` and `olga`.
fn store_in(dir: &Dir) -> (Store, crate::store::StoreThread) {
    let (store, thread) = dir.open();
    for agent in [mira(), olga()] {
        store.create_agent(&agent, NOW).expect("creates");
    }
    (store, thread)
}

fn olga() -> AgentName {
    AgentName::parse("olga").expect("a name")
}

/// Queues messages as a page of events would; their rows are the newest.
fn queue(store: &Store, agent: &AgentName, messages: &[i64], cursor: i64) -> Result<(), Error> {
    let rows: Vec<NewInbound> = messages.iter().map(|id| inbound(*id)).collect();
    let findings = Findings { rows, ..Findings::default() };
    store.commit_inbound(agent, findings, Progress::Events(EventId(cursor)), NOW).map(drop)
}

/// A message in a state, by a lawful way.
fn in_state(store: &Store, message: i64, state: State) -> RowId {
    queue(store, &mira(), &[message], message).expect("commits");
    let row = store.letters(&Filter { limit: 1, ..ALL }).expect("reads")[0].row;
    match state {
        State::Pending => {}
        State::Accepted => {
            assert_eq!(store.letter_accepted(row, at(1)), Ok(Some(State::Pending)));
        }
        State::Dead => store.inbound_dead(row, "http_422", at(1)).expect("dies"),
        State::Dropped => assert_eq!(store.drop_letter(row, at(1)), Ok(State::Pending)),
        State::Withdrawn => {
            let withdrawn = vec![MessageId(message)];
            find(store, &mira(), Findings { withdrawn, ..Findings::default() });
        }
    }
    assert_eq!(listed(store, row).state, state);
    row
}

/// Commits what was found out about an agent's messages.
fn find(store: &Store, agent: &AgentName, findings: Findings) {
    store.commit_inbound(agent, findings, Progress::None, at(1)).expect("commits");
}

fn put_in_quarantine(store: &Store, agent: &AgentName, event: Option<i64>, raw: &str) {
    let unreadable = vec![(event.map(EventId), raw.to_owned())];
    find(store, agent, Findings { unreadable, ..Findings::default() });
}

fn listed(store: &Store, row: RowId) -> Listed {
    store.letter(row).expect("reads").expect("there").listed
}

fn rows(store: &Store, filter: &Filter) -> Vec<i64> {
    store.letters(filter).expect("reads").iter().map(|listed| listed.row.0).collect()
}

#[test]
fn lists_are_newest_first_and_narrowed_by_each_filter() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    for (number, state) in (1..).zip(State::ALL) {
        assert_eq!(in_state(&store, number, state).0, number);
    }
    queue(&store, &olga(), &[6], 6).expect("commits");
    assert_eq!(rows(&store, &ALL), [6, 5, 4, 3, 2, 1]);
    for (number, state) in (1..).zip(State::ALL) {
        let filter = Filter { state: Some(state), agent: Some(mira()), ..ALL };
        assert_eq!(rows(&store, &filter), [number], "{state:?}");
        let filter = Filter { agent: Some(olga()), ..filter };
        let expected: &[i64] = if state == State::Pending { &[6] } else { &[] };
        assert_eq!(rows(&store, &filter), expected, "{state:?}");
    }
    assert_eq!(rows(&store, &Filter { state: Some(State::Pending), ..ALL }), [6, 1]);
    assert_eq!(rows(&store, &Filter { agent: Some(olga()), ..ALL }), [6]);
    let page = Filter { before: Some(RowId(6)), limit: 2, ..ALL };
    assert_eq!(rows(&store, &page), [5, 4]);
    let dead = listed(&store, RowId(3));
    assert_eq!((dead.message, dead.attempts), (MessageId(3), 1));
    assert_eq!((dead.queued_at, dead.finished_at), (NOW, Some(at(1))));
    assert_eq!(dead.failure.as_deref(), Some("http_422"));
    let letter = store.letter(RowId(1)).expect("reads").expect("there");
    assert_eq!(letter.inbound, inbound(1));
    assert_eq!((letter.listed.failure, letter.listed.finished_at), (None, None));
    assert_eq!(store.letter(RowId(99)), Ok(None));
}

#[test]
fn what_was_refused_still_follows_its_author() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    let row = in_state(&store, 1, State::Dead);
    let mended = NewInbound { text: "mended".to_owned(), ..inbound(1) };
    let edits = Findings { edits: vec![mended], ..Findings::default() };
    let committed = store.commit_inbound(&mira(), edits, Progress::None, at(1)).expect("commits");
    assert_eq!((committed.edited, listed(&store, row).state), (1, State::Dead));
    store.retry_letter(row, at(2)).expect("is pending again");
    let again = store.outbox_row(row).expect("reads").expect("pending");
    assert_eq!(again.inbound.text, "mended");
    store.inbound_dead(row, "http_422", at(3)).expect("dies again");
    let withdrawn = vec![MessageId(1)];
    find(&store, &mira(), Findings { withdrawn, ..Findings::default() });
    assert_eq!(listed(&store, row).state, State::Withdrawn);
    assert_eq!(store.retry_letter(row, at(4)), Err(Error::WrongState));
}

#[test]
fn only_the_refused_is_tried_again_and_only_what_is_not_gone_is_dropped() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    for (number, state) in (1..).zip(State::ALL) {
        let row = in_state(&store, number, state);
        let retried = store.retry_letter(row, at(50));
        let before = listed(&store, row);
        if state == State::Dead {
            assert_eq!(retried, Ok(State::Dead));
            assert_eq!((before.state, before.attempts), (State::Pending, 1), "tries are kept");
            assert_eq!((before.due_at, before.finished_at, before.failure), (at(50), None, None));
        } else {
            assert_eq!((retried, before.state), (Err(Error::WrongState), state));
        }
        let row = in_state(&store, 100 + number, state);
        let dropped = store.drop_letter(row, at(60));
        let after = listed(&store, row);
        if matches!(state, State::Pending | State::Dead) {
            assert_eq!(dropped, Ok(state));
            assert_eq!((after.state, after.finished_at), (State::Dropped, Some(at(60))));
            assert_eq!(after.failure.is_some(), state == State::Dead, "what failed stays told");
            assert_eq!(store.outbox_row(row), Ok(None), "and it is not relayed");
        } else {
            assert_eq!((dropped, after.state), (Err(Error::WrongState), state));
        }
    }
    assert_eq!(store.retry_letter(RowId(999), NOW), Err(Error::WrongState));
    assert_eq!(store.drop_letter(RowId(999), NOW), Err(Error::WrongState));
}

#[test]
fn what_the_gateway_has_is_accepted_whatever_was_wanted_while_it_was_on_its_way() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    for (number, state) in (1..).zip([State::Dropped, State::Withdrawn]) {
        let row = in_state(&store, number, state);
        assert_eq!(store.letter_accepted(row, at(9)), Ok(Some(state)));
        let now = listed(&store, row);
        assert_eq!((now.state, now.attempts), (State::Accepted, 1));
        assert_eq!((now.finished_at, now.failure), (Some(at(9)), None));
        assert_eq!(store.letter_accepted(row, at(10)), Ok(None), "once");
        assert_eq!(listed(&store, row).attempts, 1);
        // A refusal or a failure changes nothing: it has its end.
        let row = in_state(&store, 10 + number, state);
        store.inbound_dead(row, "http_422", at(9)).expect("writes");
        store.inbound_retry(row, at(90), "http_503").expect("writes");
        let now = listed(&store, row);
        assert_eq!((now.state, now.attempts, now.failure), (state, 0, None));
    }
    assert_eq!(store.letter_accepted(RowId(999), NOW), Ok(None), "its agent may be gone");
}

#[test]
fn the_standing_counts_what_waits_and_what_a_person_has_to_look_at() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    assert_eq!(store.outbox_standing(), Ok(OutboxStanding::default()));
    queue(&store, &mira(), &[1, 2, 3], 3).expect("commits");
    store.inbound_dead(RowId(1), "http_400", NOW).expect("dies");
    put_in_quarantine(&store, &mira(), None, "{");
    let standing = store.outbox_standing().expect("counts");
    let expected =
        OutboxStanding { pending: 2, oldest_pending: Some(NOW), dead: 1, quarantined: 1 };
    assert_eq!(standing, expected);
}

#[test]
fn the_quarantine_is_listed_shown_and_forgotten() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    put_in_quarantine(&store, &mira(), Some(7), "{\"id\":7}");
    put_in_quarantine(&store, &olga(), None, "[");
    put_in_quarantine(&store, &mira(), None, "]");
    let ids = |filter: &Filter| -> Vec<i64> {
        let found = store.quarantine(filter).expect("reads");
        found.iter().map(|unread| unread.row.0).collect()
    };
    assert_eq!(ids(&ALL), [3, 2, 1]);
    assert_eq!(ids(&Filter { agent: Some(mira()), ..ALL }), [3, 1]);
    assert_eq!(ids(&Filter { before: Some(RowId(3)), limit: 1, ..ALL }), [2]);
    let (unread, raw) = store.quarantined(RowId(1)).expect("reads").expect("there");
    assert_eq!((unread.agent, unread.event, unread.queued_at), (mira(), Some(EventId(7)), at(1)));
    assert_eq!(raw, "{\"id\":7}");
    assert_eq!(store.forget_quarantined(RowId(1)), Ok(true));
    assert_eq!(store.forget_quarantined(RowId(1)), Ok(false));
    assert_eq!(store.quarantined(RowId(1)), Ok(None));
    assert_eq!(ids(&ALL), [3, 2]);
}

#[test]
fn a_full_disk_commits_no_page_and_moves_no_cursor_until_there_is_room() {
    let dir = Dir::new();
    let (store, _thread) = store_in(&dir);
    queue(&store, &mira(), &[1], 10).expect("commits");
    let room = |pages: Option<u32>| {
        let limited = store.write(move |connection| {
            let now: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            Ok(connection.pragma_update(None, "max_page_count", pages.unwrap_or(now + 1))?)
        });
        limited.expect("limits the file");
    };
    let large: Vec<NewInbound> =
        (2..50).map(|id| NewInbound { text: "x".repeat(20_000), ..inbound(id) }).collect();
    let findings = Findings { rows: large, ..Findings::default() };
    let to = Progress::Events(EventId(50));
    let commit = || store.commit_inbound(&mira(), findings.clone(), to, at(5)).map(drop);
    let cursor = || store.agent(&mira()).expect("reads").expect("there").cursor;
    room(None);
    for _ in 0..3 {
        assert_eq!(commit(), Err(Error::Full));
        assert_eq!((cursor(), rows(&store, &ALL)), (EventId(10), vec![1]), "all or nothing");
    }
    // What is there can still be relayed meanwhile.
    assert_eq!(store.letter_accepted(RowId(1), at(6)), Ok(Some(State::Pending)));
    room(Some(100_000));
    commit().expect("goes on");
    assert_eq!((cursor(), store.outbox_standing().expect("counts").pending), (EventId(50), 48));
}
