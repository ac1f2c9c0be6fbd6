//! Accepts connections.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::driver::Driver;
use super::outbox::Outbox;
use super::session::{Hosting, Session};
use crate::broker::sink::{Notice, Sink};
use crate::clock::Clock;
use crate::error::AmqpError;

/// Accepts connections on one address, and runs them.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    hosting: Arc<Hosting>,
    clock: Clock,
    connections: JoinSet<()>,
    outboxes: Vec<std::sync::Weak<Outbox>>,
}

impl Listener {
    /// A listener for a socket that is bound already.
    pub fn new(listener: TcpListener, hosting: Arc<Hosting>, clock: Clock) -> Self {
        Self { listener, hosting, clock, connections: JoinSet::new(), outboxes: Vec::new() }
    }

    /// Accepts until `stopped` resolves; then tells all connections, and waits until they are gone or `patience` resolves.
    pub async fn run(mut self, stopped: impl Future<Output = ()>, patience: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.start(stream, peer),
                    Err(error) => self.endure(&error).await,
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
        drop(self.listener);
        let goodbye = AmqpError::connection_forced("broker forced connection closure with reason 'shutdown'");
        for outbox in self.outboxes.iter().filter_map(std::sync::Weak::upgrade) {
            outbox.notify(Notice::Close(goodbye.clone()));
        }
        let drained = async { while self.connections.join_next().await.is_some() {} };
        tokio::select! {
            () = drained => {}
            () = patience => {}
        }
    }

    fn start(&mut self, stream: TcpStream, peer: std::net::SocketAddr) {
        // Replies are written whole; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        tracing::info!(%peer, "accepting AMQP connection");
        let session = Session::new(Arc::clone(&self.hosting), peer, self.clock.now_ms());
        if self.outboxes.len() == self.outboxes.capacity() {
            self.outboxes.retain(|outbox| outbox.strong_count() > 0);
        }
        self.outboxes.push(Arc::downgrade(session.outbox()));
        self.connections.spawn(Driver::new(session, stream, self.clock.clone()).run());
    }

    /// Running out of file descriptors is no reason to stop; it is one to wait until some are free.
    async fn endure(&self, error: &io::Error) {
        const PAUSE_MS: u64 = 100;
        tracing::error!(%error, "cannot accept a connection; raise the limit of open files (ulimit -n) if that is it");
        self.clock.sleep_until(self.clock.now_ms() + PAUSE_MS).await;
    }
}
