//! `/overview`, and who the caller and the cluster are.

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::answer::Answer;
use super::listing;
use super::rates::{Details, Owner};
use super::refusal::Refusal;
use super::request::Request;
use super::stats::{self, CountedStats, PassedStats, RateKind};
use crate::broker::exchange::EXCHANGE_TYPES;

/// What clients that ask for Erlang are told: there is none, but some programs insist on the key.
pub(super) const ERLANG_VERSION: &str = "27.3";
pub(super) const ERLANG_FULL_VERSION: &str = "Leveret (not Erlang)";

/// A moment as RabbitMQ's API writes it: `2026-11-23T23:09:12.475+00:00`.
pub(super) fn timestamp(ms: u64) -> String {
    let nanoseconds = i128::from(ms) * 1_000_000;
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds) else { return String::new() };
    let (date, time) = (at.date(), at.time());
    let mut text = String::with_capacity("2026-01-01T00:00:00.000+00:00".len());
    // A list has thousands of them, which `format!` would take 5 % of its time for.
    let mut push = |number: u32, digits: u32, end: &str| {
        text.extend((0..digits).rev().filter_map(|digit| char::from_digit(number / 10_u32.pow(digit) % 10, 10)));
        text.push_str(end);
    };
    push(date.year().unsigned_abs(), 4, "-");
    push(u32::from(u8::from(date.month())), 2, "-");
    push(u32::from(date.day()), 2, "T");
    push(u32::from(time.hour()), 2, ":");
    push(u32::from(time.minute()), 2, ":");
    push(u32::from(time.second()), 2, ".");
    push(u32::from(time.millisecond()), 3, "+00:00");
    text
}

#[derive(Debug, Serialize)]
struct Overview {
    management_version: String,
    rates_mode: &'static str,
    sample_retention_policies: Value,
    exchange_types: Value,
    product_version: String,
    product_name: String,
    rabbitmq_version: String,
    leveret_version: String,
    cluster_name: String,
    cluster_tags: Map<String, Value>,
    node_tags: Map<String, Value>,
    erlang_version: &'static str,
    erlang_full_version: &'static str,
    crypto_lib_version: &'static str,
    disable_stats: bool,
    default_queue_type: &'static str,
    is_op_policy_updating_enabled: bool,
    enable_queue_totals: bool,
    require_definition_json_extension: bool,
    object_totals: ObjectTotals,
    node: String,
    #[serde(flatten)]
    statistics: Option<Statistics>,
}

#[derive(Debug, Serialize)]
struct ObjectTotals {
    connections: usize,
    exchanges: usize,
    queues: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumers: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Statistics {
    message_stats: PassedStats,
    churn_rates: CountedStats,
    queue_totals: QueueTotals,
    statistics_db_event_queue: u64,
    listeners: Value,
    contexts: Value,
}

#[derive(Debug, Serialize)]
struct QueueTotals {
    messages: usize,
    messages_ready: usize,
    messages_unacknowledged: usize,
    messages_details: Details,
    messages_ready_details: Details,
    messages_unacknowledged_details: Details,
}

/// `GET /overview`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let identity = &request.api.identity;
    let has_stats = !request.is_set("disable_stats");
    let sums = Sums::of(request, has_stats)?;
    let overview = Overview {
        management_version: identity.version.clone(),
        rates_mode: "basic",
        sample_retention_policies: json!({ "global": [600, 3600, 86400], "basic": [60, 3600, 86400], "detailed": [60, 3600] }),
        exchange_types: exchange_types(),
        product_version: identity.version.clone(),
        product_name: identity.product.clone(),
        rabbitmq_version: identity.version.clone(),
        leveret_version: identity.leveret_version.clone(),
        cluster_name: super::cluster::name(request.api),
        cluster_tags: super::cluster::tags(request.api),
        node_tags: Map::new(),
        erlang_version: ERLANG_VERSION,
        erlang_full_version: ERLANG_FULL_VERSION,
        crypto_lib_version: "",
        disable_stats: false,
        default_queue_type: request.api.broker.node().settings.default_queue_kind.name(),
        is_op_policy_updating_enabled: true,
        enable_queue_totals: false,
        require_definition_json_extension: false,
        object_totals: object_totals(request, &sums, has_stats),
        node: request.api.node().to_owned(),
        statistics: has_stats.then(|| statistics(request, &sums)),
    };
    Ok(listing::one(request, &overview))
}

