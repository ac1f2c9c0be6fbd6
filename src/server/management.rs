//! How the management HTTP API is started beside the broker.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::StartError;
use super::local::LocalSocket;
use crate::connection::session::Hosting;
use crate::http::{Api, HttpFailed, HttpServer, ListenerInfo, Listeners};

/// The HTTP API of a broker.
#[derive(Debug)]
pub(super) struct Management {
    /// Where it is served on the network.
    pub(super) address: Option<SocketAddr>,
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
        metrics: Vec<TcpListener>,
        local: Option<(UnixListener, LocalSocket)>,
    ) -> Result<Option<Self>, StartError> {
        if management.is_empty() && metrics.is_empty() && local.is_none() {
            return Ok(None);
        }
        let address_of = |sockets: &[TcpListener]| sockets.first().and_then(|socket| socket.local_addr().ok());
        let (address, metrics_address) = (address_of(&management), address_of(&metrics));
        let (listener, local) = local.unzip();
        let listeners = Listeners { management: into_std(management)?, metrics: into_std(metrics)?, local: listener };
        let server = HttpServer::start(Arc::new(api), listeners)?;
        Ok(Some(Self { address, metrics_address, server, local }))
    }

    /// Stops it; blocks until it has.
    pub(super) fn stop(self) {
        // First, so that no command finds a broker that does not answer any more.
        drop(self.local);
        self.server.stop();
    }
}

fn into_std(sockets: Vec<TcpListener>) -> Result<Vec<StdListener>, HttpFailed> {
    sockets.into_iter().map(|socket| socket.into_std().map_err(HttpFailed::from)).collect()
}

/// What the broker listens with, for those who ask.
pub(super) fn listeners(
    amqp: &[TcpListener],
    amqps: &[TcpListener],
    http: &[TcpListener],
    metrics: &[TcpListener],
) -> Vec<ListenerInfo> {
    let kinds =
        [("amqp", amqp, false), ("amqp/ssl", amqps, true), ("http", http, false), ("http/prometheus", metrics, false)];
    let of_kind = |(protocol, sockets, tls): (_, &[TcpListener], _)| {
        let addresses: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        addresses.into_iter().map(move |address| ListenerInfo { protocol, address, tls })
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// The parts of an API that do not depend on its sockets.
pub(super) fn api(hosting: &Hosting, clock: crate::clock::Clock, listeners: Vec<ListenerInfo>) -> Api {
    Api {
        broker: Arc::clone(&hosting.broker),
        logins: hosting.logins.clone(),
        identity: hosting.identity.clone(),
        started_at_ms: clock.now_ms(),
        clock,
        listeners,
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
