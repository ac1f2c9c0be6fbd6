//! `kill -9` of the real program while clients publish and acknowledge, again and again on one data directory.
//!
//! Each worker is one client with one channel and queues of its own, and knows what it was told. What it may expect after
//! the kill follows from the order of the log, which is that of its channel: when a publish was confirmed, everything that
//! it had sent before has been recorded, too. So a message is
//!
//! - there exactly once, in its place, if it was confirmed and not settled,
//! - gone for good, if it was acknowledged or purged before a publish that was confirmed,
//! - either, if the broker had not said so yet,
//!
//! and a message that was delivered before a confirmed publish comes back as redelivered. There are five kills in
//! `cargo test`; `LEVERET_KILLS=100` is the full loop.

mod dice;
mod mover;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};

use amq_protocol::protocol::{AMQPClass, basic};
use tokio::sync::Notify;

use self::dice::Dice;
use self::mover::Mover;
use self::worker::{Worker, workers};
use crate::client::delivery::Event;
use crate::client::properties::properties;
use crate::client::{Channel, Connect, Delivery, Value, consume, exchange, publish, queue};
use crate::process::{Directory, Program};

/// Publishes that wait for their confirm, and deliveries that wait for their acknowledgement.
const WINDOW: u64 = 200;
/// `basic.get` is asked so often at a time.
const GETS: usize = 64;
/// A log of more than this moves what is old to segment files.
const LOG_WINDOW_BYTES: u64 = 32 * 1024 * 1024;

/// reference: 5.6, lost connections count as failed
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_out_at_each_kill_reaches_its_delivery_limit() {
    let directory = Directory::new("kill-limit");
    let arguments = ["--disk-free-limit", "0"];
    let mut program = Program::start_in(&directory, &arguments);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.confirm_select().await;
    ch.declare(queue("other").quorum()).await;
    ch.declare(queue("dead").durable()).await;
    // A start that published dead letters before it knew the bindings would lose this one.
    ch.declare_exchange(exchange("graves", "fanout").durable()).await;
    ch.bind("dead", "graves", "").await;
    let limit = queue("q").quorum().arg("x-delivery-limit", Value::I(2));
    ch.declare(limit.arg("x-dead-letter-exchange", Value::S("graves".into()))).await;
    ch.publish(publish("", "q", "poison")).await;
    ch.expect_acks_up_to(1).await;
    for count in 0..3 {
        let ch = Connect::to(program.address()).open().await.channel(1).await;
        ch.confirm_select().await;
        let poison = ch.get("q").await.expect("below its limit");
        assert_eq!(poison.headers().get("x-delivery-count").cloned(), (count > 0).then_some(Value::l(count)));
        // What is confirmed is in the log behind the delivery.
        ch.publish(publish("", "other", "later")).await;
        ch.expect_acks_up_to(1).await;
        program.kill();
        drop(program);
        program = Program::start_in(&directory, &arguments);
    }
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    assert_eq!(ch.get("q").await, None);
    let dead = ch.get("dead").await.expect("dead-lettered");
    assert_eq!(dead.body, b"poison");
    assert_eq!(dead.headers().get("x-first-death-reason").cloned(), Some(Value::S("delivery_limit".into())));
}

/// As RabbitMQ 4.3.6 does, asked with `kill -9` of its process: the consumers vanish with the broker, and none of them left the queue.
/// reference: 4.5, auto-delete
#[tokio::test(flavor = "multi_thread")]
async fn an_auto_delete_queue_survives_a_kill_with_its_consumers_and_goes_with_the_next_one() {
    let directory = Directory::new("kill-auto-delete");
    let start = || Program::start_in(&directory, &["--disk-free-limit", "0"]);
    let mut program = start();
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    for name in ["consumed", "never.consumed"] {
        ch.declare(queue(name).durable().auto_delete()).await;
    }
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", "consumed", "kept").with(properties().delivery_mode(2))).await;
    ch.consume(consume("consumed")).await;
    ch.expect_deliver().await;
    program.kill();
    drop(program);
    let mut program = start();
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    let tag = ch.consume(consume("consumed")).await;
    assert_eq!(ch.expect_deliver().await.body, b"kept");
    ch.cancel(&tag).await;
    assert!(!ch.exists("consumed").await);
    assert!(ch.exists("never.consumed").await);
    // A stop in order closes connections, and with these the consumers leave.
    ch.declare(queue("consumed").durable().auto_delete()).await;
    ch.consume(consume("consumed")).await;
    program.stop();
    drop(program);
    let program = start();
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    assert!(!ch.exists("consumed").await);
    assert!(ch.exists("never.consumed").await);
}

