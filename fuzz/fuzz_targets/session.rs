//! Two whole connections on one broker, fed with steps: nothing panics, nothing they leave behind is still theirs, and memory
//! is given back.
//!
//! The input is read as a program: an octet that names a step, then what the step needs. Most steps are well-formed frames
//! with chosen arguments, so that the fuzzer gets far; some are any octets at all.

#![no_main]

use std::net::SocketAddr;
use std::sync::Arc;

use leveret::internals::auth::Logins;
use leveret::internals::broker::Broker;
use leveret::internals::broker::alarm::Alarm;
use leveret::internals::broker::exchange::EXCHANGE_TYPES;
use leveret::internals::broker::node::{Node, NodeSettings};
use leveret::internals::broker::own_users::OwnUsers;
use leveret::internals::broker::random::Random;
use leveret::internals::connection::protocol::Protocol;
use leveret::internals::connection::session::{Addresses, Hosting, Session};
use leveret::internals::protocol::handshake::{Identity, Offer};
use leveret::internals::protocol::sasl::Mechanism;
use libfuzzer_sys::fuzz_target;

const WATERMARK_BYTES: u64 = 64 * 1024;
const CLIENTS: usize = 2;

fuzz_target!(|input: &[u8]| {
    let broker = broker();
    let hosting = hosting(&broker);
    let mut now_ms = 1_600_000_000_000;
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(&hosting, now_ms)).collect();
    let mut program = Program(input);
    while !program.0.is_empty() {
        program.step(&mut clients, &broker, &mut now_ms);
    }
    for client in &mut clients {
        client.session.end(None, now_ms);
    }
    drop(clients);
    let vhost = broker.vhost("/").expect("it was added");
    vhost.read(|topology| {
        for queue in topology.queues() {
            assert_eq!((queue.counts().unacked, queue.counts().consumers), (0, 0));
        }
    });
    assert!(!broker.node().alarm.is_raised() || broker.node().memory.bytes() > 0);
});

struct Client {
    session: Session,
    /// What the session did not use up.
    unused: Vec<u8>,
}

impl Client {
    fn open(hosting: &Arc<Hosting>, now_ms: u64) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let addresses = Addresses { peer: address, local: address };
        let session = Session::new(Arc::clone(hosting), addresses, now_ms);
        let mut client = Self { session, unused: Vec::new() };
        let mut hello = b"AMQP\x00\x00\x09\x01".to_vec();
        let mut start_ok = table(&[("capabilities", table_value(&[("consumer_cancel_notify", vec![b't', 1])]))]);
        start_ok.extend(short(b"PLAIN"));
        start_ok.extend(long(b"\0guest\0guest"));
        start_ok.extend(short(b"en_US"));
        hello.extend(method(0, 10, 11, &start_ok));
        hello.extend(method(0, 10, 31, b"\x07\xff\x00\x02\x00\x00\x00\x05"));
        hello.extend(method(0, 10, 40, b"\x01/\x00\x00"));
        hello.extend(method(1, 20, 10, b"\x00"));
        hello.extend(method(2, 20, 10, b"\x00"));
        client.send(&hello, now_ms);
        client
    }

    fn send(&mut self, octets: &[u8], now_ms: u64) {
        self.unused.extend_from_slice(octets);
        self.session.begin_turn();
        while self.session.wants_read() {
            let used = self.session.receive(&self.unused, now_ms);
            self.unused.drain(..used);
            if !self.session.is_turn_over() {
                break;
            }
            self.session.begin_turn();
        }
    }

    /// The client reads up to this many octets.
    fn read(&mut self, count: usize, now_ms: u64) {
        self.session.deliver(now_ms);
        if let Some(output) = self.session.output() {
            let count = count.min(output.slices().iter().map(|slice| slice.len()).sum());
            output.advance(count);
        }
        self.session.deliver(now_ms);
        self.send(&[], now_ms);
    }
}

struct Program<'a>(&'a [u8]);

