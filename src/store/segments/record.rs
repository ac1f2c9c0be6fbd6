//! The record of a message in a segment file (docs/format.md).

use crate::message::{DeliveryCounts, Message};
use crate::store::address::Address;
use crate::store::codec::Reader;
use crate::store::seq::Seq;

/// Bytes in front of each message.
pub(crate) const RECORD_HEADER_BYTES: u32 = 64;

const REDELIVERED: u8 = 1;

const STORED: u8 = 2;

/// What a record says of its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The queue, so that a damaged file can be blamed on the right one.
    pub queue: u64,
    /// Its place in the order of the queue.
    pub seq: Seq,
    /// When it expires; `u64::MAX` for never.
    pub expires_at_ms: u64,
    /// Deliveries so far.
    pub counts: DeliveryCounts,
    /// The exchange that holds it back, for delayed messages; else 0.
    pub origin: u64,
    /// Its priority level.
    pub level: u8,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// It survives a restart.
    pub is_stored: bool,
    /// Where it was before its file was rewritten.
    pub moved_from: Address,
}

/// A record that was read back.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it says of the message.
    pub label: Label,
    pub(crate) address: Address,
    /// Bytes of the record.
    pub(crate) bytes: u32,
    pub(crate) message: Message,
}

/// Bytes of the record of a message.
pub(crate) fn record_bytes_of(message: &Message) -> u32 {
    u32::try_from(message.encoded().len()).ok().and_then(record_bytes).unwrap_or(u32::MAX)
}

/// Bytes of a record whose message has this length.
pub(super) fn record_bytes(message_bytes: u32) -> Option<u32> {
    RECORD_HEADER_BYTES.checked_add(message_bytes)?.checked_next_multiple_of(8)
}

pub(super) fn first_record_bytes(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(bytes);
    reader.u32()?;
    record_bytes(reader.u32()?)
}

pub(super) fn queue_of(record: &[u8]) -> u64 {
    record.get(8..).map(Reader::new).and_then(|mut reader| reader.u64()).unwrap_or_default()
}

/// Bytes of a record by what the message in it says of its own length.
pub(super) fn inner_record_bytes(record: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(record.get(RECORD_HEADER_BYTES as usize..)?);
    let address: [u8; 2] = reader.array()?;
    reader.bytes(2)?;
    let (properties, body) = (reader.u32()?, reader.u32()?);
    record_bytes(12 + u32::from(u16::from_le_bytes(address)).checked_add(properties)?.checked_add(body)?)
}

/// Whether a record could begin here, as far as its queue and its zeros tell; `None` for any queue.
pub(super) fn could_be_of(record: &[u8], queue: Option<u64>) -> bool {
    record.get(57..RECORD_HEADER_BYTES as usize).is_some_and(|tail| {
        // Unknown flags and bytes that are not zero say that it is something else, without a
        // checksum over all of it.
        tail.first().is_some_and(|flags| *flags <= REDELIVERED | STORED)
            && tail.iter().skip(1).all(|byte| *byte == 0)
            && queue.is_none_or(|queue| queue_of(record) == queue)
    })
}

/// Reads what stands in front of a message; `None` when the checksum is wrong. Padding counts as the zeros that were written
/// there, whatever it is now: nobody reads it.
pub(super) fn read_label(record: &[u8]) -> Option<Label> {
    let mut reader = Reader::new(record);
    let (crc, message_bytes) = (reader.u32()?, reader.u32()?);
    // Checked: the length is what a damaged disk says.
    let end = (RECORD_HEADER_BYTES as usize).checked_add(message_bytes as usize)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(record.get(4..end)?);
    hasher.update([0; 8].get(..record.len().checked_sub(end)?)?);
    if hasher.finalize() != crc {
        return None;
    }
    let (queue, seq, expires_at_ms) = (reader.u64()?, Seq(reader.u64()?), reader.u64()?);
    let counts = DeliveryCounts { acquired: reader.u32()?, failed: reader.u32()? };
    let (origin, moved_from) = (reader.u64()?, Address::from_bits(reader.u64()?));
    let (level, flags) = (reader.u8()?, reader.u8()?);
    seq.is_sensible().then_some(Label {
        queue,
        seq,
        expires_at_ms,
        counts,
        origin,
        level,
        redelivered: flags & REDELIVERED != 0,
        is_stored: flags & STORED != 0,
        moved_from,
    })
}

/// Reads the record at the beginning of these bytes, if there is a whole one: what it says, its length, and that of the message's body.
pub(in crate::store) fn labelled(bytes: &[u8]) -> Option<(Label, u32, u32)> {
    let length = first_record_bytes(bytes)?;
    let record = bytes.get(..length as usize)?;
    let label = read_label(record)?;
    let mut message = Reader::new(record.get(RECORD_HEADER_BYTES as usize..)?);
    message.bytes(8)?;
    Some((label, length, message.u32()?))
}

/// Appends a whole record to the buffer; its length.
pub(super) fn write_record(out: &mut Vec<u8>, label: &Label, message: &[u8]) -> Option<u32> {
    let message_bytes = u32::try_from(message.len()).ok()?;
    let bytes = record_bytes(message_bytes)?;
    let start = out.len();
    // The checksum is put in at the end.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&message_bytes.to_le_bytes());
    for word in [label.queue, label.seq.0, label.expires_at_ms] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&label.counts.acquired.to_le_bytes());
    out.extend_from_slice(&label.counts.failed.to_le_bytes());
    out.extend_from_slice(&label.origin.to_le_bytes());
    out.extend_from_slice(&label.moved_from.to_bits().to_le_bytes());
    let flags = (u8::from(label.redelivered) * REDELIVERED) | (u8::from(label.is_stored) * STORED);
    out.extend_from_slice(&[label.level, flags, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(message);
    out.resize(start + bytes as usize, 0);
    let crc = crc32fast::hash(out.get(start + 4..).unwrap_or_default());
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
    Some(bytes)
}
