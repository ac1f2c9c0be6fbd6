//! Accepts connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::admission::{Admission, Admitted, NoPlace};
use super::driver::Driver;
use super::listening_socket::ListeningSocket;
use super::outbox::Outbox;
use super::protocol::Protocol;
use super::session::{Addresses, Hosting, Session};
use super::socket::{PlainSocket, Socket, TlsEndpoint, TlsSocket};
use super::spare_descriptor::is_of_one_connection;
use super::suspensions::Follower;
use crate::broker::sink::{Notice, Sink};
use crate::clock::{Clock, Deadline};
use crate::error::AmqpError;
use crate::throttle::Throttle;

/// After a failure that may last, how long until the next try.
const PAUSE_MS: u64 = 100;
/// A connection that was told to go has so long. It needs no more than its turn.
const FREED_WITHIN_MS: u64 = 10_000;
/// As long until the next try to listen again, where that failed.
const LISTEN_AGAIN_MS: u64 = 1_000;
/// Lines of the log in each interval that tell of the same.
const LINES: u32 = 10;

/// Accepts connections on one address, and runs them.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: ListeningSocket,
    /// Whether anybody is let in.
    follower: Follower,
    /// `None` without TLS.
    tls: Option<Arc<TlsEndpoint>>,
    hosting: Arc<Hosting>,
    admission: Arc<Admission>,
    clock: Clock,
    /// Proxies connect for clients, and say so first.
    has_proxies: bool,
    connections: JoinSet<()>,
    outboxes: Vec<std::sync::Weak<Outbox>>,
    refused: Throttle,
    failures: Throttle,
    unbound: Throttle,
}

impl Listener {
    /// A listener for a socket that is bound already.
    pub(crate) fn new(
        socket: ListeningSocket,
        tls: Option<Arc<TlsEndpoint>>,
        hosting: Arc<Hosting>,
        admission: Arc<Admission>,
        clock: Clock,
    ) -> Self {
        Self {
            socket,
            follower: admission.follower(),
            tls,
            hosting,
            admission,
            clock,
            has_proxies: false,
            connections: JoinSet::new(),
            outboxes: Vec::new(),
            refused: Throttle::default(),
            failures: Throttle::default(),
            unbound: Throttle::default(),
        }
    }

    /// The same, if it is so, for proxies that connect for clients and say so first.
    pub(crate) const fn behind_proxies(mut self, has_proxies: bool) -> Self {
        self.has_proxies = has_proxies;
        self
    }

