//! Messages that were checked and routed, and wait to be published together. Their records share a chunk.

use std::cell::LazyCell;
use std::sync::Arc;

use crate::broker::router::Route;
use crate::message::{ChunkWriter, Facts, MemoryGauge, Message, RecordOffset};

/// A batch is published when it holds so many messages or bytes, even while more is there to be read.
const BATCH_MESSAGES_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// A message from this size on gets a chunk of its own, so that it is freed when it is consumed.
const OWN_CHUNK_BYTES_MIN: usize = 16 * 1024;
/// What a record takes beside address, properties and body, rounded up.
const RECORD_OVERHEAD_BYTES: usize = 16;

/// What is kept of a message, beside its record, until it is published.
#[derive(Clone, Debug)]
pub(crate) struct Pending<T> {
    /// What its publisher wants to know again then.
    pub(crate) ticket: T,
    /// Its `expiration`.
    pub(crate) expiration_ms: Option<u64>,
    /// Where it goes.
    pub(crate) route: Arc<Route>,
}

/// Where the record of a message is.
#[derive(Debug)]
enum BatchedRecord {
    Stored(RecordOffset),
    Unstored(RecordOffset),
    Own(Message),
}

/// Publishes that were checked and routed, in their order.
#[derive(Debug)]
pub(super) struct PublishBatch<T> {
    /// Records that go to the log: they lie together, so that nothing else is written with them.
    stored: ChunkWriter,
    unstored: ChunkWriter,
    entries: Vec<(Pending<T>, BatchedRecord)>,
    /// Empty; kept for its memory.
    spare: Vec<(Pending<T>, Message)>,
}

impl<T> Default for PublishBatch<T> {
    fn default() -> Self {
        Self {
            stored: ChunkWriter::default(),
            unstored: ChunkWriter::default(),
            entries: Vec::new(),
            spare: Vec::new(),
        }
    }
}

/// The body of a message that is to be published.
#[derive(Debug)]
pub(crate) enum PublishBody<P> {
    /// It comes in pieces, which make up so many bytes.
    Pieces(P, u32),
    /// The whole message is there, in a chunk of its own.
    Message(Message),
}

/// What a record is made of, but for the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordParts<'a> {
    /// The exchange and the routing key, encoded.
    pub(crate) address: &'a [u8],
    /// What the broker must know of it.
    pub(crate) facts: Facts,
    /// The encoded properties.
    pub(crate) properties: &'a [u8],
}

impl RecordParts<'_> {
    fn write<'b>(
        &self,
        writer: &mut ChunkWriter,
        pieces: impl Iterator<Item = &'b [u8]>,
        body_bytes: u32,
    ) -> RecordOffset {
        let offset = writer.begin(self.facts, self.address, self.properties, body_bytes);
        for piece in pieces {
            writer.extend_body(piece);
        }
        offset
    }

    /// The message in a chunk of its own.
    pub(crate) fn message<'b>(
        &self,
        body: PublishBody<impl Iterator<Item = &'b [u8]>>,
        gauge: &Arc<MemoryGauge>,
    ) -> Message {
        match body {
            PublishBody::Message(message) => message,
            PublishBody::Pieces(pieces, body_bytes) => {
                let bytes = RECORD_OVERHEAD_BYTES + self.address.len() + self.properties.len() + body_bytes as usize;
                let mut writer = ChunkWriter::for_one(bytes, gauge);
                let offset = self.write(&mut writer, pieces, body_bytes);
                Message::new(writer.finish(gauge), offset)
            }
        }
    }
}

impl<T> PublishBatch<T> {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= BATCH_MESSAGES_MAX || self.stored.len() + self.unstored.len() >= BATCH_BYTES_MAX
    }

    pub(super) fn add<'b>(
        &mut self,
        pending: Pending<T>,
        parts: &RecordParts<'_>,
        body: PublishBody<impl Iterator<Item = &'b [u8]>>,
        gauge: &Arc<MemoryGauge>,
    ) {
        let record = match body {
            // The one copy of a small message on its way through the broker.
            PublishBody::Pieces(pieces, body_bytes) if (body_bytes as usize) < OWN_CHUNK_BYTES_MIN => {
                let is_stored = pending.route.stores(parts.facts.persistent);
                let writer = if is_stored { &mut self.stored } else { &mut self.unstored };
                // Its first message: memory is taken when it is needed.
                if writer.is_empty() {
                    writer.prepare(gauge);
                }
                let offset = parts.write(writer, pieces, body_bytes);
                if is_stored { BatchedRecord::Stored(offset) } else { BatchedRecord::Unstored(offset) }
            }
            large @ (PublishBody::Pieces(..) | PublishBody::Message(_)) => {
                BatchedRecord::Own(parts.message(large, gauge))
            }
        };
        self.entries.push((pending, record));
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps the memory of what [`PublishBatch::finish`] returned.
    pub(super) fn recycle(&mut self, mut publishes: Vec<(Pending<T>, Message)>) {
        publishes.clear();
        self.spare = publishes;
    }

    /// Closes the chunks and makes messages of what refers to them.
    pub(super) fn finish(&mut self, gauge: &Arc<MemoryGauge>) -> Vec<(Pending<T>, Message)> {
        // A chunk that no record lies in is not made: a message that comes alone would pay for two.
        let stored = LazyCell::new(|| self.stored.finish(gauge));
        let unstored = LazyCell::new(|| self.unstored.finish(gauge));
        let mut publishes = std::mem::take(&mut self.spare);
        publishes.extend(self.entries.drain(..).map(|(pending, record)| match record {
            BatchedRecord::Stored(offset) => (pending, Message::new(Arc::clone(&stored), offset)),
            BatchedRecord::Unstored(offset) => (pending, Message::new(Arc::clone(&unstored), offset)),
            BatchedRecord::Own(message) => (pending, message),
        }));
        publishes
    }
}
