//! Whole connections without sockets, where timing decides over a socket.

mod log;
mod pace;
mod stopping;
mod suspended;
mod traced;
mod waking;

use std::net::SocketAddr;
use std::sync::Arc;

use super::outbox::{Outbox, delivery_bytes};
use super::protocol::Protocol;
use super::session::{Addresses, Hosting, Session};
use crate::auth::Logins;
use crate::broker::Broker;
use crate::broker::ids::ConsumerId;
use crate::broker::node::Node;
use crate::broker::own_users::OwnUsers;
use crate::broker::registry::ChannelInfo;
use crate::broker::reply_to::ReplyBudget;
use crate::broker::sink::{Delivery, Notice, Sink};
use crate::message::{Facts, MemoryGauge, Message};
use crate::protocol::handshake::{Identity, Offer};
use crate::protocol::sasl::Mechanism;

fn hosting() -> Arc<Hosting> {
    hosting_with(Node::default())
}

fn hosting_with(node: Node) -> Arc<Hosting> {
    let broker = Broker::new(Arc::new(node));
    broker.begin().unwrap();
    let identity = Identity::default();
    let offer =
        Offer { mechanisms: vec![Mechanism::Plain], channel_max: 2047, frame_max: 131_072, heartbeat: 0.into() };
    let logins = Logins::of(Arc::new(OwnUsers::new(&broker)));
    Arc::new(Hosting { broker: Arc::new(broker), logins, identity, offer, external: None })
}

/// A client and its session, with what is on its way between them.
struct Client {
    session: Session,
    unused: Vec<u8>,
}

impl Client {
    /// With channels 1 and 2 open, and everything so far read.
    fn open(hosting: &Arc<Hosting>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let addresses = Addresses { peer: address, local: address };
        let mut session = Session::new(Arc::clone(hosting), addresses, 0);
        let start_ok = [&long(b"")[..], &short(b"PLAIN"), &long(b"\0guest\0guest"), &short(b"en_US")].concat();
        let hello = [
            b"AMQP\x00\x00\x09\x01".to_vec(),
            method(0, (10, 11), &start_ok),
            method(0, (10, 31), b"\x07\xff\x00\x02\x00\x00\x00\x00"),
            method(0, (10, 40), b"\x01/\x00\x00"),
            method(1, (20, 10), b"\x00"),
            method(2, (20, 10), b"\x00"),
        ];
        let hello = hello.concat();
        assert_eq!(session.receive(&hello, 0), hello.len());
        let mut client = Self { session, unused: Vec::new() };
        client.read();
        client
    }

    fn send(&mut self, bytes: &[u8]) {
        self.unused.extend_from_slice(bytes);
        while self.send_a_turn() {}
    }

    /// What is left is handed over until others are to go first; whether they are.
    fn send_a_turn(&mut self) -> bool {
        let used = self.session.receive(&self.unused, 0);
        self.unused.drain(..used);
        let is_turn_over = self.session.is_turn_over();
        self.session.begin_turn();
        is_turn_over
    }

    /// Everything that the session has to say now.
    fn read(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let output = self.session.output().expect("it is open");
        while !output.is_empty() {
            let bytes: Vec<u8> = output.slices().iter().flat_map(|slice| slice.to_vec()).collect();
            output.advance(bytes.len());
            all.extend(bytes);
        }
        all
    }

    fn pending_bytes(&mut self) -> usize {
        self.session.output().map_or(0, |output| output.pending_bytes())
    }
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &length, payload, &[0xce]].concat()
}

fn method(channel: u16, (class, id): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat())
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("short")][..], text].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).expect("short").to_be_bytes()[..], text].concat()
}

fn declare(channel: u16, queue: &[u8]) -> Vec<u8> {
    method(channel, (50, 10), &[&[0, 0][..], &short(queue), &[0], &long(b"")].concat())
}

const NO_ACK: u8 = 2;

fn consume(channel: u16, queue: &[u8], flags: u8) -> Vec<u8> {
    method(channel, (60, 20), &[&[0, 0][..], &short(queue), &short(queue), &[flags], &long(b"")].concat())
}

fn publish(channel: u16, queue: &[u8], body: &[u8]) -> Vec<u8> {
    let address = [&[0, 0][..], &short(b""), &short(queue), &[0]].concat();
    let header = [&[0, 60, 0, 0][..], &(body.len() as u64).to_be_bytes(), &[0, 0]].concat();
    [method(channel, (60, 40), &address), frame(2, channel, &header), frame(3, channel, body)].concat()
}

