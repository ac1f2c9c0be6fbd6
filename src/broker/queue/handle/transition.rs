//! A transition under the queue's lock, its record in the log, and what is left to be done outside of the lock.

use std::sync::Arc;

use smallvec::SmallVec;

use super::QueueHandle;
use super::dead_letters::{WhenOnDisk, publish_dead_letters};
use crate::broker::publisher::PublisherWaits;
use crate::broker::queue::{Aftermath, Queue};
use crate::store::loader::Load;
use crate::store::{LogPosition, Owed, TransactionId};

/// What of an [`Aftermath`] is to be done when nothing is locked.
#[must_use]
pub(super) struct Unfinished {
    publish_dead_letters: bool,
    call_at_ms: Option<u64>,
    loads: SmallVec<[Load; 2]>,
    go_on: SmallVec<[Arc<PublisherWaits>; 1]>,
}

impl QueueHandle {
    pub(super) fn transition<R>(self: &Arc<Self>, now_ms: u64, change: impl FnOnce(&mut Queue) -> R) -> R {
        let mut with_dead_letters = Vec::new();
        let (result, _) = self.transition_deferred(&mut with_dead_letters, change);
        // The lock is free: a dead letter is published into another queue, and never are two queues locked.
        publish_dead_letters(with_dead_letters, WhenOnDisk::Order, now_ms);
        result
    }

    pub(super) fn transition_deferred<R>(
        self: &Arc<Self>,
        with_dead_letters: &mut Vec<Arc<Self>>,
        change: impl FnOnce(&mut Queue) -> R,
    ) -> (R, LogPosition) {
        let mut queue = self.state.lock();
        let (result, position, after) = self.change(&mut queue, change);
        // Before anything of the aftermath: waking a publisher or ordering a timer takes locks of its own.
        drop(queue);
        if self.finish(after) {
            with_dead_letters.push(Arc::clone(self));
        }
        (result, position)
    }

    /// As [`QueueHandle::transition_deferred`], for those who have no time to publish dead letters: the timer does it if need be.
    pub(super) fn transition_aside<R>(self: &Arc<Self>, change: impl FnOnce(&mut Queue) -> R) -> (R, LogPosition) {
        let mut with_dead_letters = Vec::new();
        let result = self.transition_deferred(&mut with_dead_letters, change);
        with_dead_letters.iter().for_each(|queue| self.node.deadlines.order_dead_letters(queue));
        result
    }

    /// A transition, and its record in the log.
    pub(super) fn change<R>(
        &self,
        queue: &mut Queue,
        change: impl FnOnce(&mut Queue) -> R,
    ) -> (R, LogPosition, Unfinished) {
        let (result, aftermath) = queue.transition(change);
        // Under the lock, as the look relies on.
        self.stir();
        let Aftermath { publish_dead_letters, call_at_ms, loads, entry_bytes, ended, go_on } = aftermath;
        if entry_bytes != 0 {
            // The difference only, so that the count of the whole node needs no look at other queues.
            self.node.memory.adjust(entry_bytes);
        }
        // Still under the lock: a later transition of this queue cannot come before this one in the log. It
        // only appends to a buffer; nobody waits for the disk here.
        let position = self.record(queue, ended);
        (result, position, Unfinished { publish_dead_letters, call_at_ms, loads, go_on })
    }

    /// Does what a transition left to be done when nothing is locked; whether dead letters are to be published.
    pub(super) fn finish(self: &Arc<Self>, unfinished: Unfinished) -> bool {
        let Unfinished { publish_dead_letters, call_at_ms, loads, go_on } = unfinished;
        // First, because they wait for nothing else.
        go_on.iter().for_each(|publisher| publisher.end());
        if let Some(at_ms) = call_at_ms {
            self.node.deadlines.order_queue(at_ms, self);
        }
        for load in loads {
            self.order(load);
        }
        publish_dead_letters
    }

    /// Appends to the log what changed, under the queue's lock, so that the log tells of it in the right order.
    pub(super) fn record(&self, queue: &mut Queue, ended: Vec<Owed>) -> LogPosition {
        let journal = queue.journal();
        if journal.is_empty() {
            // The number is of this transition alone: what comes next would wait for a commit that is over.
            journal.set_transaction(TransactionId::NONE);
            return LogPosition::START;
        }
        let mut records = Vec::new();
        let freed = journal.take(&mut records);
        // After `take`, which writes the number into each record.
        journal.set_transaction(TransactionId::NONE);
        let position = if records.is_empty() { LogPosition::START } else { self.node.log.append(&records) };
        // Appended: from here on the log may tell of later positions, because this record is before them.
        drop(ended);
        // After the append: a segment file may be deleted or rewritten once it is free, and the log
        // must have said so before.
        if let Some(loader) = self.node.loader.as_ref().filter(|_| !freed.is_empty()) {
            loader.segments().free(&freed);
        }
        position
    }
}
