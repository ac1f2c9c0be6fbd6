//! Transactions (reference: 5.9).

use amq_protocol::protocol::tx::{Commit, Rollback, Select};

use crate::broker::TestBroker;
use crate::client::delivery::Event;
use crate::client::table::S;
use crate::client::{Value, publish, queue};

/// reference: 5.9, select is repeatable; commit and rollback need it; not after confirm.select
#[tokio::test]
async fn select_first_and_not_with_confirms() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    ch.refused(Commit {}, 406, "PRECONDITION_FAILED - channel is not transactional").await;
    ch.refused(Rollback {}, 406, "PRECONDITION_FAILED - channel is not transactional").await;
    ch.tx_select().await;
    ch.tx_select().await;
    ch.tx_commit().await;
    ch.tx_rollback().await;
    ch.close().await;
    ch.open().await;
    ch.confirm_select().await;
    ch.refused(Select {}, 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode").await;
}

/// reference: 5.9, publishes reach queues at commit; a rollback drops them and begins anew
#[tokio::test]
async fn publishes_wait_for_their_commit() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let other = ch.connection.channel(2).await;
    ch.tx_select().await;
    ch.publish(publish("", &name, "1")).await;
    ch.publish(publish("", &name, "2")).await;
    ch.expect_nothing().await;
    assert_eq!(other.get_no_ack(&name).await, None);
    ch.tx_commit().await;
    other.expect_ready(&name, 2).await;
    assert_eq!(other.drain(&name).await, ["1", "2"]);
    ch.publish(publish("", &name, "never")).await;
    ch.tx_rollback().await;
    ch.publish(publish("", &name, "3")).await;
    ch.tx_commit().await;
    other.expect_ready(&name, 1).await;
    assert_eq!(other.drain(&name).await, ["3"]);
}

/// reference: 5.9, checks at the publish, routing at the publish
#[tokio::test]
async fn a_publish_is_checked_and_routed_at_once() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let other = ch.connection.channel(2).await;
    ch.tx_select().await;
    let text = "NOT_FOUND - no exchange 'no-such-exchange' in vhost '/'";
    ch.publish_refused(publish("no-such-exchange", "", "m"), 404, text).await;
    ch.tx_select().await;
    let text = "PRECONDITION_FAILED - invalid expiration 'x': no_integer";
    ch.publish_refused(publish("", &name, "m").expiration("x"), 406, text).await;

    // Routed when it was published: a binding made before the commit comes too late, one removed stays good.
    ch.tx_select().await;
    let x = broker.name("x");
    other.declare_exchange(crate::client::exchange(&x, "direct")).await;
    other.bind(&name, &x, "old").await;
    ch.publish(publish(&x, "old", "routed")).await;
    ch.publish(publish(&x, "new", "unroutable")).await;
    ch.expect_nothing().await;
    other.unbind(&name, &x, "old").await;
    other.bind(&name, &x, "new").await;
    ch.tx_commit().await;
    other.expect_ready(&name, 1).await;
    assert_eq!(other.drain(&name).await, ["routed"]);
}

/// reference: 5.9, mandatory returns come at commit, before commit-ok
#[tokio::test]
async fn returns_come_before_commit_ok() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    ch.tx_select().await;
    ch.publish(publish("", "no-such-queue", "returned").mandatory()).await;
    ch.expect_nothing().await;
    ch.send(Commit {}).await;
    assert_eq!(ch.expect_return().await.body, b"returned");
    assert!(matches!(ch.next().await, Event::Method(_)), "commit-ok");
    // A rolled back message is not returned.
    ch.publish(publish("", "no-such-queue", "m").mandatory()).await;
    ch.tx_rollback().await;
    ch.expect_nothing().await;
}

/// reference: 5.9, acks, nacks and rejects take effect at commit; a rollback restores the deliveries
#[tokio::test]
async fn acknowledgements_wait_for_their_commit() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let other = ch.connection.channel(2).await;
    for body in ["1", "2", "3", "4"] {
        ch.publish(publish("", &name, body)).await;
    }
    other.expect_ready(&name, 4).await;
    ch.tx_select().await;
    for _ in 0..4 {
        ch.get(&name).await.unwrap();
    }
    ch.ack(1).await;
    ch.nack(2, true).await;
    ch.reject(3, true).await;
    ch.expect_nothing().await;
    assert_eq!(other.get_no_ack(&name).await, None, "nothing is requeued before the commit");
    ch.tx_rollback().await;
    // The same tags are outstanding again; nothing was redelivered.
    ch.expect_nothing().await;
    assert_eq!(other.get_no_ack(&name).await, None);
    ch.ack_multiple(2).await;
    ch.nack(3, true).await;
    ch.tx_commit().await;
    other.expect_ready(&name, 1).await;
    ch.close().await;
    other.expect_ready(&name, 2).await;
    assert_eq!(other.drain(&name).await, ["3", "4"]);
}

/// reference: 5.9, an ack of an unknown tag is told at once
#[tokio::test]
async fn an_unknown_tag_is_refused_inside_a_transaction() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    ch.tx_select().await;
    ch.get(&name).await.unwrap();
    ch.ack(1).await;
    let ack = amq_protocol::protocol::basic::Ack { delivery_tag: 1, multiple: false };
    ch.refused(ack, 406, "PRECONDITION_FAILED - unknown delivery tag 1").await;
    // The channel's loss was a rollback.
    ch.expect_ready(&name, 1).await;
}

/// reference: 5.9, the loss of a channel is a rollback, then unacked messages requeue
#[tokio::test]
async fn a_lost_channel_rolls_back() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let other = ch.connection.channel(2).await;
    ch.publish(publish("", &name, "kept")).await;
    other.expect_ready(&name, 1).await;
    ch.tx_select().await;
    ch.get(&name).await.unwrap();
    ch.ack(1).await;
    ch.publish(publish("", &name, "never")).await;
    ch.close().await;
    other.expect_ready(&name, 1).await;
    assert_eq!(other.drain(&name).await, ["kept"]);
}

/// reference: 5.9, a full reject-publish queue at commit
#[tokio::test]
async fn a_full_queue_fails_the_commit() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("full");
    ch.declare(queue(&name).exclusive().arg("x-max-length", Value::I(1)).arg("x-overflow", S("reject-publish"))).await;
    ch.publish(publish("", &name, "fits")).await;
    ch.expect_ready(&name, 1).await;
    ch.tx_select().await;
    ch.publish(publish("", &name, "too much")).await;
    ch.refused(Commit {}, 406, "PRECONDITION_FAILED - partial tx completion").await;
    assert_eq!(ch.drain(&name).await, ["fits"]);
}

/// reference: 5.9, quorum queues are usable
#[tokio::test]
async fn transactions_work_with_quorum_queues() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("quorum");
    ch.declare(queue(&name).quorum()).await;
    ch.tx_select().await;
    ch.publish(publish("", &name, "1")).await;
    ch.publish(publish("", &name, "2")).await;
    ch.tx_commit().await;
    ch.expect_ready(&name, 2).await;
    ch.get(&name).await.unwrap();
    ch.ack(1).await;
    ch.tx_commit().await;
    assert_eq!(ch.get_eventually(&name).await.text(), "2");
}