/// reference: 5.8, when acked: persistent and in a durable queue, so it is on disk
#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_survives_kill_9_exactly_once_and_in_order() {
    let kills = std::env::var("LEVERET_KILLS").map_or(5, |kills| kills.parse().expect("LEVERET_KILLS is a number"));
    let directory = Directory::new("kill");
    let mut dice = Dice::new();
    let mut workers = workers();
    let mut mover = Mover::default();
    let mut counts = Counts::default();
    for kill in 0..=kills {
        let mut program = Program::start_in(&directory, &["--disk-free-limit", "0"]);
        let connect = Connect::to(program.address());
        for worker in &mut workers {
            let channel = connect.open().await.channel(1).await;
            counts.messages += worker.check(&channel, &mut dice, kill == 0).await;
            channel.close().await;
        }
        let channel = connect.open().await.channel(1).await;
        counts.messages += mover.check(&channel, kill == 0).await;
        if kill == kills {
            break;
        }
        let countdown = Countdown { confirms: AtomicU64::new(0), target: dice.below(5_000), over: Notify::new() };
        // Where everybody is ready before the first may be killed.
        let mut channels = Vec::new();
        for worker in &workers {
            channels.push(worker.begin(&connect, dice.below(40)).await);
        }
        let pair = mover.begin(&connect).await;
        let at_work = async {
            let seed = dice.next();
            let (at_work, mover) = (workers.iter_mut().zip(&channels), mover.work(&pair, &countdown));
            futures_lite::future::zip(all(at_work, &countdown, seed), mover).await;
        };
        let killer = async {
            countdown.over.notified().await;
            counts.confirms += countdown.confirms.load(Ordering::Relaxed);
            let log = program.kill();
            assert_eq!(log.contains("after a crash"), kill > 0, "{log}");
        };
        futures_lite::future::zip(at_work, killer).await;
    }
    eprintln!("{kills} kills, {} confirms, {} messages found again", counts.confirms, counts.messages);
    let segments = std::fs::read_dir(directory.path().join("segments")).unwrap().count();
    assert!(segments > 0, "the load was too small for segment files");
}

#[derive(Default)]
struct Counts {
    confirms: u64,
    messages: u64,
}

/// All workers at once, on one task: what they do is decided by what the broker says and when.
async fn all(workers: impl Iterator<Item = (&mut Worker, &Channel)>, countdown: &Countdown, seed: u64) {
    let mut together: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {});
    for (number, (worker, channel)) in workers.enumerate() {
        let dice = Dice(seed ^ (number as u64 + 1) << 32);
        let work = worker.work(channel, countdown, dice);
        together = Box::pin(async { _ = futures_lite::future::zip(together, work).await });
    }
    together.await;
}

/// Says when the broker is to be killed.
struct Countdown {
    confirms: AtomicU64,
    target: u64,
    over: Notify,
}

impl Countdown {
    fn confirmed(&self, count: u64) {
        if self.confirms.fetch_add(count, Ordering::Relaxed) + count > self.target {
            self.over.notify_one();
        }
    }
}

/// Everything in a queue, to be acknowledged.
async fn get_all(ch: &Channel, name: &str) -> Vec<Delivery> {
    let mut all = Vec::new();
    let mut is_empty = false;
    while !is_empty {
        for _ in 0..GETS {
            ch.send(basic::Get { queue: name.into(), no_ack: false }).await;
        }
        for _ in 0..GETS {
            match ch.next().await {
                Event::GetOk(delivery) => all.push(delivery),
                Event::Method(AMQPClass::Basic(basic::AMQPMethod::GetEmpty(_))) => is_empty = true,
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    all
}
