//! Segment files: what outlived the log's window, written once, in the order of the queues it belongs to, and never changed.
//!
//! A file is shared by all queues that had survivors at the time, so that ten thousand queues do not make ten thousand files
//! and an evacuation is one sequential write and one sync. What is free in a file is kept as stretches of bytes; neighbours are
//! one stretch, and the records of a queue lie side by side, so that in-order consumption leaves one stretch a queue however
//! long the queue is. A file goes when everything in it is free and a checkpoint no longer names it.
//!
//! ```text
//! file   = "LVSG" version u32 id u32 zero u32, then records
//! record = crc32 u32, message bytes u32, queue u64, seq u64, expires u64, counts u32 u32, origin u64, moved from u64, level u8,
//!          flags u8, zero u16 u32, message, padded to 8 bytes                                  (docs/format.md)
//! ```

mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::address::{Address, SegmentId};
use super::codec::Reader;
use super::disk::{Disk, DiskFile};
use super::record::{Counts, Freed, SEQ_MAX};
use super::{Sizes, StoreError};
use crate::message::{BUFFER_BYTES, Chunk, MemoryGauge, Message};

pub use writer::{SegmentWriter, Written};

/// The directory of the segment files.
pub const DIRECTORY: &str = "segments";
const MAGIC: &[u8; 4] = b"LVSG";
/// The version of the format.
const VERSION: u32 = 1;
/// Bytes in front of the first record of a file.
pub const FILE_HEADER_BYTES: u32 = 16;
/// Bytes in front of each message.
pub const RECORD_HEADER_BYTES: u32 = 64;

const REDELIVERED: u8 = 1;
const STORED: u8 = 2;

/// What a record says of its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The queue, so that a damaged file can be blamed on the right one.
    pub queue: u64,
    /// Its place in the order of the queue.
    pub seq: u64,
    /// When it expires; `u64::MAX` for never.
    pub expires_at_ms: u64,
    /// Deliveries so far.
    pub counts: Counts,
    /// The exchange that holds it back, for delayed messages; else 0.
    pub origin: u64,
    /// Its priority level.
    pub level: u8,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// It survives a restart.
    pub is_stored: bool,
    /// Where it was before its file was rewritten.
    pub moved_from: Address,
}

/// A record that was read back.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it says of the message.
    pub label: Label,
    /// Where it is.
    pub address: Address,
    /// Bytes of the record.
    pub bytes: u32,
    /// The message.
    pub message: Message,
}

#[derive(Debug)]
struct Segment {
    file: Arc<dyn DiskFile>,
    /// Bytes of all records.
    bytes: u64,
    free_bytes: u64,
    /// Start, and what [`Freed`] says beside it.
    free: BTreeMap<u32, Freed>,
    /// It is being written, and must not go.
    is_open: bool,
}

/// All segment files.
pub struct Segments {
    disk: Arc<dyn Disk>,
    gauge: Arc<MemoryGauge>,
    /// Go on without what cannot be read.
    salvage: bool,
    sizes: Sizes,
    all: Mutex<All>,
    on_excess: OnceLock<OnExcess>,
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct All {
    by_id: BTreeMap<SegmentId, Segment>,
    /// Files that are to be removed once no checkpoint names them and the log begins there or later.
    doomed: Vec<(SegmentId, u64)>,
    last_id: u32,
    /// Freed since it was looked at how much is free.
    free_bytes: u64,
}

/// How much the segment files hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files.
    pub files: usize,
    /// Bytes of all records.
    pub bytes: u64,
    /// Bytes of records that are free.
    pub free_bytes: u64,
}

impl Usage {
    /// Bytes that are free beyond what may be: as much as is wanted, and so many more.
    pub const fn excess(&self, excess_bytes: u64) -> u64 {
        let wanted = self.bytes.saturating_sub(self.free_bytes);
        self.free_bytes.saturating_sub(wanted.saturating_add(excess_bytes))
    }
}

/// So many bytes are freed between two looks at how much is free.
const FREED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Tells that too much of the files is free.
pub type OnExcess = Box<dyn Fn() + Send + Sync>;

