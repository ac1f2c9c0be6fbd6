//! Auto-delete, internal and alternate exchanges, and bindings between exchanges (reference: 3.4, 3.5).

use crate::broker::{TestBroker, x};
use crate::client::method::{exchange_bind, exchange_unbind};
use crate::client::table::{S, Table, args};
use crate::client::{Channel, exchange, publish, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// reference: 3.4, auto-delete fires on the last binding *from* the exchange
#[tokio::test]
async fn an_auto_delete_exchange_goes_with_its_last_outgoing_binding() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (name, target, name_q) = (broker.name("x"), broker.name("target"), broker.name("q"));
    ch.declare_exchange(exchange(&target, "fanout")).await;

    // By unbind.
    ch.declare(queue(&name_q).exclusive()).await;
    ch.declare_exchange(exchange(&name, "fanout").auto_delete()).await;
    ch.bind(&name_q, &name, "a").await;
    ch.bind(&name_q, &name, "b").await;
    ch.unbind(&name_q, &name, "a").await;
    assert!(ch.exchange_exists(&name).await);
    ch.unbind(&name_q, &name, "b").await;
    assert!(!ch.exchange_exists(&name).await);

    // By deletion of the bound queue.
    ch.declare_exchange(exchange(&name, "fanout").auto_delete()).await;
    ch.bind(&name_q, &name, "a").await;
    ch.delete(&name_q).await;
    assert!(!ch.exchange_exists(&name).await);

    // By exchange.unbind, and by deletion of the bound exchange.
    for delete in [false, true] {
        ch.declare_exchange(exchange(&name, "fanout").auto_delete()).await;
        ch.bind_exchange(&target, &name, "a").await;
        if delete {
            ch.delete_exchange(&target).await;
        } else {
            ch.unbind_exchange(&target, &name, "a").await;
        }
        assert!(!ch.exchange_exists(&name).await);
    }
}

/// reference: 3.4, never bound stays; losing an incoming binding does not count; a declaring connection does not matter
#[tokio::test]
async fn an_auto_delete_exchange_that_was_never_bound_stays() {
    let broker = TestBroker::start().await;
    let (name, source) = (broker.name("x"), broker.name("source"));
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    ch.declare_exchange(exchange(&name, "fanout").auto_delete()).await;
    ch.declare_exchange(exchange(&source, "fanout")).await;
    ch.bind_exchange(&name, &source, "").await;
    ch.unbind_exchange(&name, &source, "").await;
    connection.close().await;
    assert!(channel(&broker).await.exchange_exists(&name).await);
}

/// reference: 3.4, deletion cascades
#[tokio::test]
async fn auto_delete_cascades_to_the_source() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let names = [broker.name("a"), broker.name("b"), broker.name("c")];
    for name in &names {
        ch.declare_exchange(exchange(name, "fanout").auto_delete()).await;
    }
    let name_q = broker.name("q");
    ch.declare(queue(&name_q).exclusive()).await;
    ch.bind_exchange(&names[1], &names[0], "").await;
    ch.bind_exchange(&names[2], &names[1], "").await;
    ch.bind(&name_q, &names[2], "").await;
    ch.delete(&name_q).await;
    for name in &names {
        assert!(!ch.exchange_exists(name).await, "{name} should have gone too");
    }
}

/// reference: 3.4, internal exchanges
#[tokio::test]
async fn an_internal_exchange_takes_no_publish_but_routes() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (inner, outer, name_q) = (broker.name("inner"), broker.name("outer"), broker.name("q"));
    ch.declare_exchange(exchange(&inner, "fanout").internal()).await;
    ch.declare_exchange(exchange(&outer, "fanout")).await;
    ch.declare(queue(&name_q).exclusive()).await;
    ch.bind_exchange(&inner, &outer, "").await;
    ch.bind(&name_q, &inner, "").await;
    let text = format!("ACCESS_REFUSED - cannot publish to internal {}", x(&inner));
    ch.publish_refused(publish(&inner, "", "direct"), 403, &text).await;
    ch.publish(publish(&outer, "key", "through")).await;
    let delivery = ch.get_eventually(&name_q).await;
    assert_eq!((delivery.exchange.as_str(), delivery.key().as_str()), (outer.as_str(), "key"));
}

