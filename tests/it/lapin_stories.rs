//! A real client, the crate lapin, and the stories that every client of the conformance matrix tells.

use std::time::Duration;

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind};

use crate::broker::TestBroker;

const PATIENCE: Duration = crate::client::socket::PATIENCE;

pub async fn connect(broker: &TestBroker) -> Connection {
    Connection::connect(&broker.url(), ConnectionProperties::default()).await.expect("lapin connects")
}

pub async fn channel(broker: &TestBroker) -> (Connection, Channel) {
    let connection = connect(broker).await;
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

pub fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn long_string(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

pub async fn declare(channel: &Channel, name: &str, arguments: FieldTable) {
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    channel.queue_declare(name.into(), options, arguments).await.expect("declare-ok");
}

pub async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Confirmation {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let confirm =
        channel.basic_publish(exchange.into(), key.into(), options, body, properties).await.expect("published");
    tokio::time::timeout(PATIENCE, confirm).await.expect("confirmed in time").expect("confirmed")
}

pub async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Consumer {
    let options = BasicConsumeOptions { no_ack, ..Default::default() };
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.expect("consume-ok")
}

pub async fn next(consumer: &mut Consumer) -> Delivery {
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.expect("a delivery in time");
    delivery.expect("the consumer lives").expect("a delivery")
}

pub async fn confirming(channel: &Channel) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("select-ok");
}

/// Story: declare, publish-consume, confirms
#[tokio::test]
async fn declares_binds_publishes_confirms_consumes_and_acks() {
    let broker = TestBroker::start().await;
    let (connection, channel) = channel(&broker).await;
    let (name, x) = (broker.name("q"), broker.name("x"));
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(x.as_str().into(), ExchangeKind::Topic, options, FieldTable::default()).await.unwrap();
    declare(&channel, &name, FieldTable::default()).await;
    let (q, x) = (ShortString::from(name.as_str()), ShortString::from(x.as_str()));
    channel.queue_bind(q, x.clone(), "a.*".into(), QueueBindOptions::default(), FieldTable::default()).await.unwrap();
    confirming(&channel).await;
    let mut consumer = consume(&channel, &name, false).await;
    let properties = BasicProperties::default().with_content_type("text/plain".into()).with_delivery_mode(2);
    for n in 0..100 {
        let confirmation = publish(&channel, x.as_str(), "a.b", n.to_string().as_bytes(), properties.clone()).await;
        assert!(matches!(confirmation, Confirmation::Ack(None)), "{confirmation:?}");
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.data, n.to_string().as_bytes());
        assert_eq!(delivery.properties, properties);
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    let deleted = channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(deleted, 0);
    connection.close(200, "done".into()).await.unwrap();
}

/// Story: mandatory-return
#[tokio::test]
async fn an_unroutable_mandatory_message_is_returned() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    confirming(&channel).await;
    let confirmation = publish(&channel, "", "no-such-queue", b"returned", BasicProperties::default()).await;
    assert!(confirmation.is_ack());
    let returned = confirmation.take_message().expect("the message came back");
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(returned.delivery.data, b"returned");
}

/// A return comes directly before the confirm of its own message, or lapin takes it for that of another one.
///
/// Story: confirms, mandatory-return
#[tokio::test]
async fn of_many_messages_at_once_each_is_known_to_have_come_back_or_not() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    let name = broker.name("q");
    declare(&channel, &name, FieldTable::default()).await;
    confirming(&channel).await;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let mut confirmations = Vec::new();
    for n in 0..200 {
        let key = if n % 2 == 0 { name.as_str() } else { "no-such-queue" };
        let published = channel.basic_publish("".into(), key.into(), options, b"x", BasicProperties::default());
        confirmations.push(published.await.expect("published"));
    }
    for (n, confirm) in confirmations.into_iter().enumerate() {
        let confirmation = tokio::time::timeout(PATIENCE, confirm).await.expect("in time").expect("confirmed");
        assert_eq!(confirmation.take_message().is_some(), n % 2 == 1, "message {n}");
    }
}

/// Story: prefetch, nack-requeue
#[tokio::test]
async fn a_prefetch_of_one_and_a_requeue() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    let name = broker.name("q");
    declare(&channel, &name, FieldTable::default()).await;
    confirming(&channel).await;
    for body in ["1", "2"] {
        publish(&channel, "", &name, body.as_bytes(), BasicProperties::default()).await;
    }
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let mut consumer = consume(&channel, &name, false).await;
    let first = next(&mut consumer).await;
    assert_eq!((first.data.as_slice(), first.redelivered), (b"1".as_slice(), false));
    first.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
    let again = next(&mut consumer).await;
    assert_eq!((again.data.as_slice(), again.redelivered), (b"1".as_slice(), true));
    again.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(next(&mut consumer).await.data, b"2");
}

