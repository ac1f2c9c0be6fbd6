//! What the pager asks of a queue and tells it. What looks at many messages takes several steps, and gives the lock away in between.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::{Queue, QueueHandle};
use crate::broker::queue::paging::Scan;
use crate::broker::queue::{Compacted, Compacting, FreshLeaving, Leaving, MovedPart, Moving, Searching};
use crate::message::MessageSum;
use crate::store::address::SegmentId;
use crate::store::checkpoint::{Part, QueueState};
use crate::store::record::Freed;
use crate::store::recovery::RecoveredQueue;
use crate::store::seq::Seq;

impl QueueHandle {
    /// Bytes of bodies in memory that could be in segment files.
    pub(in crate::broker) fn pageable_bytes(&self) -> u64 {
        self.state.lock().pageable_bytes()
    }

    /// Begins to look for messages that are in the log before `limit`.
    pub(in crate::broker) fn search(self: &Arc<Self>, limit: u64) -> LeavingSearch<'_> {
        let searching = self.state.lock().begin_search(self.id.0, limit);
        LeavingSearch { queue: self, searching: Some(searching) }
    }

    /// Takes over where messages were written. What is not in the queue any more is to be freed.
    pub(in crate::broker) fn moved(self: &Arc<Self>, fresh: Vec<MovedPart>, scattered: &[MovedPart]) -> Vec<Freed> {
        let mut moving = Moving::new(fresh, scattered);
        self.in_steps(|queue| queue.go_on_moving(&mut moving));
        moving.into_freed()
    }

    /// The parts that lie in these files.
    pub(in crate::broker) fn parts_in(&self, segments: &[SegmentId]) -> Vec<Part> {
        let mut parts = Vec::new();
        // Taken out and looked at without the lock: they may be as many as there are messages. The pager alone
        // takes parts out, one thread, so nobody misses them meanwhile.
        let taken = self.state.lock().take_parts();
        if !taken.is_empty() {
            let back = taken.tell(|_| false, &mut parts);
            self.state.lock().put_parts_back(back);
        }
        parts.retain(|part| segments.contains(&part.segment));
        parts
    }

    /// Takes over where messages were rewritten. What is not in the queue any more is to be freed.
    pub(in crate::broker) fn compacted(self: &Arc<Self>, compacted: &[Compacted]) -> Vec<Freed> {
        let mut compacting = Compacting::new(compacted);
        self.in_steps(|queue| queue.go_on_compacting(&mut compacting));
        compacting.into_freed()
    }

    /// Counts messages that were found to be unreadable elsewhere.
    pub(in crate::broker) fn note_unreadable(&self, count: usize) {
        let mut queue = self.state.lock();
        queue.note_unreadable(count);
        // The number is in the sample, so the sampler must look again.
        self.stir();
        drop(queue);
        self.count_unreadable(count);
    }

    /// What a checkpoint says of the queue; `None` when there is nothing to say. `is_free` tells of which parts nothing is left.
    pub fn state(&self, is_free: impl Fn(&Part) -> bool) -> Option<QueueState> {
        let mut queue = self.state.lock();
        // All of this under one lock: marks, parts and the next number belong to one moment. What changes later
        // is in the log behind the place from which a start reads it.
        let (mut state, taken) = queue.begin_state(self.id.0)?;
        let mut from = queue.tell_counts(Seq::FIRST, &mut state.counts);
        // Fair, because this thread asks for the lock again at once: an unfair mutex would mostly give it back
        // to the same thread, and whoever waits would wait for the whole loop.
        MutexGuard::unlock_fair(queue);
        if !taken.is_empty() {
            let back = taken.tell(is_free, &mut state.parts);
            self.state.lock().put_parts_back(back);
            // A part that has only messages which do not survive is nothing to a start.
            state.parts.retain(|part| part.stored > 0);
        }
        while let Some(place) = from {
            // A list of its own, so that the long one never grows, and is copied, under the lock.
            let mut told = Vec::new();
            let mut queue = self.state.lock();
            from = queue.tell_counts(place, &mut told);
            MutexGuard::unlock_fair(queue);
            state.counts.append(&mut told);
        }
        Some(state)
    }

    /// Fills the queue with what was found at the start, before anybody uses it. What of the parts is not there any more is to be freed.
    pub(in crate::broker) fn restore(
        &self,
        recovered: RecoveredQueue,
        gone_within: impl Fn(&Part) -> MessageSum,
    ) -> Vec<Freed> {
        let mut queue = self.state.lock();
        let freed = queue.restore(recovered, gone_within);
        // Messages that failed too often die here already, which is to be recorded. They are published with the
        // first transition (`start`), when all queues are there.
        self.record(&mut queue, Vec::new());
        freed
    }

    /// Takes steps until one says that it was the last. Whoever waits for the lock has it in between.
    pub(super) fn in_steps(self: &Arc<Self>, mut step: impl FnMut(&mut Queue) -> bool) {
        loop {
            let mut queue = self.state.lock();
            // Each step is a transition of its own, with its record: so the log, the timers and who waits see
            // every step as a whole.
            let (goes_on, _, unfinished) = self.change(&mut queue, &mut step);
            MutexGuard::unlock_fair(queue);
            // Not published here: the pager's thread must not wait for other queues.
            if self.finish(unfinished) {
                self.node.deadlines.order_dead_letters(self);
            }
            if !goes_on {
                return;
            }
        }
    }
}

/// A look for messages that are to be written: the fresh ones first, then [`LeavingSearch::scattered`].
#[derive(Debug)]
pub(in crate::broker) struct LeavingSearch<'a> {
    queue: &'a Arc<QueueHandle>,
    /// Until it is over.
    searching: Option<Searching>,
}

impl LeavingSearch<'_> {
    /// The priority levels that there are.
    pub(in crate::broker) fn levels(&self) -> Vec<u8> {
        self.queue.state.lock().levels()
    }

    /// Looks through `max` fresh messages of a level from a place on, for those that are in the log before `limit`.
    pub(in crate::broker) fn scan_fresh(&self, level: u8, from: Seq, limit: u64, max: usize) -> Scan {
        self.queue.state.lock().scan_fresh(level, from, limit, max)
    }

    /// `max` fresh messages of a level from one place to another, both included.
    pub(in crate::broker) fn fresh(&self, level: u8, from: Seq, last: Seq, max: usize) -> FreshLeaving {
        self.queue.state.lock().fresh_leaving(self.queue.id.0, level, from, last, max)
    }

    /// The messages that are not fresh and are to leave, but for those that were written as fresh ones; and whether something may have
    /// been missed.
    pub(in crate::broker) fn scattered(mut self, fresh: &[MovedPart]) -> (Vec<Vec<Leaving>>, bool) {
        // Taken, so that the drop of this look does not end the search a second time.
        let Some(mut searching) = self.searching.take() else { return Default::default() };
        self.queue.in_steps(|queue| queue.go_on_searching(&mut searching));
        let has_slipped = searching.has_slipped();
        (searching.into_leaving(fresh), has_slipped)
    }
}

impl Drop for LeavingSearch<'_> {
    fn drop(&mut self) {
        if self.searching.is_some() {
            self.queue.state.lock().end_search();
        }
    }
}
