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

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use amq_protocol::protocol::{AMQPClass, basic, tx};
use tokio::sync::Notify;

use crate::client::delivery::Event;
use crate::client::method::QueueDeclare;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Connect, Delivery, Value, args, consume, exchange, publish, queue};
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

/// What a client does, in so many of a hundred cases.
#[derive(Clone, Copy, Default)]
struct Habits {
    /// Bytes of a body.
    body_bytes: usize,
    /// Messages published at a time.
    burst: u64,
    /// Deliveries that are answered after each burst.
    answers: u64,
    requeue: u64,
    reject: u64,
    multiple: u64,
    purge: u64,
    /// Of the bursts, in place of one answer.
    get: u64,
    /// What it publishes dies of age.
    expires: bool,
    /// More messages than this are taken away at the next start.
    backlog_max: usize,
}

fn workers() -> Vec<Worker> {
    let durable = |name: &str| queue(name).durable();
    let dead_to = |name: &str| args([("x-dead-letter-exchange", S("")), ("x-dead-letter-routing-key", S(name))]);
    let small = Habits { body_bytes: 20, burst: 30, answers: 20, backlog_max: 2_000, ..Habits::default() };
    vec![
        Worker::new(
            Habits { requeue: 10, multiple: 5, get: 20, ..small },
            vec![("classic", durable("classic"))],
            &["classic"],
        ),
        Worker::new(
            Habits { requeue: 5, reject: 40, ..small },
            vec![("work", durable("work").args(dead_to("dead"))), ("dead", durable("dead"))],
            &["work", "dead"],
        ),
        Worker::new(
            Habits { expires: true, ..small },
            vec![
                ("ttl", durable("ttl").args(dead_to("expired")).arg("x-message-ttl", Value::I(50))),
                ("expired", durable("expired")),
            ],
            &["expired"],
        ),
        Worker::new(
            Habits { requeue: 10, multiple: 5, ..small },
            vec![("quorum", queue("quorum").quorum().arg("x-delivery-limit", Value::I(1_000_000)))],
            &["quorum"],
        ),
        Worker::new(
            Habits {
                body_bytes: 10 * 1024,
                burst: 50,
                answers: 10,
                requeue: 5,
                backlog_max: 8_000,
                ..Habits::default()
            },
            vec![("large", durable("large"))],
            &["large"],
        ),
        Worker::new(
            // It gets one by one: of what is on its way to a consumer, nobody knows whether a purge came first.
            Habits { purge: 10, answers: 3, get: 60, ..small },
            vec![("purged", durable("purged"))],
            &[],
        ),
    ]
}

/// A message as its client knows it. Numbers of publishes begin anew with each channel; 0 is before the first.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// It was said to be there, or was seen there after a kill.
    is_confirmed: bool,
    /// The last publish that was sent when it was delivered.
    delivered: Option<u64>,
    /// The last publish that was sent when it was acknowledged, or purged.
    settled: Option<u64>,
    /// The last publish that was sent when it was rejected.
    rejected: Option<u64>,
}

struct Worker {
    habits: Habits,
    /// It publishes to the first; what dies there goes to the second.
    queues: Vec<(&'static str, QueueDeclare)>,
    consumes: Vec<&'static str>,
    /// By their numbers, which go on through all kills.
    known: BTreeMap<u64, Known>,
    next: u64,
    /// Numbers of the messages published on this channel, in their order.
    published: Vec<u64>,
    /// The latest publish that was confirmed.
    confirmed: u64,
    unconfirmed: std::collections::BTreeSet<u64>,
    /// Delivery tags, with their message and whether it lies in the second queue.
    held: Vec<(u64, u64, bool)>,
}

impl Worker {
    fn new(habits: Habits, queues: Vec<(&'static str, QueueDeclare)>, consumes: &[&'static str]) -> Self {
        Self {
            habits,
            queues,
            consumes: consumes.to_vec(),
            known: BTreeMap::new(),
            next: 0,
            published: Vec::new(),
            confirmed: 0,
            unconfirmed: std::collections::BTreeSet::new(),
            held: Vec::new(),
        }
    }

    fn name(&self) -> &'static str {
        self.queues[0].0
    }

