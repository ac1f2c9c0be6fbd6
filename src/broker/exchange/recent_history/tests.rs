use std::sync::Arc;

use super::super::testing::Exchange;
use super::*;
use crate::message::{Facts, MemoryGauge, address};
use crate::properties::PropertiesEditor;
use crate::table::Value;

fn declare(length: Option<Value>) -> Result<Exchange, String> {
    let arguments: Table = length.into_iter().map(|length| ("x-recent-history-length", length)).collect();
    Exchange::declare("x-recent-history", &arguments).map_err(|error| error.explanation)
}

/// Publishes a message with this body and these headers.
fn publish(exchange: &Exchange, body: u8, headers: &[(&str, Value)]) {
    let mut editor = PropertiesEditor::new();
    for (name, value) in headers {
        editor.set_header(name, value);
    }
    let gauge = Arc::new(MemoryGauge::default());
    let address = address("x", b"key");
    let message = Message::standalone(&gauge, Facts::default(), &address, &editor.build(), &[body]);
    exchange.routing.published(&message);
}

fn history(exchange: &Exchange) -> Vec<u8> {
    exchange.routing.history().pieces().flatten().flat_map(|message| message.body().to_vec()).collect()
}

#[test]
fn the_last_twenty_are_remembered_oldest_first() {
    let exchange = declare(None).unwrap();
    for body in 0..25 {
        publish(&exchange, body, &[]);
    }
    assert_eq!(history(&exchange), (5..25).collect::<Vec<_>>());
}

#[test]
fn the_argument_sets_how_many() {
    let exchange = declare(Some(2.into())).unwrap();
    for body in 0..5 {
        publish(&exchange, body, &[]);
    }
    assert_eq!(history(&exchange), [3, 4]);
}

#[test]
fn a_message_with_no_store_is_not_remembered() {
    let exchange = declare(None).unwrap();
    publish(&exchange, 1, &[("x-recent-history-no-store", true.into())]);
    publish(&exchange, 2, &[("x-recent-history-no-store", false.into())]);
    publish(&exchange, 3, &[("x-recent-history-no-store", "true".into())]);
    assert_eq!(history(&exchange), [2, 3]);
}

#[test]
fn it_routes_as_a_fanout() {
    let mut exchange = declare(None).unwrap();
    exchange.bind(1, "a");
    exchange.bind(2, "b");
    assert_eq!(exchange.route("anything"), [1, 2]);
    exchange.unbind(1, "a");
    assert_eq!(exchange.route("anything"), [2]);
}

#[test]
fn a_length_that_is_not_positive_is_refused() {
    let rows = [
        (0.into(), "0"),
        (Value::I64(-1), "-1"),
        ("5".into(), "<<\"5\">>"),
        (true.into(), "true"),
        (Value::F64(1.5), "1.5"),
    ];
    for (length, printed) in rows {
        let expected = format!("Invalid argument {printed}, 'x-recent-history-length' must be a positive integer");
        assert_eq!(declare(Some(length)).unwrap_err(), expected);
    }
}
