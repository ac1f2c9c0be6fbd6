//! A published message: a view into a chunk of memory that it shares with its neighbours of the same read batch.
//!
//! A chunk holds records, each a fixed header and then the bytes as they stand on the wire, so that a delivery copies them
//! verbatim. A queued message costs no allocation of its own (design section 7): an `Arc` of the chunk and an offset.

use std::fmt;
use std::sync::Arc;

use crate::properties::Properties;

/// Bytes of the fixed header in front of each record: address length (u16), properties length (u32), body length (u32).
const RECORD_HEADER_BYTES: usize = 10;

/// Memory that holds one or more message records; immutable once it is shared.
pub struct Chunk {
    bytes: Box<[u8]>,
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("bytes", &self.bytes.len()).finish()
    }
}

/// Collects the records of one read batch; [`ChunkWriter::finish`] makes them readable.
#[derive(Debug, Default)]
pub struct ChunkWriter {
    bytes: Vec<u8>,
}

/// Where a record starts in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordOffset(u32);

impl ChunkWriter {
    /// A writer that will take about `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one whole record. `address` is the exchange and the routing key as two short strings, `properties` the flags
    /// and values of the content header.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an address is at most 512 bytes, properties fit a frame, bodies 512 MiB"
    )]
    pub fn push(&mut self, address: &[u8], properties: &[u8], body: &[u8]) -> RecordOffset {
        let offset = self.begin(address, properties, body.len() as u32);
        self.bytes.extend_from_slice(body);
        offset
    }

    /// Appends a record whose body of `body_bytes` follows piecewise by [`ChunkWriter::extend_body`].
    #[expect(clippy::cast_possible_truncation, reason = "an address is at most 512 bytes, properties fit a frame")]
    pub fn begin(&mut self, address: &[u8], properties: &[u8], body_bytes: u32) -> RecordOffset {
        let offset = RecordOffset(self.bytes.len() as u32);
        let mut header = [0; RECORD_HEADER_BYTES];
        header[..2].copy_from_slice(&(address.len() as u16).to_le_bytes());
        header[2..6].copy_from_slice(&(properties.len() as u32).to_le_bytes());
        header[6..].copy_from_slice(&body_bytes.to_le_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(address);
        self.bytes.extend_from_slice(properties);
        offset
    }

    /// Appends a piece of the body that [`ChunkWriter::begin`] announced.
    pub fn extend_body(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// Makes the records readable; the writer is empty afterwards.
    pub fn finish(&mut self) -> Arc<Chunk> {
        Arc::new(Chunk { bytes: std::mem::take(&mut self.bytes).into_boxed_slice() })
    }
}

/// One published message.
#[derive(Clone)]
pub struct Message {
    chunk: Arc<Chunk>,
    offset: u32,
}

impl Message {
    /// The record at `offset` of `chunk`; it must be one that this chunk's writer returned.
    pub fn new(chunk: Arc<Chunk>, offset: RecordOffset) -> Self {
        Self { chunk, offset: offset.0 }
    }

    /// A message in a chunk of its own.
    pub fn standalone(exchange: &str, routing_key: &[u8], properties: &[u8], body: &[u8]) -> Self {
        let mut writer = ChunkWriter::with_capacity(RECORD_HEADER_BYTES + 512 + properties.len() + body.len());
        let offset = writer.push(&address(exchange, routing_key), properties, body);
        Self::new(writer.finish(), offset)
    }
}

/// The exchange and the routing key as two short strings, each cut to 255 bytes.
pub fn address(exchange: &str, routing_key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 + exchange.len() + routing_key.len());
    for part in [exchange.as_bytes(), routing_key] {
        let part = part.get(..usize::from(u8::MAX)).unwrap_or(part);
        #[expect(clippy::cast_possible_truncation, reason = "cut to 255 bytes above")]
        bytes.push(part.len() as u8);
        bytes.extend_from_slice(part);
    }
    bytes
}
