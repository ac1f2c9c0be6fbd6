//! The socket of a listener. While nobody is let in it is closed, so that a client is refused by the system, and its program or the
//! load balancer before it tries another node at once. RabbitMQ does the same.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use super::spare_descriptor::SpareDescriptor;

/// Binds a socket to the address that the first one had, also where the system chose its port.
pub(crate) type BindAgain = Box<dyn Fn() -> io::Result<TcpListener> + Send + Sync>;

/// A socket that listens, unless it is closed for a while.
pub(crate) struct ListeningSocket {
    open: Option<OpenSocket>,
    bind_again: BindAgain,
}

#[derive(Debug)]
struct OpenSocket {
    listener: TcpListener,
    /// It is a copy of the listener, so both are closed together: else it would listen on.
    spare: SpareDescriptor,
}

impl From<TcpListener> for OpenSocket {
    fn from(listener: TcpListener) -> Self {
        Self { spare: SpareDescriptor::of(&listener), listener }
    }
}

impl fmt::Debug for ListeningSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ListeningSocket").field("open", &self.open).finish_non_exhaustive()
    }
}

impl ListeningSocket {
    /// A socket that is bound already, and what binds it again.
    pub(crate) fn new(listener: TcpListener, bind_again: BindAgain) -> Self {
        Self { open: Some(listener.into()), bind_again }
    }

    /// From now on the system refuses connections.
    pub(super) fn close(&mut self) {
        if let Some(OpenSocket { listener, .. }) = self.open.take() {
            let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
            tracing::info!(address, "nobody is let in: not listening any more");
        }
    }

    /// Listens again, if it does not.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile, or nothing can be opened.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some((self.bind_again)()?.into());
        }
        Ok(())
    }

    /// The next connection; never while it is closed. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.open {
            Some(open) => open.listener.accept().await,
            None => std::future::pending().await,
        }
    }

    /// [`SpareDescriptor::shed`].
    pub(super) fn shed(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| open.spare.shed(&open.listener))
    }
}
