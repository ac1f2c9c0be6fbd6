//! The clients of a history: one random step after the other, noted in the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use leveret::broker::Broker;
use leveret::broker::ids::{ChannelId, ConsumerId};
use leveret::broker::queue::{ConsumerSpec, NewMessage, QueueHandle, Return, Settlement};
use leveret::broker::router::RoutingKeys;
use leveret::broker::sink::{Delivery, Sink, Token};
use leveret::broker::vhost::Vhost;
use leveret::message::{ChunkWriter, Facts, Message, address};
use leveret::properties::PropertiesEditor;
use leveret::store::failure::Remedy;
use leveret::store::loader::Loader;
use leveret::store::wal::Wal;
use leveret::store::{Log, LogTransaction, StoredLog, TransactionId};
use leveret::table::Value;

use crate::administration::Administration;
use crate::ledger::{Entry, Ledger, Span};
use crate::probe::{body, identify, load_all};
use crate::queues::{DELIVERY_LIMIT, Kind, NOBODY, QUEUES, kind};
use crate::random::Random;
use crate::world::{Basket, World};

const GETTER: ChannelId = ChannelId(1);

/// A delivery that is not settled.
struct Held {
    queue: &'static str,
    handle: Arc<QueueHandle>,
    token: Token,
    channel: ChannelId,
    id: u64,
}

struct Consumer {
    queue: &'static str,
    handle: Arc<QueueHandle>,
    channel: ChannelId,
}

/// The clients.
pub struct Actor {
    pub broker: Arc<Broker>,
    vhost: Arc<Vhost>,
    pub wal: Arc<Wal>,
    loader: Arc<Loader>,
    basket: Arc<Basket>,
    pub ledger: Ledger,
    pub administration: Administration,
    pub random: Random,
    pub now_ms: u64,
    held: Vec<Held>,
    consumers: BTreeMap<ConsumerId, Consumer>,
    next_id: u64,
    next_channel: u64,
    /// The channel that is being closed.
    closing: Option<ChannelId>,
    /// What the log reported last as durable.
    pub durable: u64,
    pub trace: Vec<String>,
}

impl Actor {
    pub fn new(world: &World, random: Random, now_ms: u64) -> Self {
        Self {
            broker: Arc::clone(&world.broker),
            vhost: Arc::clone(&world.vhost),
            wal: Arc::clone(&world.wal),
            loader: Arc::clone(&world.loader),
            basket: Arc::default(),
            ledger: Ledger::default(),
            administration: Administration::of(&world.broker),
            random,
            now_ms,
            held: Vec::new(),
            consumers: BTreeMap::new(),
            next_id: 1,
            next_channel: 10,
            closing: None,
            durable: 0,
            trace: Vec::new(),
        }
    }

    /// The clients are there again after a restart; what they held is not theirs any more.
    pub fn reconnect(&mut self, world: &World) {
        self.broker = Arc::clone(&world.broker);
        self.vhost = Arc::clone(&world.vhost);
        self.wal = Arc::clone(&world.wal);
        self.loader = Arc::clone(&world.loader);
        self.administration.go_on(&world.broker);
        self.basket = Arc::default();
        self.held.clear();
        self.consumers.clear();
        self.durable = 0;
        self.broker.run_deadlines(self.now_ms);
    }

    fn note(&mut self, text: String) {
        self.trace.push(format!("{} {text}", self.wal.head()));
    }

    fn queue(&self, name: &str) -> Option<Arc<QueueHandle>> {
        self.vhost.read(|topology| topology.queue(name).cloned())
    }

    /// One step.
    pub fn step(&mut self) {
        match self.random.below(100) {
            0..26 => self.publish_some(),
            26..30 => self.administer(),
            30..34 => self.publish("pair", "", NOTHING),
            34..38 => self.publish_delayed(),
            38..52 => self.get(),
            52..64 => self.settle(),
            64..68 => self.return_some(),
            68..69 => self.purge(),
            69..71 => self.delete(),
            71..76 => self.transaction(),
            76..81 => self.advance(),
            81..85 => self.consume(),
            85..87 => self.close_channel(),
            87..93 => self.load(),
            93 => self.compact(),
            _ => self.commit(),
        }
    }

    fn administer(&mut self) {
        let (before, wal) = (self.wal.head(), Arc::clone(&self.wal));
        let what = self.administration.step(&self.broker, &mut self.random, self.now_ms, || wal.head());
        self.trace.push(format!("{before} {what}"));
        self.collect(before);
    }