impl Program<'_> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    /// One of a few names, so that steps meet.
    fn name(&mut self) -> Vec<u8> {
        const NAMES: [&[u8]; 10] = [
            b"",
            b"a",
            b"b",
            b"c",
            b"amq.topic",
            b"amq.fanout",
            b"amq.headers",
            b"a.b",
            b"#.a",
            b"amq.rabbitmq.reply-to",
        ];
        short(NAMES[usize::from(self.octet()) % NAMES.len()])
    }

    fn arguments(&mut self) -> Vec<u8> {
        const NAMES: [&str; 16] = [
            "x-message-ttl",
            "x-expires",
            "x-max-length",
            "x-max-length-bytes",
            "x-overflow",
            "x-dead-letter-exchange",
            "x-dead-letter-routing-key",
            "x-max-priority",
            "x-single-active-consumer",
            "x-queue-type",
            "x-delivery-limit",
            "alternate-exchange",
            "x-delayed-type",
            "x-match",
            "x-priority",
            "x-dead-letter-strategy",
        ];
        const TEXTS: [&[u8]; 8] =
            [b"", b"a", b"b", b"quorum", b"reject-publish", b"reject-publish-dlx", b"fanout", b"at-least-once"];
        let fields: Vec<_> = (0..self.octet() % 4)
            .map(|_| {
                let name = NAMES[usize::from(self.octet()) % NAMES.len()];
                let value = match self.octet() % 3 {
                    0 => [&b"I\0\0\0"[..], &[self.octet()]].concat(),
                    1 => [&b"S"[..], &long(TEXTS[usize::from(self.octet()) % TEXTS.len()])].concat(),
                    _ => vec![b't', 1],
                };
                (name, value)
            })
            .collect();
        table(&fields)
    }

    fn step(&mut self, clients: &mut [Client], broker: &Broker, now_ms: &mut u64) {
        let selector = self.octet();
        let client = &mut clients[usize::from(selector >> 7)];
        let channel = 1 + u16::from((selector >> 6) & 1);
        match selector & 0x3f {
            0 => {
                let count = usize::from(self.octet());
                let octets = self.octets(count);
                client.send(&octets, *now_ms);
            }
            1 => {
                *now_ms += u64::from(self.octet()) * 50;
                broker.run_deadlines(*now_ms);
                client.session.on_timer(*now_ms);
            }
            2 => client.read(usize::from(self.octet()) * 64, *now_ms),
            3 => client.read(usize::MAX, *now_ms),
            selected => {
                let octets = self.frames(selected, channel);
                client.send(&octets, *now_ms);
            }
        }
    }

    fn frames(&mut self, selected: u8, channel: u16) -> Vec<u8> {
        let bits = |program: &mut Self| vec![program.octet()];
        let (class, id, parts): (u16, u16, Vec<Vec<u8>>) = match selected {
            4 => (20, 10, vec![short(b"")]),
            5 => (20, 41, vec![]),
            6 => (20, 40, vec![vec![0, 200], short(b"bye"), vec![0; 4]]),
            7 => (40, 10, vec![vec![0; 2], self.name(), short(self.kind()), bits(self), self.arguments()]),
            8 => (40, 20, vec![vec![0; 2], self.name(), bits(self)]),
            9 => (40, 30, vec![vec![0; 2], self.name(), self.name(), self.name(), bits(self), self.arguments()]),
            10 => (40, 40, vec![vec![0; 2], self.name(), self.name(), self.name(), bits(self), self.arguments()]),
            11..=14 => (50, 10, vec![vec![0; 2], self.name(), bits(self), self.arguments()]),
            15 | 16 => (50, 20, vec![vec![0; 2], self.name(), self.name(), self.name(), bits(self), self.arguments()]),
            17 => (50, 50, vec![vec![0; 2], self.name(), self.name(), self.name(), self.arguments()]),
            18 => (50, 30, vec![vec![0; 2], self.name(), bits(self)]),
            19 => (50, 40, vec![vec![0; 2], self.name(), bits(self)]),
            20 => (60, 10, vec![vec![0; 5], vec![self.octet() % 4], bits(self)]),
            21..=24 => (60, 20, vec![vec![0; 2], self.name(), self.name(), bits(self), self.arguments()]),
            25 => (60, 30, vec![self.name(), bits(self)]),
            26 | 27 => (60, 70, vec![vec![0; 2], self.name(), bits(self)]),
            28..=31 => (60, 80, vec![vec![0; 7], bits(self), bits(self)]),
            32 | 33 => (60, 90, vec![vec![0; 7], bits(self), bits(self)]),
            34 | 35 => (60, 120, vec![vec![0; 7], bits(self), bits(self)]),
            36 => (60, 110, vec![bits(self)]),
            37 => (85, 10, vec![bits(self)]),
            38 => (90, 10, vec![]),
            39 => (90, 20, vec![]),
            40 => (90, 30, vec![]),
            41 => {
                let count = usize::from(self.octet() % 32);
                (u16::from(self.octet()), u16::from(self.octet()), vec![self.octets(count)])
            }
            _ => return self.publish(channel),
        };
        method(channel, class, id, &parts.concat())
    }

    fn kind(&mut self) -> &'static [u8] {
        // One more is a type that there is not.
        let chosen = usize::from(self.octet()) % (EXCHANGE_TYPES.len() + 1);
        EXCHANGE_TYPES.get(chosen).map_or(b"bogus", |exchange_type| exchange_type.name.as_bytes())
    }

    fn publish(&mut self, channel: u16) -> Vec<u8> {
        let arguments = [vec![0; 2], self.name(), self.name(), vec![self.octet() & 1]].concat();
        let mut octets = method(channel, 60, 40, &arguments);
        let body_bytes = usize::from(self.octet()) * usize::from(self.octet() % 33);
        let mut properties = vec![0, 60, 0, 0];
        properties.extend((body_bytes as u64).to_be_bytes());
        properties.extend(self.properties());
        octets.extend(frame(2, channel, &properties));
        for piece in vec![b'x'; body_bytes].chunks(8000) {
            octets.extend(frame(3, channel, piece));
        }
        octets
    }

    fn properties(&mut self) -> Vec<u8> {
        match self.octet() % 6 {
            0 => vec![0x10, 0, 2],
            1 => [&[0x08, 0][..], &[self.octet()]].concat(),
            2 => [&[0x01, 0][..], &short(b"50")].concat(),
            3 => [&[0x02, 0][..], &short(b"amq.rabbitmq.reply-to")].concat(),
            4 => {
                let copies = [&b"A\0\0\0\x06S\0\0\0\x01"[..], b"b"].concat();
                [
                    &[0x20, 0][..],
                    &table(&[("BCC", copies.clone()), ("CC", copies), ("x-delay", b"I\0\0\0\x64".to_vec())]),
                ]
                .concat()
            }
            _ => vec![0, 0],
        }
    }
}

