//! The thread that serves HTTP: sockets, the runtime of its own, limits of size and time, and the way from bytes to a handler.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tower_http::compression::CompressionLayer;

use super::answer::Answer;
use super::api::Api;
use super::caller::{Caller, Needs, NoCaller, Peer, wrong_credentials};
#[cfg(unix)]
use super::local;
use super::logins;
use super::pages;
use super::patience::{PATIENCE, Patient};
use super::prometheus;
use super::rates::INTERVAL_MS;
use super::refusal::Refusal;
use super::request::Request;
use super::routes::{Action, ROUTES, Route};
use super::sampler;
use super::secure;
use super::stats::SamplesLeft;
use super::target::{is_cross_site, is_readable, query, without_trailing_slash};
use crate::broker::acting_as;
use crate::store::{LogPosition, Wake};
use crate::tls::Certificates;

/// The largest body of a request, as in RabbitMQ.
const BODY_BYTES_MAX: usize = 10_000_000;
/// So many connections are served at a time; others wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;
/// A client has so long for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A client has so long for a whole request with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// So often a handler begins anew because backends were asked. One question after the other is asked, of few at all.
const ASKED_MAX: usize = 64;
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
    let management = router(&api);
    let metrics = prometheus::router(&api);
    let Listeners { management: of_management, metrics: of_metrics, local } = listeners;
    let listeners = of_management.into_iter().map(|listener| (listener, &management));
    let listeners = listeners.chain(of_metrics.into_iter().map(|listener| (listener, &metrics)));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    for (HttpListener { socket: listener, certificates }, router) in listeners {
        match listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => {
                let permits = Arc::clone(&permits);
                tokio::spawn(accept(listener, certificates, router.clone(), permits, stopped.clone()));
            }
            Err(error) => tracing::error!(%error, "cannot serve HTTP"),
        }
    }
    #[cfg(windows)]
    let None = local;
    #[cfg(unix)]
    if let Some((listener, group)) = local {
        match listener.set_nonblocking(true).and_then(|()| tokio::net::UnixListener::from_std(listener)) {
            Ok(listener) => {
                tokio::spawn(local::accept(listener, group, management.clone(), stopped.clone()));
            }
            Err(error) => tracing::error!(%error, "cannot serve commands on this machine"),
        }
    }
    let sampling = tokio::spawn(sample(Arc::clone(&api)));
    until(&mut stopped).await;
    sampling.abort();
    let all_ended = permits.acquire_many(u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX));
    tokio::time::timeout(STOP_PATIENCE, all_ended).await.ok();
}

/// Takes down how far the counters are, every five seconds of the broker's own time.
async fn sample(api: Arc<Api>) {
    loop {
        let now_ms = api.clock.now_ms();
        sampler::sample(&api, now_ms);
        api.broker.watch_alerts(now_ms);
        api.clock.sleep_until(now_ms + INTERVAL_MS).await;
    }
}

async fn accept(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    permits: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        // The semaphore is never closed.
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
                tracing::warn!(%error, "cannot accept an HTTP connection");
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
pub(super) async fn connection<S>(socket: S, peer: Peer, router: Router, stopped: watch::Receiver<bool>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    connection_with(socket, peer, router, stopped, PATIENCE).await;
}

/// The same, with so much patience for a client that takes nothing.
pub(super) async fn connection_with<S>(
    socket: S,
    peer: Peer,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    patience: Duration,
) where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let socket = Patient::new(socket, patience);
    let service =
        tower::service_fn(move |request: axum::http::Request<Incoming>| respond(router.clone(), peer, request));
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(socket, TowerToHyperService::new(service))
    );
    let is_stopped = tokio::select! {
        // What a client does wrong ends its connection, and is no concern of ours.
        _ = served.as_mut() => false,
        () = until(&mut stopped) => true,
    };
    if is_stopped {
        served.as_mut().graceful_shutdown();
        served.await.ok();
    }
}

