//! What quorum queues do otherwise: counts, limits, refusals, retries (reference: 4.2, 5.6, 6.3, 6.5).

use std::time::Duration;

use amq_protocol::protocol::basic::{Get, Recover};

use crate::broker::{TestBroker, cut, q};
use crate::client::method::QueueDeclare;
use crate::client::table::S;
use crate::client::{Channel, Delivery, Table, Value, args, consume, publish, queue};
use crate::dead_letter::summary;

async fn stage(broker: &TestBroker) -> (Channel, String, String) {
    let ch = broker.connect().await.channel(1).await;
    let (name, dead) = (broker.name("quorum"), broker.name("dead"));
    ch.declare(queue(&dead).exclusive()).await;
    (ch, name, dead)
}

fn mortal(declare: QueueDeclare, dead: &str) -> QueueDeclare {
    declare.arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(dead))
}

/// The headers that count deliveries.
fn counts(acquired: i64, failed: i64) -> Table {
    let mut table = Table::default();
    for (name, count) in [("x-acquired-count", acquired), ("x-delivery-count", failed)] {
        if count > 0 {
            table.0.push((name.as_bytes().to_vec(), Value::l(count)));
        }
    }
    table
}

async fn take(ch: &Channel, name: &str) -> Delivery {
    ch.expect_ready(name, 1).await;
    ch.get(name).await.unwrap()
}

/// reference: 5.6, nacked messages return to the front in the order of their nacks; multiple and a close keep order.
/// Messages taken with basic.get have no order among each other on a quorum queue, so a consumer takes them here.
#[tokio::test]
async fn requeued_messages_come_first_in_the_order_of_their_nacks() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, _) = stage(&broker).await;
    ch.declare(queue(&name).quorum()).await;
    for body in ["1", "2", "3", "4"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.expect_ready(&name, 4).await;
    ch.qos(3).await;
    ch.consume(consume(&name).tag("first")).await;
    ch.expect_bodies(&["1", "2", "3"]).await;
    ch.cancel("first").await;
    for tag in [3, 1, 2] {
        ch.nack(tag, true).await;
    }
    ch.expect_ready(&name, 4).await;
    ch.qos(4).await;
    let look = async |tag: &str| {
        ch.consume(consume(&name).tag(tag)).await;
        let mut seen = Vec::new();
        for _ in 0..4 {
            let delivery = ch.expect_deliver().await;
            seen.push((delivery.text(), delivery.redelivered));
        }
        ch.cancel(tag).await;
        seen
    };
    let seen = |body: &str, redelivered| (body.to_owned(), redelivered);
    assert_eq!(look("second").await, [seen("3", true), seen("1", true), seen("2", true), seen("4", false)]);
    ch.nack_multiple(0, true).await;
    let expected = [seen("3", true), seen("1", true), seen("2", true), seen("4", true)];
    ch.expect_ready(&name, 4).await;
    assert_eq!(look("third").await, expected);
    ch.close().await;
    ch.open().await;
    ch.expect_ready(&name, 4).await;
    assert_eq!(look("fourth").await, expected);
}

/// reference: 5.6, the headers on redelivery: what counts as an attempt and what as a failure
#[tokio::test]
async fn redeliveries_count_attempts_and_failures() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, _) = stage(&broker).await;
    ch.declare(queue(&name).quorum()).await;
    ch.publish(publish("", &name, "m").header("mine", Value::I(1))).await;
    let with = |acquired, failed| {
        let mut table = args([("mine", Value::I(1))]);
        table.0.extend(counts(acquired, failed).0);
        table
    };
    let delivery = take(&ch, &name).await;
    assert_eq!((delivery.redelivered, delivery.headers()), (false, with(0, 0)));
    ch.nack(delivery.delivery_tag, true).await;
    let delivery = take(&ch, &name).await;
    assert_eq!((delivery.redelivered, delivery.headers()), (true, with(1, 0)), "after a nack");
    ch.reject(delivery.delivery_tag, true).await;
    let delivery = take(&ch, &name).await;
    assert_eq!(delivery.headers(), with(2, 1), "after a reject");
    ch.call(Recover { requeue: true }).await;
    let delivery = take(&ch, &name).await;
    assert_eq!(delivery.headers(), with(3, 1), "after a recover");
    ch.close().await;
    ch.open().await;
    take(&ch, &name).await;
    let lost = ch.connection.channel(2).await;
    ch.close().await;
    let delivery = take(&lost, &name).await;
    assert_eq!(delivery.headers(), with(5, 3), "after two lost channels");
}

