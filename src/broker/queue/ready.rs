//! The order of ready messages: priorities, first in first out, and requeue to the original place.
//!
//! Each priority level is three sorted runs, one behind the other:
//!
//! ```text
//!   requeued: came back, or was read back     paged: in segment files only     fresh: never delivered, in memory
//! ```
//!
//! Whatever comes back was taken from the head, so it precedes everything else of its level. Quorum queues have a fourth place in
//! front of all levels (`returned`), because there a returned message goes to the front in the order of return, whatever
//! its priority (behaviour reference 5.6).

mod chosen;
mod fresh;
mod level;
mod loading;

use std::sync::Arc;

pub(super) use chosen::CHOSEN_AMONG_MAX;
use fresh::FreshRun;
pub(super) use level::{Head, Level, neighbours, stretch};
use smallvec::SmallVec;

use super::arguments::QueueKind;
use super::entry::{Entry, Persistent};
use super::paged::{Cleared, Missing, Unread};
use super::pieces::Pieces;
use super::sorted_run::SortedRun;
use crate::store::loader::Load;
use crate::store::seq::Seq;

/// The ready messages of a queue, in the order of delivery.
#[derive(Debug, Default)]
pub(super) struct Ready {
    returned: Pieces<Entry>,
    /// What is being read of them.
    loading_returned: Option<Load>,
    /// Highest priority first; a queue without priorities has one level.
    levels: SmallVec<[Level; 1]>,
    count: usize,
    bytes: u64,
    persistent: Persistent,
    /// Whether each level has a head of its own that can expire, or only the queue has one.
    levels_expire: bool,
    /// With fewer bytes of bodies at hand, the next block is read ahead; known since one was read.
    ahead_bytes: u64,
}

impl Ready {
    /// None yet. A quorum queue looks at the head of each level for what is expired, a classic one at the head of all
    /// (behaviour reference 6.1).
    pub(super) fn new(kind: QueueKind) -> Self {
        Self { levels_expire: kind.rules().levels_expire, ..Self::default() }
    }

    /// The levels whose heads can expire.
    fn expiring(&self) -> impl Iterator<Item = &Level> {
        // Of a classic queue the head of the highest level that has one is the head of all.
        let count = if self.levels_expire { usize::MAX } else { 1 };
        self.levels.iter().filter(|level| level.head().is_some()).take(count)
    }

