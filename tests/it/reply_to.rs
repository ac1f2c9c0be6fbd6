//! Direct reply-to: the pseudo-queue `amq.rabbitmq.reply-to` (reference: 5.10).

use amq_protocol::protocol::basic::Get;

use crate::broker::{TestBroker, q};
use crate::client::channel::purge;
use crate::client::method::bind;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Delivery, Table, Value, args, consume, publish, queue};

const PSEUDO: &str = "amq.rabbitmq.reply-to";

/// A requester with its reply consumer, a server, and the server's queue.
async fn stage(broker: &TestBroker) -> (Channel, Channel, String) {
    let requester = broker.connect().await.channel(1).await;
    let server = broker.connect().await.channel(1).await;
    let name = broker.name("requests");
    server.declare(queue(&name).exclusive()).await;
    requester.consume(consume(PSEUDO).no_ack().tag("replies")).await;
    (requester, server, name)
}

/// Sends a request; what the server sees of it.
async fn request(requester: &Channel, server: &Channel, name: &str) -> Delivery {
    requester.publish(publish("", name, "request").with(properties().reply_to(PSEUDO))).await;
    server.get_eventually(name).await
}

/// reference: 5.10, a request and its replies
#[tokio::test]
async fn a_reply_comes_back_on_the_requesters_channel() {
    let broker = TestBroker::start().await;
    let (requester, server, name) = stage(&broker).await;
    let reply_to = request(&requester, &server, &name).await.properties.reply_to.unwrap();
    let opaque = reply_to.strip_prefix("amq.rabbitmq.reply-to.").unwrap_or_else(|| panic!("{reply_to}"));
    assert!((40..=120).contains(&opaque.len()) || (40..=120).contains(&reply_to.len()), "{reply_to}");
    let (first, second) = opaque.split_once('.').unwrap_or_else(|| panic!("two parts: {reply_to}"));
    assert!(!first.is_empty() && second.ends_with("=="), "{reply_to}");
    // Stable for the channel's consumer.
    assert_eq!(request(&requester, &server, &name).await.properties.reply_to.as_ref(), Some(&reply_to));

    server.confirm_select().await;
    for tag in 1..=2 {
        let answer = properties().correlation_id("7").delivery_mode(2);
        server.publish(publish("", &reply_to, "reply").mandatory().with(answer.clone())).await;
        assert!(server.expect_confirm().await.ack, "confirmed and not returned");
        let reply = requester.expect_deliver().await;
        assert_eq!((reply.consumer_tag.as_str(), reply.delivery_tag, reply.redelivered), ("replies", tag, false));
        assert_eq!((reply.exchange.as_str(), reply.key()), ("", reply_to.clone()));
        assert_eq!((reply.text().as_str(), reply.properties), ("reply", answer));
    }
}

/// reference: 5.10, other reply-to values, and requests over another exchange
#[tokio::test]
async fn only_exactly_that_reply_to_is_replaced() {
    let broker = TestBroker::start().await;
    let (requester, server, name) = stage(&broker).await;
    for reply_to in ["my.own.queue", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-toX", ""] {
        requester.publish(publish("", &name, "m").with(properties().reply_to(reply_to))).await;
        assert_eq!(server.get_eventually(&name).await.properties.reply_to.as_deref(), Some(reply_to));
    }
    // A reply through another exchange is routed like anything else.
    let reply_to = request(&requester, &server, &name).await.properties.reply_to.unwrap();
    server.publish(publish("amq.direct", &reply_to, "m").mandatory()).await;
    assert_eq!(server.expect_return().await.reply_code, 312);
    requester.expect_nothing().await;
}

/// reference: 5.10, consuming the pseudo-queue
#[tokio::test]
async fn the_reply_consumer_is_alone_on_its_channel_and_does_not_ack() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    ch.refused(consume(PSEUDO), 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge").await;
    let tag = ch.consume(consume(PSEUDO).no_ack().exclusive()).await;
    assert!(tag.starts_with("amq.ctag-"), "{tag}");
    ch.refused(consume(PSEUDO).no_ack(), 406, "PRECONDITION_FAILED - reply consumer already set").await;
    // The error closed the channel, and with it the consumer; another channel has its own.
    let other = connection.channel(2).await;
    ch.consume(consume(PSEUDO).no_ack()).await;
    other.consume(consume(PSEUDO).no_ack().arg("x-priority", S("not examined"))).await;
}

