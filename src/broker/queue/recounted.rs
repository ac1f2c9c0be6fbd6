//! Counts of deliveries that changed since the message was written to its segment file: checkpoints tell of them.

use rustc_hash::FxHashMap;

use crate::broker::sink::DeliveryCounts;
use crate::store::record::Counts;

/// What was counted of messages in segment files, by their places in the queue. Most queues never have any.
#[derive(Debug, Default)]
pub(super) struct Recounted(Option<Box<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    /// Of messages that are known one by one.
    known: FxHashMap<u64, Counts>,
    /// What the store found at the start, of messages that were not read since. Some may be gone: the store cannot tell.
    unread: FxHashMap<u64, Counts>,
}

impl Recounted {
    pub(super) fn restored(counts: impl IntoIterator<Item = (u64, Counts)>) -> Self {
        let unread: FxHashMap<_, _> = counts.into_iter().collect();
        let counted = Counted { known: FxHashMap::default(), unread };
        Self((!counted.unread.is_empty()).then(|| Box::new(counted)))
    }

    pub(super) fn note(&mut self, seq: u64, counts: DeliveryCounts) {
        self.0.get_or_insert_default().known.insert(seq, (counts.acquired, counts.failed));
    }

    /// A message was read that the store found at the start: hands out what was counted since it was written.
    pub(super) fn read(&mut self, seq: u64) -> Option<DeliveryCounts> {
        let counted = self.0.as_mut()?;
        let counts = counted.unread.remove(&seq)?;
        counted.known.insert(seq, counts);
        Some(DeliveryCounts { acquired: counts.0, failed: counts.1 })
    }

    /// Everything was read that the store found at the start: the others are gone.
    pub(super) fn forget_unread(&mut self) {
        if let Some(counted) = &mut self.0 {
            counted.unread = FxHashMap::default();
        }
    }

    /// A message is gone.
    pub(super) fn forget(&mut self, seq: u64) {
        if let Some(counted) = &mut self.0 {
            counted.known.remove(&seq);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |counted| counted.known.len() + counted.unread.len())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Counts)> {
        let all = self.0.iter().flat_map(|counted| counted.known.iter().chain(&counted.unread));
        all.map(|(seq, counts)| (*seq, *counts))
    }
}
