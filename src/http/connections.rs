//! `/connections`: who is connected, and closing them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::channels;
use super::listing::{self, Listed};
use super::rates::{Details, Owner};
use super::refusal::Refusal;
use super::request::Request;
use super::stats::RateKind;
use super::values;
use crate::broker::registry::ConnectionInfo;
use crate::error::AmqpError;

/// A connection as the API shows it.
#[derive(Debug, Serialize)]
struct ConnectionObject {
    name: String,
    vhost: Arc<str>,
    user: Arc<str>,
    user_who_performed_action: Arc<str>,
    node: String,
    #[serde(rename = "type")]
    kind: &'static str,
    protocol: &'static str,
    auth_mechanism: &'static str,
    ssl: bool,
    host: String,
    port: u16,
    peer_host: String,
    peer_port: u16,
    connected_at: u64,
    user_provided_name: Option<String>,
    client_properties: Map<String, Value>,
    channel_max: u16,
    frame_max: u32,
    timeout: u16,
    ssl_protocol: Option<&'static str>,
    ssl_key_exchange: Option<&'static str>,
    ssl_cipher: Option<&'static str>,
    ssl_hash: Option<&'static str>,
    peer_cert_subject: Option<String>,
    peer_cert_issuer: Option<String>,
    peer_cert_validity: Option<String>,
    #[serde(flatten)]
    statistics: Option<Statistics>,
}

#[derive(Debug, Serialize)]
struct Statistics {
    state: &'static str,
    channels: usize,
    recv_oct: u64,
    recv_oct_details: Details,
    send_oct: u64,
    send_oct_details: Details,
    recv_cnt: u64,
    send_cnt: u64,
    send_pend: u64,
    reductions: u64,
    reductions_details: Details,
}

impl Listed for ConnectionObject {
    fn name(&self) -> &str {
        &self.name
    }

    /// People know programs by what these call themselves.
    fn is_called(&self, is_wanted: &dyn Fn(&str) -> bool) -> bool {
        is_wanted(&self.name) || self.user_provided_name.as_deref().is_some_and(is_wanted)
    }
}

fn object(request: &Request<'_>, connection: &ConnectionInfo) -> ConnectionObject {
    let spec = &connection.spec;
    let encryption = spec.encryption.as_deref();
    let certificate = encryption.and_then(|encryption| encryption.peer_certificate.as_ref());
    ConnectionObject {
        name: spec.name(),
        vhost: Arc::clone(&spec.vhost),
        user: Arc::clone(&spec.user),
        user_who_performed_action: Arc::clone(&spec.user),
        node: request.api.node().to_owned(),
        kind: "network",
        protocol: "AMQP 0-9-1",
        auth_mechanism: spec.auth_mechanism,
        ssl: encryption.is_some(),
        host: spec.local.host.clone(),
        port: spec.local.port,
        peer_host: spec.peer.host.clone(),
        peer_port: spec.peer.port,
        connected_at: spec.connected_at_ms,
        user_provided_name: spec.user_provided_name.clone(),
        client_properties: values::object(spec.client_properties.fields()),
        channel_max: spec.channel_max,
        frame_max: spec.frame_max,
        timeout: spec.heartbeat,
        ssl_protocol: encryption.map(|encryption| encryption.protocol),
        ssl_key_exchange: encryption.map(|encryption| encryption.key_exchange),
        ssl_cipher: encryption.map(|encryption| encryption.cipher),
        ssl_hash: encryption.map(|encryption| encryption.hash),
        peer_cert_subject: certificate.map(|certificate| certificate.subject.clone()),
        peer_cert_issuer: certificate.map(|certificate| certificate.issuer.clone()),
        peer_cert_validity: certificate.map(|certificate| certificate.validity.clone()),
        statistics: (!request.is_set("disable_stats")).then(|| statistics(request, connection)),
    }
}

