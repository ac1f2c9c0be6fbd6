//! Publisher confirms (reference: 5.8).

use amq_protocol::protocol::confirm::Select;

use crate::broker::{Setup, TestBroker};
use crate::client::channel::close;
use crate::client::delivery::Event;
use crate::client::properties::properties;
use crate::client::socket::method;
use crate::client::table::S;
use crate::client::{Confirm, Value, publish, queue};

/// reference: 5.8, select, repeated and with nowait; numbers count publishes since the first select
#[tokio::test]
async fn numbers_count_publishes_since_select() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.publish(publish("", &name, "before")).await;
    ch.confirm_select().await;
    for tag in 1..=3 {
        ch.publish(publish("", &name, "m")).await;
        let confirm = ch.expect_confirm().await;
        assert_eq!((confirm.ack, confirm.delivery_tag), (true, tag));
        ch.confirm_select().await;
    }
    ch.send(Select { nowait: true }).await;
    ch.expect_nothing().await;
    ch.publish(publish("", &name, "m")).await;
    assert_eq!(ch.expect_confirm().await.delivery_tag, 4);
    // Another channel has its own numbers, and none before its select.
    let other = ch.connection.channel(2).await;
    other.publish(publish("", &name, "m")).await;
    other.expect_nothing().await;
    other.send(Select { nowait: true }).await;
    other.publish(publish("", &name, "m")).await;
    assert_eq!(other.expect_confirm().await.delivery_tag, 1);
}

/// reference: 5.8, not on a transactional channel
#[tokio::test]
async fn a_transactional_channel_cannot_confirm() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    ch.tx_select().await;
    ch.refused(Select { nowait: false }, 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode").await;
    ch.tx_select().await;
    ch.refused(Select { nowait: true }, 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode").await;
}

/// reference: 5.8, every kind of queue confirms, singly or with multiple
#[tokio::test]
async fn every_publish_is_confirmed_once() {
    let broker = TestBroker::start().await;
    let (ch, transient) = broker.stage("q").await;
    let (durable, quorum) = (broker.name("durable"), broker.name("quorum"));
    ch.declare(queue(&durable).durable()).await;
    ch.declare(queue(&quorum).quorum()).await;
    ch.confirm_select().await;
    let mut sent = 0;
    for n in 0..100_u32 {
        for (name, mode) in [(&transient, 1), (&durable, 2), (&quorum, 2), (&"nowhere".to_owned(), 1), (&durable, 1)] {
            ch.publish(publish("", name, n.to_string()).with(properties().delivery_mode(mode))).await;
            sent += 1;
        }
    }
    ch.expect_acks_up_to(sent).await;
    ch.expect_nothing().await;
}

/// reference: 5.8 nack: a full queue with reject-publish; the bits of the nack
#[tokio::test]
async fn a_full_reject_publish_queue_nacks() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("full");
    ch.declare(queue(&name).exclusive().arg("x-max-length", Value::I(1)).arg("x-overflow", S("reject-publish"))).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", &name, "fits")).await;
    ch.publish(publish("", &name, "too much")).await;
    let nack = Confirm { ack: false, delivery_tag: 2, multiple: true, requeue: true };
    assert_eq!(ch.expect_confirm().await, nack);
    assert_eq!(ch.get_no_ack(&name).await.unwrap().text(), "fits");
    ch.publish(publish("", &name, "fits again")).await;
    assert!(ch.expect_confirm().await.ack);
    assert_eq!(ch.drain(&name).await, ["fits again"]);
}

/// reference: 5.8, several queues, one rejects: one nack, the others keep the message
#[tokio::test]
async fn one_rejecting_queue_of_several_makes_a_nack() {
    let broker = TestBroker::start().await;
    let (ch, open) = broker.stage("q").await;
    let (full, x) = (broker.name("full"), broker.name("x"));
    ch.declare(queue(&full).exclusive().arg("x-max-length", Value::I(0)).arg("x-overflow", S("reject-publish"))).await;
    ch.declare_exchange(crate::client::exchange(&x, "fanout")).await;
    ch.bind(&full, &x, "").await;
    ch.bind(&open, &x, "").await;
    ch.confirm_select().await;
    ch.publish(publish(&x, "", "m")).await;
    let confirm = ch.expect_confirm().await;
    assert_eq!((confirm.ack, confirm.delivery_tag), (false, 1));
    ch.expect_nothing().await;
    assert_eq!(ch.drain(&open).await, ["m"]);
    assert_eq!(ch.drain(&full).await, [""; 0]);
}

