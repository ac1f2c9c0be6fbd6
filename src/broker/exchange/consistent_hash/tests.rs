use super::super::testing::{Exchange, NOWHERE};
use crate::properties::{Properties, PropertiesEditor, Property};
use crate::table::{Table, Value};

const KEYS: u64 = 10_000;

fn declare(arguments: &[(&str, Value)]) -> Result<Exchange, String> {
    let arguments: Table = arguments.iter().map(|(name, value)| (*name, value.clone())).collect();
    Exchange::declare("x-consistent-hash", &arguments).map_err(|error| error.explanation)
}

/// The queue that each of [`KEYS`] routing keys goes to.
fn assignment(exchange: &mut Exchange) -> Vec<u64> {
    let queue = |key| match exchange.route(&format!("key-{key}"))[..] {
        [queue] => queue,
        ref queues => panic!("one queue per message, not {queues:?}"),
    };
    (0..KEYS).map(queue).collect()
}

fn share(assignment: &[u64], queue: u64) -> f64 {
    assignment.iter().filter(|assigned| **assigned == queue).count() as f64 / assignment.len() as f64
}

#[test]
fn weights_are_respected() {
    let mut exchange = declare(&[]).unwrap();
    for (queue, weight) in [(1, "1"), (2, "2"), (3, "7")] {
        exchange.bind(queue, weight);
    }
    let assigned = assignment(&mut exchange);
    for (queue, expected) in [(1, 0.1), (2, 0.2), (3, 0.7)] {
        let share = share(&assigned, queue);
        assert!((share - expected).abs() < 0.02, "queue {queue}: {share}");
    }
    assert_eq!(assignment(&mut exchange), assigned, "the same key goes to the same queue");
}

#[test]
fn a_new_queue_takes_its_share_and_moves_nothing_else() {
    let mut exchange = declare(&[]).unwrap();
    for queue in 1..=4 {
        exchange.bind(queue, "10");
    }
    let before = assignment(&mut exchange);
    exchange.bind(5, "10");
    let after = assignment(&mut exchange);
    let moved: Vec<u64> =
        before.iter().zip(&after).filter(|(before, after)| before != after).map(|(_, after)| *after).collect();
    assert!(moved.iter().all(|queue| *queue == 5));
    let share = moved.len() as f64 / KEYS as f64;
    assert!((share - 0.2).abs() < 0.02, "{share}");
    exchange.unbind(5, "10");
    assert_eq!(assignment(&mut exchange), before);
}

/// What a pair of exchanges is for that split the same traffic over pairs of queues.
#[test]
fn exchanges_that_are_bound_in_the_same_order_agree() {
    let (mut one, mut other) = (declare(&[]).unwrap(), declare(&[]).unwrap());
    for place in 0..5 {
        one.bind(10 - place, "3");
        other.bind(place, "3");
    }
    let by_place: Vec<u64> = assignment(&mut one).iter().map(|queue| 10 - queue).collect();
    assert_eq!(by_place, assignment(&mut other));
    // After a removal as if it had never been there.
    one.unbind(8, "3");
    let mut fresh = declare(&[]).unwrap();
    for queue in [10, 9, 7, 6] {
        fresh.bind(queue, "3");
    }
    assert_eq!(assignment(&mut one), assignment(&mut fresh));
}

/// The same with so many that they are not kept in one piece.
#[test]
fn many_that_go_in_any_order_leave_the_others_in_theirs() {
    let (mut one, mut fresh) = (declare(&[]).unwrap(), declare(&[]).unwrap());
    for queue in 0..1_000 {
        one.bind(queue, "3");
        one.bind(queue, "4");
    }
    for queue in (0..1_000).map(|number| number * 7_919 % 1_000).filter(|queue| queue % 3 > 0) {
        one.unbind(queue, "3");
        one.unbind(queue, "4");
    }
    for queue in (0..1_000).step_by(3) {
        one.unbind(queue, "3");
        fresh.bind(queue, "4");
    }
    for key in 0..100 {
        assert_eq!(one.route(&key.to_string()), fresh.route(&key.to_string()));
    }
}

#[test]
fn a_queue_bound_twice_has_both_weights_and_gets_one_copy() {
    let mut exchange = declare(&[]).unwrap();
    exchange.bind(1, "1");
    exchange.bind(2, "1");
    exchange.bind(2, "2");
    let two = share(&assignment(&mut exchange), 2);
    assert!((two - 0.75).abs() < 0.02, "{two}");
    exchange.unbind(2, "2");
    let two = share(&assignment(&mut exchange), 2);
    assert!((two - 0.5).abs() < 0.02, "{two}");
}

