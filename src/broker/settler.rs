//! Settlements of deliveries, whatever protocol they come from: collected in their order, and carried out queue by queue.

use std::sync::Arc;

use super::queue::{QueueHandle, Return, Settlement};
use super::sink::Token;
use crate::store::TransactionId;

/// What it costs to settle with one queue, beside the messages: its lock, and its consumers' next messages.
const RUN_EFFORT: usize = 8;

/// What becomes of a settled delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// It is settled for good.
    Settled(Settlement),
    /// It goes back to its queue.
    Requeued(Return),
}

/// Settlements that are not carried out yet.
///
/// **Invariant**: a run is never empty, and neighbouring runs differ in queue or outcome.
#[derive(Debug, Default)]
pub(crate) struct Settler {
    runs: Vec<SettledRun>,
}

/// Deliveries of one queue with one outcome, settled one after the other.
#[derive(Debug)]
struct SettledRun {
    queue: Arc<QueueHandle>,
    outcome: DeliveryOutcome,
    tokens: Vec<Token>,
}

impl Settler {
    /// Collects one settled delivery.
    pub(crate) fn add(&mut self, queue: Arc<QueueHandle>, token: Token, outcome: DeliveryOutcome) {
        match self.runs.last_mut() {
            Some(run) if run.outcome == outcome && Arc::ptr_eq(&run.queue, &queue) => run.tokens.push(token),
            _ => self.runs.push(SettledRun { queue, outcome, tokens: vec![token] }),
        }
    }

    /// Whether nothing is collected.
    pub(crate) const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Carries out what is collected, and returns about how many things were done.
    pub(crate) fn settle(&mut self, transaction: TransactionId, now_ms: u64) -> usize {
        self.check();
        let mut effort = 0;
        // In the order in which the client answered. A queue is locked once for a run,
        // and not for each message.
        for SettledRun { queue, outcome, tokens } in self.runs.drain(..) {
            effort += RUN_EFFORT + tokens.len();
            match outcome {
                DeliveryOutcome::Settled(settlement) => queue.settle(tokens, settlement, transaction, now_ms),
                DeliveryOutcome::Requeued(cause) => queue.requeue(tokens, cause, now_ms),
            }
        }
        effort
    }

    fn check(&self) {
        debug_assert!(self.runs.iter().all(|run| !run.tokens.is_empty()), "a run is never empty");
        let differ =
            |pair: &[SettledRun]| matches!(pair, [a, b] if a.outcome != b.outcome || !Arc::ptr_eq(&a.queue, &b.queue));
        debug_assert!(self.runs.windows(2).all(differ), "neighbouring runs differ");
    }
}
