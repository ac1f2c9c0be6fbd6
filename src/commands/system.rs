//! What differs between systems, for the commands: one file for each system, with the same functions.

#[cfg_attr(unix, path = "system/unix.rs")]
#[cfg_attr(windows, path = "system/windows.rs")]
mod own;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

pub(super) use own::*;

/// Writes a file in which there are secrets: of users, the hashes of their passwords. One that is there keeps its permissions.
///
/// # Errors
/// The file system's.
pub(super) fn write_for_one_user(file: &Path, bytes: &[u8]) -> io::Result<()> {
    for_one_user(OpenOptions::new().write(true).create(true).truncate(true)).open(file)?.write_all(bytes)
}

/// What a process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// End.
    Terminate,
    /// End: somebody pressed ctrl-c.
    Interrupt,
    /// Read the files again.
    HangUp,
}
