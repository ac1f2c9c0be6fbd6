use std::sync::Arc;

use super::*;
use crate::message::{Facts, address};

/// A message that expires in these queues, one after the other; with these properties.
fn died_in(queues: impl Iterator<Item = String>, reason: DeathReason, properties: &[u8]) -> Message {
    let gauge = Arc::default();
    let (mut facts, address) = (Facts::default(), address("", b"key"));
    let mut message = Message::standalone(&gauge, facts, &address, properties, b"");
    facts.dead_lettered = true;
    for queue in queues {
        let properties = Deaths::after(&message, &queue, reason, ClientDeaths::Ignored, 0).write(&message);
        message = Message::standalone(&gauge, facts, &address, &properties, b"");
    }
    message
}

fn queues(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("queue-{number}"))
}

#[test]
fn the_record_of_very_many_deaths_stays_short_and_keeps_the_latest() {
    let message = died_in(queues(2_000), DeathReason::Expired, &[0; 2]);
    let properties = message.properties();
    assert!(properties.as_bytes().len() < RECORD_BYTES_MAX + 1_024, "{}", properties.as_bytes().len());
    let record = recorded(&message, ClientDeaths::Ignored);
    assert!(record.len() > 120, "{}", record.len());
    for (entry, number) in record.iter().zip((0..2_000).rev()) {
        assert_eq!(text(*entry, "queue"), Some(format!("queue-{number}").as_bytes()));
    }
    let headers = properties.headers().unwrap();
    assert_eq!(text(headers, "x-first-death-queue"), Some(b"queue-0".as_slice()));
    assert_eq!(text(headers, "x-last-death-queue"), Some(b"queue-1999".as_slice()));
}

#[test]
fn a_way_too_long_to_be_recorded_is_a_cycle_unless_somebody_rejected() {
    let deaths = |reason, count| {
        let message = died_in(queues(count), reason, &[0; 2]);
        Deaths::after(&message, "last", reason, ClientDeaths::Ignored, 0).is_cycle("elsewhere")
    };
    assert!(!deaths(DeathReason::Expired, 100));
    assert!(deaths(DeathReason::Expired, 2_000));
    assert!(!deaths(DeathReason::Rejected, 2_000));
}

#[test]
fn very_many_copies_are_not_listed_for_each_death() {
    let copies = Value::Array((0..10_000).map(|number| Value::from(format!("copy-{number}"))).collect());
    let mut editor = PropertiesEditor::new();
    editor.set_header("CC", &copies);
    let properties = editor.build();
    let message = died_in(queues(5), DeathReason::Expired, &properties);
    assert!(message.properties().as_bytes().len() < properties.len() + 5 * 2 * LISTED_KEY_BYTES_MAX);
    let keys = recorded(&message, ClientDeaths::Ignored)[0].get("routing-keys").and_then(ValueRef::as_array).unwrap();
    assert_eq!(keys.iter().next().and_then(ValueRef::as_bytes), Some(b"key".as_slice()));
    assert!(keys.iter().count() > 50);
}

#[test]
fn a_repeated_death_moves_to_the_front_and_is_counted() {
    let names = ["a", "b", "a"].map(str::to_owned);
    let message = died_in(names.into_iter(), DeathReason::Expired, &[0; 2]);
    let record = recorded(&message, ClientDeaths::Ignored);
    let told: Vec<_> = record.iter().map(|entry| (text(*entry, "queue"), entry.get("count"))).collect();
    let [(first, Some(ValueRef::I64(2))), (second, Some(ValueRef::I64(1)))] = told[..] else { panic!("{told:?}") };
    assert_eq!((first, second), (Some(b"a".as_slice()), Some(b"b".as_slice())));
}
