//! What is there, read in pieces, so that the lock of the topology is never held for long, however much it is.
//!
//! The identities of all exchanges and queues are copied at once, which costs about a nanosecond for each. Then come the things
//! themselves, some under each lock, while the topology may change in between. For a checkpoint that is enough: the log tells
//! of every change since the first look, because it was begun after the position from which the log is to be read, and hearing
//! of a change again changes nothing. So something that goes meanwhile may be named or not, and something that comes is left
//! to the log. The latter is also how bindings keep their order, in which hash exchanges number their buckets: each that was
//! there at the first look precedes each that came later. A later one must not be named, or it would keep its place in front
//! of one that came between the two and was overlooked.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::vec;

use super::{BindingNumber, IncomingKey, Topology};
use crate::broker::definitions::{BindingDefinition, Definition};
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::queue::QueueHandle;

/// Things that are looked at under one lock: some tenths of a millisecond's work.
pub(in crate::broker) const LOOKED_AT_ONCE: usize = 1024;

/// So many bytes of arguments, of which a client can send 32 KiB with each thing, take as long to copy as another thing.
const BYTES_PER_THING: usize = 64;

/// As how many things one counts that has arguments of so many bytes.
pub(super) const fn worth_things(arguments_bytes: usize) -> usize {
    1 + arguments_bytes / BYTES_PER_THING
}

/// Looks at things until that is enough under one lock. `look` tells as how many each counts.
pub(super) fn look_at_some<T>(things: impl Iterator<Item = T>, at_once: usize, mut look: impl FnMut(T) -> usize) {
    let mut looked_at = 0;
    // Asked first: what is taken out of the iterator must be looked at.
    let mut things = things;
    while looked_at < at_once
        && let Some(thing) = things.next()
    {
        looked_at += look(thing);
    }
}

/// A look at everything that survives a restart. It is over when [`Topology::take_inventory`] says so.
#[derive(Debug)]
pub(crate) struct Inventory {
    exchanges: vec::IntoIter<ExchangeId>,
    queues: vec::IntoIter<QueueId>,
    /// The binding that was looked at last, in the order of `Topology::incoming`.
    last: Option<IncomingKey>,
    /// Bindings from here on were made since the look began.
    new_from: BindingNumber,
    /// Things that are looked at under one lock. Tests have fewer.
    at_once: usize,
    definitions: Vec<Definition>,
    bindings: Vec<(BindingNumber, BindingDefinition)>,
}

impl Inventory {
    /// What was found, each thing before what refers to it. It sorts all bindings: nothing should be locked.
    pub(crate) fn into_definitions(self) -> Vec<Definition> {
        let Self { mut definitions, mut bindings, .. } = self;
        bindings.sort_unstable_by_key(|(number, _)| *number);
        definitions.extend(bindings.into_iter().map(|(_, bound)| Definition::Bound(bound)));
        definitions
    }
}

impl Topology {
    /// Begins a look at everything that survives a restart. [`Topology::take_inventory`] must follow until it is over.
    pub(crate) fn begin_inventory(&self) -> Inventory {
        Inventory {
            exchanges: self.exchange_ids.values().copied().collect::<Vec<_>>().into_iter(),
            queues: self.queues.ids().into_iter(),
            last: None,
            new_from: self.next_binding,
            at_once: LOOKED_AT_ONCE,
            definitions: Vec::new(),
            bindings: Vec::new(),
        }
    }

    /// Looks at some more; false when that was all.
    pub(crate) fn take_inventory(&self, inventory: &mut Inventory) -> bool {
        let Inventory { exchanges, queues, definitions, at_once, .. } = inventory;
        if !exchanges.as_slice().is_empty() {
            look_at_some(exchanges, *at_once, |id| {
                let Some(exchange) = self.exchanges.get(&id) else { return 1 };
                definitions.extend(self.exchange_definition(exchange));
                worth_things(exchange.spec.arguments.bytes())
            });
            return true;
        }
        if !queues.as_slice().is_empty() {
            look_at_some(queues, *at_once, |id| {
                let Some(queue) = self.queues.get(&id) else { return 1 };
                definitions.extend(self.queue_definition(queue));
                worth_things(queue.spec.raw_arguments.bytes())
            });
            return true;
        }
        self.take_bindings(inventory)
    }

