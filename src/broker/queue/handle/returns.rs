//! Putting messages back, step by step: what its client returned, and what a channel that is gone left.

use std::sync::Arc;

use super::dead_letters::{WhenOnDisk, publish_dead_letters};
use super::removal::is_over;
use super::{Queue, QueueHandle};
use crate::broker::ids::ChannelId;
use crate::broker::queue::Return;
use crate::broker::sink::Token;
use crate::store::Owed;

impl QueueHandle {
    /// Puts messages back; as for [`QueueHandle::settle`] with those that die of it.
    pub fn requeue(self: &Arc<Self>, mut tokens: Vec<Token>, cause: Return, now_ms: u64) {
        self.answered(now_ms, |queue| {
            // The queue takes all of them over at once, in steps of its own; so there is one
            // answer, and never a second.
            queue.requeue(std::mem::take(&mut tokens), cause, now_ms);
            false
        });
    }

    /// Has a client's answers taken, some at a time while `answer` says that there are more, and goes on with what comes back because of
    /// them.
    pub(super) fn answered(self: &Arc<Self>, now_ms: u64, mut answer: impl FnMut(&mut Queue) -> bool) {
        let mut with_dead_letters = Vec::new();
        let is_returning = loop {
            let ((goes_on, is_returning), _) = self.transition_deferred(&mut with_dead_letters, |queue| {
                let goes_on = answer(queue);
                queue.pump(now_ms);
                // Before this lock is released: the next thing that the client is told may be appended by
                // somebody else right behind it.
                self.owe_dead_letters(queue);
                (goes_on, queue.is_returning())
            });
            if !goes_on {
                break is_returning;
            }
        };
        // Done before the client goes on, as if it had been one step. The timer would do it, too, but later
        // than what the client does next.
        if is_returning {
            self.finish_returns(&mut with_dead_letters, now_ms);
        }
        // Once for all steps, in the order of death. What is on disk is read here: the client's next question,
        // a `basic.get` of the other queue, is to find it.
        publish_dead_letters(with_dead_letters, WhenOnDisk::Read, now_ms);
    }

    /// What died of what a client said is owed to it until that is recorded.
    fn owe_dead_letters(&self, queue: &mut Queue) {
        if self.spec.durable && self.node.log.keeps() {
            queue.owe_dead_letters(|| Owed::begin(&self.node.log));
        }
    }

    /// Puts messages back, step by step, until no more are on their way.
    fn finish_returns(self: &Arc<Self>, with_dead_letters: &mut Vec<Arc<Self>>, now_ms: u64) {
        let mut is_returning = true;
        while is_returning {
            (is_returning, _) = self.transition_deferred(with_dead_letters, |queue| {
                queue.go_on_returning();
                queue.pump(now_ms);
                self.owe_dead_letters(queue);
                queue.is_returning()
            });
        }
    }

    /// Takes off the consumers of a channel that is gone, and puts back what it did not settle; nobody is handed later messages in
    /// between. Whether the queue goes with its last consumer is decided at once: nothing is put back into one that does.
    pub fn channel_closed(self: &Arc<Self>, channel: ChannelId, now_ms: u64) {
        let mut with_dead_letters = Vec::new();
        let ((removed, is_returning), _) = self.transition_deferred(&mut with_dead_letters, |queue| {
            // Consumers first: what comes back must not go to those that are just leaving.
            let was_last = queue.cancel_all_of(channel, now_ms);
            // Before the messages are put back: into a queue that goes with its last consumer nothing is put.
            let removed = is_over(queue, was_last && self.spec.auto_delete);
            queue.requeue_all_of(channel, now_ms);
            queue.pump(now_ms);
            (removed, queue.is_returning())
        });
        if is_returning {
            self.finish_returns(&mut with_dead_letters, now_ms);
        }
        // Nobody waits for an answer: what is in files is read by the loader.
        publish_dead_letters(with_dead_letters, WhenOnDisk::Order, now_ms);
        // Last, because it takes other locks; the queue is marked as deleted since the first transition.
        self.delete(removed);
    }
}
