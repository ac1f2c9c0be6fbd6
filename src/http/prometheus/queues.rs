//! What is told of each queue.

use std::sync::Arc;

use super::family::{Family, MetricRow, counter, gauge, unknown};
use super::text::{self, Labels, MetricKind, Name, Number};
use crate::broker::alerts::OldestAges;
use crate::broker::queue::QueueSnapshot;
use crate::broker::queue::arguments::QueueKind;
use crate::metrics::MessageStats;

/// A queue as it was at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueRow {
    pub(super) vhost: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) kind: QueueKind,
    pub(super) is: QueueSnapshot,
    pub(super) ages: OldestAges,
}

impl MetricRow for QueueRow {
    fn labels(&self, labels: &mut Labels<'_>) {
        labels.add("vhost", &self.vhost);
        labels.add("queue", &self.name);
    }
}

/// The labels of what RabbitMQ counts for each channel and exchange, too.
fn in_queue_vhost(queue: &QueueRow, labels: &mut Labels<'_>) {
    labels.add("queue_vhost", &queue.vhost);
    labels.add("queue", &queue.name);
}

fn with_kind(queue: &QueueRow, labels: &mut Labels<'_>) {
    queue.labels(labels);
    labels.add("queue_type", erlang_name(queue.kind));
    labels.add("membership", "leader");
}

/// What RabbitMQ calls a type of queues in its metrics.
pub(super) const fn erlang_name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "rabbit_classic_queue",
        QueueKind::Quorum => "rabbit_quorum_queue",
    }
}

