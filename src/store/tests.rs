//! Tests of the store on real files: each question, group commit, restarts after a crash, and
//! every way the file can be refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::DATABASE_FILE;
use super::Error;
use super::Store;
use super::StoreThread;
use super::agents::SealedIdentity;
use super::attempts::Done;
use super::attempts::Setback;
use super::ledger::Accepted;
use super::ledger::NewDelivery;
use super::ledger::Plan;
use super::ledger::Target;
use super::ledger::wanted_files_sql;
use super::outbox::Findings;
use super::outbox::NewInbound;
use super::outbox::Progress;
use super::review::GivenUp;
use crate::base::clock::UnixMs;
use crate::base::threads::Exits;
use crate::domain::agent::AgentState;
use crate::domain::delivery::Event;
use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MemberId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::domain::step::Draft;
use crate::domain::step::StepKind;
use crate::limits;

mod inbox;
mod prune;
mod review;

const NOW: UnixMs = UnixMs(1_777_882_807_000);

struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("store-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Dir(dir)
    }

    fn open(&self) -> (Store, StoreThread) {
        open(&self.0).expect("opens")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(dir: &Path) -> Result<(Store, StoreThread), Error> {
    Store::open(dir, &Exits::new().0)
}

fn mira() -> AgentName {
    AgentName::parse("mira").expect("a name")
}

fn identity(user: i64) -> SealedIdentity {
    SealedIdentity {
        user: UserId(user),
        user_name: "Mira Holt".into(),
        member: MemberId("0f1e".into()),
        client_endpoint: "https://acme.bitrix24.com/rest/".into(),
        oauth_host: "oauth.bitrix.info".into(),
        webhook: false,
        access: vec![1],
        refresh: vec![2],
        previous_refresh: Some(vec![3]),
        expires_at: NOW,
        refreshed_at: NOW,
    }
}

fn inbound(message: i64) -> NewInbound {
    NewInbound {
        chat: ChatId(904),
        dialog: DialogId::parse("chat904").expect("a dialog"),
        message: MessageId(message),
        text: "hello".into(),
        sender: UserId(12),
        sender_name: "Olaf Brandt".into(),
        mentioned: true,
        reply_to: Some(MessageId(7)),
        sent_at: Some(NOW),
    }
}

fn draft(kind: StepKind, text: &str, uuid: &str, message: Option<i64>) -> Draft {
    let message = message.map(MessageId);
    Draft { kind, text: text.to_owned(), uuid: uuid.to_owned(), message }
}

fn delivery(id: &str, parts: usize) -> NewDelivery {
    let steps = (0..parts)
        .map(|n| draft(StepKind::Add, &format!("part {n}"), &format!("u{n}"), None))
        .collect();
    NewDelivery {
        id: DeliveryId::parse(id).expect("an id"),
        agent: mira(),
        dialog: DialogId::parse("12").expect("a dialog"),
        operation: Operation::Send,
        content: [7; 32],
        reply_to: None,
        plan: Plan::Ready(steps),
        target: Target::default(),
        reaction: None,
        files: Vec::new(),
        warnings: vec!["one".into(), "two".into()],
        notice: false,
    }
}

fn added(message: i64) -> Done {
    Done { message: Some(MessageId(message)), disk: None }
}

fn accept(store: &Store, id: &str, parts: usize) -> RowId {
    match store.accept(delivery(id, parts), 100, NOW).expect("accepts") {
        Accepted::New(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn agents_keep_state_cursor_and_identity() {
    let dir = Dir::new();
    let (store, thread) = dir.open();
    assert!(store.create_agent(&mira(), NOW).expect("creates"));
    assert!(!store.create_agent(&mira(), NOW).expect("exists"));
    let findings = Findings { rows: vec![inbound(1)], ..Findings::default() };
    let at = Progress::Events(EventId(50));
    store.commit_inbound(&mira(), findings, at, NOW).expect("commits");
    store.put_identity(&mira(), identity(57), NOW).expect("stores");
    store.set_agent_state(&mira(), AgentState::Active, "", NOW).expect("sets");
    store.drop_previous_refresh(&mira()).expect("drops");
    thread.stop();
    let (store, _thread) = dir.open();
    let agent = store.agent(&mira()).expect("reads").expect("is there");
    assert_eq!(agent.cursor, EventId(50), "a new identity keeps the cursor");
    assert_eq!(agent.state, AgentState::Active);
    let expected = SealedIdentity { previous_refresh: None, ..identity(57) };
    assert_eq!(agent.identity, Some(expected));
    assert_eq!(store.agents().expect("reads").len(), 1);
}

#[test]
fn one_account_is_one_agent() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let other = AgentName::parse("other").expect("a name");
    for name in [&mira(), &other] {
        store.create_agent(name, NOW).expect("creates");
    }
    store.put_identity(&mira(), identity(57), NOW).expect("first");
    assert_eq!(store.put_identity(&other, identity(57), NOW), Err(Error::Conflict));
    store.put_identity(&other, identity(58), NOW).expect("another account");
}

#[test]
fn tickets_and_states_are_used_once_and_end() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    store.create_agent(&mira(), NOW).expect("creates");
    let (ticket, state) = ([1; 32], [2; 32]);
    let end = UnixMs(NOW.0 + 1000);
    store.put_ticket(ticket, &mira(), end, NOW).expect("ticket");
    assert_eq!(store.ticket(ticket, NOW).expect("reads"), Some(mira()));
    assert_eq!(store.ticket(ticket, end).expect("reads"), None, "over");
    store.put_state(state, ticket, end).expect("state");
    assert_eq!(store.take_state([9; 32], NOW).expect("unknown"), None);
    assert_eq!(store.take_state(state, NOW).expect("first"), Some((ticket, mira())));
    assert_eq!(store.take_state(state, NOW).expect("second"), None);
    store.put_state(state, ticket, end).expect("another");
    assert_eq!(store.put_consent(Some(ticket), &mira(), identity(57), NOW), Ok(true));
    let agent = store.agent(&mira()).expect("reads").expect("is there");
    assert_eq!((agent.state, agent.identity), (AgentState::Active, Some(identity(57))));
    assert_eq!(store.put_consent(Some(ticket), &mira(), identity(58), NOW), Ok(false), "used");
    let agent = store.agent(&mira()).expect("reads").expect("is there");
    assert_eq!(agent.identity, Some(identity(57)));
    assert_eq!(store.ticket(ticket, NOW).expect("reads"), None);
    assert_eq!(store.take_state(state, NOW).expect("of a used ticket"), None);
    assert_eq!(store.put_state([3; 32], [8; 32], end), Err(Error::Conflict));
}

#[test]
fn a_consent_that_cannot_be_stored_leaves_the_ticket_unused() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let other = AgentName::parse("other").expect("a name");
    for name in [&mira(), &other] {
        store.create_agent(name, NOW).expect("creates");
    }
    store.put_identity(&mira(), identity(57), NOW).expect("first");
    store.put_ticket([1; 32], &other, UnixMs(NOW.0 + 1000), NOW).expect("ticket");
    let refused = store.put_consent(Some([1; 32]), &other, identity(57), NOW);
    assert_eq!(refused, Err(Error::Conflict));
    assert_eq!(store.ticket([1; 32], NOW).expect("reads"), Some(other.clone()));
    let agent = store.agent(&other).expect("reads").expect("is there");
    assert_eq!((agent.state, agent.identity), (AgentState::Created, None));
}

#[test]
fn one_ticket_has_so_many_states_and_the_newest_is_among_them() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    store.create_agent(&mira(), NOW).expect("creates");
    let end = UnixMs(NOW.0 + 1000);
    store.put_ticket([0; 32], &mira(), end, NOW).expect("ticket");
    let most = u8::try_from(limits::CONSENT_STATES_MAX).expect("few");
    for n in 1..=most + 5 {
        store.put_state([n; 32], [0; 32], end).expect("state");
    }
    let newest = store.take_state([most + 5; 32], NOW).expect("reads");
    assert_eq!(newest, Some(([0; 32], mira())));
    let kept = (1..most + 5).filter(|n| store.take_state([*n; 32], NOW).expect("reads").is_some());
    assert_eq!(kept.count(), usize::from(most) - 1);
}

