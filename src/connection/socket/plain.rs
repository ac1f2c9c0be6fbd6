//! A TCP socket without encryption.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest, Ready};
use tokio::net::TcpStream;

use super::system;
use super::tls::HandshakeFailed;
use crate::connection::output::Output;
use crate::connection::proxy_header::{MalformedProxyHeader, ProxyHeader};
use crate::connection::session::Addresses;

/// A host that vanished while nothing was being sent to it is noticed after `KEEPALIVE_IDLE` and `KEEPALIVE_PROBES` times
/// `KEEPALIVE_INTERVAL`, whether there are heartbeats or not.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// With so much unread, the window may be closed, so that nothing more can arrive from a client that is well. Far below the
/// smallest receive buffer.
const UNREAD_BYTES_FULL: u64 = 16 * 1024;

/// What nobody needs is read in pieces of so many bytes.
const HEARD_AT_A_TIME: usize = 4 * 1024;

/// Becomes ready when the client has closed its side, without looking at what can be read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const HANG_UP: Interest = Interest::PRIORITY.add(Interest::ERROR);
/// Becomes ready when the connection was reset; that the client has closed its side is not told here without reading.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const HANG_UP: Interest = Interest::ERROR;

/// A TCP socket.
#[derive(Debug)]
pub(crate) struct PlainSocket {
    stream: TcpStream,
    peer: SocketAddr,
    /// What lay in the socket when nothing was read and it was asked for last.
    unread_bytes: u64,
    /// What a proxy has said so far of the client for whom it has connected; `None` once nothing more of it is expected.
    proxy_header: Option<Vec<u8>>,
}

impl PlainSocket {
    /// A connection that was just accepted.
    pub(in crate::connection) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        // Replies are written whole; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        if let Err(error) = system::keep_alive(&stream, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES) {
            tracing::debug!(%peer, %error, "cannot set TCP keepalive");
        }
        Self { stream, peer, unread_bytes: 0, proxy_header: None }
    }

    /// The same, where a proxy has connected for the client, and says so first.
    pub(in crate::connection) fn behind_proxy(mut self) -> Self {
        self.proxy_header = Some(Vec::new());
        self
    }

    /// Whether a proxy is to say something first.
    pub(super) const fn is_behind_proxy(&self) -> bool {
        self.proxy_header.is_some()
    }

    /// Reads what a proxy says first, and nothing behind it; where the client is, if that is news. Cancel safe: what came so far is kept.
    pub(super) async fn introduce(&mut self) -> Result<Option<Addresses>, HandshakeFailed> {
        let Some(come) = &mut self.proxy_header else { return Ok(None) };
        loop {
            let before = come.len();
            let more = match ProxyHeader::of(come)? {
                ProxyHeader::Needs(more) => more,
                ProxyHeader::Whole(addresses) => {
                    self.proxy_header = None;
                    self.peer = addresses.map_or(self.peer, |addresses| addresses.peer);
                    return Ok(addresses);
                }
            };
            self.stream.ready(Interest::READABLE).await?;
            come.resize(before + more, 0);
            let read = self.stream.try_read(come.get_mut(before..).unwrap_or_default());
            come.truncate(before + read.as_ref().map_or(0, |count| *count));
            match read {
                Ok(0) if before == 0 => return Err(HandshakeFailed::Silent),
                Ok(0) => return Err(HandshakeFailed::NoProxyHeader(MalformedProxyHeader::Cut)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) async fn ready(&self, interest: Option<Interest>) -> io::Result<Ready> {
        match interest {
            Some(interest) => self.stream.ready(interest).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        system::try_read(&self.stream, buffer)
    }

    pub(super) fn try_write(&self, output: &Output) -> io::Result<usize> {
        match output.single_slice() {
            Some(slice) => self.stream.try_write(slice),
            None => self.try_write_slices(&output.slices()),
        }
    }

    pub(super) fn try_write_slices(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write_vectored(slices)
    }

    /// The runtime hears that there is room only once a third of the send buffer is free, which takes a slow client long.
    pub(super) fn write_regardless(&self, output: &Output) -> io::Result<usize> {
        match self.write_slices_regardless(&output.slices()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    pub(super) fn write_slices_regardless(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        system::write(&self.stream, slices)
    }

    pub(super) fn has_more_unread(&mut self) -> bool {
        // A socket that does not even answer this will not stay silent about it when it is read.
        let Ok(bytes) = system::unread_bytes(&self.stream) else { return true };
        let before = std::mem::replace(&mut self.unread_bytes, bytes);
        bytes > before || bytes >= UNREAD_BYTES_FULL
    }

    pub(super) async fn hear_out(&mut self, bytes_max: usize) {
        // Whoever has gone hears nothing.
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let mut heard = 0;
        while heard < bytes_max && self.stream.readable().await.is_ok() {
            match self.try_read(&mut [0; HEARD_AT_A_TIME]) {
                Ok(count @ 1..) => heard += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.stream.take_error()
    }

    pub(super) fn reset_when_closed(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use rustix::net::sockopt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, PlainSocket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, peer) = accepted.expect("it accepts");
        (client.expect("it connects"), PlainSocket::new(stream, peer))
    }

    #[tokio::test]
    async fn the_system_looks_after_vanished_hosts() {
        let (_client, socket) = pair().await;
        assert_eq!(sockopt::socket_keepalive(&socket.stream), Ok(true));
        assert_eq!(sockopt::tcp_keepidle(&socket.stream), Ok(KEEPALIVE_IDLE));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_arrives_is_noticed_without_reading() {
        let (client, mut socket) = pair().await;
        assert!(!socket.has_more_unread());
        assert_eq!(client.try_write(b"beat").expect("it is open"), 4);
        socket.ready(Some(Interest::READABLE)).await.expect("it is open");
        assert!(socket.has_more_unread());
        assert!(!socket.has_more_unread(), "nothing came since");
        // It can be read, and so it would be said at once if that were enough.
        rustix::net::shutdown(&client, rustix::net::Shutdown::Write).expect("it is open");
        assert!(socket.ready(Some(HANG_UP)).await.expect("it is open").is_read_closed());
        let mut buffer = [0; 10];
        assert_eq!(socket.try_read(&mut buffer).expect("nothing is lost"), 4);
    }
}
