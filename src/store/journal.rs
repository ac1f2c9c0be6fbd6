//! What one transition of one queue leaves to be recorded, collected under the queue's lock and appended before it is released:
//! so the log tells of each queue's changes in their order.

use smallvec::SmallVec;

use super::TransactionId;
use super::address::{Address, Place};
use super::marks::Marks;
use super::record::{Enqueued, EnqueuedWriter, Freed, Record, encode_freed, encode_settled};
use super::seq::{Seq, SeqRange};
use crate::message::DeliveryCounts;

/// The changes of one queue that are not in the log yet.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Nothing is recorded for a queue that is not durable; what it frees in segment files is noted all the same.
    is_kept: bool,
    queue: u64,
    transaction: TransactionId,
    /// Until where each level was delivered.
    delivered: Marks,
    /// Made with the first change, and kept: an idle queue has none.
    changes: Option<Box<Changes>>,
}

/// What is to be recorded.
#[derive(Debug, Default)]
struct Changes {
    enqueued: EnqueuedWriter,
    settled: Vec<SeqRange>,
    freed: Vec<Freed>,
    counted: Vec<(Seq, DeliveryCounts)>,
    /// Levels of `delivered` that moved since they were recorded.
    moved: SmallVec<[u8; 1]>,
}

/// What a message takes in a segment file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) address: Address,
    /// Bytes of its record.
    pub(crate) bytes: u32,
    /// Bytes of its body.
    pub(crate) body_bytes: u32,
    /// It survives a restart.
    pub(crate) is_stored: bool,
}

impl Journal {
    /// Nothing yet; `is_kept` when the queue is durable and so is the log.
    pub(crate) fn new(queue: u64, is_kept: bool) -> Self {
        Self { is_kept, queue, ..Self::default() }
    }

    /// Whether changes are recorded at all.
    pub(crate) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Records nothing any more; what is freed in segment files is noted all the same.
    pub(crate) const fn stop_keeping(&mut self) {
        self.is_kept = false;
    }

    /// What follows belongs to this transaction.
    pub(crate) const fn set_transaction(&mut self, transaction: TransactionId) {
        self.transaction = transaction;
    }

    /// A message was added.
    pub(crate) fn enqueued(&mut self, message: &Enqueued) {
        if self.is_kept {
            self.changes().enqueued.push(message);
        }
    }

    fn changes(&mut self) -> &mut Changes {
        self.changes.get_or_insert_default()
    }

    /// A message is gone: its record in the log counts no more.
    pub(crate) fn settled(&mut self, seq: Seq) {
        if self.is_kept {
            SeqRange::add_to(&mut self.changes().settled, seq);
        }
    }

    /// A message is gone: its record in a segment file is free.
    pub(crate) fn freed(&mut self, extent: &Extent) {
        let Place::Segment(segment, start) = extent.address.place() else { return };
        let end = start.saturating_add(extent.bytes);
        let (stored, body_bytes) =
            if extent.is_stored { (1, u64::from(extent.body_bytes)) } else { Default::default() };
        let freed = &mut self.changes().freed;
        // A queue that is consumed in order frees records side by side: they become one stretch,
        // and one entry in the log.
        match freed.last_mut() {
            Some(last) if last.segment == segment && last.end == start => {
                last.end = end;
                last.stored += stored;
                last.body_bytes += body_bytes;
            }
            _ => freed.push(Freed { segment, start, end, stored, body_bytes }),
        }
    }

    /// A stretch of a segment file is free.
    pub(crate) fn freed_stretch(&mut self, freed: Freed) {
        // Also when nothing is kept: the space is to be used again while the broker runs.
        self.changes().freed.push(freed);
    }

    /// A message came back, or was rejected.
    pub(crate) fn counted(&mut self, seq: Seq, counts: DeliveryCounts) {
        if self.is_kept {
            self.changes().counted.push((seq, counts));
        }
    }

    /// A message of this level was delivered.
    pub(crate) fn delivered(&mut self, level: u8, seq: Seq) {
        // Only a message that comes for the first time raises the mark. What is delivered
        // again is counted instead.
        if !self.is_kept || !self.delivered.raise(level, seq.next()) {
            return;
        }
        let moved = &mut self.changes().moved;
        if !moved.contains(&level) {
            moved.push(level);
        }
    }

