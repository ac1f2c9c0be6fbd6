//! The kinds of sockets that a connection can have, behind one set of methods.
//!
//! What a kind knows about its system calls stays in its own file. One that encrypts reads and writes what is plain, and says in `ready`
//! that there is something to read while it still holds decrypted bytes.

mod plain;
#[cfg_attr(unix, path = "socket/unix.rs")]
#[cfg_attr(windows, path = "socket/windows.rs")]
mod system;
mod tls;

use std::io;
use std::net::SocketAddr;

use tokio::io::{Interest, Ready};

use super::output::Output;
use super::session::Addresses;
use crate::tls::Security;
pub(crate) use plain::PlainSocket;
pub(crate) use tls::{HandshakeFailed, TlsEndpoint, TlsSocket};

/// A connection's socket. Its methods never block.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP without encryption.
    Plain(PlainSocket),
    /// TCP with TLS.
    Tls(TlsSocket),
}

/// What has come before the protocol.
#[derive(Debug)]
pub(super) enum Prepared {
    /// The client for whom a proxy has connected. There may be more.
    Introduced(Addresses),
    /// Everything, with what was agreed on if it is encrypted.
    Wholly(Option<Security>),
}

impl Socket {
    /// The client's address.
    pub(super) const fn peer(&self) -> SocketAddr {
        match self {
            Self::Plain(socket) => socket.peer(),
            Self::Tls(socket) => socket.peer(),
        }
    }

    /// Whether nothing comes before the protocol.
    pub(super) const fn is_prepared(&self) -> bool {
        matches!(self, Self::Plain(socket) if !socket.is_behind_proxy())
    }

    /// Does the next thing that comes before the protocol: a proxy says for whom it connects, then hands are shaken. Cancel safe.
    pub(super) async fn prepare(&mut self) -> Result<Prepared, HandshakeFailed> {
        let plain = match self {
            Self::Plain(socket) => socket,
            Self::Tls(socket) => socket.plain_mut(),
        };
        if let Some(addresses) = plain.introduce().await? {
            return Ok(Prepared::Introduced(addresses));
        }
        match self {
            Self::Plain(_) => Ok(Prepared::Wholly(None)),
            Self::Tls(socket) => socket.secure().await.map(|security| Prepared::Wholly(Some(security))),
        }
    }

    /// Waits for what is asked for, or for ever if that is nothing. Cancel safe.
    pub(super) async fn ready(&mut self, interest: Option<Interest>) -> io::Result<Ready> {
        match self {
            Self::Plain(socket) => socket.ready(interest).await,
            Self::Tls(socket) => socket.ready(interest).await,
        }
    }

    /// What tells that the client has closed its side, or that the connection was reset, without reading.
    pub(super) const fn hang_up_interest(&self) -> Interest {
        match self {
            Self::Plain(_) | Self::Tls(_) => plain::HANG_UP,
        }
    }

    /// Reads once; 0 at the end of the stream.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_read(buffer),
            Self::Tls(socket) => socket.try_read(buffer),
        }
    }

    /// Writes as much of the output as the system takes at once.
    pub(super) fn try_write(&mut self, output: &Output) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.try_write(output),
            Self::Tls(socket) => socket.try_write(output),
        }
    }

    /// Writes what the system takes, even if the runtime has not heard that there is room.
    pub(super) fn write_regardless(&mut self, output: &Output) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write_regardless(output),
            Self::Tls(socket) => socket.write_regardless(output),
        }
    }

    /// Whether the client may have sent something, which nobody has read, since this was asked last.
    pub(super) fn has_more_unread(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.has_more_unread(),
            Self::Tls(socket) => socket.plain_mut().has_more_unread(),
        }
    }

    /// The failure that the system has noted.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Plain(socket) => socket.take_error(),
            Self::Tls(socket) => socket.plain().take_error(),
        }
    }

    /// Makes closing reset the connection.
    pub(super) fn reset_when_closed(&self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.reset_when_closed(),
            Self::Tls(socket) => socket.plain().reset_when_closed(),
        }
    }

    /// Tells the system that nothing more comes from here, and forgets what the client still sends, so much at most, until it has closed
    /// its side. Cancel safe.
    pub(super) async fn hear_out(&mut self, bytes_max: usize) {
        match self {
            Self::Plain(socket) => socket.hear_out(bytes_max).await,
            Self::Tls(socket) => socket.plain_mut().hear_out(bytes_max).await,
        }
    }

    /// Ends in order, if there is one beside closing.
    pub(super) fn say_goodbye(&mut self) {
        match self {
            Self::Plain(_) => {}
            Self::Tls(socket) => socket.say_goodbye(),
        }
    }
}
