//! Which row may run next. A lane is a dialog (or whatever key orders rows); at most one row of a
//! lane runs at a time, in the order of row ids, and an older unfinished one blocks younger ones
//! (INVARIANT: one runner per dialog). Used by the delivery schedule and by the relay alike.
//!
//! Pure and in memory: it is an index over rows the database has, rebuilt at start. Every operation
//! is O(log n).

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;

use crate::base::clock::UnixMs;
use crate::domain::ids::RowId;

/// The unfinished rows of every lane.
pub struct Order<K> {
    lanes: HashMap<K, Lane>,
    keys: HashMap<RowId, K>,
    /// Heads that are not running, by due time and then by age.
    heads: BTreeSet<(UnixMs, RowId)>,
}

struct Lane {
    /// Oldest first; the first one is the head.
    rows: VecDeque<(RowId, UnixMs)>,
    running: bool,
}

impl<K: Clone + Eq + Hash> Order<K> {
    /// No rows.
    pub fn new() -> Self {
        Order { lanes: HashMap::new(), keys: HashMap::new(), heads: BTreeSet::new() }
    }

    /// Number of unfinished rows.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Adds a row at its place by age: usually the newest, but a person may want an old one again.
    /// It never overtakes one that runs. Known rows are passed over.
    pub fn add(&mut self, row: RowId, key: K, due: UnixMs) {
        if self.keys.contains_key(&row) {
            return;
        }
        self.keys.insert(row, key.clone());
        let lane = self.lanes.entry(key).or_insert(Lane { rows: VecDeque::new(), running: false });
        let newer = lane.rows.iter().rev().take_while(|(known, _)| *known > row).count();
        let place = (lane.rows.len() - newer).max(usize::from(lane.running));
        lane.rows.insert(place, (row, due));
        if place == 0 {
            if let Some(&(head, due)) = lane.rows.get(1) {
                self.heads.remove(&(due, head));
            }
            self.heads.insert((due, row));
        }
    }

    /// Whether a row runs now.
    pub fn is_running(&self, row: RowId) -> bool {
        let lane = self.keys.get(&row).and_then(|key| self.lanes.get(key));
        let running = lane.filter(|lane| lane.running).and_then(|lane| lane.rows.front());
        running.is_some_and(|(head, _)| *head == row)
    }

    /// Takes a row out that does not run; the next of its lane becomes the head if it was one. Rows
    /// that run or are not known stay as they are.
    pub fn remove(&mut self, row: RowId) {
        if self.is_running(row) {
            return;
        }
        let Some(key) = self.keys.remove(&row) else { return };
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let Some(place) = lane.rows.iter().position(|(known, _)| *known == row) else { return };
        let Some((_, due)) = lane.rows.remove(place) else { return };
        if place == 0 {
            self.heads.remove(&(due, row));
            self.heads.extend(lane.rows.front().map(|&(head, due)| (due, head)));
        }
        if lane.rows.is_empty() {
            self.lanes.remove(&key);
        }
    }

    /// The row to run now, marked as running; `None` when no idle lane has a due head.
    pub fn next(&mut self, now: UnixMs) -> Option<RowId> {
        let &(due, row) = self.heads.first().filter(|(due, _)| *due <= now)?;
        self.heads.remove(&(due, row));
        self.lane(row).running = true;
        Some(row)
    }

    /// A running row is finished; the next of its lane becomes the head.
    pub fn done(&mut self, row: RowId) {
        let Some(key) = self.keys.remove(&row) else { return };
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.rows.pop_front();
        lane.running = false;
        match lane.rows.front() {
            Some(&(head, due)) => {
                self.heads.insert((due, head));
            }
            None => {
                self.lanes.remove(&key);
            }
        }
    }

    /// A running row is to be tried again at `due`; it stays the head of its lane.
    pub fn postponed(&mut self, row: RowId, due: UnixMs) {
        if !self.keys.contains_key(&row) {
            return;
        }
        let lane = self.lane(row);
        lane.running = false;
        if let Some(head) = lane.rows.front_mut() {
            head.1 = due;
        }
        self.heads.insert((due, row));
    }

    /// When the next idle head is due.
    pub fn next_due(&self) -> Option<UnixMs> {
        self.heads.first().map(|(due, _)| *due)
    }