    /// Accepts until `stopped` resolves; then tells all connections, and ends those that are not gone by themselves before
    /// `patience` resolves. Their sockets are closed when this returns.
    pub(crate) async fn run(mut self, stopped: impl Future<Output = ()>, patience: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        // When it tries to listen again.
        let mut again = Deadline::default();
        let mut is_told = true;
        loop {
            if std::mem::take(&mut is_told) {
                let at_ms = self.follow();
                again.set(&self.clock, at_ms);
            }
            tokio::select! {
                () = &mut stopped => break,
                () = self.follower.changed() => is_told = true,
                () = again.reached() => is_told = true,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => tokio::select! {
                        () = &mut stopped => break,
                        // A place may have to be waited for; a stop does not wait for that.
                        () = self.start(stream, peer) => {}
                    },
                    Err(error) => self.handle_accept_error(&error).await,
                },
                // Tasks that have ended are taken off as they end, or the set would grow with each
                // connection there ever was.
                Some(_) = self.connections.join_next() => {}
            }
        }
        drop(self.socket);
        let goodbye = AmqpError::connection_forced("broker forced connection closure with reason 'shutdown'");
        for outbox in self.outboxes.iter().filter_map(std::sync::Weak::upgrade) {
            outbox.notify(Notice::Close(goodbye.clone()));
        }
        let drained = async { while self.connections.join_next().await.is_some() {} };
        tokio::select! {
            () = drained => {}
            () = patience => {}
        }
        // Waits until they are gone: else they keep their sockets, and the lock on the data directory, for a moment longer.
        self.connections.shutdown().await;
    }

    /// Closes its socket while nobody is let in, and opens it afterwards. However often that fails, it is tried again: returns when.
    fn follow(&mut self) -> Option<u64> {
        let (socket, now_ms) = (&mut self.socket, self.clock.now_ms());
        let opened = self.follower.follow(|is_let_in| {
            if is_let_in {
                return socket.open();
            }
            socket.close();
            Ok(())
        });
        let error = opened.err()?;
        // One line for as many tries as there are in its interval.
        if self.unbound.pass(now_ms, 1) {
            tracing::error!(%error, "cannot listen again for AMQP; trying once a second, stop what listens there");
        }
        Some(now_ms + LISTEN_AGAIN_MS)
    }

    async fn start(&mut self, stream: TcpStream, peer: SocketAddr) {
        let peer = unmapped(peer);
        let local = stream.local_addr().unwrap_or(peer);
        let mut session = Session::new(Arc::clone(&self.hosting), Addresses { peer, local }, self.clock.now_ms());
        if self.clock.is_manual() {
            session = session.without_patience();
        }
        let Some(admitted) = self.admit(session.outbox()).await else { return self.refuse(peer) };
        tracing::debug!(target: "connection", %peer, "accepting AMQP connection");
        // Only when the list would grow: so a connection costs no look at all the others.
        if self.outboxes.len() == self.outboxes.capacity() {
            self.outboxes.retain(|outbox| outbox.strong_count() > 0);
        }
        self.outboxes.push(Arc::downgrade(session.outbox()));
        let plain = PlainSocket::new(stream, peer);
        let plain = if self.has_proxies { plain.behind_proxy() } else { plain };
        let Some(socket) = self.socket(plain) else { return };
        let node = Arc::clone(self.hosting.broker.node());
        self.connections.spawn(Driver::new(session, socket, admitted, node, self.clock.clone()).run());
    }

    /// A place for a new connection, if there is one. While one is being freed nobody else is accepted, who would only be refused.
    async fn admit(&self, outbox: &Arc<Outbox>) -> Option<Admitted> {
        let given_up = self.clock.sleep_until(self.clock.now_ms() + FREED_WITHIN_MS);
        tokio::pin!(given_up);
        loop {
            let changed = self.admission.changed();
            tokio::pin!(changed);
            // Before the question, so that a place that becomes free right behind it is not missed.
            changed.as_mut().enable();
            match self.admission.admit(outbox) {
                Ok(admitted) => return Some(admitted),
                Err(NoPlace::Taken) => return None,
                Err(NoPlace::Leaving) => {}
            }
            tokio::select! {
                () = changed => {}
                () = &mut given_up => return None,
            }
        }
    }

    fn socket(&self, plain: PlainSocket) -> Option<Socket> {
        let Some(tls) = &self.tls else { return Some(Socket::Plain(plain)) };
        match TlsSocket::new(plain, Arc::clone(tls)) {
            Ok(socket) => Some(Socket::Tls(socket)),
            Err(error) => {
                tracing::error!(%error, "TLS cannot be spoken with these certificates");
                None
            }
        }
    }

    fn refuse(&mut self, peer: SocketAddr) {
        if let Some(why) = self.admission.suspension() {
            return tracing::debug!(%peer, ?why, "the broker was told to let nobody in (stop_app, drain): closing a new connection");
        }
        if self.refused.pass(self.clock.now_ms(), LINES) {
            let left_out = self.refused.take_left_out();
            let connections = self.admission.limits().connections;
            tracing::warn!(
                %peer, connections, left_out,
                "too many connections: closing a new one; raise the limit of open files (ulimit -n) to allow more"
            );
        }
    }

    /// Nothing that accepting fails with is a reason to stop.
    async fn handle_accept_error(&mut self, error: &io::Error) {
        if is_of_one_connection(error) {
            return tracing::debug!(%error, "a client was gone before it was accepted");
        }
        if self.failures.pass(self.clock.now_ms(), LINES) {
            let left_out = self.failures.take_left_out();
            tracing::error!(
                %error, left_out,
                "cannot accept a connection; raise the limit of open files (ulimit -n) if that is it"
            );
        }
        // Without a pause the same failure would come back at once, for ever.
        if !self.socket.shed() {
            self.clock.sleep_until(self.clock.now_ms() + PAUSE_MS).await;
        }
    }
}

/// A socket for both families has clients of IPv4 as `[::ffff:192.0.2.2]`. Nobody writes their addresses so elsewhere.
fn unmapped(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        // As it was: it may have a scope.
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_ipv4_has_its_own_address_on_a_socket_for_both_families() {
        let shown = |text: &str| unmapped(text.parse().unwrap()).to_string();
        assert_eq!(shown("[::ffff:192.0.2.2]:59692"), "192.0.2.2:59692");
        assert_eq!(shown("[2001:db8::1]:5"), "[2001:db8::1]:5");
        assert_eq!(shown("192.0.2.2:5"), "192.0.2.2:5");
    }
}
