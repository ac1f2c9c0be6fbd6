//! One round: samples are taken of everything, and the rules look at them.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::AlertObject;
use super::engine::{Change, Engine};
use super::watched::MeasuredNode;
use crate::broker::Broker;
use crate::broker::ids::QueueId;
use crate::broker::node::Node;
use crate::broker::queue::{Exclusivity, QueueHandle};
use crate::broker::vhost::Vhost;

/// Dead letter exchanges of one virtual host that are looked at for the queues behind them, and bindings of each.
const DEAD_LETTER_EXCHANGES_MAX: usize = 1_000;
const BINDINGS_MAX: usize = 1_000;

impl Broker {
    /// Looks at everything once, and tells what changed.
    pub fn look_for_alerts(&self, now_ms: u64) -> Vec<Change> {
        let node = self.node();
        let mut engine = node.alerts.engine.lock();
        engine.begin(now_ms);
        for vhost in self.vhosts() {
            engine.look_at(&vhost);
        }
        engine.node(measured(node));
        engine.finish(|object| match object {
            AlertObject::Node => true,
            AlertObject::Vhost(name) => self.vhost(name).is_some(),
            AlertObject::Queue(vhost, name) => {
                self.vhost(vhost).is_some_and(|vhost| vhost.read(|topology| topology.queue(name).is_some()))
            }
        })
    }
}

fn measured(node: &Node) -> MeasuredNode {
    let is_blocked = |connection: &Arc<crate::broker::registry::ConnectionInfo>| connection.is_blocked();
    // Nobody is blocked while no alarm is on.
    let is_alarmed = node.alarm.is_raised();
    let blocked = if is_alarmed { node.registry.connections().iter().filter(|one| is_blocked(one)).count() } else { 0 };
    MeasuredNode {
        blocked_connections: blocked as u64,
        blocked_ms: 0,
        memory_alarm: node.alarm.is_memory(),
        disk_alarm: node.alarm.is_disk(),
    }
}

impl Engine {
    fn look_at(&mut self, vhost: &Vhost) {
        let queues = vhost.queues();
        self.find_targets(vhost, &queues);
        for queue in &queues {
            let Some((sample, policies)) = queue.sample() else { continue };
            let is_target = self.targets.get(&vhost.name).is_some_and(|(_, targets)| targets.contains(&queue.id));
            let name = &queue.spec.name;
            let is_exempt = queue.spec.exclusivity != Exclusivity::Shared || name.starts_with("amq.");
            self.queue((&vhost.name, name), &sample, policies.as_deref(), is_target, is_exempt);
        }
        let stats = vhost.node().registry.message_stats_of(&vhost.name);
        self.vhost(&vhost.name, stats.publish, stats.return_unroutable + stats.drop_unroutable);
    }

    /// Finds the queues that dead letters go to, unless nothing was declared or bound since.
    fn find_targets(&mut self, vhost: &Vhost, queues: &[Arc<QueueHandle>]) {
        let epoch = vhost.epoch();
        if self.targets.get(&vhost.name).is_none_or(|(found_at, _)| *found_at != epoch) {
            self.targets.insert(Arc::clone(&vhost.name), (epoch, targets(vhost, queues)));
        }
    }
}

fn targets(vhost: &Vhost, queues: &[Arc<QueueHandle>]) -> FxHashSet<QueueId> {
    let mut exchanges = FxHashSet::default();
    let mut found = FxHashSet::default();
    for queue in queues {
        let Some(dead_letters) = queue.dead_letters() else { continue };
        match (&*dead_letters.exchange, dead_letters.routing_key.as_deref()) {
            ("", Some(key)) => {
                let named = std::str::from_utf8(key).ok();
                found.extend(named.and_then(|name| vhost.read(|topology| Some(topology.queue(name)?.id))));
            }
            (exchange, _) if exchanges.len() < DEAD_LETTER_EXCHANGES_MAX => {
                exchanges.insert(Box::<str>::from(exchange));
            }
            _ => {}
        }
    }
    for exchange in exchanges {
        found.extend(vhost.read(|topology| topology.queues_bound_to(&exchange, BINDINGS_MAX)));
    }
    found
}
