//! `x-modulus-hash`: one of the destinations, by the hash of the routing key. Any change of bindings moves most keys.

use std::sync::Arc;

use super::long_list::LongList;
use super::selection::BY_HASH;
use super::{Binding, Destination, ExchangeType, Matches, PackedDestination, RoutedMessage, Routing, hash};
use crate::broker::split_map::FxSplitMap;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-modulus-hash",
    description: "routes by the hash of the routing key",
    arguments: &[],
    selection: BY_HASH,
    create: |_| Ok(Box::new(ModulusHash::default())),
};

/// Everything that is bound, in the order of names, as in RabbitMQ: exchanges that are bound to the same send a key the same way,
/// and a queue that is declared anew is found where it was.
#[derive(Debug, Default)]
struct ModulusHash {
    /// One for each binding. A destination that is bound twice is chosen twice as often.
    buckets: LongList<PackedDestination>,
    bound: FxSplitMap<PackedDestination, Bound>,
}

/// A destination that is bound.
#[derive(Debug)]
struct Bound {
    name: Arc<str>,
    /// How many buckets it has.
    buckets: usize,
}

/// What decides where a bucket stands. A queue that is being deleted may be bound beside its successor of the same name.
type Rank<'a> = (bool, &'a str, Destination);

fn rank(destination: PackedDestination, name: &str) -> Rank<'_> {
    let destination = destination.into();
    (matches!(destination, Destination::Queue(_)), name, destination)
}

impl ModulusHash {
    /// Whether a bucket of `other` stands before the first one of a destination that ranks so.
    fn is_before(bound: &FxSplitMap<PackedDestination, Bound>, other: PackedDestination, wanted: &Rank<'_>) -> bool {
        let name = bound.get(&other).map_or("", |bound| &*bound.name);
        rank(other, name) < *wanted
    }
}

impl Routing for ModulusHash {
    fn bind(&mut self, binding: &Arc<Binding>) {
        self.bind_named(binding, &Arc::default());
    }

    fn bind_named(&mut self, binding: &Arc<Binding>, name: &Arc<str>) {
        let destination = binding.destination().into();
        let name = match self.bound.get_mut(&destination) {
            Some(bound) => {
                bound.buckets += 1;
                Arc::clone(&bound.name)
            }
            None => {
                self.bound.insert(destination, Bound { name: Arc::clone(name), buckets: 1 });
                Arc::clone(name)
            }
        };
        let wanted = rank(destination, &name);
        self.buckets.insert(destination, |other| Self::is_before(&self.bound, *other, &wanted));
    }

    fn unbind(&mut self, binding: &Binding) {
        let destination = binding.destination().into();
        let Some(bound) = self.bound.get(&destination) else { return };
        let wanted = rank(destination, &bound.name);
        // Buckets of one destination are alike, so it does not matter which of them goes.
        self.buckets.remove(|other| Self::is_before(&self.bound, *other, &wanted));
        let Some(bound) = self.bound.get_mut(&destination) else { return };
        bound.buckets -= 1;
        if bound.buckets == 0 {
            self.bound.remove(&destination);
        }
    }

    fn index_bytes(&self, _: &Binding) -> usize {
        // A hash map is at least half full but for a moment, and so are the pieces of the list.
        2 * size_of::<(PackedDestination, Bound)>() + 2 * size_of::<PackedDestination>()
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        let at = hash::below(hash::hash(publish.keys.own()), self.buckets.len());
        matches.destinations.extend(self.buckets.nth(at).map(|destination| Destination::from(*destination)));
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
