use std::sync::{Arc, Weak};

use super::*;
use crate::broker::exchange::{Binding, Destination, lookup};
use crate::broker::ids::QueueId;
use crate::broker::node::Node;
use crate::broker::queue::arguments::QueueArguments;
use crate::broker::queue::{Exclusivity, QueueHandle, QueueSpec};
use crate::broker::topology::{ExchangeSpec, Topology};
use crate::properties::{Properties, PropertiesEditor};
use crate::table::{EncodedTable, Table, Value};

/// So many exchanges, of which each leads to the next and the last to the first, by this key.
fn ring(kind: &str, count: u64, key: &str) -> Topology {
    let kind = lookup(kind).unwrap();
    let mut topology = Topology::new("/".into());
    for id in 0..count {
        let spec = ExchangeSpec {
            name: format!("x{id}").into(),
            kind,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: EncodedTable::default(),
            alternate: None,
        };
        topology.add_exchange(ExchangeId(id), spec, (kind.create)(&Table::new()).unwrap());
    }
    for id in 0..count {
        let next = Destination::Exchange(ExchangeId((id + 1) % count));
        topology.bind(ExchangeId(id), Binding::new(next, key.as_bytes(), Table::new()).into());
    }
    topology
}

/// A topology with one exchange of this type, and so many queues.
fn with_queues(kind: &str, count: u64) -> Topology {
    let (mut topology, node) = (ring(kind, 1, ""), Arc::<Node>::default());
    let mut removal =
        topology.unbind(ExchangeId(0), &Binding::new(Destination::Exchange(ExchangeId(0)), b"", Table::new()));
    topology.proceed(&mut removal);
    for id in 0..count {
        let spec = QueueSpec {
            name: format!("q{id}").into(),
            durable: false,
            auto_delete: false,
            exclusivity: Exclusivity::Shared,
            raw_arguments: EncodedTable::default(),
            arguments: Arc::new(QueueArguments::default()),
        };
        topology.add_queue(Arc::new(QueueHandle::new(QueueId(id), spec, Weak::new(), Arc::clone(&node), 0)));
    }
    topology
}

fn bind(topology: &mut Topology, queue: u64, key: &str, arguments: Table) {
    topology.bind(ExchangeId(0), Binding::new(Destination::Queue(QueueId(queue)), key.as_bytes(), arguments).into());
}

fn numbered(number: i32) -> Table {
    [("number", Value::I32(number))].into_iter().collect()
}

/// How many queues a message with these headers comes to, and in how many steps; something may happen between the first two.
fn walked(topology: &mut Topology, headers: &Table, meanwhile: impl FnOnce(&mut Topology)) -> (usize, usize) {
    let properties = PropertiesEditor::new().set_headers(headers).build();
    let properties = Properties::new(&properties);
    let keys = RoutingKeys::with_copies(b"key", properties);
    let mut walk = RouteWalk::new(topology.exchange("x0").unwrap(), &keys, properties, 0);
    walk.proceed(topology).unwrap();
    meanwhile(topology);
    let mut steps = 1;
    while !walk.is_over() {
        walk.sort();
        walk.proceed(topology).unwrap();
        steps += 1;
    }
    (walk.into_route().queues.len(), steps)
}

/// How many exchanges a message with this many copies, and one more of key `last`, comes to.
fn visited(topology: &Topology, copies: usize) -> Result<usize, TooManySteps> {
    let copies = (0..copies).map(|number| Value::from(format!("copy-{number}"))).chain(["last".into()]);
    let headers = [("CC", Value::Array(copies.collect()))].into_iter().collect();
    let properties = PropertiesEditor::new().set_headers(&headers).build();
    let properties = Properties::new(&properties);
    let keys = RoutingKeys::with_copies(b"key", properties);
    let mut walk = RouteWalk::new(topology.exchange("x0").unwrap(), &keys, properties, 0);
    while !walk.is_over() {
        walk.sort();
        walk.proceed(topology)?;
    }
    Ok(walk.visited())
}

#[test]
fn a_ring_of_exchanges_is_gone_round_once() {
    for count in [1, 2, 7, 8, 9, 10, 5_000] {
        assert_eq!(visited(&ring("fanout", count, ""), 0), Ok(usize::try_from(count).unwrap()));
    }
}

#[test]
fn very_many_keys_go_through_very_many_exchanges() {
    // 50 million lookups, if each exchange looked for each key.
    assert_eq!(visited(&ring("direct", 5_000, "last"), 10_000), Ok(5_000));
    assert_eq!(visited(&ring("fanout", 5_000, "last"), 10_000), Ok(5_000));
}

#[test]
fn very_many_keys_are_not_compared_with_very_many_patterns() {
    assert_eq!(visited(&ring("topic", 10, "last.#"), 10_000), Ok(10), "one exchange after the other takes its time");
    assert_eq!(visited(&ring("topic", 5_000, "last.#"), 10_000), Err(TooManySteps));
}

#[test]
fn very_many_headers_are_compared_in_steps() {
    let mut topology = with_queues("headers", 3);
    for number in 0..20_000 {
        bind(&mut topology, u64::from(number % 2 == 0), "", numbered(number));
    }
    let nothing = |_: &mut Topology| {};
    let (found, steps) = walked(&mut topology, &numbered(7), nothing);
    assert!(found == 1 && (10..20).contains(&steps), "{found} queues in {steps} steps");
    // While the message is on its way others may bind. Those who were bound before have it.
    for number in [0, 77, 19_999] {
        let more = |topology: &mut Topology| {
            (20_000..30_000).for_each(|number| bind(topology, 2, "", numbered(number)));
        };
        assert_eq!(walked(&mut topology, &numbered(number), more).0, 1);
    }
    let (found, _) = walked(&mut topology, &numbered(-1), nothing);
    assert_eq!(found, 0);
}

#[test]
fn what_is_deleted_under_way_is_passed_over() {
    let mut topology = with_queues("headers", 1);
    (0..20_000).for_each(|number| bind(&mut topology, 0, "", numbered(number)));
    let delete = |topology: &mut Topology| {
        let mut removal = topology.remove_exchange(ExchangeId(0));
        while !removal.is_done() {
            topology.proceed(&mut removal);
        }
    };
    let (_, steps) = walked(&mut topology, &numbered(-1), delete);
    assert_eq!(steps, 2, "it does not wait for an exchange that is gone");
}

#[test]
fn very_many_queues_are_looked_up_in_steps() {
    let mut topology = with_queues("fanout", 5_000);
    (0..5_000).for_each(|queue| bind(&mut topology, queue, "", Table::new()));
    let delete = |topology: &mut Topology| {
        topology.remove_queue(QueueId(4_999));
    };
    assert_eq!(walked(&mut topology, &Table::new(), delete), (4_999, 6));
}

#[test]
fn very_many_keys_are_looked_at_in_steps() {
    let mut topology = with_queues("topic", 1);
    bind(&mut topology, 0, "copy.*.last.#", Table::new());
    let copies = (0..10_000).map(|number| Value::from(format!("copy.{number}.last")));
    let headers = [("CC", Value::Array(copies.collect()))].into_iter().collect();
    let (found, steps) = walked(&mut topology, &headers, |_| {});
    assert!(found == 1 && steps > 4, "{found} queues in {steps} steps");
}
