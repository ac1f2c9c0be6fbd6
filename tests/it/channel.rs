//! Channels: opening, closing, errors that stay on one channel (reference: 2).

use amq_protocol::protocol::{access, basic, channel};

use crate::broker::TestBroker;
use crate::client::channel::close;
use crate::client::delivery::Event;
use crate::client::socket::{METHOD, method};
use crate::client::{consume, publish, queue};

/// reference: 2, `channel.open` and `channel.close`; the number is free at once
#[tokio::test]
async fn a_channel_opens_closes_and_opens_again() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    connection.write(method(1, channel::Open {})).await;
    let open_ok = connection.any_frame().await;
    assert_eq!((open_ok.kind, open_ok.channel), (METHOD, 1));
    assert_eq!(open_ok.payload, [0, 20, 0, 11, 0, 0, 0, 0], "open-ok with an empty long string");
    // An open behind a close whose answer was not awaited is "second 'channel.open' seen" to RabbitMQ.
    let ch = connection.unopened_channel(1);
    for _ in 0..50 {
        ch.close().await;
        ch.open().await;
    }
}

/// reference: 2, methods pipelined behind the client's close are ignored
#[tokio::test]
async fn methods_behind_the_clients_close_are_errors_of_a_closed_channel_or_ignored() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    connection.write([method(1, close()), method(1, queue(&name).exclusive())].concat()).await;
    ch.reply_to((20, 40)).await;
    let other = connection.channel(2).await;
    assert!(!other.exists(&name).await);
    other.expect_nothing().await;
}

/// What other threads of a client send while one closes the channel comes at any time behind the close (reference: 2). RabbitMQ
/// ignores it only while it is busy with the close.
#[tokio::test]
async fn what_comes_behind_the_end_of_a_channel_is_ignored_until_it_is_opened_again() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    for closed_by_client in [true, false] {
        ch.declare(queue(&name).auto_delete()).await;
        if closed_by_client {
            ch.close().await;
        } else {
            ch.send(queue("no-such-queue").passive()).await;
            ch.expect_close(404, "NOT_FOUND - no queue 'no-such-queue' in vhost '/'", (50, 10)).await;
        }
        for _ in 0..3 {
            ch.send(basic::Ack { delivery_tag: 1, multiple: false }).await;
            ch.publish(publish("", &name, "lost")).await;
            ch.send(queue("never").exclusive()).await;
            // A round trip, so that the next ones come in another read.
            connection.channel(2).await.close().await;
        }
        ch.open().await;
        assert!(!ch.exists("never").await);
        ch.expect_nothing().await;
        assert_eq!(ch.drain(&name).await, [""; 0]);
    }
    // A number that was never opened is another matter.
    connection.unopened_channel(3).send(basic::Ack { delivery_tag: 1, multiple: false }).await;
    connection.expect_close(504, "CHANNEL_ERROR - expected 'channel.open'", (60, 80)).await;
}

/// reference: 2, the server's close: what follows it is discarded until close-ok
#[tokio::test]
async fn what_follows_a_channel_error_is_discarded_until_close_ok() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (ch, other) = (connection.channel(1).await, connection.channel(2).await);
    let (name, kept) = (broker.name("q"), broker.name("kept"));
    other.declare(queue(&kept).exclusive()).await;
    let mut bytes = method(1, queue("no-such-queue").passive());
    bytes.extend(method(1, queue(&name).exclusive()));
    bytes.extend(ch.publish_bytes(&publish("", &kept, "lost")));
    connection.write(bytes).await;
    ch.expect_close(404, "NOT_FOUND - no queue 'no-such-queue' in vhost '/'", (50, 10)).await;
    ch.open().await;
    assert!(!ch.exists(&name).await);
    other.publish(publish("", &kept, "first")).await;
    assert_eq!(ch.get_eventually(&kept).await.text(), "first");
    assert_eq!(ch.drain(&kept).await, [""; 0]);
}

/// reference: 2, the client's close crossing the server's
#[tokio::test]
async fn crossing_closes_are_both_answered() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    connection.write([method(1, queue("no-such-queue").passive()), method(1, close())].concat()).await;
    ch.expect_error(404, "NOT_FOUND - no queue 'no-such-queue' in vhost '/'", (50, 10)).await;
    ch.reply_to((20, 40)).await;
    // The server still waits for the answer to its own close.
    connection.write(method(1, channel::CloseOk {})).await;
    ch.open().await;
}

