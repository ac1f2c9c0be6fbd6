//! What commands change while the broker runs, and what they say of its configuration.

use super::Tools;
use crate::client::{Connect, Value, eventually, publish, queue};

#[tokio::test(flavor = "multi_thread")]
async fn set_log_level_holds_at_once() {
    let tools = Tools::start("set-log-level");
    let declare = async |name: &str| {
        let ch = Connect::to(tools.program.address()).open().await.channel(1).await;
        ch.declare(queue(name)).await;
    };
    declare("before").await;
    assert_eq!(tools.ok("rabbitmqctl set_log_level debug"), "Setting log level to \"debug\" ...\n");
    declare("after").await;
    eventually("the queue is in the log", async || {
        let log = tools.program.log();
        if log.contains("queue declared") { Ok(()) } else { Err(log) }
    })
    .await;
    assert!(!tools.program.log().lines().any(|line| line.contains("queue declared") && line.contains("before")));
    let (code, error) = tools.fails("rabbitmqctl set_log_level loud");
    assert_eq!(code, 64);
    assert!(error.contains("level loud is not supported. Try one of debug, info, warning"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_hold_at_once() {
    let tools = Tools::start("set-watermarks");
    let ch = Connect::to(tools.program.address()).open().await.channel(1).await;
    ch.declare(queue("q")).await;
    ch.publish(publish("", "q", "x")).await;
    ch.expect_ready("q", 1).await;
    let said = tools.ok("rabbitmqctl set_vm_memory_high_watermark absolute 1");
    assert_eq!(said, "Setting memory threshold on rabbit@localhost to 1 bytes ...\n");
    let (code, error) = tools.fails("rabbitmq-diagnostics -q check_alarms");
    assert_eq!(code, 69);
    assert!(error.contains("Memory alarm on node rabbit@localhost"), "{error}");
    let said = tools.ok("rabbitmqctl set_vm_memory_high_watermark 0.4");
    assert_eq!(said, "Setting memory threshold on rabbit@localhost to 0.4 ...\n");
    tools.ok("rabbitmq-diagnostics -q check_alarms");

    let said = tools.ok("rabbitmqctl set_disk_free_limit 1000TB");
    assert_eq!(said, "Setting disk free limit on rabbit@localhost to 1000TB ...\n");
    let (_, error) = tools.fails("rabbitmq-diagnostics -q check_alarms");
    assert!(error.contains("Free disk space alarm on node rabbit@localhost"), "{error}");
    assert!(
        tools.ok("rabbitmqctl -q status --unit b").contains("Low free disk space watermark: 1000000000000000 bytes")
    );
    tools.ok("rabbitmqctl set_disk_free_limit 1MB");
    tools.ok("rabbitmq-diagnostics -q check_alarms");
    tools.ok("rabbitmqctl set_disk_free_limit mem_relative 0.0001");

    for wrong in
        ["set_vm_memory_high_watermark 1.5", "set_vm_memory_high_watermark much", "set_disk_free_limit mem_relative x"]
    {
        assert_eq!(tools.fails(&format!("rabbitmqctl {wrong}")).0, 65, "{wrong}");
    }
    assert_eq!(tools.fails("rabbitmqctl set_vm_memory_high_watermark absolute").0, 64);
    let (_, error) = tools.fails("rabbitmqctl set_disk_free_limit much");
    assert!(error.contains("disk_free_limit cannot be 'much': allowed is"), "{error}");
}

/// As scripts change it in a running RabbitMQ. A queue that is there already obeys it, and one that says how long does not.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_for_acknowledgements_holds_at_once() {
    let tools = Tools::start("set-consumer-timeout");
    let connection = Connect::to(tools.program.address()).open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("patient").arg("x-consumer-timeout", Value::I(3_600_000))).await;
    ch.declare(queue("before")).await;
    for name in ["patient", "before"] {
        ch.publish(publish("", name, "x")).await;
        ch.expect_ready(name, 1).await;
    }
    let said = tools.ok("rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, 1000).'");
    assert_eq!(said, "ok\n");
    assert!(tools.ok("rabbitmqctl environment").contains("{consumer_timeout,\"1s\"}"));
    let patient = connection.channel(2).await;
    patient.get("patient").await.unwrap();
    ch.get("before").await.unwrap();
    let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1000 ms. This timeout \
                value can be configured, see consumers doc guide to learn more";
    ch.expect_close(406, text, (0, 0)).await;
    patient.expect_ready("before", 1).await;
    let (_, error) = tools.fails("rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, soon).'");
    assert!(error.contains("consumer_timeout cannot be 'soon': allowed is"), "{error}");
}

#[test]
fn what_is_configured_is_told_and_in_a_report() {
    let tools = Tools::start("environment");
    let told = tools.ok("rabbitmqctl environment");
    assert!(told.starts_with("Application environment of node rabbit@localhost ...\n[{leveret,"), "{told}");
    assert!(told.contains("{heartbeat,\"60s\"}"), "{told}");
    let data: serde_json::Value = serde_json::from_str(&tools.ok("rabbitmqctl environment --formatter json")).unwrap();
    assert_eq!(data["leveret"]["in_memory"], false);
    let report = tools.ok("rabbitmqctl report");
    for heading in [
        "Status of node",
        "Cluster status of",
        "Application environment of",
        "Listing exchanges for vhost /",
        "amq.topic",
    ] {
        assert!(report.contains(heading), "{heading}: {report}");
    }
}

#[test]
fn expressions_of_scripts_are_answered_and_others_refused() {
    let tools = Tools::start("eval");
    assert_eq!(tools.ok("rabbitmqctl eval 'node().'"), "'rabbit@localhost'\n");
    assert_eq!(tools.ok("rabbitmqctl eval 'rabbit:is_running().'"), "true\n");
    assert_eq!(tools.ok("rabbitmqctl eval 'rabbit_nodes:list_running().'"), "['rabbit@localhost']\n");
    assert_eq!(tools.ok("rabbitmqctl eval 'rabbit_vhost:list_names().'"), "[<<\"/\">>]\n");
    assert_eq!(tools.ok("rabbitmqctl eval 'rabbit_alarm:get_alarms().'"), "[]\n");
    assert_eq!(tools.ok("rabbitmqctl eval 'ok.'"), "ok\n");
    let (code, error) = tools.fails("rabbitmqctl eval 'rabbit_amqqueue:list().'");
    assert_eq!(code, 64);
    assert!(error.contains("this broker has no Erlang"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn login_attempts_are_listed() {
    let tools = Tools::start("attempts");
    Connect::to(tools.program.address()).open().await;
    let data = tools.ok("rabbitmqctl list_node_auth_attempt_stats --formatter json");
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    let amqp = data.as_array().unwrap().iter().find(|row| row["protocol"] == "amqp091").unwrap();
    assert_eq!((&amqp["auth_attempts"], &amqp["auth_attempts_failed"]), (&1.into(), &0.into()));
    tools.ok("rabbitmqctl list_node_auth_attempt_stats --by-source");
}

#[test]
fn logs_are_rotated_on_demand() {
    let tools = Tools::start("rotate");
    assert_eq!(tools.ok("rabbitmqctl rotate_logs"), "Rotating logs for node rabbit@localhost ...\n");
    assert_eq!(tools.ok("rabbitmq-diagnostics -q log_location"), "<stderr>\n");
}
