//! The lock on a data directory: one process uses it at a time.
//!
//! The directory itself is locked, which nobody can remove while it is the data directory, and a file in it as well: some file
//! systems, NFS among them, lock only files. **Invariant**: what was synced after [`Lock::check`] succeeded is where the next start looks for it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::DirectoryError;
use super::access::Access;

const LOCK_FILE: &str = "lock";

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    access: Access,
    directory: File,
    file: Mutex<File>,
}

impl Lock {
    /// Locks a directory that is there.
    ///
    /// # Errors
    /// When another process has locked it, or it cannot be written to.
    pub(super) fn take(path: &Path, access: Access) -> Result<Self, DirectoryError> {
        let unusable = |source| DirectoryError::Unusable { path: path.to_owned(), source };
        let in_use = || DirectoryError::InUse { path: path.to_owned() };
        let directory = File::open(path).map_err(unusable)?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(in_use()),
            // The file has to do.
            Err(error) => tracing::debug!(%error, "the data directory itself cannot be locked here"),
        }
        let file = lock_file(path, access).map_err(unusable)?.ok_or_else(in_use)?;
        Ok(Self { path: path.to_owned(), access, directory, file: Mutex::new(file) })
    }

    /// The directory, open.
    pub(super) const fn directory(&self) -> &File {
        &self.directory
    }

    /// Looks whether the directory is still where it was, and whether the lock on it is whole. A file that was removed is made again.
    ///
    /// # Errors
    /// When the directory was removed or moved, or another process has locked it: nothing that is written is found by the next
    /// start then, or two processes write to the same files.
    pub(super) fn check(&self) -> io::Result<()> {
        if !is_same(fs::metadata(&self.path), &self.directory.metadata()?)? {
            let what = "the data directory was moved or removed while it was in use";
            return Err(io::Error::other(what));
        }
        let mut file = self.file.lock();
        if is_same(fs::metadata(self.path.join(LOCK_FILE)), &file.metadata()?)? {
            return Ok(());
        }
        let in_use =
            || io::Error::other("the lock of the data directory was removed, and another process has locked it");
        *file = lock_file(&self.path, self.access)?.ok_or_else(in_use)?;
        tracing::warn!(path = %self.path.display(), "the lock file was removed while it was in use: it is made again");
        Ok(())
    }
}

/// Locks a directory, and the file in it if there is one, without changing anything: together with others that only look at it.
///
/// # Errors
/// When it cannot be read, or a broker uses it.
pub(super) fn share(path: &Path) -> Result<Vec<File>, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: path.to_owned(), source };
    let mut locked = vec![File::open(path).map_err(unreadable)?];
    if !locked.iter().all(|directory| directory.metadata().is_ok_and(|found| found.is_dir())) {
        return Err(unreadable(io::ErrorKind::NotADirectory.into()));
    }
    match File::open(path.join(LOCK_FILE)) {
        Ok(file) => locked.push(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(error)),
    }
    for file in &locked {
        // Where nothing can be locked, nothing was locked by a broker.
        if let Err(Errno::WOULDBLOCK) = flock(file, FlockOperation::NonBlockingLockShared) {
            return Err(DirectoryError::InUse { path: path.to_owned() });
        }
    }
    Ok(locked)
}

/// The lock file, locked; `None` when another process has locked it.
fn lock_file(directory: &Path, access: Access) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(access.file_mode());
    let file = options.open(directory.join(LOCK_FILE))?;
    access.close_file(&file)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_same(found: io::Result<Metadata>, held: &Metadata) -> io::Result<bool> {
    match found {
        Ok(found) => Ok((found.dev(), found.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
