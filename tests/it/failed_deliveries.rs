//! Failed deliveries travel with a dead letter: how the next queue shows them, and how its limit counts them (reference: 6.3 and
//! 6.5).

use std::time::Duration;

use amq_protocol::protocol::basic::Recover;

use crate::broker::TestBroker;
use crate::client::method::QueueDeclare;
use crate::client::table::S;
use crate::client::{Channel, Delivery, Value, publish, queue};
use crate::dead_letter::summary;

/// How a delivery ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Reject { requeue: bool },
    Nack { requeue: bool },
    Recovered,
    Lost,
}

const REQUEUED: End = End::Reject { requeue: true };
const REJECTED: End = End::Reject { requeue: false };
const RETURNED: End = End::Nack { requeue: true };
const NACKED: End = End::Nack { requeue: false };

fn of_kind(kind: &str, name: &str) -> QueueDeclare {
    queue(name).durable().arg("x-queue-type", S(kind))
}

fn mortal(declare: QueueDeclare, dead: &str) -> QueueDeclare {
    declare.arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(dead))
}

async fn end(ch: &Channel, name: &str, end: End) {
    ch.expect_ready(name, 1).await;
    if end == End::Lost {
        let lost = ch.connection.channel(2).await;
        lost.get(name).await.unwrap();
        lost.close().await;
        return;
    }
    let tag = ch.get(name).await.unwrap().delivery_tag;
    match end {
        End::Recovered => {
            ch.call(Recover { requeue: true }).await;
        }
        End::Reject { requeue } => ch.reject(tag, requeue).await,
        End::Nack { requeue } => ch.nack(tag, requeue).await,
        End::Lost => {}
    }
}

/// Whether a message is redelivered, its `x-acquired-count` and its `x-delivery-count`.
fn told(delivery: &Delivery) -> (bool, i64, i64) {
    let count = |name| match delivery.headers().get(name) {
        None => 0,
        Some(Value::l(count)) => *count,
        Some(other) => panic!("{name}: {other:?}"),
    };
    (delivery.redelivered, count("x-acquired-count"), count("x-delivery-count"))
}

/// reference: 6.3, whatever a message dies of, the number of failed deliveries goes along, and nothing else does
#[tokio::test]
async fn failed_deliveries_travel_and_others_do_not() {
    let broker = TestBroker::to_the_letter().await;
    let ch = broker.connect().await.channel(1).await;
    let histories: [(&[End], i64); 11] = [
        (&[REJECTED], 1),
        (&[NACKED], 0),
        (&[RETURNED, NACKED], 0),
        (&[End::Recovered, NACKED], 0),
        (&[End::Recovered, REJECTED], 1),
        (&[REQUEUED, NACKED], 1),
        (&[End::Lost, NACKED], 1),
        (&[RETURNED, RETURNED, REJECTED], 1),
        (&[REQUEUED, End::Recovered, End::Recovered, NACKED], 1),
        (&[REQUEUED, REQUEUED, REJECTED], 3),
        (&[End::Lost, REQUEUED, RETURNED, REJECTED], 3),
    ];
    for from in ["classic", "quorum"] {
        let (source, plain, counting) = (broker.name("source"), broker.name("plain"), broker.name("counting"));
        let dlx = broker.name("dlx");
        ch.declare_exchange(crate::client::exchange(&dlx, "fanout")).await;
        ch.declare(of_kind(from, &source).arg("x-dead-letter-exchange", S(&dlx))).await;
        ch.declare(of_kind("classic", &plain)).await;
        ch.declare(of_kind("quorum", &counting)).await;
        for target in [&plain, &counting] {
            ch.bind(target, &dlx, "").await;
        }
        for (history, failed) in histories {
            ch.publish(publish("", &source, "m")).await;
            for step in history {
                end(&ch, &source, *step).await;
            }
            let delivery = ch.get_eventually(&plain).await;
            assert_eq!(told(&delivery), (failed > 0, 0, 0), "{from}, {history:?}");
            ch.expect_ready(&counting, 1).await;
            let delivery = ch.get(&counting).await.unwrap();
            assert_eq!(told(&delivery), (failed > 0, failed, failed), "{from}, {history:?}");
            // From now on it has deliveries of its own.
            ch.nack(delivery.delivery_tag, true).await;
            ch.expect_ready(&counting, 1).await;
            let delivery = ch.get(&counting).await.unwrap();
            assert_eq!(told(&delivery), (true, 1, failed), "{from}, {history:?}, returned");
            ch.reject(delivery.delivery_tag, true).await;
            ch.expect_ready(&counting, 1).await;
            let delivery = ch.get(&counting).await.unwrap();
            assert_eq!(told(&delivery), (true, 2, failed + 1), "{from}, {history:?}, rejected");
            ch.ack(delivery.delivery_tag).await;
        }
    }
}

