//! `fanout`: every binding matches every message.

use std::sync::Arc;

use super::destinations::Destinations;
use super::selection::to_all;
use super::{Binding, ExchangeType, Matches, RoutedMessage, Routing, Selection};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "fanout",
    description: "routes to everything that is bound",
    arguments: &[],
    selection: Selection::Each(to_all),
    create: |_| Ok(Box::new(Fanout::default())),
};

/// Everything that is bound.
#[derive(Debug, Default)]
struct Fanout {
    bound: Destinations,
}

impl Routing for Fanout {
    fn bind(&mut self, binding: &Arc<Binding>) {
        self.bound.add(binding.destination());
    }

    fn unbind(&mut self, binding: &Binding) {
        self.bound.remove(binding.destination());
    }

    fn route(&self, _: &RoutedMessage<'_>, matches: &mut Matches) {
        self.bound.append_to(&mut matches.destinations);
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Exchange;

    #[test]
    fn routes_to_each_destination_once_whatever_the_keys() {
        let mut exchange = Exchange::new("fanout");
        exchange.bind(1, "a");
        exchange.bind(1, "b");
        exchange.bind(2, "");
        assert_eq!(exchange.route("anything"), [1, 2]);
        exchange.unbind(1, "a");
        assert_eq!(exchange.route("anything"), [1, 2]);
        exchange.unbind(1, "b");
        assert_eq!(exchange.route("anything"), [2]);
    }
}