/// reference: 5.10, cancel, and a new consumer's new name
#[tokio::test]
async fn a_new_reply_consumer_has_a_new_name() {
    let broker = TestBroker::start().await;
    let (requester, server, name) = stage(&broker).await;
    let first = request(&requester, &server, &name).await.properties.reply_to.unwrap();
    requester.cancel("replies").await;
    requester.consume(consume(PSEUDO).no_ack()).await;
    let second = request(&requester, &server, &name).await.properties.reply_to.unwrap();
    assert_ne!(first, second);
    server.publish(publish("", &second, "reply")).await;
    assert_eq!(requester.expect_deliver().await.text(), "reply");
}

/// reference: 5.10, declaring the generated name: is the requester still there?
#[tokio::test]
async fn declaring_the_generated_name_tells_whether_the_requester_lives() {
    let broker = TestBroker::start().await;
    let (requester, server, name) = stage(&broker).await;
    let reply_to = request(&requester, &server, &name).await.properties.reply_to.unwrap();
    for declare in [queue(&reply_to).passive(), queue(&reply_to), queue(&reply_to).durable().auto_delete()] {
        let declared = server.declare(declare).await;
        assert_eq!((&declared.name, declared.messages, declared.consumers), (&reply_to, 0, 1));
    }
    requester.close().await;
    let text = format!("NOT_FOUND - no {}", q(&reply_to));
    server.refused(queue(&reply_to).passive(), 404, &text).await;
    server.refused(queue(&reply_to), 404, &text).await;
}

/// reference: 5.10, replies to nobody vanish in silence, and are confirmed
#[tokio::test]
async fn a_reply_to_a_requester_that_is_gone_vanishes() {
    let broker = TestBroker::start().await;
    let (requester, server, name) = stage(&broker).await;
    server.confirm_select().await;
    for closed in [false, true] {
        let reply_to = request(&requester, &server, &name).await.properties.reply_to.unwrap();
        if closed {
            requester.close().await;
        } else {
            requester.cancel("replies").await;
        }
        server.publish(publish("", &reply_to, "too late").mandatory()).await;
        assert!(server.expect_confirm().await.ack);
        if !closed {
            requester.expect_nothing().await;
            requester.consume(consume(PSEUDO).no_ack()).await;
        }
    }
    server.expect_nothing().await;
}

/// reference: 5.10, the bare name and malformed ones are unroutable
#[tokio::test]
async fn publishing_to_the_bare_or_a_malformed_name_is_unroutable() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    for name in [PSEUDO, "amq.rabbitmq.reply-to.nonsense"] {
        ch.publish(publish("", name, "m").mandatory()).await;
        assert_eq!(ch.expect_return().await.reply_text, "NO_ROUTE", "{name}");
    }
}

/// reference: 5.10, other methods on the bare name
#[tokio::test]
async fn the_pseudo_queue_is_not_there_for_other_methods() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let text = format!("NOT_FOUND - no {}", q(PSEUDO));
    ch.refused(Get { queue: PSEUDO.into(), no_ack: true }, 404, &text).await;
    ch.refused(purge(PSEUDO), 404, &text).await;
    ch.refused(bind(PSEUDO, "amq.direct", "k", &Table::default(), false), 404, &text).await;
    assert_eq!(ch.delete(PSEUDO).await, 0);
}

/// reference: 5.10, a generated name works in CC and as a dead-letter routing key; each requester gets one copy
#[tokio::test]
async fn a_reply_reaches_the_requester_by_cc_and_as_a_dead_letter() {
    let broker = TestBroker::start().await;
    let (requester, server, name) = stage(&broker).await;
    let reply_to = request(&requester, &server, &name).await.properties.reply_to.unwrap();
    server.confirm_select().await;
    let copied = |key: &str, header, keys: &[&str]| {
        let keys = Value::A(keys.iter().map(|key| S(*key)).collect());
        publish("", key, key).mandatory().with(properties().headers(args([(header, keys)])))
    };
    for (key, header) in [(name.as_str(), "CC"), ("nowhere", "BCC"), (reply_to.as_str(), "CC")] {
        server.publish(copied(key, header, &[&reply_to, &reply_to, &name])).await;
        assert!(server.expect_confirm().await.ack, "it is not returned");
        let reply = requester.expect_deliver().await;
        assert_eq!((reply.text().as_str(), reply.key().as_str()), (key, key));
        assert_eq!(server.get_eventually(&name).await.text(), key);
    }
    let dying = broker.name("dying");
    let arguments = queue(&dying).exclusive().arg("x-dead-letter-exchange", S(""));
    server.declare(arguments.arg("x-dead-letter-routing-key", S(&reply_to))).await;
    server.publish_confirmed(publish("", &dying, "dead").expiration("0")).await;
    let reply = requester.expect_deliver().await;
    assert_eq!((reply.text().as_str(), reply.key()), ("dead", reply_to));
    requester.expect_nothing().await;
}
