//! What a socket needs of Unix that the runtime has not for all systems.

use std::io::{self, IoSlice};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A read that leaves room in the buffer has emptied the socket. The runtime, which hears of what arrives (edges, both of
/// epoll and of kqueue), is told so here; else it would have to learn it from one more read, which finds nothing.
pub(super) fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    let read = stream.try_io(Interest::READABLE, || {
        count = rustix::io::read(stream, &mut *buffer)?;
        if 0 < count && count < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    });
    if count > 0 { Ok(count) } else { read }
}

/// Writes whether the runtime knows of room or not.
pub(super) fn write(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(rustix::io::writev(stream, slices)?)
}

/// What lies in the socket.
pub(super) fn unread_bytes(stream: &TcpStream) -> io::Result<u64> {
    Ok(rustix::io::ioctl_fionread(stream)?)
}

/// Makes the system look after hosts that vanish.
pub(super) fn keep_alive(stream: &TcpStream, idle: Duration, interval: Duration, probes: u32) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, idle)?;
    sockopt::set_tcp_keepintvl(stream, interval)?;
    sockopt::set_tcp_keepcnt(stream, probes)?;
    Ok(())
}
