//! Asks a web server: connections are kept and used again, and the time and the size of an answer are bounded.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Semaphore;

use crate::tls::{InvalidTrust, Trust};

/// Requests that are under way at a time; others wait for their turn.
const REQUESTS_MAX: usize = 64;
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpTimeouts {
    /// To connect.
    pub(super) connect: Duration,
    /// The whole request.
    pub(super) request: Duration,
}

/// A client of web servers.
#[derive(Clone)]
pub(super) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    turns: Arc<Semaphore>,
    patience: HttpTimeouts,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It cannot be asked there.
    #[error("{0} is no address of a web server")]
    BadAddress(String),
    /// It did not answer in time.
    #[error("timeout")]
    Timeout,
    /// It cannot be reached, or the answer cannot be read.
    #[error("{0}")]
    Failed(String),
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl HttpClient {
    /// A client that has asked nothing.
    ///
    /// # Errors
    /// When nobody can be believed.
    pub(super) fn new(trust: &Trust, patience: HttpTimeouts) -> Result<Self, InvalidTrust> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(patience.connect));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(trust.tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        // As many as can be under way, so that none is closed only to be made anew.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(REQUESTS_MAX).build(connector);
        Ok(Self { client, turns: Arc::new(Semaphore::new(REQUESTS_MAX)), patience })
    }

    /// Asks with GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn get(&self, address: &str) -> Result<Answered, NoAnswer> {
        self.ask(Method::GET, address, None).await
    }

    /// Asks with POST and a form.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn post(&self, address: &str, form: String) -> Result<Answered, NoAnswer> {
        self.ask(Method::POST, address, Some(form)).await
    }

    async fn ask(&self, method: Method, address: &str, form: Option<String>) -> Result<Answered, NoAnswer> {
        let no_address = || NoAnswer::BadAddress(without_query(address).to_owned());
        let uri: Uri = address.parse().ok().filter(|uri: &Uri| uri.host().is_some()).ok_or_else(no_address)?;
        let mut request = Request::builder().method(method).uri(uri);
        if form.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(form.unwrap_or_default()));
        let request = request.body(body).ok().ok_or_else(no_address)?;
        // All of it has one limit of time, the wait for a turn, too: in front of a slow server nobody waits
        // longer than for one request. Whoever is late gives the turn back, as the request is dropped with it.
        let answered = async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await;
            let response = self.client.request(request).await.map_err(|error| NoAnswer::Failed(first_cause(&error)))?;
            let status = response.status().as_u16();
            // A server that never stops sending fills no memory.
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| NoAnswer::Failed(error.to_string()))?.to_bytes().to_vec();
            Ok(Answered { status, body })
        };
        tokio::time::timeout(self.patience.request, answered).await.unwrap_or(Err(NoAnswer::Timeout))
    }
}

/// An address without what may be secret.
fn without_query(address: &str) -> &str {
    address.split('?').next().unwrap_or(address)
}

/// What is wrong, down to the cause: the library's own text is only that something is.
fn first_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
