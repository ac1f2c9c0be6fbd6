//! Lists of queues, exchanges, bindings, consumers, connections and channels.

use serde_json::Value;

use super::arguments::Invocation;
use super::columns::{self, Column, arguments, from, plain};
use super::failure::Failure;
use super::output::{Output, Table};
use super::verb::{ANY, BOTH, Verb, flag};
use crate::commands::client::escaped;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("list_queues", BOTH, "Lists queues and their properties", queues)
        .takes(
            0,
            ANY,
            "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] [--timeout <timeout>]",
        )
        .switches(&[flag("online"), flag("offline"), flag("local")])
        .checks(|it| columns::check(it, QUEUES))
        .says(|it| {
            let timeout = match it.timeout_s(super::arguments::DEFAULT_TIMEOUT_S) {
                Some(seconds) => format!("Timeout: {seconds}.0 seconds ..."),
                None => "Timeout: infinity ...".to_owned(),
            };
            Some(format!("{timeout}\nListing queues for vhost {} ...", it.vhost()))
        }),
    Verb::new("list_unresponsive_queues", BOTH, "Lists queues that do not answer: there are none", nothing)
        .takes(0, ANY, "[--local] [--queue-timeout <queue-timeout>] [<column> ...] [--no-table-headers]")
        .switches(&[flag("local"), super::verb::value("queue-timeout")])
        .says(|it| Some(format!("Listing unresponsive queues for vhost {} ...", it.vhost()))),
    Verb::new("list_exchanges", BOTH, "Lists exchanges", exchanges)
        .takes(0, ANY, "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]")
        .checks(|it| columns::check(it, EXCHANGES))
        .says(|it| Some(format!("Listing exchanges for vhost {} ...", it.vhost()))),
    Verb::new("list_bindings", BOTH, "Lists bindings of a virtual host", bindings)
        .takes(0, ANY, "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]")
        .checks(|it| columns::check(it, BINDINGS))
        .says(|it| Some(format!("Listing bindings for vhost {}...", it.vhost()))),
    Verb::new("list_consumers", BOTH, "Lists consumers of a virtual host", consumers)
        .takes(0, ANY, "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]")
        .checks(|it| columns::check(it, CONSUMERS))
        .says(|it| Some(format!("Listing consumers in vhost {} ...", it.vhost()))),
    Verb::new("list_connections", BOTH, "Lists connections", connections)
        .takes(0, ANY, "[--no-table-headers] [<column> ...] [--timeout <timeout>]")
        .checks(|it| columns::check(it, CONNECTIONS))
        .says(|_| Some("Listing connections ...".to_owned())),
    Verb::new("list_channels", BOTH, "Lists channels", channels)
        .takes(0, ANY, "[--no-table-headers] [<column> ...] [--timeout <timeout>]")
        .checks(|it| columns::check(it, CHANNELS))
        .says(|_| Some("Listing channels ...".to_owned())),
];

const QUEUES: &[Column] = &[
    plain("name"),
    arguments("arguments"),
    plain("auto_delete"),
    plain("consumer_capacity"),
    plain("consumer_utilisation"),
    plain("consumers"),
    from("disk_reads", "message_stats.disk_reads"),
    from("disk_writes", "message_stats.disk_writes"),
    plain("durable"),
    arguments("effective_policy_definition"),
    plain("exclusive"),
    from("exclusive_consumer_pid", "single_active_consumer_tag"),
    from("exclusive_consumer_tag", "single_active_consumer_tag"),
    plain("head_message_timestamp"),
    from("leader", "node"),
    from("members", "node"),
    plain("memory"),
    plain("message_bytes"),
    plain("message_bytes_persistent"),
    plain("message_bytes_ram"),
    plain("message_bytes_ready"),
    plain("message_bytes_unacknowledged"),
    plain("messages"),
    plain("messages_persistent"),
    plain("messages_ram"),
    plain("messages_ready"),
    plain("messages_ready_ram"),
    plain("messages_unacknowledged"),
    plain("messages_unacknowledged_ram"),
    from("online", "node"),
    plain("operator_policy"),
    from("owner_pid", "owner_pid_details.name"),
    from("pid", "node"),
    plain("policy"),
    plain("state"),
    plain("type"),
    plain("vhost"),
];

