//! One round: samples are taken of everything, and the rules look at them. Whoever keeps statistics gets the same samples, so that a queue is
//! locked once.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::board::Change;
use super::dead_letter_queues;
use super::engine::Engine;
use super::watched::MeasuredNode;
use super::watched_vhost::{Depths, QueuePlace};
use crate::broker::Broker;
use crate::broker::ids::QueueId;
use crate::broker::node::Node;
use crate::broker::queue::{Exclusivity, QueueHandle, QueueSample};
use crate::broker::vhost::Vhost;

/// A queue stands still: once in so many rounds it is asked nevertheless.
pub(crate) const ROUNDS_OF_REST: u64 = 12;

/// Whose turn it is in a round to be asked although it stands still: they are spread over the rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn(pub(super) u64);

impl Turn {
    const fn is_of(self, queue: QueueId) -> bool {
        queue.0 % ROUNDS_OF_REST == self.0
    }
}

/// What a round found.
#[derive(Debug, Default)]
pub struct Looked {
    /// The alerts that were raised, or are over.
    pub changes: Vec<Change>,
    /// How many messages each virtual host has.
    pub(crate) depths: Vec<(Arc<str>, Depths)>,
}

impl Broker {
    /// Looks at everything once. Queues that stand still are passed over until time alone could change something, and asked anew now and
    /// then, unless `all` are to be asked. `sampled` is told of each queue that is asked, while the alerts are locked and no queue is.
    pub fn look_for_alerts(&self, now_ms: u64, all: bool, mut sampled: impl FnMut(&QueueSample)) -> Looked {
        let node = self.node();
        let passed = node.registry.message_stats_by_vhost();
        let mut engine = node.alerts.engine.lock();
        engine.begin(now_ms);
        for vhost in self.vhosts() {
            let passed = passed.get(&vhost.name).copied().unwrap_or_default();
            engine.look_at(&vhost, all, &mut sampled);
            let (watched, moment) = engine.vhost(&vhost.name);
            watched.publishes(moment, &vhost.name, passed.publish, passed.return_unroutable + passed.drop_unroutable);
        }
        engine.node(measured(node));
        let changes = engine.finish();
        Looked { changes, depths: engine.depths().map(|(name, depths)| (Arc::clone(name), depths)).collect() }
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
    fn look_at(&mut self, vhost: &Vhost, all: bool, sampled: &mut impl FnMut(&QueueSample)) {
        // The epoch is asked for first: what changes from here on moves it once more.
        let epoch = vhost.epoch();
        let queues = vhost.queues();
        let has_changed = self.take_topology(vhost, epoch, &queues);
        let turn = self.turn();
        let (watched, (board, moment)) = self.vhost(&vhost.name);
        for queue in &queues {
            let is_turn = all || turn.is_of(queue.id);
            let must_look = is_turn || has_changed || watched.has_room_for_waiting(board);
            let Some(look) = queue.begin_look(moment.now_ms, must_look) else { continue };
            let is_asked = look.has_moved() || is_turn;
            let last = || watched.queues.get(&queue.id)?.last.clone();
            let Some((sample, policies)) = (if is_asked { queue.sample() } else { last() }) else { continue };
            if is_asked {
                sampled(&sample);
            }
            let name = &queue.spec.name;
            let is_exempt = queue.spec.exclusivity != Exclusivity::Shared || name.starts_with("amq.");
            let place = QueuePlace { vhost: &vhost.name, name, is_exempt };
            look.rest_until(watched.queue((&mut *board, moment), place, &sample, policies));
        }
    }

    /// Forgets the queues that are gone and finds those where dead letters end, unless nothing was declared, bound or deleted since the last
    /// round. Whether other queues than before are such ends.
    fn take_topology(&mut self, vhost: &Vhost, epoch: u64, queues: &[Arc<QueueHandle>]) -> bool {
        let (watched, moment) = self.vhost(&vhost.name);
        if watched.epoch == Some(epoch) {
            return false;
        }
        watched.epoch = Some(epoch);
        let there: FxHashSet<_> = queues.iter().map(|queue| queue.id).collect();
        watched.keep(moment, &vhost.name, |queue| there.contains(&queue));
        let found = dead_letter_queues::find(vhost, queues);
        let has_changed = found != watched.dead_letter_queues;
        watched.dead_letter_queues = found;
        has_changed
    }
}
