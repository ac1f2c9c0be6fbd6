//! Lists of what is there, and what is done with one queue or connection.

use super::Tools;
use crate::broker::Management;
use crate::client::Connect;

fn api(tools: &Tools) -> Management {
    let port = u16::try_from(tools.program.ports()["http"].as_u64().unwrap()).unwrap();
    Management::at(([127, 0, 0, 1], port).into())
}

/// One queue with a message in it.
fn with_a_queue(name: &str) -> Tools {
    let tools = Tools::start(name);
    let api = api(&tools);
    let queue = serde_json::json!({ "durable": true, "arguments": { "x-max-length": 10, "x-queue-type": "classic" } });
    assert_eq!(api.request("PUT", "/api/queues/%2F/q1", Some(&queue)).0, 201);
    let message = serde_json::json!({
        "properties": {}, "routing_key": "q1", "payload": "hello", "payload_encoding": "string",
    });
    assert_eq!(api.request("POST", "/api/exchanges/%2F/amq.default/publish", Some(&message)).0, 200);
    tools
}

#[test]
fn queues_are_listed_in_every_form_as_by_rabbitmq() {
    let tools = with_a_queue("list-queues");
    let banner = "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n";
    let forms = [
        ("list_queues", format!("{banner}name\tmessages\nq1\t1\n")),
        ("-q list_queues", "name\tmessages\nq1\t1\n".into()),
        ("-s list_queues", "q1\t1\n".into()),
        ("list_queues -t 5 --no-table-headers name", "Timeout: 5.0 seconds ...\nListing queues for vhost / ...\nq1\n".into()),
        (
            "-q list_queues name messages_ready messages_unacknowledged consumers policy durable auto_delete arguments type state",
            "name\tmessages_ready\tmessages_unacknowledged\tconsumers\tpolicy\tdurable\tauto_delete\targuments\ttype\tstate\n\
             q1\t1\t0\t0\t\ttrue\tfalse\t[{\"x-max-length\",10},{\"x-queue-type\",\"classic\"}]\tclassic\trunning\n"
                .into(),
        ),
        (
            "list_queues --formatter json name arguments",
            "[\n{\"name\":\"q1\",\"arguments\":[[\"x-max-length\",\"long\",10],[\"x-queue-type\",\"longstr\",\"classic\"]]}\n]\n"
                .into(),
        ),
        ("list_queues --formatter csv name messages", "\"name\",\"messages\"\n\"q1\",\"1\"\n".into()),
        ("list_queues --formatter erlang name messages", format!("{banner}[[{{name,<<\"q1\">>}},{{messages,1}}]]\n")),
        (
            "-q list_queues --formatter pretty_table name messages",
            "\u{1b}(0lqqqqqqwqqqqqqqqqqk\u{1b}(B\n\u{1b}(0x\u{1b}(B \u{1b}[1mname\u{1b}[0m \u{1b}(0x\u{1b}(B \
             \u{1b}[1mmessages\u{1b}[0m \u{1b}(0x\u{1b}(B\n\u{1b}(0tqqqqqqnqqqqqqqqqqu\u{1b}(B\n\u{1b}(0x\u{1b}(B q1   \
             \u{1b}(0x\u{1b}(B 1        \u{1b}(0x\u{1b}(B\n\u{1b}(0mqqqqqqvqqqqqqqqqqj\u{1b}(B\n"
                .into(),
        ),
        ("list_queues -p nosuch", "Timeout: 60.0 seconds ...\nListing queues for vhost nosuch ...\n".into()),
        ("list_queues --formatter json -p nosuch", "[\n]\n".into()),
    ];
    for (command, expected) in forms {
        assert_eq!(tools.ok(&format!("rabbitmqctl {command}")), expected, "{command}");
    }
    let (code, error) = tools.fails("rabbitmqctl list_queues nosuch name");
    assert_eq!(code, 64);
    assert!(error.starts_with("Error (argument validation): Info key(s) nosuch are not supported\n"), "{error}");
}

#[test]
fn exchanges_and_bindings_are_listed() {
    let tools = with_a_queue("list-exchanges");
    let exchanges = tools.ok("rabbitmqctl list_exchanges");
    assert!(
        exchanges.starts_with("Listing exchanges for vhost / ...\nname\ttype\n\tdirect\namq.direct\tdirect\n"),
        "{exchanges}"
    );
    assert_eq!(
        tools.ok("rabbitmqctl list_bindings"),
        "Listing bindings for vhost /...\nsource_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\t\
         arguments\n\texchange\tq1\tqueue\tq1\t[]\n"
    );
}

#[test]
fn a_queue_is_purged_and_deleted() {
    let tools = with_a_queue("purge-queue");
    assert_eq!(tools.ok("rabbitmqctl purge_queue q1"), "Purging queue 'q1' in vhost '/' ...\n");
    assert_eq!(tools.ok("rabbitmqctl -s list_queues"), "q1\t0\n");
    assert_eq!(
        tools.ok("rabbitmqctl delete_queue q1"),
        "Deleting queue 'q1' on vhost '/' ...\nQueue was successfully deleted with 0 ready messages\n"
    );
    assert_eq!(tools.ok("rabbitmqctl -s list_queues"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_listed_and_closed() {
    let tools = with_a_queue("close-connections");
    assert_eq!(tools.ok("rabbitmqctl list_connections"), "Listing connections ...\n");
    let connection = Connect::to(tools.program.address()).open().await;
    let listed = tools.ok("rabbitmqctl list_connections user peer_host state");
    assert_eq!(listed, "Listing connections ...\nuser\tpeer_host\tstate\nguest\t127.0.0.1\trunning\n");
    let said = tools.ok("rabbitmqctl close_all_connections --vhost / bye now");
    assert_eq!(said, "Closing all connections in vhost /, reason: bye now...\nClosed 1 connections\n");
    connection.expect_close(320, "CONNECTION_FORCED - bye now", (0, 0)).await;
}
