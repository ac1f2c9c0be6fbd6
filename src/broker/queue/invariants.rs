//! What is true of a queue between any two transitions: each part checks its own. Debug builds look after each transition, while the
//! queue is small; the tests look more often.

use super::Queue;

/// With more the look would take longer than the transition.
const LOOKED_AT_MAX: usize = 64;

impl Queue {
    pub(super) fn check_transition(&self) {
        self.turn.check();
        if self.order.weight() + self.service.consumers.len() <= LOOKED_AT_MAX {
            self.check();
        }
    }

    /// # Panics
    /// When the queue contradicts itself.
    pub(super) fn check(&self) {
        self.order.check();
        self.service.consumers.check();
        for consumer in self.service.consumers.iter() {
            let held = consumer.holder.map_or(0, |holder| self.order.unacked.count_of(holder));
            assert_eq!(consumer.unacked as usize, held, "{:?} holds what it is counted to hold", consumer.spec.id);
        }
        if self.is_deleted() {
            assert!(!self.is_returning(), "nothing comes back into a queue that is gone");
            assert!(self.service.consumers.is_empty(), "nobody consumes from a queue that is gone");
            assert!(
                self.order.known_len() == self.order.dying.len() && self.order.dying.is_handed_out(),
                "it is empty"
            );
        }
    }
}
