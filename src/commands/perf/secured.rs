//! Connections with TLS. The client library's own TLS would bring some twenty more packages, and could not be told to accept any
//! certificate. So it gets sockets on which the handshake is done, in the same way as for the other commands.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_compat::{Compat, CompatExt};
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_lite::{AsyncRead, AsyncWrite, Stream};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::commands::client::handshake_tip;
use crate::commands::target::TlsOptions;

/// Where the broker is, and how it is spoken with.
#[derive(Debug)]
pub(super) enum Place {
    /// The URI.
    Plain(String),
    /// The same as if there were no TLS, and the runtime whose sockets speak it.
    Secured(Box<AMQPUri>, Runtime<Secured>),
}

impl Place {
    /// # Errors
    /// A sentence, when TLS cannot be spoken as is asked for.
    pub(super) fn of(uri: &str, tls: &TlsOptions) -> Result<Self, String> {
        match uri.parse::<AMQPUri>() {
            Ok(mut read) if read.scheme == AMQPScheme::AMQPS => {
                let host = read.authority.host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host).map_err(|error| format!("{uri}: {error}"))?;
                let runtime = Runtime::new(Secured::new(tls.config()?, name));
                // The library is not to add TLS of its own.
                read.scheme = AMQPScheme::AMQP;
                Ok(Self::Secured(Box::new(read), runtime))
            }
            // The library says what is wrong with it.
            Ok(_) | Err(_) => Ok(Self::Plain(uri.to_owned())),
        }
    }

    pub(super) async fn connect(&self, properties: ConnectionProperties) -> Result<Connection, lapin::Error> {
        match self {
            Self::Plain(uri) => Connection::connect(uri, properties).await,
            Self::Secured(uri, runtime) => {
                Connection::connect_uri_with_runtime(AMQPUri::clone(uri), properties, runtime.clone()).await
            }
        }
    }
}

/// The library's runtime, but for sockets that speak TLS with one server.
#[derive(Clone, Debug)]
pub(super) struct Secured {
    tokio: Tokio,
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Secured {
    fn new(config: ClientConfig, server: ServerName<'static>) -> Self {
        Self { tokio: Tokio::current(), config: Arc::new(config), server }
    }
}

impl RuntimeKit for Secured {}

impl Executor for Secured {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.tokio.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, future: F) -> Task<Self::Task<T>> {
        self.tokio.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, work: F) -> Task<Self::Task<T>> {
        self.tokio.spawn_blocking(work)
    }
}

impl Reactor for Secured {
    type TcpStream = Compat<TlsStream<TcpStream>>;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// Nobody has such sockets here.
    fn register<H: Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Self::TcpStream, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.tokio.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let (connector, server) = (TlsConnector::from(Arc::clone(&self.config)), self.server.clone());
        async move {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            let shaken = connector.connect(server, socket).await;
            let told = |error: io::Error| io::Error::other(format!("{error}{}", handshake_tip(&error)));
            shaken.map(CompatExt::compat).map_err(told)
        }
    }
}
