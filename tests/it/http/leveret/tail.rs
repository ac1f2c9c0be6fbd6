//! What is published, as it passes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::super::call;
use crate::broker::{Management, TestBroker};
use crate::client::socket::PATIENCE;
use crate::client::{publish, queue};

/// A client that reads events.
struct Watcher(BufReader<TcpStream>);

impl Watcher {
    /// Watches, once the answer has begun.
    fn start(api: &Management, query: &str) -> Self {
        let mut stream = TcpStream::connect(api.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET /api/leveret/tail?{query} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut watcher = Self(BufReader::new(stream));
        while !watcher.line().contains(": watching") {}
        watcher
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the answer goes on");
        line
    }

    /// The next event: its name and its data.
    fn event(&mut self) -> (String, Value) {
        loop {
            if let Some(name) = self.line().trim().strip_prefix("event: ") {
                let data = self.line();
                let data = data.trim().strip_prefix("data: ").unwrap();
                return (name.to_owned(), serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_passes_is_seen_by_who_asks_for_it() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name, other) = (broker.http(), broker.name("q"), broker.name("other"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name)).await;
    ch.declare(queue(&other)).await;
    ch.bind(&name, "amq.topic", "order.#").await;
    ch.bind(&other, "amq.topic", "#").await;
    let start = |query: String| {
        let api = api.clone();
        tokio::task::spawn_blocking(move || Watcher::start(&api, &query))
    };
    let mut all = start("vhost=%2F".into()).await.unwrap();
    let mut by_key = start("vhost=%2F&exchange=amq.topic&key=order.*&truncate=2".into()).await.unwrap();
    let mut by_queue = start(format!("vhost=%2F&queue={name}")).await.unwrap();
    for (key, body) in [("mail", "first"), ("order.a.b", "second"), ("order.c", "third")] {
        ch.publish(publish("amq.topic", key, body)).await;
    }
    ch.publish(publish("", "nowhere", "lost")).await;
    tokio::task::spawn_blocking(move || {
        let seen: Vec<_> = (0..4).map(|_| all.event()).collect();
        let payloads: Vec<_> = seen.iter().map(|(_, data)| data["payload"].as_str().unwrap()).collect();
        assert_eq!(payloads, ["first", "second", "third", "lost"]);
        assert_eq!((&seen[3].1["queues"], &seen[0].1["vhost"]), (&json!([]), &json!("/")));
        let (event, data) = by_key.event();
        let keys = ["payload", "payload_bytes", "payload_truncated", "routing_key", "exchange"];
        let found = keys.map(|key| data[key].clone());
        assert_eq!(event, "message");
        assert_eq!(found, [json!("th"), json!(5), json!(true), json!("order.c"), json!("amq.topic")]);
        let (_, data) = by_queue.event();
        let mut queues: Vec<_> =
            data["queues"].as_array().unwrap().iter().map(|queue| queue.as_str().unwrap()).collect();
        queues.sort_unstable();
        let mut expected = [name.as_str(), other.as_str()];
        expected.sort_unstable();
        assert_eq!((data["payload"].as_str().unwrap(), queues), ("second", expected.to_vec()));
        let (_, data) = by_queue.event();
        assert_eq!(data["payload"], "third");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_watch_is_refused() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    assert_eq!(call(&api, "GET", "/api/leveret/tail", &Value::Null).0, 400);
    assert_eq!(call(&api, "GET", "/api/leveret/tail?vhost=no-such", &Value::Null).0, 404);
    assert_eq!(call(&api, "GET", "/api/leveret/tail?vhost=%2F&truncate=x", &Value::Null).0, 400);
    api.create_user("manager", "m", "management");
    assert_eq!(call(&api.log_in("manager", "m"), "GET", "/api/leveret/tail?vhost=%2F", &Value::Null).0, 401);
}
