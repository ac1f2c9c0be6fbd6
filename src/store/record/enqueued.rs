//! The messages of a [`Record::Enqueued`](super::Record::Enqueued): each with what differs from the one before it, so that most take three or four bytes.

use super::{ENQUEUED, Enqueued, read_counts};
use crate::message::DeliveryCounts;
use crate::store::TransactionId;
use crate::store::address::Address;
use crate::store::codec::{Reader, put_varint, unzigzag, zigzag};
use crate::store::seq::Seq;

const HAS_EXPIRY: u8 = 1;
const REDELIVERED: u8 = 2;
const HAS_COUNTS: u8 = 4;
const HAS_LEVEL: u8 = 8;
const HAS_ORIGIN: u8 = 16;
const HAS_GAP: u8 = 32;

/// Encodes the messages of a [`Record::Enqueued`](super::Record::Enqueued) one by one.
#[derive(Debug, Default)]
pub(crate) struct EnqueuedWriter {
    bytes: Vec<u8>,
    count: u32,
    next_seq: u64,
    last_address: u64,
}

impl EnqueuedWriter {
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a message, behind those that are there.
    pub(crate) fn push(&mut self, message: &Enqueued) {
        debug_assert!(message.seq.0 >= self.next_seq, "places ascend");
        let gap = message.seq.0.wrapping_sub(self.next_seq);
        let bits = [
            (message.expires_at_ms != u64::MAX, HAS_EXPIRY),
            (message.redelivered, REDELIVERED),
            (message.counts != DeliveryCounts::default(), HAS_COUNTS),
            (message.level != 0, HAS_LEVEL),
            (message.origin != 0, HAS_ORIGIN),
            (gap != 0, HAS_GAP),
        ];
        let flags = bits.into_iter().fold(0, |flags, (is_set, bit)| if is_set { flags | bit } else { flags });
        let out = &mut self.bytes;
        out.push(flags);
        let address = message.address.to_bits();
        // Messages of one batch lie side by side in their chunk: the difference is the length of one,
        // mostly in one or two bytes.
        put_varint(out, zigzag(address.wrapping_sub(self.last_address).cast_signed()));
        // Only behind messages that are not stored, whose places are missing here.
        if flags & HAS_GAP != 0 {
            put_varint(out, gap);
        }
        if flags & HAS_EXPIRY != 0 {
            put_varint(out, message.expires_at_ms);
        }
        if flags & HAS_COUNTS != 0 {
            put_varint(out, u64::from(message.counts.acquired));
            put_varint(out, u64::from(message.counts.failed));
        }
        if flags & HAS_LEVEL != 0 {
            out.push(message.level);
        }
        if flags & HAS_ORIGIN != 0 {
            put_varint(out, message.origin);
        }
        self.count += 1;
        self.next_seq = message.seq.0.wrapping_add(1);
        self.last_address = address;
    }

    /// Appends the record, and is empty again.
    pub(crate) fn finish(&mut self, queue: u64, transaction: TransactionId, out: &mut Vec<u8>) {
        out.push(ENQUEUED);
        put_varint(out, queue);
        put_varint(out, transaction.0);
        put_varint(out, u64::from(self.count));
        out.append(&mut self.bytes);
        // Each record stands alone: none needs the one before it to be read.
        (self.count, self.next_seq, self.last_address) = (0, 0, 0);
    }
}

pub(super) fn read_enqueued(reader: &mut Reader<'_>, count: u64) -> Option<Vec<Enqueued>> {
    let mut messages = Vec::with_capacity(usize::try_from(count).ok()?.min(reader.len()));
    let (mut next_seq, mut last_address) = (0u64, 0u64);
    for _ in 0..count {
        let flags = reader.u8()?;
        let address = last_address.wrapping_add(unzigzag(reader.varint()?).cast_unsigned());
        let gap = if flags & HAS_GAP != 0 { reader.varint()? } else { 0 };
        let seq = Some(Seq(next_seq.wrapping_add(gap))).filter(|seq| seq.is_sensible())?;
        let expires_at_ms = if flags & HAS_EXPIRY != 0 { reader.varint()? } else { u64::MAX };
        let counts = if flags & HAS_COUNTS != 0 { read_counts(reader)? } else { DeliveryCounts::default() };
        let level = if flags & HAS_LEVEL != 0 { reader.u8()? } else { 0 };
        let origin = if flags & HAS_ORIGIN != 0 { reader.varint()? } else { 0 };
        messages.push(Enqueued {
            seq,
            address: Address::from_bits(address),
            expires_at_ms,
            counts,
            level,
            redelivered: flags & REDELIVERED != 0,
            origin,
        });
        (next_seq, last_address) = (seq.0.wrapping_add(1), address);
    }
    Some(messages)
}
