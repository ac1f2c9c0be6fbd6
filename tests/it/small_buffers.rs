//! Sockets whose buffers hold almost nothing: everything is read and written in small pieces.

use crate::broker::{Setup, TestBroker};
use crate::client::{Channel, consume, publish, queue};

/// The least that Linux gives is a little more than this.
const SOCKET_BYTES: u32 = 4_096;

/// Bytes that repeat nowhere near, so that a piece that is missing or doubled shows.
fn body(number: u32, bytes: u32) -> Vec<u8> {
    (0..bytes / 4).flat_map(|place| (place ^ (number << 24)).to_be_bytes()).collect()
}

/// Bodies around the limits of frames, and large ones.
fn bodies() -> Vec<Vec<u8>> {
    let sizes = [0, 4, 4_096, 131_064, 131_072, 1 << 20, 3 << 20, 1 << 20];
    sizes.into_iter().zip(1..).map(|(bytes, number)| body(number, bytes)).collect()
}

/// Sends back what comes, with acknowledgements.
async fn send_back(ch: Channel, from: String, to: String, count: usize) {
    ch.consume(consume(&from)).await;
    for _ in 0..count {
        let delivery = ch.expect_deliver().await;
        ch.publish(publish("", &to, &delivery.body)).await;
        ch.ack(delivery.delivery_tag).await;
    }
    ch.sync().await;
}

/// Everything at once: the one connection publishes and consumes, the other one sends back what it gets.
#[tokio::test]
async fn big_messages_pass_both_ways_through_small_buffers() {
    for on_disk in [false, true] {
        let broker = Setup { socket_bytes: Some(SOCKET_BYTES), on_disk, ..Setup::default() }.start().await;
        big_messages_pass_both_ways(&broker).await;
    }
}

/// What a consumer was sent does not keep its connection from being read: a client that reads only when it has written everything would
/// wait for the broker, which would wait for it.
#[tokio::test]
async fn a_client_that_reads_nothing_while_it_writes_is_read() {
    let broker = Setup { socket_bytes: Some(SOCKET_BYTES), ..Setup::default() }.start().await;
    let (ch, name) = broker.stage("q").await;
    ch.consume(consume(&name).no_ack()).await;
    let bodies = [1, 2, 3].map(|number| body(number, 10 << 20));
    for body in &bodies {
        ch.publish(publish("", &name, body)).await;
    }
    for body in &bodies {
        assert!(ch.expect_deliver().await.body == *body, "another body came back");
    }
}

async fn big_messages_pass_both_ways(broker: &TestBroker) {
    let connection = broker.connect().await;
    let (publisher, consumer) = (connection.channel(1).await, connection.channel(2).await);
    let (there, back) = (broker.name("there"), broker.name("back"));
    for name in [&there, &back] {
        publisher.declare(queue(name).durable()).await;
    }
    let bodies = bodies();
    let echo = broker.connect().await.channel(1).await;
    let echo = tokio::spawn(send_back(echo, there.clone(), back.clone(), bodies.len()));
    consumer.consume(consume(&back).no_ack()).await;
    publisher.confirm_select().await;
    for body in &bodies {
        publisher.publish(publish("", &there, body)).await;
    }
    publisher.expect_acks_up_to(bodies.len() as u64).await;
    for body in &bodies {
        let delivery = consumer.expect_deliver().await;
        assert!(delivery.body == *body, "{} bytes came as {}", body.len(), delivery.body.len());
    }
    echo.await.unwrap();
    for name in [&there, &back] {
        assert_eq!(publisher.delete(name).await, 0);
    }
}
