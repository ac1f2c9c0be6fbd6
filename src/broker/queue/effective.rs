//! What a queue obeys, and how that changes while messages wait and consumers wait for them.

use std::sync::Arc;

use super::Queue;
use super::arguments::{DeadLetters, QueueArguments};
use crate::broker::policies::Applied;

/// What a queue obeys: what it was declared with, and what policies make of it.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// The arguments, merged.
    pub(crate) arguments: Arc<QueueArguments>,
    /// The policies that hold for it.
    pub(crate) policies: Option<Arc<Applied>>,
}

impl Queue {
    /// The policies that hold for it.
    pub(crate) const fn policies(&self) -> Option<&Arc<Applied>> {
        self.policies.as_ref()
    }

    /// Where dead letters go.
    pub(super) fn dead_letters(&self) -> Option<&Arc<DeadLetters>> {
        self.arguments.dead_letters.as_ref()
    }

    /// Obeys something else from now on. What is too much is dropped at once; a message that waits keeps the time to live that it has.
    ///
    /// Whoever uses the queue sees it as if it had always been like this, but for two things. The time after which it is deleted when it
    /// is not used begins now, if it is another one. And what is dying goes where it was going: only dead letters that found no queue
    /// are tried again where dead letters go now.
    pub(crate) fn apply(&mut self, effective: Effective, now_ms: u64) {
        // The list of queues was read before, and policies are applied one queue at a time.
        if self.is_deleted() {
            return;
        }
        let Effective { arguments, policies } = effective;
        debug_assert!(self.arguments.is_same_for_good(&arguments), "a policy changed what it cannot");
        self.policies = policies;
        let before = std::mem::replace(&mut self.arguments, arguments);
        // Equal arguments are often another `Arc`: what did not change must not begin a time anew.
        if *before != *self.arguments {
            self.follow(&before, now_ms);
        }
        // Also if the arguments are the same: whoever puts a policy finds the queue looked at for what has
        // expired, whatever the policy changes.
        self.pump(now_ms);
    }

    /// Takes up what changes with the arguments, beside what the next pump sees.
    fn follow(&mut self, before: &QueueArguments, now_ms: u64) {
        if before.expires_ms != self.arguments.expires_ms {
            self.service.touch(now_ms);
        }
        // Deliveries that are out keep their time. From here on later ones may be late before them.
        if before.consumer_timeout_ms != self.arguments.consumer_timeout_ms {
            self.order.unacked.timeout_changes();
        }
        // There is a new target to be tried, or nobody promises any more to keep them: both are looked at
        // by the timer, at once.
        if !self.dead_letters_at_least_once() || before.dead_letters != self.arguments.dead_letters {
            self.order.dying.retry_at(now_ms);
        }
    }
}
