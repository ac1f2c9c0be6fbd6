//! Many of something, and clients that do not do their part (reference: 1.4, 1.8, 4; what a broker must stand).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::method::bind;
use crate::client::socket::method;
use crate::client::table::Table;
use crate::client::{consume, exchange, publish, queue};

/// Every channel that may be open, each of use.
#[tokio::test]
async fn a_connection_carries_2000_channels() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let name = broker.name("q");
    let mut bytes = Vec::new();
    for id in 1..=2000 {
        bytes.extend(method(id, amq_protocol::protocol::channel::Open {}));
    }
    connection.write(bytes).await;
    let mut channels = Vec::new();
    for id in 1..=2000 {
        let ch = connection.unopened_channel(id);
        ch.reply_to((20, 10)).await;
        channels.push(ch);
    }
    channels[0].declare(queue(&name).exclusive()).await;
    for ch in channels.iter().step_by(10) {
        ch.consume(consume(&name).no_ack().tag("t")).await;
    }
    for n in 0..200 {
        channels[n * 10].publish(publish("", &name, n.to_string())).await;
    }
    // Round robin: one for each consumer.
    for (n, ch) in channels.iter().step_by(10).enumerate() {
        assert_eq!(ch.expect_deliver().await.delivery_tag, 1, "consumer {n}");
    }
    connection.close().await;
}

/// Many queues, declared in one go, bound, used and deleted.
#[tokio::test]
async fn a_broker_holds_thousands_of_queues() {
    let broker = TestBroker::start().await;
    // A RabbitMQ takes a second for about a thousand.
    let count = if broker.is_rabbitmq() { 1_000 } else { 10_000 };
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let stem = broker.name("many");
    let names: Vec<_> = (0..count).map(|n| format!("{stem}.{n}")).collect();
    for piece in names.chunks(500) {
        let bytes: Vec<u8> = piece.iter().flat_map(|name| method(1, queue(name).exclusive())).collect();
        connection.write(bytes).await;
        for _ in piece {
            ch.reply_to((50, 10)).await;
        }
    }
    ch.confirm_select().await;
    let published: Vec<u8> = names.iter().flat_map(|name| ch.publish_bytes(&publish("", name, name))).collect();
    connection.write(published).await;
    ch.expect_acks_up_to(count as u64).await;
    for name in names.iter().step_by(100) {
        assert_eq!(&ch.get_no_ack(name).await.unwrap().text(), name);
    }
    connection.close().await;
    let other = broker.connect().await.channel(1).await;
    assert!(!other.exists(&names[count - 1]).await);
}

/// A topic exchange with very many bindings: each key still finds its own few, and the bindings go with their queues.
#[tokio::test]
async fn a_topic_exchange_holds_a_hundred_thousand_bindings() {
    let broker = TestBroker::start().await;
    let (queues, keys) = if broker.is_rabbitmq() { (10, 50) } else { (100, 1_000) };
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let (source, stem) = (broker.name("x"), broker.name("q"));
    let names: Vec<_> = (0..queues).map(|n| format!("{stem}.{n}")).collect();
    ch.declare_exchange(exchange(&source, "topic")).await;
    let none = Table::default();
    for (n, name) in names.iter().enumerate() {
        ch.declare(queue(name).exclusive()).await;
        // A third each: plain keys, one word open, any number of words open.
        let key_of = |key: usize| match key % 3 {
            0 => format!("q{n}.k{key}.end"),
            1 => format!("q{n}.*.k{key}"),
            _ => format!("*.k{key}.#"),
        };
        let bytes: Vec<u8> =
            (0..keys).flat_map(|key| method(1, bind(name, &source, &key_of(key), &none, true))).collect();
        connection.write(bytes).await;
    }
    ch.confirm_select().await;
    for key in [format!("q{}.k3.end", queues - 1), "q0.any.k4".into(), "other.k5.and.more".into(), "q0.k3.other".into()]
    {
        ch.publish_confirmed(publish(&source, &key, &key)).await;
    }
    let mut found = Vec::new();
    for name in &names {
        found.push(ch.drain(name).await);
    }
    let last = format!("q{}.k3.end", queues - 1);
    for (n, found) in found.iter().enumerate() {
        let expected: &[&str] = match n {
            0 => &["q0.any.k4", "other.k5.and.more"],
            n if n == queues - 1 => &[&last, "other.k5.and.more"],
            _ => &["other.k5.and.more"],
        };
        assert_eq!(found, expected, "queue {n}");
    }
    for name in &names {
        ch.delete(name).await;
    }
    ch.publish(publish(&source, "other.k5", "unroutable").mandatory()).await;
    ch.expect_return().await;
}

