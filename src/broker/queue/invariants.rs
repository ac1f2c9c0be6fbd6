//! What is true of a queue between any two transitions; looked at by debug builds while little is unacknowledged, and by the tests.

use super::Queue;

/// With more the look would take longer than the transition.
const LOOKED_AT_MAX: usize = 64;

impl Queue {
    pub(super) fn check_if_small(&self) {
        if self.unacked.len() + self.consumers.len() <= LOOKED_AT_MAX {
            self.check();
        }
    }

    /// # Panics
    /// When the queue contradicts itself.
    pub(super) fn check(&self) {
        self.unacked.check();
        for consumer in self.consumers.iter() {
            let held = consumer.holder.map_or(0, |holder| self.unacked.count_of(holder));
            assert_eq!(consumer.unacked as usize, held, "{:?} holds what it is counted to hold", consumer.spec.id);
        }
        assert!(!self.deleted || !self.is_returning(), "nothing comes back into a queue that is gone");
    }
}
