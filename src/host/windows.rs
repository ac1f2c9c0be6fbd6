//! What is asked of Windows about limits and places.

#[cfg(feature = "cli")]
use std::fs::OpenOptions;
use std::path::Path;

/// Handles are not counted here.
pub(crate) fn descriptor_limit() -> u64 {
    u64::MAX
}

/// How many bytes are free where this directory is, for this user.
pub(crate) fn disk_free_bytes(directory: &Path) -> Option<u64> {
    fs4::available_space(directory).ok()
}

/// Files have no mode of their own.
#[cfg(feature = "cli")]
pub(crate) const fn with_mode(file: &mut OpenOptions, _mode: u32) -> &mut OpenOptions {
    file
}

/// There is nothing to raise.
pub(crate) fn raise_descriptor_limit() {}

/// The name of this machine.
#[cfg(feature = "cli")]
pub(crate) fn name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// Sends datagrams to a socket of this machine.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct LocalDatagrams(std::convert::Infallible);

#[cfg(feature = "cli")]
impl LocalDatagrams {
    /// # Errors
    /// There are no such sockets here.
    pub(crate) fn to(_path: &Path) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn send(&self, _datagram: &[u8]) -> std::io::Result<()> {
        match self.0 {}
    }
}
