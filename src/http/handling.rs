//! The way of a request to its handler and back: who asks, what they send, whose turn it is, and what the answer waits for.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Notify;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::answer::Answer;
use super::api::Api;
use super::caller::{Caller, CallerPlace, Needs, NoCaller, too_many_failed, wrong_credentials};
use super::leveret;
use super::refusal::Refusal;
use super::request::Request;
use super::routes::{Action, HttpRoute, ROUTES};
use super::stats::SamplesLeft;
use super::target::{is_cross_site, query};
use super::{entity, logins, pages, unread};
use crate::broker::acting_as;
use crate::store::{LogPosition, Wake};

/// The largest body of a request, as in RabbitMQ.
const BODY_BYTES_MAX: usize = 10_000_000;
/// So often a handler begins anew because backends were asked. One question after the other is asked, of few at all.
const ASKED_MAX: usize = 64;

/// What is served below a path: nothing, or one without a slash at its end.
pub(super) fn router(api: &Arc<Api>, prefix: &str) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let api = Arc::clone(api);
        let handler = move |Extension(peer): Extension<CallerPlace>, request: axum::extract::Request| {
            let api = Arc::clone(&api);
            async move { handle(&api, route, peer, request).await }
        };
        router = router.route(&format!("{prefix}/api{}", route.path), any(handler));
    }
    let (api, prefix) = (Arc::clone(api), Arc::from(prefix));
    let page = move |request| page(Arc::clone(&api), Arc::clone(&prefix), request);
    router.fallback(page).layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}

/// Answers what is no path of the API: with a file of the pages, if it is one.
async fn page(api: Arc<Api>, prefix: Arc<str>, request: axum::extract::Request) -> Response {
    let policy = api.pages_login.policy();
    let (parts, body) = request.into_parts();
    let page = pages::answer(&prefix, &parts, policy);
    unread::discard(body, &parts.headers);
    page.unwrap_or_else(|| respond_with(Refusal::absent().into()))
}

/// What a request is answered that nobody has made. Only its client waits.
async fn refused(api: &Api, no_caller: NoCaller) -> Result<Answer, Bare> {
    match no_caller {
        NoCaller::NoCredentials => Err((StatusCode::UNAUTHORIZED, Some(HOW_TO_LOG_IN))),
        NoCaller::Unreadable => Err((StatusCode::BAD_REQUEST, None)),
        NoCaller::WrongCredentials { until_ms } => {
            api.clock.sleep_until(until_ms).await;
            Ok(wrong_credentials().into())
        }
        NoCaller::TooManyFailed { for_ms } => {
            let answer = Answer::from(too_many_failed());
            Ok(answer.with_header("retry-after", for_ms.div_ceil(1_000).to_string()))
        }
        NoCaller::Refused(refusal) => Ok(refusal.into()),
    }
}

fn too_large() -> Answer {
    Refusal::bad_request("Exceeded HTTP request body size limit").into()
}

/// Answers a request on a route.
async fn handle(
    api: &Arc<Api>,
    route: &'static HttpRoute,
    peer: CallerPlace,
    request: axum::extract::Request,
) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let response = respond_on(api, route, peer, &mut parts, &mut body).await;
    unread::discard(body, &parts.headers);
    response
}

