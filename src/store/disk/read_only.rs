//! A data directory that is only looked at. It is locked as far as that changes nothing: no broker can use it meanwhile, and
//! none that uses it is disturbed.

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DirectoryError, Disk, DiskFile, list, lock, read_at};

#[derive(Debug)]
pub(crate) struct ReadOnlyDisk {
    root: PathBuf,
    /// Locked while these are open.
    _locked: Vec<File>,
}

impl ReadOnlyDisk {
    /// Locks a directory.
    ///
    /// # Errors
    /// When it is missing, cannot be read, or a broker uses it.
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        Ok(Self { root: path.to_owned(), _locked: lock::share(path)? })
    }
}

fn refused() -> io::Error {
    io::ErrorKind::ReadOnlyFilesystem.into()
}

impl Disk for ReadOnlyDisk {
    fn create_directory(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        match File::open(self.root.join(path)) {
            Ok(file) => Ok(Arc::new(ReadOnlyFile(file))),
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => Err(refused()),
            Err(error) => Err(error),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        list(fs::read_dir(self.root.join(directory)))
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(refused())
    }

    fn sync_directory(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn describe(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }
}

#[derive(Debug)]
struct ReadOnlyFile(File);

impl DiskFile for ReadOnlyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(&self.0, buffer, offset)
    }

    fn write_at(&self, _: &mut [IoSlice<'_>], _: u64) -> io::Result<()> {
        Err(refused())
    }

    fn sync(&self) -> io::Result<()> {
        Err(refused())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