fn broker() -> Arc<Broker> {
    let node = Node {
        settings: NodeSettings::default(),
        random: Random::seeded(7),
        alarm: Alarm::new(WATERMARK_BYTES, u64::MAX),
        ..Node::default()
    };
    node.set_message_bytes_max(4096);
    let broker = Broker::new(Arc::new(node));
    broker.begin().expect("a new broker has guest");
    Arc::new(broker)
}

fn hosting(broker: &Arc<Broker>) -> Arc<Hosting> {
    let identity = Identity::default();
    let mechanisms = vec![Mechanism::Plain];
    let offer = Offer { mechanisms, channel_max: 2047, frame_max: 131_072, heartbeat: 60.into() };
    let logins = Logins::of(Arc::new(OwnUsers::new(broker)));
    Arc::new(Hosting { broker: Arc::clone(broker), logins, identity, offer, external: None })
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend(channel.to_be_bytes());
    octets.extend((payload.len() as u32).to_be_bytes());
    octets.extend(payload);
    octets.push(0xce);
    octets
}

fn method(channel: u16, class: u16, id: u16, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat())
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8][..], text].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text].concat()
}

fn table(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    long(&fields.iter().flat_map(|(name, value)| [short(name.as_bytes()), value.clone()].concat()).collect::<Vec<_>>())
}

fn table_value(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    [vec![b'F'], table(fields)].concat()
}
