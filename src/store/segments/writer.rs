//! Writes segment files, one after the other when they become long.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::record::write_record;
use super::{DIRECTORY, Label, MAGIC, SegmentId, Segments, StoreError, path};
use crate::message::Message;
use crate::store::disk::DiskFile;
use crate::store::failure::Call;
use crate::store::head::Head;

/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 1024 * 1024;
/// Unused bytes between the parts of two queues, so that what is free of one never becomes one stretch with the other's.
const GAP_BYTES: usize = 8;

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub segment: SegmentId,
    /// Where its record begins.
    pub offset: u32,
    /// Bytes of the record.
    pub bytes: u32,
}

#[derive(Debug)]
struct Open {
    id: SegmentId,
    file: Arc<dyn DiskFile>,
    /// Where the buffer will be written.
    written: u64,
    buffer: Vec<u8>,
}

impl Open {
    fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}

/// Writes records into new segment files.
#[derive(Debug)]
pub struct SegmentWriter<'a> {
    segments: &'a Segments,
    open: Option<Open>,
    /// All files written to, in their order, with their lengths.
    files: Vec<(SegmentId, Arc<dyn DiskFile>, u64)>,
}

impl<'a> SegmentWriter<'a> {
    /// A writer that has not written anything; a file is made with the first record.
    pub fn new(segments: &'a Segments) -> Self {
        Self { segments, open: None, files: Vec::new() }
    }

    /// Appends a record.
    ///
    /// # Errors
    /// The file system's.
    pub fn push(&mut self, label: &Label, message: &Message) -> Result<Written, StoreError> {
        if self.open.as_ref().is_some_and(|open| open.len() >= u64::from(self.segments.sizes.segment_file_bytes)) {
            self.close()?;
        }
        if self.open.is_none() {
            self.open = Some(self.create()?);
        }
        let Some(open) = &mut self.open else { return Err(too_large(self.segments)) };
        let offset = u32::try_from(open.len()).map_err(|_ignored| too_large(self.segments))?;
        let bytes = write_record(&mut open.buffer, label, message.encoded()).ok_or_else(|| too_large(self.segments))?;
        self.segments.written(open.id, u64::from(bytes));
        let written = Written { segment: open.id, offset, bytes };
        if open.buffer.len() >= BUFFER_BYTES {
            flush(self.segments, open)?;
        }
        Ok(written)
    }

    /// Ends the part of a queue.
    pub(crate) fn end_part(&mut self) {
        if let Some(open) = &mut self.open {
            open.buffer.resize(open.buffer.len() + GAP_BYTES, 0);
        }
    }

    /// Writes what is left, and makes it durable if `sync` is set. The files stay open to
    /// [`Segments`] until [`SegmentWriter::finish`].
    ///
    /// # Errors
    /// The file system's.
    pub fn flush(&mut self, sync: bool) -> Result<(), StoreError> {
        self.close()?;
        if sync && !self.files.is_empty() {
            // All files first, then their names: a name that is durable before its contents
            // would be a file of nothing.
            for (id, file, _) in &self.files {
                let name = self.segments.disk.describe(&path(*id));
                file.sync().map_err(StoreError::io(Call::SyncNew, name))?;
                // Behind the sync: the system forgets only what it has written.
                self.segments.uncache_if_many(*id, file);
            }
            let name = self.segments.disk.describe(DIRECTORY);
            self.segments.disk.sync_directory(DIRECTORY).map_err(StoreError::io(Call::SyncNew, name))?;
        }
        Ok(())
    }

    /// Lets the files go when everything in them is free. Must follow [`SegmentWriter::flush`], once somebody refers to
    /// what was written.
    pub fn finish(self) {
        for (id, _, length) in &self.files {
            self.segments.close(*id, *length);
        }
    }

    /// Forgets and removes the files: nobody refers to what was written.
    pub(crate) fn abandon(self) {
        let ids: Vec<_> = self.files.iter().map(|(id, ..)| *id).chain(self.open.as_ref().map(|open| open.id)).collect();
        let mut all = self.segments.all.lock();
        let mut closed = Vec::new();
        for id in &ids {
            all.by_id.remove(id);
            closed.extend(all.open.forget(*id));
        }
        drop(all);
        drop(closed);
        // They are removed at the next start if they cannot be now.
        self.segments.remove(&ids).ok();
    }

    fn create(&self) -> Result<Open, StoreError> {
        let known = self.segments.next_file();
        let id = known.id;
        let name = self.segments.disk.describe(&path(id));
        let file = self.segments.disk.open(&path(id), true).map_err(StoreError::io(Call::Create, name))?;
        // Open until `finish`: until then it stays, however much of it is free.
        self.segments.add(known);
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8);
        buffer.extend_from_slice(&Head { number: u64::from(id.0), run: known.run }.encode(MAGIC));
        Ok(Open { id, file, written: 0, buffer })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let result = flush(self.segments, &mut open);
        // Also if the write failed: `abandon` has to find it.
        self.files.push((open.id, open.file, open.written));
        result
    }
}

fn flush(segments: &Segments, open: &mut Open) -> Result<(), StoreError> {
    let name = segments.disk.describe(&path(open.id));
    let slices = &mut [IoSlice::new(&open.buffer)];
    open.file.write_at(slices, open.written).map_err(StoreError::io(Call::Write, name))?;
    open.written += open.buffer.len() as u64;
    open.buffer.clear();
    Ok(())
}

/// A record of four gigabytes: bodies are limited to an eighth of that.
fn too_large(segments: &Segments) -> StoreError {
    StoreError::io(Call::Write, segments.disk.describe(DIRECTORY))(io::ErrorKind::FileTooLarge.into())
}
