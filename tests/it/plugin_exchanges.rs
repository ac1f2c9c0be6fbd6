//! Exchange types that RabbitMQ has in plugins (reference: 7.5).

use std::collections::HashSet;

use crate::broker::TestBroker;
use crate::client::method::{ExchangeDeclare, bind, exchange_bind};
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Table, Value, exchange, publish, queue};

/// A channel in confirm mode, an exchange, and queues bound to it by these keys.
async fn stage(
    broker: &TestBroker,
    declare: impl Fn(&str) -> ExchangeDeclare,
    keys: &[&str],
) -> (Channel, String, Vec<String>) {
    let ch = broker.connect().await.channel(1).await;
    let x = broker.name("x");
    ch.declare_exchange(declare(&x)).await;
    let mut queues = Vec::new();
    for key in keys {
        let name = broker.name("q");
        ch.declare(queue(&name).exclusive()).await;
        ch.bind(&name, &x, key).await;
        queues.push(name);
    }
    ch.confirm_select().await;
    (ch, x, queues)
}

/// How many messages each queue holds; they are taken out.
async fn shares(ch: &Channel, queues: &[String]) -> Vec<usize> {
    let mut shares = Vec::new();
    for name in queues {
        shares.push(ch.drain(name).await.len());
    }
    shares
}

/// reference: 7.5 x-random and x-local-random: one destination each, key ignored
#[tokio::test]
async fn a_random_exchange_chooses_one_queue_for_each_message() {
    let broker = TestBroker::start().await;
    for (kind, keys) in [("x-random", ["a", "b", ""]), ("x-local-random", [""; 3])] {
        let (ch, x, queues) = stage(&broker, |name| exchange(name, kind), &keys).await;
        for n in 0..90_u64 {
            ch.publish(publish(&x, "any key", n.to_string())).await;
        }
        ch.expect_acks_up_to(90).await;
        let shares = shares(&ch, &queues).await;
        assert_eq!(shares.iter().sum::<usize>(), 90, "{kind}: one copy of each");
        assert!(shares.iter().all(|&share| share > 5), "{kind}: roughly even: {shares:?}");
    }
}

/// reference: 7.5 x-random without a destination
#[tokio::test]
async fn without_bindings_they_route_nothing() {
    let broker = TestBroker::start().await;
    for kind in ["x-random", "x-local-random", "x-modulus-hash", "x-consistent-hash"] {
        let (ch, x, _) = stage(&broker, |name| exchange(name, kind), &[]).await;
        ch.publish(publish(&x, "k", "m").mandatory()).await;
        assert_eq!(ch.expect_return().await.reply_code, 312, "{kind}");
        assert!(ch.expect_confirm().await.ack);
    }
}

/// reference: 7.5 x-local-random: what may not be bound
#[tokio::test]
async fn a_local_random_exchange_takes_local_classic_queues_only() {
    let broker = TestBroker::start().await;
    let (ch, x, _) = stage(&broker, |name| exchange(name, "x-local-random"), &[]).await;
    let (other, quorum) = (broker.name("other"), broker.name("quorum"));
    ch.declare_exchange(exchange(&other, "fanout")).await;
    ch.declare(queue(&quorum).quorum()).await;
    let none = Table::default();
    let text = "PRECONDITION_FAILED - Destination not found";
    ch.refused(exchange_bind(&other, &x, "", &none, false), 406, text).await;
    let name = broker.name("classic");
    ch.declare(queue(&name).exclusive()).await;
    let text = "PRECONDITION_FAILED - Non empty binding 'a' key not permitted";
    ch.refused(bind(&name, &x, "a", &none, false), 406, text).await;
    let text = "PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type";
    ch.refused(bind(&quorum, &x, "", &none, false), 406, text).await;
}

/// reference: 7.5 x-modulus-hash: by the key, stably
#[tokio::test]
async fn a_modulus_hash_exchange_keeps_a_key_on_its_queue() {
    let broker = TestBroker::start().await;
    let (ch, x, queues) = stage(&broker, |name| exchange(name, "x-modulus-hash"), &["", "a", "b", "c"]).await;
    let mut used = HashSet::new();
    for n in 0..40_u32 {
        for _ in 0..3 {
            ch.publish_confirmed(publish(&x, format!("key {n}"), "m")).await;
        }
        let shares = shares(&ch, &queues).await;
        assert_eq!(shares.iter().filter(|&&share| share == 3).count(), 1, "{shares:?}");
        assert_eq!(shares.iter().sum::<usize>(), 3);
        used.insert(shares.iter().position(|&share| share == 3));
    }
    assert!(used.len() > 1, "40 keys use more than one of 4 queues");
}

