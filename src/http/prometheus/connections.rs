//! What is told of each channel and each connection.

use super::family::{Family, MetricRow, counter, gauge};
use super::text::{Labels, Number};
use crate::broker::registry::{ChannelInfo, ConnectionInfo, ConnectionTotals};
use crate::metrics::MessageStats;

/// A channel as it was at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelRow {
    name: String,
    vhost: String,
    is: Gauges,
    stats: MessageStats,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    consumers: u64,
    messages_unacknowledged: u64,
    messages_unconfirmed: u64,
    messages_uncommitted: u64,
    acks_uncommitted: u64,
    prefetch_count: u64,
    global_prefetch_count: u64,
}

impl ChannelRow {
    pub(super) fn new(connection: &ConnectionInfo, channel: &ChannelInfo) -> Self {
        let gauges = &channel.gauges;
        Self {
            name: format!("{} ({})", connection.spec.name(), channel.number),
            vhost: connection.spec.vhost.to_string(),
            is: Gauges {
                consumers: gauges.consumers.get(),
                messages_unacknowledged: gauges.messages_unacknowledged.get(),
                messages_unconfirmed: gauges.messages_unconfirmed.get(),
                messages_uncommitted: gauges.messages_uncommitted.get(),
                acks_uncommitted: gauges.acks_uncommitted.get(),
                prefetch_count: gauges.prefetch_count.get(),
                global_prefetch_count: gauges.global_prefetch_count.get(),
            },
            stats: channel.counters.read(),
        }
    }
}

impl ChannelRow {
    /// What channels counted that have ended.
    pub(super) fn ended(stats: MessageStats) -> Self {
        Self { stats, ..Self::default() }
    }
}

impl MetricRow for ChannelRow {
    fn labels(&self, labels: &mut Labels<'_>) {
        labels.add("channel", &self.name);
    }
}

/// The labels of what RabbitMQ counts for each exchange or queue, too.
fn in_vhost(channel: &ChannelRow, labels: &mut Labels<'_>) {
    channel.labels(labels);
    labels.add("vhost", &channel.vhost);
}

/// A connection as it was at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionRow {
    name: String,
    received_bytes: u64,
    reads: u64,
    sent_bytes: u64,
    writes: u64,
    pending_bytes: u64,
    channels: usize,
}

impl ConnectionRow {
    pub(super) fn new(connection: &ConnectionInfo) -> Self {
        let counters = &connection.counters;
        Self {
            name: connection.spec.name(),
            received_bytes: counters.received_bytes.get(),
            reads: counters.reads.get(),
            sent_bytes: counters.sent_bytes.get(),
            writes: counters.writes.get(),
            pending_bytes: counters.pending_bytes.get(),
            channels: connection.channel_count(),
        }
    }
}

impl ConnectionRow {
    /// What connections sent and received that have ended.
    pub(super) fn ended(ended: ConnectionTotals) -> Self {
        let ConnectionTotals { received_bytes, reads, sent_bytes, writes } = ended;
        Self { received_bytes, reads, sent_bytes, writes, ..Self::default() }
    }
}

impl MetricRow for ConnectionRow {
    /// RabbitMQ gives its connections the label of channels.
    fn labels(&self, labels: &mut Labels<'_>) {
        labels.add("channel", &self.name);
    }
}

