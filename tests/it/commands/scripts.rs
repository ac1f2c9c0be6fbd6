//! Other verbs that scripts and operators' hooks call.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::Tools;
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Connect, publish, queue};

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

/// Whether a client hears anything. While nobody is let in, the port is closed.
fn lets_in(address: SocketAddr) -> bool {
    let Ok(mut client) = TcpStream::connect(address) else { return false };
    client.write_all(PROTOCOL_HEADER).ok();
    client.read(&mut [0]).is_ok_and(|length| length > 0)
}

/// Operators take a node out of service with these before they stop it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_serves_nobody_until_it_is_revived() {
    let tools = Tools::start("scripts-drain");
    let address = tools.program.address();
    let in_service = |path: &str| {
        let command = format!(
            "curl -s -o /dev/null -w '%{{http_code}}' -u guest:guest http://127.0.0.1:$HTTP_PORT/api/health/checks/{path}"
        );
        tools.ok(&command)
    };
    let connection = Connect::to(address).open().await;
    let said = tools.ok("rabbitmq-upgrade await_online_quorum_plus_one -t 60 && rabbitmq-upgrade drain");
    let banner =
        "Will put node rabbit@localhost into maintenance mode. The node will no longer serve any client traffic!\n";
    assert!(said.ends_with(banner), "{said}");
    let text = "CONNECTION_FORCED - Node was put into maintenance mode";
    connection.expect_close(320, text, (0, 0)).await;
    assert!(!lets_in(address));
    for (command, expected) in [
        ("rabbitmqctl status", "Is under maintenance?: true"),
        ("rabbitmqctl cluster_status", "status: marked for maintenance"),
        ("rabbitmqctl status --formatter json", "\"is_under_maintenance\":true"),
    ] {
        assert!(tools.ok(command).contains(expected), "{command}");
    }
    assert_eq!((in_service("is-in-service"), in_service("ready-to-serve-clients")), ("503".into(), "503".into()));
    tools.ok("rabbitmq-diagnostics -q ping && rabbitmq-diagnostics -q check_running");
    let said = tools.ok("rabbitmq-upgrade revive");
    assert!(said.starts_with("Will put node rabbit@localhost back into regular operating mode. "), "{said}");
    assert_eq!((in_service("is-in-service"), in_service("ready-to-serve-clients")), ("200".into(), "200".into()));
    assert!(tools.ok("rabbitmqctl status").contains("Is under maintenance?: false"));
    Connect::to(address).open().await;
    // A start ends it, too.
    tools.ok("rabbitmq-upgrade drain && rabbitmqctl stop_app && rabbitmqctl start_app");
    assert_eq!(in_service("is-in-service"), "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_listeners_are_suspended_clients_stay_and_no_others_come() {
    let tools = Tools::start("scripts-suspend");
    let address = tools.program.address();
    let connection = Connect::to(address).open().await;
    assert!(lets_in(address));
    let said = tools.ok("rabbitmqctl suspend_listeners");
    let node = "rabbit@localhost";
    let banner = format!(
        "Will suspend client connection listeners on node {node}. The node will no longer accept client connections!\n"
    );
    assert_eq!(said, banner);
    assert!(!lets_in(address));
    connection.channel(1).await;
    let said = tools.ok("rabbitmqctl resume_listeners");
    assert_eq!(
        said,
        format!(
            "Will resume client connection listeners on node {node}. The node will now accept client connections\n"
        )
    );
    Connect::to(address).open().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_queue_tells_of_its_replica_and_shows_a_message() {
    let tools = Tools::start("scripts-quorum");
    let ch = Connect::to(tools.program.address()).open().await.channel(1).await;
    ch.declare(queue("q").durable().arg("x-queue-type", S("quorum"))).await;
    ch.declare(queue("classic")).await;
    ch.publish(publish("", "q", "first").with(properties().content_type("text/plain"))).await;
    ch.publish(publish("", "q", "second")).await;
    ch.expect_ready("q", 2).await;
    let rows: serde_json::Value =
        serde_json::from_str(&tools.ok("rabbitmq-queues -q quorum_status q --formatter json")).unwrap();
    assert_eq!((&rows[0]["Node Name"], &rows[0]["Raft State"]), (&"rabbit@localhost".into(), &"leader".into()));
    let drawn = tools.ok("rabbitmq-diagnostics quorum_status q");
    assert!(
        drawn.starts_with("Status of queue q on node rabbit@localhost ...\n") && drawn.contains("Membership"),
        "{drawn}"
    );
    let absent = "queue 'none' was not found in virtual host '/'\n".to_owned();
    assert_eq!(tools.fails("rabbitmq-queues quorum_status none"), (65, absent.clone()));
    assert_eq!(tools.fails("rabbitmq-queues quorum_status classic").0, 69);
    let shown = tools.ok("rabbitmq-queues peek q 1 --formatter json -q");
    for pair in [("content_type", "text/plain"), ("routing_keys", "q"), ("payload (max 64 bytes)", "first")] {
        assert!(shown.contains(&format!("{{\"keys\":\"{}\",\"values\":\"{}\"}}", pair.0, pair.1)), "{shown}");
    }
    assert!(tools.ok("rabbitmq-queues peek --vhost / q 2").contains("second"));
    let text = "Error:\nTarget queue does not have a message at that position\n".to_owned();
    assert_eq!(tools.fails("rabbitmq-queues peek q 3"), (69, text));
    assert_eq!(tools.fails("rabbitmq-queues peek none 1"), (65, absent));
    ch.expect_ready("q", 2).await;
}
