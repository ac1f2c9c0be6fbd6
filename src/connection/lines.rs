//! What the log says of a connection: one line when it is open, one when it has ended, and one for each error of its channels and its own.
//!
//! The targets are RabbitMQ's categories, so that `log_level = "info,connection=warning"` does what `log.connection.level` does.

use std::fmt::Display;
use std::net::SocketAddr;

use super::advice::advice;
use crate::broker::registry::ConnectionSpec;
use crate::error::AmqpError;
use crate::protocol::handshake::Client;
use crate::protocol::method;
use crate::protocol::sasl::Credentials;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The client said so.
    ClosedByClient,
    /// The broker said so; the error has a line of its own.
    ClosedByBroker(String),
    /// The client closed its socket without a word.
    Vanished,
    /// The socket failed.
    Lost(String),
    /// Heartbeats stayed away.
    Silent { interval_ms: u64 },
    /// It took nothing of what it was sent.
    DoesNotRead,
    /// It went away while nothing was read.
    LeftUnread,
    /// It did not get through the handshake in time.
    TooSlow,
}

impl Why {
    /// Whether nobody need look at it.
    const fn is_orderly(&self) -> bool {
        matches!(self, Self::ClosedByClient | Self::ClosedByBroker(_))
    }

    fn text(&self) -> String {
        match self {
            Self::ClosedByClient => "closed by the client".to_owned(),
            Self::ClosedByBroker(error) => format!("closed by the broker: {error}"),
            Self::Vanished => "client unexpectedly closed TCP connection: without connection.close".to_owned(),
            Self::Lost(error) => format!("the socket failed: {error}"),
            Self::Silent { interval_ms } => {
                let (interval, silent) = (interval_ms / 1000, interval_ms / 500);
                format!(
                    "missed heartbeats from client, timeout: {interval}s; nothing came for {silent}s or more: \
                     the client hangs, or the network between drops what is idle"
                )
            }
            Self::DoesNotRead => "the client took nothing of what it was sent for 30s".to_owned(),
            Self::LeftUnread => "the client went away while it was not read".to_owned(),
            Self::TooSlow => "handshake_timeout: the client did not open the connection within 10s".to_owned(),
        }
    }
}

/// Says that a connection is open.
pub(super) fn opened(peer: SocketAddr, spec: &ConnectionSpec) {
    tracing::info!(
        target: "connection",
        %peer,
        user = &*spec.user,
        vhost = &*spec.vhost,
        connection = spec.user_provided_name,
        client = client(spec),
        tls = spec.encryption.as_ref().map(|encryption| encryption.protocol),
        "connection opened: user authenticated and granted access to vhost"
    );
}

/// Says that an open connection has ended, and why.
pub(super) fn closed(peer: SocketAddr, spec: &ConnectionSpec, why: &Why, now_ms: u64) {
    let (user, vhost, connection, client) = (&*spec.user, &*spec.vhost, &spec.user_provided_name, client(spec));
    let duration = duration(now_ms.saturating_sub(spec.connected_at_ms));
    let text = why.text();
    if why.is_orderly() {
        tracing::info!(target: "connection", %peer, user, vhost, connection, client, duration, why = text, "connection closed");
    } else {
        tracing::warn!(target: "connection", %peer, user, vhost, connection, client, duration, reason = text, "connection lost");
    }
}

/// Says that a connection ended that had begun to speak and was not open.
pub(super) fn not_opened(peer: SocketAddr, why: &Why) {
    tracing::info!(target: "connection", %peer, reason = why.text(), "connection ended before it was open");
}

/// Says why nobody is logged in.
pub(super) fn login_refused(peer: SocketAddr, who: &Client, credentials: &Credentials, reason: &impl Display) {
    let user = match credentials {
        Credentials::Password { user, .. } => Some(user.as_str()),
        Credentials::Anonymous | Credentials::External => None,
    };
    let said = |key: &str| who.properties.get(key)?.as_str();
    tracing::warn!(
        target: "connection",
        %peer,
        user,
        connection = who.connection_name,
        client = product(said),
        mechanism = who.mechanism.name(),
        %reason,
        "login refused"
    );
}

/// Says why the broker closes a connection; `spec` of one that is open, `user` of one that got as far.
pub(super) fn refused(peer: SocketAddr, spec: Option<&ConnectionSpec>, user: Option<&str>, error: &AmqpError) {
    let (method, tip) = (error.method.and_then(method::name), advice(error));
    tracing::error!(
        target: "connection",
        %peer,
        user = spec.map(|spec| &*spec.user).or(user),
        vhost = spec.map(|spec| &*spec.vhost),
        connection = spec.and_then(|spec| spec.user_provided_name.as_deref()),
        client = spec.map(client),
        method,
        reply_code = error.code.code(),
        %error,
        tip = tip.as_deref(),
        "closing connection"
    );
}

pub(super) fn client(spec: &ConnectionSpec) -> String {
    let properties = spec.client_properties.fields();
    product(|key| properties.get(key)?.as_str())
}

/// What a client says that it is: `pika 1.3.2`.
fn product<'a>(said: impl Fn(&str) -> Option<&'a str>) -> String {
    let parts: Vec<&str> = ["product", "version"].into_iter().filter_map(said).collect();
    parts.join(" ")
}

/// A time in milliseconds, for people: `2d 3h`, `5m 7s`, `0.250s`.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}.{:03}s", ms % 1000),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_numbers_at_most() {
        let all = [250, 59_999, 60_000, 3_599_999, 3_600_000, 90_061_000].map(duration);
        assert_eq!(all, ["0.250s", "59.999s", "1m 0s", "59m 59s", "1h 0m", "1d 1h"]);
    }
}
