//! The file system, as far as the store needs it: the one trait through which every byte goes, so that tests can lose power.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg_attr(windows, path = "disk/access_windows.rs")]
mod access;
mod lock;
mod overlay;
mod read_only;
mod reserve;
#[cfg_attr(unix, path = "disk/unix.rs")]
#[cfg_attr(windows, path = "disk/windows.rs")]
mod system;

use access::Access;
use lock::Lock;
use reserve::Reserve;

pub use overlay::Overlay;
pub(crate) use read_only::ReadOnlyDisk;

/// A directory of files, named by paths relative to it.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory, and those above it.
    ///
    /// # Errors
    /// The file system's.
    fn create_directory(&self, path: &str) -> io::Result<()>;

    /// Opens a file for reading and writing, and makes it if `create` is set.
    ///
    /// # Errors
    /// The file system's.
    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>>;

    /// The names of the files in a directory; none when there is no such directory.
    ///
    /// # Errors
    /// The file system's.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Removes a file; one that is missing is fine.
    ///
    /// # Errors
    /// The file system's.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Gives a file another name, in place of what had that name.
    ///
    /// # Errors
    /// The file system's.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name, which nothing has.
    ///
    /// # Errors
    /// The file system's; also where it has no second names.
    fn link(&self, _file: &str, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes durable which files a directory has.
    ///
    /// # Errors
    /// The file system's.
    fn sync_directory(&self, path: &str) -> io::Result<()>;

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// The file system's.
    fn free_bytes(&self) -> io::Result<u64>;

    /// How messages to people name a file.
    fn describe(&self, path: &str) -> String;
}

/// A file.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to the length of the buffer; less at the end of the file.
    ///
    /// # Errors
    /// The file system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all slices one behind the other.
    ///
    /// # Errors
    /// The file system's. How much was written is unknown then.
    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes durable what was written.
    ///
    /// # Errors
    /// The file system's. What was written is lost or not, and asking again tells nothing.
    fn sync(&self) -> io::Result<()>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// The file system's.
    fn size(&self) -> io::Result<u64>;

    /// Asks the system not to keep in its cache what was synced. Nothing but speed depends on it.
    fn uncache(&self) {}
}

/// A directory of the real file system, locked against other processes while this is alive.
#[derive(Debug)]
pub(crate) struct RealDisk {
    root: PathBuf,
    access: Access,
    lock: Arc<Lock>,
    reserve: Reserve,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be made or written to.
    #[error("cannot use the data directory {}: {source}; make it writable, or choose another with --data-dir", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read the data directory {}: {source}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process uses it.
    #[error(
        "the data directory {} is in use by another process; stop that one, or choose another with --data-dir",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

impl RealDisk {
    /// Takes a directory into use; it is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made, written to, or locked.
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let unusable = |source| DirectoryError::Unusable { path: path.to_owned(), source };
        // The directory is closed to others before anything is in it.
        let access = Access::close(path).map_err(unusable)?;
        let lock = Arc::new(Lock::take(path, access)?);
        let reserve = Reserve::of(lock.directory()).map_err(unusable)?;
        Ok(Self { root: path.to_owned(), access, lock, reserve })
    }
}

impl Disk for RealDisk {
    fn create_directory(&self, path: &str) -> io::Result<()> {
        self.lock.check()?;
        self.access.create_directory(&self.root.join(path))
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        self.lock.check()?;
        let path = self.root.join(path);
        let mut options = OpenOptions::new();
        // Never cut off: files of the log are used again with what they have.
        options.read(true).write(true).create(create).truncate(false);
        system::set_mode(&mut options, self.access.file_mode());
        let file = self.reserve.open(|| options.open(&path))?;
        self.access.close_file(&file)?;
        Ok(Arc::new(RealFile { file, lock: Arc::clone(&self.lock) }))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let path = self.root.join(directory);
        list(self.reserve.open(|| fs::read_dir(&path)))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.lock.check()?;
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.lock.check()?;
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn link(&self, file: &str, name: &str) -> io::Result<()> {
        self.lock.check()?;
        fs::hard_link(self.root.join(file), self.root.join(name))
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        self.lock.check()?;
        let path = self.root.join(path);
        system::sync_directory(&self.reserve.open(|| system::open_directory(&path))?)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        system::free_bytes(&self.root)
    }

    fn describe(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }
}

/// The names in a directory; none when there is no such directory.
fn list(entries: io::Result<fs::ReadDir>) -> io::Result<Vec<String>> {
    let entries = match entries {
        Ok(entries) => entries,
        // A directory that was never used has none yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Reads as much as there is.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match system::read_at(file, rest, offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[derive(Debug)]
struct RealFile {
    file: File,
    lock: Arc<Lock>,
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(&self.file, buffer, offset)
    }

    fn write_at(&self, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        // Takes off empty slices at the front: a write of nothing would look like a full disk.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match system::write_at(&self.file, slices, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    IoSlice::advance_slices(&mut slices, count);
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        // Length and blocks are synced with it; the times of the file are nobody's.
        self.file.sync_data()?;
        // What is durable where nobody will look for it is lost all the same.
        self.lock.check()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    #[cfg(target_os = "linux")]
    fn uncache(&self) {
        rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed).ok();
    }
}
