//! Exchanges and bindings as plain values, for those who list them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Exchange, Topology, incoming_of};
use crate::broker::exchange::{Binding, Destination};
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::policies::Applied;
use crate::metrics::ExchangeStats;

use super::ExchangeSpec;

/// An exchange as it was at one moment.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeSnapshot {
    pub(crate) id: ExchangeId,
    /// What it was declared as.
    pub(crate) spec: ExchangeSpec,
    /// The policies that hold for it.
    pub(crate) policies: Option<Arc<Applied>>,
    /// What passed through it.
    pub(crate) stats: ExchangeStats,
    /// How many bindings lead from it.
    pub(crate) bindings: usize,
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DestinationType {
    Exchange,
    Queue,
}

/// A binding with the names of both its ends.
#[derive(Clone, Debug)]
pub(crate) struct BindingSnapshot {
    /// The exchange that it leads from; empty for the default exchange.
    pub(crate) source: Arc<str>,
    /// The queue or exchange that it leads to.
    pub(crate) destination: Arc<str>,
    /// Which of them it is.
    pub(crate) destination_type: DestinationType,
    /// The binding itself; `None` for what the default exchange does, which has no bindings.
    pub(crate) binding: Option<Arc<Binding>>,
}

impl BindingSnapshot {
    /// What the default exchange does with the name of a queue.
    pub(in crate::broker) fn of_default(queue: &str) -> Self {
        default_binding(queue)
    }

    /// Whether it leads to the queue of this name.
    pub(crate) fn is_to_queue(&self, name: &str) -> bool {
        self.destination_type == DestinationType::Queue && &*self.destination == name
    }

    /// The binding key. That of the default exchange is the queue's name.
    pub(crate) fn routing_key(&self) -> &[u8] {
        self.binding.as_ref().map_or(self.destination.as_bytes(), |binding| binding.routing_key())
    }
}

impl Exchange {
    /// The exchange as it is now.
    pub(crate) fn snapshot(&self) -> ExchangeSnapshot {
        ExchangeSnapshot {
            id: self.id,
            spec: self.spec.clone(),
            policies: self.policies.clone(),
            stats: self.counters.read(),
            bindings: self.binding_count(),
        }
    }
}

impl Topology {
    /// The bindings that lead from an exchange, in no order. The default exchange has none.
    pub(crate) fn bindings_from(&self, source: &str) -> Vec<BindingSnapshot> {
        let Some(exchange) = self.exchange(source) else { return Vec::new() };
        self.leading_from(exchange).collect()
    }

    /// Bindings that lead from an exchange, at most so many: first those to what was chosen, which are told apart, then others.
    pub(in crate::broker) fn bindings_within(
        &self,
        source: &Exchange,
        chosen: &BTreeSet<Destination>,
        count: usize,
    ) -> Vec<(BindingSnapshot, bool)> {
        let to_chosen = chosen.iter().flat_map(|destination| {
            let incoming = self.incoming.range(incoming_of(*destination));
            incoming.filter(|(_, incoming)| incoming.source == source.id).map(|(_, incoming)| &incoming.binding)
        });
        let others = source.bindings.keys().filter(|binding| !chosen.contains(&binding.destination()));
        let first = to_chosen.map(|binding| (self.snapshot_of(source, binding), true));
        first.chain(others.map(|binding| (self.snapshot_of(source, binding), false))).take(count).collect()
    }

    /// The queues that an exchange is bound to; of very many bindings only some are looked at.
    pub(in crate::broker) fn queues_bound_to(&self, source: &str, bindings_max: usize) -> Vec<QueueId> {
        let Some(exchange) = self.exchange(source) else { return Vec::new() };
        let destinations = exchange.bindings.keys().take(bindings_max).map(|binding| binding.destination());
        let queue = |destination| if let Destination::Queue(id) = destination { Some(id) } else { None };
        destinations.filter_map(queue).collect()
    }

    /// Whether an exchange is bound to a queue; of very many bindings only some are looked at.
    pub(in crate::broker) fn is_bound(&self, source: &str, queue: QueueId, bindings_max: usize) -> bool {
        let Some(exchange) = self.exchange(source) else { return false };
        let incoming = self.incoming.range(incoming_of(Destination::Queue(queue)));
        incoming.take(bindings_max).any(|(_, incoming)| incoming.source == exchange.id)
    }

    fn leading_from<'a>(&'a self, exchange: &'a Exchange) -> impl Iterator<Item = BindingSnapshot> + 'a {
        exchange.bindings.keys().map(|binding| self.snapshot_of(exchange, binding))
    }

    pub(super) fn snapshot_of(&self, source: &Exchange, binding: &Arc<Binding>) -> BindingSnapshot {
        BindingSnapshot {
            source: Arc::clone(&source.spec.name),
            destination: self.name_of(binding.destination()),
            destination_type: match binding.destination() {
                Destination::Exchange(ExchangeId(_)) => DestinationType::Exchange,
                Destination::Queue(_) => DestinationType::Queue,
            },
            binding: Some(Arc::clone(binding)),
        }
    }
}

/// What the default exchange does for a queue.
pub(super) fn default_binding(queue: &str) -> BindingSnapshot {
    let destination: Arc<str> = queue.into();
    BindingSnapshot { source: "".into(), destination, destination_type: DestinationType::Queue, binding: None }
}
