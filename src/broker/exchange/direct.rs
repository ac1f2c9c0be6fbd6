//! `direct`: the routing key equals the binding key.

use std::sync::Arc;

use super::destinations::Destinations;
use super::{Binding, Considered, ExchangeType, Matches, RoutedMessage, Routing, Selection};
use crate::broker::split_map::SplitMap;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "direct",
    description: "routes by an equal binding key",
    arguments: &[],
    selection: Selection::Each(why),
    create: |_| Ok(Box::new(Direct::default())),
};

fn why(considered: &Considered<'_>) -> String {
    let (given, bound) = (considered.routing_keys(), considered.binding_key());
    if considered.is_selected {
        format!("{given} is the binding key")
    } else {
        format!("{given} is not the binding key '{bound}'")
    }
}

/// Binding keys and where they lead.
///
/// The keys are a client's bytes, so the map keeps std's keyed hash: a client must not be able to choose keys that collide.
#[derive(Debug, Default)]
struct Direct {
    keys: SplitMap<Box<[u8]>, Destinations>,
}

impl Routing for Direct {
    fn bind(&mut self, binding: &Arc<Binding>) {
        if let Some(destinations) = self.keys.get_mut(binding.routing_key()) {
            destinations.add(binding.destination());
        } else {
            let mut destinations = Destinations::default();
            destinations.add(binding.destination());
            self.keys.insert(binding.routing_key().into(), destinations);
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        if let Some(destinations) = self.keys.get_mut(binding.routing_key()) {
            destinations.remove(binding.destination());
            if destinations.is_empty() {
                self.keys.remove(binding.routing_key());
            }
        }
    }

    fn index_bytes(&self, binding: &Binding) -> usize {
        binding.routing_key().len() + size_of::<(Box<[u8]>, Destinations)>()
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        if publish.keys.count() <= self.keys.len() {
            matches.spend(publish.keys.count());
            for bound in publish.keys.iter().filter_map(|key| self.keys.get(key)) {
                bound.append_to(&mut matches.destinations);
            }
        } else {
            // Very many keys go through very many exchanges with few bindings.
            matches.spend(self.keys.len());
            for (_, bound) in self.keys.iter().filter(|(key, _)| publish.keys.contains(key)) {
                bound.append_to(&mut matches.destinations);
            }
        }
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Exchange, NOWHERE};
    use crate::table::Table;

    #[test]
    fn routes_by_the_equal_key_only() {
        let mut exchange = Exchange::new("direct");
        exchange.bind(1, "a");
        exchange.bind(2, "b");
        exchange.bind(3, "a");
        assert_eq!(exchange.route("a"), [1, 3]);
        assert_eq!(exchange.route("A"), NOWHERE);
        assert_eq!(exchange.route("#"), NOWHERE);
    }

    #[test]
    fn the_empty_key_is_a_key() {
        let mut exchange = Exchange::new("direct");
        exchange.bind(1, "");
        assert_eq!(exchange.route(""), [1]);
        assert_eq!(exchange.route("a"), NOWHERE);
    }

    #[test]
    fn bindings_that_differ_in_arguments_are_unbound_one_by_one() {
        let mut exchange = Exchange::new("direct");
        let arguments: Table = [("x", 1)].into_iter().collect();
        exchange.bind(1, "a");
        exchange.bind_with(1, "a", arguments.clone()).unwrap();
        exchange.unbind(1, "a");
        assert_eq!(exchange.route("a"), [1]);
        exchange.unbind_with(1, "a", arguments);
        assert_eq!(exchange.route("a"), NOWHERE);
    }
}
