//! What is told of the node: one sample each.

use std::path::Path;
use std::sync::Arc;

use super::family::{Family, MetricRow, counter, gauge, untyped};
use super::text::{self, Labels, MetricKind, Name, Number};
use crate::broker::registry::Registry;
use crate::host;
use crate::http::Api;
use crate::metrics::{ChurnStats, IoCounters, MessageStats, SYNC_BUCKETS_US};

/// The node as it was at one moment.
#[derive(Debug)]
pub(super) struct NodeRow {
    churn: ChurnStats,
    passed: MessageStats,
    io: Arc<IoCounters>,
    open_files: u64,
    open_files_max: u64,
    resident_bytes: u64,
    memory_limit_bytes: u64,
    disk_free_bytes: u64,
    disk_free_limit_bytes: u64,
    uptime_seconds: f64,
    connections: usize,
    channels: usize,
    consumers: usize,
    queues: usize,
    is_disk_alarm: bool,
    is_memory_alarm: bool,
}

impl MetricRow for NodeRow {
    fn labels(&self, _: &mut Labels<'_>) {}
}

impl NodeRow {
    /// With how many queues and consumers there are.
    pub(super) fn new(api: &Api, queues: usize, consumers: usize) -> Self {
        let shared = api.broker.node();
        let connections = shared.registry.connections();
        Self {
            churn: shared.registry.churn.read(),
            passed: shared.registry.message_stats(),
            io: Arc::clone(&api.io),
            open_files: host::descriptors_used(),
            open_files_max: host::descriptor_limit(),
            resident_bytes: host::resident_bytes().unwrap_or_else(|| shared.memory.bytes()),
            memory_limit_bytes: shared.alarm.watermark_bytes().min(host::resident_bytes_max()),
            disk_free_bytes: host::disk_free_bytes(Path::new(api.data_dir.as_deref().unwrap_or("/")))
                .unwrap_or_default(),
            disk_free_limit_bytes: api.broker.node().alarm.disk_free_limit_bytes(),
            uptime_seconds: seconds(api.clock.now_ms().saturating_sub(api.started_at_ms).saturating_mul(1000)),
            channels: connections.iter().map(|connection| connection.channel_count()).sum(),
            connections: connections.len(),
            consumers,
            queues,
            is_disk_alarm: shared.alarm.is_disk(),
            is_memory_alarm: shared.alarm.is_memory(),
        }
    }

