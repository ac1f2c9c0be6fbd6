//! How costs grow with what a client sends: n, 2n, 4n and 8n of something, in instructions.
//!
//! Each curve tells what one client can do that was more than n log n once, or would be with the obvious algorithm. A cost that
//! grows faster fails the run, whatever the numbers are.

use std::sync::Arc;

use leveret::internals::broker::exchange::{Binding, Destination, lookup};
use leveret::internals::broker::ids::QueueId;
use leveret::internals::table::{Table, Value};

use super::client::{Client, hosting, method, publish, publish_with_headers, short};

/// Something that a client does n times, or with n of something.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// The first n: large enough that what grows outweighs what does not.
    pub(crate) n: u32,
    pub(crate) run: fn(u32),
}

pub(crate) const CURVES: &[Curve] = &[
    Curve { name: "headers-bindings-deleted", n: 250, run: delete_headers_bindings },
    Curve { name: "bindings-modulus-hash", n: 256, run: |n| bind_and_unbind("x-modulus-hash", n) },
    Curve { name: "bindings-consistent-hash", n: 256, run: |n| bind_and_unbind("x-consistent-hash", n) },
    Curve { name: "bindings-random", n: 256, run: |n| bind_and_unbind("x-random", n) },
    Curve { name: "bindings-recent-history", n: 256, run: |n| bind_and_unbind("x-recent-history", n) },
    Curve { name: "copies-through-exchanges", n: 64, run: copies_through_exchanges },
    Curve { name: "topic-hash-before-words", n: 512, run: topic_hash_before_words },
    Curve { name: "ring-of-exchanges", n: 128, run: ring_of_exchanges },
    Curve { name: "dead-letter-chain", n: 256, run: dead_letter_chain },
    Curve { name: "consumers-of-one-queue", n: 128, run: consumers_of_one_queue },
    Curve { name: "consumer-priorities", n: 128, run: consumer_priorities },
    Curve { name: "global-qos-over-unacked", n: 256, run: global_qos },
    Curve { name: "requeued-one-by-one", n: 1024, run: requeued_one_by_one },
    Curve { name: "credit-shared-by-consumers", n: 64, run: shared_credit },
    Curve { name: "channels-closed-over-unacked", n: 64, run: channels_closed },
    Curve { name: "disconnect-over-unacked", n: 64, run: disconnect },
    Curve { name: "rolled-back-over-unacked", n: 256, run: rolled_back },
];

/// How much a cost may exceed n log n: tables double, and what does not grow is a part of the first cost.
const TOLERANCE: f64 = 1.3;

/// The sizes at which a curve is measured, as multiples of its n.
pub(crate) const MULTIPLES: [u32; 4] = [1, 2, 4, 8];

/// Whether these costs, at n times [`MULTIPLES`], grow no faster than n log n.
pub(crate) fn is_linearithmic(n: u32, costs: &[f64]) -> bool {
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else { return false };
    let [one, .., multiple] = MULTIPLES;
    let (factor, n) = (f64::from(multiple / one), f64::from(n));
    let allowed = factor * (factor * n).log2() / n.log2() * TOLERANCE;
    last / first <= allowed
}

/// A queue with n bindings to a headers exchange is deleted.
fn delete_headers_bindings(n: u32) {
    let mut client = Client::open(&hosting());
    client.declare("queue");
    for number in 0..n {
        let arguments = table(&[("x-match", "any".into()), ("number", number_of(number))]);
        client.bind_queue("queue", "amq.headers", "", &arguments);
    }
    client.call(50, 40, &[&[0; 2], &*short(b"queue"), &[0]].concat());
}