async fn respond_on(
    api: &Arc<Api>,
    route: &'static HttpRoute,
    peer: CallerPlace,
    parts: &mut Parts,
    body: &mut Body,
) -> Response {
    let mut response = match action_of(route, &parts.method) {
        Some(action) => acted(api, action, peer, parts, body).await,
        None if parts.method == Method::OPTIONS => empty(StatusCode::OK),
        None => empty(StatusCode::METHOD_NOT_ALLOWED),
    };
    allow(response.headers_mut(), route);
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// What a method does there, if it does anything.
fn action_of(route: &HttpRoute, method: &Method) -> Option<Action> {
    match *method {
        Method::HEAD | Method::GET => route.get,
        Method::PUT => route.put,
        Method::POST => route.post,
        Method::DELETE => route.delete,
        _ => None,
    }
}

/// The response of an action, in full for `HEAD` as well.
async fn acted(api: &Arc<Api>, action: Action, peer: CallerPlace, parts: &mut Parts, body: &mut Body) -> Response {
    let known = parts.headers.get(header::IF_NONE_MATCH).cloned();
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    match act(api, action, peer, parts, body).await {
        Ok(answer) if is_read => respond_with(entity::tagged(answer, known.as_ref())),
        Ok(answer) => respond_with(answer),
        Err((status, how_to_log_in)) => {
            let mut response = empty(status);
            if let Some(value) = how_to_log_in {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
            }
            response
        }
    }
}

/// An answer without a body: its status, and how to log in.
type Bare = (StatusCode, Option<&'static str>);

const HOW_TO_LOG_IN: &str = "Basic realm=\"RabbitMQ Management\"";

async fn act(
    api: &Arc<Api>,
    action: Action,
    peer: CallerPlace,
    parts: &mut Parts,
    body: &mut Body,
) -> Result<Answer, Bare> {
    // Before the body is read: who may not ask costs no memory.
    let caller = match caller(api, action.needs, peer, &parts.headers).await {
        Ok(caller) => caller,
        Err(no_caller) => return refused(api, no_caller).await,
    };
    if is_cross_site(parts) {
        return Ok(Refusal::not_authorised("requests from pages of another site may change nothing").into());
    }
    let Ok(path) = RawPathParams::from_request_parts(parts, &()).await else { return Ok(Refusal::absent().into()) };
    let path: Vec<_> = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Some(query) = query(parts.uri.query()) else { return Err((StatusCode::BAD_REQUEST, None)) };
    let body = match read(&mut parts.headers, body).await {
        Ok(body) => body,
        Err(answered) => return answered,
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (reason, content_type) = (header("x-reason"), header("content-type"));
    let caller = if action.needs == Needs::Form {
        match logins::from_form(api, &body, peer).await {
            Ok(caller) => Some(caller),
            Err(no_caller) => return refused(api, no_caller).await,
        }
    } else {
        caller
    };
    let samples_left = SamplesLeft::default();
    let request = Request { api, caller, path, query, reason, content_type, body: &body, samples_left };
    Ok(complete(action, request, parts).await)
}

/// The whole body of a request; or what is answered because it cannot be had.
async fn read(headers: &mut HeaderMap, body: &mut Body) -> Result<Bytes, Result<Answer, Bare>> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Ok(too_large()));
    }
    // The first read gives a client leave to send its body that has asked for it.
    headers.remove(header::EXPECT);
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Ok(too_large())),
        // The client went away.
        Err(_) => Err(Err((StatusCode::BAD_REQUEST, None))),
    }
}

/// The answer to a request, once everything has happened that it tells of.
async fn complete(action: Action, mut request: Request<'_>, parts: &Parts) -> Answer {
    let api = request.api;
    if let Err(refusal) = leveret::keys::check(action.path, request.body) {
        return refusal.into();
    }
    let mut answered = handled(action, &mut request).await;
    if is_absent(&answered) && request.take_plus_for_space(parts) {
        answered = handled(action, &mut request).await;
    }
    if let Ok(Answer { later: Some(later), .. }) = answered {
        answered = api.later.answer(later).await;
    }
    let answer = answered.unwrap_or_else(Answer::from);
    if !until_durable(api, answer.after).await {
        return Refusal::bad_request("the store has failed: nothing more can be made durable").into();
    }
    answer
}

fn is_absent(answered: &Result<Answer, Refusal>) -> bool {
    answered.as_ref().is_err_and(|refusal| refusal.status == 404)
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

async fn caller(api: &Api, needs: Needs, peer: CallerPlace, headers: &HeaderMap) -> Result<Option<Caller>, NoCaller> {
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
        (CallerPlace::Local, None) => Caller::local(api),
        (CallerPlace::Network(_), _) | (CallerPlace::Local, Some(_)) => {
            Caller::log_in(api, authorization, peer.ip()).await?
        }
    };
    caller.require(Needs::Management).map_err(NoCaller::Refused)?;
    caller.require(needs).map_err(NoCaller::Refused)?;
    Ok(Some(caller))
}

/// What somebody is answered who may not see metrics.
pub(super) async fn refused_to_monitor(api: &Api, peer: CallerPlace, headers: &HeaderMap) -> Option<Response> {
    let no_caller = caller(api, Needs::Monitoring, peer, headers).await.err()?;
    Some(match refused(api, no_caller).await {
        Ok(answer) => respond_with(answer),
        Err((status, how)) => {
            let mut response = empty(status);
            if how.is_some() {
                let how = HeaderValue::from_static("Basic realm=\"RabbitMQ Prometheus\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
            }
            response
        }
    })
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

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let cached = HeaderValue::from_static("public, max-age=0, must-revalidate");
    response.headers_mut().insert(header::CACHE_CONTROL, cached);
    response
}

fn allow(headers: &mut HeaderMap, route: &HttpRoute) {
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
