//! Keys of `rabbitmq.conf` that hold for the whole node: its limits, the type of its queues, what its cluster is called.

use std::net::SocketAddr;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::channel::Open;
use amq_protocol::protocol::connection::AMQPMethod;
use serde_json::json;

use crate::broker::Management;
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::table::S;
use crate::client::{Connect, Connection, consume, eventually, exchange, queue};
use crate::process::{Directory, Program};

/// A program that has read these lines of `rabbitmq.conf`.
fn configured(name: &str, lines: &str) -> (Directory, Program) {
    let directory = Directory::new(name);
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    std::fs::write(&conf, lines).unwrap();
    let conf = conf.to_str().unwrap();
    let program =
        Program::start(&format!("{name}-run"), &["--in-memory", "--http-listen", "127.0.0.1:0", "--config", conf]);
    (directory, program)
}

fn management(program: &Program) -> Management {
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    Management::at(SocketAddr::from(([127, 0, 0, 1], port)))
}

#[tokio::test]
async fn smaller_limits_are_offered_and_more_is_refused() {
    let (_directory, program) = configured("node-tune", "channel_max = 3\nframe_max = 16384\n");
    let connect = Connect::to(program.address());
    let connection = connect.start().await;
    let AMQPClass::Connection(AMQPMethod::Tune(tune)) = connection.expect((10, 30)).await else { unreachable!() };
    assert_eq!((tune.channel_max, tune.frame_max), (3, 16_384));
    connect.clone().channel_max(4).ask().await.expect_silent_end().await;
    connect.clone().frame_max(16_385).ask().await.expect_silent_end().await;
    connect.open().await.close().await;
}