/// n queues are bound to an exchange, and unbound in the same order. The index of the exchange alone: whoever does this holds the lock of
/// the topology.
fn bind_and_unbind(kind: &str, n: u32) {
    let created = lookup(kind).and_then(|kind| (kind.create)(&Table::new()).ok());
    let Some(mut routing) = created else { return };
    let bindings = (0..n).map(|number| {
        let queue = Destination::Queue(QueueId(u64::from(number) + 1));
        // The last name first: it is what an index in the order of names comes to last.
        (Arc::new(Binding::new(queue, b"1", Table::new())), Arc::from(format!("q{:08}", n - number)))
    });
    let bindings: Vec<_> = bindings.collect();
    for (binding, name) in &bindings {
        routing.bind_named(binding, name);
    }
    for (binding, _) in &bindings {
        routing.unbind(binding);
    }
}

/// One message with n keys goes through n exchanges.
fn copies_through_exchanges(n: u32) {
    let mut client = Client::open(&hosting());
    client.declare_exchanges(n, "direct");
    for number in 0..n {
        client.bind_exchange(&format!("x{}", (number + 1) % n), &format!("x{number}"), "last");
    }
    let keys = (0..n).map(|number| Value::from(format!("key-{number}"))).chain(["last".into()]);
    let headers = [("CC", Value::Array(keys.collect()))].into_iter().collect();
    if n > 0 {
        client.send(&publish_with_headers("x0", "key", &headers));
    }
}

/// n bindings of `#` and words that may each be `*` or `a`, and a key of as many words as fit.
fn topic_hash_before_words(n: u32) {
    let mut client = Client::open(&hosting());
    client.declare("queue");
    let words = n.checked_ilog2().unwrap_or(0);
    for number in 0..n {
        let words = (0..words).map(|bit| if number >> bit & 1 == 0 { "a" } else { "*" });
        let key = std::iter::once("#").chain(words).collect::<Vec<_>>().join(".");
        client.bind_queue("queue", "amq.topic", &key, &[0; 4]);
    }
    let key = vec!["a"; usize::try_from(n / 32).unwrap_or(0).saturating_sub(1)].join(".");
    let headers = [("CC", Value::Array(vec![Value::from("a")]))].into_iter().collect();
    for _ in 0..8 {
        client.send(&publish_with_headers("amq.topic", &key, &headers));
    }
}

/// Eight messages go round n exchanges, which are deleted thereafter.
fn ring_of_exchanges(n: u32) {
    let mut client = Client::open(&hosting());
    client.declare_exchanges(n, "fanout");
    for number in 0..n {
        client.bind_exchange(&format!("x{}", (number + 1) % n), &format!("x{number}"), "");
    }
    // Nothing remembers the route of a message with CC, so each is routed anew.
    let headers = [("CC", Value::Array(vec![Value::from("a")]))].into_iter().collect();
    for _ in 0..n.min(8) {
        client.send(&publish_with_headers("x0", "", &headers));
    }
    for number in 0..n {
        client.call(40, 20, &[&[0; 2], &*short(format!("x{number}").as_bytes()), &[0]].concat());
    }
}

/// A message dies in n queues, one after the other. Its record is full long before the last.
fn dead_letter_chain(n: u32) {
    let mut client = Client::open(&hosting());
    for number in 0..n {
        let arguments = table(&[
            ("x-message-ttl", Value::I32(0)),
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", format!("q{}", number + 1).into()),
        ]);
        client.declare_with(&format!("q{number}"), &arguments);
    }
    if n > 0 {
        client.send(&publish("q0", 16));
        client.read();
    }
}

/// n consumers of one queue come, and go in the order in which they came.
fn consumers_of_one_queue(n: u32) {
    consume_and_cancel(n, |_| 0);
}

/// The same with a priority of its own for each.
fn consumer_priorities(n: u32) {
    consume_and_cancel(n, |number| number * 7919 % 10_007);
}

fn consume_and_cancel(n: u32, priority: fn(u32) -> u32) {
    let mut client = Client::open(&hosting());
    client.declare("queue");
    for number in 0..n {
        let arguments = table(&[("x-priority", number_of(priority(number)))]);
        client.call(60, 20, &[&[0; 2], &*short(b"queue"), &tag(number), &[2], &arguments].concat());
    }
    for number in 0..n {
        client.call(60, 30, &[&*tag(number), &[0]].concat());
    }
}

