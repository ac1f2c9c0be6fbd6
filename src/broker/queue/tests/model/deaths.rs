//! Deaths in the naive queue, and who is the active consumer after them.

use super::message::ModelMessage;
use super::{Death, Model};
use crate::broker::queue::DeathReason;
use crate::broker::queue::arguments::Overflow;

impl Model {
    pub(super) fn kill(&mut self, message: ModelMessage, reason: DeathReason) {
        self.die(message.id, reason, message.counts.failed, message.counted_bytes);
    }

    pub(super) fn keeps_dead(&self) -> bool {
        self.arguments.dead_letter_at_least_once && self.arguments.overflow == Overflow::RejectPublish
    }

    /// It goes where dead letters go now, whatever is obeyed later.
    pub(super) fn die(&mut self, id: u32, reason: DeathReason, failed: u32, counted_bytes: u64) {
        if let Some(target) = self.arguments.dead_letters.clone() {
            self.deaths.push((Death { id, reason, target, failed }, counted_bytes));
        }
    }

    /// The deaths since the last look, in their order.
    pub(in super::super) fn take_deaths(&mut self) -> Vec<Death> {
        if self.is_returning() {
            return Vec::new();
        }
        let deaths = std::mem::take(&mut self.deaths);
        if self.finds_no_grave && self.keeps_dead() && !deaths.is_empty() {
            self.unrouted.extend(deaths.iter().cloned());
            self.retry_ms.get_or_insert(self.now_ms + 1_000);
        }
        deaths.into_iter().map(|(death, _)| death).collect()
    }

    pub(super) fn heir(&self) -> Option<u64> {
        let best = self.consumers.iter().map(|consumer| consumer.new.priority).max();
        self.consumers.iter().find(|consumer| Some(consumer.new.priority) == best).map(|consumer| consumer.new.id)
    }

    /// Once the active consumer that yields has nothing unacknowledged, the one of highest priority takes over.
    pub(super) fn promote(&mut self) {
        if !self.is_returning() && self.yields && self.active.is_some_and(|active| self.unacked_of(active) == 0) {
            self.active = self.heir();
            self.yields = false;
        }
    }
}
