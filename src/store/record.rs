//! What the log says: records, and how they stand in it (docs/format.md).
//!
//! Pure. Decoding never trusts its input: [`records`] answers `None` for a record that is cut or unknown.
//!
//! A transaction, number 7: a client publishes A to two queues and acknowledges B, in one `tx.commit`. Each line is a group, which is in
//! the log whole or not at all:
//!
//! ```text
//!   chunk     the body of A, once for both queues       \
//!   records   Enqueued, 7: A is message 12 of queue 1    |
//!   ...       groups of others, which change nothing     |  a log that ends in here:
//!   records   Enqueued, 7: A is message 40 of queue 2    |  A is in no queue, B is in queue 3
//!   records   Settled, 7: message 5 of queue 3 (B)      /
//!   records   Committed, 7                              <-- from here on: A is in both queues, B is gone
//! ```
//!
//! A start keeps what is marked with 7 aside until it reads `Committed 7` (`recovery/replay`). The answer to the client waits until the
//! position of the commit is durable, so nobody is told of a transaction that a start would not find. A dead letter moves in the same
//! way: that it is in the new queue and that it is not in the old one have one number.

mod enqueued;
#[cfg(test)]
mod tests;

use super::TransactionId;
use super::address::{Address, SegmentId};
use super::codec::{Reader, put_sized, put_varint, unzigzag, zigzag};
use super::seq::{Seq, SeqRange};
use crate::message::{DeliveryCounts, MessageSum};

pub(crate) use enqueued::EnqueuedWriter;
use enqueued::read_enqueued;

/// No place in the order of a queue, and no position of the log, is beyond: what says so is damaged.
pub(crate) const SEQ_MAX: u64 = u64::MAX >> 2;

/// A message that was added to a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Its place in the order of the queue.
    pub(crate) seq: Seq,
    /// Where its bytes are.
    pub(crate) address: Address,
    /// When it expires; `u64::MAX` for never.
    pub(crate) expires_at_ms: u64,
    /// Deliveries so far.
    pub(crate) counts: DeliveryCounts,
    /// Its priority level.
    pub(crate) level: u8,
    /// It may have been delivered before.
    pub(crate) redelivered: bool,
    /// The exchange that holds it back, for delayed messages; else 0.
    pub(crate) origin: u64,
}

/// A stretch of a segment file whose messages are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    pub(crate) segment: SegmentId,
    /// The first byte.
    pub(crate) start: u32,
    /// The byte behind the last.
    pub(crate) end: u32,
    /// Stored messages in it.
    pub(crate) stored: u32,
    /// Bytes of their bodies.
    pub(crate) body_bytes: u64,
}

impl Freed {
    /// The stored messages in it.
    pub(crate) const fn stored_sum(&self) -> MessageSum {
        MessageSum { messages: self.stored, body_bytes: self.body_bytes }
    }
}

/// One record. Those with a transaction other than [`TransactionId::NONE`] count only once that is committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Record<'a> {
    /// Messages were added to a queue.
    Enqueued {
        /// The queue.
        queue: u64,
        /// The transaction.
        transaction: TransactionId,
        /// The messages, ascending by `seq`.
        messages: Vec<Enqueued>,
    },
    /// Messages of a queue that were in the log are gone.
    Settled {
        /// The queue.
        queue: u64,
        /// The transaction.
        transaction: TransactionId,
        /// Their places.
        ranges: Vec<SeqRange>,
    },
    /// Messages that were in segment files are gone.
    Freed {
        /// The transaction.
        transaction: TransactionId,
        /// Where they were.
        freed: Vec<Freed>,
    },
    /// A message came back, or was rejected.
    Counted {
        /// The queue.
        queue: u64,
        /// Its place.
        seq: Seq,
        /// Deliveries by now.
        counts: DeliveryCounts,
    },
    /// Everything of a priority level before this place may have been delivered.
    Delivered {
        /// The queue.
        queue: u64,
        /// The level.
        level: u8,
        /// The first place that was not.
        below: Seq,
    },
    /// A transaction took effect.
    Committed {
        /// The transaction.
        transaction: TransactionId,
    },
    /// A change of the definitions, in the broker's own encoding.
    Definition(&'a [u8]),
}

const ENQUEUED: u8 = 1;
const SETTLED: u8 = 2;
const FREED: u8 = 3;
const COUNTED: u8 = 4;
const DELIVERED: u8 = 5;
const COMMITTED: u8 = 6;
const DEFINITION: u8 = 7;

impl Record<'_> {
    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Enqueued { queue, transaction, messages } => {
                let mut writer = EnqueuedWriter::default();
                for message in messages {
                    writer.push(message);
                }
                writer.finish(*queue, *transaction, out);
            }
            Self::Settled { queue, transaction, ranges } => encode_settled(*queue, *transaction, ranges, out),
            Self::Freed { transaction, freed } => encode_freed(*transaction, freed, out),
            Self::Counted { queue, seq, counts } => {
                out.push(COUNTED);
                for value in [*queue, seq.0, u64::from(counts.acquired), u64::from(counts.failed)] {
                    put_varint(out, value);
                }
            }
            Self::Delivered { queue, level, below } => {
                out.push(DELIVERED);
                put_varint(out, *queue);
                out.push(*level);
                put_varint(out, below.0);
            }
            Self::Committed { transaction } => {
                out.push(COMMITTED);
                put_varint(out, transaction.0);
            }
            Self::Definition(bytes) => {
                out.push(DEFINITION);
                put_sized(out, bytes);
            }
        }
    }
}