fn get(channel: u16, queue: &[u8]) -> Vec<u8> {
    method(channel, (60, 70), &[&[0, 0][..], &short(queue), &[1]].concat())
}

/// A batch of small requests can have large answers: it is not worked off in one go, however much of it was read.
#[test]
fn a_client_that_asks_and_does_not_read_is_not_answered_without_end() {
    const MESSAGES: usize = 4_000;
    const BODY_BYTES: usize = 7_000;
    let mut client = Client::open(&hosting());
    client.send(&declare(1, b"q"));
    client.send(&publish(1, b"q", &[7; BODY_BYTES]).repeat(MESSAGES));
    client.read();
    client.send(&get(1, b"q").repeat(MESSAGES));
    assert!(client.pending_bytes() < 9 * 1024 * 1024, "{} bytes wait to be read", client.pending_bytes());
    assert!(!client.session.wants_read());
    let mut read_bytes = 0;
    while !client.unused.is_empty() {
        read_bytes += client.read().len();
        client.send(b"");
    }
    read_bytes += client.read().len();
    assert!(read_bytes > MESSAGES * BODY_BYTES, "{read_bytes}");
}

/// Deliveries that wait for a channel which is closed meanwhile are dropped; what came behind them was forgotten, because nobody
/// woke the connection any more.
#[test]
fn deliveries_behind_those_of_a_closed_channel_are_not_forgotten() {
    let hosting = hosting();
    let (mut consumer, mut publisher) = (Client::open(&hosting), Client::open(&hosting));
    consumer.send(
        &[declare(1, b"one"), declare(2, b"two"), consume(1, b"one", NO_ACK), consume(2, b"two", NO_ACK)].concat(),
    );
    consumer.read();
    publisher.send(&publish(1, b"one", &[7; 7_000]).repeat(100));
    // Not all of it goes out at once.
    consumer.session.deliver(0);
    assert!(consumer.pending_bytes() < 100 * 7_000);
    let close = [&200_u16.to_be_bytes()[..], &short(b""), &[0; 4]].concat();
    consumer.send(&method(1, (20, 40), &close));
    publisher.send(&publish(1, b"two", b"hello"));
    consumer.read();
    consumer.session.deliver(0);
    let rest = consumer.read();
    assert!(rest.windows(5).any(|bytes| bytes == b"hello"), "{} bytes", rest.len());
}

/// Deliveries that were on their way when the limit was set did not count against it, and each acknowledgement of one let another
/// message through.
#[test]
fn a_limit_for_the_channel_counts_what_is_on_its_way() {
    let hosting = hosting();
    let (mut consumer, mut publisher) = (Client::open(&hosting), Client::open(&hosting));
    consumer.send(&[declare(1, b"q"), consume(1, b"q", 0)].concat());
    publisher.send(&publish(1, b"q", b"hello").repeat(20));
    let qos = [&[0; 4][..], &10_u16.to_be_bytes(), &[1]].concat();
    consumer.send(&method(1, (60, 10), &qos));
    consumer.session.deliver(0);
    consumer.read();
    publisher.send(&publish(1, b"q", b"hello").repeat(20));
    let ack_all = [&[0; 8][..], &[1]].concat();
    consumer.send(&method(1, (60, 80), &ack_all));
    consumer.session.deliver(0);
    let delivered = consumer.read().windows(5).filter(|bytes| *bytes == b"hello").count();
    assert_eq!(delivered, 10);
}

