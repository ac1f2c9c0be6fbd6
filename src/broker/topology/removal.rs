//! Removing queues and exchanges with their bindings, which may be many: a few hundred at a time, so that the lock of the topology
//! is never held for long.
//!
//! What is removed loses its name at once. Until a removal has come to all its bindings, some lead to or from something that is
//! not there; whoever meets such a binding passes over it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{BindingNumber, Incoming, Topology, cost, incoming_of};
use crate::broker::definitions::{BindingDefinition, Definition};
use crate::broker::exchange::{Binding, Destination, Routing};
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::own::Event;
use crate::broker::split_map::SplitMap;

/// So many bindings and exchanges are removed under one lock: less than a millisecond's work.
const REMOVED_AT_ONCE: usize = 256;
/// So many bytes of a binding's arguments take as long as another binding.
const BYTES_PER_REMOVAL: usize = 1024;

/// A removal that has begun.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    /// The exchanges that were removed so far.
    pub(crate) exchanges: Vec<ExchangeId>,
    /// What is left to do; the last one first.
    steps: Vec<Step>,
    /// The names of what was removed, for those who want to know of its bindings.
    names: FxHashMap<Destination, Arc<str>>,
    /// The indexes of removed exchanges, kept until nothing is locked: it takes long to drop a large one.
    indexes: Vec<Box<dyn Routing>>,
}

#[derive(Debug)]
enum Step {
    /// Remove an auto-delete exchange that lost its last binding, if it has got no other meanwhile.
    Unused(ExchangeId),
    /// Remove the bindings to something that is gone.
    Incoming(Destination),
    /// Forget the bindings from an exchange that is gone.
    Outgoing(ExchangeId, Box<<SplitMap<Arc<Binding>, BindingNumber> as IntoIterator>::IntoIter>),
}

impl Removal {
    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.steps.is_empty()
    }
}

impl Topology {
    /// How many bindings lead to a queue, as far as `max`.
    pub(crate) fn binding_count_to(&self, queue: QueueId, max: usize) -> usize {
        self.incoming.range(incoming_of(Destination::Queue(queue))).take(max).count()
    }

    /// Removes a binding, and its source if that was auto-delete and this was its last one.
    pub(crate) fn unbind(&mut self, source: ExchangeId, binding: &Binding) -> Removal {
        let mut removal = Removal::default();
        if let Some((binding, number)) = self.remove_outgoing(source, binding, &mut removal) {
            self.incoming.remove(&(binding.destination().into(), number));
            // The exchange is still there: what it sets off is left to `proceed`.
            if self.exchanges.get(&source).is_some_and(|exchange| self.is_durable(exchange, binding.destination())) {
                self.changes.push(Definition::Unbound(BindingDefinition::new(source, &binding)));
            }
            self.tell_unbound(source, &binding, &removal);
        }
        removal
    }

    /// Removes an exchange; all bindings from it and to it follow.
    pub(crate) fn remove_exchange(&mut self, id: ExchangeId) -> Removal {
        let mut removal = Removal::default();
        self.take_exchange(id, &mut removal);
        removal
    }

    /// Removes a queue; all bindings to it follow.
    pub(crate) fn remove_queue(&mut self, id: QueueId) -> Removal {
        let mut names = FxHashMap::default();
        if let Some(queue) = self.queues.remove(id) {
            self.note(|vhost| Event::queue_deleted(vhost, &queue.spec));
            names.insert(Destination::Queue(id), Arc::clone(&queue.spec.name));
            self.definition_bytes = self.definition_bytes.saturating_sub(cost::of_queue(&queue.spec));
            if queue.spec.durable {
                self.changes.push(Definition::QueueDeleted(id));
            }
        }
        Removal { steps: vec![Step::Incoming(Destination::Queue(id))], names, ..Removal::default() }
    }

    /// Goes on with a removal for a while.
    pub(crate) fn proceed(&mut self, removal: &mut Removal) {
        let mut removed = 0;
        while removed < REMOVED_AT_ONCE {
            removed += 1;
            // The last one first: what a step sets off is done before the step goes on,
            // so the list stays short.
            let Some(step) = removal.steps.last_mut() else { return };
            match step {
                Step::Unused(id) => {
                    let id = *id;
                    removal.steps.pop();
                    // Somebody may have bound it anew while the lock was free.
                    if self.exchanges.get(&id).is_some_and(|exchange| exchange.bindings.is_empty()) {
                        self.take_exchange(id, removal);
                    }
                }
                Step::Incoming(destination) => match self.pop_incoming(*destination) {
                    Some(Incoming { source, binding }) => {
                        // What is recorded of it is as long.
                        removed += binding.arguments().as_bytes().len() / BYTES_PER_REMOVAL;
                        self.remove_outgoing(source, &binding, removal);
                        self.tell_unbound(source, &binding, removal);
                    }
                    None => {
                        removal.steps.pop();
                    }
                },
                Step::Outgoing(source, bindings) => match bindings.next() {
                    Some((binding, number)) => {
                        removed += binding.arguments().as_bytes().len() / BYTES_PER_REMOVAL;
                        let source = *source;
                        self.incoming.remove(&(binding.destination().into(), number));
                        self.tell_unbound(source, &binding, removal);
                    }
                    None => {
                        removal.steps.pop();
                    }
                },
            }
        }
    }

