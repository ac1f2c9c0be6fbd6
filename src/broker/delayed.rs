//! Messages that an `x-delayed-message` exchange holds back until they are due.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::ids::ExchangeId;
use super::queue::NewMessage;
use super::vhost::Vhost;

/// The delayed messages of a virtual host, in the order in which they are due; equal times keep the order of publishing.
#[derive(Debug)]
pub struct DelayedMessages {
    vhost: Weak<Vhost>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_due: BTreeMap<(u64, u64), (ExchangeId, NewMessage)>,
    taken: u64,
}

impl DelayedMessages {
    /// None yet.
    pub fn new(vhost: Weak<Vhost>) -> Self {
        Self { vhost, waiting: Mutex::default() }
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.waiting.lock().by_due.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Holds a message back until `due_ms`.
    pub(in crate::broker) fn hold(self: &Arc<Self>, due_ms: u64, exchange: ExchangeId, message: NewMessage) {
        let mut waiting = self.waiting.lock();
        let is_first = waiting.by_due.keys().next().is_none_or(|&(first_ms, _)| due_ms < first_ms);
        waiting.taken += 1;
        let key = (due_ms, waiting.taken);
        waiting.by_due.insert(key, (exchange, message));
        drop(waiting);
        if is_first && let Some(vhost) = self.vhost.upgrade() {
            vhost.node().deadlines.order_delayed(due_ms, self);
        }
    }

    /// Routes what is due, and orders the next call.
    pub(in crate::broker) fn deliver_due(self: &Arc<Self>, now_ms: u64) {
        let Some(vhost) = self.vhost.upgrade() else { return };
        while let Some((exchange, message)) = self.pop(now_ms) {
            vhost.publish_delayed(exchange, message, now_ms);
        }
        let next_ms = self.waiting.lock().by_due.keys().next().map(|&(due_ms, _)| due_ms);
        if let Some(next_ms) = next_ms {
            vhost.node().deadlines.order_delayed(next_ms, self);
        }
    }

    fn pop(&self, now_ms: u64) -> Option<(ExchangeId, NewMessage)> {
        let mut waiting = self.waiting.lock();
        let first = waiting.by_due.first_entry().filter(|first| first.key().0 <= now_ms)?;
        Some(first.remove())
    }

    /// Forgets the messages of an exchange that was deleted.
    pub(in crate::broker) fn forget(&self, exchange: ExchangeId) {
        self.waiting.lock().by_due.retain(|_, (of, _)| *of != exchange);
    }
}
