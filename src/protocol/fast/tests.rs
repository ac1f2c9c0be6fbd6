//! The fast path against `amq-protocol`: what it writes octet for octet, what it reads field for field.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic};
use proptest::prelude::*;

use super::*;
use crate::protocol::frame::FRAME_END;
use crate::protocol::tests::{FRAME_MAX, MAX_MESSAGE_SIZE, damaged_stream, publish_frames};

fn written(frames: &[AMQPFrame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| gen_frame(frame)(WriteContext::from(Vec::new())).unwrap().write).collect()
}

/// A method with its content as `amq-protocol` writes it.
fn with_content(channel: u16, method: basic::AMQPMethod, properties: BasicProperties, body: &[u8]) -> Vec<u8> {
    let header = AMQPContentHeader { class_id: 60, body_size: body.len() as u64, properties };
    let mut frames = vec![AMQPFrame::Method(channel, AMQPClass::Basic(method)), AMQPFrame::Header(channel, header)];
    frames.extend(body.chunks(FRAME_MAX as usize - 8).map(|piece| AMQPFrame::Body(channel, piece.to_vec())));
    written(&frames)
}

fn property_bytes(properties: &BasicProperties) -> Vec<u8> {
    basic::gen_properties(properties)(WriteContext::from(Vec::new())).unwrap().write
}

fn address(exchange: &str, routing_key: &str) -> Vec<u8> {
    let length = |text: &str| [u8::try_from(text.len()).unwrap()];
    [&length(exchange), exchange.as_bytes(), &length(routing_key), routing_key.as_bytes()].concat()
}

prop_compose! {
    fn some_properties()(
        content_type in prop::option::of("[a-z/]{0,20}"),
        delivery_mode in prop::option::of(any::<u8>()),
        priority in prop::option::of(any::<u8>()),
        expiration in prop::option::of("[0-9]{0,9}"),
        timestamp in prop::option::of(any::<u64>()),
        user_id in prop::option::of("[a-z]{0,9}"),
    ) -> BasicProperties {
        let mut properties = BasicProperties::default();
        if let Some(value) = content_type { properties = properties.with_content_type(value.into()); }
        if let Some(value) = delivery_mode { properties = properties.with_delivery_mode(value); }
        if let Some(value) = priority { properties = properties.with_priority(value); }
        if let Some(value) = expiration { properties = properties.with_expiration(value.into()); }
        if let Some(value) = timestamp { properties = properties.with_timestamp(value); }
        if let Some(value) = user_id { properties = properties.with_user_id(value.into()); }
        properties
    }
}

/// Bodies around the size of a frame, and mostly small ones.
fn body() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![4 => 0..100_usize, 1 => 8180..8190_usize, 1 => 16_360..16_380_usize], any::<u8>())
        .prop_map(|(length, octet)| vec![octet; length])
}

/// The body of a content whose head is written, as a caller does that does not copy bodies.
fn body_apart(out: &mut Vec<u8>, channel: u16, body: &[u8]) {
    for frame in body_frames(channel, body.len(), FRAME_MAX) {
        out.extend_from_slice(&frame.header);
        out.extend_from_slice(&body[frame.range]);
        out.push(FRAME_END);
    }
}