/// reference: 6.3, through queues that never delivered it: expired, too long, refused
#[tokio::test]
async fn failed_deliveries_pass_through_queues_that_only_lose_the_message() {
    let broker = TestBroker::to_the_letter().await;
    let ch = broker.connect().await.channel(1).await;
    let dead = broker.name("dead");
    ch.declare(of_kind("quorum", &dead)).await;
    let none = || Value::I(0);
    for (kind, arguments) in [
        ("classic", vec![("x-message-ttl", none())]),
        ("quorum", vec![("x-message-ttl", none())]),
        ("classic", vec![("x-max-length", none())]),
        ("classic", vec![("x-max-length", none()), ("x-overflow", S("reject-publish-dlx"))]),
    ] {
        let (source, between) = (broker.name("source"), broker.name("between"));
        let declare = arguments.iter().fold(of_kind(kind, &between), |it, (name, value)| it.arg(name, value.clone()));
        ch.declare(mortal(declare, &dead)).await;
        ch.declare(mortal(of_kind("classic", &source), &between)).await;
        ch.publish(publish("", &source, "m")).await;
        end(&ch, &source, REQUEUED).await;
        end(&ch, &source, REJECTED).await;
        let delivery = ch.get_eventually(&dead).await;
        assert_eq!(told(&delivery), (true, 2, 2), "{kind}, {arguments:?}");
        assert_eq!(summary(&delivery).len(), 2);
    }
}

/// reference: 6.3, what a client writes into the headers is no count
#[tokio::test]
async fn a_clients_own_counts_are_headers_until_something_fails() {
    let broker = TestBroker::to_the_letter().await;
    let ch = broker.connect().await.channel(1).await;
    let (source, dead) = (broker.name("source"), broker.name("dead"));
    ch.declare(of_kind("quorum", &dead)).await;
    ch.declare(mortal(of_kind("classic", &source), &dead)).await;
    for (how, expected) in [(NACKED, (false, 9, 7)), (REJECTED, (true, 1, 1))] {
        let message = publish("", &source, "m").header("x-acquired-count", Value::l(9));
        ch.publish(message.header("x-delivery-count", Value::l(7))).await;
        end(&ch, &source, how).await;
        assert_eq!(told(&ch.get_eventually(&dead).await), expected, "{how:?}");
    }
}

/// reference: 6.5, the limit sees the sum: a loop of rejections over a wait queue ends
#[tokio::test]
async fn the_delivery_limit_counts_over_a_work_and_wait_loop() {
    let broker = TestBroker::to_the_letter_with_clock().await;
    let ch = broker.connect().await.channel(1).await;
    for kind in ["classic", "quorum"] {
        let (work, wait) = (broker.name("work"), broker.name("wait"));
        ch.declare(mortal(of_kind("quorum", &work), &wait).arg("x-delivery-limit", Value::I(2))).await;
        ch.declare(mortal(of_kind(kind, &wait), &work).arg("x-message-ttl", Value::I(50))).await;
        ch.publish(publish("", &work, "m")).await;
        for (failed, how) in [(0, REJECTED), (1, REJECTED), (2, REJECTED), (3, REQUEUED)] {
            ch.expect_ready(&work, 1).await;
            let delivery = ch.get(&work).await.unwrap();
            assert_eq!(told(&delivery), (failed > 0, failed, failed), "{kind}");
            ch.reject(delivery.delivery_tag, how == REQUEUED).await;
            ch.sync().await;
            broker.pass(Duration::from_millis(100)).await;
        }
        // It died of the limit, and came round without a rejection since.
        ch.expect_ready(&wait, 0).await;
        assert_eq!(ch.get(&work).await, None, "{kind}");
    }
}

/// reference: 6.5, a message that comes with more than the limit is delivered once; any return ends it
#[tokio::test]
async fn more_failures_than_the_limit_end_at_the_first_return() {
    let broker = TestBroker::to_the_letter().await;
    let ch = broker.connect().await.channel(1).await;
    let (source, limited, dead) = (broker.name("source"), broker.name("limited"), broker.name("dead"));
    ch.declare(of_kind("quorum", &dead)).await;
    ch.declare(mortal(of_kind("quorum", &limited), &dead).arg("x-delivery-limit", Value::I(1))).await;
    ch.declare(mortal(of_kind("classic", &source), &limited)).await;
    ch.publish(publish("", &source, "m")).await;
    for how in [REQUEUED, REQUEUED, REQUEUED, NACKED] {
        end(&ch, &source, how).await;
    }
    ch.expect_ready(&limited, 1).await;
    let delivery = ch.get(&limited).await.unwrap();
    assert_eq!(told(&delivery), (true, 3, 3));
    ch.nack(delivery.delivery_tag, true).await;
    let delivery = ch.get_eventually(&dead).await;
    assert_eq!(summary(&delivery)[0], (limited, "delivery_limit".into(), 1));
    assert_eq!(told(&delivery), (true, 3, 3));
}
