//! Which queues collect dead letters. Nobody needs to consume from them all the time, so they have a rule of their own.

use rustc_hash::FxHashSet;

use std::sync::Arc;

use crate::broker::ids::QueueId;
use crate::broker::queue::QueueHandle;
use crate::broker::queue::arguments::DeadLetters;
use crate::broker::router::{RouteWalk, RoutingKeys};
use crate::broker::vhost::Vhost;
use crate::properties::Properties;

/// Ways of dead letters of one virtual host that are followed, and bindings of each exchange that are looked at.
const WAYS_MAX: usize = 1_000;
const BINDINGS_MAX: usize = 1_000;

/// The queues that dead letters go to and do not leave again.
///
/// A queue that sends dead letters elsewhere works on messages, or lets them wait, as in a ring in which messages are tried again. And what
/// comes from a queue where messages only wait until they expire, or from an exchange that the queue is bound to itself, is work and no
/// dead letter.
pub(super) fn find(vhost: &Vhost, queues: &[Arc<QueueHandle>]) -> FxHashSet<QueueId> {
    let mut ways = FxHashSet::default();
    let mut found = FxHashSet::default();
    let mut sending = FxHashSet::default();
    for queue in queues {
        let Some(dead_letters) = queue.dead_letters() else { continue };
        sending.insert(queue.id);
        let is_wait_queue = queue.sample().is_some_and(|(sample, _)| sample.is_wait_queue);
        if is_wait_queue || comes_back(vhost, queue, &dead_letters) {
            continue;
        }
        if dead_letters.exchange.is_empty() {
            found.extend(named(vhost, &dead_letters));
        } else if ways.len() < WAYS_MAX {
            ways.insert((dead_letters.exchange.clone(), dead_letters.routing_key.clone()));
        }
    }
    for (exchange, routing_key) in ways {
        found.extend(ends(vhost, &exchange, routing_key.as_deref()));
    }
    found.retain(|queue| !sending.contains(queue));
    found
}

/// Whether the dead letters of a queue go, with their own routing keys, through an exchange that brings its messages as well.
fn comes_back(vhost: &Vhost, queue: &QueueHandle, dead_letters: &DeadLetters) -> bool {
    let exchange = &dead_letters.exchange;
    dead_letters.routing_key.is_none() && vhost.read(|topology| topology.is_bound(exchange, queue.id, BINDINGS_MAX))
}

/// The queue that the default exchange brings them to. Without a key of their own they come back to where they died.
fn named(vhost: &Vhost, dead_letters: &DeadLetters) -> Option<QueueId> {
    let name = std::str::from_utf8(dead_letters.routing_key.as_deref()?).ok()?;
    vhost.read(|topology| Some(topology.queue(name)?.id))
}

/// Where an exchange brings dead letters: with a key to the queues that it routes them to, else to any that is bound.
fn ends(vhost: &Vhost, exchange: &str, routing_key: Option<&[u8]>) -> Vec<QueueId> {
    let Some(key) = routing_key else {
        return vhost.read(|topology| topology.queues_bound_to(exchange, BINDINGS_MAX));
    };
    let keys = RoutingKeys::single(key);
    let walk = vhost.read(|topology| Some(RouteWalk::new(topology.exchange(exchange)?, &keys, Properties::NONE, 0)));
    let route = walk.and_then(|walk| vhost.walk_on(walk).ok()).unwrap_or_default();
    route.queues.iter().map(|queue| queue.id).collect()
}
