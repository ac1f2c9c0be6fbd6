//! In place of `local` on Windows: commands use the network, for there is no socket of the file system that tells who is at its other end.

use std::path::{Path, PathBuf};

use super::start_error::StartFailure;
use crate::config::SystemGroup;
use crate::host;

/// None can be.
#[derive(Debug)]
pub(super) enum Local {}

/// The socket of a running broker, which there never is.
#[derive(Debug)]
pub(super) enum LocalSocket {}

/// Groups have no numbers here.
///
/// # Errors
/// When one was named.
pub(super) fn found(group: Option<SystemGroup>) -> Result<Option<u32>, StartFailure> {
    match group {
        Some(SystemGroup(group)) => Err(StartFailure::NoGroup { group }),
        None => Ok(None),
    }
}

/// Nothing is listened on.
pub(super) fn listen(_data_dir: Option<&Path>, _port: u16, _group: Option<u32>) -> Option<Local> {
    None
}

/// Where the socket of the broker with this data directory would be.
pub fn in_data_directory(directory: &Path) -> PathBuf {
    directory.join("leveret.sock")
}

/// Where brokers of this user would leave theirs.
pub fn directory() -> PathBuf {
    std::env::temp_dir().join("leveret")
}

/// Where the socket of the broker on this port would be.
pub fn under_port(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!("{port}.sock"))
}

/// The data directory of a broker that was not told otherwise.
pub fn default_data_directory() -> Option<PathBuf> {
    host::data_directory()
}
