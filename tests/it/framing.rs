//! Frames that are wrong on an open connection (reference: 1.6): raw bytes in, the exact close out.

use amq_protocol::protocol::{basic, channel, connection, queue as queue_class, tx};

use crate::broker::TestBroker;
use crate::client::socket::{BODY, HEADER, HEARTBEAT, METHOD, frame, header, method};
use crate::client::{Connection, Request, publish, queue};

/// Opens a connection with channel 1, sends the bytes and expects exactly this close.
async fn check(broker: &TestBroker, bytes: impl AsRef<[u8]>, code: u16, text: &str, ids: (u16, u16)) {
    let connection = open(broker).await;
    connection.write(bytes.as_ref()).await;
    connection.expect_close(code, text, ids).await;
}

async fn open(broker: &TestBroker) -> Connection {
    let connection = broker.connect().await;
    connection.channel(1).await;
    connection
}

fn publish_method() -> Vec<u8> {
    frame(METHOD, 1, &publish("", "nowhere", "").method().0)
}

/// A publish with any properties bytes and no body.
fn publish_with_properties(properties: &[u8]) -> Vec<u8> {
    [publish_method(), header(1, 0, properties)].concat()
}

/// reference: 1.6, frame-end and payload length. RabbitMQ sleeps 3 s before it reads close-ok.
#[tokio::test]
async fn a_broken_frame_is_a_frame_error() {
    let broker = TestBroker::start().await;
    let bad_end = open(&broker).await;
    bad_end.write([1, 0, 1, 0, 0, 0, 4, 0, 90, 0, 10, 255]).await;
    let text = "FRAME_ERROR - type 1, all octets = <<0,90,0,10>>: {invalid_frame_end_marker,255}";
    bad_end.expect_error(501, text, (0, 0)).await;

    // The size in the frame's header decides; its payload is not awaited.
    let too_large = open(&broker).await;
    too_large.write([&[3, 0, 1][..], &131_073_u32.to_be_bytes()].concat()).await;
    let text = "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}";
    too_large.expect_error(501, text, (0, 0)).await;

    for connection in [bad_end, too_large] {
        connection.send(connection::CloseOk {}).await;
        connection.expect_socket_closed().await;
    }
}

/// reference: 1.6, up to 8 bytes over are tolerated
#[tokio::test]
async fn a_payload_of_frame_max_is_tolerated() {
    let broker = TestBroker::start().await;
    let connection = broker.connect_with().frame_max(8192).open().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    let body = vec![b'x'; 8192];
    let mut bytes = frame(METHOD, 1, &publish("", &name, "").method().0);
    bytes.extend(header(1, 8192, &[0, 0]));
    bytes.extend(frame(BODY, 1, &body));
    connection.write(bytes).await;
    assert_eq!(ch.get_eventually(&name).await.body, body);
}