async fn respond(router: Router, peer: Peer, request: axum::http::Request<Incoming>) -> Result<Response, Infallible> {
    let (mut parts, body) = request.into_parts();
    if !is_readable(&parts.uri) {
        return Ok(empty(StatusCode::BAD_REQUEST));
    }
    parts.uri = without_trailing_slash(parts.uri);
    parts.extensions.insert(peer);
    let request = axum::http::Request::from_parts(parts, Body::new(body));
    let answered = tower::ServiceExt::oneshot(router, request);
    Ok(match tokio::time::timeout(REQUEST_TIMEOUT, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => empty(StatusCode::REQUEST_TIMEOUT),
    })
}

fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let api = Arc::clone(api);
        let handler = move |Extension(peer): Extension<Peer>, request: axum::extract::Request| {
            let api = Arc::clone(&api);
            async move { handle(&api, route, peer, request).await }
        };
        router = router.route(&format!("/api{}", route.path), any(handler));
    }
    router.fallback(page).layer(CompressionLayer::new())
}

/// Answers what is no path of the API: with a file of the pages, if it is one.
async fn page(request: axum::extract::Request) -> Response {
    let page = pages::answer(request.method(), request.uri().path(), request.headers());
    page.unwrap_or_else(|| respond_with(Refusal::absent().into()))
}

/// Answers a request on a route.
async fn handle(api: &Arc<Api>, route: &'static Route, peer: Peer, request: axum::extract::Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let (is_head, action) = match parts.method {
        Method::OPTIONS => {
            let mut response = empty(StatusCode::OK);
            allow(response.headers_mut(), route);
            return response;
        }
        Method::HEAD => (true, route.get),
        Method::GET => (false, route.get),
        Method::PUT => (false, route.put),
        Method::POST => (false, route.post),
        Method::DELETE => (false, route.delete),
        _ => (false, None),
    };
    let Some(action) = action else {
        let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
        allow(response.headers_mut(), route);
        return response;
    };
    let mut response = match act(api, action, peer, &mut parts, body).await {
        Ok(answer) => respond_with(answer),
        Err(status) => {
            let mut response = empty(status.0);
            if let Some(value) = status.1 {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
            }
            response
        }
    };
    allow(response.headers_mut(), route);
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// An answer without a body: its status, and how to log in.
type Bare = (StatusCode, Option<&'static str>);

const HOW_TO_LOG_IN: &str = "Basic realm=\"RabbitMQ Management\"";

async fn act(api: &Arc<Api>, action: Action, peer: Peer, parts: &mut Parts, body: Body) -> Result<Answer, Bare> {
    let caller = match caller(api, action.needs, peer, &parts.headers).await {
        Ok(caller) => caller,
        Err(NoCaller::NoCredentials) => return Err((StatusCode::UNAUTHORIZED, Some(HOW_TO_LOG_IN))),
        Err(NoCaller::Unreadable) => return Err((StatusCode::BAD_REQUEST, None)),
        Err(NoCaller::WrongCredentials { delay_ms }) => {
            // Only this client waits.
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            return Ok(wrong_credentials().into());
        }
        Err(NoCaller::Refused(refusal)) => return Ok(refusal.into()),
    };
    if is_cross_site(parts) {
        return Ok(Refusal::not_authorised("requests from pages of another site may change nothing").into());
    }
    let Ok(path) = RawPathParams::from_request_parts(parts, &()).await else { return Ok(Refusal::absent().into()) };
    let path: Vec<_> = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Some(query) = query(parts.uri.query()) else { return Err((StatusCode::BAD_REQUEST, None)) };
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(Refusal::bad_request("Exceeded HTTP request body size limit").into());
        }
        // The client went away.
        Err(_) => return Err((StatusCode::BAD_REQUEST, None)),
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (reason, content_type) = (header("x-reason"), header("content-type"));
    let caller = if action.needs == Needs::Form {
        match logins::from_form(api, &body, peer).await {
            Ok(caller) => Some(caller),
            Err(refusal) => return Ok(refusal.into()),
        }
    } else {
        caller
    };
    let samples_left = SamplesLeft::default();
    let mut request = Request { api, caller, path, query, reason, content_type, body: &body, samples_left };
    let mut answered = handled(action, &mut request).await;
    if let Ok(Answer { later: Some(later), .. }) = answered {
        answered = api.later.answer(later).await;
    }
    let answer = answered.unwrap_or_else(Answer::from);
    if !until_durable(api, answer.after).await {
        return Ok(Refusal::bad_request("the store has failed: nothing more can be made durable").into());
    }
    Ok(answer)
}

