//! Alerts on their way out of a broker that serves no HTTP: to a webhook, and to the exchange of events.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::broker::{Setup, TestBroker};
use crate::client::table::S;
use crate::client::{consume, eventually, publish, queue};

/// Takes requests, and answers the first one with an error.
async fn receiver() -> (String, UnboundedReceiver<(String, Json)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?of=test", listener.local_addr().unwrap());
    let (sender, received) = unbounded_channel();
    tokio::spawn(async move {
        let mut answers = ["503 Service Unavailable"].into_iter().chain(std::iter::repeat("204 No Content"));
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            let (head, body) = loop {
                socket.read_buf(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str(body)
                {
                    break (head.to_ascii_lowercase(), body);
                }
            };
            let answer = format!("HTTP/1.1 {}\r\ncontent-length: 0\r\n\r\n", answers.next().unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
            sender.send((head, body)).unwrap();
        }
    });
    (url, received)
}

/// Lets time pass in such steps until something is received.
async fn next(broker: &TestBroker, received: &mut UnboundedReceiver<(String, Json)>, step: u64) -> (String, Json) {
    let mut found = None;
    eventually("the webhook is called", async || {
        broker.pass(Duration::from_secs(step)).await;
        found = received.try_recv().ok();
        if found.is_some() { Ok(()) } else { Err("not yet") }
    })
    .await;
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_of_alerts_and_again_if_it_fails() {
    let (url, mut received) = receiver().await;
    let broker = Setup { alerts_webhook: Some(url), manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue("lonely")).await;
    ch.declare(queue("events")).await;
    ch.bind("events", "amq.rabbitmq.event", "alert.#").await;
    ch.publish(publish("", "lonely", "a")).await;
    ch.expect_ready("lonely", 1).await;
    let (head, refused) = next(&broker, &mut received, 5).await;
    assert!(head.starts_with("post /hook?of=test http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let (_, raised) = next(&broker, &mut received, 1).await;
    assert_eq!(raised, refused, "it is sent again");
    assert_eq!((&raised["event"], &raised["alert"]["rule"]), (&"alert.raised".into(), &"no_consumers".into()));
    assert_eq!(raised["alert"]["object"], serde_json::json!({ "type": "queue", "name": "lonely" }));
    assert!(raised["node"].is_string() && raised["alert"]["next_step"].is_string());
    let event = ch.get_eventually("events").await;
    let headers = event.headers();
    assert_eq!(event.key(), "alert.raised.no_consumers");
    let told = ["rule", "severity", "vhost", "queue"].map(|name| headers.get(name).cloned());
    assert_eq!(told, ["no_consumers", "critical", "/", "lonely"].map(|text| Some(S(text))));
    ch.consume(consume("lonely").no_ack()).await;
    ch.expect_deliver().await;
    let (_, cleared) = next(&broker, &mut received, 5).await;
    assert_eq!((&cleared["event"], &cleared["alert"]["id"]), (&"alert.cleared".into(), &raised["alert"]["id"]));
    assert_eq!(ch.get_eventually("events").await.key(), "alert.cleared.no_consumers");
}