    fn expiring_mut(&mut self) -> impl Iterator<Item = &mut Level> {
        let count = if self.levels_expire { usize::MAX } else { 1 };
        self.levels.iter_mut().filter(|level| level.head().is_some()).take(count)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many of them are known one by one, and so take memory.
    pub(super) fn known_len(&self) -> usize {
        self.count.saturating_sub(self.levels.iter().map(|level| level.paged.unread_count()).sum())
    }

    /// How many parts of segment files are not read to their ends.
    pub(super) fn unread_part_count(&self) -> usize {
        self.levels.iter().map(|level| level.paged.unread_part_count()).sum()
    }

    /// What they count for the limit in bytes. A part that was written by an earlier run counts with its bodies until it is read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those of them that survive a restart.
    pub(super) const fn persistent(&self) -> Persistent {
        self.persistent
    }

    /// What those that are known one by one count for the limit in bytes.
    pub(super) fn known_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.levels.iter().map(|level| level.paged.unread_bytes()).sum())
    }

    /// Adds a message that was never in this queue before.
    pub(super) fn push(&mut self, entry: Entry) {
        self.add_up(&entry);
        self.level(entry.priority).fresh.push_back(entry);
    }

    /// Adds messages that are in segment files only.
    pub(super) fn push_unread(&mut self, unread: Unread) {
        self.count += unread.all.messages as usize;
        self.bytes += unread.all.body_bytes;
        self.persistent.add_part(unread.stored);
        self.level(unread.part.level).paged.push(unread);
    }

    /// Puts delivered messages back to their original places.
    pub(super) fn requeue(&mut self, mut entries: Vec<Entry>) {
        // One sort and one merge a level, so that a thousand that come back cost no search each.
        entries.sort_by_key(|entry| (entry.priority, entry.seq));
        for entry in &entries {
            self.add_up(entry);
        }
        while let Some(last) = entries.last() {
            let priority = last.priority;
            let from = entries.partition_point(|entry| entry.priority < priority);
            // From the end, so that nothing in front is moved.
            let of_level = entries.split_off(from);
            self.level(priority).requeue(of_level);
        }
    }

    /// Puts a delivered message in front of everything but what was returned before it.
    pub(super) fn push_returned(&mut self, entry: Entry) {
        self.add_up(&entry);
        self.returned.push_back(entry);
    }

    pub(super) fn head(&self) -> Option<Head<'_>> {
        match self.returned.front() {
            Some(entry) => Some(Head::of(entry)),
            None => self.levels.iter().find_map(Level::head),
        }
    }

    /// The `timestamp` of the first message, if it has one and is in memory.
    pub(super) fn head_timestamp(&self) -> Option<u64> {
        match self.head()? {
            Head::InMemory(entry) => entry.message()?.properties().timestamp(),
            Head::OnDisk(_) => None,
        }
    }

    /// Takes the head, if it is known one by one.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = match self.returned.pop_front() {
            Some(entry) => Some(entry),
            // The first level with a head, also if that is in a file: `Level::pop` gives none then, and no
            // lower level may be delivered before it.
            None => self.levels.iter_mut().find(|level| level.head().is_some()).and_then(Level::pop),
        }?;
        self.subtract(&entry);
        Some(entry)
    }

    /// Takes a head for which `is_due` holds.
    pub(super) fn pop_due(&mut self, is_due: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let entry = if self.returned.front().is_some_and(&is_due) {
            self.returned.pop_front()
        } else {
            self.expiring_mut().find(|level| level.head_entry().is_some_and(&is_due)).and_then(Level::pop)
        }?;
        self.subtract(&entry);
        Some(entry)
    }

    /// Takes off a whole part at the head of its level, if everything that is not read of it is due before `limit_ms`.
    pub(super) fn pop_due_part(&mut self, limit_ms: u64) -> Option<Unread> {
        let is_due = |level: &&mut Level| {
            // What is read back goes before the part, and a block of it that is being read will be there soon:
            // those are dropped one by one.
            let is_head = level.requeued.is_empty() && level.loading.is_none();
            is_head && level.paged.front().is_some_and(|unread| unread.part.expires_max_ms < limit_ms)
        };
        let paged = &mut self.expiring_mut().find(is_due)?.paged;
        // Before the part is taken off: its share of the properties is counted by all that are there.
        let property_bytes = paged.drop_property_bytes();
        let unread = paged.pop()?;
        self.count -= unread.all.messages as usize;
        self.bytes = self.bytes.saturating_sub(unread.all.body_bytes + property_bytes);
        self.persistent.subtract_part(unread.stored);
        Some(unread)
    }

    /// When the first of the heads expires, at the earliest.
    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        let heads = self.expiring().filter_map(Level::next_expiry_ms);
        // What is being read is looked at when it is there.
        let is_waiting = |entry: &&Entry| !entry.is_on_disk() || self.loading_returned.is_none();
        let returned = self.returned.front().filter(is_waiting).map(|entry| entry.expires_at_ms);
        heads.chain(returned).min().filter(|&at| at != u64::MAX)
    }

    /// What was counted and is not there after all.
    pub(super) fn forget_missing(&mut self, missing: Missing) {
        self.count = self.count.saturating_sub(missing.all.messages as usize);
        self.bytes = self.bytes.saturating_sub(missing.all.body_bytes);
        self.persistent.subtract_part(missing.stored);
    }

    /// Takes out everything: how many messages, those of them that were known one by one, and the parts that have the others.
    pub(super) fn take_all(&mut self) -> (usize, impl Iterator<Item = Entry> + Send + use<>, Vec<Arc<Cleared>>) {
        let returned = std::mem::take(&mut self.returned);
        let (mut requeued, mut fresh, mut cleared) = (Vec::new(), Vec::new(), Vec::new());
        for level in &mut self.levels {
            requeued.push(std::mem::take(&mut level.requeued));
            fresh.push(std::mem::take(&mut level.fresh));
            // `loading` stays. What arrives for it finds no part that expects it, and is dropped.
            level.requeued_bytes = 0;
            cleared.extend(level.paged.clear());
        }
        let count = std::mem::take(&mut self.count);
        (self.bytes, self.persistent) = (0, Persistent::default());
        let requeued = requeued.into_iter().flat_map(SortedRun::into_entries);
        (
            count,
            returned.into_things().chain(requeued).chain(fresh.into_iter().flat_map(FreshRun::into_entries)),
            cleared,
        )
    }

    /// The first `count` of those in front of all levels, the last of them first; and the levels. To be changed in place; the order and
    /// the sizes must stay.
    pub(super) fn rooms_mut(&mut self, count: usize) -> (impl Iterator<Item = (usize, &mut Entry)>, &mut [Level]) {
        (self.returned.first_mut(count), &mut self.levels)
    }

    /// One that came back to its level, or was read back; to be changed in place.
    pub(super) fn requeued_mut(&mut self, level: u8, seq: Seq) -> Option<&mut Entry> {
        self.levels.iter_mut().find(|there| there.priority == level)?.requeued.get_mut(seq)
    }

    /// The first of those in front of all levels, to be changed in place.
    pub(super) fn returned_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.returned.iter_mut().take(CHOSEN_AMONG_MAX)
    }

    /// The entries that are known one by one and not fresh.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn requeued(&self) -> impl Iterator<Item = &Entry> {
        self.returned.iter().chain(self.levels.iter().flat_map(|level| level.requeued.iter()))
    }

    /// Takes out entries that are known one by one and not fresh, from the front of those in front of all levels and of this level.
    pub(super) fn remove_in_front(&mut self, level: u8, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut removed = Vec::new();
        let is_in_front = |_: &_, before| before < CHOSEN_AMONG_MAX;
        self.returned.take_some(is_in_front, |_, entry| is_wanted(entry), &mut removed);
        if let Some(level) = self.levels.iter_mut().find(|there| there.priority == level) {
            let before = removed.len();
            level.requeued.take_in_front(CHOSEN_AMONG_MAX, &is_wanted, &mut removed);
            let of_level = removed.get(before..).unwrap_or_default();
            level.requeued_bytes -= of_level.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
        }
        for entry in &removed {
            self.subtract(entry);
        }
        removed
    }

    /// Those in front of all levels.
    pub(super) const fn returned(&self) -> &Pieces<Entry> {
        &self.returned
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    pub(super) fn levels_mut(&mut self) -> &mut [Level] {
        &mut self.levels
    }

    /// Counts properties that are known only now, and not those that are not there after all.
    pub(super) fn learn_property_bytes(&mut self, bytes: u64, missing: u64) {
        self.bytes = (self.bytes + bytes).saturating_sub(missing);
    }

    /// Bytes of fresh messages, which can be written to segment files.
    pub(super) fn fresh_bytes(&self) -> u64 {
        let others = |level: &Level| level.requeued_bytes + level.paged.unread_bytes();
        // By subtraction, so that a publish need not keep one sum more.
        self.bytes.saturating_sub(self.levels.iter().map(others).sum())
    }

    pub(super) fn level(&mut self, priority: u8) -> &mut Level {
        let at = self.levels.partition_point(|level| level.priority > priority);
        if self.levels.get(at).is_none_or(|level| level.priority != priority) {
            // A level stays once it is there. There are 256 at most, and most queues have one.
            self.levels.insert(at, Level { priority, ..Level::default() });
        }
        #[expect(clippy::indexing_slicing, reason = "a level of this priority stands at this place now")]
        &mut self.levels[at]
    }

    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        self.returned.check();
        assert!(self.levels.is_sorted_by(|one, next| one.priority > next.priority), "levels by priority");
        self.levels.iter().for_each(Level::check);
        let unread: usize = self.levels.iter().map(|level| level.paged.unread_count()).sum();
        let (mut count, mut bytes, mut stored) = (0, 0, 0);
        // One loop for all of it: after every transition of a test somebody comes by here.
        for entry in self.requeued().chain(self.levels.iter().flat_map(|level| level.fresh.iter())) {
            count += 1;
            bytes += u64::from(entry.counted_bytes);
            stored += usize::from(entry.is_stored);
        }
        assert_eq!(self.count, count + unread, "counted");
        let unread_bytes: u64 = self.levels.iter().map(|level| level.paged.unread_bytes()).sum();
        assert_eq!(self.bytes, bytes + unread_bytes, "counted in bytes");
        let unread_stored: usize = self
            .levels
            .iter()
            .flat_map(|level| level.paged.unread())
            .map(|unread| unread.stored.messages as usize)
            .sum();
        assert_eq!(self.persistent.messages, stored + unread_stored, "counted as persistent");
    }

    fn add_up(&mut self, entry: &Entry) {
        self.count += 1;
        self.bytes += u64::from(entry.counted_bytes);
        self.persistent.add(entry);
    }

    pub(super) fn subtract(&mut self, entry: &Entry) {
        self.count -= 1;
        self.bytes -= u64::from(entry.counted_bytes);
        self.persistent.subtract(entry);
    }
}
