//! An exchange on its own, for the tests of its type: queues are numbers, answers are sorted.

use super::{Binding, Destination, DestinationKind, Matches, QueueId, RoutedMessage, Routing, lookup};
use crate::broker::profile::{Compatibility, Profile};
use crate::broker::router::RoutingKeys;
use crate::error::AmqpError;
use crate::properties::{Properties, PropertiesEditor};
use crate::table::Table;

/// The answer of an exchange that routes to nothing.
pub(super) const NOWHERE: [u64; 0] = [];

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) routing: Box<dyn Routing>,
    pub(super) profile: &'static Profile,
    random: u64,
}

impl Exchange {
    pub(super) fn new(kind: &str) -> Self {
        Self::declare(kind, &Table::new()).unwrap()
    }

    pub(super) fn declare(kind: &str, arguments: &Table) -> Result<Self, AmqpError> {
        Ok(Self {
            routing: (lookup(kind).unwrap().create)(arguments)?,
            profile: Compatibility::V4_3.profile(),
            random: 1,
        })
    }

    pub(super) fn bind(&mut self, queue: u64, key: &str) {
        self.bind_with(queue, key, Table::new()).unwrap();
    }

    pub(super) fn bind_with(&mut self, queue: u64, key: &str, arguments: Table) -> Result<(), AmqpError> {
        let binding = binding(queue, key, arguments);
        self.routing.check(&binding, DestinationKind::ClassicQueue, self.profile)?;
        self.routing.bind(&binding.into());
        Ok(())
    }

    pub(super) fn unbind(&mut self, queue: u64, key: &str) {
        self.unbind_with(queue, key, Table::new());
    }

    pub(super) fn unbind_with(&mut self, queue: u64, key: &str, arguments: Table) {
        self.routing.unbind(&binding(queue, key, arguments));
    }

    pub(super) fn route(&mut self, key: &str) -> Vec<u64> {
        self.route_properties(key, Properties::NONE)
    }

    pub(super) fn route_headers(&mut self, headers: &Table) -> Vec<u64> {
        let properties = PropertiesEditor::new().set_headers(headers).build();
        self.route_properties("", Properties::new(&properties))
    }

    pub(super) fn route_properties(&mut self, key: &str, properties: Properties<'_>) -> Vec<u64> {
        self.route_keys(&RoutingKeys::single(key.as_bytes()), properties)
    }

    pub(super) fn route_keys(&mut self, keys: &RoutingKeys<'_>, properties: Properties<'_>) -> Vec<u64> {
        let mut matches = Matches::default();
        self.random = mix(self.random);
        self.routing.route(&RoutedMessage::new(keys, properties, self.random), &mut matches);
        let mut queues: Vec<u64> = matches.destinations.into_iter().map(queue_number).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}

pub(super) fn binding(queue: u64, key: &str, arguments: Table) -> Binding {
    Binding::new(Destination::Queue(QueueId(queue)), key.as_bytes(), arguments)
}

/// The next of a fixed sequence of random numbers (splitmix64).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn queue_number(destination: Destination) -> u64 {
    match destination {
        Destination::Queue(QueueId(id)) => id,
        Destination::Exchange(_) => panic!("these tests bind queues only"),
    }
}
