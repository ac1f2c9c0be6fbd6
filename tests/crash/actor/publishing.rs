//! What clients publish.

use std::sync::Arc;

use leveret::internals::broker::queue::{NewMessage, Settlement};
use leveret::internals::broker::router::RoutingKeys;
use leveret::internals::message::{ChunkWriter, Facts, Message, address};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{LogTransaction, StoredLog, TransactionId};
use leveret::internals::table::Value;

use super::{Actor, Held, NOTHING};
use crate::ledger::{Entry, Span};
use crate::probe::body;
use crate::queues::{Kind, QUEUES, kind};

impl Actor {
    pub(super) fn publish_some(&mut self) {
        if self.random.one_in(4) {
            return self.publish_batch();
        }
        let to = self.random.pick(&QUEUES).name;
        self.publish("", to, NOTHING);
    }

    /// Several messages that share their memory, and so their place in the log.
    pub(super) fn publish_batch(&mut self) {
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

    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn length(&mut self) -> usize {
        let most = *self.random.pick(&[10, 100, 100, 2000]);
        self.random.below(most)
    }

    pub(super) fn facts(&mut self, to: &Kind, delay_ms: Option<u64>) -> (Facts, Vec<u8>) {
        let priority = to.max_priority.map(|_| self.random.below(4) as u8);
        let facts = Facts { persistent: !self.random.one_in(5), priority, ..Facts::default() };
        let mut editor = PropertiesEditor::new();
        if let Some(delay_ms) = delay_ms {
            editor.set_header("x-delay", &Value::I64(delay_ms as i64));
        }
        (facts, editor.build())
    }

    pub(super) fn publish_delayed(&mut self) {
        let to = *self.random.pick(&["plain", "prio", "ttl"]);
        let delay_ms = 1 + self.random.below(150) as u64;
        self.publish("later", to, Some(delay_ms));
    }

    pub(super) fn publish(&mut self, exchange: &str, key: &str, delay_ms: Option<u64>) {
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

    pub(super) fn hold(&mut self, message: Message, id: u64, facts: Facts, to: &'static str, delay_ms: u64) {
        let keys = RoutingKeys::single(to.as_bytes());
        let route = self.vhost.route("later", &keys, message.properties()).unwrap();
        let new = NewMessage::published(message, None);
        let position = self.vhost.hold(&route.holds, &new, TransactionId::NONE, self.now_ms);
        let due_ms = Some(self.now_ms + delay_ms);
        self.add(id, to, facts, Span::exact(Wal::place_of(position)), None, due_ms);
    }

    /// Publishes to queues by their names.
    pub(super) fn enter(
        &mut self,
        message: Message,
        id: u64,
        facts: Facts,
        to: &[&'static str],
        transaction: TransactionId,
    ) {
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

    pub(super) fn add(
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
            past: Vec::new(),
            deaths: Vec::new(),
            is_held: false,
            is_kept_dead: false,
            is_uncertain: false,
        });
        self.ledger.entries.len() - 1
    }

    /// Publishes and acknowledges several, all or none.
    pub(super) fn transaction(&mut self) {
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