/// Of each channel.
pub(super) const CHANNELS: &[Family<ChannelRow>] = &[
    gauge("channel_consumers", &["channel_metrics"], "Consumers on a channel", |channel| channel.is.consumers.into()),
    gauge("channel_messages_unacked", &["channel_metrics"], "Delivered but not yet acknowledged messages", |channel| {
        channel.is.messages_unacknowledged.into()
    }),
    gauge(
        "channel_messages_unconfirmed",
        &["channel_metrics"],
        "Published but not yet confirmed messages",
        |channel| channel.is.messages_unconfirmed.into(),
    ),
    gauge(
        "channel_messages_uncommitted",
        &["channel_metrics"],
        "Messages received in a transaction but not yet committed",
        |channel| channel.is.messages_uncommitted.into(),
    ),
    gauge(
        "channel_acks_uncommitted",
        &["channel_metrics"],
        "Message acknowledgements in a transaction not yet committed",
        |channel| channel.is.acks_uncommitted.into(),
    ),
    gauge("consumer_prefetch", &["channel_metrics"], "Limit of unacknowledged messages for each consumer", |channel| {
        channel.is.prefetch_count.into()
    }),
    gauge("channel_prefetch", &["channel_metrics"], "Deprecated and will be removed in a future version", |channel| {
        channel.is.global_prefetch_count.into()
    }),
    counter(
        "channel_messages_published_total",
        &["channel_exchange_metrics"],
        "Total number of messages published into an exchange on a channel",
        |channel: &ChannelRow| channel.stats.publish.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_confirmed_total",
        &["channel_exchange_metrics"],
        "Total number of messages published into an exchange and confirmed on the channel",
        |channel: &ChannelRow| channel.stats.confirm.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_unroutable_returned_total",
        &["channel_exchange_metrics"],
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
        |channel: &ChannelRow| channel.stats.return_unroutable.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_unroutable_dropped_total",
        &["channel_exchange_metrics"],
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
        |channel: &ChannelRow| channel.stats.drop_unroutable.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_process_reductions_total",
        &["channel_process_metrics"],
        "Total number of channel process reductions",
        |_| Number::Count(0),
    ),
    counter(
        "channel_get_ack_total",
        &["channel_queue_metrics"],
        "Total number of messages fetched with basic.get in manual acknowledgement mode",
        |channel: &ChannelRow| channel.stats.get.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_get_total",
        &["channel_queue_metrics"],
        "Total number of messages fetched with basic.get in automatic acknowledgement mode",
        |channel: &ChannelRow| channel.stats.get_no_ack.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_delivered_ack_total",
        &["channel_queue_metrics"],
        "Total number of messages delivered to consumers in manual acknowledgement mode",
        |channel: &ChannelRow| channel.stats.deliver.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_delivered_total",
        &["channel_queue_metrics"],
        "Total number of messages delivered to consumers in automatic acknowledgement mode",
        |channel: &ChannelRow| channel.stats.deliver_no_ack.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_redelivered_total",
        &["channel_queue_metrics"],
        "Total number of messages redelivered to consumers",
        |channel: &ChannelRow| channel.stats.redeliver.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_messages_acked_total",
        &["channel_queue_metrics"],
        "Total number of messages acknowledged by consumers",
        |channel: &ChannelRow| channel.stats.ack.into(),
    )
    .labelled(in_vhost),
    counter(
        "channel_get_empty_total",
        &["channel_queue_metrics"],
        "Total number of times basic.get operations fetched no message",
        |channel: &ChannelRow| channel.stats.get_empty.into(),
    )
    .labelled(in_vhost),
];

/// Of each connection.
pub(super) const CONNECTIONS: &[Family<ConnectionRow>] = &[
    counter(
        "connection_incoming_bytes_total",
        &["connection_coarse_metrics"],
        "Total number of bytes received on a connection",
        |connection| connection.received_bytes.into(),
    ),
    counter(
        "connection_outgoing_bytes_total",
        &["connection_coarse_metrics"],
        "Total number of bytes sent on a connection",
        |connection| connection.sent_bytes.into(),
    ),
    counter(
        "connection_process_reductions_total",
        &["connection_coarse_metrics"],
        "Total number of connection process reductions",
        |_| Number::Count(0),
    ),
    counter(
        "connection_incoming_packets_total",
        &["connection_metrics"],
        "Total number of packets received on a connection",
        |connection| connection.reads.into(),
    ),
    counter(
        "connection_outgoing_packets_total",
        &["connection_metrics"],
        "Total number of packets sent on a connection",
        |connection| connection.writes.into(),
    ),
    gauge(
        "connection_pending_packets",
        &["connection_metrics"],
        "Number of packets waiting to be sent on a connection",
        |connection| connection.pending_bytes.into(),
    ),
    gauge("connection_channels", &["connection_metrics"], "Channels on a connection", |connection| {
        connection.channels.into()
    }),
];
