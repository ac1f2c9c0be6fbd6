//! A process may have only so many files and sockets open. Clients never use up what the store needs, nor keep each other out.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::client::properties::properties;
use crate::client::socket::PATIENCE;
use crate::client::{Channel, Connect, Connection, publish, queue};
use crate::process::{Directory, Program};

/// With these the program may have 192 connections, of which 96 without login.
const LIMIT: &str = "ulimit -n 256";
const CONNECTIONS: usize = 192;

async fn connect(program: &Program) -> Connection {
    Connect::to(program.address()).open().await
}

fn silent(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether the broker closes the socket without a word.
fn is_turned_away(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// The store makes the next files of its log, and says that they are durable.
async fn store_goes_on(ch: &Channel) {
    const BODIES: usize = 40;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    for _ in 0..BODIES {
        ch.publish_confirmed(publish("", "q", vec![7; 1 << 20]).with(properties().delivery_mode(2))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_say_nothing_keep_neither_clients_nor_the_store_from_going_on() {
    let directory = Directory::new("silent-sockets");
    let mut program = Program::start_after(LIMIT, "silent-sockets", &["--data-dir", directory.text()]);
    let address = program.address();
    let sockets: Vec<_> = (0..2 * CONNECTIONS).map(|_| silent(address)).collect();
    let client = connect(&program).await;
    store_goes_on(&client.channel(1).await).await;
    let oldest = sockets.into_iter().next().unwrap();
    assert!(is_turned_away(oldest), "the oldest makes room for others");
    let log = program.stop();
    assert!(!log.contains("cannot accept a connection"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_of_http_keep_neither_clients_nor_the_store_from_going_on() {
    let directory = Directory::new("silent-http");
    let options = ["--data-dir", directory.text(), "--http-listen", "127.0.0.1:0"];
    let mut program = Program::start_after(LIMIT, "silent-http", &options);
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], port));
    let _sockets: Vec<_> = (0..2 * CONNECTIONS).map(|_| silent(http)).collect();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(&program).await);
    }
    store_goes_on(&clients[0].channel(1).await).await;
    let log = program.stop();
    assert!(!log.contains("cannot accept"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_places_taken_a_client_is_turned_away_at_once_and_the_store_goes_on() {
    let directory = Directory::new("all-places");
    let mut program = Program::start_after(LIMIT, "all-places", &["--data-dir", directory.text()]);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(&program).await);
    }
    for _ in 0..CONNECTIONS {
        assert!(is_turned_away(silent(program.address())));
    }
    store_goes_on(&clients[0].channel(1).await).await;
    let log = program.log();
    assert!(log.matches("too many connections").count() < CONNECTIONS / 2, "{log}");

    drop(clients.pop());
    crate::client::eventually("a place is free", async || {
        let mut stream = silent(program.address());
        // While there is none, the socket may be closed before anything is written.
        let answered = stream.write_all(b"AMQP\x00\x00\x09\x01").and_then(|()| stream.read(&mut [0]));
        match answered {
            Ok(1) => Ok(()),
            other => Err(other.map_err(|error| error.kind())),
        }
    })
    .await;
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let mut program = Program::start_after("ulimit -Sn 64", "soft-limit", &["--in-memory"]);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(&program).await);
    }
    clients[CONNECTIONS - 1].channel(1).await;
    drop(clients);
    program.stop();
}

/// Other processes may have taken all that the system has, so that there is none although few clients are connected.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_for_whom_there_is_no_descriptor_learns_it_at_once() {
    let mut program = Program::start("no-descriptor", &["--in-memory"]);
    let mut clients = Vec::new();
    // They fill the gaps that closed files have left: all numbers of descriptors below the first unused one are in use.
    for _ in 0..20 {
        clients.push(connect(&program).await);
    }
    let first_unused = (0..).find(|number| !is_open(&program, *number)).unwrap();
    limit_descriptors(&program, first_unused);
    for _ in 0..20 {
        assert!(is_turned_away(silent(program.address())));
    }
    clients[0].channel(1).await;
    limit_descriptors(&program, first_unused + 1);
    connect(&program).await.channel(1).await;
    let log = program.stop();
    assert!(log.contains("cannot accept a connection"), "{log}");
}

fn is_open(program: &Program, descriptor: usize) -> bool {
    std::fs::symlink_metadata(format!("/proc/{}/fd/{descriptor}", program.process_id())).is_ok()
}

/// Gives a running program another limit of open files.
fn limit_descriptors(program: &Program, limit: usize) {
    let (process, limit) = (program.process_id().to_string(), format!("--nofile={limit}:"));
    let status = std::process::Command::new("prlimit").args(["--pid", &process, &limit]).status();
    assert!(status.unwrap().success());
}
