//! A message in a queue: the message or where it is, its place in the order, and what the queue remembers of it.

use super::arguments::QueueKind;
use crate::message::{DeliveryCounts, Message, MessageSum};
use crate::store::address::{Address, Place};
use crate::store::journal::Extent;
use crate::store::record::Enqueued;
use crate::store::segments::{Label, Stored};
use crate::store::seq::Seq;

/// A message as it is handed to a queue.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub(crate) message: Message,
    /// Its `expiration` property.
    pub(crate) expiration_ms: Option<u64>,
    /// Deliveries that failed in the queues in which it died before (behaviour reference 6.3): with any, it is delivered as
    /// redelivered from the start.
    pub(crate) failed: u32,
}

impl NewMessage {
    /// A message that comes from a publisher.
    pub fn published(message: Message, expiration_ms: Option<u64>) -> Self {
        Self { message, expiration_ms, failed: 0 }
    }
}

/// The bytes of a message, or how many there are in its segment file.
#[derive(Clone, Debug)]
pub(super) enum Body {
    InMemory(Message),
    /// In a segment file only.
    OnDisk {
        record_bytes: u32,
        body_bytes: u32,
    },
}

/// What a message in a queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is ready, or held back.
    Waiting,
    /// It is delivered, and not settled.
    Out,
    /// It is a dead letter.
    Dying,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) body: Body,
    /// Where the store has it; nowhere when it is in memory only.
    pub(super) address: Address,
    /// Its place in the order of the queue: dense, ascending, never reused.
    pub(super) seq: Seq,
    /// When it expires; `u64::MAX` for never.
    pub(super) expires_at_ms: u64,
    pub(super) counts: DeliveryCounts,
    /// What it counts for the limit in bytes.
    pub(super) counted_bytes: u32,
    pub(super) priority: u8,
    pub(super) redelivered: bool,
    /// It survives a restart.
    pub(super) is_stored: bool,
}

/// Messages that survive a restart, and what they count for the limit in bytes. Of messages in parts of files the bodies alone are known:
/// so the bytes are exact for classic queues. A quorum queue keeps all its messages, and need not be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Persistent {
    pub(super) messages: usize,
    pub(super) bytes: u64,
}

impl Persistent {
    /// Counts a message, if it is one.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.messages += usize::from(entry.is_stored);
        self.bytes += u64::from(entry.counted_bytes) * u64::from(entry.is_stored);
    }

    /// Counts it no more.
    pub(super) fn subtract(&mut self, entry: &Entry) {
        self.messages -= usize::from(entry.is_stored);
        self.bytes = self.bytes.saturating_sub(u64::from(entry.counted_bytes) * u64::from(entry.is_stored));
    }

    /// Counts those of a part of a file.
    pub(super) const fn add_part(&mut self, part: MessageSum) {
        self.messages += part.messages as usize;
        self.bytes += part.body_bytes;
    }

    /// Counts them no more.
    pub(super) const fn subtract_part(&mut self, part: MessageSum) {
        self.messages = self.messages.saturating_sub(part.messages as usize);
        self.bytes = self.bytes.saturating_sub(part.body_bytes);
    }
}

/// What a message counts for the limit in bytes: a quorum queue counts the properties, too (behaviour reference 6.1).
pub(super) fn counted_bytes(message: &Message, kind: QueueKind) -> u32 {
    let bytes = match kind {
        QueueKind::Classic => message.body_bytes(),
        QueueKind::Quorum => message.body_bytes() + message.property_length(),
    };
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Entry {
    pub(super) fn body_bytes(&self) -> u64 {
        match &self.body {
            Body::InMemory(message) => message.body_bytes() as u64,
            Body::OnDisk { body_bytes, .. } => u64::from(*body_bytes),
        }
    }

    /// The properties' part of what it counts for the limit in bytes.
    pub(super) fn counted_property_bytes(&self) -> u64 {
        u64::from(self.counted_bytes).saturating_sub(self.body_bytes())
    }

    /// The message, if it is in memory.
    pub(super) const fn message(&self) -> Option<&Message> {
        match &self.body {
            Body::InMemory(message) => Some(message),
            Body::OnDisk { .. } => None,
        }
    }

    pub(super) const fn is_on_disk(&self) -> bool {
        matches!(self.body, Body::OnDisk { .. })
    }

    /// What it takes in its segment file, if it is in one.
    pub(super) fn extent(&self) -> Option<Extent> {
        let Place::Segment(..) = self.address.place() else { return None };
        let bytes = match &self.body {
            // It was read back. What its record takes in the file follows from the message, so no
            // entry has to remember it.
            Body::InMemory(message) => crate::store::segments::record_bytes_of(message),
            Body::OnDisk { record_bytes, .. } => *record_bytes,
        };
        let body_bytes = u32::try_from(self.body_bytes()).unwrap_or(u32::MAX);
        Some(Extent { address: self.address, bytes, body_bytes, is_stored: self.is_stored })
    }

    /// What the log is told of it when it is added.
    pub(super) const fn record(&self) -> Enqueued {
        Enqueued {
            seq: self.seq,
            address: self.address,
            expires_at_ms: self.expires_at_ms,
            counts: self.counts,
            level: self.priority,
            redelivered: self.redelivered,
            // Only delayed messages have an origin, the exchange that they wait in.
            origin: 0,
        }
    }

    /// What its segment file is told of it.
    pub(super) const fn label(&self, queue: u64) -> Label {
        Label {
            queue,
            seq: self.seq,
            expires_at_ms: self.expires_at_ms,
            counts: self.counts,
            origin: 0,
            level: self.priority,
            redelivered: self.redelivered,
            is_stored: self.is_stored,
            moved_from: Address::NOWHERE,
        }
    }

    /// A message that was read back from its segment file.
    pub(super) fn read_back(stored: Stored, kind: QueueKind) -> Self {
        let Stored { label, address, message, .. } = stored;
        Self {
            counted_bytes: counted_bytes(&message, kind),
            body: Body::InMemory(message),
            address,
            seq: label.seq,
            expires_at_ms: label.expires_at_ms,
            counts: label.counts,
            priority: label.level,
            // As it was when the record was written; the mark of the queue tells whether
            // it was delivered since.
            redelivered: label.redelivered,
            is_stored: label.is_stored,
        }
    }

    /// A message whose bytes are in the log.
    pub(super) fn replayed(enqueued: &Enqueued, message: Message, kind: QueueKind) -> Self {
        Self {
            counted_bytes: counted_bytes(&message, kind),
            body: Body::InMemory(message),
            address: enqueued.address,
            seq: enqueued.seq,
            expires_at_ms: enqueued.expires_at_ms,
            counts: enqueued.counts,
            priority: enqueued.level,
            redelivered: enqueued.redelivered,
            is_stored: true,
        }
    }
}

/// A message for tests, of which nothing is special.
#[cfg(test)]
pub(super) const fn sample(seq: u64) -> Entry {
    Entry {
        body: Body::OnDisk { record_bytes: 0, body_bytes: 0 },
        address: Address::NOWHERE,
        seq: Seq(seq),
        expires_at_ms: u64::MAX,
        counts: DeliveryCounts { acquired: 0, failed: 0 },
        counted_bytes: 0,
        priority: 0,
        redelivered: false,
        is_stored: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a queued message costs beside its bytes.
    #[test]
    fn an_entry_is_56_bytes() {
        assert_eq!(size_of::<Entry>(), 56);
    }
}
