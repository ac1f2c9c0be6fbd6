//! Which files the log has after a start that left something out. It goes on behind what was read: the next start must find that by links
//! and heads, which may be damaged.

use super::reader::LogReader;
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::run::Run;
use crate::store::wal::{Resume, make_file};

impl LogReader<'_> {
    /// Takes the files for the log's in which something was read, also those that no link led to, and no others: what is behind them could
    /// not be read.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn end_files(&mut self, start: u64) -> Result<(), StoreError> {
        let last = self.position().saturating_sub(1) / self.file_bytes;
        self.chain.take_among(self.disk, &(start / self.file_bytes..=last))?;
        self.chain.linked.retain(|file| file.number <= last);
        Ok(())
    }
}

/// Makes the last file one to go on in, once what is in it is kept aside as far as it cannot be read. Its groups stay; its head may be
/// damaged, and its link may lead to a file that is none of the log's any more.
///
/// # Errors
/// The file system's.
pub(super) fn write_last_head(disk: &dyn Disk, resume: &mut Resume) -> Result<(), StoreError> {
    let run = resume.run;
    let Some(file) = resume.files.last_mut() else { return Ok(()) };
    if file.run == Run::NONE {
        file.run = run;
    }
    make_file(disk, *file)?;
    Ok(())
}
