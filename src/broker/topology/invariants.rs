//! What is true of the registries between any two changes. Debug builds look after each change, while there is little to look at.

use super::{Topology, cost};
use crate::broker::exchange::Destination;

/// With more the look would take longer than the change.
const LOOKED_AT_MAX: usize = 64;

impl Topology {
    /// # Panics
    /// When the registries contradict each other.
    pub(in crate::broker) fn check(&self) {
        if self.exchanges.len() + self.queues.len() + self.incoming.len() > LOOKED_AT_MAX {
            return;
        }
        for (name, id) in self.exchange_ids.iter() {
            assert!(
                self.exchanges.get(id).is_some_and(|exchange| exchange.spec.name == *name),
                "{name} is its exchange"
            );
        }
        self.queues.check();
        self.check_bindings();
        let exchanges: usize = self.exchanges.values().map(|exchange| exchange.bytes).sum();
        let queues: usize = self.queues.iter().map(|queue| cost::of_queue(&queue.spec)).sum();
        assert_eq!(self.definition_bytes, exchanges + queues, "everything is counted");
    }

    fn check_bindings(&self) {
        for ((destination, number), incoming) in &self.incoming {
            assert_eq!(
                Destination::from(*destination),
                incoming.binding.destination(),
                "a binding is with its destination"
            );
            assert!(*number < self.next_binding, "a number is given once");
            // A removal takes an exchange first, and comes to its bindings later.
            let source = self.exchanges.get(&incoming.source);
            let known = source.map(|source| source.bindings.get(&incoming.binding));
            assert!(known.is_none_or(|known| known == Some(number)), "a binding is known at both ends");
        }
        for (id, exchange) in self.exchanges.iter() {
            for (binding, number) in exchange.bindings.iter() {
                let incoming = self.incoming.get(&(binding.destination().into(), *number));
                assert!(incoming.is_some_and(|incoming| incoming.source == *id), "a binding is known at both ends");
            }
            let bindings = exchange.bindings.keys().map(|binding| cost::of_binding(binding, &*exchange.routing));
            assert_eq!(exchange.bytes, cost::of_exchange(&exchange.spec) + bindings.sum::<usize>(), "it is counted");
        }
    }
}
