//! What is taken down every five seconds, of everything that has counters.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::api::Api;
use super::rates::Owner;
use crate::broker::queue::QueueSnapshot;
use crate::broker::topology::ExchangeSnapshot;
use crate::metrics::MessageStats;

type Sample = (Owner, SmallVec<[u64; 4]>);

/// Takes down how far all counters are.
pub(super) fn sample(api: &Api, now_ms: u64) {
    let mut samples = Vec::new();
    of_connections(api, &mut samples);
    let mut all = [0; 3];
    for vhost in api.broker.vhosts() {
        for queue in vhost.queues() {
            let Some(snapshot) = queue.snapshot() else { continue };
            let depths = depths(&snapshot);
            all.iter_mut().zip(&depths).for_each(|(sum, depth)| *sum += depth);
            samples.push((Owner::Queue(queue.id), numbers(snapshot.stats)));
            samples.push((Owner::QueueDepth(queue.id), depths.into_iter().collect()));
        }
        let of_exchange = |exchange: ExchangeSnapshot| {
            (Owner::Exchange(exchange.id), exchange.stats.named().map(|(_, number)| number).collect())
        };
        samples.extend(vhost.exchanges().into_iter().map(of_exchange));
        let stats = api.broker.node().registry.message_stats_of(&vhost.name);
        samples.push((Owner::Vhost(Arc::clone(&vhost.name)), numbers(stats)));
    }
    let registry = &api.broker.node().registry;
    samples.push((Owner::Node, numbers(registry.message_stats())));
    samples.push((Owner::NodeQueues, all.into_iter().collect()));
    samples.push((Owner::NodeChurn, registry.churn.read().named().map(|(_, number)| number).collect()));
    api.rates.note(samples, now_ms);
}

fn of_connections(api: &Api, samples: &mut Vec<Sample>) {
    for connection in api.broker.node().registry.connections() {
        let counters = &connection.counters;
        let bytes = smallvec![counters.received_bytes.get(), counters.sent_bytes.get()];
        samples.push((Owner::Connection(connection.spec.id), bytes));
        let of_channel = |channel: Arc<crate::broker::registry::ChannelInfo>| {
            (Owner::Channel(channel.id), numbers(channel.counters.read()))
        };
        samples.extend(connection.channels().into_iter().map(of_channel));
    }
}

fn numbers(stats: MessageStats) -> SmallVec<[u64; 4]> {
    stats.named().map(|(_, number)| number).collect()
}

/// All messages, ready ones, unacknowledged ones: in the order of the API's keys.
fn depths(snapshot: &QueueSnapshot) -> [u64; 3] {
    [snapshot.messages(), snapshot.messages_ready, snapshot.messages_unacknowledged].map(|count| count as u64)
}