    fn take_bindings(&self, inventory: &mut Inventory) -> bool {
        let from = inventory.last.map_or(Unbounded, Excluded);
        let mut looked_at = 0;
        for (&(destination, number), incoming) in self.incoming.range((from, Unbounded)).take(inventory.at_once) {
            looked_at += 1;
            // Also for one that is left out: the next look begins behind it.
            inventory.last = Some((destination, number));
            let Some(source) = self.exchanges.get(&incoming.source) else { continue };
            if number < inventory.new_from && self.is_durable(source, destination.into()) {
                inventory.bindings.push((number, BindingDefinition::new(incoming.source, &incoming.binding)));
            }
        }
        looked_at == inventory.at_once
    }
}

/// The queues of a virtual host, to be handed out some under each lock. Those that come meanwhile are not among them.
#[derive(Debug)]
pub(crate) struct QueueList(vec::IntoIter<QueueId>);

impl QueueList {
    /// Whether all were handed out.
    pub(crate) fn is_over(&self) -> bool {
        self.0.as_slice().is_empty()
    }
}

impl Topology {
    /// The identities of all queues.
    pub(crate) fn queue_list(&self) -> QueueList {
        QueueList(self.queues.ids().into_iter())
    }

    /// Adds some more of these queues to `taken`.
    pub(crate) fn take_queues(&self, list: &mut QueueList, taken: &mut Vec<Arc<QueueHandle>>) {
        taken.extend(list.0.by_ref().take(LOOKED_AT_ONCE).filter_map(|id| self.queues.get(&id)).cloned());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::broker::definitions::Definitions;
    use crate::broker::exchange::Destination;
    use crate::broker::exchange::{Binding, lookup};
    use crate::broker::node::Node;
    use crate::broker::queue::arguments::QueueArguments;
    use crate::broker::queue::{Exclusivity, QueueSpec};
    use crate::broker::topology::ExchangeSpec;
    use crate::table::{EncodedTable, Table};

    /// Exchanges are 0 to 3, queues 4 to 7. The last of each do not survive a restart.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Bind { source: usize, destination: usize, key: u8 },
        Unbind { source: usize, destination: usize, key: u8 },
        Declare { id: usize },
        Delete { id: usize },
    }

    fn a_step() -> impl Strategy<Value = Step> {
        let ends = || (0..4_usize, 1..8_usize, 0..3_u8);
        prop_oneof![
            6 => ends().prop_map(|(source, destination, key)| Step::Bind { source, destination, key }),
            3 => ends().prop_map(|(source, destination, key)| Step::Unbind { source, destination, key }),
            1 => (0..8_usize).prop_map(|id| Step::Declare { id }),
            1 => (0..8_usize).prop_map(|id| Step::Delete { id }),
        ]
    }

    struct World {
        topology: Topology,
        node: Arc<Node>,
        /// Identities are never used again: each declaration has the next ones.
        generation: u64,
        /// What each of the eight is now.
        ids: [Option<u64>; 8],
    }

    impl World {
        fn new() -> Self {
            let topology = Topology::new("/".into());
            let mut world = Self { topology, node: Arc::default(), generation: 0, ids: [None; 8] };
            (0..8).for_each(|id| world.apply(Step::Declare { id }));
            world
        }

        fn declare(&mut self, number: usize) {
            self.generation += 1;
            let id = self.generation * 8 + number as u64;
            self.ids[number] = Some(id);
            let (name, durable): (Arc<str>, _) = (id.to_string().into(), number % 4 != 3);
            if number < 4 {
                let kind = lookup("direct").unwrap();
                let (auto_delete, internal, alternate) = (number == 2, false, None);
                let arguments = EncodedTable::default();
                let spec = ExchangeSpec { name, kind, durable, auto_delete, internal, arguments, alternate };
                self.topology.add_exchange(ExchangeId(id), spec, (kind.create)(&Table::new()).unwrap());
            } else {
                let (auto_delete, exclusivity) = (false, Exclusivity::Shared);
                let (raw_arguments, arguments) = (EncodedTable::default(), Arc::new(QueueArguments::default()));
                let spec = QueueSpec { name, durable, auto_delete, exclusivity, raw_arguments, arguments };
                let queue = QueueHandle::new(QueueId(id), spec, Weak::new(), Arc::clone(&self.node), 0);
                self.topology.add_queue(Arc::new(queue));
            }
        }

