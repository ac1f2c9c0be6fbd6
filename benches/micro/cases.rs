//! What is counted.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a case that does not do what it says must not be counted"
)]

use std::hint::black_box;
use std::sync::Arc;

use leveret::internals::broker::exchange::{Binding, Destination, Matches, RoutedMessage, lookup};
use leveret::internals::broker::ids::QueueId;
use leveret::internals::broker::router::RoutingKeys;
use leveret::internals::message::{ChunkWriter, Facts};
use leveret::internals::properties::{Properties, PropertiesEditor};
use leveret::internals::protocol::fast::{self, Content, Deliver};
use leveret::internals::protocol::{frame, method};
use leveret::internals::store::record::Record;
use leveret::internals::store::run::Run;
use leveret::internals::store::wal::{Resume, Wal};
use leveret::internals::store::{Log, Seq, SeqRange, Sizes, StoredLog, TransactionId};
use leveret::internals::table::{Table, Value};

use super::client::{ACK_BYTES, ACK_TAG, Client, FRAME_MAX, ack, hosting, method as encoded_method, publish, short};
use super::disk::Forgetful;

/// One thing that the broker does over and over.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Enough that allocations which double and tables which grow are spread over them.
    pub(crate) operations: u32,
    pub(crate) run: fn(u32),
}

pub(crate) const CASES: &[Case] = &[
    Case { name: "codec-publish-16", operations: 20_000, run: |count| decode_publishes(count, 16) },
    Case { name: "codec-publish-1024", operations: 20_000, run: |count| decode_publishes(count, 1024) },
    Case { name: "codec-deliver-16", operations: 20_000, run: encode_deliveries },
    Case { name: "codec-ack", operations: 20_000, run: decode_acks },
    Case { name: "codec-queue-declare", operations: 5_000, run: decode_declares },
    // Its table is hashed with a random key. So two runs may differ by two million instructions before the first route.
    Case { name: "topic-10k-bindings", operations: 200_000, run: route_by_topic },
    Case { name: "headers-10-bindings", operations: 5_000, run: route_by_headers },
    Case { name: "queue-autoack-16", operations: 20_000, run: |count| through_queue(count, 16, Settled::AtOnce) },
    Case { name: "queue-autoack-1024", operations: 10_000, run: |count| through_queue(count, 1024, Settled::AtOnce) },
    Case { name: "queue-ack-each-256", operations: 20_000, run: |count| through_queue(count, 256, Settled::ByAck) },
    Case { name: "queue-confirm-256", operations: 20_000, run: confirmed },
    Case { name: "queue-fill-drain-256", operations: 20_000, run: filled_and_drained },
    Case { name: "queue-one-at-a-time", operations: 5_000, run: one_at_a_time },
    Case { name: "log-append-256", operations: 20_000, run: logged },
];

/// What one read of the driver brings, about.
const BATCH: u32 = 500;

const MESSAGE_BYTES_MAX: u64 = 1 << 24;

fn decode_publishes(count: u32, body_bytes: usize) {
    let bytes = publish("queue", body_bytes);
    for _ in 0..count {
        black_box(fast::next_publish(black_box(&bytes), FRAME_MAX, MESSAGE_BYTES_MAX)).expect("it is regular");
    }
}

fn encode_deliveries(count: u32) {
    let address = leveret::internals::message::address("", b"queue");
    let content = Content { address: &address, properties: &[0; 2], body: &[b'x'; 16] };
    let mut out = Vec::with_capacity(1 << 20);
    for delivery_tag in 0..u64::from(count) {
        if out.len() > 1 << 19 {
            out.clear();
        }
        let deliver = Deliver { channel: 1, consumer_tag: b"c", delivery_tag, redelivered: false };
        fast::content_method(black_box(&mut out), &deliver, black_box(&content), FRAME_MAX);
    }
}

fn decode_acks(count: u32) {
    let bytes = ack(7);
    for _ in 0..count {
        black_box(fast::next_settlement(black_box(&bytes))).expect("it is regular");
    }
}

/// The way of everything that is not a publish or an ack.
fn decode_declares(count: u32) {
    let table = [short(b"x-message-ttl"), vec![b'I', 0, 0, 1, 0]].concat();
    let length = u32::try_from(table.len()).unwrap_or(0).to_be_bytes();
    let bytes = encoded_method(1, 50, 10, &[&[0; 2], &*short(b"queue"), &[2], &length, &*table].concat());
    for _ in 0..count {
        let (frame, _) = frame::next_frame(black_box(&bytes), FRAME_MAX).expect("a frame").expect("a whole one");
        black_box(method::decode(frame.payload)).expect("a method");
    }
}

fn route_by_topic(count: u32) {
    const BINDINGS: u32 = 10_000;
    let mut routing = (lookup("topic").expect("it is built in").create)(&Table::new()).expect("without arguments");
    for number in 0..BINDINGS {
        let last = ["temperature", "*", "#"].into_iter().cycle().nth(usize::try_from(number % 3).unwrap_or(0));
        let key = format!("device.{number:05}.{}", last.unwrap_or("#"));
        let destination = Destination::Queue(QueueId(u64::from(number)));
        routing.bind(&Binding::new(destination, key.as_bytes(), Table::new()).into());
    }
    let mut keys: Vec<_> =
        (0..BINDINGS).map(|number| format!("device.{:05}.temperature", number * 7919 % BINDINGS)).collect();
    keys.rotate_left(1);
    let mut found = Vec::new();
    for key in keys.iter().cycle().take(usize::try_from(count).unwrap_or(0)) {
        // Each message has its own budget; the room for what is found is used again.
        let mut matches = Matches::default();
        std::mem::swap(&mut matches.destinations, &mut found);
        let keys = RoutingKeys::single(key.as_bytes());
        routing.route(black_box(&RoutedMessage::new(&keys, Properties::NONE, 0)), &mut matches);
        assert_eq!(matches.destinations.len(), 1);
        found = matches.destinations;
        found.clear();
    }
}