    fn take_exchange(&mut self, id: ExchangeId, removal: &mut Removal) {
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        self.exchange_ids.remove(&exchange.spec.name);
        self.definition_bytes = self.definition_bytes.saturating_sub(exchange.bytes);
        if exchange.spec.durable {
            self.changes.push(Definition::ExchangeDeleted(id));
        }
        self.note(|vhost| Event::exchange_deleted(vhost, &exchange.spec.name));
        removal.names.insert(Destination::Exchange(id), Arc::clone(&exchange.spec.name));
        removal.exchanges.push(id);
        // The name is free from here on; its bindings follow.
        removal.indexes.push(exchange.routing);
        removal.steps.push(Step::Incoming(Destination::Exchange(id)));
        removal.steps.push(Step::Outgoing(id, Box::new(exchange.bindings.into_iter())));
    }

    fn tell_unbound(&mut self, source: ExchangeId, binding: &Binding, removal: &Removal) {
        if self.events.is_none() {
            return;
        }
        let name = |of: Destination| removal.names.get(&of).map_or_else(|| self.name_of(of), Arc::clone);
        let (source, destination) = (name(Destination::Exchange(source)), name(binding.destination()));
        self.tell_binding("deleted", (&source, &destination), binding);
    }

    fn pop_incoming(&mut self, destination: Destination) -> Option<Incoming> {
        let (key, _) = self.incoming.range(incoming_of(destination)).next()?;
        let key = *key;
        self.incoming.remove(&key)
    }

    /// Takes a binding from its source.
    fn remove_outgoing(
        &mut self,
        source: ExchangeId,
        binding: &Binding,
        removal: &mut Removal,
    ) -> Option<(Arc<Binding>, BindingNumber)> {
        let exchange = self.exchanges.get_mut(&source)?;
        let (binding, number) = exchange.bindings.remove_entry(binding)?;
        exchange.routing.unbind(&binding);
        let bytes = cost::of_binding(&binding, &*exchange.routing);
        exchange.bytes = exchange.bytes.saturating_sub(bytes);
        self.definition_bytes = self.definition_bytes.saturating_sub(bytes);
        if exchange.spec.auto_delete && exchange.bindings.is_empty() {
            removal.steps.push(Step::Unused(source));
        }
        Some((binding, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::exchange::lookup;
    use crate::broker::topology::ExchangeSpec;
    use crate::table::{EncodedTable, Table};

    const SOURCE: ExchangeId = ExchangeId(1);
    const DESTINATION: ExchangeId = ExchangeId(2);

    fn add(topology: &mut Topology, id: ExchangeId, auto_delete: bool) {
        let kind = lookup("headers").unwrap();
        let spec = ExchangeSpec {
            name: format!("x{}", id.0).into(),
            kind,
            durable: false,
            auto_delete,
            internal: false,
            arguments: EncodedTable::default(),
            alternate: None,
        };
        topology.add_exchange(id, spec, (kind.create)(&Table::new()).unwrap());
    }

    fn binding(number: usize) -> Binding {
        Binding::new(Destination::Exchange(DESTINATION), number.to_string().as_bytes(), Table::new())
    }

    fn with_bindings(count: usize) -> Topology {
        let mut topology = Topology::new("/".into());
        add(&mut topology, SOURCE, true);
        add(&mut topology, DESTINATION, false);
        for number in 0..count {
            assert!(topology.bind(SOURCE, binding(number).into()));
            assert!(!topology.bind(SOURCE, binding(number).into()), "it is there already");
        }
        topology
    }

    #[test]
    fn many_bindings_go_in_steps_and_nothing_is_left() {
        for id in [SOURCE, DESTINATION] {
            let mut topology = with_bindings(1_000);
            let mut removal = topology.remove_exchange(id);
            let mut left = topology.incoming.len();
            while !removal.is_done() {
                topology.proceed(&mut removal);
                assert!(left - topology.incoming.len() <= REMOVED_AT_ONCE);
                left = topology.incoming.len();
            }
            assert_eq!((left, topology.exchanges.contains_key(&id)), (0, false));
            let left: usize = topology.exchanges().map(|exchange| cost::of_exchange(&exchange.spec)).sum();
            assert_eq!(topology.definition_bytes(), left, "nothing is counted any more for what is gone");
            assert!(removal.exchanges.contains(&SOURCE), "an auto-delete source goes with its last binding");
        }
    }

    #[test]
    fn an_auto_delete_exchange_that_is_bound_again_meanwhile_stays() {
        let mut topology = with_bindings(1);
        let mut removal = topology.unbind(SOURCE, &binding(0));
        assert!(topology.bind(SOURCE, binding(1).into()));
        topology.proceed(&mut removal);
        assert!(removal.is_done() && topology.exchange("x1").is_some());
    }

    #[test]
    fn bindings_to_something_that_is_gone_lead_nowhere() {
        let mut topology = with_bindings(1_000);
        let removal = topology.remove_exchange(DESTINATION);
        assert!(!removal.is_done() && topology.exchange_by_id(DESTINATION).is_none());
        assert_eq!(topology.exchange("x1").map(|source| source.binding_count()), Some(1_000));
    }
}
