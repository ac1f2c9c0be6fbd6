//! Other verbs that scripts and operators' hooks call.

use super::Tools;

#[test]
fn policies_and_parameters_are_set_listed_and_cleared() {
    let tools = Tools::start("scripts-policies");
    let set = tools.ok("rabbitmqctl set_policy --apply-to queues --priority 3 ttl '^q' '{\"message-ttl\":60000}'");
    let said = "Setting policy \"ttl\" for pattern \"^q\" to \"{\"message-ttl\":60000}\" with priority \"3\" for vhost \"/\" ...\n";
    assert_eq!(set, said);
    assert_eq!(
        tools.ok("rabbitmqctl list_policies"),
        "Listing policies for vhost \"/\" ...\nvhost\tname\tpattern\tapply-to\tdefinition\tpriority\n\
         /\tttl\t^q\tqueues\t{\"message-ttl\":60000}\t3\n"
    );
    tools.ok("rabbitmqctl clear_policy ttl");
    assert_eq!(tools.ok("rabbitmqctl -s list_policies").trim(), "");
    tools.ok("rabbitmqctl set_parameter shovel s '{\"src-uri\":\"amqp://\"}'");
    assert_eq!(tools.ok("rabbitmqctl -s list_parameters"), "shovel\ts\t{\"src-uri\":\"amqp://\"}\n");
    tools.ok("rabbitmqctl clear_parameter shovel s");
    assert_eq!(tools.ok("rabbitmqctl -s list_parameters").trim(), "");
}

#[test]
fn hooks_of_operators_pass_and_what_needs_a_cluster_is_refused() {
    let tools = Tools::start("scripts-operators");
    for command in [
        "rabbitmqctl enable_feature_flag all",
        "rabbitmqctl list_feature_flags name state",
        "rabbitmqctl cluster_status",
        "rabbitmqctl list_consumers",
        "rabbitmqctl list_channels",
        "rabbitmqctl list_ciphers",
        "rabbitmqctl version",
        "rabbitmqctl help",
        "rabbitmq-queues rebalance all",
        "rabbitmq-upgrade await_online_quorum_plus_one",
        "rabbitmq-plugins directories",
    ] {
        assert!(!tools.ok(command).is_empty(), "{command}");
    }
    let refused = tools.fails("rabbitmqctl join_cluster rabbit@other");
    let text = "Error:\n'join_cluster' cannot be served: this broker is always one node\n";
    assert_eq!(refused, (69, text.to_owned()));
    let (code, error) = tools.fails("rabbitmqctl force_reset");
    assert!(code == 69 && error.contains("Please stop the node with rabbitmqctl stop_app first."), "{error}");
    tools.ok("rabbitmqctl stop_app && rabbitmqctl force_reset && rabbitmqctl start_app");
}
