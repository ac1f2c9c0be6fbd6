//! `x-modulus-hash`: one of the destinations, by the hash of the routing key. Any change of bindings moves most keys.

use std::sync::Arc;

use super::selection::BY_HASH;
use super::{Binding, Destination, ExchangeType, Matches, RoutedMessage, Routing, hash};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-modulus-hash",
    description: "routes by the hash of the routing key",
    arguments: &[],
    selection: BY_HASH,
    create: |_| Ok(Box::new(ModulusHash::default())),
};

/// One binding. A destination that is bound twice is chosen twice as often.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bucket {
    is_queue: bool,
    name: Arc<str>,
    destination: Destination,
}

/// Everything that is bound, in the order of names, as in RabbitMQ: exchanges that are bound to the same send a key the same way,
/// and a queue that is declared anew is found where it was.
#[derive(Debug, Default)]
struct ModulusHash {
    buckets: Vec<Bucket>,
}

impl Routing for ModulusHash {
    fn bind(&mut self, binding: &Arc<Binding>) {
        self.bind_named(binding, &Arc::default());
    }

    fn bind_named(&mut self, binding: &Arc<Binding>, name: &Arc<str>) {
        let destination = binding.destination();
        let bucket =
            Bucket { is_queue: matches!(destination, Destination::Queue(_)), name: Arc::clone(name), destination };
        let at = self.buckets.partition_point(|other| *other < bucket);
        self.buckets.insert(at, bucket);
    }

    fn unbind(&mut self, binding: &Binding) {
        // Buckets of one destination are alike, so it does not matter which of them goes.
        let at = self.buckets.iter().position(|bucket| bucket.destination == binding.destination());
        if let Some(at) = at {
            self.buckets.remove(at);
        }
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        let at = hash::below(hash::hash(publish.keys.own()), self.buckets.len());
        matches.destinations.extend(self.buckets.get(at).map(|bucket| bucket.destination));
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Exchange, binding};
    use super::*;
    use crate::table::Table;

    #[test]
    fn the_same_key_goes_to_the_same_queue_and_all_queues_are_used() {
        let mut exchange = Exchange::new("x-modulus-hash");
        for queue in [3, 1, 2, 0] {
            exchange.bind(queue, "ignored");
        }
        let mut counts = [0_u32; 4];
        for key in 0..10_000 {
            let key = format!("key-{key}");
            let queues = exchange.route(&key);
            assert_eq!(queues.len(), 1);
            assert_eq!(exchange.route(&key), queues);
            counts[usize::try_from(queues[0]).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (2_300..2_700).contains(count)), "{counts:?}");
    }

    fn bind(exchange: &mut Exchange, queue: u64, name: &str) {
        exchange.routing.bind_named(&Arc::new(binding(queue, "", Table::new())), &name.into());
    }

    #[test]
    fn names_decide_and_not_the_order_of_binding_or_declaring() {
        let (mut one, mut other) = (Exchange::new("x-modulus-hash"), Exchange::new("x-modulus-hash"));
        for (queue, name) in [(0, "d"), (1, "a"), (2, "c"), (3, "b")] {
            bind(&mut one, queue, name);
        }
        for (queue, name) in [(5, "a"), (7, "c"), (6, "b"), (8, "d")] {
            bind(&mut other, queue, name);
        }
        let name_of = |queue: u64| ["d", "a", "c", "b", "", "a", "b", "c", "d"][usize::try_from(queue).unwrap()];
        for key in 0..100 {
            let key = key.to_string();
            assert_eq!(name_of(one.route(&key)[0]), name_of(other.route(&key)[0]));
        }
    }

    #[test]
    fn a_queue_bound_twice_has_twice_the_share() {
        let mut exchange = Exchange::new("x-modulus-hash");
        bind(&mut exchange, 1, "a");
        bind(&mut exchange, 2, "b");
        bind(&mut exchange, 2, "b");
        let share = |exchange: &mut Exchange| (0..3_000).filter(|key| exchange.route(&key.to_string()) == [2]).count();
        assert!((1_900..2_100).contains(&share(&mut exchange)));
        exchange.unbind(2, "");
        assert!((1_400..1_600).contains(&share(&mut exchange)));
    }
}
