//! One round: samples are taken of everything, and the rules look at them. Whoever keeps statistics gets the same samples, so that a queue is
//! locked once.

use std::sync::Arc;

use super::AlertObject;
use super::dead_letter_queues;
use super::engine::{Change, Engine};
use super::watched::MeasuredNode;
use crate::broker::Broker;
use crate::broker::node::Node;
use crate::broker::queue::{Exclusivity, QueueHandle, QueueSample};
use crate::broker::vhost::Vhost;
use crate::metrics::MessageStats;

/// A queue stands still: once in so many rounds it is asked nevertheless.
pub(crate) const ROUNDS_OF_REST: u64 = 12;

/// A sample of a queue, for whoever keeps statistics.
#[derive(Debug)]
pub struct Sampled<'a> {
    /// The virtual host.
    pub vhost: &'a Arc<str>,
    /// The numbers.
    pub sample: &'a QueueSample,
    /// They were taken in this round; else they are as they were before.
    pub is_asked: bool,
}

impl Broker {
    /// Looks at everything once: what changed. Of queues that stand still, only a part is asked anew unless `all` are to be: what they said
    /// last is still true. `sampled` is told of each queue
    /// that has messages or was asked, while the alerts are locked and no queue is.
    pub fn look_for_alerts(&self, now_ms: u64, all: bool, mut sampled: impl FnMut(Sampled<'_>)) -> Vec<Change> {
        let node = self.node();
        let passed = node.registry.message_stats_by_vhost();
        let mut engine = node.alerts.engine.lock();
        engine.begin(now_ms);
        for vhost in self.vhosts() {
            let passed = passed.get(&vhost.name).copied().unwrap_or_default();
            engine.look_at(&vhost, &passed, all, &mut sampled);
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
    fn look_at(&mut self, vhost: &Vhost, passed: &MessageStats, all: bool, sampled: &mut impl FnMut(Sampled<'_>)) {
        let queues = vhost.queues();
        self.find_dead_letter_queues(vhost, &queues);
        for queue in &queues {
            let is_asked = queue.take_stirred() || all || self.is_turn_of(queue.id);
            let known = if is_asked { queue.sample() } else { self.last_of(queue.id) };
            let Some((sample, policies)) = known else { continue };
            sampled(Sampled { vhost: &vhost.name, sample: &sample, is_asked });
            let is_end = self.is_dead_letter_queue(&vhost.name, queue.id);
            let name = &queue.spec.name;
            let is_exempt = queue.spec.exclusivity != Exclusivity::Shared || name.starts_with("amq.");
            self.queue((&vhost.name, name), &sample, policies, is_end, is_exempt);
        }
        self.vhost(&vhost.name, passed.publish, passed.return_unroutable + passed.drop_unroutable);
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
