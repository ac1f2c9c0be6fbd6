//! How others look at a queue: one short hold of its lock, and plain values.

use std::sync::Arc;

use super::QueueHandle;
use crate::broker::policies::Applied;
use crate::broker::queue::{ConsumerSnapshot, QueueSample, QueueSnapshot};

impl QueueHandle {
    /// The queue in numbers; `None` once it is deleted.
    pub fn snapshot(&self) -> Option<QueueSnapshot> {
        let queue = self.state.lock();
        (!queue.is_deleted()).then(|| queue.snapshot())
    }

    /// What the alert rules want to know, and the policies that hold for it; `None` once it is deleted.
    pub fn sample(&self) -> Option<(QueueSample, Option<Arc<Applied>>)> {
        let queue = self.state.lock();
        (!queue.is_deleted()).then(|| (queue.sample(self.id), queue.policies().cloned()))
    }

    /// Its consumers, in the order of registration.
    pub fn consumers(&self) -> Vec<ConsumerSnapshot> {
        self.state.lock().consumer_snapshots()
    }
}
