//! `basic.get`, `ack`, `nack`, `reject` and `recover` (reference: 5.5, 5.6, 5.7).

use amq_protocol::protocol::basic::{Ack, Get, Nack, Recover, RecoverAsync, Reject};

use crate::broker::{TestBroker, q};
use crate::client::{Channel, Request, consume, publish, queue};

/// A queue with these messages, all ready.
async fn stage(broker: &TestBroker, bodies: &[&str]) -> (Channel, String) {
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for body in bodies {
        ch.publish(publish("", &name, body)).await;
    }
    ch.expect_ready(&name, bodies.len() as u32).await;
    (ch, name)
}

/// What is in the queue and whether it was delivered before; it stays unacked.
async fn look(ch: &Channel, name: &str) -> Vec<(String, bool)> {
    let mut messages = Vec::new();
    while let Some(delivery) = ch.get(name).await {
        messages.push((delivery.text(), delivery.redelivered));
    }
    messages
}

fn messages(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(body, redelivered)| ((*body).to_owned(), *redelivered)).collect()
}

/// reference: 5.5, get-ok, get-empty, and tags shared with deliveries
#[tokio::test]
async fn get_counts_what_is_left_and_shares_the_numbers_of_deliveries() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["a", "b", "c", "d"]).await;
    ch.bind(&name, "amq.direct", &name).await;
    let a = ch.get(&name).await.unwrap();
    assert_eq!((a.delivery_tag, a.redelivered, a.message_count), (1, false, 3));
    assert_eq!((a.exchange.as_str(), a.key()), ("", name.clone()));
    // A no_ack get uses up a number as well.
    assert_eq!(ch.get_no_ack(&name).await.unwrap().delivery_tag, 2);
    ch.consume(consume(&name).tag("t")).await;
    assert_eq!(ch.expect_deliver().await.delivery_tag, 3);
    assert_eq!(ch.expect_deliver().await.delivery_tag, 4);
    ch.cancel("t").await;
    ch.publish(publish("amq.direct", &name, "e")).await;
    ch.expect_ready(&name, 1).await;
    let e = ch.get(&name).await.unwrap();
    assert_eq!((e.delivery_tag, e.message_count, e.exchange.as_str()), (5, 0, "amq.direct"));
    ch.send(Get { queue: name.as_str().into(), no_ack: false }).await;
    assert_eq!(ch.connection.any_frame().await.payload, [0, 60, 0, 72, 0], "get-empty with an empty short string");
    let text = format!("NOT_FOUND - no {}", q("no-such-queue"));
    ch.refused(Get { queue: "no-such-queue".into(), no_ack: true }, 404, &text).await;
}

/// reference: 5.6, unknown tags, with each method's ids
#[tokio::test]
async fn unknown_delivery_tags_close_the_channel() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let ack = |delivery_tag, multiple| Request::from(Ack { delivery_tag, multiple });
    let nack = |delivery_tag, multiple| Request::from(Nack { delivery_tag, multiple, requeue: true });
    let reject = |delivery_tag| Request::from(Reject { delivery_tag, requeue: true });
    // Never used.
    for request in [ack(1, false), ack(1, true), nack(1, false), nack(1, true), reject(1)] {
        ch.refused(request, 406, "PRECONDITION_FAILED - unknown delivery tag 1").await;
    }
    let text = format!("PRECONDITION_FAILED - unknown delivery tag {}", u64::MAX);
    ch.refused(ack(u64::MAX, false), 406, &text).await;
    // Tag 0 is no message, but everything when multiple; fine when there is nothing.
    for request in [ack(0, false), nack(0, false), reject(0)] {
        ch.refused(request, 406, "PRECONDITION_FAILED - unknown delivery tag 0").await;
    }
    ch.send(ack(0, true)).await;
    ch.send(nack(0, true)).await;
    ch.expect_nothing().await;
}

/// reference: 5.6, settled tags, no_ack deliveries, other channels
#[tokio::test]
async fn a_tag_is_good_once_and_on_its_channel() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["a", "b", "c", "d"]).await;
    let text = "PRECONDITION_FAILED - unknown delivery tag 1";
    ch.get(&name).await.unwrap();
    let other = ch.connection.channel(2).await;
    other.refused(Ack { delivery_tag: 1, multiple: false }, 406, text).await;
    ch.ack(1).await;
    ch.refused(Ack { delivery_tag: 1, multiple: false }, 406, text).await;
    ch.get(&name).await.unwrap();
    ch.nack(1, false).await;
    ch.refused(Reject { delivery_tag: 1, requeue: true }, 406, text).await;
    ch.get_no_ack(&name).await.unwrap();
    ch.refused(Ack { delivery_tag: 1, multiple: false }, 406, text).await;
    ch.expect_ready(&name, 1).await;
}

