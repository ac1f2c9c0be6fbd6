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

/// reference: 4.1 equivalence of arguments: values, missing, additional, unknown
#[tokio::test]
async fn a_redeclaration_compares_the_arguments_that_the_type_knows() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let declare = || queue(&name).exclusive();
    ch.declare(declare().arg("x-max-length", Value::I(5)).arg("x-overflow", S("drop-head")).arg("x-custom", S("a")))
        .await;
    let same = || declare().arg("x-overflow", S("drop-head"));
    // Integers by value, whatever their width; unknown arguments not at all; the default type when none is named.
    for five in [Value::b(5), Value::B(5), Value::s(5), Value::u(5), Value::I(5), Value::i(5), Value::l(5), Value::L(5)]
    {
        ch.declare(same().arg("x-max-length", five)).await;
    }
    ch.declare(same().arg("x-max-length", Value::I(5)).arg("x-custom", Value::t(true)).arg("x-more", Value::V)).await;
    ch.declare(same().arg("x-max-length", Value::I(5)).arg("x-queue-type", S("classic"))).await;

    let differs = |name_of: &str, how: &str| {
        format!("PRECONDITION_FAILED - inequivalent arg '{name_of}' for {}: {how}", q(&name))
    };
    let cases = [
        (same().arg("x-max-length", Value::I(6)), differs("x-max-length", "received '6' but current is '5'")),
        (same(), differs("x-max-length", "received none but current is the value '5' of type 'signedint'")),
        (
            declare().arg("x-max-length", Value::I(5)).arg("x-overflow", S("reject-publish")),
            differs("x-overflow", "received 'reject-publish' but current is 'drop-head'"),
        ),
        (
            declare().arg("x-max-length", Value::I(5)),
            differs("x-overflow", "received none but current is the value 'drop-head' of type 'longstr'"),
        ),
        (
            same().arg("x-max-length", Value::I(5)).arg("x-message-ttl", Value::l(1000)),
            differs("x-message-ttl", "received the value '1000' of type 'long' but current is none"),
        ),
        (
            same().arg("x-max-length", Value::I(5)).arg("x-single-active-consumer", Value::t(true)),
            differs("x-single-active-consumer", "received the value 'true' of type 'bool' but current is none"),
        ),
        (
            same().arg("x-max-length", Value::I(5)).arg("x-max-priority", Value::B(3)),
            differs("x-max-priority", "received the value '3' of type 'unsignedbyte' but current is none"),
        ),
    ];
    for (declare, text) in cases {
        ch.refused(declare, 406, &text).await;
    }
}

/// reference: 4.1, the confusing text about an integer and a string (x-queue-mode is not validated, so it can be either)
#[tokio::test]
async fn an_integer_and_a_string_of_the_same_digits_differ() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive().arg("x-queue-mode", Value::I(5))).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for {}: received '5' but current is '5'",
        q(&name)
    );
    ch.refused(queue(&name).exclusive().arg("x-queue-mode", S("5")), 406, &text).await;
}

/// reference: 4.1, the order in which arguments are compared
#[tokio::test]
async fn arguments_are_compared_in_a_fixed_order() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    let ordered = [
        ("x-expires", Value::I(60_000), "60000", "signedint"),
        ("x-message-ttl", Value::I(1000), "1000", "signedint"),
        ("x-dead-letter-exchange", S("dlx"), "dlx", "longstr"),
        ("x-dead-letter-routing-key", S("key"), "key", "longstr"),
        ("x-max-length", Value::I(10), "10", "signedint"),
        ("x-max-length-bytes", Value::I(1000), "1000", "signedint"),
        ("x-max-priority", Value::I(3), "3", "signedint"),
        ("x-overflow", S("drop-head"), "drop-head", "longstr"),
        ("x-queue-mode", S("lazy"), "lazy", "longstr"),
        ("x-queue-version", Value::I(2), "2", "signedint"),
        ("x-single-active-consumer", Value::t(true), "true", "bool"),
    ];
    let with = |from: usize| {
        let mut declare = queue(&name).exclusive();
        // In reverse, so that the order of the request does not help.
        for (name, value, ..) in ordered[from..].iter().rev() {
            declare = declare.arg(name, value.clone());
        }
        declare
    };
    ch.declare(with(0)).await;
    for (first, (argument, _, value, kind)) in ordered.iter().enumerate() {
        // Everything up to this one is given equal, it and all behind it are missing.
        let mut declare = queue(&name).exclusive();
        for (argument, value, ..) in &ordered[..first] {
            declare = declare.arg(argument, value.clone());
        }
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg '{argument}' for {}: received none but current is the value \
             '{value}' of type '{kind}'",
            q(&name)
        );
        if text.len() <= 255 {
            ch.refused(declare, 406, &text).await;
        } else {
            ch.refused(declare, 406, &cut(&text)).await;
        }
    }
}

/// reference: 4.1, a limit of queues in the vhost; it is set over the management interface
#[tokio::test]
async fn a_vhosts_limit_of_queues_refuses_new_ones() {
    let vhost = crate::broker::unique("vhost");
    let broker = crate::broker::Setup::default().vhost(&vhost).start().await;
    let Some(management) = broker.management() else { return assert!(!broker.is_rabbitmq()) };
    management.limit_vhost(&vhost, "max-queues", 1);
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
