//! What goes wrong, as the crate lapin sees it: errors with their codes, cancellations, lost heartbeats, reconnection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, Error, ErrorKind};

use crate::broker::TestBroker;
use crate::lapin_stories::{channel, connect, consume, declare, next, publish, table};

const PATIENCE: Duration = crate::client::socket::PATIENCE;

/// The code of an error that the broker sent.
fn code(error: &Error) -> u16 {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_id(),
        other => panic!("not the broker's error: {other:?}"),
    }
}

/// Story: errors with codes
#[tokio::test]
async fn errors_carry_their_codes() {
    let broker = TestBroker::start().await;
    let connection = connect(&broker).await;
    let name = broker.name("q");
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let channel = connection.create_channel().await.unwrap();
    let error = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 404);

    let channel = connection.create_channel().await.unwrap();
    declare(&channel, &name, FieldTable::default()).await;
    let other = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let error = channel.queue_declare(name.as_str().into(), other, FieldTable::default()).await.unwrap_err();
    assert_eq!(code(&error), 406);

    let channel = connection.create_channel().await.unwrap();
    let reserved = channel.queue_declare("amq.mine".into(), QueueDeclareOptions::default(), FieldTable::default());
    assert_eq!(code(&reserved.await.unwrap_err()), 403);

    // A connection error: a consumer tag used twice.
    let channel = connection.create_channel().await.unwrap();
    for again in [false, true] {
        let result = channel.basic_consume(
            name.as_str().into(),
            "tag".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        match result.await {
            Ok(_) => assert!(!again),
            Err(error) => assert_eq!((again, code(&error)), (true, 530)),
        }
    }
    crate::client::eventually("the connection is closed", async || {
        if connection.status().connected() { Err(()) } else { Ok(()) }
    })
    .await;
}

/// Story: errors with codes, logging in
#[tokio::test]
async fn a_wrong_password_and_an_unknown_vhost_are_told() {
    let broker = TestBroker::start().await;
    let address = broker.address();
    for (url, expected) in [
        (format!("amqp://guest:wrong@{address}/%2F"), 403),
        (format!("amqp://guest:guest@{address}/no-such-vhost"), 530),
    ] {
        let error = Connection::connect(&url, ConnectionProperties::default()).await.unwrap_err();
        assert_eq!(code(&error), expected, "{error}");
    }
}

/// Story: cancel-notification
#[tokio::test]
async fn a_consumer_ends_when_its_queue_is_deleted() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = channel(&broker).await;
    let name = broker.name("q");
    declare(&channel, &name, FieldTable::default()).await;
    let mut consumer = consume(&channel, &name, true).await;
    channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, consumer.next()).await.expect("told in time");
    assert!(end.is_none(), "{end:?}");
    // The channel is still good.
    declare(&channel, &name, table(&[])).await;
}

/// A wire between client and broker that can be cut or fall silent.
struct Wire {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the wire");
        let address = listener.local_addr().expect("its address");
        let (silent, sockets) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (is_silent, all) = (Arc::clone(&silent), Arc::clone(&sockets));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(broker) else { return };
                all.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                    let is_silent = Arc::clone(&is_silent);
                    std::thread::spawn(move || copy(from, to, &is_silent));
                }
            }
        });
        Self { address, silent, sockets }
    }

    fn url(&self, parameters: &str) -> String {
        format!("amqp://guest:guest@{}/%2F{parameters}", self.address)
    }

    /// Drops everything that is on its way from now on.
    fn fall_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Ends all connections that there are.
    fn cut(&self) {
        for socket in self.sockets.lock().unwrap().drain(..) {
            socket.shutdown(Shutdown::Both).ok();
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !silent.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}

/// Story: heartbeat-loss, seen by the client and by the broker
#[tokio::test]
async fn lost_heartbeats_end_the_connection_on_both_sides() {
    let broker = TestBroker::start().await;
    let wire = Wire::to(broker.address());
    // Far longer than what comes before the silence takes: a client gives up at two intervals, whatever is the reason.
    let connection = Connection::connect(&wire.url("?heartbeat=5"), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let name = broker.name("q");
    declare(&channel, &name, FieldTable::default()).await;
    wire.fall_silent();
    crate::client::eventually(
        "the client gives up",
        async || {
            if connection.status().connected() { Err(()) } else { Ok(()) }
        },
    )
    .await;
    // The broker dropped it too, and its exclusive queue with it.
    crate::client::eventually("the broker gives up", async || {
        let (_connection, channel) = crate::lapin_stories::channel(&broker).await;
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        match channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await {
            Err(error) if code(&error) == 404 => Ok(()),
            other => Err(other.map(|queue| queue.name().clone())),
        }
    })
    .await;
}

/// Story: reconnect; the client declares and consumes anew by itself
#[tokio::test]
async fn a_client_recovers_its_topology_after_a_lost_connection() {
    let broker = TestBroker::start().await;
    let wire = Wire::to(broker.address());
    let connection =
        Connection::connect(&wire.url(""), ConnectionProperties::default().enable_auto_recover()).await.unwrap();
    let ch = connection.create_channel().await.unwrap();
    let name = broker.name("q");
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    ch.queue_declare(name.as_str().into(), durable, FieldTable::default()).await.unwrap();
    let mut consumer = consume(&ch, &name, false).await;
    let (_other_connection, other) = channel(&broker).await;
    publish(&other, "", &name, b"before", BasicProperties::default()).await;
    assert_eq!(next(&mut consumer).await.data, b"before");
    wire.cut();
    // It was not acked, so it comes again.
    loop {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.expect("recovered in time") {
            Some(Ok(delivery)) => {
                assert_eq!((delivery.data.as_slice(), delivery.redelivered), (b"before".as_slice(), true));
                delivery.ack(BasicAckOptions::default()).await.unwrap();
                break;
            }
            Some(Err(error)) => ch.wait_for_recovery(error).await.expect("it recovers"),
            None => panic!("the consumer ended"),
        }
    }
    publish(&other, "", &name, b"after", BasicProperties::default()).await;
    assert_eq!(next(&mut consumer).await.data, b"after");
}
