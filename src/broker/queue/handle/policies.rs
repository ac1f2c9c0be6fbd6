//! A queue under the policies of its virtual host.

use std::sync::Arc;

use super::QueueHandle;
use crate::broker::policies::{Applied, PolicySet, Subject};
use crate::broker::queue::Effective;
use crate::broker::queue::arguments::DeadLetters;

impl QueueHandle {
    /// Has a queue obey these policies that is not started yet: what comes of it is left to [`QueueHandle::start`].
    pub(in crate::broker) fn prepare(&self, policies: &PolicySet, now_ms: u64) {
        if let Some(applied) = self.applied(policies) {
            let effective = self.effective(Some(applied));
            self.state.lock().apply(effective, now_ms);
        }
    }

    /// Has the queue obey these policies from now on.
    pub(in crate::broker) fn obey(self: &Arc<Self>, policies: &PolicySet, now_ms: u64) {
        let applied = self.applied(policies);
        if self.state.lock().policies() != applied.as_ref() {
            let effective = self.effective(applied);
            self.transition(now_ms, |queue| queue.apply(effective, now_ms));
        }
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
            None => Arc::clone(declared),
            Some(applied) => {
                let raw = self.spec.raw_arguments.fields().to_owned();
                let merged = declared.under(&raw, applied, &self.node.settings);
                self.node.effective_arguments.share(merged)
            }
        };
        Effective { arguments, policies }
    }
}
