//! What commands ask of Unix: signals, processes, files for one user, and the broker's local socket.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::net::UnixStream;
use tokio::signal::unix::{self, SignalKind, signal};

use super::Told;

/// Whether a broker of this machine has a socket where commands need no password.
pub(in crate::commands) const HAS_LOCAL_SOCKETS: bool = true;

/// What is at the other end of a local socket.
pub(in crate::commands) type LocalStream = UnixStream;

/// # Errors
/// When nobody listens there.
pub(in crate::commands) async fn connect(socket: &Path) -> io::Result<LocalStream> {
    UnixStream::connect(socket).await
}

/// Whether somebody listens there.
pub(in crate::commands) fn is_alive(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

/// The signals that end a program or have it read its files again. None is lost from when this is made.
#[derive(Debug)]
pub(in crate::commands) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    /// # Errors
    /// The system's.
    pub(in crate::commands) fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hang_up = signal(SignalKind::hangup())?;
        Ok(Self { terminate, interrupt, hang_up })
    }

    /// The next one.
    pub(in crate::commands) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Terminate,
            _ = self.interrupt.recv() => Told::Interrupt,
            _ = self.hang_up.recv() => Told::HangUp,
        }
    }
}

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Process(Pid);

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_raw_nonzero().fmt(formatter)
    }
}

impl Process {
    /// The process with this number.
    pub(in crate::commands) fn numbered(number: i32) -> Option<Self> {
        Pid::from_raw(number).map(Self)
    }

    /// Who listens on a local socket.
    ///
    /// # Errors
    /// When nobody does.
    pub(in crate::commands) async fn behind(socket: &Path) -> io::Result<Self> {
        let number = connect(socket).await?.peer_cred()?.pid();
        number.and_then(Self::numbered).ok_or_else(|| io::Error::other("the system does not tell whose socket it is"))
    }

    /// # Errors
    /// When it is gone, or belongs to somebody else.
    pub(in crate::commands) fn tell(self, told: Told) -> io::Result<()> {
        let signal = match told {
            Told::Terminate => Signal::TERM,
            Told::Interrupt => Signal::INT,
            Told::HangUp => Signal::HUP,
        };
        Ok(kill_process(self.0, signal)?)
    }

    /// What it was started with: names and values.
    ///
    /// # Errors
    /// When the system does not tell, or not this user.
    pub(in crate::commands) fn environment(self) -> io::Result<Vec<(String, String)>> {
        let bytes = std::fs::read(format!("/proc/{self}/environ"))?;
        let text = String::from_utf8_lossy(&bytes);
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Whether there is no such process. One of somebody else is there.
    pub(in crate::commands) fn is_gone(self) -> bool {
        test_kill_process(self.0) == Err(Errno::SRCH)
    }

    /// Whether it has ended, even if whoever started it has not asked for its exit code yet.
    pub(in crate::commands) fn has_ended(self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{self}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything.
        let is_zombie = stat.rsplit_once(") ").is_some_and(|(_, facts)| facts.starts_with('Z'));
        is_zombie || test_kill_process(self.0).is_err()
    }
}

/// The number of the signal that ended a process.
pub(in crate::commands) fn ended_by(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// A file that it makes is for this user alone.
pub(in crate::commands) fn for_one_user(file: &mut OpenOptions) -> &mut OpenOptions {
    file.mode(0o600)
}

/// A directory for this user alone.
///
/// # Errors
/// The file system's.
pub(in crate::commands) fn create_directory_for_one_user(directory: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(directory)
}

/// Has it go on when the shell ends that starts it, and be called by this name.
pub(in crate::commands) fn detach(command: &mut Command, name: &OsStr) {
    // A group of its own, so that what ends the shell does not end it.
    command.arg0(name).process_group(0);
}

/// The name of this machine.
pub(in crate::commands) fn hostname() -> Option<String> {
    Some(rustix::system::uname().nodename().to_str().ok()?.to_owned())
}
