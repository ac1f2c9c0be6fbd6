//! The exchanges, queues and bindings of one virtual host: registries that stay consistent with each other.
//!
//! Pure. `vhost.rs` checks who may do what, then changes this under its lock. Invariants: each binding is in its source's index, in
//! `bindings` of the source and in `incoming`, or in none of them; its source and destination exist, but for what a [`Removal`] has
//! not come to yet. The binding itself is stored once. `definition_bytes` is the sum of what `cost` says of all that is there.

pub(super) mod cost;
mod events;
#[cfg(debug_assertions)]
mod invariants;
mod inventory;
mod listing;
mod policies;
mod queues;
mod removal;
mod snapshot;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::definitions::{BindingDefinition, Definition, ExchangeDefinition, QueueDefinition};
use super::exchange::{Binding, Destination, ExchangeType, PackedDestination, Routing};
use super::ids::{ExchangeId, QueueId};
use super::object_counts::Objects;
use super::own::Event;
use super::policies::Applied;
use super::queue::QueueHandle;
use super::split_map::{FxSplitMap, SplitMap};
use crate::metrics::ExchangeCounters;
use crate::table::EncodedTable;

pub(in crate::broker) use inventory::LOOKED_AT_ONCE;
pub(crate) use inventory::QueueList;
pub(crate) use listing::BindingList;
use queues::Queues;
pub(crate) use removal::Removal;
pub(crate) use snapshot::{BindingSnapshot, DestinationType, ExchangeSnapshot};

/// What an exchange was declared as.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeSpec {
    /// Its name; empty for the default exchange.
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static ExchangeType,
    /// Survives a restart.
    pub(crate) durable: bool,
    /// Goes with the last binding from it.
    pub(crate) auto_delete: bool,
    /// Clients may not publish to it.
    pub(crate) internal: bool,
    pub(crate) arguments: EncodedTable,
    /// `alternate-exchange`. A policy may say another one.
    pub(crate) alternate: Option<Arc<str>>,
}

/// An exchange with its bindings.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) id: ExchangeId,
    /// What it was declared as.
    pub(crate) spec: ExchangeSpec,
    /// Its routing index.
    pub(crate) routing: Box<dyn Routing>,
    /// What passed through it; shared with the routes that connections remember.
    pub(crate) counters: Arc<ExchangeCounters>,
    bindings: SplitMap<Arc<Binding>, BindingNumber>,
    policies: Option<Arc<Applied>>,
    /// What it takes in memory, with its bindings.
    bytes: usize,
    /// A binding led from it once; kept of those that are auto-delete.
    was_bound: bool,
}

impl Exchange {
    /// How many bindings lead from it.
    pub(crate) fn binding_count(&self) -> usize {
        self.bindings.len()
    }

    /// Whether its last binding went without taking it along: at a start, because what it led to did not survive.
    pub(super) fn has_lost_its_bindings(&self) -> bool {
        self.spec.auto_delete && self.was_bound && self.bindings.is_empty()
    }
}

/// Bindings of a virtual host are numbered in the order in which they were made.
type BindingNumber = u64;

/// The bindings to one destination stand side by side, in the order in which they were made.
type IncomingKey = (PackedDestination, BindingNumber);

fn incoming_of(destination: Destination) -> RangeInclusive<IncomingKey> {
    (destination.into(), 0)..=(destination.into(), BindingNumber::MAX)
}

/// A binding as its destination knows it.
#[derive(Debug)]
struct Incoming {
    source: ExchangeId,
    binding: Arc<Binding>,
}

/// The exchanges, queues and bindings of one virtual host.
#[derive(Debug)]
pub struct Topology {
    vhost: Arc<str>,
    exchanges: FxSplitMap<ExchangeId, Exchange>,
    exchange_ids: SplitMap<Arc<str>, ExchangeId>,
    queues: Queues,
    /// All bindings, those to one destination side by side: a destination with one binding costs no table of its own.
    incoming: BTreeMap<IncomingKey, Incoming>,
    next_binding: BindingNumber,
    definition_bytes: usize,
    /// The virtual host is deleted: nothing may be added any more, and the log is told of nothing.
    is_closed: bool,
    /// What changed of the things that survive a restart, since [`Topology::take_changes`].
    changes: Vec<Definition>,
    /// What happened since [`Topology::take_events`]; `None` while nobody wants to know.
    events: Option<Vec<Event>>,
}

impl Topology {
    /// The empty registries of a virtual host.
    pub fn new(vhost: Arc<str>) -> Self {
        Self {
            vhost,
            exchanges: SplitMap::default(),
            exchange_ids: SplitMap::default(),
            queues: Queues::default(),
            incoming: BTreeMap::new(),
            next_binding: 0,
            definition_bytes: 0,
            is_closed: false,
            changes: Vec::new(),
            events: None,
        }
    }

    /// How many queues and exchanges there are.
    pub(crate) fn objects(&self) -> Objects {
        Objects { queues: self.queues.len(), exchanges: self.exchanges.len() }
    }

    /// What exchanges, queues and bindings take in memory.
    pub(crate) fn definition_bytes(&self) -> usize {
        self.definition_bytes
    }

    /// What changed of the things that survive a restart. What is in a virtual host that is deleted does not.
    pub(crate) fn take_changes(&mut self) -> Vec<Definition> {
        let changes = std::mem::take(&mut self.changes);
        // One record says that the virtual host is gone. Thousands about what was in it would say the same.
        if self.is_closed { Vec::new() } else { changes }
    }