#[test]
fn cursor_and_messages_change_together_and_known_messages_are_passed_over() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    store.create_agent(&mira(), NOW).expect("creates");
    let rows = vec![inbound(1), inbound(2), inbound(1)];
    let commit = |agent: &AgentName, rows: Vec<NewInbound>, cursor: i64| {
        let findings = Findings { rows, ..Findings::default() };
        let committed =
            store.commit_inbound(agent, findings, Progress::Events(EventId(cursor)), NOW);
        committed.map(|committed| committed.queued)
    };
    assert_eq!(commit(&mira(), rows, 10), Ok(vec![MessageId(1), MessageId(2)]));
    assert_eq!(commit(&mira(), vec![inbound(2)], 11), Ok(Vec::new()));
    let nobody = AgentName::parse("nobody").expect("a name");
    let refused = commit(&nobody, vec![inbound(3)], 12);
    assert_eq!(refused, Err(Error::Conflict), "no agent, no row");
    let rows = store.outbox_after(RowId(0), 10).expect("reads");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].inbound, inbound(1));
    store.inbound_retry(rows[0].row, UnixMs(NOW.0 + 5), "503").expect("retry");
    store.inbound_dead(rows[1].row, "422", NOW).expect("dead");
    let first = store.outbox_row(rows[0].row).expect("reads").expect("pending");
    assert_eq!((first.attempts, first.due_at), (1, UnixMs(NOW.0 + 5)));
    assert_eq!(store.outbox_row(rows[1].row).expect("reads"), None);
    let counts = store.outbox_counts().expect("counts");
    assert_eq!((counts.pending, counts.dead), (1, 1));
    store.letter_accepted(rows[0].row, NOW).expect("accepted");
    assert_eq!(store.outbox_counts().expect("counts").pending, 0);
}

