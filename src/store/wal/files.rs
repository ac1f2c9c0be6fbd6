//! The files of the log: how one is made, and how the one before it tells that it is there.
//!
//! ```text
//! head    which file, and which run made it: synced, with the directory, before anything in the file counts
//! link    the run that made the next file: written when that one has its head, so that a missing file is told from the end of
//!         the log
//! groups  from FILE_HEAD_BYTES on
//! ```

use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use super::{DIRECTORY, Wal};
use crate::store::codec::Reader;
use crate::store::disk::{Disk, DiskFile};
use crate::store::failure::{Call, Remedy};
use crate::store::head::{HEAD_BYTES, Head, HeadFault};
use crate::store::run::Run;
use crate::store::{LogFile, StoreError};

/// Files that are kept to be used again.
pub(super) const SPARE_FILES_MAX: usize = 6;
/// Bytes in front of the first group of a file: a block of the disk, so that no write to it touches groups.
pub(in crate::store) const FILE_HEAD_BYTES: u64 = 4096;
/// Where the link is: in a sector of its own.
const LINK_OFFSET: usize = 512;
const LINK_BYTES: usize = 32;
const MAGIC: [u8; 4] = *b"LVLG";
const LINK_MAGIC: [u8; 4] = *b"LVLN";

/// The files of the log, by number.
#[derive(Default)]
pub(super) struct Files {
    pub(super) open: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// Who made each file that belongs to the log.
    pub(super) made_by: BTreeMap<u64, Run>,
    /// Numbers of files whose contents are needless.
    pub(super) spare: Vec<u64>,
    /// The number of the first one that is needed.
    pub(super) first: u64,
}

/// The path of the file of a number.
pub(in crate::store) fn file_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:010}.log")
}

