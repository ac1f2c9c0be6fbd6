//! A published message: a view into a chunk of memory that it shares with its neighbours of the same read batch.
//!
//! A chunk holds records, each a fixed header and then the bytes as they stand on the wire, so that a delivery copies them
//! verbatim. A queued message costs no allocation of its own: an `Arc` of the chunk and an offset.
//!
//! ```text
//! +------------+----------+----------+---------------+-----------+---------+------------+------+
//! | address u16| flags u8 | prio u8  | properties u32| body u32  | address | properties | body |
//! +------------+----------+----------+---------------+-----------+---------+------------+------+
//! ```

mod buffers;
mod deliveries;
mod facts;
mod sum;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::properties::Properties;
use buffers::Buffers;

pub(crate) use buffers::{BUFFER_BYTES, SMALL_BUFFER_BYTES};
pub(crate) use deliveries::DeliveryCounts;
pub use facts::Facts;
pub(crate) use sum::MessageSum;

/// Bytes of the fixed header in front of each record.
const RECORD_HEADER_BYTES: usize = 12;

/// Counts the bytes of all chunks that are alive and of what queues keep for each message, which the memory alarm watches, and
/// keeps the memory of large ones for others.
#[derive(Debug, Default)]
pub struct MemoryGauge {
    bytes: AtomicU64,
    /// Those of chunks that were read back from segment files.
    read_back_bytes: AtomicU64,
    buffers: Buffers,
}

impl MemoryGauge {
    /// Bytes held by messages now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes held now by messages that were read back from segment files.
    pub(crate) fn read_back_bytes(&self) -> u64 {
        self.read_back_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// Counts what queues keep for messages: so many bytes more, or fewer.
    pub(crate) fn adjust(&self, bytes: i64) {
        if bytes >= 0 {
            self.bytes.fetch_add(bytes.unsigned_abs(), Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(bytes.unsigned_abs(), Ordering::Relaxed);
        }
    }

    /// Memory for a large chunk, with any contents.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.buffers.large.take()
    }

    /// Memory for a block that is read back while memory is scarce.
    pub(crate) fn small_buffer(&self) -> Vec<u8> {
        self.buffers.small.take()
    }
}

/// Memory that holds one or more message records; immutable once it is shared.
pub struct Chunk {
    bytes: Vec<u8>,
    /// The position of its first byte in the log, once it is there.
    position: OnceLock<u64>,
    /// What the gauge counts for it.
    charged_bytes: usize,
    is_read_back: bool,
    gauge: Arc<MemoryGauge>,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.gauge.remove(self.charged_bytes);
        if self.is_read_back {
            self.gauge.read_back_bytes.fetch_sub(self.charged_bytes as u64, Ordering::Relaxed);
        }
        self.gauge.buffers.give_back(std::mem::take(&mut self.bytes));
    }
}

impl Chunk {
    /// Bytes that were read back from a file, counted by `gauge` while they live.
    pub(crate) fn read_back(bytes: Vec<u8>, gauge: &Arc<MemoryGauge>) -> Arc<Self> {
        let mut chunk = Self::counted(bytes, gauge);
        chunk.is_read_back = true;
        gauge.read_back_bytes.fetch_add(chunk.charged_bytes as u64, Ordering::Relaxed);
        Arc::new(chunk)
    }

    /// A chunk of the log that was read back from it.
    pub(crate) fn replayed(bytes: Vec<u8>, position: u64, gauge: &Arc<MemoryGauge>) -> Arc<Self> {
        let chunk = Self::counted(bytes, gauge);
        chunk.position.get_or_init(|| position);
        Arc::new(chunk)
    }

