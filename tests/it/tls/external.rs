//! Logins with a certificate (SASL EXTERNAL).

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;
use leveret::Broker;
use leveret::Mechanism;
use leveret::tls::{LoginFrom, SanType, TlsSettings, Verify};

use super::{ANYWHERE, Authority, Files, Trust, settings, tunnel};
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::{Connect, Connection};

const ALL: [Mechanism; 3] = [Mechanism::Plain, Mechanism::AmqPlain, Mechanism::External];

async fn broker(files: &Files, verify: Verify, from: LoginFrom, user: &str) -> Broker {
    let tls = TlsSettings { verify, ..settings(files) };
    let builder = Broker::builder().in_memory().amqps_listen(ANYWHERE, tls).user(user, "secret");
    builder.auth_mechanisms(&ALL).login_from_certificate(from).start().await.unwrap()
}

async fn mechanisms(address: std::net::SocketAddr) -> String {
    let connection = Connection::raw(address).await;
    connection.write(PROTOCOL_HEADER).await;
    let AMQPClass::Connection(AMQPMethod::Start(start)) = connection.expect((10, 10)).await else { unreachable!() };
    start.mechanisms.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_enough_to_log_in() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let client = authority.client_with("worker", |params| {
        params.subject_alt_names = vec![
            rcgen::SanType::DnsName("a.example".try_into().unwrap()),
            rcgen::SanType::DnsName("b.example".try_into().unwrap()),
        ];
    });
    let san = LoginFrom::SubjectAlternativeName { san_type: SanType::Dns, index: 1 };
    for (from, user) in
        [(LoginFrom::DistinguishedName, "CN=worker,O=Example"), (LoginFrom::CommonName, "worker"), (san, "b.example")]
    {
        let broker = broker(&files, Verify::Peer, from, user).await;
        let address = tunnel(broker.amqps_address().unwrap(), Trust::showing(&authority, &client)).await;
        let _connection = Connect::to(address).mechanism("EXTERNAL", b"").open().await;
        let connections = broker.state().node().registry.connections();
        assert_eq!((&*connections[0].spec.user, connections[0].spec.auth_mechanism), (user, "EXTERNAL"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_offered_only_over_tls() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let broker = broker(&files, Verify::Peer, LoginFrom::CommonName, "worker").await;
    let address = tunnel(broker.amqps_address().unwrap(), Trust::of(&authority)).await;
    assert_eq!(mechanisms(address).await, "PLAIN AMQPLAIN EXTERNAL");
    assert_eq!(mechanisms(broker.address()).await, "PLAIN AMQPLAIN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_by_a_certificate_that_was_not_verified() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let client = authority.client("worker");
    for (verify, user, trust) in [
        // No such user; nothing was shown; nobody looks.
        (Verify::Peer, "somebody", Trust::showing(&authority, &client)),
        (Verify::Peer, "worker", Trust::of(&authority)),
        (Verify::None, "worker", Trust::showing(&authority, &client)),
    ] {
        let broker = broker(&files, verify, LoginFrom::CommonName, user).await;
        let address = tunnel(broker.amqps_address().unwrap(), trust).await;
        let connection = Connect::to(address).mechanism("EXTERNAL", b"").start().await;
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. For details see the broker logfile.";
        connection.expect_close(403, text, (0, 0)).await;
    }
}
