//! Dead-lettering: when, where to, what is kept, and the headers to the letter (reference: 6.2, 6.3).

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::method::QueueDeclare;
use crate::client::properties::properties;
use crate::client::table::{S, args};
use crate::client::{Delivery, Table, Value, exchange, publish, queue};

fn mortal(declare: QueueDeclare, dead: &str) -> QueueDeclare {
    declare.arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(dead))
}

/// The entries of `x-death`.
pub fn deaths(delivery: &Delivery) -> Vec<Table> {
    match delivery.headers().get("x-death") {
        Some(Value::A(entries)) => entries
            .iter()
            .map(|entry| match entry {
                Value::F(table) => table.clone(),
                other => panic!("an entry of x-death is a table: {other:?}"),
            })
            .collect(),
        other => panic!("x-death is an array: {other:?}"),
    }
}

/// An entry's queue, reason and count.
pub fn summary(delivery: &Delivery) -> Vec<(String, String, i64)> {
    deaths(delivery)
        .iter()
        .map(|death| {
            let Some(Value::l(count)) = death.get("count") else { panic!("{death:?}") };
            (death.get("queue").unwrap().text(), death.get("reason").unwrap().text(), *count)
        })
        .collect()
}

/// reference: 6.2 reasons and 6.3, the headers of a first death, names, types and order
#[tokio::test]
async fn the_headers_of_a_first_death() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let (name, x) = (broker.name("q"), broker.name("x"));
    ch.declare(mortal(queue(&name).exclusive(), &dead)).await;
    ch.declare_exchange(exchange(&x, "direct")).await;
    ch.bind(&name, &x, "the key").await;
    let headers = args([
        ("zebra", Value::I(1)),
        ("CC", Value::A(vec![S("copy")])),
        ("BCC", Value::A(vec![S("blind")])),
        ("alpha", Value::t(true)),
    ]);
    ch.publish(publish(&x, "the key", "m").with(properties().headers(headers))).await;
    ch.expect_ready(&name, 1).await;
    ch.get(&name).await.unwrap();
    ch.reject(1, false).await;
    let delivery = ch.get_eventually(&dead).await;
    assert_eq!((delivery.exchange.as_str(), delivery.key()), ("", dead.clone()));
    let mut deaths = deaths(&delivery);
    assert_eq!(deaths.len(), 1);
    let death = deaths.remove(0);
    let Some(&Value::T(time)) = death.get("time") else { panic!("{death:?}") };
    assert!(time > 1_700_000_000, "seconds of the epoch: {time}");
    let expected = args([
        ("count", Value::l(1)),
        ("reason", S("rejected")),
        ("queue", S(&name)),
        ("time", Value::T(time)),
        ("exchange", S(&x)),
        ("routing-keys", Value::A(vec![S("the key"), S("copy")])),
    ]);
    assert_eq!(death, expected);
    let headers = args([
        ("CC", Value::A(vec![S("copy")])),
        ("alpha", Value::t(true)),
        ("x-death", Value::A(vec![Value::F(death)])),
        ("x-first-death-exchange", S(&x)),
        ("x-first-death-queue", S(&name)),
        ("x-first-death-reason", S("rejected")),
        ("x-last-death-exchange", S(&x)),
        ("x-last-death-queue", S(&name)),
        ("x-last-death-reason", S("rejected")),
        ("zebra", Value::I(1)),
    ]);
    assert_eq!(delivery.headers(), headers);
}

/// reference: 6.2, properties are kept but for expiration, which moves into the entry, first
#[tokio::test]
async fn properties_survive_death_but_for_the_expiration() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    let name = broker.name("q");
    ch.declare(mortal(queue(&name).exclusive(), &dead)).await;
    let all = properties()
        .content_type("a")
        .content_encoding("b")
        .delivery_mode(2)
        .priority(7)
        .correlation_id("c")
        .reply_to("d")
        .message_id("e")
        .timestamp(5)
        .kind("f")
        .user_id("guest")
        .app_id("g")
        .cluster_id("h");
    for (reason, expiration) in [("expired", "50"), ("rejected", "60000")] {
        ch.publish(publish("", &name, "m").with(all.clone().expiration(expiration))).await;
        if reason == "expired" {
            ch.sync().await;
            broker.pass(Duration::from_millis(120)).await;
        } else {
            ch.expect_ready(&name, 1).await;
            let delivery = ch.get(&name).await.unwrap();
            ch.nack(delivery.delivery_tag, false).await;
        }
        let mut delivery = ch.get_eventually(&dead).await;
        let death = deaths(&delivery).remove(0);
        let names = ["original-expiration", "count", "reason", "queue", "time", "exchange", "routing-keys"];
        assert_eq!(death.names(), names);
        assert_eq!(death.get("original-expiration"), Some(&S(expiration)));
        assert_eq!(death.get("reason"), Some(&S(reason)));
        assert_eq!(death.get("exchange"), Some(&S("")));
        assert_eq!(death.get("routing-keys"), Some(&Value::A(vec![S(&name)])));
        delivery.properties.headers = None;
        assert_eq!(delivery.properties, all);
    }
}