/// The path of a segment file.
pub fn path(id: SegmentId) -> String {
    format!("{DIRECTORY}/{:08}.seg", id.0)
}

impl Segments {
    /// No files yet. With `salvage`, messages that cannot be read are reported and left out instead of being an error.
    pub fn new(disk: Arc<dyn Disk>, gauge: Arc<MemoryGauge>, salvage: bool) -> Self {
        let (sizes, all) = (Sizes::default(), Mutex::default());
        Self { disk, gauge, salvage, sizes, all, on_excess: OnceLock::new() }
    }

    /// With other sizes than the usual ones.
    #[must_use]
    pub fn with_sizes(self, sizes: Sizes) -> Self {
        Self { sizes, ..self }
    }

    /// The sizes.
    pub const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Takes over a file that a checkpoint names; `bytes` are those of the records that somebody still refers to.
    ///
    /// # Errors
    /// When it is missing, or not a segment file of this version.
    pub fn restore(&self, id: SegmentId, bytes: u64) -> Result<(), StoreError> {
        let name = || self.disk.describe(&path(id));
        let file = self.disk.open(&path(id), false).map_err(StoreError::io("cannot open", name()))?;
        let mut header = [0; FILE_HEADER_BYTES as usize];
        let count = file.read_at(&mut header, 0).map_err(StoreError::io("cannot read", name()))?;
        let mut reader = Reader::new(header.get(..count).unwrap_or_default());
        let (magic, version, found) = (reader.array::<4>(), reader.u32(), reader.u32());
        if magic != Some(*MAGIC) || found != Some(id.0) {
            return Err(StoreError::Corrupt { file: name(), offset: 0, what: "this is no segment file".to_owned() });
        }
        if version != Some(VERSION) {
            return Err(StoreError::UnknownVersion { file: name(), found: version.unwrap_or(0), known: VERSION });
        }
        let mut all = self.all.lock();
        all.last_id = all.last_id.max(id.0);
        all.by_id.insert(id, Segment { file, bytes, free_bytes: 0, free: BTreeMap::new(), is_open: false });
        Ok(())
    }

    /// Gives numbers behind this one to new files.
    pub fn skip_ids(&self, last: u32) {
        let mut all = self.all.lock();
        all.last_id = all.last_id.max(last);
    }

    /// The number of the last file that was made.
    pub fn last_id(&self) -> u32 {
        self.all.lock().last_id
    }

    fn next_id(&self) -> SegmentId {
        let mut all = self.all.lock();
        all.last_id = all.last_id.saturating_add(1);
        SegmentId(all.last_id)
    }

    fn add(&self, id: SegmentId, file: Arc<dyn DiskFile>) {
        let segment = Segment { file, bytes: 0, free_bytes: 0, free: BTreeMap::new(), is_open: true };
        self.all.lock().by_id.insert(id, segment);
    }

    fn written(&self, id: SegmentId, bytes: u64) {
        if let Some(segment) = self.all.lock().by_id.get_mut(&id) {
            segment.bytes += bytes;
        }
    }

    fn close(&self, id: SegmentId) {
        if let Some(segment) = self.all.lock().by_id.get_mut(&id) {
            segment.is_open = false;
        }
    }

    /// Frees stretches of files. Stretches that are free already, as when the log is read again, change nothing.
    pub fn free(&self, freed: &[Freed]) {
        let mut all = self.all.lock();
        for range in freed {
            let All { by_id, free_bytes, .. } = &mut *all;
            if let Some(segment) = by_id.get_mut(&range.segment) {
                let before = segment.free_bytes;
                segment.free(*range);
                *free_bytes += segment.free_bytes.saturating_sub(before);
            }
        }
        let is_due = all.free_bytes > FREED_BYTES_MAX;
        if is_due {
            all.free_bytes = 0;
        }
        drop(all);
        if is_due
            && let Some(tell) = self.on_excess.get()
            && self.usage().excess(self.sizes.excess_bytes) > 0
        {
            tell();
        }
    }