#[test]
fn a_delivery_goes_through_its_steps() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let row = accept(&store, "d-1", 2);
    assert_eq!(store.unfinished(), 1);
    assert_eq!(store.begin_attempt(row, 0, NOW), Ok(()));
    assert_eq!(store.begin_attempt(row, 0, NOW), Err(Error::WrongState), "one at a time");
    store.step_done(row, 0, added(70), Some(1), NOW).expect("first step");
    assert_eq!(store.delivery(row).expect("reads").expect("there").next_step(), Some(1));
    store.step_done(row, 1, added(71), None, NOW).expect("last step");
    let found = store.delivery(row).expect("reads").expect("there");
    assert_eq!((found.state, found.attempts, found.next_step()), (State::Delivered, 2, None));
    assert_eq!(found.messages(), [MessageId(70), MessageId(71)]);
    assert_eq!(found.warnings, ["one", "two"]);
    assert_eq!(store.unfinished(), 0);
    let other = AgentName::parse("other").expect("a name");
    assert_eq!(store.uuid_of_own(&mira(), MessageId(71)), Ok(Some("u1".to_owned())));
    assert_eq!(store.uuid_of_own(&mira(), MessageId(72)), Ok(None));
    assert_eq!(store.uuid_of_own(&other, MessageId(71)), Ok(None), "sent for somebody else");
    assert!(store.unfinished_after(RowId(0), 10).expect("reads").is_empty());
}

#[test]
fn the_same_id_is_a_replay_or_a_conflict() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let row = accept(&store, "d-1", 1);
    let again = store.accept(delivery("d-1", 1), 100, NOW).expect("known");
    assert!(matches!(again, Accepted::Same(known) if known.row == row && known.steps.len() == 1));
    let other = NewDelivery { content: [8; 32], ..delivery("d-1", 1) };
    assert!(matches!(store.accept(other, 100, NOW).expect("known"), Accepted::Conflict));
    assert!(matches!(store.accept(delivery("d-2", 1), 1, NOW).expect("full"), Accepted::Full));
    let replay = store.accept(delivery("d-1", 1), 1, NOW).expect("a replay is never too much");
    assert!(matches!(replay, Accepted::Same(_)));
}

#[test]
fn a_setback_waits_or_ends() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let row = accept(&store, "d-1", 1);
    let setback = |event| Setback {
        step: 0,
        event,
        due_at: UnixMs(NOW.0 + 9),
        code: "unavailable".into(),
        message: "the portal did not answer".into(),
        failure: None,
    };
    store.begin_attempt(row, 0, NOW).expect("begins");
    assert_eq!(store.set_back(row, setback(Event::Doubt), NOW), Ok(State::Unknown));
    let waiting = store.unfinished_after(RowId(0), 10).expect("reads");
    assert_eq!(waiting[0].due_at, UnixMs(NOW.0 + 9));
    store.begin_attempt(row, 0, NOW).expect("again");
    assert_eq!(store.set_back(row, setback(Event::Reject), NOW), Ok(State::Rejected));
    assert_eq!(store.set_back(row, setback(Event::Reject), NOW), Err(Error::WrongState));
    let found = store.delivery(row).expect("reads").expect("there");
    assert_eq!(found.failure.map(|(code, _)| code).as_deref(), Some("unavailable"));
    assert_eq!((store.unfinished(), store.given_up()), (0, Ok(GivenUp::default())));
}

