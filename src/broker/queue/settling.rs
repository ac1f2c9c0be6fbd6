//! How unacknowledged messages end: settled for good, or taken back.

use super::Queue;
use super::arguments::{DelayedRetry, QueueKind};
use super::dying::DeathReason;
use super::entry::Entry;
use super::unacked::Unacked;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::profile::Counted;
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
    const fn is_failure(self) -> bool {
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
            let Some(unacked) = self.unacked.remove(token) else { continue };
            self.release(unacked.channel, unacked.consumer);
            match settlement {
                Settlement::Acked => {
                    self.stats.ack += 1;
                    self.gone(&unacked.entry);
                }
                Settlement::Rejected => self.reject(unacked.entry),
                Settlement::Nacked => self.bury(unacked.entry, DeathReason::Rejected),
            }
        }
        self.consumers.promote();
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

    /// Puts messages back; tokens that the queue took back before are ignored. [`Queue::pump`] must follow.
    pub fn requeue(&mut self, tokens: impl IntoIterator<Item = Token>, cause: Return, now_ms: u64) {
        let returned: Vec<_> = tokens.into_iter().filter_map(|token| self.unacked.remove(token)).collect();
        self.take_back(returned, cause, now_ms);
    }

    /// Puts everything back that this channel did not settle, because it is closed. [`Queue::pump`] must follow.
    pub fn requeue_all_of(&mut self, channel: ChannelId, now_ms: u64) {
        let returned = self.unacked.remove_where(|unacked| unacked.channel == channel);
        self.take_back(returned, Return::Lost, now_ms);
    }

    pub(super) fn take_back(&mut self, returned: Vec<Unacked>, cause: Return, now_ms: u64) {
        let mut entries = Vec::with_capacity(returned.len());
        for Unacked { mut entry, channel, consumer, .. } in returned {
            self.release(channel, consumer);
            match self.arguments.kind {
                QueueKind::Classic => {
                    // Nobody but the next queue asks for the number.
                    if cause.is_failure() && self.arguments.dead_letter_exchange.is_some() {
                        entry.counts.failed = entry.counts.failed.saturating_add(1);
                        self.note_counts(&entry);
                    }
                    entries.push(entry);
                }
                QueueKind::Quorum => {
                    let counts_all = self.arguments.counted == Counted::Returns;
                    let is_counted = counts_all || cause.is_failure();
                    entry.counts.acquired = entry.counts.acquired.saturating_add(1);
                    entry.counts.failed = entry.counts.failed.saturating_add(u32::from(is_counted));
                    self.note_counts(&entry);
                    self.take_back_quorum(entry, cause, now_ms);
                }
            }
        }
        if self.arguments.kind == QueueKind::Classic {
            self.ready.requeue(entries);
            // What is too much goes before anybody can be given it (behaviour reference 6.1).
            self.trim();
        }
        self.consumers.promote();
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

    /// Counts a message that is not unacknowledged any more.
    pub(super) fn release(&mut self, channel: ChannelId, consumer: Option<ConsumerId>) {
        if let Some(consumer) = consumer {
            self.consumers.settled(consumer);
        } else if let Some(getter) = self.getters.get_mut(&channel) {
            getter.unacked -= 1;
            if getter.unacked == 0 {
                self.getters.remove(&channel);
            }
        }
    }
}
