//! The protocol header, `connection.start` and the order of the handshake (reference: 1.1, 1.2, 1.5).

use amq_protocol::protocol::connection::{AMQPMethod, Open, TuneOk};
use amq_protocol::protocol::{AMQPClass, channel};

use crate::broker::{Setup, TestBroker};
use crate::client::Value;
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::socket::method;
use crate::client::table::{S, Table, args, short_string, take};

/// reference: 1.1, AMQP 0-9-1 and 0-9
#[tokio::test]
async fn both_headers_of_amqp_0_9_start_a_connection() {
    let broker = TestBroker::start().await;
    for header in [PROTOCOL_HEADER, b"AMQP\x01\x01\x00\x09"] {
        let connection = broker.raw().await;
        connection.write(header).await;
        let frame = connection.any_frame().await;
        assert!(frame.is_method((10, 10)), "{header:?}: {frame:?}");
        assert_eq!(&frame.payload[4..6], [0, 9], "version-major and -minor");
    }
}

/// reference: 1.1, other versions of 0-9
#[tokio::test]
async fn another_version_of_amqp_0_9_is_answered_with_ours() {
    let broker = TestBroker::start().await;
    for header in [b"AMQP\x00\x00\x09\x02", b"AMQP\x00\x00\x0a\x00"] {
        let connection = broker.raw().await;
        connection.write(header).await;
        assert_eq!(connection.socket.bytes_until_closed().await, PROTOCOL_HEADER, "{header:?}");
    }
}

/// reference: 1.1, every other header. RabbitMQ offers AMQP 1.0 there; a broker without it offers 0-9-1.
#[tokio::test]
async fn any_other_header_is_answered_with_a_header_we_speak() {
    let broker = TestBroker::start().await;
    let offer: &[u8] = if broker.is_rabbitmq() { b"AMQP\x03\x01\x00\x00" } else { PROTOCOL_HEADER };
    let headers: [&[u8]; 9] = [
        b"AMQP\x01\x01\x08\x00",
        b"AMQP\x01\x01\x00\x0a",
        b"AMQP\x00\x00\x08\x00",
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x02\x01\x00\x00",
        b"ABCDEFGH",
        b"\0\0\0\0\0\0\0\0",
        b"GET / HT",
        &[0x16, 3, 1, 1, 0x2C, 1, 0, 1],
    ];
    for header in headers {
        let connection = broker.raw().await;
        connection.write(header).await;
        assert_eq!(connection.socket.bytes_until_closed().await, offer, "{header:?}");
    }
}

/// reference: 1.1, the answer arrives whatever the client goes on to send: a socket that is closed with something unread is reset
#[tokio::test]
async fn a_client_that_is_refused_while_it_goes_on_sending_is_not_reset() {
    let broker = TestBroker::start().await;
    if broker.is_rabbitmq() {
        return; // It resets such connections.
    }
    let connection = broker.raw().await;
    // More than is read at a time.
    connection.write([&b"AMQP\x00\x01\x00\x00"[..], &[0; 512 * 1024]].concat()).await;
    assert_eq!(connection.socket.bytes_until_closed().await, PROTOCOL_HEADER);
    assert!(!connection.socket.is_reset().await);
}

/// reference: 1.1, `AMQP 3 1 0 0`: RabbitMQ goes on as AMQP 1.0, which we do not speak.
#[tokio::test]
async fn the_header_of_amqp_1_0_with_sasl() {
    let broker = TestBroker::start().await;
    let connection = broker.raw().await;
    connection.write(b"AMQP\x03\x01\x00\x00").await;
    if broker.is_rabbitmq() {
        // The frames of AMQP 1.0 have another shape: only the echo is read.
        connection.write(b"garbage that ends it").await;
        let bytes = connection.socket.bytes_until_closed().await;
        assert_eq!(&bytes[..8], b"AMQP\x03\x01\x00\x00");
    } else {
        assert_eq!(connection.socket.bytes_until_closed().await, PROTOCOL_HEADER);
    }
}

