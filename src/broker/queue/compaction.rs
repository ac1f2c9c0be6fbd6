//! What a queue does when segment files are rewritten: its parts and entries get new places.

use rustc_hash::FxHashMap;

use super::Queue;
use super::paged::{Replacement, Unread};
use super::paging::{Moved, MovedPart};
use crate::store::address::{Address, SegmentId};
use crate::store::checkpoint::Part;
use crate::store::record::Freed;
use crate::store::segments::Written;

/// A message that was rewritten.
#[derive(Clone, Copy, Debug)]
pub struct CompactedRecord {
    /// Where its record began in the old file.
    pub old_offset: u32,
    /// Where it is now.
    pub written: Written,
    /// Its place in the order of the queue.
    pub seq: u64,
    /// Bytes of the body.
    pub body_bytes: u32,
    /// When it expires.
    pub expires_at_ms: u64,
    /// It survives a restart.
    pub is_stored: bool,
}

/// A part that was rewritten, and what of it was still wanted.
#[derive(Clone, Debug)]
pub struct Compacted {
    /// The part as it was.
    pub part: Part,
    /// Its messages, in their order.
    pub records: Vec<CompactedRecord>,
}

impl CompactedRecord {
    /// What it takes in the new file, to be freed.
    pub fn freed(&self) -> Freed {
        let Written { segment, offset, bytes } = self.written;
        let body_bytes = if self.is_stored { u64::from(self.body_bytes) } else { 0 };
        let (end, stored) = (offset.saturating_add(bytes), u32::from(self.is_stored));
        Freed { segment, start: offset, end, stored, body_bytes }
    }

    /// Where it is now.
    pub const fn address(&self) -> Address {
        Address::in_segment(self.written.segment, self.written.offset)
    }
}

impl Compacted {
    /// The new parts: one for each file.
    fn moved(&self) -> Vec<(MovedPart, &[CompactedRecord])> {
        let of_file = self.records.chunk_by(|one, next| one.written.segment == next.written.segment);
        let moved = |records: &CompactedRecord| Moved {
            seq: records.seq,
            offset: records.written.offset,
            bytes: records.written.bytes,
            body_bytes: records.body_bytes,
            expires_at_ms: records.expires_at_ms,
            is_stored: records.is_stored,
        };
        let part = |records: &'_ [CompactedRecord]| {
            let segment = records.first().map_or_else(SegmentId::default, |record| record.written.segment);
            MovedPart { level: self.part.level, segment, records: records.iter().map(moved).collect() }
        };
        of_file.map(|records| (part(records), records)).collect()
    }
}

impl Queue {
    /// The parts that lie in these files.
    pub fn parts_in(&self, segments: &[SegmentId]) -> Vec<Part> {
        let levels = self.ready.levels().iter();
        levels.flat_map(|level| level.paged.all()).filter(|part| segments.contains(&part.segment)).collect()
    }

    /// Takes over the new places. What is not wanted any more is to be freed.
    pub fn compacted(&mut self, compacted: &[Compacted]) -> Vec<Freed> {
        let mut known = self.replace_parts(compacted);
        let unacked = self.unacked.iter_mut().map(|unacked| &mut unacked.entry);
        let one_by_one = self.ready.requeued_mut().chain(unacked).chain(self.held_back.values_mut());
        // Not in steps, because an entry could go from what is not looked at yet to what was, and keep a place that is free then. Where
        // all is unread, none is looked at. If a million are known one by one, it takes 20 ms, and 100 ms if a quarter of them
        // gets new places (a list and a table of these sizes alone, optimised).
        for entry in one_by_one.chain(self.dying.iter_mut()) {
            if known.is_empty() {
                break;
            }
            if let Some(record) = known.remove(&entry.address) {
                entry.address = record.address();
            }
        }
        let mut freed: Vec<_> = known.into_values().map(|record| record.freed()).collect();
        freed.sort_by_key(|freed| (freed.segment, freed.start));
        freed
    }

    /// Replaces the parts. The result are their messages that were read already, by their old places.
    fn replace_parts(&mut self, compacted: &[Compacted]) -> FxHashMap<Address, CompactedRecord> {
        let mut known = FxHashMap::default();
        let mut left: FxHashMap<Part, &Compacted> = compacted.iter().map(|one| (one.part, one)).collect();
        let mut missing = (0, 0);
        for level in self.ready.levels_mut() {
            let replace =
                |part: &Part, unread: Option<&Unread>| Some(left.remove(part)?.replacement(unread, &mut known));
            let (count, body_bytes) = level.paged.replace(replace);
            missing = (missing.0 + count, missing.1 + body_bytes);
        }
        self.ready.forget_missing(missing);
        // A part that is not there any more has nothing unread. Its messages are settled, or known one by one.
        for compacted in left.into_values() {
            let read = compacted.replacement(None, &mut known).read;
            let level = self.ready.level(compacted.part.level);
            read.into_iter().for_each(|part| level.paged.push_read(part));
        }
        known
    }
}

impl Compacted {
    /// What takes the place of the part. Its messages that were read already are added to `known`, by their old places.
    fn replacement(&self, old: Option<&Unread>, known: &mut FxHashMap<Address, CompactedRecord>) -> Replacement {
        let (cursor, is_restored) = old.map_or((u32::MAX, false), |unread| (unread.cursor, unread.is_restored));
        let mut replacement = Replacement::default();
        for (moved, records) in self.moved() {
            let split = records.partition_point(|one| one.old_offset < cursor);
            let (taken, left) = records.split_at(split);
            let old_address = |one: &CompactedRecord| Address::in_segment(self.part.segment, one.old_offset);
            known.extend(taken.iter().map(|one| (old_address(one), *one)));
            match left.first() {
                None => replacement.read.push(moved.part()),
                Some(first) => {
                    let stored = sum(left.iter().filter(|one| one.is_stored));
                    // What an earlier run did not store is not there.
                    let (count, body_bytes) = if is_restored { stored } else { sum(left.iter()) };
                    let (part, cursor) = (moved.part(), first.written.offset);
                    replacement.unread.push(Unread { part, cursor, count, body_bytes, stored, is_restored });
                }
            }
        }
        replacement
    }
}

/// How many messages, and bytes of their bodies.
fn sum<'a>(records: impl Iterator<Item = &'a CompactedRecord>) -> (u32, u64) {
    records.fold((0, 0), |(count, bytes), one| (count + 1, bytes + u64::from(one.body_bytes)))
}
