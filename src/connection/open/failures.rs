//! Whom an error concerned that closes a channel or a connection, and who declared what is there: what the broker remembers of it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Open;
use crate::auth::User;
use crate::broker::declarers::{Declarable, Declarer};
use crate::broker::recent_errors::ErrorSource;
use crate::connection::session::Addresses;
use crate::error::AmqpError;
use crate::protocol::handshake::Client;

/// What clients say of the library that they use.
const CLIENT_KEYS: [&str; 3] = ["product", "version", "platform"];

impl Open {
    /// Has an error remembered that closes a channel, or the connection.
    pub(in crate::connection) fn note_failure(&self, channel: Option<u16>, error: &AmqpError, now_ms: u64) {
        let spec = &self.registration.info().spec;
        let source = ErrorSource {
            user: Some(Arc::clone(&spec.user)),
            vhost: Some(Arc::clone(&spec.vhost)),
            peer: format!("{}:{}", spec.peer.host, spec.peer.port),
            connection: spec.name(),
            channel,
            ..said_by(&self.client)
        };
        self.node.recent_errors.note(source, error.clone(), now_ms);
    }

    /// Has the broker remember who made something: a later declaration that differs is told of it.
    pub(super) fn note_declared(&self, kind: Declarable, name: &str, now_ms: u64) {
        let spec = &self.registration.info().spec;
        let declarer = Declarer {
            user: Arc::clone(&spec.user),
            connection: Some(spec.name()),
            connection_name: self.client.connection_name.clone(),
            at_ms: now_ms,
        };
        self.node.declarers.note(kind, &self.vhost.name, name, declarer);
    }
}

/// Whom an error concerns that ends a connection before it is open.
pub(in crate::connection) fn before_open(
    addresses: Addresses,
    user: Option<&Arc<User>>,
    client: Option<&Client>,
) -> ErrorSource {
    let (peer, local) = (canonical(addresses.peer), canonical(addresses.local));
    ErrorSource {
        user: user.map(|user| Arc::clone(&user.name)),
        connection: format!("{peer} -> {local}"),
        peer,
        ..client.map(said_by).unwrap_or_default()
    }
}

fn canonical(address: SocketAddr) -> String {
    format!("{}:{}", address.ip().to_canonical(), address.port())
}

fn said_by(client: &Client) -> ErrorSource {
    let said = |key: &&'static str| Some((*key, client.properties.get(key)?.as_str()?.to_owned()));
    ErrorSource {
        connection_name: client.connection_name.clone(),
        client: CLIENT_KEYS.iter().filter_map(said).collect(),
        ..ErrorSource::default()
    }
}
