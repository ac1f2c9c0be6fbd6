//! How many handshakes are worked on at a time.
//!
//! The signature of a handshake takes up to some milliseconds of a processor, and whoever can reach the port can ask for one. So
//! handshakes take turns: however many clients come at once, half of the processors stay with those that are connected already.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Of whom it is the turn.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    /// Turns on a machine with so many processors.
    pub(crate) fn for_processors(processors: usize) -> Self {
        Self(Semaphore::new((processors / 2).max(1)))
    }

    /// Waits for a turn, in the order of asking; it ends when the permit is dropped. Cancel safe.
    pub(crate) async fn next(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.0.acquire().await.ok()
    }
}
