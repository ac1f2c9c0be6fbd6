//! How the management HTTP API is started beside the broker.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::StartError;
use super::encryption::Secured;
use super::local::LocalSocket;
use crate::connection::session::Hosting;
use crate::http::{Api, App, HttpFailed, HttpListener, HttpServer, ListenerInfo, Listeners};
use crate::tls::Certificates;

/// The HTTP API of a broker.
#[derive(Debug)]
pub(super) struct Management {
    /// Where it is served on the network.
    pub(super) address: Option<SocketAddr>,
    /// The same with TLS.
    pub(super) secured_address: Option<SocketAddr>,
    /// Where the metrics are.
    pub(super) metrics_address: Option<SocketAddr>,
    pub(super) server: HttpServer,
    /// Where it is served for commands on this machine. Its file goes with it.
    local: Option<LocalSocket>,
}

impl Management {
    /// Serves the API on these sockets; nothing without any.
    ///
    /// # Errors
    /// When its thread cannot be made.
    pub(super) fn start(
        api: Api,
        management: Vec<TcpListener>,
        secured: Vec<(TcpListener, Arc<Certificates>)>,
        metrics: Vec<TcpListener>,
        local: Option<(UnixListener, LocalSocket)>,
    ) -> Result<Option<Self>, StartError> {
        if management.is_empty() && secured.is_empty() && metrics.is_empty() && local.is_none() {
            return Ok(None);
        }
        let address_of = |sockets: &[TcpListener]| sockets.first().and_then(|socket| socket.local_addr().ok());
        let (address, metrics_address) = (address_of(&management), address_of(&metrics));
        let secured_address = secured.first().and_then(|(socket, _)| socket.local_addr().ok());
        let plain = management.into_iter().map(|socket| (socket, None));
        let secured = secured.into_iter().map(|(socket, certificates)| (socket, Some(certificates)));
        let management = plain.chain(secured).map(listener).collect::<Result<_, _>>()?;
        let metrics = metrics.into_iter().map(|socket| listener((socket, None))).collect::<Result<_, _>>()?;
        let (local_listener, local) = local.unzip();
        let server = HttpServer::start(Arc::new(api), Listeners { management, metrics, local: local_listener })?;
        Ok(Some(Self { address, secured_address, metrics_address, server, local }))
    }

    /// Stops it; blocks until it has.
    pub(super) fn stop(self) {
        // First, so that no command finds a broker that does not answer any more.
        drop(self.local);
        self.server.stop();
    }
}

fn listener((socket, certificates): (TcpListener, Option<Arc<Certificates>>)) -> Result<HttpListener, HttpFailed> {
    Ok(HttpListener { socket: socket.into_std()?, certificates })
}

/// What the broker listens with, for those who ask.
pub(super) fn listeners(
    amqp: &[TcpListener],
    http: &[TcpListener],
    secured: &Secured,
    metrics: &[TcpListener],
) -> Vec<ListenerInfo> {
    let amqps = secured.amqp_endpoint.as_ref().map(|endpoint| &endpoint.certificates);
    let kinds = [
        ("amqp", amqp, None),
        ("amqp/ssl", &secured.amqp, amqps),
        ("http", http, None),
        ("https", &secured.http, secured.http_certificates.as_ref()),
        ("http/prometheus", metrics, None),
    ];
    let of_kind = |(protocol, sockets, certificates): (_, &[TcpListener], Option<&Arc<Certificates>>)| {
        let addresses: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let certificates = certificates.cloned();
        addresses.into_iter().map(move |address| ListenerInfo { protocol, address, certificates: certificates.clone() })
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// The parts of an API that do not depend on its sockets.
pub(super) fn api(hosting: &Hosting, clock: crate::clock::Clock, listeners: Vec<ListenerInfo>, app: App) -> Api {
    Api {
        broker: Arc::clone(&hosting.broker),
        logins: hosting.logins.clone(),
        identity: hosting.identity.clone(),
        started_at_ms: clock.now_ms(),
        clock,
        listeners,
        app,
        data_dir: None,
        disk_free_limit_bytes: 0,
        configuration: String::new(),
        io: Arc::default(),
        highest: crate::http::Highest::default(),
        rates: crate::http::Rates::default(),
        attempts: parking_lot::Mutex::default(),
        later: crate::http::LaterBounds::default(),
    }
}
