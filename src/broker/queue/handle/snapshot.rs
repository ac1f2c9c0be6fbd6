//! How others look at a queue: one short hold of its lock, and plain values.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::QueueHandle;
use crate::broker::policies::Applied;
use crate::broker::queue::{ConsumerSnapshot, QueueSample, QueueSnapshot};

impl QueueHandle {
    /// The queue in numbers; `None` once it is deleted.
    pub fn snapshot(&self) -> Option<QueueSnapshot> {
        let queue = self.state.lock();
        (!queue.is_deleted()).then(|| queue.snapshot())
    }

    /// Notes that the next sample may differ from the last one. The queue's lock is held.
    pub(super) fn stir(&self) {
        // Mostly it is noted already, and then other processors need not hear of it.
        if !self.is_stirred.load(Ordering::Relaxed) {
            self.is_stirred.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a sample may differ from the one that was taken after the last such question. It takes no lock.
    pub fn take_stirred(&self) -> bool {
        self.is_stirred.load(Ordering::Relaxed) && self.is_stirred.swap(false, Ordering::Relaxed)
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
