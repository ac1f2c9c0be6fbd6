//! A purge and a deletion, whose ends are recorded step by step.

use std::sync::Arc;

use super::dead_letters::{WhenOnDisk, publish_dead_letters};
use super::{Queue, QueueHandle};
use crate::broker::queue::removal::STEP_MESSAGES;
use crate::broker::queue::{ChunkRelief, QueueCounts, Removed};
use crate::store::LogPosition;

/// Why a queue is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum NotRemoved {
    HasMessages,
    HasConsumers,
}

impl QueueHandle {
    /// Drops all ready messages, those included that are on their way back: how many, and what must be durable before anybody is
    /// told.
    pub(crate) fn purge(self: &Arc<Self>, now_ms: u64) -> (usize, LogPosition) {
        // A transition for each step of what comes back, so that others can use the queue in between. What is
        // published meanwhile is purged, too: it came before the answer.
        let (removed, position) = loop {
            let mut with_dead_letters = Vec::new();
            let (removed, position) = self.transition_deferred(&mut with_dead_letters, |queue| {
                if queue.is_returning() {
                    queue.go_on_returning();
                    queue.pump(now_ms);
                }
                (!queue.is_returning()).then(|| queue.purge())
            });
            publish_dead_letters(with_dead_letters, WhenOnDisk::Order, now_ms);
            if let Some(removed) = removed {
                break (removed, position);
            }
        };
        // Both: the transition of the purge may have recorded more than the ends that follow it.
        (removed.count, position.and(self.forget(removed)))
    }

    /// Records the end of messages that were taken out, step by step: what must be durable before anybody is told.
    pub(in crate::broker) fn forget(self: &Arc<Self>, mut removed: Removed) -> LogPosition {
        let mut position = LogPosition::START;
        loop {
            // The messages themselves are dropped here, when the lock is free again.
            let (forgotten, recorded) = self.transition_aside(|queue| queue.forget(&mut removed));
            position = position.and(recorded);
            if forgotten.is_last {
                return position;
            }
        }
    }

    /// Copies messages that keep much larger chunks alive, so that these can go: step by step.
    pub fn relieve_chunks(self: &Arc<Self>) {
        let mut relief = ChunkRelief::default();
        self.in_steps(|queue| queue.relieve_chunks(&mut relief));
    }

    /// Deletes the queue: what is left of it is for [`QueueHandle::forget_later`].
    pub(in crate::broker) fn remove(self: &Arc<Self>) -> Removed {
        self.transition_aside(Queue::delete).0
    }

    /// As [`QueueHandle::remove`], unless it has messages or consumers and must not then.
    ///
    /// # Errors
    /// Why it stays.
    pub(in crate::broker) fn remove_if(
        self: &Arc<Self>,
        is_unused: bool,
        is_empty: bool,
    ) -> Result<Removed, NotRemoved> {
        // Question and deletion under one lock: nobody can publish or consume in between.
        let remove = |queue: &mut Queue| {
            let QueueCounts { ready, consumers, .. } = queue.counts();
            if is_empty && ready > 0 {
                return Err(NotRemoved::HasMessages);
            }
            if is_unused && consumers > 0 {
                return Err(NotRemoved::HasConsumers);
            }
            Ok(queue.delete())
        };
        self.transition_aside(remove).0
    }

    /// Takes the queue out of its virtual host, with its bindings, if it is over; then these messages are left of it.
    pub(super) fn delete(self: &Arc<Self>, removed: Option<Removed>) {
        let Some(removed) = removed else { return };
        let Some(vhost) = self.vhost.upgrade() else { return self.forget_later(removed) };
        let has_many_bindings = vhost.has_many_bindings_to(self);
        let queue = Arc::clone(self);
        let delete = move || {
            // First the definition goes, so that the log has the deletion before anything that
            // was in the queue is free.
            vhost.delete_queue_handle(&queue);
            queue.forget_later(removed);
        };
        // It is the timer that deletes what nobody uses, and all other queues wait for it, too.
        if has_many_bindings { self.node.background.run(Box::new(delete)) } else { delete() }
    }

    /// As [`QueueHandle::forget`], of a queue that is deleted, whose consumers are told: the log says so, nobody waits for what is left of it, and the timer
    /// must not.
    pub(in crate::broker) fn forget_later(self: &Arc<Self>, mut removed: Removed) {
        // Nothing is locked now. A consumer's connection may be the one that asked for the deletion.
        removed.tell_consumers();
        self.node.registry.retire_queue(self.spec.arguments.kind, removed.retired);
        // A step's work is done here: to hand it to another thread would cost more.
        if removed.weight < STEP_MESSAGES {
            self.forget(removed);
            return;
        }
        let queue = Arc::clone(self);
        self.node.background.run(Box::new(move || {
            queue.forget(removed);
            // Only now is the memory free: whoever is blocked by the alarm may go on.
            queue.node.check_memory();
        }));
    }
}

/// Deletes a queue under its lock, so that nobody can consume from it between the decision and its end.
pub(super) fn is_over(queue: &mut Queue, is_over: bool) -> Option<Removed> {
    is_over.then(|| queue.delete())
}
