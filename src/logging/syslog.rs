//! The syslog server that lines of the log are sent to.
//!
//! Whatever goes wrong with the server costs lines and nothing else. One that cannot be reached is tried again, once a second.

mod header;
mod secured;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use super::output::LogOutput;
use crate::clock::Clock;
use crate::config::{Settings, SyslogTransport};
use crate::host;
pub(super) use header::Header;
pub(super) use secured::InvalidSyslogTls;
use secured::{SecuredServer, SecuredStream};

/// How long the server may take to be connected to, and to take a line.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server is left alone that could not be reached.
const PAUSE_MS: u64 = 1_000;
/// Where the syslog server of a machine has its socket.
const LOCAL_SOCKET: &str = "/dev/log";

#[derive(Debug)]
pub(super) struct SyslogServer {
    transport: Transport,
    host: String,
    port: u16,
    clock: Clock,
    connection: Option<Connection>,
    /// When it may be tried again after it could not be reached.
    try_again_ms: u64,
    /// It was said that something is wrong with it, and nothing showed since that it is well again.
    is_told: bool,
}

/// How it is reached.
#[derive(Debug)]
enum Transport {
    Udp,
    Tcp,
    Tls(SecuredServer),
    Unix,
}

/// A way to the server that is open.
#[derive(Debug)]
enum Connection {
    Datagrams(UdpSocket, SocketAddr),
    Stream(TcpStream),
    Secured(SecuredStream),
    Local(host::LocalDatagrams),
}

impl Connection {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            // Nobody hears of a datagram that did not arrive.
            Self::Datagrams(socket, address) => socket.send_to(message, *address).map(drop),
            Self::Local(socket) => socket.send(message),
            // In one write: what is written in part ends the connection.
            Self::Stream(stream) => stream.write_all(&framed(message)),
            Self::Secured(stream) => stream.send(&framed(message)),
        }
    }
}

/// A message in a stream: with its length before it (RFC 6587, 3.4.1, and RFC 5425, 4.3).
fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = format!("{} ", message.len()).into_bytes();
    framed.extend_from_slice(message);
    framed
}

impl SyslogServer {
    /// One that nothing was sent to.
    ///
    /// # Errors
    /// When TLS cannot be spoken with it as it is configured.
    pub(super) fn new(settings: &Settings, clock: Clock) -> Result<Self, InvalidSyslogTls> {
        let is_local = settings.log_syslog_transport == SyslogTransport::Unix;
        let usual = if is_local { LOCAL_SOCKET } else { "localhost" };
        let host = settings.log_syslog_host.clone().unwrap_or_else(|| usual.to_owned());
        let transport = match settings.log_syslog_transport {
            SyslogTransport::Udp => Transport::Udp,
            SyslogTransport::Tcp => Transport::Tcp,
            SyslogTransport::Tls => Transport::Tls(SecuredServer::new(settings, &host)?),
            SyslogTransport::Unix => Transport::Unix,
        };
        let port = settings.log_syslog_port.0;
        Ok(Self { transport, host, port, clock, connection: None, try_again_ms: 0, is_told: false })
    }

    fn connect(&mut self) -> io::Result<Connection> {
        if self.clock.now_ms() < self.try_again_ms {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let connection = match &self.transport {
            Transport::Unix => host::LocalDatagrams::to(&PathBuf::from(&self.host)).map(Connection::Local),
            Transport::Udp => self.any_address(datagrams_to),
            Transport::Tcp => self.any_address(|address| stream_to(address).map(Connection::Stream)),
            Transport::Tls(server) => {
                self.any_address(|address| server.connect(stream_to(address)?, &self.clock).map(Connection::Secured))
            }
        };
        if let Err(error) = &connection {
            self.try_again_ms = self.clock.now_ms() + PAUSE_MS;
            self.tell(error);
        }
        connection
    }

    /// Says what is wrong, for the other outputs: once, since the line that says so is sent here, too.
    fn tell(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            let host = &self.host;
            tracing::warn!(host, %error, "the syslog server takes no lines; it is tried again");
        }
    }

    /// The first address of the host for which it can be done.
    fn any_address(&self, connect: impl Fn(SocketAddr) -> io::Result<Connection>) -> io::Result<Connection> {
        let mut failed = io::ErrorKind::NotFound.into();
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match connect(address) {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if let Some(mut known) = self.connection.take() {
            match known.send(message) {
                Ok(()) => {
                    self.connection = Some(known);
                    self.is_told = false;
                    return Ok(());
                }
                // A server that was started anew has forgotten the connection.
                Err(error) => self.tell(&error),
            }
        }
        let mut connection = self.connect()?;
        connection.send(message)?;
        self.connection = Some(connection);
        Ok(())
    }
}

fn datagrams_to(address: SocketAddr) -> io::Result<Connection> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    Ok(Connection::Datagrams(UdpSocket::bind(any)?, address))
}

fn stream_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl LogOutput for SyslogServer {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut sent = Ok(());
        for line in lines {
            sent = self.send(line).and(sent);
        }
        sent
    }

    fn reopen(&mut self) {
        self.connection = None;
        self.try_again_ms = 0;
    }

    fn close(&mut self) {
        self.connection = None;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::config::{PortNumber, Setting};

    fn settings(transport: &str, port: u16) -> Settings {
        let mut settings = Settings { log_syslog_port: PortNumber(port), ..Settings::default() };
        let transport = [transport.to_owned()];
        (Setting::find("log_syslog_transport").unwrap().set)(&mut settings, &transport).unwrap();
        settings.log_syslog_host = Some("127.0.0.1".to_owned());
        settings
    }

    #[test]
    fn each_line_is_a_datagram() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut output =
            SyslogServer::new(&settings("udp", server.local_addr().unwrap().port()), Clock::system()).unwrap();
        output.write(b"one\ntwo\n").unwrap();
        let mut buffer = [0; 64];
        for expected in ["one", "two"] {
            let length = server.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
    }

    #[test]
    fn each_line_has_its_length_before_it_on_a_stream() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut output =
            SyslogServer::new(&settings("tcp", server.local_addr().unwrap().port()), Clock::system()).unwrap();
        output.write(b"one\nthree\n").unwrap();
        let (mut stream, _) = server.accept().unwrap();
        drop(output);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "3 one5 three");
    }

    #[cfg(unix)]
    #[test]
    fn a_server_that_is_not_there_costs_lines_and_is_left_alone_for_a_while() {
        let path = std::env::temp_dir().join(format!("leveret-syslog-{}", std::process::id()));
        std::fs::remove_file(&path).ok();
        let (clock, hand) = Clock::manual();
        let settings = Settings { log_syslog_host: Some(path.display().to_string()), ..settings("unix", 1) };
        let mut output = SyslogServer::new(&settings, clock).unwrap();
        assert!(output.write(b"one\n").is_err());
        let server = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        assert_eq!(output.write(b"two\n").unwrap_err().kind(), io::ErrorKind::NotConnected);
        hand.advance(Duration::from_millis(PAUSE_MS));
        output.write(b"three\n").unwrap();
        let mut buffer = [0; 64];
        let length = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"three");
        std::fs::remove_file(path).unwrap();
    }
}
