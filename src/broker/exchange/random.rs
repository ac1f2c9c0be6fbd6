//! `x-random` and `x-local-random`: each message goes to one bound destination, each equally likely.

use std::sync::Arc;

use super::destinations::Destinations;
use super::{Binding, DestinationKind, ExchangeType, Matches, RoutedMessage, Routing, Selection, hash};
use crate::broker::profile::Profile;
use crate::error::AmqpError;

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-random",
    description: "routes to one random destination",
    arguments: &[],
    selection: BY_CHANCE,
    create: |_| Ok(Box::new(Random { bound: Destinations::default(), local: false })),
};

const BY_CHANCE: Selection = Selection::Among {
    chosen: "it was chosen by chance; another message may go elsewhere",
    others: "another one was chosen by chance; the next message may come here",
};

pub(super) const LOCAL_TYPE: ExchangeType = ExchangeType {
    name: "x-local-random",
    description: "routes to one random queue of this node",
    arguments: &[],
    selection: BY_CHANCE,
    create: |_| Ok(Box::new(Random { bound: Destinations::default(), local: true })),
};

/// Everything that is bound, whatever the keys.
#[derive(Debug)]
struct Random {
    bound: Destinations,
    /// Whether only classic queues may be bound. Every queue is local, but clients see the refusals.
    local: bool,
}

impl Routing for Random {
    fn check(&self, binding: &Binding, kind: DestinationKind, _: &Profile) -> Result<(), AmqpError> {
        if self.local && kind != DestinationKind::Exchange && !binding.routing_key().is_empty() {
            let key = String::from_utf8_lossy(binding.routing_key());
            return Err(AmqpError::precondition_failed(format!("Non empty binding '{key}' key not permitted")));
        }
        match kind {
            DestinationKind::Exchange if self.local => Err(AmqpError::precondition_failed("Destination not found")),
            DestinationKind::QuorumQueue if self.local => {
                Err(AmqpError::precondition_failed("Queue type rabbit_quorum_queue not valid for this exchange type"))
            }
            DestinationKind::Exchange | DestinationKind::ClassicQueue | DestinationKind::QuorumQueue => Ok(()),
        }
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        self.bound.add(binding.destination());
    }

    fn unbind(&mut self, binding: &Binding) {
        self.bound.remove(binding.destination());
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        matches.destinations.extend(self.bound.nth(hash::below(publish.random, self.bound.len())));
    }

    fn routes_by_key_alone(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Exchange, NOWHERE, binding};
    use super::*;
    use crate::broker::profile::Compatibility;
    use crate::table::Table;

    #[test]
    fn every_destination_gets_its_share() {
        let mut exchange = Exchange::new("x-random");
        for queue in 0..4 {
            exchange.bind(queue, "ignored");
        }
        let mut counts = [0_u32; 4];
        for _ in 0..10_000 {
            let queues = exchange.route("key");
            assert_eq!(queues.len(), 1);
            counts[usize::try_from(queues[0]).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (2_300..2_700).contains(count)), "{counts:?}");
    }

    #[test]
    fn without_bindings_nothing_is_routed() {
        assert_eq!(Exchange::new("x-random").route("key"), NOWHERE);
    }

    #[test]
    fn a_local_random_exchange_refuses_exchanges_and_quorum_queues() {
        let exchange = Exchange::new("x-local-random");
        let check = |kind| {
            exchange
                .routing
                .check(&binding(1, "", Table::new()), kind, Compatibility::V4_3.profile())
                .map_err(|error| error.reply_text())
        };
        assert_eq!(check(DestinationKind::ClassicQueue), Ok(()));
        assert_eq!(check(DestinationKind::Exchange), Err("PRECONDITION_FAILED - Destination not found".to_owned()));
        assert_eq!(
            check(DestinationKind::QuorumQueue),
            Err("PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type".to_owned())
        );
    }
}
