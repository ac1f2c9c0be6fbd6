//! Parts of segment files in few bytes: a backlog that was moved while a thousand queues grew is a million of them, and only the
//! first of each queue is looked at.

use super::Unread;
use crate::message::MessageSum;
use crate::store::checkpoint::{put_part, read_part};
use crate::store::codec::{Reader, put_varint};

/// What was taken off the front is forgotten when it is so much, and more than half.
const FORGOTTEN_BYTES_MIN: usize = 4096;

/// Parts that nothing was read of yet, first in first out, in the encoding of a checkpoint: about 20 bytes each.
#[derive(Debug, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Where the first one begins.
    from: usize,
    count: usize,
}

impl Packed {
    pub(super) const fn is_empty(&self) -> bool {
        self.from == self.bytes.len()
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, unread: &Unread) {
        self.count += 1;
        let Unread { part, cursor, all, stored, is_restored } = unread;
        put_part(&mut self.bytes, part);
        let is_whole = *unread == Unread::whole(*part, *is_restored);
        self.bytes.push(u8::from(*is_restored) << 1 | u8::from(is_whole));
        if !is_whole {
            put_varint(&mut self.bytes, u64::from(*cursor));
            for sum in [all, stored] {
                put_varint(&mut self.bytes, u64::from(sum.messages));
                put_varint(&mut self.bytes, sum.body_bytes);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Unread> {
        let mut reader = self.reader();
        let unread = read(&mut reader)?;
        self.from = self.bytes.len() - reader.len();
        self.count -= 1;
        if self.is_empty() {
            *self = Self::default();
        } else if self.from >= FORGOTTEN_BYTES_MIN && self.from * 2 > self.bytes.len() {
            self.bytes.drain(..self.from);
            self.bytes.shrink_to_fit();
            self.from = 0;
        }
        Some(unread)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Unread> + '_ {
        let mut reader = self.reader();
        std::iter::from_fn(move || read(&mut reader))
    }

    /// The one at this place, which moves on to the next; the first place is 0.
    pub(super) fn next_at(&self, place: &mut usize) -> Option<Unread> {
        let mut reader = Reader::new(self.bytes.get(self.from + *place..)?);
        let unread = read(&mut reader)?;
        *place = self.bytes.len() - self.from - reader.len();
        Some(unread)
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(self.bytes.get(self.from..).unwrap_or_default())
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

    #[test]
    fn parts_come_back_in_their_order_and_leave_nothing() {
        let mut packed = Packed::default();
        let mut expected = std::collections::VecDeque::new();
        for number in 0..2000 {
            packed.push(&unread(number));
            expected.push_back(unread(number));
            if number.is_multiple_of(4) {
                assert_eq!(packed.pop(), expected.pop_front());
            }
        }
        assert!(packed.iter().eq(expected.iter().copied()));
        let mut place = 0;
        assert!(std::iter::from_fn(|| packed.next_at(&mut place)).eq(expected.iter().copied()));
        assert_eq!(packed.len(), expected.len());
        assert!(packed.bytes.len() - packed.from < expected.len() * 24, "a part takes more than it should");
        while let Some(next) = expected.pop_front() {
            assert_eq!(packed.pop(), Some(next));
        }
        assert!(packed.is_empty() && packed.pop().is_none());
        assert_eq!(packed.bytes.capacity(), 0);
    }
}