    /// Everything that was promised is there, and nothing else. Takes some of it away.
    async fn check(&mut self, ch: &Channel, dice: &mut Dice, is_first: bool) -> u64 {
        if is_first {
            for (_, declare) in self.queues.iter().rev() {
                ch.declare(declare.clone()).await;
            }
            if self.habits.body_bytes as u64 > 1_000 {
                self.fill(ch).await;
            }
        }
        if self.habits.expires {
            // What expires does so in its order.
            ch.expect_ready(self.name(), 0).await;
        }
        let mut found = BTreeMap::new();
        let mut tags = Vec::new();
        for (place, (name, _)) in self.queues.iter().enumerate() {
            let all = get_all(ch, name).await;
            let numbers: Vec<_> = all.iter().map(|delivery| self.number_of(delivery)).collect();
            // What was rejected lies in the order of its death.
            let is_mixed = place > 0 && self.habits.reject > 0;
            assert!(is_mixed || numbers.is_sorted(), "{name} is out of order: {numbers:?}");
            for (number, delivery) in numbers.into_iter().zip(all) {
                tags.push((number, delivery.delivery_tag));
                let earlier = found.insert(number, (place, delivery.redelivered));
                assert!(earlier.is_none(), "{name}: message {number} is there twice");
            }
        }
        let is_buried = |number: &u64| found.get(number).is_some_and(|(place, _)| *place == 1);
        let buried = self.known.iter().filter(|(number, _)| is_buried(number));
        let last_buried = buried.filter_map(|(_, known)| known.rejected).max().unwrap_or(0);
        for (number, known) in &self.known {
            self.check_one(*number, known, found.get(number).copied(), last_buried);
        }
        for number in found.keys() {
            assert!(self.known.contains_key(number), "{}: message {number} is back", self.name());
        }
        let settled = match found.len() {
            count if count > self.habits.backlog_max => count - self.habits.backlog_max / 4,
            0 => 0,
            count => dice.below(count as u64 / 8 + 1) as usize,
        };
        if settled > 0 {
            ch.ack_multiple(tags[settled - 1].1).await;
        }
        self.known.clear();
        for (index, (number, _)) in tags.into_iter().enumerate() {
            let settled = (index < settled).then_some(0);
            let known = Known { is_confirmed: true, delivered: Some(0), settled, rejected: None };
            self.known.insert(number, known);
        }
        found.len() as u64
    }

    /// Messages die in their order, so nothing is back in its first queue that was rejected before `last_buried`.
    fn check_one(&self, number: u64, known: &Known, found: Option<(usize, bool)>, last_buried: u64) {
        let is_proven = |at: Option<u64>| at.is_some_and(|at| at < self.confirmed);
        let name = self.name();
        let story = || format!("{name}: message {number}, {known:?}, confirmed up to {}", self.confirmed);
        match found {
            None => assert!(!known.is_confirmed || known.settled.is_some(), "lost, {}", story()),
            Some((place, redelivered)) => {
                assert!(!is_proven(known.settled), "returned, {}", story());
                let is_dead = known.rejected.is_some_and(|at| at < last_buried);
                assert!(place == 1 || !is_dead, "returned to its first queue, buried up to {last_buried}, {}", story());
                assert!(place == 1 || !is_proven(known.rejected), "returned to its first queue, {}", story());
                assert!(
                    redelivered || !is_proven(known.delivered) || known.rejected.is_some(),
                    "not marked as redelivered, {}",
                    story()
                );
            }
        }
    }

    /// So much that the log has to be made shorter.
    async fn fill(&mut self, ch: &Channel) {
        let count = LOG_WINDOW_BYTES / self.habits.body_bytes as u64;
        ch.confirm_select().await;
        self.publish(ch, count).await;
        while !self.unconfirmed.is_empty() {
            let event = ch.next().await;
            self.hear(event);
        }
    }

    /// Opens the channel of a run.
    async fn begin(&self, connect: &Connect, prefetch: u64) -> Channel {
        let ch = connect.open().await.channel(1).await;
        ch.confirm_select().await;
        ch.qos(prefetch as u16 + 1).await;
        for name in &self.consumes {
            ch.consume(consume(name).tag(name)).await;
        }
        ch
    }

    /// Publishes and answers until the broker is gone.
    async fn work(&mut self, ch: &Channel, countdown: &Countdown, mut dice: Dice) {
        (self.confirmed, self.published, self.held) = (0, Vec::new(), Vec::new());
        self.unconfirmed.clear();
        loop {
            let burst = dice.below(self.habits.burst) + 1;
            self.publish(ch, burst).await;
            for _ in 0..dice.below(self.habits.answers) {
                self.answer(ch, &mut dice).await;
            }
            if dice.below(100) < self.habits.purge {
                self.purge(ch).await;
            }
            if dice.below(100) < self.habits.get {
                ch.send(basic::Get { queue: self.name().into(), no_ack: false }).await;
            }
            let window = dice.below(WINDOW);
            while self.unconfirmed.len() as u64 > window {
                match ch.next().await {
                    Event::Closed => return,
                    event => countdown.confirmed(self.hear(event)),
                }
            }
        }
    }

