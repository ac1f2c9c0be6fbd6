//! What is asked of a TCP socket beyond reading and writing when it is ready.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::output::Output;

/// A host that vanished while nothing was being sent to it is noticed after `KEEPALIVE_IDLE` and `KEEPALIVE_PROBES` times
/// `KEEPALIVE_INTERVAL`, whether there are heartbeats or not.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// With so much unread, the window may be closed, so that nothing more can arrive from a client that is well. Far below the
/// smallest receive buffer.
const UNREAD_BYTES_FULL: u64 = 16 * 1024;

/// Becomes ready when the client has closed its side, without looking at what can be read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const HANG_UP: Interest = Interest::PRIORITY.add(Interest::ERROR);
/// Becomes ready when the connection was reset; that the client has closed its side is not told here without reading.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const HANG_UP: Interest = Interest::ERROR;

/// Makes the system look after hosts that vanish.
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(())
}

/// Reads once. A read that leaves room in the buffer has emptied the socket. The runtime, which hears of what arrives (edges, both
/// of epoll and of kqueue), is told so here; else it would have to learn it from one more read, which finds nothing.
pub(super) fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    let read = stream.try_io(Interest::READABLE, || {
        count = rustix::io::read(stream, &mut *buffer)?;
        if 0 < count && count < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    });
    if count > 0 { Ok(count) } else { read }
}

pub(super) fn try_write(stream: &TcpStream, output: &Output) -> io::Result<usize> {
    match output.single_slice() {
        Some(slice) => stream.try_write(slice),
        None => stream.try_write_vectored(&output.slices()),
    }
}

/// Writes what the system takes. The runtime hears that there is room only once a third of the send buffer is free, which takes a
/// slow client long.
pub(super) fn write_regardless(stream: &TcpStream, output: &Output) -> io::Result<usize> {
    match rustix::io::writev(stream, &output.slices()) {
        Err(rustix::io::Errno::AGAIN) => Ok(0),
        written => Ok(written?),
    }
}

pub(super) async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => std::future::pending().await,
    }
}

/// What lies in the socket of a client that is not read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    bytes: u64,
}

impl Unread {
    /// Whether the client may have sent something since this was asked last.
    pub(super) fn has_grown(&mut self, stream: &TcpStream) -> bool {
        // A socket that does not even answer this will not stay silent about it when it is read.
        let Ok(bytes) = rustix::io::ioctl_fionread(stream) else { return true };
        let before = std::mem::replace(&mut self.bytes, bytes);
        bytes > before || bytes >= UNREAD_BYTES_FULL
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("it connects"), accepted.expect("it accepts").0)
    }

    #[tokio::test]
    async fn the_system_looks_after_vanished_hosts() {
        let (_client, stream) = pair().await;
        keep_alive(&stream).expect("the options are known");
        assert_eq!(sockopt::socket_keepalive(&stream), Ok(true));
        assert_eq!(sockopt::tcp_keepidle(&stream), Ok(KEEPALIVE_IDLE));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_arrives_is_noticed_without_reading() {
        let (client, stream) = pair().await;
        let mut unread = Unread::default();
        assert!(!unread.has_grown(&stream));
        assert_eq!(client.try_write(b"beat").expect("it is open"), 4);
        stream.readable().await.expect("it is open");
        assert!(unread.has_grown(&stream));
        assert!(!unread.has_grown(&stream), "nothing came since");
        // It can be read, and so it would be said at once if that were enough.
        rustix::net::shutdown(&client, rustix::net::Shutdown::Write).expect("it is open");
        assert!(stream.ready(HANG_UP).await.expect("it is open").is_read_closed());
        let mut buffer = [0; 10];
        assert_eq!(try_read(&stream, &mut buffer).expect("nothing is lost"), 4);
    }
}