    /// Messages are copied out of chunks that are mostly free.
    fn compact(&mut self) {
        let name = self.random.pick(&QUEUES).name;
        self.note(format!("compact {name}"));
        if let Some(queue) = self.queue(name) {
            queue.relieve_chunks();
        }
    }

    /// Reads all that is waited for, and notes what consumers are given then.
    pub fn load_all(&mut self, world: &World) {
        let before = self.wal.head();
        load_all(world, self.now_ms);
        self.collect(before);
    }

    fn load(&mut self) {
        self.note("load".to_owned());
        let before = self.wal.head();
        if let Err(error) = self.loader.step(self.now_ms) {
            self.wal.fail(error);
        }
        self.collect(before);
    }

    pub fn commit(&mut self) {
        let sync = !self.random.one_in(3);
        if self.random.one_in(4) {
            self.wal.seal();
        }
        self.note(format!("commit {sync}"));
        if let Err(error) = self.wal.commit(sync)
            && error.remedy() != Remedy::Wait
        {
            self.wal.fail(error);
        }
        if let Ok(durable) = self.wal.durable() {
            self.durable = Wal::place_of(durable);
            self.ledger.told(Wal::place_of(durable));
        }
    }

    fn advance(&mut self) {
        let before = self.wal.head();
        self.now_ms += 1 + self.random.below(40) as u64;
        self.note(format!("now {}", self.now_ms));
        self.broker.run_deadlines(self.now_ms);
        self.collect(before);
    }

    fn publish_some(&mut self) {
        if self.random.one_in(4) {
            return self.publish_batch();
        }
        let to = self.random.pick(&QUEUES).name;
        self.publish("", to, NOTHING);
    }

