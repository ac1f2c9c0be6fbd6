//! Queues that go by themselves: auto-delete and x-expires (reference: 4.5).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::table::S;
use crate::client::{Channel, Value, consume, publish, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// reference: 4.5, auto-delete by cancel, channel close, connection close and connection loss
#[tokio::test]
async fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = TestBroker::start().await;
    let watcher = channel(&broker).await;
    for how in 0..4 {
        let (name, dead) = (broker.name("q"), broker.name("dead"));
        watcher.declare(queue(&dead).exclusive()).await;
        let declare = queue(&name).auto_delete().arg("x-dead-letter-exchange", S(""));
        watcher.declare(declare.arg("x-dead-letter-routing-key", S(&dead))).await;
        let connection = broker.connect().await;
        let ch = connection.channel(1).await;
        ch.qos(1).await;
        let first = ch.consume(consume(&name)).await;
        let second = ch.consume(consume(&name)).await;
        for body in ["a", "b", "c"] {
            ch.publish(publish("", &name, body)).await;
        }
        ch.expect_deliver().await;
        ch.expect_deliver().await;
        ch.cancel(&first).await;
        assert!(watcher.exists(&name).await, "one consumer is left");
        match how {
            0 => ch.cancel(&second).await,
            1 => ch.close().await,
            2 => connection.close().await,
            _ => drop((ch, connection)),
        }
        watcher.expect_queue_gone(&name).await;
        // What was in it is dropped, not dead-lettered.
        assert_eq!(watcher.drain(&dead).await, [""; 0]);
    }
}

/// reference: 4.5, never consumed stays; get does not count
#[tokio::test]
async fn an_auto_delete_queue_without_consumers_stays() {
    let broker = TestBroker::start().await;
    let name = broker.name("q");
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    ch.declare(queue(&name).auto_delete()).await;
    ch.publish(publish("", &name, "m")).await;
    ch.get_eventually(&name).await;
    connection.close().await;
    assert!(channel(&broker).await.exists(&name).await);
}

/// reference: 4.5, x-expires; publishing does not keep a queue, its use does
#[tokio::test]
async fn an_unused_queue_expires() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let ms = Duration::from_millis;
    let [published, gotten, declared, passive, consumed] =
        ["published", "gotten", "declared", "passive", "consumed"].map(|name| broker.name(name));
    let expiring = |name: &str| queue(name).arg("x-expires", Value::I(1_000));
    for name in [&published, &gotten, &declared, &passive, &consumed] {
        ch.declare(expiring(name)).await;
    }
    let tag = ch.consume(consume(&consumed).no_ack()).await;
    for _ in 0..4 {
        ch.sync().await;
        broker.pass(ms(400)).await;
        ch.publish(publish("", &published, "m")).await;
        ch.get(&gotten).await;
        ch.declare(expiring(&declared)).await;
        ch.declare(queue(&passive).passive()).await;
    }
    ch.expect_queue_gone(&published).await;
    for name in [&gotten, &declared, &passive, &consumed] {
        ch.declare(queue(name).passive()).await;
    }
    ch.cancel(&tag).await;
    // The last look at each counted as use; a consumer's end begins the time anew.
    ch.sync().await;
    broker.pass(ms(1_400)).await;
    for name in [&gotten, &declared, &passive, &consumed] {
        ch.expect_queue_gone(name).await;
    }
}

/// reference: 4.5 and 6.2, messages of an expired queue are dropped, not dead-lettered
#[tokio::test]
async fn an_expired_queue_dead_letters_nothing() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let (name, dead) = (broker.name("q"), broker.name("dead"));
    ch.declare(queue(&dead).exclusive()).await;
    let declare = queue(&name).arg("x-expires", Value::I(200)).arg("x-dead-letter-exchange", S(""));
    ch.declare(declare.arg("x-dead-letter-routing-key", S(&dead))).await;
    ch.publish(publish("", &name, "m")).await;
    ch.sync().await;
    broker.pass(Duration::from_millis(500)).await;
    ch.expect_queue_gone(&name).await;
    assert_eq!(ch.drain(&dead).await, [""; 0]);
}
