//! The stories, told by `rabbitmq_http_client`, which rabbitmqadmin v2 is made of. Its types refuse an answer that lacks a key, or has one
//! of another type: so a story that reads a list has looked at every key that rabbitmqadmin needs.

mod harness;
mod lists;
mod objects;
mod rights;

use std::process::ExitCode;

fn main() -> ExitCode {
    let stories: &[harness::Story] = &[
        ("overview-and-nodes", lists::overview_and_nodes),
        ("health", lists::health),
        ("connections-channels-consumers", lists::connections_channels_consumers),
        ("every-list", lists::every_list),
        ("pages", lists::pages),
        ("queues-and-messages", objects::queues_and_messages),
        ("exchanges-and-bindings", objects::exchanges_and_bindings),
        ("policies", objects::policies),
        ("parameters", objects::parameters),
        ("definitions", objects::definitions),
        ("vhosts", rights::vhosts),
        ("users", rights::users),
        ("permissions", rights::permissions),
        ("limits", rights::limits),
    ];
    ExitCode::from(u8::from(harness::tell(stories) > 0))
}
