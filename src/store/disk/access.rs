//! Who may read the files: the user that the broker runs as, and a group if the data directory was opened to it before the start.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

const OWNER_ALL: u32 = 0o700;
const GROUP_READS: u32 = 0o050;
const OTHERS: u32 = 0o007;
/// Set-user-id, set-group-id and the sticky bit, which are left alone.
const SPECIAL: u32 = 0o7000;
const EXECUTE: u32 = 0o111;

/// The permissions of directories; files have the same without `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    directory_mode: u32,
}

impl Access {
    /// Makes the data directory if it is missing, and closes it to others. One that others can read was never meant for a group;
    /// one that only its group can read besides its owner was.
    ///
    /// # Errors
    /// When it cannot be made or looked at. One that belongs to somebody else, as volumes of containers may, stays as it is.
    pub(super) fn close(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(OWNER_ALL).create(path)?;
        let mode = fs::metadata(path)?.permissions().mode();
        let access = Self::for_directory(mode);
        if let Err(error) = access.narrow(mode, access.directory_mode, |mode| fs::set_permissions(path, mode)) {
            let path = path.display();
            tracing::warn!(%path, %error, "cannot close the data directory to other users");
        }
        Ok(access)
    }

    fn for_directory(mode: u32) -> Self {
        let group = if mode & OTHERS == 0 && mode & GROUP_READS == GROUP_READS { GROUP_READS } else { 0 };
        Self { directory_mode: OWNER_ALL | group }
    }

    /// With which permissions a file is made.
    pub(super) const fn file_mode(self) -> u32 {
        self.directory_mode & !EXECUTE
    }

    /// Makes a directory within the data directory.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn create_directory(self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(self.directory_mode).create(path)?;
        let mode = fs::metadata(path)?.permissions().mode();
        self.narrow(mode, self.directory_mode, |mode| fs::set_permissions(path, mode))
    }

    /// Closes a file that was made with more permissions, by an earlier version or a copy.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn close_file(self, file: &File) -> io::Result<()> {
        self.narrow(file.metadata()?.permissions().mode(), self.file_mode(), |mode| file.set_permissions(mode))
    }

    /// Takes away what is more than wanted; never adds.
    fn narrow(self, mode: u32, wanted: u32, set: impl FnOnce(fs::Permissions) -> io::Result<()>) -> io::Result<()> {
        let narrowed = mode & (SPECIAL | wanted);
        if narrowed == mode & (SPECIAL | 0o777) { Ok(()) } else { set(fs::Permissions::from_mode(narrowed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_reads_only_where_the_directory_was_opened_to_it_alone() {
        let modes = |mode| {
            let access = Access::for_directory(mode);
            (access.directory_mode, access.file_mode())
        };
        assert_eq!(modes(0o40700), (0o700, 0o600));
        assert_eq!(modes(0o40750), (0o750, 0o640));
        assert_eq!(modes(0o42770), (0o750, 0o640), "it reads, and never writes");
        assert_eq!(modes(0o40755), (0o700, 0o600), "what everybody may read was not meant for the group");
        assert_eq!(modes(0o40777), (0o700, 0o600));
        assert_eq!(modes(0o40740), (0o700, 0o600), "a group that cannot enter cannot read");
    }
}