#[test]
fn an_attempt_without_a_turn_or_an_end_is_no_failed_try() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let row = accept(&store, "d-1", 1);
    let classes = [Class::RateLimited, Class::MethodParked, Class::RateLimited, Class::Transport];
    for (class, failed) in classes.into_iter().zip([0, 0, 0, 1]) {
        store.begin_attempt(row, 0, NOW).expect("begins");
        let failure = Failure {
            class,
            effect: Effect::None,
            code: "x".into(),
            method: "m",
            retry_after: None,
        };
        let setback = Setback {
            step: 0,
            event: Event::Postpone,
            due_at: NOW,
            code: "resource_exhausted".into(),
            message: "the portal asks to wait".into(),
            failure: Some(failure),
        };
        store.set_back(row, setback, NOW).expect("waits");
        assert_eq!(store.tries(row, 0).expect("reads").failed, failed, "{class:?}");
    }
    store.begin_attempt(row, 0, NOW).expect("begins");
    store.interrupt_attempt(row, NOW).expect("cut");
    let tries = store.tries(row, 0).expect("reads");
    assert_eq!((tries.failed, tries.doubt_since), (1, Some(NOW)), "cut short, and in doubt");
}

/// A copy of the files as a crash would leave them: the log not checkpointed, nothing closed.
fn crash_copy(from: &Dir) -> Dir {
    let copy = Dir::new();
    fs::create_dir_all(&copy.0).expect("directory");
    for suffix in ["", "-wal"] {
        let name = format!("{DATABASE_FILE}{suffix}");
        fs::copy(from.0.join(&name), copy.0.join(&name)).expect("copies");
    }
    copy
}

#[test]
fn what_was_acknowledged_survives_a_crash_and_open_attempts_become_unknown() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let tried = accept(&store, "d-1", 1);
    let fresh = accept(&store, "d-2", 1);
    store.begin_attempt(tried, 0, NOW).expect("begins");
    let copy = crash_copy(&dir);
    let (store, thread) = copy.open();
    assert_eq!(store.unfinished(), 2);
    assert_eq!(store.interrupt_attempts(NOW), Ok(1));
    let state = |row| store.delivery(row).expect("reads").expect("there").state;
    assert_eq!((state(tried), state(fresh)), (State::Unknown, State::Accepted));
    thread.stop();
    let file = Connection::open(copy.0.join(DATABASE_FILE)).expect("opens");
    let verdict: String =
        file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checks");
    assert_eq!(verdict, "ok");
}

#[test]
fn many_writers_share_commits_and_each_gets_its_own_answer() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..25 {
                    let row = accept_unbounded(&store, &format!("d-{writer}-{n}"));
                    store.begin_attempt(row, 0, NOW).expect("begins");
                    // A failing neighbour in the same group must not undo anybody.
                    assert_eq!(store.begin_attempt(row, 0, NOW), Err(Error::WrongState));
                    store.step_done(row, 0, added(row.0), None, NOW).expect("done");
                }
            });
        }
    });
    assert_eq!(store.unfinished(), 0);
    let delivered = (1..=200).filter(|row| {
        store.delivery(RowId(*row)).expect("reads").expect("there").state == State::Delivered
    });
    assert_eq!(delivered.count(), 200);
}

