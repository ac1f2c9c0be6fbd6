//! Time to live of messages (reference: 6.1).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::table::S;
use crate::client::{Value, consume, publish, queue};

/// A queue for the dead, so that an expiry can be seen when it comes.
/// A queue whose dead go to `dead`.
fn mortal(name: &str, dead: &str, quorum: bool) -> crate::client::method::QueueDeclare {
    let declare = if quorum { queue(name).quorum() } else { queue(name).exclusive() };
    declare.arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(dead))
}

const PAUSE: Duration = Duration::from_millis(150);

/// reference: 6.1, effective TTL: the lower of the message's and the queue's; expiration is kept on delivery
#[tokio::test]
async fn the_lower_of_both_ttls_counts() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    for quorum in [false, true] {
        let (short, long) = (broker.name("short"), broker.name("long"));
        ch.declare(mortal(&short, &dead, quorum).arg("x-message-ttl", Value::I(100))).await;
        ch.declare(mortal(&long, &dead, quorum).arg("x-message-ttl", Value::I(60_000))).await;
        ch.publish(publish("", &short, "queue").expiration("60000")).await;
        ch.sync().await;
        broker.pass(PAUSE).await;
        assert_eq!(ch.get_eventually(&dead).await.text(), "queue");
        ch.publish(publish("", &long, "message").expiration("100")).await;
        ch.sync().await;
        broker.pass(PAUSE).await;
        assert_eq!(ch.get_eventually(&dead).await.text(), "message");
        ch.publish(publish("", &long, "kept").expiration("50000")).await;
        let kept = ch.get_eventually(&long).await;
        assert_eq!(kept.properties.expiration.as_deref(), Some("50000"));
        assert_eq!(ch.drain(&short).await, [""; 0]);
    }
}

/// reference: 6.1, expiry is checked at the head only
#[tokio::test]
async fn a_short_life_behind_a_long_one_waits_and_counts() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    for quorum in [false, true] {
        let name = broker.name("q");
        ch.declare(mortal(&name, &dead, quorum)).await;
        ch.publish(publish("", &name, "long")).await;
        ch.publish(publish("", &name, "short").expiration("50")).await;
        ch.publish(publish("", &name, "last")).await;
        ch.expect_ready(&name, 3).await;
        ch.sync().await;
        broker.pass(PAUSE).await;
        ch.expect_nothing().await;
        assert_eq!(ch.counts(&name).await.0, 3, "the expired one is still counted");
        assert_eq!(ch.get_no_ack(&dead).await, None);
        assert_eq!(ch.get(&name).await.unwrap().text(), "long");
        // Now it was at the head: it is never delivered.
        assert_eq!(ch.get(&name).await.unwrap().text(), "last");
        assert_eq!(ch.get_eventually(&dead).await.text(), "short");
    }
}

/// reference: 6.1, unacked messages do not expire; it is looked at again on requeue
#[tokio::test]
async fn an_unacked_message_expires_when_it_is_requeued() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    let (acked, name) = (broker.name("acked"), broker.name("q"));
    for target in [&acked, &name] {
        ch.declare(mortal(target, &dead, false).arg("x-message-ttl", Value::I(100))).await;
        ch.qos(1).await;
        ch.consume(consume(target)).await;
        ch.publish(publish("", target, "m")).await;
    }
    ch.expect_bodies(&["m", "m"]).await;
    ch.sync().await;
    broker.pass(PAUSE).await;
    ch.expect_nothing().await;
    assert_eq!(ch.get_no_ack(&dead).await, None);
    ch.ack(1).await;
    ch.nack(2, true).await;
    let reason = ch.get_eventually(&dead).await.headers().get("x-first-death-reason").cloned();
    assert_eq!(reason, Some(S("expired")));
    assert_eq!(ch.drain(&dead).await, [""; 0]);
}