    /// Closes it, because its virtual host is deleted.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether its virtual host is deleted.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn exchange_definition(&self, exchange: &Exchange) -> Option<Definition> {
        let (vhost, id, spec) = (self.vhost.to_string(), exchange.id, exchange.spec.clone());
        exchange.spec.durable.then_some(Definition::Exchange(ExchangeDefinition {
            vhost,
            id,
            spec,
            was_bound: exchange.was_bound,
        }))
    }

    fn queue_definition(&self, queue: &QueueHandle) -> Option<Definition> {
        let spec = &queue.spec;
        spec.durable.then(|| {
            Definition::Queue(QueueDefinition {
                vhost: self.vhost.to_string(),
                id: queue.id,
                name: spec.name.to_string(),
                auto_delete: spec.auto_delete,
                arguments: spec.raw_arguments.fields().to_owned(),
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
    pub(crate) fn exchange(&self, name: &str) -> Option<&Exchange> {
        self.exchanges.get(self.exchange_ids.get(name)?)
    }

    /// An exchange by its identity.
    pub(crate) fn exchange_by_id(&self, id: ExchangeId) -> Option<&Exchange> {
        self.exchanges.get(&id)
    }

    /// A queue by its name.
    pub fn queue(&self, name: &str) -> Option<&Arc<QueueHandle>> {
        self.queues.named(name)
    }

    /// A queue by its identity.
    pub(crate) fn queue_by_id(&self, id: QueueId) -> Option<&Arc<QueueHandle>> {
        self.queues.get(&id)
    }

    /// All queues, in no order.
    pub fn queues(&self) -> impl Iterator<Item = &Arc<QueueHandle>> {
        self.queues.iter()
    }

    /// All exchanges, in no order.
    pub(crate) fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.values()
    }

    /// Whether this very binding exists.
    pub(crate) fn has_binding(&self, source: &str, binding: &Binding) -> bool {
        self.exchange(source).is_some_and(|exchange| exchange.bindings.contains_key(binding))
    }

    /// Adds an exchange; its name must be free.
    pub(crate) fn add_exchange(&mut self, id: ExchangeId, spec: ExchangeSpec, routing: Box<dyn Routing>) {
        self.exchange_ids.insert(Arc::clone(&spec.name), id);
        let (bytes, counters) = (cost::of_exchange(&spec), Arc::default());
        let (bindings, policies, was_bound) = (SplitMap::default(), None, false);
        let exchange = Exchange { id, spec, routing, counters, bindings, policies, bytes, was_bound };
        self.definition_bytes += bytes;
        self.changes.extend(self.exchange_definition(&exchange));
        self.note(|vhost| Event::exchange_created(vhost, &exchange.spec));
        self.exchanges.insert(id, exchange);
    }

    /// Adds a queue; its name must be free.
    pub(crate) fn add_queue(&mut self, queue: Arc<QueueHandle>) {
        // The definition is in the log before the first message of the queue can be: nobody
        // else has the handle yet.
        self.changes.extend(self.queue_definition(&queue));
        self.definition_bytes += cost::of_queue(&queue.spec);
        self.note(|vhost| Event::queue_created(vhost, &queue.spec));
        self.queues.insert(queue);
    }

    /// The name of a queue or an exchange; empty when it is not there.
    fn name_of(&self, destination: Destination) -> Arc<str> {
        let name = match destination {
            Destination::Queue(id) => self.queues.get(&id).map(|queue| &queue.spec.name),
            Destination::Exchange(id) => self.exchanges.get(&id).map(|exchange| &exchange.spec.name),
        };
        name.cloned().unwrap_or_default()
    }

    /// Notes that a binding led from an exchange once, unless that is known.
    pub(super) fn note_bound(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if exchange.spec.auto_delete && !exchange.was_bound {
            exchange.was_bound = true;
            let definition = self.exchanges.get(&id).and_then(|exchange| self.exchange_definition(exchange));
            self.changes.extend(definition);
        }
    }

    /// Adds a binding; false when the same one is there already.
    pub fn bind(&mut self, source: ExchangeId, binding: Arc<Binding>) -> bool {
        let (number, name) = (self.next_binding, self.name_of(binding.destination()));
        let Some(exchange) = self.exchanges.get_mut(&source) else { return false };
        // Asked before anything changes: a number is given to new bindings only.
        if exchange.bindings.contains_key(&binding) {
            return false;
        }
        self.next_binding += 1;
        exchange.bindings.insert(Arc::clone(&binding), number);
        exchange.routing.bind_named(&binding, &name);
        let bytes = cost::of_binding(&binding, &*exchange.routing);
        exchange.bytes += bytes;
        self.definition_bytes += bytes;
        self.note_bound(source);
        if self.exchanges.get(&source).is_some_and(|exchange| self.is_durable(exchange, binding.destination())) {
            self.changes.push(Definition::Bound(BindingDefinition::new(source, &binding)));
        }
        if self.events.is_some() {
            let source = self.name_of(Destination::Exchange(source));
            self.tell_binding("created", (&source, &name), &binding);
        }
        // Last, because it takes the binding.
        self.incoming.insert((binding.destination().into(), number), Incoming { source, binding });
        true
    }
}
