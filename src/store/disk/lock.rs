//! The lock on a data directory: one process uses it at a time.
//!
//! The directory itself is locked, which nobody can remove while it is the data directory, and a file in it as well: some file
//! systems, NFS among them, lock only files. **Invariant**: what was synced after [`Lock::check`] succeeded is where the next start looks for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::access::Access;
use super::{DirectoryError, system};

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
        let directory = system::open_directory(path).map_err(unusable)?;
        match directory.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
            // The file has to do.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the data directory itself cannot be locked here")
            }
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
        // By device and inode: the same name may be another directory, a volume that was mounted over it, say.
        if !system::is_same(&self.path, &self.directory)? {
            let what = "the data directory was moved or removed while it was in use";
            return Err(io::Error::other(what));
        }
        let mut file = self.file.lock();
        if system::is_same(&self.path.join(LOCK_FILE), &file)? {
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
    let mut locked = vec![system::open_directory(path).map_err(unreadable)?];
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
        if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
            return Err(DirectoryError::InUse { path: path.to_owned() });
        }
    }
    Ok(locked)
}

/// The lock file, locked; `None` when another process has locked it.
fn lock_file(directory: &Path, access: Access) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    system::set_mode(&mut options, access.file_mode());
    system::hold(&mut options);
    let file = options.open(directory.join(LOCK_FILE))?;
    access.close_file(&file)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(all(test, unix))]
mod tests;