/// reference: 5.8, what drop-head drops counts as accepted
#[tokio::test]
async fn a_message_dropped_by_its_limit_is_acked() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("none");
    ch.declare(queue(&name).exclusive().arg("x-max-length", Value::I(0))).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", &name, "m")).await;
    ch.publish_confirmed(publish("", &name, "m").with(properties().delivery_mode(2))).await;
    assert_eq!(ch.drain(&name).await, [""; 0]);
}

/// reference: 5.8, a refused publish closes the channel without ack or nack
#[tokio::test]
async fn a_refused_publish_is_neither_acked_nor_nacked() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    ch.confirm_select().await;
    let text = "NOT_FOUND - no exchange 'no-such-exchange' in vhost '/'";
    ch.publish_refused(publish("no-such-exchange", "", "m"), 404, text).await;
    ch.confirm_select().await;
    let message = publish("", "q", "m").expiration("never");
    ch.publish_refused(message, 406, "PRECONDITION_FAILED - invalid expiration 'never': no_integer").await;
}

/// reference: 5.8, reject-publish on a quorum queue is a soft limit: the first is accepted, later ones nacked
#[tokio::test]
async fn a_quorum_queues_limit_is_soft() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    for limit in [0, 1] {
        let name = broker.name("quorum");
        let declare = queue(&name).quorum().arg("x-max-length", Value::I(limit));
        ch.declare(declare.arg("x-overflow", S("reject-publish"))).await;
        let publisher = ch.connection.channel(2 + limit as u16).await;
        publisher.confirm_select().await;
        publisher.publish(publish("", &name, "first")).await;
        assert!(publisher.expect_confirm().await.ack);
        // How many fit is the queue's affair; that it stops is what counts.
        let mut rejected = false;
        for _ in 0..10 {
            publisher.publish(publish("", &name, "more")).await;
            rejected |= !publisher.expect_confirm().await.ack;
        }
        assert!(rejected, "limit {limit} never took hold");
    }
}

/// reference: 5.8, each return goes directly before the confirm of its own message, and confirms of earlier ones before it
#[tokio::test]
async fn a_return_comes_between_the_confirms_of_its_neighbours() {
    for (on_disk, is_routed) in [(false, true), (true, true), (true, false)] {
        let broker = Setup { on_disk, ..Setup::default() }.start().await;
        if is_routed && broker.is_rabbitmq() {
            // There the queue is a process that confirms later, so the order is by chance.
            continue;
        }
        let ch = broker.connect().await.channel(1).await;
        let name = broker.name("q");
        ch.declare(queue(&name).durable()).await;
        ch.confirm_select().await;
        let first = publish("", if is_routed { &name } else { "nowhere" }, "m").with(properties().delivery_mode(2));
        let unroutable = publish("", "nowhere", "m").mandatory();
        let pair = [ch.publish_bytes(&first), ch.publish_bytes(&unroutable)].concat();
        ch.connection.write(pair.repeat(2)).await;
        for number in [1, 3] {
            let confirm = Confirm { ack: true, delivery_tag: number, multiple: false, requeue: false };
            assert_eq!(ch.expect_confirm().await, confirm);
            assert_eq!(ch.expect_return().await.reply_code, 312);
            assert_eq!(ch.expect_confirm().await, Confirm { delivery_tag: number + 1, ..confirm });
        }
        ch.expect_nothing().await;
    }
}

/// reference: 5.8, a return is not lost when the channel is closed before its confirm is due
#[tokio::test]
async fn a_return_precedes_close_ok() {
    let broker = Setup { on_disk: true, ..Setup::default() }.start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).durable()).await;
    ch.confirm_select().await;
    let routed = publish("", &name, "m").with(properties().delivery_mode(2));
    let unroutable = publish("", "nowhere", "m").mandatory();
    let close = method(1, close());
    ch.connection.write([ch.publish_bytes(&routed), ch.publish_bytes(&unroutable), close].concat()).await;
    // Whether there is time for the confirms is a matter of chance.
    loop {
        match ch.next().await {
            Event::Return(_) => break,
            Event::Confirm(confirm) => assert_eq!(confirm.delivery_tag, 1),
            other => panic!("{other:?}"),
        }
    }
    ch.reply_to((20, 40)).await;
}
