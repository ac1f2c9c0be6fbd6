//! Logging in (reference: 1.3); what is refused in silence is in `silence.rs`.

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;

use crate::broker::{Setup, TestBroker};
use crate::client::table::{S, args};
use crate::client::{Table, Value};

fn amqplain(table: &Table) -> Vec<u8> {
    // A field table without its length.
    table.encode()[4..].to_vec()
}

fn refused_text(mechanism: &str) -> String {
    format!(
        "ACCESS_REFUSED - Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
    )
}

/// reference: 1.3, PLAIN and AMQPLAIN correct, ANONYMOUS with any response
#[tokio::test]
async fn every_offered_mechanism_logs_in() {
    let broker = TestBroker::start().await;
    let login = args([("LOGIN", S("guest")), ("PASSWORD", S("guest"))]);
    let reversed = args([("PASSWORD", S("guest")), ("LOGIN", S("guest"))]);
    let cases: [(&str, &[u8]); 5] = [
        ("PLAIN", b"\0guest\0guest"),
        ("AMQPLAIN", &amqplain(&login)),
        ("AMQPLAIN", &amqplain(&reversed)),
        ("ANONYMOUS", b""),
        ("ANONYMOUS", b"trace information"),
    ];
    for (mechanism, response) in cases {
        let connection = broker.connect_with().mechanism(mechanism, response).open().await;
        connection.channel(1).await;
        connection.close().await;
    }
}

/// reference: 1.3, wrong password, unknown user, empty user: told at once to clients that can hear it
#[tokio::test]
async fn a_failed_login_is_told_with_403_to_clients_with_the_capability() {
    let broker = TestBroker::start().await;
    let capable = || broker.connect_with().capabilities(&["authentication_failure_close"]);
    for (user, password) in [("guest", "wrong"), ("nobody", "guest"), ("", ""), ("guest", "")] {
        let connection = capable().user(user, password).start().await;
        connection.expect_close(403, &refused_text("PLAIN"), (0, 0)).await;
    }
    let wrong = args([("LOGIN", S("guest")), ("PASSWORD", S("wrong"))]);
    let connection = capable().mechanism("AMQPLAIN", &amqplain(&wrong)).start().await;
    connection.expect_close(403, &refused_text("AMQPLAIN"), (0, 0)).await;
}

/// reference: 1.3, start-ok fields: any client-properties, any locale, a connection name
#[tokio::test]
async fn client_properties_and_locale_are_taken_as_they_come() {
    let broker = TestBroker::start().await;
    let mut connect = broker.connect_with();
    connect.locale = "xx_YY".into();
    connect.open().await.close().await;
    let tables = [
        Table::default(),
        args([("connection_name", S("the name"))]),
        args([("connection_name", Value::I(5)), ("capabilities", S("not a table"))]),
        args([("nested", Value::F(args([("deep", Value::A(vec![Value::V, Value::t(true)]))])))]),
    ];
    for table in tables {
        let mut connect = broker.connect_with();
        connect.client_properties = table;
        connect.open().await.close().await;
    }
}

/// reference: 1.3, ANONYMOUS is the operator's choice
#[tokio::test]
async fn a_broker_without_anonymous_login_does_not_offer_it() {
    let broker = Setup { anonymous_login: Some(false), ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        // It is offered by default, and a shared node's setting cannot be changed.
        return broker.connect_with().mechanism("ANONYMOUS", b"").open().await.close().await;
    }
    let connection = broker.raw().await;
    connection.write(crate::client::connection::PROTOCOL_HEADER).await;
    let AMQPClass::Connection(AMQPMethod::Start(start)) = connection.expect((10, 10)).await else { unreachable!() };
    assert_eq!(start.mechanisms.to_string(), "PLAIN AMQPLAIN");
}

/// reference: 1.3, `guest` from a non-loopback address, after the password; others may come from anywhere
#[tokio::test]
async fn guest_logs_in_from_this_machine_only() {
    // The address by which this machine would reach another; nothing is sent.
    let outward = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let Some(ip) = outward.ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback()) else {
        return eprintln!("this machine has no other address than the loopback one");
    };
    let user = crate::broker::unique("user");
    let broker = Setup { on_every_address: true, ..Setup::default() }.user(&user, "secret").start().await;
    let mut from_there = broker.connect_with();
    from_there.address.set_ip(ip);
    from_there.clone().user(&user, "secret").open().await.close().await;
    from_there.start().await.expect_close(403, &refused_text("PLAIN"), (0, 0)).await;
}
