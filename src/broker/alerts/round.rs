//! One round: samples are taken of everything, and the rules look at them.

use std::sync::Arc;

use super::AlertObject;
use super::dead_letter_queues;
use super::engine::{Change, Engine};
use super::watched::MeasuredNode;
use crate::broker::Broker;
use crate::broker::node::Node;
use crate::broker::queue::{Exclusivity, QueueHandle};
use crate::broker::vhost::Vhost;

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
        self.find_dead_letter_queues(vhost, &queues);
        for queue in &queues {
            let Some((sample, policies)) = queue.sample() else { continue };
            let is_end = self.is_dead_letter_queue(&vhost.name, queue.id);
            let name = &queue.spec.name;
            let is_exempt = queue.spec.exclusivity != Exclusivity::Shared || name.starts_with("amq.");
            self.queue((&vhost.name, name), &sample, policies.as_deref(), is_end, is_exempt);
        }
        let stats = vhost.node().registry.message_stats_of(&vhost.name);
        self.vhost(&vhost.name, stats.publish, stats.return_unroutable + stats.drop_unroutable);
    }

    /// Finds the queues where dead letters end, unless nothing was declared or bound since.
    fn find_dead_letter_queues(&mut self, vhost: &Vhost, queues: &[Arc<QueueHandle>]) {
        let epoch = vhost.epoch();
        if self.dead_letter_queues.get(&vhost.name).is_none_or(|(found_at, _)| *found_at != epoch) {
            let found = dead_letter_queues::find(vhost, queues);
            self.dead_letter_queues.insert(Arc::clone(&vhost.name), (epoch, found));
        }
    }
}
