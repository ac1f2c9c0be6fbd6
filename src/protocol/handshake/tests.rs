use super::*;
use crate::error::{ReplyCode, Scope};

fn offer() -> Offer {
    Offer {
        mechanisms: vec![Mechanism::Plain, Mechanism::AmqPlain, Mechanism::Anonymous],
        channel_max: 2047,
        frame_max: 131_072,
        heartbeat: 60.into(),
    }
}

fn identity() -> Identity {
    Identity {
        product: "RabbitMQ".into(),
        version: "4.3.6".into(),
        platform: "Rust".into(),
        information: "information".into(),
        copyright: "copyright".into(),
        leveret_version: "0.1.0".into(),
    }
}

fn method(payload: &[u8]) -> Frame<'_> {
    Frame { kind: FrameKind::Method, channel: 0, payload }
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn start_ok(properties: &[u8], mechanism: &str, response: &[u8]) -> Vec<u8> {
    [b"\0\x0a\0\x0b", &long(properties)[..], &short(mechanism), &long(response), &short("xx_XX")].concat()
}

fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    [b"\0\x0a\0\x1f", &channel_max.to_be_bytes()[..], &frame_max.to_be_bytes(), &heartbeat.to_be_bytes()].concat()
}

const OPEN: &[u8] = b"\0\x0a\0\x28\x01/\0\0";
const CHANNEL_OPEN: &[u8] = b"\0\x14\0\x0a\0";
const GUEST: &[u8] = b"\0guest\0guest";

/// Client properties with this one capability.
fn capability(name: &str, value: &[u8]) -> Vec<u8> {
    [&short("capabilities")[..], b"F", &long(&[&short(name)[..], value].concat())].concat()
}

fn login(properties: &[u8]) -> Login {
    let step = Handshake::StartOkDue.frame(&method(&start_ok(properties, "PLAIN", GUEST)), &offer());
    let Step::Authenticate(login, _) = step else { panic!("{step:?}") };
    login
}

fn tune_ok_due() -> Handshake {
    login(b"").accept(&offer()).0
}

fn open_due() -> Handshake {
    let step = tune_ok_due().frame(&method(&tune_ok(100, 8192, 10)), &offer());
    let Step::Continue(handshake) = step else { panic!("{step:?}") };
    handshake
}

/// The three states, before and behind the point from which errors are sent.
fn silent_states() -> [Handshake; 2] {
    [Handshake::StartOkDue, tune_ok_due()]
}

#[track_caller]
fn closes(step: Step, code: ReplyCode, explanation: &str, id: MethodId) {
    let Step::Close(error) = step else { panic!("{step:?}") };
    assert_eq!((error.scope, error.code), (Scope::Connection, code));
    assert_eq!((error.explanation.as_str(), error.method), (explanation, Some(id)));
}

#[track_caller]
fn is_silent(step: Step) {
    assert!(matches!(step, Step::CloseSilently(_)), "{step:?}");
}

#[test]
fn amqp_0_9_1_and_0_9_are_accepted() {
    assert_eq!(protocol_header(b"AMQP\0\0\x09\x01"), ProtocolHeader::Accepted);
    assert_eq!(protocol_header(b"AMQP\x01\x01\0\x09more"), ProtocolHeader::Accepted);
}

// spec-test: connection.start/protocol-name
#[test]
fn every_other_eight_octets_are_refused() {
    for header in [b"AMQP\0\0\x09\x02", b"AMQP\x03\x01\0\0", b"AMQP\x01\x01\x08\0", b"GET / HT"] {
        assert_eq!(protocol_header(header), ProtocolHeader::Refused);
    }
}

#[test]
fn fewer_than_eight_octets_wait_for_more() {
    assert_eq!(protocol_header(b""), ProtocolHeader::Incomplete);
    assert_eq!(protocol_header(b"GET / H"), ProtocolHeader::Incomplete);
}

#[test]
fn start_offers_mechanisms_and_properties_in_rabbitmqs_order() {
    let (_, reply) = start(&identity(), "rabbit@host", &offer());
    let Reply::ConnectionStart { server_properties, mechanisms, locales } = reply else { panic!("{reply:?}") };
    assert_eq!((mechanisms.as_str(), locales.as_str()), ("PLAIN AMQPLAIN ANONYMOUS", "en_US"));
    let names: Vec<_> = server_properties.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(server_properties.get("version"), Some(&Value::LongString(b"4.3.6".to_vec())));
    let Some(Value::Table(capabilities)) = server_properties.get("capabilities") else { panic!("no capabilities") };
    let capabilities: Vec<_> = capabilities.iter().map(|(name, _)| name.to_vec()).collect();
    assert_eq!(capabilities.first().unwrap(), b"publisher_confirms");
    assert_eq!(capabilities.last().unwrap(), b"direct_reply_to");
    assert_eq!(capabilities.len(), 9);
}

