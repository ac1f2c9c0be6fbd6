//! How long one client waits for the topology of a virtual host while another does its worst there.
//!
//! Both are threads of this process, without sockets. The one binds and unbinds, which takes the lock of the topology for writing, and
//! looks for its queue. Its longest round is the longest that the lock was held, and what the machine did meanwhile: nothing else
//! should run beside it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use leveret::internals::connection::session::Hosting;
use leveret::internals::table::{Table, Value};

use super::client::{Client, hosting, method, publish_with_headers, short};

/// What a client does to the topology.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// How many of what it is about.
    n: u32,
    prepare: Step,
    attack: Step,
}

type Step = fn(&mut Client, u32);

const fn attack(name: &'static str, n: u32, prepare: Step, attack: Step) -> Attack {
    Attack { name, n, prepare, attack }
}

pub(crate) const ATTACKS: &[Attack] = &[
    // What the machine does by itself: nothing is taken from anybody but a processor.
    attack("only computing", 2_000_000_000, nothing, compute),
    attack("queues declared", 200_000, nothing, declare_queues),
    attack("bindings to direct", 400_000, queue, |client, n| bind(client, n, "amq.direct")),
    attack("bindings to topic", 400_000, queue, |client, n| bind(client, n, "amq.topic")),
    attack("bindings to fanout", 400_000, queue, |client, n| bind(client, n, "amq.fanout")),
    attack("bindings to headers", 400_000, queue, |client, n| bind(client, n, "amq.headers")),
    attack("bindings of 30 KB", 40_000, queue, bind_large),
    attack("their deletion", 40_000, bind_large, delete_queue),
    attack("deletion of a queue", 400_000, |client, n| bind(client, n, "amq.topic"), delete_queue),
    attack("routes by headers", 120_000, |client, n| bind(client, n, "amq.headers"), publish_by_headers),
    attack("routes by long values", 40_000, bind_large, publish_large),
    attack("routes by many keys", 2_000, ring, publish_round),
    attack("routes by topic", 60_000, bind_patterns, publish_to_patterns),
    attack("routes to all queues", 100_000, bind_queues, publish_to_all),
    attack("routes to them by many", 400, fan_of_fans, publish_to_fans),
];

fn nothing(_: &mut Client, _: u32) {}

