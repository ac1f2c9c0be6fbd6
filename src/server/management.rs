//! How the management HTTP API is started beside the broker.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::binding::first_address;
use super::encryption::Secured;
use super::local::{Local, LocalSocket};
use super::operator::RunningOperator;
use super::start_error::StartFailure;
use crate::config::Settings;
use crate::connection::session::Hosting;
use crate::http::{Api, App, HttpFailed, HttpListener, HttpServer, ListenerInfo, Listeners, WebPaths};
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
    /// The same with TLS.
    pub(super) secured_metrics_address: Option<SocketAddr>,
    pub(super) server: HttpServer,
    /// Where it is served for commands on this machine. Its file goes with it.
    local: Option<LocalSocket>,
}

/// The sockets that HTTP is spoken on over the network.
#[derive(Debug)]
pub(super) struct WebSockets {
    pub(super) management: Vec<TcpListener>,
    pub(super) secured_management: Vec<SecuredSocket>,
    pub(super) metrics: Vec<TcpListener>,
    pub(super) secured_metrics: Vec<SecuredSocket>,
}

/// A socket that speaks TLS.
pub(super) type SecuredSocket = (TcpListener, Arc<Certificates>);

impl Management {
    /// Serves the API on these sockets; nothing without any.
    ///
    /// # Errors
    /// When its thread cannot be made.
    pub(super) fn start(api: Api, sockets: WebSockets, local: Option<Local>) -> Result<Option<Self>, StartFailure> {
        let WebSockets { management, secured_management: secured, metrics, secured_metrics } = sockets;
        let is_nothing = management.is_empty() && secured.is_empty() && metrics.is_empty();
        if is_nothing && secured_metrics.is_empty() && local.is_none() {
            return Ok(None);
        }
        let (address, metrics_address) = (first_address(&management), first_address(&metrics));
        let first_secured =
            |sockets: &[SecuredSocket]| sockets.first().and_then(|(socket, _)| socket.local_addr().ok());
        let (secured_address, secured_metrics_address) = (first_secured(&secured), first_secured(&secured_metrics));
        let (management, metrics) = (listeners_of(management, secured)?, listeners_of(metrics, secured_metrics)?);
        #[cfg(unix)]
        let (local, trusted) = match local {
            Some(Local { listener, group, socket }) => (Some((listener, group)), Some(socket)),
            None => (None, None),
        };
        #[cfg(windows)]
        let (local, trusted) = (local.map(|never| match never {}), None);
        let server = HttpServer::start(Arc::new(api), Listeners { management, metrics, local })?;
        Ok(Some(Self { address, secured_address, metrics_address, secured_metrics_address, server, local: trusted }))
    }

    /// Stops it; blocks until it has.
    pub(super) fn stop(self) {
        // First, so that no command finds a broker that does not answer any more.
        drop(self.local);
        self.server.stop();
    }
}

fn listeners_of(plain: Vec<TcpListener>, secured: Vec<SecuredSocket>) -> Result<Vec<HttpListener>, HttpFailed> {
    let plain = plain.into_iter().map(|socket| (socket, None));
    let secured = secured.into_iter().map(|(socket, certificates)| (socket, Some(certificates)));
    // They move to the runtime of the HTTP thread, which registers them anew.
    let listener =
        |(socket, certificates): (TcpListener, _)| Ok(HttpListener { socket: socket.into_std()?, certificates });
    plain.chain(secured).map(listener).collect()
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
        ("https", &secured.http.sockets, secured.http.certificates.as_ref()),
        ("http/prometheus", metrics, None),
        ("https/prometheus", &secured.prometheus.sockets, secured.prometheus.certificates.as_ref()),
    ];
    let of_kind = |(protocol, sockets, certificates): (_, &[TcpListener], Option<&Arc<Certificates>>)| {
        let addresses: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let certificates = certificates.cloned();
        addresses.into_iter().map(move |address| ListenerInfo { protocol, address, certificates: certificates.clone() })
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// The same for those who start the broker.
pub(super) fn addresses(listeners: &[ListenerInfo]) -> Vec<(&'static str, SocketAddr)> {
    listeners.iter().map(|listener| (listener.protocol, listener.address)).collect()
}

/// Where the configuration wants things to be on the web server.
fn web_paths(configured: &Settings) -> WebPaths {
    WebPaths {
        prefix: configured.http_path_prefix.as_str().to_owned(),
        metrics: configured.prometheus_path.as_str().to_owned(),
        has_metrics_per_object: configured.prometheus_return_per_object_metrics,
        metrics_need_login: configured.prometheus_authentication,
    }
}

/// The parts of an API that do not depend on its sockets.
pub(super) fn api(
    hosting: &Hosting,
    listeners: Vec<ListenerInfo>,
    (app, operator): (App, Arc<RunningOperator>),
    clock: &crate::clock::Clock,
    configured: Option<&Settings>,
) -> Api {
    Api {
        broker: Arc::clone(&hosting.broker),
        logins: hosting.logins.clone(),
        identity: hosting.identity.clone(),
        started_at_ms: clock.now_ms(),
        clock: clock.clone(),
        listeners,
        app,
        data_dir: None,
        operator,
        io: Arc::default(),
        highest: crate::http::Highest::default(),
        rates: crate::http::Rates::default(),
        attempts: parking_lot::Mutex::default(),
        paths: configured.map(web_paths).unwrap_or_default(),
        pages_login: crate::http::PagesLogin::new(super::pages_login::answer(configured)),
        later: crate::http::LaterBounds::default(),
    }
}