    /// What is free of a file between two offsets.
    pub fn free_within(&self, id: SegmentId, start: u32, end: u32) -> Vec<Freed> {
        let all = self.all.lock();
        let Some(segment) = all.by_id.get(&id) else { return Vec::new() };
        let before = segment.free.range(..start).next_back().filter(|(_, freed)| freed.end > start);
        before.into_iter().chain(segment.free.range(start..end)).map(|(_, freed)| *freed).collect()
    }

    /// Whether a stretch of a file is free, all of it.
    pub fn is_free(&self, id: SegmentId, start: u32, end: u32) -> bool {
        let all = self.all.lock();
        let Some(segment) = all.by_id.get(&id) else { return true };
        segment.free.range(..=start).next_back().is_some_and(|(_, freed)| freed.end >= end)
    }

    /// The free stretches of all files.
    pub fn free_stretches(&self) -> Vec<Freed> {
        self.all.lock().by_id.values().flat_map(|segment| segment.free.values().copied()).collect()
    }

    /// Has a file removed once the log begins at this position. Its number is not given again.
    pub(super) fn doom(&self, id: SegmentId, log_start: u64) {
        let mut all = self.all.lock();
        all.last_id = all.last_id.max(id.0);
        all.doomed.push((id, log_start));
    }

    /// Takes out the files of which everything is free. These, and those that were taken out before and could not be removed,
    /// can be removed once there is a checkpoint with this start that does not name them.
    pub fn take_empty(&self, log_start: u64) -> Vec<SegmentId> {
        let mut all = self.all.lock();
        let is_empty = |segment: &Segment| !segment.is_open && segment.free_bytes >= segment.bytes;
        let empty: Vec<_> = all.by_id.iter().filter(|(_, segment)| is_empty(segment)).map(|(id, _)| *id).collect();
        for id in &empty {
            all.by_id.remove(id);
        }
        all.doomed.extend(empty.into_iter().map(|id| (id, 0)));
        all.doomed.iter().filter(|(_, needed_until)| *needed_until <= log_start).map(|(id, _)| *id).collect()
    }

