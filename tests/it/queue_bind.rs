//! Binding queues, and the last declared queue (reference: 4.3).

use amq_protocol::protocol::basic::Get;

use crate::broker::{TestBroker, q, x};
use crate::client::channel::{delete, purge};
use crate::client::method::{bind, unbind};
use crate::client::table::{Table, args};
use crate::client::{Channel, Value, consume, exchange, publish, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// reference: 4.3, refusals; unbind of what is missing succeeds
#[tokio::test]
async fn binding_what_is_missing_is_refused_and_unbinding_it_succeeds() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, source) = (broker.name("q"), broker.name("x"));
    let none = Table::default();
    ch.declare(queue(&name).exclusive()).await;
    ch.declare_exchange(exchange(&source, "direct")).await;
    let no_exchange = format!("NOT_FOUND - no {}", x("no-such-exchange"));
    ch.refused(bind(&name, "no-such-exchange", "k", &none, false), 404, &no_exchange).await;
    ch.refused(bind("no-such-queue", "no-such-exchange", "k", &none, false), 404, &no_exchange).await;
    let no_queue = format!("NOT_FOUND - no {}", q("no-such-queue"));
    ch.refused(bind("no-such-queue", &source, "k", &none, false), 404, &no_queue).await;
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    ch.refused(bind(&name, "", "k", &none, false), 403, text).await;
    ch.refused(unbind(&name, "", &name, &none), 403, text).await;

    ch.unbind(&name, &source, "never bound").await;
    ch.unbind("no-such-queue", &source, "k").await;
    ch.unbind(&name, "no-such-exchange", "k").await;
    ch.unbind("no-such-queue", "no-such-exchange", "k").await;
}

/// reference: 4.3, duplicates, and several bindings that match: one copy
#[tokio::test]
async fn a_queue_gets_one_copy_however_often_it_is_bound() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, source) = (broker.name("q"), broker.name("x"));
    ch.declare(queue(&name).exclusive()).await;
    ch.declare_exchange(exchange(&source, "topic")).await;
    for key in ["a.b", "a.b", "a.*", "#", "*.b"] {
        ch.bind(&name, &source, key).await;
    }
    ch.publish(publish(&source, "a.b", "once")).await;
    assert_eq!(ch.get_eventually(&name).await.text(), "once");
    assert_eq!(ch.drain(&name).await, [""; 0]);
    // One unbind undoes both binds of the same key.
    for key in ["a.*", "#", "*.b", "a.b"] {
        ch.unbind(&name, &source, key).await;
    }
    ch.publish(publish(&source, "a.b", "unroutable").mandatory()).await;
    ch.expect_return().await;
}

/// reference: 4.3, identity of a binding: arguments are a part of it
#[tokio::test]
async fn bindings_with_other_arguments_are_other_bindings() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, source) = (broker.name("q"), broker.name("x"));
    ch.declare(queue(&name).exclusive()).await;
    ch.declare_exchange(exchange(&source, "direct")).await;
    let (one, two) = (args([("n", Value::I(1))]), args([("n", Value::I(2))]));
    ch.bind_with(&name, &source, "k", &one).await;
    ch.bind_with(&name, &source, "k", &two).await;
    for (undo, still) in [(&Table::default(), true), (&one, true), (&args([("n", Value::I(3))]), true), (&two, false)] {
        ch.call(unbind(&name, &source, "k", undo)).await;
        ch.publish(publish(&source, "k", "m").mandatory()).await;
        if still {
            assert_eq!(ch.get_eventually(&name).await.text(), "m");
        } else {
            ch.expect_return().await;
        }
    }
}

