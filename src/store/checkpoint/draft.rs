//! Writes a checkpoint.

use std::io::IoSlice;

use super::{Checkpoint, HEADER_BYTES, MAGIC, PATHS, Part, QueueState, Single, VERSION};
use crate::store::StoreError;
use crate::store::codec::{put_sized, put_varint};
use crate::store::disk::Disk;
use crate::store::failure::Call;
use crate::store::record::{Freed, put_freed};
use crate::store::seq::Seq;

/// A checkpoint that is being made, queue by queue: encoded at once, because all of them together can be a million parts.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    queues: Vec<u8>,
    queue_count: u64,
    free: Vec<u8>,
    free_count: u64,
}

impl Draft {
    /// One that will take about so many bytes for the queues, as [`Draft::queue_bytes`] tells of the last.
    pub(crate) fn with_capacity(queue_bytes: usize) -> Self {
        Self { queues: Vec::with_capacity(queue_bytes), ..Self::default() }
    }

    /// Bytes that the queues take until now.
    pub(crate) const fn queue_bytes(&self) -> usize {
        self.queues.len()
    }

    /// Adds what is free of a segment file.
    pub(crate) fn push_free(&mut self, freed: Freed) {
        put_freed(&mut self.free, freed);
        self.free_count += 1;
    }

    /// Adds a queue.
    pub(crate) fn push(&mut self, queue: &QueueState) {
        put_queue(&mut self.queues, queue);
        self.queue_count += 1;
    }

    /// Puts this checkpoint, with what `rest` says beside, in the place of the last one, durably. Until this has succeeded, everything
    /// that the last one needs must stay.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn write(self, rest: &Checkpoint, disk: &dyn Disk) -> Result<(), StoreError> {
        let payload = self.payload(rest);
        let mut crc = crc32fast::Hasher::new();
        payload.iter().for_each(|piece| crc.update(piece));
        let length: usize = payload.iter().map(Vec::len).sum();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&(length as u64).to_le_bytes());
        header.extend_from_slice(&crc.finalize().to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        let [front, queues, count, free] = &payload;
        put_in_place(disk, &PATHS, &[&header, front, queues, count, free])
    }

    /// What the file says behind its header, in pieces.
    pub(super) fn payload(mut self, rest: &Checkpoint) -> [Vec<u8>; 4] {
        // What `rest` has of both goes behind what was pushed one by one.
        rest.queues.iter().for_each(|queue| self.push(queue));
        rest.free.iter().for_each(|freed| self.push_free(*freed));
        let mut front = Vec::new();
        let Checkpoint { start, number, durable, start_run, run, is_clean, next_id, last_segment, .. } = *rest;
        for number in [start, number, durable] {
            put_varint(&mut front, number);
        }
        front.extend_from_slice(&start_run.0.to_le_bytes());
        front.extend_from_slice(&run.0.to_le_bytes());
        put_all(&mut front, &rest.log_files, |out, file| {
            put_varint(out, file.number);
            out.extend_from_slice(&file.run.0.to_le_bytes());
        });
        put_all(&mut front, &rest.segment_files, |out, file| {
            put_varint(out, u64::from(file.id.0));
            out.extend_from_slice(&file.run.0.to_le_bytes());
            put_varint(out, file.length);
        });
        for number in [u64::from(is_clean), next_id, u64::from(last_segment)] {
            put_varint(&mut front, number);
        }
        put_all(&mut front, &rest.definitions, |out, definition| put_sized(out, definition));
        put_varint(&mut front, self.queue_count);
        let mut count = Vec::new();
        put_varint(&mut count, self.free_count);
        // In pieces: the parts of a long backlog are not copied once more to stand in one.
        [front, self.queues, count, self.free]
    }
}

/// Writes files with these contents and puts each in the place of what had its name. What is there at any time is whole: the old one or
/// the new one.
pub(in crate::store) fn put_in_place(disk: &dyn Disk, paths: &[&str], contents: &[&[u8]]) -> Result<(), StoreError> {
    let new = |path: &str| format!("{path}.new");
    for path in paths {
        let path = new(path);
        let failed = |call| StoreError::io(call, disk.describe(&path));
        // What an interrupted try left may be longer, and opening does not cut it off.
        disk.remove(&path).map_err(failed(Call::Remove))?;
        // First all are written and synced under other names. A power loss in here leaves
        // the old ones as they are.
        let file = disk.open(&path, true).map_err(failed(Call::Create))?;
        let mut slices: Vec<_> = contents.iter().map(|piece| IoSlice::new(piece)).collect();
        file.write_at(&mut slices, 0).map_err(failed(Call::Write))?;
        file.sync().map_err(failed(Call::SyncNew))?;
    }
    for path in paths {
        // Only names change now, each at once. Between two of them one file is new and the other old, and
        // either is enough for a start.
        disk.rename(&new(path), path).map_err(StoreError::io(Call::Rename, disk.describe(path)))?;
    }
    // Last: until it has succeeded, the caller must keep what the old ones need.
    disk.sync_directory("").map_err(StoreError::io(Call::SyncDirectory, disk.describe("")))
}

fn put_all<T>(out: &mut Vec<u8>, all: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_varint(out, all.len() as u64);
    for one in all {
        put(out, one);
    }
}

fn put_queue(out: &mut Vec<u8>, queue: &QueueState) {
    put_varint(out, queue.queue);
    put_varint(out, queue.next_seq.0);
    let put_mark = |out: &mut Vec<u8>, &(level, mark): &(u8, Seq)| {
        out.push(level);
        put_varint(out, mark.0);
    };
    put_all(out, queue.delivered.as_slice(), put_mark);
    put_all(out, queue.moved.as_slice(), put_mark);
    put_all(out, &queue.parts, put_part);
    put_all(out, &queue.singles, put_single);
    put_all(out, &queue.counts, |out, &(seq, counts)| {
        put_varint(out, seq.0);
        put_varint(out, u64::from(counts.acquired));
        put_varint(out, u64::from(counts.failed));
    });
}

/// Appends a part.
pub(crate) fn put_part(out: &mut Vec<u8>, part: &Part) {
    out.push(part.level);
    let numbers = [
        u64::from(part.segment.0),
        u64::from(part.start),
        u64::from(part.end),
        part.first_seq.0,
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
    let numbers = [single.seq.0, u64::from(single.bytes), u64::from(single.body_bytes), single.due_ms, single.origin];
    for number in numbers {
        put_varint(out, number);
    }
}
