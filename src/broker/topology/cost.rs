//! What definitions take in memory, counted so that clients cannot use it up with queues and bindings instead of messages.
//!
//! What is counted when something is added is counted back when it is removed: neither changes in between.

use super::ExchangeSpec;
use crate::broker::exchange::{Binding, Routing};
use crate::broker::queue::QueueSpec;

/// A queue that nobody uses, with its place in the registries; what it was named and declared with aside.
const QUEUE_BYTES: usize = 1_100;
/// An exchange without bindings.
const EXCHANGE_BYTES: usize = 600;
/// A binding, with its places at both of its ends; without its key, its arguments, and the index of its exchange.
const BINDING_BYTES: usize = 200;

/// The bytes that a queue takes while it has no messages.
pub(in crate::broker) fn of_queue(spec: &QueueSpec) -> usize {
    let typed = &spec.arguments;
    let dead_letters = typed
        .dead_letters
        .as_ref()
        .map_or(0, |target| target.exchange.len() + target.routing_key.as_deref().map_or(0, <[u8]>::len));
    QUEUE_BYTES + spec.name.len() + spec.raw_arguments.bytes() + dead_letters
}

/// The bytes that an exchange takes without its bindings.
pub(in crate::broker) fn of_exchange(spec: &ExchangeSpec) -> usize {
    // An exchange type may keep what it read in the arguments.
    EXCHANGE_BYTES + spec.name.len() + 2 * spec.arguments.bytes() + spec.alternate.as_ref().map_or(0, |name| name.len())
}

/// The bytes that a binding takes.
pub(in crate::broker) fn of_binding(binding: &Binding, routing: &dyn Routing) -> usize {
    let own = binding.routing_key().len() + binding.arguments().as_bytes().len();
    BINDING_BYTES + own + routing.index_bytes(binding)
}