/// Every exchange type there is.
pub(super) fn exchange_types() -> Value {
    let types = EXCHANGE_TYPES.iter().map(|exchange_type| {
        json!({ "name": exchange_type.name, "description": exchange_type.description, "enabled": true })
    });
    types.collect()
}

/// What all queues that the caller may see come to, in one pass over them.
#[derive(Debug, Default)]
struct Sums {
    exchanges: usize,
    queues: usize,
    consumers: usize,
    ready: usize,
    unacknowledged: usize,
}

impl Sums {
    fn of(request: &Request<'_>, has_stats: bool) -> Result<Self, Refusal> {
        let mut sums = Self::default();
        for vhost in request.vhosts()? {
            sums.exchanges += vhost.read(|topology| topology.objects().exchanges);
            let queues = vhost.queues();
            sums.queues += queues.len();
            if !has_stats {
                continue;
            }
            for queue in queues.iter().filter_map(|queue| queue.snapshot()) {
                sums.consumers += queue.consumers;
                sums.ready += queue.messages_ready;
                sums.unacknowledged += queue.messages_unacknowledged;
            }
        }
        Ok(sums)
    }
}

fn object_totals(request: &Request<'_>, sums: &Sums, has_stats: bool) -> ObjectTotals {
    let connections = request.api.broker.node().registry.connections();
    ObjectTotals {
        connections: connections.len(),
        exchanges: sums.exchanges,
        queues: sums.queues,
        channels: has_stats.then(|| connections.iter().map(|connection| connection.channel_count()).sum()),
        consumers: has_stats.then_some(sums.consumers),
    }
}

fn statistics(request: &Request<'_>, sums: &Sums) -> Statistics {
    let registry = &request.api.broker.node().registry;
    let details = request.details(Owner::NodeQueues, 3, RateKind::Lengths);
    let [messages_details, messages_ready_details, messages_unacknowledged_details] =
        details.try_into().unwrap_or_default();
    Statistics {
        message_stats: PassedStats::new(registry.message_stats(), request, Owner::Node),
        churn_rates: stats::churn(registry.churn.read(), request),
        queue_totals: QueueTotals {
            messages: sums.ready + sums.unacknowledged,
            messages_ready: sums.ready,
            messages_unacknowledged: sums.unacknowledged,
            messages_details,
            messages_ready_details,
            messages_unacknowledged_details,
        },
        statistics_db_event_queue: 0,
        listeners: listeners(request),
        contexts: contexts(request),
    }
}

fn listeners(request: &Request<'_>) -> Value {
    let listener = |listener: &super::ListenerInfo| {
        json!({
            "node": request.api.node(),
            "protocol": listener.protocol,
            "ip_address": listener.address.ip().to_string(),
            "port": listener.address.port(),
            "socket_opts": [],
            "tls": listener.certificates.is_some(),
        })
    };
    request.api.listeners.iter().map(listener).collect()
}

/// What HTTP is served for.
pub(super) fn contexts(request: &Request<'_>) -> Value {
    let context = |listener: &super::ListenerInfo| {
        json!({
            "node": request.api.node(),
            "description": if matches!(listener.protocol, "http" | "https") { "RabbitMQ Management" } else { "RabbitMQ Prometheus" },
            "path": "/",
            "port": listener.address.port().to_string(),
            "ip": listener.address.ip().to_string(),
            "cowboy_opts": "[]",
            "ssl_opts": [],
        })
    };
    request.api.listeners.iter().filter(|listener| listener.protocol.starts_with("http")).map(context).collect()
}

/// `GET /version`, for which nobody needs to log in.
pub(super) fn version(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&request.api.identity.version))
}

/// `GET /whoami`.
pub(super) fn whoami(request: &Request<'_>) -> Result<Answer, Refusal> {
    let caller = request.caller()?;
    Ok(Answer::json(&json!({ "name": caller.name(), "tags": caller.tags(), "is_internal_user": caller.is_internal() })))
}

/// `GET /extensions`.
pub(super) fn extensions(_: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!([{ "javascript": "dispatcher.js" }])))
}

/// What this broker does not have, and nobody misses in an empty list.
pub(super) fn nothing(_: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!([])))
}

/// `GET /auth`: how the pages log in.
pub(super) fn auth(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(request.api.pages_login.answer()))
}
