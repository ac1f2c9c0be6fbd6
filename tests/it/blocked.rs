//! `connection.blocked`: publishers wait while memory is low (reference: 1.11).

use std::time::Duration;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;

use crate::broker::{Setup, TestBroker, ctl};
use crate::client::properties::properties;
use crate::client::socket::{BODY, HEARTBEAT, frame, header, method};
use crate::client::{Connection, consume, publish, queue};

/// The next frame is `connection.blocked`; its reason.
async fn expect_blocked(connection: &Connection) -> String {
    match connection.expect((10, 60)).await {
        AMQPClass::Connection(AMQPMethod::Blocked(blocked)) => blocked.reason.to_string(),
        other => panic!("{other:?}"),
    }
}

/// reference: 1.11, trigger, frame, effect and release
#[tokio::test]
async fn a_publisher_waits_and_a_consumer_does_not() {
    let Some(broker) = TestBroker::with_alarm().await else { return };
    let name = broker.name("q");
    let publisher = broker.connect().await;
    let consumer = broker.connect().await;
    let (out, into) = (publisher.channel(1).await, consumer.channel(1).await);
    into.declare(queue(&name)).await;
    out.confirm_select().await;
    out.publish_confirmed(publish("", &name, "before")).await;
    broker.raise_memory_alarm().await;

    // Nothing happens until a content comes.
    out.call(amq_protocol::protocol::channel::Flow { active: true }).await;
    out.publish(publish("", &name, "during")).await;
    assert_eq!(expect_blocked(&publisher).await, "low on memory");
    // From now on nothing of this connection is read; of another, not even its close.
    out.send(queue(&name)).await;
    let leaver = broker.connect().await;
    leaver.channel(1).await.publish(publish("", "nowhere", "m")).await;
    assert_eq!(expect_blocked(&leaver).await, "low on memory");
    leaver.send(crate::client::connection::close()).await;

    // Connections that only consume go on, and new ones may open and declare.
    into.consume(consume(&name)).await;
    assert_eq!(into.expect_deliver().await.text(), "before");
    into.ack(1).await;
    let late = broker.connect().await;
    let late_ch = late.channel(1).await;
    late_ch.declare(queue(&name)).await;
    late_ch.confirm_select().await;
    // Until their first publish.
    late_ch.publish(publish("", "nowhere", "late")).await;
    assert_eq!(expect_blocked(&late).await, "low on memory");
    into.expect_nothing().await;

    broker.clear_memory_alarm().await;
    publisher.expect((10, 61)).await;
    // In RabbitMQ the reply may overtake the confirm.
    out.reply_to((50, 10)).await;
    let confirm = out.expect_confirm().await;
    assert_eq!((confirm.ack, confirm.delivery_tag), (true, 2));
    leaver.expect((10, 61)).await;
    leaver.expect((10, 51)).await;
    assert_eq!(into.expect_deliver().await.text(), "during");
    late.expect((10, 61)).await;
    assert!(late_ch.expect_confirm().await.ack);
    late_ch.expect_nothing().await;
}

/// reference: 1.11, a client without the capability waits as well and is not told
#[tokio::test]
async fn a_client_without_the_capability_is_blocked_in_silence() {
    let Some(broker) = TestBroker::with_alarm().await else { return };
    let connection = broker.connect_with().capabilities(&["basic.nack", "publisher_confirms"]).open().await;
    let ch = connection.channel(1).await;
    ch.confirm_select().await;
    broker.raise_memory_alarm().await;
    ch.publish(publish("", "nowhere", "waits")).await;
    connection.expect_no_frame_for(Duration::from_millis(200)).await;
    broker.clear_memory_alarm().await;
    let frame = connection.any_frame().await;
    assert!(frame.channel == 1 && frame.is_method((60, 80)), "the confirm and nothing else: {frame:?}");
}

/// reference: 1.11, low on disk, and a second alarm: released when all are cleared. Only RabbitMQ can be told here that its disk is low.
#[tokio::test]
async fn all_alarms_must_be_cleared() {
    let Some(broker) = TestBroker::with_alarm().await else { return };
    if !broker.is_rabbitmq() {
        return;
    }
    let disk = |limit: &str| ctl(&["set_disk_free_limit", limit]);
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    ch.confirm_select().await;
    disk("1000GB");
    ch.publish(publish("", "nowhere", "waits")).await;
    assert_eq!(expect_blocked(&connection).await, "low on disk");
    // The second alarm is not told again to those that wait, but named to a newcomer.
    broker.raise_memory_alarm().await;
    let late = broker.connect().await;
    let late_ch = late.channel(1).await;
    late_ch.publish(publish("", "nowhere", "waits")).await;
    assert_eq!(expect_blocked(&late).await, "low on disk & memory");
    disk("50MB");
    connection.expect_no_frame_for(Duration::from_millis(200)).await;
    broker.clear_memory_alarm().await;
    connection.expect((10, 61)).await;
    assert!(ch.expect_confirm().await.ack);
    late.expect((10, 61)).await;
}

