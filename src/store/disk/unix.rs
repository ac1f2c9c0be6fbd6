//! What the files of the store need of Unix that the standard library has not for all systems.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::io::Errno;

/// Opens a directory, to lock it and to see whether it stays where it is.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// With which permissions a new file is made.
pub(super) fn set_mode(options: &mut OpenOptions, mode: u32) {
    options.mode(mode);
}

/// A file that is open can be removed all the same: it is looked for.
pub(super) fn hold(_options: &mut OpenOptions) {}

/// Whether what is at this path is what is held open.
pub(super) fn is_same(path: &Path, held: &File) -> io::Result<bool> {
    let identity = |found: &Metadata| (found.dev(), found.ino());
    match fs::metadata(path) {
        Ok(found) => Ok(identity(&found) == identity(&held.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes durable which files a directory has.
pub(super) fn sync_directory(directory: &File) -> io::Result<()> {
    directory.sync_all()
}

/// Bytes that can still be written.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let free = rustix::fs::statvfs(path)?;
    Ok(free.f_bavail.saturating_mul(free.f_frsize))
}

/// Reads something; nothing at the end of the file.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Writes as much as is written at once.
pub(super) fn write_at(file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pwritev(file, slices, offset)?)
}

/// Whether the process (`EMFILE`), or the system (`ENFILE`), has no descriptor left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