/// reference: 3.4, alternate exchanges: chains, and what the delivery shows
#[tokio::test]
async fn an_alternate_takes_what_an_exchange_routes_to_nothing() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (first, second, third) = (broker.name("1"), broker.name("2"), broker.name("3"));
    let (matched, rest) = (broker.name("matched"), broker.name("rest"));
    ch.declare_exchange(exchange(&first, "direct").arg("alternate-exchange", S(&second))).await;
    ch.declare_exchange(exchange(&second, "direct").arg("alternate-exchange", S(&third))).await;
    ch.declare_exchange(exchange(&third, "fanout")).await;
    ch.declare(queue(&matched).exclusive()).await;
    ch.declare(queue(&rest).exclusive()).await;
    ch.bind(&matched, &first, "known").await;
    ch.bind(&rest, &third, "").await;

    ch.publish(publish(&first, "known", "one").mandatory()).await;
    ch.publish(publish(&first, "unknown", "two").mandatory()).await;
    assert_eq!(ch.get_eventually(&matched).await.text(), "one");
    let delivery = ch.get_eventually(&rest).await;
    assert_eq!(delivery.text(), "two");
    assert_eq!((delivery.exchange.as_str(), delivery.key().as_str()), (first.as_str(), "unknown"));
    // The chain routed, so mandatory returned nothing, and nothing came twice.
    ch.expect_nothing().await;
    assert_eq!(ch.drain(&rest).await, [""; 0]);
}

/// reference: 3.4, alternates that lead nowhere: missing, cyclic, the default exchange
#[tokio::test]
async fn alternates_that_lead_nowhere_leave_a_message_unroutable() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    ch.confirm_select().await;
    let (a, b, name_q) = (broker.name("a"), broker.name("b"), broker.name("q"));
    let (missing, itself, default) = (broker.name("missing"), broker.name("itself"), broker.name("default"));
    ch.declare(queue(&name_q).exclusive()).await;
    ch.declare_exchange(exchange(&a, "direct").arg("alternate-exchange", S(&b))).await;
    ch.declare_exchange(exchange(&b, "direct").arg("alternate-exchange", S(&a))).await;
    ch.declare_exchange(exchange(&itself, "direct").arg("alternate-exchange", S(&itself))).await;
    ch.declare_exchange(exchange(&missing, "direct").arg("alternate-exchange", S("no-such-exchange"))).await;
    ch.declare_exchange(exchange(&default, "direct").arg("alternate-exchange", S(""))).await;
    for name in [&a, &itself, &missing, &default] {
        // The key names a queue, to which the default exchange would route.
        ch.publish(publish(name, &name_q, "nowhere").mandatory()).await;
        let returned = ch.expect_return().await;
        assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
        assert_eq!(&returned.exchange, name);
        assert!(ch.expect_confirm().await.ack);
    }
    assert_eq!(ch.drain(&name_q).await, [""; 0]);
}

/// reference: 3.5, refusals
#[tokio::test]
async fn binding_what_is_missing_or_the_default_exchange_is_refused() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let here = broker.name("here");
    ch.declare_exchange(exchange(&here, "direct")).await;
    let none = Table::default();
    let bind = |destination: &str, source: &str| exchange_bind(destination, source, "k", &none, false);
    let missing = |name: &str| format!("NOT_FOUND - no {}", x(name));
    ch.refused(bind(&here, "no-source"), 404, &missing("no-source")).await;
    ch.refused(bind("no-destination", "no-source"), 404, &missing("no-source")).await;
    ch.refused(bind("no-destination", &here), 404, &missing("no-destination")).await;
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    ch.refused(bind("", &here), 403, text).await;
    ch.refused(bind(&here, ""), 403, text).await;
    ch.refused(exchange_unbind("", &here, "k", &none, false), 403, text).await;
    ch.refused(exchange_unbind(&here, "", "k", &none, false), 403, text).await;
}

