//! `basic.consume` and `basic.cancel` (reference: 5.3, 5.4).

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::basic::{AMQPMethod, Cancel, CancelOk};

use crate::broker::{TestBroker, q};
use crate::client::delivery::Event;
use crate::client::table::S;
use crate::client::{Value, consume, publish, queue};

/// reference: 5.3, tags: generated and chosen ones, unique per channel only
#[tokio::test]
async fn consumer_tags_are_generated_or_chosen() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let tag = ch.consume(consume(&name)).await;
    let suffix = tag.strip_prefix("amq.ctag-").unwrap_or_else(|| panic!("{tag}"));
    assert_eq!(suffix.len(), 22, "{tag}");
    assert!(suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{tag}");
    for tag in ["plain", "amq.ctag-mine", "amq.anything", "\u{20ac} with space", &"t".repeat(255)] {
        assert_eq!(ch.consume(consume(&name).tag(tag)).await, tag);
    }
    let other = ch.connection.channel(2).await;
    assert_eq!(other.consume(consume(&name).tag("plain")).await, "plain");
    assert_eq!(other.counts(&name).await, (0, 7));
}

/// reference: 5.3, a tag in use closes the connection
#[tokio::test]
async fn reusing_a_tag_closes_the_connection() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.consume(consume(&name).tag("twice")).await;
    ch.send(consume(&name).tag("twice")).await;
    ch.connection.expect_close(530, "NOT_ALLOWED - attempt to reuse consumer tag 'twice'", (60, 20)).await;
}

/// reference: 5.3, missing queue
#[tokio::test]
async fn consuming_from_a_missing_queue_is_refused() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let text = format!("NOT_FOUND - no {}", q("no-such-queue"));
    ch.refused(consume("no-such-queue"), 404, &text).await;
    ch.refused(consume("no-such-queue").no_wait(), 404, &text).await;
}

/// reference: 5.3, exclusive consumers
#[tokio::test]
async fn an_exclusive_consumer_is_alone() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let text = format!("ACCESS_REFUSED - {} in exclusive use", q(&name));
    let other = ch.connection.channel(2).await;
    ch.consume(consume(&name).exclusive().tag("alone")).await;
    other.refused(consume(&name), 403, &text).await;
    other.refused(consume(&name).exclusive(), 403, &text).await;
    // A get is allowed meanwhile.
    assert_eq!(other.get(&name).await, None);
    ch.cancel("alone").await;
    ch.consume(consume(&name)).await;
    other.refused(consume(&name).exclusive(), 403, &text).await;
}

/// reference: 5.3, exclusive on a single-active-consumer queue
#[tokio::test]
async fn exclusive_on_a_single_active_consumer_queue_is_refused() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("sac");
    ch.declare(queue(&name).exclusive().arg("x-single-active-consumer", Value::t(true))).await;
    let text = format!("ACCESS_REFUSED - {} in exclusive use", q(&name));
    ch.refused(consume(&name).exclusive(), 403, &text).await;
}

/// reference: 5.3, no_local is ignored
#[tokio::test]
async fn no_local_is_ignored() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.consume(consume(&name).no_local().no_ack()).await;
    ch.publish(publish("", &name, "my own")).await;
    assert_eq!(ch.expect_deliver().await.text(), "my own");
}

/// reference: 5.3 nowait; consume-ok precedes the first delivery otherwise
#[tokio::test]
async fn consume_ok_comes_first_or_not_at_all() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.publish(publish("", &name, "waiting")).await;
    ch.expect_ready(&name, 1).await;
    ch.send(consume(&name).no_ack().tag("t")).await;
    assert!(matches!(ch.next().await, Event::Method(AMQPClass::Basic(AMQPMethod::ConsumeOk(_)))));
    assert_eq!(ch.expect_deliver().await.text(), "waiting");
    ch.cancel("t").await;

    ch.publish(publish("", &name, "again")).await;
    ch.expect_ready(&name, 1).await;
    ch.send(consume(&name).no_ack().no_wait()).await;
    let delivery = ch.expect_deliver().await;
    assert_eq!(delivery.text(), "again");
    assert!(delivery.consumer_tag.starts_with("amq.ctag-"));
    ch.cancel(&delivery.consumer_tag).await;
    ch.send(consume(&name).no_ack().no_wait().tag("chosen")).await;
    ch.publish(publish("", &name, "third")).await;
    assert_eq!(ch.expect_deliver().await.consumer_tag, "chosen");
}

/// reference: 5.3, what a delivery says
#[tokio::test]
async fn a_delivery_names_consumer_tag_number_exchange_and_key() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.bind(&name, "amq.direct", &name).await;
    ch.consume(consume(&name).tag("t")).await;
    for tag in 1..=3 {
        ch.publish(publish("amq.direct", &name, "m")).await;
        let delivery = ch.expect_deliver().await;
        assert_eq!((delivery.consumer_tag.as_str(), delivery.delivery_tag, delivery.redelivered), ("t", tag, false));
        assert_eq!((delivery.exchange.as_str(), &delivery.key()), ("amq.direct", &name));
    }
}