/// n messages are unacknowledged, and the prefetch of the channel is set n times.
fn global_qos(n: u32) {
    let mut client = with_unacked(n);
    for _ in 0..n {
        client.call(60, 10, &[0, 0, 0, 0, 0, 0, 1]);
    }
}

/// n messages are unacknowledged and come back one by one, in no order.
fn requeued_one_by_one(n: u32) {
    let mut client = with_unacked(n);
    client.call(60, 30, &[&*tag(0), &[0]].concat());
    for number in 0..n {
        // A step that shares no factor with a power of two meets each tag once.
        let delivery_tag = u64::from(number) * 7919 % u64::from(n) + 1;
        client.call(60, 120, &[&delivery_tag.to_be_bytes()[..], &[2]].concat());
    }
}

/// n messages are unacknowledged, and n transactions that acknowledge one are rolled back.
fn rolled_back(n: u32) {
    let mut client = with_unacked(n);
    client.call(90, 10, &[]);
    for number in 0..n {
        let delivery_tag = u64::from(number) + 1;
        client.call(60, 80, &[&delivery_tag.to_be_bytes()[..], &[0]].concat());
        client.call(90, 30, &[]);
    }
}

/// n consumers of queues of their own share a prefetch of one, and each gets a message.
fn shared_credit(n: u32) {
    let mut client = Client::open(&hosting());
    client.call(60, 10, &[0, 0, 0, 0, 0, 1, 1]);
    for number in 0..n {
        let queue = format!("q{number}");
        client.declare(&queue);
        client.call(60, 20, &[&[0; 2], &*short(queue.as_bytes()), &tag(number), &[0], &[0; 4]].concat());
        client.send(&publish(&queue, 16));
    }
    for delivery_tag in 1..=u64::from(n) {
        client.call(60, 80, &[&delivery_tag.to_be_bytes()[..], &[0]].concat());
    }
}

/// n channels with eight unacknowledged messages of one queue each are closed one by one.
fn channels_closed(n: u32) {
    let mut client = with_unacked_on_channels(n);
    for number in channels(n) {
        client.send(&method(number, 20, 40, &[&[0; 2], &*short(b""), &[0; 4]].concat()));
        client.read();
    }
}

/// n channels with eight unacknowledged messages of one queue each go with their connection.
fn disconnect(n: u32) {
    let mut client = with_unacked_on_channels(n);
    client.send(&method(0, 10, 50, &[&[0; 2], &*short(b""), &[0; 4]].concat()));
    client.read();
}

fn channels(n: u32) -> impl Iterator<Item = u16> {
    2..u16::try_from(n + 2).unwrap_or(u16::MAX)
}

fn with_unacked_on_channels(n: u32) -> Client {
    let mut client = Client::open(&hosting());
    client.declare("queue");
    for _ in 0..8 * n {
        client.send(&publish("queue", 16));
    }
    for number in channels(n) {
        client.send(&method(number, 20, 10, &short(b"")));
        client.send(&method(number, 60, 10, &[0, 0, 0, 0, 0, 8, 0]));
        client.send(&method(number, 60, 20, &[&[0; 2], &*short(b"queue"), &tag(0), &[0], &[0; 4]].concat()));
        client.read();
    }
    client
}

fn with_unacked(n: u32) -> Client {
    let mut client = Client::open(&hosting());
    client.declare("queue");
    for _ in 0..n {
        client.send(&publish("queue", 16));
    }
    client.call(60, 20, &[&[0; 2], &*short(b"queue"), &tag(0), &[0], &[0; 4]].concat());
    client
}

fn tag(number: u32) -> Vec<u8> {
    short(format!("c{number}").as_bytes())
}

fn number_of(number: u32) -> Value {
    Value::I32(i32::try_from(number).unwrap_or(i32::MAX))
}

fn table(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    fields.iter().map(|(name, value)| (*name, value.clone())).collect::<Table>().encode(&mut bytes);
    bytes
}
