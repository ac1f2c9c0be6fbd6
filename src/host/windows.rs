//! What is asked of Windows about limits and places.

use std::path::Path;

/// Handles are not counted here.
pub(crate) fn descriptor_limit() -> u64 {
    u64::MAX
}

/// How many bytes are free where this directory is, for this user.
pub(crate) fn disk_free_bytes(directory: &Path) -> Option<u64> {
    fs4::available_space(directory).ok()
}

/// There is nothing to raise.
pub(crate) fn raise_descriptor_limit() {}
