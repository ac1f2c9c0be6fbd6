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
