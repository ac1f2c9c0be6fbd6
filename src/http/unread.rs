//! What a client still sends when its request is answered already. A socket that is closed with unread bytes is reset, and a reset
//! takes the answer away from a client that has not read it yet.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};

/// So much is read of a body that nobody wants. A client that sends more is cut off.
const DISCARDED_BYTES_MAX: usize = 100_000_000;
/// A client has so long to send it.
const DISCARDED_WITHIN: Duration = Duration::from_secs(30);

/// Reads the rest of a body beside its answer, and forgets it.
pub(super) fn discard(body: Body, headers: &HeaderMap) {
    // A client that waits for leave to send its body has the answer instead. A read would give it leave.
    if body.is_end_stream() || headers.contains_key(header::EXPECT) {
        return;
    }
    let mut rest = Limited::new(body, DISCARDED_BYTES_MAX);
    tokio::spawn(tokio::time::timeout(DISCARDED_WITHIN, async move { while let Some(Ok(_)) = rest.frame().await {} }));
}
