//! A client that does its worst, and another that only wants its messages: publish, deliver, publish, deliver, on a connection and
//! a queue of its own, while attacks of many kinds follow one another (what a broker must stand).
//!
//! What the bystander waited is printed. It fails only if the broker computed for longer during a single round trip than any turn
//! of others can explain: then nobody was heard while one client was served. A machine that is busy with something else, or that stands
//! still, makes a round trip longer, and no computing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fmt, mem, thread};

use tokio::runtime::{self, Runtime};

use crate::broker::{Setup, TestBroker};
use crate::client::channel::{close, purge};
use crate::client::eventually;
use crate::client::method::bind;
use crate::client::socket::method;
use crate::client::table::{S, Table, Value, args};
use crate::client::{Channel, Connect, POLL, consume, exchange, publish, queue};

/// Messages of an attack. More, and more time, show more: `LEVERET_ATTACK_MESSAGES=1000000`.
const MESSAGES: usize = 20_000;
/// Queues or bindings of an attack.
const MANY: usize = 500;
/// Nothing but a broker that hears of nobody computes so long: each attack takes it longer, if it is done in one go.
const FROZEN: Duration = Duration::from_secs(2);

fn messages() -> usize {
    std::env::var("LEVERET_ATTACK_MESSAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(MESSAGES)
}

#[expect(clippy::disallowed_methods, reason = "what others see takes real time")]
fn now() -> Instant {
    Instant::now()
}

/// What the bystander saw.
#[derive(Default)]
struct Seen {
    round_trips: AtomicUsize,
    /// How long each took since somebody looked.
    times: Mutex<Vec<Duration>>,
    /// The longest that the broker computed in one.
    computed_us: AtomicU64,
    is_over: AtomicBool,
}

/// Round trips from one moment to another.
#[derive(Default)]
struct RoundTrips {
    /// In ascending order.
    times: Vec<Duration>,
    /// The longest that the broker computed in one.
    computed: Duration,
}

impl Seen {
    fn take(&self) -> RoundTrips {
        let mut times = mem::take(&mut *self.times.lock().unwrap());
        times.sort_unstable();
        RoundTrips { times, computed: Duration::from_micros(self.computed_us.swap(0, Ordering::Relaxed)) }
    }
}

impl RoundTrips {
    fn add(&mut self, more: Self) {
        self.times.extend(more.times);
        self.times.sort_unstable();
        self.computed = self.computed.max(more.computed);
    }
}

impl fmt::Display for RoundTrips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.times.len();
        let [median, p99, longest] = [500, 990, 1_000]
            .map(|share| self.times.get(count.saturating_sub(1) * share / 1_000).copied().unwrap_or_default());
        write!(f, "{count} round trips: median {median:.1?}, p99 {p99:.1?}, longest {longest:.1?}")
    }
}

/// What the broker's threads are called.
const WORKER: &str = "attacked";
/// What they have computed is asked no more often: a round trip is far shorter.
const LOOK: Duration = Duration::from_millis(100);

/// How long the broker's threads have computed so far.
#[cfg(target_os = "linux")]
fn computed() -> Duration {
    let mut all = Duration::ZERO;
    for thread in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        // A thread that ends meanwhile is not there any more.
        let of = |file: &str| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if of("comm").trim() == WORKER {
            // The first number of it, in nanoseconds.
            all += Duration::from_nanos(of("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0));
        }
    }
    all
}

/// Elsewhere it is not known: it counts as if the broker had had the machine for itself.
#[cfg(not(target_os = "linux"))]
fn computed() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(now).elapsed()
}

/// Makes round trips on a thread of its own until it is told that it is over.
fn stand_by(address: SocketAddr, seen: &Seen) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = Connect::to(address).open().await;
        let ch = connection.channel(1).await;
        ch.declare(queue("bystander").exclusive()).await;
        ch.consume(consume("bystander").no_ack()).await;
        let (mut looked, mut computed_before) = (now(), computed());
        while !seen.is_over.load(Ordering::Relaxed) {
            let start = now();
            ch.publish(publish("", "bystander", "hello")).await;
            ch.expect_deliver().await;
            let time = start.elapsed();
            seen.times.lock().unwrap().push(time);
            if looked.elapsed() >= LOOK {
                let computed = computed();
                // In this round trip, or shortly before it.
                let since = computed.saturating_sub(computed_before).min(time);
                seen.computed_us.fetch_max(since.as_micros() as u64, Ordering::Relaxed);
                (looked, computed_before) = (now(), computed);
            }
            seen.round_trips.fetch_add(1, Ordering::Relaxed);
        }
    })
}

