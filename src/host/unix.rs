//! What is asked of Unix about limits and places.

#[cfg(feature = "cli")]
use std::fs::OpenOptions;
#[cfg(feature = "cli")]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where programs keep the sockets that belong to a running process and not to its data, for this one.
pub(crate) fn runtime_directory() -> PathBuf {
    if let Some(directory) = super::of_service("RUNTIME_DIRECTORY") {
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

/// The name of this machine.
#[cfg(feature = "cli")]
pub(crate) fn name() -> Option<String> {
    Some(rustix::system::uname().nodename().to_str().ok()?.to_owned())
}

/// How many files the process may have open; without a limit, as many as can be counted.
pub(crate) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many bytes are free where this directory is, for a process without privileges.
pub(crate) fn disk_free_bytes(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// A file that it makes has these permissions at most.
#[cfg(feature = "cli")]
pub(crate) fn with_mode(file: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    file.mode(mode)
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

/// Sends datagrams to a socket of this machine.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct LocalDatagrams(std::os::unix::net::UnixDatagram);

#[cfg(feature = "cli")]
impl LocalDatagrams {
    /// # Errors
    /// When nobody has such a socket there.
    pub(crate) fn to(path: &Path) -> std::io::Result<Self> {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self(socket))
    }

    /// # Errors
    /// The system's: nobody has the socket any more.
    pub(crate) fn send(&self, datagram: &[u8]) -> std::io::Result<()> {
        self.0.send(datagram).map(drop)
    }
}
