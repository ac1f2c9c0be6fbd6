//! Messages from publishers: their bodies are in the log before the queue refers to them.

use std::sync::Arc;

use super::QueueHandle;
use super::dead_letters::{WhenOnDisk, publish_dead_letters};
use crate::broker::publisher::PublisherWaits;
use crate::broker::queue::NewMessage;
use crate::store::address::Address;
use crate::store::{AppendGuard, LogPosition, TransactionId};

impl QueueHandle {
    /// Publishes messages in order; `refused` is told the place of each one that the queue did not take. What is to be durable
    /// before anybody is told that the messages are safe.
    pub fn publish(
        self: &Arc<Self>,
        messages: impl IntoIterator<Item = NewMessage>,
        transaction: TransactionId,
        now_ms: u64,
        refused: impl FnMut(usize),
    ) -> LogPosition {
        self.publish_at_pace(messages, None, transaction, now_ms, refused)
    }

    /// As [`QueueHandle::publish`]; this publisher waits if that makes the queue too long for its consumers.
    pub(crate) fn publish_at_pace(
        self: &Arc<Self>,
        messages: impl IntoIterator<Item = NewMessage>,
        publisher: Option<&Arc<PublisherWaits>>,
        transaction: TransactionId,
        now_ms: u64,
        refused: impl FnMut(usize),
    ) -> LogPosition {
        let mut with_dead_letters = Vec::new();
        let position = self.publish_deferred(messages, publisher, transaction, now_ms, refused, &mut with_dead_letters);
        publish_dead_letters(with_dead_letters, WhenOnDisk::Order, now_ms);
        position
    }

    /// As [`QueueHandle::publish`], leaving the publishing of dead letters to the caller.
    pub(in crate::broker) fn publish_deferred(
        self: &Arc<Self>,
        messages: impl IntoIterator<Item = NewMessage>,
        publisher: Option<&Arc<PublisherWaits>>,
        transaction: TransactionId,
        now_ms: u64,
        mut refused: impl FnMut(usize),
        with_dead_letters: &mut Vec<Arc<Self>>,
    ) -> LogPosition {
        let log = &*self.node.log;
        // From here on the bodies stay where they are in the log until the queue refers to them. The pager first says
        // which bodies are about to move, and then waits for guards: whoever has one is waited for, or was told.
        let _guard = (self.spec.durable && log.capabilities().moves_bodies).then(|| AppendGuard::begin(log));
        let ((), position) = self.transition_deferred(with_dead_letters, |queue| {
            // The route was found before. It is as if the deletion had come a moment later: the messages are
            // gone with the queue, and they are not refused.
            if queue.is_deleted() {
                return;
            }
            // Before the messages: what this publisher brought is the difference.
            let level = queue.level();
            queue.journal().set_transaction(transaction);
            for (place, mut new) in messages.into_iter().enumerate() {
                // Asked for each: one batch may have messages of both delivery modes.
                if queue.stores(new.message.facts().persistent) {
                    self.place_in_log(&mut new);
                }
                if queue.publish(new, now_ms).is_err() {
                    refused(place);
                }
            }
            // Once for the batch, not for each message.
            queue.pump(now_ms);
            // After the pump: what a consumer took at once makes nobody wait.
            if let Some(publisher) = publisher {
                queue.wait_if_ahead(publisher, level);
            }
        });
        position
    }

    /// Sees to it that the message's bytes are in the log, at a place that does not move before the queue refers to it.
    fn place_in_log(&self, new: &mut NewMessage) {
        let log = &*self.node.log;
        // The chunk is in a part of the log that is being emptied: a dead letter of a message that has waited,
        // say. A copy has no place yet, and is appended at the end.
        if Address::of(&new.message).is_in_log_before(log.reusable_from()) {
            new.message = new.message.compacted();
        }
        // It has its place at most once: if another queue, or an earlier message of the chunk, brought it there
        // already, nothing is written.
        log.append_chunk(new.message.chunk());
    }
}