    /// Removes files that no checkpoint names any more.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(&self, ids: &[SegmentId]) -> Result<(), StoreError> {
        for id in ids {
            let name = self.disk.describe(&path(*id));
            self.disk.remove(&path(*id)).map_err(StoreError::io("cannot remove", name))?;
            self.all.lock().doomed.retain(|(doomed, _)| doomed != id);
        }
        Ok(())
    }

    /// The records in a stretch of a file that need not be known. None if it is gone.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub(super) fn labels(&self, stretch: &Freed) -> Result<Vec<Stored>, StoreError> {
        let Freed { segment: id, start, end, .. } = *stretch;
        let name = || self.disk.describe(&path(id));
        let file = match self.disk.open(&path(id), false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("cannot open", name())(error)),
        };
        let block = self.read_block(&file, id, start, end.saturating_sub(start))?;
        let (records, _) = self.parse(id, start, block, &[])?;
        Ok(records)
    }

    /// The files to be rewritten, up to the one of number `last`: the sparsest ones, while more is free than is wanted.
    pub fn sparse(&self, last: SegmentId) -> Vec<SegmentId> {
        let mut excess = self.usage().excess(self.sizes.excess_bytes);
        let mut closed: Vec<_> = {
            let all = self.all.lock();
            let is_sparse = |segment: &Segment| !segment.is_open && segment.free_bytes * 2 >= segment.bytes;
            let sparse = all.by_id.iter().filter(|(id, segment)| **id <= last && is_sparse(segment));
            sparse
                .map(|(id, segment)| (segment.bytes - segment.free_bytes.min(segment.bytes), *id, segment.bytes))
                .collect()
        };
        // The cheapest first; each gives back what is free of it.
        closed.sort_unstable();
        let mut chosen = Vec::new();
        for (wanted_bytes, id, bytes) in closed {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes - wanted_bytes);
            chosen.push(id);
        }
        chosen
    }

    /// Sets who is told when too much of the files is free. Only the first call counts.
    pub fn on_excess(&self, tell: OnExcess) {
        self.on_excess.get_or_init(|| tell);
    }

    /// How much there is.
    pub fn usage(&self) -> Usage {
        let all = self.all.lock();
        let mut usage = Usage { files: all.by_id.len(), ..Usage::default() };
        for segment in all.by_id.values() {
            usage.bytes += segment.bytes;
            usage.free_bytes += segment.free_bytes;
        }
        usage
    }

    /// Reads the records from an offset on, up to `end` and about `bytes` of them, one whole record at least. Free ones are
    /// left out. With the offset behind the last one.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn read(&self, id: SegmentId, start: u32, end: u32, bytes: u32) -> Result<(Vec<Stored>, u32), StoreError> {
        let file = self.all.lock().by_id.get(&id).map(|segment| Arc::clone(&segment.file));
        let name = || self.disk.describe(&path(id));
        // It was rewritten, or its last message settled, since somebody wanted to read it.
        let Some(file) = file else { return Ok((Vec::new(), end)) };
        let free = self.free_within(id, start, end);
        // What is free at the beginning need not be read.
        let start = free.first().filter(|freed| freed.start <= start).map_or(start, |freed| freed.end);
        if start >= end {
            return Ok((Vec::new(), end));
        }
        let wanted = (end - start).min(bytes.max(RECORD_HEADER_BYTES));
        let mut block = self.read_block(&file, id, start, wanted)?;
        if let Some(first) = first_record_bytes(&block).filter(|first| *first > wanted && *first <= end - start) {
            block = self.read_block(&file, id, start, first)?;
        }
        let queue = queue_of(&block);
        let (records, next) = self.parse(id, start, block, &free)?;
        if next > start {
            return Ok((records, next));
        }
        let what = format!("a message of queue number {queue} reaches beyond its queue's part of the file");
        self.leave_out(StoreError::Corrupt { file: name(), offset: u64::from(start), what })?;
        self.free(&[Freed { segment: id, start, end, stored: 0, body_bytes: 0 }]);
        Ok((records, end))
    }

    /// Goes on without what is damaged.
    ///
    /// # Errors
    /// The damage, unless the rest is to be salvaged.
    pub(super) fn leave_out(&self, error: StoreError) -> Result<(), StoreError> {
        if !self.salvage {
            return Err(error);
        }
        tracing::error!(%error, "left out while salvaging");
        Ok(())
    }

    fn read_block(
        &self,
        file: &Arc<dyn DiskFile>,
        id: SegmentId,
        start: u32,
        bytes: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let name = self.disk.describe(&path(id));
        // No more than there is, whatever a damaged length says.
        let size = file.size().map_err(StoreError::io("cannot read", name.clone()))?;
        let bytes = u64::from(bytes).min(size.saturating_sub(u64::from(start)));
        let bytes = usize::try_from(bytes).unwrap_or(0);
        let mut block = if bytes <= BUFFER_BYTES { self.gauge.buffer() } else { Vec::new() };
        block.resize(bytes, 0);
        let count = file.read_at(&mut block, u64::from(start)).map_err(StoreError::io("cannot read", name))?;
        block.truncate(count);
        Ok(block)
    }

    fn parse(
        &self,
        id: SegmentId,
        start: u32,
        block: Vec<u8>,
        free: &[Freed],
    ) -> Result<(Vec<Stored>, u32), StoreError> {
        let chunk = Chunk::read_back(block, &self.gauge);
        let mut records = Vec::new();
        let mut at = 0u32;
        while let Some(bytes) = first_record_bytes(chunk.bytes().get(at as usize..).unwrap_or_default()) {
            let Some(record) = chunk.bytes().get(at as usize..(at + bytes) as usize) else { break };
            let offset = start + at;
            let label = read_label(record);
            let message = Message::checked(Arc::clone(&chunk), (at + RECORD_HEADER_BYTES) as usize);
            let (Some(label), Some(message)) = (label, message) else {
                let what = format!("the checksum of a message of queue number {} is wrong", queue_of(record));
                self.leave_out(StoreError::Corrupt {
                    file: self.disk.describe(&path(id)),
                    offset: u64::from(offset),
                    what,
                })?;
                // It is gone for good: the next start must find nothing wrong.
                self.free(&[Freed { segment: id, start: offset, end: offset + bytes, stored: 1, body_bytes: 0 }]);
                at += bytes;
                continue;
            };
            let is_free = free.iter().any(|freed| freed.start <= offset && offset < freed.end);
            if !is_free {
                records.push(Stored { label, address: Address::in_segment(id, offset), bytes, message });
            }
            at += bytes;
        }
        Ok((records, start + at))
    }
}

