//! How connections end, message size and outbound framing (reference: 1.7, 1.8, 1.9, 1.12).

use std::time::Duration;

use amq_protocol::protocol::{channel, connection};

use crate::broker::{Setup, TestBroker, cut, q};
use crate::client::connection::close;
use crate::client::delivery::Event;
use crate::client::properties::properties;
use crate::client::socket::{BODY, HEADER, HEARTBEAT, METHOD, frame, method};
use crate::client::table::{S, args};
use crate::client::{consume, publish, queue};

/// reference: 1.7, the limit of 16 MiB and its edge
#[tokio::test]
async fn a_message_over_16_mib_is_refused_after_it_has_come() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    let limit = 16 << 20;
    ch.publish(publish("", &name, vec![7; limit])).await;
    assert_eq!(ch.get_eventually(&name).await.body.len(), limit);
    let text = "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216";
    ch.publish_refused(publish("", &name, vec![7; limit + 1]), 406, text).await;
    assert_eq!(ch.drain(&name).await, [""; 0]);
}

/// reference: 1.7, the limit is a setting
#[tokio::test]
async fn the_largest_message_is_a_setting() {
    let broker = Setup { max_message_size: Some(100), ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return; // A shared node's setting stays; the default is tested above.
    }
    let ch = broker.connect().await.channel(1).await;
    let text = "PRECONDITION_FAILED - message size 101 is larger than configured max size 100";
    ch.publish_refused(publish("", "x", [0; 101]), 406, text).await;
    ch.publish(publish("", "x", [0; 100])).await;
    ch.expect_nothing().await;
}

/// reference: 1.8, sizes of body frames, and none for an empty body
#[tokio::test]
async fn bodies_are_split_by_the_receivers_frame_max() {
    let broker = TestBroker::start().await;
    let (name, sender) = (broker.name("q"), broker.connect().await.channel(1).await);
    let receiver = broker.connect_with().frame_max(8192).open().await;
    let ch = receiver.channel(1).await;
    ch.declare(queue(&name).auto_delete()).await;
    ch.consume(consume(&name).no_ack()).await;
    for (size, pieces) in
        [(20_000, &[8184, 8184, 3632][..]), (16_368, &[8184, 8184]), (8184, &[8184]), (1, &[1]), (0, &[])]
    {
        sender.publish(publish("", &name, vec![b'x'; size])).await;
        assert!(receiver.any_frame().await.is_method((60, 60)));
        let header = receiver.any_frame().await;
        assert_eq!(header.kind, HEADER);
        assert_eq!(header.payload.len(), 14, "no properties");
        assert_eq!(&header.payload[..4], [0, 60, 0, 0], "class basic, weight 0");
        for &piece in pieces {
            let body = receiver.any_frame().await;
            assert_eq!((body.kind, body.payload.len()), (BODY, piece), "of {size}");
        }
    }
    // The end of the last is seen by what comes next being no body.
    ch.expect_nothing().await;
}

/// reference: 1.8, a header larger than the receiver's frame-max is sent in one frame all the same
#[tokio::test]
async fn a_header_larger_than_the_receivers_frame_max_is_sent_whole() {
    let broker = TestBroker::start().await;
    let (name, sender) = (broker.name("q"), broker.connect().await.channel(1).await);
    let receiver = broker.connect_with().frame_max(8192).open().await.channel(1).await;
    receiver.declare(queue(&name).auto_delete()).await;
    receiver.consume(consume(&name).no_ack()).await;
    let headers = args([("a", S("x".repeat(20_000)))]);
    sender.publish(publish("", &name, "body").with(properties().headers(headers.clone()))).await;
    let delivery = receiver.expect_deliver().await;
    assert_eq!(delivery.properties.headers, Some(headers));
    assert_eq!(delivery.text(), "body");
}