const EXCHANGES: &[Column] = &[
    plain("name"),
    plain("type"),
    plain("durable"),
    plain("auto_delete"),
    plain("internal"),
    arguments("arguments"),
    plain("policy"),
    plain("user_who_performed_action"),
];

const BINDINGS: &[Column] = &[
    from("source_name", "source"),
    from("source_kind", "source_kind"),
    from("destination_name", "destination"),
    from("destination_kind", "destination_type"),
    plain("routing_key"),
    arguments("arguments"),
    plain("vhost"),
];

const CONSUMERS: &[Column] = &[
    from("queue_name", "queue.name"),
    from("channel_pid", "channel_details.name"),
    plain("consumer_tag"),
    plain("ack_required"),
    plain("prefetch_count"),
    plain("active"),
    arguments("arguments"),
];

const CONNECTIONS: &[Column] = &[
    from("pid", "name"),
    plain("name"),
    plain("port"),
    plain("host"),
    plain("peer_port"),
    plain("peer_host"),
    plain("ssl"),
    plain("ssl_protocol"),
    plain("ssl_key_exchange"),
    plain("ssl_cipher"),
    plain("ssl_hash"),
    plain("peer_cert_subject"),
    plain("peer_cert_issuer"),
    plain("peer_cert_validity"),
    plain("state"),
    plain("channels"),
    plain("protocol"),
    plain("auth_mechanism"),
    plain("user"),
    plain("vhost"),
    plain("timeout"),
    plain("frame_max"),
    plain("channel_max"),
    arguments("client_properties"),
    plain("recv_oct"),
    plain("recv_cnt"),
    plain("send_oct"),
    plain("send_cnt"),
    plain("send_pend"),
    plain("connected_at"),
    plain("node"),
];

const CHANNELS: &[Column] = &[
    from("pid", "name"),
    from("connection", "connection_details.name"),
    plain("name"),
    plain("number"),
    plain("user"),
    plain("vhost"),
    plain("transactional"),
    plain("confirm"),
    plain("consumer_count"),
    plain("messages_unacknowledged"),
    plain("messages_uncommitted"),
    plain("acks_uncommitted"),
    plain("messages_unconfirmed"),
    plain("prefetch_count"),
    plain("global_prefetch_count"),
    plain("state"),
];

/// What the API lists in the virtual host; nothing if there is no such one.
fn in_vhost(it: &Invocation, kind: &str) -> Result<Value, Failure> {
    let found = it.client()?.find(&format!("/{kind}/{}", escaped(it.vhost())))?;
    Ok(found.unwrap_or_else(|| Value::Array(Vec::new())))
}

fn queues(it: &Invocation) -> Result<Output, Failure> {
    // The only node is always on line.
    if it.is_set("offline") {
        return Ok(Output::Nothing);
    }
    Ok(columns::table(it, QUEUES, &["name", "messages"], &in_vhost(it, "queues")?).into())
}

fn nothing(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.get("/overview?columns=node")?;
    Ok(Table::new(&["name"], Vec::new()).into())
}

fn exchanges(it: &Invocation) -> Result<Output, Failure> {
    Ok(columns::table(it, EXCHANGES, &["name", "type"], &in_vhost(it, "exchanges")?).into())
}

fn bindings(it: &Invocation) -> Result<Output, Failure> {
    let mut found = in_vhost(it, "bindings")?;
    for binding in found.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        binding.insert("source_kind".to_owned(), Value::from("exchange"));
    }
    let otherwise = ["source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"];
    Ok(columns::table(it, BINDINGS, &otherwise, &found).into())
}

fn consumers(it: &Invocation) -> Result<Output, Failure> {
    let otherwise =
        ["queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active", "arguments"];
    Ok(columns::table(it, CONSUMERS, &otherwise, &in_vhost(it, "consumers")?).into())
}

fn connections(it: &Invocation) -> Result<Output, Failure> {
    let found = it.client()?.get("/connections")?;
    Ok(columns::table(it, CONNECTIONS, &["user", "peer_host", "peer_port", "state"], &found).into())
}

fn channels(it: &Invocation) -> Result<Output, Failure> {
    let found = it.client()?.get("/channels")?;
    let otherwise = ["pid", "user", "consumer_count", "messages_unacknowledged"];
    Ok(columns::table(it, CHANNELS, &otherwise, &found).into())
}
