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

    /// Adds a row; rows of one lane must come in order of age. Known rows are passed over.
    pub fn add(&mut self, row: RowId, key: K, due: UnixMs) {
        if self.keys.contains_key(&row) {
            return;
        }
        self.keys.insert(row, key.clone());
        let lane = self.lanes.entry(key).or_insert(Lane { rows: VecDeque::new(), running: false });
        lane.rows.push_back((row, due));
        if lane.rows.len() == 1 {
            self.heads.insert((due, row));
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
                match random(&mut dice) % 4 {
                    0 => {
                        let (row, lane) = (RowId(next_row), random(&mut dice) % 5);
                        next_row += 1;
                        lanes.insert(row, lane);
                        let due = now + (random(&mut dice) % 20) as i64;
                        order.add(row, lane, UnixMs(due));
                    }
                    1 => now += (random(&mut dice) % 10) as i64,
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
