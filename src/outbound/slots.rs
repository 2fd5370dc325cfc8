//! How many workers may be busy with files at a time: these take long, and texts must not wait until
//! one of too many of them is through. A counter; called by `execute`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The places.
pub(super) struct Slots {
    free: Arc<AtomicUsize>,
}

/// A taken place; dropping it gives it back.
pub(super) struct Slot {
    free: Option<Arc<AtomicUsize>>,
}

impl Slots {
    /// So many places.
    pub(super) fn new(count: usize) -> Slots {
        Slots { free: Arc::new(AtomicUsize::new(count)) }
    }

    /// A place, if one is free or none is `needed`.
    pub(super) fn take(&self, needed: bool) -> Option<Slot> {
        if !needed {
            return Some(Slot { free: None });
        }
        let order = Ordering::Relaxed;
        let taken = self.free.fetch_update(order, order, |free| free.checked_sub(1));
        taken.ok().map(|_| Slot { free: Some(Arc::clone(&self.free)) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(free) = &self.free {
            free.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn a_place_is_free_again_when_it_is_given_back() {
        let slots = Slots::new(1);
        let first = slots.take(true);
        assert!(first.is_some() && slots.take(true).is_none() && slots.take(false).is_some());
        drop(first);
        assert!(slots.take(true).is_some());
    }
}
