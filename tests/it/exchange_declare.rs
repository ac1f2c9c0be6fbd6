//! Declaring and deleting exchanges (reference: 3.1 to 3.3).

use amq_protocol::protocol::exchange::Delete;

use crate::broker::{TestBroker, x};
use crate::client::channel::delete_exchange;
use crate::client::table::{S, args};
use crate::client::{Channel, Value, exchange, publish, queue};

const RESERVED: &str = "ACCESS_REFUSED - operation not permitted on the default exchange";

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// reference: 3.1, with its types and flags: an equivalent declare succeeds, another type is a difference
#[tokio::test]
async fn the_predeclared_exchanges_are_there_with_their_types() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let exchanges = [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ];
    for (name, kind) in exchanges {
        ch.declare_exchange(exchange(name, kind).durable()).await;
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'internal' for {}: received 'true' but current is 'false'",
            x(name)
        );
        ch.refused(exchange(name, kind).durable().internal(), 406, &text).await;
    }
    ch.declare_exchange(exchange("amq.rabbitmq.trace", "topic").durable().internal()).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'durable' for {}: received 'false' but current is 'true'",
        x("amq.rabbitmq.trace")
    );
    ch.refused(exchange("amq.rabbitmq.trace", "topic").internal(), 406, &text).await;
}

/// reference: 3.1, offered types
#[tokio::test]
async fn every_offered_type_can_be_declared() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let types = [
        "direct",
        "fanout",
        "headers",
        "topic",
        "x-consistent-hash",
        "x-local-random",
        "x-modulus-hash",
        "x-random",
        "x-recent-history",
    ];
    for kind in types {
        let name = broker.name(kind);
        ch.declare_exchange(exchange(&name, kind).durable()).await;
        ch.declare_exchange(exchange(&name, kind).durable()).await;
        ch.delete_exchange(&name).await;
    }
}

/// reference: 3.2, passive: type and flags are ignored, even an unknown type
#[tokio::test]
async fn a_passive_declare_looks_at_the_name_only() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("x");
    let missing = format!("NOT_FOUND - no {}", x(&name));
    ch.refused(exchange(&name, "direct").passive(), 404, &missing).await;
    ch.declare_exchange(exchange(&name, "direct").durable()).await;
    ch.declare_exchange(exchange(&name, "direct").passive()).await;
    ch.declare_exchange(exchange(&name, "fanout").passive().auto_delete().internal()).await;
    ch.declare_exchange(exchange(&name, "no-such-type").passive()).await;
    ch.declare_exchange(exchange(&name, "direct").passive().arg("alternate-exchange", Value::I(5))).await;
}

/// reference: 3.2, names and types that are refused
#[tokio::test]
async fn reserved_names_and_unknown_types_are_refused() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    ch.refused(exchange("", "direct").durable(), 403, RESERVED).await;
    ch.refused(exchange("", "direct").passive(), 403, RESERVED).await;
    let text = "ACCESS_REFUSED - exchange name 'amq.nothing' contains reserved prefix 'amq.*'";
    ch.refused(exchange("amq.nothing", "direct"), 403, text).await;
    let name = broker.name("x");
    for kind in ["no-such-type", "Direct"] {
        let text = format!("PRECONDITION_FAILED - unknown exchange type '{kind}'");
        ch.refused(exchange(&name, kind), 406, &text).await;
    }
    for kind in ["", "system"] {
        let text = format!("PRECONDITION_FAILED - invalid exchange type '{kind}'");
        ch.refused(exchange(&name, kind), 406, &text).await;
    }
    // A plugin that is not enabled in the peer; here it is built in.
    if broker.is_rabbitmq() {
        let text = "PRECONDITION_FAILED - unknown exchange type 'x-delayed-message'";
        ch.refused(exchange(&name, "x-delayed-message").arg("x-delayed-type", S("direct")), 406, text).await;
    }
    assert!(!ch.exchange_exists(&name).await);
}

/// reference: 3.2, any name up to 255 bytes; CR and LF are removed
#[tokio::test]
async fn names_may_be_long_and_odd_but_lose_line_breaks() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let stem = broker.name("x");
    let long = format!("{stem}{}", "n".repeat(255 - stem.len()));
    let odd = format!("{stem} /?*#%&'\"<>{{}} \u{20ac}\u{e9}");
    for name in [&long, &odd] {
        ch.declare_exchange(exchange(name, "fanout")).await;
        assert!(ch.exchange_exists(name).await);
        ch.delete_exchange(name).await;
        assert!(!ch.exchange_exists(name).await);
    }
    ch.declare_exchange(exchange(&format!("{stem}-a\r\nb\n"), "fanout")).await;
    let clean = format!("{stem}-ab");
    assert!(ch.exchange_exists(&clean).await);
    ch.delete_exchange(&clean).await;
}