    /// Until where each level may have been delivered.
    pub(crate) fn delivered_marks(&self) -> &Marks {
        &self.delivered
    }

    /// Takes over the marks that were found at the start.
    pub(crate) fn restore_marks(&mut self, marks: Marks) {
        self.delivered = marks;
    }

    /// Whether there is nothing to append.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.as_ref().is_none_or(|changes| changes.is_empty())
    }

    /// Appends the records, and hands out what is free in segment files.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) -> Vec<Freed> {
        let (queue, transaction) = (self.queue, self.transaction);
        let Some(changes) = &mut self.changes else { return Vec::new() };
        // Additions first: a message that came and went in one transition must be there before its end is told.
        if !changes.enqueued.is_empty() {
            changes.enqueued.finish(queue, transaction, out);
        }
        // Where the mark is now: however many deliveries raised it, it is one record.
        for level in changes.moved.drain(..) {
            Record::Delivered { queue, level, below: self.delivered.below(level) }.encode(out);
        }
        for (seq, counts) in changes.counted.drain(..) {
            Record::Counted { queue, seq, counts }.encode(out);
        }
        if !changes.settled.is_empty() {
            encode_settled(queue, transaction, &changes.settled, out);
            changes.settled.clear();
        }
        let freed = std::mem::take(&mut changes.freed);
        // A start knows nothing of what does not survive it, so only the files are told of that.
        if self.is_kept && freed.iter().any(|range| range.stored > 0) {
            encode_freed(transaction, &freed, out);
        }
        freed
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.enqueued.is_empty()
            && self.settled.is_empty()
            && self.freed.is_empty()
            && self.moved.is_empty()
            && self.counted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::SegmentId;
    use super::super::record::records;
    use super::*;

    fn taken(journal: &mut Journal) -> (Vec<u8>, Vec<Freed>) {
        let mut bytes = Vec::new();
        let freed = journal.take(&mut bytes);
        (bytes, freed)
    }

    #[test]
    fn neighbours_are_settled_and_freed_together() {
        let mut journal = Journal::new(7, true);
        for seq in [3, 4, 5, 9] {
            journal.settled(Seq(seq));
        }
        for at in [0, 10, 20, 50] {
            let address = Address::in_segment(SegmentId(1), at);
            journal.freed(&Extent { address, bytes: 10, body_bytes: 4, is_stored: at != 10 });
        }
        let (bytes, freed) = taken(&mut journal);
        let first = Freed { segment: SegmentId(1), start: 0, end: 30, stored: 2, body_bytes: 8 };
        let second = Freed { segment: SegmentId(1), start: 50, end: 60, stored: 1, body_bytes: 4 };
        assert_eq!(freed, [first, second]);
        let read: Vec<_> = records(&bytes).flatten().collect();
        let settled = Record::Settled {
            queue: 7,
            transaction: TransactionId::NONE,
            ranges: vec![SeqRange { first: Seq(3), last: Seq(5) }, SeqRange::one(Seq(9))],
        };
        assert_eq!(read, [settled, Record::Freed { transaction: TransactionId::NONE, freed }]);
        assert!(journal.is_empty());
    }

    #[test]
    fn a_delivery_mark_is_recorded_when_it_moves() {
        let mut journal = Journal::new(7, true);
        journal.delivered(0, Seq(4));
        journal.delivered(0, Seq(2));
        let (bytes, _) = taken(&mut journal);
        let mark = Record::Delivered { queue: 7, level: 0, below: Seq(5) };
        assert_eq!(records(&bytes).flatten().collect::<Vec<_>>(), [mark]);
        journal.delivered(0, Seq(4));
        assert!(journal.is_empty());
    }

    #[test]
    fn a_queue_that_is_not_kept_only_frees() {
        let mut journal = Journal::new(7, false);
        journal.settled(Seq(1));
        journal.delivered(0, Seq(1));
        journal.enqueued(&Enqueued::default());
        assert!(journal.is_empty());
        let address = Address::in_segment(SegmentId(1), 8);
        journal.freed(&Extent { address, bytes: 8, body_bytes: 0, is_stored: false });
        let (bytes, freed) = taken(&mut journal);
        assert!(bytes.is_empty() && freed.len() == 1);
    }
}