/// reference: 1.6, unknown and undersized frames
#[tokio::test]
async fn unknown_and_undersized_frames_are_frame_errors() {
    let broker = TestBroker::start().await;
    let cases: [(u8, u16, &[u8], &str); 7] = [
        (9, 1, b"abc", r#"type 9, all octets = <<"abc">>: unknown_frame"#),
        (9, 0, b"abc", r#"type 9, all octets = <<"abc">>: unknown_frame"#),
        (9, 9, b"abc", r#"type 9, all octets = <<"abc">>: unknown_frame"#),
        (9, 1, b"abcdefghijklmnopq", r#"type 9, first 16 octets = <<"abcdefghijklmnop">>: unknown_frame"#),
        (METHOD, 1, &[0, 50, 0], "type 1, all octets = <<0,50,0>>: unknown_frame"),
        (HEADER, 1, &[0, 60, 0, 0, 0], "type 2, all octets = <<0,60,0,0,0>>: unknown_frame"),
        (HEARTBEAT, 0, b"xyz", r#"type 8, all octets = <<"xyz">>: unknown_frame"#),
    ];
    for (kind, channel, payload, text) in cases {
        check(&broker, frame(kind, channel, payload), 501, &format!("FRAME_ERROR - {text}"), (0, 0)).await;
    }
}

/// reference: 1.6, heartbeats, and contents on channel 0
#[tokio::test]
async fn frames_on_the_wrong_channel_are_unexpected() {
    let broker = TestBroker::start().await;
    let text = "UNEXPECTED_FRAME - type 8, all octets = <<>>";
    check(&broker, frame(HEARTBEAT, 1, &[]), 505, text, (0, 0)).await;
    let text = r#"UNEXPECTED_FRAME - type 3, all octets = <<"abc">>"#;
    check(&broker, frame(BODY, 0, b"abc"), 505, text, (0, 0)).await;
    let text = "UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,5,0,0>>";
    check(&broker, header(0, 5, &[0, 0]), 505, text, (0, 0)).await;
}

/// reference: 1.6, a heartbeat between another channel's header and body; interleaved contents; any split of a body
#[tokio::test]
async fn contents_may_be_interleaved_and_split_at_will() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let (one, two) = (connection.channel(1).await, connection.channel(2).await);
    let name = broker.name("q");
    one.declare(queue(&name).exclusive()).await;
    let target = publish("", &name, "").method().0;
    let pieces = [
        frame(METHOD, 1, &target),
        frame(HEARTBEAT, 0, &[]),
        header(1, 6, &[0, 0]),
        frame(METHOD, 2, &target),
        frame(BODY, 1, b"ab"),
        header(2, 3, &[0, 0]),
        frame(BODY, 1, b""),
        frame(HEARTBEAT, 0, &[]),
        frame(BODY, 2, b"xyz"),
        frame(BODY, 1, b"c"),
        frame(BODY, 1, b"def"),
    ];
    connection.write(pieces.concat()).await;
    let mut bodies = [one.get_eventually(&name).await.text(), two.get_eventually(&name).await.text()];
    bodies.sort();
    assert_eq!(bodies, ["abcdef", "xyz"]);
}

/// reference: 1.6, body assembly: a content is complete with its last byte, so an empty body frame behind it is not due
#[tokio::test]
async fn an_empty_body_frame_behind_a_complete_content_is_unexpected() {
    let broker = TestBroker::start().await;
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    let empty = [publish_method(), header(1, 0, &[0, 0]), frame(BODY, 1, b"")].concat();
    check(&broker, empty, 505, text, (0, 0)).await;
    let full = [publish_method(), header(1, 3, &[0, 0]), frame(BODY, 1, b"abc"), frame(BODY, 1, b"")].concat();
    check(&broker, full, 505, text, (0, 0)).await;
}

/// reference: 1.6, method arguments truncated or with trailing bytes
#[tokio::test]
async fn undecodable_arguments_are_frame_errors_with_the_methods_ids() {
    let broker = TestBroker::start().await;
    let short = frame(METHOD, 1, &[0, 60, 0, 80, 0, 0]);
    check(&broker, short, 501, "FRAME_ERROR - cannot decode <<0,0>>", (60, 80)).await;
    let long = frame(METHOD, 1, &[0, 90, 0, 10, 1, 2]);
    check(&broker, long, 501, "FRAME_ERROR - cannot decode <<1,2>>", (90, 10)).await;
}

/// reference: 1.6, short strings must be UTF-8
#[tokio::test]
async fn names_that_are_not_utf_8_are_frame_errors() {
    let broker = TestBroker::start().await;
    let text = "FRAME_ERROR - Malformed UTF-8 in shortstr";
    let methods: [&[u8]; 4] = [
        b"\x00\x32\x00\x0a\x00\x00\x02\xff\xfe\x02\x00\x00\x00\x00", // queue.declare, passive
        b"\x00\x28\x00\x0a\x00\x00\x02\xff\xfe\x06direct\x00\x00\x00\x00\x00", // exchange.declare
        b"\x00\x3c\x00\x14\x00\x00\x01q\x02\xff\xfe\x00\x00\x00\x00\x00", // basic.consume, its tag
        b"\x00\x3c\x00\x46\x00\x00\x02\xff\xfe\x00",                 // basic.get
    ];
    for payload in methods {
        check(&broker, frame(METHOD, 1, payload), 501, text, (0, 0)).await;
    }
}

/// reference: 1.6, the exchange of a publish is not checked by RabbitMQ, which names it as if it were Latin-1
#[tokio::test]
async fn a_publish_to_an_exchange_that_is_not_utf_8() {
    let broker = TestBroker::start().await;
    let connection = open(&broker).await;
    let method = frame(METHOD, 1, b"\x00\x3c\x00\x28\x00\x00\x02\xff\xfe\x01k\x00");
    connection.write([method, header(1, 0, &[0, 0])].concat()).await;
    // A reply text must be UTF-8: we show what is none by replacement characters.
    let shown = if broker.is_rabbitmq() { "\u{ff}\u{fe}" } else { "\u{fffd}\u{fffd}" };
    let text = format!("NOT_FOUND - no exchange '{shown}' in vhost '/'");
    connection.unopened_channel(1).expect_close(404, &text, (60, 40)).await;
}

/// reference: 1.6, [artefact] unknown class or method: RabbitMQ drops the socket, we say 503 or 540
#[tokio::test]
async fn unknown_methods_end_the_connection() {
    let broker = TestBroker::start().await;
    for payload in [&[0, 99, 0, 1][..], &[0, 50, 0, 99], &[0, 60, 0, 41]] {
        check_artefact(&broker, frame(METHOD, 1, payload), &[503, 540], Artefact::SocketDropped).await;
    }
}

/// reference: 1.6, [artefact] malformed tables in methods: RabbitMQ drops the socket, we say 502 or 501
#[tokio::test]
async fn malformed_tables_in_methods_end_the_connection() {
    let broker = TestBroker::start().await;
    let declare = |table: &[u8]| {
        let flags = [0_u8];
        let fields: [&[u8]; 5] = [&[0, 50, 0, 10, 0, 0], b"\x01q", &flags, &(table.len() as u32).to_be_bytes(), table];
        frame(METHOD, 1, &fields.concat())
    };
    let tables: [&[u8]; 5] = [
        b"\x01aZ\x00",                  // unknown tag
        b"\x01aI\x00\x00",              // value cut short
        b"\x01aS\x00\x00\x00\x09abc",   // a length beyond the end
        b"\x01aA\x00\x00\x00\x02Z\x00", // unknown tag in an array
        b"\x09a",                       // a name beyond the end
    ];
    for table in tables {
        check_artefact(&broker, declare(table), &[501, 502], Artefact::SocketDropped).await;
    }
}

/// reference: 1.6, [artefact] malformed properties: RabbitMQ says 541, we say 501 or 502
#[tokio::test]
async fn malformed_properties_end_the_connection() {
    let broker = TestBroker::start().await;
    let properties: [&[u8]; 4] = [
        b"\x20\x00\x00\x00\x00\x04\x01aZ\x00", // headers with an unknown tag
        b"\x80\x00\x05ab",                     // a content type cut short
        b"\x10\x00",                           // no delivery mode
        b"\x00\x01\x00\x00",                   // the continuation bit
    ];
    for properties in properties {
        check_artefact(&broker, publish_with_properties(properties), &[501, 502], Artefact::Error541).await;
    }
}

/// How RabbitMQ itself fails.
#[derive(Clone, Copy, PartialEq)]
enum Artefact {
    SocketDropped,
    Error541,
}

async fn check_artefact(broker: &TestBroker, bytes: Vec<u8>, codes: &[u16], artefact: Artefact) {
    use amq_protocol::protocol::{AMQPClass, connection::AMQPMethod};
    let connection = open(broker).await;
    connection.write(&bytes).await;
    if broker.is_rabbitmq() && artefact == Artefact::SocketDropped {
        return connection.expect_silent_end().await;
    }
    let AMQPClass::Connection(AMQPMethod::Close(close)) = connection.expect((10, 50)).await else { unreachable!() };
    let codes = if broker.is_rabbitmq() { &[541] } else { codes };
    assert!(codes.contains(&close.reply_code), "{bytes:?}: {close:?}");
    connection.send(connection::CloseOk {}).await;
    connection.expect_socket_closed().await;
}

/// reference: 1.6, property flag bit 1 is ignored
#[tokio::test]
async fn the_undefined_property_flag_is_ignored() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = broker.name("q");
    ch.declare(queue(&name).exclusive()).await;
    let target = frame(METHOD, 1, &publish("", &name, "").method().0);
    connection.write([target, header(1, 0, &[0, 2])].concat()).await;
    ch.get_eventually(&name).await;
}

/// reference: 1.6, channels that are not open
#[tokio::test]
async fn frames_on_a_channel_that_is_not_open() {
    let broker = TestBroker::start().await;
    let text = "CHANNEL_ERROR - expected 'channel.open'";
    let declare = || Request::from(queue("x"));
    check(&broker, method(2, declare()), 504, text, (50, 10)).await;
    check(&broker, method(2, crate::client::channel::close()), 504, text, (20, 40)).await;
    check(&broker, method(2, channel::CloseOk {}), 504, text, (20, 41)).await;
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    check(&broker, header(2, 0, &[0, 0]), 505, text, (0, 0)).await;
    check(&broker, frame(BODY, 2, b"x"), 505, text, (0, 0)).await;
}

/// reference: 1.6, contents out of order
#[tokio::test]
async fn contents_out_of_order_are_unexpected_frames() {
    let broker = TestBroker::start().await;
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    check(&broker, header(1, 0, &[0, 0]), 505, text, (0, 0)).await;
    check(&broker, frame(BODY, 1, b"x"), 505, text, (0, 0)).await;

    let publish = (60, 40);
    let no_header = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead";
    let then = |next: Vec<u8>| [publish_method(), next].concat();
    check(&broker, then(method(1, tx::Select {})), 505, no_header, publish).await;
    check(&broker, then(frame(BODY, 1, b"x")), 505, no_header, publish).await;
    let weighted = frame(HEADER, 1, &[0, 60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    check(&broker, then(weighted), 505, no_header, publish).await;
    let other_class = frame(HEADER, 1, &[0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let text = "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead";
    check(&broker, then(other_class), 505, text, publish).await;

    let no_body = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
    let then = |next: Vec<u8>| [publish_method(), header(1, 5, &[0, 0]), next].concat();
    check(&broker, then(method(1, tx::Select {})), 505, no_body, publish).await;
    check(&broker, then(header(1, 5, &[0, 0])), 505, no_body, publish).await;
    let text = "FRAME_ERROR - content body frame exceeds remaining content size";
    check(&broker, then(frame(BODY, 1, b"sixsix")), 501, text, publish).await;
}

/// reference: 1.6, a header that announces more than 512 MiB
#[tokio::test]
async fn a_body_of_more_than_512_mib_is_refused_by_its_header() {
    let broker = TestBroker::start().await;
    let text = "FRAME_ERROR - content body size 1099511627776 exceeds maximum allowed size 536870912";
    check(&broker, [publish_method(), header(1, 1 << 40, &[0, 0])].concat(), 501, text, (60, 40)).await;
    let text = "FRAME_ERROR - content body size 536870913 exceeds maximum allowed size 536870912";
    check(&broker, [publish_method(), header(1, (1 << 29) + 1, &[0, 0])].concat(), 501, text, (60, 40)).await;
}

/// reference: 1.6, second channel.open, methods on the wrong kind of channel
#[tokio::test]
async fn methods_where_they_do_not_belong() {
    let broker = TestBroker::start().await;
    check(&broker, method(1, channel::Open {}), 504, "CHANNEL_ERROR - second 'channel.open' seen", (20, 10)).await;

    let text = "CHANNEL_ERROR - unexpected method in connection state running";
    check(&broker, method(0, channel::Open {}), 504, text, (20, 10)).await;
    check(&broker, method(0, queue("x")), 504, text, (50, 10)).await;

    let text = "COMMAND_INVALID - unimplemented method";
    check(&broker, method(1, crate::client::connection::close()), 503, text, (10, 50)).await;
    check(&broker, method(1, connection::Open { virtual_host: "/".into() }), 503, text, (10, 40)).await;
    let declare_ok = queue_class::DeclareOk { queue: "x".into(), message_count: 0, consumer_count: 0 };
    check(&broker, method(1, declare_ok), 503, text, (50, 11)).await;
    check(&broker, method(1, channel::CloseOk {}), 503, text, (20, 41)).await;
    check(&broker, method(1, channel::FlowOk { active: true }), 503, text, (20, 21)).await;
}

/// reference: conventions, reply texts longer than a short string are cut to 252 characters and three dots
#[tokio::test]
async fn a_long_reply_text_is_cut_to_255() {
    let broker = TestBroker::start().await;
    let ch = broker.connect().await.channel(1).await;
    let name = "q".repeat(255);
    let text = crate::broker::cut(&format!("NOT_FOUND - no queue '{name}' in vhost '/'"));
    assert_eq!(text.len(), 255);
    ch.refused(basic::Get { queue: name.as_str().into(), no_ack: true }, 404, &text).await;
}

/// reference: conventions, [artefact] multi-byte names: RabbitMQ fails with a bare 541, we cut to 255 bytes
#[tokio::test]
async fn a_long_reply_text_of_multi_byte_characters() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let ch = connection.channel(1).await;
    let name = "\u{20ac}".repeat(85);
    ch.send(queue(&name).passive()).await;
    if broker.is_rabbitmq() {
        connection.expect_close(541, "INTERNAL_ERROR", (0, 0)).await;
    } else {
        let mut text = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
        while text.len() > 252 {
            text.pop();
        }
        ch.expect_close(404, &format!("{text}..."), (50, 10)).await;
    }
}
