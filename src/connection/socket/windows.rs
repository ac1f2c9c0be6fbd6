//! What a socket needs of Windows that the runtime has not for all systems.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// It is asked only whether there is more than before, or so much that the window may be closed.
const LOOK_BYTES: usize = 16 * 1024;

pub(super) fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    stream.try_read(buffer)
}

/// Writes whether the runtime knows of room or not.
pub(super) fn write(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(stream).send_vectored(slices)
}

/// What lies in the socket, as far as it is looked at.
pub(super) fn unread_bytes(stream: &TcpStream) -> io::Result<u64> {
    let mut octets = [MaybeUninit::uninit(); LOOK_BYTES];
    match SockRef::from(stream).peek(&mut octets) {
        Ok(count) => Ok(count as u64),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error),
    }
}

/// Makes the system look after hosts that vanish.
pub(super) fn keep_alive(stream: &TcpStream, idle: Duration, interval: Duration, probes: u32) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
