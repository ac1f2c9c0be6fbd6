//! `/nodes`: the only one there is.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::api::Api;
use super::overview::{self, ERLANG_FULL_VERSION, ERLANG_VERSION};
use super::rates::Owner;
use super::refusal::Refusal;
use super::request::Request;
use super::stats::RateKind;
use crate::host;

/// What is sampled of the node, by RabbitMQ's names.
const RESOURCES: [&str; 5] = ["mem_used", "disk_free", "fd_used", "sockets_used", "proc_used"];

/// What only Erlang, Mnesia and the files of RabbitMQ's queues have: agents ask for them, and each is 0.
const NONE_HERE: [&str; 20] = [
    "context_switches",
    "gc_num",
    "gc_bytes_reclaimed",
    "io_read_avg_time",
    "io_read_bytes",
    "io_read_count",
    "io_reopen_count",
    "io_seek_avg_time",
    "io_seek_count",
    "io_sync_avg_time",
    "io_sync_count",
    "io_write_avg_time",
    "io_write_bytes",
    "io_write_count",
    "mnesia_disk_tx_count",
    "mnesia_ram_tx_count",
    "msg_store_read_count",
    "msg_store_write_count",
    "queue_index_read_count",
    "queue_index_write_count",
];

/// The numbers of [`RESOURCES`].
pub(super) fn resources(api: &Api) -> [u64; 5] {
    let shared = api.broker.node();
    let used_bytes = host::resident_bytes().unwrap_or_else(|| shared.memory.bytes());
    let data_dir = Path::new(api.data_dir.as_deref().unwrap_or("/"));
    let disk_free = host::disk_free_bytes(data_dir).unwrap_or_default();
    let connections = shared.registry.connection_count() as u64;
    [used_bytes, disk_free, host::descriptors_used(), connections, connections]
}

fn node(request: &Request<'_>) -> Value {
    let api = request.api;
    let shared = api.broker.node();
    let [used_bytes, disk_free, fd_used, sockets_used, _] = resources(api);
    let mem_limit = shared.alarm.watermark_bytes().min(host::resident_bytes_max());
    let churn = shared.registry.churn.read();
    let mut node = json!({
        "name": api.node(),
        "type": "disc",
        "running": true,
        "being_drained": api.app.is_drained(),
        "uptime": api.clock.now_ms().saturating_sub(api.started_at_ms),
        "os_pid": host::process_id().to_string(),
        "mem_used": used_bytes,
        "mem_limit": mem_limit,
        "mem_alarm": shared.alarm.is_memory(),
        "mem_calculation_strategy": "rss",
        "disk_free": disk_free,
        "disk_free_limit": api.broker.node().alarm.disk_free_limit_bytes(),
        "disk_free_alarm": shared.alarm.is_disk(),
        "fd_used": fd_used,
        "fd_total": host::descriptor_limit(),
        "sockets_used": sockets_used,
        "sockets_total": host::descriptor_limit(),
        "proc_used": sockets_used,
        "proc_total": 1_048_576,
    });
    if let Some(node) = node.as_object_mut() {
        node.extend(facts(request));
        for (name, count) in churn.named().chain(NONE_HERE.map(|name| (name, 0))) {
            node.insert(name.to_owned(), count.into());
            node.insert(format!("{name}_details"), json!({ "rate": 0.0 }));
        }
        let moves = request.details(Owner::NodeResources, RESOURCES.len(), RateKind::NodeStats);
        for (name, details) in RESOURCES.iter().zip(moves) {
            node.insert(format!("{name}_details"), json!(details));
        }
    }
    node
}

/// What does not change while the node runs.
fn facts(request: &Request<'_>) -> Map<String, Value> {
    let api = request.api;
    let facts = json!({
        "processors": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "run_queue": 0,
        "rates_mode": "basic",
        "net_ticktime": 60,
        "rabbitmq_version": api.identity.version,
        "erlang_version": ERLANG_VERSION,
        "erlang_full_version": ERLANG_FULL_VERSION,
        "crypto_lib_version": "",
        "config_files": [],
        "log_files": api.operator.log_places(),
        "db_dir": api.data_dir.as_deref().unwrap_or(":memory:"),
        "partitions": [],
        "cluster_links": [],
        "enabled_plugins": ["rabbitmq_management", "rabbitmq_prometheus"],
        "exchange_types": overview::exchange_types(),
        "contexts": overview::contexts(request),
        "metrics_gc_queue_length": {},
        "ra_open_file_metrics": {},
        "applications": [{ "name": "rabbit", "description": "RabbitMQ", "version": api.identity.version }],
        "auth_mechanisms": [
            { "name": "PLAIN", "description": "SASL PLAIN authentication mechanism", "enabled": true },
            { "name": "AMQPLAIN", "description": "QPid AMQPLAIN mechanism", "enabled": true },
        ],
    });
    // The macro makes an object of braces.
    facts.as_object().cloned().unwrap_or_default()
}

