//! Waiting until a queue is as a test wants it.

use serde_json::{Value, json};

use super::super::call;
use crate::broker::TestBroker;
use crate::client::{consume, publish, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_as_soon_as_it_is_so() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name)).await;
    let path = format!("/api/leveret/queues/%2F/{name}/expect");
    let wait = |body: Value| {
        let (api, path) = (api.clone(), path.clone());
        tokio::task::spawn_blocking(move || call(&api, "POST", &path, &body))
    };
    let (status, empty) = wait(json!({ "until": "empty" })).await.unwrap();
    assert_eq!((status, &empty["met"], &empty["messages"]), (200, &json!(true), &json!(0)));
    let three = wait(json!({ "until": "exactly", "count": 3 }));
    let two = wait(json!({ "until": "messages", "count": 2 }));
    let consumer = wait(json!({ "until": "consumers" }));
    for body in ["a", "b", "c"] {
        ch.publish(publish("", &name, body)).await;
    }
    assert_eq!(two.await.unwrap().0, 200);
    let (status, found) = three.await.unwrap();
    assert_eq!((status, &found["messages_ready"]), (200, &json!(3)));
    ch.consume(consume(&name)).await;
    let (status, found) = consumer.await.unwrap();
    assert_eq!((status, &found["consumers"]), (200, &json!(1)));
    let acked = wait(json!({ "until": "no_unacked" }));
    let empty = wait(json!({ "until": "empty" }));
    for _ in 0..3 {
        let delivery = ch.expect_deliver().await;
        ch.ack(delivery.delivery_tag).await;
    }
    assert_eq!((acked.await.unwrap().0, empty.await.unwrap().0), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_time_is_over_it_says_what_is_left() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name)).await;
    ch.publish(publish("", &name, "a")).await;
    ch.publish(publish("", &name, "b")).await;
    ch.get(&name).await.unwrap();
    let path = format!("/api/leveret/queues/%2F/{name}/expect");
    let (status, found) = call(&api, "POST", &path, &json!({ "until": "empty", "timeout_ms": 20 }));
    let reason = format!(
        "queue '{name}' in vhost '/' still has 2 messages (1 ready, 1 unacknowledged) and 0 consumers after 20 ms; it was to be empty"
    );
    assert_eq!(status, 409);
    assert_eq!(
        (&found["met"], &found["error"], &found["reason"]),
        (&json!(false), &json!("expectation_not_met"), &json!(reason))
    );
    let missing = call(&api, "POST", &path, &json!({}));
    assert_eq!(missing.0, 400);
    assert!(missing.1["reason"].as_str().unwrap().contains("no_unacked"), "{}", missing.1);
    assert_eq!(call(&api, "POST", &path, &json!({ "until": "empty", "timeout_ms": 60_001 })).0, 400);
    assert_eq!(call(&api, "POST", &path, &json!({ "until": "empty", "count": -1 })).0, 400);
    // A queue that is deleted will never be empty.
    let waiting = {
        let (api, path) = (api.clone(), path.clone());
        tokio::task::spawn_blocking(move || call(&api, "POST", &path, &json!({ "until": "empty" })))
    };
    ch.delete(&name).await;
    let (status, _) = waiting.await.unwrap();
    assert_eq!(status, 404);
}
