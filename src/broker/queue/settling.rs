//! How unacknowledged messages end: settled for good, or taken back.

use super::Queue;
use super::arguments::{DelayedRetry, QueueArguments};
use super::dying::DeathReason;
use super::entry::{Entry, State};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::Token;
use crate::store::seq::Seq;

/// How a message came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// `basic.reject` with requeue: the consumer failed on it.
    Rejected,
    /// `basic.nack` with requeue, or `basic.recover`: returned, not failed.
    Nacked,
    /// Its channel or connection went away.
    Lost,
    /// It was not acknowledged in time.
    TimedOut,
}

impl Return {
    /// Whether it counts as failed: against the delivery limit, and in the queues that a dead letter goes to (behaviour reference
    /// 5.6 and 6.3).
    pub(super) const fn is_failure(self) -> bool {
        matches!(self, Self::Rejected | Self::Lost)
    }
}

/// How a delivered message is settled for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Taken for good, by `basic.ack`.
    Acked,
    /// Refused by `basic.reject`.
    Rejected,
    /// Refused by `basic.nack`.
    Nacked,
}

/// Messages that are settled in one transition.
pub(super) const SETTLED_AT_ONCE: usize = 1024;

impl Queue {
    /// Settles some of these messages for good; tokens that the queue took back before are ignored. [`Queue::pump`] must follow, and
    /// more transitions until no tokens are left.
    pub(crate) fn settle(&mut self, tokens: &mut impl Iterator<Item = Token>, settlement: Settlement) {
        self.turn.owe_pump();
        for token in tokens.take(SETTLED_AT_ONCE) {
            // A time-out may have taken it back while the client's acknowledgement was on its way: that is
            // no error of the client.
            let Some((unacked, consumer)) = self.order.unacked.remove(token) else { continue };
            self.release(consumer);
            match settlement {
                Settlement::Acked => {
                    self.passed.count_ack();
                    self.backing.gone(&unacked.entry);
                }
                // Only `basic.reject` counts as failed; `basic.nack` does not, as in RabbitMQ
                // (behaviour reference 5.6).
                Settlement::Rejected => self.refuse(unacked.entry, true),
                Settlement::Nacked => self.refuse(unacked.entry, false),
            }
        }
        // The active consumer may have nothing unacknowledged now, and yield to one of higher priority.
        self.promote();
    }

    /// A rejected delivery has failed, also if it is the last one.
    fn refuse(&mut self, mut entry: Entry, is_failure: bool) {
        // It goes back from the last place of a walk to one that the walk may have behind it.
        self.backing.meet(&mut entry, State::Dying);
        // Without a dead letter exchange nobody ever asks for the numbers.
        if self.arguments.dead_letters.is_some() {
            let is_counted = self.arguments.kind.rules().counts_deliveries;
            entry.counts.acquired = entry.counts.acquired.saturating_add(u32::from(is_counted));
            entry.counts.failed = entry.counts.failed.saturating_add(u32::from(is_failure));
            if is_counted || is_failure {
                // A crash may come before the dead letter is published, and must not count this delivery as interrupted.
                self.backing.note_counts(&entry, entry.counts);
            }
        }
        self.dead_letter(entry, DeathReason::Rejected);
    }

    /// Puts everything back that this channel did not settle, because it is closed. As for [`Queue::requeue`].
    pub(crate) fn requeue_all_of(&mut self, channel: ChannelId, now_ms: u64) {
        let holders = self.order.unacked.of_channel(channel);
        self.take_back_from(holders, Return::Lost, now_ms);
    }

    pub(super) fn take_back_quorum(&mut self, entry: Entry, cause: Return, now_ms: u64) {
        // Asked before it is held back: a message that is over its limit does not wait first.
        if is_over_limit(&self.arguments, &entry) {
            self.dead_letter(entry, DeathReason::DeliveryLimit);
            return;
        }
        let held_back = |retry: &DelayedRetry| if cause.is_failure() { retry.failed } else { retry.returned };
        match self.arguments.delayed_retry.filter(held_back) {
            Some(retry) => {
                // At least one, because a nack counts no failure and is held back all the same
                // (behaviour reference 6.5).
                let failed = u64::from(entry.counts.failed.max(1));
                let delay_ms = retry.min_ms.saturating_mul(failed).min(retry.max_ms);
                self.order.held_back.insert(now_ms.saturating_add(delay_ms), entry);
            }
            None => self.order.ready.push_returned(entry),
        }
    }

    /// Counts a message that this consumer does not hold any more.
    pub(super) fn release(&mut self, consumer: Option<ConsumerId>) {
        if let Some(consumer) = consumer {
            self.service.consumers.settled(consumer);
        }
    }
}

/// Whether deliveries failed more often than this quorum queue allows.
pub(super) fn is_over_limit(arguments: &QueueArguments, entry: &Entry) -> bool {
    arguments.delivery_limit.is_some_and(|limit| entry.counts.failed > limit)
}

/// Counts the first delivery of a message that was out when the broker was killed: every other end of a delivery would have
/// counted it as acquired. Later deliveries are counted in the log when they begin.
pub(super) fn count_interrupted(arguments: &QueueArguments, entry: &mut Entry, delivered_below: Seq) {
    if arguments.kind.rules().counts_deliveries && entry.counts.acquired == 0 && entry.seq < delivered_below {
        entry.counts = entry.counts.interrupted();
    }
}
