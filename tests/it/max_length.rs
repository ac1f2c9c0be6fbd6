//! Length limits and overflow (reference: 6.1).

use crate::broker::TestBroker;
use crate::client::method::QueueDeclare;
use crate::client::table::S;
use crate::client::{Channel, Value, consume, publish, queue};

async fn stage(broker: &TestBroker) -> (Channel, String) {
    let ch = broker.connect().await.channel(1).await;
    let dead = broker.name("dead");
    ch.declare(queue(&dead).exclusive()).await;
    ch.confirm_select().await;
    (ch, dead)
}

fn mortal(declare: QueueDeclare, dead: &str) -> QueueDeclare {
    declare.arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(dead))
}

/// Publishes each, waits for its confirm; which were acked.
async fn publish_all(ch: &Channel, name: &str, bodies: &[&str]) -> Vec<bool> {
    let mut acks = Vec::new();
    for body in bodies {
        ch.publish(publish("", name, body)).await;
        acks.push(ch.expect_confirm().await.ack);
    }
    acks
}

/// reference: 6.1, drop-head by count
#[tokio::test]
async fn the_oldest_go_when_a_queue_is_too_long() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    for declare in [queue(&broker.name("classic")).exclusive(), queue(&broker.name("quorum")).quorum()] {
        let declare = mortal(declare.arg("x-max-length", Value::I(2)), &dead);
        let name = ch.declare(declare).await.name;
        assert_eq!(publish_all(&ch, &name, &["1", "2", "3", "4"]).await, [true; 4]);
        for body in ["1", "2"] {
            let delivery = ch.get_eventually(&dead).await;
            assert_eq!(delivery.text(), body);
            assert_eq!(delivery.headers().get("x-first-death-reason"), Some(&S("maxlen")));
        }
        ch.expect_ready(&name, 2).await;
        assert_eq!(ch.drain(&name).await, ["3", "4"]);
    }
}

/// reference: 6.1, bytes are the bytes of bodies
#[tokio::test]
async fn the_oldest_go_when_a_queue_holds_too_many_bytes() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let name = broker.name("q");
    ch.declare(mortal(queue(&name).exclusive().arg("x-max-length-bytes", Value::I(10)), &dead)).await;
    publish_all(&ch, &name, &["12345", "", "67890"]).await;
    ch.expect_ready(&name, 3).await;
    publish_all(&ch, &name, &["a"]).await;
    assert_eq!(ch.get_eventually(&dead).await.text(), "12345");
    ch.expect_ready(&name, 3).await;
    // One message larger than the limit pushes out everything, itself included.
    publish_all(&ch, &name, &["more than ten"]).await;
    assert_eq!(ch.drain(&name).await, [""; 0]);
    for body in ["", "67890", "a", "more than ten"] {
        assert_eq!(ch.get_eventually(&dead).await.text(), body);
    }
}

/// reference: 6.1, both limits hold
#[tokio::test]
async fn both_limits_hold() {
    let broker = TestBroker::start().await;
    let (ch, _) = stage(&broker).await;
    let name = broker.name("q");
    let declare = queue(&name).exclusive().arg("x-max-length", Value::I(3));
    ch.declare(declare.arg("x-max-length-bytes", Value::I(6))).await;
    publish_all(&ch, &name, &["1", "2", "3", "4"]).await;
    assert_eq!(ch.drain(&name).await, ["2", "3", "4"]);
    publish_all(&ch, &name, &["aaa", "bbb", "ccc"]).await;
    assert_eq!(ch.drain(&name).await, ["bbb", "ccc"]);
}

/// reference: 6.1, only ready messages count; a requeue beyond the limit drops the requeued one
#[tokio::test]
async fn unacked_messages_do_not_count_until_they_return() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let name = broker.name("q");
    ch.declare(mortal(queue(&name).exclusive().arg("x-max-length", Value::I(2)), &dead)).await;
    publish_all(&ch, &name, &["1", "2"]).await;
    assert_eq!(ch.get(&name).await.unwrap().text(), "1");
    publish_all(&ch, &name, &["3"]).await;
    ch.expect_ready(&name, 2).await;
    assert_eq!(ch.get_no_ack(&dead).await, None);
    ch.nack(1, true).await;
    assert_eq!(ch.get_eventually(&dead).await.text(), "1");
    assert_eq!(ch.drain(&name).await, ["2", "3"]);
}

/// reference: 6.1, max-length 0 with drop-head
#[tokio::test]
async fn a_limit_of_zero_accepts_and_drops() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let name = broker.name("q");
    ch.declare(mortal(queue(&name).exclusive().arg("x-max-length", Value::I(0)), &dead)).await;
    assert_eq!(publish_all(&ch, &name, &["m"]).await, [true]);
    assert_eq!(ch.get_eventually(&dead).await.text(), "m");
    assert_eq!(ch.get(&name).await, None);
}