/// reference: 3.2, arguments: unknown ones are not compared, the alternate is checked and compared
#[tokio::test]
async fn only_the_alternate_exchange_is_looked_at_among_arguments() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (plain, with, empty) = (broker.name("plain"), broker.name("with"), broker.name("empty"));
    ch.declare_exchange(exchange(&plain, "direct").arg("x-custom", Value::I(1))).await;
    ch.declare_exchange(exchange(&plain, "direct").arg("x-custom", S("2")).arg("x-other", Value::V)).await;
    ch.declare_exchange(exchange(&plain, "direct")).await;

    let name = broker.name("x");
    let text = format!("PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in {}", x(&name));
    ch.refused(exchange(&name, "direct").arg("alternate-exchange", Value::I(5)), 406, &text).await;
    ch.declare_exchange(exchange(&with, "direct").arg("alternate-exchange", S("ae1"))).await;
    ch.declare_exchange(exchange(&empty, "direct").arg("alternate-exchange", S(""))).await;

    let differs = |name: &str, how: &str| {
        format!("PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for {}: {how}", x(name))
    };
    ch.declare_exchange(exchange(&with, "direct").arg("alternate-exchange", S("ae1"))).await;
    let text = differs(&with, "received 'ae2' but current is 'ae1'");
    ch.refused(exchange(&with, "direct").arg("alternate-exchange", S("ae2")), 406, &text).await;
    let text = differs(&with, "received none but current is the value 'ae1' of type 'longstr'");
    ch.refused(exchange(&with, "direct"), 406, &text).await;
    let text = differs(&plain, "received the value 'ae1' of type 'longstr' but current is none");
    ch.refused(exchange(&plain, "direct").arg("alternate-exchange", S("ae1")), 406, &text).await;
}

/// reference: 3.2, inequivalence of fields, in their order, only the first difference
#[tokio::test]
async fn a_redeclaration_names_the_first_difference() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("x");
    ch.declare_exchange(exchange(&name, "direct").durable()).await;
    let cases = [
        (exchange(&name, "fanout").auto_delete().internal(), "type", "fanout", "direct"),
        (exchange(&name, "direct").auto_delete().internal(), "durable", "false", "true"),
        (exchange(&name, "direct").durable().auto_delete().internal(), "auto_delete", "true", "false"),
        (
            exchange(&name, "direct").durable().internal().arg("alternate-exchange", S("ae")),
            "internal",
            "true",
            "false",
        ),
    ];
    for (declare, field, new, old) in cases {
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg '{field}' for {}: received '{new}' but current is '{old}'",
            x(&name)
        );
        ch.refused(declare, 406, &text).await;
    }
}

/// reference: 3.2 and 5.11, nowait: no reply on success, the close on error
#[tokio::test]
async fn nowait_is_silent_on_success_only() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("x");
    ch.send(exchange(&name, "direct").no_wait()).await;
    ch.expect_nothing().await;
    assert!(ch.exchange_exists(&name).await);
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'type' for {}: received 'fanout' but current is 'direct'",
        x(&name)
    );
    ch.refused(exchange(&name, "fanout").no_wait(), 406, &text).await;
    ch.send(Delete { exchange: name.as_str().into(), if_unused: false, nowait: true }).await;
    ch.expect_nothing().await;
    assert!(!ch.exchange_exists(&name).await);
}

/// reference: 3.3
#[tokio::test]
async fn deleting_is_idempotent_and_guards_system_and_used_exchanges() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, target, name_q) = (broker.name("x"), broker.name("target"), broker.name("q"));
    ch.delete_exchange(&name).await;
    ch.refused(delete_exchange(""), 403, RESERVED).await;
    for system in ["amq.direct", "amq.no-such-exchange", "amq.rabbitmq.trace"] {
        let text = format!("ACCESS_REFUSED - deletion of system {} not allowed", x(system));
        ch.refused(delete_exchange(system), 403, &text).await;
    }

    let if_unused = |name: &str| Delete { exchange: name.into(), if_unused: true, nowait: false };
    ch.declare_exchange(exchange(&name, "direct")).await;
    ch.declare_exchange(exchange(&target, "direct")).await;
    ch.declare(queue(&name_q).exclusive()).await;
    let in_use = format!("PRECONDITION_FAILED - {} in use", x(&name));
    ch.bind(&name_q, &name, "k").await;
    ch.refused(if_unused(&name), 406, &in_use).await;
    ch.unbind(&name_q, &name, "k").await;
    ch.bind_exchange(&target, &name, "k").await;
    ch.refused(if_unused(&name), 406, &in_use).await;
    // A mere destination is unused.
    ch.call(if_unused(&target)).await;
    ch.call(if_unused(&name)).await;
    assert!(!ch.exchange_exists(&name).await);
    // Missing, with the flag.
    ch.call(if_unused(&name)).await;
}

/// reference: 3.3, bindings vanish with their exchange
#[tokio::test]
async fn a_deleted_exchange_takes_its_bindings_along() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, name_q) = (broker.name("x"), broker.name("q"));
    ch.declare_exchange(exchange(&name, "fanout")).await;
    ch.declare(queue(&name_q).exclusive()).await;
    ch.bind(&name_q, &name, "").await;
    ch.delete_exchange(&name).await;
    ch.declare_exchange(exchange(&name, "fanout")).await;
    ch.publish(publish(&name, "", "unroutable").mandatory()).await;
    assert_eq!(ch.expect_return().await.reply_code, 312);
}

/// reference: 3.2, durable exchanges with arguments of every kind are accepted and stored
#[tokio::test]
async fn nested_arguments_are_accepted() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("x");
    let nested = Value::F(args([("deep", Value::A(vec![Value::t(true), Value::V, Value::d(1.5)]))]));
    ch.declare_exchange(exchange(&name, "topic").durable().arg("x-nested", nested)).await;
}
