//! Prefetch (reference: 5.2).

use amq_protocol::protocol::basic::Qos;

use crate::broker::{Setup, TestBroker};
use crate::client::{Channel, consume, publish, queue};

async fn stage(broker: &TestBroker, messages: usize) -> (Channel, String) {
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for n in 0..messages {
        ch.publish(publish("", &name, n.to_string())).await;
    }
    ch.expect_ready(&name, messages as u32).await;
    (ch, name)
}

/// reference: 5.2, prefetch-size
#[tokio::test]
async fn a_prefetch_size_is_not_implemented() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    // The crate's method has no such field, because the specification's generators leave it zero.
    ch.send(crate::client::Request(vec![0, 60, 0, 10, 0, 0, 0, 100, 0, 1, 0])).await;
    connection.expect_close(540, "NOT_IMPLEMENTED - prefetch_size!=0 (100)", (60, 10)).await;
}

/// reference: 5.2, global=false limits consumers that start later; acks make room one by one
#[tokio::test]
async fn a_prefetch_count_holds_for_consumers_started_later() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, 10).await;
    ch.qos(2).await;
    let first = ch.consume(consume(&name)).await;
    let deliveries = ch.expect_bodies(&["0", "1"]).await;
    ch.expect_nothing().await;
    // The first consumer keeps its limit, a later one has the new one.
    ch.qos(3).await;
    ch.expect_nothing().await;
    ch.ack(deliveries[0].delivery_tag).await;
    ch.expect_bodies(&["2"]).await;
    ch.expect_nothing().await;
    let second = ch.consume(consume(&name)).await;
    for body in ["3", "4", "5"] {
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.text().as_str(), &delivery.consumer_tag), (body, &second));
    }
    ch.expect_nothing().await;
    // An ack of several makes room for several, each in its own consumer.
    ch.ack_multiple(3).await;
    for body in ["6", "7"] {
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.text().as_str(), &delivery.consumer_tag), (body, &first));
    }
    ch.expect_nothing().await;
    // Nack and reject make room as well.
    ch.nack(4, false).await;
    ch.reject(5, false).await;
    ch.expect_bodies(&["8", "9"]).await;
}

/// reference: 5.2, count 0 is unlimited, also on quorum queues
#[tokio::test]
async fn a_prefetch_count_of_zero_is_unlimited() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let (classic, quorum) = (broker.name("classic"), broker.name("quorum"));
    ch.declare(queue(&classic).exclusive()).await;
    ch.declare(queue(&quorum).quorum()).await;
    for name in [&classic, &quorum] {
        ch.qos(0).await;
        ch.consume(consume(name)).await;
        for _ in 0..500 {
            ch.publish(publish("", name, "m")).await;
        }
        for _ in 0..500 {
            ch.expect_deliver().await;
        }
    }
}

/// reference: 5.2, no_ack consumers and basic.get are not limited
#[tokio::test]
async fn no_ack_consumers_and_gets_are_not_limited() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, 6).await;
    ch.qos(1).await;
    for expected in ["0", "1", "2"] {
        assert_eq!(ch.get(&name).await.unwrap().text(), expected);
    }
    ch.consume(consume(&name).no_ack()).await;
    ch.expect_bodies(&["3", "4", "5"]).await;
    // And gets do not use up a consumer's limit.
    ch.consume(consume(&name)).await;
    ch.publish(publish("", &name, "6")).await;
    ch.publish(publish("", &name, "7")).await;
    ch.expect_deliver().await;
    ch.expect_deliver().await;
}

/// reference: 5.2, global=true: to the letter of 4.3 it is per consumer
#[tokio::test]
async fn a_global_prefetch_is_per_consumer_to_the_letter_of_4_3() {
    let broker = Setup::default().like_4_3().start().await;
    let (ch, name) = stage(&broker, 5).await;
    ch.call(Qos { prefetch_count: 2, global: true }).await;
    ch.consume(consume(&name)).await;
    ch.expect_bodies(&["0", "1"]).await;
    ch.consume(consume(&name)).await;
    ch.expect_bodies(&["2", "3"]).await;
    ch.expect_nothing().await;
}

/// reference: 12, channel-wide prefetch
/// reference: 5.2, global=true where the feature is permitted, as in the default profile: one limit for the channel
#[tokio::test]
async fn a_global_prefetch_is_shared_by_the_channels_consumers() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return; // RabbitMQ 4.3 denies the feature by default.
    }
    let (ch, name) = stage(&broker, 6).await;
    ch.call(Qos { prefetch_count: 2, global: true }).await;
    ch.consume(consume(&name)).await;
    ch.expect_bodies(&["0", "1"]).await;
    ch.consume(consume(&name)).await;
    ch.expect_nothing().await;
    ch.ack(1).await;
    ch.expect_bodies(&["2"]).await;
    ch.expect_nothing().await;
    // A later value holds at once for all.
    ch.call(Qos { prefetch_count: 4, global: true }).await;
    ch.expect_bodies(&["3", "4"]).await;
    ch.expect_nothing().await;
    ch.call(Qos { prefetch_count: 0, global: true }).await;
    ch.expect_bodies(&["5"]).await;
}

/// reference: 4.2, a quorum queue has no part in a limit for the whole channel
#[tokio::test]
async fn a_quorum_queue_refuses_a_channel_wide_limit() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return; // RabbitMQ 4.3 denies the limit itself.
    }
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("quorum");
    ch.declare(queue(&name).quorum()).await;
    ch.call(Qos { prefetch_count: 2, global: true }).await;
    ch.send(consume(&name)).await;
    let text = format!("NOT_IMPLEMENTED - queue '{name}' in vhost '/' does not support global qos");
    connection.expect_close(540, &text, (60, 20)).await;
}
