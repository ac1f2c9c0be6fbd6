//! One segment file, and what is free of it.

use std::collections::BTreeMap;

use crate::store::address::SegmentId;
use crate::store::record::Freed;
use crate::store::run::Run;

/// A segment file as a checkpoint knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its number, which is never given again.
    pub(crate) id: SegmentId,
    /// The run that made it.
    pub(crate) run: Run,
    /// Bytes that it has, at least.
    pub(crate) length: u64,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) known: SegmentFile,
    /// Bytes of all records.
    pub(super) bytes: u64,
    pub(super) free_bytes: u64,
    /// Start, and what [`Freed`] says beside it.
    pub(super) free: BTreeMap<u32, Freed>,
    /// It is being written, and must not go.
    pub(super) is_open: bool,
    /// The system was not asked to forget it.
    pub(super) is_cached: bool,
}

impl Segment {
    /// One without records.
    pub(super) const fn new(known: SegmentFile) -> Self {
        Self { known, bytes: 0, free_bytes: 0, free: BTreeMap::new(), is_open: true, is_cached: true }
    }

    /// One that an earlier run wrote. What of it is still in the system's cache is not ours to say.
    pub(super) const fn restored(known: SegmentFile, bytes: u64) -> Self {
        Self { known, bytes, free_bytes: 0, free: BTreeMap::new(), is_open: false, is_cached: false }
    }

    /// Whether everything in it is free, and nothing more comes.
    pub(super) const fn is_empty(&self) -> bool {
        !self.is_open && self.free_bytes >= self.bytes
    }

    /// Stretches that touch become one. What is left of a part that was read from a checkpoint may have holes that are free
    /// already, and these may be one with what lies before it: each byte is counted once.
    pub(super) fn free(&mut self, range: Freed) {
        let mut merged = range;
        while let Some((&start, &old)) =
            self.free.range(..=merged.end).next_back().filter(|(_, old)| old.end >= merged.start)
        {
            // Free already, as when the log is read again.
            if start <= range.start && old.end >= range.end {
                return;
            }
            // It is added again as part of the merged one. Most often one neighbour is found:
            // what is consumed in order.
            self.free.remove(&start);
            self.free_bytes -= u64::from(old.end - old.start);
            merged = Freed {
                start: merged.start.min(start),
                end: merged.end.max(old.end),
                stored: merged.stored.saturating_add(old.stored),
                body_bytes: merged.body_bytes.saturating_add(old.body_bytes),
                ..merged
            };
        }
        self.free_bytes += u64::from(merged.end - merged.start);
        self.free.insert(merged.start, merged);
    }
}
