//! What was read of the log is made durable before anything is built on it.
//!
//! A process that was killed may have written it without syncing it. If its sync had failed, that is not mended by another one:
//! the system may have forgotten that these bytes are not on the device, although they can be read until power is lost. So
//! what no sync is known for is written once more, the same bytes in the same place.

use std::io::IoSlice;

use super::reader::LogReader;
use crate::store::StoreError;
use crate::store::failure::Call;
use crate::store::wal::{file_head, file_path, offset_in_file};

/// Bytes that are written at once.
const PIECE_BYTES: u64 = 64 * 1024;

impl LogReader<'_> {
    /// Makes what was read durable, in all files from the one that holds `start` on.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn make_durable(&mut self, start: u64) -> Result<(), StoreError> {
        let from = self.synced.clamp(start, self.position());
        // A file is told of the next one when that is made: before anything is in it.
        let doubtful = from.saturating_sub(1) / self.file_bytes;
        let numbers = self.chain.linked.iter().map(|file| file.number);
        for number in numbers.filter(|number| *number >= start / self.file_bytes).collect::<Vec<_>>() {
            let path = file_path(number);
            let failed = |call| StoreError::io(call, self.disk.describe(&path));
            let file = self.disk.open(&path, false).map_err(failed(Call::Open))?;
            // The head with the link is written again, too: the link was written without a sync of its own.
            if number >= doubtful {
                let head = file_head(file.as_ref()).map_err(failed(Call::Read))?;
                file.write_at(&mut [IoSlice::new(&head)], 0).map_err(failed(Call::Write))?;
            }
            let first = number * self.file_bytes;
            let (mut at, end) = (from.max(first), self.position().min(first + self.file_bytes));
            while at < end {
                let length = usize::try_from(PIECE_BYTES.min(end - at)).unwrap_or(usize::MAX);
                let offset = offset_in_file(at, self.file_bytes);
                let Some(bytes) = self.bytes(at, length)? else { break };
                let written = file.write_at(&mut [IoSlice::new(bytes)], offset);
                written.map_err(StoreError::io(Call::Write, self.disk.describe(&path)))?;
                at += length as u64;
            }
            file.sync().map_err(StoreError::io(Call::SyncLog, self.disk.describe(&path)))?;
        }
        Ok(())
    }
}