/// Appends a [`Record::Settled`].
pub(crate) fn encode_settled(queue: u64, transaction: TransactionId, ranges: &[SeqRange], out: &mut Vec<u8>) {
    out.push(SETTLED);
    put_varint(out, queue);
    put_varint(out, transaction.0);
    put_varint(out, ranges.len() as u64);
    let mut last = 0u64;
    for range in ranges {
        // A difference with a sign: messages are settled in any order.
        put_varint(out, zigzag(range.first.0.wrapping_sub(last).cast_signed()));
        put_varint(out, range.len_but_one());
        last = range.last.0;
    }
}

/// Appends a [`Record::Freed`].
pub(crate) fn encode_freed(transaction: TransactionId, freed: &[Freed], out: &mut Vec<u8>) {
    out.push(FREED);
    put_varint(out, transaction.0);
    put_varint(out, freed.len() as u64);
    for range in freed {
        put_freed(out, *range);
    }
}

/// Appends a stretch, as [`read_one_freed`] reads it.
pub(crate) fn put_freed(out: &mut Vec<u8>, freed: Freed) {
    let Freed { segment, start, end, stored, body_bytes } = freed;
    for number in [u64::from(segment.0), u64::from(start), u64::from(end - start), u64::from(stored), body_bytes] {
        put_varint(out, number);
    }
}

fn read_ranges(reader: &mut Reader<'_>) -> Option<Vec<SeqRange>> {
    let count = reader.varint()?;
    // Each range takes two bytes at least: a damaged count reserves no more than there is.
    let mut ranges = Vec::with_capacity(usize::try_from(count).ok()?.min(reader.len()));
    let mut last = 0u64;
    for _ in 0..count {
        let first = last.wrapping_add(unzigzag(reader.varint()?).cast_unsigned());
        last = first.checked_add(reader.varint()?)?;
        let range = SeqRange { first: Seq(first), last: Seq(last) };
        ranges.push(Some(range).filter(|range| range.last.is_sensible())?);
    }
    Some(ranges)
}

/// Reads a place as it stands in the log and in a checkpoint.
pub(crate) fn read_seq(reader: &mut Reader<'_>) -> Option<Seq> {
    Some(Seq(reader.varint()?)).filter(|seq| seq.is_sensible())
}

/// Reads deliveries as they stand in the log and in a checkpoint.
pub(crate) fn read_counts(reader: &mut Reader<'_>) -> Option<DeliveryCounts> {
    Some(DeliveryCounts { acquired: reader.varint_u32()?, failed: reader.varint_u32()? })
}

/// Reads one stretch as [`encode_freed`] wrote it.
pub(crate) fn read_one_freed(reader: &mut Reader<'_>) -> Option<Freed> {
    let segment = SegmentId(reader.varint_u32()?);
    let start = reader.varint_u32()?;
    let end = start.checked_add(reader.varint_u32()?)?;
    Some(Freed { segment, start, end, stored: reader.varint_u32()?, body_bytes: reader.varint()? })
}

fn read_freed(reader: &mut Reader<'_>) -> Option<Vec<Freed>> {
    let count = reader.varint()?;
    let mut freed = Vec::with_capacity(usize::try_from(count).ok()?.min(reader.len()));
    for _ in 0..count {
        freed.push(read_one_freed(reader)?);
    }
    Some(freed)
}

fn read<'a>(reader: &mut Reader<'a>) -> Option<Record<'a>> {
    Some(match reader.u8()? {
        ENQUEUED => {
            let (queue, transaction, count) = (reader.varint()?, TransactionId(reader.varint()?), reader.varint()?);
            Record::Enqueued { queue, transaction, messages: read_enqueued(reader, count)? }
        }
        SETTLED => {
            let (queue, transaction) = (reader.varint()?, TransactionId(reader.varint()?));
            Record::Settled { queue, transaction, ranges: read_ranges(reader)? }
        }
        FREED => {
            let transaction = TransactionId(reader.varint()?);
            Record::Freed { transaction, freed: read_freed(reader)? }
        }
        COUNTED => {
            let (queue, seq) = (reader.varint()?, read_seq(reader)?);
            Record::Counted { queue, seq, counts: read_counts(reader)? }
        }
        DELIVERED => {
            let (queue, level) = (reader.varint()?, reader.u8()?);
            Record::Delivered { queue, level, below: read_seq(reader)? }
        }
        COMMITTED => Record::Committed { transaction: TransactionId(reader.varint()?) },
        DEFINITION => Record::Definition(reader.sized()?),
        // A record that is not known has no length that is known, so nothing behind it can be read either.
        _ => return None,
    })
}

/// The records in a stretch of bytes; `None` in place of the first one that cannot be read, which ends them.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Option<Record<'_>>> {
    let mut reader = Reader::new(bytes);
    let mut is_damaged = false;
    std::iter::from_fn(move || {
        if is_damaged || reader.is_empty() {
            return None;
        }
        let record = read(&mut reader);
        is_damaged = record.is_none();
        Some(record)
    })
}
