//! What takes a place in a quorum queue: ready messages, those held back by delayed retry, and dead letters that wait; and how long
//! they are held back (reference: 6.1, 6.5).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::method::QueueDeclare;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Properties, Value, exchange, publish, queue};

/// Publishes one, and waits for its confirm; whether the queue took it.
async fn is_taken(ch: &Channel, name: &str, body: &str) -> bool {
    ch.publish(publish("", name, body)).await;
    ch.expect_confirm().await.ack
}

async fn channel(broker: &TestBroker) -> Channel {
    let ch = broker.connect().await.channel(1).await;
    ch.confirm_select().await;
    ch
}

fn held_back(name: &str) -> QueueDeclare {
    queue(name).quorum().arg("x-delayed-retry-type", S("all")).arg("x-delayed-retry-min", Value::I(60_000))
}

async fn reject(ch: &Channel, name: &str, requeue: bool) {
    ch.expect_ready(name, 1).await;
    let tag = ch.get(name).await.unwrap().delivery_tag;
    ch.reject(tag, requeue).await;
}

/// reference: 6.5 delayed retry: held back messages are not ready, count for the limit, and are purged
#[tokio::test]
async fn messages_that_are_held_back_take_a_place() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let (name, dead) = (broker.name("held"), broker.name("dead"));
    ch.declare(queue(&dead).exclusive()).await;
    let declare = held_back(&name).arg("x-max-length", Value::I(2));
    ch.declare(declare.arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(&dead))).await;
    for body in ["1", "2"] {
        assert!(is_taken(&ch, &name, body).await);
        reject(&ch, &name, true).await;
    }
    ch.expect_ready(&name, 0).await;
    for body in ["3", "4"] {
        assert!(is_taken(&ch, &name, body).await);
        assert_eq!(ch.get_eventually(&dead).await.text(), body, "what is ready makes place");
    }
    ch.expect_ready(&name, 0).await;
    assert_eq!(ch.purge(&name).await, 2);
    assert!(is_taken(&ch, &name, "5").await);
    ch.expect_ready(&name, 1).await;
    reject(&ch, &name, true).await;
    assert_eq!(ch.delete(&name).await, 0, "delete tells of ready ones only");
}

/// reference: 6.5, dead letters that wait count for the limit, push back, and are purged
#[tokio::test]
async fn dead_letters_that_wait_take_a_place() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let (name, dlx) = (broker.name("q"), broker.name("dlx"));
    ch.declare_exchange(exchange(&dlx, "fanout")).await;
    let declare = queue(&name).quorum().arg("x-dead-letter-exchange", S(&dlx)).arg("x-overflow", S("reject-publish"));
    ch.declare(declare.arg("x-dead-letter-strategy", S("at-least-once")).arg("x-max-length", Value::I(2))).await;
    for body in ["1", "2"] {
        assert!(is_taken(&ch, &name, body).await);
        reject(&ch, &name, false).await;
    }
    ch.expect_ready(&name, 0).await;
    // The limit is soft: RabbitMQ takes one more before it tells publishers.
    let further = [is_taken(&ch, &name, "3").await, is_taken(&ch, &name, "4").await, is_taken(&ch, &name, "5").await];
    assert_eq!(further[1..], [false, false]);
    let ready = u32::from(further[0]);
    ch.expect_ready(&name, ready).await;
    assert_eq!(ch.purge(&name).await, 2 + ready);
    assert!(is_taken(&ch, &name, "6").await);
    ch.expect_ready(&name, 1).await;
    reject(&ch, &name, false).await;
    assert_eq!(ch.delete(&name).await, 0, "delete tells of ready ones only");
}

/// reference: 6.5 delayed retry: the delay grows with failed deliveries only, and its maximum is its minimum unless given
#[tokio::test]
async fn the_delay_grows_with_failures() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let ch = channel(&broker).await;
    for (max, delays) in [(None, [400, 400, 400, 400, 400]), (Some(1_000), [400, 400, 400, 800, 1_000])] {
        let name = broker.name("q");
        let declare = queue(&name).quorum().arg("x-delayed-retry-type", S("all"));
        let declare = declare.arg("x-delayed-retry-min", Value::I(400));
        ch.declare(match max {
            Some(max) => declare.arg("x-delayed-retry-max", Value::I(max)),
            None => declare,
        })
        .await;
        assert!(is_taken(&ch, &name, "m").await);
        for (delay_ms, fails) in delays.into_iter().zip([false, false, true, true, true]) {
            ch.expect_ready(&name, 1).await;
            let tag = ch.get(&name).await.unwrap().delivery_tag;
            if fails {
                ch.reject(tag, true).await;
            } else {
                ch.nack(tag, true).await;
            }
            ch.sync().await;
            broker.pass(Duration::from_millis(delay_ms - 150)).await;
            assert_eq!(ch.get(&name).await, None, "max {max:?}, after {delay_ms} ms");
            broker.pass(Duration::from_millis(160)).await;
        }
        ch.expect_ready(&name, 1).await;
    }
}

/// reference: 6.1, x-max-length-bytes of a quorum queue counts the properties as they are encoded, 2 bytes at least
#[tokio::test]
async fn a_quorum_queue_counts_the_bytes_of_properties() {
    let broker = TestBroker::to_the_letter().await;
    let ch = channel(&broker).await;
    let cases: [(Properties, i32); 4] = [
        (properties(), 2),
        (properties().delivery_mode(2), 3),
        (properties().content_type("abc"), 6),
        (properties().headers(crate::client::args([("k", S("vvvvvvvvvvvvvvvvvvvv"))])), 33),
    ];
    for (properties, property_bytes) in cases {
        let [enough, small] = [0, 1].map(|missing| (broker.name("q"), 10 + property_bytes - missing));
        for (name, max_bytes) in [&enough, &small] {
            ch.declare(queue(name).quorum().arg("x-max-length-bytes", Value::I(*max_bytes))).await;
            ch.publish(publish("", name, "0123456789").with(properties.clone())).await;
            assert!(ch.expect_confirm().await.ack);
        }
        ch.expect_ready(&enough.0, 1).await;
        ch.expect_ready(&small.0, 0).await;
    }
    // A classic queue counts bodies only.
    let name = broker.name("classic");
    ch.declare(queue(&name).exclusive().arg("x-max-length-bytes", Value::I(10))).await;
    assert!(is_taken(&ch, &name, "0123456789").await);
    ch.expect_ready(&name, 1).await;
}
