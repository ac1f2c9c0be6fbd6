//! How many messages of a part are gone, when only that is known which is free of its file.
//!
//! A free stretch says how many messages were in all of it. It may reach over several parts: when messages were taken out of the middle
//! of a part while it was written, what is left are parts that adjoin. Then its number tells nothing of one of them, and the records
//! are counted. Nothing may be counted as gone that is there: a part of which all seems gone is given up.

use super::Segments;
use crate::message::MessageSum;
use crate::store::address::SegmentId;
use crate::store::checkpoint::Part;
use crate::store::loader::BLOCK_BYTES;
use crate::store::record::Freed;

impl Segments {
    /// Of the stored messages of a part, those that are gone.
    pub(crate) fn gone_within(&self, part: &Part) -> MessageSum {
        let mut gone = MessageSum::default();
        for freed in self.free_within(part.segment, part.start, part.end) {
            let piece = Freed { start: freed.start.max(part.start), end: freed.end.min(part.end), ..freed };
            // All of the stretch is in this part: its own number is right.
            gone = if piece == freed {
                gone.and(freed.stored_sum())
            } else if (piece.start, piece.end) == (part.start, part.end) {
                // All of the part is free, whatever else is.
                part.stored_sum()
            } else {
                gone.and(self.count_stored(piece.segment, piece.start, piece.end))
            };
        }
        gone
    }

    /// A piece of a free stretch, with what is in it.
    pub(in crate::store) fn piece(&self, freed: &Freed, start: u32, end: u32) -> Freed {
        let MessageSum { messages: stored, body_bytes } = self.count_stored(freed.segment, start, end);
        Freed { segment: freed.segment, start, end, stored, body_bytes }
    }

    /// Counts the stored messages in a stretch that begins and ends with a record. What cannot be read counts as being there: when it is
    /// to be delivered, it is found to be free.
    fn count_stored(&self, id: SegmentId, start: u32, end: u32) -> MessageSum {
        let (mut sum, mut at) = (MessageSum::default(), start);
        while at < end {
            // What was not counted is there until somebody wants to read it: too few are
            // gone rather than too many.
            let Ok(block) = self.examine(id, at, end, BLOCK_BYTES, None) else { break };
            let stored = block.records.iter().filter(|record| record.label.is_stored);
            sum = sum.and(stored.map(|record| MessageSum::one(record.message.body_bytes() as u64)).sum());
            if block.next <= at {
                break;
            }
            at = block.next;
        }
        sum
    }
}
