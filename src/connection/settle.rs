//! `basic.ack`, `basic.nack` and `basic.reject` (behaviour reference 5.6): collected over a read batch, and settled queue by
//! queue.

use std::sync::Arc;

use super::aside::aside;
use super::channel::Mode;
use super::effort::TURN_EFFORT;
use super::open::Open;
use super::transaction::Fate;
use super::unacked::Outstanding;
use crate::broker::queue::{QueueHandle, Return, Settlement};
use crate::broker::sink::Token;
use crate::error::{AmqpError, MethodId};
use crate::impossible::impossible;
use crate::protocol::fast::SettlementKind;
use crate::store::NO_TRANSACTION;

/// Settlements that were checked, in their order: runs of the same queue and fate.
#[derive(Debug, Default)]
pub(super) struct SettleBatch {
    runs: Vec<Run>,
    /// The channels whose shared prefetch has credit again.
    credited: Vec<u16>,
}

#[derive(Debug)]
struct Run {
    queue: Arc<QueueHandle>,
    fate: Fate,
    tokens: Vec<Token>,
}

impl SettleBatch {
    fn add(&mut self, outstanding: Outstanding, fate: Fate) {
        match self.runs.last_mut() {
            Some(run) if run.fate == fate && Arc::ptr_eq(&run.queue, &outstanding.queue) => {
                run.tokens.push(outstanding.token);
            }
            _ => self.runs.push(Run { queue: outstanding.queue, fate, tokens: vec![outstanding.token] }),
        }
    }
}

/// What it costs to settle with one queue, beside the messages: its lock, and its consumers' next messages.
const RUN_EFFORT: usize = 8;

/// The method that a settlement came with.
const fn method_of(kind: SettlementKind) -> MethodId {
    match kind {
        SettlementKind::Ack { .. } => MethodId::new(60, 80),
        SettlementKind::Reject { .. } => MethodId::new(60, 90),
        SettlementKind::Nack { .. } => MethodId::new(60, 120),
    }
}

const fn fate_of(kind: SettlementKind) -> (Fate, bool) {
    match kind {
        SettlementKind::Ack { multiple } => (Fate::Settled(Settlement::Acked), multiple),
        SettlementKind::Reject { requeue: true } => (Fate::Returned(Return::Rejected), false),
        SettlementKind::Reject { requeue: false } => (Fate::Settled(Settlement::Rejected), false),
        SettlementKind::Nack { multiple, requeue: true } => (Fate::Returned(Return::Nacked), multiple),
        SettlementKind::Nack { multiple, requeue: false } => (Fate::Settled(Settlement::Nacked), multiple),
    }
}

impl Open {
    /// Takes a settlement.
    ///
    /// # Errors
    /// 406 when the delivery tag is not outstanding.
    pub(super) fn settle(
        &mut self,
        number: u16,
        delivery_tag: u64,
        kind: SettlementKind,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        let effort = self.reach_of(number, delivery_tag, kind);
        if effort == 0 {
            return self.settle_now(number, delivery_tag, kind, now_ms);
        }
        self.effort.spend(effort);
        aside(effort, || self.settle_now(number, delivery_tag, kind, now_ms))
    }

    /// How many deliveries this may settle, if it is several.
    fn reach_of(&self, number: u16, delivery_tag: u64, kind: SettlementKind) -> usize {
        match kind {
            SettlementKind::Ack { multiple: true } | SettlementKind::Nack { multiple: true, .. } => {
                self.channels.get(&number).map_or(0, |channel| channel.unacked.reach(delivery_tag))
            }
            SettlementKind::Ack { .. } | SettlementKind::Nack { .. } | SettlementKind::Reject { .. } => 0,
        }
    }

    fn settle_now(
        &mut self,
        number: u16,
        delivery_tag: u64,
        kind: SettlementKind,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        let Some(channel) = self.channels.get_mut(&number) else {
            impossible!("a settlement came on channel {number}, which does not exist");
            return Ok(());
        };
        let (fate, multiple) = fate_of(kind);
        let settled =
            channel.take_settled(delivery_tag, multiple).map_err(|error| error.with_method(method_of(kind)))?;
        if fate == Fate::Settled(Settlement::Acked) {
            channel.stats.ack += settled.len() as u64;
        }
        self.touched.mark(number);
        if let Mode::Transaction(transaction) = &mut channel.mode {
            transaction.settlements.extend(settled.into_iter().map(|(tag, outstanding)| (tag, outstanding, fate)));
            return Ok(());
        }
        // It is done here and now what takes long: here no other connection waits for it.
        let is_long = settled.len() >= TURN_EFFORT;
        for (_, outstanding) in settled {
            self.settle_outstanding(number, outstanding, fate);
        }
        if matches!(fate, Fate::Returned(_)) || is_long {
            self.flush_settled(now_ms);
        }
        Ok(())
    }

    /// Collects one settled delivery.
    pub(super) fn settle_outstanding(&mut self, number: u16, outstanding: Outstanding, fate: Fate) {
        if let Some(channel) = self.channels.get(&number)
            && outstanding.is_consumed
            && channel.credit.is_limited()
        {
            channel.credit.release(1);
            if self.settled.credited.last() != Some(&number) {
                self.settled.credited.push(number);
            }
        }
        self.settled.add(outstanding, fate);
    }

    /// Lets the collected settlements take effect.
    pub(super) fn flush_settled(&mut self, now_ms: u64) {
        self.flush_settled_in(NO_TRANSACTION, now_ms);
    }

    /// Lets the collected settlements take effect, in a transaction.
    pub(super) fn flush_settled_in(&mut self, transaction: u64, now_ms: u64) {
        if self.settled.runs.is_empty() {
            return;
        }
        let mut runs = std::mem::take(&mut self.settled.runs);
        for Run { queue, fate, tokens } in runs.drain(..) {
            self.effort.spend(RUN_EFFORT + tokens.len());
            match fate {
                Fate::Settled(settlement) => queue.settle(tokens, settlement, transaction, now_ms),
                Fate::Returned(cause) => queue.requeue(tokens, cause, now_ms),
            }
        }
        self.settled.runs = runs;
        let mut credited = std::mem::take(&mut self.settled.credited);
        credited.sort_unstable();
        credited.dedup();
        for number in credited {
            self.resume_channel(number, now_ms);
        }
        self.node.check_memory();
    }

    /// Offers the credit of a channel to its consumers that found none.
    pub(super) fn resume_channel(&self, number: u16, now_ms: u64) {
        let Some(channel) = self.channels.get(&number) else {
            return impossible!("channel {number} ended before its settlements took effect");
        };
        while let Some(id) = channel.credit.next() {
            if let Some(queue) = channel.consumers.get(&id).and_then(|consumer| consumer.queue.as_ref()) {
                queue.resume(id, now_ms);
            }
        }
    }
}
