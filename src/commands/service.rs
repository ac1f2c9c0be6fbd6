//! What systemd is told: that the broker is ready, that it stops, and that it is alive.

use std::convert::Infallible;

use sd_notify::NotifyState;

/// The broker serves clients. Nobody may be listening, and that is no failure.
pub(super) fn ready() {
    sd_notify::notify(&[NotifyState::Ready]).ok();
}

/// The broker stops.
pub(super) fn stopping() {
    sd_notify::notify(&[NotifyState::Stopping]).ok();
}

/// Tells the watchdog, if there is one, that the runtime which serves clients still runs. Never ends.
pub(super) async fn stay_alive() -> Infallible {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        sd_notify::notify(&[NotifyState::Watchdog]).ok();
        // Twice in the time that systemd waits, as sd_watchdog_enabled(3) advises.
        tokio::time::sleep(within / 2).await;
    }
}
