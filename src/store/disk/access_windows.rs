//! Who may read the files: those whom the directory says. A directory of a user belongs to that user alone there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The permissions of directories and files, which are those of the directory above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access;

impl Access {
    /// Makes the data directory if it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn close(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self)
    }

    /// Files have no mode of their own.
    #[expect(clippy::unused_self, reason = "it has the form of the one for Unix")]
    pub(super) const fn file_mode(self) -> u32 {
        0
    }

    /// Makes a directory within the data directory.
    ///
    /// # Errors
    /// The file system's.
    #[expect(clippy::unused_self, reason = "it has the form of the one for Unix")]
    pub(super) fn create_directory(self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    /// Nothing is to be taken away.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "it has the form of the one for Unix")]
    pub(super) fn close_file(self, _file: &File) -> io::Result<()> {
        Ok(())
    }
}
