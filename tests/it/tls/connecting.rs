//! Clients that speak TLS, and what they do then.

use leveret::tls::{TlsVersion, Verify};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ANYWHERE, Authority, Files, Trust, settings, start, tunnel};
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::{Connect, consume, publish, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_every_size_come_through_both_versions() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (_broker, address) = start(settings(&files)).await;
    // A queue for each, because the broker learns the end of a dropped connection in its own time.
    for (version, name) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let address = tunnel(address, Trust::made(&authority, None, &[version])).await;
        let ch = Connect::to(address).open().await.channel(1).await;
        ch.declare(queue(name).exclusive()).await;
        for size in [0, 1, 100, 16_383, 16_384, 16_385, 131_072, 3_000_000] {
            let body: String = (0..size).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap())).collect();
            ch.publish(publish("", name, &body)).await;
            ch.expect_ready(name, 1).await;
            let got = ch.get(name).await.expect("it is there");
            assert!(got.body == body.as_bytes(), "{size} bytes came back as {}", got.body.len());
        }
    }
}

/// The socket is full again and again, in the middle of records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_late_gets_everything_in_order() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (_broker, address) = start(settings(&files)).await;
    let address = tunnel(address, Trust::of(&authority)).await;
    let ch = Connect::to(address).open().await.channel(1).await;
    ch.declare(queue("q").exclusive()).await;
    let body = |number: usize| format!("{number} ").repeat(20_000);
    for number in 0..200 {
        ch.publish(publish("", "q", body(number))).await;
    }
    ch.expect_ready("q", 200).await;
    ch.consume(consume("q")).await;
    // Nothing is read meanwhile on this connection.
    let other = Connect::to(address).open().await.channel(1).await;
    other.declare(queue("other").exclusive()).await;
    for number in 0..200 {
        let delivery = ch.expect_deliver().await;
        assert!(delivery.body == body(number).as_bytes(), "delivery {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_versions_that_are_wanted_are_spoken() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let tls = leveret::tls::TlsSettings { versions: vec![TlsVersion::V1_3], ..settings(&files) };
    let (_broker, address) = start(tls).await;
    assert!(Trust::made(&authority, None, &[&TLS12]).connect(address).await.is_err());
    Trust::made(&authority, None, &[&TLS13]).connect(address).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_connect_is_told_by_certificates() {
    let (authority, stranger) = (Authority::new("CA"), Authority::new("Stranger"));
    let files = Files::new(&authority, &authority.server());
    let required = leveret::tls::TlsSettings { verify: Verify::Peer, fail_if_no_peer_cert: true, ..settings(&files) };
    let asked = leveret::tls::TlsSettings { verify: Verify::Peer, ..settings(&files) };
    let (nobody, known) = (Trust::of(&authority), Trust::showing(&authority, &authority.client("worker")));
    let unknown = Trust::showing(&authority, &stranger.client("worker"));
    let foreign = Trust::of(&stranger);
    for (tls, expected) in [
        (settings(&files), [true, true, true, false]),
        (asked, [true, true, false, false]),
        (required, [false, true, false, false]),
    ] {
        let (_broker, address) = start(tls.clone()).await;
        for (trust, is_welcome) in [&nobody, &known, &unknown, &foreign].into_iter().zip(expected) {
            assert_eq!(greeted(trust, address).await, is_welcome, "{tls:?}");
        }
    }
}

/// Whether the broker begins to speak AMQP. In TLS 1.3 a client learns only after its handshake that it is refused.
async fn greeted(trust: &Trust, address: std::net::SocketAddr) -> bool {
    let Ok(mut stream) = trust.connect(address).await else { return false };
    if stream.write_all(PROTOCOL_HEADER).await.is_err() {
        return false;
    }
    let mut first = [0; 7];
    stream.read_exact(&mut first).await.is_ok()
}

/// Its certificate is refused when it has begun to say what it wants: it reads the alert, and not only that the socket was reset.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_certificate_is_refused_is_told_so() {
    let (authority, stranger) = (Authority::new("CA"), Authority::new("Stranger"));
    let files = Files::new(&authority, &authority.server());
    let tls = leveret::tls::TlsSettings { verify: Verify::Peer, fail_if_no_peer_cert: true, ..settings(&files) };
    let builder = leveret::Broker::builder().in_memory().amqps_listen(ANYWHERE, tls.clone());
    let broker = builder.https_listen(ANYWHERE, tls).start().await.unwrap();
    let unknown = Trust::showing(&authority, &stranger.client("worker"));
    for address in [broker.amqps_address(), broker.https_address()] {
        let mut stream = unknown.connect(address.unwrap()).await.unwrap();
        stream.write_all(&[0; 512 * 1024]).await.unwrap();
        let told = stream.read(&mut [0]).await.unwrap_err().to_string();
        assert!(told.contains("alert"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_said_in_tls_too() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (_broker, address) = start(settings(&files)).await;
    let mut stream = Trust::of(&authority).connect(address).await.unwrap();
    stream.write_all(b"HTTP/1.1").await.unwrap();
    let mut answer = Vec::new();
    // An end without close_notify would be an error here.
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, PROTOCOL_HEADER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_tells_how_a_connection_is_encrypted() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let tls = leveret::tls::TlsSettings { verify: Verify::Peer, ..settings(&files) };
    let (broker, address) = start(tls).await;
    let trust = Trust::showing(&authority, &authority.client("worker"));
    let address = tunnel(address, trust).await;
    let _connection = Connect::to(address).open().await;
    let connections = broker.state().node().registry.connections();
    let encryption = connections[0].spec.encryption.as_ref().unwrap();
    assert_eq!((encryption.protocol, encryption.hash.starts_with("sha")), ("tlsv1.3", true));
    let peer = encryption.peer_certificate.as_ref().unwrap();
    assert_eq!((peer.subject.as_str(), peer.issuer.as_str()), ("CN=worker,O=Example", "CN=CA"));
}
