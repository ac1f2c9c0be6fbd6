//! `/api/connections`, `/api/channels`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::absent;
use crate::broker::{Management, TestBroker};
use crate::client::{Connection, consume, eventually, publish, queue};

/// RabbitMQ lists a connection some seconds after it was opened.
async fn listed(api: &Management, connection: &Connection) -> Value {
    let port = connection.local_address().port();
    let mut found = Value::Null;
    eventually("the connection is listed", async || {
        let all = api.get("/api/connections");
        let is_own = |listed: &&Value| listed["peer_port"] == port && listed["state"].is_string();
        let own = all.as_array().unwrap().iter().find(is_own);
        own.cloned().ok_or_else(|| all.to_string()).map(|listed| found = listed)
    })
    .await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_listed_with_who_it_is() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let connection = broker.connect().await;
    let _channel = connection.channel(1).await;
    let found = listed(&api, &connection).await;
    for (key, value) in [
        ("user", json!("guest")),
        ("vhost", json!("/")),
        ("protocol", json!("AMQP 0-9-1")),
        ("ssl", json!(false)),
        ("state", json!("running")),
        ("type", json!("network")),
        ("auth_mechanism", json!("PLAIN")),
        ("port", json!(broker.address().port())),
    ] {
        assert_eq!(found[key], value, "{key}");
    }
    let (local, peer) = (connection.local_address(), broker.address());
    assert_eq!(found["name"], format!("{local} -> {peer}"));
    if !broker.is_rabbitmq() {
        let name = found["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
        assert_eq!(api.get(&format!("/api/connections/{name}"))["name"], found["name"]);
        let channels = api.get(&format!("/api/connections/{name}/channels"));
        assert_eq!(channels[0]["name"], format!("{local} -> {peer} (1)"));
        assert_eq!(api.get(&format!("/api/channels/{name}%20(1)"))["number"], 1);
    }
    assert_eq!(api.request("GET", "/api/connections/no-such", None), absent());
    assert_eq!(api.request("GET", "/api/channels/no-such", None), absent());
}

/// RabbitMQ says so of a channel that has slept for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_does_nothing_says_since_when() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let connection = broker.connect().await;
    let channel = connection.channel(1).await;
    let port = connection.local_address().port();
    let idle_since = async |after: &str| {
        let mut found = String::new();
        eventually("the channel is idle", async || {
            let all = api.get("/api/channels");
            let is_own = |listed: &&Value| listed["connection_details"]["peer_port"] == port;
            let own = all.as_array().unwrap().iter().find(is_own);
            let since = own.and_then(|own| own["idle_since"].as_str()).filter(|since| *since > after);
            since.map(|since| since.clone_into(&mut found)).ok_or_else(|| all.to_string())
        })
        .await;
        found
    };
    let before = idle_since("").await;
    // As a client parses it: 2026-11-23T23:09:12.475+00:00.
    assert_eq!((before.len(), &before[10..11], &before[19..20], &before[23..]), (29, "T", ".", "+00:00"), "{before}");
    channel.declare(queue(&name).exclusive()).await;
    channel.publish(publish("", &name, "m")).await;
    idle_since(&before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_closed_from_outside() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for (headers, text) in [
        (&[][..], "CONNECTION_FORCED - Closed via management plugin"),
        (&[("x-reason", "go home")][..], "CONNECTION_FORCED - go home"),
    ] {
        let connection = broker.connect().await;
        let found = listed(&api, &connection).await;
        let name = found["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
        assert_eq!(api.send("DELETE", &format!("/api/connections/{name}"), "", headers).status, 204);
        connection.expect_close(320, text, (0, 0)).await;
    }
    assert_eq!(api.request("DELETE", "/api/connections/username/nobody", None).0, 204);
}

/// A publisher that is ahead of consumers which keep up is made to wait, for moments: RabbitMQ's credit flow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_that_is_ahead_of_consumers_is_in_flow() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let name = broker.name("q");
    let consumer = broker.connect().await.channel(1).await;
    consumer.declare(queue(&name)).await;
    consumer.consume(consume(&name).no_ack()).await;
    let publisher = broker.connect().await;
    let own = publisher.local_address().port();
    let consuming = consumer.connection.local_address().port();
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_over);
    let publishing = tokio::spawn(async move {
        let out = publisher.channel(1).await;
        let piece = out.publish_bytes(&publish("", &name, "x".repeat(1_000))).repeat(1_000);
        while !stop.load(Ordering::Relaxed) {
            out.connection.write(&piece).await;
        }
        out.delete(&name).await;
    });
    let reading = tokio::spawn(async move { while consumer.connection.any_frame().await.channel == 1 {} });
    let state = |path: &str, port: fn(&Value) -> &Value, wanted: u16| {
        let all = api.get(path);
        let listed = all.as_array().unwrap().iter().find(|listed| *port(listed) == wanted).cloned();
        listed.map_or(Value::Null, |listed| listed["state"].clone())
    };
    for (path, port) in [
        ("/api/connections", (|listed| &listed["peer_port"]) as fn(&Value) -> &Value),
        ("/api/channels", |listed| &listed["connection_details"]["peer_port"]),
    ] {
        eventually("the publisher is in flow", async || {
            let state = state(path, port, own);
            if state == "flow" { Ok(()) } else { Err(state) }
        })
        .await;
        assert_eq!(state(path, port, consuming), "running", "{path}: who consumes waits for nothing");
    }
    is_over.store(true, Ordering::Relaxed);
    publishing.await.unwrap();
    reading.abort();
}

/// What no queue took is counted by the channel: what was returned, and what vanished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_counts_what_is_unroutable() {
    let broker = TestBroker::with_http().await;
    let (api, connection) = (broker.http(), broker.connect().await);
    let ch = connection.channel(1).await;
    for _ in 0..2 {
        ch.publish(publish("amq.direct", "nowhere", "a")).await;
    }
    ch.publish(publish("amq.direct", "nowhere", "a").mandatory()).await;
    ch.expect_return().await;
    let name = listed(&api, &connection).await["name"].as_str().unwrap().to_owned();
    let path = format!("/api/channels/{} (1)", name).replace(' ', "%20").replace('>', "%3E");
    eventually("the messages are counted", async || {
        let found = api.get(&path)["message_stats"].clone();
        let counts = ["publish", "drop_unroutable", "return_unroutable"].map(|key| found[key].as_u64());
        if counts == [Some(3), Some(2), Some(1)] { Ok(()) } else { Err(found) }
    })
    .await;
}