/// reference: 6.1, reject-publish: a nack, or silence without confirms; no dead-letter
#[tokio::test]
async fn reject_publish_refuses_the_newest() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let name = broker.name("q");
    let declare = queue(&name).exclusive().arg("x-max-length", Value::I(2)).arg("x-overflow", S("reject-publish"));
    ch.declare(mortal(declare, &dead)).await;
    assert_eq!(publish_all(&ch, &name, &["1", "2", "3"]).await, [true, true, false]);
    let plain = ch.connection.channel(2).await;
    plain.publish(publish("", &name, "4")).await;
    plain.expect_nothing().await;
    ch.expect_ready(&name, 2).await;
    assert_eq!(ch.drain(&name).await, ["1", "2"]);
    assert_eq!(ch.drain(&dead).await, [""; 0]);
    // By bytes too.
    let name = broker.name("q");
    let declare =
        queue(&name).exclusive().arg("x-max-length-bytes", Value::I(3)).arg("x-overflow", S("reject-publish"));
    ch.declare(declare).await;
    assert_eq!(publish_all(&ch, &name, &["123", "4"]).await, [true, false]);
}

/// reference: 6.1, only ready messages count: what a waiting consumer takes does not fill the queue, however fast it comes
#[tokio::test]
async fn a_burst_is_not_refused_while_a_consumer_waits_for_it() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (ch, into) = (connection.channel(1).await, connection.channel(2).await);
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive().arg("x-max-length", Value::I(2)).arg("x-overflow", S("reject-publish"))).await;
    into.consume(consume(&name).no_ack()).await;
    ch.confirm_select().await;
    connection.write(ch.publish_bytes(&publish("", &name, "m")).repeat(50)).await;
    ch.expect_acks_up_to(50).await;
    for _ in 0..50 {
        into.expect_deliver().await;
    }
}

/// reference: 6.1, reject-publish-dlx: classic refuses and dead-letters, quorum drops its head
#[tokio::test]
async fn reject_publish_dlx_dead_letters_the_refused() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let name = broker.name("classic");
    let limit = |declare: QueueDeclare| {
        mortal(declare.arg("x-max-length", Value::I(1)).arg("x-overflow", S("reject-publish-dlx")), &dead)
    };
    ch.declare(limit(queue(&name).exclusive())).await;
    assert_eq!(publish_all(&ch, &name, &["1", "2"]).await, [true, false]);
    let delivery = ch.get_eventually(&dead).await;
    assert_eq!(delivery.text(), "2");
    assert_eq!(delivery.headers().get("x-first-death-reason"), Some(&S("maxlen")));
    assert_eq!(ch.drain(&name).await, ["1"]);

    let name = broker.name("quorum");
    ch.declare(limit(queue(&name).quorum())).await;
    assert_eq!(publish_all(&ch, &name, &["1", "2"]).await, [true, true]);
    assert_eq!(ch.get_eventually(&dead).await.text(), "1");
    ch.expect_ready(&name, 1).await;
    assert_eq!(ch.drain(&name).await, ["2"]);
}

/// reference: 7.1, with priorities the head that is dropped has the highest
#[tokio::test]
async fn with_priorities_the_most_important_is_dropped() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let name = broker.name("q");
    let declare = queue(&name).exclusive().arg("x-max-priority", Value::I(5)).arg("x-max-length", Value::I(2));
    ch.declare(mortal(declare, &dead)).await;
    for (body, priority) in [("low", 1), ("high", 5), ("middle", 3)] {
        ch.publish_confirmed(publish("", &name, body).priority(priority)).await;
    }
    assert_eq!(ch.get_eventually(&dead).await.text(), "high");
    assert_eq!(ch.drain(&name).await, ["middle", "low"]);
}

/// reference: 6.1, classic: when several return at once, the limit drops first, and delivery comes after
#[tokio::test]
async fn what_returns_is_dropped_before_it_is_delivered_again() {
    let broker = TestBroker::start().await;
    let (ch, dead) = stage(&broker).await;
    let into = ch.connection.channel(2).await;
    for (name, is_quorum) in [(broker.name("classic"), false), (broker.name("quorum"), true)] {
        let declare = if is_quorum { queue(&name).quorum() } else { queue(&name).exclusive() };
        ch.declare(mortal(declare.arg("x-max-length", Value::I(1)), &dead)).await;
        let tag = into.consume(consume(&name)).await;
        for body in ["1", "2", "3"] {
            assert_eq!(publish_all(&ch, &name, &[body]).await, [true]);
            into.expect_bodies(&[body]).await;
        }
        into.nack_multiple(0, true).await;
        if is_quorum {
            into.expect_bodies(&["1", "2", "3"]).await;
            continue;
        }
        into.expect_bodies(&["3"]).await;
        for body in ["1", "2"] {
            assert_eq!(ch.get_eventually(&dead).await.text(), body);
        }
        into.ack_multiple(0).await;
        into.cancel(&tag).await;
    }
}
