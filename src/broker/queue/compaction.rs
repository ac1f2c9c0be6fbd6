//! What a queue does when segment files are rewritten: its parts and messages get new places, in steps
//! ([`relocation`](super::relocation)).

use std::collections::hash_map;

use rustc_hash::FxHashMap;

use super::Queue;
use super::paged::{Replacement, Replacing, Unread};
use super::paging::{Moved, MovedPart};
use super::relocation::{NewPlace, Relocation};
use super::walk::{Spot, VISITED_AT_ONCE, Walk};
use crate::message::MessageSum;
use crate::store::address::{Address, SegmentId};
use crate::store::checkpoint::Part;
use crate::store::record::Freed;
use crate::store::segments::Written;
use crate::store::seq::Seq;

/// A message that was rewritten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompactedRecord {
    /// Where its record began in the old file.
    pub(crate) old_offset: u32,
    /// Where it is now.
    pub(crate) written: Written,
    /// Its place in the order of the queue.
    pub(crate) seq: Seq,
    /// Bytes of the body.
    pub(crate) body_bytes: u32,
    pub(crate) expires_at_ms: u64,
    /// It survives a restart.
    pub(crate) is_stored: bool,
}

/// A part that was rewritten, and what of it was still wanted.
#[derive(Clone, Debug)]
pub(crate) struct Compacted {
    /// The part as it was.
    pub(crate) part: Part,
    /// Its messages, in their order.
    pub(crate) records: Vec<CompactedRecord>,
}

impl CompactedRecord {
    fn place(&self) -> NewPlace {
        NewPlace { written: self.written, body_bytes: self.body_bytes, is_stored: self.is_stored }
    }

    /// What it takes in the new file, to be freed.
    pub(crate) fn freed(&self) -> Freed {
        self.place().freed()
    }

    /// Where it is now.
    pub(crate) const fn address(&self) -> Address {
        Address::in_segment(self.written.segment, self.written.offset)
    }
}

/// What of a part that was rewritten is in one file.
#[derive(Debug)]
struct Rewritten {
    part: Part,
    records: Vec<CompactedRecord>,
    all: MessageSum,
    stored: MessageSum,
}

impl Rewritten {
    fn new(level: u8, records: &[CompactedRecord]) -> Self {
        let moved = |record: &CompactedRecord| Moved {
            seq: record.seq,
            offset: record.written.offset,
            bytes: record.written.bytes,
            body_bytes: record.body_bytes,
            expires_at_ms: record.expires_at_ms,
            is_stored: record.is_stored,
        };
        let segment = records.first().map_or_else(SegmentId::default, |record| record.written.segment);
        let part = MovedPart { level, segment, records: records.iter().map(moved).collect() }.part();
        let stored = sum(records.iter().filter(|one| one.is_stored));
        Self { part, records: records.to_vec(), all: sum(records.iter()), stored }
    }
}

fn sum<'a>(records: impl Iterator<Item = &'a CompactedRecord>) -> MessageSum {
    records.map(|one| MessageSum::one(u64::from(one.body_bytes))).sum()
}

/// How far a queue knows the new places.
#[derive(Debug)]
pub(crate) struct Compacting {
    /// What takes the place of each part, until that is done.
    parts: FxHashMap<Part, Vec<Rewritten>>,
    /// The levels whose parts are not replaced.
    levels: Vec<u8>,
    /// How far those of the last one of these are.
    replacing: Replacing,
    /// What takes the place of parts that are not there any more.
    gone: Option<hash_map::IntoValues<Part, Vec<Rewritten>>>,
    /// What the walk is to find; the queue has it once the first step is done.
    wanted: Option<Relocation>,
    /// Old places of messages that are not read yet: they need not be found.
    unread: Vec<Address>,
    from: Spot,
    left: Option<Relocation>,
}

impl Compacting {
    /// Nothing is told yet.
    pub(crate) fn new(compacted: &[Compacted]) -> Self {
        let old_address = |of: &Compacted, one: &CompactedRecord| Address::in_segment(of.part.segment, one.old_offset);
        let places =
            compacted.iter().flat_map(|of| of.records.iter().map(move |one| (old_address(of, one), one.place())));
        // By the old addresses: a message that is known one by one knows where it is, not of which part it was.
        let wanted = Some(Relocation::Rewritten(places.collect()));
        let of_file = |of: &Compacted| {
            let files = of.records.chunk_by(|one, next| one.written.segment == next.written.segment);
            files.map(|records| Rewritten::new(of.part.level, records)).collect()
        };
        let parts = compacted.iter().map(|of| (of.part, of_file(of))).collect();
        Self {
            parts,
            levels: Vec::new(),
            replacing: Replacing::default(),
            gone: None,
            wanted,
            unread: Vec::new(),
            from: Spot::START,
            left: None,
        }
    }

