//! What is true of every exchange type: one that is added to the table is tested here.

use super::testing::{Exchange, NOWHERE};
use super::{EXCHANGE_TYPES, lookup};
use crate::table::Table;

/// Binding keys, of which each type takes one: it matches the same routing key. For the consistent hash it is a weight.
const KEYS: [&str; 2] = ["", "1"];
const QUEUES: u64 = 20;
/// Enough for a type that chooses one of the queues to choose all of them.
const MESSAGES: usize = 1_000;

/// Exchanges of all types with their names and keys, with each queue bound.
fn all_types() -> impl Iterator<Item = (&'static str, &'static str, Exchange)> {
    let arguments: Table = [("x-delayed-type", "fanout")].into_iter().collect();
    EXCHANGE_TYPES.iter().map(move |kind| {
        let mut exchange = Exchange::declare(kind.name, &arguments).unwrap();
        let key = KEYS.into_iter().find(|key| exchange.bind_with(1, key, Table::new()).is_ok()).unwrap();
        (2..=QUEUES).for_each(|queue| exchange.bind(queue, key));
        (kind.name, key, exchange)
    })
}

#[test]
fn a_type_is_found_by_its_name_and_described() {
    for kind in EXCHANGE_TYPES {
        assert_eq!(lookup(kind.name).map(|found| found.description), Some(kind.description), "{} twice", kind.name);
        assert!(!kind.description.is_empty(), "{} is not described", kind.name);
    }
}

#[test]
fn what_is_unbound_gets_nothing_more() {
    for (name, key, mut exchange) in all_types() {
        assert_ne!(exchange.route(key), NOWHERE, "{name}");
        (1..=QUEUES).step_by(2).for_each(|queue| exchange.unbind(queue, key));
        for _ in 0..MESSAGES {
            let queues = exchange.route(key);
            assert!(!queues.is_empty() && queues.iter().all(|queue| queue % 2 == 0), "{name}: {queues:?}");
        }
        (2..=QUEUES).step_by(2).for_each(|queue| exchange.unbind(queue, key));
        assert_eq!(exchange.route(key), NOWHERE, "{name}");
    }
}

#[test]
fn a_route_may_be_remembered_only_where_it_is_always_the_same() {
    for (name, key, mut exchange) in all_types() {
        let first = exchange.route(key);
        let is_same = (0..MESSAGES).all(|_| exchange.route(key) == first);
        assert!(is_same || !exchange.routing.routes_by_key_alone(), "{name}");
    }
}