/// reference: 6.2, without an override the message keeps its key, its CC and its BCC keys
#[tokio::test]
async fn without_an_override_every_original_key_routes() {
    let broker = TestBroker::start().await;
    let (ch, _) = broker.stage("dead").await;
    let (dlx, name) = (broker.name("dlx"), broker.name("q"));
    ch.declare_exchange(exchange(&dlx, "direct")).await;
    ch.declare(queue(&name).exclusive().arg("x-dead-letter-exchange", S(&dlx))).await;
    let targets =
        [(name.clone(), broker.name("key")), ("cc".into(), broker.name("cc")), ("bcc".into(), broker.name("bcc"))];
    for (key, target) in &targets {
        ch.declare(queue(target).exclusive()).await;
        ch.bind(target, &dlx, key).await;
    }
    let message = publish("", &name, "m").header("CC", Value::A(vec![S("cc")]));
    ch.publish(message.header("BCC", Value::A(vec![S("bcc")]))).await;
    ch.expect_ready(&name, 1).await;
    ch.get(&name).await.unwrap();
    ch.reject(1, false).await;
    for (_, target) in &targets {
        let delivery = ch.get_eventually(target).await;
        assert_eq!((delivery.exchange.as_str(), delivery.key()), (dlx.as_str(), name.clone()));
        assert_eq!(delivery.headers().get("CC"), Some(&Value::A(vec![S("cc")])));
        assert_eq!(delivery.headers().get("BCC"), None);
    }
}

/// reference: 6.2, with an override CC stays in the headers but does not route
#[tokio::test]
async fn with_an_override_cc_does_not_route() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let (name, copy) = (broker.name("q"), broker.name("copy"));
    ch.declare(mortal(queue(&name).exclusive(), &dead)).await;
    ch.declare(queue(&copy).exclusive()).await;
    ch.publish(publish("", &name, "m").header("CC", Value::A(vec![S(&copy)]))).await;
    assert_eq!(ch.get_eventually(&copy).await.text(), "m");
    ch.expect_ready(&name, 1).await;
    ch.get(&name).await.unwrap();
    let tag = 2;
    ch.reject(tag, false).await;
    let delivery = ch.get_eventually(&dead).await;
    assert_eq!(delivery.headers().get("CC"), Some(&Value::A(vec![S(&copy)])));
    assert_eq!(ch.drain(&copy).await, [""; 0]);
}

/// reference: 6.2, a missing or unroutable exchange drops in silence; the alternate of a dead-letter exchange is used
#[tokio::test]
async fn dead_letters_that_find_no_way_are_dropped() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let (missing, unbound, alternate) = (broker.name("missing"), broker.name("unbound"), broker.name("alternate"));
    let (x, fanout) = (broker.name("x"), broker.name("fanout"));
    ch.declare_exchange(exchange(&fanout, "fanout")).await;
    ch.declare_exchange(exchange(&x, "direct").arg("alternate-exchange", S(&fanout))).await;
    ch.bind(&dead, &fanout, "").await;
    for (name, dlx) in [(&missing, "no-such-exchange"), (&unbound, "amq.direct"), (&alternate, x.as_str())] {
        ch.declare(queue(name).exclusive().arg("x-dead-letter-exchange", S(dlx))).await;
        ch.publish(publish("", name, name)).await;
        ch.expect_ready(name, 1).await;
        let delivery = ch.get(name).await.unwrap();
        ch.reject(delivery.delivery_tag, false).await;
        ch.expect_nothing().await;
        assert_eq!(ch.get(name).await, None);
    }
    assert_eq!(ch.get_eventually(&dead).await.text(), alternate);
    assert_eq!(ch.drain(&dead).await, [""; 0]);
}

