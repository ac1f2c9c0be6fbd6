//! A group: what one call appends to the log, with a header whose checksum tells whether all of it is there.

use std::sync::Arc;

use crate::message::Chunk;
use crate::store::run::Run;

/// Bytes of a group's header.
pub(in crate::store) const GROUP_HEADER_BYTES: usize = 40;
/// Where the checksum is.
const CRC_OFFSET: usize = 36;
pub(in crate::store) const GROUP_MAGIC: u32 = u32::from_le_bytes(*b"LVG2");
/// The payload is a chunk of messages.
pub(in crate::store) const KIND_CHUNK: u8 = 1;
/// The payload is a run of records.
pub(in crate::store) const KIND_RECORDS: u8 = 2;

/// What a group carries.
pub(super) enum Payload {
    Chunk(Arc<Chunk>),
    Records(Vec<u8>),
}

impl Payload {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Chunk(chunk) => chunk.bytes(),
            Self::Records(records) => records,
        }
    }
}

/// A group that waits to be written.
pub(super) struct Group {
    pub(super) position: u64,
    pub(super) payload: Payload,
}

impl Group {
    pub(super) fn end(&self) -> u64 {
        self.position + group_bytes(self.payload.bytes().len())
    }
}

/// Bytes of a group with its header and padding.
pub(in crate::store) const fn group_bytes(payload_bytes: usize) -> u64 {
    (GROUP_HEADER_BYTES + payload_bytes.next_multiple_of(8)) as u64
}

/// What stands in front of a group's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct GroupHeader {
    pub(super) kind: u8,
    pub(super) payload_bytes: usize,
    pub(super) run: Run,
    pub(super) position: u64,
}

impl GroupHeader {
    /// The header with its checksum over itself and the payload.
    pub(super) fn encode(&self, durable: u64, payload: &[u8]) -> [u8; GROUP_HEADER_BYTES] {
        let mut header = [0; GROUP_HEADER_BYTES];
        let length = u32::try_from(self.payload_bytes).unwrap_or(u32::MAX);
        let words: [(usize, &[u8]); 6] = [
            (0, &GROUP_MAGIC.to_le_bytes()),
            (4, &[self.kind]),
            (8, &length.to_le_bytes()),
            (12, &self.run.0.to_le_bytes()),
            (20, &self.position.to_le_bytes()),
            (28, &durable.to_le_bytes()),
        ];
        for (at, word) in words {
            put(&mut header, at, word);
        }
        // Over header and payload together: one of them from another group is noticed.
        let crc = checksum(&header, payload);
        put(&mut header, CRC_OFFSET, &crc.to_le_bytes());
        header
    }
}

fn put(header: &mut [u8], at: usize, word: &[u8]) {
    if let Some(place) = header.get_mut(at..at + word.len()) {
        place.copy_from_slice(word);
    }
}

/// The checksum of a group, with zeros where it stands itself.
pub(in crate::store) fn checksum(header: &[u8; GROUP_HEADER_BYTES], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.get(..CRC_OFFSET).unwrap_or_default());
    hasher.update(payload);
    hasher.finalize()
}