/// reference: 1.9, the client closes: exclusive queues go first, then close-ok, and the socket waits for the client
#[tokio::test]
async fn close_ok_means_that_exclusive_queues_are_gone() {
    let broker = TestBroker::start().await;
    let other = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    let connection = broker.connect().await;
    connection.channel(1).await.declare(queue(&name).exclusive()).await;
    other.publish(publish("", &name, "lost")).await;
    connection.send(close()).await;
    connection.expect((10, 51)).await;
    assert!(!other.exists(&name).await);
    // The socket is still open: another close is answered again, and other methods are not.
    connection.write(method(1, queue(&name))).await;
    connection.write(method(5, channel::Open {})).await;
    connection.send(close()).await;
    let answer = connection.any_frame().await;
    assert!(answer.is_method((10, 51)), "only close is answered: {answer:?}");
    assert!(!other.exists(&name).await);
}

/// reference: 1.9 and 4.1, an abrupt loss of the socket deletes exclusive queues too
#[tokio::test]
async fn a_lost_socket_deletes_exclusive_queues() {
    let broker = TestBroker::start().await;
    let other = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue(&name).exclusive()).await;
    let locked = cut(&format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked {}. It could be originally declared on another \
         connection or the exclusive property value does not match that of the original declaration.",
        q(&name)
    ));
    other.refused(queue(&name).passive(), 405, &locked).await;
    drop(ch);
    crate::client::eventually("the exclusive queue is gone", async || {
        other.send(queue(&name).passive()).await;
        let Event::Method(reply) = other.next().await else { panic!("a close is due") };
        other.send(channel::CloseOk {}).await;
        other.open().await;
        let reply = format!("{reply:?}");
        if reply.contains("404") { Ok(()) } else { Err(reply) }
    })
    .await;
}

/// reference: 1.9, the socket of a client that does not close it after close-ok
#[tokio::test]
async fn the_broker_closes_the_socket_itself_after_the_heartbeat_value() {
    let broker = TestBroker::with_clock().await;
    let connection = broker.connect_with().heartbeat(2).open().await;
    connection.send(close()).await;
    connection.expect((10, 51)).await;
    broker.pass(Duration::from_millis(if broker.is_rabbitmq() { 0 } else { 2_100 })).await;
    connection.expect_silent_end().await;
}

/// reference: 1.9, a server-initiated close: nothing is executed until close-ok, a crossing close is answered
#[tokio::test]
async fn after_the_servers_close_only_close_ok_and_close_count() {
    let broker = TestBroker::start().await;
    let other = broker.connect().await.channel(1).await;
    let name = broker.name("q");
    let connection = broker.connect().await;
    connection.channel(1).await;
    connection.write(method(1, channel::Open {})).await;
    connection.expect_error(504, "CHANNEL_ERROR - second 'channel.open' seen", (20, 10)).await;
    connection.write(method(1, queue(&name))).await;
    connection.write(method(2, channel::Open {})).await;
    connection.send(close()).await;
    let answer = connection.any_frame().await;
    assert!(answer.is_method((10, 51)), "{answer:?}");
    assert!(!other.exists(&name).await, "a method behind the close was executed");
    connection.send(connection::CloseOk {}).await;
    connection.expect_socket_closed().await;
}

/// reference: 1.9, no answer to the server's close: the socket is closed after the heartbeat value
#[tokio::test]
async fn an_unanswered_close_ends_after_the_heartbeat_value() {
    let broker = TestBroker::with_clock().await;
    let connection = broker.connect_with().heartbeat(2).open().await;
    connection.write(method(3, queue("x"))).await;
    connection.expect_error(504, "CHANNEL_ERROR - expected 'channel.open'", (50, 10)).await;
    broker.pass(Duration::from_millis(if broker.is_rabbitmq() { 0 } else { 2_100 })).await;
    connection.expect_silent_end().await;
}