/// reference: 2, `channel.open` without close-ok first
#[tokio::test]
async fn opening_before_close_ok_closes_the_connection() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    ch.send(queue("no-such-queue").passive()).await;
    ch.expect_error(404, "NOT_FOUND - no queue 'no-such-queue' in vhost '/'", (50, 10)).await;
    ch.send(channel::Open {}).await;
    connection.expect_close(504, "CHANNEL_ERROR - second 'channel.open' seen", (20, 10)).await;
}

/// reference: 2, fresh state after close-ok; delivery tags and confirm numbers restart at 1; others are unaffected
#[tokio::test]
async fn a_reopened_channel_starts_afresh_and_its_neighbour_goes_on() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (ch, other) = (connection.channel(1).await, connection.channel(2).await);
    let (name, elsewhere) = (broker.name("q"), broker.name("other"));
    ch.declare(queue(&elsewhere).exclusive()).await;
    ch.declare(queue(&name).exclusive()).await;
    other.consume(consume(&elsewhere).no_ack()).await;
    ch.confirm_select().await;
    for tag in 1..=2 {
        ch.publish(publish("", &name, "m")).await;
        assert_eq!(ch.expect_confirm().await.delivery_tag, tag);
        assert_eq!(ch.get(&name).await.unwrap().delivery_tag, tag);
    }
    ch.refused(queue("no-such-queue").passive(), 404, "NOT_FOUND - no queue 'no-such-queue' in vhost '/'").await;
    // Confirms are off, the last declared queue is forgotten, numbers begin at 1.
    ch.refused(basic::Get { queue: "".into(), no_ack: true }, 404, "NOT_FOUND - no previously declared queue").await;
    ch.publish(publish("", &elsewhere, "for the other")).await;
    ch.expect_nothing().await;
    assert_eq!(other.expect_deliver().await.text(), "for the other");
    crate::client::eventually("both messages return", async || match ch.counts(&name).await.0 {
        2 => Ok(()),
        ready => Err(ready),
    })
    .await;
    assert_eq!(ch.get(&name).await.unwrap().delivery_tag, 1);
    ch.confirm_select().await;
    ch.publish(publish("", &name, "m")).await;
    assert_eq!(ch.expect_confirm().await.delivery_tag, 1);
}

/// reference: 2, `channel.flow`
#[tokio::test]
async fn flow_true_is_answered_and_flow_false_is_not_implemented() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let reply = ch.call(channel::Flow { active: true }).await;
    assert!(format!("{reply:?}").contains("active: true"), "{reply:?}");
    ch.send(channel::Flow { active: false }).await;
    connection.expect_close(540, "NOT_IMPLEMENTED - active=false", (20, 20)).await;
}

/// reference: 2, `access.request`
#[tokio::test]
async fn access_request_gives_ticket_1_and_tickets_are_ignored() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let request = access::Request {
        realm: "/data".into(),
        exclusive: false,
        passive: true,
        active: true,
        write: true,
        read: true,
    };
    ch.send(request).await;
    let frame = ch.connection.any_frame().await;
    assert_eq!(frame.payload, [0, 30, 0, 11, 0, 1], "ticket 1");
    // basic.get with ticket 99 from a queue declared with ticket 7.
    let name = broker.name("q");
    let declare = [&[0, 50, 0, 10, 0, 7, name.len() as u8][..], name.as_bytes(), &[0b100], &[0; 4]].concat();
    ch.call(crate::client::Request(declare)).await;
    let get = [&[0, 60, 0, 70, 0, 99, name.len() as u8][..], name.as_bytes(), &[1]].concat();
    ch.send(crate::client::Request(get)).await;
    assert!(matches!(ch.next().await, Event::Method(_)), "get-empty");
}

/// reference: 2, state on close: unacked messages return to their place as redelivered, consumers are cancelled,
/// an open transaction is dropped
#[tokio::test]
async fn closing_a_channel_requeues_cancels_and_rolls_back() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (ch, other) = (connection.channel(1).await, connection.channel(2).await);
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for body in ["a", "b", "c"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.qos(2).await;
    ch.consume(consume(&name)).await;
    ch.expect_bodies(&["a", "b"]).await;
    ch.tx_select().await;
    ch.publish(publish("", &name, "never committed")).await;
    ch.close().await;
    other.expect_ready(&name, 3).await;
    assert_eq!(other.counts(&name).await.1, 0, "no consumer is left");
    for (body, redelivered) in [("a", true), ("b", true), ("c", false)] {
        let delivery = other.get(&name).await.unwrap();
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (body, redelivered));
    }
}