/// Story: dead-letter, ttl
#[tokio::test]
async fn messages_die_of_rejection_and_of_age() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    let (name, dead) = (broker.name("q"), broker.name("dead"));
    declare(&channel, &dead, FieldTable::default()).await;
    let arguments = [("x-dead-letter-exchange", long_string("")), ("x-dead-letter-routing-key", long_string(&dead))];
    declare(&channel, &name, table(&arguments)).await;
    confirming(&channel).await;
    let mut graves = consume(&channel, &dead, true).await;
    let old = BasicProperties::default().with_expiration("50".into());
    publish(&channel, "", &name, b"old", old).await;
    let mut causes = Vec::new();
    causes.push(next(&mut graves).await);
    publish(&channel, "", &name, b"bad", BasicProperties::default()).await;
    let mut consumer = consume(&channel, &name, false).await;
    next(&mut consumer).await.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    causes.push(next(&mut graves).await);
    for (delivery, (body, reason)) in causes.iter().zip([("old", "expired"), ("bad", "rejected")]) {
        assert_eq!(delivery.data, body.as_bytes());
        let headers = delivery.properties.headers().clone().expect("headers");
        assert_eq!(headers.inner().get("x-first-death-reason"), Some(&long_string(reason)));
        assert!(matches!(headers.inner().get("x-death"), Some(AMQPValue::FieldArray(_))));
    }
}

/// Story: priorities
#[tokio::test]
async fn the_more_important_come_first() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    let name = broker.name("q");
    declare(&channel, &name, table(&[("x-max-priority", AMQPValue::LongInt(10))])).await;
    confirming(&channel).await;
    for priority in [1, 9, 5] {
        let properties = BasicProperties::default().with_priority(priority);
        publish(&channel, "", &name, &[priority], properties).await;
    }
    let mut consumer = consume(&channel, &name, true).await;
    for priority in [9, 5, 1] {
        assert_eq!(next(&mut consumer).await.data, [priority]);
    }
}

/// Story: rpc-direct-reply-to
#[tokio::test]
async fn a_remote_call_by_direct_reply_to() {
    let broker = TestBroker::start().await;
    let (_server_connection, server) = channel(&broker).await;
    let (_caller_connection, caller) = channel(&broker).await;
    let name = broker.name("rpc");
    declare(&server, &name, FieldTable::default()).await;
    let mut calls = consume(&server, &name, true).await;
    let mut answers = consume(&caller, "amq.rabbitmq.reply-to", true).await;
    for n in 0..10_u8 {
        let call = BasicProperties::default()
            .with_reply_to("amq.rabbitmq.reply-to".into())
            .with_correlation_id(n.to_string().into());
        publish(&caller, "", &name, &[n], call).await;
        let call = next(&mut calls).await;
        let reply_to = call.properties.reply_to().clone().expect("a reply-to");
        let answer = BasicProperties::default().with_correlation_id(call.properties.correlation_id().clone().unwrap());
        publish(&server, "", reply_to.as_str(), &[call.data[0] * 2], answer).await;
        let answer = next(&mut answers).await;
        assert_eq!(answer.data, [n * 2]);
        assert_eq!(answer.properties.correlation_id().as_ref().unwrap().as_str(), n.to_string());
    }
}

/// Story: exclusive-auto-delete
#[tokio::test]
async fn exclusive_and_auto_delete_queues_go_with_their_users() {
    let broker = TestBroker::start().await;
    let (_watching, watcher) = channel(&broker).await;
    let (connection, channel) = channel(&broker).await;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
    let name = queue.name().clone();
    assert!(name.as_str().starts_with("amq.gen-"));
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let error = watcher.queue_declare(name.clone(), passive, FieldTable::default()).await.unwrap_err();
    assert!(error.to_string().contains("RESOURCE_LOCKED"), "{error}");
    connection.close(200, "done".into()).await.unwrap();
    let watcher = _watching.create_channel().await.unwrap();
    let error = watcher.queue_declare(name, passive, FieldTable::default()).await.unwrap_err();
    assert!(error.to_string().contains("NOT_FOUND"), "{error}");
}

/// Story: large-body
#[tokio::test]
async fn a_body_of_ten_megabytes() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    let name = broker.name("q");
    declare(&channel, &name, FieldTable::default()).await;
    confirming(&channel).await;
    let body: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    publish(&channel, "", &name, &body, BasicProperties::default()).await;
    let mut consumer = consume(&channel, &name, true).await;
    assert!(next(&mut consumer).await.data == body, "the body changed on its way");
}

/// Story: channels-1000
#[tokio::test]
async fn a_thousand_channels() {
    let broker = TestBroker::start().await;
    let connection = connect(&broker).await;
    let name = broker.name("q");
    let mut channels = Vec::new();
    for _ in 0..1000 {
        channels.push(connection.create_channel().await.unwrap());
    }
    declare(&channels[0], &name, FieldTable::default()).await;
    for channel in &channels {
        publish(channel, "", &name, b"m", BasicProperties::default()).await;
    }
    let mut consumer = consume(&channels[999], &name, true).await;
    for _ in 0..1000 {
        next(&mut consumer).await;
    }
}