/// reference: 5.6, a publisher's own x-delivery-count on the first delivery
#[tokio::test]
async fn a_publishers_own_count_is_delivered_unchanged_first() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, _) = stage(&broker).await;
    ch.declare(queue(&name).quorum()).await;
    ch.publish(publish("", &name, "m").header("x-delivery-count", S("mine"))).await;
    assert_eq!(take(&ch, &name).await.headers(), args([("x-delivery-count", S("mine"))]));
}

/// How often a message is delivered when each delivery is answered in this way; at most `most`.
async fn deliveries_until_dead(ch: &Channel, name: &str, most: usize, reject: bool) -> usize {
    ch.publish(publish("", name, "m")).await;
    let tag = ch.consume(consume(name)).await;
    let mut count = 0;
    while count < most {
        // The queue answers in order: when it has let the message go, a second one comes through.
        let delivery = ch.expect_deliver().await;
        if delivery.text() == "sentinel" {
            ch.ack(delivery.delivery_tag).await;
            break;
        }
        count += 1;
        if reject {
            ch.reject(delivery.delivery_tag, true).await;
        } else {
            ch.nack(delivery.delivery_tag, true).await;
        }
        if count == 1 {
            // It waits behind the requeued one, because requeued messages come first and prefetch is 1.
            ch.publish(publish("", name, "sentinel")).await;
        }
    }
    ch.cancel(&tag).await;
    count
}

/// reference: 6.5, limits: the default of 20, n, 0 and -1
#[tokio::test]
async fn a_message_rejected_too_often_dies_of_the_delivery_limit() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, _, dead) = stage(&broker).await;
    ch.qos(1).await;
    for (limit, expected) in [(None, Some(21)), (Some(3), Some(4)), (Some(0), Some(1)), (Some(-1), None)] {
        let name = broker.name("limited");
        let declare = mortal(queue(&name).quorum(), &dead);
        ch.declare(match limit {
            Some(limit) => declare.arg("x-delivery-limit", Value::I(limit)),
            None => declare,
        })
        .await;
        let most = expected.unwrap_or(40) + 5;
        let count = deliveries_until_dead(&ch, &name, most, true).await;
        match expected {
            None => assert_eq!(count, most, "unlimited"),
            Some(expected) => {
                assert_eq!(count, expected, "limit {limit:?}");
                let delivery = ch.get_eventually(&dead).await;
                assert_eq!(summary(&delivery), [(name.clone(), "delivery_limit".into(), 1)]);
                assert!(delivery.redelivered, "as after a reject");
            }
        }
    }
}

/// reference: 6.5 and 5.6, a nack with requeue never counts
#[tokio::test]
async fn a_loop_of_nacks_never_reaches_the_limit() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, dead) = stage(&broker).await;
    ch.qos(1).await;
    ch.declare(mortal(queue(&name).quorum().arg("x-delivery-limit", Value::I(2)), &dead)).await;
    assert_eq!(deliveries_until_dead(&ch, &name, 20, false).await, 20);
    assert_eq!(ch.get_no_ack(&dead).await, None);
}

/// reference: 6.5, without a dead-letter exchange it is dropped
#[tokio::test]
async fn at_the_limit_without_an_exchange_it_is_dropped() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, _) = stage(&broker).await;
    ch.qos(1).await;
    ch.declare(queue(&name).quorum().arg("x-delivery-limit", Value::I(1))).await;
    assert_eq!(deliveries_until_dead(&ch, &name, 10, true).await, 2);
    ch.expect_ready(&name, 0).await;
}

/// reference: 6.5, lost channels count
#[tokio::test]
async fn lost_channels_reach_the_limit() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, dead) = stage(&broker).await;
    ch.declare(mortal(queue(&name).quorum().arg("x-delivery-limit", Value::I(1)), &dead)).await;
    ch.publish(publish("", &name, "m")).await;
    for _ in 0..2 {
        let lost = broker.connect().await.channel(1).await;
        take(&lost, &name).await;
        drop(lost);
    }
    let delivery = ch.get_eventually(&dead).await;
    assert_eq!(summary(&delivery), [(name, "delivery_limit".into(), 1)]);
}