impl Segment {
    /// Stretches that touch become one. What is left of a part that was read from a checkpoint may have holes that are free
    /// already, and these may be one with what lies before it: each byte is counted once.
    fn free(&mut self, range: Freed) {
        let mut merged = range;
        while let Some((&start, &old)) =
            self.free.range(..=merged.end).next_back().filter(|(_, old)| old.end >= merged.start)
        {
            if start <= range.start && old.end >= range.end {
                return;
            }
            self.free.remove(&start);
            self.free_bytes -= u64::from(old.end - old.start);
            merged = Freed {
                start: merged.start.min(start),
                end: merged.end.max(old.end),
                stored: merged.stored.saturating_add(old.stored),
                body_bytes: merged.body_bytes.saturating_add(old.body_bytes),
                ..merged
            };
        }
        self.free_bytes += u64::from(merged.end - merged.start);
        self.free.insert(merged.start, merged);
    }
}

/// Bytes of the record of a message.
pub fn record_bytes_of(message: &Message) -> u32 {
    u32::try_from(message.encoded().len()).ok().and_then(record_bytes).unwrap_or(u32::MAX)
}

/// Bytes of a record whose message has this length.
fn record_bytes(message_bytes: u32) -> Option<u32> {
    RECORD_HEADER_BYTES.checked_add(message_bytes)?.checked_next_multiple_of(8)
}

fn first_record_bytes(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(bytes);
    reader.u32()?;
    record_bytes(reader.u32()?)
}

fn queue_of(record: &[u8]) -> u64 {
    record.get(8..).map(Reader::new).and_then(|mut reader| reader.u64()).unwrap_or_default()
}

/// Reads what stands in front of a message; `None` when the checksum is wrong.
fn read_label(record: &[u8]) -> Option<Label> {
    let mut reader = Reader::new(record);
    let crc = reader.u32()?;
    if crc32fast::hash(record.get(4..)?) != crc {
        return None;
    }
    reader.u32()?;
    let (queue, seq, expires_at_ms) = (reader.u64()?, reader.u64().filter(|seq| *seq <= SEQ_MAX)?, reader.u64()?);
    let counts = (reader.u32()?, reader.u32()?);
    let (origin, moved_from) = (reader.u64()?, Address::from_bits(reader.u64()?));
    let (level, flags) = (reader.u8()?, reader.u8()?);
    Some(Label {
        queue,
        seq,
        expires_at_ms,
        counts,
        origin,
        level,
        redelivered: flags & REDELIVERED != 0,
        is_stored: flags & STORED != 0,
        moved_from,
    })
}

/// Appends a whole record to the buffer; its length.
fn write_record(out: &mut Vec<u8>, label: &Label, message: &[u8]) -> Option<u32> {
    let message_bytes = u32::try_from(message.len()).ok()?;
    let bytes = record_bytes(message_bytes)?;
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&message_bytes.to_le_bytes());
    for word in [label.queue, label.seq, label.expires_at_ms] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&label.counts.0.to_le_bytes());
    out.extend_from_slice(&label.counts.1.to_le_bytes());
    out.extend_from_slice(&label.origin.to_le_bytes());
    out.extend_from_slice(&label.moved_from.to_bits().to_le_bytes());
    let flags = (u8::from(label.redelivered) * REDELIVERED) | (u8::from(label.is_stored) * STORED);
    out.extend_from_slice(&[label.level, flags, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(message);
    out.resize(start + bytes as usize, 0);
    let crc = crc32fast::hash(out.get(start + 4..).unwrap_or_default());
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
