//! What is taken down every five seconds, of everything that has counters. The rules for alerts look at the same samples.

use std::sync::Arc;

use smallvec::SmallVec;

use super::api::Api;
use super::nodes;
use super::rates::{Look, Owner};

/// Takes down how far all counters are, and tells of alerts that this raises or ends.
pub(super) fn sample(api: &Api, now_ms: u64) {
    let mut look = api.rates.look(now_ms);
    of_connections(api, &mut look);
    of_vhosts(api, &mut look);
    let registry = &api.broker.node().registry;
    look.note(Owner::Node, &registry.message_stats().numbers());
    look.note(Owner::NodeChurn, &registry.churn.read().numbers());
    look.note(Owner::NodeResources, &nodes::resources(api).into_iter().collect::<SmallVec<[u64; 8]>>());
    let is_first = look.is_first();
    let looked = api.broker.look_for_alerts(now_ms, is_first, |sample| {
        look.note(Owner::Queue(sample.id), &sample.passed.numbers());
        look.note(Owner::QueueDepth(sample.id), &[sample.messages, sample.ready, sample.unacked]);
    });
    let mut all = [0; 3];
    for (vhost, depths) in looked.depths {
        all.iter_mut().zip(&depths).for_each(|(sum, depth)| *sum += depth);
        look.note(Owner::VhostDepth(vhost), &depths);
    }
    look.note(Owner::NodeQueues, &all);
    drop(look);
    api.broker.tell_of_alerts(&looked.changes);
}

fn of_vhosts(api: &Api, look: &mut Look<'_>) {
    let passed = api.broker.node().registry.message_stats_by_vhost();
    for vhost in api.broker.vhosts() {
        for exchange in vhost.exchanges() {
            look.note(Owner::Exchange(exchange.id), &exchange.stats.numbers());
        }
        let passed = passed.get(&vhost.name).copied().unwrap_or_default();
        look.note(Owner::Vhost(Arc::clone(&vhost.name)), &passed.numbers());
    }
}

fn of_connections(api: &Api, look: &mut Look<'_>) {
    for connection in api.broker.node().registry.connections() {
        let counters = &connection.counters;
        look.note(Owner::Connection(connection.spec.id), &[counters.received_bytes.get(), counters.sent_bytes.get()]);
        for channel in connection.channels() {
            look.note(Owner::Channel(channel.id), &channel.counters.read().numbers());
        }
    }
}