#[tokio::test]
async fn connections_and_channels_of_a_node_are_counted() {
    let (_directory, program) = configured("node-limits", "connection_max = 2\nchannel_max_per_node = 1\n");
    let connect = Connect::to(program.address());
    let (first, second) = (connect.open().await, connect.open().await);
    let text = "NOT_ALLOWED - connection refused: node connection limit (2) is reached";
    connect.ask().await.expect_close(530, text, (10, 40)).await;
    let channel = first.channel(1).await;
    second.unopened_channel(1).send(Open {}).await;
    let text = "NOT_ALLOWED - number of channels opened on node 'rabbit@localhost' has reached the maximum allowed limit of (1)";
    second.expect_close(530, text, (0, 0)).await;
    // What is closed makes room.
    channel.close().await;
    first.channel(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_fails_while_no_more_connections_are_let_in() {
    let (_directory, program) = configured("node-connection-health", "connection_max = 2\n");
    let api = management(&program);
    let health = || api.request("GET", "/api/health/checks/below-node-connection-limit", None);
    let (below, reached) = (
        (200, json!({ "status": "ok" })),
        (503, json!({ "status": "failed", "reason": "node connection limit is reached" })),
    );
    assert_eq!(health(), below);
    let connect = Connect::to(program.address());
    let first = connect.open().await;
    assert_eq!(health(), below);
    let _second = connect.open().await;
    assert_eq!(health(), reached);
    first.close().await;
    eventually("there is room again", async || if health() == below { Ok(()) } else { Err(health()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_of_a_channel_and_virtual_hosts_are_counted() {
    let (_directory, program) = configured("node-counts", "consumer_max_per_channel = 1\nvhost_max = 2\n");
    let api = management(&program);
    api.put("/api/vhosts/v1", &json!({}));
    let refused = json!({ "error": "bad_request", "reason": "cannot create vhost 'v2': vhost limit of 2 is reached" });
    assert_eq!(api.request("PUT", "/api/vhosts/v2", Some(&json!({}))), (400, refused));
    let head = api.send("PUT", "/api/vhosts/v2", "{}", &[]).head;
    assert!(head.contains("leveret-refused-by: vhost_max\n"), "{head}");
    // One that is there may be put again.
    api.put("/api/vhosts/v1", &json!({ "description": "d" }));
    let definitions = json!({ "vhosts": [{ "name": "vd" }] });
    let (status, told) = api.request("POST", "/api/definitions", Some(&definitions));
    assert!(status == 400 && told["reason"].as_str().unwrap().contains("vhost limit of 2 is reached"), "{told}");
    let connection = Connect::to(program.address()).open().await;
    let (ch, other) = (connection.channel(1).await, connection.channel(2).await);
    ch.declare(queue("q")).await;
    ch.consume(consume("q")).await;
    other.consume(consume("q")).await;
    ch.send(consume("q")).await;
    let text = "NOT_ALLOWED - reached maximum (1) of consumers per channel";
    connection.expect_close(530, text, (60, 20)).await;
}

/// reference: 4.1 and 3.2, the limits of the cluster
#[tokio::test(flavor = "multi_thread")]
async fn queues_and_exchanges_of_all_virtual_hosts_are_counted() {
    // Each virtual host has exchanges from the beginning: eight in this one.
    let (_directory, program) = configured("node-objects", "cluster_queue_limit = 1\ncluster_exchange_limit = 9\n");
    let api = management(&program);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("q1").durable()).await;
    ch.declare(queue("q1").durable()).await;
    let queues = |name: &str| format!("cannot declare queue '{name}': queue limit in cluster (1) is reached");
    for declare in
        [queue("q2").durable(), queue("q2").exclusive(), queue("q2").durable().arg("x-queue-type", S("quorum"))]
    {
        ch.refused(declare, 406, &format!("PRECONDITION_FAILED - {}", queues("q2"))).await;
    }
    ch.declare_exchange(exchange("x0", "direct")).await;
    ch.declare_exchange(exchange("x0", "direct")).await;
    let exchanges = |name: &str, vhost: &str| {
        format!("cannot declare exchange '{name}' in vhost '{vhost}': exchange limit of 9 is reached")
    };
    ch.refused(exchange("x1", "direct"), 406, &format!("PRECONDITION_FAILED - {}", exchanges("x1", "/"))).await;
    // The exchanges of a new virtual host are made, and counted.
    api.put("/api/vhosts/v1", &json!({}));
    let put = |path: &str, reason: &str, body| {
        let refused = json!({ "error": "bad_request", "reason": reason });
        assert_eq!(api.request("PUT", path, Some(&body)), (400, refused), "{path}");
    };
    for vhost in ["%2F", "v1"] {
        put(&format!("/api/queues/{vhost}/q2"), &queues("q2"), json!({ "durable": true }));
        let shown = vhost.replace("%2F", "/");
        put(&format!("/api/exchanges/{vhost}/x1"), &exchanges("x1", &shown), json!({ "type": "direct" }));
    }
    let definitions = json!({ "exchanges": [{ "name": "x2", "vhost": "/", "type": "direct" }] });
    let refused = json!({ "error": "bad_request", "reason": format!("precondition_failed: {}", exchanges("x2", "/")) });
    assert_eq!(api.request("POST", "/api/definitions", Some(&definitions)), (400, refused));
    // What goes makes room.
    api.delete_quietly("/api/vhosts/v1");
    ch.delete_exchange("x0").await;
    ch.delete("q1").await;
    ch.declare_exchange(exchange("x1", "direct")).await;
    ch.declare(queue("q2").durable()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_hosts_that_name_no_type_of_queues_get_that_of_the_node() {
    let (_directory, program) = configured("node-queue-type", "default_queue_type = quorum\n");
    let api = management(&program);
    api.put("/api/vhosts/plain", &json!({}));
    api.put("/api/vhosts/own", &json!({ "default_queue_type": "classic" }));
    let definitions = json!({ "vhosts": [{ "name": "imported" }] });
    assert_eq!(api.request("POST", "/api/definitions", Some(&definitions)).0, 204);
    let kinds = ["%2F", "plain", "own", "imported"]
        .map(|vhost| api.get(&format!("/api/vhosts/{vhost}"))["default_queue_type"].as_str().unwrap().to_owned());
    assert_eq!(kinds, ["quorum", "quorum", "classic", "quorum"]);
    assert_eq!(api.get("/api/overview")["default_queue_type"], "quorum");
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("kept").durable()).await;
    ch.declare(queue("mine").exclusive()).await;
    assert_eq!(api.get("/api/queues/%2F/kept")["type"], "quorum");
    assert_eq!(api.get("/api/queues/%2F/mine")["type"], "classic");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_called_what_the_file_says() {
    let (_directory, program) = configured("node-cluster", "cluster_name = east\ncluster_tags.region = eu-north\n");
    let api = management(&program);
    let overview = api.get("/api/overview");
    assert_eq!((&overview["cluster_name"], &overview["node"]), (&json!("east"), &json!("rabbit@localhost")));
    assert_eq!(overview["cluster_tags"], json!({ "region": "eu-north" }));
    assert_eq!(told_name(&program).await, "east");
    // Who calls it something else is heard, too.
    api.put("/api/cluster-name", &json!({ "name": "west" }));
    assert_eq!(told_name(&program).await, "west");
}

/// The name of the cluster that clients are told.
async fn told_name(program: &Program) -> String {
    let connection = Connection::raw(program.address()).await;
    connection.write(PROTOCOL_HEADER).await;
    let AMQPClass::Connection(AMQPMethod::Start(start)) = connection.expect((10, 10)).await else { unreachable!() };
    let name = start.server_properties.inner().get("cluster_name").unwrap();
    name.as_long_string().unwrap().to_string()
}