/// reference: 6.3, counts travel from one quorum queue to another
#[tokio::test]
async fn counts_travel_along_into_another_quorum_queue() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, _) = stage(&broker).await;
    let other = broker.name("other");
    ch.declare(queue(&other).quorum()).await;
    ch.declare(mortal(queue(&name).quorum(), &other)).await;
    ch.publish(publish("", &name, "m")).await;
    let delivery = take(&ch, &name).await;
    ch.reject(delivery.delivery_tag, true).await;
    let delivery = take(&ch, &name).await;
    assert_eq!(delivery.headers(), counts(1, 1));
    ch.reject(delivery.delivery_tag, false).await;
    let delivery = take(&ch, &other).await;
    assert!(delivery.redelivered);
    for header in ["x-acquired-count", "x-delivery-count"] {
        assert!(matches!(delivery.headers().get(header), Some(Value::l(1..))), "{header}: {:?}", delivery.headers());
    }
}

/// reference: 6.5, at-least-once with reject-publish: delivered, and kept while there is no way
#[tokio::test]
async fn at_least_once_keeps_dead_letters_until_they_find_a_way() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let (ch, name, _) = stage(&broker).await;
    let (dlx, target) = (broker.name("dlx"), broker.name("target"));
    ch.declare_exchange(crate::client::exchange(&dlx, "fanout")).await;
    let declare = queue(&name).quorum().arg("x-dead-letter-exchange", S(&dlx)).arg("x-overflow", S("reject-publish"));
    ch.declare(declare.arg("x-dead-letter-strategy", S("at-least-once"))).await;
    ch.publish(publish("", &name, "m")).await;
    let delivery = take(&ch, &name).await;
    ch.reject(delivery.delivery_tag, false).await;
    ch.expect_nothing().await;
    assert_eq!(ch.counts(&name).await.0, 0, "what waits is not counted");
    ch.declare(queue(&target).durable()).await;
    ch.bind(&target, &dlx, "").await;
    ch.publish(publish("", &name, "second")).await;
    let delivery = take(&ch, &name).await;
    ch.reject(delivery.delivery_tag, false).await;
    assert_eq!(ch.get_eventually(&target).await.text(), "second");
    // The first one is retried in its time, which is three minutes.
    if !broker.is_rabbitmq() {
        ch.sync().await;
        broker.pass(Duration::from_secs(200)).await;
        assert_eq!(ch.get_eventually(&target).await.text(), "m");
    }
}

/// reference: 6.5, delayed retry
#[tokio::test]
async fn a_delayed_retry_comes_back_after_its_time() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let (ch, name, _) = stage(&broker).await;
    let declare = queue(&name).quorum().arg("x-delayed-retry-type", S("all"));
    let delay = Value::I(700);
    ch.declare(declare.arg("x-delayed-retry-min", delay.clone()).arg("x-delayed-retry-max", delay)).await;
    ch.publish(publish("", &name, "m")).await;
    let delivery = take(&ch, &name).await;
    ch.reject(delivery.delivery_tag, true).await;
    ch.expect_nothing().await;
    assert_eq!(ch.get(&name).await, None, "it is not back at once");
    ch.sync().await;
    broker.pass(Duration::from_millis(800)).await;
    assert!(ch.get_eventually(&name).await.redelivered);
}

/// reference: 4.2, get on a quorum queue with a single active consumer
#[tokio::test]
async fn a_get_from_a_single_active_consumer_quorum_queue_is_refused() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, _) = stage(&broker).await;
    ch.declare(queue(&name).quorum().arg("x-single-active-consumer", Value::t(true))).await;
    let text = format!(
        "RESOURCE_LOCKED - cannot obtain access to locked {}. basic.get operations are not supported by \
         <<\"quorum\">> queues with single active consumer",
        q(&name)
    );
    ch.refused(Get { queue: name.as_str().into(), no_ack: true }, 405, &cut(&text)).await;
}

/// reference: 7.2, the acknowledgement timeout of a consumer: cancelled, its messages return
#[tokio::test]
async fn an_acknowledgement_that_takes_too_long_cancels_the_consumer() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let (ch, name, _) = stage(&broker).await;
    let by_argument = broker.name("argument");
    ch.declare(queue(&name).quorum().arg("x-consumer-timeout", Value::I(1000))).await;
    ch.declare(queue(&by_argument).quorum()).await;
    ch.consume(consume(&name).tag("slow")).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_deliver().await;
    let other = ch.connection.channel(2).await;
    other.consume(consume(&by_argument).tag("slow too").arg("x-consumer-timeout", Value::I(1000))).await;
    other.publish(publish("", &by_argument, "m")).await;
    other.expect_deliver().await;
    ch.sync().await;
    broker.pass(Duration::from_millis(if broker.is_rabbitmq() { 0 } else { 1_500 })).await;
    for (ch, tag, name) in [(&ch, "slow", &name), (&other, "slow too", &by_argument)] {
        ch.expect_cancelled(tag).await;
        let delivery = take(ch, name).await;
        assert_eq!((delivery.redelivered, delivery.headers()), (true, counts(1, 0)));
        // A late ack of the old tag is ignored.
        ch.ack(1).await;
        ch.expect_nothing().await;
        ch.ack(2).await;
    }
}

