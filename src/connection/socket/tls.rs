//! A TCP socket with TLS over it.
//!
//! What the driver gives and takes is plain. It is encrypted in records of 16 KiB, as many as one write of the system takes, and read
//! into a buffer of the worker thread, so that an idle connection owns neither.
//! **Invariant**: bytes of the output are reported as written only when what they became is with the system. So whoever asks
//! whether the output is empty, or stands still, is right about what is encrypted, too.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConnection;
use tokio::io::{Interest, Ready};

use super::plain::PlainSocket;
use crate::connection::aside::aside;
use crate::connection::effort::TURN_EFFORT;
use crate::connection::foreign::Spoken;
use crate::connection::output::Output;
use crate::connection::proxy_header::MalformedProxyHeader;
use crate::tls::{Certificates, Security, Turns};

/// Bytes read at a time. Less than the driver has room for, so that all of it fits there once it is decrypted.
const CIPHERTEXT_BYTES: usize = 128 * 1024;
/// Bytes read at a time during the handshake, which is as good as never longer.
const HANDSHAKE_BYTES: usize = 8 * 1024;
/// What is encrypted at a time.
const ENCRYPTED_BYTES_MAX: usize = 256 * 1024;

thread_local! {
    static CIPHERTEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What sockets with TLS share.
#[derive(Debug)]
pub(crate) struct TlsEndpoint {
    /// The certificates.
    pub certificates: Arc<Certificates>,
    /// Whose handshake is worked on.
    pub turns: Arc<Turns>,
}

/// A TCP socket with TLS.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    plain: PlainSocket,
    endpoint: Arc<TlsEndpoint>,
    tls: Box<ServerConnection>,
    /// Bytes of the output that are encrypted and not reported as written.
    unreported: usize,
    /// There is something to read, or the end, without asking the system.
    has_plaintext: bool,
    /// What the client sent first.
    first: Option<Spoken>,
}

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeFailed {
    /// The client was gone before it said anything.
    #[error("the client said nothing")]
    Silent,
    /// The client went away.
    #[error("the client went away during the TLS handshake{}", if *.0 { ", perhaps because it does not trust the broker's certificate" } else { "" })]
    Gone(bool),
    /// A proxy was to say for whom it connects.
    #[error("no PROXY header: {0}")]
    NoProxyHeader(#[from] MalformedProxyHeader),
    /// The client does not speak TLS.
    #[error("not TLS")]
    Foreign(Spoken),
    /// The client and the broker do not agree.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl TlsSocket {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// When TLS cannot be had with the certificates.
    pub(in crate::connection) fn new(plain: PlainSocket, endpoint: Arc<TlsEndpoint>) -> Result<Self, rustls::Error> {
        let tls = Self::begin(&endpoint)?;
        Ok(Self { plain, endpoint, tls, unreported: 0, has_plaintext: false, first: None })
    }

    fn begin(endpoint: &TlsEndpoint) -> Result<Box<ServerConnection>, rustls::Error> {
        let mut tls = Box::new(ServerConnection::new(endpoint.certificates.config())?);
        tls.set_buffer_limit(Some(ENCRYPTED_BYTES_MAX));
        Ok(tls)
    }

    pub(super) const fn peer(&self) -> SocketAddr {
        self.plain.peer()
    }

    pub(super) const fn plain(&self) -> &PlainSocket {
        &self.plain
    }

    pub(super) const fn plain_mut(&mut self) -> &mut PlainSocket {
        &mut self.plain
    }

    /// Shakes hands. Cancel safe: what came so far is kept.
    pub(super) async fn secure(&mut self) -> Result<Security, HandshakeFailed> {
        self.take_new_certificates().await?;
        loop {
            let interest = match (self.tls.is_handshaking(), self.tls.wants_write()) {
                (false, false) => break,
                (true, false) => Interest::READABLE,
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (false, true) => Interest::WRITABLE,
            };
            self.plain.ready(Some(interest)).await?;
            let endpoint = Arc::clone(&self.endpoint);
            // A handshake costs far more than a message: those of new clients take turns, and
            // open connections go on.
            let _turn = endpoint.turns.next().await;
            // A signature can take longer than a whole turn of other connections.
            aside(TURN_EFFORT, || self.shake_hands())?;
        }
        Ok(Security::of(&self.tls, self.endpoint.certificates.verifies_peer()))
    }

    /// Nothing was said yet, so it can be begun with others.
    async fn take_new_certificates(&mut self) -> Result<(), HandshakeFailed> {
        if self.first.is_none() && self.endpoint.certificates.is_look_due() {
            let certificates = Arc::clone(&self.endpoint.certificates);
            // A panic was reported when it happened.
            tokio::task::spawn_blocking(move || certificates.refresh()).await.ok();
            self.tls = Self::begin(&self.endpoint)?;
        }
        Ok(())
    }

    /// Takes what has come, and answers.
    fn shake_hands(&mut self) -> Result<(), HandshakeFailed> {
        // What could not be sent the last time goes first.
        self.send()?;
        let mut bytes = [0; HANDSHAKE_BYTES];
        let count = match self.plain.try_read(&mut bytes) {
            Ok(0) if self.first.is_none() => return Err(HandshakeFailed::Silent),
            Ok(0) => return Err(HandshakeFailed::Gone(self.first == Some(Spoken::Tls))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if self.first.is_none() && error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(HandshakeFailed::Silent);
            }
            Err(error) => return Err(error.into()),
        };
        let mut rest = bytes.get(..count).unwrap_or_default();
        let first = *self.first.get_or_insert_with(|| Spoken::of(rest));
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest)?;
            let processed = self.tls.process_new_packets();
            // An alert, if it went wrong.
            let sent = self.send();
            match processed {
                Ok(state) => self.has_plaintext = state.plaintext_bytes_to_read() > 0 || state.peer_has_closed(),
                Err(_) if first != Spoken::Tls => return Err(HandshakeFailed::Foreign(first)),
                Err(error) => return Err(error.into()),
            }
            sent?;
        }
        Ok(())
    }

    pub(super) async fn ready(&mut self, interest: Option<Interest>) -> io::Result<Ready> {
        let Some(interest) = interest else { return std::future::pending().await };
        if interest.is_readable() && self.has_plaintext {
            return Ok(Ready::READABLE);
        }
        // Something of TLS itself, such as that keys were changed, may wait for room, too.
        while self.tls.wants_write() && !interest.is_writable() {
            let ready = self.plain.ready(Some(interest | Interest::WRITABLE)).await?;
            if ready.is_writable() {
                self.send()?;
            }
            if !(ready - Ready::WRITABLE).is_empty() {
                return Ok(ready);
            }
        }
        self.plain.ready(Some(interest)).await
    }

    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_plaintext {
            self.has_plaintext = false;
            return self.take_plaintext(buffer);
        }
        CIPHERTEXT.with_borrow_mut(|ciphertext| {
            ciphertext.resize(CIPHERTEXT_BYTES, 0);
            let most = CIPHERTEXT_BYTES.min(buffer.len());
            let count = self.plain.try_read(ciphertext.get_mut(..most).unwrap_or_default())?;
            if count == 0 {
                return Ok(0);
            }
            self.decrypt(ciphertext.get(..count).unwrap_or_default(), buffer)
        })
    }

    fn take_plaintext(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tls.reader().read(buffer)?;
        // There may be more, or the end; that it is nothing costs one more look.
        self.has_plaintext = count > 0;
        Ok(count)
    }

    fn decrypt(&mut self, mut ciphertext: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while !ciphertext.is_empty() {
            self.tls.read_tls(&mut ciphertext)?;
            let state = match self.tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert; the connection is over in any case.
                    self.send().ok();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            };
            if state.plaintext_bytes_to_read() > 0 {
                filled += self.tls.reader().read(buffer.get_mut(filled..).unwrap_or_default())?;
            }
            if state.peer_has_closed() {
                // Told with the next read, if there was something before it.
                self.has_plaintext = filled > 0;
                return Ok(filled);
            }
        }
        if self.tls.wants_write() {
            self.send()?;
        }
        if filled == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(filled) }
    }

    pub(super) fn try_write(&mut self, output: &Output) -> io::Result<usize> {
        self.write(output, PlainSocket::try_write_slices)
    }

    pub(super) fn write_regardless(&mut self, output: &Output) -> io::Result<usize> {
        match self.write(output, PlainSocket::write_slices_regardless) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    fn write(&mut self, output: &Output, way: Way) -> io::Result<usize> {
        if self.unreported == 0 {
            // What TLS itself has to say comes first.
            self.send_by(way)?;
            // Nothing new is encrypted while something waits, or it would collect here without being counted.
            if self.tls.wants_write() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.unreported = match output.single_slice() {
                Some(slice) => self.tls.writer().write(slice)?,
                None => self.tls.writer().write_vectored(&output.slices())?,
            };
        }
        let sent = self.send_by(way)?;
        // Encrypted bytes are never fewer than plain ones. The last one stays until all is sent.
        let reported =
            if self.tls.wants_write() { sent.min(self.unreported.saturating_sub(1)) } else { self.unreported };
        self.unreported -= reported;
        if reported == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(reported) }
    }

    fn send(&mut self) -> io::Result<usize> {
        self.send_by(PlainSocket::try_write_slices)
    }

    /// Sends what is encrypted, as much as the system takes; how much that was.
    fn send_by(&mut self, way: Way) -> io::Result<usize> {
        let mut sent = 0;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Sending { plain: &self.plain, way }) {
                Ok(0) => break,
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Tells the client that nothing more comes, if that can be said at once: else it could not tell the end from an attack.
    pub(super) fn say_goodbye(&mut self) {
        self.tls.send_close_notify();
        // Nobody may be there to hear it.
        self.send().ok();
    }
}

type Way = fn(&PlainSocket, &[IoSlice<'_>]) -> io::Result<usize>;

/// Where encrypted bytes go.
struct Sending<'a> {
    plain: &'a PlainSocket,
    way: Way,
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (self.way)(self.plain, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
