use proptest::prelude::*;

use super::super::testing::{Exchange, binding};
use super::super::{ExchangeId, QueueId};
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

/// What there is to be bound: names are in no order, and some have two identities.
fn destination(number: u64) -> (Destination, Arc<str>) {
    let name = format!("{:x}", number / 2 * 40_503 % 65_536);
    let destination = if number.is_multiple_of(7) {
        Destination::Exchange(ExchangeId(number))
    } else {
        Destination::Queue(QueueId(number))
    };
    (destination, name.into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// It was a sorted vector, and each key must go on to the queue where it went.
    #[test]
    fn buckets_are_in_the_order_of_a_sorted_vector(
        phases in prop::collection::vec((1..=9_u32, prop::collection::vec((0..700_u64, 0..10_u32), 0..800)), 1..5)
    ) {
        let (mut exchange, mut model) = (ModulusHash::default(), Vec::new());
        let operations = phases.into_iter().flat_map(|(share, numbers)| {
            numbers.into_iter().map(move |(number, chance)| (number, chance < share))
        });
        for (number, is_bound) in operations {
            let (destination, name) = destination(number);
            let binding = Binding::new(destination, b"", Table::new());
            let bucket = (matches!(destination, Destination::Queue(_)), Arc::clone(&name), destination);
            let at = model.partition_point(|other| *other < bucket);
            if is_bound {
                exchange.bind_named(&binding.into(), &name);
                model.insert(at, bucket);
            } else {
                exchange.unbind(&binding);
                if model.get(at) == Some(&bucket) {
                    model.remove(at);
                }
            }
        }
        let buckets: Vec<_> = exchange.buckets.iter().map(|bucket| Destination::from(*bucket)).collect();
        let expected: Vec<_> = model.iter().map(|(_, _, destination)| *destination).collect();
        prop_assert_eq!(buckets, expected);
        model.dedup();
        prop_assert_eq!(exchange.bound.len(), model.len());
    }
}
