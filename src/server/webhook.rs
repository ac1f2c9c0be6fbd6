//! Alerts as requests to a URL of somebody else's: one `POST` with JSON for each that is raised or over, in their order.
//!
//! What cannot be delivered is tried again, with longer and longer pauses; others wait behind it, in a list that is bounded. What does not fit
//! is dropped and counted in the log. With an `https` URL the receiver must show a certificate of an authority that is known.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Builder;
use crate::broker::alerts::{AlertWatcher, Change};
use crate::clock::Clock;
use crate::config::{HttpUrl, Settings};
use crate::http::alert_json;
use crate::tls::{InvalidTrust, Trust};

/// Changes that wait to be delivered.
const WAITING_MAX: usize = 1_000;
/// One attempt takes at most so long.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses between attempts; after the last one the change is given up.
// Nine attempts, and three minutes of pauses between them.
const PAUSES_MS: [u64; 8] = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];

/// Whom alerts are to be sent to, as somebody asked for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    url: Option<HttpUrl>,
    /// A file with authorities; else they are those that the system knows.
    authorities: Option<PathBuf>,
}

impl From<&Settings> for Asked {
    fn from(configured: &Settings) -> Self {
        let (url, authorities) = (&configured.alerts_webhook_url, &configured.alerts_webhook_cacertfile);
        Self { url: url.clone(), authorities: authorities.clone() }
    }
}

impl Asked {
    /// # Errors
    /// When no authority is known that the certificate of the receiver could come from.
    pub(super) fn ready(&self) -> Result<Option<Webhook>, InvalidTrust> {
        let trust = self.authorities.clone().map_or(Trust::System, Trust::File);
        let webhook = |url: HttpUrl| {
            let tls = if url.is_secured { Some(Arc::new(trust.tls()?)) } else { None };
            Ok(Webhook { url, tls })
        };
        self.url.clone().map(webhook).transpose()
    }
}

impl Builder {
    /// Sends alerts to this URL.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn alerts_webhook(mut self, url: &str) -> Result<Self, String> {
        self.webhook.url = Some(HttpUrl::parse(url)?);
        Ok(self)
    }

    /// A file in PEM with the authorities that the certificate of an `https` URL for alerts may come from, instead of those of the system.
    #[must_use]
    pub fn alerts_webhook_authorities(mut self, file: impl Into<PathBuf>) -> Self {
        self.webhook.authorities = Some(file.into());
        self
    }
}

/// Whom alerts are sent to.
#[derive(Debug)]
pub(super) struct Webhook {
    url: HttpUrl,
    /// `None` without TLS.
    tls: Option<Arc<ClientConfig>>,
}

/// Takes changes, and never waits.
#[derive(Debug)]
struct Waiting {
    node_name: Arc<str>,
    changes: mpsc::Sender<Bytes>,
    dropped: AtomicU64,
}

impl AlertWatcher for Waiting {
    fn changed(&self, change: &Change) {
        let body = serde_json::json!({
            "event": format!("alert.{}", change.name()),
            "node": &*self.node_name,
            "alert": alert_json(change.alert()),
        });
        if self.changes.try_send(Bytes::from(body.to_string())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What takes changes, and what delivers them as long as the broker runs.
pub(super) fn new(
    webhook: Webhook,
    node_name: &Arc<str>,
    clock: Clock,
) -> (Arc<dyn AlertWatcher>, impl Future<Output = ()> + use<>) {
    let (sender, changes) = mpsc::channel(WAITING_MAX);
    let waiting = Waiting { node_name: Arc::clone(node_name), changes: sender, dropped: AtomicU64::new(0) };
    let waiting = Arc::new(waiting);
    (Arc::clone(&waiting) as Arc<dyn AlertWatcher>, deliver_all(webhook, changes, waiting, clock))
}

async fn deliver_all(webhook: Webhook, mut changes: mpsc::Receiver<Bytes>, waiting: Arc<Waiting>, clock: Clock) {
    while let Some(body) = changes.recv().await {
        deliver(&webhook, &body, &clock).await;
        // Said here and not where they are dropped, so that a flood of alerts is one line a delivery.
        let dropped = waiting.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(url = %webhook.url, dropped, "alerts came faster than the webhook takes them: some were not sent");
        }
    }
}

/// Tries until it is delivered or given up.
async fn deliver(webhook: &Webhook, body: &Bytes, clock: &Clock) {
    let (url, mut pauses) = (&webhook.url, PAUSES_MS.into_iter());
    loop {
        let error = match timeout(ATTEMPT_TIMEOUT, attempt(webhook, body.clone())).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        let Some(pause_ms) = pauses.next() else {
            tracing::error!(%url, error, "an alert could not be sent to the webhook, and is given up");
            return;
        };
        tracing::warn!(%url, error, pause_ms, "an alert could not be sent to the webhook; it is tried again");
        clock.sleep_until(clock.now_ms() + pause_ms).await;
    }
}

type Failed = Box<dyn Error + Send + Sync>;

async fn attempt(Webhook { url, tls }: &Webhook, body: Bytes) -> Result<(), Failed> {
    let socket = TcpStream::connect((url.host.as_str(), url.port)).await?;
    let Some(tls) = tls else { return exchange(socket, url, body).await };
    let name = ServerName::try_from(url.host.clone())?;
    let socket = TlsConnector::from(Arc::clone(tls)).connect(name, socket).await?;
    exchange(socket, url, body).await
}

async fn exchange<S>(socket: S, url: &HttpUrl, body: Bytes) -> Result<(), Failed>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (requests, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let driven = tokio::spawn(connection);
    // It fails by itself when the connection ends without an answer.
    let answered = request(requests, url, body).await;
    driven.abort();
    answered
}

async fn request(mut requests: http1::SendRequest<Full<Bytes>>, url: &HttpUrl, body: Bytes) -> Result<(), Failed> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&url.path)
        .header(header::HOST, url.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("leveret/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))?;
    let status = requests.send_request(request).await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}").into()) }
}