    fn lane(&mut self, row: RowId) -> &mut Lane {
        let key = self.keys.get(&row).expect("the row is known");
        self.lanes.get_mut(key).expect("a known row has a lane")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::Order;
    use crate::base::clock::UnixMs;
    use crate::domain::ids::RowId;

    #[test]
    fn later_row_waits_for_earlier_one_in_same_lane() {
        let mut order = Order::new();
        for row in 1..=3 {
            order.add(RowId(row), "a", UnixMs(0));
        }
        order.add(RowId(4), "b", UnixMs(0));
        assert_eq!(order.next(UnixMs(0)), Some(RowId(1)));
        assert_eq!(order.next(UnixMs(0)), Some(RowId(4)));
        assert_eq!(order.next(UnixMs(0)), None);
        order.postponed(RowId(1), UnixMs(50));
        assert_eq!(order.next(UnixMs(49)), None, "a postponed head blocks its followers");
        assert_eq!(order.next_due(), Some(UnixMs(50)));
        assert_eq!(order.next(UnixMs(50)), Some(RowId(1)));
        order.done(RowId(1));
        assert_eq!(order.next(UnixMs(50)), Some(RowId(2)));
    }

    #[test]
    fn an_old_row_comes_back_at_its_place_and_never_before_one_that_runs() {
        let mut order = Order::new();
        for row in [5, 8] {
            order.add(RowId(row), "a", UnixMs(0));
        }
        order.add(RowId(3), "a", UnixMs(7));
        assert_eq!(order.next(UnixMs(6)), None, "the old one blocks its followers");
        assert_eq!(order.next(UnixMs(7)), Some(RowId(3)));
        order.add(RowId(1), "a", UnixMs(0));
        order.add(RowId(6), "a", UnixMs(0));
        assert_eq!(order.next(UnixMs(9)), None, "one runs");
        let mut ran = vec![RowId(3)];
        order.done(RowId(3));
        while let Some(row) = order.next(UnixMs(9)) {
            order.done(row);
            ran.push(row);
        }
        assert_eq!(ran, [3, 1, 5, 6, 8].map(RowId));
        assert_eq!((order.len(), order.next_due()), (0, None));
    }

    #[test]
    fn a_row_that_is_taken_out_frees_its_lane() {
        let mut order = Order::new();
        for row in [1, 2, 3] {
            order.add(RowId(row), "a", UnixMs(if row == 1 { 100 } else { 0 }));
        }
        assert_eq!(order.next(UnixMs(0)), None);
        order.remove(RowId(1));
        assert_eq!(order.next(UnixMs(0)), Some(RowId(2)), "its turn at once");
        assert!(order.is_running(RowId(2)) && !order.is_running(RowId(3)));
        order.remove(RowId(2));
        assert_eq!(order.next(UnixMs(0)), None, "what runs stays");
        order.remove(RowId(3));
        order.remove(RowId(9));
        order.done(RowId(2));
        assert_eq!((order.len(), order.next_due()), (0, None));
    }

    /// A small generator, so that failures repeat.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn any_history_keeps_one_runner_per_lane_and_its_order() {
        for seed in 1..200_u64 {
            let mut dice = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed);
            let mut order = Order::new();
            let mut running: HashMap<u64, RowId> = HashMap::new();
            let mut lanes: HashMap<RowId, u64> = HashMap::new();
            let mut finished: HashMap<u64, Vec<RowId>> = HashMap::new();
            let (mut now, mut next_row) = (0, 1);
            for _ in 0..300 {
                match random(&mut dice) % 5 {
                    0 => {
                        let (row, lane) = (RowId(next_row), random(&mut dice) % 5);
                        next_row += 1;
                        lanes.insert(row, lane);
                        let due = now + (random(&mut dice) % 20) as i64;
                        order.add(row, lane, UnixMs(due));
                    }
                    1 => now += (random(&mut dice) % 10) as i64,
                    4 => {
                        // Dropped and wanted again, or left: its place by age is the same.
                        let row = RowId(1 + (random(&mut dice) % next_row as u64) as i64);
                        let known = order.len();
                        order.remove(row);
                        if order.len() < known {
                            order.add(row, lanes[&row], UnixMs(now));
                        }
                    }
                    2 => {
                        if let Some(row) = order.next(UnixMs(now)) {
                            let lane = lanes[&row];
                            assert!(running.insert(lane, row).is_none(), "two of one lane run");
                        }
                    }
                    _ => {
                        let Some((&lane, &row)) = running.iter().next() else { continue };
                        running.remove(&lane);
                        if random(&mut dice).is_multiple_of(3) {
                            order.postponed(row, UnixMs(now + 5));
                        } else {
                            order.done(row);
                            finished.entry(lane).or_default().push(row);
                        }
                    }
                }
            }
            for row in running.into_values() {
                order.done(row);
                finished.entry(lanes[&row]).or_default().push(row);
            }
            while let Some(due) = order.next_due() {
                let row = order.next(due).expect("a due head runs");
                order.done(row);
                finished.entry(lanes[&row]).or_default().push(row);
            }
            assert_eq!(order.len(), 0);
            for (lane, rows) in finished {
                assert!(rows.is_sorted(), "seed {seed}: lane {lane} ran {rows:?}");
            }
        }
    }
}
