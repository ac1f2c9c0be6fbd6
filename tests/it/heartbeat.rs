//! Heartbeats (reference: 1.10). On RabbitMQ the seconds are real, so the intervals are small and the cases run together.

use std::time::Duration;

use crate::broker::TestBroker;
use crate::client::socket::{HEARTBEAT, frame};
use crate::client::{Connection, consume, publish, queue};

/// reference: 1.10, the server's heartbeats come about every half interval
#[tokio::test]
async fn the_server_sends_heartbeats_twice_per_interval() {
    let broker = TestBroker::with_clock().await;
    let connection = broker.connect_with().heartbeat(2).open().await;
    for _ in 0..3 {
        broker.pass(Duration::from_millis(if broker.is_rabbitmq() { 0 } else { 1_100 })).await;
        let beat = connection.any_frame().await;
        assert_eq!((beat.kind, beat.channel, beat.payload.len()), (HEARTBEAT, 0, 0), "{beat:?}");
        connection.write(frame(HEARTBEAT, 0, &[])).await;
    }
}

/// reference: 1.10, heartbeat 0 disables both directions
#[tokio::test]
async fn without_heartbeats_nothing_is_sent_and_silence_is_no_fault() {
    let broker = TestBroker::with_clock().await;
    let connection = broker.connect_with().heartbeat(0).open().await;
    broker.pass(Duration::from_secs(if broker.is_rabbitmq() { 4 } else { 4_000 })).await;
    connection.expect_no_frame_for(Duration::from_millis(50)).await;
    connection.channel(1).await;
}

/// Waits for the end of a connection that may still send heartbeats; the seconds until then.
async fn seconds_until_dropped(connection: Connection) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "the time of the drop is the behaviour")]
    let start = std::time::Instant::now();
    connection.expect_silent_end().await;
    start.elapsed().as_secs_f64()
}

/// reference: 1.10, a client that is silent from the start is dropped at 3 h, without a close
#[tokio::test]
async fn a_silent_client_is_dropped_without_a_close() {
    let broker = TestBroker::with_clock().await;
    if broker.is_rabbitmq() {
        let one = broker.connect_with().heartbeat(1).open().await;
        let two = broker.connect_with().heartbeat(2).open().await;
        let (one, two) = tokio::join!(seconds_until_dropped(one), seconds_until_dropped(two));
        assert!((1.9..4.0).contains(&one), "heartbeat 1 was dropped after {one} s");
        assert!((3.9..7.5).contains(&two), "heartbeat 2 was dropped after {two} s");
        return;
    }
    for heartbeat in [1, 2] {
        let connection = broker.connect_with().heartbeat(heartbeat).open().await;
        let mut half_intervals = 0;
        loop {
            // Each time the broker either sends a heartbeat of its own or gives up: that is waited for, however long it takes.
            broker.pass(Duration::from_millis(500) * u32::from(heartbeat)).await;
            half_intervals += 1;
            match connection.socket.any_frame().await {
                Some(frame) => assert_eq!(frame.kind, HEARTBEAT),
                None => break,
            }
        }
        assert_eq!(half_intervals, 6, "heartbeat {heartbeat}: dropped after so many half intervals");
    }
}

/// reference: 1.10, any inbound traffic counts as liveness
#[tokio::test]
async fn any_traffic_keeps_a_connection_alive() {
    let broker = TestBroker::with_clock().await;
    let connection = broker.connect_with().heartbeat(1).open().await;
    let beating = broker.connect_with().heartbeat(1).open().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    for _ in 0..6 {
        broker.pass(Duration::from_millis(800)).await;
        ch.publish(publish("", &name, "alive")).await;
        beating.write(frame(HEARTBEAT, 0, &[])).await;
        ch.get_eventually(&name).await;
    }
    beating.channel(1).await;
}

/// reference: 1.10, after missed heartbeats the socket is reset, so that the client's next write fails instead of vanishing
#[tokio::test]
async fn a_client_that_missed_its_heartbeats_is_reset() {
    let broker = TestBroker::with_clock().await;
    let connection = broker.connect_with().heartbeat(1).open().await;
    crate::client::eventually("the socket is closed", async || {
        broker.pass(Duration::from_millis(500)).await;
        match connection.socket.any_frame_within(crate::client::POLL).await {
            Some(None) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert!(connection.socket.is_reset().await);
}

/// reference: 1.10, a client that does not read is reset after 30 seconds without progress, whatever its heartbeats
#[tokio::test]
async fn a_consumer_that_does_not_read_loses_its_messages_to_others() {
    const MESSAGES: u32 = 64;
    let broker = TestBroker::with_clock().await;
    if broker.is_rabbitmq() {
        return; // Half a minute of real time; it was seen there.
    }
    let other = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    other.declare(queue(&name).durable()).await;
    let stuck = broker.connect_with().heartbeat(10).open().await.channel(1).await;
    stuck.send(consume(&name)).await;
    crate::client::eventually("it consumes", async || match other.counts(&name).await.1 {
        1 => Ok(()),
        count => Err(count),
    })
    .await;
    // More than the sockets hold.
    for _ in 0..MESSAGES {
        other.publish(publish("", &name, vec![7; 1 << 20])).await;
    }
    crate::client::eventually("its messages are back", async || {
        broker.pass(Duration::from_secs(1)).await;
        stuck.connection.write(frame(HEARTBEAT, 0, &[])).await;
        match other.counts(&name).await {
            (MESSAGES, 0) => Ok(()),
            counts => Err(counts),
        }
    })
    .await;
}
