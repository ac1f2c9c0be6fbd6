//! TLS below HTTP, and clients that speak something else to the port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::caller::CallerPlace;
use super::server::connection;
use super::unread;
use crate::connection::foreign::Spoken;
use crate::tls::{self, Certificates};

/// A client has so long for its first octets, and for the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// So many octets tell what is spoken.
const OCTETS: usize = 12;

/// Serves one connection of the network, with TLS if there are certificates.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    let from = CallerPlace::Network(peer.ip());
    let Some(certificates) = certificates else {
        look(&socket, peer).await;
        return connection(TokioIo::new(socket), from, router, stopped).await;
    };
    if let Some(secured) = shake_hands(socket, peer, certificates).await {
        connection(TokioIo::new(secured), from, router, stopped).await;
    }
}

/// Shakes hands; `None` when nothing comes of it, which the log says.
async fn shake_hands(
    socket: TcpStream,
    peer: SocketAddr,
    certificates: Arc<Certificates>,
) -> Option<TlsStream<TcpStream>> {
    let spoken = timeout(HANDSHAKE_TIMEOUT, first_octets(&socket)).await.ok()??;
    if let Some(reason) = spoken.to_http(true) {
        tracing::warn!(%peer, reason, "closing HTTP connection: not a TLS client");
        return None;
    }
    if certificates.is_look_due() {
        let certificates = Arc::clone(&certificates);
        // A panic was reported when it happened.
        tokio::task::spawn_blocking(move || certificates.refresh()).await.ok();
    }
    let accepted = TlsAcceptor::from(certificates.config()).accept(socket).into_fallible();
    match timeout(HANDSHAKE_TIMEOUT, accepted).await {
        Ok(Ok(secured)) => Some(secured),
        Ok(Err((error, socket))) => {
            let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let tip = refused.map_or("the client went away", tls::tip);
            tracing::info!(%peer, %error, tip, "TLS handshake of an HTTP client failed: closing connection");
            // It was told why by an alert.
            unread::hear_out(socket).await;
            None
        }
        Err(_) => None,
    }
}

/// Says in the log what a client seems to speak, if that is not HTTP.
async fn look(socket: &TcpStream, peer: SocketAddr) {
    if let Ok(Some(spoken)) = timeout(HANDSHAKE_TIMEOUT, first_octets(socket)).await
        && let Some(reason) = spoken.to_http(false)
    {
        tracing::warn!(%peer, reason, "not an HTTP client");
    }
}

/// What the first octets look like, which stay where they are; `None` if the client has gone.
async fn first_octets(socket: &TcpStream) -> Option<Spoken> {
    let mut octets = [0; OCTETS];
    let count = socket.peek(&mut octets).await.ok().filter(|count| *count > 0)?;
    Some(Spoken::of(octets.get(..count).unwrap_or_default()))
}
