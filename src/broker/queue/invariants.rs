//! What is true of a queue between any two transitions: each part checks its own. Debug builds look after each transition, while the
//! queue is small; the tests look more often.

use super::Queue;

/// With more the look would take longer than the transition.
const LOOKED_AT_MAX: usize = 64;

impl Queue {
    pub(super) fn check_transition(&self) {
        assert!(!self.owes_pump, "the change did not end with a pump");
        if self.known_len() + self.ready.unread_part_count() + self.consumers.len() <= LOOKED_AT_MAX {
            self.check();
        }
    }

    /// # Panics
    /// When the queue contradicts itself.
    pub(super) fn check(&self) {
        self.ready.check();
        self.unacked.check();
        self.held_back.check();
        self.dying.check();
        self.consumers.check();
        for consumer in self.consumers.iter() {
            let held = consumer.holder.map_or(0, |holder| self.unacked.count_of(holder));
            assert_eq!(consumer.unacked as usize, held, "{:?} holds what it is counted to hold", consumer.spec.id);
        }
        assert!(!self.deleted || !self.is_returning(), "nothing comes back into a queue that is gone");
        assert!(!self.deleted || self.known_len() + self.consumers.len() == 0 || self.dying.is_handed_out());
        let last_seq =
            self.ready.requeued().chain(self.held_back.iter().map(|(_, entry)| entry)).map(|entry| entry.seq);
        assert!(last_seq.max().is_none_or(|last| last < self.next_seq), "numbers are given once");
    }
}
