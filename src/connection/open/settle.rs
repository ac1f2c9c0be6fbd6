//! `basic.ack`, `basic.nack` and `basic.reject` (behaviour reference 5.6): collected over a read batch, and settled queue by
//! queue.

use super::Open;
use crate::broker::queue::{Return, Settlement};
use crate::broker::settler::DeliveryOutcome;
use crate::connection::aside::aside;
use crate::connection::channel::Mode;
use crate::connection::effort::TURN_EFFORT;
use crate::connection::unacked::Outstanding;
use crate::error::{AmqpError, MethodId};
use crate::impossible::impossible;
use crate::protocol::fast::SettlementKind;
use crate::protocol::method::{BASIC_ACK, BASIC_NACK, BASIC_REJECT};
use crate::store::TransactionId;

/// The method that a settlement came with.
const fn method_of(kind: SettlementKind) -> MethodId {
    match kind {
        SettlementKind::Ack { .. } => BASIC_ACK,
        SettlementKind::Reject { .. } => BASIC_REJECT,
        SettlementKind::Nack { .. } => BASIC_NACK,
    }
}

const fn outcome_of(kind: SettlementKind) -> (DeliveryOutcome, bool) {
    match kind {
        SettlementKind::Ack { multiple } => (DeliveryOutcome::Settled(Settlement::Acked), multiple),
        SettlementKind::Reject { requeue: true } => (DeliveryOutcome::Requeued(Return::Rejected), false),
        SettlementKind::Reject { requeue: false } => (DeliveryOutcome::Settled(Settlement::Rejected), false),
        SettlementKind::Nack { multiple, requeue: true } => (DeliveryOutcome::Requeued(Return::Nacked), multiple),
        SettlementKind::Nack { multiple, requeue: false } => (DeliveryOutcome::Settled(Settlement::Nacked), multiple),
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
        // One delivery: the usual case, for which nothing is looked up.
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
                self.channels.get(number).map_or(0, |channel| channel.unacked.reach(delivery_tag))
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
        let Some(channel) = self.channels.get_mut(number) else {
            impossible!("a settlement came on channel {number}, which does not exist");
            return Ok(());
        };
        let (outcome, multiple) = outcome_of(kind);
        let settled =
            channel.take_settled(delivery_tag, multiple).map_err(|error| error.with_method(method_of(kind)))?;
        if outcome == DeliveryOutcome::Settled(Settlement::Acked) {
            channel.stats.ack += settled.len() as u64;
        }
        if let Mode::Transaction(transaction) = &mut channel.mode {
            // They are out of the channel's list, so that they cannot be settled twice, and
            // come back with a rollback.
            transaction.settlements.extend(settled.into_iter().map(|(tag, outstanding)| (tag, outstanding, outcome)));
            self.channels.touch(number);
            return Ok(());
        }
        self.channels.touch(number);
        // It is done here and now what takes long: here no other connection waits for it.
        let is_long = settled.len() >= TURN_EFFORT;
        for (_, outstanding) in settled {
            self.settle_outstanding(number, outstanding, outcome);
        }
        if matches!(outcome, DeliveryOutcome::Requeued(_)) || is_long {
            self.flush_settled(now_ms);
        }
        Ok(())
    }

    /// Collects one settled delivery.
    pub(super) fn settle_outstanding(&mut self, number: u16, outstanding: Outstanding, outcome: DeliveryOutcome) {
        if outstanding.is_consumed {
            self.channels.release_credit(number);
        }
        self.settler.add(outstanding.queue, outstanding.token, outcome);
    }

    /// Lets the collected settlements take effect.
    pub(super) fn flush_settled(&mut self, now_ms: u64) {
        self.flush_settled_in(TransactionId::NONE, now_ms);
    }

    /// Lets the collected settlements take effect, in a transaction.
    pub(super) fn flush_settled_in(&mut self, transaction: TransactionId, now_ms: u64) {
        if self.settler.is_empty() {
            return;
        }
        let effort = self.settler.settle(transaction, now_ms);
        self.effort.spend(effort);
        // Behind the settlements of all queues: the credit is for whichever consumer of the
        // channel waits longest.
        for number in self.channels.take_credited() {
            self.resume_channel(number, now_ms);
        }
        self.node.check_memory();
    }

    /// Offers the credit of a channel to its consumers that found none.
    pub(super) fn resume_channel(&self, number: u16, now_ms: u64) {
        let Some(channel) = self.channels.get(number) else {
            return impossible!("channel {number} ended before its settlements took effect");
        };
        while let Some(id) = channel.credit.next() {
            if let Some(queue) = channel.consumers.get(&id).and_then(|consumer| consumer.queue.as_ref()) {
                queue.resume(id, now_ms);
            }
        }
    }
}
