//! Health checks as compose files, GitHub Actions and Kubernetes manifests have them.

use super::Tools;
use crate::client::Connect;

/// What people write, with the port of the test for 5672 and 15672. All of it succeeds on a healthy broker.
const CHECKS: &[&str] = &[
    // Compose and Actions: ping in all its spellings.
    "rabbitmq-diagnostics -q ping",
    "rabbitmq-diagnostics ping",
    "rabbitmq-diagnostics --quiet ping",
    "rabbitmq-diagnostics ping -q",
    "rabbitmq-diagnostics -s ping",
    "rabbitmq-diagnostics --silent ping",
    "rabbitmq-diagnostics ping --quiet --timeout 5",
    "rabbitmq-diagnostics -q -t 10 ping",
    "rabbitmq-diagnostics -n rabbit@localhost ping",
    "rabbitmq-diagnostics -n rabbit@$(hostname) ping",
    "rabbitmq-diagnostics --node rabbit@localhost -q ping",
    "rabbitmq-diagnostics -q ping --formatter json",
    "rabbitmq-diagnostics --formatter=json -q ping",
    "sh -c 'rabbitmq-diagnostics -q ping'",
    "rabbitmq-diagnostics -q ping || exit 1",
    "rabbitmq-diagnostics ping > /dev/null 2>&1",
    "rabbitmq-diagnostics -q ping && rabbitmq-diagnostics -q check_running",
    "rabbitmqctl ping",
    "rabbitmqctl -q ping",
    // Stages of RabbitMQ's guide to health checks.
    "rabbitmq-diagnostics check_running",
    "rabbitmq-diagnostics -q check_running",
    "rabbitmq-diagnostics check_running --timeout 20",
    "rabbitmq-diagnostics -q is_running",
    "rabbitmq-diagnostics check_port_connectivity",
    "rabbitmq-diagnostics -q check_port_connectivity",
    "rabbitmq-diagnostics -q check_running && rabbitmq-diagnostics -q check_local_alarms",
    "rabbitmq-diagnostics check_local_alarms -q",
    "rabbitmq-diagnostics -q check_alarms",
    "rabbitmq-diagnostics -q check_virtual_hosts",
    "rabbitmq-diagnostics -q check_port_listener $AMQP_PORT",
    "rabbitmq-diagnostics -q check_protocol_listener amqp",
    "rabbitmq-diagnostics -q status",
    "rabbitmq-diagnostics status --formatter json",
    "rabbitmq-diagnostics -q listeners | grep -q 'protocol: amqp'",
    "rabbitmq-diagnostics -q server_version",
    "rabbitmq-diagnostics -q memory_breakdown",
    "rabbitmq-diagnostics -q cluster_status",
    // With rabbitmqctl.
    "rabbitmqctl status",
    "rabbitmqctl -q status",
    "rabbitmqctl node_health_check",
    "rabbitmqctl -t 5 node_health_check",
    "rabbitmqctl await_startup",
    "rabbitmqctl await_online_nodes 1 --timeout 30",
    "rabbitmqctl cluster_status",
    "rabbitmqctl list_queues > /dev/null",
    "rabbitmqctl eval '1.'",
    // Without any tool.
    "bash -c '</dev/tcp/127.0.0.1/$0' $AMQP_PORT",
    "curl -sf -u guest:guest http://127.0.0.1:$HTTP_PORT/api/aliveness-test/%2F | grep -qF '{\"status\":\"ok\"}'",
    "curl -sf -u guest:guest http://127.0.0.1:$HTTP_PORT/api/healthchecks/node | grep -qF '{\"status\":\"ok\"}'",
];

#[test]
fn health_checks_of_the_wild_hold() {
    let tools = Tools::start("health");
    for check in CHECKS {
        assert_eq!(tools.shell(check).code, 0, "{check}: {:?}", tools.shell(check));
    }
}

