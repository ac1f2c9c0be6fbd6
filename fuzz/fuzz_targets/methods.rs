//! Any octets as the payload of a method, running and in each state of the handshake: nothing panics, and what is refused is
//! refused in words that fit `connection.close`.

#![no_main]

use leveret::internals::error::AmqpError;
use leveret::internals::protocol::command::Reply;
use leveret::internals::protocol::frame::{Frame, FrameKind};
use leveret::internals::protocol::handshake::{Handshake, Offer, Step};
use leveret::internals::protocol::method;
use leveret::internals::protocol::sasl::Mechanism;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    if let Err(error) = method::decode(payload) {
        is_sendable(&error);
    }
    let offer =
        Offer { mechanisms: Mechanism::ALL.to_vec(), channel_max: 2047, frame_max: 131_072, heartbeat: 60.into() };
    let frame = Frame { kind: FrameKind::Method, channel: 0, payload };
    if let Step::Authenticate(login, _) = Handshake::StartOkDue.frame(&frame, &offer) {
        let (tune_ok_due, _) = login.accept(&offer);
        assert!(matches!(tune_ok_due.clone().frame(&frame, &offer), Step::CloseSilently(_)));
        let tune_ok = Frame { payload: b"\0\x0a\0\x1f\0\x01\0\0\x20\0\0\0", ..frame };
        let Step::Continue(open_due) = tune_ok_due.frame(&tune_ok, &offer) else { panic!("tune-ok is right") };
        let Step::Close(error) = open_due.frame(&frame, &offer) else { panic!("start-ok is not due") };
        is_sendable(&error);
    }
});

fn is_sendable(error: &AmqpError) {
    let reply_text = error.reply_text();
    assert!(reply_text.len() <= 255);
    let mut out = Vec::new();
    let method = error.method.unwrap_or_default();
    method::encode(&Reply::ConnectionClose { reply_code: error.code.code(), reply_text, method }, 0, &mut out);
    assert_eq!(out.last(), Some(&0xCE));
}
