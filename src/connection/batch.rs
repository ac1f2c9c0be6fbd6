//! Publishes of one read batch, checked and routed, that wait to be published together. Their records share a chunk.

use std::sync::Arc;

use super::incoming::IncomingBody;
use crate::broker::router::Route;
use crate::message::{ChunkWriter, Facts, MemoryGauge, Message, RecordOffset};
use crate::protocol::fast::BodyPieces;

/// A batch is published when it holds so many messages or bytes, even while more is there to be read.
const BATCH_MESSAGES_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// A message from this size on gets a chunk of its own, so that it is freed when it is consumed.
const OWN_CHUNK_BYTES_MIN: usize = 16 * 1024;
/// What a record takes beside address, properties and body, rounded up.
const RECORD_OVERHEAD_BYTES: usize = 16;

/// What is kept of a publish until it is published.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) channel: u16,
    /// Its confirm number; 0 for none.
    pub(super) number: u64,
    pub(super) mandatory: bool,
    pub(super) expiration_ms: Option<u64>,
    pub(super) route: Arc<Route>,
}

#[derive(Debug)]
enum Source {
    Stored(RecordOffset),
    Unstored(RecordOffset),
    Own(Message),
}

/// Publishes that were checked and routed, in their order.
#[derive(Debug, Default)]
pub(super) struct PublishBatch {
    /// Records that go to the log: they lie together, so that nothing else is written with them.
    stored: ChunkWriter,
    unstored: ChunkWriter,
    entries: Vec<(Pending, Source)>,
    /// Empty; kept for its memory.
    spare: Vec<(Pending, Message)>,
}

/// Where the body is.
pub(super) enum BodySource<'a> {
    Buffer(BodyPieces<'a>, u32),
    Assembled(IncomingBody),
}

/// What a record is made of, but for the body.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) address: &'a [u8],
    pub(super) facts: Facts,
    pub(super) properties: &'a [u8],
    /// The properties are not those with which the body was assembled.
    pub(super) is_edited: bool,
}

impl Record<'_> {
    fn write(&self, writer: &mut ChunkWriter, pieces: BodyPieces<'_>, body_bytes: u32) -> RecordOffset {
        let offset = writer.begin(self.facts, self.address, self.properties, body_bytes);
        for piece in pieces {
            writer.extend_body(piece);
        }
        offset
    }

    /// The message in a chunk of its own.
    pub(super) fn message(&self, body: BodySource<'_>, gauge: &Arc<MemoryGauge>) -> Message {
        match body {
            BodySource::Assembled(body) if self.is_edited => body.finish().with_properties(self.facts, self.properties),
            BodySource::Assembled(body) => body.finish(),
            BodySource::Buffer(pieces, body_bytes) => {
                let mut writer = ChunkWriter::with_capacity(
                    RECORD_OVERHEAD_BYTES + self.address.len() + self.properties.len() + body_bytes as usize,
                );
                let offset = self.write(&mut writer, pieces, body_bytes);
                Message::new(writer.finish(gauge), offset)
            }
        }
    }
}

impl PublishBatch {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= BATCH_MESSAGES_MAX || self.stored.len() + self.unstored.len() >= BATCH_BYTES_MAX
    }

    pub(super) fn add(
        &mut self,
        pending: Pending,
        record: &Record<'_>,
        body: BodySource<'_>,
        gauge: &Arc<MemoryGauge>,
    ) {
        let source = match body {
            BodySource::Buffer(pieces, body_bytes) if (body_bytes as usize) < OWN_CHUNK_BYTES_MIN => {
                let is_stored = pending.route.stores(record.facts.persistent);
                let writer = if is_stored { &mut self.stored } else { &mut self.unstored };
                if writer.is_empty() {
                    writer.prepare(gauge);
                }
                let offset = record.write(writer, pieces, body_bytes);
                if is_stored { Source::Stored(offset) } else { Source::Unstored(offset) }
            }
            large @ (BodySource::Buffer(..) | BodySource::Assembled(_)) => Source::Own(record.message(large, gauge)),
        };
        self.entries.push((pending, source));
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps the memory of what [`PublishBatch::finish`] returned.
    pub(super) fn recycle(&mut self, mut publishes: Vec<(Pending, Message)>) {
        publishes.clear();
        self.spare = publishes;
    }

    /// Closes the chunks and makes messages of what refers to them.
    pub(super) fn finish(&mut self, gauge: &Arc<MemoryGauge>) -> Vec<(Pending, Message)> {
        let (stored, unstored) = (self.stored.finish(gauge), self.unstored.finish(gauge));
        let mut publishes = std::mem::take(&mut self.spare);
        publishes.extend(self.entries.drain(..).map(|(pending, source)| match source {
            Source::Stored(offset) => (pending, Message::new(Arc::clone(&stored), offset)),
            Source::Unstored(offset) => (pending, Message::new(Arc::clone(&unstored), offset)),
            Source::Own(message) => (pending, message),
        }));
        publishes
    }
}
