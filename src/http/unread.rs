//! What a client still sends when its request is answered already. A socket that is closed with unread bytes is reset, and a reset
//! takes the answer away from a client that has not read it yet.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// So much is read of a body that nobody wants. A client that sends more is cut off.
const DISCARDED_BYTES_MAX: usize = 100_000_000;
/// A client has so long to send it.
const DISCARDED_WITHIN: Duration = Duration::from_secs(30);
/// A client that sends nothing for so long, and does not close its side either, has had its answer.
const SILENCE: Duration = Duration::from_secs(3);
/// What comes on a connection that is over is read in pieces of so many bytes.
const PIECE_BYTES: usize = 4 * 1024;

/// Reads the rest of a body beside its answer, and forgets it.
pub(super) fn discard(body: Body, headers: &HeaderMap) {
    // A client that waits for leave to send its body has the answer instead. A read would give it leave.
    if body.is_end_stream() || headers.contains_key(header::EXPECT) {
        return;
    }
    let mut rest = Limited::new(body, DISCARDED_BYTES_MAX);
    tokio::spawn(timeout(DISCARDED_WITHIN, async move { while let Some(Ok(_)) = rest.frame().await {} }));
}

/// Waits until a client has closed its side of a connection on which it has been told everything.
pub(super) async fn hear_out<S: AsyncRead + AsyncWrite + Unpin>(socket: S) {
    // Of no weight in a task that does not come here.
    timeout(DISCARDED_WITHIN, Box::pin(forget(socket))).await.ok();
}

async fn forget<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
    // Whoever has gone hears nothing.
    if socket.shutdown().await.is_err() {
        return;
    }
    let (mut piece, mut forgotten) = ([0; PIECE_BYTES], 0);
    while forgotten < DISCARDED_BYTES_MAX {
        match timeout(SILENCE, socket.read(&mut piece)).await {
            Ok(Ok(count @ 1..)) => forgotten += count,
            Ok(Ok(0) | Err(_)) | Err(_) => return,
        }
    }
}