/// A broker with an alarm and a clock; RabbitMQ, which notices none of the following, is not asked.
async fn with_alarm_and_clock() -> Option<TestBroker> {
    let broker = Setup { memory_high_watermark: Some(1 << 20), manual_clock: true, ..Setup::default() };
    if crate::broker::rabbitmq_address().is_some() { None } else { Some(broker.start().await) }
}

/// reference: 1.10, the heartbeats of a blocked connection count, though they are not read
#[tokio::test]
async fn a_blocked_connection_that_sends_heartbeats_stays() {
    let Some(broker) = with_alarm_and_clock().await else { return };
    let connection = broker.connect_with().heartbeat(1).open().await;
    let ch = connection.channel(1).await;
    ch.confirm_select().await;
    broker.raise_memory_alarm().await;
    ch.publish(publish("", "nowhere", "waits")).await;
    assert_eq!(expect_blocked(&connection).await, "low on memory");
    for _ in 0..20 {
        connection.write(frame(HEARTBEAT, 0, &[])).await;
        broker.pass(Duration::from_millis(500)).await;
        let beat = connection.any_frame().await;
        assert_eq!(beat.kind, HEARTBEAT, "{beat:?}");
    }
    broker.clear_memory_alarm().await;
    connection.expect((10, 61)).await;
    assert!(ch.expect_confirm().await.ack);
}

/// A publisher that is blocked, and holds with an open transaction the memory that the alarm is about.
async fn culprit(broker: &TestBroker, heartbeat: u16) -> Connection {
    let connection = broker.connect_with().heartbeat(heartbeat).open().await;
    let ch = connection.channel(1).await;
    ch.tx_select().await;
    ch.publish(publish("", "nowhere", vec![7; 2 << 20])).await;
    ch.sync().await;
    ch.publish(publish("", "nowhere", "one more")).await;
    assert_eq!(expect_blocked(&connection).await, "low on memory");
    connection
}

/// Another publisher, blocked by the same alarm.
async fn bystander(broker: &TestBroker) -> Connection {
    let connection = broker.connect().await;
    connection.channel(1).await.publish(publish("", "nowhere", "waits")).await;
    assert_eq!(expect_blocked(&connection).await, "low on memory");
    connection
}

/// A blocked publisher that goes away is noticed, and what it held is released, whether it says goodbye, is reset, or is silent.
#[tokio::test]
async fn a_blocked_publisher_that_goes_away_lets_the_others_go_on() {
    let Some(broker) = with_alarm_and_clock().await else { return };
    for is_reset in [false, true] {
        let gone = culprit(&broker, 0).await;
        let waiting = bystander(&broker).await;
        if is_reset {
            gone.socket.reset_when_dropped();
        }
        drop(gone);
        waiting.expect((10, 61)).await;
    }
    let silent = culprit(&broker, 1).await;
    let waiting = bystander(&broker).await;
    crate::client::eventually("its silence is noticed", async || {
        broker.pass(Duration::from_millis(500)).await;
        match silent.socket.any_frame_within(crate::client::POLL).await {
            Some(None) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    waiting.expect((10, 61)).await;
}

/// A connection that has sent much of a body, and another one that is blocked because of it.
async fn half_a_body(broker: &TestBroker) -> (Connection, Connection) {
    let sender = broker.connect().await;
    sender.channel(1).await;
    let whole = publish("", "nowhere", "").with(properties().user_id("somebody else"));
    sender.write(method(1, whole.method())).await;
    sender.write(header(1, BODY_BYTES as u64, &whole.properties.encode())).await;
    sender.write(frame(BODY, 1, &[7; 100_000]).repeat(BODY_BYTES / 100_000 - 1)).await;
    sender.channel(2).await;
    let waiting = broker.connect().await;
    let ch = waiting.channel(1).await;
    ch.confirm_select().await;
    ch.publish(publish("", "nowhere", "waits")).await;
    assert_eq!(expect_blocked(&waiting).await, "low on memory");
    (sender, waiting)
}

const BODY_BYTES: usize = 2_000_000;

/// reference: 1.11, release: a body that is given up is not counted any more. RabbitMQ counts in other ways, and is not asked.
#[tokio::test]
async fn a_body_that_is_given_up_ends_the_alarm() {
    let Some(broker) = with_alarm_and_clock().await else { return };
    // The client goes away.
    let (sender, waiting) = half_a_body(&broker).await;
    drop(sender);
    waiting.expect((10, 61)).await;

    // The message is refused when it is whole.
    let (sender, waiting) = half_a_body(&broker).await;
    sender.write(frame(BODY, 1, &[7; 100_000])).await;
    let text = "PRECONDITION_FAILED - user_id property set to 'somebody else' but authenticated user was 'guest'";
    sender.unopened_channel(1).expect_close(406, text, (60, 40)).await;
    waiting.expect((10, 61)).await;

    // The channel is closed in the middle, which closes the connection.
    let (sender, waiting) = half_a_body(&broker).await;
    sender.write(frame(BODY, 1, &[7; 100_001])).await;
    sender.write(frame(HEARTBEAT + 1, 1, b"no frame")).await;
    waiting.expect((10, 61)).await;
}
