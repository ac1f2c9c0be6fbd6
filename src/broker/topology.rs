//! The exchanges, queues and bindings of one virtual host: registries that stay consistent with each other.
//!
//! Pure, and without opinions about who may do what: `vhost.rs` checks, then changes this under its lock.
//! Invariants: a binding's source and destination exist; each binding is in its source's index, in `bindings` of the source and
//! in `incoming` of its destination, or in none of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::definitions::{BindingDefinition, Definition, ExchangeDefinition, QueueDefinition};
use super::exchange::{Binding, Destination, ExchangeType, Routing};
use super::ids::{ExchangeId, QueueId};
use super::queue::QueueHandle;
use crate::table::Table;

/// What an exchange was declared as.
#[derive(Clone, Debug)]
pub struct ExchangeSpec {
    /// Its name; empty for the default exchange.
    pub name: Arc<str>,
    /// Its type.
    pub kind: &'static ExchangeType,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with the last binding from it.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: Table,
    /// `alternate-exchange`.
    pub alternate: Option<Arc<str>>,
}

/// An exchange with its bindings.
#[derive(Debug)]
pub struct Exchange {
    /// Its identity.
    pub id: ExchangeId,
    /// What it was declared as.
    pub spec: ExchangeSpec,
    /// Its routing index.
    pub routing: Box<dyn Routing>,
    bindings: HashSet<BindingKey>,
}

impl Exchange {
    /// How many bindings lead from it.
    pub fn binding_count(&self) -> usize {
        self.bindings.len()
    }
}

/// A binding's identity within its source: destination, binding key and arguments (behaviour reference 4.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct BindingKey {
    destination: Destination,
    routing_key: Box<[u8]>,
    /// Encoded in the order of names, so that equal tables have equal bytes.
    arguments: Box<[u8]>,
}

impl BindingKey {
    fn of(binding: &Binding) -> Self {
        let mut sorted = binding.arguments.clone();
        sorted.sort();
        let mut arguments = Vec::new();
        sorted.encode(&mut arguments);
        Self {
            destination: binding.destination,
            routing_key: binding.routing_key.clone(),
            arguments: arguments.into_boxed_slice(),
        }
    }

    fn to_binding(&self) -> Binding {
        let content = self.arguments.get(4..).unwrap_or_default();
        let arguments = Table::decode(content).unwrap_or_default();
        Binding { destination: self.destination, routing_key: self.routing_key.clone(), arguments }
    }
}

/// The registries.
#[derive(Debug)]
pub struct Topology {
    vhost: Arc<str>,
    exchanges: FxHashMap<ExchangeId, Exchange>,
    exchange_ids: HashMap<Arc<str>, ExchangeId>,
    queues: FxHashMap<QueueId, Arc<QueueHandle>>,
    queue_ids: HashMap<Arc<str>, QueueId>,
    incoming: HashMap<Destination, HashSet<(ExchangeId, BindingKey)>>,
    /// What changed of the things that survive a restart, since [`Topology::take_changes`].
    changes: Vec<Definition>,
}

/// What was deleted along with something else.
#[derive(Debug, Default)]
pub struct Cascade {
    /// Auto-delete exchanges that lost their last binding.
    pub exchanges: Vec<ExchangeId>,
}

