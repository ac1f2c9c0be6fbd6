//! Fresh messages that were written to a file: from now on they are a part of it, and not known one by one.

use super::{Moved, MovedPart, Queue, Unread};
use crate::broker::queue::ready::Level;
use crate::broker::queue::relocation::Relocation;
use crate::message::MessageSum;
use crate::store::seq::Seq;

impl MovedPart {
    /// Of the part, what is not read: these messages, which are the last ones.
    fn unread(&self, left: &[Moved]) -> Unread {
        let part = self.part();
        let one = |record: &Moved| MessageSum::one(u64::from(record.body_bytes));
        Unread {
            part,
            cursor: left.first().map_or(part.end, |first| first.offset),
            all: left.iter().map(one).sum(),
            stored: left.iter().filter(|record| record.is_stored).map(one).sum(),
            is_restored: false,
        }
    }
}

impl Queue {
    /// Takes the fresh messages out that are in this part; what of the part is not fresh any more is to be looked for.
    pub(super) fn take_fresh(&mut self, moved: &MovedPart) {
        let level = self.order.ready.level(moved.level);
        let first_fresh = level.fresh.front().map_or(Seq::BEHIND_ALL, |entry| entry.seq);
        // Those before the first fresh one were delivered while the file was written. Their records are in the
        // part, in front of what is unread.
        let split = moved.records.partition_point(|record| record.seq < first_fresh);
        let (taken, left) = moved.records.split_at(split);
        let (mut fresh, mut property_bytes) = (Vec::with_capacity(left.len()), 0);
        if let Some(last) = left.last() {
            // All up to the last that was written: none between them can be one that was not, but for those
            // that were chosen and taken out.
            level.fresh.take_up_to(last.seq, |entry| {
                property_bytes += entry.counted_property_bytes();
                fresh.push(entry.seq);
            });
        }
        // The usual case: what is left of the part is its end, and one cursor says where it begins.
        let is_whole = fresh.len() == left.len();
        level.paged.add_property_bytes(property_bytes);
        if is_whole {
            level.paged.push(moved.unread(left));
        } else {
            push_runs(level, moved, split, &fresh);
        }
        if let Some(Relocation::ToFiles(wanted)) = self.backing.relocation() {
            let is_fresh = |record: &&Moved| is_whole || fresh.binary_search(&record.seq).is_ok();
            // Whoever was taken out by choice is somewhere in the queue, or gone: the walk tells.
            let others = left.iter().filter(|record| !is_fresh(record));
            wanted.extend(taken.iter().chain(others).map(|record| moved.place(record)));
        }
        if let Some(last) = moved.records.last() {
            // Also if all were delivered meanwhile: the mark says what the log need not have, and their
            // records are in the file.
            self.backing.note_moved(moved.level, last.seq);
        }
    }
}

/// Some were taken out by choice while the part was written. What is read back later must not bring them again: each run of those that
/// are there is a part of its own, and each of the others, as if it had been read.
fn push_runs(level: &mut Level, moved: &MovedPart, split: usize, fresh: &[Seq]) {
    let (taken, left) = moved.records.split_at(split);
    push_read(level, moved, taken);
    let is_fresh = |record: &Moved| fresh.binary_search(&record.seq).is_ok();
    for run in left.chunk_by(|one, next| is_fresh(one) == is_fresh(next)) {
        if run.first().is_some_and(is_fresh) {
            let part = MovedPart { level: moved.level, segment: moved.segment, records: run.to_vec() };
            level.paged.push(part.unread(run));
        } else {
            push_read(level, moved, run);
        }
    }
}

fn push_read(level: &mut Level, moved: &MovedPart, records: &[Moved]) {
    if !records.is_empty() {
        let part = MovedPart { level: moved.level, segment: moved.segment, records: records.to_vec() };
        level.paged.push_read(part.part());
    }
}
