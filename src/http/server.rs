//! The thread that serves HTTP: sockets, the runtime of its own, and limits of time.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::accept_failures::AcceptFailures;
use super::api::Api;
use super::caller::CallerPlace;
use super::handling::{empty, router};
#[cfg(unix)]
use super::local;
use super::patience::{PATIENCE, Patient};
use super::prometheus;
use super::rates::INTERVAL_MS;
use super::sampler;
use super::secure;
use super::target::{drop_trailing_slash, is_readable};
use super::unread;
use crate::clock::{Clock, make_rounds};
use crate::tls::Certificates;

/// A client has so long for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A client has so long for a whole request with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Requests that are under way get so long when the broker stops.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Why HTTP cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve HTTP: {0}")]
pub(crate) struct HttpFailed(#[from] io::Error);

/// A socket that listens already.
#[derive(Debug)]
pub(crate) struct HttpListener {
    pub(crate) socket: StdListener,
    /// `None` without TLS.
    pub(crate) certificates: Option<Arc<Certificates>>,
}

/// Sockets that listen already.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    /// For the management API.
    pub(crate) management: Vec<HttpListener>,
    /// For Prometheus.
    pub(crate) metrics: Vec<HttpListener>,
    /// For commands on this machine, with the number of the group whose members may give them.
    #[cfg(unix)]
    pub(crate) local: Option<(UnixListener, Option<u32>)>,
    /// There is none here.
    #[cfg(windows)]
    pub(crate) local: Option<Infallible>,
}

/// The thread that serves HTTP. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct HttpServer {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Serves on these sockets, which listen already.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub(crate) fn start(api: Arc<Api>, listeners: Listeners) -> Result<Self, HttpFailed> {
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || runtime.block_on(serve(api, listeners, stopped));
        let thread = std::thread::Builder::new().name("leveret-http".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops, and waits until requests that are under way are answered, but not for ever.
    pub(crate) fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            thread.join().ok();
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn serve(api: Arc<Api>, listeners: Listeners, mut stopped: watch::Receiver<bool>) {
    let management = router(&api, &api.paths.prefix);
    let metrics = prometheus::router(&api);
    let Listeners { management: of_management, metrics: of_metrics, local } = listeners;
    let listeners = of_management.into_iter().map(|listener| (listener, &management));
    let listeners = listeners.chain(of_metrics.into_iter().map(|listener| (listener, &metrics)));
    let connections_max = api.app.http_connections_max();
    let permits = Arc::new(Semaphore::new(connections_max));
    for (listener, router) in listeners {
        serve_on(listener, router.clone(), Arc::clone(&permits), stopped.clone(), api.clock.clone());
    }
    #[cfg(windows)]
    let None = local;
    #[cfg(unix)]
    if let Some((listener, group)) = local {
        match listener.set_nonblocking(true).and_then(|()| tokio::net::UnixListener::from_std(listener)) {
            Ok(listener) => {
                // Commands of this machine know nothing of what a proxy asks for.
                tokio::spawn(local::accept(
                    listener,
                    group,
                    router(&api, ""),
                    AcceptFailures::new(api.clock.clone()),
                    stopped.clone(),
                ));
            }
            Err(error) => tracing::error!(%error, "cannot serve commands on this machine"),
        }
    }
    let (clock, sampled) = (api.clock.clone(), Arc::clone(&api));
    // A thread of its own, so that this one has no timer while nobody asks anything.
    let sampling = make_rounds("leveret-sampler", clock, INTERVAL_MS, move |now_ms| sampler::sample(&sampled, now_ms));
    tokio::select! {
        () = until(&mut stopped) => {}
        error = sampling => {
            tracing::error!(%error, "statistics and alerts stand still: there can be no thread for them");
            until(&mut stopped).await;
        }
    }
    // All permits are free only when no connection is left.
    let all_ended = permits.acquire_many(u32::try_from(connections_max).unwrap_or(u32::MAX));
    tokio::time::timeout(STOP_PATIENCE, all_ended).await.ok();
}

fn serve_on(
    listener: HttpListener,
    router: Router,
    permits: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
    clock: Clock,
) {
    let HttpListener { socket, certificates } = listener;
    match socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)) {
        Ok(listener) => {
            let failures = AcceptFailures::new(clock);
            drop(tokio::spawn(accept(listener, certificates, router, permits, failures, stopped)));
        }
        Err(error) => tracing::error!(%error, "cannot serve HTTP"),
    }
}

async fn accept(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    permits: Arc<Semaphore>,
    mut failures: AcceptFailures,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        // Before a client is accepted: whoever finds no place waits in the backlog. The semaphore is never
        // closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = until(&mut stopped) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (router, stopped, certificates) = (router.clone(), stopped.clone(), certificates.clone());
                tokio::spawn(async move {
                    secure::serve(socket, peer, certificates, router, stopped).await;
                    drop(permit);
                });
            }
            Err(error) => {
                failures.tell("an HTTP connection", &error);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Until the server is to stop.
pub(super) async fn until(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which stops it as well.
    stopped.wait_for(|is_stopped| *is_stopped).await.ok();
}

/// Serves one connection.
pub(super) async fn connection<S>(socket: S, peer: CallerPlace, router: Router, stopped: watch::Receiver<bool>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    connection_with(socket, peer, router, stopped, PATIENCE).await;
}

/// The same, with so much patience for a client that takes nothing.
pub(super) async fn connection_with<S>(
    socket: S,
    peer: CallerPlace,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    patience: Duration,
) where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let mut socket = Patient::new(socket, patience);
    let service =
        tower::service_fn(move |request: axum::http::Request<Incoming>| respond(router.clone(), peer, request));
    let is_told = {
        let mut served = std::pin::pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(&mut socket, TowerToHyperService::new(service))
        );
        tokio::select! {
            // What a client does wrong ends its connection, and is no concern of ours; what is no request is answered, too.
            ended = served.as_mut() => ended.map_or_else(|error| error.is_parse(), |()| true),
            () = until(&mut stopped) => {
                served.as_mut().graceful_shutdown();
                served.await.ok();
                false
            }
        }
    };
    if is_told {
        tokio::select! {
            () = unread::hear_out(TokioIo::new(&mut socket)) => {}
            () = until(&mut stopped) => {}
        }
    }
}

async fn respond(
    router: Router,
    peer: CallerPlace,
    request: axum::http::Request<Incoming>,
) -> Result<Response, Infallible> {
    let (mut parts, body) = request.into_parts();
    if !is_readable(&parts.uri) {
        unread::discard(Body::new(body), &parts.headers);
        return Ok(empty(StatusCode::BAD_REQUEST));
    }
    drop_trailing_slash(&mut parts);
    parts.extensions.insert(peer);
    let request = axum::http::Request::from_parts(parts, Body::new(body));
    let answered = tower::ServiceExt::oneshot(router, request);
    Ok(match tokio::time::timeout(REQUEST_TIMEOUT, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => empty(StatusCode::REQUEST_TIMEOUT),
    })
}
