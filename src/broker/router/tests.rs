use super::*;
use crate::broker::exchange::{Binding, lookup};
use crate::broker::topology::ExchangeSpec;
use crate::properties::PropertiesEditor;
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

/// How many exchanges a message with this many copies, and one more of key `last`, comes to.
fn visited(topology: &Topology, copies: usize) -> Result<usize, TooManySteps> {
    let copies = (0..copies).map(|number| Value::from(format!("copy-{number}"))).chain(["last".into()]);
    let headers = [("CC", Value::Array(copies.collect()))].into_iter().collect();
    let properties = PropertiesEditor::new().set_headers(&headers).build();
    let properties = Properties::new(&properties);
    let keys = RoutingKeys::with_copies(b"key", properties);
    let mut walk = RouteWalk::new(topology, &keys, properties, 0);
    walk.pending.push(ExchangeId(0));
    walk.visit_pending()?;
    Ok(walk.visited.few.len() + walk.visited.more.len())
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
