//! Counts of deliveries that changed since the message was written to its segment file: checkpoints tell of them.

use rustc_hash::FxHashMap;

use crate::broker::sink::DeliveryCounts;
use crate::store::record::Counts;

/// What was counted of messages in segment files, by their places in the queue.
#[derive(Debug, Default)]
pub(super) struct Recounted {
    /// Of messages that are known one by one.
    known: FxHashMap<u64, Counts>,
    /// What the store found at the start, of messages that were not read since. Some may be gone: the store cannot tell.
    unread: FxHashMap<u64, Counts>,
}

impl Recounted {
    pub(super) fn restored(counts: impl IntoIterator<Item = (u64, Counts)>) -> Self {
        Self { known: FxHashMap::default(), unread: counts.into_iter().collect() }
    }

    pub(super) fn note(&mut self, seq: u64, counts: DeliveryCounts) {
        self.known.insert(seq, (counts.acquired, counts.failed));
    }

    /// A message was read that the store found at the start: hands out what was counted since it was written.
    pub(super) fn read(&mut self, seq: u64) -> Option<DeliveryCounts> {
        let counts = self.unread.remove(&seq)?;
        self.known.insert(seq, counts);
        Some(DeliveryCounts { acquired: counts.0, failed: counts.1 })
    }

    /// Everything was read that the store found at the start: the others are gone.
    pub(super) fn forget_unread(&mut self) {
        self.unread = FxHashMap::default();
    }

    /// A message is gone.
    pub(super) fn forget(&mut self, seq: u64) {
        self.known.remove(&seq);
    }

    pub(super) fn len(&self) -> usize {
        self.known.len() + self.unread.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Counts)> {
        self.known.iter().chain(&self.unread).map(|(seq, counts)| (*seq, *counts))
    }
}
