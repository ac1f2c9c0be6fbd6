//! `basic.publish`: what is refused, returned, and delivered (reference: 5.1).

use crate::broker::{Setup, TestBroker, x};
use crate::client::properties::properties;
use crate::client::table::{S, args};
use crate::client::{Channel, Value, exchange, publish, queue};

async fn channel(broker: &TestBroker) -> Channel {
    broker.connect().await.channel(1).await
}

/// A queue of this connection, bound to nothing but the default exchange.
async fn own_queue(broker: &TestBroker, ch: &Channel) -> String {
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    name
}

/// reference: 5.1, a missing exchange: no return, no confirm, mandatory or not
#[tokio::test]
async fn publishing_to_a_missing_exchange_closes_the_channel() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let text = format!("NOT_FOUND - no {}", x("no-such-exchange"));
    for mandatory in [false, true] {
        ch.confirm_select().await;
        let message = crate::client::method::Publish { mandatory, ..publish("no-such-exchange", "k", "m") };
        ch.publish_refused(message, 404, &text).await;
    }
}

/// reference: 5.1, immediate
#[tokio::test]
async fn immediate_is_not_implemented() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    connection.channel(1).await.publish(publish("", "x", "m").immediate()).await;
    connection.expect_close(540, "NOT_IMPLEMENTED - immediate=true", (60, 40)).await;
}

/// reference: 5.1 and 5.8, unroutable messages: dropped, or returned whole before their confirm
#[tokio::test]
async fn an_unroutable_message_is_dropped_or_returned_before_its_confirm() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    ch.publish(publish("", "no-such-queue", "dropped")).await;
    ch.expect_nothing().await;
    ch.publish(publish("amq.direct", "nothing bound", "returned").mandatory()).await;
    let returned = ch.expect_return().await;
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));

    ch.confirm_select().await;
    ch.publish(publish("", "no-such-queue", "dropped")).await;
    let confirm = ch.expect_confirm().await;
    assert!(confirm.ack && confirm.delivery_tag == 1);
    let all = properties()
        .content_type("text/plain")
        .headers(args([("a", Value::I(1))]))
        .correlation_id("c")
        .user_id("guest")
        .timestamp(1);
    let body = "x".repeat(200_000);
    ch.publish(publish("amq.fanout", "the key", &body).mandatory().with(all.clone())).await;
    let returned = ch.expect_return().await;
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!((returned.exchange.as_str(), returned.routing_key.as_slice()), ("amq.fanout", b"the key".as_slice()));
    assert_eq!(returned.properties, all);
    assert_eq!(returned.body, body.as_bytes());
    let confirm = ch.expect_confirm().await;
    assert!(confirm.ack && confirm.delivery_tag == 2);
}

/// reference: 5.1, routed in any way means no return
#[tokio::test]
async fn a_mandatory_message_routed_by_cc_or_an_alternate_is_not_returned() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = own_queue(&broker, &ch).await;
    let (source, alternate) = (broker.name("x"), broker.name("alternate"));
    ch.declare_exchange(exchange(&alternate, "fanout")).await;
    ch.declare_exchange(exchange(&source, "direct").arg("alternate-exchange", S(&alternate))).await;
    ch.bind(&name, &alternate, "").await;
    ch.publish(publish(&source, "unbound", "by alternate").mandatory()).await;
    for header in ["CC", "BCC"] {
        let message = publish("", "no-such-queue", header).mandatory();
        ch.publish(message.header(header, Value::A(vec![S(&name)]))).await;
    }
    ch.expect_nothing().await;
    for body in ["by alternate", "CC", "BCC"] {
        assert_eq!(ch.get_eventually(&name).await.text(), body);
    }
}

/// reference: 5.1, user-id
#[tokio::test]
async fn a_user_id_must_be_the_login_name() {
    let (user, free) = (crate::broker::unique("user"), crate::broker::unique("impersonator"));
    let setup = Setup { impersonators: vec![(free.clone(), "secret".into())], ..Setup::default() };
    let broker = setup.user(&user, "secret").start().await;
    let ch = channel(&broker).await;
    let name = own_queue(&broker, &ch).await;
    let text = "PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user was 'guest'";
    ch.publish_refused(publish("", &name, "m").with(properties().user_id("someone")), 406, text).await;
    ch.publish(publish("", &name, "m").with(properties().user_id("guest"))).await;
    assert_eq!(ch.get_eventually(&name).await.properties.user_id.as_deref(), Some("guest"));

    let connection = broker.connect_with().user(&user, "secret").open().await;
    let theirs = connection.channel(1).await;
    let text = format!("PRECONDITION_FAILED - user_id property set to 'guest' but authenticated user was '{user}'");
    theirs.publish_refused(publish("", &name, "m").with(properties().user_id("guest")), 406, &text).await;
    connection.close().await;

    // An impersonator may say any.
    let theirs = broker.connect_with().user(&free, "secret").open().await.channel(1).await;
    theirs.publish(publish("", &name, "m").with(properties().user_id("anyone"))).await;
    assert_eq!(ch.get_eventually(&name).await.properties.user_id.as_deref(), Some("anyone"));
}

