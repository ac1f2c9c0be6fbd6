//! Which consumer gets the next message: round robin, priorities, single active consumer (reference: 5.3, 7.1).

use crate::broker::TestBroker;
use crate::client::{Channel, Value, consume, publish, queue};

/// Publishes one message at a time and returns who got each.
async fn who_gets(ch: &Channel, name: &str, count: usize) -> Vec<String> {
    let mut tags = Vec::new();
    for n in 0..count {
        ch.publish(publish("", name, n.to_string())).await;
        let delivery = ch.expect_deliver().await;
        assert_eq!(delivery.text(), n.to_string());
        tags.push(delivery.consumer_tag);
    }
    tags
}

/// reference: 5.3 dispatch, equal priorities
#[tokio::test]
async fn consumers_take_turns_in_order_of_subscription() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    for tag in ["a", "b", "c"] {
        ch.consume(consume(&name).tag(tag).no_ack()).await;
    }
    assert_eq!(who_gets(&ch, &name, 7).await, ["a", "b", "c", "a", "b", "c", "a"]);
    ch.cancel("b").await;
    ch.consume(consume(&name).tag("d").no_ack()).await;
    let mut turns = who_gets(&ch, &name, 6).await;
    assert_eq!(turns[..3], turns[3..], "still in turns");
    turns.truncate(3);
    turns.sort();
    assert_eq!(turns, ["a", "c", "d"]);
}

/// reference: 5.3 dispatch, a consumer whose prefetch is used up misses its turns
#[tokio::test]
async fn a_full_consumer_is_passed_over() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.qos(1).await;
    ch.consume(consume(&name).tag("narrow")).await;
    ch.qos(0).await;
    ch.consume(consume(&name).tag("wide")).await;
    assert_eq!(who_gets(&ch, &name, 4).await, ["narrow", "wide", "wide", "wide"]);
    ch.ack(1).await;
    ch.expect_nothing().await;
    let turns = who_gets(&ch, &name, 3).await;
    assert_eq!(turns.iter().filter(|tag| *tag == "narrow").count(), 1, "{turns:?}");
}

/// reference: 5.3 dispatch, x-priority: the highest with room gets everything
#[tokio::test]
async fn the_highest_priority_with_room_gets_everything() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.qos(2).await;
    ch.consume(consume(&name).tag("low").arg("x-priority", Value::I(-1))).await;
    ch.consume(consume(&name).tag("default")).await;
    ch.consume(consume(&name).tag("high").arg("x-priority", Value::I(10))).await;
    assert_eq!(who_gets(&ch, &name, 6).await, ["high", "high", "default", "default", "low", "low"]);
    ch.publish(publish("", &name, "waits")).await;
    ch.expect_nothing().await;
    // Room higher up is used first, wherever it came first.
    ch.ack(5).await;
    assert_eq!(ch.expect_deliver().await.consumer_tag, "low");
    ch.ack(1).await;
    ch.ack(6).await;
    ch.expect_nothing().await;
    assert_eq!(who_gets(&ch, &name, 1).await, ["high"]);
}

/// reference: 5.3 dispatch, consumers of the same priority take turns
#[tokio::test]
async fn consumers_of_one_priority_take_turns() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    for (tag, priority) in [("a", 5), ("low", 1), ("b", 5)] {
        ch.consume(consume(&name).tag(tag).no_ack().arg("x-priority", Value::I(priority))).await;
    }
    assert_eq!(who_gets(&ch, &name, 4).await, ["a", "b", "a", "b"]);
}

/// reference: 5.3, order within a queue, to one consumer
#[tokio::test]
async fn messages_come_in_the_order_of_their_publishing() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    for n in 0..1000 {
        ch.publish(publish("", &name, n.to_string())).await;
    }
    ch.consume(consume(&name).no_ack()).await;
    for n in 0..1000 {
        assert_eq!(ch.expect_deliver().await.text(), n.to_string());
    }
}

