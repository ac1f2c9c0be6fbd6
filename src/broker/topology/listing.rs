//! Exchanges and bindings for those who list them, read in pieces as `inventory` reads them: whoever needs the topology's lock
//! meanwhile gets it between two pieces. What comes or goes during a look may be in the list or not; everything else is in it once.

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::vec;

use super::inventory::{LOOKED_AT_ONCE, look_at_some, worth_things};
use super::snapshot::default_binding;
use super::{BindingNumber, BindingSnapshot, DestinationType, ExchangeSnapshot, IncomingKey, Topology, incoming_of};
use crate::broker::exchange::Destination;
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::queue::Exclusivity;

/// The exchanges of a virtual host, some under each lock.
#[derive(Debug)]
pub(crate) struct ExchangeList {
    ids: vec::IntoIter<ExchangeId>,
    /// What was found so far.
    pub(crate) found: Vec<ExchangeSnapshot>,
}

/// The bindings of a virtual host, some under each lock.
#[derive(Debug)]
pub(crate) struct BindingList {
    /// The queues whose bindings of the default exchange are not written down yet.
    queues: vec::IntoIter<QueueId>,
    /// What is still to be looked at, in the order of `Topology::incoming`.
    ahead: (Bound<IncomingKey>, Bound<IncomingKey>),
    /// What the default exchange does: one for each queue.
    defaults: Vec<BindingSnapshot>,
    bindings: Vec<Listed>,
}

/// A binding that somebody made.
#[derive(Debug)]
struct Listed {
    number: BindingNumber,
    /// It does not lead to a queue of one connection.
    is_shared: bool,
    binding: BindingSnapshot,
}

impl BindingList {
    /// All that were found, those of the default exchange first.
    pub(crate) fn into_all(self) -> Vec<BindingSnapshot> {
        let mut all = self.defaults;
        all.extend(self.bindings.into_iter().map(|listed| listed.binding));
        all
    }

    /// What the default exchange does.
    pub(crate) fn into_defaults(self) -> Vec<BindingSnapshot> {
        self.defaults
    }

    /// The bindings that others may know of, in the order in which they were made: not those of the default exchange, and not those to
    /// queues of one connection. It sorts them: nothing should be locked.
    pub(crate) fn into_shared_as_made(self) -> Vec<BindingSnapshot> {
        let mut listed: Vec<_> = self.bindings.into_iter().filter(|listed| listed.is_shared).collect();
        listed.sort_unstable_by_key(|listed| listed.number);
        listed.into_iter().map(|listed| listed.binding).collect()
    }
}

impl Topology {
    /// Begins a list of all exchanges. [`Topology::take_exchanges`] must follow until it is over.
    pub(crate) fn begin_exchanges(&self) -> ExchangeList {
        ExchangeList { ids: self.exchanges.keys().copied().collect::<Vec<_>>().into_iter(), found: Vec::new() }
    }

    /// Lists some more; false when that was all.
    pub(crate) fn take_exchanges(&self, list: &mut ExchangeList) -> bool {
        let ExchangeList { ids, found } = list;
        look_at_some(ids, LOOKED_AT_ONCE, |id| {
            let Some(exchange) = self.exchanges.get(&id) else { return 1 };
            found.push(exchange.snapshot());
            worth_things(exchange.spec.arguments.bytes())
        });
        !list.ids.as_slice().is_empty()
    }

    /// Begins a list of all bindings. [`Topology::take_default_bindings`] or [`Topology::take_listed_bindings`] must follow until they
    /// are over.
    pub(crate) fn begin_bindings(&self) -> BindingList {
        let queues = self.queues.ids().into_iter();
        BindingList { queues, ahead: (Unbounded, Unbounded), defaults: Vec::new(), bindings: Vec::new() }
    }

    /// Begins a list of the bindings to something; none if it is not there. [`Topology::take_listed_bindings`] must follow until it is
    /// over.
    pub(crate) fn begin_bindings_to(&self, kind: DestinationType, name: &str) -> Option<BindingList> {
        let destination = match kind {
            DestinationType::Queue => Destination::Queue(self.queues.named(name)?.id),
            DestinationType::Exchange => Destination::Exchange(*self.exchange_ids.get(name)?),
        };
        let (first, last) = incoming_of(destination).into_inner();
        let defaults = (kind == DestinationType::Queue).then(|| default_binding(name));
        Some(BindingList {
            queues: Vec::new().into_iter(),
            ahead: (Included(first), Included(last)),
            defaults: defaults.into_iter().collect(),
            bindings: Vec::new(),
        })
    }

    /// Lists what the default exchange does for some more queues; false when that was all.
    pub(crate) fn take_default_bindings(&self, list: &mut BindingList) -> bool {
        let some = list.queues.by_ref().take(LOOKED_AT_ONCE).filter_map(|id| self.queues.get(&id));
        list.defaults.extend(some.map(|queue| default_binding(&queue.spec.name)));
        !list.queues.as_slice().is_empty()
    }

    /// Lists some more bindings that somebody made; false when that was all.
    pub(crate) fn take_listed_bindings(&self, list: &mut BindingList) -> bool {
        let mut looked_at = 0;
        for (&(destination, number), incoming) in self.incoming.range(list.ahead).take(LOOKED_AT_ONCE) {
            looked_at += 1;
            list.ahead.0 = Excluded((destination, number));
            let Some(source) = self.exchanges.get(&incoming.source) else { continue };
            let binding = self.snapshot_of(source, &incoming.binding);
            list.bindings.push(Listed { number, is_shared: self.is_shared(destination.into()), binding });
        }
        looked_at == LOOKED_AT_ONCE
    }

