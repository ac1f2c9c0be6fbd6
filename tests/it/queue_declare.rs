//! Declaring queues: names, replies, exclusivity, equivalence (reference: 4.1).

use amq_protocol::protocol::basic::Get;

use crate::broker::{TestBroker, cut, q};
use crate::client::channel::{delete, purge};
use crate::client::delivery::Event;
use crate::client::method::{bind, unbind};
use crate::client::table::{S, Table};
use crate::client::{Channel, Value, consume, publish, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// What every other connection hears about an exclusive queue.
fn locked(name: &str) -> String {
    cut(&format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked {}. It could be originally declared on another \
         connection or the exclusive property value does not match that of the original declaration.",
        q(name)
    ))
}

/// reference: 4.1, declare-ok counts ready messages and consumers, not unacked ones
#[tokio::test]
async fn declare_ok_counts_ready_messages_and_consumers() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let fresh = ch.declare(queue(&name).exclusive()).await;
    assert_eq!((fresh.name.as_str(), fresh.messages, fresh.consumers), (name.as_str(), 0, 0));
    for body in ["a", "b", "c"] {
        ch.publish(publish("", &name, body)).await;
    }
    ch.expect_ready(&name, 3).await;
    ch.get(&name).await.unwrap();
    assert_eq!(ch.declare(queue(&name).exclusive()).await.messages, 2);
    ch.qos(1).await;
    ch.consume(consume(&name).tag("one")).await;
    ch.consume(consume(&name).tag("two")).await;
    ch.expect_deliver().await;
    ch.expect_deliver().await;
    assert_eq!(ch.counts(&name).await, (0, 2));
    ch.cancel("one").await;
    assert_eq!(ch.counts(&name).await, (0, 1));
}

/// reference: 4.1, server-named queues, also durable and shared ones; re-declared only passively
#[tokio::test]
async fn an_empty_name_is_replaced_by_a_generated_one() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let mut names = Vec::new();
    for declare in [queue("").exclusive(), queue("").durable(), queue("").auto_delete(), queue("")] {
        let name = ch.declare(declare).await.name;
        let suffix = name.strip_prefix("amq.gen-").unwrap_or_else(|| panic!("{name}"));
        assert_eq!(suffix.len(), 22, "{name}");
        assert!(suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{name}");
        ch.declare(queue(&name).passive()).await;
        let text = format!("ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'");
        ch.refused(queue(&name).exclusive(), 403, &text).await;
        names.push(name);
    }
    for name in &names {
        ch.delete(name).await;
    }
    names.dedup();
    assert_eq!(names.len(), 4);
}

/// reference: 4.1, passive: 404, no last-declared shortcut, flags and arguments ignored
#[tokio::test]
async fn a_passive_declare_looks_at_the_name_only() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.refused(queue(&name).passive(), 404, &format!("NOT_FOUND - no {}", q(&name))).await;
    ch.declare(queue(&name).exclusive()).await;
    ch.refused(queue("").passive(), 404, "NOT_FOUND - no queue '' in vhost '/'").await;
    let declare = queue(&name).passive().durable().auto_delete().arg("x-max-length", Value::I(-1));
    assert_eq!(ch.declare(declare).await.name, name);
    ch.declare(queue(&name).passive().arg("x-queue-type", S("bogus"))).await;
}

/// reference: 4.1, names: reserved prefix existing or not, CR and LF, long and odd ones
#[tokio::test]
async fn names_may_be_long_and_odd_but_not_reserved() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    for name in ["amq.nothing", "amq.", "amq.gen-1234567890123456789012"] {
        let text = format!("ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'");
        ch.refused(queue(name).exclusive(), 403, &text).await;
    }
    let stem = broker.name("q");
    let long = format!("{stem}{}", "n".repeat(255 - stem.len()));
    let odd = format!("{stem} / ? * # % \u{20ac}");
    for name in [&long, &odd, &format!("{stem}AMQ.x")] {
        assert_eq!(&ch.declare(queue(name).exclusive()).await.name, name);
        ch.publish(publish("", name, "reached")).await;
        assert_eq!(ch.get_eventually(name).await.text(), "reached");
    }
    let clean = format!("{stem}ab");
    assert_eq!(ch.declare(queue(&format!("{stem}a\r\nb\n")).exclusive()).await.name, clean);
    assert!(ch.exists(&clean).await);
}

/// reference: 4.1, durable + exclusive is stored as non-durable
#[tokio::test]
async fn a_durable_exclusive_queue_is_equivalent_to_a_transient_one() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    for durable_first in [true, false] {
        let name = broker.name("q");
        let (durable, transient) = (queue(&name).exclusive().durable(), queue(&name).exclusive());
        let (first, second) = if durable_first { (durable, transient) } else { (transient, durable) };
        ch.declare(first.clone()).await;
        ch.declare(second).await;
        ch.declare(first).await;
    }
}

/// reference: 4.1, transient and shared
#[tokio::test]
async fn a_transient_shared_queue_is_allowed() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name)).await;
    let other = channel(&broker).await;
    other.declare(queue(&name)).await;
    assert_eq!(other.delete(&name).await, 0);
}

