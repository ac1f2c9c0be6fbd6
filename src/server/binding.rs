//! How the broker's sockets are bound.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use super::start_error::StartFailure;
use crate::config::{FileBytes, Listen, Settings};
use crate::connection::listening_socket::ListeningSocket;

/// What is spoken on an address, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum ListenerKind {
    Plain,
    Tls,
}

/// What the system is told of sockets for clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketOptions {
    backlog: u32,
    send_bytes: Option<u32>,
    receive_bytes: Option<u32>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl From<&Settings> for SocketOptions {
    fn from(settings: &Settings) -> Self {
        let bytes = |FileBytes(bytes)| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            backlog: settings.tcp_backlog.0,
            send_bytes: settings.tcp_sndbuf.map(bytes),
            receive_bytes: settings.tcp_recbuf.map(bytes),
        }
    }
}

impl SocketOptions {
    /// The same with buffers of so many bytes, in both directions.
    pub(super) fn with_buffers(self, bytes: u32) -> Self {
        Self { send_bytes: Some(bytes), receive_bytes: Some(bytes), ..self }
    }
}

/// Binds all addresses, of which there may be none.
pub(super) fn bind(
    places: &[Listen],
    kind: ListenerKind,
    options: SocketOptions,
) -> Result<Vec<TcpListener>, StartFailure> {
    let mut bound = Vec::new();
    for &place in places {
        match place {
            Listen::At(address) => bound.push(bind_one(address, options)?),
            // A socket for all addresses of IPv6 takes IPv4 as well; on Linux unless
            // `net.ipv6.bindv6only` is set.
            Listen::Everywhere(port) => bound.push(match bind_one((Ipv6Addr::UNSPECIFIED, port).into(), options) {
                Err(error) if error.is_absent() => bind_one((Ipv4Addr::UNSPECIFIED, port).into(), options)?,
                result => result?,
            }),
            Listen::Localhost(port) => {
                let (address, listener) = bind_one((Ipv4Addr::LOCALHOST, port).into(), options)?;
                bound.push((address, listener));
                // Clients that are told `localhost` may try this first; machines without IPv6 do without.
                match bind_one((Ipv6Addr::LOCALHOST, address.port()).into(), options) {
                    Ok(listener) => bound.push(listener),
                    // Whoever asked for any free port did not ask for this one.
                    Err(error) if error.is_absent() || port == 0 => tracing::info!("{error}"),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    bound.iter().for_each(|(address, _)| tell(kind, *address));
    Ok(bound.into_iter().map(|(_, listener)| listener).collect())
}

/// What the first of these sockets is bound to.
pub(super) fn first_address(sockets: &[TcpListener]) -> Option<SocketAddr> {
    sockets.first().and_then(|socket| socket.local_addr().ok())
}

fn tell(kind: ListenerKind, address: SocketAddr) {
    match kind {
        ListenerKind::Plain => tracing::info!("started TCP listener on {}", printed(address)),
        ListenerKind::Tls => tracing::info!("started TLS (SSL) listener on {}", printed(address)),
    }
}

/// The same socket for a listener that closes it for a while.
pub(super) fn closable(listener: TcpListener, kind: ListenerKind, options: SocketOptions) -> ListeningSocket {
    // Now, so that a port that the system has chosen stays what everybody was told.
    let address = listener.local_addr();
    let bind_again = move || {
        let address = *address.as_ref().map_err(|error| io::Error::from(error.kind()))?;
        let with_address = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        let listener = listening(address, options).map_err(with_address)?;
        tell(kind, address);
        Ok(listener)
    };
    ListeningSocket::new(listener, Box::new(bind_again))
}

/// As RabbitMQ's log has it, for which programs wait: `[::]:5672` for all addresses, also of a machine without IPv6.
fn printed(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("[::]:{}", address.port()) } else { address.to_string() }
}

fn bind_one(address: SocketAddr, options: SocketOptions) -> Result<(SocketAddr, TcpListener), StartFailure> {
    let failed = |source| StartFailure::Listen { address, source };
    let listener = listening(address, options).map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

fn listening(address: SocketAddr, options: SocketOptions) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A broker that starts anew finds its port taken by connections of before, else. On Windows it would mean something else.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // Else a socket for all addresses of IPv6 would be for those alone on Windows.
    #[cfg(windows)]
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket2::SockRef::from(&socket).set_only_v6(false)?;
    }
    // Sockets that are accepted inherit them.
    options.send_bytes.map_or(Ok(()), |bytes| socket.set_send_buffer_size(bytes))?;
    options.receive_bytes.map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
    socket.bind(address)?;
    socket.listen(options.backlog)
}

impl StartFailure {
    /// Whether the machine does not have the address at all. Without IPv6 that shows in many ways, as no such address or no such
    /// family of addresses; only one that somebody else listens on is there for sure.
    fn is_absent(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() != io::ErrorKind::AddrInUse)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_have_the_sizes_that_are_configured() {
        let size = |bytes: Option<u64>| {
            let settings = Settings { tcp_recbuf: bytes.map(FileBytes), ..Settings::default() };
            let bound = bind(&[Listen::At((Ipv4Addr::LOCALHOST, 0).into())], ListenerKind::Plain, (&settings).into());
            rustix::net::sockopt::socket_recv_buffer_size(&bound.unwrap()[0]).unwrap()
        };
        // Linux takes twice as much as it is told, for its own use.
        assert_eq!(size(Some(20_000)), 40_000);
        assert!(size(None) > 40_000);
    }

    /// A kernel with IPv6 disabled has no such address family, where a mere lack of addresses says `EADDRNOTAVAIL`.
    #[test]
    fn a_machine_without_ipv6_does_without_its_loopback_address() {
        const EAFNOSUPPORT: i32 = 97;
        const EADDRINUSE: i32 = 98;
        const EADDRNOTAVAIL: i32 = 99;
        let failed = |code| {
            let address = (Ipv6Addr::LOCALHOST, 0).into();
            StartFailure::Listen { address, source: io::Error::from_raw_os_error(code) }
        };
        assert!(failed(EAFNOSUPPORT).is_absent());
        assert!(failed(EADDRNOTAVAIL).is_absent());
        assert!(!failed(EADDRINUSE).is_absent());
    }
}