/// reference: 5.3, consume arguments
#[tokio::test]
async fn consume_arguments_are_checked() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name) = broker.stage("q").await;
    for priority in [Value::b(-5), Value::B(5), Value::s(-5), Value::u(5), Value::I(-5), Value::i(5), Value::l(5)] {
        ch.consume(consume(&name).arg("x-priority", priority)).await;
    }
    let invalid =
        |name_of: &str, how: &str| format!("PRECONDITION_FAILED - invalid arg '{name_of}' for {}{how}", q(&name));
    for (value, kind) in [(S("5"), "longstr"), (Value::t(true), "bool"), (Value::d(1.0), "double")] {
        let text = invalid("x-priority", &format!(r#": "expected integer, got {kind}""#));
        ch.refused(consume(&name).arg("x-priority", value), 406, &text).await;
    }
    let other_type = " of queue type rabbit_classic_queue";
    for (argument, value) in [
        ("x-stream-offset", S("first")),
        ("x-stream-filter", S("f")),
        ("x-stream-match-unfiltered", Value::t(true)),
        ("x-consumer-timeout", Value::I(1000)),
    ] {
        ch.refused(consume(&name).arg(argument, value), 406, &invalid(argument, other_type)).await;
    }
    ch.consume(consume(&name).arg("x-cancel-on-ha-failover", Value::t(true)).arg("x-custom", Value::V)).await;
}

/// reference: 5.4, cancel: unknown tags, unacked messages stay, the tag is free again, nowait
#[tokio::test]
async fn cancelling_keeps_what_was_delivered() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.cancel("never used").await;
    ch.consume(consume(&name).tag("t")).await;
    for body in ["a", "b", "c"] {
        ch.publish(publish("", &name, body)).await;
    }
    let deliveries = ch.expect_bodies(&["a", "b", "c"]).await;
    ch.cancel("t").await;
    ch.publish(publish("", &name, "d")).await;
    ch.expect_ready(&name, 1).await;
    ch.expect_nothing().await;
    ch.ack(deliveries[0].delivery_tag).await;
    ch.nack(deliveries[1].delivery_tag, true).await;
    ch.expect_ready(&name, 2).await;
    assert_eq!(ch.consume(consume(&name).tag("t").no_ack()).await, "t");
    ch.expect_bodies(&["b", "d"]).await;
    ch.send(Cancel { consumer_tag: "t".into(), nowait: true }).await;
    ch.expect_nothing().await;
    assert_eq!(ch.counts(&name).await, (0, 0));
    ch.ack(deliveries[2].delivery_tag).await;
    ch.expect_nothing().await;
}

/// reference: 5.4, cancel-ok names the tag
#[tokio::test]
async fn cancel_ok_names_the_tag() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let reply = ch.call(Cancel { consumer_tag: "unknown".into(), nowait: false }).await;
    let AMQPClass::Basic(AMQPMethod::CancelOk(ok)) = reply else { panic!("{reply:?}") };
    assert_eq!(ok.consumer_tag.as_str(), "unknown");
}

/// reference: 5.4, the server cancels when the queue is deleted; the channel stays usable
#[tokio::test]
async fn a_deleted_queue_cancels_its_consumers() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("q").await;
    let name = broker.name("shared");
    ch.declare(queue(&name)).await;
    ch.consume(consume(&name).tag("one")).await;
    ch.consume(consume(&name).tag("two")).await;
    ch.publish(publish("", &name, "unacked")).await;
    let delivery = ch.expect_deliver().await;
    let other = broker.connect().await.channel(1).await;
    assert_eq!(other.delete(&name).await, 0);
    let mut cancelled = Vec::new();
    for _ in 0..2 {
        match ch.next().await {
            Event::Cancel(tag, no_wait) => {
                assert!(no_wait);
                cancelled.push(tag);
            }
            other => panic!("{other:?}"),
        }
    }
    cancelled.sort();
    assert_eq!(cancelled, ["one", "two"]);
    // What was delivered can still be acked; the tags are free again.
    ch.ack(delivery.delivery_tag).await;
    ch.expect_nothing().await;
    ch.declare(queue(&name)).await;
    ch.consume(consume(&name).tag("one").no_ack()).await;
    ch.publish(publish("", &name, "m")).await;
    assert_eq!(ch.expect_deliver().await.consumer_tag, "one");
}

/// reference: 5.4, a client without consumer_cancel_notify hears nothing at all
#[tokio::test]
async fn a_client_without_the_capability_is_not_told() {
    let broker = TestBroker::start().await;
    let name = broker.name("shared");
    let ch = broker.connect_with().capabilities(&[]).open().await.channel(1).await;
    ch.declare(queue(&name)).await;
    ch.consume(consume(&name)).await;
    broker.connect().await.channel(1).await.delete(&name).await;
    ch.expect_nothing().await;
    assert!(!ch.exists(&name).await);
}

/// reference: 5.4, [artefact] a client's cancel-ok: RabbitMQ fails with 541, we ignore it
#[tokio::test]
async fn a_clients_cancel_ok_is_ignored() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    ch.consume(consume(&name).tag("t")).await;
    ch.delete(&name).await;
    ch.expect_cancelled("t").await;
    ch.send(CancelOk { consumer_tag: "t".into() }).await;
    if broker.is_rabbitmq() {
        ch.connection.expect_close(541, "INTERNAL_ERROR", (0, 0)).await;
    } else {
        ch.expect_nothing().await;
    }
}