fn compute(_: &mut Client, n: u32) {
    let mut number = 1_u64;
    for _ in 0..n {
        number = black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

fn queue(client: &mut Client, _: u32) {
    client.declare("queue");
}

fn declare_queues(client: &mut Client, n: u32) {
    for number in 0..n {
        client.declare(&format!("q{number}"));
    }
}

fn bind(client: &mut Client, n: u32, exchange: &str) {
    queue(client, n);
    for number in 0..n {
        let arguments = table(&[("x-match", "any".into()), ("number", Value::I32(number.cast_signed()))]);
        client.bind_queue("queue", exchange, &format!("k{number}.a"), &arguments);
    }
}

fn long_text() -> String {
    "x".repeat(30_000)
}

fn bind_large(client: &mut Client, n: u32) {
    queue(client, n);
    for number in 0..n {
        let arguments = table(&[("a", long_text().into()), ("number", Value::I32(number.cast_signed()))]);
        client.bind_queue("queue", "amq.headers", "", &arguments);
    }
}

fn delete_queue(client: &mut Client, _: u32) {
    client.call(50, 40, &[&[0; 2], &*short(b"queue"), &[0]].concat());
}

const PUBLISHES: u32 = 50;

fn publish_by_headers(client: &mut Client, _: u32) {
    let headers = [("number", Value::I32(-1))].into_iter().collect();
    publish_some(client, "amq.headers", "", &headers);
}

fn publish_large(client: &mut Client, _: u32) {
    let headers = [("a", Value::from(long_text()))].into_iter().collect();
    publish_some(client, "amq.headers", "", &headers);
}

fn publish_some(client: &mut Client, exchange: &str, key: &str, headers: &Table) {
    for number in 0..PUBLISHES {
        let mut headers: Table = headers.clone();
        // No route is remembered for a message with BCC.
        headers.insert("BCC", Value::Array(vec![Value::from(format!("other{number}"))]));
        client.send(&publish_with_headers(exchange, key, &headers));
        client.read();
        client.reopen();
    }
}

fn ring(client: &mut Client, n: u32) {
    client.declare_exchanges(n, "direct");
    for number in 0..n {
        client.bind_exchange(&format!("x{}", (number + 1) % n), &format!("x{number}"), "last");
        for more in 0..120 {
            client.bind_exchange("x0", &format!("x{number}"), &format!("k{more}"));
        }
    }
}

fn publish_round(client: &mut Client, _: u32) {
    let keys = (0..115).map(|number| Value::from(format!("n{number}"))).chain(["last".into()]);
    let headers = [("CC", Value::Array(keys.collect()))].into_iter().collect();
    publish_some(client, "x0", "key", &headers);
}

/// Patterns that all fit the same keys nearly to their end.
fn bind_patterns(client: &mut Client, n: u32) {
    queue(client, n);
    for number in 0..n {
        let words = (0..16).map(|bit| if number >> bit & 1 == 0 { "a" } else { "*" });
        let key = words.chain(["z"]).collect::<Vec<_>>().join(".");
        client.bind_queue("queue", "amq.topic", &key, &[0; 4]);
    }
}

fn publish_to_patterns(client: &mut Client, _: u32) {
    publish_some(client, "amq.topic", &["a"; 17].join("."), &Table::new());
}

fn bind_queues(client: &mut Client, n: u32) {
    declare_queues(client, n);
    for number in 0..n {
        client.bind_queue(&format!("q{number}"), "amq.fanout", "", &[0; 4]);
    }
}

fn publish_to_all(client: &mut Client, _: u32) {
    for _ in 0..3 {
        client.send(&publish_with_headers("amq.fanout", "", &Table::new()));
        client.bind_queue("q0", "amq.direct", "another epoch", &[0; 4]);
    }
}

/// n exchanges with n queues each, which are the same.
fn fan_of_fans(client: &mut Client, n: u32) {
    declare_queues(client, n);
    client.declare_exchanges(n, "fanout");
    for number in 0..n {
        client.bind_exchange(&format!("x{number}"), "amq.fanout", "");
        for queue in 0..n {
            client.bind_queue(&format!("q{queue}"), &format!("x{number}"), "", &[0; 4]);
        }
    }
}

fn publish_to_fans(client: &mut Client, _: u32) {
    publish_some(client, "amq.fanout", "", &Table::new());
}

#[expect(clippy::disallowed_methods, reason = "what others wait for takes real time")]
fn now() -> Instant {
    Instant::now()
}

/// What the other client waited.
pub(crate) struct Waited {
    pub(crate) rounds: usize,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
    pub(crate) attack: Duration,
}

impl Attack {
    /// Makes it, while another client stands by.
    pub(crate) fn run(&self) -> Waited {
        let hosting = hosting();
        let mut client = Client::open(&hosting);
        (self.prepare)(&mut client, self.n);
        let is_over = Arc::new(AtomicBool::new(false));
        let bystander = {
            let (hosting, is_over) = (Arc::clone(&hosting), Arc::clone(&is_over));
            thread::spawn(move || stand_by(&hosting, &is_over))
        };
        let start = now();
        (self.attack)(&mut client, self.n);
        let attack = start.elapsed();
        is_over.store(true, Ordering::Relaxed);
        let mut rounds = bystander.join().unwrap_or_default();
        rounds.sort_unstable();
        let at = |share: usize| rounds.get((rounds.len().saturating_sub(1)) * share / 100).copied().unwrap_or_default();
        Waited { rounds: rounds.len(), p99: at(99), longest: at(100), attack }
    }
}

fn stand_by(hosting: &Arc<Hosting>, is_over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::open(hosting);
    client.declare("bystander");
    let passive = [&[0; 2], &*short(b"bystander"), &[1], &[0; 4]].concat();
    let names = ["bystander", "amq.match", "key"].map(|name| short(name.as_bytes())).concat();
    let unbind = [&[0; 2], &*names, &[0; 4]].concat();
    let mut rounds = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let start = now();
        client.bind_queue("bystander", "amq.match", "key", &[0; 4]);
        client.call(50, 10, &passive);
        client.call(50, 50, &unbind);
        rounds.push(start.elapsed());
    }
    rounds
}

fn table(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    fields.iter().map(|(name, value)| (*name, value.clone())).collect::<Table>().encode(&mut bytes);
    bytes
}

/// Opens channel 1 again if the broker has closed it.
impl Client {
    pub(crate) fn reopen(&mut self) {
        self.send(&method(1, 20, 41, &[]));
        self.send(&method(1, 20, 10, &[0]));
        self.read();
    }
}
