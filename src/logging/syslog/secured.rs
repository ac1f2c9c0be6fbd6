//! A connection with TLS to a syslog server.
//!
//! Such a server says next to nothing: tickets behind the handshake, and that it ends. Both are looked for before each message, so that no
//! line goes into a connection that is over. When it is closed they are read, too: a socket that is closed with something unread in it
//! resets the connection, and the last lines may be lost at the server.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::PATIENCE;
use crate::clock::Clock;
use crate::config::Settings;
use crate::tls::{ClientIdentity, InvalidTrust, Trust};

/// How long the server may take to end its side of a connection that is closed.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);
/// How often at a time it is looked whether the server has sent something: far more often than such a server sends anything.
const READS_MAX: usize = 16;

/// Why TLS cannot be spoken with a syslog server as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSyslogTls {
    /// No certificate can be for it.
    #[error("log_syslog_host: '{0}' is no name or address of a machine, which TLS needs")]
    Host(String),
    /// The files of TLS.
    #[error("log_syslog_cacertfile, log_syslog_certfile, log_syslog_keyfile: {0}")]
    Files(String),
}

impl From<InvalidTrust> for InvalidSyslogTls {
    fn from(error: InvalidTrust) -> Self {
        Self::Files(error.to_string())
    }
}

/// A server that TLS is spoken with.
#[derive(Clone, Debug)]
pub(super) struct SecuredServer {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl SecuredServer {
    /// # Errors
    /// When TLS cannot be spoken with it as it is configured.
    pub(super) fn new(settings: &Settings, host: &str) -> Result<Self, InvalidSyslogTls> {
        let Settings { log_syslog_certfile, log_syslog_keyfile, log_syslog_cacertfile, .. } = settings;
        let identity = ClientIdentity::of(log_syslog_certfile.as_ref(), log_syslog_keyfile.as_ref());
        let trust = Trust::of(settings.log_syslog_verify, log_syslog_cacertfile.as_ref());
        let config = Arc::new(trust.tls_as(identity.as_ref())?);
        let no_name = |_invalid| InvalidSyslogTls::Host(host.to_owned());
        Ok(Self { config, name: ServerName::try_from(host.to_owned()).map_err(no_name)? })
    }

    /// Does the handshake of TLS on a socket that is connected.
    ///
    /// # Errors
    /// The system's, or what is wrong with the certificate of the server.
    pub(super) fn connect(&self, socket: TcpStream, clock: &Clock) -> io::Result<SecuredStream> {
        let tls = ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)?;
        let mut stream = SecuredStream { socket, tls: Box::new(tls), clock: clock.clone() };
        stream.shake_hands()?;
        // A message is written at once, whatever its length.
        stream.tls.set_buffer_limit(None);
        Ok(stream)
    }
}

/// A connection on which hands were shaken.
#[derive(Debug)]
pub(super) struct SecuredStream {
    socket: TcpStream,
    tls: Box<ClientConnection>,
    clock: Clock,
}

impl SecuredStream {
    /// Sends all of it, unless the server has ended the connection.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.look()?;
        self.tls.writer().write_all(bytes)?;
        self.flush(Deadline::after(&self.clock, PATIENCE))
    }

    fn shake_hands(&mut self) -> io::Result<()> {
        let deadline = Deadline::after(&self.clock, PATIENCE);
        while self.tls.is_handshaking() {
            self.flush(deadline)?;
            self.read_until(deadline)?;
        }
        self.flush(deadline)
    }

    /// Takes what the server has sent so far.
    fn look(&mut self) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        let read = (0..READS_MAX).try_for_each(|_| self.read());
        self.socket.set_nonblocking(false)?;
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            read => read,
        }
    }

    fn read_until(&mut self, deadline: Deadline) -> io::Result<()> {
        self.socket.set_read_timeout(Some(deadline.left(&self.clock)?))?;
        self.read()
    }

    /// Reads once; the end is an error.
    fn read(&mut self) -> io::Result<()> {
        if self.tls.read_tls(&mut self.socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match self.tls.process_new_packets() {
            Ok(state) if state.peer_has_closed() => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Gives the system all that is to be sent.
    fn flush(&mut self, deadline: Deadline) -> io::Result<()> {
        while self.tls.wants_write() {
            self.socket.set_write_timeout(Some(deadline.left(&self.clock)?))?;
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Ends its own side, and waits for the end of the server's.
    fn close(&mut self) -> io::Result<()> {
        let deadline = Deadline::after(&self.clock, CLOSE_PATIENCE);
        self.tls.send_close_notify();
        self.flush(deadline)?;
        self.socket.shutdown(Shutdown::Write)?;
        loop {
            self.read_until(deadline)?;
        }
    }
}

impl Drop for SecuredStream {
    fn drop(&mut self) {
        // It ends with an error: the server's end is one, too.
        self.close().ok();
    }
}

/// When something must be done.
#[derive(Clone, Copy, Debug)]
struct Deadline(u64);

impl Deadline {
    fn after(clock: &Clock, patience: Duration) -> Self {
        Self(clock.now_ms().saturating_add(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How much of the time is left: some, or it is too late.
    fn left(self, clock: &Clock) -> io::Result<Duration> {
        match self.0.saturating_sub(clock.now_ms()) {
            0 => Err(io::ErrorKind::TimedOut.into()),
            left_ms => Ok(Duration::from_millis(left_ms)),
        }
    }
}