/// reference: 7.2, the same for a client without consumer_cancel_notify, and for a get
#[tokio::test]
async fn an_acknowledgement_that_takes_too_long_closes_other_channels() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let (ch, name, _) = stage(&broker).await;
    let second = broker.name("second");
    let timed = |name: &str| queue(name).quorum().arg("x-consumer-timeout", Value::I(1000));
    ch.declare(timed(&name)).await;
    ch.declare(timed(&second)).await;
    ch.publish(publish("", &name, "m")).await;
    take(&ch, &name).await;
    let plain = broker.connect_with().capabilities(&[]).open().await.channel(1).await;
    plain.consume(consume(&second)).await;
    ch.publish(publish("", &second, "m")).await;
    plain.expect_deliver().await;
    ch.sync().await;
    broker.pass(Duration::from_millis(if broker.is_rabbitmq() { 0 } else { 1_500 })).await;
    let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: -1 ms. This \
                timeout value can be configured, see consumers doc guide to learn more";
    ch.expect_close(406, text, (0, 0)).await;
    plain.expect_close(406, text, (0, 0)).await;
}

/// reference: 7.2: what a cancelled consumer left keeps the timeout that the consumer asked for, and the channel answers for it
#[tokio::test]
async fn a_delivery_of_a_cancelled_consumer_still_times_out() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let (ch, name, _) = stage(&broker).await;
    let patient = broker.name("patient");
    ch.declare(queue(&name).quorum().arg("x-consumer-timeout", Value::I(60_000))).await;
    ch.declare(queue(&patient).quorum().arg("x-consumer-timeout", Value::I(1000))).await;
    let other = broker.connect().await.channel(1).await;
    for (ch, name, timeout_ms) in [(&ch, &name, 1000), (&other, &patient, 60_000)] {
        ch.consume(consume(name).tag("t").arg("x-consumer-timeout", Value::I(timeout_ms))).await;
        ch.publish(publish("", name, "m")).await;
        ch.expect_deliver().await;
        ch.cancel("t").await;
    }
    broker.pass(Duration::from_millis(1_500)).await;
    let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: -1 ms. This \
                timeout value can be configured, see consumers doc guide to learn more";
    ch.expect_close(406, text, (0, 0)).await;
    // The queue's shorter timeout is not that of its deliveries.
    broker.pass(Duration::from_millis(3_000)).await;
    other.expect_nothing().await;
    other.ack(1).await;
    other.expect_nothing().await;
}

/// reference: 7.2, classic queues never look at it
#[tokio::test]
async fn a_classic_queue_waits_for_acks_for_ever() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    if broker.is_rabbitmq() {
        return; // It would have to be watched for more than the 30 minutes of the default.
    }
    let (ch, _, dead) = stage(&broker).await;
    ch.consume(consume(&dead)).await;
    ch.publish(publish("", &dead, "m")).await;
    ch.expect_deliver().await;
    ch.sync().await;
    broker.pass(Duration::from_secs(3600)).await;
    ch.expect_nothing().await;
    ch.ack(1).await;
    ch.expect_nothing().await;
}

/// reference: 7.2, the default of 30 minutes
#[tokio::test]
async fn a_quorum_queue_waits_half_an_hour_by_default() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    if broker.is_rabbitmq() {
        return; // It would have to be watched for that time.
    }
    let (ch, name, _) = stage(&broker).await;
    ch.declare(queue(&name).quorum()).await;
    ch.consume(consume(&name).tag("slow")).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_deliver().await;
    broker.pass(Duration::from_secs(29 * 60)).await;
    ch.expect_nothing().await;
    broker.pass(Duration::from_secs(2 * 60)).await;
    ch.expect_cancelled("slow").await;
}

/// reference: 6.5, at-least-once without reject-publish is at-most-once
#[tokio::test]
async fn at_least_once_without_reject_publish_dead_letters_all_the_same() {
    let broker = TestBroker::to_the_letter().await;
    let (ch, name, dead) = stage(&broker).await;
    ch.declare(mortal(queue(&name).quorum().arg("x-dead-letter-strategy", S("at-least-once")), &dead)).await;
    ch.publish(publish("", &name, "m")).await;
    let delivery = take(&ch, &name).await;
    ch.reject(delivery.delivery_tag, false).await;
    assert_eq!(ch.get_eventually(&dead).await.text(), "m");
}
