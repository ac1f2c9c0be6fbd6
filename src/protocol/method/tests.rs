//! Every method a client may send, and every reply, against `amq-protocol`'s own encoding of them.

use amq_protocol::frame::{AMQPFrame, parsing::parse_frame};
use amq_protocol::protocol::{connection, queue};
use proptest::prelude::*;

use super::samples::{a_field_table, methods, payload, replies};
use super::*;
use crate::error::ReplyCode;
use crate::protocol::command::{ChannelMethod, QueueMethod};
use crate::table::Value;

#[track_caller]
fn refused(payload: &[u8], code: ReplyCode, explanation: &str, method: MethodId) {
    let error = decode(payload).unwrap_err();
    assert_eq!((error.code, error.explanation.as_str()), (code, explanation));
    assert_eq!(error.method, Some(method));
}

#[test]
fn every_method_that_clients_send_is_understood() {
    for (class, command) in methods() {
        assert_eq!(decode(&payload(&class)), Ok(command));
    }
}

#[test]
fn every_method_has_a_name() {
    let received = methods().into_iter().map(|(class, _)| payload(&class));
    let sent = replies().into_iter().map(|reply| generate(&reply::to_class(&reply)));
    for payload in received.chain(sent) {
        assert!(name(id(&payload)).is_some(), "{:?}", id(&payload));
    }
}

#[test]
fn a_method_cut_short_anywhere_cannot_be_decoded() {
    for (class, command) in methods() {
        let payload = payload(&class);
        for end in 4..payload.len() {
            let error = decode(&payload[..end]).unwrap_err();
            let text = format!("cannot decode {}", octets::numbers(&payload[4..end]));
            assert_eq!((error.code, error.explanation), (ReplyCode::FrameError, text), "{command:?}");
            assert_eq!(error.method, Some(id(&payload)));
        }
    }
}

#[test]
fn a_method_with_trailing_octets_cannot_be_decoded() {
    for (class, _) in methods() {
        let mut payload = payload(&class);
        payload.push(0);
        let text = format!("cannot decode {}", octets::numbers(&payload[4..]));
        refused(&payload, ReplyCode::FrameError, &text, id(&payload));
    }
}

#[test]
fn undecodable_arguments_show_as_numbers_even_when_printable() {
    refused(b"\0\x5a\0\x0ax", ReplyCode::FrameError, "cannot decode <<120>>", MethodId::new(90, 10));
}

#[test]
fn every_reply_is_a_frame_that_clients_understand() {
    for reply in replies() {
        let mut frame = Vec::new();
        encode(&reply, 3, &mut frame);
        let (rest, parsed) = parse_frame(&frame[..]).unwrap();
        assert_eq!(rest, b"");
        let mut expected = reply::to_class(&reply);
        if let AMQPClass::Connection(connection::AMQPMethod::Start(start)) = &mut expected {
            start.server_properties = a_field_table();
        }
        assert_eq!(parsed, AMQPFrame::Method(3, expected));
    }
}

#[test]
fn replies_with_reserved_fields_are_octet_for_octet_what_rabbitmq_sends() {
    let encoded = |reply| {
        let mut frame = Vec::new();
        encode(&reply, 0, &mut frame);
        frame[7..frame.len() - 1].to_vec()
    };
    assert_eq!(encoded(Reply::ConnectionOpenOk), b"\0\x0a\0\x29\0");
    assert_eq!(encoded(Reply::ChannelOpenOk), b"\0\x14\0\x0b\0\0\0\0");
    assert_eq!(encoded(Reply::AccessRequestOk), b"\0\x1e\0\x0b\0\x01");
    assert_eq!(encoded(Reply::BasicGetEmpty), b"\0\x3c\0\x48\0");
}

#[test]
fn the_order_of_server_properties_is_kept() {
    let mut server_properties = Table::new();
    for name in ["b", "a"] {
        server_properties.insert(name, Value::Bool(true));
    }
    let mut frame = Vec::new();
    let reply = Reply::ConnectionStart { server_properties, mechanisms: "PLAIN".into(), locales: "en_US".into() };
    encode(&reply, 0, &mut frame);
    let payload = b"\0\x0a\0\x0a\0\x09\0\0\0\x08\x01bt\x01\x01at\x01\0\0\0\x05PLAIN\0\0\0\x05en_US";
    assert_eq!(frame[7..frame.len() - 1], payload[..]);
}

#[test]
fn a_text_too_long_for_a_short_string_is_cut_between_characters() {
    let mut frame = Vec::new();
    encode(&Reply::ConnectionBlocked { reason: "€".repeat(100) }, 0, &mut frame);
    assert_eq!(frame[11], 255);
    encode(&Reply::ConnectionBlocked { reason: format!("a{}", "€".repeat(100)) }, 0, &mut frame);
    assert_eq!(frame[frame.len() - 255], 253);
}

#[test]
fn the_prefetch_size_is_read() {
    let command = Command::Basic(BasicMethod::Qos { prefetch_size: 100, prefetch_count: 1, global: false });
    assert_eq!(decode(b"\0\x3c\0\x0a\0\0\0\x64\0\x01\0"), Ok(command));
}

