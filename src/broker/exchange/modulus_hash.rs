//! `x-modulus-hash`: one of the destinations, by the hash of the routing key. Any change of bindings moves most keys.

use std::sync::Arc;

use super::{Binding, Destination, ExchangeType, Matches, Publish, Routing, hash};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-modulus-hash",
    description: "routes by the hash of the routing key",
    create: |_| Ok(Box::new(ModulusHash::default())),
};

/// Everything that is bound, each with the number of its bindings, in the order of the ids: the order in which bindings were
/// made, or recovered after a restart, does not matter to the assignment.
#[derive(Debug, Default)]
struct ModulusHash {
    bound: Vec<(Destination, u32)>,
}

impl Routing for ModulusHash {
    fn bind(&mut self, binding: &Arc<Binding>) {
        match self.place(binding.destination) {
            Ok(at) => {
                if let Some((_, count)) = self.bound.get_mut(at) {
                    *count += 1;
                }
            }
            Err(at) => self.bound.insert(at, (binding.destination, 1)),
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        let Ok(at) = self.place(binding.destination) else { return };
        let Some((_, count)) = self.bound.get_mut(at) else { return };
        *count -= 1;
        if *count == 0 {
            self.bound.remove(at);
        }
    }

    fn route(&self, publish: &Publish<'_>, matches: &mut Matches) {
        let at = hash::below(hash::hash(publish.keys.own()), self.bound.len());
        matches.destinations.extend(self.bound.get(at).map(|(destination, _)| *destination));
    }

    fn routes_by_key_alone(&self) -> bool {
        true
    }
}

impl ModulusHash {
    fn place(&self, destination: Destination) -> Result<usize, usize> {
        self.bound.binary_search_by_key(&destination, |(present, _)| *present)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Exchange;

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

    #[test]
    fn the_order_of_binding_does_not_matter() {
        let (mut one, mut other) = (Exchange::new("x-modulus-hash"), Exchange::new("x-modulus-hash"));
        for queue in 0..5 {
            one.bind(queue, "");
            other.bind(4 - queue, "");
        }
        for key in 0..100 {
            assert_eq!(one.route(&key.to_string()), other.route(&key.to_string()));
        }
    }
}