/// A broker with one worker: with more it is chance whether all are waited for by the one that is busy.
fn start_broker() -> (Runtime, TestBroker) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let setup = Setup { worker_name: Some(WORKER), ..Setup::default() };
    let broker = runtime.block_on(setup.start());
    (runtime, broker)
}

/// Who attacks, on a connection of its own.
struct Attacker {
    ch: Channel,
    address: SocketAddr,
}

impl Attacker {
    async fn new(address: SocketAddr) -> Self {
        let ch = Connect::to(address).open().await.channel(1).await;
        // Attacks may take long, as long as the bystander gets on.
        ch.connection.socket.wait_without_end();
        Self { ch, address }
    }

    /// A queue with so many messages.
    async fn fill(&self, name: &str, arguments: Table, expiration: Option<&str>) {
        self.ch.declare(queue(name).durable().args(arguments)).await;
        let message = publish("", name, "x");
        let message = match expiration {
            Some(ms) => message.expiration(ms),
            None => message,
        };
        let piece = self.ch.publish_bytes(&message).repeat(1_000);
        for _ in 0..messages().div_ceil(1_000) {
            self.ch.connection.write(&piece).await;
        }
        self.ch.sync().await;
    }

    /// Gets all messages of the queue, without settling them.
    async fn take_all(&self, name: &str) -> u64 {
        self.ch.consume(consume(name)).await;
        let mut last = 0;
        for _ in 0..messages() {
            last = self.ch.expect_deliver().await.delivery_tag;
        }
        last
    }

    /// Queues that are bound to a fanout exchange.
    async fn fan_out(&self, name: &str) {
        self.ch.declare_exchange(exchange(name, "fanout")).await;
        for n in 0..MANY {
            let queue_name = format!("{name}.{n}");
            self.ch.declare(queue(&queue_name).durable().arg("x-max-length", Value::I(10))).await;
            self.ch.bind(&queue_name, name, "").await;
        }
    }
}

macro_rules! attack {
    ($name:literal, $prepare:expr, $attack:expr) => {
        Attack { name: $name, prepare: |who| Box::pin($prepare(who)), attack: |who| Box::pin($attack(who)) }
    };
}

type Step = for<'a> fn(&'a Attacker) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Attack {
    name: &'static str,
    prepare: Step,
    /// Over when the broker has done what was asked for.
    attack: Step,
}

async fn nothing(_: &Attacker) {}

async fn fan_out(who: &Attacker) {
    let piece = who.ch.publish_bytes(&publish("fan", "", "x")).repeat(500);
    for _ in 0..4 {
        who.ch.connection.write(&piece).await;
    }
    who.ch.sync().await;
}

async fn tx_commit(who: &Attacker) {
    who.ch.tx_select().await;
    who.ch.connection.write(who.ch.publish_bytes(&publish("fan", "", "x")).repeat(5_000)).await;
    who.ch.tx_commit().await;
}

async fn methods(who: &Attacker) {
    let piece = method(1, queue("declared").exclusive().no_wait()).repeat(1_000);
    for _ in 0..10 {
        who.ch.connection.write(&piece).await;
    }
    who.ch.sync().await;
}

async fn purge_all(who: &Attacker) {
    who.ch.call(purge("full")).await;
}

async fn delete(who: &Attacker) {
    who.ch.delete("full").await;
}

async fn nack_all(who: &Attacker) {
    let other = Attacker::new(who.address).await;
    let last = other.take_all("full").await;
    other.ch.nack_multiple(last, true).await;
    other.ch.call(close()).await;
}

async fn ack_all(who: &Attacker) {
    let last = who.take_all("full").await;
    who.ch.ack_multiple(last).await;
    who.ch.sync().await;
}

async fn vanish(who: &Attacker) {
    let other = Attacker::new(who.address).await;
    other.take_all("full").await;
    other.ch.connection.close().await;
}