/// reference: 4.1, the pseudo-queue of direct reply-to
#[tokio::test]
async fn the_reply_to_pseudo_queue_can_be_declared() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    for declare in [queue("amq.rabbitmq.reply-to"), queue("amq.rabbitmq.reply-to").passive()] {
        let declared = ch.declare(declare).await;
        assert_eq!((declared.name.as_str(), declared.messages, declared.consumers), ("amq.rabbitmq.reply-to", 0, 1));
    }
}

/// reference: 4.1 nowait and 4.3 last declared queue
#[tokio::test]
async fn nowait_is_silent_on_success_only_and_names_the_last_declared_queue() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.send(queue(&name).exclusive().no_wait()).await;
    ch.expect_nothing().await;
    ch.publish(publish("", &name, "m")).await;
    assert_eq!(ch.get_eventually("").await.text(), "m");
    ch.refused(queue("amq.x").no_wait(), 403, "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'")
        .await;

    // A server-named queue is reached as the last declared one.
    ch.send(queue("").exclusive().no_wait()).await;
    ch.expect_nothing().await;
    ch.consume(consume("").no_ack()).await;
    let x = broker.name("x");
    ch.declare_exchange(crate::client::exchange(&x, "fanout")).await;
    ch.bind("", &x, "k").await;
    ch.publish(publish(&x, "", "generated")).await;
    assert_eq!(ch.expect_deliver().await.text(), "generated");
}

/// reference: 4.1 exclusivity: what another connection is refused, and what it is not
#[tokio::test]
async fn an_exclusive_queue_is_locked_for_other_connections() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    ch.bind(&name, "amq.direct", &name).await;

    let other = channel(&broker).await;
    let text = locked(&name);
    let none = Table::default();
    other.refused(queue(&name).exclusive(), 405, &text).await;
    other.refused(queue(&name), 405, &text).await;
    other.refused(queue(&name).passive(), 405, &text).await;
    other.refused(bind(&name, "amq.direct", "k", &none, false), 405, &text).await;
    other.refused(unbind(&name, "amq.direct", &name, &none), 405, &text).await;
    other.refused(consume(&name), 405, &text).await;
    other.refused(Get { queue: name.as_str().into(), no_ack: true }, 405, &text).await;
    other.refused(purge(&name), 405, &text).await;
    other.refused(delete(&name), 405, &text).await;
    // Not checked: an unbind of what is not bound, and publishing.
    other.unbind(&name, "amq.direct", "never bound").await;
    other.publish(publish("", &name, "from outside").mandatory()).await;
    other.expect_nothing().await;

    // Any channel of the owner may use it, but may not say that it is not exclusive.
    let second = connection.channel(2).await;
    assert_eq!(second.get_eventually(&name).await.text(), "from outside");
    second.refused(queue(&name), 405, &text).await;
    // The exclusive check precedes the others.
    second.refused(queue(&name).auto_delete().arg("x-max-length", Value::I(1)), 405, &text).await;
    second.declare(queue(&name).exclusive()).await;
}

/// reference: 4.1 exclusivity: a shared queue cannot be re-declared as exclusive
#[tokio::test]
async fn a_shared_queue_cannot_become_exclusive() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name)).await;
    ch.refused(queue(&name).exclusive(), 405, &locked(&name)).await;
}

/// reference: 4.1 equivalence of the fields, in their order
#[tokio::test]
async fn a_redeclaration_names_the_first_difference_of_the_fields() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).durable()).await;
    let differs =
        |field: &str, how: &str| format!("PRECONDITION_FAILED - inequivalent arg '{field}' for {}: {how}", q(&name));
    let text = differs("durable", "received 'false' but current is 'true'");
    ch.refused(queue(&name).auto_delete().arg("x-max-length", Value::I(1)), 406, &text).await;
    let text = differs("auto_delete", "received 'true' but current is 'false'");
    ch.refused(queue(&name).durable().auto_delete().arg("x-max-length", Value::I(1)), 406, &text).await;
    let text = differs("x-max-length", "received the value '1' of type 'signedint' but current is none");
    ch.refused(queue(&name).durable().arg("x-max-length", Value::I(1)), 406, &text).await;
}

/// reference: 4.1, a limit of queues in the vhost; it is set over the management interface
#[tokio::test]
async fn a_vhosts_limit_of_queues_refuses_new_ones() {
    let vhost = crate::broker::unique("vhost");
    let broker = crate::broker::Setup::default().vhost(&vhost).start().await;
    broker.administrator().limit_vhost(&vhost, "max-queues", 1);
    let ch = broker.connect_with().vhost(&vhost).open().await.channel(1).await;
    ch.declare(queue("first").exclusive()).await;
    let text =
        format!("PRECONDITION_FAILED - cannot declare queue 'second': queue limit in vhost '{vhost}' (1) is reached");
    ch.refused(queue("second"), 406, &text).await;
    ch.declare(queue("first").exclusive()).await;
}

/// reference: 4.1, the reply to passive is the same on the wire as to any other declare
#[tokio::test]
async fn declare_ok_of_a_missing_reply_is_never_sent_twice() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    ch.send(queue(&name).passive()).await;
    assert!(matches!(ch.next().await, Event::Method(_)));
    ch.expect_nothing().await;
}