/// reference: 5.3 single active consumer, classic: the active one stays, whatever the priority of a later one; after it
/// comes the highest priority, and by registration among equals
#[tokio::test]
async fn a_single_active_consumer_is_followed_by_the_next_in_line() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("sac");
    ch.declare(queue(&name).exclusive().arg("x-single-active-consumer", Value::t(true))).await;
    let second = ch.connection.channel(2).await;
    ch.consume(consume(&name).tag("first")).await;
    second.consume(consume(&name).tag("second")).await;
    ch.consume(consume(&name).tag("third")).await;
    ch.consume(consume(&name).tag("important").arg("x-priority", Value::I(100))).await;
    assert_eq!(who_gets(&ch, &name, 3).await, ["first", "first", "first"]);
    second.expect_nothing().await;
    ch.cancel("first").await;
    assert_eq!(who_gets(&ch, &name, 2).await, ["important", "important"]);
    ch.cancel("important").await;
    for body in ["a", "b"] {
        ch.publish(publish("", &name, body)).await;
    }
    // Its death hands over, and its messages with it.
    second.expect_bodies(&["a", "b"]).await;
    second.close().await;
    for (body, redelivered) in [("a", true), ("b", true)] {
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (body, redelivered));
        assert_eq!(delivery.consumer_tag, "third");
    }
}

/// reference: 5.3 single active consumer, quorum: a later one of higher priority displaces the active one
#[tokio::test]
async fn on_a_quorum_queue_priority_decides_who_is_active() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("sac");
    ch.declare(queue(&name).quorum().arg("x-single-active-consumer", Value::t(true))).await;
    ch.consume(consume(&name).tag("first")).await;
    ch.publish(publish("", &name, "1")).await;
    let delivery = ch.expect_deliver().await;
    assert_eq!(delivery.consumer_tag, "first");
    ch.ack(delivery.delivery_tag).await;
    ch.expect_nothing().await;
    ch.consume(consume(&name).tag("high").arg("x-priority", Value::I(5))).await;
    ch.consume(consume(&name).tag("same").arg("x-priority", Value::I(5))).await;
    for body in ["2", "3"] {
        ch.publish(publish("", &name, body)).await;
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.text().as_str(), delivery.consumer_tag.as_str()), (body, "high"));
    }
}

/// reference: 4.2, quorum: the flag of an exclusive consumer is accepted and ignored
#[tokio::test]
async fn on_a_quorum_queue_an_exclusive_consumer_shares() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("quorum");
    ch.declare(queue(&name).quorum()).await;
    ch.consume(consume(&name).tag("a").exclusive().no_ack()).await;
    ch.consume(consume(&name).tag("b").no_ack()).await;
    let mut tags = who_gets(&ch, &name, 4).await;
    tags.sort();
    assert_eq!(tags, ["a", "a", "b", "b"]);
}

/// reference: 5.3 single active consumer, quorum: while a more important one waits, the active one gets nothing more; that ends
/// when it is drained, even if the other one has gone
#[tokio::test]
async fn on_a_quorum_queue_the_active_consumer_yields_before_it_is_replaced() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("sac");
    ch.declare(queue(&name).quorum().arg("x-single-active-consumer", Value::t(true))).await;
    ch.qos(10).await;
    let (important, gone) = (ch.connection.channel(2).await, ch.connection.channel(3).await);
    ch.consume(consume(&name).tag("first")).await;
    for body in ["1", "2"] {
        ch.publish(publish("", &name, body)).await;
        ch.expect_bodies(&[body]).await;
    }
    gone.consume(consume(&name).tag("gone").arg("x-priority", Value::I(9))).await;
    ch.publish(publish("", &name, "3")).await;
    ch.expect_ready(&name, 1).await;
    ch.expect_nothing().await;
    gone.cancel("gone").await;
    gone.expect_nothing().await;
    ch.expect_nothing().await;
    // It goes on only once it is drained.
    ch.ack(1).await;
    ch.expect_nothing().await;
    ch.ack(2).await;
    assert_eq!(ch.expect_deliver().await.consumer_tag, "first");

    important.consume(consume(&name).tag("important").arg("x-priority", Value::I(5))).await;
    ch.publish(publish("", &name, "4")).await;
    ch.expect_ready(&name, 1).await;
    ch.expect_nothing().await;
    ch.nack(3, true).await;
    important.expect_bodies(&["3", "4"]).await;
}