/// A consumer that does not read: others are not held up, and what it was sent returns when it goes.
#[tokio::test]
async fn a_consumer_that_does_not_read_holds_up_nobody() {
    let broker = TestBroker::start().await;
    let (stuck_queue, other_queue) = (broker.name("stuck"), broker.name("other"));
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&stuck_queue)).await;
    ch.declare(queue(&other_queue)).await;
    let stuck = broker.connect().await.channel(1).await;
    stuck.consume(consume(&stuck_queue)).await;
    ch.confirm_select().await;
    // 64 MiB, far beyond what sockets buffer.
    let body = vec![b'x'; 256 * 1024];
    for _ in 0..256 {
        ch.publish(publish("", &stuck_queue, &body)).await;
    }
    ch.expect_acks_up_to(256).await;
    let quick = broker.connect().await.channel(1).await;
    quick.consume(consume(&other_queue).no_ack()).await;
    for n in 0..100 {
        ch.publish(publish("", &other_queue, n.to_string())).await;
        assert_eq!(quick.expect_deliver().await.text(), n.to_string());
    }
    drop(stuck);
    ch.expect_ready(&stuck_queue, 256).await;
    assert_eq!(ch.purge(&stuck_queue).await, 256);
}

/// A publisher that floods and does not read its confirms is slowed down, not dropped, and everything arrives.
#[tokio::test]
async fn a_flooding_publisher_is_slowed_and_nothing_is_lost() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    ch.confirm_select().await;
    let count = 100_000_u64;
    let piece: Vec<u8> = ch.publish_bytes(&publish("", &name, "0123456789abcdef")).repeat(1000);
    for _ in 0..count / 1000 {
        let written = connection.socket.write_within(Duration::from_secs(60), &piece).await;
        assert_eq!(written, piece.len(), "the broker stopped reading for a minute");
    }
    let mut acked = 0;
    let mut open = std::collections::BTreeSet::new();
    // Acks come in any order (reference: 5.8); count each message once.
    while acked + open.len() as u64 != count {
        let confirm = ch.expect_confirm().await;
        assert!(confirm.ack);
        if confirm.multiple {
            acked = acked.max(confirm.delivery_tag);
            open.retain(|&tag| tag > acked);
        } else if confirm.delivery_tag > acked {
            open.insert(confirm.delivery_tag);
        }
    }
    assert_eq!(ch.purge(&name).await, count as u32);
}

/// Many connections that come and go.
#[tokio::test]
async fn connections_come_and_go() {
    let broker = TestBroker::start().await;
    let mut idle = Vec::new();
    for n in 0..100 {
        let connection = broker.connect().await;
        connection.channel(1).await;
        match n % 3 {
            0 => connection.close().await,
            1 => drop(connection),
            _ => idle.push(connection),
        }
    }
    for connection in idle {
        connection.channel(2).await;
    }
}

/// A large message between small ones, over several channels at once.
#[tokio::test]
async fn large_and_small_messages_share_a_connection() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (small, large) = (connection.channel(1).await, connection.channel(2).await);
    let (small_queue, large_queue) = (broker.name("small"), broker.name("large"));
    small.declare(queue(&small_queue).exclusive()).await;
    large.declare(queue(&large_queue).exclusive()).await;
    small.consume(consume(&small_queue).no_ack()).await;
    large.consume(consume(&large_queue).no_ack()).await;
    let body: Vec<u8> = (0..10_000_000_u32).map(|n| n as u8).collect();
    for n in 0..3 {
        small.publish(publish("", &small_queue, n.to_string())).await;
        large.publish(publish("", &large_queue, &body)).await;
    }
    for n in 0..3 {
        assert_eq!(small.expect_deliver().await.text(), n.to_string());
        assert!(large.expect_deliver().await.body == body, "10 MB came back changed");
    }
}