    fn syncs(&self) -> u64 {
        self.io.syncs.iter().map(crate::metrics::SharedCounter::get).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "times stay far below 2^52 microseconds")]
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// When the broker was started.
pub(super) fn started(api: &Api) -> String {
    let mut out = String::new();
    let name = Name { prefix: "", name: "process_start_time_seconds" };
    text::head(&mut out, name, MetricKind::Gauge, "Start time of the process since unix epoch in seconds.");
    text::sample(&mut out, name, |_| {}, (api.started_at_ms / 1000).into());
    out
}

/// What takes how much memory: what is counted, and the rest of the process.
pub(super) fn memory(api: &Api) -> String {
    let mut out = String::new();
    let shared = api.broker.node();
    let resident_bytes = host::resident_bytes().unwrap_or_default();
    let (messages, definitions) = (shared.memory.bytes(), shared.definitions.bytes());
    let connections = shared.registry.taken.bytes() + shared.half_frames.bytes();
    let other = resident_bytes.saturating_sub(messages + definitions + connections);
    for (name, help, bytes) in [
        ("binary_heap_bytes", "Binary heap size in bytes", messages),
        ("modern_metadata_store_bytes", "Modern metadata store footprint in bytes", definitions),
        ("client_connection_other_bytes", "Client connection other processes footprint in bytes", connections),
        ("other_system_bytes", "Other runtime footprint in bytes", other),
    ] {
        let name = Name { prefix: "rabbitmq_memory_", name };
        text::head(&mut out, name, MetricKind::Gauge, help);
        text::sample(&mut out, name, |_| {}, bytes.into());
    }
    out
}

/// How long files take to be made durable, which every confirm of a durable message waits for.
pub(super) fn syncs(io: &IoCounters) -> String {
    let mut out = String::new();
    let name = |name| Name { prefix: "leveret_", name };
    let family = "log_sync_duration_seconds";
    text::head(&mut out, name(family), MetricKind::Histogram, "Time that it took to make a file of the store durable");
    let mut count = 0;
    for (place, counter) in io.syncs.iter().enumerate() {
        count += counter.get();
        let bound = SYNC_BUCKETS_US.get(place).map_or_else(|| "+Inf".to_owned(), |us| seconds(*us).to_string());
        text::sample(
            &mut out,
            name("log_sync_duration_seconds_bucket"),
            |labels| labels.add("le", &bound),
            count.into(),
        );
    }
    let sum = Number::Real(seconds(io.sync_us.get()));
    text::sample(&mut out, name("log_sync_duration_seconds_count"), |_| {}, count.into());
    text::sample(&mut out, name("log_sync_duration_seconds_sum"), |_| {}, sum);
    out
}

/// What was lost of all queues, also of those that are gone, and of delayed messages.
pub(super) fn unreadable(registry: &Registry) -> String {
    let mut out = String::new();
    let name = Name { prefix: "leveret_", name: "messages_unreadable_total" };
    let help = "Messages that were lost because they could not be read back from files, delayed ones too";
    text::head(&mut out, name, MetricKind::Counter, help);
    text::sample(&mut out, name, |_| {}, registry.message_stats().unreadable.into());
    out
}

pub(super) const NODE: &[Family<NodeRow>] = &[
    counter("connections_opened_total", &["connection_churn_metrics"], "Total number of connections opened", |node| {
        node.churn.connection_created.into()
    }),
    counter(
        "connections_closed_total",
        &["connection_churn_metrics"],
        "Total number of connections closed or terminated",
        |node| node.churn.connection_closed.into(),
    ),
    counter("channels_opened_total", &["connection_churn_metrics"], "Total number of channels opened", |node| {
        node.churn.channel_created.into()
    }),
    counter("channels_closed_total", &["connection_churn_metrics"], "Total number of channels closed", |node| {
        node.churn.channel_closed.into()
    }),
    counter("queues_declared_total", &["connection_churn_metrics"], "Total number of queues declared", |node| {
        node.churn.queue_declared.into()
    }),
    counter("queues_created_total", &["connection_churn_metrics"], "Total number of queues created", |node| {
        node.churn.queue_created.into()
    }),
    counter("queues_deleted_total", &["connection_churn_metrics"], "Total number of queues deleted", |node| {
        node.churn.queue_deleted.into()
    }),
    gauge("process_open_fds", &["node_coarse_metrics"], "Open file descriptors", |node| node.open_files.into()),
    gauge("process_resident_memory_bytes", &["node_coarse_metrics"], "Memory used in bytes", |node| {
        node.resident_bytes.into()
    }),
    gauge("disk_space_available_bytes", &["node_coarse_metrics"], "Disk space available in bytes", |node| {
        node.disk_free_bytes.into()
    }),
    gauge("erlang_processes_used", &["node_coarse_metrics"], "Erlang processes used", |node| node.connections.into()),
    gauge("process_max_fds", &["node_metrics"], "Open file descriptors limit", |node| node.open_files_max.into()),
    gauge("resident_memory_limit_bytes", &["node_metrics"], "Memory high watermark in bytes", |node| {
        node.memory_limit_bytes.into()
    }),
    gauge("disk_space_available_limit_bytes", &["node_metrics"], "Free disk space low watermark in bytes", |node| {
        node.disk_free_limit_bytes.into()
    }),
    gauge("erlang_processes_limit", &["node_metrics"], "Erlang processes limit", |node| node.open_files_max.into()),
    gauge("erlang_uptime_seconds", &["node_metrics"], "Node uptime", |node| node.uptime_seconds.into()),
    counter("io_read_ops_total", &["node_persister_metrics"], "Total number of I/O read operations", |node| {
        node.io.read_ops.get().into()
    }),
    counter("io_read_bytes_total", &["node_persister_metrics"], "Total number of I/O bytes read", |node| {
        node.io.read_bytes.get().into()
    }),
    counter("io_write_ops_total", &["node_persister_metrics"], "Total number of I/O write operations", |node| {
        node.io.write_ops.get().into()
    }),
    counter("io_write_bytes_total", &["node_persister_metrics"], "Total number of I/O bytes written", |node| {
        node.io.write_bytes.get().into()
    }),
    counter("io_sync_ops_total", &["node_persister_metrics"], "Total number of I/O sync operations", |node| {
        node.syncs().into()
    }),
    counter("io_sync_time_seconds_total", &["node_persister_metrics"], "Total I/O sync time", |node| {
        seconds(node.io.sync_us.get()).into()
    }),
    counter("io_read_time_seconds_total", &["node_persister_metrics"], "Total I/O read time", |node| {
        seconds(node.io.read_us.get()).into()
    }),
    counter("io_write_time_seconds_total", &["node_persister_metrics"], "Total I/O write time", |node| {
        seconds(node.io.write_us.get()).into()
    }),
    counter("exchange_messages_published_total", &[], "Total number of messages published into an exchange", |node| {
        node.passed.publish.into()
    }),
    counter(
        "exchange_messages_confirmed_total",
        &[],
        "Total number of messages published into an exchange and confirmed",
        |node| node.passed.confirm.into(),
    ),
    counter(
        "exchange_messages_unroutable_returned_total",
        &[],
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
        |node| node.passed.return_unroutable.into(),
    ),
    counter(
        "exchange_messages_unroutable_dropped_total",
        &[],
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
        |node| node.passed.drop_unroutable.into(),
    ),
    gauge("connections", &[], "Connections currently open", |node| node.connections.into()),
    gauge("channels", &[], "Channels currently open", |node| node.channels.into()),
    gauge("consumers", &[], "Consumers currently connected", |node| node.consumers.into()),
    gauge("queues", &[], "Queues available", |node| node.queues.into()),
    untyped("alarms_free_disk_space_watermark", &[], "is 1 if free disk space watermark alarm is in effect", |node| {
        u64::from(node.is_disk_alarm).into()
    }),
    untyped("alarms_memory_used_watermark", &[], "is 1 if VM memory watermark alarm is in effect", |node| {
        u64::from(node.is_memory_alarm).into()
    }),
    gauge(
        "unreachable_cluster_peers_count",
        &[],
        "Number of peers in the cluster the current node cannot reach.",
        |_| Number::Count(0),
    ),
];
