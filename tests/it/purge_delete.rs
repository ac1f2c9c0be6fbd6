//! Purging and deleting queues (reference: 4.4).

use amq_protocol::protocol::queue::{Delete, Purge};

use crate::broker::{Setup, TestBroker, q};
use crate::client::channel::purge;
use crate::client::delivery::Event;
use crate::client::table::S;
use crate::client::{Channel, consume, publish, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

fn delete_if(name: &str, if_unused: bool, if_empty: bool) -> Delete {
    Delete { queue: name.into(), if_unused, if_empty, nowait: false }
}

/// reference: 4.4, purge counts and drops ready messages; unacked ones survive; nothing is dead-lettered
#[tokio::test]
async fn purge_drops_ready_messages_only() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, dead) = (broker.name("q"), broker.name("dead"));
    ch.declare(queue(&dead).exclusive()).await;
    let dead_letter = queue(&name).exclusive().arg("x-dead-letter-exchange", S(""));
    ch.declare(dead_letter.arg("x-dead-letter-routing-key", S(&dead))).await;
    for body in ["a", "b", "c", "d"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.expect_ready(&name, 4).await;
    let unacked = ch.get(&name).await.unwrap();
    assert_eq!(ch.purge(&name).await, 3);
    assert_eq!(ch.purge(&name).await, 0);
    ch.nack(unacked.delivery_tag, true).await;
    ch.expect_ready(&name, 1).await;
    assert_eq!(ch.drain(&name).await, ["a"]);
    assert_eq!(ch.drain(&dead).await, [""; 0]);
    ch.refused(purge("no-such-queue"), 404, &format!("NOT_FOUND - no {}", q("no-such-queue"))).await;
}

/// reference: 4.4, delete counts ready messages; missing ones too; nothing is dead-lettered
#[tokio::test]
async fn delete_counts_what_it_drops_and_is_idempotent() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, dead) = (broker.name("q"), broker.name("dead"));
    ch.declare(queue(&dead).exclusive()).await;
    let dead_letter = queue(&name).arg("x-dead-letter-exchange", S(""));
    ch.declare(dead_letter.arg("x-dead-letter-routing-key", S(&dead))).await;
    for body in ["a", "b", "c"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.expect_ready(&name, 3).await;
    ch.get(&name).await.unwrap();
    assert_eq!(ch.delete(&name).await, 2);
    assert!(!ch.exists(&name).await);
    assert_eq!(ch.drain(&dead).await, [""; 0]);
    assert_eq!(ch.delete(&name).await, 0);
    ch.call(delete_if(&name, true, true)).await;
}

/// reference: 4.4, if-empty and if-unused
#[tokio::test]
async fn delete_conditions_and_their_order() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let not_empty = format!("PRECONDITION_FAILED - {} not empty", q(&name));
    let in_use = format!("PRECONDITION_FAILED - {} in use", q(&name));
    ch.declare(queue(&name)).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    ch.refused(delete_if(&name, false, true), 406, &not_empty).await;

    let consumer = channel(&broker).await;
    consumer.qos(1).await;
    consumer.consume(consume(&name)).await;
    consumer.expect_deliver().await;
    ch.expect_ready(&name, 0).await;
    ch.refused(delete_if(&name, true, false), 406, &in_use).await;
    // An unacked message does not make it non-empty.
    ch.refused(delete_if(&name, true, true), 406, &in_use).await;
    ch.publish(publish("", &name, "second")).await;
    ch.expect_ready(&name, 1).await;
    ch.refused(delete_if(&name, true, true), 406, &not_empty).await;

    consumer.close().await;
    ch.expect_ready(&name, 2).await;
    ch.purge(&name).await;
    ch.call(delete_if(&name, true, true)).await;
    assert!(!ch.exists(&name).await);
}

/// reference: 5.11, nowait
#[tokio::test]
async fn purge_and_delete_with_nowait_are_silent_on_success_only() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    ch.send(Purge { queue: name.as_str().into(), nowait: true }).await;
    ch.expect_nothing().await;
    assert_eq!(ch.counts(&name).await.0, 0);
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    let text = format!("PRECONDITION_FAILED - {} not empty", q(&name));
    ch.refused(Delete { nowait: true, ..delete_if(&name, false, true) }, 406, &text).await;
    ch.send(Delete { nowait: true, ..delete_if(&name, false, false) }).await;
    ch.expect_nothing().await;
    assert!(!ch.exists(&name).await);
    let text = format!("NOT_FOUND - no {}", q("no-such-queue"));
    ch.refused(Purge { queue: "no-such-queue".into(), nowait: true }, 404, &text).await;
}

/// reference: 4.4, `delete-ok` comes before the `basic.cancel` of consumers on the same channel
#[tokio::test]
async fn delete_ok_precedes_the_cancellation_of_the_channels_own_consumers() {
    let broker = Setup { on_disk: true, ..Setup::default() }.start().await;
    let ch = channel(&broker).await;
    let (durable, quorum, exclusive) = (broker.name("durable"), broker.name("quorum"), broker.name("exclusive"));
    ch.declare(queue(&durable).durable()).await;
    ch.declare(queue(&quorum).quorum()).await;
    ch.declare(queue(&exclusive).exclusive()).await;
    for name in [durable, quorum, exclusive] {
        ch.consume(consume(&name).tag("consumer")).await;
        ch.send(delete_if(&name, false, false)).await;
        let reply = ch.next().await;
        assert!(matches!(&reply, Event::Method(method) if format!("{method:?}").contains("DeleteOk")), "{reply:?}");
        ch.expect_cancelled("consumer").await;
    }
}