    async fn publish(&mut self, ch: &Channel, count: u64) {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let message = publish("", self.name(), self.body(self.next)).with(properties().delivery_mode(2));
            bytes.extend(ch.publish_bytes(&message));
            self.published.push(self.next);
            self.unconfirmed.insert(self.published.len() as u64);
            self.known.insert(self.next, Known::default());
            self.next += 1;
        }
        ch.connection.write(bytes).await;
    }

    fn sent(&self) -> u64 {
        self.published.len() as u64
    }

    /// Takes note of what the broker says; how many confirms that was.
    fn hear(&mut self, event: Event) -> u64 {
        match event {
            Event::Confirm(confirm) => {
                assert!(confirm.ack, "{}: refused, {confirm:?}", self.name());
                let last = confirm.delivery_tag;
                let first = if confirm.multiple { 0 } else { last };
                let settled: Vec<u64> = self.unconfirmed.range(first..=last).copied().collect();
                for tag in &settled {
                    self.unconfirmed.remove(tag);
                    if let Some(known) = self.known.get_mut(&self.published[*tag as usize - 1]) {
                        known.is_confirmed = true;
                    }
                }
                self.confirmed = self.confirmed.max(last);
                settled.len() as u64
            }
            Event::Deliver(delivery) => {
                let is_dead = self.queues.get(1).is_some_and(|(name, _)| *name == delivery.consumer_tag);
                self.delivered(&delivery, is_dead);
                0
            }
            Event::GetOk(delivery) => {
                self.delivered(&delivery, false);
                0
            }
            // Of a get that found nothing, and of a purge.
            Event::Method(AMQPClass::Basic(_) | AMQPClass::Queue(_)) => 0,
            other => panic!("{}: {other:?}", self.name()),
        }
    }

    fn delivered(&mut self, delivery: &Delivery, is_dead: bool) {
        let (number, sent) = (self.number_of(delivery), self.sent());
        self.held.push((delivery.delivery_tag, number, is_dead));
        let Some(known) = self.known.get_mut(&number) else { panic!("{}: {number} is back", self.queues[0].0) };
        if self.habits.purge > 0 {
            // It was on its way here when the purge was sent.
            known.settled = None;
        }
        let is_settled = known.settled.is_some() && known.rejected.is_none();
        assert!(!is_settled, "{number} was delivered after it was acknowledged: {known:?}");
        // What died begins anew.
        let was_delivered = known.delivered.is_some() && known.rejected.is_none();
        assert!(delivery.redelivered || !was_delivered, "{number} was delivered before: {known:?}");
        known.delivered.get_or_insert(sent);
    }

    /// Acknowledges, requeues or rejects one of the messages that it has, or several.
    async fn answer(&mut self, ch: &Channel, dice: &mut Dice) {
        if self.held.is_empty() {
            return;
        }
        let (sent, choice) = (self.sent(), dice.below(100));
        let index = dice.below(self.held.len() as u64) as usize;
        if choice < self.habits.multiple {
            let (up_to, ..) = self.held[index];
            let (settled, kept): (Vec<_>, Vec<_>) = self.held.iter().partition(|(tag, ..)| *tag <= up_to);
            self.held = kept;
            ch.ack_multiple(up_to).await;
            return settled.iter().for_each(|(_, number, _)| self.settle(*number, sent));
        }
        let (tag, number, is_dead) = self.held.swap_remove(index);
        let choice = choice.saturating_sub(self.habits.multiple);
        if choice < self.habits.requeue {
            ch.nack(tag, true).await;
        } else if choice < self.habits.requeue + self.habits.reject && !is_dead {
            ch.reject(tag, false).await;
            if let Some(known) = self.known.get_mut(&number) {
                known.rejected.get_or_insert(sent);
            }
        } else {
            ch.ack(tag).await;
            self.settle(number, sent);
        }
    }

    fn settle(&mut self, number: u64, sent: u64) {
        if let Some(known) = self.known.get_mut(&number) {
            known.settled.get_or_insert(sent);
        }
    }

    /// Everything but what is held goes.
    async fn purge(&mut self, ch: &Channel) {
        ch.send(crate::client::channel::purge(self.name())).await;
        let sent = self.sent();
        let held: Vec<u64> = self.held.iter().map(|(_, number, _)| *number).collect();
        for (number, known) in &mut self.known {
            if !held.contains(number) {
                known.settled.get_or_insert(sent);
            }
        }
    }

    fn body(&self, number: u64) -> Vec<u8> {
        let mut body = format!("{number:012}").into_bytes();
        // Told apart by every byte, so that no piece of another message goes unnoticed.
        body.resize(self.habits.body_bytes, b'a' + (number % 26) as u8);
        body
    }

    fn number_of(&self, delivery: &Delivery) -> u64 {
        let number = delivery.text().get(..12).and_then(|digits| digits.parse().ok());
        let number = number.unwrap_or_else(|| panic!("{}: this was never published: {delivery:?}", self.name()));
        assert!(delivery.body == self.body(number), "{}: message {number} is damaged", self.name());
        number
    }
}

