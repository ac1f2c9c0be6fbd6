//! In place of `service` on Windows, where nobody waits to be told.

use std::convert::Infallible;

/// Nobody is told.
pub(super) const fn ready() {}

/// Nobody is told.
pub(super) const fn stopping() {}

/// There is no watchdog. Never ends.
pub(super) async fn stay_alive() -> Infallible {
    std::future::pending().await
}