/// reference: 6.2, redelivered at the target, an accident that costs nothing to keep
#[tokio::test]
async fn the_redelivered_flag_of_a_dead_letter() {
    let broker = TestBroker::with_clock().await;
    let (ch, dead) = broker.stage("dead").await;
    let (name, full) = (broker.name("q"), broker.name("full"));
    ch.declare(mortal(queue(&name).exclusive(), &dead)).await;
    ch.declare(mortal(queue(&full).exclusive().arg("x-max-length", Value::I(0)), &dead)).await;
    for (how, redelivered) in [("reject", true), ("nack", false), ("expire", false), ("maxlen", false)] {
        let target = if how == "maxlen" { &full } else { &name };
        let message = publish("", target, how);
        ch.publish(if how == "expire" { message.expiration("0") } else { message }).await;
        if how == "reject" || how == "nack" {
            ch.expect_ready(&name, 1).await;
            let delivery = ch.get(&name).await.unwrap();
            if how == "reject" {
                ch.reject(delivery.delivery_tag, false).await;
            } else {
                ch.nack(delivery.delivery_tag, false).await;
            }
        }
        let delivery = ch.get_eventually(&dead).await;
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (how, redelivered));
    }
}

/// reference: 6.2, the order of deaths
#[tokio::test]
async fn the_dead_keep_their_order() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let name = broker.name("q");
    ch.declare(mortal(queue(&name).exclusive(), &dead)).await;
    for n in 0..100 {
        ch.publish(publish("", &name, n.to_string())).await;
    }
    ch.expect_ready(&name, 100).await;
    for _ in 0..100 {
        ch.get(&name).await.unwrap();
    }
    ch.nack_multiple(100, false).await;
    for n in 0..100 {
        assert_eq!(ch.get_eventually(&dead).await.text(), n.to_string());
    }
}

/// reference: 6.3, a client's own x-death is an ordinary header, overwritten at the next death
#[tokio::test]
async fn a_clients_x_death_is_overwritten() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let name = broker.name("q");
    ch.declare(mortal(queue(&name).exclusive(), &dead)).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    let mut headers = Table::default();
    for round in 1..=2 {
        let delivery = ch.get(&name).await.unwrap();
        assert_eq!(delivery.headers(), headers, "it is delivered unchanged before");
        ch.reject(delivery.delivery_tag, false).await;
        let delivery = ch.get_eventually(&dead).await;
        assert_eq!(summary(&delivery), [(name.clone(), "rejected".into(), 1)]);
        if round == 1 {
            headers = delivery.headers();
            ch.publish(publish("", &name, "m").with(properties().headers(headers.clone()))).await;
            ch.expect_ready(&name, 1).await;
        }
    }
    let forged =
        args([("x-first-death-queue", S("forged")), ("x-first-death-reason", S("forged")), ("x-death", S("x"))]);
    ch.publish(publish("", &name, "m").with(properties().headers(forged))).await;
    ch.expect_ready(&name, 1).await;
    let delivery = ch.get(&name).await.unwrap();
    ch.reject(delivery.delivery_tag, false).await;
    let headers = ch.get_eventually(&dead).await.headers();
    assert_eq!(headers.get("x-first-death-queue"), Some(&S(&name)));
    assert_eq!(headers.get("x-first-death-reason"), Some(&S("rejected")));
}

/// reference: 6.2, dead-lettering goes through an internal exchange too
#[tokio::test]
async fn a_dead_letter_exchange_may_be_internal() {
    let broker = TestBroker::start().await;
    let (ch, dead) = broker.stage("dead").await;
    let (name, x) = (broker.name("q"), broker.name("x"));
    ch.declare_exchange(exchange(&x, "fanout").internal()).await;
    ch.bind(&dead, &x, "").await;
    ch.declare(queue(&name).exclusive().arg("x-dead-letter-exchange", S(&x))).await;
    ch.publish(publish("", &name, "m")).await;
    ch.expect_ready(&name, 1).await;
    ch.get(&name).await.unwrap();
    ch.reject(1, false).await;
    let delivery = ch.get_eventually(&dead).await;
    assert_eq!((delivery.exchange.as_str(), delivery.key()), (x.as_str(), name.clone()));
}