/// reference: 1.2
#[tokio::test]
async fn start_offers_rabbitmqs_properties_mechanisms_and_locale() {
    let broker = TestBroker::to_the_letter().await;
    let connection = broker.raw().await;
    connection.write(PROTOCOL_HEADER).await;
    let frame = connection.any_frame().await;
    assert_eq!((frame.kind, frame.channel), (1, 0));
    let bytes = &mut frame.payload.as_slice();
    assert_eq!(take(bytes), [0, 10, 0, 10, 0, 9], "connection.start 0-9");
    let server = Table::decode(bytes);
    let mut names = server.names();
    // One more tells who this is to those who ask; clients pass over what they do not know.
    names.retain(|name| name != "leveret_version");
    let expected = ["capabilities", "cluster_name", "copyright", "information", "platform", "product", "version"];
    assert_eq!(names, expected);
    let yes = || Value::t(true);
    let capabilities = args([
        ("publisher_confirms", yes()),
        ("exchange_exchange_bindings", yes()),
        ("basic.nack", yes()),
        ("consumer_cancel_notify", yes()),
        ("connection.blocked", yes()),
        ("consumer_priorities", yes()),
        ("authentication_failure_close", yes()),
        ("per_consumer_qos", yes()),
        ("direct_reply_to", yes()),
    ]);
    assert_eq!(server.get("capabilities"), Some(&Value::F(capabilities)));
    // Clients read these two; the others need only be strings.
    assert_eq!(server.get("product"), Some(&S("RabbitMQ")));
    assert!(server.get("version").unwrap().text().starts_with("4.3."));
    for name in ["cluster_name", "copyright", "information", "platform"] {
        assert!(!server.get(name).unwrap().text().is_empty(), "{name}");
    }
    let mechanisms = long_string(bytes);
    if broker.is_rabbitmq() {
        // Their order differs from node to node.
        let mut names: Vec<_> = mechanisms.split(' ').collect();
        names.sort_unstable();
        assert_eq!(names, ["AMQPLAIN", "ANONYMOUS", "PLAIN"]);
    } else {
        assert_eq!(mechanisms, "PLAIN AMQPLAIN ANONYMOUS");
    }
    assert_eq!(long_string(bytes), "en_US");
    assert!(bytes.is_empty());
}

fn long_string(bytes: &mut &[u8]) -> String {
    let length = u32::from_be_bytes(take(bytes)) as usize;
    let (text, rest) = bytes.split_at(length);
    *bytes = rest;
    String::from_utf8(text.to_vec()).unwrap()
}

/// reference: 1.5, open-ok
#[tokio::test]
async fn open_ok_carries_an_empty_reserved_string_and_ignores_the_reserved_fields() {
    let broker = TestBroker::start().await;
    let connection = broker.connect_with().tune().await;
    // "/", then capabilities "whatever" and insist true.
    connection.write(crate::client::socket::frame(1, 0, b"\x00\x0a\x00\x28\x01/\x08whatever\x01")).await;
    assert_eq!(connection.any_frame().await.payload, [0, 10, 0, 41, 0]);
}

/// reference: 1.5, unknown vhost; the capability authentication_failure_close does not matter
#[tokio::test]
async fn an_unknown_vhost_closes_the_connection_with_530() {
    let broker = TestBroker::start().await;
    for capabilities in [&["authentication_failure_close"][..], &[]] {
        for vhost in ["no-such-vhost", ""] {
            let connection = broker.connect_with().capabilities(capabilities).vhost(vhost).ask().await;
            connection.expect_close(530, &format!("NOT_ALLOWED - vhost {vhost} not found"), (10, 40)).await;
        }
    }
}

/// reference: 1.5, no permission on the vhost
#[tokio::test]
async fn a_user_without_permission_on_the_vhost_gets_530() {
    let (user, vhost) = (crate::broker::unique("user"), crate::broker::unique("vhost"));
    let broker = Setup::default().user(&user, "secret").vhost(&vhost).start().await;
    broker.connect_with().user(&user, "secret").open().await.close().await;
    let connection = broker.connect_with().user(&user, "secret").vhost(&vhost).ask().await;
    let text = format!("NOT_ALLOWED - access to vhost '{vhost}' refused for user '{user}'");
    connection.expect_close(530, &text, (10, 40)).await;
}

/// reference: 1.5, a second vhost is a world of its own
#[tokio::test]
async fn virtual_hosts_do_not_see_each_other() {
    let vhost = crate::broker::unique("vhost");
    let broker = Setup::default().vhost(&vhost).start().await;
    let there = broker.connect_with().vhost(&vhost).open().await.channel(1).await;
    let name = broker.name("q");
    there.declare(crate::client::queue(&name).exclusive()).await;
    let here = broker.connect().await.channel(1).await;
    let declare = crate::client::queue(&name).passive();
    here.refused(declare, 404, &format!("NOT_FOUND - no queue '{name}' in vhost '/'")).await;
    let declare = crate::client::queue("other").passive();
    there.refused(declare, 404, &format!("NOT_FOUND - no queue 'other' in vhost '{vhost}'")).await;
}

