//! Reads records back.

use std::sync::Arc;

use super::record::{RECORD_HEADER_BYTES, Stored, first_record_bytes, queue_of, read_label};
use super::{Segments, path};
use crate::message::{BUFFER_BYTES, Chunk, Message, SMALL_BUFFER_BYTES};
use crate::store::StoreError;
use crate::store::address::{Address, SegmentId};
use crate::store::disk::DiskFile;
use crate::store::failure::Call;
use crate::store::record::Freed;

impl Segments {
    /// The records in a stretch of a file that need not be known. None if it is gone.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub(in crate::store) fn labels(&self, stretch: &Freed) -> Result<Vec<Stored>, StoreError> {
        let Freed { segment: id, start, end, .. } = *stretch;
        let name = || self.disk.describe(&path(id));
        let file = match self.disk.open(&path(id), false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io(Call::Open, name())(error)),
        };
        let block = self.read_block(&file, id, start, end.saturating_sub(start))?;
        let (records, _) = self.parse(id, start, block, &[])?;
        Ok(records)
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
    pub(in crate::store) fn leave_out(&self, error: StoreError) -> Result<(), StoreError> {
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
        let size = file.size().map_err(StoreError::io(Call::Read, name.clone()))?;
        let bytes = u64::from(bytes).min(size.saturating_sub(u64::from(start)));
        let bytes = usize::try_from(bytes).unwrap_or(0);
        let mut block = if bytes <= SMALL_BUFFER_BYTES {
            self.gauge.small_buffer()
        } else if bytes <= BUFFER_BYTES {
            self.gauge.buffer()
        } else {
            Vec::new()
        };
        block.resize(bytes, 0);
        let count = file.read_at(&mut block, u64::from(start)).map_err(StoreError::io(Call::Read, name))?;
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
