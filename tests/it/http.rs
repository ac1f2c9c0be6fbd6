//! The management HTTP API: every test says what RabbitMQ 4.3 answers, and is checked there first.
//!
//! Requests block the thread of the test, and the broker in this process needs others to wake those who wait for its log: so these tests
//! have a runtime of several threads.

mod bindings;
mod cluster;
mod connections;
mod definitions;
mod every_route;
mod exchanges;
mod imported_vhosts;
mod leveret;
mod listing;
mod login;
mod messages;
mod overview;
mod own_messages;
mod pages;
mod policies;
mod policy_effects;
mod prometheus;
mod queues;
mod read_fields;
mod requests;
mod tags;
mod unreadable;
mod users;
mod vhosts;

use serde_json::{Value, json};

use crate::broker::Management;

/// The answer to a request with a body: status, and the JSON of the answer.
fn call(api: &Management, verb: &str, path: &str, body: &Value) -> (u16, Value) {
    api.request(verb, path, Some(body))
}

/// A refusal as RabbitMQ writes it.
fn refused(status: u16, error: &str, reason: &str) -> (u16, Value) {
    (status, json!({ "error": error, "reason": reason }))
}

fn absent() -> (u16, Value) {
    refused(404, "Object Not Found", "Not Found")
}