/// reference: 1.9, closed by the operator, and the user or virtual host deleted; over the management interface
#[tokio::test]
async fn an_operator_closes_connections_with_320() {
    let (user, vhost) = (crate::broker::unique("user"), crate::broker::unique("vhost"));
    let broker = Setup::default().user(&user, "secret").vhost(&vhost).start().await;

    let connection = broker.connect_with().user(&user, "secret").open().await;
    broker.administrator().delete_user(&user);
    connection.expect_close(320, &format!("CONNECTION_FORCED - user '{user}' is deleted"), (0, 0)).await;

    let connection = broker.connect_with().vhost(&vhost).open().await;
    broker.administrator().delete_vhost(&vhost);
    use amq_protocol::protocol::AMQPClass;
    use amq_protocol::protocol::connection::{AMQPMethod, CloseOk};
    let AMQPClass::Connection(AMQPMethod::Close(close)) = connection.expect((10, 50)).await else { unreachable!() };
    let text = close.reply_text.as_str();
    assert_eq!(close.reply_code, 320);
    let texts = ["deleted", "down"].map(|what| format!("CONNECTION_FORCED - vhost '{vhost}' is {what}"));
    assert!(texts.iter().any(|expected| expected == text), "{text}");
    if !broker.is_rabbitmq() {
        // RabbitMQ closes the socket without waiting for it.
        connection.send(CloseOk {}).await;
    }
    connection.expect_silent_end().await;
}

/// reference: 1.12
#[tokio::test]
async fn update_secret_is_answered_and_not_checked() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    ch.consume(consume(&name).no_ack()).await;
    connection.send(connection::UpdateSecret { new_secret: "anything".into(), reason: "renewal".into() }).await;
    connection.expect((10, 71)).await;
    // The consumer stays, since its queue is still readable.
    ch.publish(publish("", &name, "after")).await;
    assert_eq!(ch.expect_deliver().await.text(), "after");
}

/// reference: 1.6, connection-level methods that only a server sends
#[tokio::test]
async fn an_unsolicited_close_ok_is_refused() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    connection.send(connection::CloseOk {}).await;
    let text = "CHANNEL_ERROR - unexpected method in connection state running";
    connection.expect_close(504, text, (10, 51)).await;
}

/// reference: 1.9, no close from the client after close-ok: 30 s when there are no heartbeats or slow ones
#[tokio::test]
async fn without_heartbeats_the_broker_closes_the_socket_after_30_seconds() {
    let broker = TestBroker::with_clock().await;
    if broker.is_rabbitmq() {
        return; // The seconds would be real ones; the shorter ones above are.
    }
    for heartbeat in [0, 600] {
        let connection = broker.connect_with().heartbeat(heartbeat).open().await;
        connection.send(close()).await;
        connection.expect((10, 51)).await;
        let unanswered = broker.connect_with().heartbeat(heartbeat).open().await;
        unanswered.write(method(3, queue("x"))).await;
        unanswered.expect_error(504, "CHANNEL_ERROR - expected 'channel.open'", (50, 10)).await;
        broker.pass(Duration::from_secs(29)).await;
        for connection in [&connection, &unanswered] {
            connection.expect_no_frame_for(crate::client::POLL).await;
        }
        broker.pass(Duration::from_secs(2)).await;
        connection.expect_silent_end().await;
        unanswered.expect_silent_end().await;
    }
}

/// reference: 1.9, forced close: the broker's own stop
#[tokio::test]
async fn a_stopping_broker_says_goodbye_with_320() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return; // Others use it. The text was seen there when its application was stopped.
    }
    let connection = broker.connect().await;
    connection.channel(1).await;
    let stopping = tokio::spawn(broker.stop());
    let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    connection.expect_close(320, text, (0, 0)).await;
    stopping.await.unwrap();
}

/// reference: 1.9, everything but the end of the conversation is ignored once the broker closed
#[tokio::test]
async fn nonsense_on_its_way_does_not_hide_close_ok() {
    let broker = TestBroker::start().await;
    for (kind, payload) in [(BODY, &b"x"[..]), (HEADER, b"x"), (METHOD, b"x"), (HEARTBEAT, b"x"), (4, b"")] {
        let connection = broker.connect().await;
        connection.write(frame(BODY, 0, b"abc")).await;
        let text = r#"UNEXPECTED_FRAME - type 3, all octets = <<"abc">>"#;
        connection.expect_error(505, text, (0, 0)).await;
        connection.write([frame(kind, 0, payload), method(0, connection::CloseOk {})].concat()).await;
        connection.expect_socket_closed().await;
    }
}
