//! A transition: how a queue changes, and what follows each time, in this order. There is no other way for the handle, or for a test,
//! to change a queue that is in use.
//!
//! ```text
//!   level before --> the change --> checks (debug builds) --> budgets are new --> dead letters, timer, what to read --> who goes on
//! ```
//!
//! What must be offered to consumers is offered by the change itself ([`Queue::pump`]), because some changes must not: a new consumer
//! gets nothing before its client was told its tag. A change that forgets it ends in an assertion.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Queue;
use crate::broker::publisher::PublisherWaits;
use crate::store::Owed;
use crate::store::loader::Load;

/// What a transition leaves to be done once its changes are recorded and the queue is unlocked.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Aftermath {
    /// There are dead letters, and nobody publishes them yet: whoever gets this does.
    pub(crate) publish_dead_letters: bool,
    /// [`Queue::on_timer`] wants to be called at this time.
    pub(crate) call_at_ms: Option<u64>,
    /// To be read back, for [`Queue::loaded`].
    pub(crate) loads: SmallVec<[Load; 2]>,
    /// How many bytes more, or fewer, the queue keeps for its messages; their own bytes aside.
    pub(crate) entry_bytes: i64,
    /// What was owed, and is recorded with this transition: to be kept until then.
    pub(crate) ended: Vec<Owed>,
    /// Publishers that need not wait any more.
    pub(crate) go_on: SmallVec<[Arc<PublisherWaits>; 1]>,
}

impl Queue {
    /// Changes the queue.
    pub(crate) fn transition<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> (R, Aftermath) {
        // Read before the change: publishers that wait go on by how much has left the queue since.
        let level = self.level();
        let result = change(self);
        #[cfg(debug_assertions)]
        // Before the turn ends, because the turn is asked whether the change owes a pump.
        self.check_transition();
        (result, self.aftermath(level))
    }

    fn aftermath(&mut self, level_before: u64) -> Aftermath {
        let loads = self.turn.end();
        Aftermath {
            // In this order: the second question notes that somebody publishes now, and nobody does while
            // messages come back. What dies of that is published once all are in their places.
            publish_dead_letters: !self.is_returning() && self.order.dying.wants_publisher(),
            // After the change, whatever it was: the times are compared with the call that is ordered already,
            // so most transitions order none.
            call_at_ms: self.order_call(),
            loads,
            entry_bytes: self.change_of_entry_bytes(),
            // Handed out and not dropped: the log must have the records of this transition before it may
            // tell of later positions.
            ended: self.order.dying.take_ended(),
            go_on: self.go_on(level_before),
        }
    }
}
