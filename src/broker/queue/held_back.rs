//! Returned messages that a quorum queue holds back before it delivers them again (behaviour reference 6.5).

use std::collections::BTreeMap;

use super::entry::Entry;
use crate::store::seq::Seq;

/// Messages by the time when they are due and their place in the queue.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    // Messages of one time leave in the order of the queue.
    by_due: BTreeMap<(u64, Seq), Entry>,
    /// What they count for the limit in bytes.
    bytes: u64,
}

impl HeldBack {
    pub(super) fn len(&self) -> usize {
        self.by_due.len()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn insert(&mut self, due_ms: u64, entry: Entry) {
        self.bytes += u64::from(entry.counted_bytes);
        self.by_due.insert((due_ms, entry.seq), entry);
    }

    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<Entry> {
        let entry = self.by_due.first_entry().filter(|due| due.key().0 <= now_ms)?.remove();
        self.bytes -= u64::from(entry.counted_bytes);
        Some(entry)
    }

    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.by_due.keys().next().map(|&(due_ms, _)| due_ms)
    }

    /// With when each is due.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.by_due.iter().map(|((due_ms, _), entry)| (*due_ms, entry))
    }

    /// From this place on, by the time when they are due and the sequence number.
    pub(super) fn iter_from_mut(&mut self, place: (u64, Seq)) -> impl Iterator<Item = (&(u64, Seq), &mut Entry)> {
        self.by_due.range_mut(place..)
    }

    /// Panics if the sum of bytes is wrong, or a message stands where its number does not belong. Only in tests and debug builds.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        let bytes: u64 = self.by_due.values().map(|entry| u64::from(entry.counted_bytes)).sum();
        assert_eq!(self.bytes, bytes, "counted in bytes");
        assert!(self.by_due.iter().all(|((_, seq), entry)| *seq == entry.seq), "each is where its number says");
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = Entry> {
        self.by_due.into_values()
    }
}
