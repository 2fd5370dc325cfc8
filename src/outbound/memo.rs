//! What the portal said a while ago and need not be asked again: a map whose entries are forgotten
//! after a time. Bounded; knows nothing of what it keeps. Called by `plan`.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// The map.
pub(super) struct Memo<K, V> {
    keep: Duration,
    most: usize,
    known: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// Keeps at most `most` entries for so long.
    pub(super) fn new(keep: Duration, most: usize) -> Memo<K, V> {
        Memo { keep, most, known: Mutex::new(HashMap::new()) }
    }

    /// What is known, if it is fresh.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let known = self.known();
        known.get(key).filter(|(since, _)| since.elapsed() < self.keep).map(|(_, v)| v.clone())
    }

    /// Remembers something. A full memory forgets everything: asking again is all it costs.
    pub(super) fn keep(&self, key: K, value: V) {
        let mut known = self.known();
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(key, (Instant::now(), value));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        // Whole entries only; a panic leaves nothing half done in them.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Memo;

    impl<K, V> Memo<K, V> {
        /// As if so much time had passed since everything was put in.
        pub(in crate::outbound) fn let_pass(&self, time: Duration) {
            let mut known = self.known.lock().expect("nobody panicked");
            known.values_mut().for_each(|(since, _)| *since -= time);
        }
    }

    #[test]
    fn it_is_bounded_and_forgets() {
        let memo = Memo::new(Duration::from_secs(3600), 2);
        memo.keep(1, 'a');
        memo.keep(2, 'b');
        assert_eq!((memo.get(&1), memo.get(&2)), (Some('a'), Some('b')));
        memo.keep(3, 'c');
        assert_eq!((memo.get(&1), memo.get(&3)), (None, Some('c')));
        let memo = Memo::new(Duration::ZERO, 2);
        memo.keep(1, 'a');
        assert_eq!(memo.get(&1), None);
    }
}
