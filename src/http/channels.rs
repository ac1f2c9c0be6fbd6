//! `/channels`.

use std::sync::Arc;

use serde::Serialize;

use super::answer::Answer;
use super::consumers::{self, ConsumerObject};
use super::listing::{self, Listed};
use super::overview;
use super::rates::{Details, Owner};
use super::refusal::Refusal;
use super::request::Request;
use super::stats::PassedStats;
use crate::broker::registry::{ChannelInfo, ConnectionInfo};

/// A channel as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct ChannelObject {
    name: String,
    number: u16,
    node: String,
    vhost: Arc<str>,
    user: Arc<str>,
    user_who_performed_action: Arc<str>,
    connection_details: ConnectionDetails,
    #[serde(flatten)]
    statistics: Option<Statistics>,
    #[serde(flatten)]
    details: Option<ChannelOnly>,
}

/// A connection, as other objects name it.
#[derive(Clone, Debug, Serialize)]
struct ConnectionDetails {
    name: String,
    peer_host: String,
    peer_port: u16,
}

#[derive(Debug, Serialize)]
struct Statistics {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_since: Option<String>,
    confirm: bool,
    transactional: bool,
    prefetch_count: u64,
    global_prefetch_count: u64,
    consumer_count: u64,
    messages_unacknowledged: u64,
    messages_unconfirmed: u64,
    messages_uncommitted: u64,
    acks_uncommitted: u64,
    pending_raft_commands: u64,
    cached_segments: u64,
    message_stats: PassedStats,
    reductions: u64,
    reductions_details: Details,
}

/// What only one channel shows.
#[derive(Debug, Serialize)]
struct ChannelOnly {
    consumer_details: Vec<ConsumerObject>,
    deliveries: [u8; 0],
    publishes: [u8; 0],
}

impl Listed for ChannelObject {
    fn name(&self) -> &str {
        &self.name
    }
}

/// RabbitMQ's name of a channel: that of its connection, and its number.
pub(super) fn name(connection: &ConnectionInfo, channel: &ChannelInfo) -> String {
    format!("{} ({})", connection.spec.name(), channel.number)
}

fn object(request: &Request<'_>, connection: &ConnectionInfo, channel: &ChannelInfo) -> ChannelObject {
    let spec = &connection.spec;
    ChannelObject {
        name: name(connection, channel),
        number: channel.number,
        node: request.api.node().to_owned(),
        vhost: Arc::clone(&spec.vhost),
        user: Arc::clone(&spec.user),
        user_who_performed_action: Arc::clone(&spec.user),
        connection_details: ConnectionDetails {
            name: spec.name(),
            peer_host: spec.peer.host.clone(),
            peer_port: spec.peer.port,
        },
        statistics: (!request.is_set("disable_stats")).then(|| statistics(request, connection, channel)),
        details: None,
    }
}

fn statistics(request: &Request<'_>, connection: &ConnectionInfo, channel: &ChannelInfo) -> Statistics {
    let gauges = &channel.gauges;
    let passed = channel.counters.read();
    let owner = Owner::Channel(channel.id);
    // Nothing notes when a channel is used: this is exact to the distance of two looks at its counters.
    let idle_since_ms = request.api.rates.still_since(&owner, &passed.numbers(), channel.opened_at_ms);
    let is_in_flow = connection.is_blocked() || gauges.flow_until_ms.get() > request.api.clock.now_ms();
    Statistics {
        state: if is_in_flow { "flow" } else { "running" },
        idle_since: idle_since_ms.map(overview::timestamp),
        confirm: gauges.confirm.get() > 0,
        transactional: gauges.transactional.get() > 0,
        prefetch_count: gauges.prefetch_count.get(),
        global_prefetch_count: gauges.global_prefetch_count.get(),
        consumer_count: gauges.consumers.get(),
        messages_unacknowledged: gauges.messages_unacknowledged.get(),
        messages_unconfirmed: gauges.messages_unconfirmed.get(),
        messages_uncommitted: gauges.messages_uncommitted.get(),
        acks_uncommitted: gauges.acks_uncommitted.get(),
        pending_raft_commands: 0,
        cached_segments: 0,
        message_stats: PassedStats::new(passed, request, owner),
        reductions: 0,
        reductions_details: Details::default(),
    }
}

/// The channels of these connections that the caller may see.
pub(super) fn of_connections(
    request: &Request<'_>,
    connections: &[Arc<ConnectionInfo>],
) -> Result<Vec<ChannelObject>, Refusal> {
    let caller = request.caller()?;
    let seen = connections.iter().filter(|connection| caller.is_monitor() || *connection.spec.user == *caller.name());
    let channels = seen
        .flat_map(|connection| connection.channels().into_iter().map(|channel| object(request, connection, &channel)));
    Ok(channels.collect())
}

/// `GET /channels`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let connections = request.api.broker.node().registry.connections();
    listing::paged(request, of_connections(request, &connections)?)
}

/// `GET /channels/{channel}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let wanted = request.part("channel");
    let caller = request.caller()?;
    for connection in request.api.broker.node().registry.connections() {
        if !wanted.starts_with(&connection.spec.name()) {
            continue;
        }
        let channels = connection.channels();
        let Some(channel) = channels.iter().find(|channel| name(&connection, channel) == wanted) else { continue };
        if !caller.is_monitor() && *connection.spec.user != *caller.name() {
            return Err(Refusal::not_authorised("User not authorised to access object"));
        }
        let mut object = object(request, &connection, channel);
        object.details = Some(ChannelOnly {
            consumer_details: consumers::of_channel(request.api, &connection, channel),
            deliveries: [],
            publishes: [],
        });
        return Ok(listing::one(request, &object));
    }
    Err(Refusal::absent())
}