/// Has the handler answer, in the name of whoever asks.
fn answer(action: Action, request: &Request<'_>) -> Result<Answer, Refusal> {
    let answer = || (action.handler)(request);
    match &request.caller {
        Some(caller) => acting_as(&caller.user().name, answer),
        None => answer(),
    }
}

/// Has a request handled, again each time when backends have answered what the handler wanted to know.
async fn handled(action: Action, request: &mut Request<'_>) -> Result<Answer, Refusal> {
    for _ in 0..ASKED_MAX {
        request.samples_left = SamplesLeft::default();
        let answered = answer(action, request);
        match &request.caller {
            Some(caller) if caller.learn().await => {}
            Some(_) | None => return answered,
        }
    }
    Err(Refusal::not_authorised("Access refused."))
}

async fn caller(api: &Api, needs: Needs, peer: Peer, headers: &HeaderMap) -> Result<Option<Caller>, NoCaller> {
    if matches!(needs, Needs::Nothing | Needs::Form) {
        return Ok(None);
    }
    let authorization = match headers.get(header::AUTHORIZATION).map(HeaderValue::to_str) {
        None => None,
        Some(Ok(value)) => Some(value),
        Some(Err(_)) => return Err(NoCaller::Unreadable),
    };
    let caller = match (peer, authorization) {
        // With credentials it is the user whose they are, and may do what that one may.
        (Peer::Local, None) => Caller::local(api),
        (Peer::Network(_), _) | (Peer::Local, Some(_)) => Caller::log_in(api, authorization, peer.ip()).await?,
    };
    caller.require(Needs::Management).map_err(NoCaller::Refused)?;
    caller.require(needs).map_err(NoCaller::Refused)?;
    Ok(Some(caller))
}

/// Waits for the log; false when it has failed.
async fn until_durable(api: &Api, position: LogPosition) -> bool {
    #[derive(Debug, Default)]
    struct Told(Notify);

    impl Wake for Told {
        fn wake(&self) {
            self.0.notify_one();
        }
    }

    let log = &api.broker.node().log;
    loop {
        match log.durable() {
            Ok(durable) if durable.includes(position) => return true,
            Ok(_) => {}
            Err(_) => return position == LogPosition::START,
        }
        let told = Arc::new(Told::default());
        log.want(position);
        log.when_durable(position, Arc::clone(&told) as Arc<dyn Wake>);
        told.0.notified().await;
    }
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let cached = HeaderValue::from_static("public, max-age=0, must-revalidate");
    response.headers_mut().insert(header::CACHE_CONTROL, cached);
    response
}

fn allow(headers: &mut HeaderMap, route: &Route) {
    if let Ok(allowed) = HeaderValue::from_str(&route.allowed()) {
        headers.insert(header::ALLOW, allowed);
    }
}

pub(super) fn respond_with(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = empty(status);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    if let Some(events) = answer.events {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        *response.body_mut() = Body::new(events);
        return response;
    }
    let Some((content_type, body)) = answer.body else { return response };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
    let policy = HeaderValue::from_static("script-src 'self'; object-src 'self'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    *response.body_mut() = Body::from(body);
    response
}
