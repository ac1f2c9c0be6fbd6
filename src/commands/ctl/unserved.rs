//! Verbs of RabbitMQ that make no sense for this broker: each says why, and where there is something else, what to do instead.

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::Output;
use super::verb::{ANY, BOTH, CTL, DIAGNOSTICS, Tool, Tools, Verb};
use crate::commands::exit;

const QUEUES: Tools = &[Tool::Queues];
const STREAMS: Tools = &[Tool::Streams];
const OF_STREAMS: Tools = &[Tool::Ctl, Tool::Diagnostics, Tool::Streams];
const QUEUES_AND_STREAMS: Tools = &[Tool::Queues, Tool::Streams];

pub(super) const VERBS: &[Verb] = &[
    // There is no Erlang.
    no_erlang("eval_file", CTL),
    no_erlang("exec", CTL),
    no_erlang("remote_shell", DIAGNOSTICS),
    no_erlang("observer", DIAGNOSTICS),
    no_erlang("maybe_stuck", DIAGNOSTICS),
    no_erlang("runtime_thread_stats", DIAGNOSTICS),
    no_erlang("resolver_info", DIAGNOSTICS),
    no_erlang("resolve_hostname", DIAGNOSTICS),
    no_erlang("erlang_cookie_hash", DIAGNOSTICS),
    no_erlang("erlang_cookie_sources", DIAGNOSTICS),
    no_erlang("list_hashes", BOTH),
    // There is one node.
    single("join_cluster", CTL),
    single("forget_cluster_node", CTL),
    single("force_boot", CTL),
    single("force_standalone_khepri_boot", CTL),
    single("rename_cluster_node", CTL),
    single("update_cluster_nodes", CTL),
    single("discover_peers", DIAGNOSTICS),
    single("metadata_store_status", DIAGNOSTICS),
    single("add_member", QUEUES),
    single("delete_member", QUEUES),
    single("grow", QUEUES_AND_STREAMS),
    single("grow_to_count", QUEUES),
    single("shrink", QUEUES_AND_STREAMS),
    single("transfer_leadership", QUEUES_AND_STREAMS),
    single("add_replica", STREAMS),
    single("delete_replica", STREAMS),
    // There are no streams.
    no_streams("add_super_stream", STREAMS),
    no_streams("delete_super_stream", STREAMS),
    no_streams("restart_stream", STREAMS),
    no_streams("reset_offset", STREAMS),
    no_streams("list_stream_tracking", STREAMS),
    no_streams("stream_status", &[Tool::Diagnostics, Tool::Queues, Tool::Streams]),
    no_streams("coordinator_status", &[Tool::Diagnostics, Tool::Streams]),
    no_streams("activate_stream_consumer", &[Tool::Ctl, Tool::Streams]),
    no_streams("list_stream_connections", OF_STREAMS),
    no_streams("list_stream_consumers", OF_STREAMS),
    no_streams("list_stream_consumer_groups", OF_STREAMS),
    no_streams("list_stream_group_consumers", OF_STREAMS),
    no_streams("list_stream_publishers", OF_STREAMS),
    // Values of the configuration are not encrypted.
    refused("encode", CTL, NOT_ENCRYPTED),
    refused("decode", CTL, NOT_ENCRYPTED),
    refused("encrypt_conf_value", CTL, NOT_ENCRYPTED),
    refused("decrypt_conf_value", CTL, NOT_ENCRYPTED),
    // What is always on, or nowhere.
    refused("activate_free_disk_space_monitoring", BOTH, DISK_IS_WATCHED),
    refused("deactivate_free_disk_space_monitoring", BOTH, DISK_IS_WATCHED),
    refused("list_channel_interceptors", BOTH, NO_INTERCEPTORS),
    refused("set_channel_interceptor_priorities", CTL, NO_INTERCEPTORS),
    refused("enable_auth_attempt_source_tracking", DIAGNOSTICS, NO_ATTEMPTS),
    refused("disable_auth_attempt_source_tracking", DIAGNOSTICS, NO_ATTEMPTS),
    refused("reset_node_auth_attempt_metrics", DIAGNOSTICS, "counts of logins are never set back"),
    // What something else does.
    refused("certificates", DIAGNOSTICS, "'openssl s_client -connect HOST:5671' shows the certificate that is used"),
    refused("command_line_arguments", DIAGNOSTICS, "'leveret config show' tells what each flag set"),
    refused("consistent_hash_exchange_ring_state", DIAGNOSTICS, "'leveret routes' tells where a message would go"),
    refused("consume_event_stream", DIAGNOSTICS, "a queue that is bound to the exchange amq.rabbitmq.event gets them"),
    refused("list_network_interfaces", DIAGNOSTICS, "'ip address' tells them"),
    refused("message_size_stats", DIAGNOSTICS, "sizes of messages are not counted"),
];

const NOT_ENCRYPTED: &str =
    "values of the configuration are not encrypted: default_pass_file and $(VARIABLE) keep a password out of a file";
const DISK_IS_WATCHED: &str = "the free space is always watched: set_disk_free_limit sets how much must be left";
const NO_INTERCEPTORS: &str = "messages are not changed on their way";
const NO_ATTEMPTS: &str = "logins are not counted by address: the log has a line for each that is refused";
const NO_ERLANG: &str = "this broker has no Erlang that could be evaluated";
const ONE_NODE: &str = "this broker is always one node";
const NO_STREAMS: &str = "this broker has no streams yet";

/// A verb that is refused for this reason. The reason is what help says of it, too.
const fn refused(name: &'static str, tools: Tools, reason: &'static str) -> Verb {
    Verb::new(name, tools, reason, |it| refuse(it, exit::UNAVAILABLE)).takes(0, ANY, "")
}

const fn no_erlang(name: &'static str, tools: Tools) -> Verb {
    Verb::new(name, tools, NO_ERLANG, |it| refuse(it, exit::USAGE)).takes(0, ANY, "")
}

const fn single(name: &'static str, tools: Tools) -> Verb {
    refused(name, tools, ONE_NODE)
}

const fn no_streams(name: &'static str, tools: Tools) -> Verb {
    refused(name, tools, NO_STREAMS)
}

fn refuse(it: &Invocation, code: u8) -> Result<Output, Failure> {
    Err(Failure::said(code, format!("'{}' cannot be served: {}", it.verb.name, it.verb.about)))
}

pub(super) fn no_erlang_text(it: &Invocation) -> String {
    format!("'{}' cannot be served: {NO_ERLANG}", it.verb.name)
}
