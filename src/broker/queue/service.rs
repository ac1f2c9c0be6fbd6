//! Whom a queue serves: its consumers, those who wait for them, and when it was used.
//!
//! Invariants: nothing is handed out during a pause; a queue is in use while it has consumers, and its last use is remembered then.

use std::sync::Arc;

use smallvec::SmallVec;

use super::consumers::Consumers;
use super::pace::Pace;
use crate::broker::publisher::PublisherWaits;

/// The users of a queue.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) consumers: Consumers,
    /// Nothing is delivered until somebody ends the pause.
    is_paused: bool,
    /// The queue is gone, and whoever still has its handle finds nothing.
    is_deleted: bool,
    /// Publishers that are ahead of the consumers.
    pace: Pace<Arc<PublisherWaits>>,
    /// For `x-expires`: the last declare, get, or moment with a consumer.
    used_at_ms: u64,
}

impl Service {
    /// Nobody uses it yet but the one who declares it.
    pub(super) fn new(single_active_consumer: bool, now_ms: u64) -> Self {
        let consumers = Consumers::new(single_active_consumer);
        Self { consumers, is_paused: false, is_deleted: false, pace: Pace::default(), used_at_ms: now_ms }
    }

    /// Notes a use, for `x-expires`.
    pub(super) const fn touch(&mut self, now_ms: u64) {
        self.used_at_ms = now_ms;
    }

    /// The last use.
    pub(super) const fn used_at_ms(&self) -> u64 {
        self.used_at_ms
    }

    /// When the queue is to be deleted because nobody has used it for so long.
    pub(super) fn expiry_ms(&self, expires_ms: Option<u64>) -> Option<u64> {
        let expires_ms = expires_ms.filter(|_| self.consumers.is_empty())?;
        Some(self.used_at_ms.saturating_add(expires_ms))
    }

    /// Stops deliveries, or allows them again.
    pub(super) const fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    pub(super) const fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether there is anybody who can be given something.
    pub(super) fn is_open(&self) -> bool {
        !self.is_paused && !self.consumers.is_empty()
    }

    /// Takes all consumers off: the queue is gone.
    pub(super) fn delete(&mut self) -> Consumers {
        self.is_deleted = true;
        std::mem::take(&mut self.consumers)
    }

    /// Tells the pace of publishers what time it is.
    #[inline]
    pub(super) const fn note_time(&mut self, now_ms: u64) {
        self.pace.note_time(now_ms);
    }

    /// Makes a publisher wait that made the queue longer, from the first of these levels to the second, if it is too long now.
    pub(super) fn wait_if_ahead(&mut self, publisher: &Arc<PublisherWaits>, levels: (u64, u64)) {
        if self.pace.wait_if_ahead(publisher, levels, || self.consumers.are_served()) {
            publisher.begin();
        }
    }

    /// Who goes on after a transition that made the queue shorter, or not; the level that it has now is looked at only if somebody waits.
    #[inline]
    pub(super) fn go_on(
        &mut self,
        level_before: u64,
        level: impl FnOnce() -> u64,
    ) -> SmallVec<[Arc<PublisherWaits>; 1]> {
        let mut on = SmallVec::new();
        if !self.pace.is_empty() {
            let (level, is_served) = (level(), self.consumers.are_served());
            self.pace.go_on(level_before.saturating_sub(level), level, is_served, &mut on);
        }
        on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_expires_so_long_after_its_last_use() {
        let mut service = Service::new(false, 1_000);
        assert_eq!(service.expiry_ms(None), None);
        assert_eq!(service.expiry_ms(Some(50)), Some(1_050));
        service.touch(2_000);
        assert_eq!((service.expiry_ms(Some(50)), service.used_at_ms()), (Some(2_050), 2_000));
        assert_eq!(service.expiry_ms(Some(u64::MAX)), Some(u64::MAX));
    }

    #[test]
    fn nobody_is_served_by_a_queue_without_consumers_or_in_a_pause() {
        let mut service = Service::new(false, 0);
        assert!(!service.is_open() && !service.is_paused());
        service.set_paused(true);
        assert!(!service.is_open() && service.is_paused());
    }
}