        fn ends(&self, source: usize, destination: usize, key: u8) -> Option<(ExchangeId, Binding)> {
            let (source, id) = (self.ids[source]?, self.ids[destination]?);
            let destination =
                if destination < 4 { Destination::Exchange(ExchangeId(id)) } else { Destination::Queue(QueueId(id)) };
            Some((ExchangeId(source), Binding::new(destination, &[key], Table::new())))
        }

        fn apply(&mut self, step: Step) {
            let mut removal = match step {
                Step::Declare { id } => {
                    if self.ids[id].is_none() {
                        self.declare(id);
                    }
                    return;
                }
                Step::Bind { source, destination, key } => {
                    if let Some((source, binding)) = self.ends(source, destination, key) {
                        self.topology.bind(source, binding.into());
                    }
                    return;
                }
                Step::Unbind { source, destination, key } => {
                    let Some((source, binding)) = self.ends(source, destination, key) else { return };
                    self.topology.unbind(source, &binding)
                }
                Step::Delete { id } => match self.ids[id].take() {
                    Some(exchange) if id < 4 => self.topology.remove_exchange(ExchangeId(exchange)),
                    Some(queue) => self.topology.remove_queue(QueueId(queue)),
                    None => return,
                },
            };
            while !removal.is_done() {
                self.topology.proceed(&mut removal);
            }
            for id in &mut self.ids {
                let is_gone = |id: &mut u64| removal.exchanges.contains(&ExchangeId(*id));
                id.take_if(is_gone);
            }
        }

        fn inventory(&self) -> Vec<Definition> {
            let mut inventory = self.topology.begin_inventory();
            while self.topology.take_inventory(&mut inventory) {}
            inventory.into_definitions()
        }
    }

    /// What a start makes of this, in words that can be compared.
    fn outcome(definitions: impl IntoIterator<Item = Definition>) -> String {
        let mut all = Definitions::default();
        definitions.into_iter().for_each(|definition| all.apply(definition));
        let exchanges: Vec<_> = all.exchanges.iter().map(|(id, exchange)| (*id, exchange.was_bound)).collect();
        let queues: Vec<_> = all.queues.keys().collect();
        let bindings: Vec<_> = all.bindings().collect();
        format!("{exchanges:?} {queues:?} {bindings:?}")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// A start from pieces, and from what the log tells since, is a start from one look; both find what is there.
        #[test]
        fn pieces_and_what_changed_meanwhile_are_one_look(
            before in vec(a_step(), 0..60),
            meanwhile in vec(vec(a_step(), 0..6), 0..20),
            at_once in 1..5_usize,
        ) {
            let mut world = World::new();
            before.into_iter().for_each(|step| world.apply(step));
            world.topology.take_changes();
            let one_look = world.inventory();

            let mut inventory = Inventory { at_once, ..world.topology.begin_inventory() };
            let mut meanwhile = meanwhile.into_iter();
            while world.topology.take_inventory(&mut inventory) {
                meanwhile.next().unwrap_or_default().into_iter().for_each(|step| world.apply(step));
            }
            let changes = world.topology.take_changes();
            let pieces = outcome(inventory.into_definitions().into_iter().chain(changes.clone()));
            prop_assert_eq!(&pieces, &outcome(one_look.into_iter().chain(changes)));
            prop_assert_eq!(pieces, outcome(world.inventory()));
        }
    }

    #[test]
    fn all_queues_are_listed_though_some_go_meanwhile() {
        let mut world = World::new();
        let (mut list, mut queues) = (world.topology.queue_list(), Vec::new());
        world.apply(Step::Delete { id: 4 });
        world.apply(Step::Declare { id: 4 });
        while !list.is_over() {
            world.topology.take_queues(&mut list, &mut queues);
        }
        let mut found: Vec<_> = queues.iter().map(|queue| queue.id.0 % 8).collect();
        found.sort_unstable();
        assert_eq!(found, [5, 6, 7]);
    }
}
