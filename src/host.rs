//! What the machine, or the container, has.

#[cfg(unix)]
pub(crate) mod groups;
mod memory;
mod rabbitmq_files;
#[cfg_attr(unix, path = "host/unix.rs")]
#[cfg_attr(windows, path = "host/windows.rs")]
mod system;

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

pub(crate) use rabbitmq_files::file_of_rabbitmq;

#[cfg(unix)]
pub(crate) use system::runtime_directory;
#[cfg(feature = "cli")]
pub(crate) use system::{LocalDatagrams, name, with_mode};
pub(crate) use system::{descriptor_limit, disk_free_bytes, raise_descriptor_limit};

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

/// The process's number.
pub(crate) fn process_id() -> u32 {
    std::process::id()
}

/// How many files and sockets the process has open, where the system tells.
pub(crate) fn descriptors_used() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
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