#[test]
fn a_handshake_goes_from_start_ok_to_open() {
    let step = Handshake::StartOkDue.frame(&method(&start_ok(b"", "PLAIN", GUEST)), &offer());
    let Step::Authenticate(login, credentials) = step else { panic!("{step:?}") };
    assert_eq!(credentials, Credentials::Password { user: "guest".into(), password: b"guest".to_vec() });
    let (handshake, reply) = login.accept(&offer());
    assert_eq!(reply, Reply::ConnectionTune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 });
    assert_eq!(handshake.frame_max(), 8192);
    let step = handshake.frame(&method(&tune_ok(100, 16_384, 600)), &offer());
    let Step::Continue(handshake) = step else { panic!("{step:?}") };
    assert_eq!(handshake.frame_max(), 16_384);
    let step = handshake.frame(&method(OPEN), &offer());
    let Step::Open { client, tuning, virtual_host } = step else { panic!("{step:?}") };
    assert_eq!(tuning, Tuning { channel_max: 100, frame_max: 16_384, heartbeat: 600 });
    assert_eq!((client.mechanism, virtual_host.as_str()), (Mechanism::Plain, "/"));
}

#[test]
fn client_properties_tell_name_and_capabilities() {
    let name = [&short("connection_name")[..], b"S", &long(b"worker 1")].concat();
    let properties = [capability("connection.blocked", b"t\x01"), name].concat();
    let login = login(&properties);
    assert_eq!(login.client().connection_name.as_deref(), Some("worker 1"));
    assert_eq!(login.client().capabilities, ClientCapabilities { connection_blocked: true, ..Default::default() });
}

#[test]
fn capabilities_count_only_when_they_are_true() {
    for value in [&b"t\0"[..], b"b\x01", b"V"] {
        assert_eq!(login(&capability("basic.nack", value)).client().capabilities, ClientCapabilities::default());
    }
}

#[test]
fn a_refused_login_is_told_to_clients_that_want_to_know() {
    closes(
        login(&capability("authentication_failure_close", b"t\x01")).refuse(),
        ReplyCode::AccessRefused,
        "Login was refused using authentication mechanism PLAIN. For details see the broker logfile.",
        MethodId::NONE,
    );
    is_silent(login(b"").refuse());
}

// spec-test: connection.start-ok/mechanism/validity
#[test]
fn mechanisms_that_are_not_offered_are_refused_silently() {
    for mechanism in ["EXTERNAL", "plain", "", "SCRAM-SHA-256"] {
        is_silent(Handshake::StartOkDue.frame(&method(&start_ok(b"", mechanism, GUEST)), &offer()));
    }
}

#[test]
fn a_malformed_response_is_refused_silently() {
    is_silent(Handshake::StartOkDue.frame(&method(&start_ok(b"", "PLAIN", b"")), &offer()));
}

// spec-test: connection.tune-ok/channel-max/upper-limit
// spec-test: connection.tune-ok/frame-max/upper-limit
#[test]
fn limits_may_only_be_lowered_and_never_lifted() {
    for (channel_max, frame_max) in [(0, 8192), (2048, 8192), (1, 8191), (1, 0), (1, 131_073)] {
        is_silent(tune_ok_due().frame(&method(&tune_ok(channel_max, frame_max, 0)), &offer()));
    }
    for (channel_max, frame_max) in [(1, 8192), (2047, 131_072)] {
        let step = tune_ok_due().frame(&method(&tune_ok(channel_max, frame_max, 0)), &offer());
        assert!(matches!(step, Step::Continue(Handshake::OpenDue(..))));
    }
}

#[test]
fn heartbeats_are_read_over() {
    for state in [Handshake::StartOkDue, tune_ok_due(), open_due()] {
        let frame = Frame { kind: FrameKind::Heartbeat, channel: 0, payload: b"" };
        assert_eq!(state.clone().frame(&frame, &offer()), Step::Continue(state));
    }
}

#[test]
fn whatever_else_comes_before_tune_ok_is_answered_with_silence() {
    for state in silent_states() {
        is_silent(state.clone().frame(&method(OPEN), &offer()));
        is_silent(state.clone().frame(&method(b"\0\x0a\0\x63"), &offer()));
        is_silent(state.clone().frame(&Frame { kind: FrameKind::Method, channel: 1, payload: CHANNEL_OPEN }, &offer()));
        is_silent(state.fail(AmqpError::frame_error("any")));
    }
}

#[test]
fn another_method_where_open_is_due_is_refused_aloud() {
    const TEXT: &str = "unexpected method in connection state opening";
    for (payload, id) in [
        (&tune_ok(1, 8192, 0)[..], MethodId::new(10, 31)),
        (b"\0\x0a\0\x33", MethodId::new(10, 51)),
        (CHANNEL_OPEN, MethodId::new(20, 10)),
    ] {
        closes(open_due().frame(&method(payload), &offer()), ReplyCode::ChannelError, TEXT, id);
    }
}

#[test]
fn a_channel_opened_before_the_connection_is_refused_aloud() {
    closes(
        open_due().frame(&Frame { kind: FrameKind::Method, channel: 1, payload: CHANNEL_OPEN }, &offer()),
        ReplyCode::UnexpectedFrame,
        "type 1, all octets = <<0,20,0,10,0>>",
        MethodId::NONE,
    );
}