/// Whoever lists connections sees what each channel did after each batch, and nothing of those that are gone.
#[test]
fn channels_report_what_passed_through_them() {
    let hosting = hosting();
    let registry = &hosting.broker.node().registry;
    let (mut consumer, mut publisher) = (Client::open(&hosting), Client::open(&hosting));
    consumer.send(&[declare(1, b"q"), consume(1, b"q", 0)].concat());
    publisher.send(&method(2, (85, 10), b"\0"));
    publisher.send(&[publish(2, b"q", b"hello").repeat(3), publish(2, b"nobody", b"hello")].concat());
    consumer.session.deliver(0);
    consumer.send(&method(1, (60, 80), &[&2_u64.to_be_bytes()[..], &[1]].concat()));
    let listed = |channel: u16, is_wanted: fn(&ChannelInfo) -> bool| {
        let channels = registry.connections().into_iter().flat_map(|connection| connection.channels());
        channels.filter(|listed| listed.number == channel && is_wanted(listed)).collect::<Vec<_>>()
    };
    let publishing = listed(2, |channel| channel.gauges.confirm.get() == 1);
    let [publishing] = publishing.as_slice() else { panic!("{publishing:?}") };
    let stats = publishing.counters.read();
    assert_eq!((stats.publish, stats.confirm, stats.drop_unroutable, stats.return_unroutable), (4, 4, 1, 0));
    let consuming = listed(1, |channel| channel.gauges.consumers.get() == 1);
    let [consuming] = consuming.as_slice() else { panic!("{consuming:?}") };
    let stats = consuming.counters.read();
    assert_eq!((stats.deliver, stats.ack, consuming.gauges.messages_unacknowledged.get()), (3, 2, 1));
    drop((consumer, publisher));
    assert_eq!(registry.connection_count(), 0);
    let churn = registry.churn.read();
    assert_eq!((churn.connection_created, churn.connection_closed), (2, 2));
    assert_eq!((churn.channel_created, churn.channel_closed), (4, 4));
}

#[test]
fn what_comes_and_goes_is_counted() {
    let hosting = hosting();
    let mut client = Client::open(&hosting);
    let delete = |queue| method(1, (50, 40), &[&[0, 0][..], &short(queue), &[0]].concat());
    client.send(&[declare(1, b"q"), declare(1, b"q"), declare(1, b"r"), delete(b"q"), delete(b"q")].concat());
    let churn = hosting.broker.node().registry.churn.read();
    assert_eq!((churn.queue_declared, churn.queue_created, churn.queue_deleted), (3, 2, 1));
}

/// What had not been encoded went back into the outbox when the connection ended, and stayed there.
#[test]
fn nothing_waits_for_a_connection_that_has_ended() {
    let hosting = hosting();
    let (mut consumer, mut publisher) = (Client::open(&hosting), Client::open(&hosting));
    consumer.send(&[declare(1, b"q"), consume(1, b"q", NO_ACK)].concat());
    publisher.send(&publish(1, b"q", &[7; 7_000]).repeat(120));
    consumer.session.deliver(0);
    publisher.send(&publish(1, b"q", &[7; 7_000]));
    let outbox = Arc::clone(consumer.session.outbox());
    consumer.session.end(None, 0);
    assert_eq!(waiting(&outbox), (0, 0));
    // Whoever still knows the connection hands over to nobody.
    outbox.notify(Notice::AlarmChanged);
    outbox.deliver(&mut vec![delivery(7_000)]);
    outbox.reply(delivery(7_000));
    assert_eq!(waiting(&outbox), (0, 0));
}

fn waiting(outbox: &Outbox) -> (usize, usize) {
    let (mut deliveries, mut notices) = (Vec::new(), Vec::new());
    outbox.take(&mut deliveries, &mut notices);
    (deliveries.len(), notices.len())
}

fn delivery(body_bytes: usize) -> Delivery {
    let address = crate::message::address("", b"k");
    let gauge = Arc::new(MemoryGauge::default());
    let message = Message::standalone(&gauge, Facts::default(), &address, &[0, 0], &vec![7; body_bytes]);
    Delivery { consumer: ConsumerId(1), message, token: None, redelivered: false, counts: Default::default() }
}

/// Each requester kept replies for itself, for as long as it did not read.
#[test]
fn replies_are_given_back_to_the_budget_when_they_go_out_or_are_dropped() {
    const REPLY_BYTES: usize = 1 << 20;
    let budget = Arc::new(ReplyBudget::default());
    let outboxes: Vec<_> = (0..20).map(|_| Outbox::new(Arc::clone(&budget))).collect();
    let fill = |outbox: &Outbox| {
        for _ in 0..100 {
            outbox.reply(delivery(REPLY_BYTES));
        }
        outbox.room_bytes()
    };
    let taken: Vec<usize> = outboxes
        .iter()
        .map(|outbox| {
            fill(outbox);
            let (mut deliveries, mut notices) = (Vec::new(), Vec::new());
            outbox.take(&mut deliveries, &mut notices);
            deliveries.len()
        })
        .collect();
    let all: usize = taken.iter().sum();
    assert!((20..64).contains(&all), "{taken:?}");
    // The first one has taken half of the budget, and each of the next ones half of what was left: both ways must give back much.
    for (number, (outbox, count)) in outboxes.iter().zip(&taken).enumerate() {
        if number % 2 == 1 {
            outbox.close();
        } else {
            outbox.encoded(count * delivery_bytes(&delivery(REPLY_BYTES)));
        }
    }
    assert!(budget.take(1, 60 * REPLY_BYTES), "all of it is free again");
}

