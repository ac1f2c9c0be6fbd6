//! The order of ready messages: priorities, first in first out, and requeue to the original place.
//!
//! Each priority level is two sorted runs: what came back (`requeued`) and what was never delivered (`fresh`). Whatever
//! comes back was taken from the head, so it precedes everything fresh of its level: the head of a level is the head of
//! `requeued`, else of `fresh`. Quorum queues have a third place in front of all levels (`returned`), because there a returned
//! message goes to the front in the order of return, whatever its priority (behaviour reference 5.6).

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::entry::Entry;

/// Up to so many requeued messages are placed one by one; more are sorted in at once.
const PLACED_SINGLY_MAX: usize = 8;

#[derive(Debug, Default)]
struct Level {
    priority: u8,
    requeued: VecDeque<Entry>,
    fresh: VecDeque<Entry>,
}

impl Level {
    fn head(&self) -> Option<&Entry> {
        self.requeued.front().or_else(|| self.fresh.front())
    }

    fn pop(&mut self) -> Option<Entry> {
        self.requeued.pop_front().or_else(|| pop_shrinking(&mut self.fresh))
    }

    fn requeue(&mut self, entries: Vec<Entry>) {
        if entries.len() > PLACED_SINGLY_MAX {
            self.requeued.extend(entries);
            self.requeued.make_contiguous().sort_by_key(|entry| entry.seq);
            return;
        }
        for entry in entries {
            let at = self.requeued.partition_point(|other| other.seq < entry.seq);
            self.requeued.insert(at, entry);
        }
    }
}

/// A deque that was long keeps its memory when it is drained; give it back once, when it has become empty.
fn pop_shrinking(deque: &mut VecDeque<Entry>) -> Option<Entry> {
    const KEPT_CAPACITY: usize = 1024;
    let entry = deque.pop_front();
    if deque.is_empty() && deque.capacity() > KEPT_CAPACITY {
        *deque = VecDeque::new();
    }
    entry
}

/// The ready messages of a queue, in the order of delivery.
#[derive(Debug, Default)]
pub(super) struct Ready {
    returned: VecDeque<Entry>,
    /// Highest priority first; a queue without priorities has one level.
    levels: SmallVec<[Level; 1]>,
    count: usize,
    bytes: u64,
}

impl Ready {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of all bodies.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a message that was never in this queue before.
    pub(super) fn push(&mut self, entry: Entry) {
        self.add_up(&entry);
        self.level(entry.priority).fresh.push_back(entry);
    }

    /// Puts delivered messages back to their original places.
    pub(super) fn requeue(&mut self, mut entries: Vec<Entry>) {
        entries.sort_by_key(|entry| (entry.priority, entry.seq));
        for entry in &entries {
            self.add_up(entry);
        }
        while let Some(last) = entries.last() {
            let priority = last.priority;
            let from = entries.partition_point(|entry| entry.priority < priority);
            let of_level = entries.split_off(from);
            self.level(priority).requeue(of_level);
        }
    }

    /// Puts a delivered message in front of everything but what was returned before it.
    pub(super) fn push_returned(&mut self, entry: Entry) {
        self.add_up(&entry);
        self.returned.push_back(entry);
    }

    pub(super) fn head(&self) -> Option<&Entry> {
        self.returned.front().or_else(|| self.levels.iter().find_map(Level::head))
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = match self.returned.pop_front() {
            Some(entry) => Some(entry),
            None => self.levels.iter_mut().find_map(Level::pop),
        }?;
        self.subtract(&entry);
        Some(entry)
    }

    /// Takes the head of some level that is due at `now_ms`; each level has its own head (behaviour reference 6.1).
    pub(super) fn pop_due(&mut self, is_due: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let entry = if self.returned.front().is_some_and(&is_due) {
            self.returned.pop_front()
        } else {
            self.levels.iter_mut().find(|level| level.head().is_some_and(&is_due)).and_then(Level::pop)
        }?;
        self.subtract(&entry);
        Some(entry)
    }

    /// When the first of the heads expires.
    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        let heads = self.levels.iter().filter_map(Level::head).chain(self.returned.front());
        heads.map(|entry| entry.expires_at_ms).min().filter(|&at| at != u64::MAX)
    }

    /// Drops everything and tells how many messages that were.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.count;
        *self = Self::default();
        count
    }

    /// Every entry, to be changed in place; the order and the sizes must stay.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let of_levels = self.levels.iter_mut().flat_map(|level| level.requeued.iter_mut().chain(&mut level.fresh));
        self.returned.iter_mut().chain(of_levels)
    }

    fn level(&mut self, priority: u8) -> &mut Level {
        let at = self.levels.partition_point(|level| level.priority > priority);
        if self.levels.get(at).is_none_or(|level| level.priority != priority) {
            self.levels.insert(at, Level { priority, ..Level::default() });
        }
        #[expect(clippy::indexing_slicing, reason = "a level of this priority stands at this place now")]
        &mut self.levels[at]
    }

    fn add_up(&mut self, entry: &Entry) {
        self.count += 1;
        self.bytes += entry.body_bytes();
    }

    fn subtract(&mut self, entry: &Entry) {
        self.count -= 1;
        self.bytes -= entry.body_bytes();
    }
}