impl QueueRow {
    /// What queues of one type counted that are deleted.
    pub(super) fn ended(stats: MessageStats) -> Self {
        Self { is: QueueSnapshot { stats, ..QueueSnapshot::default() }, ..Self::default() }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn capacity(&self) -> f64 {
        match self.is.consumers {
            0 => 0.0,
            consumers => self.is.consumers_waiting as f64 / consumers as f64,
        }
    }

    /// Not a number when there is none, as in RabbitMQ.
    fn head_timestamp(&self) -> Number {
        self.is.head_message_timestamp.map_or(Number::Real(f64::NAN), Number::Count)
    }
}

/// What RabbitMQ does not tell of each queue.
pub(super) const QUEUE_AGES: &[Family<QueueRow>] = &[
    gauge(
        "queue_oldest_ready_age_seconds",
        &["queue_metrics", "queue_coarse_metrics"],
        "How long the oldest ready message has been in a queue, at least",
        |queue| seconds(queue.ages.ready_ms),
    ),
    gauge(
        "queue_oldest_unacked_age_seconds",
        &["queue_metrics", "queue_coarse_metrics"],
        "How long ago the oldest unacknowledged message was delivered, at least",
        |queue| seconds(queue.ages.unacked_ms),
    ),
];

/// What each queue lost.
pub(super) const QUEUE_LOSSES: &[Family<QueueRow>] = &[counter(
    "queue_messages_unreadable_total",
    &["queue_metrics", "queue_coarse_metrics"],
    "Messages of a queue that were lost because they could not be read back from files",
    |queue| queue.is.stats.unreadable.into(),
)];

/// The same without a queue: of the oldest messages of all queues.
pub(super) fn oldest(ages: OldestAges) -> String {
    let (mut out, all) = (String::new(), QueueRow { ages, ..QueueRow::default() });
    for family in QUEUE_AGES {
        let name = Name { prefix: super::LEVERET, name: family.name };
        text::head(&mut out, name, family.kind, family.help);
        if let Some(of) = family.of {
            text::sample(&mut out, name, |_| {}, of(&all));
        }
    }
    out
}

/// Nothing waits where there is no message.
#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52 milliseconds")]
fn seconds(ms: Option<u64>) -> Number {
    Number::Real(ms.unwrap_or(0) as f64 / 1_000.0)
}

/// Of each queue.
pub(super) const QUEUES: &[Family<QueueRow>] = &[
    gauge("queue_messages_ready", &["queue_coarse_metrics"], "Messages ready to be delivered to consumers", |queue| {
        queue.is.messages_ready.into()
    }),
    gauge(
        "queue_messages_unacked",
        &["queue_coarse_metrics"],
        "Messages delivered to consumers but not yet acknowledged",
        |queue| queue.is.messages_unacknowledged.into(),
    ),
    gauge(
        "queue_messages",
        &["queue_coarse_metrics"],
        "Sum of ready and unacknowledged messages - total queue depth",
        |queue| queue.is.messages().into(),
    ),
    counter(
        "queue_process_reductions_total",
        &["queue_coarse_metrics"],
        "Total number of queue process reductions",
        |_| Number::Count(0),
    ),
    gauge("queue_consumers", &["queue_metrics", "queue_consumer_count"], "Consumers on a queue", |queue| {
        queue.is.consumers.into()
    }),
    gauge("queue_consumer_capacity", &["queue_metrics"], "Consumer capacity", |queue| queue.capacity().into()),
    gauge("queue_consumer_utilisation", &["queue_metrics"], "Same as consumer capacity", |queue| {
        queue.capacity().into()
    }),
    gauge(
        "queue_process_memory_bytes",
        &["queue_metrics"],
        "Memory in bytes used by the Erlang queue process",
        |queue| queue.is.entry_bytes.into(),
    ),
    gauge("queue_messages_ram", &["queue_metrics"], "Ready and unacknowledged messages stored in memory", |queue| {
        queue.is.messages_ram.into()
    }),
    gauge(
        "queue_messages_ram_bytes",
        &["queue_metrics"],
        "Size of ready and unacknowledged messages stored in memory",
        |queue| queue.is.message_bytes_ram.into(),
    ),
    gauge("queue_messages_ready_ram", &["queue_metrics"], "Ready messages stored in memory", |queue| {
        queue.is.messages_ready_ram().into()
    }),
    gauge("queue_messages_unacked_ram", &["queue_metrics"], "Unacknowledged messages stored in memory", |queue| {
        queue.is.messages_unacknowledged.into()
    }),
    gauge("queue_messages_persistent", &["queue_metrics"], "Persistent messages", |queue| {
        queue.is.messages_persistent.into()
    }),
    gauge("queue_messages_persistent_bytes", &["queue_metrics"], "Size in bytes of persistent messages", |queue| {
        queue.is.message_bytes_persistent.into()
    }),
    gauge("queue_messages_bytes", &["queue_metrics"], "Size in bytes of ready and unacknowledged messages", |queue| {
        queue.is.message_bytes().into()
    }),
    gauge("queue_messages_ready_bytes", &["queue_metrics"], "Size in bytes of ready messages", |queue| {
        queue.is.message_bytes_ready.into()
    }),
    gauge(
        "queue_messages_unacked_bytes",
        &["queue_metrics"],
        "Size in bytes of all unacknowledged messages",
        |queue| queue.is.message_bytes_unacknowledged.into(),
    ),
    gauge(
        "queue_head_message_timestamp",
        &["queue_metrics"],
        "Timestamp of the first message in the queue, if any",
        |queue: &QueueRow| queue.head_timestamp(),
    )
    .not_summed(),
    unknown(
        MetricKind::Counter,
        "queue_disk_reads_total",
        &["queue_metrics"],
        "Total number of times queue read messages from disk",
    ),
    unknown(
        MetricKind::Counter,
        "queue_disk_writes_total",
        &["queue_metrics"],
        "Total number of times queue wrote messages to disk",
    ),
    counter(
        "queue_messages_published_total",
        &["channel_queue_exchange_metrics"],
        "Total number of messages published into a queue through an exchange on a channel",
        |queue: &QueueRow| queue.is.stats.publish.into(),
    )
    .labelled(in_queue_vhost),
    counter(
        "queue_exchange_messages_published_total",
        &["queue_exchange_metrics"],
        "Total number of messages published into a queue through an exchange",
        |queue| queue.is.stats.publish.into(),
    ),
    counter(
        "queue_get_ack_total",
        &["queue_delivery_metrics"],
        "Total number of messages fetched from a queue with basic.get in manual acknowledgement mode",
        |queue| queue.is.stats.get.into(),
    ),
    counter(
        "queue_get_total",
        &["queue_delivery_metrics"],
        "Total number of messages fetched from a queue with basic.get in automatic acknowledgement mode",
        |queue| queue.is.stats.get_no_ack.into(),
    ),
    counter(
        "queue_messages_delivered_ack_total",
        &["queue_delivery_metrics"],
        "Total number of messages delivered from a queue to consumers in manual acknowledgement mode",
        |queue| queue.is.stats.deliver.into(),
    ),
    counter(
        "queue_messages_delivered_total",
        &["queue_delivery_metrics"],
        "Total number of messages delivered from a queue to consumers in automatic acknowledgement mode",
        |queue| queue.is.stats.deliver_no_ack.into(),
    ),
    counter(
        "queue_messages_redelivered_total",
        &["queue_delivery_metrics"],
        "Total number of messages redelivered from a queue to consumers",
        |queue| queue.is.stats.redeliver.into(),
    ),
    counter(
        "queue_messages_acked_total",
        &["queue_delivery_metrics"],
        "Total number of messages acknowledged by consumers on a queue",
        |queue| queue.is.stats.ack.into(),
    ),
    counter(
        "queue_get_empty_total",
        &["queue_delivery_metrics"],
        "Total number of times basic.get operations fetched no message on a queue",
        |queue| queue.is.stats.get_empty.into(),
    ),
    gauge(
        "queue_info",
        &["queue_metrics", "queue_coarse_metrics", "queue_consumer_count"],
        "A metric with a constant '1' value and labels that provide some queue details",
        |_| Number::Count(1),
    )
    .labelled(with_kind)
    .per_object_only(),
];
