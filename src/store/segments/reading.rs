//! Reads records back.

use std::sync::Arc;

use super::damage::{Damaged, Limits};
use super::record::{RECORD_HEADER_BYTES, Stored, first_record_bytes, read_label};
use super::{Segments, path};
use crate::message::{BUFFER_BYTES, Chunk, Message, SMALL_BUFFER_BYTES};
use crate::store::StoreError;
use crate::store::address::{Address, SegmentId};
use crate::store::disk::DiskFile;
use crate::store::failure::Call;
use crate::store::record::Freed;

/// What was read of a stretch.
#[derive(Debug, Default)]
pub struct Block {
    /// The records, without those that are free.
    pub records: Vec<Stored>,
    /// What between them cannot be read. It was copied, and is to be freed.
    pub(crate) damaged: Vec<Damaged>,
    /// Behind the last of both.
    pub(crate) next: u32,
}

impl Segments {
    /// The records in a stretch of a file that need not be known, and what of it cannot be read. Nothing if it is gone.
    ///
    /// # Errors
    /// When nothing of it can be read.
    pub(in crate::store) fn labels(&self, stretch: &Freed) -> Result<Block, StoreError> {
        let Freed { segment: id, start, end, .. } = *stretch;
        let name = || self.disk.describe(&path(id));
        let file = match self.disk.open(&path(id), false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Block::default()),
            Err(error) => return Err(StoreError::io(Call::Open, name())(error)),
        };
        let size = file.size().map_err(StoreError::io(Call::Read, name()))?;
        // The caller sees by `next` that something is missing.
        if size < u64::from(end) {
            return Ok(Block { next: u32::try_from(size).unwrap_or(start), ..Block::default() });
        }
        let block = self.read_around(&file, id, start, end.saturating_sub(start))?;
        Ok(self.parse(&file, id, start, block, &[], Limits { end, queue: None, sets_aside: false }))
    }

    /// Reads the records of a queue from an offset on, up to `end` and about `bytes` of them, one whole record at least. Free ones
    /// are left out, and so is what cannot be read.
    ///
    /// # Errors
    /// When nothing of the file can be read.
    pub fn read(&self, id: SegmentId, start: u32, end: u32, bytes: u32, queue: u64) -> Result<Block, StoreError> {
        let file = self.file(id)?;
        // It was rewritten, or its last message settled, since somebody wanted to read it.
        let Some(file) = file else { return Ok(Block { next: end, ..Block::default() }) };
        // Taken before the read. What is freed meanwhile is read and handed out; its queue does
        // not wait for it any more.
        let free = self.free_within(id, start, end);
        let limits = Limits { end, queue: Some(queue), sets_aside: true };
        self.read_file(&file, id, start, bytes, &free, limits)
    }

    /// Reads as [`Segments::read`] does, but all records, free ones as well, of one queue or of any, and changes nothing.
    ///
    /// # Errors
    /// When nothing of the file can be read.
    pub(in crate::store) fn examine(
        &self,
        id: SegmentId,
        start: u32,
        end: u32,
        bytes: u32,
        queue: Option<u64>,
    ) -> Result<Block, StoreError> {
        let file = self.file(id)?;
        let Some(file) = file else { return Ok(Block { next: end, ..Block::default() }) };
        let limits = Limits { end, queue, sets_aside: false };
        self.read_file(&file, id, start, bytes, &[], limits)
    }

    fn read_file(
        &self,
        file: &Arc<dyn DiskFile>,
        id: SegmentId,
        start: u32,
        bytes: u32,
        free: &[Freed],
        limits: Limits,
    ) -> Result<Block, StoreError> {
        let end = limits.end;
        // What is free at the beginning need not be read.
        let start = free.first().filter(|freed| freed.start <= start).map_or(start, |freed| freed.end);
        if start >= end {
            return Ok(Block { next: end, ..Block::default() });
        }
        let wanted = (end - start).min(bytes.max(RECORD_HEADER_BYTES));
        let mut block = self.read_around(file, id, start, wanted)?;
        // A message that is longer than a block: all of it, so that one at least is read.
        if let Some(first) = first_record_bytes(&block).filter(|first| *first > wanted && *first <= end - start) {
            block = self.read_around(file, id, start, first)?;
        }
        let mut read = self.parse(file, id, start, block, free, limits);
        if read.next <= start {
            // It says that it is longer than there is room for it, or the file ends within it.
            read.next = self.pass_over(file, id, start, free, limits, &mut read.damaged);
        }
        Ok(read)
    }

    /// A buffer for so many bytes, or as many as there are, whatever a damaged length says.
    ///
    /// # Errors
    /// When the file's length cannot be had.
    pub(super) fn buffer(
        &self,
        file: &Arc<dyn DiskFile>,
        id: SegmentId,
        start: u32,
        bytes: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let size = file.size().map_err(StoreError::io(Call::Read, self.disk.describe(&path(id))))?;
        let bytes = u64::from(bytes).min(size.saturating_sub(u64::from(start)));
        let bytes = usize::try_from(bytes).unwrap_or(0);
        // Buffers are used again: a backlog is read in thousands of blocks.
        let mut block = if bytes <= SMALL_BUFFER_BYTES {
            self.gauge.small_buffer()
        } else if bytes <= BUFFER_BYTES {
            self.gauge.buffer()
        } else {
            Vec::new()
        };
        block.resize(bytes, 0);
        Ok(block)
    }

    fn parse(
        &self,
        file: &Arc<dyn DiskFile>,
        id: SegmentId,
        start: u32,
        block: Vec<u8>,
        free: &[Freed],
        limits: Limits,
    ) -> Block {
        // The messages share the block as it was read, without a copy.
        let chunk = Chunk::read_back(block, &self.gauge);
        let mut read = Block { next: start, ..Block::default() };
        loop {
            let at = (read.next - start) as usize;
            let rest = chunk.bytes().get(at..).unwrap_or_default();
            let Some(bytes) = first_record_bytes(rest) else { break };
            let Some(record) = rest.get(..bytes as usize) else { break };
            let offset = read.next;
            // A record of another queue is damage as well: the part has only messages of one.
            let label = read_label(record).filter(|label| limits.queue.is_none_or(|queue| queue == label.queue));
            let message = Message::checked(Arc::clone(&chunk), at + RECORD_HEADER_BYTES as usize);
            let (Some(label), Some(message)) = (label, message) else {
                read.next = self.pass_over(file, id, offset, free, limits, &mut read.damaged);
                continue;
            };
            if !is_free(free, offset) {
                read.records.push(Stored { label, address: Address::in_segment(id, offset), bytes, message });
            }
            read.next += bytes;
        }
        read
    }

    /// Sets aside what cannot be read at an offset, unless it is free anyway; where it ends.
    fn pass_over(
        &self,
        file: &Arc<dyn DiskFile>,
        id: SegmentId,
        start: u32,
        free: &[Freed],
        limits: Limits,
        all: &mut Vec<Damaged>,
    ) -> u32 {
        // At least a byte further, or whoever reads would come to the same place again.
        let end = self.end_of_damage(file, id, start, limits).max(start + 1);
        let damaged = Damaged { segment: id, start, end };
        if !is_free(free, start) {
            if limits.sets_aside {
                self.set_aside(file, damaged);
            }
            all.push(damaged);
        }
        end
    }
}

/// Whether an offset is in one of these stretches, which are in their order and do not overlap.
fn is_free(free: &[Freed], offset: u32) -> bool {
    let behind = free.partition_point(|freed| freed.start <= offset);
    free.get(..behind).and_then(<[Freed]>::last).is_some_and(|freed| offset < freed.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_free_within_a_stretch() {
        let stretch = |start, end| Freed { segment: SegmentId(1), start, end, stored: 1, body_bytes: 0 };
        let free = [stretch(8, 16), stretch(16, 24), stretch(40, 48)];
        let found: Vec<_> = (0..56).filter(|offset| is_free(&free, *offset)).collect();
        assert_eq!(found, (8..24).chain(40..48).collect::<Vec<_>>());
        assert!(!is_free(&[], 8));
    }
}
