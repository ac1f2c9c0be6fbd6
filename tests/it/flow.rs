//! Publishers are read at the pace of consumers that keep up, and never wait for one that is slow by itself. RabbitMQ has credit flow in
//! place of it: what clients see of both is the same.

use crate::broker::TestBroker;
use crate::client::{consume, publish, queue};

const BODY_BYTES: usize = 1_000;
/// Messages that a publisher writes at once.
const PIECE: usize = 100;

/// Publishers write as fast as they can; each message arrives, once and in the order of its publisher.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_without_a_pause_arrives_in_order() {
    const PUBLISHERS: usize = 3;
    const PIECES: usize = 60;
    let broker = TestBroker::start().await;
    let name = broker.name("q");
    let consumer = broker.connect().await.channel(1).await;
    consumer.declare(queue(&name)).await;
    consumer.qos(500).await;
    consumer.consume(consume(&name)).await;
    let mut publishers = Vec::new();
    for publisher in 0..PUBLISHERS {
        let (connection, name) = (broker.connect().await, name.clone());
        publishers.push(tokio::spawn(async move {
            let out = connection.channel(1).await;
            for piece in 0..PIECES {
                let message = |number: usize| {
                    let text = format!("{publisher} {}", piece * PIECE + number);
                    out.publish_bytes(&publish("", &name, format!("{text:<BODY_BYTES$}")))
                };
                out.connection.write((0..PIECE).flat_map(message).collect::<Vec<_>>()).await;
            }
            out.sync().await;
        }));
    }
    let mut next = [0; PUBLISHERS];
    for _ in 0..PUBLISHERS * PIECES * PIECE {
        let delivery = consumer.expect_deliver().await;
        let numbers: Vec<usize> = delivery.text().split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [publisher, number] = numbers[..] else { panic!("{numbers:?}") };
        assert_eq!(number, next[publisher], "of publisher {publisher}");
        next[publisher] += 1;
        if delivery.delivery_tag % 100 == 0 {
            consumer.ack_multiple(delivery.delivery_tag).await;
        }
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
}

/// A consumer that does not read, and one that has no credit: their queues keep what comes, however much more it is than what the
/// broker holds for a consumer, and publishers go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_are_slow_by_themselves_hold_up_nobody() {
    const PIECES: usize = 200;
    let broker = TestBroker::start().await;
    let (unread, uncredited) = (broker.name("unread"), broker.name("uncredited"));
    let consumer = broker.connect().await.channel(1).await;
    let other = broker.connect().await.channel(1).await;
    let out = broker.connect().await.channel(1).await;
    consumer.declare(queue(&unread)).await;
    consumer.consume(consume(&unread).no_ack()).await;
    other.declare(queue(&uncredited)).await;
    other.qos(1).await;
    other.consume(consume(&uncredited)).await;
    for name in [&unread, &uncredited] {
        let piece = out.publish_bytes(&publish("", name, "x".repeat(BODY_BYTES))).repeat(PIECE);
        for _ in 0..PIECES {
            out.connection.write(&piece).await;
        }
    }
    // It is answered behind all that was published.
    out.sync().await;
    let (ready, _) = out.counts(&uncredited).await;
    assert_eq!(ready as usize, PIECES * PIECE - 1);
}

/// A ring of clients that forward, each of which writes before it reads, while more comes than its sockets hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_forward_in_a_ring_do_not_stand_still() {
    const MESSAGES: usize = 2_000;
    const ROUNDS: usize = 3;
    let broker = TestBroker::start().await;
    let names = [broker.name("a"), broker.name("b"), broker.name("c")];
    let declaring = broker.connect().await.channel(1).await;
    for name in &names {
        declaring.declare(queue(name)).await;
    }
    let mut forwarding = Vec::new();
    for (place, from) in names.iter().enumerate() {
        let (connection, from, to) = (broker.connect().await, from.clone(), names[(place + 1) % names.len()].clone());
        forwarding.push(tokio::spawn(async move {
            let ch = connection.channel(1).await;
            ch.consume(consume(&from).no_ack()).await;
            let message = ch.publish_bytes(&publish("", &to, "x".repeat(BODY_BYTES)));
            for _ in 0..MESSAGES * ROUNDS {
                ch.expect_deliver().await;
                ch.connection.write(&message).await;
            }
            ch.sync().await;
        }));
    }
    let piece = declaring.publish_bytes(&publish("", &names[0], "x".repeat(BODY_BYTES))).repeat(PIECE);
    for _ in 0..MESSAGES / PIECE {
        declaring.connection.write(&piece).await;
    }
    for forwarder in forwarding {
        forwarder.await.unwrap();
    }
    for name in &names {
        declaring.delete(name).await;
    }
}
