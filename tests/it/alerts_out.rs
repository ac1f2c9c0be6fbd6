//! Alerts on their way out of a broker that serves no HTTP: to a webhook, and to the exchange of events.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::broker::{Setup, TestBroker};
use crate::client::table::S;
use crate::client::{consume, eventually, publish, queue};
use crate::tls::{Authority, Files, Issued};

/// The head and the body of a request.
type Request = (String, Json);

/// Takes requests, and answers the first one with an error.
async fn receiver() -> (String, UnboundedReceiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?of=test", listener.local_addr().unwrap());
    let (sender, received) = unbounded_channel();
    tokio::spawn(async move {
        let mut answers = ["503 Service Unavailable"].into_iter().chain(std::iter::repeat("204 No Content"));
        while let Ok((mut socket, _)) = listener.accept().await {
            sender.send(take(&mut socket, answers.next().unwrap()).await).unwrap();
        }
    });
    (url, received)
}

async fn take(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &str) -> Request {
    let mut request = Vec::new();
    let (head, body) = loop {
        socket.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            break (head.to_ascii_lowercase(), body);
        }
    };
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.unwrap();
    socket.flush().await.unwrap();
    (head, body)
}

/// The same with TLS. A handshake that fails is told, too.
async fn secured_receiver(issued: &Issued) -> (String, UnboundedReceiver<Result<Request, String>>) {
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let (sender, received) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let taken = match acceptor.accept(socket).await {
                Ok(mut socket) => Ok(take(&mut socket, "204 No Content").await),
                Err(error) => Err(error.to_string()),
            };
            sender.send(taken).unwrap();
        }
    });
    (url, received)
}

/// A broker that sends alerts there, and has one.
async fn alerted(url: String, authorities: &Files) -> Option<TestBroker> {
    let setup = Setup {
        alerts_webhook: Some(url),
        alerts_webhook_authorities: Some(authorities.cacertfile()),
        manual_clock: true,
        ..Setup::default()
    };
    let broker = setup.start().await;
    if broker.is_rabbitmq() {
        return None;
    }
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue("lonely")).await;
    ch.publish(publish("", "lonely", "a")).await;
    ch.expect_ready("lonely", 1).await;
    Some(broker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_with_tls_is_told_if_its_authority_is_known() {
    let authority = Authority::new("of the receiver");
    let issued = authority.server();
    let (url, mut received) = secured_receiver(&issued).await;
    let Some(broker) = alerted(url, &Files::new(&authority, &issued)).await else { return };
    let (head, told) = next(&broker, &mut received, 5).await.unwrap();
    assert!(head.starts_with("post /hook http/1.1\r\n"), "{head}");
    assert_eq!(told["event"], "alert.raised");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_of_an_unknown_authority_is_told_nothing() {
    let (authority, other) = (Authority::new("of the receiver"), Authority::new("of somebody else"));
    let issued = authority.server();
    let (url, mut received) = secured_receiver(&issued).await;
    let Some(broker) = alerted(url, &Files::new(&other, &issued)).await else { return };
    for _attempt in 0..2 {
        let told = next(&broker, &mut received, 5).await;
        assert!(told.is_err(), "{told:?}");
    }
}

/// Lets time pass in such steps until something is received.
async fn next<T>(broker: &TestBroker, received: &mut UnboundedReceiver<T>, step: u64) -> T {
    let mut found = None;
    eventually("the webhook is called", async || {
        broker.pass(Duration::from_secs(step)).await;
        found = received.try_recv().ok();
        if found.is_some() { Ok(()) } else { Err("not yet") }
    })
    .await;
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_of_alerts_and_again_if_it_fails() {
    let (url, mut received) = receiver().await;
    let broker = Setup { alerts_webhook: Some(url), manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let ch = broker.connect().await.channel(1).await;
    ch.declare(queue("lonely")).await;
    ch.declare(queue("events")).await;
    ch.bind("events", "amq.rabbitmq.event", "alert.#").await;
    ch.publish(publish("", "lonely", "a")).await;
    ch.expect_ready("lonely", 1).await;
    let (head, refused) = next(&broker, &mut received, 5).await;
    assert!(head.starts_with("post /hook?of=test http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let (_, raised) = next(&broker, &mut received, 1).await;
    assert_eq!(raised, refused, "it is sent again");
    assert_eq!((&raised["event"], &raised["alert"]["rule"]), (&"alert.raised".into(), &"no_consumers".into()));
    assert_eq!(raised["alert"]["object"], serde_json::json!({ "type": "queue", "name": "lonely" }));
    assert!(raised["node"].is_string() && raised["alert"]["next_step"].is_string());
    let event = ch.get_eventually("events").await;
    let headers = event.headers();
    assert_eq!(event.key(), "alert.raised.no_consumers");
    let told = ["rule", "severity", "vhost", "queue"].map(|name| headers.get(name).cloned());
    assert_eq!(told, ["no_consumers", "critical", "/", "lonely"].map(|text| Some(S(text))));
    ch.consume(consume("lonely").no_ack()).await;
    ch.expect_deliver().await;
    let (_, cleared) = next(&broker, &mut received, 5).await;
    assert_eq!((&cleared["event"], &cleared["alert"]["id"]), (&"alert.cleared".into(), &raised["alert"]["id"]));
    assert_eq!(ch.get_eventually("events").await.key(), "alert.cleared.no_consumers");
}
