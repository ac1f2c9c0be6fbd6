//! What the files of the store need of Windows that the standard library has not for all systems.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Without it a directory cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const ERROR_TOO_MANY_OPEN_FILES: i32 = 4;

/// Opens a directory so that nobody can remove or rename it meanwhile.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.open(path)
}

/// A new file has the permissions of its directory.
pub(super) fn set_mode(_options: &mut OpenOptions, _mode: u32) {}

/// Nobody can remove or rename the file while it is open with these options.
pub(super) fn hold(options: &mut OpenOptions) {
    options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
}

/// What is held so can be neither removed nor renamed.
pub(super) fn is_same(_path: &Path, _held: &File) -> io::Result<bool> {
    Ok(true)
}

/// The file system keeps a log of its own of such changes, and has no call for this.
pub(super) fn sync_directory(_directory: &File) -> io::Result<()> {
    Ok(())
}

/// Bytes that can still be written.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    fs4::available_space(path)
}

/// Reads something; nothing at the end of the file.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Writes as much as is written at once, which is of one slice.
pub(super) fn write_at(file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    let first = slices.iter().find(|slice| !slice.is_empty());
    first.map_or(Ok(0), |slice| file.seek_write(slice, offset))
}

/// Whether the process has no handle left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_TOO_MANY_OPEN_FILES)
}