    fn counted(mut bytes: Vec<u8>, gauge: &Arc<MemoryGauge>) -> Self {
        // A buffer of the usual sizes is kept whole, to be used again later. If less than a quarter of it is
        // full, a copy takes its place at once.
        if bytes.capacity() != BUFFER_BYTES && bytes.capacity() != SMALL_BUFFER_BYTES {
            if !buffers::is_fitting(bytes.capacity(), bytes.len()) {
                bytes.shrink_to_fit();
            }
        } else if bytes.len() < bytes.capacity() / 4 {
            let exact = bytes.as_slice().to_vec();
            gauge.buffers.give_back(std::mem::replace(&mut bytes, exact));
        }
        let charged_bytes = bytes.capacity();
        gauge.add(charged_bytes);
        Self { bytes, position: OnceLock::new(), charged_bytes, is_read_back: false, gauge: Arc::clone(gauge) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Notes its position in the log; `append` is called once, when it is not there yet.
    pub(crate) fn place_in_log(&self, append: impl FnOnce() -> u64) -> u64 {
        *self.position.get_or_init(append)
    }
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
    /// What the chunk before came to: room for as much is made at once, instead of growing step by step.
    expected_bytes: usize,
}

/// Where a record starts in its chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOffset(u32);

impl ChunkWriter {
    /// A writer for one message that takes about so many bytes, in memory that was used before if it is a large one.
    pub(crate) fn for_one(bytes: usize, gauge: &MemoryGauge) -> Self {
        Self { bytes: gauge.buffers.own(bytes), ..Self::default() }
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room for as much as the chunk before had. Must be called before the first record, and may be left out.
    pub(crate) fn prepare(&mut self, gauge: &MemoryGauge) {
        // With less the buffer would only be copied at the end (`Chunk::counted`).
        if self.expected_bytes > BUFFER_BYTES / 4 && self.bytes.capacity() == 0 {
            self.bytes = gauge.buffer();
            self.bytes.clear();
        }
    }

    /// Bytes that it has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends one whole record. `address` is the exchange and the routing key as two short strings, `properties` the flags
    /// and values of the content header.
    pub fn push(&mut self, facts: Facts, address: &[u8], properties: &[u8], body: &[u8]) -> RecordOffset {
        self.bytes.reserve(RECORD_HEADER_BYTES + address.len() + properties.len() + body.len());
        #[expect(clippy::cast_possible_truncation, reason = "bodies are at most 512 MiB")]
        let offset = self.begin(facts, address, properties, body.len() as u32);
        self.bytes.extend_from_slice(body);
        offset
    }

    /// Appends a record whose body of `body_bytes` follows piecewise by [`ChunkWriter::extend_body`].
    #[expect(clippy::cast_possible_truncation, reason = "an address is at most 512 bytes, properties fit a frame")]
    pub(crate) fn begin(&mut self, facts: Facts, address: &[u8], properties: &[u8], body_bytes: u32) -> RecordOffset {
        let offset = RecordOffset(self.bytes.len() as u32);
        if self.bytes.is_empty() {
            self.bytes.reserve(self.expected_bytes);
        }
        let [a0, a1] = (address.len() as u16).to_le_bytes();
        let [p0, p1, p2, p3] = (properties.len() as u32).to_le_bytes();
        let [b0, b1, b2, b3] = body_bytes.to_le_bytes();
        let header: [u8; RECORD_HEADER_BYTES] =
            [a0, a1, facts.flags(), facts.priority.unwrap_or(0), p0, p1, p2, p3, b0, b1, b2, b3];
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(address);
        self.bytes.extend_from_slice(properties);
        offset
    }

    /// Appends a piece of the body that [`ChunkWriter::begin`] announced.
    pub(crate) fn extend_body(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// Makes the records readable, counted by `gauge` while they live; the writer is empty afterwards.
    pub fn finish(&mut self, gauge: &Arc<MemoryGauge>) -> Arc<Chunk> {
        let bytes = std::mem::take(&mut self.bytes);
        self.expected_bytes = bytes.len();
        Arc::new(Chunk::counted(bytes, gauge))
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

    /// The record at `offset` of a chunk whose bytes may be damaged: `None` when it does not lie within the chunk.
    pub(crate) fn checked(chunk: Arc<Chunk>, offset: usize) -> Option<Self> {
        let message = Self { chunk, offset: u32::try_from(offset).ok()? };
        let record = message.record();
        (record.len() >= RECORD_HEADER_BYTES && record.len() >= message.record_bytes()).then_some(message)
    }

    /// The message at a position of the log, in the chunk that was read back from there.
    pub(crate) fn in_log(chunk: &Arc<Chunk>, position: u64) -> Option<Self> {
        let offset = position.checked_sub(*chunk.position.get()?)?;
        Self::checked(Arc::clone(chunk), usize::try_from(offset).ok()?)
    }

    /// Its position in the log; `None` if it was not appended.
    pub(crate) fn log_position(&self) -> Option<u64> {
        Some(self.chunk.position.get()? + u64::from(self.offset))
    }

    /// The memory that it shares with its neighbours.
    pub(crate) fn chunk(&self) -> &Arc<Chunk> {
        &self.chunk
    }

    /// Its record, as [`Message::checked`] reads it.
    pub(crate) fn encoded(&self) -> &[u8] {
        slice(self.record(), 0, self.record_bytes())
    }

    /// A message in a chunk of its own.
    pub fn standalone(gauge: &Arc<MemoryGauge>, facts: Facts, address: &[u8], properties: &[u8], body: &[u8]) -> Self {
        let mut writer = ChunkWriter::default();
        writer.bytes.reserve_exact(RECORD_HEADER_BYTES + address.len() + properties.len() + body.len());
        let offset = writer.push(facts, address, properties, body);
        Self::new(writer.finish(gauge), offset)
    }

    /// The exchange and the routing key as two short strings, as `basic.deliver` carries them.
    pub fn address(&self) -> &[u8] {
        let record = self.record();
        slice(record, RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + self.address_bytes())
    }

    /// The exchange that the message was published to.
    pub(crate) fn exchange(&self) -> &str {
        split_address(self.address()).0
    }

    /// The routing key that the message was published with; it need not be UTF-8.
    pub(crate) fn routing_key(&self) -> &[u8] {
        split_address(self.address()).1
    }

    /// The flags and values of the content header, as they stand on the wire.
    pub(crate) fn property_bytes(&self) -> &[u8] {
        let start = RECORD_HEADER_BYTES + self.address_bytes();
        slice(self.record(), start, start + self.property_length())
    }

    /// The properties, read where they lie as they are asked for.
    pub fn properties(&self) -> Properties<'_> {
        Properties::new(self.property_bytes())
    }

    /// The bytes that were published.
    pub fn body(&self) -> &[u8] {
        let start = RECORD_HEADER_BYTES + self.address_bytes() + self.property_length();
        slice(self.record(), start, start + self.body_bytes())
    }

    /// Length of the body.
    pub(crate) fn body_bytes(&self) -> usize {
        read_u32(self.record(), 8) as usize
    }

    /// What the broker knows of the message.
    pub fn facts(&self) -> Facts {
        let record = self.record();
        Facts::read(byte(record, 2), byte(record, 3))
    }

    /// Whether the message keeps much more memory alive than it needs: it is one of few that still use a large chunk.
    pub(crate) fn pins_memory(&self) -> bool {
        const WORTH_COPYING_BYTES: usize = 16 * 1024;
        // As if all who still use the chunk shared it evenly.
        let chunk_bytes = self.chunk.bytes.len();
        chunk_bytes > WORTH_COPYING_BYTES && chunk_bytes / Arc::strong_count(&self.chunk) > 4 * self.record_bytes()
    }

    /// The same message with other properties, in a chunk of its own.
    #[must_use]
    pub(crate) fn with_properties(&self, facts: Facts, properties: &[u8]) -> Self {
        Self::standalone(&self.chunk.gauge, facts, self.address(), properties, self.body())
    }

    /// The same message in a chunk of its own, so that the shared one can go.
    #[must_use]
    pub(crate) fn compacted(&self) -> Self {
        let record = slice(self.record(), 0, self.record_bytes());
        let mut writer = ChunkWriter { bytes: record.to_vec(), expected_bytes: 0 };
        Self::new(writer.finish(&self.chunk.gauge), RecordOffset(0))
    }

    fn record_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.address_bytes() + self.property_length() + self.body_bytes()
    }

    fn record(&self) -> &[u8] {
        self.chunk.bytes.get(self.offset as usize..).unwrap_or_default()
    }

    fn address_bytes(&self) -> usize {
        let record = self.record();
        usize::from(u16::from_le_bytes([byte(record, 0), byte(record, 1)]))
    }

    /// Length of the properties as they stand on the wire.
    pub(crate) fn property_length(&self) -> usize {
        read_u32(self.record(), 4) as usize
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange())
            .field("routing_key", &String::from_utf8_lossy(self.routing_key()))
            .field("body_bytes", &self.body_bytes())
            .finish()
    }
}

/// The exchange and the routing key as two short strings; each is cut to 255 bytes.
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

/// The exchange and the routing key of an address. An exchange name that is not UTF-8 reads as the empty one: such a name
/// cannot be declared, and the publish is refused before a record is made of it.
pub(crate) fn split_address(address: &[u8]) -> (&str, &[u8]) {
    let Some((&exchange_bytes, rest)) = address.split_first() else { return ("", &[]) };
    let Some((exchange, rest)) = rest.split_at_checked(usize::from(exchange_bytes)) else { return ("", &[]) };
    let routing_key = rest.split_first().map_or(&[][..], |(_, key)| key);
    (std::str::from_utf8(exchange).unwrap_or_default(), routing_key)
}

fn slice(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(start..end).unwrap_or_default()
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests;