    fn is_shared(&self, destination: Destination) -> bool {
        match destination {
            Destination::Exchange(_) => true,
            Destination::Queue(id) => {
                self.queues.get(&id).is_some_and(|queue| queue.spec.exclusivity == Exclusivity::Shared)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use super::*;
    use crate::broker::exchange::{Binding, lookup};
    use crate::broker::node::Node;
    use crate::broker::queue::arguments::QueueArguments;
    use crate::broker::queue::{QueueHandle, QueueSpec};
    use crate::broker::topology::ExchangeSpec;
    use crate::table::{EncodedTable, Table};

    /// So many of each kind that a list takes three looks.
    const MANY: u64 = 2 * LOOKED_AT_ONCE as u64 + 10;

    fn add_exchange(topology: &mut Topology, id: u64) {
        let (kind, name) = (lookup("direct").unwrap(), format!("x{id}").into());
        let (durable, auto_delete, internal, alternate) = (true, false, false, None);
        let arguments = EncodedTable::default();
        let spec = ExchangeSpec { name, kind, durable, auto_delete, internal, arguments, alternate };
        topology.add_exchange(ExchangeId(id), spec, (kind.create)(&Table::new()).unwrap());
    }

    fn add_queue(topology: &mut Topology, node: &Arc<Node>, id: u64) {
        let (durable, auto_delete, exclusivity) = (true, false, Exclusivity::Shared);
        let (raw_arguments, arguments) = (EncodedTable::default(), Arc::new(QueueArguments::default()));
        let name = format!("q{id}").into();
        let spec = QueueSpec { name, durable, auto_delete, exclusivity, raw_arguments, arguments };
        let queue = QueueHandle::new(QueueId(id), spec, Weak::new(), Arc::clone(node), 0);
        topology.add_queue(Arc::new(queue));
    }

    /// Exchanges, and queues that are bound to the first exchange.
    fn topology() -> Topology {
        let (mut topology, node) = (Topology::new("/".into()), Arc::default());
        for id in 0..MANY {
            add_exchange(&mut topology, id);
            add_queue(&mut topology, &node, MANY + id);
            let destination = Destination::Queue(QueueId(MANY + id));
            topology.bind(ExchangeId(0), Arc::new(Binding::new(destination, b"k", Table::new())));
        }
        topology
    }

    /// How many looks it takes, and what is found at most in one of them.
    fn looks<L>(list: &mut L, mut look: impl FnMut(&mut L) -> bool, count: impl Fn(&L) -> usize) -> (usize, usize) {
        let (mut looks, mut most) = (0, 0);
        loop {
            let before = count(list);
            let goes_on = look(list);
            looks += 1;
            most = most.max(count(list) - before);
            if !goes_on {
                return (looks, most);
            }
        }
    }

    #[test]
    fn everything_is_listed_once_and_little_of_it_under_one_lock() {
        let topology = topology();
        let mut exchanges = topology.begin_exchanges();
        let taken = looks(&mut exchanges, |list| topology.take_exchanges(list), |list| list.found.len());
        assert_eq!(taken, (3, LOOKED_AT_ONCE));
        let mut bindings = topology.begin_bindings();
        let taken = looks(&mut bindings, |list| topology.take_default_bindings(list), |list| list.defaults.len());
        assert_eq!(taken, (3, LOOKED_AT_ONCE));
        let taken = looks(&mut bindings, |list| topology.take_listed_bindings(list), |list| list.bindings.len());
        assert_eq!(taken, (3, LOOKED_AT_ONCE));
        let mut names: Vec<_> = exchanges.found.iter().map(|exchange| exchange.spec.name.to_string()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len() as u64, MANY);
        let all = bindings.into_all();
        let mut ends: Vec<_> =
            all.iter().map(|binding| (binding.source.clone(), binding.destination.clone())).collect();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len() as u64, 2 * MANY, "one of the default exchange and one that was made for each queue");
    }

    #[test]
    fn a_list_goes_on_while_things_come_and_go() {
        let mut topology = topology();
        let mut list = topology.begin_bindings();
        topology.take_listed_bindings(&mut list);
        // One that was listed goes, and so does one that was not; another comes.
        for id in [MANY, 2 * MANY - 1] {
            let mut removal = topology.remove_queue(QueueId(id));
            while !removal.is_done() {
                topology.proceed(&mut removal);
            }
        }
        add_queue(&mut topology, &Arc::default(), 2 * MANY);
        let destination = Destination::Queue(QueueId(2 * MANY));
        topology.bind(ExchangeId(1), Arc::new(Binding::new(destination, b"k", Table::new())));
        while topology.take_listed_bindings(&mut list) {}
        let listed = list.into_shared_as_made();
        let stayed = (1..MANY - 1).map(|id| format!("q{}", MANY + id));
        let expected: Vec<_> =
            [format!("q{MANY}")].into_iter().chain(stayed).chain([format!("q{}", 2 * MANY)]).collect();
        let names: Vec<_> = listed.iter().map(|binding| binding.destination.to_string()).collect();
        assert_eq!(names, expected, "in the order in which they were made");
    }
}
