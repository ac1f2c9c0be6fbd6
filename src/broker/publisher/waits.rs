//! A publisher that waits until consumers have caught up (`queue/pace`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::Wake;

/// How many places a publisher has in the lines of queues. As long as it has one, nothing more is to be read from it.
#[derive(Debug)]
pub(crate) struct PublisherWaits {
    places: AtomicUsize,
    publisher: Arc<dyn Wake>,
}

impl PartialEq for PublisherWaits {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl PublisherWaits {
    /// A publisher that waits for nothing, and is woken by this when it goes on.
    pub(crate) fn new(publisher: Arc<dyn Wake>) -> Self {
        Self { places: AtomicUsize::new(0), publisher }
    }

    /// Whether it waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.places.load(Ordering::Acquire) > 0
    }

    /// It has one place more.
    pub(in crate::broker) fn begin(&self) {
        self.places.fetch_add(1, Ordering::Relaxed);
    }

    /// It has one place less. Not to be called while a queue is locked.
    pub(in crate::broker) fn end(&self) {
        // Only the last place wakes: with others it would wait again at once.
        if self.places.fetch_sub(1, Ordering::Release) == 1 {
            self.publisher.wake();
        }
    }
}
