//! Verbs of RabbitMQ that make no sense for this broker: each says so, and what to do instead.

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::Output;
use super::verb::{ANY, CTL, DIAGNOSTICS, Tool, Tools, Verb};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    // There is no Erlang.
    no_erlang("eval_file"),
    no_erlang("exec"),
    Verb::new("remote_shell", DIAGNOSTICS, NO_ERLANG, |it| Err(Failure::said(exit::USAGE, no_erlang_text(it)))),
    Verb::new("observer", DIAGNOSTICS, NO_ERLANG, |it| Err(Failure::said(exit::USAGE, no_erlang_text(it)))),
    // There is one node.
    single("join_cluster", CTL),
    single("forget_cluster_node", CTL),
    single("force_boot", CTL),
    single("force_standalone_khepri_boot", CTL),
    single("rename_cluster_node", CTL),
    single("update_cluster_nodes", CTL),
    single("add_member", &[Tool::Queues]),
    single("delete_member", &[Tool::Queues]),
    single("grow", &[Tool::Queues, Tool::Streams]),
    single("shrink", &[Tool::Queues, Tool::Streams]),
    single("transfer_leadership", &[Tool::Queues, Tool::Streams]),
    single("add_replica", &[Tool::Streams]),
    single("delete_replica", &[Tool::Streams]),
    // There are no streams.
    no_streams("add_super_stream"),
    no_streams("delete_super_stream"),
    no_streams("restart_stream"),
    no_streams("stream_status"),
    no_streams("coordinator_status"),
];

const NO_ERLANG: &str = "Not served: there is no Erlang in this broker";

const fn no_erlang(name: &'static str) -> Verb {
    Verb::new(name, CTL, NO_ERLANG, |it| Err(Failure::said(exit::USAGE, no_erlang_text(it)))).takes(0, ANY, "<expr>")
}

pub(super) fn no_erlang_text(it: &Invocation) -> String {
    format!("'{}' cannot be served: this broker has no Erlang that could be evaluated", it.verb.name)
}

const fn single(name: &'static str, tools: Tools) -> Verb {
    Verb::new(name, tools, "Not served: this broker is always one node", refuse_cluster).takes(0, ANY, "")
}

fn refuse_cluster(it: &Invocation) -> Result<Output, Failure> {
    Err(Failure::said(
        exit::UNAVAILABLE,
        format!("'{}' cannot be served: this broker is always one node", it.verb.name),
    ))
}

const fn no_streams(name: &'static str) -> Verb {
    Verb::new(name, &[Tool::Streams], "Not served: this broker has no streams", refuse_streams).takes(0, ANY, "")
}

fn refuse_streams(it: &Invocation) -> Result<Output, Failure> {
    Err(Failure::said(
        exit::UNAVAILABLE,
        format!("'{}' cannot be served: this broker has no streams yet", it.verb.name),
    ))
}