fn statistics(request: &Request<'_>, connection: &ConnectionInfo) -> Statistics {
    let counters = &connection.counters;
    let details = request.details(Owner::Connection(connection.spec.id), 2, RateKind::DataRates);
    let [recv_oct_details, send_oct_details] = details.try_into().unwrap_or_default();
    Statistics {
        state: match connection.is_blocked() {
            true => "blocked",
            false if connection.is_in_flow(request.api.clock.now_ms()) => "flow",
            false => "running",
        },
        channels: connection.channel_count(),
        recv_oct: counters.received_bytes.get(),
        recv_oct_details,
        send_oct: counters.sent_bytes.get(),
        send_oct_details,
        recv_cnt: counters.reads.get(),
        send_cnt: counters.writes.get(),
        send_pend: counters.pending_bytes.get(),
        reductions: 0,
        reductions_details: Details::default(),
    }
}

/// The connections that a list of this request is about.
fn seen(request: &Request<'_>) -> Result<Vec<Arc<ConnectionInfo>>, Refusal> {
    let caller = request.caller()?;
    let mut connections = request.api.broker.node().registry.connections();
    connections.retain(|connection| caller.is_monitor() || *connection.spec.user == *caller.name());
    if request.has_part("vhost") {
        let vhost = request.vhost()?;
        connections.retain(|connection| connection.spec.vhost == vhost.name);
    }
    Ok(connections)
}

/// `GET /connections`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let connections = seen(request)?;
    listing::paged(request, connections.iter().map(|connection| object(request, connection)).collect())
}

/// `GET /vhosts/{vhost}/connections`.
pub(super) fn of_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let connections = seen(request)?;
    Ok(listing::array(request, connections.iter().map(|connection| object(request, connection)).collect()))
}

/// `GET /vhosts/{vhost}/channels`.
pub(super) fn channels_of_vhost(request: &Request<'_>) -> Result<Answer, Refusal> {
    let connections = seen(request)?;
    Ok(listing::array(request, channels::of_connections(request, &connections)?))
}

/// The connection of the path.
fn find(request: &Request<'_>) -> Result<Arc<ConnectionInfo>, Refusal> {
    let name = request.part("connection");
    let connections = request.api.broker.node().registry.connections();
    let found = connections.into_iter().find(|connection| connection.spec.name() == name);
    let found = found.ok_or_else(Refusal::absent)?;
    let caller = request.caller()?;
    if !caller.is_monitor() && *found.spec.user != *caller.name() {
        return Err(Refusal::not_authorised("User not authorised to access object"));
    }
    Ok(found)
}

/// `GET /connections/{connection}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(listing::one(request, &object(request, &*find(request)?)))
}

/// `GET /connections/{connection}/channels`.
pub(super) fn channels(request: &Request<'_>) -> Result<Answer, Refusal> {
    let connection = find(request)?;
    Ok(listing::array(request, channels::of_connections(request, &[connection])?))
}

/// `GET /connections/{connection}/sessions`.
pub(super) fn sessions(request: &Request<'_>) -> Result<Answer, Refusal> {
    find(request)?;
    Err(Refusal::bad_request("connection does not use AMQP 1.0"))
}

fn closing(request: &Request<'_>) -> AmqpError {
    AmqpError::connection_forced(request.reason.as_deref().unwrap_or("Closed via management plugin"))
}

/// `DELETE /connections/{connection}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let connection = find(request)?;
    if !request.caller()?.is_administrator() && *connection.spec.user != *request.caller()?.name() {
        return Err(Refusal::not_authorised("User not authorised to access object"));
    }
    connection.close(closing(request));
    Ok(Answer::no_content())
}

/// `GET /connections/username/{user}`.
pub(super) fn of_user(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.caller()?.sees_user(request.part("user"))?;
    let mut connections = seen(request)?;
    connections.retain(|connection| &*connection.spec.user == request.part("user"));
    let short = |connection: &Arc<ConnectionInfo>| {
        let spec = &connection.spec;
        json!({ "name": spec.name(), "node": request.api.node(), "user": &*spec.user, "vhost": &*spec.vhost })
    };
    Ok(Answer::json(&connections.iter().map(short).collect::<Vec<_>>()))
}

/// `DELETE /connections/username/{user}`.
pub(super) fn delete_of_user(request: &Request<'_>) -> Result<Answer, Refusal> {
    let user = request.part("user");
    let caller = request.caller()?;
    if !caller.is_administrator() && caller.name() != user {
        return Err(Refusal::not_authorised("User not authorised to access object"));
    }
    let registry = &request.api.broker.node().registry;
    registry.close_where(|connection| &*connection.spec.user == user, &closing(request));
    Ok(Answer::no_content())
}
