//! The kinds of sockets that a connection can have, behind one set of methods.
//!
//! What a kind knows about its system calls stays in its own file. A kind that encrypts is one more variant here, and its file: it
//! reads and writes what is plain, and says in `ready` that there is something to read while it still holds decrypted bytes.

mod plain;

use std::io;
use std::net::SocketAddr;

use tokio::io::{Interest, Ready};

use super::output::Output;
pub use plain::PlainSocket;

/// A connection's socket. Its methods never block.
#[derive(Debug)]
pub enum Socket {
    /// TCP without encryption.
    Plain(PlainSocket),
}

impl Socket {
    /// The client's address.
    pub(super) const fn peer(&self) -> SocketAddr {
        match self {
            Self::Plain(socket) => socket.peer(),
        }
    }

    /// Waits for what is asked for, or for ever if that is nothing. Cancel safe.
    pub(super) async fn ready(&self, interest: Option<Interest>) -> io::Result<Ready> {
        match self {
            Self::Plain(socket) => socket.ready(interest).await,
        }
    }

    /// What tells that the client has closed its side, or that the connection was reset, without reading.
    pub(super) const fn hang_up_interest(&self) -> Interest {
        match self {
            Self::Plain(_) => plain::HANG_UP,
        }
    }

    /// Reads once; 0 at the end of the stream.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_read(buffer),
        }
    }

    /// Writes as much of the output as the system takes at once.
    pub(super) fn try_write(&self, output: &Output) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_write(output),
        }
    }

    /// Writes what the system takes, even if the runtime has not heard that there is room.
    pub(super) fn write_regardless(&self, output: &Output) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write_regardless(output),
        }
    }

    /// Whether the client may have sent something, which nobody has read, since this was asked last.
    pub(super) fn has_more_unread(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.has_more_unread(),
        }
    }

    /// The failure that the system has noted.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Plain(socket) => socket.take_error(),
        }
    }

    /// Makes closing reset the connection.
    pub(super) fn reset_when_closed(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.reset_when_closed(),
        }
    }
}
