//! A file descriptor in reserve. Without any descriptor a connection cannot even be accepted to be closed, and the system would
//! report it again and again.

use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;

use tokio::net::TcpListener;

/// The descriptor, where the system counts them.
#[derive(Debug)]
pub(super) struct SpareDescriptor {
    #[cfg(unix)]
    kept: Option<OwnedFd>,
}

#[cfg(unix)]
impl SpareDescriptor {
    pub(super) fn of(listener: &TcpListener) -> Self {
        Self { kept: rustix::io::dup(listener).ok() }
    }

    /// Accepts a connection with the descriptor, only to close it: its client learns at once that it has to try again, and the system has
    /// one less to tell of. False when that was not possible either.
    pub(super) fn shed(&mut self, listener: &TcpListener) -> bool {
        if self.kept.take().is_none() {
            *self = Self::of(listener);
            return false;
        }
        let accepted = rustix::net::accept(listener);
        let is_shed = accepted.is_ok();
        drop(accepted);
        *self = Self::of(listener);
        is_shed
    }
}

#[cfg(windows)]
impl SpareDescriptor {
    pub(super) fn of(_listener: &TcpListener) -> Self {
        Self {}
    }

    /// Handles do not run out here.
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "it has the form of the one for Unix")]
    pub(super) fn shed(&mut self, _listener: &TcpListener) -> bool {
        false
    }
}

/// Whether accepting failed because of what happened to the connection that was next, which is over with that.
#[cfg(unix)]
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let code = Errno::from_io_error(error);
    code.is_some_and(|code| {
        [
            Errno::CONNABORTED,
            Errno::CONNRESET,
            Errno::PROTO,
            Errno::PERM,
            Errno::INTR,
            Errno::NETDOWN,
            Errno::NETUNREACH,
            Errno::HOSTDOWN,
            Errno::HOSTUNREACH,
            Errno::TIMEDOUT,
        ]
        .contains(&code)
    })
}

/// Whether accepting failed because of what happened to the connection that was next, which is over with that.
#[cfg(windows)]
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, TimedOut,
    };
    [ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, TimedOut]
        .contains(&error.kind())
}
