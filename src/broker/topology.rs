//! The exchanges, queues and bindings of one virtual host: registries that stay consistent with each other.
//!
//! Pure, and without opinions about who may do what: `vhost.rs` checks, then changes this under its lock.
//! Invariants: a binding's source and destination exist; each binding is in its source's index, in `bindings` of the source and
//! in `incoming` of its destination, or in none of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

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
#[derive(Debug, Default)]
pub struct Topology {
    exchanges: HashMap<ExchangeId, Exchange>,
    exchange_ids: HashMap<Arc<str>, ExchangeId>,
    queues: HashMap<QueueId, Arc<QueueHandle>>,
    queue_ids: HashMap<Arc<str>, QueueId>,
    incoming: HashMap<Destination, HashSet<(ExchangeId, BindingKey)>>,
}

/// What was deleted along with something else.
#[derive(Debug, Default)]
pub struct Cascade {
    /// Auto-delete exchanges that lost their last binding.
    pub exchanges: Vec<ExchangeId>,
}

impl Topology {
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
        self.exchanges.insert(id, Exchange { id, spec, routing, bindings: HashSet::new() });
    }

    /// Adds a queue; its name must be free.
    pub fn add_queue(&mut self, queue: Arc<QueueHandle>) {
        self.queue_ids.insert(Arc::clone(&queue.spec.name), queue.id);
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
        true
    }

    /// Removes a binding, and its source if that was auto-delete and this was its last one.
    pub fn unbind(&mut self, source: ExchangeId, binding: &Binding) -> Cascade {
        let mut cascade = Cascade::default();
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
