//! Requests to the broker's HTTP API, one after the other, over the local socket or the network.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use leveret::internals::http::REFUSED_BY;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::system::{self, LocalStream, Process, Told};
use super::target::{Credentials, Target, TlsOptions};

/// What names in a path keep as they are.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as a part of a path.
pub(super) fn escaped(name: &str) -> String {
    utf8_percent_encode(name, IN_PATHS).to_string()
}

/// Whoever asks the broker.
#[derive(Debug)]
pub(super) struct Client {
    target: Target,
    runtime: Runtime,
    patience: Option<Duration>,
}

/// Why there is no answer, or none that helps.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// It took longer than was allowed.
    #[error("the broker did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The broker does not want to.
    #[error("{reason}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The broker's words.
        reason: String,
        /// The setting by which, if the broker names it.
        by: Option<String>,
    },
}

impl Problem {
    /// Says what is not there, of which the API says only that it is not.
    pub(super) fn naming(self, what: impl FnOnce() -> String) -> Self {
        match self {
            Self::Refused { status: 404, by, .. } => {
                Self::Refused { status: 404, reason: format!("there is no {}", what()), by }
            }
            other @ (Self::Unreachable(_) | Self::TimedOut(_) | Self::Refused { .. }) => other,
        }
    }

    /// Says who is refused, of whom the API says only that nobody is let in so.
    fn refusing(self, credentials: Option<&Credentials>) -> Self {
        match (self, credentials) {
            (Self::Refused { status: 401, reason, by }, Some(Credentials { user, .. }))
                if reason == "Not_Authorized" =>
            {
                let why = "there is no such user, the password is another one, or it may not come from here";
                Self::Refused { status: 401, reason: format!("{reason}: user '{user}' is not let in: {why}"), by }
            }
            (other, _) => other,
        }
    }
}

