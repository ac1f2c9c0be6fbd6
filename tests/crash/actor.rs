//! The clients of a history: one random step after the other, noted in the ledger.

mod consuming;
mod delivering;
mod moving;
mod publishing;
mod removing;

use std::collections::BTreeMap;
use std::sync::Arc;

use leveret::internals::broker::Broker;
use leveret::internals::broker::ids::{ChannelId, ConsumerId};
use leveret::internals::broker::queue::QueueHandle;
use leveret::internals::broker::sink::Token;
use leveret::internals::broker::vhost::Vhost;
use leveret::internals::store::failure::Remedy;
use leveret::internals::store::loader::Loader;
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, StoredLog};

use crate::administration::Administration;
use crate::ledger::Ledger;
use crate::probe::load_all;
use crate::queues::QUEUES;
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
            94..96 => self.move_one(),
            96 => self.redrive(),
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
}

const NOTHING: Option<u64> = None;
