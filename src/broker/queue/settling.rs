//! How unacknowledged messages end: settled for good, or taken back.

use super::Queue;
use super::arguments::DelayedRetry;
use super::dying::DeathReason;
use super::entry::Entry;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::Token;

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
    /// Acknowledged.
    Acked,
    /// Refused by `basic.reject`.
    Rejected,
    /// Refused by `basic.nack`.
    Nacked,
}

impl Queue {
    /// Settles messages for good; tokens that the queue took back before are ignored. [`Queue::pump`] must follow.
    pub fn settle(&mut self, tokens: impl IntoIterator<Item = Token>, settlement: Settlement) {
        for token in tokens {
            let Some((unacked, consumer)) = self.unacked.remove(token) else { continue };
            self.release(consumer);
            match settlement {
                Settlement::Acked => {
                    self.stats.ack += 1;
                    self.gone(&unacked.entry);
                }
                Settlement::Rejected => self.reject(unacked.entry),
                Settlement::Nacked => self.bury(unacked.entry, DeathReason::Rejected),
            }
        }
        self.promote();
    }

    /// A rejected delivery has failed, also if it is the last one.
    fn reject(&mut self, mut entry: Entry) {
        if self.arguments.dead_letter_exchange.is_some() {
            entry.counts.failed = entry.counts.failed.saturating_add(1);
            // A crash may come before the dead letter is published.
            self.note_counts(&entry);
        }
        self.bury(entry, DeathReason::Rejected);
    }

    /// Puts everything back that this channel did not settle, because it is closed. As for [`Queue::requeue`].
    pub fn requeue_all_of(&mut self, channel: ChannelId, now_ms: u64) {
        let holders = self.unacked.of_channel(channel);
        self.take_back_from(holders, Return::Lost, now_ms);
    }

    pub(super) fn take_back_quorum(&mut self, entry: Entry, cause: Return, now_ms: u64) {
        if self.arguments.delivery_limit.is_some_and(|limit| entry.counts.failed > limit) {
            self.bury(entry, DeathReason::DeliveryLimit);
            return;
        }
        let held_back = |retry: &DelayedRetry| if cause.is_failure() { retry.failed } else { retry.returned };
        match self.arguments.delayed_retry.filter(held_back) {
            Some(retry) => {
                let failed = u64::from(entry.counts.failed.max(1));
                let delay_ms = retry.min_ms.saturating_mul(failed).min(retry.max_ms);
                self.held_back.insert(now_ms.saturating_add(delay_ms), entry);
            }
            None => self.ready.push_returned(entry),
        }
    }

    /// Deliveries are to survive a restart: in the log, and, if the message is not there any more, in the checkpoints.
    pub(super) fn note_counts(&mut self, entry: &Entry) {
        let counts = (entry.counts.acquired, entry.counts.failed);
        if entry.is_stored {
            self.journal.counted(entry.seq, counts);
            if !entry.address.is_in_log() {
                self.counts_since.insert(entry.seq, counts);
            }
        }
    }

    /// Counts a message that this consumer does not hold any more.
    pub(super) fn release(&mut self, consumer: Option<ConsumerId>) {
        if let Some(consumer) = consumer {
            self.consumers.settled(consumer);
        }
    }
}