async fn reject_all(who: &Attacker) {
    let last = who.take_all("full").await;
    who.ch.nack_multiple(last, false).await;
    who.ch.sync().await;
}

fn dead_lettering() -> Table {
    args([("x-dead-letter-exchange", S("")), ("x-dead-letter-routing-key", S("grave"))])
}

async fn full(who: &Attacker) {
    who.fill("full", Table::default(), None).await;
}

async fn full_of_mortals(who: &Attacker) {
    who.ch.declare(queue("grave").durable()).await;
    who.fill("full", dead_lettering(), None).await;
}

/// All expire at once, and all of them are dead letters.
async fn expire(who: &Attacker) {
    who.ch.declare(queue("grave").durable()).await;
    who.fill("full", dead_lettering(), Some("2000")).await;
    who.ch.expect_ready("full", 0).await;
    who.ch.delete("grave").await;
}

async fn bindings(who: &Attacker) {
    who.ch.declare(queue("bound").durable()).await;
    who.ch.declare_exchange(exchange("many", "topic")).await;
    let none = Table::default();
    let all = (0..10 * MANY).flat_map(|n| method(1, bind("bound", "many", &format!("a.{n}.#"), &none, true)));
    who.ch.connection.write(all.collect::<Vec<u8>>()).await;
    who.ch.sync().await;
    who.ch.delete("bound").await;
}

const ATTACKS: [Attack; 10] = [
    attack!("a publish to 500 queues", prepare_fan_out, fan_out),
    attack!("a transaction for 500 queues", nothing, tx_commit),
    attack!("many declares at once", nothing, methods),
    attack!("bindings made and deleted", nothing, bindings),
    attack!("purge", full, purge_all),
    attack!("all returned", full, nack_all),
    attack!("all taken, then gone", nothing, vanish),
    attack!("all acknowledged at once", nothing, ack_all),
    attack!("all rejected at once", full_of_mortals_again, reject_all),
    attack!("all expired at once", delete, expire),
];

async fn prepare_fan_out(who: &Attacker) {
    who.fan_out("fan").await;
}

async fn full_of_mortals_again(who: &Attacker) {
    who.ch.delete("full").await;
    full_of_mortals(who).await;
}

/// Does something. A bystander that waits for too long has failed, and ends the test.
async fn while_it_gets_on<T>(bystander: &thread::JoinHandle<T>, work: impl Future<Output = ()>) {
    let failed = async {
        while !bystander.is_finished() {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = failed => panic!("the bystander did not get on"),
    }
}

#[test]
fn a_bystander_gets_on_while_others_do_their_worst() {
    if crate::broker::rabbitmq_address().is_some() {
        return; // What is promised here is ours: a RabbitMQ that others use, too, takes minutes for these attacks.
    }
    let (runtime, broker) = start_broker();
    let address = broker.address();
    let seen = Arc::new(Seen::default());
    let bystander = {
        let seen = Arc::clone(&seen);
        thread::spawn(move || stand_by(address, &seen))
    };
    let mut all = RoundTrips::default();
    let attacker = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    attacker.block_on(async {
        for Attack { name, prepare, attack } in &ATTACKS {
            let who = Attacker::new(address).await;
            while_it_gets_on(&bystander, prepare(&who)).await;
            all.add(seen.take());
            let start = now();
            while_it_gets_on(&bystander, attack(&who)).await;
            let lasted = start.elapsed();
            let done = seen.round_trips.load(Ordering::Relaxed);
            // The round trip that was under way ends first.
            let goes_on = async || if seen.round_trips.load(Ordering::Relaxed) > done { Ok(()) } else { Err(done) };
            eventually("the bystander gets on", goes_on).await;
            let meanwhile = seen.take();
            let computed = meanwhile.computed;
            eprintln!("{name}: {lasted:.1?}, {meanwhile}, computed {computed:.1?}");
            all.add(meanwhile);
            assert!(computed < FROZEN, "{name}: the broker computed for {computed:.1?}, and the bystander stood still");
        }
    });
    seen.is_over.store(true, Ordering::Relaxed);
    bystander.join().expect("the bystander got on");
    all.add(seen.take());
    eprintln!("all, {all}");
    drop(broker);
    runtime.shutdown_background();
}