#[test]
fn undefined_bits_are_read_over() {
    assert_eq!(decode(b"\0\x14\0\x14\xff"), Ok(Command::Channel(ChannelMethod::Flow { active: true })));
}

#[test]
fn a_short_string_must_be_utf8() {
    const TEXT: &str = "Malformed UTF-8 in shortstr";
    // queue.declare, queue.bind with its routing key.
    refused(b"\0\x32\0\x0a\0\0\x01\xff\0\0\0\0\0", ReplyCode::FrameError, TEXT, MethodId::NONE);
    refused(b"\0\x32\0\x14\0\0\0\x01x\x01\xff\0\0\0\0\0", ReplyCode::FrameError, TEXT, MethodId::NONE);
}

#[test]
fn a_publish_need_not_be_utf8() {
    let publish = |exchange: &str, routing_key: &[u8]| {
        Command::Basic(BasicMethod::Publish {
            exchange: exchange.into(),
            routing_key: routing_key.to_vec(),
            mandatory: false,
            immediate: false,
        })
    };
    assert_eq!(decode(b"\0\x3c\0\x28\0\0\0\x01\xff\0"), Ok(publish("", b"\xff")));
    assert_eq!(decode(b"\0\x3c\0\x28\0\0\x01\xff\0\0"), Ok(publish("\u{fffd}", b"")));
}

#[test]
fn a_malformed_table_is_a_syntax_error() {
    refused(
        b"\0\x32\0\x0a\0\0\0\0\0\0\0\x03\x01aZ",
        ReplyCode::SyntaxError,
        "malformed field table: unknown field type 90",
        MethodId::new(50, 10),
    );
}

#[test]
fn the_name_of_an_argument_need_not_be_utf8() {
    let Ok(Command::Queue(QueueMethod::Declare { arguments, .. })) = decode(b"\0\x32\0\x0a\0\0\0\0\0\0\0\x03\x01\xffV")
    else {
        panic!("not a queue.declare");
    };
    assert_eq!(arguments.get(b"\xff"), Some(&Value::Void));
}

#[test]
fn tables_nested_as_deep_as_a_frame_allows_do_not_exhaust_the_stack() {
    let mut table = Vec::new();
    for _ in 0..20_000 {
        let length = u32::try_from(table.len()).unwrap().to_be_bytes();
        table = [b"\0F", &length[..], &table].concat();
    }
    let length = u32::try_from(table.len()).unwrap().to_be_bytes();
    let payload = [b"\0\x32\0\x0a\0\0\0\0", &length[..], &table].concat();
    assert_eq!(decode(&payload).unwrap_err().code, ReplyCode::SyntaxError);
}

#[test]
fn methods_that_only_servers_send_or_nobody_knows_are_unimplemented() {
    for (class_id, method_id, arguments) in [(50, 11, &[0; 9][..]), (20, 11, &[0; 4]), (50, 99, &[]), (99, 10, &[7])] {
        let method = MethodId::new(class_id, method_id);
        let payload = [&class_id.to_be_bytes()[..], &method_id.to_be_bytes(), arguments].concat();
        assert_eq!(decode(&payload), Ok(Command::Unimplemented(method)));
    }
}

#[test]
fn a_payload_without_ids_is_an_unknown_frame() {
    refused(b"\0\x32\0", ReplyCode::FrameError, "type 1, all octets = <<0,50,0>>: unknown_frame", MethodId::NONE);
}

proptest! {
    /// The ids of real methods in front, so that arguments are reached.
    #[test]
    fn no_octets_make_decoding_panic(
        class_id in prop::sample::select(vec![10_u16, 20, 30, 40, 50, 60, 85, 90, 7]),
        method_id in prop::sample::select(vec![10_u16, 11, 20, 21, 30, 31, 40, 50, 60, 70, 80, 90, 100, 110, 120]),
        arguments in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let payload = [&class_id.to_be_bytes()[..], &method_id.to_be_bytes(), &arguments].concat();
        // Whatever comes out of it; arguments may even be right.
        drop(decode(&payload));
    }

    #[test]
    fn a_declaration_reads_back_as_it_was_written(
        name in "\\PC{0,60}",
        bits in any::<[bool; 5]>(),
        arguments in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), any::<i64>()), 0..5),
    ) {
        let mut table = Table::new();
        for (name, value) in arguments {
            table.insert(name, Value::I64(value));
        }
        let mut payload = payload(&AMQPClass::Queue(queue::AMQPMethod::Declare(queue::Declare {
            queue: name.as_str().into(),
            passive: bits[0],
            durable: bits[1],
            exclusive: bits[2],
            auto_delete: bits[3],
            nowait: bits[4],
            ..Default::default()
        })));
        payload.truncate(payload.len() - LENGTH_BYTES);
        table.encode(&mut payload);
        prop_assert_eq!(decode(&payload), Ok(Command::Queue(QueueMethod::Declare {
            queue: name,
            passive: bits[0],
            durable: bits[1],
            exclusive: bits[2],
            auto_delete: bits[3],
            no_wait: bits[4],
            arguments: table,
        })));
    }
}
