//! Lines of the log as messages of syslog, and the server that they are sent to.
//!
//! Whatever goes wrong with the server costs lines and nothing else. One that cannot be reached is tried again, once a second.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use super::output::LogOutput;
use crate::clock::Clock;
use crate::config::{Settings, SyslogProtocol, SyslogTransport};
use crate::host;

/// How long the server may take to be connected to, and to take a line.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server is left alone that could not be reached.
const PAUSE_MS: u64 = 1_000;
/// Where the syslog server of a machine has its socket.
const LOCAL_SOCKET: &str = "/dev/log";

/// What stands before the text of each message.
#[derive(Clone, Debug)]
pub(super) struct Header {
    protocol: SyslogProtocol,
    facility: u8,
    /// The machine, the program and its process.
    host: String,
    identity: String,
    process: u32,
}

impl Header {
    pub(super) fn of(settings: &Settings) -> Self {
        // A name is one word, whatever the system says.
        let host = host::name().filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        Self {
            protocol: settings.log_syslog_protocol,
            facility: settings.log_syslog_facility.code(),
            host: host.unwrap_or_else(|| "localhost".to_owned()),
            identity: settings.log_syslog_identity.word().to_owned(),
            process: host::process_id(),
        }
    }

    /// A message with this text. The time is that of a line of the log: `2026-11-28T21:36:34.123456Z`.
    pub(super) fn message(&self, time: &str, level: Level, text: &str) -> String {
        let Self { facility, host, identity, process, .. } = self;
        let priority = facility * 8 + severity(level);
        match self.protocol {
            SyslogProtocol::Rfc3164 => {
                format!("<{priority}>{} {host} {identity}[{process}]: {text}", without_year(time))
            }
            SyslogProtocol::Rfc5424 => format!("<{priority}>1 {time} {host} {identity} {process} - - {text}"),
        }
    }
}

/// How bad it is in the words of syslog.
const fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as RFC 3164 has it: `Nov  8 21:36:34`.
fn without_year(time: &str) -> String {
    let part = |range: Range<usize>| time.get(range).unwrap_or_default();
    let number = |range: Range<usize>| part(range).parse::<usize>().unwrap_or_default();
    let month = MONTHS.get(number(5..7).wrapping_sub(1)).unwrap_or(&MONTHS[0]);
    format!("{month} {:>2} {}", number(8..10), part(11..19))
}

/// A syslog server.
#[derive(Debug)]
pub(super) struct SyslogServer {
    transport: SyslogTransport,
    host: String,
    port: u16,
    clock: Clock,
    connection: Option<Connection>,
    /// When it may be tried again after it could not be reached.
    try_again_ms: u64,
}

/// A way to the server that is open.
#[derive(Debug)]
enum Connection {
    Datagrams(UdpSocket, SocketAddr),
    Stream(TcpStream),
    Local(host::LocalDatagrams),
}

impl Connection {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            // Nobody hears of a datagram that did not arrive.
            Self::Datagrams(socket, address) => socket.send_to(message, *address).map(drop),
            Self::Local(socket) => socket.send(message),
            Self::Stream(stream) => {
                // With its length before it (RFC 6587, 3.4.1), in one write: what is written in part ends the connection.
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                stream.write_all(&framed)
            }
        }
    }
}

impl SyslogServer {
    pub(super) fn new(settings: &Settings, clock: Clock) -> Self {
        let transport = settings.log_syslog_transport;
        let usual = if transport == SyslogTransport::Unix { LOCAL_SOCKET } else { "localhost" };
        Self {
            transport,
            host: settings.log_syslog_host.clone().unwrap_or_else(|| usual.to_owned()),
            port: settings.log_syslog_port.0,
            clock,
            connection: None,
            try_again_ms: 0,
        }
    }

    fn connect(&mut self) -> io::Result<Connection> {
        if self.clock.now_ms() < self.try_again_ms {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let connection = match self.transport {
            SyslogTransport::Unix => host::LocalDatagrams::to(&PathBuf::from(&self.host)).map(Connection::Local),
            SyslogTransport::Udp => self.any_address(datagrams_to),
            SyslogTransport::Tcp => self.any_address(stream_to),
        };
        if connection.is_err() {
            self.try_again_ms = self.clock.now_ms() + PAUSE_MS;
        }
        connection
    }

    /// The first address of the host for which it can be done.
    fn any_address(&self, connect: fn(SocketAddr) -> io::Result<Connection>) -> io::Result<Connection> {
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
        // A server that was started anew has forgotten the connection.
        if let Some(mut known) = self.connection.take()
            && known.send(message).is_ok()
        {
            self.connection = Some(known);
            return Ok(());
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

fn stream_to(address: SocketAddr) -> io::Result<Connection> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(Connection::Stream(stream))
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
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::config::{PortNumber, Setting};

    fn header(protocol: SyslogProtocol) -> Header {
        Header { protocol, facility: 3, host: "mill".to_owned(), identity: "leveret".to_owned(), process: 7 }
    }

    #[test]
    fn messages_look_as_their_rfc_says() {
        let time = "2026-11-08T21:36:34.123456Z";
        let old = header(SyslogProtocol::Rfc3164).message(time, Level::WARN, "a \"b\"");
        assert_eq!(old, "<28>Nov  8 21:36:34 mill leveret[7]: a \"b\"");
        let new = header(SyslogProtocol::Rfc5424).message(time, Level::ERROR, "a");
        assert_eq!(new, "<27>1 2026-11-08T21:36:34.123456Z mill leveret 7 - - a");
    }

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
        let mut output = SyslogServer::new(&settings("udp", server.local_addr().unwrap().port()), Clock::system());
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
        let mut output = SyslogServer::new(&settings("tcp", server.local_addr().unwrap().port()), Clock::system());
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
        let mut output = SyslogServer::new(&settings, clock);
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