#[test]
fn without_bindings_nothing_is_routed() {
    assert_eq!(declare(&[]).unwrap().route("key"), NOWHERE);
}

#[test]
fn a_binding_key_that_is_no_weight_is_refused() {
    let refused = |key: &str| declare(&[]).unwrap().bind_with(1, key, Table::new()).unwrap_err().explanation;
    assert_eq!(refused("abc"), "The binding key must be an integer: <<\"abc\">>");
    assert_eq!(refused(""), "The binding key must be an integer: <<>>");
    assert_eq!(refused("1.5"), "The binding key must be an integer: <<\"1.5\">>");
    assert_eq!(refused("-"), "The binding key must be an integer: <<\"-\">>");
    for key in ["0", "00", "-1", "-0", "-99999999999999999999999999"] {
        assert_eq!(refused(key), "The binding key must be greater than 0");
    }
    for key in ["10001", "99999999999999999999999999"] {
        assert_eq!(refused(key), "The binding key must not exceed 10000");
    }
    let mut exchange = declare(&[]).unwrap();
    assert!(exchange.bind_with(1, "10000", Table::new()).is_ok());
    assert!(exchange.bind_with(1, "+5", Table::new()).is_ok());
}

#[test]
fn unsupported_arguments_are_refused() {
    let both = [("hash-header", "a".into()), ("hash-property", "message_id".into())];
    assert_eq!(declare(&both).unwrap_err(), "hash-header and hash-property are mutually exclusive");
    assert_eq!(declare(&[("hash-property", "app_id".into())]).unwrap_err(), "Unsupported property: app_id");
    assert_eq!(declare(&[("hash-property", 5.into())]).unwrap_err(), "Unsupported property: 5");
    assert_eq!(declare(&[("hash-header", 5.into())]).unwrap_err(), "Unsupported header: 5");
}

/// The queues that messages with these properties go to, whatever their routing keys.
fn queues(exchange: &mut Exchange, properties: impl Fn(u64) -> Vec<u8>) -> Vec<u64> {
    let mut queues: Vec<u64> =
        (0..1_000).flat_map(|n| exchange.route_properties(&n.to_string(), Properties::new(&properties(n)))).collect();
    queues.sort_unstable();
    queues.dedup();
    queues
}

#[test]
fn a_header_decides_instead_of_the_routing_key() {
    let mut exchange = declare(&[("hash-header", "account".into())]).unwrap();
    for queue in 1..=4 {
        exchange.bind(queue, "1");
    }
    let with = |value: Value| PropertiesEditor::new().set_header("account", &value).build();
    assert_eq!(queues(&mut exchange, |n| with(n.to_string().as_str().into())), [1, 2, 3, 4]);
    assert_eq!(queues(&mut exchange, |_| with("same".into())).len(), 1);
    assert_eq!(queues(&mut exchange, |_| vec![0, 0]).len(), 1, "messages without it stay together");
    let narrow = queues(&mut exchange, |_| with(5.into()));
    assert_eq!(narrow, queues(&mut exchange, |_| with(Value::I64(5))), "the width of an integer does not matter");
}

#[test]
fn a_property_decides_instead_of_the_routing_key() {
    for (name, property) in [("message_id", Property::MessageId), ("correlation_id", Property::CorrelationId)] {
        let mut exchange = declare(&[("hash-property", name.into())]).unwrap();
        for queue in 1..=4 {
            exchange.bind(queue, "1");
        }
        let with = |value: String| PropertiesEditor::new().set(property, value).build();
        assert_eq!(queues(&mut exchange, |n| with(n.to_string())), [1, 2, 3, 4]);
        assert_eq!(queues(&mut exchange, |_| with("same".into())).len(), 1);
        assert_eq!(queues(&mut exchange, |_| vec![0, 0]).len(), 1);
    }
    let mut exchange = declare(&[("hash-property", "timestamp".into())]).unwrap();
    for queue in 1..=4 {
        exchange.bind(queue, "1");
    }
    assert_eq!(queues(&mut exchange, |n| PropertiesEditor::new().set_timestamp(n).build()), [1, 2, 3, 4]);
}

#[test]
fn only_the_routing_key_may_be_remembered() {
    assert!(declare(&[]).unwrap().routing.routes_by_key_alone());
    assert!(!declare(&[("hash-header", "a".into())]).unwrap().routing.routes_by_key_alone());
}
