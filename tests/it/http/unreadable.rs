//! Messages that a damaged segment file keeps from being read back are counted, wherever numbers are shown.

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::prometheus::Metrics;
use crate::broker::Management;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Connect, Value as Field, exchange, publish, queue};
use crate::process::{Directory, Program};
use crate::recovery::flip_behind;

const HOUR_MS: i32 = 3_600_000;

fn start(directory: &Directory) -> Program {
    Program::start_in(directory, &["--http-listen", "127.0.0.1:0", "--prometheus-listen", "127.0.0.1:0"])
}

fn served(program: &Program, name: &str) -> Management {
    let port = program.ports()[name].as_u64().unwrap().try_into().unwrap();
    Management::at(SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn channel(program: &Program) -> Channel {
    Connect::to(program.address()).open().await.channel(1).await
}

/// Damages the record of the message whose body begins so.
fn damage(directory: &Directory, body: &str) {
    let entries = fs::read_dir(directory.path().join("segments")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let has_body = |bytes: Vec<u8>| bytes.windows(body.len()).any(|window| window == body.as_bytes());
    files.retain(|file| has_body(fs::read(file).unwrap()));
    flip_behind(files.first().expect("it was moved to a file"), body.as_bytes());
}

/// Two messages in a queue and two that wait for an hour, in segment files; one of each is damaged.
async fn damaged() -> Directory {
    let directory = Directory::new("unreadable");
    let mut program = start(&directory);
    let ch = channel(&program).await;
    ch.declare(queue("q").durable()).await;
    let delayed = exchange("later", "x-delayed-message").durable();
    ch.declare_exchange(delayed.arg("x-delayed-type", S("fanout"))).await;
    ch.bind("q", "later", "").await;
    ch.confirm_select().await;
    for body in ["queued-1 is damaged", "queued-2 is whole"] {
        ch.publish_confirmed(publish("", "q", body).with(properties().delivery_mode(2))).await;
    }
    for body in ["delayed-1 is damaged", "delayed-2 is whole"] {
        let delayed = publish("later", "", body).with(properties().delivery_mode(2));
        ch.publish_confirmed(delayed.header("x-delay", Field::I(HOUR_MS))).await;
    }
    program.stop();
    damage(&directory, "queued-1");
    damage(&directory, "delayed-1");
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_read_are_counted() {
    let directory = damaged().await;
    let program = start(&directory);
    let (api, endpoint) = (served(&program, "http"), served(&program, "prometheus").authorized_by(None));
    let ch = channel(&program).await;
    assert_eq!(ch.get_no_ack("q").await.unwrap().text(), "queued-2 is whole");
    check(&api, &endpoint, 1, 1);
    let held = api.get("/api/leveret/delayed/%2F");
    let key = |message: &Value| json!({ "due_at": message["due_at"], "id": message["id"] });
    let keys: Vec<_> = held["messages"].as_array().unwrap().iter().map(key).collect();
    assert_eq!(keys.len(), 2, "{held}");
    // To look at it loses nothing.
    check(&api, &endpoint, 1, 1);
    let published = api.request("POST", "/api/leveret/delayed/%2F/publish", Some(&json!({ "messages": keys })));
    assert_eq!(published.0, 200, "{published:?}");
    assert_eq!(ch.get_no_ack("q").await.unwrap().text(), "delayed-2 is whole");
    check(&api, &endpoint, 1, 2);
}

/// So many are lost of the queue, and of it and its delayed exchange.
fn check(api: &Management, endpoint: &Management, of_queue: u64, of_all: u64) {
    for (path, expected) in [("/api/queues/%2F/q", of_queue), ("/api/vhosts/%2F", of_all), ("/api/overview", of_all)] {
        assert_eq!(api.get(path)["message_stats"]["unreadable"], expected, "{path}");
    }
    let labels = [("vhost", "/"), ("queue", "q")];
    for path in ["/metrics/per-object", "/metrics/detailed?family=queue_metrics"] {
        let told = Metrics::of(endpoint, path).value("leveret_queue_messages_unreadable_total", &labels);
        assert_eq!(told, Some(of_queue as f64), "{path}");
    }
    for path in ["/metrics", "/metrics/per-object"] {
        let told = Metrics::of(endpoint, path).value("leveret_messages_unreadable_total", &[]);
        assert_eq!(told, Some(of_all as f64), "{path}");
    }
}
