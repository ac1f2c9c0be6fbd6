//! A message whose body comes in several frames, and how it becomes a record.

use std::sync::Arc;

use crate::broker::publisher::facts;
use crate::message::{ChunkWriter, MemoryGauge, Message, RecordOffset, address};
use crate::properties::Properties;
use crate::protocol::assembler::{BodySink, Publish};
use crate::protocol::content::ContentHeader;

/// A body that comes in several frames, appended to its record as it comes. It counts as used memory from its header on.
#[derive(Debug)]
pub(super) struct IncomingBody {
    writer: ChunkWriter,
    offset: RecordOffset,
    properties: Vec<u8>,
    charge: Charge,
}

#[derive(Debug)]
struct Charge {
    gauge: Arc<MemoryGauge>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.gauge.remove(self.bytes);
    }
}

impl IncomingBody {
    /// A body of which only the header is there.
    pub(super) fn begin(publish: &Publish, header: &ContentHeader<'_>, gauge: &Arc<MemoryGauge>) -> Self {
        let address = address(&publish.exchange, &publish.routing_key);
        // Not the length that the header promises: a client may promise 512 MiB and send nothing.
        let bytes = address.len() + header.properties.len() + header.body_bytes_to_reserve() + 16;
        let mut writer = ChunkWriter::for_one(bytes, gauge);
        let facts = facts(&Properties::new(&header.properties).summary());
        let body_bytes = u32::try_from(header.body_bytes).unwrap_or(u32::MAX);
        let offset = writer.begin(facts, &address, &header.properties, body_bytes);
        let charge = Charge { gauge: Arc::clone(gauge), bytes: 0 };
        let mut body = Self { writer, offset, properties: header.properties.to_vec(), charge };
        body.count();
        body
    }

    /// Counts the memory that it takes now: it only grows.
    fn count(&mut self) {
        let bytes = self.writer.capacity() + self.properties.capacity();
        self.charge.gauge.add(bytes - self.charge.bytes);
        self.charge.bytes = bytes;
    }

    /// The whole message.
    pub(super) fn finish(mut self) -> Message {
        Message::new(self.writer.finish(&self.charge.gauge), self.offset)
    }
}

impl BodySink for IncomingBody {
    fn extend_body(&mut self, piece: &[u8]) {
        self.writer.extend_body(piece);
        self.count();
    }
}
