//! How others look at a queue: one short hold of its lock, and plain values.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::QueueHandle;
use crate::broker::policies::Applied;
use crate::broker::queue::{ConsumerSnapshot, QueueSample, QueueSnapshot};

/// Until when a queue rests that has moved since the last look.
pub(super) const MOVED: u64 = 0;
/// It is being looked at.
const LOOKED_AT: u64 = u64::MAX;

/// A look at a queue, by the only one who looks every few seconds. A sample that is taken after its beginning has everything that moved
/// before; what moves from then on ends the rest that the look comes to.
#[derive(Debug)]
#[must_use]
pub(crate) struct QueueLook<'a> {
    queue: &'a QueueHandle,
    /// Until when it was to rest.
    before: u64,
}

impl QueueLook<'_> {
    /// Whether a sample may differ from the one of the last look.
    pub(crate) const fn has_moved(&self) -> bool {
        self.before == MOVED
    }

    /// It need not be looked at before this, in milliseconds, unless it moves.
    pub(crate) fn rest_until(self, until_ms: u64) {
        let rests = &self.queue.rests_until_ms;
        // If it has moved meanwhile, that stays noted. Relaxed is enough: whoever moves the queue holds its lock,
        // either before the sample, which has it then, or after it, and then the mark of the look is overwritten.
        rests.compare_exchange(LOOKED_AT, until_ms, Ordering::Relaxed, Ordering::Relaxed).ok();
    }
}

impl QueueHandle {
    /// The queue in numbers; `None` once it is deleted.
    pub fn snapshot(&self) -> Option<QueueSnapshot> {
        // Values only, and a few `Arc`s: JSON is made when the lock is free.
        let queue = self.state.lock();
        (!queue.is_deleted()).then(|| queue.snapshot())
    }

    /// Notes that the next sample may differ from the last one. The queue's lock is held.
    pub(super) fn stir(&self) {
        // Mostly it is noted already, and then other processors need not hear of it.
        if self.rests_until_ms.load(Ordering::Relaxed) != MOVED {
            self.rests_until_ms.store(MOVED, Ordering::Relaxed);
        }
    }

    /// Begins a look, if something may have changed since the last one, its rest is over, or it must be looked at. It takes no lock.
    pub(crate) fn begin_look(&self, now_ms: u64, must_look: bool) -> Option<QueueLook<'_>> {
        // Without the lock, for ten thousand queues that stand still.
        let is_due = must_look || self.rests_until_ms.load(Ordering::Relaxed) <= now_ms;
        is_due.then(|| QueueLook { queue: self, before: self.rests_until_ms.swap(LOOKED_AT, Ordering::Relaxed) })
    }

    /// What is taken down every few seconds, and the policies that hold for it; `None` once it is deleted.
    pub fn sample(&self) -> Option<(QueueSample, Option<Arc<Applied>>)> {
        let queue = self.state.lock();
        (!queue.is_deleted()).then(|| (queue.sample(self.id), queue.policies().cloned()))
    }

    /// Its consumers, in the order of registration.
    pub(crate) fn consumers(&self) -> Vec<ConsumerSnapshot> {
        self.state.lock().consumer_snapshots()
    }
}
