//! A purge and a deletion, whose ends are recorded step by step.

use std::sync::Arc;

use super::burial::{WhenAway, bury};
use super::{Queue, QueueHandle};
use crate::broker::queue::removal::STEP_MESSAGES;
use crate::broker::queue::{ChunkRelief, Removed};
use crate::store::LogPosition;

impl QueueHandle {
    /// Drops all ready messages, those included that are on their way back: how many, and what must be durable before anybody is
    /// told.
    pub fn purge(self: &Arc<Self>, now_ms: u64) -> (usize, LogPosition) {
        let (removed, position) = loop {
            let mut unburied = Vec::new();
            let (removed, position) = self.transition_deferred(&mut unburied, |queue| {
                if queue.is_returning() {
                    queue.go_on_returning();
                    queue.pump(now_ms);
                }
                (!queue.is_returning()).then(|| queue.purge())
            });
            bury(unburied, WhenAway::Order, now_ms);
            if let Some(removed) = removed {
                break (removed, position);
            }
        };
        (removed.count, position.and(self.forget(removed)))
    }

    /// Records the end of messages that were taken out, step by step: what must be durable before anybody is told.
    pub(in crate::broker) fn forget(&self, mut removed: Removed) -> LogPosition {
        let mut position = LogPosition::START;
        loop {
            let mut queue = self.state.lock();
            let forgotten = queue.forget(&mut removed);
            position = position.and(self.record(&mut queue));
            drop(queue);
            if forgotten.is_last {
                return position;
            }
        }
    }

    /// Copies messages that keep much larger chunks alive, so that these can go: step by step.
    pub fn relieve_chunks(&self) {
        let mut relief = ChunkRelief::default();
        while self.peek(|queue| queue.relieve_chunks(&mut relief)) {}
    }

    /// Takes the queue out of its virtual host, with its bindings, if it is over; then these messages are left of it.
    pub(super) fn delete(self: &Arc<Self>, removed: Option<Removed>) {
        let Some(removed) = removed else { return };
        if let Some(vhost) = self.vhost.upgrade() {
            vhost.delete_queue_handle(self);
        }
        self.forget_later(removed);
    }

    /// As [`QueueHandle::forget`], of a queue that is deleted, whose consumers are told: the log says so, nobody waits for what is left of it, and the timer
    /// must not.
    pub(in crate::broker) fn forget_later(self: &Arc<Self>, mut removed: Removed) {
        removed.tell_consumers();
        self.node.registry.retire_queue(self.spec.arguments.kind, removed.retired);
        if removed.weight < STEP_MESSAGES {
            self.forget(removed);
            return;
        }
        let queue = Arc::clone(self);
        self.node.background.run(Box::new(move || {
            queue.forget(removed);
            queue.node.check_memory();
        }));
    }
}

/// Deletes a queue under its lock, so that nobody can consume from it between the decision and its end.
pub(super) fn is_over(queue: &mut Queue, is_over: bool) -> Option<Removed> {
    is_over.then(|| queue.delete())
}