proptest! {
    #[test]
    fn a_delivery_is_written_as_amq_protocol_writes_it(
        channel in 1..=u16::MAX, tag in "\\PC{0,30}", delivery_tag: u64, redelivered: bool,
        exchange in "\\PC{0,30}", routing_key in "\\PC{0,30}", properties in some_properties(), body in body(),
    ) {
        let method = basic::Deliver {
            consumer_tag: tag.as_str().into(), delivery_tag, redelivered,
            exchange: exchange.as_str().into(), routing_key: routing_key.as_str().into(),
        };
        let expected = with_content(channel, basic::AMQPMethod::Deliver(method), properties.clone(), &body);
        let (address, properties) = (address(&exchange, &routing_key), property_bytes(&properties));
        let content = Content { address: &address, properties: &properties, body: &body };
        let method = Deliver { channel, consumer_tag: tag.as_bytes(), delivery_tag, redelivered };
        let mut out = Vec::new();
        content_method(&mut out, &method, &content, FRAME_MAX);
        prop_assert_eq!(&out, &expected);
        let mut apart = Vec::new();
        method.encode_head(&mut apart, &content);
        body_apart(&mut apart, channel, &body);
        prop_assert_eq!(&apart, &expected);
    }

    #[test]
    fn a_get_ok_is_written_as_amq_protocol_writes_it(
        channel in 1..=u16::MAX, delivery_tag: u64, redelivered: bool, message_count: u32,
        exchange in "\\PC{0,30}", routing_key in "\\PC{0,30}", properties in some_properties(), body in body(),
    ) {
        let method = basic::GetOk {
            delivery_tag, redelivered, message_count,
            exchange: exchange.as_str().into(), routing_key: routing_key.as_str().into(),
        };
        let expected = with_content(channel, basic::AMQPMethod::GetOk(method), properties.clone(), &body);
        let (address, properties) = (address(&exchange, &routing_key), property_bytes(&properties));
        let content = Content { address: &address, properties: &properties, body: &body };
        let mut out = Vec::new();
        content_method(&mut out, &GetOk { channel, delivery_tag, redelivered, message_count }, &content, FRAME_MAX);
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn a_return_is_written_as_amq_protocol_writes_it(
        channel in 1..=u16::MAX, reply_code: u16, reply_text in "\\PC{0,30}",
        exchange in "\\PC{0,30}", routing_key in "\\PC{0,30}", properties in some_properties(), body in body(),
    ) {
        let method = basic::Return {
            reply_code, reply_text: reply_text.as_str().into(),
            exchange: exchange.as_str().into(), routing_key: routing_key.as_str().into(),
        };
        let expected = with_content(channel, basic::AMQPMethod::Return(method), properties.clone(), &body);
        let (address, properties) = (address(&exchange, &routing_key), property_bytes(&properties));
        let content = Content { address: &address, properties: &properties, body: &body };
        let mut out = Vec::new();
        content_method(&mut out, &ReturnMethod { channel, reply_code, reply_text: &reply_text }, &content, FRAME_MAX);
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn confirms_are_written_as_amq_protocol_writes_them(channel: u16, delivery_tag: u64, multiple: bool) {
        let mut out = Vec::new();
        ack(&mut out, channel, delivery_tag, multiple);
        nack(&mut out, channel, delivery_tag, multiple);
        let nack = basic::Nack { delivery_tag, multiple, requeue: true };
        prop_assert_eq!(out, written(&[
            AMQPFrame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple }))),
            AMQPFrame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Nack(nack))),
        ]));
    }

    #[test]
    fn a_publish_is_read_as_amq_protocol_wrote_it(
        channel in 1..=u16::MAX, exchange in "\\PC{0,30}", routing_key in "\\PC{0,30}",
        mandatory: bool, immediate: bool, properties in some_properties(), body in body(), behind in 0..3_usize,
    ) {
        let method = basic::Publish {
            exchange: exchange.as_str().into(), routing_key: routing_key.as_str().into(), mandatory, immediate,
        };
        let mut bytes = with_content(channel, basic::AMQPMethod::Publish(method), properties.clone(), &body);
        let whole = bytes.len();
        bytes.extend(vec![1; behind]);
        let publish = next_publish(&bytes, FRAME_MAX, MAX_MESSAGE_SIZE).unwrap();
        prop_assert_eq!((publish.channel, publish.mandatory, publish.immediate), (channel, mandatory, immediate));
        prop_assert_eq!((publish.exchange, publish.routing_key), (exchange.as_str(), routing_key.as_bytes()));
        prop_assert_eq!(publish.address, address(&exchange, &routing_key));
        prop_assert_eq!(&*publish.properties, property_bytes(&properties));
        prop_assert_eq!(publish.body.flatten().copied().collect::<Vec<_>>(), body);
        prop_assert_eq!(publish.consumed, whole);
    }

    #[test]
    fn whatever_is_taken_from_damaged_frames_amq_protocol_reads_alike(bytes in damaged_stream()) {
        if let Some(settlement) = next_settlement(&bytes) {
            let (rest, frame) = parse_frame(&bytes[..]).unwrap();
            let FastSettlement { channel, delivery_tag, kind, consumed } = settlement;
            let method = match kind {
                SettlementKind::Ack { multiple } => basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple }),
                SettlementKind::Nack { multiple, requeue } => {
                    basic::AMQPMethod::Nack(basic::Nack { delivery_tag, multiple, requeue })
                }
                SettlementKind::Reject { requeue } => {
                    basic::AMQPMethod::Reject(basic::Reject { delivery_tag, requeue })
                }
            };
            prop_assert_eq!(frame, AMQPFrame::Method(channel, AMQPClass::Basic(method)));
            prop_assert_eq!(bytes.len() - rest.len(), consumed);
        }
        if let Some(publish) = next_publish(&bytes, FRAME_MAX, MAX_MESSAGE_SIZE)
            // It wants UTF-8 where RabbitMQ and we do not.
            && let Ok((mut rest, frame)) = parse_frame(&bytes[..])
        {
            prop_assert_eq!(frame, AMQPFrame::Method(publish.channel, AMQPClass::Basic(
                basic::AMQPMethod::Publish(basic::Publish {
                    exchange: publish.exchange.into(),
                    routing_key: std::str::from_utf8(publish.routing_key).unwrap().into(),
                    mandatory: publish.mandatory,
                    immediate: publish.immediate,
                }),
            )));
            let (behind, header) = parse_frame(rest).unwrap();
            prop_assert!(matches!(header, AMQPFrame::Header(channel, header)
                if channel == publish.channel && header.body_size == u64::from(publish.body_bytes)));
            rest = behind;
            for piece in publish.body {
                let (behind, frame) = parse_frame(rest).unwrap();
                prop_assert_eq!(frame, AMQPFrame::Body(publish.channel, piece.to_vec()));
                rest = behind;
            }
            prop_assert_eq!(bytes.len() - rest.len(), publish.consumed);
        }
    }
}