    /// Several messages that share their memory, and so their place in the log.
    fn publish_batch(&mut self) {
        let mut writer = ChunkWriter::default();
        let mut made = Vec::new();
        for _ in 0..2 + self.random.below(6) {
            let to = self.random.pick(&QUEUES);
            let (facts, properties) = self.facts(to, NOTHING);
            let id = self.fresh_id();
            let length = self.length();
            let offset = writer.push(facts, &address("", to.name.as_bytes()), &properties, &body(id, length));
            made.push((to.name, id, offset, facts));
        }
        let chunk = writer.finish(&self.broker.node().memory);
        for (to, id, offset, facts) in made {
            let message = Message::new(Arc::clone(&chunk), offset);
            let before = self.wal.head();
            self.note(format!("publish {id} to {to} (batch)"));
            self.enter(message, id, facts, &[to], TransactionId::NONE);
            self.collect(before);
        }
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn length(&mut self) -> usize {
        let most = *self.random.pick(&[10, 100, 100, 2000]);
        self.random.below(most)
    }

    fn facts(&mut self, to: &Kind, delay_ms: Option<u64>) -> (Facts, Vec<u8>) {
        let priority = to.max_priority.map(|_| self.random.below(4) as u8);
        let facts = Facts { persistent: !self.random.one_in(5), priority, ..Facts::default() };
        let mut editor = PropertiesEditor::new();
        if let Some(delay_ms) = delay_ms {
            editor.set_header("x-delay", &Value::I64(delay_ms as i64));
        }
        (facts, editor.build())
    }

    fn publish_delayed(&mut self) {
        let to = *self.random.pick(&["plain", "prio", "ttl"]);
        let delay_ms = 1 + self.random.below(150) as u64;
        self.publish("later", to, Some(delay_ms));
    }

    fn publish(&mut self, exchange: &str, key: &str, delay_ms: Option<u64>) {
        let to = kind(if key.is_empty() { "plain" } else { key });
        let (facts, properties) = self.facts(to, delay_ms);
        let (id, length) = (self.fresh_id(), self.length());
        let memory = Arc::clone(&self.broker.node().memory);
        let address = address(exchange, key.as_bytes());
        let message = Message::standalone(&memory, facts, &address, &properties, &body(id, length));
        let before = self.wal.head();
        self.note(format!("publish {id} to {exchange:?} {key:?}, {} bytes, {facts:?}", length + 8));
        match delay_ms {
            None if exchange.is_empty() => self.enter(message, id, facts, &[to.name], TransactionId::NONE),
            None => self.enter(message, id, facts, &["plain", "twin"], TransactionId::NONE),
            Some(delay_ms) => self.hold(message, id, facts, to.name, delay_ms),
        }
        self.collect(before);
    }

    fn hold(&mut self, message: Message, id: u64, facts: Facts, to: &'static str, delay_ms: u64) {
        let keys = RoutingKeys::single(to.as_bytes());
        let route = self.vhost.route("later", &keys, message.properties()).unwrap();
        let new = NewMessage::published(message, None);
        let position = self.vhost.hold(&route.holds, &new, TransactionId::NONE, self.now_ms);
        let due_ms = Some(self.now_ms + delay_ms);
        self.add(id, to, facts, Span::exact(Wal::place_of(position)), None, due_ms);
    }

    /// Publishes to queues by their names.
    fn enter(&mut self, message: Message, id: u64, facts: Facts, to: &[&'static str], transaction: TransactionId) {
        for name in to {
            let own_ms = self.random.one_in(3).then(|| 1 + self.random.below(120) as u64);
            let Some(queue) = self.queue(name) else { continue };
            // Before the queue sees it: it may be delivered at once.
            let of_queue = kind(name).ttl_ms;
            let ttl_ms = own_ms.into_iter().chain(of_queue).min();
            let expires_ms = ttl_ms.map(|ttl_ms| self.now_ms + ttl_ms);
            let at = self.add(id, name, facts, Span { from: u64::MAX, to: u64::MAX }, expires_ms, None);
            let new = NewMessage::published(message.clone(), own_ms);
            let position = queue.publish([new], transaction, self.now_ms, |_| panic!("{name} refuses"));
            self.ledger.entries[at].published = Span::exact(Wal::place_of(position));
        }
    }

    fn add(
        &mut self,
        id: u64,
        home: &'static str,
        facts: Facts,
        published: Span,
        expires_ms: Option<u64>,
        due_ms: Option<u64>,
    ) -> usize {
        let of = kind(home);
        self.ledger.arrivals += 1;
        self.ledger.entries.push(Entry {
            id,
            home,
            level: facts.priority.filter(|_| of.max_priority.is_some()).unwrap_or(0),
            is_stored: of.is_durable && (facts.persistent || of.is_quorum),
            is_persistent: facts.persistent,
            published,
            arrival: self.ledger.arrivals,
            settled: None,
            delivered: None,
            expires_ms,
            due_ms,
            counts: (0, 0),
            recorded: vec![(Span::ALWAYS, (0, 0))],
            deaths: Vec::new(),
            is_held: false,
            is_kept_dead: false,
            is_uncertain: false,
        });
        self.ledger.entries.len() - 1
    }

    fn get(&mut self) {
        let name = self.random.pick(&QUEUES).name;
        let no_ack = self.random.one_in(3);
        let Some(queue) = self.queue(name) else { return };
        let before = self.wal.head();
        let sink = Arc::clone(&self.basket) as Arc<dyn Sink>;
        self.note(format!("get from {name}, no_ack {no_ack}"));
        if let Ok(Some((delivery, _))) = queue.get(GETTER, &sink, no_ack, self.now_ms) {
            self.delivered(&delivery, name, &queue, GETTER, before);
        }
        self.collect(before);
    }

    /// Notes what consumers were given since then.
    fn collect(&mut self, before: u64) {
        let deliveries = std::mem::take(&mut *self.basket.0.lock().unwrap());
        for delivery in deliveries {
            let consumer = &self.consumers[&delivery.consumer];
            let (queue, handle, channel) = (consumer.queue, Arc::clone(&consumer.handle), consumer.channel);
            self.delivered(&delivery, queue, &handle, channel, before);
        }
    }

    fn delivered(
        &mut self,
        delivery: &Delivery,
        queue: &'static str,
        handle: &Arc<QueueHandle>,
        channel: ChannelId,
        before: u64,
    ) {
        let span = Span { from: before, to: self.wal.head() };
        let id = identify(&delivery.message);
        self.note(format!("delivered {id} from {queue}, redelivered {}", delivery.redelivered));
        let entry = self.ledger.find(id, queue).unwrap_or_else(|| panic!("{id} of {queue} was never published"));
        assert!(!entry.is_gone() && !entry.is_held, "{delivery:?} of {queue} is delivered twice: {entry:?}");
        let chain = kind(entry.home).chain();
        let deaths = chain.iter().position(|name| *name == queue).unwrap();
        entry.deaths.push((span, deaths));
        if deaths == 0 {
            assert_eq!((delivery.counts.acquired, delivery.counts.failed), entry.counts, "{entry:?}");
            assert!(delivery.redelivered || entry.delivered.is_none(), "{entry:?} is not redelivered");
            entry.delivered.get_or_insert(span);
            if kind(queue).is_quorum {
                // As if it had failed, until it is known how it ends.
                let (acquired, failed) = entry.counts;
                entry.recorded.push((span, (acquired + 1, failed + 1)));
            }
        }
        match delivery.token {
            // It was given to a consumer that was taken off in the same moment, and is back already.
            Some(_) if self.closing == Some(channel) => self.count(id, queue, Return::Lost, before),
            Some(token) => {
                entry.is_held = true;
                self.held.push(Held { queue, handle: Arc::clone(handle), token, channel, id });
            }
            None => entry.settled = Some(span),
        }
    }

    fn take_held(&mut self) -> Option<Held> {
        if self.held.is_empty() {
            return None;
        }
        let at = self.random.below(self.held.len());
        Some(self.held.swap_remove(at))
    }

    /// Acknowledges or rejects one.
    fn settle(&mut self) {
        let Some(Held { queue, handle, token, id, .. }) = self.take_held() else { return };
        let settlement = *self.random.pick(&[
            Settlement::Acked,
            Settlement::Acked,
            Settlement::Acked,
            Settlement::Rejected,
            Settlement::Nacked,
        ]);
        let before = self.wal.head();
        self.note(format!("settle {id} of {queue}: {settlement:?}"));
        self.ledger.find(id, queue).unwrap().is_held = false;
        handle.settle([token], settlement, TransactionId::NONE, self.now_ms);
        let span = Span { from: before, to: self.wal.head() };
        let entry = self.ledger.find(id, queue).unwrap();
        if settlement == Settlement::Acked || kind(queue).next.is_none() && !kind(queue).keeps_dead {
            entry.settled = Some(span);
        } else if kind(queue).next.is_some() && !kind(queue).is_quorum {
            // It is buried at once, wherever it was; or later, if it cannot be read now, but then the client is told nothing until it is.
            let deaths = kind(entry.home).chain().iter().position(|name| *name == queue).unwrap();
            let to = if self.wal.owes() { Span::UNTOLD } else { span.to };
            entry.deaths.push((Span { to, ..span }, deaths + 1));
        }
        entry.is_kept_dead = settlement != Settlement::Acked;
        if settlement != Settlement::Acked && kind(queue).is_quorum {
            let (acquired, failed) = entry.counts;
            entry.counts = (acquired + 1, failed + u32::from(settlement == Settlement::Rejected));
            entry.recorded.push((span, entry.counts));
        }
        self.collect(before);
    }

    fn return_some(&mut self) {
        let cause = *self.random.pick(&[Return::Rejected, Return::Nacked]);
        let Some(Held { queue, handle, token, id, .. }) = self.take_held() else { return };
        let before = self.wal.head();
        self.note(format!("return {id} to {queue}: {cause:?}"));
        self.ledger.find(id, queue).unwrap().is_held = false;
        self.count(id, queue, cause, before);
        handle.requeue(vec![token], cause, self.now_ms);
        self.close_counts(before);
        self.collect(before);
    }

    fn count(&mut self, id: u64, queue: &str, cause: Return, before: u64) {
        let entry = self.ledger.find(id, queue).unwrap();
        if kind(queue).is_quorum {
            let (acquired, failed) = entry.counts;
            let is_failure = matches!(cause, Return::Rejected | Return::Lost);
            entry.counts = (acquired + 1, failed + u32::from(is_failure));
            entry.recorded.push((Span { from: before, to: u64::MAX }, entry.counts));
            entry.is_kept_dead |= entry.counts.1 > DELIVERY_LIMIT;
        }
    }

    fn close_counts(&mut self, before: u64) {
        let to = self.wal.head();
        for entry in &mut self.ledger.entries {
            for (span, _) in &mut entry.recorded {
                if span.from == before && span.to == u64::MAX {
                    span.to = to;
                }
            }
        }
    }

    fn consume(&mut self) {
        let name = self.random.pick(&QUEUES).name;
        let Some(handle) = self.queue(name).filter(|_| self.consumers.len() < 4) else { return };
        self.next_channel += 1;
        let (id, channel) = (ConsumerId(self.broker.node().ids.fresh()), ChannelId(self.next_channel));
        let spec = ConsumerSpec {
            id,
            channel,
            consumer_tag: "tag".into(),
            sink: Arc::clone(&self.basket) as Arc<dyn Sink>,
            no_ack: self.random.one_in(4),
            exclusive: false,
            priority: 0,
            prefetch_count: 1 + self.random.below(5) as u16,
            channel_credit: Arc::default(),
            timeout_ms: None,
        };
        let before = self.wal.head();
        self.note(format!("consume from {name}, no_ack {}", spec.no_ack));
        self.consumers.insert(id, Consumer { queue: name, handle: Arc::clone(&handle), channel });
        handle.consume(spec, self.now_ms).unwrap();
        handle.resume(id, self.now_ms);
        self.collect(before);
    }

    fn close_channel(&mut self) {
        let channel = match self.consumers.values().map(|consumer| consumer.channel).min() {
            Some(channel) if !self.random.one_in(3) => channel,
            _ => GETTER,
        };
        self.close(channel);
    }

    fn close(&mut self, channel: ChannelId) {
        let before = self.wal.head();
        self.note(format!("close {channel:?}"));
        let (lost, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|held| held.channel == channel);
        self.held = kept;
        for Held { queue, id, .. } in lost {
            self.ledger.find(id, queue).unwrap().is_held = false;
            self.count(id, queue, Return::Lost, before);
        }
        for name in QUEUES.map(|kind| kind.name) {
            if let Some(queue) = self.queue(name) {
                queue.channel_closed(channel, self.now_ms);
            }
        }
        self.closing = Some(channel);
        self.collect(before);
        self.closing = None;
        self.close_counts(before);
        self.consumers.retain(|_, consumer| consumer.channel != channel);
    }

    /// All channels are closed.
    pub fn disconnect(&mut self) {
        let mut channels: Vec<_> = self.consumers.values().map(|consumer| consumer.channel).collect();
        channels.push(GETTER);
        for channel in channels {
            self.close(channel);
        }
    }

    fn pick_disposable(&mut self) -> &'static str {
        loop {
            let kind = self.random.pick(&QUEUES);
            if kind.is_disposable {
                return crate::queues::kind(kind.name).name;
            }
        }
    }

    fn purge(&mut self) {
        let name = self.pick_disposable();
        let before = self.wal.head();
        self.note(format!("purge {name}"));
        self.vhost.purge_queue(name, NOBODY, self.now_ms).unwrap();
        let span = Span { from: before, to: self.wal.head() };
        self.end_all(name, false, span);
    }

    /// Deletes a queue and declares it anew.
    fn delete(&mut self) {
        let name = self.pick_disposable();
        let before = self.wal.head();
        self.note(format!("delete {name}"));
        self.consumers.retain(|_, consumer| consumer.queue != name);
        self.held.retain(|held| held.queue != name);
        self.vhost.delete_queue(name, false, false, NOBODY).unwrap();
        let span = Span { from: before, to: self.wal.head() };
        self.end_all(name, true, span);
        kind(name).declare(&self.vhost, self.now_ms);
    }

    fn end_all(&mut self, home: &str, with_held: bool, span: Span) {
        let mut held_back = self.vhost.delayed().due_times();
        // Those that came last are released last, also of those that are due and cannot be read now.
        for entry in self.ledger.entries.iter_mut().rev() {
            let waiting = held_back.iter().position(|due_ms| Some(*due_ms) == entry.due_ms);
            if let Some(at) = waiting {
                held_back.remove(at);
            } else if entry.home == home && !entry.is_gone() && (with_held || !entry.is_held) {
                entry.settled = Some(span);
                entry.is_held = false;
            }
        }
    }

    /// Publishes and acknowledges several, all or none.
    fn transaction(&mut self) {
        let before = self.wal.head();
        let log = Arc::clone(&self.broker.node().log);
        let open = LogTransaction::begin(&*log);
        let transaction = open.id();
        self.note(format!("transaction {}", transaction.0));
        let first = self.ledger.entries.len();
        for _ in 0..self.random.below(4) {
            let to = self.random.pick(&QUEUES);
            let (facts, properties) = self.facts(to, NOTHING);
            let (id, length) = (self.fresh_id(), self.length());
            let memory = Arc::clone(&self.broker.node().memory);
            let message =
                Message::standalone(&memory, facts, &address("", to.name.as_bytes()), &properties, &body(id, length));
            self.note(format!("  publish {id} to {}", to.name));
            self.enter(message, id, facts, &[kind(to.name).name], transaction);
        }
        let published = first..self.ledger.entries.len();
        let mut settled = Vec::new();
        for _ in 0..self.random.below(3) {
            let Some(Held { queue, handle, token, id, .. }) = self.take_held() else { break };
            self.note(format!("  ack {id} of {queue}"));
            handle.settle([token], Settlement::Acked, transaction, self.now_ms);
            settled.push((id, queue));
        }
        let span = Span::exact(Wal::place_of(open.commit()));
        for entry in &mut self.ledger.entries[published] {
            entry.published = span;
        }
        for (id, queue) in settled {
            let entry = self.ledger.find(id, queue).unwrap();
            entry.is_held = false;
            entry.settled = Some(span);
        }
        self.collect(before);
    }
}

const NOTHING: Option<u64> = None;
