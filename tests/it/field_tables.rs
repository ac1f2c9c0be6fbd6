//! Field tables as arguments, where every tag may come (reference: 8); as headers they are in `properties.rs`.

use crate::broker::{TestBroker, q};
use crate::client::method::unbind;
use crate::client::table::{S, args};
use crate::client::{Table, Value, consume, exchange, publish, queue};

/// A value of every tag.
fn every_value() -> Vec<Value> {
    vec![
        Value::t(true),
        Value::b(-1),
        Value::B(255),
        Value::s(-1),
        Value::u(65535),
        Value::I(-1),
        Value::i(u32::MAX),
        Value::l(-1),
        Value::L(u64::MAX),
        Value::f(0.5),
        Value::d(0.25),
        Value::D(2, 5),
        S("text"),
        S([0xFF, 0xFE]),
        Value::x(vec![0, 255]),
        Value::T(5),
        Value::F(args([("k", S("v")), ("k", S("again"))])),
        Value::A(vec![Value::I(1), Value::V]),
        Value::V,
    ]
}

/// reference: 8, every tag in every table that a method carries
#[tokio::test]
async fn every_tag_is_read_in_every_method() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let (x, name) = (broker.name("x"), broker.name("q"));
    let table =
        Table(every_value().into_iter().enumerate().map(|(n, v)| (format!("x-k{n}").into_bytes(), v)).collect());
    let mut declare_exchange = exchange(&x, "fanout");
    let mut consume_it = consume(&name).no_ack();
    for (key, value) in &table.0 {
        let key = std::str::from_utf8(key).unwrap();
        declare_exchange = declare_exchange.arg(key, value.clone());
        consume_it = consume_it.arg(key, value.clone());
    }
    ch.declare_exchange(declare_exchange).await;
    ch.declare(queue(&name).exclusive().args(table.clone())).await;
    ch.bind_with(&name, &x, "k", &table).await;
    ch.consume(consume_it).await;
    ch.publish(publish(&x, "", "m")).await;
    assert_eq!(ch.expect_deliver().await.text(), "m");
    // An unbind with the same table finds the binding.
    ch.call(unbind(&name, &x, "k", &table)).await;
    ch.publish(publish(&x, "", "m").mandatory()).await;
    assert_eq!(ch.expect_return().await.reply_code, 312);
}

/// reference: 8, the names of types in texts, by the arguments that show them
#[tokio::test]
async fn texts_name_types_as_rabbitmq_does() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    let cases = [
        (Value::t(true), "bool"),
        (Value::b(1), "byte"),
        (Value::B(1), "unsignedbyte"),
        (Value::s(1), "short"),
        (Value::u(1), "unsignedshort"),
        (Value::I(1), "signedint"),
        (Value::i(1), "unsignedint"),
        (Value::l(1), "long"),
        (Value::L(1), "long"),
        (Value::f(1.0), "float"),
        (Value::d(1.0), "double"),
        (Value::D(0, 1), "decimal"),
        (Value::x(vec![]), "binary"),
        (Value::T(1), "timestamp"),
        (Value::F(Table::default()), "table"),
        (Value::A(vec![]), "array"),
        (Value::V, "void"),
    ];
    for (value, kind) in cases {
        let text =
            format!("PRECONDITION_FAILED - invalid arg 'x-overflow' for {}: {{unacceptable_type,{kind}}}", q(&name));
        ch.refused(queue(&name).exclusive().arg("x-overflow", value), 406, &text).await;
    }
}

/// reference: 8, keys: empty, 255 bytes, and twice the same: the first counts
#[tokio::test]
async fn odd_names_are_read() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    let declare = queue(&name).exclusive().arg("", Value::I(1)).arg(&"k".repeat(255), Value::I(1));
    ch.declare(declare.arg("x-max-length", Value::I(5)).arg("x-max-length", Value::I(6))).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for {}: received '6' but current is '5'",
        q(&name)
    );
    ch.declare(queue(&name).exclusive().arg("x-max-length", Value::I(5))).await;
    ch.refused(queue(&name).exclusive().arg("x-max-length", Value::I(6)), 406, &text).await;
}

/// reference: 8, nesting has no limit but the frame
#[tokio::test]
async fn deep_nesting_is_read() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let mut deep = Value::I(1);
    for level in 0..1000 {
        deep = if level % 2 == 0 { Value::F(args([("n", deep)])) } else { Value::A(vec![deep]) };
    }
    ch.declare(queue(&broker.name("q")).exclusive().arg("x-deep", deep)).await;
}

/// reference: 8, a table that ends inside a value or a name, at every possible byte, never breaks the broker
#[tokio::test]
async fn a_table_cut_anywhere_ends_its_connection_only() {
    use crate::client::socket::{METHOD, frame};
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return; // It drops the socket (reference: 1.6), which framing.rs shows; here it is the bytes that vary.
    }
    let whole = Table(every_value().into_iter().map(|v| (b"key".to_vec(), v)).collect()).encode();
    let pairs = &whole[4..];
    for cut in (0..pairs.len()).step_by(7) {
        let connection = broker.connect().await;
        connection.channel(1).await;
        let table = [&(cut as u32).to_be_bytes()[..], &pairs[..cut]].concat();
        // Without a name: each gets a queue of its own, whether the one of the connection before is gone or not.
        let payload = [&[0, 50, 0, 10, 0, 0, 0, 0b100][..], &table].concat();
        connection.write(frame(METHOD, 1, &payload)).await;
        let answer = connection.any_frame().await;
        assert!(answer.is_method((50, 11)) || answer.is_method((10, 50)), "cut at {cut}: {answer:?}");
    }
    broker.connect().await.channel(1).await;
}
