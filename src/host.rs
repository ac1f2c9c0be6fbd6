//! What the machine, or the container, has.

pub(crate) mod groups;
mod memory;

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The share of the memory that the process may take in all. What is left is for what is under way when publishers are stopped.
const RESIDENT_PERCENT: u64 = 80;

/// Where the platform keeps the data of programs, for this one: never a path that holds the host's name, so that a container
/// with another name finds its messages.
pub(crate) fn data_directory() -> Option<PathBuf> {
    if let Some(directory) = of_service("STATE_DIRECTORY") {
        return Some(directory);
    }
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.data_dir().join("leveret"))
}

/// The directory that systemd has made for this service. One with another name is that of a service which starts this program for
/// purposes of its own.
fn of_service(variable: &str) -> Option<PathBuf> {
    named_by_systemd(&std::env::var(variable).ok()?)
}

fn named_by_systemd(directories: &str) -> Option<PathBuf> {
    directories.split(':').map(PathBuf::from).find(|path| path.is_absolute() && path.ends_with("leveret"))
}

/// Where programs keep the sockets that belong to a running process and not to its data, for this one.
pub(crate) fn runtime_directory() -> PathBuf {
    if let Some(directory) = of_service("RUNTIME_DIRECTORY") {
        return directory;
    }
    let user = rustix::process::geteuid();
    if user.is_root() {
        return PathBuf::from("/run/leveret");
    }
    let strategy = etcetera::base_strategy::choose_native_strategy().ok();
    match strategy.and_then(|strategy| strategy.runtime_dir()) {
        Some(directory) => directory.join("leveret"),
        None => PathBuf::from(format!("/tmp/leveret-{}", user.as_raw())),
    }
}

/// How many files the process may have open; without a limit, as many as can be counted.
pub(crate) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The process's number.
pub(crate) fn process_id() -> u32 {
    std::process::id()
}

/// How many files and sockets the process has open, where the system tells.
pub(crate) fn descriptors_used() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

/// How many bytes are free where this directory is, for a process without privileges.
pub(crate) fn disk_free_bytes(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Raises that to what the process may set itself. The lower limit, usually 1024, protects old programs from numbers that `select`
/// cannot take, and this is none.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// The memory of the machine, or what the control group allows if that is less.
pub(crate) fn memory_bytes() -> Option<u64> {
    memory::limit_bytes(&read)
}

/// What the whole process may take before publishers wait, however little of it is messages.
pub(crate) fn resident_bytes_max() -> u64 {
    memory_bytes().map_or(u64::MAX, |bytes| bytes / 100 * RESIDENT_PERCENT)
}

/// What the whole process takes, where the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    memory::resident_bytes(&read)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_the_directories_that_systemd_made_for_it_and_no_others() {
        assert_eq!(named_by_systemd("/var/lib/leveret"), Some(PathBuf::from("/var/lib/leveret")));
        assert_eq!(named_by_systemd("/var/lib/a:/var/lib/leveret"), Some(PathBuf::from("/var/lib/leveret")));
        assert_eq!((named_by_systemd("/var/lib/runner"), named_by_systemd("leveret")), (None, None));
    }
}
