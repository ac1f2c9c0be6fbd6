//! Handshakes that never end, and clients that speak something else.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Authority, Files, Trust, settings, start, tunnel};
use crate::client::Connect;
use crate::process::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_stands_still_stops_nobody_else() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (_broker, address) = start(settings(&files)).await;
    let mut halves = Vec::new();
    for _ in 0..100 {
        let mut half = TcpStream::connect(address).await.unwrap();
        // The beginning of a record that promises more.
        half.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await.unwrap();
        halves.push(half);
    }
    let address = tunnel(address, Trust::of(&authority)).await;
    Connect::to(address).open().await.channel(1).await;
    drop(halves);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_has_as_long_as_a_login() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (clock, hand) = leveret::Clock::manual();
    let builder = leveret::Broker::builder().in_memory().clock(clock);
    let broker = builder.amqps_listen(super::ANYWHERE, settings(&files)).start().await.unwrap();
    let mut half = TcpStream::connect(broker.amqps_address().unwrap()).await.unwrap();
    half.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    let mut end = tokio::spawn(async move { half.read(&mut [0; 10]).await });
    // The broker may accept it only after the clock has moved.
    crate::client::eventually("the broker gives up", async || {
        hand.advance(Duration::from_secs(11));
        match tokio::time::timeout(crate::client::POLL, &mut end).await {
            Ok(_) => Ok(()),
            Err(_) => Err("it waits"),
        }
    })
    .await;
}

/// A socket that is closed with something unread is reset, and a reset takes the alert away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_something_else_and_goes_on_with_it_reads_the_alert() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (_broker, address) = start(settings(&files)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&b"AMQP\0\0\x09\x01".repeat(64 * 1024)).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
}

fn flags(files: &Files) -> [String; 6] {
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    [
        "--amqps-listen".into(),
        "127.0.0.1:0".into(),
        "--tls-cert".into(),
        text(files.certfile()),
        "--tls-key".into(),
        text(files.keyfile()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_speaks_something_else_is_told_of_in_the_log() {
    let (authority, stranger) = (Authority::new("CA"), Authority::new("Stranger"));
    let files = Files::new(&authority, &authority.server());
    let flags = flags(&files);
    let mut arguments = vec!["--in-memory", "--no-http"];
    arguments.extend(flags.iter().map(String::as_str));
    let mut program = Program::start("foreign", &arguments);
    let amqp = program.address();
    let amqps = ([127, 0, 0, 1], u16::try_from(program.ports()["amqps"].as_u64().unwrap()).unwrap()).into();
    let say = async |address: std::net::SocketAddr, words: &[u8]| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words).await.unwrap();
        // Until the broker has had enough.
        stream.read_to_end(&mut Vec::new()).await.ok();
    };
    say(amqp, b"\x16\x03\x01\x02\x00\x01\x00\x01").await;
    say(amqp, b"GET / HTTP/1.1\r\n\r\n").await;
    say(amqp, b"AMQP\x03\x01\x00\x00").await;
    say(amqp, b"\x10\x1a\x00\x04MQTT\x04\x02\x00\x3c").await;
    say(amqps, b"AMQP\x00\x00\x09\x01").await;
    say(amqps, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(Trust::of(&stranger).connect(amqps).await.is_err());
    // Whoever only looks whether the port is open.
    drop(TcpStream::connect(amqps).await.unwrap());
    // The client has gone before the broker has read why.
    crate::client::eventually("the last one is told of", async || {
        let log = program.log();
        if log.contains("does not trust the broker's certificate") { Ok(()) } else { Err(log) }
    })
    .await;
    let log = program.stop();
    for words in [
        "looks like TLS: connect to a port of AMQP with TLS",
        "looks like HTTP: the management API has a port of its own, by convention 15672\"",
        "looks like AMQP 1.0",
        "looks like MQTT",
        "looks like AMQP without TLS: use amqps://",
        "by convention 15672, or 15671 with TLS",
        "the client does not trust the broker's certificate",
    ] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
}
