//! Parts of segment files in few bytes: a backlog that was moved while a thousand queues grew is a million of them, and only the
//! first of each queue is looked at.
//!
//! They are in chunks, of which all but the last never change: who looks at all parts shares them, and needs the queue's lock only for
//! that.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::Unread;
use crate::message::MessageSum;
use crate::store::checkpoint::{put_part, read_part};
use crate::store::codec::{Reader, put_varint};

/// A chunk of so many bytes is full: some hundred parts.
const CHUNK_BYTES: usize = 16 * 1024;

/// What was taken off the front of the last chunk is forgotten when it is so much, and more than half.
const FORGOTTEN_BYTES_MIN: usize = 4096;

/// Parts that nothing was read of yet, first in first out, in the encoding of a checkpoint: about 20 bytes each.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// The chunks that are full. Boxed, because most queues never have any.
    #[expect(clippy::box_collection, reason = "a queue at rest has room for a pointer, not for a list")]
    full: Option<Box<VecDeque<Arc<Vec<u8>>>>>,
    /// The last chunk.
    last: Vec<u8>,
    /// Where the first part begins in the first chunk.
    from: u32,
    /// The number of the first chunk.
    first_number: u32,
    count: usize,
}

/// A place among the parts, which stays while none is taken off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PackedPlace {
    chunk: usize,
    /// Bytes behind the first part of the chunk.
    at: usize,
}

