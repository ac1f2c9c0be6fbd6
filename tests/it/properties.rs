//! Properties and headers as they are delivered (reference: 5.1 "Properties", 8).

use crate::broker::TestBroker;
use crate::client::properties::{Properties, properties};
use crate::client::socket::{METHOD, frame, header};
use crate::client::table::{S, args};
use crate::client::{Channel, Delivery, Table, Value, publish};

/// Publishes with these properties and takes the message back.
async fn round_trip(ch: &Channel, name: &str, sent: Properties) -> Delivery {
    ch.publish(publish("", name, "body").with(sent)).await;
    ch.get_eventually(name).await
}

/// reference: 5.1, each property alone and all together, byte by byte
#[tokio::test]
async fn every_property_is_delivered_as_it_was_published() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let each = [
        properties(),
        properties().content_type("text/plain; charset=utf-8"),
        properties().content_encoding("gzip"),
        properties().headers(args([("h", Value::I(1))])),
        properties().delivery_mode(1),
        properties().delivery_mode(2),
        properties().priority(9),
        properties().correlation_id("\u{20ac}"),
        properties().reply_to("answers"),
        properties().expiration("100000"),
        properties().message_id(""),
        properties().timestamp(1_700_000_000),
        properties().kind("type"),
        properties().user_id("guest"),
        properties().app_id("app"),
        properties().cluster_id("cluster"),
        properties()
            .content_type("a")
            .content_encoding("b")
            .headers(args([("c", S("d"))]))
            .delivery_mode(2)
            .priority(5)
            .correlation_id("e")
            .reply_to("f")
            .expiration("100000")
            .message_id("g")
            .timestamp(7)
            .kind("h")
            .user_id("guest")
            .app_id("i")
            .cluster_id("j"),
    ];
    for sent in each {
        let delivery = round_trip(&ch, &name, sent.clone()).await;
        assert_eq!(delivery.properties, sent);
        assert_eq!(delivery.raw_properties, sent.encode());
    }
}

/// reference: 5.1, odd values are returned unchanged
#[tokio::test]
async fn odd_property_values_are_kept() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    for sent in [
        properties().delivery_mode(3),
        properties().delivery_mode(0),
        properties().priority(255),
        properties().timestamp(u64::MAX),
        properties().correlation_id("x".repeat(255)),
        properties().headers(Table::default()),
    ] {
        assert_eq!(round_trip(&ch, &name, sent.clone()).await.properties, sent);
    }
}

/// reference: 1.6 and 5.1, properties need not be UTF-8
#[tokio::test]
async fn properties_that_are_not_utf_8_are_kept() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let raw = b"\x84\x00\x02\xff\xfe\x01\xfd"; // content type and correlation id
    let method = frame(METHOD, 1, &publish("", &name, "").method().0);
    ch.connection.write([method, header(1, 0, raw)].concat()).await;
    assert_eq!(ch.get_eventually(&name).await.raw_properties, raw);
}

/// reference: 5.1 and 8: top-level keys sorted bytewise, the first of duplicates, nested tables in their order
#[tokio::test]
async fn headers_come_back_sorted_without_duplicates() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let nested = || Value::F(args([("z", Value::I(1)), ("a", Value::I(2)), ("z", Value::I(3))]));
    let sent = args([
        ("b", Value::I(1)),
        ("B", Value::I(2)),
        ("", Value::I(3)),
        ("a", nested()),
        ("b", Value::I(5)),
        ("\u{e9}", Value::I(6)),
        ("aa", Value::A(vec![nested(), Value::I(7)])),
    ]);
    let expected = args([
        ("", Value::I(3)),
        ("B", Value::I(2)),
        ("a", nested()),
        ("aa", Value::A(vec![nested(), Value::I(7)])),
        ("b", Value::I(1)),
        ("\u{e9}", Value::I(6)),
    ]);
    assert_eq!(round_trip(&ch, &name, properties().headers(sent)).await.headers(), expected);
}

/// reference: 8, every tag
#[tokio::test]
async fn every_field_type_survives() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let values = [
        Value::t(true),
        Value::t(false),
        Value::b(i8::MIN),
        Value::B(u8::MAX),
        Value::s(i16::MIN),
        Value::u(u16::MAX),
        Value::I(i32::MIN),
        Value::i(u32::MAX),
        Value::l(i64::MIN),
        Value::f(1.5),
        Value::d(-2.25),
        Value::D(2, 314),
        S("text"),
        S([0xFF, 0xFE]),
        S(""),
        Value::x(vec![0, 1, 255]),
        Value::T(1_700_000_000),
        Value::F(args([])),
        Value::F(args([("k", Value::V)])),
        Value::A(vec![]),
        Value::A(vec![Value::I(1), S("two"), Value::A(vec![Value::t(true)])]),
        Value::V,
    ];
    for value in values {
        let sent = properties().headers(args([("v", value.clone())]));
        assert_eq!(round_trip(&ch, &name, sent).await.headers(), args([("v", value)]));
    }
}

/// reference: 8, `L` is read as a signed integer and sent again as `l`
#[tokio::test]
async fn a_large_unsigned_integer_comes_back_signed() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let sent = properties().headers(args([("one", Value::L(1)), ("top", Value::L(u64::MAX))]));
    let expected = args([("one", Value::l(1)), ("top", Value::l(-1))]);
    assert_eq!(round_trip(&ch, &name, sent).await.headers(), expected);
}

/// reference: 8, a true of 2 is re-sent as 1
#[tokio::test]
async fn any_true_comes_back_as_one() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let raw = b"\x20\x00\x00\x00\x00\x04\x01bt\x02";
    let method = frame(METHOD, 1, &publish("", &name, "").method().0);
    ch.connection.write([method, header(1, 0, raw)].concat()).await;
    assert_eq!(ch.get_eventually(&name).await.raw_properties, b"\x20\x00\x00\x00\x00\x04\x01bt\x01");
}

/// reference: 8, keys of 255 bytes, 1000 levels of nesting
#[tokio::test]
async fn long_names_and_deep_nesting_are_kept() {
    let broker = TestBroker::start().await;
    let (ch, name) = broker.stage("q").await;
    let long = "k".repeat(255);
    let mut deep = Value::I(1);
    for _ in 0..1000 {
        deep = Value::F(args([("n", deep)]));
    }
    let sent = args([(&long, Value::I(1)), ("zzz", deep)]);
    assert_eq!(round_trip(&ch, &name, properties().headers(sent.clone())).await.headers(), sent);
}