/// reference: 5.1, expiration: everything that is no decimal integer in range
#[tokio::test]
async fn an_expiration_must_be_a_number_of_milliseconds() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = own_queue(&broker, &ch).await;
    let cases = [
        ("abc", "no_integer"),
        ("", "no_integer"),
        (" 5", "no_integer"),
        ("10s", r#"{leftover_string,"s"}"#),
        ("1.5", r#"{leftover_string,".5"}"#),
        ("5 ", r#"{leftover_string," "}"#),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ];
    for (expiration, reason) in cases {
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}");
        ch.publish_refused(publish("", &name, "m").expiration(expiration), 406, &text).await;
    }
    for expiration in ["0", "+5", "007", "315360000000"] {
        ch.confirm_select().await;
        ch.publish_confirmed(publish("", "no-such-queue", "m").expiration(expiration)).await;
        ch.close().await;
        ch.open().await;
    }
    // RabbitMQ writes the number anew; we deliver it as it was written (see conformance/exceptions.toml).
    let expected = if broker.is_rabbitmq() { "60000" } else { "+0060000" };
    ch.publish(publish("", &name, "m").expiration("+0060000")).await;
    assert_eq!(ch.get_eventually(&name).await.properties.expiration.as_deref(), Some(expected));
}

/// reference: 5.1, CC and BCC: routing, one copy, BCC removed, the original key kept
#[tokio::test]
async fn cc_and_bcc_are_more_routing_keys() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let names = [own_queue(&broker, &ch).await, own_queue(&broker, &ch).await, own_queue(&broker, &ch).await];
    let [to, cc, bcc] = &names;
    let message = publish("", to, "m")
        .header("CC", Value::A(vec![S(cc), S(to)]))
        .header("BCC", Value::A(vec![S(bcc), S(cc), S("no-such-queue")]))
        .header("other", Value::I(1));
    ch.publish(message).await;
    for name in &names {
        let delivery = ch.get_eventually(name).await;
        assert_eq!(&delivery.key(), to, "all see the original key");
        let headers = args([("CC", Value::A(vec![S(cc), S(to)])), ("other", Value::I(1))]);
        assert_eq!(delivery.headers(), headers, "CC stays, BCC goes");
        assert_eq!(ch.drain(name).await, [""; 0], "one copy");
    }
    // Through an exchange of one's own, too.
    ch.bind(cc, "amq.direct", cc).await;
    ch.publish(publish("amq.direct", "unbound", "m").header("CC", Value::A(vec![S(cc)]))).await;
    let delivery = ch.get_eventually(cc).await;
    assert_eq!((delivery.exchange.as_str(), delivery.key().as_str()), ("amq.direct", "unbound"));
}

/// reference: 5.1, BCC is removed from returned messages; header names are case-sensitive; odd elements are ignored
#[tokio::test]
async fn cc_and_bcc_that_do_not_route() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = own_queue(&broker, &ch).await;
    for (header, kept) in [("CC", true), ("BCC", false)] {
        let list = Value::A(vec![S("no-such-queue"), Value::I(5), Value::t(true)]);
        ch.publish(publish("", "nowhere", "m").mandatory().header(header, list.clone())).await;
        let returned = ch.expect_return().await;
        let headers = returned.properties.headers.unwrap_or_default();
        assert_eq!(headers.get(header), kept.then_some(&list));
    }
    for header in ["cc", "bcc", "Cc"] {
        ch.publish(publish("", "nowhere", "m").mandatory().header(header, Value::A(vec![S(&name)]))).await;
        ch.expect_return().await;
    }
    ch.publish(publish("", "nowhere", "m").header("CC", Value::A(vec![Value::I(5), S(&name)]))).await;
    assert_eq!(ch.get_eventually(&name).await.headers().get("CC"), Some(&Value::A(vec![Value::I(5), S(&name)])));
}

/// reference: 5.1, CC and BCC that are no arrays
#[tokio::test]
async fn cc_and_bcc_must_be_arrays() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    for header in ["CC", "BCC"] {
        for (value, kind) in [(S("q"), "longstr"), (Value::I(5), "signedint"), (Value::F(args([])), "table")] {
            let text =
                format!("PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,\"{header}\",{kind}}}");
            ch.publish_refused(publish("", "q", "m").header(header, value), 406, &text).await;
        }
    }
}

/// reference: 5.1, reply-to of the pseudo-queue without a reply consumer
#[tokio::test]
async fn a_direct_reply_to_needs_its_consumer() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let message = publish("", "q", "m").with(properties().reply_to("amq.rabbitmq.reply-to"));
    ch.publish_refused(message, 406, "PRECONDITION_FAILED - fast reply consumer does not exist").await;
}

/// reference: 5.1, routing keys of 255 bytes and of no text
#[tokio::test]
async fn a_routing_key_is_bytes() {
    let broker = TestBroker::start().await;
    let ch = channel(&broker).await;
    let name = own_queue(&broker, &ch).await;
    ch.bind(&name, "amq.fanout", "").await;
    for key in [&[0xFF, 0xFE, 0][..], &[b'k'; 255], b""] {
        ch.publish(publish("amq.fanout", key, key)).await;
        let delivery = loop {
            // The fanout exchange is shared with other tests' messages on a shared broker.
            let delivery = ch.get_eventually(&name).await;
            if delivery.body == key && delivery.exchange == "amq.fanout" {
                break delivery;
            }
        };
        assert_eq!(delivery.routing_key, key);
    }
    ch.publish(publish("amq.direct", [0xFF, 0xFE], "m").mandatory()).await;
    assert_eq!(ch.expect_return().await.routing_key, [0xFF, 0xFE]);
}