#[test]
fn the_words_of_the_commonest_checks_are_rabbitmqs() {
    let tools = Tools::start("health-words");
    let node = "rabbit@localhost";
    assert_eq!(tools.ok("rabbitmq-diagnostics -q ping"), "Ping succeeded\n");
    let banner = "This only checks if the OS process is running and registered with epmd. Timeout: 60000 ms.";
    assert_eq!(tools.ok("rabbitmq-diagnostics ping"), format!("Will ping {node}. {banner}\nPing succeeded\n"));
    assert_eq!(tools.ok("rabbitmq-diagnostics ping --formatter json"), "{\"message\":\"Ping succeeded\"}\n");
    assert_eq!(
        tools.ok("rabbitmq-diagnostics check_running"),
        format!(
            "Checking if RabbitMQ is running on node {node} ...\nRabbitMQ on node {node} is fully booted and running\n"
        )
    );
    assert_eq!(
        tools.ok("rabbitmq-diagnostics -q check_local_alarms"),
        format!("Node {node} reported no local alarms\n")
    );
    assert_eq!(tools.ok("rabbitmq-diagnostics -s check_local_alarms"), "");
    assert_eq!(tools.ok("rabbitmq-diagnostics -s check_virtual_hosts"), "");
    assert_eq!(
        tools.ok("rabbitmq-diagnostics -q check_port_listener $AMQP_PORT"),
        format!("A listener for port {} is running on node {node}.\n", tools.program.address().port())
    );
    let (code, error) = tools.fails("rabbitmq-diagnostics check_port_listener 1");
    let sentence =
        format!("No listener for port 1 is active on node {node}. Found listeners that use the following ports: ");
    assert!(code == 69 && error.starts_with(&sentence), "{code} {error}");
    let (code, error) = tools.fails("rabbitmq-diagnostics check_port_listener x");
    assert!(code == 65 && error.contains("Bad argument: Argument must be a positive integer"), "{code} {error}");
    assert_eq!(tools.ok("rabbitmqctl version"), format!("{}\n", leveret::Broker::rabbitmq_version()));
}

/// A check must not say yes without a broker, or where another one is meant.
#[test]
fn without_the_broker_that_is_meant_checks_fail_with_69() {
    let mut tools = Tools::start("health-down");
    let (code, error) = tools.fails("rabbitmq-diagnostics -q -n nosuch@localhost ping");
    assert_eq!(code, 69);
    assert!(
        error.starts_with("Error:\nFailed to connect and authenticate to nosuch@localhost in 60000 ms\n"),
        "{error}"
    );
    tools.program.stop();
    for check in ["rabbitmq-diagnostics -q ping", "rabbitmq-diagnostics -q check_running", "rabbitmqctl status"] {
        let socket = tools.data.path().join("leveret.sock");
        let (code, error) = tools.fails(&format!("{check} --socket {}", socket.display()));
        assert_eq!(code, 69, "{check}: {error}");
        assert!(error.contains("leveret.sock"), "it says which broker was asked: {error}");
    }
}

/// Users empty a broker of their own machine so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_app_reset_and_start_app_make_it_as_new() {
    let tools = Tools::start("health-reset");
    tools.ok("rabbitmqctl add_vhost other && rabbitmqctl add_user v p && rabbitmqctl set_permissions v '.*' '.*' '.*' && rabbitmqctl delete_user guest");
    let (code, error) = tools.fails("rabbitmqctl reset");
    assert_eq!(code, 69);
    assert!(error.contains("Please stop the node with rabbitmqctl stop_app first."), "{error}");
    let connection = Connect::to(tools.program.address()).user("v", "p").open().await;
    assert_eq!(tools.ok("rabbitmqctl stop_app"), "Stopping rabbit application on node rabbit@localhost ...\n");
    let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    connection.expect_close(320, text, (0, 0)).await;
    let (code, error) = tools.fails("rabbitmq-diagnostics -q check_running");
    assert!(code == 69 && error.contains("is not running"), "{error}");
    assert_eq!(tools.ok("rabbitmqctl reset"), "Resetting node rabbit@localhost ...\n");
    assert_eq!(tools.ok("rabbitmqctl start_app"), "Starting node rabbit@localhost ...\n");
    tools.ok("rabbitmq-diagnostics -q check_running");
    assert_eq!(tools.ok("rabbitmqctl -q list_vhosts"), "name\n/\n");
    assert_eq!(tools.ok("rabbitmqctl -q list_users"), "user\ttags\nguest\t[administrator]\n");
    Connect::to(tools.program.address()).open().await;
}