    /// What takes the place of a part, if it was rewritten.
    fn replacement(&mut self, part: &Part, old: Option<&Unread>) -> Option<Replacement> {
        // Taken out: a part that is met a second time has its new name, which is not here.
        let rewritten = self.parts.remove(part)?;
        // No cursor means that all of it was read: no offset lies behind `u32::MAX`.
        let (cursor, is_restored) = old.map_or((u32::MAX, false), |unread| (unread.cursor, unread.is_restored));
        let mut replacement = Replacement::default();
        for Rewritten { part: new, records, all, stored } in rewritten {
            let read = records.partition_point(|one| one.old_offset < cursor);
            let left = records.get(read..).unwrap_or_default();
            // All of it is known one by one. The part stays known as long as some of its
            // messages are not settled.
            let Some(first) = left.first() else {
                replacement.read.push(new);
                continue;
            };
            let (all, stored) = if read == 0 {
                (all, stored)
            } else {
                (sum(left.iter()), sum(left.iter().filter(|one| one.is_stored)))
            };
            // What an earlier run did not store is not there.
            let all = if is_restored { stored } else { all };
            let cursor = first.written.offset;
            replacement.unread.push(Unread { part: new, cursor, all, stored, is_restored });
            self.unread.extend(left.iter().map(|one| Address::in_segment(part.segment, one.old_offset)));
        }
        Some(replacement)
    }

    /// What is not in the queue any more, to be freed, once all steps are done.
    pub(crate) fn into_freed(self) -> Vec<Freed> {
        debug_assert!(self.wanted.is_none(), "steps are missing");
        match self.left {
            Some(Relocation::Rewritten(mut places)) => {
                for address in &self.unread {
                    // These are in the queue, as part of a part, and not free.
                    places.remove(address);
                }
                Relocation::Rewritten(places).into_freed()
            }
            Some(Relocation::ToFiles(_)) | None => Vec::new(),
        }
    }
}

impl Queue {
    /// Takes over the new places of some messages; false when that was all.
    pub(crate) fn go_on_compacting(&mut self, compacting: &mut Compacting) -> bool {
        if let Some(wanted) = compacting.wanted.take() {
            self.backing.begin_walk(Walk::Relocation(wanted));
            // Once. A level that comes later has no part that is rewritten.
            compacting.levels = self.levels();
        }
        // Parts first. A message that is read from one in between is known one by one with its old address, and
        // the walk comes after it.
        if self.replace_some_parts(compacting) {
            return true;
        }
        if let Some(from) = self.relocate_some(compacting.from) {
            compacting.from = from;
            return true;
        }
        compacting.left = self.backing.end_relocation();
        false
    }

    /// Replaces some of the parts, each of which costs the same however many messages it has; false when there were none.
    fn replace_some_parts(&mut self, compacting: &mut Compacting) -> bool {
        let (mut budget, mut replacing) = (VISITED_AT_ONCE, std::mem::take(&mut compacting.replacing));
        while budget > 0
            && let Some(priority) = compacting.levels.last().copied()
        {
            let mut replacement = |part: &Part, unread: Option<&Unread>| compacting.replacement(part, unread);
            let paged = &mut self.order.ready.level(priority).paged;
            let (missing, goes_on) = paged.replace_some(&mut replacing, &mut budget, &mut replacement);
            self.order.ready.forget_missing(missing);
            if !goes_on {
                compacting.levels.pop();
                // The next level begins at its first chunk.
                replacing = Replacing::default();
            }
        }
        compacting.replacing = replacing;
        if !compacting.levels.is_empty() {
            return true;
        }
        // A part that is not there any more has nothing unread. Its messages are settled, or known one by one.
        let gone = compacting.gone.get_or_insert_with(|| std::mem::take(&mut compacting.parts).into_values());
        for rewritten in gone.take(budget).flatten() {
            budget = budget.saturating_sub(1);
            self.order.ready.level(rewritten.part.level).paged.push_read(rewritten.part);
        }
        budget < VISITED_AT_ONCE
    }
}