/// reference: 7.5 x-consistent-hash: one queue per message, stable by key, shares by weight
#[tokio::test]
async fn a_consistent_hash_exchange_shares_by_weight() {
    let broker = TestBroker::start().await;
    let (ch, x, queues) = stage(&broker, |name| exchange(name, "x-consistent-hash"), &["1", "9"]).await;
    for n in 0..400_u64 {
        ch.publish(publish(&x, format!("key {n}"), "m")).await;
    }
    ch.expect_acks_up_to(400).await;
    let first = shares(&ch, &queues).await;
    assert_eq!(first.iter().sum::<usize>(), 400);
    assert!(first[0] > 0 && first[1] > 3 * first[0], "weights 1 and 9: {first:?}");
    // The same keys go the same way.
    for n in 0..400_u64 {
        ch.publish(publish(&x, format!("key {n}"), "m")).await;
    }
    let mut acked = 0;
    while acked < 800 {
        acked = ch.expect_confirm().await.delivery_tag.max(acked);
    }
    ch.expect_ready(&queues[1], first[1] as u32).await;
    assert_eq!(shares(&ch, &queues).await, first);
}

/// reference: 7.5 x-consistent-hash: the binding key is a weight; a queue bound twice gets one copy
#[tokio::test]
async fn a_consistent_hash_binding_key_is_a_weight() {
    let broker = TestBroker::start().await;
    let (ch, x, queues) = stage(&broker, |name| exchange(name, "x-consistent-hash"), &["2"]).await;
    let none = Table::default();
    for (key, text) in [
        ("abc", r#"The binding key must be an integer: <<"abc">>"#),
        ("", "The binding key must be an integer: <<>>"),
        ("0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
    ] {
        ch.refused(bind(&queues[0], &x, key, &none, false), 406, &format!("PRECONDITION_FAILED - {text}")).await;
    }
    ch.bind(&queues[0], &x, "5").await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish(&x, "k", "m")).await;
    assert_eq!(ch.drain(&queues[0]).await, ["m"]);
}

/// reference: 7.5 x-consistent-hash: hashing a header or a property
#[tokio::test]
async fn a_consistent_hash_exchange_may_hash_a_header_or_a_property() {
    let broker = TestBroker::start().await;
    let by_header = |name: &str| exchange(name, "x-consistent-hash").arg("hash-header", S("h"));
    let (ch, x, queues) = stage(&broker, by_header, &["1", "1", "1", "1"]).await;
    let one_queue = async |ch: &Channel, queues: &[String], count: usize| {
        let shares = shares(ch, queues).await;
        assert!(shares.iter().all(|&share| share == 0 || share == count), "{shares:?}");
        assert_eq!(shares.iter().sum::<usize>(), count);
    };
    for header in ["a", "b", "c"] {
        for n in 0..5 {
            ch.publish_confirmed(publish(&x, format!("key {n}"), "m").header("h", S(header))).await;
        }
        one_queue(&ch, &queues, 5).await;
    }
    // Without the header all go one way.
    for n in 0..5 {
        ch.publish_confirmed(publish(&x, format!("key {n}"), "m")).await;
    }
    one_queue(&ch, &queues, 5).await;

    for property in ["correlation_id", "message_id", "timestamp"] {
        let by_property = |name: &str| exchange(name, "x-consistent-hash").arg("hash-property", S(property));
        let (ch, x, queues) = stage(&broker, by_property, &["1", "1", "1", "1"]).await;
        for value in 0..3_u64 {
            for n in 0..5 {
                let properties = match property {
                    "correlation_id" => properties().correlation_id(value.to_string()),
                    "message_id" => properties().message_id(value.to_string()),
                    _ => properties().timestamp(value),
                };
                ch.publish_confirmed(publish(&x, format!("key {n}"), "m").with(properties)).await;
            }
            one_queue(&ch, &queues, 5).await;
        }
    }
}

/// reference: 7.5 x-consistent-hash: bad arguments
#[tokio::test]
async fn consistent_hash_arguments_are_checked() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("x");
    let declare = || exchange(&name, "x-consistent-hash");
    let text = "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive";
    ch.refused(declare().arg("hash-header", S("h")).arg("hash-property", S("message_id")), 406, text).await;
    let text = "PRECONDITION_FAILED - Unsupported property: app_id";
    ch.refused(declare().arg("hash-property", S("app_id")), 406, text).await;
}

/// reference: 7.5 x-recent-history: a fanout that remembers
#[tokio::test]
async fn a_recent_history_exchange_tells_newcomers() {
    let broker = TestBroker::start().await;
    let declare = |name: &str| exchange(name, "x-recent-history").arg("x-recent-history-length", Value::I(2));
    let (ch, x, queues) = stage(&broker, declare, &["old"]).await;
    for (n, no_store) in [(1, false), (2, false), (3, false), (4, true)] {
        let message = publish(&x, format!("key {n}"), n.to_string()).header("n", Value::I(n));
        let message = if no_store { message.header("x-recent-history-no-store", Value::t(true)) } else { message };
        ch.publish_confirmed(message).await;
    }
    assert_eq!(ch.drain(&queues[0]).await, ["1", "2", "3", "4"], "a fanout for those that are bound");
    let newcomer = broker.name("newcomer");
    ch.declare(queue(&newcomer).exclusive()).await;
    ch.bind(&newcomer, &x, "").await;
    for n in [2, 3] {
        let delivery = ch.get_eventually(&newcomer).await;
        assert_eq!((delivery.text(), delivery.key()), (n.to_string(), format!("key {n}")));
        assert_eq!(delivery.exchange, x);
        assert_eq!(delivery.headers().get("n"), Some(&Value::I(n)));
    }
    assert_eq!(ch.drain(&newcomer).await, [""; 0]);
}