#[test]
fn a_heartbeat_is_an_empty_frame_on_channel_0() {
    let mut out = Vec::new();
    heartbeat(&mut out);
    assert_eq!(out, written(&[AMQPFrame::Heartbeat]));
}

#[test]
fn a_body_that_fills_its_frames_has_no_empty_tail() {
    let lengths = |bytes| body_frames(1, bytes, 8192).map(|frame| frame.range.len()).collect::<Vec<_>>();
    assert_eq!(lengths(20_000), [8184, 8184, 3632]);
    assert_eq!(lengths(16_368), [8184, 8184]);
    assert_eq!(lengths(0), [0; 0]);
}

#[test]
fn texts_too_long_for_a_short_string_are_cut() {
    let content = Content { address: &[0, 0], properties: &[0, 0], body: b"" };
    let mut out = Vec::new();
    let tag = [b't'; 300];
    let method = Deliver { channel: 1, consumer_tag: &tag, delivery_tag: 1, redelivered: false };
    content_method(&mut out, &method, &content, FRAME_MAX);
    assert_eq!(out[11], 255);
    assert_eq!(out[out.len() - 23], FRAME_END);
}

#[test]
fn a_publish_that_is_not_all_there_is_left_to_the_general_path() {
    let bytes = publish_frames(1, b"\0\x01q\0", b"\0\0", b"hello", 3);
    for end in 0..bytes.len() {
        assert_eq!(next_publish(&bytes[..end], FRAME_MAX, MAX_MESSAGE_SIZE), None);
    }
    assert!(next_publish(&bytes, FRAME_MAX, MAX_MESSAGE_SIZE).is_some());
}

#[test]
fn a_publish_beyond_a_limit_is_left_to_the_general_path() {
    let bytes = publish_frames(1, b"\0\x01q\0", b"\0\0", b"hello", 5);
    assert_eq!(next_publish(&bytes, 4, MAX_MESSAGE_SIZE), None);
    assert_eq!(next_publish(&bytes, FRAME_MAX, 4), None);
}
