//! Messages that die more than once: counts, order of entries, cycles (reference: 6.3, 6.4).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::table::S;
use crate::client::{Channel, Delivery, Value, publish, queue};
use crate::dead_letter::{deaths, summary};

const PAUSE: Duration = Duration::from_millis(80);

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// A queue that sends its dead to another queue.
fn to(name: &str, target: &str) -> crate::client::method::QueueDeclare {
    queue(name).exclusive().arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(target))
}

/// Polls a queue for a message that is then to be settled.
async fn take(ch: &Channel, name: &str) -> Delivery {
    ch.expect_ready(name, 1).await;
    ch.get(name).await.unwrap()
}

/// Lets time pass until nothing is in the queues any more, at several looks in a row: what goes round is between them at some.
async fn expect_all_gone(broker: &TestBroker, ch: &Channel, names: [&str; 2]) {
    const LOOKS: u32 = 4;
    let mut empty = 0;
    crate::client::eventually("the cycle ends", async || {
        ch.sync().await;
        broker.pass(PAUSE).await;
        let counts = [ch.counts(names[0]).await.0, ch.counts(names[1]).await.0];
        empty = if counts == [0, 0] { empty + 1 } else { 0 };
        if empty == LOOKS { Ok(()) } else { Err(counts) }
    })
    .await;
}

fn entry(name: &str, reason: &str, count: i64) -> (String, String, i64) {
    (name.to_owned(), reason.to_owned(), count)
}

/// reference: 6.3, the example: work is rejected, waits, expires back to work
#[tokio::test]
async fn a_retry_loop_counts_its_rounds() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let (work, wait) = (broker.name("work"), broker.name("wait"));
    ch.declare(to(&work, &wait)).await;
    ch.declare(to(&wait, &work).arg("x-message-ttl", Value::I(40))).await;
    ch.publish(publish("", &work, "m")).await;
    let mut first_time = None;
    for round in 0..4 {
        let delivery = take(&ch, &work).await;
        if round == 0 {
            assert_eq!(delivery.headers().get("x-death"), None);
        } else {
            assert_eq!(summary(&delivery), [entry(&wait, "expired", round), entry(&work, "rejected", round)]);
            let headers = delivery.headers();
            for (header, value) in [
                ("x-first-death-reason", "rejected"),
                ("x-first-death-queue", &work),
                ("x-first-death-exchange", ""),
                ("x-last-death-reason", "expired"),
                ("x-last-death-queue", &wait),
                ("x-last-death-exchange", ""),
            ] {
                assert_eq!(headers.get(header), Some(&S(value)), "{header}");
            }
            // The time is that of the first death of this entry.
            let times: Vec<_> = deaths(&delivery).iter().map(|death| death.get("time").cloned()).collect();
            assert_eq!(first_time.get_or_insert_with(|| times.clone()), &times);
        }
        ch.reject(delivery.delivery_tag, false).await;
        ch.sync().await;
        broker.pass(PAUSE).await;
    }
}

/// reference: 6.3, a repeated death moves its entry to the front; entries of other reasons stay apart
#[tokio::test]
async fn one_entry_for_each_queue_and_reason_most_recent_first() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let (a, b) = (broker.name("a"), broker.name("b"));
    ch.declare(to(&a, &b)).await;
    ch.declare(to(&b, &a)).await;
    ch.publish(publish("", &a, "m").expiration("10")).await;
    ch.sync().await;
    broker.pass(PAUSE).await;
    // Expired in a; the expiration is gone then.
    let delivery = take(&ch, &b).await;
    assert_eq!(summary(&delivery), [entry(&a, "expired", 1)]);
    assert_eq!(delivery.properties.expiration, None);
    ch.reject(delivery.delivery_tag, false).await;
    let delivery = take(&ch, &a).await;
    assert_eq!(summary(&delivery), [entry(&b, "rejected", 1), entry(&a, "expired", 1)]);
    ch.reject(delivery.delivery_tag, false).await;
    let delivery = take(&ch, &b).await;
    assert_eq!(summary(&delivery), [entry(&a, "rejected", 1), entry(&b, "rejected", 1), entry(&a, "expired", 1)]);
    ch.reject(delivery.delivery_tag, false).await;
    let delivery = take(&ch, &a).await;
    assert_eq!(summary(&delivery), [entry(&b, "rejected", 2), entry(&a, "rejected", 1), entry(&a, "expired", 1)]);
    // The entry of the expiry still tells of it.
    assert_eq!(deaths(&delivery)[2].get("original-expiration"), Some(&S("10")));
    assert_eq!(deaths(&delivery)[0].get("original-expiration"), None);
}

/// reference: 6.4, a queue that dead-letters its expired messages to itself drops them
#[tokio::test]
async fn expiring_to_itself_drops() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(to(&name, &name)).await;
    ch.publish(publish("", &name, "m").expiration("10")).await;
    ch.sync().await;
    broker.pass(PAUSE).await;
    ch.expect_ready(&name, 0).await;
    ch.sync().await;
    broker.pass(PAUSE).await;
    assert_eq!(ch.get(&name).await, None);
}

/// reference: 6.4, a -> b -> a by expiry alone ends on its return to a
#[tokio::test]
async fn a_cycle_of_expiries_ends() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let (a, b) = (broker.name("a"), broker.name("b"));
    ch.declare(to(&a, &b).arg("x-message-ttl", Value::I(20))).await;
    ch.declare(to(&b, &a).arg("x-message-ttl", Value::I(20))).await;
    ch.publish(publish("", &a, "m")).await;
    expect_all_gone(&broker, &ch, [&a, &b]).await;
    assert_eq!(ch.get(&a).await, None);
    assert_eq!(ch.get(&b).await, None);
}

/// reference: 6.4, a rejection keeps a loop alive: reject to itself
#[tokio::test]
async fn rejecting_to_itself_goes_on_for_ever() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(to(&name, &name)).await;
    ch.publish(publish("", &name, "m")).await;
    for round in 0..10 {
        let delivery = take(&ch, &name).await;
        if round > 0 {
            assert_eq!(summary(&delivery), [entry(&name, "rejected", round)]);
        }
        ch.nack(delivery.delivery_tag, false).await;
    }
}

/// reference: 6.4, maxlen to itself is a cycle without a rejection
#[tokio::test]
async fn overflowing_to_itself_drops() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(to(&name, &name).arg("x-max-length", Value::I(1))).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", &name, "1")).await;
    ch.publish_confirmed(publish("", &name, "2")).await;
    ch.expect_ready(&name, 1).await;
    assert_eq!(ch.drain(&name).await, ["2"]);
}

/// reference: 6.4, the cycle is looked for since the last rejection only
#[tokio::test]
async fn a_rejection_long_ago_lets_a_cycle_of_expiries_end() {
    let broker = TestBroker::with_clock().await;
    let ch = channel(&broker).await;
    let (start, a, b) = (broker.name("start"), broker.name("a"), broker.name("b"));
    ch.declare(to(&start, &a)).await;
    ch.declare(to(&a, &b).arg("x-message-ttl", Value::I(20))).await;
    ch.declare(to(&b, &a).arg("x-message-ttl", Value::I(20))).await;
    ch.publish(publish("", &start, "m")).await;
    let delivery = take(&ch, &start).await;
    ch.reject(delivery.delivery_tag, false).await;
    expect_all_gone(&broker, &ch, [&a, &b]).await;
    assert_eq!(ch.get(&a).await, None);
    assert_eq!(ch.get(&b).await, None);
}