impl Client {
    /// # Errors
    /// When there can be no runtime.
    pub(super) fn new(target: Target, patience: Option<Duration>) -> Result<Self, Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Problem::Unreachable(error.to_string()))?;
        Ok(Self { target, runtime, patience })
    }

    /// Where it asks.
    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    /// The process of the broker, which is on this machine.
    ///
    /// # Errors
    /// When it is asked over the network, or is gone.
    pub(super) fn process(&self) -> Result<Process, Problem> {
        let Target::Socket(path) = &self.target else {
            let text = "a broker can be stopped or signalled on its own machine only, over its local socket";
            return Err(Problem::Unreachable(text.to_owned()));
        };
        let found = self.runtime.block_on(Process::behind(path));
        found.map_err(|error| Problem::Unreachable(format!("{}: {error}", path.display())))
    }

    /// # Errors
    /// When there is no answer, or a refusal.
    pub(super) fn get(&self, path: &str) -> Result<Value, Problem> {
        self.json(&Method::GET, path, None)
    }

    /// As `get`; `None` where there is no such thing.
    ///
    /// # Errors
    /// As for `get`.
    pub(super) fn find(&self, path: &str) -> Result<Option<Value>, Problem> {
        match self.get(path) {
            Ok(value) => Ok(Some(value)),
            Err(Problem::Refused { status: 404, .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// # Errors
    /// As for `get`.
    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.json(&Method::PUT, path, Some(body))
    }

    /// # Errors
    /// As for `get`.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.json(&Method::POST, path, Some(body))
    }

    /// Whether there was something to delete.
    ///
    /// # Errors
    /// As for `get`.
    pub(super) fn delete(&self, path: &str) -> Result<bool, Problem> {
        match self.json(&Method::DELETE, path, None) {
            Ok(_) => Ok(true),
            Err(Problem::Refused { status: 404, .. }) => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Deletes with a reason that others are told; whether there was something to delete.
    ///
    /// # Errors
    /// As for `get`.
    pub(super) fn delete_because(&self, path: &str, reason: &str) -> Result<bool, Problem> {
        let (status, _) = self.ask(&Method::DELETE, path, Vec::new(), Some(reason), self.target.credentials())?;
        Ok(status < 300)
    }

    /// # Errors
    /// As for `get`.
    pub(super) fn json(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, Problem> {
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        // An answer may have no body, as one with the status 204.
        self.bytes(method, path, body).map(|answer| serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// # Errors
    /// As for `get`.
    pub(super) fn bytes(&self, method: &Method, path: &str, body: Vec<u8>) -> Result<Bytes, Problem> {
        let answered = self.exchanged(self.request(method, path, body, None, self.target.credentials())?)?;
        if answered.is_success() { Ok(answered.body) } else { Err(self.refused(answered)) }
    }

    fn refused(&self, answered: Answered) -> Problem {
        Problem::from(answered).refusing(self.target.credentials())
    }

    /// Gives parts of the answer's body to `take` as they come, until it wants no more or the answer ends.
    ///
    /// # Errors
    /// As for `get`, and when the broker ends it in its middle.
    pub(super) fn stream(&self, path: &str, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Problem> {
        let request = self.request(&Method::GET, path, Vec::new(), None, self.target.credentials())?;
        self.runtime.block_on(async {
            let mut asked = send(&self.target, request).await?;
            if !asked.answer.status().is_success() {
                return Err(self.refused(asked.answered().await?));
            }
            while let Some(frame) = asked.answer.body_mut().frame().await {
                let frame = frame.map_err(broken)?;
                // The rest is not read: `asked` closes the connection.
                if frame.data_ref().is_some_and(|part| !take(part)) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Vec<u8>,
        reason: Option<&str>,
        credentials: Option<&Credentials>,
    ) -> Result<Request<Full<Bytes>>, Problem> {
        let mut request = Request::builder().method(method).uri(format!("{}/api{path}", self.target.path_prefix()));
        request = request.header(header::HOST, self.target.host()).header(header::CONTENT_TYPE, "application/json");
        if let Some(Credentials { user, password }) = credentials {
            let login = STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {login}"));
        }
        if let Some(reason) = reason {
            request = request.header("x-reason", reason);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        request.map_err(|error| Problem::Unreachable(error.to_string()))
    }

    /// The status and the body of an answer, as somebody with these credentials gets it.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Vec<u8>,
        reason: Option<&str>,
        credentials: Option<&Credentials>,
    ) -> Result<(u16, Bytes), Problem> {
        let answered = self.exchanged(self.request(method, path, body, reason, credentials)?)?;
        Ok((answered.status, answered.body))
    }

    fn exchanged(&self, request: Request<Full<Bytes>>) -> Result<Answered, Problem> {
        let answered = async {
            match self.patience {
                Some(patience) => tokio::time::timeout(patience, exchange(&self.target, request))
                    .await
                    .unwrap_or(Err(Problem::TimedOut(patience))),
                None => exchange(&self.target, request).await,
            }
        };
        self.runtime.block_on(answered)
    }
}

/// Sends a signal to a broker's process.
///
/// # Errors
/// When it is gone, or belongs to somebody else.
pub(super) fn signal(process: Process, told: Told) -> Result<(), Problem> {
    process.tell(told).map_err(|error| Problem::Unreachable(format!("cannot signal the process {process}: {error}")))
}

/// An answer that was read to its end.
struct Answered {
    status: u16,
    refused_by: Option<String>,
    body: Bytes,
}

impl Answered {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The broker's words.
impl From<Answered> for Problem {
    fn from(Answered { status, refused_by, body }: Answered) -> Self {
        let said: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let reason = match (said.get("reason"), said.get("error")) {
            (Some(Value::String(reason)), _) | (_, Some(Value::String(reason))) => reason.clone(),
            _ => format!("the broker answers with status {status}"),
        };
        Self::Refused { status, reason, by: refused_by }
    }
}

/// A request that is sent, and the task that moves its bytes.
struct Asked {
    answer: hyper::Response<Incoming>,
    driving: JoinHandle<()>,
}

impl Asked {
    async fn answered(&mut self) -> Result<Answered, Problem> {
        let status = self.answer.status().as_u16();
        let refused_by = self.answer.headers().get(REFUSED_BY).and_then(|setting| setting.to_str().ok());
        let refused_by = refused_by.map(str::to_owned);
        let body = self.answer.body_mut().collect().await.map_err(broken)?.to_bytes();
        Ok(Answered { status, refused_by, body })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

async fn exchange(target: &Target, request: Request<Full<Bytes>>) -> Result<Answered, Problem> {
    send(target, request).await?.answered().await
}

async fn send(target: &Target, request: Request<Full<Bytes>>) -> Result<Asked, Problem> {
    match target {
        Target::Socket(path) => over(socket(path).await?, request).await,
        Target::Http { address, tls, .. } => {
            let connected = TcpStream::connect(address.as_str()).await;
            let unreachable = |error| Problem::Unreachable(format!("cannot connect to {address}: {error}"));
            let stream = connected.map_err(unreachable)?;
            match tls {
                Some(tls) => over(secured(stream, address, tls).await?, request).await,
                None => over(stream, request).await,
            }
        }
    }
}

async fn secured(stream: TcpStream, address: &str, tls: &TlsOptions) -> Result<TlsStream<TcpStream>, Problem> {
    let config = tls.config().map_err(Problem::Unreachable)?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| Problem::Unreachable(format!("{address}: {error}")))?;
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    shaken.map_err(|error| {
        let tip = handshake_tip(&error);
        Problem::Unreachable(format!("cannot speak TLS with {address}: {error}{tip}"))
    })
}

/// What helps where hands could not be shaken, to be written behind the error.
pub(super) fn handshake_tip(error: &std::io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => "; --tls-ca-cert-file names the authorities to believe",
        _ => "",
    }
}

async fn socket(path: &Path) -> Result<LocalStream, Problem> {
    let unreachable = |error| Problem::Unreachable(format!("no broker answers at {}: {error}", path.display()));
    system::connect(path).await.map_err(unreachable)
}

fn broken(error: hyper::Error) -> Problem {
    // What the library says of itself is little: what went wrong below it tells more, such as an alert of TLS.
    let below = std::error::Error::source(&error).map(|below| format!(": {below}")).unwrap_or_default();
    Problem::Unreachable(format!("the broker did not answer: {error}{below}"))
}

async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Asked, Problem>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // What goes wrong there is told to whoever waits for the answer.
    let driving = tokio::spawn(async move { drop(connection.await) });
    let answer = sender.send_request(request).await.map_err(broken)?;
    Ok(Asked { answer, driving })
}
