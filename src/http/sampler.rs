//! What is taken down every five seconds, of everything that has counters.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::api::Api;
use super::nodes;
use super::rates::{Look, Owner};
use crate::broker::queue::QueueSnapshot;
use crate::metrics::MessageStats;

/// Takes down how far all counters are.
pub(super) fn sample(api: &Api, now_ms: u64) {
    let mut look = api.rates.look(now_ms);
    of_connections(api, &mut look);
    let mut all = [0; 3];
    for vhost in api.broker.vhosts() {
        for queue in vhost.queues() {
            let Some(snapshot) = queue.snapshot() else { continue };
            let depths = depths(&snapshot);
            all.iter_mut().zip(&depths).for_each(|(sum, depth)| *sum += depth);
            look.note(Owner::Queue(queue.id), numbers(snapshot.stats));
            look.note(Owner::QueueDepth(queue.id), depths.into_iter().collect());
        }
        for exchange in vhost.exchanges() {
            look.note(Owner::Exchange(exchange.id), exchange.stats.named().map(|(_, number)| number).collect());
        }
        let stats = api.broker.node().registry.message_stats_of(&vhost.name);
        look.note(Owner::Vhost(Arc::clone(&vhost.name)), numbers(stats));
    }
    let registry = &api.broker.node().registry;
    look.note(Owner::Node, numbers(registry.message_stats()));
    look.note(Owner::NodeQueues, all.into_iter().collect());
    look.note(Owner::NodeChurn, registry.churn.read().named().map(|(_, number)| number).collect());
    look.note(Owner::NodeResources, nodes::resources(api).into_iter().collect());
}

fn of_connections(api: &Api, look: &mut Look<'_>) {
    for connection in api.broker.node().registry.connections() {
        let counters = &connection.counters;
        let bytes = smallvec![counters.received_bytes.get(), counters.sent_bytes.get()];
        look.note(Owner::Connection(connection.spec.id), bytes);
        for channel in connection.channels() {
            look.note(Owner::Channel(channel.id), numbers(channel.counters.read()));
        }
    }
}

fn numbers(stats: MessageStats) -> SmallVec<[u64; 4]> {
    stats.named().map(|(_, number)| number).collect()
}

/// All messages, ready ones, unacknowledged ones: in the order of the API's keys.
fn depths(snapshot: &QueueSnapshot) -> [u64; 3] {
    [snapshot.messages(), snapshot.messages_ready, snapshot.messages_unacknowledged].map(|count| count as u64)
}