/// A client that took nothing of its output kept its connection for as long as it sent heartbeats.
#[test]
fn output_without_progress_ends_a_connection() {
    let hosting = hosting();
    let mut client = Client::open(&hosting);
    client.session.written(1, 0);
    client.send(&[declare(1, b"q"), declare(1, b"q")].concat());
    client.session.written(0, 1_000);
    client.session.written(0, 20_000);
    client.session.on_timer(30_999);
    client.session.output().expect("it is open").advance(1);
    client.session.written(1, 30_999);
    client.session.on_timer(31_000);
    assert!(!client.session.is_closed(), "a slow client is none that stands still");
    assert_eq!(client.session.next_deadline_ms(), Some(60_999));
    client.session.on_timer(60_999);
    assert!(client.session.is_closed() && client.session.is_abandoned());
    assert_eq!((client.pending_bytes(), client.session.next_deadline_ms()), (0, None));
}

/// What a client sent before it went away is waited for while the log takes its time, but not for ever.
#[test]
fn a_client_that_went_away_is_not_waited_for_without_end() {
    let mut client = Client::open(&hosting());
    client.session.hung_up(1_000);
    assert_eq!(client.session.next_deadline_ms(), Some(31_000));
    client.session.on_timer(31_000);
    assert!(!client.session.is_closed(), "it can be read again");
}

fn bind(channel: u16, queue: &[u8], exchange: &[u8]) -> Vec<u8> {
    let names = [short(queue), short(exchange), short(b"")].concat();
    method(channel, (50, 20), &[&[0, 0][..], &names, &[1], &long(b"")].concat())
}

fn publish_to(channel: u16, exchange: &[u8], body: &[u8]) -> Vec<u8> {
    let address = [&[0, 0][..], &short(exchange), &short(b""), &[0]].concat();
    let header = [&[0, 60, 0, 0][..], &(body.len() as u64).to_be_bytes(), &[0, 0]].concat();
    [method(channel, (60, 40), &address), frame(2, channel, &header), frame(3, channel, body)].concat()
}

/// One read can hold work for seconds, during which the worker of the runtime heard of no other connection.
#[test]
fn a_connection_lets_others_go_first_after_a_turn_of_work() {
    const QUEUES: usize = 500;
    const MESSAGES: usize = 2_000;
    let hosting = hosting();
    let mut client = Client::open(&hosting);
    for n in 0..QUEUES {
        let name = format!("q{n}").into_bytes();
        client.send(&[declare(1, &name), bind(1, &name, b"amq.fanout")].concat());
    }
    client.unused = publish_to(1, b"amq.fanout", b"hello").repeat(MESSAGES);
    let last = hosting.broker.vhost("/").unwrap().read(|topology| topology.queue("q499").cloned()).unwrap();
    let arrived = || last.counts().ready;
    let (mut turns, mut before) = (1, 0);
    while client.send_a_turn() {
        turns += 1;
        // A batch is not cut: it may be a thousand messages.
        assert!(arrived() - before <= 1024, "{} in one turn", arrived() - before);
        before = arrived();
    }
    assert_eq!(arrived(), MESSAGES);
    assert!(turns > 1, "{MESSAGES} messages for {QUEUES} queues each were one turn");
}

#[test]
fn methods_are_not_worked_off_in_one_turn_however_many_were_read() {
    let mut client = Client::open(&hosting());
    client.unused = declare(1, b"q").repeat(4_000);
    let mut turns = 1;
    while client.send_a_turn() {
        turns += 1;
    }
    assert!(turns > 20, "{turns}");
    assert!(client.unused.is_empty());
}

/// An exchange counts what is published to it, and the copies that queues get, whether or not the route was remembered.
#[test]
fn an_exchange_counts_what_passes_through_it() {
    let hosting = hosting();
    let mut client = Client::open(&hosting);
    client.send(&[declare(1, b"q"), publish(1, b"q", b"hello").repeat(3), publish(1, b"nobody", b"hello")].concat());
    let vhost = hosting.broker.vhost("/").expect("it is there");
    let stats = vhost.read(|topology| topology.exchange("").expect("it is there").counters.read());
    assert_eq!((stats.publish_in, stats.publish_out), (4, 3));
}