/// reference: 3.5, duplicates and missing bindings
#[tokio::test]
async fn binding_twice_makes_one_binding_and_unbinding_nothing_succeeds() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (source, target, name_q) = (broker.name("source"), broker.name("target"), broker.name("q"));
    ch.declare_exchange(exchange(&source, "direct")).await;
    ch.declare_exchange(exchange(&target, "fanout")).await;
    ch.declare(queue(&name_q).exclusive()).await;
    ch.bind(&name_q, &target, "").await;
    ch.bind_exchange(&target, &source, "k").await;
    ch.bind_exchange(&target, &source, "k").await;
    ch.publish(publish(&source, "k", "once")).await;
    assert_eq!(ch.get_eventually(&name_q).await.text(), "once");
    assert_eq!(ch.drain(&name_q).await, [""; 0]);
    ch.unbind_exchange(&target, &source, "k").await;
    ch.publish(publish(&source, "k", "unroutable").mandatory()).await;
    ch.expect_return().await;
    // Missing: the binding, the destination, the source.
    ch.unbind_exchange(&target, &source, "k").await;
    ch.unbind_exchange("no-such-exchange", &source, "k").await;
    ch.unbind_exchange(&target, "no-such-exchange", "k").await;
}

/// reference: 3.5 and 5.11, nowait; arguments are part of a binding
#[tokio::test]
async fn exchange_bindings_with_arguments_and_nowait() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let (source, target) = (broker.name("source"), broker.name("target"));
    ch.declare_exchange(exchange(&source, "direct")).await;
    ch.declare_exchange(exchange(&target, "fanout")).await;
    let name_q = broker.name("q");
    ch.declare(queue(&name_q).exclusive()).await;
    ch.bind(&name_q, &target, "").await;
    let (one, two) = (args([("x-n", S("1"))]), args([("x-n", S("2"))]));
    ch.send(exchange_bind(&target, &source, "k", &one, true)).await;
    ch.call(exchange_bind(&target, &source, "k", &two, false)).await;
    ch.send(exchange_unbind(&target, &source, "k", &one, true)).await;
    ch.expect_nothing().await;
    ch.publish(publish(&source, "k", "still bound")).await;
    assert_eq!(ch.get_eventually(&name_q).await.text(), "still bound");
    ch.call(exchange_unbind(&target, &source, "k", &two, false)).await;
    ch.publish(publish(&source, "k", "unroutable").mandatory()).await;
    ch.expect_return().await;
    let text = format!("NOT_FOUND - no {}", x("no-such-exchange"));
    ch.refused(exchange_bind(&target, "no-such-exchange", "k", &one, true), 404, &text).await;
}

/// reference: 3.5, self-bindings, cycles and diamonds: one copy for each queue, in the name of the first exchange
#[tokio::test]
async fn each_queue_gets_one_copy_however_exchanges_are_bound() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| broker.name(name));
    for name in [&a, &b, &c, &d] {
        ch.declare_exchange(exchange(name, "fanout")).await;
    }
    for (destination, source) in [(&a, &a), (&b, &a), (&c, &a), (&d, &b), (&d, &c), (&a, &d)] {
        ch.bind_exchange(destination, source, "").await;
    }
    let (last, first) = (broker.name("last"), broker.name("first"));
    ch.declare(queue(&last).exclusive()).await;
    ch.declare(queue(&first).exclusive()).await;
    ch.bind(&last, &d, "").await;
    ch.bind(&last, &b, "").await;
    ch.bind(&first, &a, "").await;
    ch.publish(publish(&a, "k", "m")).await;
    for name_q in [&last, &first] {
        let delivery = ch.get_eventually(name_q).await;
        assert_eq!(delivery.exchange, a);
        assert_eq!(ch.drain(name_q).await, [""; 0]);
    }
    ch.publish(publish(&d, "k", "around")).await;
    assert_eq!(ch.get_eventually(&first).await.text(), "around");
    assert_eq!(ch.get_eventually(&last).await.exchange, d);
}