impl Topology {
    /// The empty registries of a virtual host.
    pub fn new(vhost: Arc<str>) -> Self {
        Self {
            vhost,
            exchanges: FxHashMap::default(),
            exchange_ids: HashMap::new(),
            queues: FxHashMap::default(),
            queue_ids: HashMap::new(),
            incoming: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// What changed of the things that survive a restart.
    pub fn take_changes(&mut self) -> Vec<Definition> {
        std::mem::take(&mut self.changes)
    }

    /// Everything that survives a restart, each thing before what refers to it.
    pub fn definitions(&self) -> Vec<Definition> {
        let exchanges = self.exchanges.values().filter_map(|exchange| self.exchange_definition(exchange));
        let queues = self.queues.values().filter_map(|queue| self.queue_definition(queue));
        let bindings = self.exchanges.values().flat_map(|exchange| {
            let keys = exchange.bindings.iter().filter(|key| self.is_durable(exchange, key.destination));
            keys.map(|key| Definition::Bound(BindingDefinition { source: exchange.id, binding: key.to_binding() }))
        });
        exchanges.chain(queues).chain(bindings).collect()
    }

    fn exchange_definition(&self, exchange: &Exchange) -> Option<Definition> {
        let (vhost, id, spec) = (self.vhost.to_string(), exchange.id, exchange.spec.clone());
        exchange.spec.durable.then_some(Definition::Exchange(ExchangeDefinition { vhost, id, spec }))
    }

    fn queue_definition(&self, queue: &QueueHandle) -> Option<Definition> {
        let spec = &queue.spec;
        spec.durable.then(|| {
            Definition::Queue(QueueDefinition {
                vhost: self.vhost.to_string(),
                id: queue.id,
                name: spec.name.to_string(),
                auto_delete: spec.auto_delete,
                arguments: spec.raw_arguments.clone(),
            })
        })
    }

    /// Whether a binding survives a restart: both its ends do.
    fn is_durable(&self, source: &Exchange, destination: Destination) -> bool {
        source.spec.durable
            && match destination {
                Destination::Queue(id) => self.queues.get(&id).is_some_and(|queue| queue.spec.durable),
                Destination::Exchange(id) => self.exchanges.get(&id).is_some_and(|exchange| exchange.spec.durable),
            }
    }

    /// An exchange by its name.
    pub fn exchange(&self, name: &str) -> Option<&Exchange> {
        self.exchanges.get(self.exchange_ids.get(name)?)
    }

    /// An exchange by its identity.
    pub fn exchange_by_id(&self, id: ExchangeId) -> Option<&Exchange> {
        self.exchanges.get(&id)
    }

    /// A queue by its name.
    pub fn queue(&self, name: &str) -> Option<&Arc<QueueHandle>> {
        self.queues.get(self.queue_ids.get(name)?)
    }

    /// A queue by its identity.
    pub fn queue_by_id(&self, id: QueueId) -> Option<&Arc<QueueHandle>> {
        self.queues.get(&id)
    }

    /// All queues, in no order.
    pub fn queues(&self) -> impl ExactSizeIterator<Item = &Arc<QueueHandle>> {
        self.queues.values()
    }

    /// All exchanges, in no order.
    pub fn exchanges(&self) -> impl ExactSizeIterator<Item = &Exchange> {
        self.exchanges.values()
    }

    /// Whether this very binding exists.
    pub fn has_binding(&self, source: &str, binding: &Binding) -> bool {
        self.exchange(source).is_some_and(|exchange| exchange.bindings.contains(&BindingKey::of(binding)))
    }

    /// Adds an exchange; its name must be free.
    pub fn add_exchange(&mut self, id: ExchangeId, spec: ExchangeSpec, routing: Box<dyn Routing>) {
        self.exchange_ids.insert(Arc::clone(&spec.name), id);
        let exchange = Exchange { id, spec, routing, bindings: HashSet::new() };
        self.changes.extend(self.exchange_definition(&exchange));
        self.exchanges.insert(id, exchange);
    }

    /// Adds a queue; its name must be free.
    pub fn add_queue(&mut self, queue: Arc<QueueHandle>) {
        self.queue_ids.insert(Arc::clone(&queue.spec.name), queue.id);
        self.changes.extend(self.queue_definition(&queue));
        self.queues.insert(queue.id, queue);
    }

    /// Adds a binding; false when the same one is there already.
    pub fn bind(&mut self, source: ExchangeId, binding: &Binding) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&source) else { return false };
        let key = BindingKey::of(binding);
        if !exchange.bindings.insert(key.clone()) {
            return false;
        }
        exchange.routing.bind(binding);
        self.incoming.entry(binding.destination).or_default().insert((source, key));
        if self.exchanges.get(&source).is_some_and(|exchange| self.is_durable(exchange, binding.destination)) {
            self.changes.push(Definition::Bound(BindingDefinition { source, binding: binding.clone() }));
        }
        true
    }

    /// Removes a binding, and its source if that was auto-delete and this was its last one.
    pub fn unbind(&mut self, source: ExchangeId, binding: &Binding) -> Cascade {
        let mut cascade = Cascade::default();
        if self.exchanges.get(&source).is_some_and(|exchange| self.is_durable(exchange, binding.destination)) {
            self.changes.push(Definition::Unbound(BindingDefinition { source, binding: binding.clone() }));
        }
        self.remove_binding(source, &BindingKey::of(binding), &mut cascade);
        self.run(&mut cascade);
        cascade
    }

    /// Removes an exchange with all bindings from it and to it.
    pub fn remove_exchange(&mut self, id: ExchangeId) -> Cascade {
        let mut cascade = Cascade { exchanges: vec![id] };
        self.run(&mut cascade);
        cascade
    }

    /// Removes a queue with all bindings to it.
    pub fn remove_queue(&mut self, id: QueueId) -> Cascade {
        let mut cascade = Cascade::default();
        if let Some(queue) = self.queues.remove(&id) {
            self.queue_ids.remove(&queue.spec.name);
            if queue.spec.durable {
                self.changes.push(Definition::QueueDeleted(id));
            }
        }
        self.remove_incoming(Destination::Queue(id), &mut cascade);
        self.run(&mut cascade);
        cascade
    }

    /// Removes the exchanges of the cascade, which may add more to it.
    fn run(&mut self, cascade: &mut Cascade) {
        let mut done = 0;
        while let Some(&id) = cascade.exchanges.get(done) {
            done += 1;
            let Some(exchange) = self.exchanges.remove(&id) else { continue };
            self.exchange_ids.remove(&exchange.spec.name);
            if exchange.spec.durable {
                self.changes.push(Definition::ExchangeDeleted(id));
            }
            for key in exchange.bindings {
                self.forget_incoming(id, key);
            }
            self.remove_incoming(Destination::Exchange(id), cascade);
        }
    }

    fn remove_incoming(&mut self, destination: Destination, cascade: &mut Cascade) {
        for (source, key) in self.incoming.remove(&destination).unwrap_or_default() {
            self.remove_binding(source, &key, cascade);
        }
    }

    fn remove_binding(&mut self, source: ExchangeId, key: &BindingKey, cascade: &mut Cascade) {
        let Some(exchange) = self.exchanges.get_mut(&source) else { return };
        if !exchange.bindings.remove(key) {
            return;
        }
        exchange.routing.unbind(&key.to_binding());
        if exchange.spec.auto_delete && exchange.bindings.is_empty() {
            cascade.exchanges.push(source);
        }
        self.forget_incoming(source, key.clone());
    }

    fn forget_incoming(&mut self, source: ExchangeId, key: BindingKey) {
        let destination = key.destination;
        if let Some(incoming) = self.incoming.get_mut(&destination) {
            incoming.remove(&(source, key));
            if incoming.is_empty() {
                self.incoming.remove(&destination);
            }
        }
    }
}
