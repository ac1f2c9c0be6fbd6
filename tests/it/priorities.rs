//! Message priorities, classic and quorum (reference: 7.1).

use crate::broker::TestBroker;
use crate::client::{Channel, Value, consume, publish, queue};

async fn stage(broker: &TestBroker, n: i32) -> (Channel, String) {
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive().arg("x-max-priority", Value::I(n))).await;
    (ch, name)
}

/// Publishes (body, priority); none if the priority is negative.
async fn publish_all(ch: &Channel, name: &str, messages: &[(&str, i32)]) {
    for (body, priority) in messages {
        let message = publish("", name, body);
        ch.publish(if *priority < 0 { message } else { message.priority(*priority as u8) }).await;
    }
    ch.expect_ready(name, messages.len() as u32).await;
}

/// reference: 7.1, higher first, in order inside; absent counts as 0, above the maximum as the maximum
#[tokio::test]
async fn the_more_important_come_first() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, 5).await;
    let messages = [("none", -1), ("0", 0), ("3", 3), ("5", 5), ("9", 9), ("255", 255), ("3b", 3), ("1", 1)];
    publish_all(&ch, &name, &messages).await;
    let expected = [("5", 5), ("9", 9), ("255", 255), ("3", 3), ("3b", 3), ("1", 1), ("none", -1), ("0", 0)];
    for (body, priority) in expected {
        let delivery = ch.get_no_ack(&name).await.unwrap();
        assert_eq!(delivery.text(), body);
        // The property itself is not touched.
        assert_eq!(delivery.properties.priority, u8::try_from(priority).ok());
    }
}

/// reference: 7.1, a requeued message returns to its priority and its place
#[tokio::test]
async fn a_requeued_message_keeps_its_priority_and_place() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, 5).await;
    publish_all(&ch, &name, &[("a1", 1), ("b5", 5), ("c5", 5), ("d1", 1)]).await;
    for body in ["b5", "c5", "a1"] {
        assert_eq!(ch.get(&name).await.unwrap().text(), body);
    }
    ch.nack(3, true).await;
    ch.nack(2, true).await;
    ch.nack(1, true).await;
    ch.expect_ready(&name, 4).await;
    assert_eq!(ch.drain(&name).await, ["b5", "c5", "a1", "d1"]);
}

/// reference: 7.1, a consumer's prefetch hides nothing that is still in the queue
#[tokio::test]
async fn the_next_delivery_is_the_most_important_of_what_waits() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, 10).await;
    ch.qos(1).await;
    ch.consume(consume(&name)).await;
    ch.publish(publish("", &name, "first")).await;
    ch.expect_bodies(&["first"]).await;
    publish_all(&ch, &name, &[("low", 1), ("high", 9), ("middle", 5)]).await;
    for (n, body) in ["high", "middle", "low"].iter().enumerate() {
        ch.ack(n as u64 + 1).await;
        ch.expect_bodies(&[body]).await;
    }
}

/// reference: 7.1, without the argument the property does nothing; 0 and 255 levels
#[tokio::test]
async fn levels_of_zero_and_255() {
    let broker = TestBroker::start().await;
    let (ch, none) = stage(&broker, 0).await;
    let plain = broker.name("plain");
    ch.declare(queue(&plain).exclusive()).await;
    for name in [&none, &plain] {
        publish_all(&ch, name, &[("a", 1), ("b", 9)]).await;
        assert_eq!(ch.drain(name).await, ["a", "b"]);
    }
    let most = broker.name("most");
    ch.declare(queue(&most).exclusive().arg("x-max-priority", Value::I(255))).await;
    publish_all(&ch, &most, &[("254", 254), ("255", 255)]).await;
    assert_eq!(ch.drain(&most).await, ["255", "254"]);
}

/// reference: 7.1, quorum: strict priorities 0 to 31, absent is 4
#[tokio::test]
async fn a_quorum_queue_has_32_levels_and_a_default_of_4() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("quorum");
    ch.declare(queue(&name).quorum()).await;
    let messages =
        [("none", -1), ("3", 3), ("4", 4), ("5", 5), ("0", 0), ("31", 31), ("40", 40), ("31b", 31), ("255", 255)];
    publish_all(&ch, &name, &messages).await;
    assert_eq!(ch.drain(&name).await, ["31", "40", "31b", "255", "5", "none", "4", "3", "0"]);
}
