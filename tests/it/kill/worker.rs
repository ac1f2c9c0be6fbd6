//! The clients, and what each of them may expect after a kill.

use std::collections::BTreeMap;

use amq_protocol::protocol::{AMQPClass, basic};

use super::dice::Dice;
use super::{Countdown, LOG_WINDOW_BYTES, WINDOW, get_all};
use crate::client::delivery::Event;
use crate::client::method::QueueDeclare;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Connect, Delivery, Value, args, consume, eventually, publish, queue};

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

pub(super) fn workers() -> Vec<Worker> {
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

pub(super) struct Worker {
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

/// The body of a message that is none of those that are checked.
const LAST: &str = "last";

/// All that comes to a queue before [`LAST`], which is acknowledged.
async fn until_last(ch: &Channel, name: &str) -> Vec<Delivery> {
    let mut all = Vec::new();
    eventually("the last message has expired", async || {
        all.extend(get_all(ch, name).await);
        if all.last().is_some_and(|delivery: &Delivery| delivery.body == LAST.as_bytes()) {
            Ok(())
        } else {
            Err(all.len())
        }
    })
    .await;
    let last = all.pop().expect("it is there");
    ch.ack(last.delivery_tag).await;
    all
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

    pub(super) fn name(&self) -> &'static str {
        self.queues[0].0
    }

    /// Everything that was promised is there, and nothing else. Takes some of it away.
    pub(super) async fn check(&mut self, ch: &Channel, dice: &mut Dice, is_first: bool) -> u64 {
        if is_first {
            for (_, declare) in self.queues.iter().rev() {
                ch.declare(declare.clone()).await;
            }
            if self.habits.body_bytes as u64 > 1_000 {
                self.fill(ch).await;
            }
        }
        let mut expired = None;
        if self.habits.expires {
            // What expires does so in its order: behind the last one nothing is on its way any more.
            ch.publish(publish("", self.name(), LAST)).await;
            expired = Some(until_last(ch, self.queues[1].0).await);
        }
        let mut found = BTreeMap::new();
        let mut tags = Vec::new();
        for (place, (name, _)) in self.queues.iter().enumerate() {
            let all = match expired.take_if(|_| place == 1) {
                Some(expired) => expired,
                None => get_all(ch, name).await,
            };
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
        let is_dead = |number: &u64| found.get(number).is_some_and(|(place, _)| *place == 1);
        let dead = self.known.iter().filter(|(number, _)| is_dead(number));
        let last_dead = dead.filter_map(|(_, known)| known.rejected).max().unwrap_or(0);
        for (number, known) in &self.known {
            self.check_one(*number, known, found.get(number).copied(), last_dead);
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

    /// Messages die in their order, so nothing is back in its first queue that was rejected before `last_dead`.
    fn check_one(&self, number: u64, known: &Known, found: Option<(usize, bool)>, last_dead: u64) {
        let is_proven = |at: Option<u64>| at.is_some_and(|at| at < self.confirmed);
        let name = self.name();
        let story = || format!("{name}: message {number}, {known:?}, confirmed up to {}", self.confirmed);
        match found {
            None => assert!(!known.is_confirmed || known.settled.is_some(), "lost, {}", story()),
            Some((place, redelivered)) => {
                assert!(!is_proven(known.settled), "returned, {}", story());
                let is_dead = known.rejected.is_some_and(|at| at < last_dead);
                assert!(place == 1 || !is_dead, "returned to its first queue, dead up to {last_dead}, {}", story());
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
    pub(super) async fn fill(&mut self, ch: &Channel) {
        let count = LOG_WINDOW_BYTES / self.habits.body_bytes as u64;
        ch.confirm_select().await;
        self.publish(ch, count).await;
        while !self.unconfirmed.is_empty() {
            let event = ch.next().await;
            self.hear(event);
        }
    }

    /// Opens the channel of a run.
    pub(super) async fn begin(&self, connect: &Connect, prefetch: u64) -> Channel {
        let ch = connect.open().await.channel(1).await;
        ch.confirm_select().await;
        ch.qos(prefetch as u16 + 1).await;
        for name in &self.consumes {
            ch.consume(consume(name).tag(name)).await;
        }
        ch
    }

    /// Publishes and answers until the broker is gone.
    pub(super) async fn work(&mut self, ch: &Channel, countdown: &Countdown, mut dice: Dice) {
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