fn accept_unbounded(store: &Store, id: &str) -> RowId {
    match store.accept(delivery(id, 1), usize::MAX, NOW).expect("accepts") {
        Accepted::New(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panicking_write_is_undone_and_the_writer_lives() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let failed: Result<(), Error> = store.write(|connection| {
        connection.execute("INSERT INTO meta (key, value) VALUES ('a', x'00')", [])?;
        panic!("on purpose")
    });
    assert!(matches!(failed, Err(Error::Other(text)) if text.contains("on purpose")));
    assert_eq!(store.meta("a"), Ok(None));
    store.set_meta("a", vec![1]).expect("still writes");
    assert_eq!(store.meta("a"), Ok(Some(vec![1])));
}

#[test]
fn a_full_disk_is_told_and_loses_nothing_that_was_acknowledged() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    store.set_meta("kept", vec![1]).expect("writes");
    store
        .write(|connection| {
            let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            connection.pragma_update(None, "max_page_count", pages + 1)?;
            Ok(())
        })
        .expect("limits the file");
    assert_eq!(store.set_meta("large", vec![0; 1 << 20]), Err(Error::Full));
    assert_eq!(store.meta("kept"), Ok(Some(vec![1])));
    assert_eq!(store.meta("large"), Ok(None));
    store
        .write(|connection| Ok(connection.pragma_update(None, "max_page_count", 100_000)?))
        .expect("space again");
    store.set_meta("large", vec![0; 1 << 20]).expect("writes again");
}

#[test]
fn writes_that_share_a_commit_with_one_that_finds_no_space_are_told_so() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let (begun, begins) = crossbeam_channel::bounded(1);
    let (hold, held) = crossbeam_channel::bounded::<()>(0);
    std::thread::scope(|scope| {
        let holding = store.clone();
        // Keeps the writer busy, so that the next three come into one transaction.
        let first = scope.spawn(move || {
            holding.write(move |connection| {
                let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
                connection.pragma_update(None, "max_page_count", pages + 1)?;
                begun.send(()).expect("heard");
                held.recv().ok();
                Ok(())
            })
        });
        begins.recv().expect("begins");
        let sizes: [(&'static str, usize); 3] = [("a", 1), ("b", 1 << 20), ("c", 1)];
        let writes = sizes.map(|(key, size)| {
            let store = store.clone();
            scope.spawn(move || store.set_meta(key, vec![0; size]))
        });
        while store.inner.writer.waiting() < 3 {
            std::thread::yield_now();
        }
        drop(hold);
        first.join().expect("no panic").expect("holds");
        let results = writes.map(|write| write.join().expect("no panic"));
        assert_eq!(results, [Err(Error::Full), Err(Error::Full), Err(Error::Full)]);
    });
    for key in ["a", "b", "c"] {
        assert_eq!(store.meta(key), Ok(None), "{key}");
    }
    store.set_meta("a", vec![0; 1]).expect("small ones still fit");
}

#[test]
fn files_are_private_and_used_by_one_connector() {
    let dir = Dir::new();
    let (_store, thread) = dir.open();
    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(dir.0.clone()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(dir.0.join(format!("{DATABASE_FILE}{suffix}"))), 0o600);
    }
    assert_eq!(open(&dir.0).err(), Some(Error::InUse(dir.0.clone())));
    thread.stop();
    open(&dir.0).expect("free again");
}

#[test]
fn a_newer_or_damaged_file_is_refused_untouched() {
    let dir = Dir::new();
    let (_store, thread) = dir.open();
    thread.stop();
    let path = dir.0.join(DATABASE_FILE);
    let file = Connection::open(&path).expect("opens");
    file.pragma_update(None, "user_version", 99).expect("pretends");
    drop(file);
    let before = fs::read(&path).expect("reads");
    assert_eq!(open(&dir.0).err(), Some(Error::NewerSchema { found: 99, known: 4 }));
    assert_eq!(fs::read(&path).expect("reads"), before);
    fs::write(&path, b"this is no database at all, whatever its name says").expect("damages");
    assert_eq!(open(&dir.0).err(), Some(Error::Corrupt));
}

#[test]
fn after_the_end_writes_are_refused() {
    let dir = Dir::new();
    let (store, thread) = dir.open();
    thread.stop();
    assert_eq!(store.set_meta("a", vec![1]), Err(Error::Stopped));
}

#[test]
fn the_files_that_are_wanted_are_found_without_looking_at_those_of_finished_deliveries() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    let plan = store.read(|connection| {
        let sql = format!("EXPLAIN QUERY PLAN {}", wanted_files_sql());
        let mut statement = connection.prepare(&sql)?;
        let lines = statement.query_map([], |row| row.get::<_, String>("detail"))?;
        Ok(lines.collect::<rusqlite::Result<Vec<String>>>()?)
    });
    let plan = plan.expect("a plan");
    let reads_all = |line: &&String| {
        line.contains("SCAN files")
            || (line.contains(" deliveries") && !line.contains("INDEX deliveries_"))
    };
    assert!(!plan.is_empty() && !plan.iter().any(|line| reads_all(&line)), "{plan:?}");
}