/// A client that moves messages from one queue to two others in transactions, each whole or not at all.
#[derive(Default)]
struct Mover {
    /// What is known of each number; they go on through all kills.
    known: BTreeMap<u64, Moving>,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moving {
    /// Published, and not confirmed.
    Published,
    /// Confirmed.
    There,
    /// Whether its transaction was committed was not said.
    Committing,
    /// It was.
    Moved,
}

const FROM: &str = "tx.from";
const TO: [&str; 2] = ["tx.to.1", "tx.to.2"];

impl Mover {
    /// Everything is in the first queue or in both others.
    async fn check(&mut self, ch: &Channel, is_first: bool) -> u64 {
        if is_first {
            for name in [FROM, TO[0], TO[1]] {
                ch.declare(queue(name).durable()).await;
            }
        }
        let mut places = Vec::new();
        for name in [FROM, TO[0], TO[1]] {
            let numbers: Vec<u64> = get_all(ch, name).await.iter().map(|got| got.text().parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "{name}: {numbers:?}");
            places.push(numbers);
        }
        let is_in = |place: usize, number: &u64| places[place].binary_search(number).is_ok();
        for (number, moving) in &self.known {
            let found = (is_in(0, number), is_in(1, number), is_in(2, number));
            let is_fine = match found {
                (true, false, false) => *moving != Moving::Moved,
                (false, true, true) => matches!(moving, Moving::Committing | Moving::Moved),
                (false, false, false) => *moving == Moving::Published,
                _ => false,
            };
            assert!(is_fine, "{number} was {moving:?}, and is in the three queues: {found:?}");
        }
        for number in places.iter().flatten() {
            assert!(self.known.contains_key(number), "{number} is back");
        }
        let known = |place: usize, moving| places[place].iter().map(move |number| (*number, moving));
        self.known = known(0, Moving::There).chain(known(1, Moving::Moved)).collect();
        places.iter().map(Vec::len).sum::<usize>() as u64
    }

    async fn begin(&self, connect: &Connect) -> (Channel, Channel) {
        let connection = connect.open().await;
        let (feed, tx) = (connection.channel(1).await, connection.channel(2).await);
        feed.confirm_select().await;
        tx.tx_select().await;
        (feed, tx)
    }

    /// One by one, until the broker is gone.
    async fn work(&mut self, (feed, tx): &(Channel, Channel), countdown: &Countdown) {
        loop {
            let number = self.next;
            self.next += 1;
            self.known.insert(number, Moving::Published);
            feed.publish(publish("", FROM, number.to_string()).with(properties().delivery_mode(2))).await;
            match feed.next().await {
                Event::Confirm(confirm) => assert!(confirm.ack, "{confirm:?}"),
                Event::Closed => return,
                other => panic!("{other:?}"),
            }
            self.known.insert(number, Moving::There);
            countdown.confirmed(1);
            // Every third one stays.
            if !number.is_multiple_of(3) && self.transact(tx, countdown).await.is_none() {
                return;
            }
        }
    }

    /// `None` when the broker is gone.
    async fn transact(&mut self, ch: &Channel, countdown: &Countdown) -> Option<()> {
        ch.send(basic::Get { queue: FROM.into(), no_ack: false }).await;
        let delivery = match ch.next().await {
            Event::GetOk(delivery) => delivery,
            Event::Closed => return None,
            other => panic!("{other:?}"),
        };
        let number = delivery.text().parse().unwrap();
        assert_eq!(self.known.get(&number), Some(&Moving::There), "{number}");
        ch.ack(delivery.delivery_tag).await;
        for name in TO {
            ch.publish(publish("", name, &delivery.body).with(properties().delivery_mode(2))).await;
        }
        self.known.insert(number, Moving::Committing);
        ch.send(tx::Commit {}).await;
        match ch.next().await {
            Event::Method(AMQPClass::Tx(tx::AMQPMethod::CommitOk(_))) => {}
            Event::Closed => return None,
            other => panic!("{other:?}"),
        }
        self.known.insert(number, Moving::Moved);
        countdown.confirmed(1);
        Some(())
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

/// Random numbers (xorshift64*), other ones in each run: what the broker does when it is killed cannot be repeated anyway.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self(RandomState::new().hash_one(0) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }
}
