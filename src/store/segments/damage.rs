//! What cannot be read of a segment file: found, delimited, and set aside, so that it costs one message and not the queue.
//!
//! Where a damaged record ends is found in this order: where it says itself, where the message in it says, and else where the next
//! whole record of the same queue begins.

use std::io::IoSlice;
use std::sync::Arc;

use super::record::{RECORD_HEADER_BYTES, could_be_of, first_record_bytes, inner_record_bytes, read_label};
use super::{Segments, path};
use crate::store::StoreError;
use crate::store::address::SegmentId;
use crate::store::disk::DiskFile;
use crate::store::failure::{Call, Remedy};
use crate::store::record::Freed;

/// Where what could not be read is copied to.
pub(crate) const DIRECTORY: &str = "lost+found";
/// What a device reads or does not read as one.
const PAGE_BYTES: usize = 4096;
/// Bytes looked through at a time for the next whole record.
const WINDOW_BYTES: u32 = 64 * 1024;
/// More of one stretch is not copied.
const COPIED_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// A stretch of a segment file that no message can be read from: one record, or what is left of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) segment: SegmentId,
    /// The first byte.
    pub(crate) start: u32,
    /// The byte behind the last.
    pub(crate) end: u32,
}

impl Damaged {
    /// As a stretch that is free. How many messages it had is not known: one at least.
    pub(crate) const fn freed(&self) -> Freed {
        let Self { segment, start, end } = *self;
        Freed { segment, start, end, stored: 1, body_bytes: 0 }
    }
}

impl Segments {
    /// Where the damage that begins at `start` ends.
    pub(super) fn end_of_damage(&self, file: &Arc<dyn DiskFile>, id: SegmentId, start: u32, limits: Limits) -> u32 {
        let Limits { end, queue, .. } = limits;
        let header = self.read_around(file, id, start, RECORD_HEADER_BYTES + 12).unwrap_or_default();
        // A length is believed only if a whole record, or the end, follows there.
        for bytes in [first_record_bytes(&header), inner_record_bytes(&header)].into_iter().flatten() {
            let next = start.saturating_add(bytes);
            if next == end || next < end && self.has_record(file, id, next, limits) {
                return next;
            }
        }
        // Whoever published a body full of beginnings of records must not make this read it again for each of them.
        let mut budget = u64::from(end - start) * 2;
        let mut at = start.saturating_add(8);
        while at < end {
            let Ok(window) = self.read_around(file, id, at, WINDOW_BYTES.min(end - at)) else { return end };
            // Records begin on multiples of eight, and of these few look like a record of this queue.
            let candidates = (0..window.len().saturating_sub(RECORD_HEADER_BYTES as usize)).step_by(8);
            for offset in candidates {
                let rest = window.get(offset..).unwrap_or_default();
                if !could_be_of(rest, queue) {
                    continue;
                }
                let next = at.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
                if self.has_record(file, id, next, limits) {
                    return next;
                }
                let cost = first_record_bytes(rest).map_or(0, |bytes| u64::from(bytes.min(end - next)));
                let Some(left) = budget.checked_sub(cost) else { return end };
                budget = left;
            }
            // The last header of the window may be cut off: the next window begins with it.
            let step = u32::try_from(window.len()).unwrap_or(u32::MAX).saturating_sub(RECORD_HEADER_BYTES) / 8 * 8;
            if step == 0 {
                return end;
            }
            at = at.saturating_add(step);
        }
        end
    }

    /// Whether a whole record begins here.
    fn has_record(&self, file: &Arc<dyn DiskFile>, id: SegmentId, start: u32, limits: Limits) -> bool {
        let Ok(header) = self.read_around(file, id, start, RECORD_HEADER_BYTES) else { return false };
        let Some(bytes) = first_record_bytes(&header).filter(|bytes| *bytes <= limits.end - start) else {
            return false;
        };
        if !could_be_of(&header, limits.queue) {
            return false;
        }
        let record = self.read_around(file, id, start, bytes).unwrap_or_default();
        record.len() == bytes as usize && read_label(&record).is_some()
    }

    /// Reads as much as there is. Pages that the device cannot read are zeros, if it can read others: where it reads nothing,
    /// nothing is known about the messages, and they must not be given up.
    ///
    /// # Errors
    /// When nothing can be read, or something is scarce.
    pub(super) fn read_around(
        &self,
        file: &Arc<dyn DiskFile>,
        id: SegmentId,
        start: u32,
        bytes: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let mut block = self.buffer(file, id, start, bytes)?;
        let failed = StoreError::io(Call::Read, self.disk.describe(&path(id)));
        match file.read_at(&mut block, u64::from(start)).map_err(failed) {
            Ok(count) => block.truncate(count),
            // The device cannot read some of it. One bad page must not cost the messages of a whole block.
            Err(error) if error.remedy() == Remedy::Refuse => self.read_pages(file, start, &mut block).ok_or(error)?,
            Err(error) => return Err(error),
        }
        Ok(block)
    }

    /// Page by page; `None` if none can be read, here or elsewhere in the file.
    fn read_pages(&self, file: &Arc<dyn DiskFile>, start: u32, block: &mut [u8]) -> Option<()> {
        let mut has_read = false;
        let mut at = u64::from(start);
        let mut rest = block;
        while !rest.is_empty() {
            let to_page_end = PAGE_BYTES - usize::try_from(at).unwrap_or(0) % PAGE_BYTES;
            let (page, later) = rest.split_at_mut(to_page_end.min(rest.len()));
            match file.read_at(page, at) {
                Ok(_) => has_read = true,
                Err(_) => page.fill(0),
            }
            at += page.len() as u64;
            rest = later;
        }
        let mut byte = [0];
        let last = file.size().ok()?.saturating_sub(1);
        // If nothing can be read anywhere, the device is gone and not the data: then no message is given up.
        let is_device_there = has_read || [0, last].into_iter().any(|at| file.read_at(&mut byte, at).is_ok());
        is_device_there.then_some(())
    }

    /// Copies what cannot be read to a file of its own, for whoever wants to look at it.
    pub(super) fn set_aside(&self, file: &Arc<dyn DiskFile>, damaged: Damaged) {
        let Damaged { segment, start, end } = damaged;
        let bytes = (end - start).min(COPIED_BYTES_MAX);
        let copy = || -> Result<(), StoreError> {
            let name = format!("{DIRECTORY}/{:08}.seg-{start}", segment.0);
            let failed = |call| StoreError::io(call, self.disk.describe(&name));
            let data = self.read_around(file, segment, start, bytes)?;
            self.disk.create_directory(DIRECTORY).map_err(failed(Call::MakeDirectory))?;
            let to = self.disk.open(&name, true).map_err(failed(Call::Create))?;
            to.write_at(&mut [IoSlice::new(&data)], 0).map_err(failed(Call::Write))?;
            to.sync().map_err(failed(Call::SyncNew))
        };
        // The copy is for people only, so it stops nothing.
        if let Err(error) = copy() {
            tracing::warn!(%error, "what cannot be read is not set aside");
        }
    }
}

/// Within what a record lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Behind the last record that belongs to it.
    pub(super) end: u32,
    /// The queue that the records belong to; `None` for any.
    pub(super) queue: Option<u64>,
    /// What cannot be read is copied to a file of its own.
    pub(super) sets_aside: bool,
}
