//! Removing what ended long ago: nothing that is unfinished or young, everything that hangs on what
//! goes, some rows at a time; and what went does not come again.

use super::Dir;
use super::NOW;
use super::accept;
use super::added;
use super::inbound;
use super::mira;
use crate::base::clock::UnixMs;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::limits;
use crate::store::Store;
use crate::store::outbox::Findings;
use crate::store::outbox::Progress;
use crate::store::prune::Batch;
use crate::store::prune::Old;

fn at(ms: i64) -> UnixMs {
    UnixMs(NOW.0 + ms)
}

fn count(dir: &Dir, table: &str) -> i64 {
    let file = rusqlite::Connection::open(dir.0.join(crate::store::DATABASE_FILE)).expect("opens");
    let sql = format!("SELECT COUNT(*) FROM {table}");
    file.query_row(&sql, [], |row| row.get(0)).expect("counts")
}

fn deliver(store: &Store, row: RowId, message: i64, when: UnixMs) {
    store.begin_attempt(row, 0, when).expect("begins");
    store.step_done(row, 0, added(message), None, when).expect("is delivered");
}

fn queue(store: &Store, messages: &[i64], when: UnixMs) -> Vec<MessageId> {
    let rows = messages.iter().map(|id| inbound(*id)).collect();
    let findings = Findings { rows, ..Findings::default() };
    store.commit_inbound(&mira(), findings, Progress::None, when).expect("commits").queued
}

#[test]
fn only_what_ended_long_ago_goes_with_all_that_hangs_on_it() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    store.create_agent(&mira(), NOW).expect("creates");
    let [old, unfinished, late] = ["old", "unfinished", "late"].map(|id| accept(&store, id, 1));
    deliver(&store, old, 71, at(10));
    deliver(&store, late, 72, at(5_000));
    queue(&store, &[1, 2, 3], NOW);
    for (row, when) in [(1, 10), (3, 5_000)] {
        store.letter_accepted(RowId(row), at(when)).expect("is accepted");
    }
    let before = at(1_000);
    let one = Batch { removed: 1, next: None };
    assert_eq!(store.prune(Old::Deliveries, None, before), Ok(one));
    assert_eq!(store.prune(Old::Messages, None, before), Ok(one));
    assert_eq!(store.delivery(old).map(|found| found.is_some()), Ok(false));
    for kept in [unfinished, late] {
        assert_eq!(store.delivery(kept).map(|found| found.is_some()), Ok(true));
    }
    assert_eq!(count(&dir, "attempts"), 1, "of what is kept");
    assert_eq!(count(&dir, "steps"), 2);
    let left = store.outbox_after(RowId(0), 10).expect("reads");
    assert_eq!(left.iter().map(|row| row.inbound.message.0).collect::<Vec<_>>(), [2]);
    assert!(store.letter(RowId(3)).expect("reads").is_some());
    // An edit of what was removed does not bring it back; what is younger is taken.
    assert_eq!(queue(&store, &[1, 4], NOW), [MessageId(4)]);
    assert_eq!(store.prune(Old::Messages, None, before), Ok(Batch { removed: 0, next: None }));
    assert_eq!(store.unfinished(), 1);
}

#[test]
fn a_long_past_goes_some_rows_at_a_time() {
    let dir = Dir::new();
    let (store, _thread) = dir.open();
    store.create_agent(&mira(), NOW).expect("creates");
    let most = i64::from(limits::PRUNE_ROWS);
    queue(&store, &(1..=2 * most + 1).collect::<Vec<_>>(), NOW);
    for row in 1..=2 * most + 1 {
        // One in the middle waits still.
        if row != most {
            store.letter_accepted(RowId(row), NOW).expect("is accepted");
        }
    }
    let (mut removed, mut from, mut batches) = (0, None, 0);
    loop {
        let batch = store.prune(Old::Messages, from, at(1)).expect("prunes");
        assert!(batch.removed <= limits::PRUNE_ROWS as usize);
        removed += batch.removed;
        batches += 1;
        from = batch.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!((removed as i64, batches), (2 * most, 3));
    assert_eq!(count(&dir, "outbox"), 1);
}