/// reference: 1.5, limits of vhost and user; they are set over the management interface
#[tokio::test]
async fn connection_limits_of_vhost_and_user_refuse_with_530() {
    let (user, vhost) = (crate::broker::unique("user"), crate::broker::unique("vhost"));
    let broker = Setup::default().user(&user, "secret").vhost(&vhost).start().await;
    broker.administrator().permit(&user, &vhost, ".*", ".*", ".*");
    broker.administrator().limit_vhost(&vhost, "max-connections", 0);
    let refused = broker.connect_with().user(&user, "secret").vhost(&vhost).ask().await;
    let text =
        format!("NOT_ALLOWED - access to vhost '{vhost}' refused for user '{user}': connection limit (0) is reached");
    refused.expect_close(530, &text, (10, 40)).await;
    broker.administrator().limit_user(&user, "max-connections", 0);
    let refused = broker.connect_with().user(&user, "secret").ask().await;
    let text = format!("NOT_ALLOWED - connection refused for user '{user}': user connection limit (0) is reached");
    refused.expect_close(530, &text, (10, 40)).await;
}

/// reference: 1.5, `channel.open` before `connection.open`
#[tokio::test]
async fn a_channel_method_before_open_is_an_unexpected_frame() {
    let broker = TestBroker::start().await;
    let connection = broker.connect_with().tune().await;
    connection.write(method(1, channel::Open {})).await;
    let text = "UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>";
    connection.expect_close(505, text, (0, 0)).await;
}

/// reference: 1.5, handshake methods when running
#[tokio::test]
async fn handshake_methods_on_an_open_connection_close_it_with_504() {
    let broker = TestBroker::start().await;
    let text = "CHANNEL_ERROR - unexpected method in connection state running";
    let connection = broker.connect().await;
    connection.send(broker.connect_with().start_ok()).await;
    connection.expect_close(504, text, (10, 11)).await;
    let connection = broker.connect().await;
    connection.send(Open { virtual_host: "/".into() }).await;
    connection.expect_close(504, text, (10, 40)).await;
    let connection = broker.connect().await;
    connection.send(TuneOk { channel_max: 1, frame_max: 131_072, heartbeat: 0 }).await;
    connection.expect_close(504, text, (10, 31)).await;
}

/// reference: 1.5, the whole handshake in one write
#[tokio::test]
async fn a_pipelined_handshake_works() {
    let broker = TestBroker::start().await;
    let connection = broker.raw().await;
    let mut bytes = PROTOCOL_HEADER.to_vec();
    bytes.extend(method(0, broker.connect_with().start_ok()));
    bytes.extend(method(0, TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 0 }));
    bytes.extend(method(0, Open { virtual_host: "/".into() }));
    bytes.extend(method(1, channel::Open {}));
    connection.write(bytes).await;
    for (channel, ids) in [(0, (10, 10)), (0, (10, 30)), (0, (10, 41)), (1, (20, 11))] {
        let frame = connection.any_frame().await;
        assert!(frame.channel == channel && frame.is_method(ids), "{frame:?}");
    }
}

/// reference: 1.4 and 1.5, a handshake that comes byte by byte
#[tokio::test]
async fn a_handshake_in_single_bytes_works() {
    let broker = TestBroker::start().await;
    let connection = broker.raw().await;
    for byte in PROTOCOL_HEADER {
        connection.write([*byte]).await;
    }
    let AMQPClass::Connection(AMQPMethod::Start(_)) = connection.expect((10, 10)).await else { unreachable!() };
    for byte in method(0, broker.connect_with().start_ok()) {
        connection.write([byte]).await;
    }
    connection.expect((10, 30)).await;
}

/// reference: 1.2, a client that reads the table with a decoder of its own finds short keys only
#[test]
fn the_tests_own_table_decoder_reads_what_it_wrote() {
    let table = args([
        ("a", S("x")),
        ("b", Value::A(vec![Value::I(-1), Value::V])),
        ("c", Value::F(args([("d", Value::L(7))]))),
    ]);
    let bytes = table.encode();
    let mut rest = bytes.as_slice();
    assert_eq!(Table::decode(&mut rest), table);
    assert!(rest.is_empty());
    assert_eq!(short_string(&mut &b"\x02ab"[..]), b"ab");
}

/// The default profile is the version before what 4.3 denies.
#[tokio::test]
async fn the_default_profile_says_4_2() {
    let broker = TestBroker::start().await;
    let connection = broker.raw().await;
    connection.write(PROTOCOL_HEADER).await;
    let frame = connection.any_frame().await;
    let server = Table::decode(&mut &frame.payload[6..]);
    let version = server.get("version").unwrap().text();
    assert!(version.starts_with(if broker.is_rabbitmq() { "4.3." } else { "4.2." }), "{version}");
}