/// `GET /nodes`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&[node(request)]))
}

/// # Errors
/// 404 for every name but that of this node.
pub(super) fn check(request: &Request<'_>) -> Result<(), Refusal> {
    if request.part("node") == request.api.node() { Ok(()) } else { Err(Refusal::absent()) }
}

/// `GET /nodes/{node}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    check(request)?;
    Ok(super::listing::one(request, &node(request)))
}

/// The parts of RabbitMQ's memory; a client that reads types refuses an answer without one of them. What is no number of these three
/// is none here: there are no processes and tables of Erlang.
const MEMORY_PARTS: [&str; 26] = [
    "connection_readers",
    "connection_writers",
    "connection_channels",
    "connection_other",
    "stream_queue_procs",
    "stream_queue_replica_reader_procs",
    "stream_queue_coordinator_procs",
    "quorum_queue_procs",
    "quorum_queue_dlx_procs",
    "queue_procs",
    "plugins",
    METADATA,
    "other_proc",
    "metrics",
    "mgmt_db",
    "quorum_ets",
    "mnesia",
    "metadata_store_ets",
    "other_ets",
    MESSAGES,
    "msg_index",
    "code",
    "atom",
    OTHER,
    "allocated_unused",
    "reserved_unallocated",
];
/// What messages take.
const MESSAGES: &str = "binary";
/// What queues, exchanges, bindings and their like take.
const METADATA: &str = "metadata_store";
/// What is neither.
const OTHER: &str = "other_system";

/// All parts, of these numbers.
fn memory_parts(messages: u64, definitions: u64, other: u64) -> Map<String, Value> {
    let mut parts: Map<_, _> = MEMORY_PARTS.iter().map(|name| ((*name).to_owned(), 0.into())).collect();
    parts.extend(
        [(MESSAGES, messages), (METADATA, definitions), (OTHER, other)]
            .map(|(name, bytes)| (name.to_owned(), bytes.into())),
    );
    parts
}

/// `GET /nodes/{node}/memory`.
pub(super) fn memory(request: &Request<'_>) -> Result<Answer, Refusal> {
    check(request)?;
    let shared = request.api.broker.node();
    let resident_bytes = host::resident_bytes().unwrap_or_default();
    let (messages, definitions) = (shared.memory.bytes(), shared.definitions.bytes());
    let mut parts = memory_parts(messages, definitions, resident_bytes.saturating_sub(messages + definitions));
    parts.insert("strategy".to_owned(), "rss".into());
    let total = json!({ "allocated": messages + definitions, "erlang": 0, "rss": resident_bytes });
    parts.insert("total".to_owned(), total);
    Ok(Answer::json(&json!({ "memory": parts })))
}

/// `GET /nodes/{node}/memory/relative`.
pub(super) fn memory_relative(request: &Request<'_>) -> Result<Answer, Refusal> {
    check(request)?;
    let shared = request.api.broker.node();
    let resident_bytes = host::resident_bytes().unwrap_or_default().max(1);
    let percent = |bytes: u64| bytes.saturating_mul(100) / resident_bytes;
    let (messages, definitions) = (percent(shared.memory.bytes()), percent(shared.definitions.bytes()));
    let mut parts = memory_parts(messages, definitions, 100u64.saturating_sub(messages + definitions));
    parts.insert("total".to_owned(), 100.into());
    Ok(Answer::json(&json!({ "memory": parts })))
}

/// `GET /nodes/{node}/memory/ets`, `.../ets/relative`: there are no such tables.
pub(super) fn memory_ets(request: &Request<'_>) -> Result<Answer, Refusal> {
    check(request)?;
    Ok(Answer::json(&json!({ "ets_tables_memory": { "total": 0 } })))
}
