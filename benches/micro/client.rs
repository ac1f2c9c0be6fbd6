//! A broker and its clients without sockets: bytes in, bytes out, in one thread.

use std::net::SocketAddr;
use std::sync::Arc;

use leveret::internals::auth::Logins;
use leveret::internals::broker::Broker;
use leveret::internals::broker::node::Node;
use leveret::internals::broker::own_users::OwnUsers;
use leveret::internals::connection::protocol::Protocol;
use leveret::internals::connection::session::{Addresses, Hosting, Session};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::protocol::handshake::{Identity, Offer};
use leveret::internals::protocol::sasl::Mechanism;
use leveret::internals::table::Table;

/// Some time, which stands still.
const NOW_MS: u64 = 1_600_000_000_000;

pub(crate) const FRAME_MAX: u32 = 131_072;

/// One connection with channel 1 open.
pub(crate) struct Client {
    session: Session,
}

impl Client {
    pub(crate) fn open(hosting: &Arc<Hosting>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let addresses = Addresses { peer: address, local: address };
        let session = Session::new(Arc::clone(hosting), addresses, NOW_MS);
        let mut client = Self { session };
        let start_ok = [&[0; 4][..], &short(b"PLAIN"), b"\0\0\0\x0c\0guest\0guest", &short(b"en_US")].concat();
        client.send(b"AMQP\x00\x00\x09\x01");
        client.send(&method(0, 10, 11, &start_ok));
        client.send(&method(0, 10, 31, b"\x07\xff\x00\x02\x00\x00\x00\x00"));
        client.send(&method(0, 10, 40, b"\x01/\x00\x00"));
        client.send(&method(1, 20, 10, b"\x00"));
        client.read();
        client
    }

    pub(crate) fn declare(&mut self, queue: &str) {
        self.declare_with(queue, &[0; 4]);
    }

    /// Declares a queue with arguments, which are encoded with their length.
    pub(crate) fn declare_with(&mut self, queue: &str, arguments: &[u8]) {
        self.call(50, 10, &[&[0; 2], &*short(queue.as_bytes()), &[0], arguments].concat());
    }

    /// Declares n exchanges whose names are x and a number.
    pub(crate) fn declare_exchanges(&mut self, n: u32, kind: &str) {
        for number in 0..n {
            let name = short(format!("x{number}").as_bytes());
            self.call(40, 10, &[&[0; 2], &*name, &short(kind.as_bytes()), &[0; 5]].concat());
        }
    }

    pub(crate) fn bind_queue(&mut self, queue: &str, exchange: &str, key: &str, arguments: &[u8]) {
        let names = [queue, exchange, key].map(|name| short(name.as_bytes())).concat();
        self.call(50, 20, &[&[0; 2], &*names, &[0], arguments].concat());
    }

    pub(crate) fn bind_exchange(&mut self, destination: &str, source: &str, key: &str) {
        let names = [destination, source, key].map(|name| short(name.as_bytes())).concat();
        self.call(40, 30, &[&[0; 2], &*names, &[0; 5]].concat());
    }

    /// Sends a method on channel 1, which must have an answer or take effect, and reads everything.
    pub(crate) fn call(&mut self, class: u16, id: u16, arguments: &[u8]) {
        self.send(&method(1, class, id, arguments));
        self.read();
    }

    pub(crate) fn prefetch(&mut self, count: u16) {
        self.send(&method(1, 60, 10, &[&[0; 4][..], &count.to_be_bytes(), &[0]].concat()));
        self.read();
    }

    pub(crate) fn consume(&mut self, queue: &str, no_ack: bool) {
        let bits = if no_ack { 2 } else { 0 };
        let arguments = [&[0; 2], &*short(queue.as_bytes()), &short(b"c"), &[bits, 0, 0, 0, 0]].concat();
        self.send(&method(1, 60, 20, &arguments));
    }

    pub(crate) fn confirm_select(&mut self) {
        self.send(&method(1, 85, 10, &[0]));
        self.read();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = self.session.receive(rest, NOW_MS);
            assert!(used == rest.len() || self.session.is_turn_over(), "the broker takes everything that is complete");
            rest = rest.get(used..).unwrap_or_default();
            self.session.begin_turn();
        }
    }

    /// Reads everything there is; returns how many bytes.
    pub(crate) fn read(&mut self) -> usize {
        let mut read = 0;
        loop {
            self.session.deliver(NOW_MS);
            let Some(output) = self.session.output().filter(|output| !output.is_empty()) else { return read };
            let count = output.slices().iter().map(|slice| slice.len()).sum();
            output.advance(count);
            read += count;
        }
    }
}

pub(crate) fn hosting() -> Arc<Hosting> {
    let broker = Broker::new(Arc::new(Node::default()));
    assert!(broker.begin().is_ok(), "a new broker has guest");
    let identity = Identity::default();
    let offer =
        Offer { mechanisms: vec![Mechanism::Plain], channel_max: 2047, frame_max: FRAME_MAX, heartbeat: 0.into() };
    let logins = Logins::of(Arc::new(OwnUsers::new(&broker)));
    Arc::new(Hosting { broker: Arc::new(broker), logins, identity, offer, external: None })
}

/// A whole publish to the default exchange, on channel 1.
pub(crate) fn publish(queue: &str, body_bytes: usize) -> Vec<u8> {
    let arguments = [&[0; 3], &*short(queue.as_bytes()), &[0]].concat();
    let body = vec![b'x'; body_bytes];
    let mut bytes = method(1, 60, 40, &arguments);
    let header = [&[0, 60, 0, 0][..], &u64::try_from(body_bytes).unwrap_or(0).to_be_bytes(), &[0; 2]].concat();
    bytes.extend(frame(2, 1, &header));
    bytes.extend(frame(3, 1, &body));
    bytes
}

/// A publish of an empty message with these headers, on channel 1.
pub(crate) fn publish_with_headers(exchange: &str, key: &str, headers: &Table) -> Vec<u8> {
    let names = [exchange, key].map(|name| short(name.as_bytes())).concat();
    let mut bytes = method(1, 60, 40, &[&[0; 2], &*names, &[0]].concat());
    let properties = PropertiesEditor::new().set_headers(headers).build();
    bytes.extend(frame(2, 1, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &properties].concat()));
    bytes
}

/// How long an encoded ack is, and where its delivery tag stands.
pub(crate) const ACK_BYTES: usize = 21;
pub(crate) const ACK_TAG: std::ops::Range<usize> = 11..19;

/// A `basic.ack` of one delivery.
pub(crate) fn ack(delivery_tag: u64) -> Vec<u8> {
    method(1, 60, 80, &[&delivery_tag.to_be_bytes()[..], &[0]].concat())
}

pub(crate) fn method(channel: u16, class: u16, id: u16, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat())
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes(), payload, &[0xce]].concat()
}

pub(crate) fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap_or(u8::MAX)][..], text].concat()
}