/// reference: 7.5 x-recent-history: 20 by default
#[tokio::test]
async fn a_recent_history_is_20_messages_long() {
    let broker = TestBroker::start().await;
    let (ch, x, _) = stage(&broker, |name| exchange(name, "x-recent-history"), &[]).await;
    for n in 0..25 {
        ch.publish_confirmed(publish(&x, "", n.to_string())).await;
    }
    let newcomer = broker.name("newcomer");
    ch.declare(queue(&newcomer).exclusive()).await;
    ch.bind(&newcomer, &x, "").await;
    ch.expect_ready(&newcomer, 20).await;
    let expected: Vec<_> = (5..25).map(|n: i32| n.to_string()).collect();
    assert_eq!(ch.drain(&newcomer).await, expected);
}

/// reference: 7.5 x-recent-history: bad lengths
#[tokio::test]
async fn a_recent_history_length_must_be_positive() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("x");
    for (value, printed) in [(Value::I(0), "0"), (Value::I(-1), "-1"), (S("5"), r#"<<"5">>"#)] {
        let text = format!(
            "PRECONDITION_FAILED - Invalid argument {printed}, 'x-recent-history-length' must be a positive integer"
        );
        let declare = exchange(&name, "x-recent-history").arg("x-recent-history-length", value);
        ch.refused(declare, 406, &text).await;
    }
}

/// Where each of 40 keys goes: the place of its queue.
async fn assignment(ch: &Channel, x: &str, queues: &[String]) -> Vec<usize> {
    let mut assignment = vec![usize::MAX; 40];
    for n in 0..assignment.len() {
        ch.publish_confirmed(publish(x, format!("key {n}"), n.to_string())).await;
    }
    for (place, name) in queues.iter().enumerate() {
        for body in ch.drain(name).await {
            assignment[body.parse::<usize>().unwrap()] = place;
        }
    }
    assignment
}

/// reference: 7.5, buckets are numbered in the order of binding (x-consistent-hash) or of names (x-modulus-hash): parallel
/// exchanges agree, and the mapping survives a new declaration
#[tokio::test]
async fn hash_exchanges_that_are_bound_alike_agree() {
    let broker = TestBroker::start().await;
    for (kind, key) in [("x-consistent-hash", "1"), ("x-modulus-hash", "")] {
        let (ch, x, mut queues) = stage(&broker, |name| exchange(name, kind), &[key; 4]).await;
        if kind == "x-modulus-hash" {
            queues.sort();
        }
        let first = assignment(&ch, &x, &queues).await;
        assert!(first.iter().all(|place| *place < 4), "{kind}: each key goes somewhere");
        // The queues are declared anew, in another order; so is the exchange.
        ch.delete_exchange(&x).await;
        for name in [2, 0, 3, 1].map(|place: usize| &queues[place]) {
            ch.delete(name).await;
            ch.declare(queue(name).exclusive()).await;
        }
        ch.declare_exchange(exchange(&x, kind)).await;
        for name in &queues {
            ch.bind(name, &x, key).await;
        }
        assert_eq!(assignment(&ch, &x, &queues).await, first, "{kind}: declared anew");
        // Other queues, bound in the same order.
        let (other, y, mut parallel) = stage(&broker, |name| exchange(name, kind), &[key; 4]).await;
        if kind == "x-modulus-hash" {
            parallel.sort();
        }
        assert_eq!(assignment(&other, &y, &parallel).await, first, "{kind}: parallel");
        // Behind one that goes the others move up, as if it had never been there.
        ch.unbind(&queues[1], &x, key).await;
        let without = assignment(&ch, &x, &queues).await;
        let fresh = broker.name("fresh");
        ch.declare_exchange(exchange(&fresh, kind)).await;
        for place in [0, 2, 3] {
            ch.bind(&queues[place], &fresh, key).await;
        }
        assert_eq!(assignment(&ch, &fresh, &queues).await, without, "{kind}: after an unbind");
    }
}

/// reference: 7.5, one choice a message, whatever CC and BCC say
#[tokio::test]
async fn hash_exchanges_choose_once_a_message() {
    let broker = TestBroker::start().await;
    for (kind, key) in [("x-consistent-hash", "1"), ("x-modulus-hash", ""), ("x-random", "")] {
        let (ch, x, queues) = stage(&broker, |name| exchange(name, kind), &[key; 4]).await;
        let keys = |from: usize| Value::A((from..from + 6).map(|n| S(n.to_string())).collect());
        for n in 0..20 {
            let message = publish(&x, format!("key {n}"), "m").header("CC", keys(0));
            ch.publish_confirmed(message.header("BCC", keys(6))).await;
        }
        assert_eq!(shares(&ch, &queues).await.iter().sum::<usize>(), 20, "{kind}");
    }
}
