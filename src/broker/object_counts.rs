//! How many queues and exchanges all virtual hosts have together, for the limits of the node.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one virtual host has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objects {
    pub(crate) queues: usize,
    pub(crate) exchanges: usize,
}

/// The sum over all of them.
#[derive(Debug, Default)]
pub struct ObjectCounts {
    queues: AtomicU64,
    exchanges: AtomicU64,
}

impl ObjectCounts {
    /// A virtual host that had `before` has `now`.
    pub(crate) fn change(&self, before: Objects, now: Objects) {
        // Adding to these numbers wraps around, so that less is added as a large number.
        let step = |before: usize, now: usize| (now as u64).wrapping_sub(before as u64);
        self.queues.fetch_add(step(before.queues, now.queues), Ordering::Relaxed);
        self.exchanges.fetch_add(step(before.exchanges, now.exchanges), Ordering::Relaxed);
    }

    /// How many queues there are.
    pub(crate) fn queues(&self) -> u64 {
        self.queues.load(Ordering::Relaxed)
    }

    /// How many exchanges there are, with those that every virtual host has.
    pub(crate) fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_counted() {
        let counts = ObjectCounts::default();
        let objects = |queues, exchanges| Objects { queues, exchanges };
        counts.change(objects(0, 0), objects(3, 7));
        counts.change(objects(3, 7), objects(1, 8));
        assert_eq!((counts.queues(), counts.exchanges()), (1, 8));
        counts.change(objects(1, 8), objects(0, 0));
        assert_eq!((counts.queues(), counts.exchanges()), (0, 0));
    }
}
