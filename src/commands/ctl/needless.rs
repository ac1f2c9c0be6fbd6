//! Verbs of RabbitMQ that have nothing to do here, because what they ask for always holds. They say so, and succeed.

use super::health::own_node;
use super::output::Output;
use super::verb::{CTL, DIAGNOSTICS, Tool, Tools, Verb};

const DIAGNOSTICS_AND_QUEUES: Tools = &[Tool::Diagnostics, Tool::Queues];

pub(super) const VERBS: &[Verb] = &[
    idle("force_gc", CTL, "There is no memory that waits to be collected"),
    idle("reconcile_vhosts", CTL, "All virtual hosts are on the only node"),
    idle("reset_stats_db", CTL, "Statistics are not kept in a database"),
    idle("remove_classic_queue_mirroring_from_policies", CTL, "No policy mirrors queues: ha-mode has no effect"),
    idle("force_checkpoint", &[Tool::Queues], "Checkpoints are made when they are due"),
    idle("reclaim_quorum_memory", DIAGNOSTICS_AND_QUEUES, "Quorum queues hold no memory that could be reclaimed"),
    idle(
        "check_for_quorum_queues_without_an_elected_leader",
        DIAGNOSTICS,
        "Node reported no quorum queues without an elected leader",
    ),
    idle(
        "check_if_cluster_has_classic_queue_mirroring_policy",
        DIAGNOSTICS_AND_QUEUES,
        "Cluster reported no policies that enable classic queue mirroring",
    ),
    idle(
        "list_policies_with_classic_queue_mirroring",
        DIAGNOSTICS_AND_QUEUES,
        "There are no policies that enable classic queue mirroring",
    ),
    idle(
        "list_operator_policies_with_classic_queue_mirroring",
        DIAGNOSTICS_AND_QUEUES,
        "There are no operator policies that enable classic queue mirroring",
    ),
    idle(
        "check_if_new_quorum_queue_replicas_have_finished_initial_sync",
        DIAGNOSTICS_AND_QUEUES,
        "Quorum queues have no replicas that would have to be in sync",
    ),
    idle("check_if_metadata_store_is_initialized", DIAGNOSTICS, "Metadata store has been initialized"),
    idle(
        "check_if_metadata_store_is_initialized_with_data",
        DIAGNOSTICS,
        "Metadata store has been initialized and contains data",
    ),
];

/// The sentence is what help says of it, too. It needs a broker that answers.
const fn idle(name: &'static str, tools: Tools, sentence: &'static str) -> Verb {
    Verb::new(name, tools, sentence, |it| own_node(it).map(|_| Output::Message(it.verb.about.to_owned()))).takes(
        0,
        super::verb::ANY,
        "[--timeout <timeout>]",
    )
}
