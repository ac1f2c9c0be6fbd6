//! What passed through a queue in its time, in numbers. They only rise, and go with the queue to those of its virtual host.

use super::dying::{DeadLetterStrategy, DeathReason};
use super::removal::Retired;
use crate::metrics::{DeathStats, MessageStats};

/// How a message is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandedOut {
    pub(super) to_consumer: bool,
    pub(super) no_ack: bool,
    pub(super) redelivered: bool,
}

/// Counts since the queue was declared.
#[derive(Debug, Default)]
pub(super) struct Passed {
    stats: MessageStats,
    deaths: DeathStats,
}

impl Passed {
    /// A message was offered, whether it was taken or not.
    pub(super) const fn count_publish(&mut self) {
        self.stats.publish += 1;
    }

    pub(super) fn count_delivery(&mut self, HandedOut { to_consumer, no_ack, redelivered }: HandedOut) {
        let stats = &mut self.stats;
        let count = match (to_consumer, no_ack) {
            (true, false) => &mut stats.deliver,
            (true, true) => &mut stats.deliver_no_ack,
            (false, false) => &mut stats.get,
            (false, true) => &mut stats.get_no_ack,
        };
        *count += 1;
        stats.redeliver += u64::from(redelivered && to_consumer);
    }

    /// Somebody asked for a message, and there was none.
    pub(super) const fn count_empty_get(&mut self) {
        self.stats.get_empty += 1;
    }

    pub(super) const fn count_ack(&mut self) {
        self.stats.ack += 1;
    }

    /// Messages cannot be read back, and are lost.
    pub(super) const fn count_unreadable(&mut self, count: usize) {
        self.stats.unreadable += count as u64;
    }

    /// Messages die, whether or not anybody wants to see them.
    pub(super) const fn count_deaths(&mut self, reason: DeathReason, count: u64) {
        let DeathStats { rejected, expired, maxlen, delivery_limit, .. } = &mut self.deaths;
        *match reason {
            DeathReason::Rejected => rejected,
            DeathReason::Expired => expired,
            DeathReason::MaxLength => maxlen,
            DeathReason::DeliveryLimit => delivery_limit,
        } += count;
    }

    /// Dead letters were delivered of a queue that promises it.
    pub(super) const fn count_confirmed(&mut self, count: u64) {
        self.deaths.confirmed += count;
    }

    pub(super) const fn stats(&self) -> MessageStats {
        self.stats
    }

    pub(super) const fn deaths(&self) -> DeathStats {
        self.deaths
    }

    /// All numbers of a queue that is deleted, which has none any more.
    pub(super) fn retire(&mut self, dead_letters: DeadLetterStrategy) -> Retired {
        let Self { stats, deaths } = std::mem::take(self);
        Retired { stats, deaths, dead_letters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_counted_once_by_how_it_is_made() {
        let mut passed = Passed::default();
        for to_consumer in [false, true] {
            for no_ack in [false, true] {
                for redelivered in [false, true] {
                    passed.count_delivery(HandedOut { to_consumer, no_ack, redelivered });
                }
            }
        }
        let MessageStats { deliver, deliver_no_ack, get, get_no_ack, redeliver, .. } = passed.stats();
        assert_eq!((deliver, deliver_no_ack, get, get_no_ack), (2, 2, 2, 2));
        assert_eq!(redeliver, 2, "of consumers only");
    }

    #[test]
    fn what_is_retired_is_not_counted_twice() {
        let mut passed = Passed::default();
        passed.count_publish();
        passed.count_deaths(DeathReason::Expired, 3);
        let retired = passed.retire(DeadLetterStrategy::AtMostOnce);
        assert_eq!((retired.stats.publish, retired.deaths.expired), (1, 3));
        assert_eq!((passed.stats().publish, passed.deaths().expired), (0, 0));
    }
}
