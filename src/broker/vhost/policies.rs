//! The policies of a virtual host, and how they come to hold for what is in it.
//!
//! There is one set at a time. When it is replaced, everything is looked at anew: in steps, under the lock of nothing but what is
//! changed. What is declared meanwhile either is in the list, or sees the new set when it looks again. Two who apply sets at the same
//! time take turns step by step, and each step applies the newest set: so the last one that comes to something brings the newest.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Vhost;
use crate::broker::actor::{self, acting_as};
use crate::broker::ids::ExchangeId;
use crate::broker::policies::{PolicySet, Subject};
use crate::broker::queue::QueueHandle;
use crate::broker::topology::QueueList;

/// Exchanges that are looked at in one step. A step of queues is that of [`QueueList`].
const EXCHANGES_AT_ONCE: usize = 1024;

impl Vhost {
    /// The policies that hold now.
    pub(crate) fn policies(&self) -> Arc<PolicySet> {
        Arc::clone(&self.policies.read())
    }

    /// Takes over the policies that administrators have defined, unless it has later ones.
    pub(in crate::broker) fn load_policies(&self) {
        let (definitions, revision) = self.node.metadata.read(|state| {
            let own = state.policies_of(&self.name);
            (own.cloned().collect(), state.policy_revision())
        });
        // Patterns are compiled when nothing is locked.
        let set = Arc::new(PolicySet::new(definitions, revision));
        let mut current = self.policies.write();
        if current.revision() < revision {
            *current = set;
        }
    }

    /// Applies the policies to everything: to exchanges, and to queues until a step is full. Nobody waits for the others.
    pub(in crate::broker) fn apply_policies(&self, now_ms: u64) {
        self.apply_to_exchanges();
        self.change_queues(move |queue, policies| queue.obey(policies, now_ms));
    }

    /// Has all queues obey another time for deliveries where nothing says how long they may stay unacknowledged.
    pub(in crate::broker) fn time_anew(&self, now_ms: u64) {
        self.change_queues(move |queue, _| queue.time_anew(now_ms));
    }

    /// Does it with each queue, until a step is full. Nobody waits for the others.
    fn change_queues(&self, change: impl Fn(&Arc<QueueHandle>, &PolicySet) + Send + 'static) {
        let mut queues = self.read(|topology| topology.queue_list());
        self.change_some(&mut queues, &change);
        // The rest is done on a thread that nobody waits for.
        let (false, Some(this)) = (queues.is_over(), self.this.upgrade()) else { return };
        let actor = actor::current();
        self.node.background.run(Box::new(move || {
            while !queues.is_over() {
                acting_as(&actor, || this.change_some(&mut queues, &change));
            }
        }));
    }

    fn change_some(&self, list: &mut QueueList, change: &impl Fn(&Arc<QueueHandle>, &PolicySet)) {
        let mut queues = Vec::new();
        self.read(|topology| topology.take_queues(list, &mut queues));
        {
            let _turn = self.applying.lock();
            // The newest, read within the turn: whoever comes later to a queue never brings it an older set.
            let policies = self.policies();
            queues.iter().for_each(|queue| change(queue, &policies));
        }
        // Whoever remembers what leads where, by dead letters too, looks again.
        self.epoch.fetch_add(1, Ordering::Release);
        self.node.check_memory();
    }

    /// At a start, before anything is done with what was restored.
    pub(in crate::broker) fn restore_policies(&self, now_ms: u64) {
        self.load_policies();
        self.apply_to_exchanges();
        let policies = self.policies();
        self.queues().iter().for_each(|queue| queue.prepare(&policies, now_ms));
    }

    /// Applies the policies to exchanges alone.
    pub(in crate::broker) fn apply_to_exchanges(&self) {
        let ids: Vec<ExchangeId> = self.read(|topology| topology.exchanges().map(|exchange| exchange.id).collect());
        for ids in ids.chunks(EXCHANGES_AT_ONCE) {
            let _turn = self.applying.lock();
            self.apply_to_these(ids);
        }
    }

    fn apply_to_these(&self, ids: &[ExchangeId]) {
        let known: Vec<_> = self.read(|topology| {
            let exchanges = ids.iter().filter_map(|id| topology.exchange_by_id(*id));
            exchanges
                .map(|exchange| (exchange.id, Arc::clone(&exchange.spec.name), exchange.policies().cloned()))
                .collect()
        });
        let policies = self.policies();
        let found =
            known.into_iter().map(|(id, name, before)| (id, policies.applied(&name, Subject::Exchange), before));
        let changed: Vec<_> = found.filter(|(_, now, before)| now != before).collect();
        if !changed.is_empty() {
            self.change(|topology| changed.into_iter().for_each(|(id, now, _)| topology.apply_policies(id, now)));
        }
    }

    /// A queue that was declared under `policies` is in the topology now. If they were replaced meanwhile, who applied the new ones may
    /// have missed it.
    pub(super) fn recheck_queue(&self, queue: &Arc<QueueHandle>, policies: &PolicySet, now_ms: u64) {
        if self.policies().revision() != policies.revision() {
            let _turn = self.applying.lock();
            queue.obey(&self.policies(), now_ms);
        }
        // The same is so of the time for deliveries.
        if self.node.settings.consumer_timeout.has_changed() {
            let _turn = self.applying.lock();
            queue.time_anew(now_ms);
        }
    }

    /// As [`Vhost::recheck_queue`].
    pub(super) fn recheck_exchange(&self, id: ExchangeId, policies: &PolicySet) {
        if self.policies().revision() != policies.revision() {
            let _turn = self.applying.lock();
            self.apply_to_these(&[id]);
        }
    }
}