/// reference: 4.3 and 5.11, nowait
#[tokio::test]
async fn bind_with_nowait_is_silent_on_success_only() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, source) = (broker.name("q"), broker.name("x"));
    let none = Table::default();
    ch.declare(queue(&name).exclusive()).await;
    ch.declare_exchange(exchange(&source, "direct")).await;
    ch.send(bind(&name, &source, "k", &none, true)).await;
    ch.expect_nothing().await;
    ch.publish(publish(&source, "k", "m")).await;
    assert_eq!(ch.get_eventually(&name).await.text(), "m");
    let text = format!("NOT_FOUND - no {}", x("no-such-exchange"));
    ch.refused(bind(&name, "no-such-exchange", "k", &none, true), 404, &text).await;
}

/// reference: 4.3, the implicit binding to the default exchange cannot be lost
#[tokio::test]
async fn every_queue_is_reached_by_its_name_through_the_default_exchange() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    ch.publish(publish("", &name, "m").mandatory()).await;
    let delivery = ch.get_eventually(&name).await;
    assert_eq!((delivery.exchange.as_str(), delivery.key()), ("", name.clone()));
    ch.delete(&name).await;
    ch.publish(publish("", &name, "m").mandatory()).await;
    ch.expect_return().await;
}

/// reference: 4.3, none declared yet: every method that takes a queue name says so
#[tokio::test]
async fn without_a_declared_queue_an_empty_name_is_an_error() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let text = "NOT_FOUND - no previously declared queue";
    let none = Table::default();
    ch.refused(bind("", "amq.direct", "k", &none, false), 404, text).await;
    ch.refused(unbind("", "amq.direct", "k", &none), 404, text).await;
    ch.refused(Get { queue: "".into(), no_ack: true }, 404, text).await;
    ch.refused(consume(""), 404, text).await;
    ch.refused(purge(""), 404, text).await;
    ch.refused(delete(""), 404, text).await;
}

/// reference: 4.3, the last declared queue stands for an empty name, on its channel only
#[tokio::test]
async fn an_empty_name_is_the_last_declared_queue_of_the_channel() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (ch, other) = (connection.channel(1).await, connection.channel(2).await);
    let (first, second, source) = (broker.name("first"), broker.name("second"), broker.name("x"));
    ch.declare(queue(&first).exclusive()).await;
    ch.declare(queue(&second).exclusive()).await;
    ch.declare_exchange(exchange(&source, "direct")).await;
    // A passive declare counts too.
    ch.declare(queue(&first).passive()).await;
    other.refused(Get { queue: "".into(), no_ack: true }, 404, "NOT_FOUND - no previously declared queue").await;

    ch.bind("", &source, "k").await;
    ch.publish(publish(&source, "k", "bound")).await;
    assert_eq!(ch.get_eventually("").await.text(), "bound");
    assert_eq!(ch.drain(&second).await, [""; 0]);
    ch.unbind("", &source, "k").await;
    ch.publish(publish(&source, "k", "unbound").mandatory()).await;
    ch.expect_return().await;

    // Queue and key both empty: the key is the queue's name too.
    ch.bind("", &source, "").await;
    ch.publish(publish(&source, &first, "by name")).await;
    assert_eq!(ch.get_eventually("").await.text(), "by name");
    ch.unbind("", &source, "").await;
    ch.publish(publish(&source, &first, "unbound").mandatory()).await;
    ch.expect_return().await;

    // With a queue name an empty key stays empty.
    ch.bind(&first, &source, "").await;
    ch.publish(publish(&source, &first, "not this").mandatory()).await;
    ch.expect_return().await;
    ch.publish(publish(&source, "", "empty key")).await;
    assert_eq!(ch.get_eventually("").await.text(), "empty key");

    ch.publish(publish("", &first, "consumed")).await;
    let tag = ch.consume(consume("").no_ack()).await;
    assert_eq!(ch.expect_deliver().await.text(), "consumed");
    ch.cancel(&tag).await;
    assert_eq!(ch.purge("").await, 0);
    ch.delete("").await;
    assert!(!other.exists(&first).await);
    // Deleted meanwhile: an ordinary 404 with its name.
    ch.refused(Get { queue: "".into(), no_ack: true }, 404, &format!("NOT_FOUND - no {}", q(&first))).await;
}
