//! `x-delayed-message`, built in here and a plugin of its own in RabbitMQ, where it ended with version 4.2: these tests have
//! the embedded broker only. What they expect is the plugin's documented behaviour.

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::table::S;
use crate::client::{Channel, Value, consume, exchange, publish, queue};

/// A broker with a manual clock, a delayed exchange of this type, and a queue bound by `k`; none on RabbitMQ.
async fn stage(kind: &str) -> Option<(TestBroker, Channel, String, String)> {
    let broker = TestBroker::with_clock().await;
    if broker.is_rabbitmq() {
        return None;
    }
    let ch = broker.connect().await.channel(1).await;
    let (x, name) = (broker.name("x"), broker.name("q"));
    ch.declare_exchange(exchange(&x, "x-delayed-message").durable().arg("x-delayed-type", S(kind))).await;
    ch.declare(queue(&name).exclusive()).await;
    ch.bind(&name, &x, "k").await;
    Some((broker, ch, x, name))
}

#[tokio::test]
async fn a_message_comes_after_its_delay_with_the_header_negated() {
    let Some((broker, ch, x, name)) = stage("direct").await else { return };
    ch.publish(publish(&x, "k", "delayed").header("x-delay", Value::I(5_000)).header("a", S("kept"))).await;
    ch.expect_nothing().await;
    assert_eq!(ch.get(&name).await, None);
    broker.pass(Duration::from_millis(4_900)).await;
    assert_eq!(ch.get(&name).await, None);
    broker.pass(Duration::from_millis(200)).await;
    let delivery = ch.get_eventually(&name).await;
    assert_eq!(
        (delivery.text().as_str(), delivery.exchange.as_str(), delivery.key().as_str()),
        ("delayed", x.as_str(), "k")
    );
    let headers = delivery.headers();
    assert_eq!(headers.get("a"), Some(&S("kept")));
    assert!(
        matches!(headers.get("x-delay"), Some(Value::I(-5_000) | Value::l(-5_000))),
        "no other delayed exchange delays it again: {headers:?}"
    );
}

#[tokio::test]
async fn messages_come_in_the_order_in_which_they_are_due() {
    let Some((broker, ch, x, name)) = stage("direct").await else { return };
    for (body, delay) in [("c", 3_000), ("a", 1_000), ("b", 2_000), ("b2", 2_000)] {
        ch.publish(publish(&x, "k", body).header("x-delay", Value::I(delay))).await;
    }
    ch.publish(publish(&x, "k", "at once")).await;
    assert_eq!(ch.get_eventually(&name).await.text(), "at once");
    for bodies in [&["a"][..], &["b", "b2"], &["c"]] {
        broker.pass(Duration::from_millis(1_050)).await;
        for body in bodies {
            assert_eq!(ch.get_eventually(&name).await.text(), *body);
        }
        assert_eq!(ch.get(&name).await, None);
    }
}

#[tokio::test]
async fn the_delay_is_a_positive_integer_of_any_width_or_there_is_none() {
    let Some((broker, ch, x, name)) = stage("direct").await else { return };
    let none = [Value::I(0), Value::I(-5), Value::t(true), Value::V];
    for delay in none {
        ch.publish(publish(&x, "k", "at once").header("x-delay", delay)).await;
        assert_eq!(ch.get_eventually(&name).await.text(), "at once");
    }
    let delays =
        [Value::b(100), Value::B(100), Value::s(100), Value::u(100), Value::I(100), Value::i(100), Value::l(100)];
    for delay in delays {
        ch.publish(publish(&x, "k", "delayed").header("x-delay", delay)).await;
        ch.expect_nothing().await;
        assert_eq!(ch.get(&name).await, None);
        broker.pass(Duration::from_millis(150)).await;
        assert_eq!(ch.get_eventually(&name).await.text(), "delayed");
    }
}

#[tokio::test]
async fn it_routes_as_the_type_it_was_given() {
    for (kind, key) in [("topic", "a.b"), ("fanout", "anything")] {
        let Some((broker, ch, x, name)) = stage(kind).await else { return };
        ch.bind(&name, &x, "a.*").await;
        ch.publish(publish(&x, key, kind).header("x-delay", Value::I(100))).await;
        ch.sync().await;
        broker.pass(Duration::from_millis(150)).await;
        assert_eq!(ch.get_eventually(&name).await.text(), kind);
    }
}

#[tokio::test]
async fn it_is_routed_when_it_is_due_and_not_before() {
    let Some((broker, ch, x, _)) = stage("direct").await else { return };
    let late = broker.name("late");
    ch.publish(publish(&x, "late", "m").header("x-delay", Value::I(100))).await;
    ch.declare(queue(&late).exclusive()).await;
    ch.bind(&late, &x, "late").await;
    broker.pass(Duration::from_millis(150)).await;
    assert_eq!(ch.get_eventually(&late).await.text(), "m");
}