/// The number in the name of a file.
pub(in crate::store) fn file_number(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

/// Where a position is in its file.
pub(in crate::store) const fn offset_in_file(position: u64, file_bytes: u64) -> u64 {
    FILE_HEAD_BYTES + position % file_bytes
}

/// Makes the file of a number, or makes one of it that is there already: with a head and without a link, durably.
pub(in crate::store) fn make_file(disk: &dyn Disk, file: LogFile) -> Result<Arc<dyn DiskFile>, StoreError> {
    let path = file_path(file.number);
    let failed = |call| StoreError::io(call, disk.describe(&path));
    let made = disk.open(&path, true).map_err(failed(Call::Create))?;
    let head = Head { number: file.number, run: file.run }.encode(MAGIC);
    let mut block = head.to_vec();
    // Also writes over the link of what the file was before.
    block.resize(LINK_OFFSET + LINK_BYTES, 0);
    made.write_at(&mut [IoSlice::new(&block)], 0).map_err(failed(Call::Write))?;
    // The head is durable before the file before it says that this one is there. So a link
    // without a head is damage.
    made.sync().map_err(failed(Call::SyncLog))?;
    // A file that is there may be new all the same: made by a process that was killed, or when this failed the last time.
    disk.sync_directory(DIRECTORY).map_err(failed(Call::SyncDirectory))?;
    Ok(made)
}

/// The beginning of a file, as far as it is there: head and link.
pub(in crate::store) fn file_head(file: &dyn DiskFile) -> std::io::Result<Vec<u8>> {
    let mut block = vec![0; LINK_OFFSET + LINK_BYTES];
    let count = file.read_at(&mut block, 0)?;
    block.truncate(count);
    Ok(block)
}

/// What the beginning of a file says: which one it is, and who made the next one if there is a next one.
pub(in crate::store) fn read_head(file: &dyn DiskFile) -> std::io::Result<(Result<Head, HeadFault>, Option<Run>)> {
    let block = file_head(file)?;
    let bytes = block.as_slice();
    let head = Head::decode(bytes, MAGIC);
    let link = head.ok().and_then(|head| read_link(bytes.get(LINK_OFFSET..)?, head));
    Ok((head, link))
}

fn link(from: Head, next: Run) -> [u8; LINK_BYTES] {
    let mut bytes = LINK_MAGIC.to_vec();
    for word in [from.number, from.run.0, next.0] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes.try_into().unwrap_or([0; LINK_BYTES])
}

/// The run of the next file. A link says whose it is, because it may be left from what the file was before.
fn read_link(bytes: &[u8], head: Head) -> Option<Run> {
    let mut reader = Reader::new(bytes);
    reader.bytes(4 + 8 + 8)?;
    let next = Run(reader.u64()?);
    (bytes == link(head, next)).then_some(next)
}

impl Wal {
    /// Opens the file of a number: one that belongs to the log, else one that is not needed any more, else a new one.
    pub(super) fn open_file(
        &self,
        files: &mut Files,
        unsynced: &mut Vec<u64>,
        number: u64,
    ) -> Result<Arc<dyn DiskFile>, StoreError> {
        let file = if files.made_by.contains_key(&number) {
            self.open_existing(number)?
        } else {
            // In this order: a name, a head that proves it, the link of the one before, and only then groups.
            self.recycle(files, number)?;
            let made = make_file(self.disk.as_ref(), LogFile { number, run: self.run })?;
            self.link(files, unsynced, number)?;
            // Last, so that what failed in between is done again as a whole.
            files.made_by.insert(number, self.run);
            made
        };
        files.spare.retain(|spare| *spare != number);
        files.open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn open_existing(&self, number: u64) -> Result<Arc<dyn DiskFile>, StoreError> {
        let path = file_path(number);
        self.disk.open(&path, false).map_err(StoreError::io(Call::Open, self.disk.describe(&path)))
    }

    /// Gives a spare file this number, unless there is one of that number.
    fn recycle(&self, files: &mut Files, number: u64) -> Result<(), StoreError> {
        let path = file_path(number);
        let failed = |call| StoreError::io(call, self.disk.describe(&path));
        match self.disk.open(&path, false) {
            Ok(_) => return Ok(()),
            // The usual case: no file has this number yet.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(Call::Open)(error)),
        }
        while let Some(&spare) = files.spare.last() {
            // Somebody may have removed a spare file: then the next one.
            let renamed = match self.disk.rename(&file_path(spare), &path) {
                Err(error) if error.kind() == ErrorKind::NotFound => false,
                result => result.map(|()| true).map_err(failed(Call::Rename))?,
            };
            files.spare.pop();
            if renamed {
                break;
            }
        }
        Ok(())
    }

    /// Tells the file before this one that this one is there. It is synced with what is written next.
    fn link(&self, files: &mut Files, unsynced: &mut Vec<u64>, number: u64) -> Result<(), StoreError> {
        let Some(before) = number.checked_sub(1) else { return Ok(()) };
        let Some(&run) = files.made_by.get(&before) else { return Ok(()) };
        let file = match files.open.get(&before) {
            Some(file) => Arc::clone(file),
            None => self.open_existing(before)?,
        };
        let bytes = link(Head { number: before, run }, self.run);
        let failed = StoreError::io(Call::Write, self.disk.describe(&file_path(before)));
        file.write_at(&mut [IoSlice::new(&bytes)], LINK_OFFSET as u64).map_err(failed)?;
        files.open.insert(before, file);
        // Synced with the first groups of the new file: until then nobody was told of anything there.
        if !unsynced.contains(&before) {
            unsynced.push(before);
        }
        Ok(())
    }

    pub(super) fn remove_spare_files(&self, files: &mut Files, kept: usize) -> Result<(), StoreError> {
        while files.spare.len() > kept
            && let Some(number) = files.spare.pop()
        {
            let path = file_path(number);
            let removed = self.disk.remove(&path).map_err(StoreError::io(Call::Remove, self.disk.describe(&path)));
            match removed.map_err(|error| (error.remedy(), error)) {
                Ok(()) => {}
                // The next start finds it.
                Err((Remedy::Refuse, error)) => tracing::warn!(%error, "a file stays that is not needed any more"),
                Err((_, error)) => {
                    // To be tried again.
                    files.spare.push(number);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

const _: () = assert!(HEAD_BYTES <= LINK_OFFSET, "the head is in a sector of its own");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_belongs_to_its_file_only() {
        let head = Head { number: 3, run: Run(1 << 32) };
        let bytes = link(head, Run(5));
        assert_eq!(read_link(&bytes, head), Some(Run(5)));
        assert_eq!(read_link(&bytes, Head { number: 4, ..head }), None);
        assert_eq!(read_link(&bytes, Head { run: Run(2 << 32), ..head }), None);
        assert_eq!(read_link(&[0; LINK_BYTES], head), None);
    }
}
