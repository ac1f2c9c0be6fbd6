//! What a transaction holds back until `tx.commit` (behaviour reference 5.9).

use super::open::PendingPublish;
use super::unacked::Outstanding;
use crate::broker::settler::DeliveryOutcome;

/// The publishes and settlements of a transaction that is open.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Messages, routed already, in the order of publishing.
    pub(crate) publishes: Vec<PendingPublish>,
    /// Settled deliveries, which [`Transaction::roll_back`] makes outstanding again.
    pub(crate) settlements: Vec<(u64, Outstanding, DeliveryOutcome)>,
}

impl Transaction {
    /// Drops the publishes, and hands out the deliveries that are outstanding again.
    pub(super) fn roll_back(&mut self) -> Vec<(u64, Outstanding)> {
        // No queue has heard of them.
        self.publishes.clear();
        self.settlements.drain(..).map(|(tag, outstanding, _)| (tag, outstanding)).collect()
    }
}