fn route_by_headers(count: u32) {
    let mut routing = (lookup("headers").expect("it is built in").create)(&Table::new()).expect("without arguments");
    let headers = |number: i32| {
        let mut table = Table::new();
        table.insert("kind", Value::LongString(b"temperature".as_slice().into()));
        table.insert("device", Value::I32(number));
        table
    };
    for number in 0..10 {
        let mut arguments = headers(number);
        arguments.insert("x-match", Value::LongString(b"all".as_slice().into()));
        let destination = Destination::Queue(QueueId(u64::try_from(number).unwrap_or(0)));
        routing.bind(&Binding::new(destination, b"", arguments).into());
    }
    let properties = PropertiesEditor::new().set_headers(&headers(7)).build();
    let keys = RoutingKeys::single(b"");
    for _ in 0..count {
        let mut matches = Matches::default();
        let publish = RoutedMessage::new(&keys, Properties::new(&properties), 0);
        routing.route(black_box(&publish), &mut matches);
        assert_eq!(matches.destinations.len(), 1);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Settled {
    AtOnce,
    ByAck,
}

/// From the publisher's bytes to the consumer's, a batch at a time.
fn through_queue(count: u32, body_bytes: usize, settled: Settled) {
    let hosting = hosting();
    let (mut publisher, mut consumer) = (Client::open(&hosting), Client::open(&hosting));
    publisher.declare("queue");
    consumer.prefetch(u16::try_from(2 * BATCH).unwrap_or(0));
    consumer.consume("queue", settled == Settled::AtOnce);
    consumer.read();
    let batch = publish("queue", body_bytes).repeat(usize::try_from(BATCH).unwrap_or(0));
    let mut acks = ack(0).repeat(usize::try_from(BATCH).unwrap_or(0));
    let mut delivery_tag = 0_u64;
    for _ in 0..count / BATCH {
        publisher.send(&batch);
        assert!(consumer.read() > batch.len());
        if settled == Settled::AtOnce {
            continue;
        }
        for ack in acks.chunks_exact_mut(ACK_BYTES) {
            delivery_tag += 1;
            ack[ACK_TAG].copy_from_slice(&delivery_tag.to_be_bytes());
        }
        consumer.send(&acks);
    }
}

fn confirmed(count: u32) {
    let hosting = hosting();
    let (mut publisher, mut consumer) = (Client::open(&hosting), Client::open(&hosting));
    publisher.declare("queue");
    publisher.confirm_select();
    consumer.consume("queue", true);
    consumer.read();
    let batch = publish("queue", 256).repeat(usize::try_from(BATCH).unwrap_or(0));
    for _ in 0..count / BATCH {
        publisher.send(&batch);
        assert!(publisher.read() > 0);
        assert!(consumer.read() > batch.len());
    }
}

fn filled_and_drained(count: u32) {
    let hosting = hosting();
    let mut client = Client::open(&hosting);
    client.declare("queue");
    let batch = publish("queue", 256).repeat(usize::try_from(BATCH).unwrap_or(0));
    for _ in 0..count / BATCH {
        client.send(&batch);
    }
    client.consume("queue", true);
    assert!(client.read() > batch.len() * usize::try_from(count / BATCH).unwrap_or(0));
}

/// Nothing is shared with neighbours: each message is a batch.
fn one_at_a_time(count: u32) {
    let hosting = hosting();
    let (mut publisher, mut consumer) = (Client::open(&hosting), Client::open(&hosting));
    publisher.declare("queue");
    consumer.consume("queue", true);
    consumer.read();
    let message = publish("queue", 256);
    for _ in 0..count {
        publisher.send(&message);
        assert!(consumer.read() > message.len());
    }
}

/// A batch of bodies, the record of their settlement, and a sync of both, as often as it takes.
fn logged(count: u32) {
    let file_bytes = Sizes::default().log_file_bytes;
    let resume = Resume { run: Run::NONE.following(1), file_bytes, ..Resume::default() };
    let log = Wal::new(Arc::new(Forgetful), resume);
    let address = leveret::internals::message::address("", b"queue");
    let (gauge, mut chunk, mut records) = (Arc::default(), ChunkWriter::default(), Vec::new());
    for batch in 0..u64::from(count / BATCH) {
        for _ in 0..BATCH {
            chunk.push(Facts::default(), &address, &[0; 2], &[b'x'; 256]);
        }
        log.append_chunk(&chunk.finish(&gauge));
        records.clear();
        let first = batch * u64::from(BATCH);
        let ranges = vec![SeqRange { first: Seq(first), last: Seq(first + u64::from(BATCH) - 1) }];
        Record::Settled { queue: 1, transaction: TransactionId::NONE, ranges }.encode(&mut records);
        let position = log.append(&records);
        log.sync_everything().expect("nothing fails");
        assert_eq!(log.durable().expect("nothing failed"), position);
    }
}
