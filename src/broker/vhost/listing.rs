//! What is there, for those who list it. The lock of the topology is free between pieces, so that nobody is kept waiting by a long list.

use super::Vhost;
use crate::broker::topology::{BindingList, BindingSnapshot, DestinationType, ExchangeSnapshot, LOOKED_AT_ONCE};

impl Vhost {
    /// Its exchanges, in no order.
    pub(crate) fn exchanges(&self) -> Vec<ExchangeSnapshot> {
        let mut list = self.read(|topology| topology.begin_exchanges());
        while self.read(|topology| topology.take_exchanges(&mut list)) {}
        list.found
    }

    /// Its bindings, those of the default exchange first: one for each queue.
    pub(crate) fn bindings(&self) -> Vec<BindingSnapshot> {
        let mut list = self.read(|topology| topology.begin_bindings());
        while self.read(|topology| topology.take_default_bindings(&mut list)) {}
        self.take_bindings(&mut list);
        list.into_all()
    }

    /// What its default exchange does: one binding for each queue.
    fn default_bindings(&self) -> Vec<BindingSnapshot> {
        let mut list = self.read(|topology| topology.begin_bindings());
        while self.read(|topology| topology.take_default_bindings(&mut list)) {}
        list.into_defaults()
    }

    /// The bindings that lead from an exchange, in no order.
    pub(crate) fn bindings_from(&self, source: &str) -> Vec<BindingSnapshot> {
        if source.is_empty() {
            return self.default_bindings();
        }
        let few = self.read(|topology| {
            let is_few = topology.exchange(source).is_none_or(|exchange| exchange.binding_count() <= LOOKED_AT_ONCE);
            is_few.then(|| topology.bindings_from(source))
        });
        few.unwrap_or_else(|| {
            let mut list = self.read(|topology| topology.begin_bindings());
            self.take_bindings(&mut list);
            let mut all = list.into_all();
            all.retain(|binding| &*binding.source == source);
            all
        })
    }

    /// The bindings that lead to a queue or an exchange; of a queue that of the default exchange first.
    pub(crate) fn bindings_to(&self, kind: DestinationType, name: &str) -> Vec<BindingSnapshot> {
        let Some(mut list) = self.read(|topology| topology.begin_bindings_to(kind, name)) else { return Vec::new() };
        self.take_bindings(&mut list);
        list.into_all()
    }

    /// Its bindings that others may know of, in the order in which they were made: not those of the default exchange, and not those to
    /// queues of one connection.
    pub(crate) fn bindings_as_made(&self) -> Vec<BindingSnapshot> {
        let mut list = self.read(|topology| topology.begin_bindings());
        self.take_bindings(&mut list);
        list.into_shared_as_made()
    }

    fn take_bindings(&self, list: &mut BindingList) {
        while self.read(|topology| topology.take_listed_bindings(list)) {}
    }
}