#[tokio::test]
async fn a_delayed_message_is_confirmed_when_it_is_taken() {
    let Some((_broker, ch, x, _)) = stage("direct").await else { return };
    ch.confirm_select().await;
    ch.publish_confirmed(publish(&x, "k", "m").header("x-delay", Value::I(60_000))).await;
}

#[tokio::test]
async fn a_deleted_exchange_forgets_what_it_held_back() {
    let Some((broker, ch, x, name)) = stage("fanout").await else { return };
    ch.publish(publish(&x, "k", "forgotten").header("x-delay", Value::I(100))).await;
    ch.delete_exchange(&x).await;
    ch.declare_exchange(exchange(&x, "x-delayed-message").arg("x-delayed-type", S("fanout"))).await;
    ch.bind(&name, &x, "k").await;
    broker.pass(Duration::from_millis(150)).await;
    ch.expect_nothing().await;
    assert_eq!(ch.get(&name).await, None);
}

#[tokio::test]
async fn the_delayed_type_must_be_a_type() {
    let Some((broker, ch, _, _)) = stage("direct").await else { return };
    let name = broker.name("x");
    let start = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be";
    for declare in
        [exchange(&name, "x-delayed-message"), exchange(&name, "x-delayed-message").arg("x-delayed-type", Value::I(5))]
    {
        use amq_protocol::protocol::{AMQPClass, channel};
        ch.send(declare).await;
        match ch.next().await {
            crate::client::delivery::Event::Method(AMQPClass::Channel(channel::AMQPMethod::Close(close))) => {
                assert_eq!((close.reply_code, close.class_id, close.method_id), (406, 40, 10));
                assert!(close.reply_text.as_str().starts_with(start), "{}", close.reply_text);
            }
            other => panic!("{other:?}"),
        }
        ch.send(channel::CloseOk {}).await;
        ch.open().await;
    }
    let declare = exchange(&name, "x-delayed-message").arg("x-delayed-type", S("bogus"));
    ch.refused(declare, 406, "PRECONDITION_FAILED - unknown exchange type 'bogus'").await;
}

/// A delay that is too long is a mistake, and a message that comes at once instead would hide it.
#[tokio::test]
async fn a_delay_out_of_range_is_refused_as_an_expiration_is() {
    let Some((broker, owner, x, name)) = stage("direct").await else { return };
    let rows = [
        (Value::l(1 << 53), "9007199254740992", "9007199254740992"),
        (Value::l(i64::MAX), "9223372036854775807", "9223372036854775807"),
        (Value::l(315_360_000_001), "315360000001", "315360000001"),
        (S("99999999999999999999999"), "99999999999999999999999", "99999999999999999999999"),
        (S("+0315360000001"), "+0315360000001", "315360000001"),
        (Value::d(1e300), "1.0e300", "1.0e300"),
        (Value::d(f64::INFINITY), "inf", "inf"),
    ];
    for (delay, value, reason) in rows {
        let ch = broker.connect().await.channel(1).await;
        ch.publish(publish(&x, "k", "late").header("x-delay", delay)).await;
        let text = format!("PRECONDITION_FAILED - invalid x-delay '{value}': {{value_too_large,{reason}}}");
        ch.expect_close(406, &text, (60, 40)).await;
        owner.expect_ready(&name, 0).await;
    }
    // Ten years, as long as any message may live.
    owner.publish(publish(&x, "k", "late").header("x-delay", S("315360000000"))).await;
    owner.expect_nothing().await;
    owner.expect_ready(&name, 0).await;
}

/// Nobody is there to be refused: a dead letter, or a message that came through another exchange.
#[tokio::test]
async fn a_delay_out_of_range_that_cannot_be_refused_is_never_over() {
    let Some((broker, ch, x, name)) = stage("direct").await else { return };
    let front = broker.name("front");
    ch.declare_exchange(exchange(&front, "fanout").durable()).await;
    ch.bind_exchange(&x, &front, "").await;
    ch.publish(publish(&front, "k", "late").header("x-delay", Value::l(i64::MAX))).await;
    let work = broker.name("work");
    let declare = queue(&work).exclusive().arg("x-dead-letter-exchange", S(&x));
    ch.declare(declare.arg("x-dead-letter-routing-key", S("k"))).await;
    ch.publish(publish("", &work, "dead").header("x-delay", S("99999999999999999999"))).await;
    ch.consume(consume(&work)).await;
    let delivery = ch.expect_deliver().await;
    ch.reject(delivery.delivery_tag, false).await;
    ch.expect_nothing().await;
    broker.pass(Duration::from_secs(86_400 * 365)).await;
    ch.expect_nothing().await;
    ch.expect_ready(&name, 0).await;
}
