//! Writes a checkpoint.

use std::io::IoSlice;

use super::{Checkpoint, HEADER_BYTES, MAGIC, PATH, PATH_NEW, Part, QueueState, Single, VERSION};
use crate::store::StoreError;
use crate::store::codec::{put_sized, put_varint};
use crate::store::disk::Disk;
use crate::store::failure::Call;
use crate::store::record::{Freed, put_freed};

/// A checkpoint that is being made, queue by queue: encoded at once, because all of them together can be a million parts.
#[derive(Debug, Default)]
pub struct Draft {
    queues: Vec<u8>,
    queue_count: u64,
    free: Vec<u8>,
    free_count: u64,
}

impl Draft {
    /// One that will take about so many bytes for the queues, as [`Draft::queue_bytes`] tells of the last.
    pub fn with_capacity(queue_bytes: usize) -> Self {
        Self { queues: Vec::with_capacity(queue_bytes), ..Self::default() }
    }

    /// Bytes that the queues take until now.
    pub const fn queue_bytes(&self) -> usize {
        self.queues.len()
    }

    /// Adds what is free of a segment file.
    pub fn push_free(&mut self, freed: Freed) {
        put_freed(&mut self.free, freed);
        self.free_count += 1;
    }

    /// Adds a queue.
    pub fn push(&mut self, queue: &QueueState) {
        put_queue(&mut self.queues, queue);
        self.queue_count += 1;
    }

    /// Puts this checkpoint, with what `rest` says beside, in the place of the last one, durably.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(self, rest: &Checkpoint, disk: &dyn Disk) -> Result<(), StoreError> {
        let payload = self.payload(rest);
        let mut crc = crc32fast::Hasher::new();
        payload.iter().for_each(|piece| crc.update(piece));
        let length: usize = payload.iter().map(Vec::len).sum();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&(length as u64).to_le_bytes());
        header.extend_from_slice(&crc.finalize().to_le_bytes());
        header.resize(HEADER_BYTES, 0);
        let failed = |action| StoreError::io(action, disk.describe(PATH_NEW));
        disk.remove(PATH_NEW).map_err(failed(Call::Remove))?;
        let file = disk.open(PATH_NEW, true).map_err(failed(Call::Create))?;
        let [front, queues, count, free] = &payload;
        let slices = &mut [&header, front, queues, count, free].map(|piece| IoSlice::new(piece));
        file.write_at(slices, 0).map_err(failed(Call::Write))?;
        file.sync().map_err(failed(Call::SyncNew))?;
        disk.rename(PATH_NEW, PATH).map_err(failed(Call::Rename))?;
        disk.sync_directory("").map_err(failed(Call::SyncDirectory))
    }

    /// What the file says behind its header, in pieces.
    pub(super) fn payload(mut self, rest: &Checkpoint) -> [Vec<u8>; 4] {
        rest.queues.iter().for_each(|queue| self.push(queue));
        rest.free.iter().for_each(|freed| self.push_free(*freed));
        let mut front = Vec::new();
        let Checkpoint { start, epoch, is_clean, next_id, last_segment, .. } = *rest;
        for number in [start, u64::from(epoch), u64::from(is_clean), next_id, u64::from(last_segment)] {
            put_varint(&mut front, number);
        }
        put_all(&mut front, &rest.definitions, |out, definition| put_sized(out, definition));
        put_varint(&mut front, self.queue_count);
        let mut count = Vec::new();
        put_varint(&mut count, self.free_count);
        [front, self.queues, count, self.free]
    }
}

fn put_all<T>(out: &mut Vec<u8>, all: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_varint(out, all.len() as u64);
    for one in all {
        put(out, one);
    }
}

fn put_queue(out: &mut Vec<u8>, queue: &QueueState) {
    put_varint(out, queue.queue);
    put_varint(out, queue.next_seq);
    let put_mark = |out: &mut Vec<u8>, &(level, mark): &(u8, u64)| {
        out.push(level);
        put_varint(out, mark);
    };
    put_all(out, &queue.delivered, put_mark);
    put_all(out, &queue.moved, put_mark);
    put_all(out, &queue.parts, put_part);
    put_all(out, &queue.singles, put_single);
    put_all(out, &queue.counts, |out, &(seq, counts)| {
        put_varint(out, seq);
        put_varint(out, u64::from(counts.0));
        put_varint(out, u64::from(counts.1));
    });
}

/// Appends a part.
pub(crate) fn put_part(out: &mut Vec<u8>, part: &Part) {
    out.push(part.level);
    let numbers = [
        u64::from(part.segment.0),
        u64::from(part.start),
        u64::from(part.end),
        part.first_seq,
        u64::from(part.stored),
        part.body_bytes,
        // Never is the usual time, and wraps to a short number.
        part.expires_min_ms.wrapping_add(1),
        part.expires_max_ms.wrapping_add(1),
    ];
    for number in numbers {
        put_varint(out, number);
    }
}

fn put_single(out: &mut Vec<u8>, single: &Single) {
    out.extend_from_slice(&single.address.to_bits().to_le_bytes());
    let numbers = [single.seq, u64::from(single.bytes), u64::from(single.body_bytes), single.due_ms, single.origin];
    for number in numbers {
        put_varint(out, number);
    }
}