/// reference: 6.1, TTL 0: delivered to a waiting consumer, otherwise gone at once
#[tokio::test]
async fn a_ttl_of_zero_needs_a_waiting_consumer() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let (by_queue, by_message) = (broker.name("queue"), broker.name("message"));
    ch.declare(mortal(&by_queue, &dead, false).arg("x-message-ttl", Value::I(0))).await;
    ch.declare(mortal(&by_message, &dead, false)).await;
    for name in [&by_queue, &by_message] {
        ch.publish(publish("", name, "nobody").expiration("0")).await;
        assert_eq!(ch.get_eventually(&dead).await.text(), "nobody");
        assert_eq!(ch.get(name).await, None);
        let tag = ch.consume(consume(name).no_ack()).await;
        ch.publish(publish("", name, "somebody").expiration("0")).await;
        assert_eq!(ch.expect_deliver().await.text(), "somebody");
        ch.cancel(&tag).await;
        assert_eq!(ch.drain(&dead).await, [""; 0]);
    }
}

/// reference: 6.1, without a dead-letter exchange the expired are dropped
#[tokio::test]
async fn expired_messages_are_dropped_in_their_order() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    let (plain, mortal_q) = (broker.name("plain"), broker.name("mortal"));
    ch.declare(queue(&plain).exclusive().arg("x-message-ttl", Value::I(100))).await;
    ch.declare(mortal(&mortal_q, &dead, false).arg("x-message-ttl", Value::I(100))).await;
    for n in 0..50 {
        ch.publish(publish("", &plain, n.to_string())).await;
        ch.publish(publish("", &mortal_q, n.to_string())).await;
    }
    ch.sync().await;
    broker.pass(PAUSE).await;
    for n in 0..50 {
        assert_eq!(ch.get_eventually(&dead).await.text(), n.to_string());
    }
    ch.expect_ready(&plain, 0).await;
    assert_eq!(ch.get(&plain).await, None);
    // And the queue goes on.
    ch.publish(publish("", &plain, "fresh")).await;
    ch.expect_ready(&plain, 1).await;
}

/// reference: 5.5, the message count of basic.get does not count what is expired right behind what it took; a quorum queue drops that
/// later
#[tokio::test]
async fn a_get_does_not_count_what_is_expired() {
    let broker = TestBroker::with_clock().await;
    let (ch, _) = broker.stage("dead").await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for (body, expires) in [("a", false), ("-", true), ("-", true), ("b", false), ("-", true)] {
        let message = publish("", &name, body);
        ch.publish(if expires { message.expiration("50") } else { message }).await;
    }
    ch.sync().await;
    broker.pass(PAUSE).await;
    ch.expect_ready(&name, 5).await;
    for (body, left) in [("a", 2), ("b", 0)] {
        let delivery = ch.get(&name).await.unwrap();
        assert_eq!((delivery.text().as_str(), delivery.message_count), (body, left));
    }
}

/// reference: 6.1, only the head of a whole classic queue expires; of a quorum queue the head of each level
#[tokio::test]
async fn the_head_of_which_expires_is_that_of_the_queue_or_of_the_level() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    for quorum in [false, true] {
        let name = broker.name("q");
        let declare = mortal(&name, &dead, quorum);
        ch.declare(if quorum { declare } else { declare.arg("x-max-priority", Value::I(5)) }).await;
        ch.publish(publish("", &name, "high").priority(5)).await;
        ch.publish(publish("", &name, "low").priority(1).expiration("50")).await;
        if quorum {
            ch.sync().await;
            broker.pass(PAUSE).await;
            assert_eq!(ch.get_eventually(&dead).await.text(), "low");
            continue;
        }
        // What expires elsewhere, and later, tells that whatever is to expire here has done so.
        let other = broker.name("other");
        ch.declare(mortal(&other, &dead, false)).await;
        ch.publish(publish("", &other, "later").expiration("100")).await;
        ch.sync().await;
        broker.pass(PAUSE).await;
        assert_eq!(ch.get_eventually(&dead).await.text(), "later");
        ch.expect_ready(&name, 2).await;
        assert_eq!(ch.get(&name).await.unwrap().text(), "high");
        assert_eq!(ch.get_eventually(&dead).await.text(), "low");
    }
}
