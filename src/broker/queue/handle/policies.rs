//! A queue under the policies of its virtual host.

use std::sync::Arc;

use super::QueueHandle;
use crate::broker::own::Event;
use crate::broker::policies::{Applied, Candidate, PolicySet, Subject};
use crate::broker::queue::Effective;
use crate::broker::queue::arguments::DeadLetters;

impl QueueHandle {
    /// Has a queue obey these policies that is not started yet: what comes of it is left to [`QueueHandle::start`].
    pub(in crate::broker) fn prepare(&self, policies: &PolicySet, now_ms: u64) {
        if let Some(applied) = self.applied(policies) {
            let effective = self.effective(Some(applied));
            let mut queue = self.state.lock();
            queue.apply(effective, now_ms);
            // The sample has the policies, and this is no transition.
            self.stir();
        }
    }

    /// Has the queue obey these policies from now on.
    pub(in crate::broker) fn obey(self: &Arc<Self>, policies: &PolicySet, now_ms: u64) {
        let applied = self.applied(policies);
        let before = self.state.lock().policies().cloned();
        if before != applied {
            self.tell_policies(policies, before.as_deref(), applied.as_deref());
            let effective = self.effective(applied);
            self.transition(now_ms, |queue| queue.apply(effective, now_ms));
        }
    }

    /// Has the queue obey the time from now on that holds where nothing says how long a delivery may stay unacknowledged.
    pub(in crate::broker) fn time_anew(self: &Arc<Self>, now_ms: u64) {
        let policies = self.state.lock().policies().cloned();
        let effective = self.effective(policies);
        self.transition(now_ms, |queue| queue.apply(effective, now_ms));
    }

    /// Tells whoever wants to know events which policy was put or is gone.
    fn tell_policies(&self, policies: &PolicySet, before: Option<&Applied>, now: Option<&Applied>) {
        let Some(vhost) = self.vhost.upgrade() else { return };
        self.node.own_messages.event(|| {
            let names = |applied: Option<&Applied>, is_operator| {
                applied.and_then(|it| if is_operator { it.operator_policy.clone() } else { it.policy.clone() })
            };
            let is_gone = |is_operator| names(before, is_operator).is_some() && names(now, is_operator).is_none();
            let is_operator = names(before, true) != names(now, true) || names(now, false).is_none();
            let subject = Subject::Queue(self.spec.arguments.kind);
            let put = policies.winner(&self.spec.name, subject, is_operator).map(Candidate::definition);
            Event::queue_policy(&vhost.name, &self.spec, put.filter(|_| !is_gone(true) && !is_gone(false)))
        });
    }

    /// Where its dead letters go now.
    pub(in crate::broker) fn dead_letters(&self) -> Option<Arc<DeadLetters>> {
        self.state.lock().dead_letters().cloned()
    }

    fn applied(&self, policies: &PolicySet) -> Option<Arc<Applied>> {
        policies.applied(&self.spec.name, Subject::Queue(self.spec.arguments.kind))
    }

    fn effective(&self, policies: Option<Arc<Applied>>) -> Effective {
        let declared = &self.spec.arguments;
        let arguments = match &policies {
            // Then what was declared holds as it stands, and queues that are alike share it.
            None if !self.node.settings.consumer_timeout.has_changed() => Arc::clone(declared),
            None => {
                // Decoded only now: arguments are kept as they are encoded, because most queues
                // never need them again.
                let raw = self.spec.raw_arguments.fields().to_owned();
                self.node.effective_arguments.share(declared.anew(&raw, &self.node.settings))
            }
            Some(applied) => {
                let raw = self.spec.raw_arguments.fields().to_owned();
                let merged = declared.under(&raw, applied, &self.node.settings);
                self.node.effective_arguments.share(merged)
            }
        };
        Effective { arguments, policies }
    }
}