impl Packed {
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, unread: &Unread) {
        self.count += 1;
        put(&mut self.last, unread);
        if self.last.len() >= CHUNK_BYTES {
            // It never grows again, and there may be a thousand of them.
            self.last.shrink_to_fit();
            let chunk = Arc::new(std::mem::take(&mut self.last));
            self.full.get_or_insert_default().push_back(chunk);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Unread> {
        while self.count > 0 {
            let first = self.chunk(0)?;
            let mut reader = Reader::new(first.get(self.from as usize..)?);
            let unread = read(&mut reader);
            let from = offset(first.len() - reader.len());
            // A full chunk is not changed, because others may look at it: only where it begins moves on.
            if unread.is_none() || reader.is_empty() {
                self.end_chunk();
            } else {
                self.from = from;
                self.forget_gone();
            }
            if unread.is_some() {
                self.count -= 1;
                return unread;
            }
        }
        None
    }

    /// The first chunk is used up.
    fn end_chunk(&mut self) {
        self.from = 0;
        match &mut self.full {
            Some(full) => {
                full.pop_front();
                // Numbers and not places: whoever replaces parts chunk by chunk finds its own again
                // after some were taken off.
                self.first_number += 1;
                if full.is_empty() {
                    self.full = None;
                }
            }
            None => {
                debug_assert!(self.count <= 1, "there is no more");
                self.last = Vec::new();
            }
        }
    }

    fn forget_gone(&mut self) {
        let gone = self.from as usize;
        if self.full.is_none() && gone >= FORGOTTEN_BYTES_MIN && gone * 2 > self.last.len() {
            // Only the last chunk: the others are shared, and go as a whole.
            self.last.drain(..gone);
            self.last.shrink_to_fit();
            self.from = 0;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Unread> + '_ {
        let mut place = PackedPlace::default();
        std::iter::from_fn(move || self.next_at(&mut place))
    }

    /// The one at this place, which moves on to the next.
    pub(super) fn next_at(&self, place: &mut PackedPlace) -> Option<Unread> {
        loop {
            let (chunk, from) = (self.chunk(place.chunk)?, self.start_of(place.chunk) + place.at);
            let mut reader = Reader::new(chunk.get(from..)?);
            if let Some(unread) = read(&mut reader) {
                place.at += chunk.len() - from - reader.len();
                return Some(unread);
            }
            *place = PackedPlace { chunk: place.chunk + 1, at: 0 };
        }
    }

    /// The numbers of the chunks that there are. A chunk keeps its number.
    pub(super) fn chunks(&self) -> Range<u32> {
        self.first_number..self.first_number + offset(self.full_len()) + 1
    }

    /// The parts of the chunk of this number.
    pub(super) fn parts_of(&self, chunk: u32) -> Vec<Unread> {
        let Some(chunk) = chunk.checked_sub(self.first_number) else { return Vec::new() };
        let mut place = PackedPlace { chunk: chunk as usize, at: 0 };
        let of_chunk = std::iter::from_fn(|| self.next_at(&mut place).map(|unread| (place.chunk, unread)));
        of_chunk.take_while(|(at, _)| *at == chunk as usize).map(|(_, unread)| unread).collect()
    }

    /// Gives the chunk of this number, which has `count` parts, others instead.
    pub(super) fn set_parts_of(&mut self, chunk: u32, count: usize, parts: &[Unread]) {
        let Some(at) = chunk.checked_sub(self.first_number) else { return };
        let mut bytes = Vec::new();
        parts.iter().for_each(|unread| put(&mut bytes, unread));
        let full = self.full.as_mut().and_then(|full| full.get_mut(at as usize));
        match full {
            // A new one. A checkpoint may be reading the old one at this moment, and sees the places that
            // were right when it began.
            Some(full) => *full = Arc::new(bytes),
            None => self.last = bytes,
        }
        if at == 0 {
            self.from = 0;
        }
        self.count = self.count + parts.len() - count;
    }

    fn full_len(&self) -> usize {
        self.full.as_ref().map_or(0, |full| full.len())
    }

    fn chunk(&self, at: usize) -> Option<&[u8]> {
        match at.checked_sub(self.full_len()) {
            None => Some(self.full.as_ref()?.get(at)?.as_slice()),
            Some(0) => Some(&self.last),
            Some(_) => None,
        }
    }

    const fn start_of(&self, chunk: usize) -> usize {
        if chunk == 0 { self.from as usize } else { 0 }
    }
}

/// Chunks are short, and few.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn put(bytes: &mut Vec<u8>, unread: &Unread) {
    let Unread { part, cursor, all, stored, is_restored } = unread;
    put_part(bytes, part);
    // Most parts wait as they were written: the cursor and the sums follow from the part then.
    let is_whole = *unread == Unread::whole(*part, *is_restored);
    bytes.push(u8::from(*is_restored) << 1 | u8::from(is_whole));
    if !is_whole {
        put_varint(bytes, u64::from(*cursor));
        for sum in [all, stored] {
            put_varint(bytes, u64::from(sum.messages));
            put_varint(bytes, sum.body_bytes);
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Unread> {
    let part = read_part(reader)?;
    let flags = reader.u8()?;
    let whole = Unread::whole(part, flags & 2 != 0);
    if flags & 1 != 0 {
        return Some(whole);
    }
    Some(Unread { cursor: reader.varint_u32()?, all: read_sum(reader)?, stored: read_sum(reader)?, ..whole })
}

fn read_sum(reader: &mut Reader<'_>) -> Option<MessageSum> {
    Some(MessageSum { messages: reader.varint_u32()?, body_bytes: reader.varint()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::address::SegmentId;
    use crate::store::checkpoint::Part;
    use crate::store::seq::Seq;

    fn unread(number: u32) -> Unread {
        let part = Part {
            level: 1,
            segment: SegmentId(number),
            start: 16,
            end: 9000,
            first_seq: Seq(u64::from(number) * 40),
            stored: 32,
            body_bytes: 8000,
            expires_min_ms: u64::MAX,
            expires_max_ms: u64::MAX,
        };
        let whole = Unread::whole(part, number.is_multiple_of(3));
        if number.is_multiple_of(5) {
            let all = MessageSum { messages: 40, body_bytes: 9000 };
            let stored = MessageSum { messages: 31, body_bytes: 7900 };
            return Unread { cursor: 100, all, stored, ..whole };
        }
        whole
    }

    /// As many as make some chunks.
    const MANY: u32 = 5000;

    #[test]
    fn parts_come_back_in_their_order_and_leave_nothing() {
        let mut packed = Packed::default();
        let mut expected = VecDeque::new();
        for number in 0..MANY {
            packed.push(&unread(number));
            expected.push_back(unread(number));
            if number.is_multiple_of(4) {
                assert_eq!(packed.pop(), expected.pop_front());
            }
        }
        assert!(packed.iter().eq(expected.iter().copied()));
        assert_eq!(packed.len(), expected.len());
        let of_chunks: Vec<_> = packed.chunks().flat_map(|chunk| packed.parts_of(chunk)).collect();
        assert!(packed.chunks().len() > 3 && of_chunks.iter().eq(expected.iter()));
        let bytes: usize = (0..packed.chunks().len()).filter_map(|at| Some(packed.chunk(at)?.len())).sum();
        assert!(bytes < expected.len() * 24 + CHUNK_BYTES, "a part takes more than it should");
        while let Some(next) = expected.pop_front() {
            assert_eq!(packed.pop(), Some(next));
        }
        assert!(packed.is_empty() && packed.pop().is_none());
        assert_eq!((packed.last.capacity(), packed.full.is_none()), (0, true));
    }

    /// While some are taken off, and of the first chunk some were.
    #[test]
    fn chunks_are_changed_one_by_one() {
        let mut packed = Packed::default();
        (0..MANY).for_each(|number| packed.push(&unread(number)));
        assert!((0..3).all(|number| packed.pop() == Some(unread(number))));
        let shared = packed.clone();
        let mut popped = 3;
        for chunk in packed.chunks() {
            let parts = packed.parts_of(chunk);
            // Of some chunks nothing is left, and others become longer.
            let times = chunk as usize % 3;
            let changed: Vec<_> = parts.iter().flat_map(|part| std::iter::repeat_n(*part, times)).collect();
            packed.set_parts_of(chunk, parts.len(), &changed);
            assert_eq!(packed.iter().count(), packed.len());
            if chunk == 1 {
                // The first two are used up.
                while packed.first_number < 2 {
                    popped += u32::from(packed.pop().is_some());
                }
                assert!(packed.parts_of(0).is_empty(), "it is gone");
            }
        }
        assert!(popped > 3, "nothing was taken off");
        assert!(shared.iter().eq((3..MANY).map(unread)), "who shares them sees no change");
        let left: Vec<_> = std::iter::from_fn(|| packed.pop()).collect();
        assert!(packed.is_empty() && left.is_sorted_by_key(|unread| unread.part.first_seq));
        assert!(left.len() > 500, "{}", left.len());
    }
}
