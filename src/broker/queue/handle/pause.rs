//! A pause: the queue takes messages and delivers none.

use std::sync::Arc;

use super::QueueHandle;

impl QueueHandle {
    /// Stops deliveries until [`QueueHandle::resume_deliveries`]; a restart ends it as well.
    pub(crate) fn pause(self: &Arc<Self>, now_ms: u64) {
        self.transition(now_ms, |queue| queue.set_paused(true));
    }

    /// Ends a pause: what waits goes to consumers at once, as far as they take it.
    pub(crate) fn resume_deliveries(self: &Arc<Self>, now_ms: u64) {
        self.transition(now_ms, |queue| {
            queue.set_paused(false);
            queue.pump(now_ms);
        });
    }
}