/// reference: 5.6, multiple: gaps are fine, an outstanding end is needed
#[tokio::test]
async fn multiple_settles_everything_up_to_an_outstanding_tag() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["1", "2", "3", "4", "5", "6"]).await;
    look(&ch, &name).await;
    ch.ack(2).await;
    ch.ack_multiple(3).await;
    // 3 is settled, 9 was never given: nothing is settled by either, so 4 to 6 return.
    ch.refused(Ack { delivery_tag: 3, multiple: true }, 406, "PRECONDITION_FAILED - unknown delivery tag 3").await;
    ch.expect_ready(&name, 3).await;
    look(&ch, &name).await;
    ch.refused(Ack { delivery_tag: 9, multiple: true }, 406, "PRECONDITION_FAILED - unknown delivery tag 9").await;
    ch.expect_ready(&name, 3).await;
    assert_eq!(look(&ch, &name).await, messages(&[("4", true), ("5", true), ("6", true)]));
    ch.nack_multiple(0, true).await;
    ch.expect_ready(&name, 3).await;
    look(&ch, &name).await;
    ch.ack_multiple(0).await;
    ch.expect_nothing().await;
    ch.close().await;
    ch.open().await;
    assert_eq!(ch.get(&name).await, None);
}

/// reference: 5.6 requeue, classic: back to the original place however the nacks arrive
#[tokio::test]
async fn requeued_messages_return_to_their_place() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["1", "2", "3", "4"]).await;
    for _ in 0..3 {
        ch.get(&name).await.unwrap();
    }
    ch.nack(3, true).await;
    ch.reject(1, true).await;
    ch.nack(2, true).await;
    ch.expect_ready(&name, 4).await;
    assert_eq!(look(&ch, &name).await, messages(&[("1", true), ("2", true), ("3", true), ("4", false)]));
    ch.nack_multiple(6, true).await;
    ch.expect_ready(&name, 3).await;
    assert_eq!(look(&ch, &name).await, messages(&[("1", true), ("2", true), ("3", true)]));
}

/// reference: 5.6, nack and reject without requeue drop
#[tokio::test]
async fn without_requeue_a_refused_message_is_gone() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["1", "2", "3", "4"]).await;
    look(&ch, &name).await;
    ch.nack(1, false).await;
    ch.reject(2, false).await;
    ch.nack_multiple(4, false).await;
    ch.close().await;
    ch.open().await;
    assert_eq!(ch.get(&name).await, None);
}

/// reference: 5.6, a requeued message goes to another consumer, or back to the same
#[tokio::test]
async fn a_requeued_message_is_delivered_again() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["m"]).await;
    ch.consume(consume(&name)).await;
    for tag in 1..=5 {
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.delivery_tag, delivery.redelivered), (tag, tag > 1));
        if tag % 2 == 0 {
            ch.nack(tag, true).await;
        } else {
            ch.reject(tag, true).await;
        }
    }
    let last = ch.expect_deliver().await;
    assert_eq!(last.properties, crate::client::Properties::default(), "a classic queue adds no headers");
}

/// reference: 5.7, recover and recover-async with requeue; without it is not implemented
#[tokio::test]
async fn recover_requeues_everything_unacked() {
    let broker = TestBroker::start().await;
    let (ch, name) = stage(&broker, &["1", "2", "3"]).await;
    look(&ch, &name).await;
    ch.ack(2).await;
    ch.call(Recover { requeue: true }).await;
    ch.expect_ready(&name, 2).await;
    assert_eq!(look(&ch, &name).await, messages(&[("1", true), ("3", true)]));
    ch.send(RecoverAsync { requeue: true }).await;
    ch.expect_nothing().await;
    ch.expect_ready(&name, 2).await;
    // A consumer's own come back to it, before or after recover-ok.
    ch.consume(consume(&name)).await;
    ch.expect_bodies(&["1", "3"]).await;
    ch.call(Recover { requeue: true }).await;
    for body in ["1", "3"] {
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (body, true));
    }
    for (request, ids) in [
        (Request::from(Recover { requeue: false }), (60, 110)),
        (Request::from(RecoverAsync { requeue: false }), (60, 100)),
    ] {
        let connection = broker.connect().await;
        connection.channel(1).await.send(request).await;
        connection.expect_close(540, "NOT_IMPLEMENTED - requeue=false", ids).await;
    }
}

/// reference: 5.5 and 2, what a lost connection held returns as redelivered
#[tokio::test]
async fn a_lost_connection_returns_what_it_held() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name)).await;
    for body in ["1", "2", "3"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.expect_ready(&name, 3).await;
    let lost = broker.connect().await.channel(1).await;
    lost.qos(2).await;
    lost.consume(consume(&name)).await;
    lost.expect_bodies(&["1", "2"]).await;
    drop(lost);
    ch.expect_ready(&name, 3).await;
    assert_eq!(look(&ch, &name).await, messages(&[("1", true), ("2", true), ("3", false)]));
}
