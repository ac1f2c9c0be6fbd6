//! What commands ask of Windows. There is no local socket: commands ask over HTTP, and a broker is stopped by ctrl-c.

use std::ffi::OsStr;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use tokio::net::TcpStream;
use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};

use super::Told;

/// Whether a broker of this machine has a socket where commands need no password.
pub(in crate::commands) const HAS_LOCAL_SOCKETS: bool = false;

/// What a local socket would be, if there were one.
pub(in crate::commands) type LocalStream = TcpStream;

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "Windows has no local sockets that tell who asks; use --url")
}

/// # Errors
/// Always.
#[expect(clippy::unused_async, reason = "it has the form of the one for Unix")]
pub(in crate::commands) async fn connect(_socket: &Path) -> io::Result<LocalStream> {
    Err(unsupported())
}

/// Whether somebody listens there.
pub(in crate::commands) const fn is_alive(_socket: &Path) -> bool {
    false
}

/// What Windows tells a program that shall end. Nothing is lost from when this is made.
#[derive(Debug)]
pub(in crate::commands) struct Signals {
    ctrl_c: CtrlC,
    ctrl_break: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// # Errors
    /// The system's.
    pub(in crate::commands) fn new() -> io::Result<Self> {
        let ctrl_c = windows::ctrl_c()?;
        let ctrl_break = windows::ctrl_break()?;
        let close = windows::ctrl_close()?;
        let shutdown = windows::ctrl_shutdown()?;
        Ok(Self { ctrl_c, ctrl_break, close, shutdown })
    }

    /// The next one.
    pub(in crate::commands) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.ctrl_c.recv() => Told::Interrupt,
            _ = self.ctrl_break.recv() => Told::Interrupt,
            _ = self.close.recv() => Told::Terminate,
            _ = self.shutdown.recv() => Told::Terminate,
        }
    }
}

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Process(i32);

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Process {
    /// The process with this number.
    pub(in crate::commands) const fn numbered(number: i32) -> Option<Self> {
        if number > 0 { Some(Self(number)) } else { None }
    }

    /// Who listens on a local socket.
    ///
    /// # Errors
    /// Always.
    #[expect(clippy::unused_async, reason = "it has the form of the one for Unix")]
    pub(in crate::commands) async fn behind(_socket: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    /// # Errors
    /// Always: a program cannot send another one the signals of Unix.
    pub(in crate::commands) fn tell(self, _told: Told) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "Windows has no signals; press ctrl-c where it runs"))
    }

    /// # Errors
    /// Always: Windows does not tell.
    pub(in crate::commands) fn environment(self) -> io::Result<Vec<(String, String)>> {
        Err(unsupported())
    }

    /// Whether there is no such process, as far as can be told.
    pub(in crate::commands) const fn is_gone(self) -> bool {
        false
    }

    /// Whether it has ended, as far as can be told.
    pub(in crate::commands) const fn has_ended(self) -> bool {
        false
    }
}

/// There are no signals.
pub(in crate::commands) const fn ended_by(_status: ExitStatus) -> Option<i32> {
    None
}

/// Files of a user's directory are for that user alone.
pub(in crate::commands) const fn for_one_user(file: &mut OpenOptions) -> &mut OpenOptions {
    file
}

/// A directory for this user alone, as the one above it is.
///
/// # Errors
/// The file system's.
pub(in crate::commands) fn create_directory_for_one_user(directory: &Path) -> io::Result<()> {
    std::fs::create_dir(directory)
}

/// A process without a console, and with a group of its own for ctrl-c.
const DETACHED_PROCESS: u32 = 0x8;
const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;

/// Has it go on when the console closes. The name is that of its file.
pub(in crate::commands) fn detach(command: &mut Command, _name: &OsStr) {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// The name of this machine.
pub(in crate::commands) fn hostname() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}
