//! One priority level: what came back, what is in files only, and what is fresh.

use super::fresh::FreshRun;
use crate::broker::queue::entry::Entry;
use crate::broker::queue::paged::Paged;
use crate::broker::queue::sorted_run::SortedRun;
use crate::store::address::Place;
use crate::store::journal::Extent;
use crate::store::loader::{BLOCK_BYTES, Load};

/// What is at the head of a level, or of all.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker::queue) enum Head<'a> {
    /// A message in memory.
    InMemory(&'a Entry),
    /// A message in a segment file: known one by one, or the first of a part.
    OnDisk(Option<&'a Entry>),
}

impl Head<'_> {
    pub(super) fn of(entry: &Entry) -> Head<'_> {
        if entry.is_on_disk() { Head::OnDisk(Some(entry)) } else { Head::InMemory(entry) }
    }
}

#[derive(Debug, Default)]
pub(in crate::broker::queue) struct Level {
    pub(in crate::broker::queue) priority: u8,
    pub(in crate::broker::queue) requeued: SortedRun,
    /// What those in `requeued` count for the limit in bytes.
    pub(super) requeued_bytes: u64,
    pub(in crate::broker::queue) paged: Paged,
    pub(in crate::broker::queue) fresh: FreshRun,
    /// What of this level is being read.
    pub(in crate::broker::queue) loading: Option<Load>,
}

impl Level {
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        assert!(self.requeued.iter().is_sorted_by(|one, next| one.seq < next.seq), "what came back is in order");
        self.fresh.check(self.priority);
        let mut bytes = 0;
        for entry in self.requeued.iter() {
            assert_eq!(entry.priority, self.priority, "each is in its level");
            bytes += u64::from(entry.counted_bytes);
        }
        assert_eq!(self.requeued_bytes, bytes, "what came back, counted in bytes");
    }

    pub(in crate::broker::queue) fn head(&self) -> Option<Head<'_>> {
        if let Some(entry) = self.requeued.front() {
            return Some(Head::of(entry));
        }
        if !self.paged.is_empty() {
            return Some(Head::OnDisk(None));
        }
        self.fresh.front().map(Head::of)
    }

    /// The head, if it is known one by one.
    pub(super) fn head_entry(&self) -> Option<&Entry> {
        match self.head()? {
            Head::InMemory(entry) | Head::OnDisk(Some(entry)) => Some(entry),
            Head::OnDisk(None) => None,
        }
    }

    /// The earliest time at which the head can expire.
    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        match self.head()? {
            Head::InMemory(entry) => Some(entry.expires_at_ms),
            // What is being read is looked at when it is there.
            Head::OnDisk(_) if self.loading.is_some() => None,
            Head::OnDisk(Some(entry)) => Some(entry.expires_at_ms),
            Head::OnDisk(None) => self.paged.front().map(|unread| unread.part.expires_min_ms),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        if let Some(entry) = self.requeued.pop_front() {
            self.requeued_bytes -= u64::from(entry.counted_bytes);
            return Some(entry);
        }
        // What is in files comes before everything fresh, so a level waits for it.
        if self.paged.is_empty() { self.fresh.pop_front() } else { None }
    }

    pub(super) fn requeue(&mut self, entries: Vec<Entry>) {
        self.requeued_bytes += entries.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
        self.requeued.merge(entries);
    }

    /// Adds what was read back from a part: it follows everything that was read before.
    pub(in crate::broker::queue) fn push_read_back(&mut self, entry: Entry) {
        self.requeued_bytes += u64::from(entry.counted_bytes);
        self.requeued.push_back(entry);
    }

    /// What to read so that there is a head in memory, or soon.
    pub(super) fn next_load(&self, ahead_bytes: u64) -> Option<Load> {
        if self.loading.is_some() {
            return None;
        }
        match self.requeued.front() {
            Some(head) if head.is_on_disk() => neighbours(self.requeued.iter(), self.priority),
            // There is enough at hand for the time that a read takes.
            Some(_) if self.requeued_bytes >= ahead_bytes => None,
            Some(_) | None => self.paged.next_load(self.priority),
        }
    }
}

/// The messages from the front on that lie side by side in their file, a block of them at most.
pub(in crate::broker::queue) fn neighbours<'a>(entries: impl Iterator<Item = &'a Entry>, level: u8) -> Option<Load> {
    let mut stretches = entries.map_while(|entry| entry.extent().filter(|_| entry.is_on_disk()));
    let mut load = stretch(&stretches.next()?, level)?;
    for extent in stretches {
        match stretch(&extent, level) {
            // Up to a block: what is read in one piece is bounded, whatever lies side by side.
            Some(next)
                if next.segment == load.segment && next.start == load.end && next.end - load.start <= BLOCK_BYTES =>
            {
                load.end = next.end;
            }
            _ => break,
        }
    }
    Some(load)
}

pub(in crate::broker::queue) fn stretch(extent: &Extent, level: u8) -> Option<Load> {
    match extent.address.place() {
        Place::Segment(segment, start) => Some(Load { level, segment, start, end: start.saturating_add(extent.bytes) }),
        Place::Log(_) | Place::Nowhere => None,
    }
}
